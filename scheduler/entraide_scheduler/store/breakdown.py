"""Breakdown: a co-op's settled jobs by place, class and basis, and what its machines gave. Queries.

The sums are those of ``statements`` and ``usage``, over the same jobs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from entraide_scheduler.store.booked import select_booked, totals_of
from entraide_scheduler.store.statements import JobTotals

ROWS_MAX = 10_000


class BreakdownRow(NamedTuple):
    """Jobs that agree in all of these.

    Attributes:
        borrower, lender: the co-ops that sent and that ran them.
        zone: grid zone of the machine.
        job_class, promise: class, and whether its promise was kept.
        energy_basis, intensity_basis, surplus_basis: how energy, the grid's intensity and the
            surplus were obtained; ``surplus_basis`` is "" without a surplus.
        totals: their totals.
    """

    borrower: str
    lender: str
    zone: str
    job_class: str
    promise: str
    energy_basis: str
    intensity_basis: str
    surplus_basis: str
    totals: JobTotals


class MachineTotals(NamedTuple):
    """What a machine ran for its own co-op and for others."""

    node: str
    own: JobTotals
    given: JobTotals


def read_breakdown(
    connection: Connection, coop: str, *, start_at: float, end_at: float
) -> tuple[BreakdownRow, ...]:
    """Returns the jobs that a co-op sent or ran, sorted; at most ``ROWS_MAX`` rows."""
    names = (
        "coop", "lender", "zone", "job_class", "promise", "energy_basis", "intensity_basis",
        "surplus_basis",
    )  # fmt: skip
    rows = _read(
        connection, names, lambda c: or_(c.coop == coop, c.lender == coop), start_at, end_at
    )
    return tuple(BreakdownRow._make((*row[:8], _totals(row[8:]))) for row in rows)


def read_machine_totals(
    connection: Connection, coop: str, *, start_at: float, end_at: float
) -> tuple[MachineTotals, ...]:
    """Returns what each machine of a co-op ran, by name, those that have left included."""
    rows = _read(connection, ("node", "coop"), lambda c: c.lender == coop, start_at, end_at)
    own: dict[str, JobTotals] = {}
    given: dict[str, JobTotals] = {}
    for node, borrower, *sums in rows:
        part = own if borrower == coop else given
        part[node] = part.get(node, JobTotals()).plus(_totals(sums))
    nodes = sorted(own.keys() | given.keys())
    return tuple(
        MachineTotals(node, own.get(node, JobTotals()), given.get(node, JobTotals()))
        for node in nodes
    )


def _read(
    connection: Connection,
    names: tuple[str, ...],
    which: Callable[[Any], ColumnElement[bool]],
    start_at: float,
    end_at: float,
) -> list[Any]:
    booked = select_booked(
        lambda c: and_(c.settled_at >= start_at, c.settled_at < end_at, which(c))
    )
    chosen = [booked.c[name] for name in names]
    query = select(*chosen, *totals_of(booked)).group_by(*chosen).order_by(*chosen).limit(ROWS_MAX)
    return list(connection.execute(query))


def _totals(sums: Any) -> JobTotals:
    return JobTotals(*map(int, sums))
