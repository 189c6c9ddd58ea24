"""Co-op names: what people read in place of a co-op's identifier.

Input: an identifier and the names by identifier, of the co-ops that have one. JSON and what a
person must type have the identifier. The pages have the same rule for the word (``i18n.ts``).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

_WORD = r"co-?op(?:[ée]rative)?"
_FIRST = re.compile(rf"{_WORD}\b", re.IGNORECASE)
_LAST = re.compile(rf"\b{_WORD}$", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:l[ae]s?|the)\s|l['’]", re.IGNORECASE)


class NamedCoop(Protocol):
    """A co-op with its name, or "": of the policy, or of a message."""

    @property
    def coop(self) -> str:
        """Its identifier."""

    @property
    def name(self) -> str:
        """Its name, or ""."""


def names_of(coops: Iterable[NamedCoop]) -> dict[str, str]:
    """Returns the names of co-ops by identifier, of those that have one."""
    return {each.coop: each.name for each in coops if each.name}


def shown_name(coop: str, names: Mapping[str, str]) -> str:
    """Returns what people read for a co-op: its name, or its identifier where it has none."""
    return names.get(coop) or coop


def typed_name(coop: str, names: Mapping[str, str]) -> str:
    """Returns a co-op for people who must type its identifier: ``Les Abeilles (abeilles)``."""
    name = shown_name(coop, names)
    return coop if name == coop else f"{name} ({coop})"


def with_word(name: str, word: str) -> str:
    """Returns a name after the word for a co-op, which is not said twice.

    >>> with_word("Les Abeilles", "coop"), with_word("Coop Boréale", "coop")
    ('coop Les Abeilles', 'Coop Boréale')
    >>> with_word("Prairie Co-op", "co-op"), with_word("La Coop du Nord", "coop")
    ('Prairie Co-op', 'coop La Coop du Nord')
    """
    says_it = _FIRST.match(name) or (_LAST.search(name) and not _ARTICLE.match(name))
    return name if says_it else f"{word} {name}"
