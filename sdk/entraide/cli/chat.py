"""``entraide chat``: sends a question, prints the answer as it arrives, then the receipt."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.pool_access import PoolAccess, find_pool
from entraide.errors import EntraideError
from entraide.printable import printable

if TYPE_CHECKING:
    from entraide.client import RequestOptions, Waiting


def register(app: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @app.command(help=i18n.text("help-chat", lang))
    def chat(
        question: Annotated[
            str, typer.Argument(metavar="QUESTION", help=i18n.text("arg-question", lang))
        ],
        *,
        model: Annotated[
            str, typer.Option("--model", metavar="M", help=i18n.text("opt-model", lang))
        ] = "",
        job_class: Annotated[str, options.job_class(lang)] = "",
        data_class: Annotated[str | None, options.data_class(lang)] = None,
        jurisdiction: Annotated[str | None, options.jurisdiction(lang)] = None,
        controlled_by: Annotated[str | None, options.controlled_by(lang)] = None,
        max_tokens: Annotated[
            int, typer.Option("--max-tokens", min=0, help=i18n.text("opt-max-tokens", lang))
        ] = 0,
        temperature: Annotated[
            float | None,
            typer.Option(
                "--temperature", min=0.0, max=2.0, help=i18n.text("opt-temperature", lang)
            ),
        ] = None,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        request: RequestOptions = {
            "job_class": job_class,
            "data_class": data_class,
            "jurisdiction": jurisdiction,
            "controlled_by": controlled_by,
            "max_output_tokens": max_tokens,
        }
        if temperature is not None:
            request["temperature"] = temperature
        text = sys.stdin.read() if question == "-" else question
        _chat(find_pool(state, lang), text, coop=coop, model=model, options=request, json=json)


def _chat(
    pool: PoolAccess, question: str, *, coop: str, model: str, options: "RequestOptions", json: bool
) -> None:
    options["on_waiting"] = _print_wait
    with pool.client(coop) as client, client.stream(question, model=model, **options) as stream:
        try:
            for text in stream:
                if not json:
                    sys.stdout.write(printable(text))
                    sys.stdout.flush()
            answer = stream.answer()
        except EntraideError:  # whose sentence follows
            if stream.text and not json:
                typer.echo()
                typer.echo(i18n.text("chat-broken", pool.lang), err=True)
            raise
    if json:
        output.print_json(answer)
        return
    typer.echo()
    if answer.receipt is not None:
        typer.echo(typer.style(i18n.receipt_line(answer.receipt, pool.lang), dim=True))
        for line in (i18n.earlier_runs_line, i18n.place_line, i18n.smaller_line):
            if sentence := line(answer.receipt, pool.lang):
                typer.echo(typer.style(sentence, dim=True))


def _print_wait(wait: "Waiting") -> None:
    """Says on standard error why the question waits, so that an answer in a pipe stays whole."""
    typer.echo(typer.style(printable(wait.message), dim=True), err=True)
