"""Feedback: updates the predictors from a completed run.

Input: a run's usage report and the predictions of its lease. Output: updates of the replica's
performance model and of the answer-length predictor.
"""

from entraide.models import EMBEDDINGS_ONLY
from entraide.types import Usage
from entraide_scheduler.core import evaluation
from entraide_scheduler.core.estimation import LONGEST, RunMeasurement
from entraide_scheduler.core.records import DeadlineKind, Job, Lease
from entraide_scheduler.core.state import State

# Until blocked jobs are checked after shorter answers: not at each of many runs that end.
SHORTER_RECHECK_S = 10.0


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
        _learn_lengths(state, job, lease, usage)
        if state.shift_planner.backlog.has_work(terms.model):
            evaluation.follow_capacity(state)
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


def _learn_lengths(state: State, job: Job, lease: Lease, usage: Usage) -> None:
    """Learns an answer's length; where jobs take less by it, blocked ones are checked again soon.

    Those of the run's co-op are due by the end of its lease.
    """
    lengths, model = state.length_predictor, lease.terms.model
    waiting = state.blocked_jobs.models.get(model)
    before = lengths.output_tokens("", model, at_most=LONGEST) if waiting else 0.0
    lengths.learn(
        job.facts.coop,
        model,
        output_tokens=min(usage.output_tokens, lease.output_tokens_max) / max(1, job.facts.choices),
        run_s=usage.run_s,
        input_tokens=usage.input_tokens,
    )
    if not waiting or lengths.output_tokens("", model, at_most=LONGEST) >= before:
        return
    if any(lengths.shares_lengths(coop, model) for coop in waiting):
        at = state.now + SHORTER_RECHECK_S
        state.deadlines.set_no_later(DeadlineKind.BLOCKED_JOBS, "", at)
