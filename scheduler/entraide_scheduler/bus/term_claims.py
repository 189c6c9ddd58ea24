"""Term claims: schedulers on one bus tell each other their terms; that with the lower one ends.

The schedulers of one database have different terms, and one of them is valid. Two valid ones on one
bus have two databases: the pool's directory was copied, or restored beside the running pool.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import NamedTuple

from nats import errors

from entraide.wire.bus_connection import BusConnection
from entraide.wire.subjects import SCHEDULER_CLAIMS
from entraide_scheduler.store.leader import Term

CLAIM_S = 1.0
CLAIM_BYTES_MAX = 4_096  # of a claim; what follows is not read


class TermClaim(NamedTuple):
    """The claim of one scheduler; the higher term goes first, then the leader's name."""

    term: int
    leader: str

    def encode(self) -> bytes:
        """Returns it as bytes: the term, and the leader after a space."""
        return f"{self.term} {self.leader}".encode()


def read_claim(data: bytes) -> TermClaim | None:
    """Returns the claim in a message, or None.

    >>> read_claim(b"7 host:/pool"), read_claim(b"x")
    (TermClaim(term=7, leader='host:/pool'), None)
    """
    term, _, leader = data[:CLAIM_BYTES_MAX].decode("utf-8", "replace").partition(" ")
    return TermClaim(int(term), leader) if term.isascii() and term.isdigit() else None


class TermClaims:
    """Sends a scheduler's claim once a second, and at once to a scheduler with a lower one.

    Args:
        connection: to the bus.
        term: of this scheduler.
        on_superseded: is called once with a higher claim.
    """

    def __init__(
        self,
        connection: BusConnection,
        term: Term,
        on_superseded: Callable[[TermClaim], Coroutine[None, None, None]],
    ) -> None:
        self._connection = connection
        self._term = term
        self._claim = TermClaim(term.number, term.leader)
        self._on_superseded = on_superseded
        self._sending: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Subscribes, and claims the term before the scheduler listens to anybody else."""
        await self._connection.receive(SCHEDULER_CLAIMS, self._on_claim)
        self._sending = asyncio.create_task(self._send_claims(), name="term-claims")

    async def stop(self) -> None:
        """Claims no more."""
        for task in (self._sending, self._ending):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})

    async def _send_claims(self) -> None:
        while True:
            self._send()
            await asyncio.sleep(CLAIM_S)

    def _send(self) -> None:
        if self._term.is_valid():
            with contextlib.suppress(errors.Error):
                self._connection.send(SCHEDULER_CLAIMS, self._claim.encode())

    def _on_claim(self, _subject: str, data: bytes) -> None:
        other = read_claim(data)
        if other is None or other == self._claim:
            return
        if other < self._claim:
            self._send()
        elif self._ending is None:
            self._ending = asyncio.create_task(self._on_superseded(other), name="superseded")
