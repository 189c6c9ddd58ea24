"""Feedback: updates the predictors from a completed run.

Input: a run's usage report and the predictions of its lease. Output: updates of the replica's
performance model, of the co-op's answer-length predictor, and of the node's prefix cache.
"""

from entraide.models import EMBEDDINGS_ONLY
from entraide.types import Usage
from entraide_scheduler.core.estimation import FEATURE, RunMeasurement
from entraide_scheduler.core.records import Job, Lease
from entraide_scheduler.core.state import State


def learn_from_run(state: State, job: Job, lease: Lease, usage: Usage) -> None:
    """Updates the predictors; the lease is still active on its node.

    Args:
        state: the core's.
        job: of the lease.
        lease: active.
        usage: as returned by ``settlement.bounded_usage``.
    """
    facts, terms, expected = job.facts, lease.terms, lease.expected
    choices = max(1, facts.choices)
    node = state.fleet.nodes[terms.node]
    # A model that also chats has answers of a length; its embeddings say nothing about them.
    if not facts.embeds or EMBEDDINGS_ONLY in node.replicas[terms.model].features:
        state.length_predictor.learn(
            facts.coop,
            terms.model,
            output_tokens=min(usage.output_tokens, lease.output_tokens_max) / choices,
            run_s=usage.run_s,
        )
    if usage.ttft_s <= 0.0:
        return  # estimated by the pool, or without a first token
    uncached = max(0, usage.input_tokens - usage.cached_tokens)
    node.loads[terms.model].pace.record_run(
        RunMeasurement(
            predicted_ttft_s=max(0.0, expected.ttft_s - node.card.rtt_s),
            queue_s=expected.queue_s,
            queue_tokens=expected.queue_tokens,
            queue_prompts=expected.queue_prompts,
            uncached_tokens=uncached,
            batch_at_start=float(expected.batch),
            ttft_s=usage.ttft_s,
            output_tokens=usage.output_tokens,
            decode_s=max(0.0, usage.run_s - usage.ttft_s),
            mean_batch=state.fleet.replica_index.mean_batch(lease, state.now),
            energy_prefill_uwh=usage.energy_prefill_uwh,
            energy_decode_uwh=usage.energy_decode_uwh,
            energy_basis=usage.energy_basis,
            counted=usage.counted,
            choices=choices,
            predicted_tpot_s=expected.tpot_s,
        )
    )
    view = state.fleet.replica_index.view_of(terms.model, terms.node)
    if view is not None and FEATURE in view.replica.features:
        predicted_cached = facts.input_tokens_est - expected.input_tokens
        state.prefix_cache.record_run(facts, terms.node, usage, expected=predicted_cached)
