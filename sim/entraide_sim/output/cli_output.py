"""CLI output: prints the main numbers of a run, a comparison or a plan in the terminal.

The files hold all numbers. Sentences come from the message catalogue.
"""

from pathlib import Path

import typer

from entraide import i18n
from entraide.cli.output import print_table
from entraide_sim.planning import FleetPlan, Sensitivity, plan_output, sensitivity_text
from entraide_sim.report import FormatValue, format_interval, formatting
from entraide_sim.runs import ATTAINMENT, CARBON, Comparison, Measure, cost_cad
from entraide_sim.scenario import RunResult

DASH = "—"


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


def print_sensitivity(sensitivity: Sensitivity, lang: str) -> None:
    """Prints which assumptions would change the answer, and its margins under each of them."""
    typer.echo("")
    typer.echo(typer.style(i18n.text("sim-sensitivity-title", lang), bold=True))
    for sentence in sensitivity_text.overturning_sentences(sensitivity, lang):
        typer.echo(sentence)
    print_table(*sensitivity_text.sensitivity_table(sensitivity, lang))


def print_plan(plan: FleetPlan, lang: str) -> None:
    """Prints a plan: whether anything is needed, the fleet, its run, and what was searched."""
    for sentence in plan_output.need_sentences(plan, lang):
        typer.echo(typer.style(sentence, bold=True))
    choice, *fewer = plan_output.fleet_sentences(plan, lang)
    typer.echo(typer.style(choice, bold=True))
    if plan.feasible is not None:
        print_run(plan.closest.seeded.mean, lang)
        _print_intervals(plan, lang)
    for sentence in (*fewer, *plan_output.search_sentences(plan, lang)):
        typer.echo(sentence)


def _print_intervals(plan: FleetPlan, lang: str) -> None:
    """Prints the mean of each goal's value over the seeds, with its interval."""
    for goal in plan.goals:
        of = plan.closest.seeded.interval(goal.key)
        if of is not None and len(plan.seeds) > 1:
            words = i18n.text(
                "sim-plan-interval",
                lang,
                measure=formatting.measure_name(goal.key, lang),
                value=format_interval(of, formatting.format_number, lang),
            )
            typer.echo(f"  {words}")
