"""Drift detection: whether an engine's speed deviates from its last benchmark.

Input: for each completed run, the measured durations of prefill and decode, and the durations that
the benchmarked rates predict (prefill: tokens / rate; decode: tokens * (t0 + t1 * b) for a mean
batch of b sequences, as in ``bench``). Both are kept as exponentially decayed sums. Output: whether
to benchmark again. A benchmark is due when one phase deviates by more than ``DEVIATION_MAX`` over
at least ``RUNS_MIN`` runs for at least ``DEVIATION_MIN_S``, and the last benchmark is a day old.
Only runs during which no other engine of the machine worked are counted, because engines that share
a machine slow each other down.
"""

from msgspec import Struct
from msgspec.structs import replace

from entraide.types import Rates

DEVIATION_MAX = 0.30
DECAY = 0.95  # factor on the sums at each run: about 20 runs are remembered
RUNS_MIN = 20
DEVIATION_MIN_S = 1_800.0
MEASUREMENT_INTERVAL_S = 86_400.0
PREFILL_TOKENS_MIN = 128  # in shorter prompts, fixed costs dominate the duration
DECODE_TOKENS_MIN = 16


class DurationSums(Struct, frozen=True):
    """Decayed sums of measured and predicted durations, in seconds, and the number of runs."""

    took_s: float = 0.0
    expected_s: float = 0.0
    runs: int = 0

    def add(self, took_s: float, expected_s: float) -> "DurationSums":
        """Returns the sums with one more run."""
        return DurationSums(
            DECAY * self.took_s + took_s, DECAY * self.expected_s + expected_s, self.runs + 1
        )

    @property
    def deviates(self) -> bool:
        """Whether at least ``RUNS_MIN`` runs deviate by more than ``DEVIATION_MAX``."""
        gap_s = abs(self.took_s - self.expected_s)
        return self.runs >= RUNS_MIN and gap_s > DEVIATION_MAX * self.expected_s


class RateDrift(Struct, frozen=True):
    """The durations of one replica's runs since its benchmark.

    Attributes:
        prefill, decode: sums of each phase.
        deviates_since_s: when one of them began to deviate, seconds; None while neither does.
    """

    prefill: DurationSums = DurationSums()
    decode: DurationSums = DurationSums()
    deviates_since_s: float | None = None


def add_run(
    drift: RateDrift, rates: Rates, *, prefill: tuple[int, float], decode: tuple[int, float],
    sequences_mean: float, at: float,
) -> RateDrift:  # fmt: skip
    """Returns the drift after one more run.

    Args:
        drift: before this run.
        rates: of the last benchmark.
        prefill: computed prompt tokens, and the seconds that they took.
        decode: output tokens, and the seconds that they took.
        sequences_mean: mean number of concurrent sequences during the run, this one included.
        at: now, seconds.
    """
    updated = drift
    tokens, took_s = prefill
    if tokens >= PREFILL_TOKENS_MIN and took_s > 0.0:
        expected_s = tokens / rates.prefill_tokens_per_s
        updated = replace(updated, prefill=updated.prefill.add(took_s, expected_s))
    tokens, took_s = decode
    if tokens >= DECODE_TOKENS_MIN and took_s > 0.0:
        expected_s = tokens * (rates.tpot_base_s + rates.tpot_per_sequence_s * sequences_mean)
        updated = replace(updated, decode=updated.decode.add(took_s, expected_s))
    if not (updated.prefill.deviates or updated.decode.deviates):
        return replace(updated, deviates_since_s=None)
    return (
        updated if updated.deviates_since_s is not None else replace(updated, deviates_since_s=at)
    )


def is_measurement_due(drift: RateDrift, *, measured_s: float, at: float) -> bool:
    """Tells whether the engine should be benchmarked again.

    Args:
        drift: of the engine.
        measured_s: time of the last benchmark, seconds on the same clock as ``at``.
        at: now, seconds.
    """
    since = drift.deviates_since_s
    return (
        since is not None
        and at - since >= DEVIATION_MIN_S
        and at - measured_s >= MEASUREMENT_INTERVAL_S
    )
