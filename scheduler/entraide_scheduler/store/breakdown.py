"""Breakdown: a co-op's settled jobs by place, class and basis, and what its machines gave. Queries.

The sums are those of ``statements`` and ``usage``, over the same jobs.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, or_, select

from entraide_scheduler.store.schema import settled
from entraide_scheduler.store.statements import TOTALS, JobTotals

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
    table = settled.c
    names = (
        table.coop, table.lender, table.zone, table.job_class, table.promise, table.energy_basis,
        table.intensity_basis, table.surplus_basis,
    )  # fmt: skip
    rows = _read(connection, names, or_(table.coop == coop, table.lender == coop), start_at, end_at)
    return tuple(BreakdownRow._make((*row[:8], _totals(row[8:]))) for row in rows)


def read_machine_totals(
    connection: Connection, coop: str, *, start_at: float, end_at: float
) -> tuple[MachineTotals, ...]:
    """Returns what each machine of a co-op ran, by name, those that have left included."""
    table = settled.c
    rows = _read(connection, (table.node, table.coop), table.lender == coop, start_at, end_at)
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
    names: tuple[ColumnElement[Any], ...],
    which: ColumnElement[bool],
    start_at: float,
    end_at: float,
) -> list[Any]:
    at = settled.c.settled_at
    query = (
        select(*names, *TOTALS)
        .where(at >= start_at, at < end_at, which)
        .group_by(*names)
        .order_by(*names)
        .limit(ROWS_MAX)
    )
    return list(connection.execute(query))


def _totals(sums: Any) -> JobTotals:
    return JobTotals(*map(int, sums))
