"""Wait limits: a live job does not wait for long while no node would accept it.

A waiting job is stalled while each node that may serve it is closed: silent, paused by its owner or
at rest after failures, also one that would first have to load the model. A job whose nodes are only
full is not stalled, since runs end; neither is one whose model is being loaded. A job is stalled,
too, while its own cap on grams, a quota of energy or emissions, or the energy that co-ops lend in a
day excludes each node that is not closed, full ones too; each examination says whether it does. A
stalled live job ends after the least of its class's ``max_wait_s`` and its own: with the code of
the quota that does not suffice, as at admission, else with ``waited_too_long``. The time begins
again each time that a node opens. Kept jobs wait on, unless they have a limit of their own.

Input: ``Changes.service``, ``Changes.enqueued``, and the results of dispatch. Output:
``Job.stalled_at``, a deadline for each stalled job with a limit, and the end of the job.
"""

from math import ceil

from entraide.types import Explanation, JobKind, JobState
from entraide_scheduler.core import evaluation, explanations, settlement
from entraide_scheduler.core.accounting import PER_UNIT, Shortage
from entraide_scheduler.core.fair_queue import SHAPES_PER_EVENT, ShapeQueue
from entraide_scheduler.core.fleet import EligibleNodes
from entraide_scheduler.core.models import has_exhausted_loads
from entraide_scheduler.core.placement import PlacementResult, exceeded_limit, predict
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import DeadlineKind, Job, Node, Shape, is_loading
from entraide_scheduler.core.rules import (
    CLOSED_BITS,
    GREENER_LATER,
    LIMIT_RULES,
    LimitFilter,
    Rule,
    Values,
    masks_for,
    would_accept,
)
from entraide_scheduler.core.state import State

# What a quota counts, by the reason of a job that waits for it.
QUOTA_KINDS = {
    rule.wait.reason: rule.filter.quota
    for rule in LIMIT_RULES
    if rule.wait and isinstance(rule.filter, LimitFilter) and rule.filter.quota
}
RETRY_STALLED_S = 30.0  # until a refused client may try again, where nothing says when a node opens


def note_stalls(state: State) -> None:
    """Marks the waiting jobs that are stalled now, and those that are no longer.

    Where the nodes of a shape have changed so that its many jobs are, a pass visits them.
    """
    changes, sweep = state.changes, state.job_sweep
    queues: dict[ShapeQueue, None] = {}
    if changes.service:
        queues = dict.fromkeys(state.queue.shape_queues_of(changes.service))
        changes.service.clear()
        if len(queues) > SHAPES_PER_EVENT:
            sweep.begin(state.arrivals)
            queues = {}
    enqueued: list[tuple[Job, ShapeQueue]] = []
    for name in changes.enqueued:
        job = state.jobs.get(name)
        if job is not None and job.state is JobState.QUEUED:
            queue = state.queue.find_shape_queue(job.shape)
            assert queue is not None, f"{name} does not wait"
            enqueued.append((job, queue))
            queues[queue] = None
    changes.enqueued.clear()
    turned = [queue for queue in queues if _turns(state, queue)]
    for job, queue in enqueued:
        _mark(state, job, stalled=job.is_capped or queue.is_stalled)
    if turned:
        number = sum(queue.job_count for queue in turned)
        if number > sweep.visits_left:
            sweep.begin(state.arrivals)
            return
        sweep.visits_left -= number
        stalled = {queue.shape: queue.is_stalled for queue in turned}
        for job in state.queue.jobs_in(turned):
            _mark(state, job, stalled=job.is_capped or stalled[job.shape])


def _turns(state: State, queue: ShapeQueue) -> bool:
    """Tells whether a shape's jobs are stalled now, or no longer, unlike before."""
    was_stalled, queue.is_stalled = queue.is_stalled, is_stalled(state, queue.shape)
    return queue.is_stalled != was_stalled


def mark_job(state: State, job: Job) -> None:
    """Marks a waiting job of a new shape, or unmarks it."""
    _mark(state, job, stalled=job.is_capped or is_stalled(state, job.shape))


def note_cap(state: State, job: Job, result: PlacementResult, request: PlacementRequest) -> None:
    """Notes whether a cap or a quota keeps a waiting job from each node that would accept it."""
    was_capped, job.is_capped = job.is_capped, _is_capped(state, job.shape, result, request)
    if job.is_capped or was_capped:
        mark_job(state, job)


def _is_capped(
    state: State, shape: Shape, result: PlacementResult, request: PlacementRequest
) -> bool:
    """Tells whether nothing but caps and closed nodes keeps a shape waiting."""
    if result.fitting or not shape.limited or GREENER_LATER.code in result.counts:
        return False
    if not _exceeded_limits(state, shape, request):
        return False
    could_load = state.fleet.eligible_nodes(shape).could_load
    return not any(_may_load(state, node, shape) for node in could_load)


