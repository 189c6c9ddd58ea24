"""Closed months: how a month's rows leave the store, in steps that each may be the last.

1. The month is noted with ``closed_at`` 0: what is settled late from now on counts for the next
   open month (``booking_start``), so that the month's rows change no more.
2. Its file is written, and its sums, beside what counts.
3. One transaction notes that it is closed: from then on its sums count and its rows do not.
4. Its rows are deleted, a few at a time; those of jobs that the store still keeps wait for them.

A step that was cut short is repeated. Functions on a connection.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)

from entraide_scheduler.store.batches import LINE_DIGITS
from entraide_scheduler.store.booked import AMOUNTS, JOBS, NAMES, is_open, open_since
from entraide_scheduler.store.compiled import CompiledStatement, insert_into
from entraide_scheduler.store.erasure_notes import BATCH_PREFIX, JOB_PREFIX
from entraide_scheduler.store.schema import (
    batches,
    closed_balances,
    closed_months,
    closed_sums,
    entries,
    kept,
    settled,
)

_BOOKING_START = CompiledStatement(
    select(func.coalesce(func.max(closed_months.c.end_at), literal_column("0.0"))), ()
)
_PUT_SUMS = insert_into(closed_sums)

SUMS_FROM = len(NAMES)  # place of the first amount in a row of ``sum_day``


class ClosedMonthRow(NamedTuple):
    """A month that is closed, or with ``closed_at`` 0 being closed; see the table."""

    month: str
    start_at: float
    end_at: float
    closed_at: float = 0.0
    root: str = ""
    jobs: int = 0
    bytes: int = 0


def list_months(connection: Connection) -> tuple[ClosedMonthRow, ...]:
    """Returns the months that are closed or being closed, oldest first."""
    rows = connection.execute(select(closed_months).order_by(closed_months.c.start_at))
    return tuple(ClosedMonthRow(*row) for row in rows)


def find_month(connection: Connection, month: str) -> ClosedMonthRow | None:
    """Returns a month that is closed; None while it is open, or being closed."""
    query = select(closed_months).where(closed_months.c.month == month)
    row = connection.execute(query.where(closed_months.c.closed_at > 0.0)).first()
    return None if row is None else ClosedMonthRow(*row)


def booking_start(connection: Connection) -> float:
    """Returns from when on a job may be booked, seconds since the epoch; 0 before the first."""
    (start_at,) = _BOOKING_START.execute(connection, ()).one()
    return float(start_at)


def read_oldest(connection: Connection) -> float | None:
    """Returns when the oldest job that is not in a closed month was booked; None without one."""
    oldest = connection.execute(select(func.min(settled.c.settled_at)).where(is_open())).scalar()
    return None if oldest is None else float(oldest)


def begin_closing(connection: Connection, row: ClosedMonthRow) -> None:
    """Notes that a month is being closed, unless that is noted."""
    noted = select(closed_months.c.month).where(closed_months.c.month == row.month)
    if connection.execute(noted).first() is None:
        connection.execute(insert(closed_months).values(row._asdict()))


def sum_day(connection: Connection, start_at: float, end_at: float) -> list[tuple[Any, ...]]:
    """Returns the sums of a day's jobs, as columns of ``closed_sums`` from ``settled_at`` on.

    Args:
        connection: of a reader.
        start_at: begin of the day, seconds since the epoch; the time of its sums.
        end_at: its end, which is not part of it.
    """
    at = settled.c.settled_at
    names = [settled.c[name] for name in NAMES[1:]]
    sums = [func.sum(column) for column in (JOBS, *(settled.c[name] for name in AMOUNTS))]
    query = (
        select(*names, *sums)
        .where(at >= start_at, at < end_at, settled.c.late == 0)
        .group_by(*names)
        .order_by(*names)
    )
    rows = connection.execute(query)
    place = SUMS_FROM - 1  # the time is not selected
    return [(start_at, *row[:place], *map(int, row[place:])) for row in rows]


def sum_lines(connection: Connection, start_at: float, end_at: float) -> list[tuple[str, str, int]]:
    """Returns what the jobs of a month changed each account by, in each unit."""
    booked = (settled.c.job == entries.c.job) & (settled.c.run == 0)
    at = settled.c.settled_at
    query = (
        select(entries.c.account, entries.c.unit, func.sum(entries.c.amount))
        .join(settled, booked)
        .where(at >= start_at, at < end_at)
        .group_by(entries.c.account, entries.c.unit)
    )
    return [(account, unit, int(amount)) for account, unit, amount in connection.execute(query)]


def delete_sums(connection: Connection, month: str) -> None:
    """Deletes the sums of a month that is being closed again."""
    connection.execute(delete(closed_sums).where(closed_sums.c.month == month))


def put_sums(
    connection: Connection, month: str, first: int, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Writes some of a month's sums.

    Args:
        connection: of the writer.
        month: the month.
        first: number of the first row.
        rows: see ``sum_day``.
    """
    _PUT_SUMS.execute(connection, [(month, first + n, *row) for n, row in enumerate(rows)])


def finish_closing(
    connection: Connection, row: ClosedMonthRow, lines: Iterable[tuple[str, str, int]]
) -> None:
    """Notes that a month is closed, and adds its lines to the balances; only once.

    Args:
        connection: of the writer.
        row: with when it was closed.
        lines: see ``sum_lines``.
    """
    waiting = (closed_months.c.month == row.month) & (closed_months.c.closed_at == 0.0)
    closed = update(closed_months).where(waiting)
    if not connection.execute(closed.values(row._asdict())).rowcount:
        return
    for account, unit, amount in lines:
        place = (closed_balances.c.account == account) & (closed_balances.c.unit == unit)
        more = update(closed_balances).where(place)
        added = more.values(amount=closed_balances.c.amount + amount)
        if not connection.execute(added).rowcount:
            values = {"account": account, "unit": unit, "amount": amount}
            connection.execute(insert(closed_balances).values(values))


def delete_rows(connection: Connection, limit: int) -> int:
    """Deletes the rows of some jobs of closed months; returns of how many.

    A kept job's rows, and those of a batch's lines, stay as long as it does: they say that it is
    settled, and what a batch used.
    """
    job = settled.c.job
    is_kept = exists().where(kept.c.job == job)
    number = func.substr(job, len(JOB_PREFIX) + 1, func.length(job) - len(JOB_PREFIX) - LINE_DIGITS)
    is_line = exists().where(batches.c.batch == literal(BATCH_PREFIX) + number)
    needed = job.startswith(JOB_PREFIX) & (is_kept | is_line)
    query = select(job).where(settled.c.run == 0, settled.c.settled_at < open_since(), ~needed)
    jobs = connection.execute(query.limit(limit)).scalars().all()
    if jobs:
        connection.execute(delete(entries).where(entries.c.job.in_(jobs)))
        connection.execute(delete(settled).where(job.in_(jobs)))
    return len(jobs)
