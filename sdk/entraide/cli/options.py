"""The options that several commands share, in one language."""

from typing import Any

import typer

from entraide import i18n


def state(lang: str) -> Any:
    """``--state DIR``: which local pool."""
    return typer.Option("--state", metavar="DIR", help=i18n.text("opt-state", lang))


def json(lang: str) -> Any:
    """``--json``: for programs."""
    return typer.Option("--json", help=i18n.text("opt-json", lang))


def coop(lang: str) -> Any:
    """``--coop C``: in whose name."""
    return typer.Option("--coop", metavar="COOP", help=i18n.text("opt-coop", lang))
