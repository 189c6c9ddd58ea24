"""Placements: sent to gateways in other processes once they are on disk.

Such a gateway sends the run to its node, and outlives the scheduler: of a run whose placement is
not on disk, a scheduler that starts again would know nothing, so that nobody would bill it and its
text would count as the prompt of the run that continues it. The gateway in the scheduler's process
is lost with it; it gets its placements at once.

While the disk is full or the database is away, a placement waits for ``WAIT_MAX_S`` at most: its
offer must not expire here, since the node would be blamed for it. A placement whose job has ended
or was placed again is not sent any more, so that no end overtakes it.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from entraide.wire.messages import JobPlaced
from entraide_scheduler.driver.journal import Journal

WAIT_MAX_S = 1.0  # less than an offer lasts, and many times what a commit takes


class _Waiting(Struct):
    """A placement that is not on disk, its gateway, and the end of its wait."""

    gateway: str
    placed: JobPlaced
    timer: asyncio.TimerHandle


class PlacementSender:
    """Sends placements.

    Args:
        journal: has their events.
        send: sends one to its gateway.
        is_elsewhere: whether a gateway is another process.
    """

    def __init__(
        self,
        journal: Journal,
        send: Callable[[str, JobPlaced], None],
        is_elsewhere: Callable[[str], bool],
    ) -> None:
        self._journal = journal
        self._send = send
        self._is_elsewhere = is_elsewhere
        self._waiting: dict[str, _Waiting] = {}  # by job

    def send(self, gateway: str, placed: JobPlaced, event: int) -> None:
        """Sends a placement, now or when the events up to ``event`` are on disk."""
        self.withdraw(placed.job)
        go_on = partial(self._send_waiting, placed.job, placed.epoch)
        if not self._is_elsewhere(gateway) or not self._journal.defer_until_written(event, go_on):
            self._send(gateway, placed)
            return
        timer = asyncio.get_running_loop().call_later(WAIT_MAX_S, go_on)
        self._waiting[placed.job] = _Waiting(gateway, placed, timer)

    def withdraw(self, job: str) -> JobPlaced | None:
        """Returns the placement of a job that was not sent, and will not be; None if none waits."""
        waiting = self._waiting.pop(job, None)
        if waiting is None:
            return None
        waiting.timer.cancel()
        return waiting.placed

    def _send_waiting(self, job: str, epoch: int) -> None:
        waiting = self._waiting.get(job)
        is_present = waiting is not None and waiting.placed.epoch == epoch
        if waiting is not None and is_present and not self._journal.failed.done():
            self.withdraw(job)
            self._send(waiting.gateway, waiting.placed)
