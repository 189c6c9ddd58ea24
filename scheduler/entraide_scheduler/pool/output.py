"""Output that the pool's commands share."""

import typer

from entraide import i18n
from entraide.errors import EntraideError


def print_problem(problem: EntraideError, lang: str) -> int:
    """Prints an error as one sentence; returns the exit status."""
    typer.echo(i18n.error(problem.code, lang, problem.values), err=True)
    return 1
