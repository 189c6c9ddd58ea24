"""Step times: how long an engine may be silent while it computes, until it counts as hung.

Input: how long each step of an engine took. A step is what comes between two of its events, over
all runs together: a token of each sequence, or the reading of ``STEP_TOKENS`` prompt tokens.
Output: the longest silence that is believed, ``SILENT_STEPS`` times the slowest step of the last
half hour or hour, at least ``SILENCE_MIN_S``. Each hang doubles it for an hour, so that an engine
that is slow at times is not killed again and again. Before a measurement there is no limit.
"""

from msgspec import Struct

STEP_TOKENS = 512  # prompt tokens in one step
SILENT_STEPS = 3.0
SILENCE_MIN_S = 3.0  # a pause of the machine is no hang: a restart costs more than this wait
BUCKET_S = 1_800.0
HANG_KEPT_S = 3_600.0
HANGS_MAX = 8
STEP_MAX_S = 600.0


class StepTimes(Struct):
    """The slowest steps of one engine.

    Attributes:
        expected_s: slowest step by the benchmark; 0 if it was not measured.
        slowest_s, slowest_before_s: slowest step of the present half hour and of the one before.
        bucket_at: begin of the present half hour.
        hangs: times of the last hangs, oldest first.
    """

    expected_s: float = 0.0
    slowest_s: float = 0.0
    slowest_before_s: float = 0.0
    bucket_at: float = 0.0
    hangs: tuple[float, ...] = ()

    def expect(self, prefill_tokens_per_s: float, full_batch_s: float) -> None:
        """Sets the slowest step by the benchmark's rates.

        Args:
            prefill_tokens_per_s: prompt tokens per second of one sequence.
            full_batch_s: seconds for a token of each sequence of a full batch.
        """
        prefill_s = STEP_TOKENS / prefill_tokens_per_s if prefill_tokens_per_s > 0.0 else 0.0
        self.expected_s = min(STEP_MAX_S, max(prefill_s, full_batch_s))

    def add(self, silence_s: float, *, steps: int, at: float) -> None:
        """Adds a silence that ended with an event.

        Args:
            silence_s: its length.
            steps: how many steps it may have had.
            at: its end, seconds on any clock.
        """
        if at - self.bucket_at >= BUCKET_S:
            self.slowest_before_s = self.slowest_s if at - self.bucket_at < 2.0 * BUCKET_S else 0.0
            self.slowest_s, self.bucket_at = 0.0, at
        self.slowest_s = max(self.slowest_s, min(STEP_MAX_S, silence_s / max(1, steps)))

    def add_hang(self, at: float) -> None:
        """Adds a hang."""
        self.hangs = (*self._recent_hangs(at), at)[-HANGS_MAX:]

    def silence_max_s(self, *, steps: int, at: float) -> float | None:
        """Returns the longest silence that is believed, seconds; None before a measurement.

        Args:
            steps: how many steps may pass without an event.
            at: now, on the clock of ``add``.
        """
        if not self.expected_s:
            return None
        slowest_s = max(self.expected_s, self.slowest_s, self.slowest_before_s)
        silence_s = max(SILENCE_MIN_S, SILENT_STEPS * slowest_s * max(1, steps))
        return silence_s * float(1 << len(self._recent_hangs(at)))

    def _recent_hangs(self, at: float) -> tuple[float, ...]:
        return tuple(hang for hang in self.hangs if hang > at - HANG_KEPT_S)
