"""Line window: the lines of batches that are requested and have not ended, by co-op. Pure.

It counts them, so that a co-op has at most ``WINDOW`` at once, and holds the lines that the core
refused for now until they may be requested again. A co-op whose line was refused pauses: no other
line of it is requested before that time, or before one of its lines ends.

The gateway's feeder and the simulator's drive the same window; the time comes with each call.
``remaining_facts`` and ``is_stated_anew`` are what both tell the core of the lines still to come.
"""

from collections import Counter, deque
from math import ceil

from msgspec import Struct, structs

from entraide.types import RequestFacts

WINDOW = 256  # lines of one co-op's batches that are requested at once
REFILL_LEAST = 32  # more lines are requested once so many have ended
PAUSE_LEAST_S, PAUSE_MOST_S = 1.0, 60.0
STATED_PART = 100  # the core is told of each hundredth of a batch

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
    """The requested lines of all batches."""

    def __init__(self) -> None:
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

    def count(self, coop: str) -> int:
        """Returns how many lines of a co-op are requested."""
        return self._by_coop[coop]

    def jobs_of(self, batch: str) -> list[str]:
        """Returns the jobs of a batch's lines that have not ended."""
        return [job for job, line in self._lines.items() if line.batch == batch]

    def count_refill(self, coop: str, batch: str, *, batches: int, left: int, at: float) -> int:
        """Returns how many more lines of a batch are to be requested now.

        Args:
            coop: owner of the batch.
            batch: identifier.
            batches: number of the co-op's running batches, which share its window.
            left: lines of the batch that are not yet requested.
            at: now, seconds of a clock that only goes on.
        """
        share = -(-WINDOW // max(1, batches))
        room = max(0, min(WINDOW - self._by_coop[coop], share - self._by_batch[batch], left))
        is_enough = room >= min(left, share, REFILL_LEAST)
        return room if is_enough and not self.is_paused(coop, at) else 0

    def is_paused(self, coop: str, at: float) -> bool:
        """Whether no line of a co-op is to be requested at a time."""
        return self._paused_until.get(coop, 0.0) > at

    def postpone(self, coop: str, line: PostponedLine) -> None:
        """Holds a line until the co-op's pause is over."""
        self._postponed.setdefault(coop, deque()).append(line)

    def take_postponed(self, coop: str, at: float) -> PostponedLine | None:
        """Returns the next line to be requested again; None for none, or during a pause."""
        lines = self._postponed.get(coop)
        if not lines or self.is_paused(coop, at):
            return None
        return lines.popleft()

    def refuse(self, job: str, code: str, retry_after_s: float | None, at: float) -> bool:
        """Postpones a line whose refusal passes; returns False for any other job.

        Args:
            job: identifier of the line's job.
            code: why the core refused the job.
            retry_after_s: time after which it may be requested again; None if waiting is no help.
            at: now, as in ``count_refill``.
        """
        line = self._lines.get(job)
        if retry_after_s is None and code in PASSING:
            retry_after_s = PAUSE_MOST_S
        if line is None or retry_after_s is None:
            return False
        pause_s = min(PAUSE_MOST_S, max(PAUSE_LEAST_S, retry_after_s))
        self._paused_until[line.coop] = at + pause_s
        self.postpone(line.coop, PostponedLine(job, code))
        return True

    def end(self, job: str) -> bool:
        """Removes a line and ends its co-op's pause; returns whether lines may be requested now."""
        line = self.remove(job)
        if line is None:
            return False
        self._paused_until.pop(line.coop, None)
        has_room = self._by_coop[line.coop] <= WINDOW - REFILL_LEAST
        return has_room or not self._by_batch[line.batch] or bool(self._postponed.get(line.coop))


def remaining_facts(
    typical: RequestFacts, *, input_tokens: int, output_tokens: int, left: int
) -> RequestFacts:
    """Returns the facts of a typical line of those that are left.

    Args:
        typical: facts that stand for all lines of the batch.
        input_tokens: of the prompts of the lines that are left, their sum.
        output_tokens: of their answers, the most, summed.
        left: number of these lines.
    """
    count = max(1, left)
    mean_input, mean_output = ceil(input_tokens / count), ceil(output_tokens / count)
    return structs.replace(
        typical,
        input_tokens_est=mean_input,
        input_tokens_max=mean_input,
        output_tokens_max=mean_output or None,
    )


def is_stated_anew(stated: int | None, left: int, lines: int) -> bool:
    """Whether the core is to be told how many lines of a batch are left.

    Args:
        stated: what it was told last; None for nothing.
        left: lines that are not yet requested.
        lines: all lines of the batch.
    """
    if stated == left:
        return False
    return stated is None or not left or abs(stated - left) >= lines // STATED_PART
