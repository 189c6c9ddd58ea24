"""Sufficiency: whether a fleet does what is asked of it, so that nothing is needed.

It serves nearly all requests and keeps nearly all promises.
"""

from entraide_sim.runs.goals import summary_value
from entraide_sim.scenario import RunResult

KEPT_TOLERANCE = 0.005  # of the promises: a fleet just below keeps enough of them too
KEPT_ENOUGH = 0.95  # part of the promises that a fleet keeps which is enough
SERVED_ENOUGH = 0.995  # part of the requests that such a fleet serves


def served_part(result: RunResult) -> float:
    """Returns the part of the requests that were served; all of none."""
    jobs = summary_value(result.summary, "jobs") or 0.0
    return (summary_value(result.summary, "completed") or 0.0) / jobs if jobs else 1.0


def kept_part(result: RunResult) -> float:
    """Returns the part of the promises that were kept, or of the requests if none is promised."""
    kept = summary_value(result.summary, "slo_attainment")
    return served_part(result) if kept is None else kept


def is_enough(result: RunResult) -> bool:
    """Returns whether a fleet serves nearly all requests and keeps nearly all promises."""
    return (
        served_part(result) >= SERVED_ENOUGH and kept_part(result) >= KEPT_ENOUGH - KEPT_TOLERANCE
    )
