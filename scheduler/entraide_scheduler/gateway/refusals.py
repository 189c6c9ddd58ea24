"""Refusals: why a gateway says no, as a value, and how each protocol's reader hears it.

It decides the shape of an error (OpenAI's) and its language; the sentences are the catalogue's
and the statuses are ``entraide.errors.CODES``'s.
"""

import math
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.errors import CODES
from entraide.printable import printable

Values = Mapping[str, str | int | float]
NOTHING: Values = {}
NAME_SHOWN_MAX_CHARS = 60
_ONE_LINE = str.maketrans("\n\t\u2028\u2029", "    ")


class Refusal(Struct, frozen=True):
    """An expected no.

    Attributes:
        code: stable code, a key of ``CODES`` (any other reads as ``internal``).
        values: the numbers and names of its sentence.
        retry_after_s: when to try again, if known.
        job: the job it is about, or "".
    """

    code: str
    values: Values = NOTHING
    retry_after_s: float | None = None
    job: str = ""

    @property
    def known_code(self) -> str:
        """The code, or ``internal`` when it stands in no table."""
        return self.code if self.code in CODES else "internal"


class Refused(Exception):
    """Carries a refusal up to the one place of a protocol that answers."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def refused(code: str, *, job: str = "", **values: str | float) -> Refused:
    """Returns the exception that carries a refusal."""
    return Refused(Refusal(code, values, job=job))


def clean(text: str, limit: int = NAME_SHOWN_MAX_CHARS) -> str:
    r"""Returns a foreign text fit for a sentence: bounded, and without control characters.

    >>> clean("a\x1b[31mb" + "c" * 9, limit=8)
    'a[31mbc…'
    """
    shown = printable(text[:limit]).translate(_ONE_LINE)
    return shown + "…" if len(text) > limit else shown


def status(refusal: Refusal) -> int:
    """Returns the HTTP status of a refusal."""
    return CODES[refusal.known_code].http


def sentence(refusal: Refusal, lang: str) -> str:
    """Returns what a person reads."""
    named = {"job": refusal.job} if refusal.job else {}
    return i18n.error(refusal.known_code, lang, {**refusal.values, **named})


def body(refusal: Refusal, lang: str) -> bytes:
    """Returns a refusal as JSON in OpenAI's error shape."""
    facts = CODES[refusal.known_code]
    error: dict[str, object] = {
        "message": sentence(refusal, lang),
        "type": facts.kind,
        "param": refusal.values.get("param"),
        "code": refusal.known_code,
    }
    if refusal.job:
        error["job"] = refusal.job
    return msgspec.json.encode({"error": error})


def headers(refusal: Refusal) -> list[tuple[str, str]]:
    """Returns the headers that go with a refusal: ``Retry-After`` in whole seconds, if known."""
    found = [("x-request-id", refusal.job)] if refusal.job else []
    if refusal.retry_after_s is not None:
        found.append(("retry-after", str(max(1, math.ceil(refusal.retry_after_s)))))
    facts = CODES[refusal.known_code]
    if facts.http >= 500 and not facts.retryable:
        found.append(("x-should-retry", "false"))  # the official clients repeat any 5xx otherwise
    if refusal.known_code == "unauthorised":
        found.append(("www-authenticate", "Bearer"))
    return found
