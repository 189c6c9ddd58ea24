"""CLI output of a replay: prints its result in the terminal, and converts it to JSON values.

The file holds all numbers. Sentences come from the message catalogue.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import typer
from babel.dates import format_datetime

from entraide import i18n
from entraide.cli.output import print_table
from entraide.coop_names import shown_name
from entraide.errors import RequestError
from entraide.i18n import Value
from entraide_sim.recordings import ExactReplay
from entraide_sim.replay import replay_text
from entraide_sim.replay.baseline import EMPTY, Baseline
from entraide_sim.replay.policy_comparison import (
    ALL_COOPS,
    CoopComparison,
    CoopMetrics,
    PolicyComparison,
)
from entraide_sim.report import formatting

ARROW = " → "


def print_exact_replay(exact: ExactReplay, lang: str) -> None:
    """Prints whether a replay was exact, and where it diverged."""
    span = formatting.format_span((exact.end_at - exact.start_at) / 3_600.0, lang)
    values: dict[str, Value] = {
        "events": exact.events,
        "commands": exact.commands,
        "span": span,
        "recorded": exact.recorded_version,
        "version": exact.version,
    }
    diverged = exact.diverged
    if diverged is None:
        typer.echo(i18n.text("sim-replay-exact", lang, **values))
        return
    values |= {"number": diverged.number, "event": str(diverged.event), "kind": diverged.kind}
    values |= {"when": _format_moment(diverged.at, lang)} if diverged.at else {}
    typer.echo(i18n.text("sim-replay-diverged", lang, **values))
    if diverged.detail:
        typer.echo(f"  {diverged.detail}")
    elif diverged.commands:
        commands = ", ".join(diverged.commands)
        typer.echo(i18n.text("sim-replay-asked", lang, commands=commands))


def print_result(baseline: Baseline | None, compared: PolicyComparison | None, lang: str) -> None:
    """Prints the baseline, and what was compared, or why nothing was.

    Raises:
        RequestError: ``baseline_refused``: nothing was compared.
    """
    if baseline is None:
        return
    typer.echo("")
    for sentence in replay_text.baseline_sentences(baseline, lang):
        typer.echo(sentence)
    if compared is None:
        raise _baseline_error(baseline, lang)
    print_comparison(compared, lang)


def _baseline_error(baseline: Baseline, lang: str) -> RequestError:
    values: dict[str, Value] = {"verdict": baseline.verdict}
    if baseline.verdict != EMPTY:
        values["reasons"] = replay_text.refusal_reasons(baseline, lang)
    return RequestError("baseline_refused", f"baseline {baseline.verdict}", values=values)


def print_comparison(compared: PolicyComparison, lang: str) -> None:
    """Prints the effect of a proposed policy, in total and by co-op."""
    values: dict[str, Value] = {
        "old": compared.old_policy,
        "proposed": compared.proposed_policy,
        "growth": i18n.decimal(compared.growth * 100.0, lang) if compared.growth else "none",
    }
    typer.echo("")
    typer.echo(typer.style(i18n.text("sim-replay-compared", lang, **values), bold=True))
    headings = [
        i18n.text(f"sim-replay-col-{name}", lang)
        for name in (
            "coop",
            "jobs",
            "waited",
            "ttft",
            "tokens",
            "energy",
            "carbon",
            "kept",
            "moved",
        )
    ]
    metrics = [each for coop in compared.coops for each in (coop.old, coop.proposed)]
    most = max(each.energy_wh for each in metrics), max(each.carbon_g for each in metrics)
    names = {ALL_COOPS: i18n.text("sim-replay-all", lang), **compared.coop_names}
    rows = [
        [shown_name(coop.coop, names), *_table_cells(coop, lang, most)] for coop in compared.coops
    ]
    print_table(headings, rows, numeric=True)
    typer.echo("")
    for sentence in replay_text.change_sentences(compared, lang):
        typer.echo(sentence)
    everybody = compared.coops[0]
    if everybody.recorded.receipts_kept is not None:
        receipts = formatting.format_percentage(everybody.recorded.receipts_kept, lang)
        typer.echo(i18n.text("sim-replay-receipts", lang, recorded=receipts))
    if compared.lengths_estimated:
        count = compared.lengths_estimated
        typer.echo(i18n.text("sim-assumption-replay_lengths", lang, jobs=count))


def comparison_to_json(compared: PolicyComparison) -> dict[str, Any]:
    """Returns a comparison as JSON values; ``all`` is the total of all co-ops."""
    return {
        "old_policy": compared.old_policy,
        "proposed_policy": compared.proposed_policy,
        "lengths_known": compared.lengths_known,
        "lengths_taken": compared.lengths_estimated,
        "carried": compared.unfinished_at_start,
        "growth": compared.growth,
        "all": _metrics_to_json(compared.coops[0]),
        "coops": {coop.coop: _metrics_to_json(coop) for coop in compared.coops[1:]},
    }


def _metrics_to_json(coop: CoopComparison) -> dict[str, Any]:
    rows = {name: getattr(coop, name) for name in ("recorded", "old", "proposed")}
    metrics = {name: msgspec.to_builtins(row) for name, row in rows.items()}
    return metrics | {"moved": coop.moved}


def _table_cells(coop: CoopComparison, lang: str, most: tuple[float, float]) -> list[str]:
    """A row's figures; ``most``: largest energy and mass of the table, whose units all have."""
    most_wh, most_g = most

    def both(shown: Callable[[CoopMetrics], str]) -> str:
        old, new = shown(coop.old), shown(coop.proposed)
        return old if old == new else f"{old}{ARROW}{new}"

    return [
        both(lambda row: formatting.format_count(row.completed, lang)),
        both(lambda row: formatting.format_seconds(row.waited_s["p95"], lang)),
        both(lambda row: formatting.format_seconds(row.ttft_s["p95"], lang)),
        both(lambda row: formatting.format_count(row.input_tokens + row.output_tokens, lang)),
        both(lambda row: formatting.format_energy(row.energy_wh, lang, like=most_wh)),
        both(lambda row: formatting.format_carbon(row.carbon_g, lang, like=most_g)),
        both(lambda row: formatting.format_percentage(row.promises_kept, lang)),
        formatting.format_count(coop.moved, lang),
    ]


def _format_moment(at: float, lang: str) -> str:
    """Returns a moment in UTC: a recording has no time zone."""
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    return f"{format_datetime(moment, 'yyyy-MM-dd HH:mm:ss', locale=f'{lang}_CA')} UTC"
