"""Optimum: the least that a week's work can emit, as a linear program over hours and zones.

Decides how much of each hour's work each zone does, knowing all hours. Work is seconds of a
machine whose batch is full, all machines are alike, energy is linear in work, waking costs nothing
and work can be split at will: so no schedule that keeps work in its hour emits less. HiGHS solves
it. It refuses to know jobs, and how the work came about.
"""

import os
import sys
from collections.abc import Sequence

import highspy

Table = Sequence[Sequence[float]]


class Infeasible(Exception):
    """The work does not fit."""


def least_g(
    work_s: Sequence[float], capacity_s: Sequence[float], grams_per_s: Table
) -> tuple[float, list[list[float]]]:
    """Returns the least emission, and who works when.

    Args:
        work_s: machine-seconds to do in each hour.
        capacity_s: machine-seconds that each zone has in each hour.
        grams_per_s: by hour and zone, what a machine-second emits, grams.

    Returns:
        Grams, and machine-seconds by hour and zone.

    Raises:
        Infeasible: an hour's work is more than all zones have.
    """
    solver = _solver()
    done = [
        [
            solver.addVariable(0.0, capacity, grams)
            for capacity, grams in zip(capacity_s, hour, strict=True)
        ]
        for hour in grams_per_s
    ]
    for variables, work in zip(done, work_s, strict=True):
        solver.addConstr(sum(variables) == work)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise Infeasible(f"HiGHS says {solver.modelStatusToString(solver.getModelStatus())}")
    shares = [[float(solver.val(variable)) for variable in hour] for hour in done]
    return float(solver.getInfo().objective_function_value), shares


def _solver() -> highspy.Highs:
    """Returns a solver that says nothing; its greeting, which no option stops, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        solver = highspy.Highs()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    solver.silent()
    return solver
