"""How a misused command is told: one sentence in the caller's language, and where help is."""

from typing import Any

import typer

from entraide import i18n

NO_COMMAND = "No such command"


def usage_error(problem: Exception, lang: str) -> str | None:
    """Returns what is wrong with a command line; None when the problem is another.

    Typer's parser raises its own exceptions, which are known here by their names and fields: it
    exports few of them.
    """
    if not hasattr(problem, "format_message"):
        return None
    facts: Any = problem
    context = getattr(facts, "ctx", None)
    kind = type(problem).__name__
    if kind == "NoArgsIsHelpError":
        return ""  # the parser has shown the help page already
    param = getattr(facts, "param", None)
    name = "/".join(param.opts) if param is not None else ""
    if param is not None and getattr(param, "param_type_name", "") == "argument":
        name = str(param.metavar or param.name).upper()
    match kind:
        case "MissingParameter":
            said = i18n.text("usage-missing", lang, name=name)
        case "NoSuchOption":
            said = i18n.text("usage-no-option", lang, name=facts.option_name)
        case "BadParameter":
            said = i18n.text("usage-bad-value", lang, name=name) if name else facts.message
        case "UsageError" if facts.message.startswith(NO_COMMAND):
            name = facts.message.removeprefix(NO_COMMAND).strip(" '.")
            said = i18n.text("usage-no-command", lang, name=name)
        case _:
            said = i18n.text("usage-other", lang, detail=facts.format_message())
    path = context.command_path if context else "entraide"
    return f"{said} {i18n.text('usage-help', lang, command=f'{path} --help')}"


def bad_value(detail: str) -> typer.BadParameter:
    """Returns what to raise for a value that cannot be used."""
    return typer.BadParameter(detail)
