"""Event loop: runs the main coroutine of a process."""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

# New objects between two collections, instead of Python's 700 (2,000 in 3.13): more than all
# requests under way have.
COLLECT_AFTER = 20_000

T = TypeVar("T")


def run_event_loop(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on uvloop if it is installed, else on asyncio's event loop.

    Requests leave no cycles of objects, so that the collector finds little. What was imported until
    now lives as long as the process, and is not searched again.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):  # uvloop is not available on every platform
        import uvloop  # noqa: PLC0415

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
