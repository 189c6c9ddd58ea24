"""Incoming request: one request while it is being read, with checks of its head.

A valid head has one host, no repeated header of ``ONCE``, and sizes within the limits. The parser,
llhttp, has already refused malformed HTTP (conflicting lengths, a length with a transfer coding,
folded lines, bare line feeds, NUL).
"""

from typing import Final
from urllib.parse import unquote

from entraide_scheduler.config import (
    BODY_MAX_BYTES,
    HEAD_MAX_BYTES,
    HEADERS_MAX,
    UPLOAD_MAX_BYTES,
    UPLOAD_PATH,
)
from entraide_scheduler.gateway.http.body_stream import BodyStream
from entraide_scheduler.gateway.http.exchange import HttpRequest

ONCE: Final = frozenset({"host", "authorization", "expect", "content-type", "x-api-key"})


class IncomingRequest:
    """A request that is being read.

    Attributes:
        head: the request without its body, once the head is complete.
        refusal: error code of the reply, or "".
        expects_continue: whether the client waits for ``100 Continue`` before it sends the body.
        keep_alive: whether the connection stays open after the answer.
        complete: whether its last byte was read.
        body_max: maximum bytes of the body.
        stream: the body of a request that is answered while its body arrives; else None.
    """

    __slots__ = (
        "_body", "_count", "_size_bytes", "_target", "body_bytes", "body_max", "complete",
        "expects_continue", "head", "headers", "http11", "keep_alive", "refusal", "stream",
    )  # fmt: skip

    def __init__(self) -> None:
        self.head: HttpRequest | None = None
        self.headers: dict[str, str] = {}
        self.refusal = ""
        self.expects_continue = self.keep_alive = self.complete = False
        self.http11 = True
        self.body_bytes = 0
        self.body_max = BODY_MAX_BYTES
        self._size_bytes = self._count = 0  # of headers, trailers included
        self._target = b""
        self._body: list[bytes] = []
        self.stream: BodyStream | None = None

    @property
    def request(self) -> HttpRequest:
        """The request as read so far."""
        if self.head is None:
            return HttpRequest("GET", "", "", self.headers, b"", "")
        if not self.complete or not self._body:
            return self.head
        head = self.head
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return HttpRequest(head.method, head.path, head.query, head.headers, body, head.peer)

    @property
    def announced_bytes(self) -> int:
        """The length that the head announces, or 0."""
        length = self.headers.get("content-length", "")
        return int(length) if length else 0  # llhttp accepts only digits, up to 64 bits

    def refuse(self, code: str) -> None:
        """Records a refusal; the first one is used."""
        self.refusal = self.refusal or code
        if self.stream is not None:
            self.stream.fail(self.refusal)

    def begin_stream(self, stream: BodyStream) -> None:
        """Passes the body to a stream: what has arrived now, the rest as it arrives."""
        self.stream = stream
        for body in self._body:
            stream.add(body)
        self._body.clear()

    def add_target(self, target: bytes) -> None:
        """Adds a part of the request's target."""
        self._size_bytes += len(target)
        if self._size_bytes > HEAD_MAX_BYTES:
            self.refuse("head_too_large")
        else:
            self._target += target

    def add_header(self, name: bytes, value: bytes) -> None:
        """Adds a header; a trailer is counted and dropped."""
        self._size_bytes += len(name) + len(value)
        self._count += 1
        if self._size_bytes > HEAD_MAX_BYTES or self._count > HEADERS_MAX:
            self.refuse("head_too_large")
        elif self.head is None:
            lower_name = name.decode("latin-1").lower()
            text = value.decode("latin-1")
            if lower_name not in self.headers:
                self.headers[lower_name] = text
            elif lower_name in ONCE:
                self.refuse("invalid_request")
            else:
                self.headers[lower_name] += f", {text}"

    def end_head(self, *, method: str, version: str, keep_alive: bool, peer: str) -> None:
        """Completes the head."""
        target = self._target
        if not target.startswith(
            b"/"
        ):  # absolute form, which a server must accept (RFC 9112, 3.2.2)
            scheme, separator, rest = target.partition(b"://")
            if separator and scheme.lower() in (b"http", b"https"):
                target = b"/" + rest.partition(b"/")[2]
        raw, _, query = target.partition(b"?")
        path = raw.decode("latin-1")
        self.head = HttpRequest(
            method, unquote(path) if "%" in path else path, query.decode("latin-1"),
            self.headers, b"", peer,
        )  # fmt: skip
        if method == "POST" and self.head.path == UPLOAD_PATH:
            self.body_max = UPLOAD_MAX_BYTES
        self.http11 = version == "1.1"
        self.keep_alive = keep_alive
        if "x-api-key" in self.headers:  # as Anthropic's clients send a key
            self.headers.setdefault("authorization", f"Bearer {self.headers['x-api-key']}")
        missing = "host" not in self.headers if self.http11 else version != "1.0"
        if missing or (not self.http11 and "transfer-encoding" in self.headers):
            self.refuse("invalid_request")
        if "expect" in self.headers:
            self.expects_continue = self.http11 and self.headers["expect"].lower() == "100-continue"
        self.check_length()

    def check_length(self) -> None:
        """Refuses a body that exceeds ``body_max``."""
        if max(self.announced_bytes, self.body_bytes) > self.body_max:
            self.refuse("body_too_large")

    def add_body(self, body: bytes) -> None:
        """Adds a part of the body; bytes beyond the limit are dropped."""
        self.body_bytes += len(body)
        if self.body_bytes > self.body_max:
            self.refuse("body_too_large")
        elif self.refusal:
            return
        elif self.stream is not None:
            self.stream.add(body)
        else:
            self._body.append(body)
