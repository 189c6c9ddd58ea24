"""Wait limits: a live job does not wait for long while no node would accept it.

A waiting job is stalled while each node that may serve it is closed: silent, paused by its owner or
at rest after failures, also one that would first have to load the model. A job whose nodes are only
full is not stalled, since runs end; neither is one whose model is being loaded. A job is stalled,
too, while its own cap on grams, or the energy that co-ops lend in a day, excludes each node that is
open; each examination of the job says whether that is so. A stalled live job
ends with ``waited_too_long`` after the least of its class's ``max_wait_s`` and its own; the time
begins again each time that a node opens. Kept jobs wait on, unless they have a limit of their own.

Input: ``Changes.service``, ``Changes.enqueued``, and the results of dispatch. Output:
``Job.stalled_at``, a deadline for each stalled job with a limit, and the end of the job.
"""

from entraide.types import JobKind, JobState
from entraide_scheduler.core import evaluation, explanations, settlement
from entraide_scheduler.core.models import has_exhausted_loads
from entraide_scheduler.core.placement import PlacementResult
from entraide_scheduler.core.records import DeadlineKind, Job, Node, Shape, is_loading
from entraide_scheduler.core.rules import (
    CLOSED_CODES,
    LEND_ENERGY_SPENT,
    OVER_CARBON_CAP,
    RULES,
    Values,
    would_accept,
)
from entraide_scheduler.core.state import State

# A cap that the request has set, or that co-ops have set on what they lend in a day.
CAP_CODES = frozenset({OVER_CARBON_CAP.code, LEND_ENERGY_SPENT.code})
WAITING_CODES = frozenset(rule.code for rule in RULES if rule.waiting_helps)
RETRY_STALLED_S = 30.0  # until a refused client may try again, where nothing says when a node opens


def note_stalls(state: State) -> None:
    """Marks the waiting jobs that are stalled now, and those that are no longer."""
    changes = state.changes
    if not changes.service:
        for job in changes.enqueued:
            if job.facts.job in state.jobs and job.state is JobState.QUEUED:
                _mark(state, job, stalled=job.is_capped or is_stalled(state, job.shape))
        changes.enqueued.clear()
        return
    changes.service = False
    changes.enqueued.clear()
    stalled = {shape: is_stalled(state, shape) for shape in state.queue.shapes}
    if state.has_stalled or any(stalled.values()):
        state.has_stalled = False
        for job in state.queue.jobs():
            _mark(state, job, stalled=job.is_capped or stalled[job.shape])


def note_cap(state: State, job: Job, result: PlacementResult) -> None:
    """Notes whether its own cap keeps a waiting job from each node that would accept it."""
    was_capped, job.is_capped = job.is_capped, _is_capped(state, job.shape, result)
    if job.is_capped or was_capped:
        _mark(state, job, stalled=job.is_capped or is_stalled(state, job.shape))


def _is_capped(state: State, shape: Shape, result: PlacementResult) -> bool:
    """Tells whether nothing but caps and closed nodes keeps a shape waiting."""
    waiting = result.counts.keys() & WAITING_CODES
    if result.fitting or waiting.isdisjoint(CAP_CODES) or not waiting <= CAP_CODES | CLOSED_CODES:
        return False
    could_load = state.fleet.eligible_nodes(shape).could_load
    return not any(_may_load(state, node, shape) for node in could_load)


def _mark(state: State, job: Job, *, stalled: bool) -> None:
    if not stalled:
        job.stalled_at = 0.0
        state.deadlines.clear(DeadlineKind.WAIT_LIMIT, job.facts.job)
        return
    state.has_stalled = True
    job.stalled_at = job.stalled_at or state.now
    limit_s = limit_of(state, job)
    if limit_s:
        state.deadlines.set(DeadlineKind.WAIT_LIMIT, job.facts.job, job.stalled_at + limit_s)
    else:
        state.deadlines.clear(DeadlineKind.WAIT_LIMIT, job.facts.job)


def is_stalled(state: State, shape: Shape) -> bool:
    """Tells whether no node would accept a shape, however many runs end."""
    eligible = state.fleet.eligible_nodes(shape)
    if any(would_accept(view, shape) for view in eligible.views):
        return False
    return not any(_may_load(state, node, shape) for node in eligible.could_load)


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
    if job.state is not JobState.QUEUED or not job.stalled_at:
        return
    request = evaluation.make_request(state, job, state.now)
    result = evaluation.evaluate_nodes(state, job, request)
    note_cap(state, job, result)
    if not job.stalled_at:
        return
    why = explanations.explain_wait(state, job, result, request)
    values: Values = {"reason": why.reason, "waited_s": state.now - job.stalled_at}
    again_at = why.values.get("again_at")
    retry_after_s = RETRY_STALLED_S
    if isinstance(again_at, float):
        retry_after_s = max(1.0, again_at - state.now)
    settlement.end_stalled_job(state, job, values, retry_after_s=retry_after_s, explanation=why)
