"""Dispatch: places waiting jobs in the order of the fair queue until no more fit.

Work-conserving: a job that fits no node delays no job of another shape. Its shape is blocked until
a replica opens, and the job gets the first slot that opens on one of its nodes when it is next; so
a job that few nodes can run neither blocks others nor starves. A job that a carbon cap or a quota
excludes from an open node is blocked alone. It is checked again when a node opens or becomes
cheaper, and against all nodes when its quota or the grid intensity changes.

An answer that its client has begun to read keeps its turn when it moves to another node: it gets
the first slot that can continue it, before the turns of all co-ops; only a job that is owed a turn
on its own co-op's replica goes before it.

While jobs are still to be visited after a change (``job_visits``), a job gets its present shape
here before a node is searched for it.

The constants below bound the work per event; the rest is done ``SKIPPED_RETRY_S`` later.
"""

from collections.abc import Iterator
from functools import partial

from entraide_scheduler.core import evaluation, leases, wait_limits
from entraide_scheduler.core.fleet import ReplicaView, is_open
from entraide_scheduler.core.placement import PlacementResult, exceeded_limit, pick, predict
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import DeadlineKind, Job
from entraide_scheduler.core.rules import GREENER_LATER, LIMIT_RULES
from entraide_scheduler.core.state import State

SEARCHES_PER_EVENT = 64  # searches that find no node, or are not made as all nodes are blocked
RECHECKS_PER_EVENT = 16  # due blocked jobs that are unblocked for a check
VIEWS_PER_EVENT = 8  # opened or cheaper replicas that blocked jobs are checked against
JOBS_PER_VIEW = 32  # blocked jobs that are checked against each of these replicas
SKIPPED_RETRY_S = 0.05  # latest start of the work that an event has left
RECHECK_ALL_S = 60.0  # period after which all blocked jobs are due

LIMIT_CODES = frozenset(rule.code for rule in LIMIT_RULES)


def place_or_enqueue(state: State, job: Job) -> None:
    """Places a job that has just been admitted, if it is the only candidate; else enqueues it.

    Only a job that cannot start now counts when the planner looks for models to load.
    """
    update_own_slots(state)
    is_next = job.wait is None and state.queue.is_idle_for(job.facts.model)
    if is_next and evaluation.may_fit(state, job):
        request = evaluation.make_request(state, job, state.now)
        result = evaluation.evaluate_nodes(state, job, request)
        chosen = pick(result, state.policy)
        if chosen is not None:
            leases.offer_lease(state, job, result, chosen, request)
            return
    state.enqueue(job)


def dispatch(state: State) -> None:
    """Places waiting jobs, and schedules the checks that are left for later."""
    update_own_slots(state)
    if state.blocked_jobs.has_due:
        _recheck_due(state)
    searches = 0
    if state.queue.open_shapes or state.fleet.replica_index.improved:
        searches = _place_jobs(state)
    if (
        searches == SEARCHES_PER_EVENT
        or state.blocked_jobs.models
        or state.job_sweep.ranges
        or state.alias_sweep.ranges
        or state.changes.opened
    ):
        _schedule_rechecks(state)


def _place_jobs(state: State) -> int:
    """Places waiting jobs; each round places a job, or blocks a job or a shape.

    Returns:
        The number of searches that found no node, or were not made as all nodes are blocked.
    """
    queue, improved = state.queue, state.fleet.replica_index.improved
    searches, begun = 0, _begun_answers(state)
    owed_job: Job | None = None  # goes before the next job, on its own co-op's replica
    while True:
        if improved:
            _recheck_improved(state)
            begun = _begun_answers(state)
        job = owed_job or next(begun, None) or queue.next_job()
        if job is None:
            break
        is_owed, owed_job = owed_job is not None, None
        if searches == SEARCHES_PER_EVENT:
            queue.block_open_shapes()
            break
        state.placing = job.facts.job
        if state.job_sweep.shapes and _reshape(state, job):
            searches += 1
            begun = _begun_answers(state)
            continue
        if not evaluation.may_fit(state, job):
            searches += 1
            _block_unfit(state, job)
            continue
        request = evaluation.make_request(state, job, state.now)
        result = evaluation.evaluate_nodes(state, job, request)
        chosen = pick(result, state.policy)
        if chosen is not None:
            view = chosen.best.view
            if not is_owed:
                owed_job = queue.first_owed_on(view.coop, view.own_kind, before=job)
            if owed_job is None:
                leases.offer_lease(state, job, result, chosen, request)
                _block_full(state, job.shape.model)
            else:
                begun = _begun_answers(state)
            continue
        searches += 1
        _set_aside(state, job, result, request)
    state.placing = ""
    return searches


def _reshape(state: State, job: Job) -> bool:
    """Gives a job its present shape; returns whether it had another one."""
    is_other = evaluation.reshape_job(state, job)
    if is_other:
        wait_limits.mark_job(state, job)
    return is_other


