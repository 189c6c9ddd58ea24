"""Shape: all properties of a job that decide which nodes may run it, for the present fleet.

Input: a job and the state. Output: its ``Shape`` and the context that it needs. The shapes of
waiting jobs are computed again when the fleet or the policy changes.
"""

from entraide.resuming import RESUME
from entraide.shared_fields import make_copier
from entraide.types import DataClass, JobClass, RequestFacts
from entraide_scheduler.core.carbon import HOUR_S
from entraide_scheduler.core.evaluation import exclusive_retry
from entraide_scheduler.core.evaluation.carbon_shifting import latest_start
from entraide_scheduler.core.models import openness_of
from entraide_scheduler.core.records import Job, Shape, context_input_est
from entraide_scheduler.core.state import State

_shape_from = make_copier(RequestFacts, Shape, own=("features", "coop"))
HOURS_EXACT = 48  # hours within which the hour of a latest start is not rounded
HOUR_BITS = 4  # significant bits of the remaining hours beyond that


def fit_context(state: State, job: Job) -> int:
    """Sets the context that a job needs; returns the largest eligible context, tokens.

    Served replicas count. If the prompt fits none of them, loadable models count too.
    """
    facts, eligible = job.facts, state.fleet.eligible_nodes(job.shape)
    largest, input_tokens = eligible.context_tokens, context_input_est(facts)
    if input_tokens >= largest:
        contexts = [node.loadable[facts.model].context_tokens for node in eligible.could_load]
        largest = max(largest, max(contexts, default=0))
    output_tokens = 0 if facts.embeds else job.output_tokens_max or largest
    # Like engines, cut an answer off at the end of the largest context.
    job.context_tokens = min(largest, input_tokens + output_tokens)
    return largest


def shape_of(state: State, job: Job) -> Shape:
    """Returns a job's shape for the present fleet.

    The context is rounded up to the next one that a node offers, so that all jobs which fit the
    same replicas share a shape; ``reshape_job`` rounds again when the fleet changes.
    """
    facts = job.facts
    capped = facts.max_carbon_ug is not None
    entry = state.model_aliases.entries.get(facts.model)
    model_openness, open_revisions = openness_of(facts, entry)
    shape = _shape_from(
        facts,
        features=_features_of(job),
        coop=state.fleet.own_coop(facts),
        context_tokens=round_context(state, job),
        batch=facts.job_class is JobClass.BATCH,
        green_h=_latest_start(state, job),
        limited=capped
        or state.quotas.is_metered(facts)
        or state.quotas.lent.another_has_limit(facts.coop),
        capped=capped,
        revision=job.revision,
        model_openness=model_openness,
        open_revisions=open_revisions,
        rationed=facts.data_class is DataClass.INTERNAL and bool(state.fleet.newcomers),
    )
    return exclusive_retry.exclusive_shape(job, shape) if job.alone else shape


def _features_of(job: Job) -> tuple[str, ...]:
    """Returns the features that a job's next run needs, sorted."""
    features = job.facts.features
    if job.revision:
        features = (*features, RESUME)
    return tuple(sorted(features)) if features else ()


def _latest_start(state: State, job: Job) -> int:
    """Returns the rounded hour of a job's latest start as expected now; 0 if it may not wait."""
    if job.wait is None:
        return 0
    return _round_hour(latest_start(state, job.shape, job.wait, state.now), state.now)


def _round_hour(hour: int, at: float) -> int:
    """Returns the hour of a job's latest start, rounded down beyond ``HOURS_EXACT`` hours.

    Rounding removes at most an eighth of the remaining time and bounds the number of shapes that
    deadlines, which clients choose, can create.
    """
    hours_left = hour - int(at) // HOUR_S
    shift = max(0, hours_left.bit_length() - HOUR_BITS) if hours_left > HOURS_EXACT else 0
    return hour >> shift << shift


def round_context(state: State, job: Job) -> int:
    """Returns the next context length that a node offers for what a job needs, tokens."""
    return state.fleet.round_context(job.facts.model, job.context_tokens)


def reshape_job(state: State, job: Job) -> bool:
    """Gives a waiting job its present shape, after a change of contexts or policy.

    If a limit of its own blocked it, it takes turns again.

    Returns:
        Whether it has another shape than before.
    """
    shape = shape_of(state, job)
    if shape != job.shape:
        state.queue.reshape(job, shape)
        return True
    if job in state.blocked_jobs:
        state.queue.unblock_job(job)
    return False
