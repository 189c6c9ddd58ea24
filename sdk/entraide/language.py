"""Language: which of the two languages a person reads, by a tag or by the locale.

The one rule: English where the tag says English, French everywhere else (another language, ``C``,
``POSIX``, no locale at all). Standard library only: ``make help`` reads it before there is an
environment.
"""

from collections.abc import Mapping
from typing import Literal

Lang = Literal["fr", "en"]

LANGUAGES: tuple[Lang, ...] = ("fr", "en")
DEFAULT_LANG: Lang = "fr"
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # in the order in which POSIX looks at them


def lang_of(tag: str) -> Lang:
    """Returns the language that a tag such as ``fr_CA.UTF-8`` means, else the default.

    >>> lang_of("en_CA.UTF-8"), lang_of("fr"), lang_of("C"), lang_of("de"), lang_of("")
    ('en', 'fr', 'fr', 'fr', 'fr')
    """
    start = tag.strip().lower()[:2]
    return "en" if start == "en" else "fr" if start == "fr" else DEFAULT_LANG


def lang_of_locale(environ: Mapping[str, str]) -> Lang:
    """Returns the language of the locale that the environment variables set."""
    for name in VARIABLES:
        if value := environ.get(name):
            return lang_of(value)
    return DEFAULT_LANG
