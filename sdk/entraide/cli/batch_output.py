"""Batches on the terminal: one batch, many in a table, and the progress of a wait.

The progress is one line that is rewritten on a terminal; elsewhere it is a line every
``LINE_INTERVAL_S`` at most. It goes to the error output, as does what the pool expects.
"""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from entraide import i18n
from entraide.cli import output
from entraide.cli.transfer import CLEAR_LINE
from entraide.printable import printable
from entraide.relative_time import format_duration
from entraide.units import compare_g

if TYPE_CHECKING:
    from entraide.client import Batch

LINE_INTERVAL_S = 30.0
HOURS_SHOWN = 12


def print_batches(batches: Sequence["Batch"], lang: str) -> None:
    """Prints batches as a table."""
    columns = ("batch", "state", "lines", "model", "sent", "deadline")
    rows = [
        [
            batch.batch,
            i18n.word("batch-state", batch.state, lang),
            f"{batch.counts.ended}/{batch.counts.lines}",
            batch.model,
            output.format_time(batch.created_at, lang),
            output.format_time(batch.deadline_at, lang),
        ]
        for batch in batches
    ]
    output.print_table([i18n.text(f"col-{name}", lang) for name in columns], rows)


def print_batch(batch: "Batch", lang: str) -> None:
    """Prints a batch: how far it is, when and why it runs, or what it used and saved."""
    state = i18n.word("batch-state", batch.state, lang)
    typer.echo(" · ".join(filter(None, (batch.batch, state, batch.model, batch.endpoint))))
    if batch.counts.lines:
        typer.echo(_lines_text(batch, lang))
    if not batch.ended:
        until = output.format_time(batch.deadline_at, lang)
        typer.echo(i18n.text("cli-batch-until", lang, until=until))
    for name, value in batch.metadata.items():
        typer.echo(f"{name}: {value}")
    if batch.expected is not None:
        typer.echo(batch.expected.sentence)
        _print_hours(batch, lang)
    for fault in batch.faults:
        place = "batch-line-fault" if fault.line else ""
        detail = fault.message
        typer.echo(i18n.text(place, lang, place=fault.line, detail=detail) if place else detail)
    if batch.ended and batch.energy_wh is not None:
        _print_used(batch, lang)


def _print_hours(batch: "Batch", lang: str) -> None:
    """Prints the hours in which the rest is expected to run, if they are not this one alone."""
    hours = batch.expected.hours if batch.expected is not None else ()
    if len(hours) < 2:
        return
    columns = ("hour", "zone", "part", "intensity")
    rows = [
        [
            output.format_time(hour.starts_at, lang),
            i18n.zone_name(hour.zone, lang),
            i18n.text("cli-percent", lang, percent=round(100 * hour.part)),
            i18n.text("cli-intensity", lang, expected_g_per_kwh=hour.g_per_kwh),
        ]
        for hour in sorted(hours, key=lambda hour: (hour.starts_at, hour.zone))[:HOURS_SHOWN]
    ]
    output.print_table([i18n.text(f"col-{name}", lang) for name in columns], rows)


def _print_used(batch: "Batch", lang: str) -> None:
    usage = batch.usage
    values: dict[str, i18n.Value] = {
        "energy_wh": batch.energy_wh or 0.0,
        "carbon_g": batch.carbon_lifecycle_gco2e or 0.0,
    }
    if usage is not None:
        values |= {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    typer.echo(i18n.text("cli-batch-used", lang, **values))
    if batch.saved_sentence:
        typer.echo(batch.saved_sentence)
    if batch.saved_g is not None:
        kind = compare_g(batch.saved_g, batch.carbon_lifecycle_gco2e or 0.0)
        text = i18n.text("cli-batch-saved", lang, kind=kind, saved_g=abs(batch.saved_g))
        typer.echo(typer.style(text, bold=True))


def _lines_text(batch: "Batch", lang: str) -> str:
    counts = batch.counts
    return i18n.text(
        "cli-batch-lines", lang, ended=counts.ended, lines=counts.lines, failed=counts.failed
    )


class ProgressLine:
    """Shows how far a batch is, each time that it is looked at."""

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self._is_terminal = sys.stderr.isatty()
        self._sentence = ""
        self._line = ""
        self._written_at = -LINE_INTERVAL_S

    def show(self, batch: "Batch") -> None:
        """Says what the pool expects, if that has changed, and how far the batch is."""
        expected = batch.expected
        if expected is not None and expected.sentence != self._sentence:
            self.close()
            self._sentence = expected.sentence
            typer.echo(self._sentence, err=True)
        line = self._progress_line(batch)
        if self._is_terminal and sys.__stderr__ is not None:
            # The cleaned stream of the commands would remove the carriage return.
            sys.__stderr__.write(f"{CLEAR_LINE}{printable(line)}")
            sys.__stderr__.flush()
        elif line != self._line and time.monotonic() >= self._written_at + LINE_INTERVAL_S:
            self._written_at = time.monotonic()
            typer.echo(line, err=True)
        self._line = line

    def close(self) -> None:
        """Removes the line from a terminal."""
        if self._is_terminal and self._line and sys.__stderr__ is not None:
            sys.__stderr__.write(CLEAR_LINE)
            sys.__stderr__.flush()
        self._line = ""

    def _progress_line(self, batch: "Batch") -> str:
        if not batch.counts.lines:
            return i18n.text("cli-batch-checked", self._lang)
        line = _lines_text(batch, self._lang)
        left_s = batch.left_s(time.time())
        if left_s is None:
            return line
        left = format_duration(left_s, self._lang)
        return f"{line} · {i18n.text('cli-batch-left', self._lang, left=left)}"
