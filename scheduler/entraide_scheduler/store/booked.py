"""Booked jobs: what statements sum, from the rows of open months and the sums of closed ones.

A closed month counts by its sums alone, whether or not its rows are deleted already. Its jobs that
were settled late are left out here: corrections of the next month have their lines.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Subquery, case, func, select, union_all

from entraide_scheduler.store.schema import closed_months, closed_sums, settled

NAMES = (
    "settled_at", "coop", "lender", "key", "project", "model", "node", "zone", "job_class",
    "promise", "energy_basis", "intensity_basis", "surplus_basis",
)  # fmt: skip
AMOUNTS = ("tokens", "energy_uwh", "carbon_direct_ug", "carbon_lifecycle_ug")

# A job counts once, for the co-op whose machine ended it; what its earlier runs used counts for
# theirs.
JOBS = case((settled.c.run == 0, 1), else_=0)


def open_since() -> ScalarSelect[Any]:
    """Returns the expression of when the months begin that are not closed."""
    ends = select(func.coalesce(func.max(closed_months.c.end_at), 0.0))
    return ends.where(closed_months.c.closed_at > 0.0).scalar_subquery()


def is_open() -> ColumnElement[bool]:
    """Returns the condition that a settled row is of a month that is not closed."""
    return settled.c.settled_at >= open_since()


def select_booked(which: Callable[[Any], ColumnElement[bool]]) -> Subquery:
    """Returns the booked jobs as rows with ``NAMES``, ``jobs`` and ``AMOUNTS``.

    Args:
        which: condition on columns of these names; times are exact to a day in closed months.
    """
    rows = select(
        *(settled.c[name] for name in NAMES),
        JOBS.label("jobs"),
        *(settled.c[name] for name in AMOUNTS),
    ).where(is_open(), settled.c.late == 0, which(settled.c))
    sums = select(*(closed_sums.c[name] for name in (*NAMES, "jobs", *AMOUNTS))).where(
        closed_sums.c.settled_at < open_since(), which(closed_sums.c)
    )
    return union_all(rows, sums).subquery("booked")


def totals_of(booked: Subquery) -> tuple[ColumnElement[Any], ...]:
    """Returns the columns of ``JobTotals`` over booked jobs."""
    return tuple(func.sum(booked.c[name]) for name in ("jobs", *AMOUNTS))
