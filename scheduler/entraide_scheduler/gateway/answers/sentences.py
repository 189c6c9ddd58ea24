"""Sentences: a text of an answer in each language of the message catalogue."""

from collections.abc import Callable

from msgspec import Struct


class Sentences(Struct, frozen=True):
    """A text in both languages."""

    fr: str
    en: str


def in_both(write: Callable[[str], str]) -> Sentences:
    """Returns what a function writes in French and in English.

    >>> in_both(lambda lang: f"({lang})")
    Sentences(fr='(fr)', en='(en)')
    """
    return Sentences(write("fr"), write("en"))
