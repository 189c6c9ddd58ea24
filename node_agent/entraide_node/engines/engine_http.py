"""Engine HTTP: requests to one engine, over connections that are used again.

Input: requests, and bytes as they arrive, parsed by httptools. Output: responses, whose reader gets
the bytes that arrived since its last read, or is called with them as they arrive. No timer runs
while a reader waits: ``engine_client`` checks the deadlines of all runs, and fails a response that
is late.
"""

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import cast
from urllib.parse import unquote, urlsplit

import httptools

HEAD_BYTES_MAX = 64 * 1024  # without a byte of a body: of a head, or between parts of a body
BUFFER_BYTES_MAX = 4 * 1024 * 1024  # that nobody has read; then the engine has to wait
CONNECT_TIMEOUT_S = 5.0
IDLE_CONNECTION_S = 4.0  # below the 5 s after which many engines close a connection
LAST_BYTES_TIMEOUT_S = 0.25  # for the end of a response that nobody reads to its end


class ConnectionLost(ConnectionError):
    """The engine's connection was lost, or what came over it is no HTTP."""


class EngineResponse:
    """A response that may still be arriving.

    Attributes:
        status: HTTP status; 0 before the head.
        has_begun: whether any byte of it has arrived.
    """

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        self._buffered = 0
        self._waiter: asyncio.Future[None] | None = None
        self._take: Callable[[bytes], bool] | None = None
        self._has_stopped = False  # the reader's ``take`` does not go on
        self._failure: Exception | None = None
        self._is_complete = False
        self._is_left = False  # nobody reads on
        self.status = 0
        self.has_begun = False

    async def wait_for_head(self) -> int:
        """Returns the status as soon as the head has arrived.

        Raises:
            ConnectionLost: before the head.
            Exception: that of ``fail``.
        """
        while not self.status and self._failure is None:
            await self._wait()
        if not self.status and self._failure is not None:
            raise self._failure
        return self.status

    async def read(self) -> bytes:
        """Returns all bytes that have arrived, at least one; b"" at the end.

        Raises:
            ConnectionLost: before the end.
            Exception: that of ``fail``.
        """
        while not self._parts:
            if self._failure is not None:
                raise self._failure
            if self._is_complete:
                return b""
            await self._wait()
        return self._take_parts()

    async def pass_on(self, take: Callable[[bytes], bool]) -> bool:
        """Calls ``take`` with all bytes that have arrived, from then on as soon as they arrive.

        Returns:
            True at the end of the response; False after ``take`` has returned False.

        Raises:
            ConnectionLost: before the end.
            Exception: that of ``fail``, or of ``take``.
        """
        self._has_stopped = False
        while not self._has_stopped and self._deliver(take):
            if self._failure is not None:
                raise self._failure
            if self._is_complete:
                return True
            self._take = take
            try:
                await self._wait()
            finally:
                self._take = None
        return False

    def _deliver(self, take: Callable[[bytes], bool]) -> bool:
        """Passes on what has arrived; returns whether ``take`` goes on."""
        return not self._parts or take(self._take_parts())

    def _take_parts(self) -> bytes:
        data = b"".join(self._parts) if len(self._parts) > 1 else self._parts[0]
        self._parts.clear()
        if self._buffered > BUFFER_BYTES_MAX:
            self._connection.resume_reading()
        self._buffered = 0
        return data

    def fail(self, failure: Exception) -> None:
        """Ends the response for its reader, who gets the exception at once; closes the connection.

        Bytes that arrived before are lost.
        """
        self._parts.clear()
        self._fail(failure)
        self.close()

    def close(self) -> None:
        """Closes the connection unless the response is complete; may be called again."""
        self._is_left = True
        if not self._is_complete:
            self._connection.abort()

    def leave(self) -> None:
        """Lets the last bytes arrive unread, so that the connection can be used again."""
        self._is_left = True
        if not self._is_complete and self._failure is None:
            self._loop.call_later(LAST_BYTES_TIMEOUT_S, self.close)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # Called by the connection.

    def add_body(self, data: bytes) -> None:
        """Adds a part of the body."""
        if self._is_left:
            return
        self._parts.append(data)
        self._buffered += len(data)
        if self._buffered > BUFFER_BYTES_MAX:
            self._connection.pause_reading()

    def complete(self) -> None:
        """Notes that all of it has arrived."""
        self._is_complete = True

    def lose(self, why: str) -> None:
        """Notes that the rest of it cannot arrive; what has arrived can still be read."""
        if not self._is_complete:
            self._fail(ConnectionLost(why))

    def pass_parts(self) -> None:
        """Passes what has arrived to the reader, or wakes it."""
        if self._take is None:
            self.wake()
            return
        try:
            if not self._deliver(self._take):
                self._take, self._has_stopped = None, True
                self.wake()
        except Exception as problem:  # noqa: BLE001  (it is the reader's)
            self.fail(problem)

    def wake(self) -> None:
        """Wakes the reader."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, failure: Exception) -> None:
        self._failure = self._failure or failure
        self.wake()


class _Connection(asyncio.Protocol):
    """One connection; it carries one response at a time."""

    def __init__(self, client: "EngineHttp") -> None:
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._response: EngineResponse | None = None
        self._other_bytes = 0  # in sequence, that were no part of a body
        self._has_length = False  # whether the body's end is told, or is that of the connection
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes) -> EngineResponse:
        """Sends a request and returns its response, which has not arrived."""
        assert self._transport is not None
        self._response = EngineResponse(self)
        self._parser = httptools.HttpResponseParser(self)
        self._other_bytes, self._has_length = 0, False
        self._transport.write(request)
        return self._response

    def pause_reading(self) -> None:
        """Lets the engine wait."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Lets the engine go on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._client.add(self)

    def data_received(self, data: bytes) -> None:
        response, parser = self._response, self._parser
        if response is None or parser is None:
            self.abort()  # bytes that nobody asked for
            return
        response.has_begun = True
        self._other_bytes += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as problem:
            response.lose(f"no valid HTTP: {problem}")
            self.abort()
            return
        if self._other_bytes > HEAD_BYTES_MAX:
            response.lose("a head without an end")
            self.abort()
            return
        response.pass_parts()

    def connection_lost(self, problem: Exception | None) -> None:
        self._client.forget(self)
        response, self._response = self._response, None
        if response is None:
            return
        if response.status and not self._has_length and problem is None:
            response.complete()
            response.wake()
        else:
            response.lose(str(problem or "the engine closed the connection"))

    # httptools calls these, from within data_received.

    def on_header(self, name: bytes, _value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._has_length = True

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        assert self._response is not None
        status = self._parser.get_status_code()
        if status >= 200:
            self._response.status = status
        else:  # it precedes the response
            self._has_length = False
        self._other_bytes = 0

    def on_body(self, data: bytes) -> None:
        self._other_bytes = 0
        if self._response is not None:
            self._response.add_body(data)

    def on_message_complete(self) -> None:
        response, parser = self._response, self._parser
        if response is None or parser is None or not response.status:
            return
        self._response = None
        response.complete()
        response.wake()
        self._other_bytes = 0
        self.resume_reading()  # if nobody read the end of a long response
        if parser.should_keep_alive() and self._client.keep_alive:
            self._client.put_back(self)
        else:
            self.abort()


class EngineHttp:
    """Connections to one engine; must be closed.

    Attributes:
        keep_alive: whether connections are used again.
    """

    def __init__(
        self, base_url: str, *, socket_path: str = "", api_key: str = "", keep_alive: bool = True
    ) -> None:
        """Does not connect yet.

        Args:
            base_url: ``http://host:port`` or ``https://host:port``; a name and a password before
                the host are sent unless there is a key.
            socket_path: the socket file to which it connects instead; "" for none.
            api_key: bearer key; "" for none.
            keep_alive: whether connections are used again.

        Raises:
            ValueError: the address or the key cannot be sent in a head.
        """
        parts = urlsplit(base_url)
        user, _, host = parts.netloc.rpartition("@")
        port = 443 if parts.scheme == "https" else 80
        self._address = (parts.hostname or "", parts.port or port)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._socket_path = socket_path
        self._path = parts.path.rstrip("/")
        head = f"Host: {host}\r\nUser-Agent: entraide\r\n"
        if api_key:
            head += f"Authorization: Bearer {api_key}\r\n"
        elif user:
            basic = base64.b64encode(unquote(user).encode()).decode()
            head += f"Authorization: Basic {basic}\r\n"
        if not keep_alive:
            head += "Connection: close\r\n"
        if not f"{parts.netloc}{api_key}".isprintable():
            raise ValueError("the engine's address or key has control characters")
        self._head = head.encode("latin-1")
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._is_closed = False
        self.keep_alive = keep_alive

    def send(
        self, method: str, path: str, payload: bytes = b"", *, accept: str = "*/*"
    ) -> EngineResponse | None:
        """Sends a request now, and does not wait for its response; None if no connection is idle.

        After ``connect`` one is, unless another request was faster.
        """
        connection = self._take_idle()
        if connection is None:
            return None
        lines = f"{method} {self._path}{path} HTTP/1.1\r\nAccept: {accept}\r\n"
        if payload:
            lines += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
        return connection.send(b"".join((lines.encode(), self._head, b"\r\n", payload)))

    async def connect(self) -> None:
        """Opens one more connection.

        Raises:
            OSError: the engine cannot be reached, or this was closed.
            TimeoutError: the engine does not take the connection.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if self._socket_path:
                _, connection = await loop.create_unix_connection(
                    lambda: _Connection(self), self._socket_path
                )
            else:
                _, connection = await loop.create_connection(
                    lambda: _Connection(self), *self._address, ssl=self._tls
                )
        self.put_back(connection)
        self._check_open()

    def close_idle(self) -> None:
        """Closes the connections that are idle."""
        while self._idle:
            self._idle.pop().abort()

    def close(self) -> None:
        """Closes every connection; may be called again."""
        self._is_closed = True
        for connection in tuple(self._all):
            connection.abort()

    def put_back(self, connection: _Connection) -> None:
        """Takes back a connection whose response is complete; closes those long idle."""
        now = connection.idle_since = asyncio.get_running_loop().time()
        while self._idle and self._idle[0].idle_since < now - IDLE_CONNECTION_S:
            self._idle.pop(0).abort()
        self._idle.append(connection)

    def add(self, connection: _Connection) -> None:
        """Notes that a connection is open."""
        self._all.add(connection)

    def forget(self, connection: _Connection) -> None:
        """Notes that a connection is closed."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _take_idle(self) -> _Connection | None:
        oldest = asyncio.get_running_loop().time() - IDLE_CONNECTION_S
        while self._idle:
            connection = self._idle.pop()  # the one that was used last
            if connection.is_open and connection.idle_since >= oldest:
                return connection
            connection.abort()
        return None

    def _check_open(self) -> None:
        if self._is_closed:
            self.close()
            raise ConnectionError("closed")
