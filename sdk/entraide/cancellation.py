"""Cancellation: makes a cancelled task end on Python 3.11, too.

On Python 3.11 ``asyncio.wait_for`` ignores a cancellation that arrives in the same iteration of the
event loop as the result that it waits for: it returns the result, and the task runs on. Python 3.12
corrected this. A task that runs until it is cancelled then never ends, and code that awaits its end
never continues. nats-py and aiomqtt call ``wait_for``.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

CANCELS_MAX = 100
CANCEL_TIMEOUT_S = 0.05


@contextlib.contextmanager
def keeping_cancellation() -> Iterator[None]:
    """Raises at the end of the block the cancellation that a call in it has ignored.

    Raises:
        asyncio.CancelledError: the task was cancelled within the block, which ended otherwise.
    """
    task = asyncio.current_task()
    assert task is not None, "called in a task"
    before = task.cancelling()
    try:
        yield
    except Exception:
        if task.cancelling() > before:
            raise asyncio.CancelledError from None
        raise
    if task.cancelling() > before:
        raise asyncio.CancelledError


async def cancel_until_ended(task: asyncio.Future[Any] | None) -> None:
    """Cancels a task of a library's repeatedly until it has ended."""
    for _ in range(CANCELS_MAX):
        if task is None or task.done():
            return
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_TIMEOUT_S)
