"""Publisher: sends messages on the bus in order, and counts those that it had to drop.

While the bus is unreachable, messages beyond the connection's buffer are dropped. This is safe:
either the sender repeats a message, or a deadline of the core handles its loss.

A scheduler's messages carry its term; while it has no valid one, they are dropped.
"""

import contextlib

import structlog
from nats import errors

from entraide.wire.bus_connection import BusConnection
from entraide.wire.terms import TO_NODES_AND_GATEWAYS, term_headers
from entraide_scheduler.store.leader import Term


class Publisher:
    """The outgoing messages of one process.

    Args:
        connection: to the bus.
        term: of the scheduler; None in any other process.

    Attributes:
        dropped: how many messages were dropped.
    """

    def __init__(self, connection: BusConnection, term: Term | None = None) -> None:
        self._connection = connection
        self._term = term
        self._headers = term_headers(term.number) if term is not None else b""
        self._log = structlog.get_logger("entraide.bus")
        self.dropped = 0

    def publish(self, subject: str, data: bytes) -> None:
        """Sends a message; drops it if the bus takes no more, or without a valid term."""
        if self._term is not None and not self._term.is_valid():
            self._drop(subject, "no_term")
            return
        try:
            headers = self._headers if subject.endswith(TO_NODES_AND_GATEWAYS) else b""
            self._connection.send(subject, data, headers)
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
