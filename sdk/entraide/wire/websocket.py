"""WebSocket transport of the bus: for members whose network lets only HTTPS through.

The server of the bus, or a proxy in front of it, ends TLS. nats-py's own transport has no time
limit on the connection and leaves its HTTP session open when the connection fails.
"""

import asyncio
import ssl
from typing import Any, Self

import aiohttp
from nats.aio.transport import WebSocketTransport

CLOSE_TIMEOUT_S = 2.0


class WebSocket(WebSocketTransport):
    """A connected WebSocket; create it with ``open``."""

    @classmethod
    async def open(cls, url: str, trust: ssl.SSLContext, *, timeout_s: float) -> Self:
        """Connects to ``wss://…``.

        Raises:
            TimeoutError: no answer within ``timeout_s`` seconds.
            ssl.SSLCertVerificationError: the server's certificate is not trusted.
            OSError, aiohttp.ClientError: the server cannot be reached, or speaks no WebSocket.
        """
        transport = cls()
        try:
            async with asyncio.timeout(timeout_s):
                transport._ws = await transport._client.ws_connect(
                    url,
                    ssl=trust,
                    max_msg_size=0,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
                )
        except BaseException as problem:
            await transport._client.close()
            if isinstance(problem, aiohttp.ClientConnectorCertificateError):
                raise problem.certificate_error from problem
            raise
        transport._using_tls = True
        return transport

    async def connect_tls(self, *_: Any, **_more: Any) -> None:
        """Does nothing: ``open`` did the TLS handshake. nats-py calls this after it."""


def websocket_context(tls: ssl.SSLContext | None) -> ssl.SSLContext:
    """Returns a TLS context that trusts the public CAs, and those that another context trusts."""
    context = ssl.create_default_context()
    for authority in tls.get_ca_certs(binary_form=True) if tls is not None else ():
        context.load_verify_locations(cadata=authority)
    return context
