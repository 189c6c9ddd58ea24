"""A message on which the core fails: its sender is set aside, and everybody else is served.

The core's handler is made to fail, since no message is known that makes it; all else is real: the
scheduler, its bus, its store and its gateway.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.nats_support import NatsPool, running_pool
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode, running_scheduler
from tests.waiting import eventually

from entraide.v1 import admin_pb2 as a
from entraide.wire import messages as m
from entraide_scheduler.core import events, machine
from entraide_scheduler.core.machine import HANDLERS

CHAT = {"model": "petit", "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 9}
ANSWER = b'{"choices":[{"message":{"content":"Salut"}}]}'


def break_for(monkeypatch: pytest.MonkeyPatch, kind: type, is_bad: Callable[[Any], bool]) -> None:
    """Makes a handler spoil the state and raise for some events."""
    handle = HANDLERS[kind]

    def broken(state: Any, event: Any) -> None:
        handle(state, event)
        if is_bad(event):
            state.fleet.nodes.clear()
            raise ZeroDivisionError("spoilt")

    monkeypatch.setattr(machine, "HANDLERS", {**HANDLERS, kind: broken})


async def ready(pool: RunningScheduler) -> tuple[int, Any]:
    """Returns what ``/readyz`` says."""
    async with pool.session("") as session, session.get("/readyz") as answer:
        return answer.status, await answer.json()


async def served(pool: RunningScheduler, node: ScriptedNode, key: str) -> int:
    """Asks for a chat that a node answers; returns the HTTP status."""
    before = len(node.runs)
    await node.send_heartbeat()
    async with pool.session(key) as session:
        asked = asyncio.ensure_future(session.post("/v1/chat/completions", json=CHAT))
        await eventually(lambda: asked.done() or len(node.runs) > before)
        if not asked.done():
            await node.finish(node.runs[-1], ANSWER)
        return (await asked).status


@pytest.fixture
async def bus(tmp_path: Path) -> Any:
    """A bus of its own: the pool on it is started twice."""
    async with running_pool(tmp_path) as pool:
        yield pool


async def test_a_node_on_whose_hello_the_core_fails_is_set_aside(
    tmp_path: Path, bus: NatsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another co-op is served, readiness says why, a restart changes nothing, approval ends it."""
    async with running_scheduler(tmp_path, bus) as pool:
        good, bad = await pool.join("good", "beta"), await pool.join("bad", "alpha")
        key = await pool.operator.key("beta")
        await good.send_hello()
        await eventually(lambda: pool.state("good") == "live")
        break_for(monkeypatch, events.NodeJoined, lambda event: event.card.node == "bad")
        await bad.send_hello()
        await eventually(lambda: pool.driver.core.quarantines())  # noqa: PLW0108  (another core)
        await bad.send_hello()
        await eventually(lambda: pool.driver.counts["node.quarantined"])
        first = await served(pool, good, key)
        status, said = await ready(pool)
        shown = await pool.operator.node("bad")
        async with pool.session(key) as session, session.get("/metrics") as answer:
            metrics = await answer.text()
    monkeypatch.undo()
    async with running_scheduler(tmp_path, bus) as pool:
        good = await pool.enter("good", good.identity, [bus.url])
        bad = await pool.enter("bad", bad.identity, [bus.url])
        await good.send_hello()
        await bad.send_hello()
        await eventually(lambda: pool.driver.counts["node.quarantined"])
        second = await served(pool, good, key)
        kept = pool.state("bad"), (await pool.operator.node("bad")).quarantine.reason
        await pool.operator.ask("ApproveNode", a.NodeRequest(node="bad"))
        await bad.send_heartbeat()
        await eventually(lambda: bad.received(m.HelloRequest))
        await bad.send_hello()
        await eventually(lambda: pool.state("bad") == "live")

        assert (200, 200) == (first, second)
        assert (200, True, "degraded") == (status, said["ready"], said["status"])
        codes = {(reason["code"], reason["what"]) for reason in said["reasons"]}
        assert {("event_dropped", "joined"), ("node_quarantined", "joined")} == codes
        assert 'entraide_scheduler_counted_total{what="event_dropped.joined"} 1.0' in metrics
        assert ("event_raised", "joined") == (shown.quarantine.reason, shown.quarantine.detail)
        assert ("", "event_raised") == kept
        assert all(sum(unit) == 0 for unit in totals(pool))
        assert (200, "ok") == ((await ready(pool))[0], (await ready(pool))[1]["status"])


def totals(pool: RunningScheduler) -> list[list[int]]:
    """The balances of all co-ops, by unit."""
    balances = pool.driver.core.balances().values()
    return [
        [balance[unit] for balance in balances] for unit in ("tokens", "energy_uwh", "carbon_ug")
    ]


async def test_a_client_on_whose_request_the_core_fails_is_answered_at_once(
    tmp_path: Path, bus: NatsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets ``internal``, then its key is refused; another co-op's key is served."""
    async with running_scheduler(tmp_path, bus) as pool:
        node = await pool.join("good", "beta")
        await node.send_hello()
        await eventually(lambda: pool.state("good") == "live")
        bad, good = await pool.operator.key("alpha"), await pool.operator.key("beta")
        break_for(monkeypatch, events.JobRequested, lambda event: event.facts.coop == "alpha")
        statuses = [await served(pool, node, bad), await served(pool, node, bad)]
        other = await served(pool, node, good)
        monkeypatch.undo()
        (listed,) = (await pool.operator.ask("ListKeys", a.ListKeysRequest(coop="alpha"))).keys
        await pool.operator.ask("ClearKey", a.ClearKeyRequest(key=listed.key))

        assert [500, 403] == statuses
        assert 200 == other
        assert "event_raised" == listed.quarantine.reason
        assert 200 == await served(pool, node, bad)
