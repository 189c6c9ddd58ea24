"""Suspending a process: SIGSTOP returns before all threads of the process have stopped."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from tests.waiting import eventually


def is_stopped(pid: int) -> bool:
    """Whether each thread of a process has stopped (Linux), or the process (elsewhere)."""
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.is_dir():
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks.iterdir()]
    return set(states) == {"T"}


@asynccontextmanager
async def suspended(pid: int) -> AsyncIterator[None]:
    """A process that runs no instruction within the block, and goes on after it."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        await eventually(lambda: is_stopped(pid))
        yield
    finally:
        process.resume()
