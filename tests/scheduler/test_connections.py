"""Connections: what the bus's server tells of them and of their end, against a real server."""

import asyncio
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs
from tests.integration.nats_support import NatsPool, node_key, running_pool
from tests.waiting import eventually

from entraide.wire import subjects
from entraide.wire.nats import connect
from entraide_scheduler.core import events
from entraide_scheduler.nats.claims import advisory_subjects
from entraide_scheduler.nodes import APPROVED, REVOKED, ConnectionWatcher, NodeRegistry
from entraide_scheduler.store.rows import NodeRow


class Recorder:
    """Takes the place of the live driver: keeps the events."""

    def __init__(self) -> None:
        self.fed: list[events.Event] = []
        self.gateways: list[str] = []
        self.connected: list[str] = []
        self.counts: dict[str, int] = {}

    def feed(self, event: events.Event) -> bool:
        self.fed.append(event)
        return True


async def watching(pool: NatsPool, rows: list[NodeRow]) -> tuple[ConnectionWatcher, Recorder]:
    """A watcher that listens."""
    driver: Any = Recorder()
    registry = NodeRegistry(None, rows)  # type: ignore[arg-type]
    watcher = ConnectionWatcher(
        driver,
        registry=registry,
        identity=pool.identity,
        on_node_connected=driver.connected.append,
        on_gateway_closed=driver.gateways.append,
    )
    watcher.start([pool.url], None)
    await watcher._task  # type: ignore[misc]
    assert watcher._connection is not None
    await watcher._connection.flush()
    return watcher, driver


def row(node: str, public: str, approval: str = APPROVED) -> NodeRow:
    return NodeRow(node, "boreale", "home", "CA-QC", public, approval)


async def test_a_closed_connection_is_told_at_once(tmp_path: Path) -> None:
    """A node and a gateway whose connection ends are named; a node without approval is not. The
    key of each node that connects is named, whatever its connection calls itself."""
    async with running_pool(tmp_path) as pool:
        known, public = pool.new_node("a")
        waiting, other = pool.new_node("b")
        watcher, driver = await watching(pool, [row("a", public), row("b", other, REVOKED)])
        gateway = await pool.gateway("g")
        for identity in (waiting, known):
            connection = await connect(
                pool.url, identity=identity, name="gateway liar", deadline_s=10.0
            )
            await connection.close()
        await gateway.close()
        await eventually(lambda: driver.fed and driver.gateways)
        await watcher.stop()

    assert ["g"] == driver.gateways
    assert [other, public] == driver.connected
    assert [events.NodeDisconnected(*events.UNNUMBERED, node="a")] == driver.fed


async def test_the_advisories_are_the_schedulers_alone(tmp_path: Path) -> None:
    """A node, a gateway and the scheduler's other connections may not read them."""
    async with running_pool(tmp_path) as pool:
        mine = advisory_subjects(pool.identity.account)

        async def ignore(_: object) -> None:
            return

        with capture_logs() as logs:
            for connection in (
                await pool.node("a"), await pool.gateway("g"), await pool.scheduler()
            ):  # fmt: skip
                for wanted in (*mine, "$SYS.>", ">"):
                    await connection.subscribe(wanted, cb=ignore)
                await connection.flush()
        refused = [line for line in logs if line["event"] == "bus.forbidden"]

    assert 12 == len(refused)


async def test_the_watcher_may_send_nothing_and_hear_nothing_else(tmp_path: Path) -> None:
    """Its identity is of the server's own account, and good for these two subjects."""
    async with running_pool(tmp_path) as pool:
        watcher = await pool.enter(pool.identity.make_watcher_identity)

        async def ignore(_: object) -> None:
            return

        with capture_logs() as logs:
            for subject in (
                "$SYS.REQ.CLAIMS.UPDATE",
                "$SYS.REQ.SERVER.PING",
                subjects.node_ctl_up(node_key("a")),
            ):
                await watcher.publish(subject, b"{}")
            for subject in ("$SYS.>", "node.>", "$SYS.ACCOUNT.*.CONNECT"):
                await watcher.subscribe(subject, cb=ignore)
            await watcher.flush()
        refused = [line for line in logs if line["event"] == "bus.forbidden"]

    assert 6 == len(refused)


async def test_a_bus_without_advisories_is_used_all_the_same(tmp_path: Path) -> None:
    """A watcher that is refused says so once; silence is noticed without it."""
    async with running_pool(tmp_path / "a") as pool, running_pool(tmp_path / "b") as other:
        driver: Any = Recorder()
        watcher = ConnectionWatcher(
            driver,
            registry=NodeRegistry(None, []),
            identity=other.identity,  # type: ignore[arg-type]
            on_node_connected=driver.connected.append,
            on_gateway_closed=driver.gateways.append,
        )
        with capture_logs() as logs:
            watcher.start([pool.url], None)
            await asyncio.wait({watcher._task})  # type: ignore[arg-type]
        await watcher.stop()

    assert ["bus_refused"] == [
        line["code"] for line in logs if line["event"] == "bus.no_advisories"
    ]
