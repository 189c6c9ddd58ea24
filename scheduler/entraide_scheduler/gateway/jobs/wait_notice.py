"""Wait notice: tells the client of one live job why it waits, and when it waits no longer.

In: what the scheduler says once a second. Out: ``AnswerWaiting`` events to the job's sink: none in
the first ``HOLD_S`` seconds, so that an early refusal still has a status of its own; then one when
the reason or the place in line changes, and one at least every ``REPEAT_S``.
"""

import asyncio
import math
import time

from entraide.wire.cards import JobWait
from entraide_scheduler.gateway.requests import AnswerSink, AnswerWaiting

HOLD_S = 1.5
REPEAT_S = 10.0
PLACED = AnswerWaiting("placed")


class WaitNotice:
    """The notices of one job.

    Args:
        sink: of its answer.
        began_at: start of the request, on the monotonic clock, seconds.
    """

    def __init__(self, sink: AnswerSink, began_at: float) -> None:
        self._sink = sink
        self._began_at = began_at
        self._known: AnswerWaiting | None = None
        self._last: AnswerWaiting | None = None
        self._last_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def note(self, wait: JobWait) -> None:
        """Notes why the job waits, and tells it unless it is too early or nothing new."""
        retry_after_s = wait.retry_after_s
        self._known = AnswerWaiting(
            wait.reason, wait.position, None if retry_after_s is None else math.ceil(retry_after_s)
        )
        left_s = self._began_at + HOLD_S - time.monotonic()
        if left_s <= 0.0:
            self._tell()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(left_s, self._tell)

    def end(self, *, placed: bool) -> None:
        """Handles that the job waits no longer; says so if it has been placed after a notice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        was_noted, self._known, self._last = self._last is not None, None, None
        if placed and was_noted:
            self._sink(PLACED)

    def _tell(self) -> None:
        self._timer = None
        wait, last, now = self._known, self._last, time.monotonic()
        if wait is None:
            return
        is_news = last is None or (wait.reason, wait.position) != (last.reason, last.position)
        if is_news or now - self._last_at >= REPEAT_S:
            self._last, self._last_at = wait, now
            self._sink(wait)
