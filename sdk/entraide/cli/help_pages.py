"""Help pages: plain text in the reader's language, without typer's rich boxes.

The parser translates its own words ("Options", "required") with gettext, which is replaced by the
message catalogue here. Plain text can be copied and searched, and starts a third faster than boxes.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from typer import core

from entraide import i18n

GETTEXT = "_"  # name of gettext in the parser's module
RANGE = "_describe_range"  # name of the function of a type that writes its range

# The parser's own words, and their codes in the message catalogue.
HEADINGS = {"Arguments": "cli-arguments", "Options": "cli-options", "Commands": "cli-commands"}
NOTES = {"required": "cli-required", "default: {default}": "cli-default"}

# Help of parameters that have none of their own, by name; these mean the same in every command.
SHARED_HELP = {
    "dir": "opt-node-dir", "json": "opt-json", "state": "opt-state", "name": "opt-node-name",
    "ca": "opt-node-ca", "config": "opt-config", "key": "opt-node-find-key",
    "port": "opt-node-port", "no_open": "opt-node-no-open", "urls": "arg-node-urls",
    "url": "arg-node-url", "out": "opt-journal-out", "hours": "opt-journal-hours",
}  # fmt: skip
NUMBER = "N"  # stands for the value of an option that takes a number

_BRACES = re.compile(r"\{(\w+)\}")


def translate(command: Any, lang: str) -> None:
    """Translates a command and its subcommands."""

    def word(english: str) -> str:
        if english in HEADINGS:
            return heading(HEADINGS[english], lang)
        if english in NOTES:
            return i18n.text(NOTES[english], lang, default="{default}")
        return english

    setattr(core, GETTEXT, word)
    _translate(command, lang)


def heading(code: str, lang: str) -> str:
    """Returns a heading; in French with the no-break space before the parser's colon."""
    space = "\u00a0" if i18n.lang_of(lang) == "fr" else ""
    return i18n.text(code, lang) + space


def write_commands(formatter: Any, rows: Sequence[tuple[str, str]], lang: str) -> None:
    """Writes a list of commands with their full sentences."""
    with formatter.section(heading("cli-commands", lang)):
        formatter.write_dl(rows)


def _translate(command: Any, lang: str) -> None:
    get_help_option = command.get_help_option

    def help_option(context: Any) -> Any:
        option = get_help_option(context)
        if option is not None:
            option.help = i18n.text("opt-help", lang)
        return option

    def format_usage(context: Any, formatter: Any) -> None:
        pieces = _BRACES.sub(r"\1", " ".join(command.collect_usage_pieces(context)))
        prefix = i18n.text("cli-usage", lang)
        formatter.write_usage(context.command_path, pieces, prefix=f"{prefix} ")

    for param in command.params:
        _describe(param, lang)
    command.get_help_option = help_option
    command.format_usage = format_usage
    subcommands = getattr(command, "commands", {})
    if subcommands:
        _list_full_sentences(command, lang)
    for subcommand in subcommands.values():
        _translate(subcommand, lang)


def _describe(param: Any, lang: str) -> None:
    """Names the value of a parameter in place of its type, and adds the help that it lacks."""
    if getattr(param, "help", None) is None and param.name in SHARED_HELP:
        param.help = i18n.text(SHARED_HELP[param.name], lang)
    if hasattr(param.type, RANGE):
        setattr(param.type, RANGE, partial(_range_in_words, param.type, lang))
    if param.param_type_name != "option" or param.is_flag or param.metavar or param.count:
        return
    kind = param.type.name
    if kind.startswith(("int", "float")):
        param.metavar = NUMBER
    elif not getattr(param.type, "choices", None):
        param.metavar = str(param.name).strip("_").upper().replace("_", "-")


def _range_in_words(kind: Any, lang: str) -> str:
    """Returns the range of a number, such as "1 to 65535"; "" for any number."""
    low, high = (i18n.ABSENT if each is None else f"{each:g}" for each in (kind.min, kind.max))
    return i18n.text("cli-range", lang, low=low, high=high).strip()


def _list_full_sentences(group: Any, lang: str) -> None:
    """Makes a group list its commands with their full sentences."""

    def format_commands(context: Any, formatter: Any) -> None:
        names = group.list_commands(context)
        commands = [(name, group.get_command(context, name)) for name in names]
        rows = [(name, command.help or "") for name, command in commands if _is_shown(command)]
        write_commands(formatter, rows, lang)

    group.format_commands = format_commands


def _is_shown(command: Any) -> bool:
    return command is not None and not command.hidden
