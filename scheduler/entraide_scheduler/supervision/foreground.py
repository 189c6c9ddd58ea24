"""Foreground: runs a pool in a terminal or a service until SIGINT or SIGTERM."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

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
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
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
