"""Messages of nodes on a real bus: their order behind one that takes time, and acknowledgements."""

import asyncio
from typing import Any

import pytest
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode
from tests.waiting import eventually

from entraide.types import Basis, Outcome, Usage
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide_scheduler.nodes import node_listener

UNKNOWN = tuple((f"job-{number}", 7) for number in range(5))
USED = Usage(1, 0, 1, Basis.MEASURED, 0, 0, Basis.MEASURED, 0.0, 0.0)


def tell(node: ScriptedNode, *messages: m.NodeUp) -> None:
    """Sends messages in one turn of the event loop."""
    for message in messages:
        node.connection.send(subjects.node_ctl_up(node.key), codec.encode(message))


@pytest.fixture
def hellos(pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Until it is set, a hello of a node is not handled to its end."""
    may_end = asyncio.Event()
    registry = pool.service.parts.registry
    pin_device = registry.pin_device

    async def wait(*args: Any) -> Any:
        await may_end.wait()
        return await pin_device(*args)

    monkeypatch.setattr(registry, "pin_device", wait)
    return may_end


async def test_a_message_waits_for_the_hello_before_it(
    pool: RunningScheduler, hellos: asyncio.Event
) -> None:
    """A heartbeat that comes while a hello is handled counts after it."""
    node = await pool.join()
    await node.send_hello()
    await node.send_heartbeat(reason="paused")
    hellos.set()
    await eventually(lambda: node.received(m.Welcome))
    await eventually(lambda: not pool.service.parts.driver.core.nodes()[0].accepting)

    assert [] == node.received(m.HelloRequest)


async def test_what_waits_behind_a_hello_is_bounded(
    pool: RunningScheduler, hellos: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages beyond the limit are dropped and counted; later ones are handled again."""
    monkeypatch.setattr(node_listener, "WAITING_MAX_BYTES", 1_000)
    driver = pool.service.parts.driver
    node = await pool.join()
    await node.send_hello()
    for _ in range(100):
        await node.send_heartbeat()
    await eventually(lambda: driver.counts["node.too_many"] > 0)
    hellos.set()
    await eventually(lambda: node.received(m.Welcome))
    await eventually(lambda: not pool.service.parts.node_listener._waiting)
    await node.send_heartbeat(reason="paused")
    await eventually(lambda: not driver.core.nodes()[0].accepting)

    assert 0 == pool.service.parts.node_listener._waiting_bytes


@pytest.mark.parametrize("kept", [True, False], ids=["session kept", "session lost"])
async def test_a_node_that_says_hello_after_its_last_run_is_heard(
    pool: RunningScheduler, kept: bool
) -> None:
    """The core expects a beat for each half second no longer once the node has no run."""
    driver = pool.service.parts.driver
    node = await pool.join()
    await node.send_hello()
    await node.send_heartbeat(runs=(m.RunBeat(*UNKNOWN[0], 1),))
    await eventually(lambda: driver.core.awaits_runs(node.name))
    if not kept:
        pool.service.parts.node_listener.remove_session(node.name)
    await node.send_hello()
    await node.send_heartbeat()
    await node.send_heartbeat(reason="paused")
    await eventually(lambda: not driver.core.nodes()[0].accepting)

    assert not driver.core.awaits_runs(node.name)


@pytest.mark.parametrize("protocol", [m.PROTOCOL, m.PROTOCOL + 1])
async def test_both_sides_speak_the_lower_protocol(pool: RunningScheduler, protocol: int) -> None:
    """A node of a later version is told to speak this one's; its reports are acknowledged."""
    node = await pool.join()
    node.protocol = protocol
    await node.send_hello()
    await eventually(lambda: node.received(m.Welcome))
    reports = (m.UsageReport(*run, Outcome.COMPLETED, "", True, USED) for run in UNKNOWN)
    tell(node, *reports)
    await eventually(lambda: len(node.acknowledged()) == len(UNKNOWN))
    welcome = node.received(m.Welcome)[-1]

    assert m.PROTOCOL == welcome.protocol
    assert sorted(UNKNOWN) == sorted(node.acknowledged())
