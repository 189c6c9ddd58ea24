"""The bus as a WebSocket at ``/bus``: for members whose network lets only HTTPS through."""

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.nats_support import Inbox, listen
from tests.pool.support import (
    HOST,
    RunningPool,
    admit_node,
    pool_config,
    running_pool,
)
from tests.ports import free_port
from tests.waiting import eventually

from entraide.errors import PoolError
from entraide.wire.bus_connection import BusConnection
from entraide.wire.nats import client_context, connect
from entraide_node.keys import Keyring
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nats.tls import ensure_files

DEADLINE_S = 20.0


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool without a proxy: its own HTTPS server has the path."""
    with running_pool(tmp_path_factory.mktemp("bus") / "pool", pool_config()) as running:
        yield running


@pytest.fixture(scope="module")
def keyring(pool: RunningPool, tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    """What a node of the pool has."""
    return admit_node(pool, tmp_path_factory.mktemp("node"))


async def enter(pool: RunningPool, servers: list[str], keyring: Keyring) -> BusConnection:
    """Connects as a node."""
    return await connect(
        servers,
        identity=keyring.identity(),
        name="a",
        tls=client_context(pool.ca),
        deadline_s=DEADLINE_S,
    )


async def test_messages_pass_in_both_directions(pool: RunningPool, keyring: Keyring) -> None:
    """A node's messages reach the scheduler's subjects, and large ones reach the node."""
    _, web = pool.config.bus_urls
    identity, key = PoolIdentity(pool.state), keyring.public_key
    node = await enter(pool, [web], keyring)
    scheduler = await connect(
        pool.file.nats,
        identity=identity.make_scheduler_identity,
        name="test",
        tls=client_context(pool.ca),
        deadline_s=DEADLINE_S,
    )
    try:
        inbox: Inbox = await listen(scheduler, f"node.{key}.up.out.test")
        down: Inbox = await listen(node, f"node.{key}.down.in")
        await node.publish(f"node.{key}.up.out.test", b"bonjour")
        await scheduler.publish(f"node.{key}.down.in", b"x" * 3_000_000)
        await eventually(lambda: inbox.messages and down.messages)
    finally:
        await node.close()
        await scheduler.close()

    assert [(f"node.{key}.up.out.test", b"bonjour")] == inbox.messages
    assert 3_000_000 == len(down.messages[0][1])


async def test_second_address_is_used_when_the_first_is_shut(
    pool: RunningPool, keyring: Keyring
) -> None:
    """Where the bus's port is shut, the WebSocket carries the connection."""
    shut = free_port()
    node = await enter(pool, [f"tls://localhost:{shut}", pool.config.bus_urls[1]], keyring)
    try:
        url = node.connected_url
    finally:
        await node.close()

    assert url is not None
    assert "wss" == url.scheme


async def test_direct_address_comes_first(pool: RunningPool, keyring: Keyring) -> None:
    """Where both are open, the node uses the direct one."""
    node = await enter(pool, list(pool.config.bus_urls), keyring)
    try:
        url = node.connected_url
    finally:
        await node.close()

    assert url is not None
    assert "tls" == url.scheme


async def test_stranger_is_not_trusted(pool: RunningPool, keyring: Keyring, tmp_path: Path) -> None:
    """A node that trusts another CA does not enter by the WebSocket either."""
    other = ensure_files(tmp_path, ["localhost"])
    with pytest.raises(PoolError) as refused:
        await connect(
            pool.config.bus_urls[1],
            identity=keyring.identity(),
            name="a",
            tls=client_context(other.ca.read_text()),
            deadline_s=DEADLINE_S,
        )

    assert "bus_untrusted" == refused.value.code


def upgrade(pool: RunningPool, path: str, *lines: str) -> bytes:
    """The head of the answer to a request for an upgrade."""
    context = ssl.create_default_context(cadata=pool.ca)
    with (
        socket.create_connection((HOST, pool.config.http.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        head = (f"GET {path} HTTP/1.1", "Host: localhost", "Connection: Upgrade", *lines, "", "")
        secure.sendall("\r\n".join(head).encode())
        return secure.recv(65_536).partition(b"\r\n\r\n")[0]


def test_only_a_websocket_to_the_bus_is_passed_on(pool: RunningPool) -> None:
    """Another path, another protocol or a page's origin does not reach the bus."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    good = ("Upgrade: websocket", key, "Sec-WebSocket-Version: 13")

    assert b"HTTP/1.1 101" in upgrade(pool, "/bus", *good)
    assert b"HTTP/1.1 404" in upgrade(pool, "/bus2", *good)
    assert b"HTTP/1.1 404" in upgrade(pool, "/bus", "Upgrade: h2c")
    assert b"HTTP/1.1 404" in upgrade(pool, "/bus", *good, "Origin: https://a.example")


def test_path_without_an_upgrade_is_no_page(pool: RunningPool) -> None:
    """A plain request for the path is answered like any other unknown path."""
    context = ssl.create_default_context(cadata=pool.ca)
    with (
        socket.create_connection((HOST, pool.config.http.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"GET /bus HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := secure.recv(65_536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")

    assert b"404" in head.splitlines()[0]
    assert json.loads(body)["error"]["code"]
