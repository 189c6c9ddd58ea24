"""Line window: the lines of batches that are requested and have not ended, by co-op.

It counts them, so that a co-op has at most ``WINDOW`` at once, and holds the lines that the core
refused for now until they may be requested again. A co-op whose line was refused pauses: no other
line of it is requested before that time, or before one of its lines ends.
"""

import time
from collections import Counter, deque
from collections.abc import Callable

from msgspec import Struct

from entraide.wire.messages import JobRefused

WINDOW = 256  # lines of one co-op's batches that are requested at once
REFILL_LEAST = 32  # more lines are requested once so many have ended
PAUSE_LEAST_S, PAUSE_MOST_S = 1.0, 60.0

# Refusals that pass although the core names no time: the machines with the model have left.
PASSING = frozenset({"unknown_model", "no_model_fits"})


class WindowLine(Struct, frozen=True):
    """A line that is requested: its batch and its co-op."""

    batch: str
    coop: str


class PostponedLine(Struct, frozen=True):
    """A line that is to be requested again.

    Attributes:
        job: identifier.
        code: why the core refused the job; "" if it was not yet asked.
    """

    job: str
    code: str = ""


class LineWindow:
    """The requested lines of all batches; a ``LineListener``."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Creates an empty window; ``wake`` is called when more lines may be requested."""
        self._wake = wake
        self._lines: dict[str, WindowLine] = {}
        self._by_coop: Counter[str] = Counter()
        self._by_batch: Counter[str] = Counter()
        self._postponed: dict[str, deque[PostponedLine]] = {}
        self._paused_until: dict[str, float] = {}

    def add(self, job: str, batch: str, coop: str) -> None:
        """Adds a line that is being requested."""
        self._lines[job] = WindowLine(batch, coop)
        self._by_coop[coop] += 1
        self._by_batch[batch] += 1

    def remove(self, job: str) -> WindowLine | None:
        """Removes a line that has ended, or gets another identifier; None if it is not here."""
        line = self._lines.pop(job, None)
        if line is not None:
            for counts, name in ((self._by_coop, line.coop), (self._by_batch, line.batch)):
                counts[name] -= 1
                if not counts[name]:
                    del counts[name]
        return line

    def jobs_of(self, batch: str) -> list[str]:
        """Returns the jobs of a batch's lines that have not ended."""
        return [job for job, line in self._lines.items() if line.batch == batch]

    def count_refill(self, coop: str, batch: str, *, batches: int, left: int) -> int:
        """Returns how many more lines of a batch are to be requested now.

        Args:
            coop: owner of the batch.
            batch: identifier.
            batches: number of the co-op's running batches, which share its window.
            left: lines of the batch that are not yet requested.
        """
        share = -(-WINDOW // max(1, batches))
        room = max(0, min(WINDOW - self._by_coop[coop], share - self._by_batch[batch], left))
        is_enough = room >= min(left, share, REFILL_LEAST)
        return room if is_enough and not self.is_paused(coop) else 0

    def is_paused(self, coop: str) -> bool:
        """Whether no line of a co-op is to be requested now."""
        return self._paused_until.get(coop, 0.0) > time.time()

    def postpone(self, coop: str, line: PostponedLine) -> None:
        """Holds a line until the co-op's pause is over."""
        self._postponed.setdefault(coop, deque()).append(line)

    def take_postponed(self, coop: str) -> PostponedLine | None:
        """Returns the next line to be requested again; None for none, or during a pause."""
        lines = self._postponed.get(coop)
        if not lines or self.is_paused(coop):
            return None
        return lines.popleft()

    # A listener of kept jobs.

    def on_line_refused(self, message: JobRefused) -> bool:
        """Postpones a line whose refusal passes; returns False for any other job."""
        line = self._lines.get(message.job)
        retry_s = message.retry_after_s
        if retry_s is None and message.code in PASSING:
            retry_s = PAUSE_MOST_S
        if line is None or retry_s is None:
            return False
        pause_s = min(PAUSE_MOST_S, max(PAUSE_LEAST_S, retry_s))
        self._paused_until[line.coop] = time.time() + pause_s
        self.postpone(line.coop, PostponedLine(message.job, message.code))
        return True

    def on_line_ended(self, job: str) -> None:
        """Removes a line, and ends its co-op's pause."""
        line = self.remove(job)
        if line is None:
            return
        self._paused_until.pop(line.coop, None)
        has_room = self._by_coop[line.coop] <= WINDOW - REFILL_LEAST
        if has_room or not self._by_batch[line.batch] or self._postponed.get(line.coop):
            self._wake()
