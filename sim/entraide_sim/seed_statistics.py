"""Seed statistics: the mean of several seeds' summaries, and its 95 % confidence interval.

The interval is that of a mean of independent, normally distributed values (Student, "The probable
error of a mean", Biometrika 6, 1908). Runs of several fleets with the same seeds have the same
demand and weather, so a difference between fleets is measured pair by pair (``paired_interval``),
which removes what the seeds have in common.
"""

from collections.abc import Mapping, Sequence
from math import fsum, inf, sqrt
from typing import Any

from msgspec import Struct

SEEDS = 5  # seeds of a plan or a comparison, unless the command says otherwise

# Student's t at 0.975, by degrees of freedom from 1 to 30.
T_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
T_975_NORMAL = 1.960


class Interval(Struct, frozen=True):
    """A mean over seeds with its 95 % confidence interval; unbounded for a single seed."""

    mean: float
    low: float
    high: float

    @property
    def contains_zero(self) -> bool:
        """Whether the mean is not distinguishable from 0: of a difference, none is shown."""
        return self.low <= 0.0 <= self.high


def interval(values: Sequence[float]) -> Interval:
    """Returns the mean of some values and its confidence interval.

    Args:
        values: one for each seed, at least one.
    """
    count = len(values)
    mean = fsum(values) / count
    if count == 1:
        return Interval(mean, -inf, inf)
    deviation = sqrt(fsum((value - mean) ** 2 for value in values) / (count - 1))
    t = T_975[count - 2] if count - 2 < len(T_975) else T_975_NORMAL
    half = t * deviation / sqrt(count)
    return Interval(mean, mean - half, mean + half)


def paired_interval(values: Sequence[float], base: Sequence[float]) -> Interval:
    """Returns the mean difference ``values - base`` by seed, and its confidence interval."""
    return interval([value - other for value, other in zip(values, base, strict=True)])


def mean_summary(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns summaries as one, each number the mean of theirs.

    A number that is the same in all is not changed (a count remains an integer); one that a seed
    lacks (``null``: nothing completed) is null; texts and the seed are those of the first.
    """
    first = summaries[0]
    return {
        key: first[key] if key == "seed" else _mean_value([summary[key] for summary in summaries])
        for key in first
    }


def _mean_value(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, Mapping):
        return mean_summary(values)
    if isinstance(first, str) or all(value == first for value in values):
        return first
    if any(value is None for value in values):
        return None
    return fsum(values) / len(values)
