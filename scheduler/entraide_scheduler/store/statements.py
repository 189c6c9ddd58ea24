"""Statements: corrections of the ledger, and the exchange between co-ops in a period.

Functions on a connection. Over all co-ops, the sum given equals the sum received in each unit, and
the corrections sum to zero.
"""

from functools import reduce

from msgspec import Struct
from msgspec.structs import astuple
from sqlalchemy import Connection, and_, insert, or_, select

from entraide.closed_months import CORRECTION_PREFIX
from entraide_scheduler.store.booked import select_booked, totals_of
from entraide_scheduler.store.closed_months import booking_start
from entraide_scheduler.store.rows import CorrectionRow
from entraide_scheduler.store.schema import corrections, entries


class JobTotals(Struct, frozen=True):
    """Totals of jobs: number, tokens, energy (µWh), direct and life-cycle emissions (µg)."""

    jobs: int = 0
    tokens: int = 0
    energy_uwh: int = 0
    carbon_direct_ug: int = 0
    carbon_lifecycle_ug: int = 0

    def plus(self, other: "JobTotals") -> "JobTotals":
        """Returns the sum of both."""
        return JobTotals(*map(sum, zip(astuple(self), astuple(other), strict=True)))


class CoopExchange(Struct, frozen=True):
    """What one co-op gave to another and received from it."""

    coop: str
    given: JobTotals
    received: JobTotals


class StatementCorrection(Struct, frozen=True):
    """Effect of a correction on a co-op; positive amounts add to what it gave to ``other``.

    Emissions are direct ones; the ledger holds no life-cycle emissions.
    """

    correction: str
    reason: str
    at: float
    other: str
    tokens: int
    energy_uwh: int
    carbon_ug: int


class StatementTotals(Struct, frozen=True):
    """A co-op's statement of a period.

    Attributes:
        coop: the co-op.
        start_at, end_at: the period, without its end, seconds since the epoch.
        given, received: jobs of others on its nodes, and its jobs on nodes of others.
        own: its jobs on its own nodes.
        others: given and received per other co-op, sorted by name.
        corrections: corrections posted in the period, oldest first.
    """

    coop: str
    start_at: float
    end_at: float
    given: JobTotals
    received: JobTotals
    own: JobTotals
    others: tuple[CoopExchange, ...]
    corrections: tuple[StatementCorrection, ...]


def write_corrections(connection: Connection, rows: list[CorrectionRow]) -> list[bool]:
    """Writes new corrections with their entries; returns, per row, whether it was new.

    One of a closed month counts for the next open one.
    """
    query = select(corrections.c.correction).where(
        corrections.c.correction.in_([row.correction for row in rows])
    )
    known = {name for (name,) in connection.execute(query)}
    fresh, start_at = [], booking_start(connection)
    for row in rows:
        fresh.append(row.correction not in known)
        if row.correction in known:
            continue
        known.add(row.correction)
        head = {"correction": row.correction, "reason": row.reason, "at": max(row.at, start_at)}
        connection.execute(insert(corrections), head)
        name = f"{CORRECTION_PREFIX}{row.correction}"
        lines = [
            {"job": name, "line": line, "account": e.account, "unit": e.unit, "amount": e.amount}
            for line, e in enumerate(row.entries)
        ]
        connection.execute(insert(entries), lines)
    return fresh


def is_corrected(connection: Connection, correction: str) -> bool:
    """Returns whether a correction of this name was posted."""
    query = select(corrections.c.correction).where(corrections.c.correction == correction)
    return connection.execute(query).first() is not None


def read_statement(
    connection: Connection, coop: str, *, start_at: float, end_at: float
) -> StatementTotals:
    """Returns a co-op's statement; without jobs, all totals are 0."""
    booked = select_booked(
        lambda c: and_(
            c.settled_at >= start_at, c.settled_at < end_at, or_(c.coop == coop, c.lender == coop)
        )
    )
    names = booked.c.lender, booked.c.coop
    query = select(*names, *totals_of(booked)).group_by(*names)
    own, given, received = JobTotals(), {}, {}
    for lender, borrower, *sums in connection.execute(query):
        amounts = JobTotals(*map(int, sums))
        if lender == borrower:
            own = amounts
        elif lender == coop:
            given[borrower] = amounts
        else:
            received[lender] = amounts
    return StatementTotals(
        coop=coop,
        start_at=start_at,
        end_at=end_at,
        given=reduce(JobTotals.plus, given.values(), JobTotals()),
        received=reduce(JobTotals.plus, received.values(), JobTotals()),
        own=own,
        others=tuple(
            CoopExchange(other, given.get(other, JobTotals()), received.get(other, JobTotals()))
            for other in sorted(given.keys() | received.keys())
        ),
        corrections=_read_corrections(connection, coop, start_at, end_at),
    )


def _read_corrections(
    connection: Connection, coop: str, start_at: float, end_at: float
) -> tuple[StatementCorrection, ...]:
    head, line = corrections.c, entries.c
    query = (
        select(head.correction, head.reason, head.at, line.account, line.unit, line.amount)
        .join(entries, line.job == CORRECTION_PREFIX + head.correction)
        .where(head.at >= start_at, head.at < end_at)
        .order_by(head.at, head.correction, line.line)
    )
    amounts_of: dict[tuple[str, str, float], dict[str, dict[str, int]]] = {}
    for correction, reason, at, account, unit, amount in connection.execute(query):
        accounts = amounts_of.setdefault((correction, reason, at), {})
        units = accounts.setdefault(account, {})
        units[unit] = units.get(unit, 0) + int(amount)
    return tuple(
        StatementCorrection(
            *name,
            other=next((account for account in accounts if account != coop), coop),
            tokens=accounts[coop].get("tokens", 0),
            energy_uwh=accounts[coop].get("energy_uwh", 0),
            carbon_ug=accounts[coop].get("carbon_ug", 0),
        )
        for name, accounts in amounts_of.items()
        if coop in accounts
    )
