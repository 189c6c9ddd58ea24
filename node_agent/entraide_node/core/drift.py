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

DEPARTS = 0.30
FADE = 0.95  # of what came before, with each run: about twenty runs are remembered
RUNS_MIN = 20
LONG_S = 1_800.0
AGAIN_S = 86_400.0
READ_TOKENS_MIN = 128  # below, a run's fixed costs drown its pace
WRITE_TOKENS_MIN = 16


class Pace(Struct, frozen=True):
    """What runs took beside what they should have taken, seconds, fading; and how many they are."""

    took_s: float = 0.0
    expected_s: float = 0.0
    runs: int = 0

    def seen(self, took_s: float, expected_s: float) -> "Pace":
        """Returns it with one more run."""
        return Pace(FADE * self.took_s + took_s, FADE * self.expected_s + expected_s, self.runs + 1)

    @property
    def departs(self) -> bool:
        """Whether enough runs were another third slower or faster than they should have been."""
        gap_s = abs(self.took_s - self.expected_s)
        return self.runs >= RUNS_MIN and gap_s > DEPARTS * self.expected_s


class Drift(Struct, frozen=True):
    """What the runs of one replica have shown since it was measured.

    Attributes:
        read, write: the pace of each.
        departs_since: since when one of them departs; None while neither does.
    """

    read: Pace = Pace()
    write: Pace = Pace()
    departs_since: float | None = None


def seen(
    drift: Drift, rates: Rates, *, read: tuple[int, float], write: tuple[int, float],
    beside: float, at: float,
) -> Drift:  # fmt: skip
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
    if tokens >= READ_TOKENS_MIN and took_s > 0.0:
        should_s = tokens / rates.prefill_tokens_per_s
        after = replace(after, read=after.read.seen(took_s, should_s))
    tokens, took_s = write
    if tokens >= WRITE_TOKENS_MIN and took_s > 0.0:
        should_s = tokens * (rates.tpot_base_s + rates.tpot_per_sequence_s * beside)
        after = replace(after, write=after.write.seen(took_s, should_s))
    if not (after.read.departs or after.write.departs):
        return replace(after, departs_since=None)
    return after if after.departs_since is not None else replace(after, departs_since=at)


def is_due(drift: Drift, *, measured_s: float, at: float) -> bool:
    """Tells whether to measure again.

    Args:
        drift: what was seen.
        measured_s: when it was last measured, on the same clock as ``at``.
        at: now.
    """
    since = drift.departs_since
    return since is not None and at - since >= LONG_S and at - measured_s >= AGAIN_S
