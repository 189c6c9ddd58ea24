"""Steadiness: whether what was sampled each minute of a long run stays flat.

The first quarter of a run is left out: caches fill, and what the pool keeps for some minutes (ended
jobs, receipts) reaches its usual number. Over the rest, a series is flat if its growth, as the
Theil-Sen slope per hour, is at most its bound. The slope is the median of the slopes between all
pairs of samples (Theil 1950; Sen, JASA 1968), so that single spikes do not decide. What shrinks is
flat.

Bounds per hour: memory (RSS; PSS depends on which other processes share its pages) 4
MB, or a twentieth of its median where that is more; descriptors and threads 2; a latency a fifth of
its median, or 10 ms where that is more.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import psutil
from msgspec import Struct

WARM_UP = 0.25  # part of a run that is left out
SAMPLES_MIN = 4
MINUTES_PER_HOUR = 60.0
MB = 1e6

OF_PROCESSES = ("rss_mb", "descriptors", "threads")
OF_REQUESTS = ("first_token_p50_s", "between_tokens_p50_s", "whole_p50_s")
# For each measure, the growth per hour that is allowed: absolute, and as a part of the median.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "rss_mb": (4.0, 0.05),
    "descriptors": (2.0, 0.0),
    "threads": (2.0, 0.0),
    "first_token_p50_s": (0.01, 0.2),
    "between_tokens_p50_s": (0.01, 0.2),
    "whole_p50_s": (0.01, 0.2),
}


class ProcessSample(Struct, frozen=True):
    """What a process holds now.

    Attributes:
        rss_mb, pss_mb: its memory, shared pages counted fully, and by share, MB.
        descriptors, threads: number of open ones.
    """

    rss_mb: float
    pss_mb: float
    descriptors: float
    threads: float


class Verdict(Struct, frozen=True):
    """Whether a series is flat.

    Attributes:
        subject: process, or ``requests``.
        measure: a key of ``BOUNDS``.
        growth_per_hour: Theil-Sen slope, in the measure's unit.
        bound_per_hour: largest growth of a flat series.
        is_flat: whether the growth is within the bound.
    """

    subject: str
    measure: str
    growth_per_hour: float
    bound_per_hour: float
    is_flat: bool


def sample_process(process: psutil.Process) -> ProcessSample:
    """Returns what a process holds now."""
    with process.oneshot():
        memory = process.memory_full_info()
        return ProcessSample(
            round(memory.rss / MB, 2),
            round(memory.pss / MB, 2),
            process.num_fds(),
            process.num_threads(),
        )


def judge(subject: str, measure: str, by_minute: Sequence[float | None]) -> Verdict:
    """Tells whether a series is flat; minutes without a value do not count.

    Raises:
        ValueError: there are too few samples for a judgement.
    """
    begin = round(WARM_UP * len(by_minute))
    kept = [
        (minute, value)
        for minute, value in enumerate(by_minute)
        if minute >= begin and value is not None
    ]
    if len(kept) < SAMPLES_MIN:
        raise ValueError(f"{subject}, {measure}: {len(kept)} samples, {SAMPLES_MIN} are needed")
    minutes, values = (np.array(column, float) for column in zip(*kept, strict=True))
    growth = theil_sen_slope(minutes, values) * MINUTES_PER_HOUR
    absolute, part = BOUNDS[measure]
    bound = max(absolute, part * float(np.median(values)))
    return Verdict(subject, measure, round(growth, 4), round(bound, 4), growth <= bound)


def theil_sen_slope(at: np.ndarray, values: np.ndarray) -> float:
    """Returns the median of the slopes between all pairs of points."""
    first, second = np.triu_indices(len(at), 1)
    return float(np.median((values[second] - values[first]) / (at[second] - at[first])))
