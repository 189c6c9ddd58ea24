"""TLS transport of the bus: nats-py's, with a stream protocol that knows that it is over TLS.

After nats-py upgraded a connection, its protocol asks at the server's end to keep the transport
half open. TLS has no such state, so asyncio logs a warning for each connection that ends.
"""

import asyncio
import ssl
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport


class _TlsStreamProtocol(asyncio.StreamReaderProtocol):
    """Ends with the stream, as ``asyncio.open_connection(ssl=…)`` does."""

    def eof_received(self) -> bool:
        super().eof_received()
        return False


class TlsTransport(TcpTransport):
    """A TCP connection that ``connect_tls`` upgrades."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nats-py has no annotation here

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
            ssl.SSLError, OSError: the handshake failed.
        """
        assert self._io_writer is not None, "connect() precedes the handshake"
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=buffer_size)
        protocol = _TlsStreamProtocol(reader)
        async with asyncio.timeout(connect_timeout):
            transport = await loop.start_tls(
                self._io_writer.transport,
                protocol,
                ssl_context,
                server_hostname=uri if isinstance(uri, str) else uri.hostname,
            )
        assert transport is not None
        self._io_reader = reader
        self._io_writer = asyncio.StreamWriter(transport, protocol, reader, loop)
