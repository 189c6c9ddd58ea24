"""Foreground: runs a process until SIGINT, SIGTERM or the end of its parent.

Where ``ENTRAIDE_PARENT_PIPE=1``, standard input is a pipe that its parent holds.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

PARENT_PIPE = "ENTRAIDE_PARENT_PIPE"

T = TypeVar("T")


@asynccontextmanager
async def run_until_signal(
    start: Callable[[], Coroutine[Any, Any, T]], stop: Callable[[], Awaitable[None]]
) -> AsyncIterator[T | None]:
    """Starts a pool, gives its body the result, and stops the pool after a signal.

    Args:
        start: starts the pool; a signal cancels it.
        stop: stops the pool, also one that is only half started.

    Yields:
        The result of ``start``; None if a signal came first.
    """
    stopped = stop_event()
    starting = asyncio.create_task(start())
    stopping = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.is_set():
            yield None
        else:
            yield await starting
            await stopped.wait()
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        await stop()


def stop_event(on_bytes: Callable[[bytes], None] = lambda _data: None) -> asyncio.Event:
    """Returns an event that SIGTERM, SIGINT and the end of the parent's pipe set.

    Args:
        on_bytes: is called with what the parent says on the pipe.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if os.environ.get(PARENT_PIPE) == "1":
        loop.add_reader(sys.stdin.fileno(), _read_pipe, stop, on_bytes)
    return stop


def _read_pipe(stop: asyncio.Event, on_bytes: Callable[[bytes], None]) -> None:
    data = os.read(sys.stdin.fileno(), 4096)
    if data:
        on_bytes(data)
    else:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
