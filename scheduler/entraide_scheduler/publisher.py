"""Outbox: lets code that must not wait send on the bus, in order.

nats-py's ``publish`` is a coroutine; handlers of the core's commands are not. What does not fit
in the bus's own buffer while it is away is dropped and counted: every message of ours is repeated
by its sender or made good by a deadline.
"""

import asyncio
import collections
import contextlib

import structlog
from nats import errors
from nats.aio.client import Client

WAITING_MAX = 100_000


class Publisher:
    """One ordered way out to the bus."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._queue: collections.deque[tuple[str, bytes]] = collections.deque()
        self._not_empty = asyncio.Event()
        self._log = structlog.get_logger("entraide.bus")
        self.dropped = 0
        self._send_task = asyncio.create_task(self._run(), name="outbox")

    def publish(self, subject: str, data: bytes) -> None:
        """Sends a message, soon; drops it when too many wait."""
        if len(self._queue) >= WAITING_MAX:
            self._drop(subject, "full")
            return
        self._queue.append((subject, data))
        self._not_empty.set()

    async def close(self) -> None:
        """Sends what waits, as far as the bus takes it, and ends."""
        if not self._send_task.done():
            await self._drain()
        self._send_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._send_task

    async def _run(self) -> None:
        while True:
            await self._not_empty.wait()
            self._not_empty.clear()
            await self._drain()

    async def _drain(self) -> None:
        while self._queue:
            subject, data = self._queue.popleft()
            try:
                await self._connection.publish(subject, data)
            except errors.Error as problem:
                self._drop(subject, type(problem).__name__)

    def _drop(self, subject: str, why: str) -> None:
        self.dropped += 1
        if self.dropped & (self.dropped - 1) == 0:  # 1, 2, 4, 8…: a long outage fills no disk
            self._log.warning("outbox.dropped", subject=subject, why=why, dropped=self.dropped)
