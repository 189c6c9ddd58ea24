"""Sensitivity candidates: what a plan's or a comparison's answer is tested against.

A plan is tested against the present fleet, the next best fleet, and the best one that meets the
goals by a wide margin. A comparison is tested against the variant that meets the objective most
often, and those that emit least.
"""

from collections.abc import Sequence

from entraide import i18n
from entraide_sim.building import LoadedScenario
from entraide_sim.fleet import scenario_titles
from entraide_sim.planning.fleet_planner import EvaluatedFleet, FleetPlan, fleet_case, fleet_name
from entraide_sim.planning.sensitivity import (
    CANDIDATES_MAX,
    AnswerCandidate,
    GoalRule,
    PromiseRule,
    RunAll,
    Sensitivity,
    analyse_sensitivity,
)
from entraide_sim.report import formatting, is_owned
from entraide_sim.runs import ATTAINMENT, CARBON, Case, Comparison


def plan_sensitivity(
    loaded: LoadedScenario,
    plan: FleetPlan,
    runner_ups: Sequence[EvaluatedFleet],
    *,
    run_all: RunAll,
) -> Sensitivity:
    """Returns the sensitivity of a plan.

    Args:
        loaded: the scenario.
        plan: its answer, or the fleet closest to the goals, is the answer that is tested.
        runner_ups: of the planner.
        run_all: runs cases in parallel.
    """
    fleets = {fleet.counts: fleet for fleet in (plan.closest, plan.current, *runner_ups)}
    titles = scenario_titles(loaded.scenario)
    candidates = [
        AnswerCandidate(
            case=fleet_case(
                loaded.scenario, plan.groups, counts, home=str(loaded.home), seed=plan.seeds[0]
            ),
            base=fleet.seeded,
            names={
                str(lang): fleet_name(plan.groups, counts, lang, titles) for lang in i18n.LANGUAGES
            },
            is_current=counts == plan.current.counts,
            is_owned=is_owned(plan.current.seeded.mean),
        )
        for counts, fleet in list(fleets.items())[:CANDIDATES_MAX]
    ]
    rule = GoalRule(plan.goals, plan.minimise)
    return analyse_sensitivity(candidates, answer=0, rule=rule, run_all=run_all)


def comparison_sensitivity(
    comparison: Comparison, cases: Sequence[Case], *, run_all: RunAll
) -> Sensitivity:
    """Returns the sensitivity of a comparison's recommendation.

    Args:
        comparison: of two variants or more.
        cases: of its variants, in the same order, with the first seed.
        run_all: runs cases in parallel.
    """
    variants = comparison.variants
    numbers = range(len(variants))
    attained = {n: of.mean for n in numbers if (of := variants[n].interval(ATTAINMENT))}
    grams = {n: of.mean for n in numbers if (of := variants[n].interval(CARBON))}
    order = [
        comparison.recommended,
        *sorted(attained, key=lambda number: -attained[number])[:1],
        *sorted(grams, key=lambda number: grams[number]),
    ]
    candidates = [
        AnswerCandidate(
            case=cases[number],
            base=variants[number],
            names={
                str(lang): formatting.result_name(variants[number].mean, lang)
                for lang in i18n.LANGUAGES
            },
        )
        for number in list(dict.fromkeys(order))[:CANDIDATES_MAX]
    ]
    return analyse_sensitivity(candidates, answer=0, rule=PromiseRule(), run_all=run_all)
