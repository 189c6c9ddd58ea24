"""Usage errors: one sentence in the caller's language, and the command that prints help."""

import re
from typing import Any

import typer

from entraide import i18n

NO_COMMAND = "No such command"

# Options whose name differs from that of the request's field; the others are spelled alike.
_OPTION_NAMES = {
    "job_class": "class", "max_output_tokens": "max-tokens", "max_wait_s": "max-wait",
}  # fmt: skip
_FIELD = re.compile(
    r"(?:The field|Le champ|the field|le champ)?\s?(\"|«\u00a0)options\.(\w+)(?=\"|\u00a0»)"
)
_OPTION = {"T": "The option ", "t": "the option ", "L": "L’option ", "l": "l’option "}


def with_option_names(sentence: str) -> str:
    """Returns a refusal of the pool in which a request's field is the option that was typed.

    >>> with_option_names('The field "options.job_class" must be one of these: batch.')
    'The option "--class" must be one of these: batch.'
    """

    def name(match: re.Match[str]) -> str:
        option = _OPTION_NAMES.get(match[2], match[2].replace("_", "-"))
        return f"{_OPTION.get(match[0][0], '')}{match[1]}--{option}"

    return _FIELD.sub(name, sentence)


def usage_error(problem: Exception, lang: str) -> str | None:
    """Returns what is wrong with a command line; None where the exception is another one.

    The exceptions of Typer's parser are recognised by their names and fields, since Typer exports
    few of them.
    """
    if not hasattr(problem, "format_message"):
        return None
    facts: Any = problem
    context = getattr(facts, "ctx", None)
    kind = type(problem).__name__
    if kind == "NoArgsIsHelpError":
        return ""  # the parser has already printed the help page
    param = getattr(facts, "param", None)
    name = "/".join(param.opts) if param is not None else ""
    if param is not None and getattr(param, "param_type_name", "") == "argument":
        name = str(param.metavar or param.name).upper()
    match kind:
        case "MissingParameter":
            sentence = i18n.text("usage-missing", lang, name=name)
        case "NoSuchOption":
            sentence = i18n.text("usage-no-option", lang, name=facts.option_name)
        case "BadParameter":
            sentence = facts.message
            if name and param is not None:
                sentence = i18n.text("usage-bad-value", lang, name=name)
                sentence = " ".join(filter(None, [sentence, _admissible(param.type, lang)]))
        case "UsageError" if facts.message.startswith(NO_COMMAND):
            name = facts.message.removeprefix(NO_COMMAND).strip(" '.")
            sentence = i18n.text("usage-no-command", lang, name=name)
        case _:
            sentence = i18n.text("usage-other", lang, detail=facts.format_message())
    path = context.command_path if context else "entraide"
    return f"{sentence} {i18n.text('usage-help', lang, command=f'{path} --help')}"


def _admissible(kind: Any, lang: str) -> str:
    """Returns the sentence with the values that a type of the parser admits; "" without bounds."""
    choices = getattr(kind, "choices", None)
    if choices:
        words = [str(getattr(choice, "value", choice)) for choice in choices]
        return i18n.text("usage-choices", lang, values=", ".join(filter(None, words)))
    least, most = getattr(kind, "min", None), getattr(kind, "max", None)
    if least is None:
        return ""
    code = "usage-at-least" if most is None else "usage-range"
    return i18n.text(code, lang, least=_digits(least), most=_digits(most))


def _digits(bound: float | None) -> str:
    """Returns a bound as it is typed, the same in both languages."""
    return "" if bound is None else f"{bound:.15g}"


def bad_value(detail: str) -> typer.BadParameter:
    """Returns the exception for an invalid value."""
    return typer.BadParameter(detail)
