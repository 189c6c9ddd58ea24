"""The application: commands put together, run, and their failures said in one sentence."""

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer
from typer import rich_utils
from typer.core import TyperGroup

from entraide import __version__, i18n
from entraide.cli import chat, coops, jobs, keys, models, nodes, report
from entraide.cli.language import OPTION
from entraide.cli.usage import misuse
from entraide.errors import EntraideError

GROUP = "entraide.cli"
FAILED, MISUSED, INTERRUPTED = 1, 2, 130

# Typer's own words that stand in every help page, and our codes for them.
_TITLES = {
    "ARGUMENTS_PANEL_TITLE": "cli-arguments",
    "OPTIONS_PANEL_TITLE": "cli-options",
    "COMMANDS_PANEL_TITLE": "cli-commands",
    "DEFAULT_STRING": "cli-default",
    "REQUIRED_LONG_STRING": "cli-required",
}


class InOrder(TyperGroup):
    """A group that lists its commands in the order of the alphabet, whoever brought them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of the commands."""
        return sorted(super().list_commands(ctx))


def build(lang: str) -> typer.Typer:
    """Returns the whole command, in one language."""
    app = typer.Typer(
        name="entraide",
        cls=InOrder,
        help=i18n.text("help-entraide", lang),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"entraide {__version__}")
            raise typer.Exit

    @app.callback()
    def entraide(
        _lang: Annotated[
            str, typer.Option(OPTION, metavar="fr|en", help=i18n.text("opt-lang", lang))
        ] = lang,
        _version: Annotated[
            bool,
            typer.Option(
                "--version",
                callback=version,
                is_eager=True,
                help=i18n.text("opt-version", lang),
            ),
        ] = False,
    ) -> None:
        pass

    for part in (chat, coops, jobs, keys, models, nodes, report):
        part.register(app, lang)
    for register in shells():
        _call(register, app, lang)
    return app


def shells() -> list[Callable[..., None]]:
    """Returns what adds the subcommands of the shells that are installed with their extras."""
    found = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            found.append(entry.load())
        except ModuleNotFoundError as problem:
            # The shell's code is there but its extra is not: it has no commands here.
            if (problem.name or "").startswith("entraide"):
                raise
    return found


def _call(register: Callable[..., None], app: typer.Typer, lang: str) -> None:
    if len(inspect.signature(register).parameters) > 1:
        register(app, lang)
    else:
        register(app)


def _translate_help(command: Any, words: str) -> None:
    """Gives ``--help`` its words in every command: the parser makes that option by itself."""
    make = command.get_help_option

    def translated(context: Any) -> Any:
        option = make(context)
        if option is not None:
            option.help = words
        return option

    command.get_help_option = translated
    for part in getattr(command, "commands", {}).values():
        _translate_help(part, words)


def run(arguments: Sequence[str], lang: str) -> int:
    """Runs one command; returns the exit status."""
    for name, code in _TITLES.items():
        setattr(rich_utils, name, i18n.text(code, lang, default="{}"))
    command = typer.main.get_command(build(lang))
    _translate_help(command, i18n.text("opt-help", lang))
    try:
        status = command.main(list(arguments), prog_name="entraide", standalone_mode=False)
    except EntraideError as problem:
        typer.echo(problem.message, err=True)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`entraide jobs list | head`): nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as problem:
        sentence = misuse(problem, lang)
        if sentence is None:
            raise
        if sentence:
            typer.echo(sentence, err=True)
        return MISUSED
    return status if isinstance(status, int) else 0
