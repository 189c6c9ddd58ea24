"""``entraide chat``: sends a question, prints the answer as it arrives, then the receipt.

If the answer breaks off, what came stays; the command asks again and goes on from there, by itself
(``--go-on``) or where a person at the terminal agrees.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.pool_access import find_pool
from entraide.errors import EntraideError
from entraide.printable import printable
from entraide.types import Effort

if TYPE_CHECKING:
    from entraide.client import Answer, Client, RequestOptions, Stream, Waiting

GO_ON_MAX = 3  # with --go-on
NO = ("n",)  # the first letter of an answer to a question, in both languages; Enter is yes


def register(app: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @app.command(help=i18n.text("help-chat", lang))
    def chat(
        question: Annotated[
            str, typer.Argument(metavar="QUESTION", help=i18n.text("arg-question", lang))
        ],
        *,
        model: Annotated[str, options.model(lang)] = "",
        job_class: Annotated[str, options.job_class(lang)] = "",
        data_class: Annotated[str | None, options.data_class(lang)] = None,
        jurisdiction: Annotated[str | None, options.jurisdiction(lang)] = None,
        controlled_by: Annotated[str | None, options.controlled_by(lang)] = None,
        task: Annotated[str, options.task(lang)] = "",
        language: Annotated[str, options.language(lang)] = "",
        openness: Annotated[str | None, options.openness(lang)] = None,
        prefix: Annotated[str | None, options.prefix(lang)] = None,
        max_tokens: Annotated[int, options.max_tokens(lang)] = 0,
        temperature: Annotated[float | None, options.temperature(lang)] = None,
        think: Annotated[
            Effort, typer.Option("--think", metavar="EFFORT", help=i18n.text("opt-think", lang))
        ] = Effort.UNSTATED,
        max_wait: Annotated[
            float,
            typer.Option("--max-wait", metavar="S", min=0, help=i18n.text("opt-max-wait", lang)),
        ] = 0.0,
        go_on: Annotated[bool, typer.Option("--go-on", help=i18n.text("opt-go-on", lang))] = False,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        request: RequestOptions = {
            "job_class": job_class,
            "data_class": data_class,
            "jurisdiction": jurisdiction,
            "controlled_by": controlled_by,
            "openness": openness,
            "prefix": prefix,
            "max_output_tokens": max_tokens,
            "max_wait_s": max_wait,
            "task": task,
            "language": language,
        }
        if temperature is not None:
            request["temperature"] = temperature
        if think:
            request["think"] = think.value
        text = sys.stdin.read() if question == "-" else question
        if not text.strip():
            raise typer.BadParameter(i18n.text("cli-chat-empty", lang))
        pool = find_pool(state, lang)
        with pool.client(coop) as client:
            conversation = _Conversation(client, lang, json=json, goes_on=go_on)
            answer = conversation.ask(text, model, request)
            _print_answer(answer, lang, json=json)
            if think.thinks:
                _note_missing_thought(answer, think, lang)


def _print_answer(answer: "Answer", lang: str, *, json: bool) -> None:
    if json:
        output.print_json(answer)
        return
    typer.echo()
    if answer.receipt is not None:
        typer.echo(typer.style(i18n.receipt_line(answer.receipt, lang), dim=True))
        lines = (
            i18n.thought_line, i18n.earlier_runs_line, i18n.place_line, i18n.smaller_line,
            i18n.larger_line,
        )  # fmt: skip
        for line in lines:
            if sentence := line(answer.receipt, lang):
                typer.echo(typer.style(sentence, dim=True))


def _note_missing_thought(answer: "Answer", think: Effort, lang: str) -> None:
    """Says on standard error if the model did not think although it was asked to."""
    receipt = answer.receipt
    if receipt is not None and not receipt.reasoning_tokens and not receipt.always_thinks:
        values = {"effort": think.value, "model": receipt.model}
        typer.echo(i18n.text("chat-no-thought", lang, **values), err=True)


class _Conversation:
    """One question, asked again for as long as its answer breaks off and somebody wants the rest.

    Notes go to standard error, so that an answer in a pipe stays whole.
    """

    def __init__(self, client: "Client", lang: str, *, json: bool, goes_on: bool) -> None:
        self._client, self._lang, self._json = client, lang, json
        self._left = GO_ON_MAX if goes_on else 0
        self._asks = not goes_on and sys.stdin.isatty() and sys.stderr.isatty()
        self._goes_on = goes_on

    def ask(self, question: str, model: str, options: "RequestOptions") -> "Answer":
        """Returns the answer, whose text is printed already unless it is for a program."""
        options["on_waiting"], options["on_reconnecting"] = self._note_wait, self._note_loss
        stream = self._client.stream(question, model=model, **options)
        while True:
            try:
                return self._read(stream)
            except EntraideError as problem:
                self._note_end(problem)
                if not self._wants_rest(problem):
                    raise
                stream = self._client.go_on(
                    problem, on_waiting=self._note_wait, on_reconnecting=self._note_loss
                )

    def _read(self, stream: "Stream") -> "Answer":
        with stream:
            for text in stream:
                if not self._json:
                    sys.stdout.write(printable(text))
                    sys.stdout.flush()
            return stream.answer()

    def _note_end(self, problem: EntraideError) -> None:
        if not problem.text:
            return
        if self._json:
            error = {"code": problem.code, "message": problem.message}
            output.print_json({"error": error, "job": problem.job, "text": problem.text})
            return
        typer.echo()
        codes = ["chat-broken"]
        if problem.retryable and not self._asks and not self._goes_on:
            codes.append("chat-go-on-hint")
        self._note(*codes)

    def _wants_rest(self, problem: EntraideError) -> bool:
        """Whether to ask again; says why the answer broke off where it goes on."""
        if problem.request is None or not problem.retryable:
            return False
        if self._asks:
            typer.echo(problem.message, err=True)
            self._note("chat-go-on-ask" if problem.text else "chat-ask-again")
            if input().strip().lower()[:1] in NO:
                raise typer.Exit(1)
            return True
        if not self._left:
            return False
        self._left -= 1
        typer.echo(problem.message, err=True)
        self._note("chat-go-on" if problem.text else "chat-again")
        return True

    def _note_wait(self, wait: "Waiting") -> None:
        typer.echo(typer.style(printable(wait.message), dim=True), err=True)

    def _note_loss(self) -> None:
        self._note("chat-reconnecting")

    def _note(self, *codes: str) -> None:
        sentences = " ".join(i18n.text(code, self._lang) for code in codes)
        typer.echo(typer.style(sentences, dim=True), err=True)