def _block_unfit(state: State, job: Job) -> None:
    """Blocks the shape of a job that fits no replica, and the model's others that fit none, too.

    So one co-op's many shapes are not examined one by one, each in its turn.
    """
    state.queue.block_shape(job.shape)
    state.queue.block_unfit(job.shape.model, partial(evaluation.shape_may_fit, state))


def _block_full(state: State, model: str) -> None:
    """Blocks a model's shapes that wait as soon as no replica of it is open.

    So the turns of many shapes are not computed again to find that none fits. A job that must run
    alone may still reserve a replica.
    """
    if model in state.queue.backlogs and not state.fleet.eligibility.is_any_open(model):
        state.queue.block_unfit(model, lambda shape: shape.alone != "")


def _begun_answers(state: State) -> Iterator[Job]:
    """Yields the answers to be continued that are not blocked, in order of their losses."""
    for job in list(state.begun_answers.values()):
        if state.queue.takes_turns(job):
            yield job


def update_own_slots(state: State) -> None:
    """Passes changes of the slots of co-ops' own nodes to the fair queue."""
    deltas = state.fleet.replica_index.own_deltas
    if deltas:
        state.counters.add_own_slots(deltas)
        deltas.clear()


def _set_aside(state: State, job: Job, result: PlacementResult, request: PlacementRequest) -> None:
    """Blocks a job that a limit of its own excludes from a node; otherwise blocks its shape."""
    if job.alone:
        evaluation.reserve_replica(state, job, request)
    wait_limits.note_cap(state, job, result, request)
    if job.shape.limited and not LIMIT_CODES.isdisjoint(result.counts):
        state.queue.block_job(job)
    else:
        state.queue.block_shape(job.shape)
    if GREENER_LATER.code in result.counts:
        evaluation.schedule_greener_retry(state)


def put_off(state: State) -> None:
    """Leaves a due plan and the checks of blocked jobs to a later event.

    They become deadlines and due jobs, which a snapshot holds.
    """
    soon, views = state.now + SKIPPED_RETRY_S, state.fleet.replica_index
    if state.changes.plan:
        state.changes.plan = False
        state.deadlines.set_no_later(DeadlineKind.MODEL_PLAN, "", soon)
    if views.improved:
        for model in sorted({model for model, _ in views.improved}):
            state.blocked_jobs.mark_model_due(model)
        views.improved.clear()
        state.deadlines.set_no_later(DeadlineKind.SKIPPED_SHAPES, "", soon)


# Blocked jobs and skipped shapes.


def retry_skipped_shapes(state: State, _: str) -> None:
    """Unblocks the shapes that an earlier event skipped."""
    state.queue.unblock_unexamined()


def recheck_blocked(state: State, _: str) -> None:
    """Makes all blocked jobs due, each minute."""
    state.blocked_jobs.mark_all_due()


def _schedule_rechecks(state: State) -> None:
    """Sets the deadlines of the remaining checks; an earlier deadline stays."""
    queue = state.queue
    is_changing = state.job_sweep.ranges or state.alias_sweep.ranges or state.changes.opened
    if queue.unexamined_shapes or state.blocked_jobs.has_due or is_changing:
        state.deadlines.set_no_later(DeadlineKind.SKIPPED_SHAPES, "", state.now + SKIPPED_RETRY_S)
    if state.blocked_jobs:
        state.deadlines.set_no_later(DeadlineKind.BLOCKED_JOBS, "", state.now + RECHECK_ALL_S)


def _recheck_due(state: State) -> None:
    """Unblocks a few due jobs; dispatch blocks those again that are still limited."""
    queue = state.queue
    for _ in range(RECHECKS_PER_EVENT):
        job = state.blocked_jobs.next_due()
        if job is None:
            break
        queue.unblock_job(job)


def _recheck_improved(state: State) -> None:
    """Unblocks the jobs that fit a replica which opened or became cheaper.

    Replicas come by name, since a restored fleet has its nodes in another order.
    """
    views, queue = state.fleet.replica_index, state.queue
    improved = [views.improved[name] for name in sorted(views.improved)]
    views.improved.clear()
    if len(improved) > VIEWS_PER_EVENT:
        for model in dict.fromkeys(view.replica.model for view in improved):
            state.blocked_jobs.mark_model_due(model)
        return
    for view in improved:
        if is_open(view):
            for job in state.blocked_jobs.take_jobs(view.replica.model, JOBS_PER_VIEW):
                if _fits_replica(state, job, view):
                    queue.unblock_job(job)


def _fits_replica(state: State, job: Job, view: ReplicaView) -> bool:
    """Tells whether a blocked job may run on a replica now."""
    shape, state.placing = job.shape, job.facts.job
    if not (state.fleet.may_admit(view, shape) and evaluation.may_start_now(state, shape, view)):
        return False
    request = evaluation.make_request(state, job, state.now)
    return exceeded_limit(predict(view, request), request) is None
