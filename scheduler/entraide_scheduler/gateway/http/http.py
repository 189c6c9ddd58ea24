"""HTTP server: listens, limits the number of connections, and runs the handler per request.

``connection`` parses a connection, ``http_limits`` has the limits, and a ``HeadCheck`` decides on
each request's head.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

import structlog

from entraide.errors import EntraideError
from entraide_scheduler.config import KEY_GRACE_S, HttpLimits
from entraide_scheduler.gateway.http.bus_tunnel import BusTunnels
from entraide_scheduler.gateway.http.connection import Connection
from entraide_scheduler.gateway.http.connection_server import HeadDecision, Permit
from entraide_scheduler.gateway.http.exchange import (
    Exchange,
    HttpRequest,
    RefusalHandler,
    RequestHandler,
)
from entraide_scheduler.gateway.http.incoming import IncomingRequest
from entraide_scheduler.gateway.http.peers import (
    KeylessConnections,
    Network,
    find_client_address,
    is_in_networks,
)
from entraide_scheduler.gateway.refusals import ErrorReply, Values, reply_of

EVERY_ADDRESS = ("::", "")  # of IPv4, too: asyncio listens at "::" for IPv6 alone


class HeadCheck(Protocol):
    """Decides by a head whether the request's body may be sent."""

    def check(self, head: HttpRequest) -> HeadDecision | Awaitable[HeadDecision]:
        """Returns a permit or a refusal."""

    def release(self, admission: Permit) -> None:
        """Releases a permit: its exchange has ended."""


