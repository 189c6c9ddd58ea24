"""Chooses the command's language: ``--lang``, else the environment's (``entraide.language``)."""

import os
from collections.abc import Mapping, Sequence

from entraide.language import Lang, lang_of, lang_of_environment

OPTION = "--lang"


def choose_language(
    arguments: Sequence[str], environ: Mapping[str, str] | None = None
) -> tuple[Lang, list[str]]:
    """Returns the language, and the arguments without ``--lang``, at whatever position.

    >>> choose_language(["chat", "--lang", "en", "Bonjour"], {})
    ('en', ['chat', 'Bonjour'])
    >>> choose_language(["--", "--lang", "en"], {"LANG": "en_CA.UTF-8"})
    ('en', ['--', '--lang', 'en'])
    """
    requested: str | None = None
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            rest += [argument, *remaining]
        elif argument == OPTION:
            requested = next(remaining, "")
        elif argument.startswith(f"{OPTION}="):
            requested = argument.partition("=")[2]
        else:
            rest.append(argument)
    if requested is not None:
        return lang_of(requested), rest
    return lang_of_environment(os.environ if environ is None else environ), rest
