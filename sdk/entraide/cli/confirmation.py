"""Confirmation: a person is asked before what cannot be undone; a script states ``--yes``."""

import sys

import typer

from entraide import i18n

FAILED = 1
AGREED = ("o", "oui", "y", "yes")


def confirm(question: str, lang: str, *, yes: bool) -> None:
    """Asks a question on standard error, unless ``yes``; without a terminal nobody is asked.

    Args:
        question: what will be done, in the reader's language.
        lang: language of the reader.
        yes: whether ``--yes`` was stated.

    Raises:
        typer.Exit: the person did not agree, or could not be asked.
    """
    if yes:
        return
    typer.echo(question, err=True)
    if not sys.stdin.isatty():
        typer.echo(i18n.text("cli-confirm-unasked", lang), err=True)
        raise typer.Exit(FAILED)
    typer.echo(f"{i18n.text('cli-confirm-question', lang)} ", nl=False, err=True)
    if sys.stdin.readline().strip().casefold() not in AGREED:
        typer.echo(i18n.text("cli-confirm-nothing", lang), err=True)
        raise typer.Exit(FAILED)
