"""CLI output: prints the main numbers of a run, a comparison or a plan in the terminal.

The files hold all numbers. Sentences come from the message catalogue.
"""

import re
from collections.abc import Callable
from math import isfinite
from pathlib import Path

import typer

from entraide import i18n
from entraide.cli.output import print_table
from entraide_sim import sensitivity_text
from entraide_sim.comparison import ATTAINMENT, CARBON, Comparison
from entraide_sim.fleet_planner import EvaluatedFleet, FleetPlan, fleet_name
from entraide_sim.goals import summary_value
from entraide_sim.report import formatting
from entraide_sim.results import RunResult
from entraide_sim.seed_statistics import Interval
from entraide_sim.seeded_result import Measure, cost_cad
from entraide_sim.sensitivity import Sensitivity

DASH = "—"

FormatValue = Callable[[float | None, str], str]


def print_report_path(out: Path, lang: str) -> None:
    """Prints the path of the report."""
    typer.echo(i18n.text("sim-report-at", lang, path=str(out / "report.html")))


def print_run(result: RunResult, lang: str) -> None:
    """Prints the main numbers of one run."""
    summary = result.summary
    typer.echo(typer.style(result.title.get(i18n.lang_of(lang), result.scenario), bold=True))
    typer.echo(
        i18n.text(
            "sim-told-jobs",
            lang,
            jobs=summary["jobs"],
            completed=summary["completed"],
            rejected=summary["rejected"],
            failed=summary["failed"],
        )
    )
    typer.echo(
        i18n.text(
            "sim-told-latency",
            lang,
            p50=formatting.format_seconds(summary["ttft_s"]["p50"], lang),
            p95=formatting.format_seconds(summary["ttft_s"]["p95"], lang),
            kept=formatting.format_percentage(summary["slo_attainment"], lang),
        )
    )
    cost = summary["cost_cad"]
    typer.echo(
        i18n.text(
            "sim-told-spent",
            lang,
            energy=formatting.format_energy(summary["energy_wh"], lang),
            carbon=formatting.format_carbon(summary["carbon_g"], lang),
            per_1k=formatting.format_carbon(summary["carbon_g_per_1k_output_tokens"], lang),
            cost=formatting.format_money(cost["energy"] + cost["hardware"], lang),
        )
    )


def print_comparison(comparison: Comparison, lang: str) -> None:
    """Prints a table of several variants with their intervals, and which one is recommended."""
    headings = [
        i18n.text(f"sim-col-{name}", lang)
        for name in ("run", "ttft", "kept", "energy", "carbon", "cost")
    ]
    columns: tuple[tuple[Measure, FormatValue], ...] = (
        ("ttft_s.p95", formatting.format_seconds),
        ("slo_attainment", formatting.format_percentage),
        ("energy_wh", formatting.format_energy),
        ("carbon_g", formatting.format_carbon),
        (cost_cad, formatting.format_money),
    )
    rows = [
        [
            formatting.result_name(variant.mean, lang),
            *(
                format_interval(variant.interval(measure), shown, lang)
                for measure, shown in columns
            ),
        ]
        for variant in comparison.variants
    ]
    print_table(headings, rows, numeric=True)
    for number in range(len(comparison.variants)):
        typer.echo(_verdict(comparison, number, lang))
    if len(comparison.variants[0].seeds) == 1:
        typer.echo(i18n.text("sim-compare-one_seed", lang))


def _verdict(comparison: Comparison, number: int, lang: str) -> str:
    """Returns what a comparison says of one variant, as a sentence."""
    variant, best = comparison.variants[number], comparison.variants[comparison.recommended]
    more = variant.difference(best, CARBON)
    return i18n.text(
        f"sim-compare-{comparison.verdict(number)}",
        lang,
        name=formatting.result_name(variant.mean, lang),
        seeds=len(variant.seeds),
        kept=format_interval(variant.interval(ATTAINMENT), formatting.format_percentage, lang),
        more=format_interval(more, formatting.format_carbon, lang),
    )


def format_interval(of: Interval | None, shown: FormatValue, lang: str) -> str:
    """Returns a mean with half the width of its interval: ``11.8 g CO2e ± 0.4``.

    Args:
        of: the interval; None for a dash. An unbounded one, or one of no width, is only a mean.
        shown: formats a value with its unit, which is not repeated.
        lang: of the reader.
    """
    if of is None:
        return DASH
    mean = shown(of.mean, lang)
    half = (of.high - of.low) / 2.0
    if not isfinite(half) or half == 0.0:
        return mean
    rounded = float(f"{half:.1e}")
    unit = _unit(mean)
    return f"{mean} ± {shown(rounded, lang).removesuffix(unit)}"


