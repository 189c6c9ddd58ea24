"""Exchange: one HTTP request and its response.

It formats the response. The head is sent with the first bytes of the body, in one write. The size
of the send buffer is returned by ``write``, so that a slow client can be detected.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

from msgspec import Struct

from entraide_scheduler.config import UNREAD_HIGH_BYTES, UNREAD_MAX_BYTES
from entraide_scheduler.gateway.http.body_stream import BodyStream
from entraide_scheduler.gateway.refusals import ErrorReply

Headers = Sequence[tuple[str, str]]

# Of every response that says nothing else of the same name: a browser that opens it neither guesses
# its type, nor runs, loads or frames anything, keeps nothing, and tells nobody where it was.
DEFENCES: Headers = (
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
)
# Of a pool whose certificate browsers trust, on all responses: for a year it is asked by TLS only.
HTTPS_ONLY: Headers = (("strict-transport-security", "max-age=31536000"),)


class HttpRequest(Struct, frozen=True):
    """A request: its head, and its body once complete. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str


class ResponseWriter(Protocol):
    """The interface of a connection for its exchange."""

    @property
    def unread_bytes(self) -> int:
        """Bytes in the send buffer."""

    def write(self, data: bytes) -> None:
        """Sends bytes, unless the client has left."""

    def abort(self) -> None:
        """Aborts the connection."""

    def on_exchange_ended(self, *, keep_alive: bool) -> None:
        """Continues after a complete answer."""


RequestHandler = Callable[["Exchange"], Awaitable[None]]
RefusalHandler = Callable[["Exchange", ErrorReply], None]


def _head(status: int, headers: Headers) -> bytes:
    given = {name for name, _ in headers}
    headers = [*headers, *(default for default in DEFENCES if default[0] not in given)]
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Client Closed Request" if status == 499 else "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers]
    return "".join(lines).encode("latin-1")


class Exchange:
    """A request and its response. Use ``respond``, or ``begin``, ``write`` and ``end``.

    Attributes:
        request: the request.
        on_client_left: called once if the client leaves before the end of the answer.
        on_ended: called once with the status at the end (499 if the client left).
        status: status of the response; 0 before its head.
        began_at: start, on the monotonic clock, seconds.
        body: the body, if it is read while it arrives; else None, and the request has it.
        common_headers: headers that the response has whatever it says.
    """

    def __init__(
        self,
        connection: ResponseWriter,
        request: HttpRequest,
        *,
        keep_alive: bool,
        http11: bool = True,
    ) -> None:
        self.request = request
        self.on_client_left: Callable[[], None] | None = None
        self.on_ended: Callable[[int], None] | None = None
        self.status = 0
        self.began_at = time.monotonic()
        self.body: BodyStream | None = None
        self.common_headers: Headers = ()
        self._connection = connection
        self._keep_alive = keep_alive
        self._chunked = http11
        self._head: bytes = b""
        self._read: asyncio.Event | None = None
        self.is_over = False

    @property
    def has_begun(self) -> bool:
        """Whether the status is set; it cannot be changed any more."""
        return self.status != 0

    def respond(
        self, status: int, body: bytes, *, kind: str = "application/json", headers: Headers = ()
    ) -> None:
        """Sends a complete response; closes the connection if the body was not read to its end."""
        assert not self.has_begun, "an answer begins once"
        self.status = status
        self._keep_alive = self._keep_alive and (self.body is None or self.body.complete)
        head = _head(
            status,
            [
                *self.common_headers,
                *headers,
                ("content-type", kind),
                ("content-length", str(len(body))),
                ("connection", "keep-alive" if self._keep_alive else "close"),
            ],
        )
        content = b"" if self.request.method == "HEAD" else body
        self._connection.write(head + b"\r\n" + content)
        self._end_exchange()

    def begin(self, status: int, *, kind: str, headers: Headers = ()) -> None:
        """Sets the head of a streamed response; it is sent with the first ``write``."""
        assert not self.has_begun, "an answer begins once"
        self.status = status
        self._keep_alive = self._keep_alive and self._chunked
        coding = [("transfer-encoding", "chunked")] if self._chunked else []
        self._head = (
            _head(
                status,
                [
                    *self.common_headers,
                    *headers,
                    ("content-type", kind),
                    *coding,
                    ("connection", "keep-alive" if self._keep_alive else "close"),
                ],
            )
            + b"\r\n"
        )

    def write(self, data: bytes) -> bool:
        """Sends a part of a streamed response.

        Returns:
            False if the send buffer has ``UNREAD_MAX_BYTES`` or more: the client is too slow.
        """
        if data and not self.is_over:
            if self._chunked:
                data = b"%s%x\r\n%s\r\n" % (self._head, len(data), data)
            else:
                data = self._head + data
            self._head = b""
            self._connection.write(data)
        return self._connection.unread_bytes < UNREAD_MAX_BYTES

    async def wait_until_read(self) -> None:
        """Waits until the client has read what was written, up to ``UNREAD_HIGH_BYTES``."""
        while not self.is_over and self._connection.unread_bytes > UNREAD_HIGH_BYTES:
            self._read = asyncio.Event()
            await self._read.wait()

    def on_read(self) -> None:
        """Ends ``wait_until_read``; called by the connection once its send buffer is empty."""
        if self._read is not None:
            self._read.set()

    def end(self) -> None:
        """Ends a streamed response."""
        if not self.is_over:
            self._connection.write(self._head + (b"0\r\n\r\n" if self._chunked else b""))
            self._head = b""
            self._end_exchange()

    def abort(self) -> None:
        """Aborts the connection, which marks a streamed response as incomplete."""
        self._connection.abort()

    def _end_exchange(self) -> None:
        self.is_over = True
        self.on_client_left = None
        if self.on_ended is not None:
            self.on_ended(self.status)
        self._connection.on_exchange_ended(keep_alive=self._keep_alive)

    def on_connection_lost(self) -> None:
        """Ends the exchange because the client has left; called by the connection."""
        if not self.is_over:
            self.is_over = True
            self.on_read()
            if self.on_ended is not None:
                self.on_ended(499)
            if self.on_client_left is not None:
                self.on_client_left()
