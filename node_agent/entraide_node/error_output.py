"""Error output: the sentence of an error or of an engine problem, for the node's owner."""

import sys
from collections.abc import Mapping

from entraide import i18n
from entraide.errors import EntraideError


def print_error(problem: EntraideError, lang: str) -> None:
    """Prints an error as one sentence on standard error."""
    sys.stderr.write(f"{error_sentence(problem.code, problem.values, lang) or problem.message}\n")


def error_sentence(code: str, values: Mapping[str, str | int | float], lang: str) -> str:
    """Returns the sentence of an error's or an engine problem's code; "" if there is none."""
    for name in (f"error-{code}", f"node-{code.replace('_', '-')}"):
        if i18n.has_message(name):
            return i18n.text(name, lang, **values)
    return ""
