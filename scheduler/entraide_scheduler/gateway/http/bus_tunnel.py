"""Bus tunnel: passes WebSocket connections at ``/bus`` on to the bus's port on loopback.

In: the head of an upgrade request and the connection's transport. Out: a connection to the bus,
to which the head is sent anew with the few headers that it needs; then bytes pass unread in both
directions. The bus checks the identity and ends a connection that shows none, or that reads or
answers nothing (``authorization``, ``write_deadline`` and ``ping_max`` of its configuration).
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import cast

from entraide_scheduler.config import UNREAD_HIGH_BYTES
from entraide_scheduler.gateway.http.exchange import HttpRequest

PATH = "/bus"
TUNNELS_MAX = 4_096
TUNNELS_PER_ADDRESS_MAX = 256  # machines of one office share an address
CONNECT_TIMEOUT_S = 5.0
KEY = "sec-websocket-key"
VERSION = "sec-websocket-version"


def is_bus_request(head: HttpRequest) -> bool:
    """Whether a request is a program's for a WebSocket to the bus; a web page names its origin."""
    headers = head.headers
    return (
        head.method == "GET"
        and head.path == PATH
        and headers.get("upgrade", "").lower() == "websocket"
        and KEY in headers
        and "origin" not in headers
    )


class BusTunnels:
    """The tunnels of one HTTP server.

    Args:
        port: port of the bus's WebSocket on loopback.
        count: counts refused tunnels, by reason.
    """

    def __init__(self, port: int, count: Callable[[str], None]) -> None:
        self._port = port
        self._count = count
        self._open: dict[ClientSide, str] = {}
        self._by_address: Counter[str] = Counter()
        self._connecting: set[asyncio.Task[None]] = set()

    def begin(self, transport: asyncio.Transport, head: HttpRequest, ahead: bytes) -> None:
        """Takes a connection over, or cuts it if there are too many.

        Args:
            transport: of the client's connection.
            head: the request for an upgrade.
            ahead: bytes that the client sent after the head.
        """
        address = head.peer
        most = self._by_address[address] >= TUNNELS_PER_ADDRESS_MAX
        if most or len(self._open) >= TUNNELS_MAX:
            self._count("bus_connections")
            transport.abort()
            return
        client = ClientSide(transport, self._on_lost)
        self._open[client] = address
        self._by_address[address] += 1
        transport.set_protocol(client)
        transport.pause_reading()
        task = asyncio.get_running_loop().create_task(self._connect(client, head, ahead))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def close(self) -> None:
        """Cuts every tunnel."""
        for client in list(self._open):
            client.transport.abort()

    async def _connect(self, client: "ClientSide", head: HttpRequest, ahead: bytes) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: BusSide(client), "127.0.0.1", self._port)
        except (OSError, TimeoutError):
            self._count("bus_unreachable")
            client.transport.abort()
            return
        client.begin(_format_head(head, self._port) + ahead)

    def _on_lost(self, client: "ClientSide") -> None:
        address = self._open.pop(client, None)
        if address is not None:
            self._by_address[address] -= 1
            self._by_address += Counter()  # drops the addresses without a tunnel


class ClientSide(asyncio.Protocol):
    """The client's side of a tunnel."""

    def __init__(
        self, transport: asyncio.Transport, on_lost: Callable[["ClientSide"], None]
    ) -> None:
        self.transport = transport
        self.bus: asyncio.Transport | None = None
        self.is_lost = False
        self._on_lost = on_lost

    def begin(self, first: bytes) -> None:
        """Sends the first bytes to the bus, and begins to read the client's."""
        if self.bus is None or self.is_lost:
            self.transport.abort()
            return
        self.bus.write(first)
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Passes the client's bytes to the bus."""
        if self.bus is not None:
            self.bus.write(data)

    def pause_writing(self) -> None:
        """Stops reading from the bus, because the client reads too slowly."""
        if self.bus is not None:
            self.bus.pause_reading()

    def resume_writing(self) -> None:
        """Reads from the bus again."""
        if self.bus is not None:
            self.bus.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio gives it)
        """Ends the bus's side."""
        self.is_lost = True
        if self.bus is not None:
            self.bus.close()
        self._on_lost(self)


class BusSide(asyncio.Protocol):
    """The bus's side of a tunnel."""

    def __init__(self, client: ClientSide) -> None:
        self._client = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Joins the two sides."""
        bus = cast("asyncio.Transport", transport)  # uvloop's transport is no subclass
        bus.set_write_buffer_limits(UNREAD_HIGH_BYTES)
        self._client.bus = bus
        if self._client.is_lost:
            bus.close()

    def data_received(self, data: bytes) -> None:
        """Passes the bus's bytes to the client."""
        if not self._client.is_lost:
            self._client.transport.write(data)

    def pause_writing(self) -> None:
        """Stops reading from the client, because the bus reads too slowly."""
        self._client.transport.pause_reading()

    def resume_writing(self) -> None:
        """Reads from the client again."""
        if not self._client.is_lost:
            self._client.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio gives it)
        """Ends the client's side, when what the bus sent is on its way."""
        if not self._client.is_lost:
            self._client.transport.close()


def _format_head(head: HttpRequest, port: int) -> bytes:
    """Returns the request with the headers that the bus needs; llhttp has checked their form."""
    lines = (
        "GET / HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {head.headers[KEY]}",
        f"Sec-WebSocket-Version: {head.headers.get(VERSION, '')}",
        f"X-Forwarded-For: {head.peer}",
    )
    return "\r\n".join((*lines, "", "")).encode("latin-1")
