"""Error output: the sentence of an error or of an engine problem, for the node's owner."""

import sys
from collections.abc import Mapping

from entraide import i18n
from entraide.errors import EntraideError
from entraide.printable import printable, shortened
from entraide_node.owner.files import ModelStatus

VALUE_CHARS_MAX = 200  # of what a pool or a source wrote


def print_error(problem: EntraideError, lang: str) -> None:
    """Prints an error as one sentence on standard error."""
    sys.stderr.write(f"{error_sentence(problem.code, problem.values, lang) or problem.message}\n")


def error_sentence(code: str, values: Mapping[str, str | int | float], lang: str) -> str:
    """Returns the sentence of an error's or an engine problem's code; "" if there is none."""
    for name in (f"error-{code}", f"node-{code.replace('_', '-')}"):
        if i18n.has_message(name):
            return i18n.text(name, lang, **values)
    return ""


def load_failure_sentence(status: ModelStatus, lang: str) -> str:
    """Returns why a model could not be loaded; "" if it could, or the reason is not known."""
    if not status.code:
        return ""
    values = {
        name: shortened(printable(value), VALUE_CHARS_MAX) if isinstance(value, str) else value
        for name, value in status.values.items()
    }
    sentence = f"node-{status.code.replace('_', '-')}"
    if i18n.has_message(sentence):
        reason = i18n.text(sentence, lang, **values)
    else:  # the code's other sentence is for a person whose request failed
        reason = i18n.word("failure", status.code, lang)
    model = shortened(printable(status.model), VALUE_CHARS_MAX)
    return i18n.text("node-status-load-failed", lang, model=model, reason=reason)
