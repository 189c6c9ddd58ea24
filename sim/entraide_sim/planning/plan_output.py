"""Plan output: a plan in sentences, for the terminal and for the report.

Whether anything is needed, which fleet to have, what one machine fewer would change, and what the
search covered.
"""

from collections.abc import Callable, Iterator

from entraide import i18n
from entraide_sim.planning import sensitivity_text
from entraide_sim.planning.fleet_planner import EvaluatedFleet, FleetPlan, fleet_name
from entraide_sim.planning.sensitivity import Sensitivity
from entraide_sim.report import PLAN, ReportContext, format_interval, formatting, is_owned
from entraide_sim.runs import summary_value


def plan_context(plan: FleetPlan, sensitivity: Sensitivity | None = None) -> ReportContext:
    """Returns what a plan's report says beyond the results of ``shown_fleets``."""
    overturning = sensitivity_text.report_sentences(sensitivity)
    composed: dict[str, Callable[[FleetPlan, str], Iterator[str]]] = {
        "need": need_sentences,
        "choice": choice_sentences,
        "sure": search_sentences,
    }
    return ReportContext(
        kind=PLAN,
        seeded=tuple(fleet.seeded for fleet in shown_fleets(plan)),
        answers={
            question: {
                str(lang): (
                    *(overturning.get(lang, ()) if question == "sure" else ()),
                    *compose(plan, lang),
                )
                for lang in i18n.LANGUAGES
            }
            for question, compose in composed.items()
        },
        tables=sensitivity_text.report_tables(sensitivity),
    )


def shown_fleets(plan: FleetPlan) -> list[EvaluatedFleet]:
    """Returns the fleets of a report: the current one, the planned one, and the smaller ones."""
    fleets = {fleet.counts: fleet for fleet in (plan.current, plan.closest, *plan.smaller_fleets)}
    return list(fleets.values())


def chosen_fleet(plan: FleetPlan) -> int | None:
    """Returns the index of the planned fleet in ``shown_fleets``; None if none meets the goals."""
    if plan.feasible is None:
        return None
    return [fleet.counts for fleet in shown_fleets(plan)].index(plan.feasible.counts)


def need_sentences(plan: FleetPlan, lang: str) -> Iterator[str]:
    """Yields whether the machines that are there meet the goals."""
    owned = "yes" if is_owned(plan.current.seeded.mean) else "no"
    if plan.current.meets_goals:
        yield i18n.text("sim-plan-enough", lang, owned=owned)
    else:
        missed = missed_text(plan, plan.current, lang)
        yield i18n.text("sim-plan-not_enough", lang, missed=missed, owned=owned)


def choice_sentences(plan: FleetPlan, lang: str) -> Iterator[str]:
    """Yields whether to buy, then the sentences about the fleet."""
    if plan.current.meets_goals:
        yield i18n.text("sim-plan-buy_nothing", lang)
    yield from fleet_sentences(plan, lang)


def fleet_sentences(plan: FleetPlan, lang: str) -> Iterator[str]:
    """Yields the planned fleet, and what one machine fewer would change."""
    words = fleet_words(plan, plan.closest, lang)
    if plan.feasible is None:
        yield i18n.text(
            "sim-plan-none",
            lang,
            fleet=words,
            complete="yes" if plan.complete else "no",
            missed=missed_text(plan, plan.closest, lang),
        )
        return
    yield i18n.text(
        "sim-plan-found",
        lang,
        minimise=plan.minimise,
        fleet=words,
        count=sum(plan.closest.counts),
        before=sum(plan.current.counts),
    )
    for smaller in plan.smaller_fleets:
        outcome = missed_text(plan, smaller, lang) or i18n.text("sim-plan-fewer-meets", lang)
        smaller_words = fleet_words(plan, smaller, lang)
        yield i18n.text("sim-plan-fewer", lang, fleet=smaller_words, outcome=outcome)


def search_sentences(plan: FleetPlan, lang: str) -> Iterator[str]:
    """Yields how many fleets the search covered."""
    code = "sim-plan-complete" if plan.complete else "sim-plan-partial"
    seeds = len(plan.seeds)
    yield i18n.text(code, lang, fleets=plan.fleets, tried=plan.tried, seeds=seeds)


def missed_text(plan: FleetPlan, fleet: EvaluatedFleet, lang: str) -> str:
    """Returns the goals that a fleet misses with its values, as a list; "" for none."""
    return formatting.join_list(
        (
            i18n.text(
                "sim-plan-missed",
                lang,
                goal=formatting.format_goal(str(goal), lang),
                value=format_interval(
                    fleet.seeded.interval(goal.key), formatting.format_number, lang
                ),
            )
            for goal in plan.goals
            if summary_value(fleet.summary, goal.key) is None or not goal.is_met(fleet.summary)
        ),
        lang,
    )


def fleet_words(plan: FleetPlan, fleet: EvaluatedFleet, lang: str) -> str:
    """Returns a fleet in words."""
    return fleet_name(plan.groups, fleet.counts, lang, plan.current.seeded.mean.titles)
