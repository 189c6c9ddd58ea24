"""Command-line options that several commands share."""

from typing import Any

import typer

from entraide import i18n
from entraide.models import OUTPUT_TOKENS_ASKED_MAX


def state(lang: str) -> Any:
    """Returns ``--state DIR``, the folder of a local pool."""
    return typer.Option("--state", metavar="DIR", help=i18n.text("opt-state", lang))


def pool_directory(lang: str) -> Any:
    """Returns the argument DIR, the folder of a pool, for a ``PoolCommand``."""
    return typer.Argument(metavar="DIR", help=i18n.text("arg-pool-dir", lang))


def json(lang: str) -> Any:
    """Returns ``--json``, which prints JSON for programs."""
    return typer.Option("--json", help=i18n.text("opt-json", lang))


def root(lang: str) -> Any:
    """Returns ``--root sha256:…``, the fingerprint of a root of the releases."""
    return typer.Option("--root", metavar="sha256:…", help=i18n.text("opt-release-root", lang))


def yes(lang: str) -> Any:
    """Returns ``--yes``, which removes without asking."""
    return typer.Option("--yes", help=i18n.text("opt-yes", lang))


def document(lang: str) -> Any:
    """Returns ``--document NAME``, the document or meter that the operator saw as evidence."""
    return typer.Option("--document", metavar="NAME", help=i18n.text("opt-document", lang))


def coop(lang: str) -> Any:
    """Returns ``--coop C``, the co-op whose API key the command uses."""
    return typer.Option("--coop", metavar="COOP", help=i18n.text("opt-coop", lang))


def job_class(lang: str) -> Any:
    """Returns ``--class C``, the class of a request."""
    return typer.Option("--class", metavar="C", help=i18n.text("opt-class", lang))


def data_class(lang: str) -> Any:
    """Returns ``--data-class D``, the class of a request's data."""
    return typer.Option("--data-class", metavar="D", help=i18n.text("opt-data", lang))


def jurisdiction(lang: str) -> Any:
    """Returns ``--jurisdiction Z``, where a request must run."""
    return typer.Option("--jurisdiction", metavar="Z", help=i18n.text("opt-zone", lang))


def max_gco2e(lang: str) -> Any:
    """Returns ``--max-gco2e G``, the maximum emissions of a request."""
    return typer.Option("--max-gco2e", min=0.0, metavar="G", help=i18n.text("opt-max-gco2e", lang))


def model(lang: str) -> Any:
    """Returns ``--model M``, the model of a request."""
    return typer.Option("--model", metavar="M", help=i18n.text("opt-model", lang))


def max_tokens(lang: str) -> Any:
    """Returns ``--max-tokens N``, the longest answer to a request."""
    return typer.Option(
        "--max-tokens",
        metavar="N",
        min=0,
        max=OUTPUT_TOKENS_ASKED_MAX,
        help=i18n.text("opt-max-tokens", lang),
    )


def task(lang: str) -> Any:
    """Returns ``--task T``, the kind of the question."""
    return typer.Option("--task", metavar="T", help=i18n.text("opt-task", lang))


def language(lang: str) -> Any:
    """Returns ``--language L``, the language of the question."""
    return typer.Option("--language", metavar="L", help=i18n.text("opt-language", lang))


def openness(lang: str) -> Any:
    """Returns ``--openness C``, the class that the model of a request must reach."""
    return typer.Option("--openness", metavar="C", help=i18n.text("opt-openness", lang))


def prefix(lang: str) -> Any:
    """Returns ``--prefix off``, with which machines keep nothing of the prompt."""
    return typer.Option("--prefix", metavar="off", help=i18n.text("opt-prefix", lang))


def temperature(lang: str) -> Any:
    """Returns ``--temperature T``, from 0, the likeliest words, to 2."""
    return typer.Option("--temperature", min=0.0, max=2.0, help=i18n.text("opt-temperature", lang))


def controlled_by(lang: str) -> Any:
    """Returns ``--controlled-by C``, who must control the machine of a request."""
    return typer.Option("--controlled-by", metavar="C", help=i18n.text("opt-control", lang))
