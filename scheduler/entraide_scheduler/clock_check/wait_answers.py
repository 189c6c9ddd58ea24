"""Wait answers: what the HTTP port says while a start waits for the operator's decision.

In: the head of a request. Out: 503, ``retry-after`` and the reason: a page in both languages for a
browser that opens a page; for programs the error ``clock_far`` in the form of their interface
(OpenAI's, or Anthropic's of ``/v1/messages``), in the languages in which the gateway would say it.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.errors import CODES

CODE = "clock_far"
RETRY_AFTER_S = 60
API, ANTHROPIC_API = "/v1/", "/v1/messages"
NO_BODY = "HEAD"


class WaitRequest(Struct, frozen=True):
    """The head of a request.

    Attributes:
        method, path: of its first line.
        headers: the last value of each, by name in lower case.
    """

    method: str = ""
    path: str = ""
    headers: Mapping[str, str] = {}

    @property
    def body_bytes(self) -> int:
        """Length of the body as the request says; 0 if it says none."""
        length = self.headers.get("content-length", "")
        return int(length) if length.isascii() and length.isdigit() and len(length) < 16 else 0


def read_request(head: bytes) -> WaitRequest:
    """Returns what a head says; nothing of it is believed."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return WaitRequest(method, rest.partition(" ")[0].partition("?")[0], headers)


def make_answer(request: WaitRequest, page: str, pool_lang: i18n.Lang) -> bytes:
    """Returns the response.

    Args:
        request: see ``read_request``.
        page: the sentence of the page in both languages, as HTML paragraphs.
        pool_lang: language of the pool.
    """
    if "text/html" in request.headers.get("accept", "") and not request.path.startswith(API):
        kind, body = "text/html; charset=utf-8", _make_page(page, pool_lang)
    else:
        langs = i18n.error_langs(request.headers.get("accept-language"), pool_lang)
        kind, body = "application/json", make_error(request.path, langs)
    lines = (
        "HTTP/1.1 503 Service Unavailable",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        f"retry-after: {RETRY_AFTER_S}",
        "cache-control: no-store",
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
        "connection: close",
    )
    head = "\r\n".join((*lines, "", "")).encode("ascii")
    return head if request.method == NO_BODY else head + body


def make_error(path: str, langs: str) -> bytes:
    """Returns the error as JSON, as the gateway writes it for a path.

    Args:
        path: of the request.
        langs: see ``entraide.i18n.error_langs``; the second's sentence stands beside the first's.
    """
    first, *others = langs.split()
    messages = {"message": i18n.error(CODE, first)}
    messages |= {f"message_{lang}": i18n.error(CODE, lang) for lang in others}
    if path.startswith(ANTHROPIC_API):
        error = {"type": "overloaded_error", **messages, "code": CODE, "param": None}
        return msgspec.json.encode({"type": "error", "error": error, "request_id": None})
    kind = CODES[CODE].kind
    return msgspec.json.encode({"error": {**messages, "type": kind, "param": None, "code": CODE}})


def _make_page(page: str, lang: i18n.Lang) -> bytes:
    head = '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=320">'
    return f"{head}<title>{i18n.text('page-clock-title', lang)}</title>{page}".encode()
