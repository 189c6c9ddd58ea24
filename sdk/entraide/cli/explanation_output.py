"""Prints an explanation on a terminal: styled, and wrapped to its width.

The sentences come from ``entraide.explanations``. Where the output is not a terminal, nothing is
styled or wrapped, so that programs read whole sentences.
"""

import datetime as dt
import shutil
import sys
import textwrap
from typing import Any

import typer

from entraide import explanations
from entraide.explanations import Part, PartKind
from entraide.types import Explanation

WIDTH_MIN, WIDTH_MAX = 40, 110
HANGING_INDENT = {PartKind.PICKED: 8, PartKind.NODE: 8}
STYLES: dict[PartKind, dict[str, Any]] = {
    PartKind.DECISION: {"bold": True},
    PartKind.COUNTERFACTUAL: {"italic": True},
    PartKind.FOOTER: {"dim": True},
    PartKind.TITLE: {"bold": True},
    PartKind.PICKED: {"fg": "green"},
}


def print_explanation(explanation: Explanation, lang: str) -> None:
    """Prints an explanation, with times of day in this machine's time zone."""
    width = None
    if sys.stdout.isatty():
        width = max(WIDTH_MIN, min(WIDTH_MAX, shutil.get_terminal_size().columns))
    for part in explanations.parts(explanation, lang, _clock):
        if part.kind is PartKind.TITLE and width is not None:
            typer.echo()
        text = part.text if width is None else wrap_part(part, width)
        typer.echo(typer.style(text, **STYLES.get(part.kind, {})))


def wrap_part(part: Part, width: int) -> str:
    """Returns a part wrapped to a width, characters; a machine's lines have a hanging indent.

    Lines break at ordinary spaces only, not at the no-break spaces of French.
    """
    start = len(part.text) - len(part.text.lstrip(" "))
    return textwrap.fill(
        part.text.lstrip(" "),
        width,
        initial_indent=" " * start,
        subsequent_indent=" " * HANGING_INDENT.get(part.kind, 0),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _clock(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, tz=dt.UTC).astimezone()
