"""Repeated task: a step that a process does again and again, in the background."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


class RepeatedTask:
    """Does a step, waits, and does it again until it is stopped; an error does not end it.

    Args:
        name: of the task.
        step: what is done.
        every_s: from the end of a step to the next one, seconds.
        failed: logs the exception of a step that has failed.
        waits_first: whether the first step comes only after ``every_s``.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[object]],
        *,
        every_s: float,
        failed: Callable[[], object],
        waits_first: bool = False,
    ) -> None:
        self._name = name
        self._step = step
        self._every_s = every_s
        self._failed = failed
        self._waits_first = waits_first
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Ends, within a step if one is under way."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        if self._waits_first:
            await asyncio.sleep(self._every_s)
        while True:
            try:
                await self._step()
            except Exception:  # noqa: BLE001  (an error must not stop the next step)
                self._failed()
            await asyncio.sleep(self._every_s)