def _unit(text: str) -> str:
    """Returns the unit at the end of a formatted number, with the space before it."""
    unit = re.search(r"\u00a0\D.*$|%$", text)
    return unit[0] if unit else ""


def print_sensitivity(sensitivity: Sensitivity, lang: str) -> None:
    """Prints which assumptions would change the answer, and its margins under each of them."""
    typer.echo("")
    typer.echo(typer.style(i18n.text("sim-sensitivity-title", lang), bold=True))
    for sentence in sensitivity_text.overturning_sentences(sensitivity, lang):
        typer.echo(sentence)
    print_table(*sensitivity_text.sensitivity_table(sensitivity, lang))


def print_plan(plan: FleetPlan, lang: str) -> None:
    """Prints a plan: whether anything is needed, the fleet, its run, and how sure that is."""
    if plan.current.meets_goals:
        typer.echo(typer.style(i18n.text("sim-plan-enough", lang), bold=True))
    else:
        typer.echo(typer.style(i18n.text("sim-plan-not_enough", lang), bold=True))
        _print_missed_goals(plan, plan.current, lang)
    if plan.feasible is None:
        complete = "yes" if plan.complete else "no"
        words = _fleet_words(plan, plan.closest.counts, lang)
        typer.echo(i18n.text("sim-plan-none", lang, fleet=words, complete=complete))
        _print_missed_goals(plan, plan.closest, lang)
    else:
        words = i18n.text(
            "sim-plan-found",
            lang,
            minimise=plan.minimise,
            fleet=_fleet_words(plan, plan.closest.counts, lang),
            count=sum(plan.closest.counts),
            before=sum(plan.current.counts),
        )
        typer.echo(typer.style(words, bold=True))
        print_run(plan.closest.seeded.mean, lang)
        _print_intervals(plan, lang)
        for smaller in plan.smaller_fleets:
            _print_smaller(plan, smaller, lang)
    code = "sim-plan-complete" if plan.complete else "sim-plan-partial"
    seeds, tried = len(plan.seeds), plan.tried
    typer.echo(i18n.text(code, lang, fleets=plan.fleets, tried=tried, seeds=seeds))


def _print_intervals(plan: FleetPlan, lang: str) -> None:
    """Prints the mean of each goal's value over the seeds, with its interval."""
    for goal in plan.goals:
        of = plan.closest.seeded.interval(goal.key)
        if of is None or len(plan.seeds) == 1:
            continue
        words = i18n.text(
            "sim-plan-interval",
            lang,
            measure=_measure_name(goal.key, lang),
            mean=i18n.decimal(of.mean, lang),
            low=i18n.decimal(of.low, lang),
            high=i18n.decimal(of.high, lang),
        )
        typer.echo(f"  {words}")


def _print_smaller(plan: FleetPlan, smaller: EvaluatedFleet, lang: str) -> None:
    words = _fleet_words(plan, smaller.counts, lang)
    missed = [
        _goal_value_text(goal.key, smaller, lang)
        for goal in plan.goals
        if not goal.is_met(smaller.summary)
    ]
    outcome = ", ".join(missed) or i18n.text("sim-plan-fewer-meets", lang)
    typer.echo(i18n.text("sim-plan-fewer", lang, fleet=words, outcome=outcome))


def _print_missed_goals(plan: FleetPlan, evaluated: EvaluatedFleet, lang: str) -> None:
    for goal in plan.goals:
        if not goal.is_met(evaluated.summary):
            typer.echo(f"  {goal}  {_goal_value_text(goal.key, evaluated, lang)}")


def _goal_value_text(key: str, evaluated: EvaluatedFleet, lang: str) -> str:
    value = summary_value(evaluated.summary, key)
    shown = DASH if value is None else i18n.decimal(value, lang)
    return f"{_measure_name(key, lang)} = {shown}"


def _fleet_words(plan: FleetPlan, counts: tuple[int, ...], lang: str) -> str:
    return fleet_name(plan.groups, counts, lang, plan.current.seeded.mean.titles)


def _measure_name(key: str, lang: str) -> str:
    code = f"sim-measure-{key.replace('.', '-')}"
    return i18n.text(code, lang) if i18n.has_message(code) else key
