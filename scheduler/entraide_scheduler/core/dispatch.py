"""Dispatch: places what fits, in the order of the fair queue, until nothing more does.

Work-conserving: a job that fits no node now holds up no job of another shape, and a shape that
fits no node is not looked at again before something opened. So a job that few nodes can run
neither blocks those behind it nor starves: it is offered the first slot that opens on one of its
nodes whenever its turn is first, and others are served elsewhere meanwhile.
"""

from entraide_scheduler.core import green, leases, survey
from entraide_scheduler.core.placement import GREENER_LATER, pick
from entraide_scheduler.core.records import Job
from entraide_scheduler.core.state import State


def line_up(state: State, job: Job) -> None:
    """Places a job that has just been admitted, or puts it in line.

    Where nobody waits for its model its turn is now, so it need not stand in line first.
    """
    queue = state.queue
    if job.wait is None and queue.nobody_waits(job.facts.model):
        want = survey.want(state, job, state.now)
        seen = survey.survey(state, job, want)
        picked = pick(seen, state.policy)
        if picked is not None:
            leases.offer(state, job, seen, picked, want, serve=queue.serve_at_once)
            return
    green.enter(state, job)
    queue.add(job)


def dispatch(state: State) -> None:
    """Places waiting jobs; each round places one, or sets one shape aside."""
    queue = state.queue
    while (job := queue.next()) is not None:
        want = survey.want(state, job, state.now)
        seen = survey.survey(state, job, want)
        picked = pick(seen, state.policy)
        if picked is not None:
            leases.offer(state, job, seen, picked, want, serve=queue.serve)
            green.leave(state, job)
            continue
        queue.stick(job.shape)
        if GREENER_LATER.code in seen.counts:
            green.wait(state, job.shape)
