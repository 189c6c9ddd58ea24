"""Waiting: until another task or process has made a condition hold, never for a fixed time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_Value = TypeVar("_Value")

DEADLINE_S = 60.0  # a guard: a process that starts on a busy machine takes its time
ENGINES_S = 180.0  # likewise where three pools with nine engines share two slow cores


async def eventually(condition: Callable[[], object]) -> None:
    """Waits until a condition holds, and fails when it does not before the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  (another task or process makes it hold)
            await asyncio.sleep(0.01)


async def until_read(
    read: Callable[[], Awaitable[_Value]], holds: Callable[[_Value], object]
) -> _Value:
    """Reads until a condition on what was read holds, and returns that."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds(value := await read()):  # noqa: ASYNC110  (as above)
            await asyncio.sleep(0.01)
    return value
