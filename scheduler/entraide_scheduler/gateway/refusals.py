"""Refusals: errors of a gateway as values, and their HTTP status, headers, sentence and body.

The body has OpenAI's error format. Sentences come from the locale files, statuses from
``entraide.errors.CODES``.
"""

import math
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.errors import CODES, EntraideError
from entraide.printable import printable

Values = Mapping[str, str | int | float]
NO_VALUES: Values = {}
NAME_SHOWN_MAX_CHARS = 60
_ONE_LINE = str.maketrans("\n\t\u2028\u2029", "    ")


class ErrorReply(Struct, frozen=True):
    """An error to send to a client.

    Attributes:
        code: stable code, a key of ``CODES``; any other becomes ``internal``.
        values: values of the sentence.
        retry_after_s: seconds after which to retry, if known.
        job: identifier of the job, or "".
    """

    code: str
    values: Values = NO_VALUES
    retry_after_s: float | None = None
    job: str = ""

    @property
    def known_code(self) -> str:
        """The code, or ``internal`` if it is not in ``CODES``."""
        return self.code if self.code in CODES else "internal"


class Refused(Exception):
    """Raised to end a request with an error; the protocol's handler sends it."""

    def __init__(self, refusal: ErrorReply) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def reply_of(problem: Refused | EntraideError) -> ErrorReply:
    """Returns the error to send for an exception."""
    if isinstance(problem, Refused):
        return problem.refusal
    return ErrorReply(problem.code, problem.values, problem.retry_after_s, problem.job)


def refused(code: str, *, job: str = "", **values: str | float) -> Refused:
    """Returns the exception for an error."""
    return Refused(ErrorReply(code, values, job=job))


def clean_text(text: str, limit: int = NAME_SHOWN_MAX_CHARS) -> str:
    r"""Returns a client's text for a sentence: shortened, and without control characters.

    >>> clean_text("a\x1b[31mb" + "c" * 9, limit=8)
    'a[31mbc…'
    """
    excerpt = printable(text[:limit]).translate(_ONE_LINE)
    return excerpt + "…" if len(text) > limit else excerpt


def http_status(refusal: ErrorReply) -> int:
    """Returns the HTTP status of an error."""
    return CODES[refusal.known_code].http


def error_sentence(refusal: ErrorReply, lang: str) -> str:
    """Returns the sentence of an error."""
    named = {"job": refusal.job} if refusal.job else {}
    return i18n.error(refusal.known_code, lang, {**refusal.values, **named})


def error_body(refusal: ErrorReply, lang: str) -> bytes:
    """Returns an error as JSON in OpenAI's format."""
    facts = CODES[refusal.known_code]
    error: dict[str, object] = {
        "message": error_sentence(refusal, lang),
        "type": facts.kind,
        "param": refusal.values.get("param"),
        "code": refusal.known_code,
    }
    if refusal.job:
        error["job"] = refusal.job
    return msgspec.json.encode({"error": error})


def error_headers(refusal: ErrorReply) -> list[tuple[str, str]]:
    """Returns the headers of an error, among them ``Retry-After`` in whole seconds."""
    header_list = [("x-request-id", refusal.job)] if refusal.job else []
    if refusal.retry_after_s is not None:
        header_list.append(("retry-after", str(max(1, math.ceil(refusal.retry_after_s)))))
    facts = CODES[refusal.known_code]
    if facts.http >= 500 and not facts.retryable:
        header_list.append(("x-should-retry", "false"))  # OpenAI's clients otherwise retry any 5xx
    if refusal.known_code == "unauthorised":
        header_list.append(("www-authenticate", "Bearer"))
    return header_list
