"""Line listener: tells the line window of refusals and ends of kept jobs, and wakes the feeder."""

import time
from collections.abc import Callable

from entraide.wire.messages import JobRefused
from entraide_scheduler.line_window import LineWindow


class WindowListener:
    """A ``LineListener`` for the lines of batches."""

    def __init__(self, window: LineWindow, wake: Callable[[], None]) -> None:
        """Creates a listener; ``wake`` is called when more lines may be requested."""
        self._window = window
        self._wake = wake

    def on_line_refused(self, message: JobRefused) -> bool:
        """Postpones a line whose refusal passes; returns False for any other job."""
        return self._window.refuse(message.job, message.code, message.retry_after_s, at=time.time())

    def on_line_ended(self, job: str) -> None:
        """Removes a line, and ends its co-op's pause."""
        if self._window.end(job):
            self._wake()
