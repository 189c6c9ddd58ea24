"""Which language the command speaks: ``--lang``, else the locale's, else French."""

import os
from collections.abc import Mapping, Sequence

from entraide.language import Lang, lang_of, lang_of_environment

OPTION = "--lang"


def choose_language(
    arguments: Sequence[str], environ: Mapping[str, str] | None = None
) -> tuple[Lang, list[str]]:
    """Returns the language, and the arguments without ``--lang``, wherever it stood.

    >>> choose_language(["chat", "--lang", "en", "Bonjour"], {})
    ('en', ['chat', 'Bonjour'])
    >>> choose_language(["--", "--lang", "en"], {"LANG": "en_CA.UTF-8"})
    ('en', ['--', '--lang', 'en'])
    """
    found: str | None = None
    rest: list[str] = []
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            rest += [argument, *left]
        elif argument == OPTION:
            found = next(left, "")
        elif argument.startswith(f"{OPTION}="):
            found = argument.partition("=")[2]
        else:
            rest.append(argument)
    if found is not None:
        return lang_of(found), rest
    return lang_of_environment(os.environ if environ is None else environ), rest
