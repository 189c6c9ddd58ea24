"""Advice sensitivity: which assumption would change the answer to a scenario's question.

Input: advice on a scenario with alternatives. Output: the sensitivity of its answer. The candidates
are the answer, the unchanged scenario and the other alternatives.
"""

from collections.abc import Sequence

from msgspec import Struct

from entraide import i18n
from entraide_sim.advice.advice_text import AdviceText
from entraide_sim.advice.scenario_advice import (
    LEAST_DIFFERENCE,
    Advice,
    ChangeEffect,
    RunAll,
    change_case,
    measure,
)
from entraide_sim.building import LoadedScenario
from entraide_sim.planning import CANDIDATES_MAX, AnswerCandidate, Sensitivity, analyse_sensitivity
from entraide_sim.runs import KEPT_ENOUGH, Measure, SeededResult, cost_cad, is_enough

NEAR_PART = 0.02  # lack of kept promises within which more seeds may decide that a fleet is enough


class EnoughRule(Struct, frozen=True):
    """The least cost among the fleets that are enough; if none is, among those that keep most."""

    @property
    def objective(self) -> Measure:
        """The measure to minimise."""
        return cost_cad

    def acceptable(self, candidates: Sequence[SeededResult], *, near: bool = False) -> list[int]:
        """Returns the candidates that are enough; ``near`` adds those that nearly are."""
        missed = [_missed_part(seeded) for seeded in candidates]
        numbers = range(len(candidates))
        enough = [number for number in numbers if is_enough(candidates[number].mean)]
        limit = 1.0 - KEPT_ENOUGH + NEAR_PART
        if near:
            enough += [n for n in numbers if n not in enough and missed[n] <= limit]
        least = min(missed) + LEAST_DIFFERENCE["missed_part"]
        return sorted(enough) or [number for number in numbers if missed[number] <= least]

    def slack(self, seeded: SeededResult, /) -> float | None:
        """Returns the part of the promises that is kept beyond what is enough."""
        return 1.0 - KEPT_ENOUGH - _missed_part(seeded)


def question_sensitivity(
    loaded: LoadedScenario, advice: Advice, *, run_all: RunAll
) -> Sensitivity | None:
    """Returns the sensitivity of the answer to a question; None for a scenario that asks none.

    Args:
        loaded: the scenario.
        advice: on it.
        run_all: runs cases in parallel.
    """
    if not advice.alternatives:
        return None
    options = (None, *advice.alternatives)
    ordered = sorted(options, key=lambda effect: effect is not advice.chosen_alternative)
    candidates = [_candidate(loaded, advice, effect) for effect in ordered[:CANDIDATES_MAX]]
    return analyse_sensitivity(candidates, answer=0, rule=EnoughRule(), run_all=run_all)


def _candidate(
    loaded: LoadedScenario, advice: Advice, effect: ChangeEffect | None
) -> AnswerCandidate:
    change = None if effect is None else effect.change
    return AnswerCandidate(
        case=change_case(loaded, change, advice.base.seeds[0]),
        base=advice.base if effect is None else effect.seeded,
        names={str(lang): AdviceText(advice, lang).option(change) for lang in i18n.LANGUAGES},
    )


def _missed_part(seeded: SeededResult) -> float:
    missed = measure(seeded.mean)["missed_part"]
    assert missed is not None
    return missed
