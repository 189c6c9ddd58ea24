"""``entraide embed``: computes embeddings of texts; a program reads them from ``--json``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from entraide import i18n
from entraide.cli import options
from entraide.cli.pool_access import PoolAccess, find_pool

if TYPE_CHECKING:
    from entraide.client import RequestOptions

SHOWN = 4  # numbers of each embedding for a person


def register(app: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @app.command(help=i18n.text("help-embed", lang))
    def embed(
        texts: Annotated[
            list[str], typer.Argument(metavar="TEXT…", help=i18n.text("arg-texts", lang))
        ],
        *,
        model: Annotated[
            str, typer.Option("--model", metavar="M", help=i18n.text("opt-embed-model", lang))
        ] = "",
        dimensions: Annotated[
            int, typer.Option("--dimensions", min=0, help=i18n.text("opt-dimensions", lang))
        ] = 0,
        job_class: Annotated[str, options.job_class(lang)] = "",
        data_class: Annotated[str | None, options.data_class(lang)] = None,
        jurisdiction: Annotated[str | None, options.jurisdiction(lang)] = None,
        controlled_by: Annotated[str | None, options.controlled_by(lang)] = None,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        request: RequestOptions = {
            "job_class": job_class,
            "data_class": data_class,
            "jurisdiction": jurisdiction,
            "controlled_by": controlled_by,
        }
        if dimensions:
            request["dimensions"] = dimensions
        lines = sys.stdin.read().splitlines() if texts == ["-"] else texts
        inputs = [line for line in lines if line.strip()]
        _embed(find_pool(state, lang), inputs, coop=coop, model=model, options=request, json=json)


def _embed(
    pool: PoolAccess,
    texts: list[str],
    *,
    coop: str,
    model: str,
    options: "RequestOptions",
    json: bool,
) -> None:
    if not texts:
        raise typer.BadParameter(i18n.text("cli-embed-nothing", pool.lang))
    with pool.client(coop) as client:
        answer = client.embeddings(texts, model=model, **options)
    if json:  # in one line: an embedding has hundreds of numbers
        typer.echo(msgspec.json.encode(answer).decode())
        return
    for vector in answer.vectors:
        numbers = " ".join(f"{number:.4f}" for number in vector[:SHOWN])
        typer.echo(i18n.text("cli-embedding", pool.lang, length=len(vector), numbers=numbers))
    if answer.receipt is not None:
        typer.echo(typer.style(i18n.receipt_line(answer.receipt, pool.lang), dim=True))
