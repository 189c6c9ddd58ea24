"""Linear optimum: lower bounds of emissions by linear programs with all hours known.

Either the work of each hour is divided among zones, or jobs are shifted to later hours. Work is
divisible, energy is linear in work and waking is free, so no schedule emits less. Solver: HiGHS.
"""

import os
import sys
from collections.abc import Sequence

import highspy
import numpy as np

Table = Sequence[Sequence[float]]


class Infeasible(Exception):
    """The work exceeds the capacity."""


def min_emissions_g(
    work_s: Sequence[float], capacity_s: Sequence[float], grams_per_s: Table
) -> tuple[float, list[list[float]]]:
    """Returns the minimum emissions, and the work of each zone and hour.

    Args:
        work_s: machine-seconds to do in each hour.
        capacity_s: machine-seconds that each zone has in each hour.
        grams_per_s: emissions of a machine-second by hour and zone, grams.

    Returns:
        Grams, and machine-seconds by hour and zone.

    Raises:
        Infeasible: an hour's work is more than all zones have.
    """
    solver = _make_solver()
    done = [
        [
            solver.addVariable(0.0, capacity, grams)
            for capacity, grams in zip(capacity_s, hour, strict=True)
        ]
        for hour in grams_per_s
    ]
    for variables, work in zip(done, work_s, strict=True):
        solver.addConstr(sum(variables) == work)
    least = _solve(solver)
    return least, [[float(solver.val(variable)) for variable in hour] for hour in done]


def min_shift_cost(
    counts: Sequence[int], cost: Sequence[float], *, wait: int, room: float
) -> float:
    """Returns the least cost of jobs that may each wait some hours.

    Args:
        counts: jobs that come in each hour.
        cost: of a job in each hour.
        wait: the hours that a job may wait.
        room: jobs that an hour can hold.

    Raises:
        Infeasible: an hour's jobs find no room in time.
    """
    hours = len(counts)
    rows, columns, costs = [], [], []
    for come in range(hours):
        for run in range(come, min(come + wait + 1, hours)) if counts[come] else ():
            rows += [come, hours + run]
            costs.append(cost[run])
            columns.append(len(rows))
    problem = highspy.HighsLp()
    problem.num_col_, problem.num_row_ = len(costs), 2 * hours
    problem.col_cost_ = np.array(costs)
    problem.col_lower_ = np.zeros(len(costs))
    problem.col_upper_ = np.full(len(costs), np.inf)
    problem.row_lower_ = np.array([*counts, *([0.0] * hours)], np.float64)
    problem.row_upper_ = np.array([*counts, *([room] * hours)], np.float64)
    problem.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    problem.a_matrix_.start_ = np.array([0, *columns])
    problem.a_matrix_.index_ = np.array(rows)
    problem.a_matrix_.value_ = np.ones(len(rows))
    solver = _make_solver()
    solver.passModel(problem)
    return _solve(solver)


def min_deferral_cost(
    groups: Sequence[tuple[int, int, int]], cost: Sequence[float], room: Sequence[float]
) -> tuple[float, float]:
    """Returns the least cost of jobs with deadlines, and the number that find no room in time.

    As few jobs as possible find none.

    Args:
        groups: first hour, last hour and number of equal jobs.
        cost: of a job in each hour.
        room: jobs that each hour can hold.
    """
    solver = _make_solver()
    held: list[list[highspy.highs.highs_var]] = [[] for _ in cost]
    unplaced, penalty = [], 100.0 * max(cost)
    for first, last, count in groups:
        late = solver.addVariable(0.0, count, penalty)
        hours = range(first, min(last + 1, len(cost)))
        placed = [solver.addVariable(0.0, count, cost[hour]) for hour in hours]
        for hour, variable in zip(hours, placed, strict=True):
            held[hour].append(variable)
        solver.addConstr(sum(placed) + late == count)
        unplaced.append(late)
    for variables, most in zip(held, room, strict=True):
        if variables:
            solver.addConstr(sum(variables) <= most)
    least = _solve(solver)
    left = sum(float(solver.val(variable)) for variable in unplaced)
    return least - penalty * left, left


def _solve(solver: highspy.Highs) -> float:
    solver.run()
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise Infeasible(f"HiGHS says {solver.modelStatusToString(status)}")
    return float(solver.getInfo().objective_function_value)


def _make_solver() -> highspy.Highs:
    """Returns a silent solver; its banner, which no option disables, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    solver.silent()
    return solver
