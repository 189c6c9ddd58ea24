"""Connections: hears at once of each connection of a node, and of its end, or of a gateway's.

In: the advisories of the pool's nats-server, which sees a closed connection when the node's system
closes it, as it does for an agent that was killed. Out: the key of each node that connects;
``NodeDisconnected``, and a call for a gateway of its own, known by its JWT's name. A pulled cable
closes nothing: the silence is noticed then. The advisories come in the system account, on a
connection of its own; without it, messages and silence are all that there is.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence

import msgspec
import structlog
from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg

from entraide.decoding import decode_json
from entraide.errors import EntraideError
from entraide.wire.nats import connect, read_claims
from entraide_scheduler.bus import subscribe
from entraide_scheduler.core.events import UNNUMBERED, NodeDisconnected
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.nats.claims import advisory_subjects
from entraide_scheduler.nats.identity import GATEWAY_LABEL, NODE_LABEL, PoolIdentity
from entraide_scheduler.nodes.node_registry import NodeRegistry

ADVISORY_BYTES_MAX = 64 * 1024
STALE = "Stale Connection"  # the server's reason if the node was silent, and may be back already


class _Client(Struct, frozen=True):
    user: str = ""
    jwt: str = ""


class _Advisory(Struct, frozen=True):
    client: _Client = _Client()
    reason: str = ""


class ConnectionWatcher:
    """Feeds ``NodeDisconnected`` from the advisories of the bus's server.

    Args:
        driver: receives the events.
        registry: the pool's record of its nodes.
        identity: makes the identity of the watcher.
        on_node_connected: called with the key of each node that the bus has accepted.
        on_gateway_closed: called with the name of each gateway whose connection has closed.
    """

    def __init__(
        self,
        driver: LiveDriver,
        *,
        registry: NodeRegistry,
        identity: PoolIdentity,
        on_node_connected: Callable[[str], None],
        on_gateway_closed: Callable[[str], None],
    ) -> None:
        self._driver = driver
        self._on_node_connected = on_node_connected
        self._on_gateway_closed = on_gateway_closed
        self._registry = registry
        self._identity = identity
        self._connection: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("entraide.nodes")

    def start(self, servers: Sequence[str], tls: ssl.SSLContext | None) -> None:
        """Connects in the background, and listens from then on."""
        self._task = asyncio.create_task(self._connect(servers, tls), name="connections")

    async def stop(self) -> None:
        """Disconnects."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._connection is not None:
            await self._connection.close()

    async def _connect(self, servers: Sequence[str], tls: ssl.SSLContext | None) -> None:
        try:
            self._connection = await connect(
                servers, identity=self._identity.make_watcher_identity, name="watcher", tls=tls
            )
            connected, closed = advisory_subjects(self._identity.account)
            await subscribe(self._connection, connected, self._on_connected)
            await subscribe(self._connection, closed, self._on_closed)
        except EntraideError as problem:  # a bus with another system account
            self._log.warning("bus.no_advisories", code=problem.code)

    def _read(self, message: Msg) -> _Advisory:
        """Returns an advisory; an empty one if it cannot be used."""
        if len(message.data) > ADVISORY_BYTES_MAX:
            return _Advisory()
        try:
            return decode_json(message.data, type=_Advisory)
        except msgspec.MsgspecError:
            self._driver.counts["bus.undecodable"] += 1
            return _Advisory()

    async def _on_connected(self, message: Msg) -> None:
        client = self._read(message).client
        if _label_of(client.jwt).startswith(NODE_LABEL):
            self._on_node_connected(client.user)

    async def _on_closed(self, message: Msg) -> None:
        advisory = self._read(message)
        label = _label_of(advisory.client.jwt)
        if label.startswith(GATEWAY_LABEL):
            self._on_gateway_closed(label.removeprefix(GATEWAY_LABEL))
            return
        row = self._registry.find_approved(advisory.client.user)
        if row is not None and advisory.reason != STALE:
            self._log.info("node.disconnected", node=row.node, reason=advisory.reason)
            self._driver.feed(NodeDisconnected(*UNNUMBERED, node=row.node))


def _label_of(jwt: str) -> str:
    """Returns the name in a JWT that the server has checked; "" without one."""
    try:
        return str(read_claims(jwt).get("name", ""))
    except ValueError:
        return ""
