"""Job visits: what waiting jobs follow after a change that concerns many of them, piece by piece.

A visited job gets the shape that it has for the present contexts and policy. It ends if no
reachable node serves it or can load its model, and ``wait_limits`` examines it. ``JobSweep`` bounds
the jobs that an event visits, so a job's shape may be an earlier one until its visit. Meanwhile
``dispatch`` gives a job its present shape before it searches a node: nothing is placed by what was
true before.

Input: the state, and the models whose nodes may have gone. Output: shapes, and ends of jobs.
"""

from collections.abc import Iterable

from entraide.types import JobKind
from entraide_scheduler.core import admission, evaluation, leases, model_loading, settlement
from entraide_scheduler.core.fair_queue import SHAPES_PER_EVENT, ShapeQueue
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.state import State


def visit_jobs(state: State) -> None:
    """Visits the next jobs of the pass that is under way."""
    sweep = state.job_sweep
    jobs = sweep.take()
    if sweep.shapes:
        for job in jobs:
            evaluation.reshape_job(state, job)
    state.changes.enqueued.update((job.facts.job, None) for job in jobs)
    _end_unservable(state, jobs)
    sweep.end_if_done()


def end_unservable_jobs(state: State) -> None:
    """Ends the live jobs that no reachable node serves since nodes of their models changed.

    Where these are too many for one event, a pass ends them.
    """
    models, sweep = list(state.changes.servable), state.job_sweep
    state.changes.servable.clear()
    queues = state.queue.shape_queues_of(models)
    if len(queues) > SHAPES_PER_EVENT:
        sweep.begin(state.arrivals)
        return
    new = {state.jobs[name].shape for name in state.changes.enqueued if name in state.jobs}
    gone: list[ShapeQueue] = []
    for queue in queues:
        was_unreachable = queue.is_unreachable
        if _is_unreachable(state, queue) and (queue.shape in new or not was_unreachable):
            gone.append(queue)
    number = sum(queue.job_count for queue in gone)
    if number > sweep.visits_left:
        sweep.begin(state.arrivals)
        return
    sweep.visits_left -= number
    _end_unservable(state, state.queue.jobs_in(gone))


def _is_unreachable(state: State, queue: ShapeQueue) -> bool:
    queue.is_unreachable = not model_loading.is_reachable(state, queue.shape)
    return queue.is_unreachable


def _end_unservable(state: State, jobs: Iterable[Job]) -> None:
    """Fails those of some waiting jobs that are live and that no reachable node serves.

    Admission would refuse them now. Kept jobs go on waiting.
    """
    unreachable: dict[Shape, bool] = {}

    def is_unreachable(job: Job) -> bool:
        known = unreachable.get(job.shape)
        if known is None:
            queue = state.queue.find_shape_queue(job.shape)
            known = unreachable[job.shape] = queue is not None and _is_unreachable(state, queue)
        return known

    for job in jobs:
        if job.facts.kind is not JobKind.LIVE or not is_unreachable(job):
            continue
        if state.job_sweep.shapes and evaluation.reshape_job(state, job):
            state.changes.enqueued[job.facts.job] = None
            if not is_unreachable(job):
                continue
        code, values, _ = admission.unreachable_reason(state, job.shape)
        if job.revision:
            code, values = leases.STREAM_BROKEN, {}
        settlement.end_waiting_job(state, job, "fail", code=code, epoch=job.epoch, values=values)
