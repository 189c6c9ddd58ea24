"""Outage: whether the database answers, and which of its errors say that nothing was written.

PostgreSQL may be restarted or out of reach, and another process may hold SQLite's file. The writer
repeats what fails then until the database answers; gateways refuse new work meanwhile.
"""

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from entraide.errors import PoolError
from entraide_scheduler.store.recent_fault import RecentFault

RETRY_AFTER_S = 5.0
AWAY_FOR_S = 5.0  # more than the writer's pause between two attempts
# States by PostgreSQL's appendix A: shutdown, crash, start, connections, idle in a transaction.
AWAY_STATES = frozenset({"57P01", "57P02", "57P03", "53300", "25P03"})
CONNECTION_CLASS = "08"
CONFLICT_STATES = frozenset({"40001", "40P01"})  # serialization failure, deadlock: rolled back
SQLITE_HELD = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class StoreAway(PoolError):
    """The database does not answer now."""

    def __init__(self) -> None:
        super().__init__(
            "store_away", "The pool's database does not answer.", retry_after_s=RETRY_AFTER_S
        )


class StoreHalted(PoolError):
    """A write of the books has failed: the store takes no other, and the process restarts."""

    def __init__(self) -> None:
        super().__init__("store_away", "An earlier write has failed.", retry_after_s=RETRY_AFTER_S)


def is_away(problem: BaseException) -> bool:
    """Whether an exception says that the database does not answer."""
    if isinstance(problem, NoConnection):
        return True
    if not isinstance(problem, DBAPIError) or isinstance(problem.orig, sqlite3.Error):
        return False
    if problem.connection_invalidated:
        return True
    state = getattr(problem.orig, "sqlstate", None)
    if state is None:  # no server has answered
        return isinstance(problem, OperationalError | InterfaceError)
    return state in AWAY_STATES or state.startswith(CONNECTION_CLASS)


def is_repeatable(problem: BaseException) -> bool:
    """Whether a write that failed so is to be repeated as it is."""
    if is_away(problem):
        return True
    cause = getattr(problem, "orig", None)
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in SQLITE_HELD
    return getattr(cause, "sqlstate", None) in CONFLICT_STATES


class StoreOutage(RecentFault):
    """Whether the database of a store is away; its readers and its writer say so."""

    def __init__(self) -> None:
        super().__init__(AWAY_FOR_S)

    def check(self) -> None:
        """Checks that new work may be accepted.

        Raises:
            StoreAway: the database does not answer.
        """
        if self.is_present:
            raise StoreAway
