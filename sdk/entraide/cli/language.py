"""Which language the command speaks: ``--lang``, else the locale's, else French."""

import os
from collections.abc import Mapping, Sequence

from entraide.i18n import DEFAULT_LANG, Lang, lang_of

OPTION = "--lang"
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # in the order in which POSIX looks at them


def choose(
    arguments: Sequence[str], environ: Mapping[str, str] | None = None
) -> tuple[Lang, list[str]]:
    """Returns the language, and the arguments without ``--lang``, wherever it stood.

    >>> choose(["chat", "--lang", "en", "Bonjour"], {})
    ('en', ['chat', 'Bonjour'])
    >>> choose(["--", "--lang", "en"], {"LANG": "en_CA.UTF-8"})
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
    return (
        (_of_locale(os.environ if environ is None else environ), rest)
        if found is None
        else (
            lang_of(found),
            rest,
        )
    )


def _of_locale(environ: Mapping[str, str]) -> Lang:
    for name in VARIABLES:
        if value := environ.get(name):
            return lang_of(value)
    return DEFAULT_LANG
