"""Seeded result: the results of one scenario with several seeds, and what they say together.

Input: one ``RunResult`` for each seed. Output: the mean, the interval of a measure over the seeds,
and the interval of its difference from another scenario that was run with the same seeds. A measure
is a key of the summary (``ttft_s.p95``) or a function of a result.
"""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import msgspec
from msgspec import Struct

from entraide_sim.runs.goals import KEYS, summary_value
from entraide_sim.scenario import RunResult
from entraide_sim.seed_statistics import Interval, interval, mean_summary, paired_interval

Measure = str | Callable[[RunResult], float | None]


class SeededResult(Struct, frozen=True):
    """The results of one scenario, one for each seed.

    Attributes:
        results: in the order of the seeds, at least one.
        mean: the first seed's result, with the mean of the summaries; made by ``combine_seeds``.
    """

    results: tuple[RunResult, ...]
    mean: RunResult

    @property
    def label(self) -> str:
        """Name of the scenario in a comparison."""
        return self.mean.label

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds."""
        return tuple(result.seed for result in self.results)

    def values(self, measure: Measure) -> tuple[float, ...] | None:
        """Returns the values of a measure by seed; None if a seed has none."""
        values = [_value_of(result, measure) for result in self.results]
        known = tuple(value for value in values if value is not None)
        return known if len(known) == len(values) else None

    def interval(self, measure: Measure) -> Interval | None:
        """Returns the mean and the 95 % interval of a measure; None if a seed has no value."""
        values = self.values(measure)
        return None if values is None else interval(values)

    def difference(self, base: "SeededResult", measure: Measure) -> Interval | None:
        """Returns the interval of ``self - base``, paired by seed; None if a seed has no value.

        Raises:
            ValueError: the two have other seeds.
        """
        if self.seeds != base.seeds:
            raise ValueError(f"seeds {self.seeds} cannot be paired with {base.seeds}")
        values, others = self.values(measure), base.values(measure)
        return None if values is None or others is None else paired_interval(values, others)


def combine_seeds(results: Sequence[RunResult]) -> SeededResult:
    """Returns the results of several seeds as one.

    Args:
        results: of one scenario, one for each seed, at least one.
    """
    if len(results) == 1:
        return SeededResult(tuple(results), results[0])
    summary = mean_summary([result.summary for result in results])
    return SeededResult(tuple(results), msgspec.structs.replace(results[0], summary=summary))


def cost_cad(result: RunResult) -> float:
    """Returns the cost of energy and hardware for the time simulated."""
    cost = result.summary["cost_cad"]
    return float(cost["energy"] + cost["hardware"])


# JSON.


def interval_to_json(of: Interval) -> dict[str, float | None]:
    """Returns an interval as JSON values; the bounds of an unbounded one are null."""
    bounds = {"low": of.low, "high": of.high}
    return {"mean": of.mean} | {
        name: value if isfinite(value) else None for name, value in bounds.items()
    }


def summary_to_json(seeded: SeededResult) -> dict[str, Any]:
    """Returns the mean summary, with the ``intervals`` of its numbers if there are several seeds.

    ``intervals`` is by key (``ttft_s.p95``): ``mean``, ``low`` and ``high``.
    """
    summary = seeded.mean.summary
    if len(seeded.results) == 1:
        return summary
    known = {key: seeded.interval(key) for key in KEYS}
    intervals = {key: interval_to_json(of) for key, of in known.items() if of is not None}
    return {**summary, "intervals": intervals}


def _value_of(result: RunResult, measure: Measure) -> float | None:
    return summary_value(result.summary, measure) if isinstance(measure, str) else measure(result)
