"""Telling: what a run, a comparison, a plan or advice came to, in a terminal.

Decides which few numbers a person is shown; all of them stand in the files. Words come from the
catalogue.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from entraide import i18n
from entraide_sim.advice import Effect
from entraide_sim.goals import value_of
from entraide_sim.plan import Plan, Tried, told
from entraide_sim.report import words
from entraide_sim.results import Result

DASH = "—"


def as_json(value: Any) -> None:
    """Prints a value as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def where(out: Path, lang: str) -> None:
    """Says where the report is."""
    typer.echo(i18n.text("sim-report-at", lang, path=str(out / "report.html")))


def run(result: Result, lang: str) -> None:
    """Tells one run."""
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
            p50=words.seconds(summary["ttft_s"]["p50"], lang),
            p95=words.seconds(summary["ttft_s"]["p95"], lang),
            kept=words.part(summary["slo_attainment"], lang),
        )
    )
    cost = summary["cost_cad"]
    typer.echo(
        i18n.text(
            "sim-told-spent",
            lang,
            energy=words.energy(summary["energy_wh"], lang),
            carbon=words.carbon(summary["carbon_g"], lang),
            per_1k=words.carbon(summary["carbon_g_per_1k_output_tokens"], lang),
            cost=words.money(cost["energy"] + cost["hardware"], lang),
        )
    )


def comparison(results: Sequence[Result], lang: str) -> None:
    """Tells several runs side by side."""
    heads = [
        i18n.text(f"sim-col-{name}", lang)
        for name in ("run", "ttft", "kept", "energy", "carbon", "cost")
    ]
    rows = []
    for result in results:
        summary = result.summary
        cost = summary["cost_cad"]
        rows.append(
            [
                result.label or result.policy,
                words.seconds(summary["ttft_s"]["p95"], lang),
                words.part(summary["slo_attainment"], lang),
                words.energy(summary["energy_wh"], lang),
                words.carbon(summary["carbon_g"], lang),
                words.money(cost["energy"] + cost["hardware"], lang),
            ]
        )
    _table(heads, rows)


def plan(found: Plan, lang: str) -> None:
    """Tells a plan: the fleet, that it was confirmed, and what one machine fewer would do."""
    count = sum(found.best.counts)
    if found.found is None:
        typer.echo(i18n.text("sim-plan-none", lang, fleet=told(found.groups, found.best.counts)))
        _missed(found, found.best, lang)
        return
    typer.echo(
        typer.style(
            i18n.text(
                "sim-plan-found",
                lang,
                fleet=told(found.groups, found.best.counts),
                count=count,
                before=sum(found.base.counts),
            ),
            bold=True,
        )
    )
    run(found.best.result, lang)
    for tried in found.fewer:
        typer.echo(
            i18n.text("sim-plan-fewer", lang, fleet=told(found.groups, tried.counts))
            + " "
            + ", ".join(_said(goal.key, tried, lang) for goal in found.goals
                        if not goal.met(tried.result.summary))
        )  # fmt: skip
    typer.echo(i18n.text("sim-plan-runs", lang, busy=found.busy_runs, whole=found.whole_runs))


def advice(effects: Sequence[Effect], base: Result, lang: str) -> None:
    """Tells single changes: ranked by dollars, by seconds and by grams."""
    run(base, lang)
    ranks = (
        ("dollars", "cad_per_year", words.money),
        ("seconds", "ttft_s_p95", words.seconds),
        ("grams", "g_per_year", words.carbon),
    )
    for name, key, shown in ranks:
        held = [one for one in effects if getattr(one, key) is not None]
        typer.echo("")
        typer.echo(typer.style(i18n.text(f"sim-advice-{name}", lang), bold=True))
        for one in sorted(held, key=lambda one: getattr(one, key))[:5]:
            value = getattr(one, key)
            sign = "+" if value > 0 else ""
            values: dict[str, i18n.Value] = dict(one.values)
            if "device" in values:
                values["device"] = words.device(str(values["device"]), lang)
            sentence = i18n.text(f"sim-change-{one.code}", lang, **values)
            typer.echo(f"  {sign}{shown(value, lang)}  {sentence}")


def _missed(found: Plan, tried: Tried, lang: str) -> None:
    for goal in found.goals:
        if not goal.met(tried.result.summary):
            typer.echo(f"  {goal}: {_said(goal.key, tried, lang)}")


def _said(key: str, tried: Tried, lang: str) -> str:
    value = value_of(tried.result.summary, key)
    code = f"sim-measure-{key.replace('.', '-')}"
    measure = i18n.text(code, lang) if i18n.known(code) else key
    return f"{measure} = {DASH if value is None else i18n.decimal(value, lang)}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for number, line in enumerate(lines):
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        typer.echo(typer.style("  ".join(cells).rstrip(), bold=number == 0))