def _exceeded_limits(
    state: State, shape: Shape, request: PlacementRequest
) -> list[tuple[Node, Rule]]:
    """Returns the limit that a shape exceeds on each node that would accept it, full ones too.

    Returns nothing if it keeps all limits on one of them, or if there is none.
    """
    exceeded = []
    for view in state.fleet.eligible_nodes(shape).views:
        if would_accept(view, shape):
            limit = exceeded_limit(predict(view, request), request)
            if limit is None:
                return []
            exceeded.append((view.node, limit))
    return exceeded


def _mark(state: State, job: Job, *, stalled: bool) -> None:
    if not stalled:
        if job.stalled_at:
            job.stalled_at = 0.0
            state.deadlines.clear(DeadlineKind.WAIT_LIMIT, job.facts.job)
        return
    job.stalled_at = job.stalled_at or state.now
    limit_s = limit_of(state, job)
    if limit_s:
        state.deadlines.set(DeadlineKind.WAIT_LIMIT, job.facts.job, job.stalled_at + limit_s)
    else:
        state.deadlines.clear(DeadlineKind.WAIT_LIMIT, job.facts.job)


def is_stalled(state: State, shape: Shape) -> bool:
    """Tells whether no node would accept a shape, however many runs end."""
    eligible = state.fleet.eligible_nodes(shape)
    if _would_any_accept(eligible, shape):
        return False
    return not any(_may_load(state, node, shape) for node in eligible.could_load)


def _would_any_accept(eligible: EligibleNodes, shape: Shape) -> bool:
    if eligible.views and would_accept(eligible.views[0], shape):
        return True
    columns = eligible.columns
    if columns is None:
        return any(would_accept(view, shape) for view in eligible.views)
    own, others = masks_for(shape)
    return columns.any_without(own & CLOSED_BITS, others & CLOSED_BITS)


def _may_load(state: State, node: Node, shape: Shape) -> bool:
    """Tells whether a node loads a shape's model, or may try to and would then accept the shape.

    A failed load is tried again a few times, after which the job ends by itself.
    """
    model = shape.model
    if is_loading(node, model):
        return True
    if has_exhausted_loads(node, model, state.now):
        return False
    loaded = state.fleet.replica_index.once_loaded(node, node.loadable[model])
    return would_accept(loaded, shape)


def limit_of(state: State, job: Job) -> float:
    """Returns for how long a job may be stalled, seconds; 0 without a limit.

    An answer of which a part was delivered has the policy's ``resume_s`` instead.
    """
    if job.revision:
        return 0.0
    facts = job.facts
    limits_s = [facts.max_wait_s or 0.0]
    if facts.kind is JobKind.LIVE:
        limits_s.append(state.classes[facts.job_class].max_wait_s)
    return min(filter(None, limits_s), default=0.0)


def end_stalled(state: State, name: str) -> None:
    """Ends a job that was stalled for as long as it may be, with the reason."""
    job = state.jobs[name]
    if state.job_sweep.shapes and job.state is JobState.QUEUED:
        evaluation.reshape_job(state, job)
        mark_job(state, job)
    if job.state is not JobState.QUEUED or not job.stalled_at:
        return
    request = evaluation.make_request(state, job, state.now)
    result = evaluation.evaluate_nodes(state, job, request)
    note_cap(state, job, result, request)
    if not job.stalled_at:
        return
    exceeded = _exceeded_limits(state, job.shape, request) if job.is_capped else []
    why = explanations.explain_wait(state, job, result, request, exceeded)
    code, waited_s = "waited_too_long", state.now - job.stalled_at
    values: Values = {"reason": why.reason, "waited_s": waited_s}
    again_at = why.values.get("again_at")
    retry_after_s: float | None = RETRY_STALLED_S
    if isinstance(again_at, float):
        retry_after_s = max(1.0, again_at - state.now)
    if shortage := _find_shortage(state, job, why):
        code, values = shortage.code, {**shortage.values, "waited_s": waited_s}
        retry_after_s = shortage.retry_after_s(state.now)
    settlement.end_stalled_job(
        state, job, values, code=code, retry_after_s=retry_after_s, explanation=why
    )


def _find_shortage(state: State, job: Job, why: Explanation) -> Shortage | None:
    """Returns the quota for which a job waits, if that is the reason."""
    kind = QUOTA_KINDS.get(why.reason)
    if kind is None:
        return None
    needed = ceil(float(why.values["needed"]) * PER_UNIT[kind])
    return state.quotas.shortage(job.facts, {kind: needed})
