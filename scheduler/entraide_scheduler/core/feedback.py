"""Teaching: what a run that has ended tells about its node, its co-op and its prompts.

Decides what of a usage report is held against what was predicted, and who learns from it: the
replica's pace, the habits of the co-op, the prefixes that the node's cache holds now. It refuses to
know what is done with what was learned.
"""

from entraide.types import Usage
from entraide_scheduler.core.performance_model import RunMeasurement
from entraide_scheduler.core.prefix_cache import FEATURE
from entraide_scheduler.core.records import Job, Lease
from entraide_scheduler.core.state import State


def learn_from_run(state: State, job: Job, lease: Lease, usage: Usage) -> None:
    """Takes in a completed run; the lease still stands on its node.

    Args:
        state: the core's.
        job: of the lease.
        lease: active.
        usage: as ``settlement.bounded_usage`` gives it.
    """
    facts, terms, expected = job.facts, lease.terms, lease.expected
    choices = max(1, facts.choices)
    state.length_predictor.learn(
        facts.coop,
        terms.model,
        output_tokens=min(usage.output_tokens, lease.output_tokens_max) / choices,
        run_s=usage.run_s,
    )
    if usage.ttft_s <= 0.0:
        return  # an estimate of ours, or a run without a first token
    node = state.fleet.nodes[terms.node]
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
        held = facts.input_tokens_est - expected.input_tokens
        state.prefix_cache.record_run(facts, terms.node, usage, expected=held)
