"""Dispatch: places what fits, in the order of the fair queue, until nothing more does.

Work-conserving: a job that fits no node now holds up no job of another shape, and a shape that
fits no node is not looked at again before something opened. Places for what comes later: a cap on
the tokens that a co-op has in flight belongs before ``offer``, waiting for green hours and
reservations with backfill before ``survey``.
"""

from entraide_scheduler.core import leases, placement
from entraide_scheduler.core.state import State


def dispatch(state: State) -> None:
    """Places waiting jobs; each round places one, or sets one shape aside."""
    tolerance = state.policy.carbon.tolerance
    while (job := state.queue.next()) is not None:
        survey = placement.survey(state, job, state.now)
        objective = state.classes[job.facts.job_class]
        pick = placement.pick(survey.fits, objective=objective, tolerance=tolerance)
        if pick is None:
            state.queue.stick(job.shape)
        else:
            leases.offer(state, job, survey, pick)
