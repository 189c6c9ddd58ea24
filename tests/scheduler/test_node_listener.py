"""Node listener: accepted messages, the identity of a node, and its clock."""

import asyncio
import time

import msgspec
import pytest
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode
from tests.waiting import eventually

from entraide import __version__
from entraide.types import Basis, Control, DataClass, EnergyStatus
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide_scheduler.core.views import NodeView


def seen(pool: RunningScheduler, node: ScriptedNode) -> NodeView:
    return next(view for view in pool.driver.core.nodes() if view.card.node == node.name)


def sun(surplus_w: float, *, off_s: float = 0.0, lasts_s: float = 60.0) -> EnergyStatus:
    now = time.time() + off_s
    return EnergyStatus(surplus_w, Basis.DECLARED, "sign", now, now + lasts_s)


async def test_node_says_hello_and_is_welcomed(pool: RunningScheduler) -> None:
    """A node that joined says hello and is live, with how often to beat and the pool's version."""
    node = await pool.join()
    before = time.time()
    await node.send_hello()
    await eventually(lambda: node.received(m.Welcome))
    welcome = node.received(m.Welcome)[0]

    assert m.Welcome(1.0, (), m.PROTOCOL, __version__, welcome.sent_at, 0.5, "CA-QC") == welcome
    assert before - 1.0 < welcome.sent_at < time.time() + 1.0
    assert "live" == pool.state("n1")


async def test_node_that_lies_about_its_coop_and_place_is_not_believed(
    pool: RunningScheduler,
) -> None:
    """Whose machine it is and where it stands come from the pool's record, not from the node."""
    node = await pool.join("n1", coop="beta", zone="CA-AB")
    await node.send_hello(coop="alpha", zone="CA-QC", site="palace")
    await eventually(lambda: node.received(m.Welcome))
    card = seen(pool, node).card

    assert ("n1", "beta", "CA-AB", "home") == (card.node, card.coop, card.zone, card.site)
    assert 1 == pool.driver.counts["node.contradicts_record"]


async def test_control_and_data_classes_are_the_operators_word(pool: RunningScheduler) -> None:
    """A node calls itself a member's and offers all data classes: what the record says counts."""
    node = await pool.join("n1", coop="beta", zone="CA-AB")
    registry = pool.registry
    row = registry.get("n1")
    assert row is not None
    await registry.put(
        msgspec.structs.replace(
            row, controlled_by=Control.OTHER, data_classes=(DataClass.PUBLIC, DataClass.INTERNAL)
        )
    )
    offered = (DataClass.INTERNAL, DataClass.RESTRICTED)
    honest = {"coop": "beta", "zone": "CA-AB", "site": "home"}
    await node.send_hello(**honest, data_classes=offered)
    await eventually(lambda: node.received(m.Welcome))
    before = pool.driver.counts["node.contradicts_record"]
    await node.send_hello(**honest, data_classes=offered, controlled_by=Control.MEMBER)
    await eventually(lambda: len(node.received(m.Welcome)) == 2)
    card = seen(pool, node).card

    assert (Control.OTHER, (DataClass.INTERNAL,)) == (card.controlled_by, card.data_classes)
    assert [0, 1] == [before, pool.driver.counts["node.contradicts_record"]]


async def test_old_numbers_are_dropped(pool: RunningScheduler) -> None:
    """A heartbeat or hello that was overtaken by a later one changes nothing."""
    node = await pool.join()
    await node.send_hello()
    await node.send_heartbeat(reason="paused")
    await node.send_heartbeat(seq=1)
    await eventually(lambda: pool.driver.counts["node.old"])
    node.seq = 0
    await node.send_hello()
    await eventually(lambda: pool.driver.counts["node.old"] == 2)

    assert (False, "paused") == (seen(pool, node).accepting, seen(pool, node).reason)


async def test_node_unknown_since_the_start_is_asked_to_say_hello(pool: RunningScheduler) -> None:
    """A heartbeat of a node, or of a run of its agent, that never said hello is answered so."""
    node = await pool.join()
    await node.send_heartbeat()
    await eventually(lambda: len(node.received(m.HelloRequest)) == 1)
    await node.send_hello()
    node.boot = "another"
    await node.send_heartbeat()
    await eventually(lambda: len(node.received(m.HelloRequest)) == 2)

    assert 1 == len(node.received(m.Welcome))


async def test_times_of_a_node_two_hours_off_become_ours(pool: RunningScheduler) -> None:
    """A node whose clock is two hours ahead or behind tells the same surplus as any other."""
    for name, off_s in (("ahead", 7_200.0), ("behind", -7_200.0)):
        node = await pool.join(name)
        node.clock_off_s = off_s
        await node.send_hello(energy=sun(50.0, off_s=off_s))
        await eventually(lambda node=node: node.received(m.Welcome))
        await node.send_heartbeat(energy=sun(400.0, off_s=off_s))
        await eventually(
            lambda node=node: (energy := seen(pool, node).energy) and energy.surplus_w == 400.0
        )
        energy = seen(pool, node).energy

        assert energy is not None
        assert abs(time.time() - energy.measured_at) < 30.0
        assert 30.0 < energy.expires_at - time.time() <= 61.0


