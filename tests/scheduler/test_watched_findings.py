"""What the running scheduler finds by itself: seen by the operator and in the metrics, and over."""

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.core.builders import facts
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.scheduler.test_metrics import read_page, samples_of
from tests.waiting import until_read

from entraide.v1 import admin_pb2
from entraide_scheduler.core import events as e
from entraide_scheduler.findings import note_start
from entraide_scheduler.monitor import Monitor
from entraide_scheduler.store.schema import leadership
from entraide_scheduler.store.store import Store

SHORT_S = 1.5  # for what lasts a minute


async def list_findings(pool: RunningScheduler, lang: str = "fr") -> dict[str, Any]:
    """What the operator is told at once, by code."""
    request = admin_pb2.ListFindingsRequest(running_only=True)
    answer = await pool.operator.ask("ListFindings", request, lang=lang)
    return {each.code: each for each in answer.findings}


async def test_what_nodes_and_gateways_suffer_is_found_and_ends(
    pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed agent, a stopped engine, a wrong clock, a lost bus and a broken answer are named
    while they last and for a moment after, in the caller's language, and then no more."""
    node = await pool.join_live()
    before = await list_findings(pool)
    node.boot = "another"
    node.clock_off_s = 3_600.0
    await node.send_hello()
    await node.send_heartbeat()
    await node.send_heartbeat(reason="engine_down")
    pool.driver.feed(e.BusLost(*e.UNNUMBERED))
    pool.driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts("lost", gateway="g9")))
    pool.driver.feed(e.GatewayLost(*e.UNNUMBERED, gateway="g9"))
    codes = {"restarts-recent", "nodes-engine", "nodes-clock", "streams-broken", "nodes-none"}
    present = await until_read(lambda: list_findings(pool), lambda each: codes <= each.keys())
    english = await list_findings(pool, "en")
    async with pool.session(await pool.operator.key()) as session:
        samples = samples_of(await read_page(session))
    monkeypatch.setattr("entraide_scheduler.monitor.monitor.HELD_S", SHORT_S)
    monkeypatch.setattr("entraide_scheduler.findings.occurrences.RECENT_S", SHORT_S)
    node.clock_off_s = 0.0
    await node.send_heartbeat()
    await until_read(lambda: list_findings(pool), lambda each: not codes & each.keys())

    assert set() == codes & before.keys()
    assert 1.0 == samples["entraide_finding"]["nodes-clock", "warn"]
    assert 0.0 == samples["entraide_finding"]["books-unbalanced", "fail"]
    assert samples["entraide_store_bytes"][()] > 0
    assert "L’horloge de ces machines" in present["nodes-clock"].sentence
    assert "clocks of these machines" in english["nodes-clock"].sentence
    assert "entraide node doctor" in present["nodes-engine"].remedy
    assert {"nodes": "n1"} == dict(present["nodes-engine"].names)
    assert 0.0 <= time.time() - present["nodes-clock"].since < 60.0


async def test_books_that_do_not_balance_and_a_failing_check_are_seen(
    pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit is named; a check that fails itself hides no other one's finding."""
    core = type(pool.driver.core)
    monkeypatch.setattr(core, "balances", lambda _: {"alpha": {"tokens": 3}, "beta": {"tokens": 0}})
    monkeypatch.setattr(Monitor, "_check_fleet", lambda _: 1 / 0)
    present = await until_read(lambda: list_findings(pool), lambda each: "books-unbalanced" in each)

    assert "tokens" in present["books-unbalanced"].sentence
    assert "fail" == present["books-unbalanced"].level


async def leave_term(folder: Path, leader: str) -> None:
    """Leaves the store of a pool with a term that its scheduler has not ended."""
    store = await Store.open(f"sqlite:///{folder / 'store.db'}")
    await store.take_term(leader)
    past = update(leadership).values(expires_at=1.0)
    await store.write(lambda c: c.execute(past) and None)
    await store.close()


async def test_scheduler_that_was_killed_says_so(tmp_path: Path, bus: NatsPool) -> None:
    """A start that follows no orderly end is found; one that does is not. If the end was that of a
    scheduler elsewhere, it is named."""
    parts, predecessors = [], []
    for is_killed in (False, True, False):
        if is_killed:  # as a process that had no time to note its end
            note_start(tmp_path, "scheduler")
            await leave_term(tmp_path, "elsewhere:/pool (0)")
        async with running_scheduler(tmp_path, bus) as pool:
            present = await list_findings(pool)
            restarts, taken = present.get("restarts-recent"), present.get("scheduler-taken")
            parts.append(restarts is not None and restarts.names["part"])
            predecessors.append(taken is not None and taken.names["leader"])

    assert [False, "elsewhere:/pool (0)", False] == predecessors
    assert [False, "scheduler", "scheduler"] == parts  # the last one remembers it for a minute
