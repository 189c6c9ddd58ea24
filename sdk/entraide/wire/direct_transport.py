"""Direct transport of the bus: gives messages to their receivers in the callback of the socket.

nats-py reads from a stream: each read wakes a task, whose parser looks for one line after the other
with regular expressions. That costs more than most messages' own work. Here the stream's protocol
takes out the messages that have a receiver, and leaves all else to nats-py, in its order: the
handshake, pings, errors, and the messages of other subscriptions.

Protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport

CRLF: Final = b"\r\n"
LINE_BYTES_MAX = 64 * 1024  # the server's list of a large cluster is far shorter
MESSAGE_BYTES_MAX = 64 * 1024 * 1024  # the largest that a server can be configured for

Receiver = Callable[[str, bytes], None]
Deliver = Callable[[Receiver, bytes, bytes, bytes], None]


class _KnownEnd(asyncio.StreamReaderProtocol):
    """A stream's protocol that knows whether its connection has ended."""

    has_ended = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Notes that the connection has ended."""
        self.has_ended = True
        super().connection_lost(exc)


class DirectProtocol(_KnownEnd):
    """A stream's protocol that delivers the messages of some subscriptions by itself."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        receivers: Mapping[int, Receiver],
        deliver: Deliver,
        *,
        is_tls: bool,
    ) -> None:
        super().__init__(reader)
        self._receivers = receivers
        self._deliver = deliver
        self._is_tls = is_tls
        self._is_stream = False
        self._parts: list[bytes] = []
        self._missing_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Takes the whole messages out of what has come; keeps the beginning of the next one."""
        if self._parts:
            self._parts.append(data)
            self._missing_bytes -= len(data)
            if self._missing_bytes > 0:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        start = 0
        while not self._is_stream and (line_end := data.find(CRLF, start)) >= 0:
            try:
                stop = self._take(data, start, line_end)
            except ValueError:
                self._is_stream = True  # no message can be told from the next one any more
                break
            if stop > len(data):
                self._keep(data[start:], missing_bytes=stop - len(data))
                return
            start = stop
        if start == len(data):
            return
        if self._is_stream or len(data) - start > LINE_BYTES_MAX:
            self._is_stream = True
            super().data_received(data[start:])
        else:
            self._keep(data[start:], missing_bytes=1)

    def eof_received(self) -> bool | None:
        """Ends the stream; a connection over TLS has no half-open state and ends with it.

        asyncio would log a warning for each connection that ends otherwise.
        """
        keeps_open = super().eof_received()
        return False if self._is_tls else keeps_open

    def _take(self, data: bytes, start: int, line_end: int) -> int:
        """Delivers or passes on what begins with a line; returns where it ends.

        Nothing has happened if that is beyond the data.
        """
        body = line_end + 2
        header_bytes = 0
        match data[start:line_end].split():
            case [b"MSG", subject, sid, *_, size]:
                pass
            case [b"HMSG", subject, sid, *_, header, size]:
                header_bytes = _to_size(header)
            case [b"MSG" | b"HMSG", *_]:
                raise ValueError(data[start:line_end])
            case _:
                super().data_received(data[start:body])
                return body
        stop = body + _to_size(size) + 2
        if stop > len(data):
            return stop
        receiver = self._receivers.get(int(sid))
        if receiver is None:
            super().data_received(data[start:stop])
        else:  # headers come to no receiver
            headers, content = data[body : body + header_bytes], body + header_bytes
            self._deliver(receiver, subject, data[content : stop - 2], headers)
        return stop

    def _keep(self, data: bytes, *, missing_bytes: int) -> None:
        self._parts.append(data)
        self._missing_bytes = missing_bytes


def _to_size(field: bytes) -> int:
    if not field.isdigit() or int(field) > MESSAGE_BYTES_MAX:
        raise ValueError(field)
    return int(field)


class _SilentProtocol(_KnownEnd):
    """The protocol before a TLS handshake: nothing that comes then is from the server."""

    is_silent = True

    def data_received(self, data: bytes) -> None:  # noqa: ARG002  (asyncio's)
        """Takes nothing of it."""
        self.is_silent = False


class DirectTransport(TcpTransport):
    """A TCP connection that ``connect_tls`` upgrades.

    Args:
        receivers: the receivers by the identifiers of their subscriptions, as they are at any time.
        deliver: gets receiver, subject, data and headers of each message that has a receiver.
        tls_first: whether the TLS handshake comes first. No byte in plain text is then read.
    """

    def __init__(
        self, receivers: Mapping[int, Receiver], deliver: Deliver, *, tls_first: bool
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nats-py has no annotation here
        self._receivers = receivers
        self._deliver = deliver
        self._before_tls = _SilentProtocol(asyncio.StreamReader()) if tls_first else None
        self._protocol: _KnownEnd | None = None

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Connects.

        Raises:
            TimeoutError: no answer within ``connect_timeout`` seconds.
            OSError: there is no connection.
        """
        assert uri.hostname is not None, "nats-py completes each address"
        assert uri.port is not None
        reader, direct = self._make_stream(buffer_size, is_tls=False)
        protocol = self._before_tls or direct
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(connect_timeout):
            transport, _ = await loop.create_connection(lambda: protocol, uri.hostname, uri.port)
        self._io_reader = self._bare_io_reader = reader
        self._io_writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self._bare_io_writer = self._io_writer
        self._protocol = protocol

    async def connect_tls(
        self,
        uri: str | ParseResult,
        ssl_context: ssl.SSLContext,
        buffer_size: int,
        connect_timeout: int,
    ) -> None:
        """Does the TLS handshake on the connection.

        Raises:
            TimeoutError: no answer within ``connect_timeout`` seconds.
            ssl.SSLError, OSError: the handshake failed, or somebody sent bytes before it.
        """
        assert self._io_writer is not None, "connect() precedes the handshake"
        if self._before_tls is not None and not self._before_tls.is_silent:
            raise ConnectionError("bytes in plain text before the TLS handshake")
        loop = asyncio.get_running_loop()
        reader, protocol = self._make_stream(buffer_size, is_tls=True)
        async with asyncio.timeout(connect_timeout):
            transport = await loop.start_tls(
                self._io_writer.transport,
                protocol,
                ssl_context,
                server_hostname=uri if isinstance(uri, str) else uri.hostname,
            )
        assert transport is not None
        reader.set_transport(transport)  # which it pauses; ``start_tls`` does not tell it
        self._io_reader = reader
        self._io_writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self._protocol = protocol

    def abort(self) -> None:
        """Closes the connection at once, whether or not the server answers the end of TLS.

        One that has ended is left alone: asyncio's transport then lacks the loop that it would use.
        """
        if self._io_writer is None or self._protocol is None or self._protocol.has_ended:
            return
        self._io_writer.transport.abort()

    def _make_stream(
        self, buffer_size: int, *, is_tls: bool
    ) -> tuple[asyncio.StreamReader, DirectProtocol]:
        reader = asyncio.StreamReader(limit=buffer_size)
        return reader, DirectProtocol(reader, self._receivers, self._deliver, is_tls=is_tls)
