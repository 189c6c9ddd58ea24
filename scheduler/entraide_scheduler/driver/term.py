"""Term: taken by a scheduler at its start, and kept while it runs; see ``store.leader``."""

import asyncio
import contextlib
import hashlib
import os
import platform
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO

import structlog

from entraide.errors import PoolError
from entraide_scheduler.store.dump import open_reading
from entraide_scheduler.store.leader import (
    LEASE_S,
    LeaderRow,
    Term,
    is_held,
    read_leader,
    read_steady,
)
from entraide_scheduler.store.store import Store

POLL_S = 0.5
KEEP_S = 1.0
SCHEDULER_LOCK = "scheduler.lock"  # file of the pool's directory
WAIT_MAX_S = 3 * LEASE_S  # for a term that another scheduler holds
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SchedulerElsewhere(PoolError):
    """A scheduler with a higher term is on the bus, and this one's store knows nothing of it."""

    def __init__(self, leader: str, term: int) -> None:
        super().__init__(
            "scheduler_elsewhere",
            f"Another scheduler ({leader}) has a higher term on this pool's bus, in another store.",
            values={"leader": leader, "term": term},
        )


def name_leader(lock: IO[bytes]) -> str:
    """Returns the name of the scheduler that holds the lock of a directory.

    Two processes have the same name only if the lock lets one run after the other: on one boot of
    one machine, in one directory. A copy of the directory has another name.
    """
    file = os.fstat(lock.fileno())
    boot = BOOT_ID.read_text("ascii").strip() if BOOT_ID.exists() else str(uuid.getnode())
    mark = hashlib.sha256(f"{boot} {file.st_dev} {file.st_ino}".encode()).hexdigest()[:12]
    return f"{platform.node()}:{Path(lock.name).absolute().parent} ({mark})"


def is_elsewhere(row: LeaderRow, leader: str) -> bool:
    """Whether a row is of a scheduler on another machine or in another directory."""
    return row.leader != "" and _place_of(row.leader) != _place_of(leader)


def _place_of(leader: str) -> str:
    return leader.rpartition(" (")[0]


def find_holder(url: str, home: Path) -> str:
    """Returns the scheduler elsewhere that uses a pool's database now; "" if none does. Blocks.

    Args:
        url: of the database.
        home: directory of the pool, in which its own scheduler has run.

    Raises:
        PoolError: ``store_unreachable``.
        OSError: the lock of its own scheduler cannot be read.
    """
    with (home / SCHEDULER_LOCK).open("rb") as lock, open_reading(url) as connection:
        row = read_leader(connection)
        if row is None or not is_elsewhere(row, name_leader(lock)):
            return ""
        return row.leader if is_held(connection, row) else ""


async def take_term(
    store: Store, leader: str, *, least: int = 0, wait_max_s: float = WAIT_MAX_S
) -> Term:
    """Takes the next term, once that of another scheduler is over.

    Raises:
        PoolError: ``term_held``: another scheduler renews its term.
    """
    log = structlog.get_logger("entraide.scheduler")
    began_at = read_steady()
    held, held_at = LeaderRow("", 0, 0.0), began_at
    while True:
        now = read_steady()
        stale = held if now - held_at > LEASE_S else None
        taken = await store.take_term(leader, least=least, stale=stale)
        if isinstance(taken, Term):
            log.info("term.taken", term=taken.number)
            return taken
        if taken != held:
            if taken.term != held.term:
                log.warning("term.held", term=taken.term, leader=taken.leader)
            held, held_at = taken, now
        if now - began_at > wait_max_s:
            raise PoolError(
                "term_held",
                f"Another scheduler ({taken.leader}) uses this pool's database.",
                values={"leader": taken.leader, "term": taken.term},
            )
        await asyncio.sleep(POLL_S)


async def hold_term(
    cleanup: AsyncExitStack, store: Store, lock: IO[bytes], *, least: int = 0
) -> tuple[Term, str]:
    """Takes the next term and keeps it until the stack is closed.

    Returns:
        The term, and the scheduler elsewhere that had the one before and has not ended it; else "".

    Args:
        cleanup: ends the term.
        store: has the row.
        lock: of the scheduler's directory.
        least: the term is higher than this.

    Raises:
        PoolError: ``term_held``.
    """
    leader, before = name_leader(lock), await store.read(read_leader)
    term = await take_term(store, leader, least=least)
    await cleanup.enter_async_context(kept_term(store, term))
    is_taken = before is not None and before.expires_at > 0.0 and is_elsewhere(before, leader)
    return term, before.leader if before is not None and is_taken else ""


async def renew_term(store: Store, term: Term) -> None:
    """Renews a term in time, until it is cancelled; if that fails, so do the writes that follow."""
    while True:
        await asyncio.sleep(KEEP_S)
        if term.is_renewal_due():
            await asyncio.gather(store.committed(), return_exceptions=True)


@asynccontextmanager
async def kept_term(store: Store, term: Term) -> AsyncIterator[None]:
    """Renews a term within the context, and ends it afterwards."""
    keeping = asyncio.create_task(renew_term(store, term), name="term")
    try:
        yield
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        with contextlib.suppress(PoolError):
            await store.release_term()
