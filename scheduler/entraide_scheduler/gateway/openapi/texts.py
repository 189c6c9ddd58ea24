"""Texts: the sentences of the HTTP reference in both languages, from ``texts.toml``.

Out: a sentence by its section and name. ``/openapi.json`` is in English; ``docs/reference/http.md``
and its French twin have both.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from entraide.decoding import decode_toml
from entraide_scheduler.gateway.admin import HANDLER_PREFIX

LANGUAGES: Final = ("en", "fr")
SCHEMA = "_"  # the name of a section's sentence about the schema itself


@cache
def load_texts() -> Mapping[str, Mapping[str, Any]]:
    """Returns the sentences by section and name: one text (English), or one of each language."""
    source = files("entraide_scheduler.gateway.openapi") / "texts.toml"
    return decode_toml(source.read_text("utf-8"))


def find_summary(operation: str, lang: str = "en") -> str:
    """Returns the sentence about an operation; a method of the Admin service has a common one.

    >>> find_summary("admin_ListNodes")
    'Calls `ListNodes` of the gRPC service Admin.'
    """
    method = operation.removeprefix(HANDLER_PREFIX)
    if method == operation:
        return find_text("operations", operation, lang)
    return find_text("operations", "call_admin", lang).replace("METHOD", method)


def find_text(section: str, name: str, lang: str = "en") -> str:
    """Returns a sentence, or "" if there is none in that language.

    >>> find_text("Error", "error", "fr")
    'L’erreur.'
    """
    text = load_texts().get(section, {}).get(name, "")
    if isinstance(text, str):
        return text if lang == "en" else ""
    return str(text[LANGUAGES.index(lang)])
