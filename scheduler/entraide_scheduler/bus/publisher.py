"""Publisher: sends messages on the bus in order, and counts those that it had to drop.

While the bus is unreachable, messages beyond the connection's buffer are dropped. This is safe:
either the sender repeats a message, or a deadline of the core handles its loss.
"""

import contextlib

import structlog
from nats import errors

from entraide.wire.bus_connection import BusConnection


class Publisher:
    """The outgoing messages of one process.

    Attributes:
        dropped: how many messages were dropped.
    """

    def __init__(self, connection: BusConnection) -> None:
        self._connection = connection
        self._log = structlog.get_logger("entraide.bus")
        self.dropped = 0

    def publish(self, subject: str, data: bytes) -> None:
        """Sends a message; drops it if the bus takes no more."""
        try:
            self._connection.send(subject, data)
        except errors.Error as problem:
            self._drop(subject, type(problem).__name__)

    async def close(self) -> None:
        """Waits until the bus has what was sent, if it is there."""
        if self._connection.is_connected:
            with contextlib.suppress(errors.Error, TimeoutError):
                await self._connection.flush()

    def _drop(self, subject: str, reason: str) -> None:
        self.dropped += 1
        is_power_of_two = self.dropped & (self.dropped - 1) == 0
        if is_power_of_two:  # bounds the log of a long outage
            self._log.warning(
                "publisher.dropped", subject=subject, why=reason, dropped=self.dropped
            )
