"""Publisher: sends messages on the bus in order, for synchronous code.

nats-py's ``publish`` is a coroutine, and the executor is synchronous; a queue and one task connect
them. While the bus is unreachable, messages that exceed nats-py's buffer are dropped and counted.
This is safe: either the sender repeats a message, or a deadline of the core handles its loss.
"""

import asyncio
import collections
import contextlib

import structlog
from nats import errors
from nats.aio.client import Client

QUEUE_MAX = 100_000


class Publisher:
    """An ordered queue of outgoing messages."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._queue: collections.deque[tuple[str, bytes]] = collections.deque()
        self._not_empty = asyncio.Event()
        self._log = structlog.get_logger("entraide.bus")
        self.dropped = 0
        self._send_task = asyncio.create_task(self._run(), name="publisher")

    def publish(self, subject: str, data: bytes) -> None:
        """Queues a message; drops it if the queue is full."""
        if len(self._queue) >= QUEUE_MAX:
            self._drop(subject, "full")
            return
        self._queue.append((subject, data))
        self._not_empty.set()

    async def close(self) -> None:
        """Sends the queued messages that the bus accepts, and stops."""
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

    def _drop(self, subject: str, reason: str) -> None:
        self.dropped += 1
        is_power_of_two = self.dropped & (self.dropped - 1) == 0
        if is_power_of_two:  # bounds the log of a long outage
            self._log.warning(
                "publisher.dropped", subject=subject, why=reason, dropped=self.dropped
            )
