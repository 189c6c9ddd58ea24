"""Scenario advice: whether anything is needed, and which single changes are worth their price.

Input: a scenario, the seeds and a function that runs cases. Output: the results of the unchanged
scenario and the effect of each change, with the reason why it is put forward or not. The first seed
screens the changes; those with a gain, and the scenario's alternatives, are run with all seeds.
Differences are paired by seed; negative values are reductions.

A change is put forward if it gains something beyond the noise of the seeds and beyond
``LEAST_DIFFERENCE``, if neither doing nothing nor another change is at least as good in cost,
emissions and kept promises, and if what it gains is worth new money.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec
from msgspec import Struct

from entraide_sim.advice.scenario_changes import ScenarioChange, list_changes
from entraide_sim.building import LoadedScenario
from entraide_sim.money import YEAR_H
from entraide_sim.runs import (
    Case,
    CaseOutcome,
    SeededResult,
    combine_seeds,
    cost_cad,
    is_enough,
    kept_part,
    summary_value,
    with_nodes,
)
from entraide_sim.scenario import RunResult
from entraide_sim.seed_statistics import Interval

CONFIRMED_MAX = 8  # changes that are run with all seeds, beside the scenario's alternatives
PUT_FORWARD_MAX = 5
# Social cost of carbon, Environment and Climate Change Canada: $294 a tonne. New money for lower
# emissions alone must not cost more.
CARBON_CAD_PER_G = 294.0 / 1e6
# Smaller differences are none, whatever the seeds show.
LEAST_DIFFERENCE = {
    "cad_per_year": 5.0,
    "g_per_year": 100.0,
    "missed_part": 0.01,
    "ttft_s_p95": 0.1,
}
YEARLY = ("cad_per_year", "g_per_year")
COMPARED = (*YEARLY, "missed_part")  # what decides whether a change is better
GAIN = "gain"
NOTHING = "nothing"  # the change that is none

RunAll = Callable[[Sequence[Case]], Iterator[tuple[int, CaseOutcome]]]


class ChangeEffect(Struct, frozen=True, kw_only=True):
    """The effect of a change.

    Attributes:
        change: the change.
        seeded: its results, of the first seed alone if it was not confirmed.
        differences: from the unchanged scenario, by measure (``measure``); None without a value.
        is_confirmed: whether all seeds were run.
        reason: ``gain`` if the change is put forward, else ``no_effect``, ``dominated``,
            ``promises`` (too many would be missed), ``enough`` (nothing is needed) or ``carbon``
            (costs more than ``CARBON_CAD_PER_G``).
        better: of ``dominated``: label of the change that is as good or better in all respects.
    """

    change: ScenarioChange
    seeded: SeededResult
    differences: dict[str, Interval | None]
    is_confirmed: bool
    reason: str = ""
    better: str = ""

    @property
    def put_forward(self) -> bool:
        """Whether the change is recommended."""
        return self.reason == GAIN


class Advice(Struct, frozen=True):
    """The answer.

    Attributes:
        base: results of the unchanged scenario, with all seeds.
        is_enough: whether they serve nearly all requests and keep nearly all promises.
        effects: of the changes that were tried, those put forward first, best first.
    """

    base: SeededResult
    is_enough: bool
    effects: tuple[ChangeEffect, ...]

    @property
    def recommended(self) -> tuple[ChangeEffect, ...]:
        """The changes put forward, at most ``PUT_FORWARD_MAX``."""
        return tuple(effect for effect in self.effects if effect.put_forward)[:PUT_FORWARD_MAX]

    @property
    def alternatives(self) -> tuple[ChangeEffect, ...]:
        """The alternatives that the scenario asks to compare."""
        return tuple(effect for effect in self.effects if effect.change.is_alternative)

    @property
    def chosen_alternative(self) -> ChangeEffect | None:
        """The alternative to choose; None if the unchanged scenario is the answer."""
        return next((effect for effect in self.alternatives if effect.put_forward), None)


def measure(result: RunResult) -> dict[str, float | None]:
    """Returns the measures of a result that advice compares; less of each is better.

    ``cad_per_year`` and ``g_per_year``; ``missed_part``: part of the promises that were missed, or
    of the requests that were not served if nothing is promised; ``ttft_s_p95``.
    """
    years = result.demand_h / YEAR_H
    return {
        "cad_per_year": cost_cad(result) / years,
        "g_per_year": result.summary["carbon_g"] / years,
        "missed_part": 1.0 - kept_part(result),
        "ttft_s_p95": summary_value(result.summary, "ttft_s.p95"),
    }


def find_advice(loaded: LoadedScenario, *, seeds: tuple[int, ...], run_all: RunAll) -> Advice:
    """Runs the changes of a scenario and judges them; see the module.

    Args:
        loaded: the scenario.
        seeds: of the runs that decide; the first one screens.
        run_all: runs cases in parallel.
    """
    runs = _Runs(loaded, run_all)
    changes = list_changes(loaded.scenario)
    first = {change.label: change for change in changes}
    runs.add([(None, seed) for seed in seeds] + [(change, seeds[0]) for change in changes])
    base = runs.seeded(None, seeds)
    screened = [measure_effect(change, runs.seeded(change, seeds[:1]), base) for change in changes]
    kept = _promising(screened)
    runs.add([(first[label], seed) for label in kept for seed in seeds[1:]])
    effects = [
        measure_effect(effect.change, runs.seeded(effect.change, seeds), base, is_confirmed=True)
        if effect.change.label in kept
        else effect
        for effect in screened
    ]
    return judge_effects(effects, base)


def judge_effects(effects: Sequence[ChangeEffect], base: SeededResult) -> Advice:
    """Returns the advice that follows from the effects: each with its reason, best first."""
    enough = is_enough(base.mean)
    judged = [_judge(effect, effects, enough=enough) for effect in effects]
    judged.sort(key=lambda effect: _rank(effect, enough=enough))
    return Advice(base, enough, tuple(judged))


class _Runs:
    """Results by change and seed, each run made once."""

    def __init__(self, loaded: LoadedScenario, run_all: RunAll) -> None:
        self._loaded = loaded
        self._run_all = run_all
        self._results: dict[tuple[str, int], RunResult] = {}

    def add(self, wanted: Sequence[tuple[ScenarioChange | None, int]]) -> None:
        """Runs changes (None for the unchanged scenario) with seeds."""
        cases = [change_case(self._loaded, change, seed) for change, seed in wanted]
        for number, outcome in self._run_all(cases):
            self._results[cases[number].label, cases[number].seed] = outcome.result

    def seeded(self, change: ScenarioChange | None, seeds: Sequence[int]) -> SeededResult:
        """Returns the results of a change."""
        label = "" if change is None else change.label
        return combine_seeds([self._results[label, seed] for seed in seeds])


def change_case(loaded: LoadedScenario, change: ScenarioChange | None, seed: int) -> Case:
    """Returns the case of a change, or of the unchanged scenario."""
    home = str(loaded.home)
    if change is not None:
        return Case(scenario=change.scenario, home=home, seed=seed, label=change.label)
    scenario = with_nodes(loaded.scenario, loaded.scenario.fleet)
    return Case(scenario=scenario, home=home, seed=seed)


def measure_effect(
    change: ScenarioChange, seeded: SeededResult, base: SeededResult, *, is_confirmed: bool = False
) -> ChangeEffect:
    """Returns the effect of a change, without a judgement.

    Args:
        change: the change.
        seeded: its results, of the first seeds of ``base`` or of all.
        base: results of the unchanged scenario.
        is_confirmed: whether the results are of all seeds.
    """
    paired = combine_seeds(base.results[: len(seeded.results)])
    return ChangeEffect(
        change=change,
        seeded=seeded,
        differences=_differences(seeded, paired),
        is_confirmed=is_confirmed,
    )


def _differences(seeded: SeededResult, base: SeededResult) -> dict[str, Interval | None]:
    """Returns the paired difference of each measure."""
    return {key: seeded.difference(base, partial(_measured, key=key)) for key in LEAST_DIFFERENCE}


def _measured(result: RunResult, *, key: str) -> float | None:
    return measure(result)[key]


def _promising(screened: Sequence[ChangeEffect]) -> set[str]:
    """Returns the labels of the changes to run with all seeds.

    A change may still gain something if the first seed shows half of the least difference.
    """

    def largest_gain(effect: ChangeEffect) -> float:
        return max(
            -of.mean / LEAST_DIFFERENCE[key]
            for key, of in effect.differences.items()
            if of is not None
        )

    open_ones = [
        effect
        for effect in screened
        if not effect.change.is_alternative and largest_gain(effect) >= 0.5
    ]
    open_ones.sort(key=largest_gain, reverse=True)
    asked = [effect for effect in screened if effect.change.is_alternative]
    return {effect.change.label for effect in (*asked, *open_ones[:CONFIRMED_MAX])}


# Judgement.


def change_sign(difference: Interval | None, key: str) -> int:
    """Returns -1 if a difference is a reduction, 1 if it is an increase, and 0 if it is none.

    A difference is none if its interval contains 0 or if its mean is below ``LEAST_DIFFERENCE``.
    """
    if difference is None or difference.low <= 0.0 <= difference.high:
        return 0
    if abs(difference.mean) < LEAST_DIFFERENCE[key]:
        return 0
    return 1 if difference.mean > 0.0 else -1


def _judge(effect: ChangeEffect, effects: Sequence[ChangeEffect], *, enough: bool) -> ChangeEffect:
    reason, better = _find_reason(effect, effects, enough=enough)
    return msgspec.structs.replace(effect, reason=reason, better=better)


def _find_reason(
    effect: ChangeEffect, effects: Sequence[ChangeEffect], *, enough: bool
) -> tuple[str, str]:
    signs = {key: change_sign(of, key) for key, of in effect.differences.items()}
    if not effect.is_confirmed or -1 not in signs.values():
        return "no_effect", ""
    if _is_dominated(signs):
        return "dominated", NOTHING
    for other in effects:
        if other is not effect and _dominates(other, effect):
            return "dominated", other.change.label
    if signs["missed_part"] > 0 and not is_enough(effect.seeded.mean):
        return "promises", ""
    if effect.change.price_cad > 0.0 and signs["cad_per_year"] >= 0:
        return _weigh_new_money(effect, signs, enough=enough), ""
    return GAIN, ""


def _is_dominated(signs: dict[str, int]) -> bool:
    """Returns whether a change with these signs is better in nothing, and worse in something."""
    compared = [signs[key] for key in COMPARED]
    return -1 not in compared and 1 in compared


def _dominates(better: ChangeEffect, effect: ChangeEffect) -> bool:
    """Returns whether a change is at least as good as another in all, and better in something.

    A smaller model dominates nothing, since the quality of its answers is not simulated.
    """
    if not (better.is_confirmed and effect.is_confirmed) or better.change.code == "smaller_model":
        return False
    differences = _differences(effect.seeded, better.seeded)
    return _is_dominated({key: change_sign(of, key) for key, of in differences.items()})


def _weigh_new_money(effect: ChangeEffect, signs: dict[str, int], *, enough: bool) -> str:
    """Returns whether what a purchase gains is worth its yearly cost."""
    if signs["missed_part"] < 0 and not enough:
        return GAIN
    cost, grams = effect.differences["cad_per_year"], effect.differences["g_per_year"]
    assert cost is not None
    assert grams is not None
    if signs["g_per_year"] < 0:
        return GAIN if cost.mean <= -grams.mean * CARBON_CAD_PER_G else "carbon"
    return "enough" if enough else GAIN


def _rank(effect: ChangeEffect, *, enough: bool) -> tuple[bool, bool, float, float]:
    """Returns the sort key: put forward, makes the fleet enough, least cost, least emissions."""
    cost, grams = effect.differences["cad_per_year"], effect.differences["g_per_year"]
    return (
        not effect.put_forward,
        not (enough or is_enough(effect.seeded.mean)),
        cost.mean if cost else 0.0,
        grams.mean if grams else 0.0,
    )
