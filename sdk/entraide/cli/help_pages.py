"""Help pages: plain text in the reader's language, without loading what draws boxes.

The parser has words of its own ("Options", "required"); it asks gettext for them, and is given
ours. Plain text copies and searches well, and costs a third of a start less than the boxes.
"""

import re
from collections.abc import Sequence
from typing import Any

from typer import core

from entraide import i18n

GETTEXT = "_"  # the name under which the parser's module has gettext

# The parser's own words, and our codes for them.
HEADINGS = {"Arguments": "cli-arguments", "Options": "cli-options", "Commands": "cli-commands"}
NOTES = {"required": "cli-required", "default: {default}": "cli-default"}

_BRACES = re.compile(r"\{(\w+)\}")


def translate(command: Any, lang: str) -> None:
    """Gives a command, and those below it, the words of a language."""

    def word(english: str) -> str:
        if english in HEADINGS:
            return heading(HEADINGS[english], lang)
        if english in NOTES:
            return i18n.text(NOTES[english], lang, default="{default}")
        return english

    setattr(core, GETTEXT, word)
    _translate(command, lang)


def heading(code: str, lang: str) -> str:
    """Returns a heading as it stands before the parser's colon."""
    space = "\u00a0" if i18n.lang_of(lang) == "fr" else ""
    return i18n.text(code, lang) + space


def write_commands(formatter: Any, rows: Sequence[tuple[str, str]], lang: str) -> None:
    """Writes a list of commands with their whole sentences."""
    with formatter.section(heading("cli-commands", lang)):
        formatter.write_dl(rows)


def _translate(command: Any, lang: str) -> None:
    make = command.get_help_option

    def help_option(context: Any) -> Any:
        option = make(context)
        if option is not None:
            option.help = i18n.text("opt-help", lang)
        return option

    def format_usage(context: Any, formatter: Any) -> None:
        pieces = _BRACES.sub(r"\1", " ".join(command.collect_usage_pieces(context)))
        prefix = i18n.text("cli-usage", lang)
        formatter.write_usage(context.command_path, pieces, prefix=f"{prefix} ")

    command.get_help_option = help_option
    command.format_usage = format_usage
    parts = getattr(command, "commands", {})
    if parts:
        _list_whole_sentences(command, lang)
    for part in parts.values():
        _translate(part, lang)


def _list_whole_sentences(group: Any, lang: str) -> None:
    """Lists a group's commands with their sentences uncut."""

    def format_commands(context: Any, formatter: Any) -> None:
        named = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
        rows = [(name, part.help or "") for name, part in named if part and not part.hidden]
        write_commands(formatter, rows, lang)

    group.format_commands = format_commands
