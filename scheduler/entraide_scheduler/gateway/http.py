"""HTTP/1.1 on our own loop: httptools reads it, asyncio's transport writes it.

It decides how bytes become requests and answers, and every limit on the way; it knows nothing of
jobs, keys or JSON. A head is held until the first bytes of the body, so that both leave in one
write, and what a client has not read yet is visible, so that a slow one can be told apart: the
embedded server that was tried first (granian 2.8.7) takes any amount without end (measured: 1 GB
for a client that read nothing).
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import cast
from urllib.parse import unquote

import httptools
import structlog
from msgspec import Struct

HEAD_MAX_BYTES = 32 * 1024
HEADERS_MAX = 100
BODY_MAX_BYTES = 4 * 1024 * 1024
UNREAD_MAX_BYTES = 4 * 1024 * 1024
PIPELINED_MAX = 8
CONNECTIONS_MAX = 4_096
DISCARDED_MAX_BYTES = 64 * 1024 * 1024
REQUEST_TIMEOUT_S = 30.0
IDLE_TIMEOUT_S = 75.0
LINGER_S = 2.0
SWEEP_S = 5.0

Headers = Sequence[tuple[str, str]]


class Request(Struct, frozen=True):
    """One request, whole. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str


Handler = Callable[["Exchange"], Awaitable[None]]
Refuser = Callable[["Exchange", str], None]


def _head(status: int, headers: Headers) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Client Closed Request" if status == 499 else "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers]
    return "".join(lines).encode("latin-1")


class Exchange:
    """A request and the way to answer it. Use ``respond``, or ``begin``, ``write``, ``end``.

    Attributes:
        request: what was asked.
        on_gone: called once if the client leaves before the end of the answer.
        on_over: called once with the status when the answer is over (499 when the client left).
        status: of the answer; 0 before it began.
        began_at: on the monotonic clock.
    """

    def __init__(self, connection: "_Connection", request: Request, *, keep_alive: bool) -> None:
        self.request = request
        self.on_gone: Callable[[], None] | None = None
        self.on_over: Callable[[int], None] | None = None
        self.status = 0
        self.began_at = time.monotonic()
        self._connection = connection
        self._keep_alive = keep_alive
        self._chunked = connection.http11
        self._head: bytes = b""
        self.over = False

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self._connection.lost

    @property
    def began(self) -> bool:
        """Whether a status was chosen; it cannot be changed any more."""
        return self.status != 0

    def respond(
        self, status: int, body: bytes, *, kind: str = "application/json", headers: Headers = ()
    ) -> None:
        """Sends a whole answer."""
        assert not self.began, "an answer begins once"
        self.status = status
        head = _head(
            status,
            [
                *headers,
                ("content-type", kind),
                ("content-length", str(len(body))),
                ("connection", "keep-alive" if self._keep_alive else "close"),
            ],
        )
        content = b"" if self.request.method == "HEAD" else body
        self._connection.write(head + b"\r\n" + content)
        self._over()

    def begin(self, status: int, *, kind: str, headers: Headers = ()) -> None:
        """Chooses the head of a streamed answer; it leaves with the first ``write``."""
        assert not self.began, "an answer begins once"
        self.status = status
        self._keep_alive = self._keep_alive and self._chunked
        coding = [("transfer-encoding", "chunked")] if self._chunked else []
        self._head = (
            _head(
                status,
                [
                    *headers,
                    ("content-type", kind),
                    *coding,
                    ("connection", "keep-alive" if self._keep_alive else "close"),
                ],
            )
            + b"\r\n"
        )

    def write(self, data: bytes) -> bool:
        """Sends part of a streamed answer.

        Returns:
            False when the client has left ``UNREAD_MAX_BYTES`` or more unread: give up.
        """
        if data and not self.over:
            if self._chunked:
                data = b"%s%x\r\n%s\r\n" % (self._head, len(data), data)
            else:
                data = self._head + data
            self._head = b""
            self._connection.write(data)
        return self._connection.unread_bytes < UNREAD_MAX_BYTES

    def end(self) -> None:
        """Ends a streamed answer."""
        if not self.over:
            self._connection.write(self._head + (b"0\r\n\r\n" if self._chunked else b""))
            self._head = b""
            self._over()

    def abort(self) -> None:
        """Cuts the connection: the only way to say that a streamed answer is not whole."""
        self._connection.abort()

    def _over(self) -> None:
        self.over = True
        self.on_gone = None
        if self.on_over is not None:
            self.on_over(self.status)
        self._connection.exchange_over(keep_alive=self._keep_alive)

    def lost(self) -> None:
        """Tells whoever answers that the client has left (called by the connection)."""
        if not self.over:
            self.over = True
            if self.on_over is not None:
                self.on_over(499)
            if self.on_gone is not None:
                self.on_gone()


