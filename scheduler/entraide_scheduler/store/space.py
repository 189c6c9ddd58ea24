"""Space: whether the disk of the store takes more, and what is refused before it is full.

New kept work (jobs, files, lines of batches) is refused while less than a reserve is free, so that
the books of all accepted work still find room; new live jobs while less than ``LIVE_PART`` of the
reserve is free. A write that finds the disk full all the same is refused if it is new work, and
otherwise waits for space (``writer``). PostgreSQL's disk is not measured here: only the second
holds for it.
"""

import shutil
import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from entraide.errors import PoolError
from entraide_scheduler.store.recent_fault import RecentFault

RESERVE_BYTES = 256 * 1024 * 1024
RESERVE_PART = 1 / 8  # of a small disk
LIVE_PART = 1 / 4  # of the reserve
MEASURE_EVERY_S = 1.0
FULL_FOR_S = 5.0  # more than the writer's pause between two attempts
POSTGRESQL_FULL = "53100"  # disk_full, by PostgreSQL's appendix A
# What SQLite says of a disk that takes no more; it rolls back, so that a repetition is safe.
SQLITE_FULL = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
)


class StorageFull(PoolError):
    """The disk of the store takes no new work."""

    def __init__(self) -> None:
        super().__init__("storage_full", "The disk of the pool's store is full.")


def is_full(problem: BaseException) -> bool:
    """Whether a database's exception says that its disk takes no more."""
    cause = getattr(problem, "orig", None) or problem
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) in SQLITE_FULL
    return getattr(cause, "sqlstate", None) == POSTGRESQL_FULL


def measure_bytes(connection: Connection) -> int:
    """Returns the size of a database; a SQLite file's without its log."""
    if connection.dialect.name == "sqlite":
        sizes = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    else:
        sizes = "SELECT pg_database_size(current_database())"
    return int(connection.execute(text(sizes)).scalar_one())


class StoreSpace:
    """The free space of a store's disk.

    Attributes:
        full: that a write found the disk full; the writer says so.
    """

    def __init__(self, url: URL) -> None:
        """Measures the disk of a SQLite file; of another store, nothing."""
        is_file = url.drivername == "sqlite" and url.database
        self._folder = Path(str(url.database)).absolute().parent if is_file else None
        self._measured_at = float("-inf")
        self._free_part = 1.0  # of the reserve
        self.full = RecentFault(FULL_FOR_S)

    def takes_kept_work(self) -> bool:
        """Whether new kept jobs, files and lines of batches are accepted."""
        return not self.full.is_present and self._measure() >= 1.0

    def takes_live_work(self) -> bool:
        """Whether new live jobs are accepted."""
        return not self.full.is_present and self._measure() >= LIVE_PART

    def _measure(self) -> float:
        """Returns the free space as a part of the reserve, measured within the last second."""
        now = time.monotonic()
        if self._folder is not None and now - self._measured_at >= MEASURE_EVERY_S:
            self._measured_at = now
            usage = shutil.disk_usage(self._folder)
            self._free_part = usage.free / max(1.0, min(RESERVE_BYTES, usage.total * RESERVE_PART))
        return self._free_part
