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
from entraide_scheduler.store.leader import LEASE_S, LeaderRow, Term, read_steady
from entraide_scheduler.store.store import Store

POLL_S = 0.5
KEEP_S = 1.0
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
) -> Term:
    """Takes the next term and keeps it until the stack is closed.

    Args:
        cleanup: ends the term.
        store: has the row.
        lock: of the scheduler's directory.
        least: the term is higher than this.

    Raises:
        PoolError: ``term_held``.
    """
    term = await take_term(store, name_leader(lock), least=least)
    await cleanup.enter_async_context(kept_term(store, term))
    return term


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
