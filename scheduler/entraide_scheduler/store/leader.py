"""Leader: the row that says which scheduler may write, under which term, and until when.

A scheduler takes a term before it reads the journal. It confirms the term in each transaction that
writes, before the writes: the row is then locked until the commit, so that nobody takes the next
term in between. A term that is over and that nobody has taken goes on with its next confirmation.
All times in the row are by the database's clock, read after the row was locked (``now()`` of
PostgreSQL stands still in a transaction). The holder counts by a clock of its own from before each
confirmation, so that it stops before the row says so: see ``Term.is_valid``.

PostgreSQL gets the end of the term and the number of the group in the statement that confirms it.
SQLite's writers exclude each other, and a commit there has one outcome: a confirmation reads the
row, and writes it each ``RENEW_S`` only.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from entraide.errors import PoolError
from entraide_scheduler.store.schema import leadership

LEASE_S = 10.0
RENEW_S = 3.0

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # counts while the machine sleeps
_ADD_ROW = "INSERT INTO leadership VALUES (1, '', 0, 0, 0) ON CONFLICT DO NOTHING"
_READ_CLOCK = {
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
}
_READ_HOLDER = "SELECT leader, term FROM leadership WHERE id = 1"
_CONFIRM = {
    "sqlite": "UPDATE leadership SET commits = ?,"
    " expires_at = (julianday('now') - 2440587.5) * 86400.0 + ? WHERE leader = ? AND term = ?",
    "postgresql": "UPDATE leadership SET commits = %s,"
    " expires_at = CAST(extract(epoch FROM clock_timestamp()) AS double precision) + %s"
    " WHERE leader = %s AND term = %s",
}


class TermLost(PoolError):
    """Another scheduler has taken the next term."""

    def __init__(self, term: int) -> None:
        super().__init__("store_away", f"Term {term} was lost to another scheduler.")


class LeaderRow(NamedTuple):
    """The row: who holds or held the term, its number, and its end by the database's clock."""

    leader: str
    term: int
    expires_at: float


def read_steady() -> float:
    """Returns seconds that nobody sets, and that pass while the process or machine is suspended."""
    return time.clock_gettime(_STEADY)


def read_leader(connection: Connection) -> LeaderRow | None:
    """Returns the row; None if no scheduler has taken a term yet."""
    columns = (leadership.c.leader, leadership.c.term, leadership.c.expires_at)
    row = connection.execute(select(*columns)).first()
    return None if row is None else LeaderRow(*row)


def is_held(connection: Connection, row: LeaderRow) -> bool:
    """Whether the term of a row is not over, by the database's clock."""
    return row.expires_at > _read_clock(connection)


def _read_clock(connection: Connection) -> float:
    return float(connection.exec_driver_sql(_READ_CLOCK[connection.dialect.name]).scalar_one())


def take_term(
    connection: Connection, leader: str, *, least: int = 0, stale: LeaderRow | None = None
) -> LeaderRow:
    """Takes the next term if the present one is over.

    Args:
        connection: in a transaction that may write.
        leader: who takes it. A leader that has held the present term is the same process's former
            life, which has ended.
        least: the term is higher than this.
        stale: the row as it has stood for a whole lease, by the caller's clock: its holder has
            ended, however the database's clock was set.

    Returns:
        The row now; it is another leader's if that one's term is not over.
    """
    connection.exec_driver_sql(_ADD_ROW)
    columns = (leadership.c.leader, leadership.c.term, leadership.c.expires_at)
    row = LeaderRow(*connection.execute(select(*columns).with_for_update()).one())
    now = _read_clock(connection)
    if row.leader not in ("", leader) and row.expires_at > now and row != stale:
        return row
    taken = LeaderRow(leader, max(row.term, least) + 1, now + LEASE_S)
    connection.execute(update(leadership).values(**taken._asdict(), commits=0))
    return taken


def release_term(connection: Connection) -> None:
    """Ends the term that the connection's writer holds; its number stays."""
    connection.execute(update(leadership).values(expires_at=0.0))


class Term:
    """A term that this process has taken.

    The writer's thread confirms it; any thread may ask whether it is valid.

    Args:
        row: the row as it was taken.
        began_at: time before that, by ``steady``.
        steady: the process's clock.

    Attributes:
        number: of the term; higher than those of all terms before.
        leader: who holds it.
    """

    def __init__(
        self, row: LeaderRow, *, began_at: float, steady: Callable[[], float] = read_steady
    ) -> None:
        self.number = row.term
        self.leader = row.leader
        self._steady = steady
        self._renewed_at = self._renewing_at = began_at
        self._commits = 0

    @property
    def renewed_at(self) -> float:
        """When the last renewal began, on the process's clock."""
        return self._renewed_at

    def is_valid(self) -> bool:
        """Whether nobody else can hold a term now, if all clocks run at the same speed."""
        return self._steady() < self._renewed_at + LEASE_S

    def is_renewal_due(self) -> bool:
        """Whether it should be confirmed soon, also without anything to write."""
        return self._steady() >= self._renewed_at + RENEW_S

    def confirm(self, connection: Connection) -> None:
        """Checks and locks the row in a transaction, and renews the term.

        Raises:
            TermLost: another leader has taken the next term.
        """
        holder = (self.leader, self.number)
        now = self._steady()
        dialect = connection.dialect.name
        if dialect == "sqlite" and now < self._renewed_at + RENEW_S:
            row = connection.exec_driver_sql(_READ_HOLDER).first()
            is_held = row is not None and tuple(row) == holder
        else:
            values = (self._commits + 1, LEASE_S, *holder)
            is_held = connection.exec_driver_sql(_CONFIRM[dialect], values).rowcount == 1
            self._renewing_at = now
        if not is_held:
            raise TermLost(self.number)

    def note_committed(self) -> None:
        """Notes that the transaction of the last confirmation was committed."""
        self._commits += 1
        self._renewed_at = self._renewing_at

    def has_committed(self, connection: Connection) -> bool:
        """Returns whether the transaction of the last confirmation was committed.

        Waits for the end of that transaction, which may go on in the database.

        Raises:
            TermLost: another leader has taken the next term.
        """
        columns = (leadership.c.leader, leadership.c.term, leadership.c.commits)
        row = connection.execute(select(*columns).with_for_update()).one()
        if (row.leader, row.term) != (self.leader, self.number):
            raise TermLost(self.number)
        return int(row.commits) == self._commits + 1