async def test_heartbeats_that_change_nothing_are_told_together(pool: RunningScheduler) -> None:
    """Equal heartbeats keep a node live without an event each."""
    node = await pool.join()
    await node.send_hello(energy=sun(10.0))
    await eventually(lambda: node.received(m.Welcome))
    before, seen_at = pool.driver.event_id, seen(pool, node).last_seen_at
    for _ in range(200):
        await node.send_heartbeat(energy=sun(10.0))
    await eventually(lambda: seen(pool, node).last_seen_at > seen_at)

    assert pool.driver.event_id - before < 20


async def test_goodbye_makes_a_node_leave_at_once(pool: RunningScheduler) -> None:
    """A node that says goodbye has left, without waiting for its silence."""
    node = await pool.join()
    await node.send_hello()
    await node.send(m.Goodbye("stopped"))
    await eventually(lambda: pool.state("n1") == "left")

    assert 0 == pool.driver.counts["node.suspect"]


async def test_node_that_leaves_for_good_is_revoked(pool: RunningScheduler) -> None:
    """A goodbye for good makes the bus refuse the node's identity, and the operator sees it."""
    node = await pool.join()
    await node.send_hello()
    await eventually(lambda: node.received(m.Welcome))
    await node.send(m.Goodbye(m.LEFT))
    await eventually(lambda: not node.connection.is_connected)

    assert "revoked" == (await pool.operator.node("n1")).approval


async def test_run_that_is_not_wanted_any_more_is_not_kept(pool: RunningScheduler) -> None:
    """The welcome names only the runs whose leases are in force."""
    node = await pool.join()
    await node.send_hello(running=(("job-x", 3),))
    await eventually(lambda: node.received(m.Welcome))

    assert () == node.received(m.Welcome)[0].keep


async def test_identity_is_renewed_at_a_hello_once_a_day(pool: RunningScheduler) -> None:
    """A node whose token was issued long ago is given a new one as it says hello."""
    node = await pool.join()
    await node.send_hello()
    await eventually(lambda: node.received(m.Welcome))
    fresh = node.received(m.IdentityRenewed)
    registry = pool.registry
    row = registry.get("n1")
    assert row is not None
    await registry.put(msgspec.structs.replace(row, jwt_issued_at=time.time() - 100_000.0))
    await node.send_hello()
    await eventually(lambda: node.received(m.IdentityRenewed))
    renewed = registry.get("n1")

    assert [] == fresh
    assert renewed is not None
    assert renewed.jwt_issued_at > time.time() - 60.0


async def test_a_conversation_stays_where_a_node_says_that_it_holds_it(
    pool: RunningScheduler,
) -> None:
    """The next turn goes to the node that reports the first one's state, until the key ends."""
    nodes = [await pool.join_live(name) for name in ("n1", "n2")]
    turns = [{"role": "user", "content": "Il était une fois une coopérative. " * 40}]
    body = {"model": "petit", "messages": turns}
    index = pool.driver._feeder.prefixes
    runs: list[tuple[str, str]] = []
    async with pool.session(await pool.operator.key("alpha")) as session:
        for cached in (0, 280):
            asked = asyncio.ensure_future(session.post("/v1/chat/completions", json=body))
            await eventually(lambda: any(node.runs for node in nodes))
            (node,) = (node for node in nodes if node.runs)
            run = node.runs.pop()
            name, job = node.name, run.job
            runs.append((name, job))
            await node.send_heartbeat(prefix_held=())
            await node.finish(run, input_tokens=300, cached_tokens=cached, output_tokens=5)
            assert 200 == (await asked).status
            await node.send_heartbeat(prefix_held=(job,))
            await eventually(lambda name=name, job=job: [job] == list(index._by_node.get(name, ())))
            turns += [{"role": "assistant", "content": "Oui."}, {"role": "user", "content": "Et ?"}]
    explained = pool.driver.explain(runs[1][1])
    held = len(index._held)
    (key,) = (await pool.operator.ask("ListKeys", admin_pb2.ListKeysRequest(coop="alpha"))).keys
    await pool.operator.ask("RevokeKey", admin_pb2.RevokeKeyRequest(key=key.key))
    await eventually(lambda: len(node.forgotten) == 4)

    assert (1, {}, {}) == (held, index._held, index._by_mark)
    assert run.partition[: m.OWNER_BYTES] in node.forgotten
    assert runs[0][0] == runs[1][0]
    assert explained is not None
    assert explained.values["cached_tokens"] == pytest.approx(300, abs=30)
