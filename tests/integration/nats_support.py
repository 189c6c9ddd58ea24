"""A real bus for tests: its server on a free port of loopback, and those who enter it."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nkeys
from nats.aio.msg import Msg

from entraide.wire import subjects
from entraide.wire.bus_connection import BusConnection
from entraide.wire.nats import Identity, IdentitySource, connect, public_user_key
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nats.server import NatsServer, NatsSettings

DEADLINE_S = 20.0


def node_seed(node: str) -> str:
    """The seed of the key that a node of this name has in every test."""
    raw = hashlib.sha256(node.encode()).digest()
    return nkeys.encode_seed(raw, nkeys.PREFIX_BYTE_USER).decode()


def node_key(node: str) -> str:
    """The public half of that key."""
    return public_user_key(node_seed(node))


class NatsPool:
    """A pool's bus: keys, server, and whoever connected through it."""

    def __init__(self, state: Path, *, tls_hosts: tuple[str, ...] = ()) -> None:
        self.state = state
        self.identity = PoolIdentity(state)
        self.server = NatsServer(NatsSettings(state=state, tls_hosts=tls_hosts), self.identity)
        self._connections: list[BusConnection] = []
        self._returns: dict[BusConnection, int] = {}

    @property
    def url(self) -> str:
        """Where processes of this machine connect."""
        return self.server.url

    async def enter(self, identity: Identity | IdentitySource, **options: object) -> BusConnection:
        """Connects with an identity, until the end of the test."""

        async def back() -> None:
            self._returns[connection] = self.returns(connection) + 1

        settings = {"name": "test", "deadline_s": DEADLINE_S, "on_reconnected": back, **options}
        connection = await connect(self.url, identity=identity, **settings)
        self._connections.append(connection)
        return connection

    def returns(self, connection: BusConnection) -> int:
        """How often a connection came back, its subscriptions in force again."""
        return self._returns.get(connection, 0)

    async def scheduler(self, **options: object) -> BusConnection:
        """Connects as the scheduler."""
        return await self.enter(self.identity.make_scheduler_identity, **options)

    async def gateway(self, gateway: str, **options: object) -> BusConnection:
        """Connects as a gateway."""
        return await self.enter(self.identity.make_gateway_identity(gateway), **options)

    def new_node(self, node: str) -> tuple[Identity, str]:
        """Admits a node with the key of ``node_key``; returns its identity and its public key."""
        seed, public = node_seed(node), node_key(node)
        jwt = self.identity.issue_node_jwt(node, public)
        assert jwt is not None
        return Identity(jwt=jwt, seed=seed, inbox_prefix=subjects.node_inbox(public)), public

    async def node(self, node: str, **options: object) -> BusConnection:
        """Connects as a node that has just been admitted."""
        return await self.enter(self.new_node(node)[0], **options)

    async def close(self) -> None:
        """Closes the connections, then ends the server."""
        for connection in self._connections:
            await connection.close()
        await self.server.stop()


@asynccontextmanager
async def running_pool(state: Path, *, tls_hosts: tuple[str, ...] = ()) -> AsyncIterator[NatsPool]:
    """A bus that is up, and down again at the end whatever happens."""
    pool = NatsPool(state, tls_hosts=tls_hosts)
    await pool.server.start()
    try:
        yield pool
    finally:
        await pool.close()


class Inbox:
    """Collects what a subscription brings."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    async def __call__(self, message: Msg) -> None:
        """Takes one message."""
        self.messages.append((message.subject, message.data))


async def listen(connection: BusConnection, subject: str) -> Inbox:
    """Subscribes and returns where the messages come; in force when it returns."""
    inbox = Inbox()

    async def take(message: Msg) -> None:
        await inbox(message)

    await connection.subscribe(subject, cb=take)
    await connection.flush()
    return inbox
