"""Step times: how long an engine may be silent while it computes, until it counts as hung.

Input: how long each step of an engine took. A step is what comes between two of its events, over
all runs together: a token of each sequence, or, while a prompt is read, ``STEP_TOKENS`` of its
tokens. Output: the longest silence that is believed, ``SILENT_STEPS`` times the slowest step of its
kind in the last half hour or hour, at least ``SILENCE_MIN_S``. Within an hour, each hang after the
first ``HANGS_FREE`` doubles it, so that an engine that has become slow is not killed again and
again. Before a measurement there is no limit.
"""

from msgspec import Struct

STEP_TOKENS = 512  # prompt tokens in one step
SILENT_STEPS = 3.0
SILENCE_MIN_S = 3.0  # a pause of the machine is no hang: a restart costs more than this wait
BUCKET_S = 1_800.0
HANG_KEPT_S = 3_600.0
HANGS_FREE = 2
HANGS_MAX = 10
STEP_MAX_S = 600.0


class SlowestStep(Struct):
    """The slowest step of one kind.

    Attributes:
        expected_s: by the benchmark; 0 if it was not measured.
        slowest_s, slowest_before_s: of the present half hour and of the one before.
        bucket_at: begin of the present half hour.
    """

    expected_s: float = 0.0
    slowest_s: float = 0.0
    slowest_before_s: float = 0.0
    bucket_at: float = 0.0

    def add(self, step_s: float, at: float) -> None:
        """Adds a step that ended at a time."""
        if at - self.bucket_at >= BUCKET_S:
            is_next = at - self.bucket_at < 2.0 * BUCKET_S
            self.slowest_before_s = self.slowest_s if is_next else 0.0
            self.slowest_s, self.bucket_at = 0.0, at
        self.slowest_s = max(self.slowest_s, min(STEP_MAX_S, step_s))

    def longest_s(self) -> float:
        """Returns how long it took, seconds."""
        return max(self.expected_s, self.slowest_s, self.slowest_before_s)


class StepTimes:
    """The slowest steps of one engine, and its hangs."""

    def __init__(self) -> None:
        """Has measured nothing yet."""
        self._reading = SlowestStep()
        self._writing = SlowestStep()
        self._hangs: tuple[float, ...] = ()

    def expect(self, prefill_tokens_per_s: float, full_batch_s: float) -> None:
        """Sets the slowest steps by the benchmark's rates.

        Args:
            prefill_tokens_per_s: prompt tokens per second of one sequence.
            full_batch_s: seconds for a token of each sequence of a full batch.
        """
        prefill_s = STEP_TOKENS / prefill_tokens_per_s if prefill_tokens_per_s > 0.0 else 0.0
        self._writing.expected_s = min(STEP_MAX_S, full_batch_s)
        self._reading.expected_s = min(STEP_MAX_S, max(prefill_s, full_batch_s))

    def add(self, silence_s: float, *, steps: int, reads: bool, at: float) -> None:
        """Adds a silence that ended with an event.

        Args:
            silence_s: its length.
            steps: how many steps it may have had.
            reads: whether a prompt was read.
            at: its end, seconds on any clock.
        """
        kind = self._reading if reads else self._writing
        kind.add(silence_s / max(1, steps), at)

    def add_hang(self, at: float) -> None:
        """Adds a hang."""
        self._hangs = (*self._recent_hangs(at), at)[-HANGS_MAX:]

    def silence_max_s(self, *, steps: int, reads: bool, at: float) -> float | None:
        """Returns the longest silence that is believed, seconds; None before a measurement.

        Args:
            steps: how many steps may pass without an event.
            reads: whether a prompt is read.
            at: now, on the clock of ``add``.
        """
        if not self._reading.expected_s:
            return None
        longest_s = self._writing.longest_s()
        if reads:
            longest_s = max(longest_s, self._reading.longest_s())
        silence_s = max(SILENCE_MIN_S, SILENT_STEPS * longest_s * max(1, steps))
        return silence_s * float(1 << max(0, len(self._recent_hangs(at)) - HANGS_FREE))

    def _recent_hangs(self, at: float) -> tuple[float, ...]:
        return tuple(hang for hang in self._hangs if hang > at - HANG_KEPT_S)
