"""The monitoring endpoint of a real nats-server: who may read it, and what it says."""

import asyncio
import json
import stat

import psutil
from tests.integration.nats_support import NatsPool


async def monitoring_page(nats_pool: NatsPool, path: str) -> bytes:
    """What the server answers at a path of its monitoring endpoint."""
    port = nats_pool.server.config.monitor_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


PAGES = (
    "varz", "connz", "routez", "gatewayz", "leafz", "subsz", "stacksz", "accountz", "accstatz",
    "jsz", "healthz", "ipqueuesz", "raftz", "debug/vars", "debug/pprof/",
)  # fmt: skip


async def test_the_monitor_shows_no_token_to_others(nats_pool: NatsPool) -> None:
    """Another user of this machine gets none of its pages; who reads the configuration would see
    the tokens of connected nodes."""
    identity, _ = nats_pool.new_node("a")
    node, jwt = await nats_pool.enter(identity), identity.jwt
    secret = nats_pool.server.config.monitor_path
    query = "?auth=1&subs=1&subscriptions=1"
    strangers = [
        await monitoring_page(nats_pool, f"{path}{query}")
        for page in PAGES
        for path in (f"/{page}", f"//{page}", f"{secret[:-1]}/{page}", f"/x/..{secret[:3]}/{page}")
    ]
    root = await monitoring_page(nats_pool, "/")
    own = await monitoring_page(nats_pool, f"{secret}/connz{query}")

    assert node.is_connected
    assert jwt.encode() in own
    # A path with two slashes is sent on to the same path with one, which is refused.
    assert {b"404", b"307"} == {answer.split()[1] for answer in (*strangers, root)}
    assert all(jwt.encode() not in answer for answer in strangers)
    assert secret not in repr(nats_pool.server.config)
    assert 0o600 == stat.S_IMODE(nats_pool.server.config.path.stat().st_mode)


async def test_monitoring_is_on_loopback_and_jetstream_off(nats_pool: NatsPool) -> None:
    """The server says of itself what it was told, on a page that only this machine reads."""
    settings = nats_pool.server.config
    port = settings.monitor_port
    answer = await monitoring_page(nats_pool, f"{settings.monitor_path}/varz")
    said = json.loads(answer.partition(b"\r\n\r\n")[2])

    assert ("127.0.0.1", 8 * 1024 * 1024) == (said["host"], said["max_payload"])
    assert not said["jetstream"]
    listening = [
        connection.laddr
        for connection in psutil.Process(nats_pool.server.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {"127.0.0.1"} == {address.ip for address in listening}
    assert {port, nats_pool.server.config.port} == {address.port for address in listening}
