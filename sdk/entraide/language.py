"""Language: whether a person reads French or English, by one rule for every program.

The first of these that is present decides:

1. the reader's own choice: ``--lang`` on a command line, ``?lang=`` or the button on a page;
2. the environment, for a command or ``make help``: ``ENTRAIDE_LANG``, then the locale
   (``LC_ALL``, ``LC_MESSAGES``, ``LANG``, in the order of POSIX);
   the header ``Accept-Language``, for a page or an answer over HTTP or gRPC;
3. French; for an error to a program, English with the pool's language beside it.

A value that names English gives English. Every other value (another language, ``C``, ``POSIX``)
gives French. Standard library only: ``make help`` loads this module before there is a virtual
environment.
"""

from collections.abc import Mapping
from typing import Literal

Lang = Literal["fr", "en"]

LANGUAGES: tuple[Lang, ...] = ("fr", "en")
DEFAULT_LANG: Lang = "fr"
VARIABLES = ("ENTRAIDE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")  # in the order of precedence
ACCEPTED_MAX = 32  # languages of one Accept-Language header that are read


def lang_of(tag: str) -> Lang:
    """Returns the language that a tag such as ``fr_CA.UTF-8`` means, else the default.

    >>> lang_of("en_CA.UTF-8"), lang_of("fr"), lang_of("C"), lang_of("de"), lang_of("")
    ('en', 'fr', 'fr', 'fr', 'fr')
    """
    start = tag.strip().lower()[:2]
    return "en" if start == "en" else "fr" if start == "fr" else DEFAULT_LANG


def lang_of_environment(environ: Mapping[str, str]) -> Lang:
    """Returns the language that the environment variables set.

    >>> lang_of_environment({"ENTRAIDE_LANG": "en", "LC_ALL": "fr_CA.UTF-8"})
    'en'
    """
    for name in VARIABLES:
        if value := environ.get(name):
            return lang_of(value)
    return DEFAULT_LANG


def lang_of_header(accept_language: str | None, default: Lang = DEFAULT_LANG) -> Lang:
    """Returns the language to answer in, from an ``Accept-Language`` header (RFC 9110).

    Args:
        accept_language: value of the header; None where there is none.
        default: the language where the header names neither French nor English.

    >>> [lang_of_header(header) for header in ("en-CA,fr;q=0.8", "de, fr;q=0.5, en;q=0.4", None)]
    ['en', 'fr', 'fr']
    """
    best: tuple[float, Lang] = (0.0, default)
    for part in (accept_language or "").split(",")[:ACCEPTED_MAX]:
        tag, _, parameters = part.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        try:
            weight = float(parameters.partition("q=")[2] or 1)
        except ValueError:
            continue
        for lang in LANGUAGES:
            if primary == lang and weight > best[0]:
                best = (weight, lang)
    return best[1]


def error_langs(accept_language: str | None, pool_lang: Lang) -> str:
    """Returns the languages of an error to a program, separated by a space.

    The header decides; where it names neither language, the error is in English, which programs
    read, and beside it in the pool's language.

    >>> [error_langs(header, "fr") for header in ("fr-CA", "en", "*", None)]
    ['fr', 'en', 'en fr', 'en fr']
    >>> error_langs(None, "en")
    'en'
    """
    lang, other = (lang_of_header(accept_language, default) for default in LANGUAGES)
    if lang == other:
        return lang
    return "en" if pool_lang == "en" else f"en {pool_lang}"
