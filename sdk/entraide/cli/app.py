"""The application: finds a command by its name, runs it, and prints a failure as one sentence.

Each command is an entry point in the group ``entraide.cli``. Only the module of the requested
command is imported: ``--help`` lists the commands from their names and the message catalogue
(``help-NAME``), because importing every command is slow.
"""

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer

from entraide import __version__, i18n
from entraide.cli import help_pages
from entraide.cli.language import OPTION
from entraide.cli.usage_errors import usage_error, with_option_names
from entraide.errors import EntraideError

GROUP = "entraide.cli"
FAILED, MISUSED, INTERRUPTED = 1, 2, 130


class LazyGroup(typer.core.TyperGroup):
    """The root command, which loads a subcommand when it is requested.

    Attributes:
        lang: language of the subcommands.
    """

    lang: str = i18n.DEFAULT_LANG

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  (the name that the parser uses)
        """Returns the names of the commands in alphabetical order, without loading them."""
        return sorted(registered_commands())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Loads and returns a command; None where there is none of that name."""
        if cmd_name not in self.commands and cmd_name in self.list_commands(ctx):
            self.add_command(load_command(cmd_name, self.lang), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the list of commands from the message catalogue, without loading them."""
        names = self.list_commands(ctx)
        help_pages.write_commands(
            formatter, [(name, i18n.text(f"help-{name}", self.lang)) for name in names], self.lang
        )


def root_command(lang: str) -> LazyGroup:
    """Returns the root command in one language."""
    app = typer.Typer(
        name="entraide",
        cls=LazyGroup,
        help=i18n.text("help-entraide", lang),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def print_version(is_requested: bool) -> None:
        if is_requested:
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
                callback=print_version,
                is_eager=True,
                help=i18n.text("opt-version", lang),
            ),
        ] = False,
    ) -> None:
        pass

    group = typer.main.get_command(app)
    assert isinstance(group, LazyGroup)
    group.lang = lang
    help_pages.translate(group, lang)
    return group


def load_command(name: str, lang: str) -> Any:
    """Imports the module of one command and returns the command.

    Raises:
        ModuleNotFoundError: the command belongs to a shell whose extra is not installed.
    """
    part = typer.Typer(rich_markup_mode=None)
    part.callback()(lambda: None)
    register: Callable[..., None] = registered_commands()[name].load()
    if len(inspect.signature(register).parameters) > 1:
        register(part, lang)
    else:
        register(part)
    command = typer.main.get_group(part).commands[name]
    help_pages.translate(command, lang)
    return command


@cache
def registered_commands() -> dict[str, EntryPoint]:
    """Returns the entry points of the commands by name, the shells' included."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _missing_extra(problem: ModuleNotFoundError, arguments: Sequence[str], lang: str) -> str:
    """Returns a sentence naming the extra that a command lacks; "" where no extra is missing."""
    commands = registered_commands()
    entry = next((commands[word] for word in arguments if word in commands), None)
    module = problem.name or ""
    if entry is None or not module or module.startswith("entraide"):
        return ""
    extra = entry.module.partition(".")[0].removeprefix("entraide_")
    if extra == "entraide":  # the SDK has no extra
        return ""
    return i18n.text(
        "cli-no-extra",
        lang,
        command=entry.name,
        extra=extra,
        module=module,
        version=__version__,
    )


def run_command(arguments: Sequence[str], lang: str) -> int:
    """Runs one command and returns the exit status."""
    command = root_command(lang)
    try:
        status = command.main(list(arguments), prog_name="entraide", standalone_mode=False)
    except EntraideError as problem:
        typer.echo(with_option_names(problem.message), err=True)
        return FAILED
    except (KeyboardInterrupt, typer.Abort):  # Ctrl-C, or end of input at a question
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe (`entraide jobs list | head`): nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except ModuleNotFoundError as problem:
        sentence = _missing_extra(problem, arguments, lang)
        if not sentence:
            raise
        typer.echo(sentence, err=True)
        return FAILED
    except Exception as problem:
        usage = usage_error(problem, lang)
        if usage is None:
            raise
        if usage:
            typer.echo(usage, err=True)
        return MISUSED
    return status if isinstance(status, int) else 0