class _Connection(asyncio.Protocol):
    """One connection: requests in, one at a time to the handler, answers out."""

    def __init__(self, server: "HttpServer") -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self.exchange: Exchange | None = None
        self.lost = False
        self.http11 = True
        self.active_at = time.monotonic()
        self.in_request = False
        self._closing = False
        self._discarded = 0
        self._transport: asyncio.Transport
        self._peer = ""
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._header_count = 0
        self._in_head = False
        self._head_bytes = 0  # beyond the first read, so at most that much more is held
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._refused = ""

    @property
    def unread_bytes(self) -> int:
        """What the client has not taken yet."""
        return 0 if self.lost else self._transport.get_write_buffer_size()

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self._server.admit(self):
            self.abort()

    def data_received(self, data: bytes) -> None:
        self.active_at = time.monotonic()
        if self._closing:
            self._discarded += len(data)
            if self._discarded > DISCARDED_MAX_BYTES:
                self.abort()
            return
        self._head_bytes += len(data) if self._in_head else 0
        if self._head_bytes > HEAD_MAX_BYTES:
            self._refuse_now("invalid_request")
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._closing = True  # answered as plain HTTP/1.1, then closed
        except httptools.HttpParserError:
            self._refuse_now("invalid_request")

    def eof_received(self) -> bool:
        return False  # a client that says no more is a client that left

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio gives it)
        self.lost = True
        self._waiting.clear()
        self._server.forget(self)
        if self.exchange is not None:
            self.exchange.lost()
            self.exchange = None

    # httptools calls these.

    def on_message_begin(self) -> None:
        self._reset()
        self.in_request = self._in_head = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > HEAD_MAX_BYTES:
            self._refused = "invalid_request"

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._header_count <= HEADERS_MAX:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        else:
            self._refused = "invalid_request"

    def on_headers_complete(self) -> None:
        self._in_head = False
        self.http11 = self._parser.get_http_version() == "1.1"
        length = self._headers.get("content-length", "")
        if length.isdigit() and int(length) > BODY_MAX_BYTES:
            self._refused = "body_too_large"
        if self._refused:
            self._refuse_now(self._refused)
        elif self._headers.get("expect", "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._closing:
            return
        if self._body_bytes > BODY_MAX_BYTES:
            self._refuse_now("body_too_large")
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self.in_request = False
        if self._closing:
            return
        waiting = (self._request(), self._parser.should_keep_alive())
        if self.exchange is None:
            self._begin(*waiting)
        elif len(self._waiting) < PIPELINED_MAX:
            self._waiting.append(waiting)
        else:
            self.abort()

    def _request(self) -> Request:
        path, _, query = self._url.partition(b"?")
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return Request(
            self._parser.get_method().decode("ascii"),
            unquote(path.decode("latin-1")),
            query.decode("latin-1"),
            self._headers,
            body,
            self._peer,
        )

    def _refuse_now(self, code: str) -> None:
        """Answers a request that will not be read to its end, and lets the answer get through."""
        if self._closing:
            return
        self._closing = True
        if self.exchange is not None:
            self.abort()
            return
        request = Request("GET", "", "", self._headers, b"", self._peer)
        self.exchange = Exchange(self, request, keep_alive=False)
        self._server.refuse(self.exchange, code)

    # The exchange calls these.

    def _begin(self, request: Request, keep_alive: bool) -> None:
        alive = keep_alive and not self._server.stopping
        self.exchange = Exchange(self, request, keep_alive=alive)
        self._server.handle(self.exchange)

    def write(self, data: bytes) -> None:
        if not self.lost and data:
            self._transport.write(data)

    def abort(self) -> None:
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()

    def exchange_over(self, *, keep_alive: bool) -> None:
        self.exchange = None
        self.active_at = time.monotonic()
        if self.lost:
            return
        if self._closing:  # bytes are still coming: closing now would reset, and lose the answer
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._server.loop.call_later(LINGER_S, self.close)
        elif not keep_alive:
            self.close()
        elif self._waiting:
            self._server.loop.call_soon(self._next)

    def _next(self) -> None:
        if self._waiting and self.exchange is None and not self.lost:
            self._begin(*self._waiting.popleft())


class HttpServer:
    """Listens, bounds and sweeps connections, and runs the handler for each exchange."""

    def __init__(self, handler: Handler, refuse: Refuser) -> None:
        self.loop = asyncio.get_running_loop()
        self.refuse = refuse
        self.stopping = False
        self.refused_connections = 0
        self._handler = handler
        self._connections: set[_Connection] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._log = structlog.get_logger("entraide.http")

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Begins to listen (TCP_NODELAY is on: asyncio and uvloop set it on every socket).

        Raises:
            OSError: the address is taken or not ours.
        """
        self._server = await self.loop.create_server(
            lambda: _Connection(self), host, port, ssl=tls, backlog=1_024
        )
        self._sweep = self.loop.call_later(SWEEP_S, self._sweep_now)

    async def stop(self) -> None:
        """Stops listening and closes every connection; answers that are on their way are cut."""
        self.stopping = True
        if self._sweep is not None:
            self._sweep.cancel()
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def admit(self, connection: _Connection) -> bool:
        """Counts a connection in, unless there are too many."""
        if len(self._connections) >= CONNECTIONS_MAX or self.stopping:
            self.refused_connections += 1
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: _Connection) -> None:
        """Counts a connection out."""
        self._connections.discard(connection)

    def handle(self, exchange: Exchange) -> None:
        """Runs the handler as a task of its own."""
        task = self.loop.create_task(self._handled(exchange))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _handled(self, exchange: Exchange) -> None:
        try:
            await self._handler(exchange)
        except Exception:  # noqa: BLE001  (one request must never take the server with it)
            self._log.exception("http.handler_failed", path=exchange.request.path)
            if exchange.began:
                exchange.abort()
            else:
                self.refuse(exchange, "internal")

    def _sweep_now(self) -> None:
        now = time.monotonic()
        for connection in list(self._connections):
            silent_s = now - connection.active_at
            if connection.exchange is not None:
                continue
            limit_s = REQUEST_TIMEOUT_S if connection.in_request else IDLE_TIMEOUT_S
            if silent_s > limit_s:
                connection.close()
        self._sweep = self.loop.call_later(SWEEP_S, self._sweep_now)
