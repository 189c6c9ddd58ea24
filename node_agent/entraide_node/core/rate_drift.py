"""Drift: whether an engine has long been faster or slower than when it was measured.

It compares what runs took with what the measured rates say they should have taken, as two sums
that fade with each run, reading apart from writing. When one departs by more than ``DEPARTS`` over
many runs and for a long time, the measurement is due again, at most once a day. Only runs that had
the machine to themselves count: two engines that share it slow each other down, and that is no
drift. It knows no clock.
"""

from msgspec import Struct
from msgspec.structs import replace

from entraide.types import Rates

DEVIATION_MAX = 0.30
DECAY = 0.95  # of what came before, with each run: about twenty runs are remembered
RUNS_MIN = 20
DEVIATION_MIN_S = 1_800.0
MEASUREMENT_INTERVAL_S = 86_400.0
PREFILL_TOKENS_MIN = 128  # below, a run's fixed costs drown its pace
DECODE_TOKENS_MIN = 16


class DurationSums(Struct, frozen=True):
    """What runs took beside what they should have taken, seconds, fading; and how many they are."""

    took_s: float = 0.0
    expected_s: float = 0.0
    runs: int = 0

    def add(self, took_s: float, expected_s: float) -> "DurationSums":
        """Returns it with one more run."""
        return DurationSums(
            DECAY * self.took_s + took_s, DECAY * self.expected_s + expected_s, self.runs + 1
        )

    @property
    def deviates(self) -> bool:
        """Whether enough runs were another third slower or faster than they should have been."""
        gap_s = abs(self.took_s - self.expected_s)
        return self.runs >= RUNS_MIN and gap_s > DEVIATION_MAX * self.expected_s


class RateDrift(Struct, frozen=True):
    """What the runs of one replica have shown since it was measured.

    Attributes:
        read, write: the pace of each.
        departs_since: since when one of them departs; None while neither does.
    """

    prefill: DurationSums = DurationSums()
    decode: DurationSums = DurationSums()
    deviates_since_s: float | None = None


def add_run(
    drift: RateDrift, rates: Rates, *, read: tuple[int, float], write: tuple[int, float],
    beside: float, at: float,
) -> RateDrift:  # fmt: skip
    """Returns the drift after one more run.

    Args:
        drift: what was seen before.
        rates: as measured.
        read: prompt tokens that were computed, and the seconds that they took.
        write: output tokens, and the seconds that they took.
        beside: mean number of sequences while it ran, itself included.
        at: now.
    """
    after = drift
    tokens, took_s = read
    if tokens >= PREFILL_TOKENS_MIN and took_s > 0.0:
        should_s = tokens / rates.prefill_tokens_per_s
        after = replace(after, prefill=after.prefill.add(took_s, should_s))
    tokens, took_s = write
    if tokens >= DECODE_TOKENS_MIN and took_s > 0.0:
        should_s = tokens * (rates.tpot_base_s + rates.tpot_per_sequence_s * beside)
        after = replace(after, decode=after.decode.add(took_s, should_s))
    if not (after.prefill.deviates or after.decode.deviates):
        return replace(after, deviates_since_s=None)
    return after if after.deviates_since_s is not None else replace(after, deviates_since_s=at)


def is_measurement_due(drift: RateDrift, *, measured_s: float, at: float) -> bool:
    """Tells whether to measure again.

    Args:
        drift: what was seen.
        measured_s: when it was last measured, on the same clock as ``at``.
        at: now.
    """
    since = drift.deviates_since_s
    return (
        since is not None
        and at - since >= DEVIATION_MIN_S
        and at - measured_s >= MEASUREMENT_INTERVAL_S
    )
