"""Measured quality of models as the commands print it: cells by language and task, and figures."""

from collections.abc import Sequence

import typer
from msgspec.structs import asdict

from entraide import i18n
from entraide.cli.output import print_table
from entraide.models import EVALUATED_LANGUAGES, MachineFigures, ModelEntry, TaskQuality


def summary(quality: Sequence[TaskQuality], lang: str) -> str:
    """Returns the mean rate of right answers by language, or that nothing was measured here."""
    parts = []
    for language in EVALUATED_LANGUAGES:
        rates = [cell.rate for cell in quality if cell.language == language]
        if rates:
            parts.append(f"{language} {percent(sum(rates) / len(rates), lang)}")
    return ", ".join(parts) or i18n.text("cli-quality-none", lang)


def percent(rate: float, lang: str) -> str:
    """Returns a rate in whole percent."""
    return i18n.text("cli-percent", lang, percent=i18n.decimal(round(rate * 100), lang))


def cell_row(cell: TaskQuality, lang: str) -> list[str]:
    """Returns a cell's language, task, rate, interval and number of answers."""
    low, high = percent(cell.low, lang), percent(cell.high, lang)
    interval = i18n.text("cli-quality-interval", lang, low=low, high=high)
    task = i18n.word("task", cell.task, lang)
    return [cell.language, task, percent(cell.rate, lang), interval, i18n.decimal(cell.n, lang)]


def print_quality(quality: Sequence[TaskQuality], lang: str) -> None:
    """Prints a table of cells, sorted by language and task."""
    names = ("language", "task", "right", "interval", "answers")
    cells = sorted(quality, key=lambda cell: (cell.language, cell.task))
    headings = [i18n.text(f"col-{name}", lang) for name in names]
    print_table(headings, [cell_row(cell, lang) for cell in cells])


def print_evaluation(entry: ModelEntry, lang: str) -> None:
    """Prints what was measured of a model here, and beside it what others published."""
    if entry.quality:
        typer.echo("")
        print_quality(entry.quality, lang)
    if entry.figures:
        typer.echo("")
        names = ("machine", "engine", "answers", "tokens-per-s", "energy-per-answer")
        rows = [
            [
                item.machine,
                item.engine,
                i18n.decimal(item.answers, lang),
                i18n.decimal(item.tokens_per_s, lang),
                _energy(item, lang),
            ]
            for item in entry.figures
        ]
        print_table([i18n.text(f"col-{name}", lang) for name in names], rows)
    for score in entry.published:
        typer.echo(i18n.text("cli-quality-published", lang, **asdict(score)))


def _energy(figures: MachineFigures, lang: str) -> str:
    basis = i18n.word("basis", figures.basis, lang)
    return f"{i18n.decimal(figures.energy_wh_per_answer, lang)} Wh ({basis})"
