"""File lock: an exclusive lock that the processes of this machine wait for."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

POLL_S = 0.1


@asynccontextmanager
async def open_lock(path: Path) -> AsyncIterator[int]:
    """Opens a lock's file, readable by its owner only; closing it releases the lock.

    Raises:
        OSError: the file cannot be opened, or is a symbolic link.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def acquire_lock(descriptor: int) -> None:
    """Waits until no other process holds the lock, and takes it."""
    while not _try_lock(descriptor):  # noqa: ASYNC110  (another process holds it)
        await asyncio.sleep(POLL_S)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