class HttpServer:
    """An HTTP/1.1 server with limits on connections."""

    def __init__(
        self,
        handler: RequestHandler,
        refuse: RefusalHandler,
        *,
        check: HeadCheck,
        limits: HttpLimits,
        proxies: tuple[Network, ...],
        count: Callable[[str], None],
        bus_port: int = 0,
    ) -> None:
        """Creates the server; ``start`` starts it.

        Args:
            handler: answers a request.
            refuse: answers with an error.
            check: decides on each head.
            limits: limits per connection, address and key.
            proxies: proxies that may name the client's address.
            count: counts refusals and closed connections, by reason.
            bus_port: port of the bus's WebSocket on loopback; 0 for none.
        """
        self.loop = asyncio.get_running_loop()
        self.refuse = refuse
        self.count = count
        self.limits = limits
        self.stopping = False
        self.ending = False  # each further answer is the last one of its connection
        self.tunnels = BusTunnels(bus_port, count) if bus_port else None
        self._handler = handler
        self._head_check = check
        self._proxies = proxies
        self._connections: set[Connection] = set()
        self._idle: dict[Connection, float] = {}  # since when; the longest idle first
        self._keyless = KeylessConnections[Connection](
            most=self.limits.connections_without_key,
            most_per_address=self.limits.connections_without_key_per_address,
            is_unchecked=lambda connection: connection.is_unchecked,
        )
        self._by_coop: Counter[str] = Counter()  # connections that have shown a key
        self._running: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._left_at = 0.0
        self._port = 0
        self._log = structlog.get_logger("entraide.http")

    @property
    def port(self) -> int:
        """Port of the server."""
        assert self._port, "not started"
        return self._port

    @property
    def listening(self) -> list[int]:
        """File descriptors of the sockets on which the server listens."""
        return [each.fileno() for server in self._servers for each in server.sockets]

    @property
    def has_connections(self) -> bool:
        """Whether a client is connected."""
        return bool(self._connections)

    async def start(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        """Starts to listen (asyncio and uvloop set TCP_NODELAY on every socket).

        Args:
            host: address; ``::`` is every address, of IPv4 as of IPv6.
            port: port; 0 takes a free one.
            tls: context, or None.
            sockets: that listen already, in place of the address.

        Raises:
            OSError: the address is in use or not local.
        """
        handshake_s = self.limits.head_deadline_s if tls is not None else None
        wheres: list[dict[str, Any]] = [{"sock": each} for each in sockets]
        hosts = None if host in EVERY_ADDRESS else host
        for where in wheres or [{"host": hosts, "port": port}]:
            server = await self.loop.create_server(
                lambda: Connection(self), **where, ssl=tls, backlog=1_024,
                ssl_handshake_timeout=handshake_s,
            )  # fmt: skip
            self._servers.append(server)
        self._port = int(self._servers[0].sockets[0].getsockname()[1])

    def leave(self) -> None:
        """Stops listening; each further answer is the last one of its connection."""
        self.ending, self._left_at = True, self.loop.time()
        for server in self._servers:
            server.close()

    def close_idle(self, idle_s: float) -> None:
        """Closes the connections that were idle for so long since ``leave``."""
        ends_at = self.loop.time() - idle_s
        for connection, since in list(self._idle.items()):
            if max(since, self._left_at) <= ends_at:
                connection.close_unless_asked()

    async def stop(self) -> None:
        """Stops listening and closes every connection; unfinished answers are cancelled."""
        self.stopping = self.ending = True
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close()
        if self.tunnels is not None:
            self.tunnels.close()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()

    # A connection calls these.

    def add_connection(self, connection: Connection) -> bool:
        """Registers a connection; above the limit, closes the longest idle one or returns False."""
        if self.stopping:
            return False
        if len(self._connections) >= self.limits.connections:
            self.count("connections")
            longest_idle = next(iter(self._idle), None)
            if longest_idle is None:
                return False
            longest_idle.abort()
            self.remove_connection(longest_idle)
        self._connections.add(connection)
        connection.proxied = is_in_networks(connection.address, self._proxies)
        if not connection.proxied:
            address = connection.address
            self._close_surplus(self._keyless.add(connection, address, self.loop.time()))
            if self._keyless.is_crowded(address):
                self.loop.call_later(KEY_GRACE_S, self._close_aged, address)
        return True

    def _close_aged(self, address: str) -> None:
        self._close_surplus(self._keyless.remove_aged(address, self.loop.time()))

    def _close_surplus(self, surplus: list[Connection]) -> None:
        for connection in surplus:
            self.count("connections_without_key")
            connection.abort()

    def remove_connection(self, connection: Connection) -> None:
        """Removes a connection."""
        self._connections.discard(connection)
        self._idle.pop(connection, None)
        self._keyless.remove(connection)
        if connection.coop:
            self._by_coop[connection.coop] -= 1
            connection.coop = ""

    def set_idle(self, connection: Connection, *, idle: bool) -> None:
        """Records whether a connection is between two requests."""
        if idle:
            self._idle[connection] = self.loop.time()
        else:
            self._idle.pop(connection, None)

    def get_client_address(self, connection: Connection, headers: dict[str, str]) -> str:
        """Returns the client's address: the peer's, or the one that a trusted proxy names."""
        if connection.proxied:
            return find_client_address(connection.address, headers, self._proxies)
        return connection.address

    def check_head(
        self, connection: Connection, head: HttpRequest
    ) -> HeadDecision | Awaitable[HeadDecision]:
        """Runs the head check, and records that a connection has shown a valid key."""
        verdict = self._head_check.check(head)
        return self._mark_keyed(connection, verdict) if isinstance(verdict, Permit) else verdict

    def await_decision(
        self, connection: Connection, incoming: IncomingRequest, verdict: Awaitable[HeadDecision]
    ) -> None:
        """Awaits a decision and passes it to the connection."""
        self._spawn(self._finish_check(connection, incoming, verdict))

    def release(self, admission: Permit) -> None:
        """Releases a permit."""
        self._head_check.release(admission)

    def handle(self, exchange: Exchange) -> None:
        """Runs the handler as a task of its own."""
        self._spawn(self._run_handler(exchange))

    def _mark_keyed(self, connection: Connection, admission: Permit) -> HeadDecision:
        """Records that a connection has shown a valid key, unless its co-op has too many."""
        coop, limit = admission.coop, self.limits.connections_per_coop
        if not admission.key or connection.has_key:
            return admission
        if coop and not connection.proxied:
            if self._by_coop[coop] >= limit:
                self.release(admission)
                self.count("connections_per_coop")
                values: Values = {"limit": limit, "of": "connections"}
                return ErrorReply("too_many_requests", values, retry_after_s=1.0)
            self._by_coop[coop] += 1
            connection.coop = coop
        connection.has_key = True
        self._keyless.remove(connection)
        return admission

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self.loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _finish_check(
        self, connection: Connection, incoming: IncomingRequest, pending: Awaitable[HeadDecision]
    ) -> None:
        try:
            outcome = await pending
        except EntraideError as problem:
            outcome = reply_of(problem)
        except Exception:  # noqa: BLE001  (an error in one request must not stop the server)
            self._log.exception("http.check_failed")
            outcome = ErrorReply("internal")
        if isinstance(outcome, Permit) and not connection.lost:
            outcome = self._mark_keyed(connection, outcome)
        connection.on_decision(incoming, outcome)

    async def _run_handler(self, exchange: Exchange) -> None:
        try:
            await self._handler(exchange)
        except Exception:  # noqa: BLE001  (an error in one request must not stop the server)
            self._log.exception("http.handler_failed", method=exchange.request.method)
            if exchange.has_begun:
                exchange.abort()
            else:
                self.refuse(exchange, ErrorReply("internal"))
