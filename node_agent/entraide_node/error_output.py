"""Sentences: an error or an engine problem as the node's owner reads it."""

import sys
from collections.abc import Mapping

from entraide import i18n
from entraide.errors import EntraideError


def print_error(problem: EntraideError, lang: str) -> None:
    """Says an error in one sentence on standard error."""
    sys.stderr.write(f"{error_sentence(problem.code, problem.values, lang) or problem.message}\n")


def error_sentence(code: str, values: Mapping[str, str | int | float], lang: str) -> str:
    """Returns the sentence of an error's or an engine problem's code; "" when there is none."""
    for name in (f"error-{code}", f"node-{code.replace('_', '-')}"):
        if i18n.has_message(name):
            return i18n.text(name, lang, **values)
    return ""
