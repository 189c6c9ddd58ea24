"""Usage: the settled jobs of a co-op by day, key, project, model and node. Queries."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, select

from entraide_scheduler.store.booked import select_booked, totals_of
from entraide_scheduler.store.owners import is_owned
from entraide_scheduler.store.statements import JobTotals

LINES_MAX = 100_000
PEOPLE = "people"  # in the place of a key


class UsageRow(NamedTuple):
    """Jobs that agree in day, key, project, model, node and co-ops."""

    day_at: float
    key: str
    project: str
    model: str
    node: str
    borrower: str
    lender: str
    totals: JobTotals


def read_usage(
    connection: Connection, coop: str, *, days: Sequence[float], end_at: float
) -> tuple[UsageRow, ...]:
    """Returns the jobs that a co-op sent, sorted; its persons count together, as ``PEOPLE``.

    Args:
        connection: the store.
        coop: the co-op.
        days: starts of the days, seconds since the epoch, ascending.
        end_at: end of the last day.

    Returns:
        At most ``LINES_MAX`` + 1 rows.
    """
    names = ("key", "project", "model", "node", "lender")
    rows = _read(connection, names, lambda c: c.coop == coop, days=days, end_at=end_at)
    return tuple(
        UsageRow(day, key, project, model, node, coop, lender, totals)
        for day, (key, project, model, node, lender), totals in rows
    )


def read_lent(
    connection: Connection, coop: str, *, days: Sequence[float], end_at: float, node: str = ""
) -> tuple[UsageRow, ...]:
    """Returns the jobs that a co-op's nodes ran, sorted; arguments as in ``read_usage``.

    The co-op's own jobs are included only for one ``node``. Keys and projects are the senders'
    own, and left out.
    """

    def which(c: Any) -> ColumnElement[bool]:
        return and_(c.lender == coop, (c.node == node) if node else (c.coop != coop))

    rows = _read(connection, ("model", "node", "coop"), which, days=days, end_at=end_at)
    return tuple(
        UsageRow(day, "", "", model, machine, borrower, coop, totals)
        for day, (model, machine, borrower), totals in rows
    )


def _read(
    connection: Connection,
    names: Sequence[str],
    which: Callable[[Any], ColumnElement[bool]],
    *,
    days: Sequence[float],
    end_at: float,
) -> list[tuple[float, tuple[str, ...], JobTotals]]:
    booked = select_booked(lambda c: and_(c.settled_at >= days[0], c.settled_at < end_at, which(c)))
    at, sender = booked.c.settled_at, booked.c.key
    later = [(at < end, start) for start, end in zip(days, (*days[1:], end_at), strict=True)]
    day = case(*later, else_=days[-1]).label("day")
    of_key = case((is_owned(sender), sender), else_=PEOPLE).label("sender")
    # By their names: PostgreSQL takes a repeated value for another one.
    labels = ["day", *("sender" if name == "key" else name for name in names)]
    chosen = [of_key if name == "key" else booked.c[name] for name in names]
    query = (
        select(day, *chosen, *totals_of(booked))
        .group_by(*labels)
        .order_by(*labels)
        .limit(LINES_MAX + 1)
    )
    return [
        (days[bisect_right(days, row[0]) - 1], tuple(row[1 : 1 + len(names)]),
         JobTotals(*map(int, row[1 + len(names) :])))
        for row in connection.execute(query)
    ]  # fmt: skip
