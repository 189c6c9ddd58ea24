"""Telling a replay: what it came to, in a terminal and as plain values.

Decides which few numbers a person is shown; all of them stand in the file. Words come from the
catalogue.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer
from babel.dates import format_datetime

from entraide import i18n
from entraide_sim.replay.recording import Exact
from entraide_sim.replay.whatif import ALL, Compared, Coop, Row
from entraide_sim.report import words

ARROW = " → "
SAME = 0.005  # a part that makes no difference to a reader


def exactly(exact: Exact, lang: str) -> None:
    """Tells whether a replay was exact, and where it was not."""
    span = words.span((exact.end_at - exact.start_at) / 3_600.0, lang)
    values: dict[str, i18n.Value] = {
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
    values |= {"when": _moment(diverged.at, lang)} if diverged.at else {}
    typer.echo(i18n.text("sim-replay-diverged", lang, **values))
    if diverged.detail:
        typer.echo(f"  {diverged.detail}")
    elif diverged.commands:
        asked = ", ".join(diverged.commands)
        typer.echo(i18n.text("sim-replay-asked", lang, commands=asked))


def comparison(compared: Compared, lang: str) -> None:
    """Tells what a proposed policy would have changed, for all and for each co-op."""
    values: dict[str, i18n.Value] = {
        "old": compared.old_policy,
        "proposed": compared.proposed_policy,
    }
    typer.echo("")
    typer.echo(typer.style(i18n.text("sim-replay-compared", lang, **values), bold=True))
    heads = [
        i18n.text(f"sim-replay-col-{name}", lang)
        for name in ("coop", "jobs", "waited", "ttft", "tokens", "energy", "carbon", "kept")
    ]
    rows = [_cells(coop, lang) for coop in compared.coops]
    _table(heads, rows)
    typer.echo("")
    everybody = compared.coops[0]
    typer.echo(
        i18n.text(
            "sim-replay-trust",
            lang,
            recorded=words.seconds(everybody.recorded.ttft_s["p95"], lang),
            old=words.seconds(everybody.old.ttft_s["p95"], lang),
            recorded_energy=words.energy(everybody.recorded.energy_wh, lang),
            old_energy=words.energy(everybody.old.energy_wh, lang),
        )
    )
    if compared.lengths_taken:
        count = compared.lengths_taken
        typer.echo(i18n.text("sim-assumption-replay_lengths", lang, jobs=count))


def where(path: Path, lang: str) -> None:
    """Says where the report is."""
    typer.echo(i18n.text("sim-report-at", lang, path=str(path)))


def plain(compared: Compared) -> dict[str, Any]:
    """Returns a comparison as JSON has it; the row of all co-ops is called ``all``."""
    return {
        "old_policy": compared.old_policy,
        "proposed_policy": compared.proposed_policy,
        "lengths_known": compared.lengths_known,
        "lengths_taken": compared.lengths_taken,
        "carried": compared.carried,
        "all": _rows(compared.coops[0]),
        "coops": {coop.coop: _rows(coop) for coop in compared.coops[1:]},
    }


def _rows(coop: Coop) -> dict[str, Any]:
    rows = {name: getattr(coop, name) for name in ("recorded", "old", "proposed")}
    return {name: msgspec.to_builtins(row) for name, row in rows.items()}


def _cells(coop: Coop, lang: str) -> list[str]:
    def both(shown: Callable[[Row], str]) -> str:
        old, new = shown(coop.old), shown(coop.proposed)
        return old if old == new else f"{old}{ARROW}{new}"

    return [
        i18n.text("sim-replay-all", lang) if coop.coop == ALL else coop.coop,
        both(lambda row: words.count(row.completed, lang)),
        both(lambda row: words.seconds(row.waited_s["p95"], lang)),
        both(lambda row: words.seconds(row.ttft_s["p95"], lang)),
        both(lambda row: words.count(row.input_tokens + row.output_tokens, lang)),
        both(lambda row: words.energy(row.energy_wh, lang)),
        both(lambda row: words.carbon(row.carbon_g, lang)),
        both(lambda row: words.part(row.promises_kept, lang)),
    ]


def _moment(at: float, lang: str) -> str:
    """A moment in universal time: nobody's clock is known here."""
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    return f"{format_datetime(moment, 'yyyy-MM-dd HH:mm:ss', locale=f'{lang}_CA')} UTC"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for number, line in enumerate(lines):
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        typer.echo(typer.style("  ".join(cells).rstrip(), bold=number == 0))
