"""Line listener: tells the line window of refusals and ends of kept jobs, and wakes the feeder."""

import asyncio
import time

from entraide.wire.messages import JobRefused
from entraide_scheduler.line_window import LineWindow


class WindowListener:
    """A ``LineListener`` for the lines of batches.

    Attributes:
        window: the requested lines; the feeder adds them.
        changed: set when the feeder is to look at the batches.
    """

    def __init__(self) -> None:
        self.window = LineWindow()
        self.changed = asyncio.Event()

    def on_line_refused(self, message: JobRefused) -> bool:
        """Postpones a line whose refusal passes; returns False for any other job."""
        return self.window.refuse(
            message.job, message.code, message.retry_after_s, at=time.monotonic()
        )

    def on_line_ended(self, job: str) -> None:
        """Removes a line, and ends its co-op's pause."""
        if self.window.end(job):
            self.changed.set()
