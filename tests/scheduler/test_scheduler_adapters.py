"""Scheduler adapters: gateways in processes of their own, over the bus."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.builders import facts, replica, usage
from tests.integration.nats_support import NatsPool, listen
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode, running_scheduler
from tests.waiting import eventually

from entraide.errors import PoolUnreachable
from entraide.types import JobKind, JobState, Outcome
from entraide.v1 import admin_pb2
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide_scheduler.bus import NatsNodeChannel, NatsSchedulerAdapter, subscribe_answers


class RecordingSink:
    """A gateway that records its messages."""

    def __init__(self) -> None:
        self.down: list[m.GatewayDown] = []
        self.heard: list[m.GatewayHeard] = []
        self.out: list[tuple[str, m.NodeOut]] = []

    def on_scheduler_message(self, message: m.GatewayDown) -> None:
        if isinstance(message, m.GatewayHeard):
            self.heard.append(message)
        else:
            self.down.append(message)

    def on_node_message(self, node: str, message: m.NodeOut) -> None:
        self.out.append((node, message))


@pytest.fixture
async def apart(
    pool: RunningScheduler, bus: NatsPool
) -> AsyncIterator[tuple[NatsSchedulerAdapter, RecordingSink]]:
    """A gateway in a process of its own: its adapter and its sink."""
    sink = RecordingSink()
    connection = await bus.gateway("second")
    adapter = NatsSchedulerAdapter(connection, "second")
    await adapter.start(sink)
    await subscribe_answers(connection, "second", sink)
    await connection.flush()
    yield adapter, sink
    await adapter.stop()


async def join_live_node(pool: RunningScheduler) -> ScriptedNode:
    """A node whose hello the scheduler has handled."""
    node = await pool.join()
    await node.send_hello()
    await eventually(lambda: pool.state("n1") == "live")
    return node


TOKENS = tuple(codec.encode(m.Tokens("job-1", 1, n, 1, b"data: a\n\n")) for n in range(3))


async def test_joined_parts_come_in_their_order(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """What follows a part that cannot be read, or comes with too many, is dropped; others come."""
    _, sink = apart
    node = await join_live_node(pool)
    for parts in (
        TOKENS,
        (TOKENS[0], b"\x92", TOKENS[1]),
        (TOKENS[1], codec.encode(m.JoinedParts(TOKENS)), TOKENS[2]),
        (TOKENS[0],) * (m.PARTS_MAX + 1),
        (),
        (TOKENS[2],),
    ):
        joined = msgspec.msgpack.encode(["parts", parts])
        await node.connection.publish(subjects.node_out(node.key, "second"), joined)
    await eventually(lambda: len(sink.out) >= 6)

    assert [0, 1, 2, 0, 1, 2] == [message.first for _, message in sink.out]
    assert {node.key} == {key for key, _ in sink.out}


async def test_gateway_apart_asks_places_runs_and_hears_the_end(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """A job of a gateway apart goes its whole way over the bus, receipt included."""
    adapter, sink = apart
    node = await join_live_node(pool)
    await pool.operator.ask("SetCoop", admin_pb2.Coop(coop="beta", name="Les Abeilles"))
    adapter.submit(facts("job-1", gateway="second"))
    await eventually(lambda: sink.down)
    placed = sink.down[0]
    assert isinstance(placed, m.JobPlaced)
    run = m.StartRun("job-1", placed.epoch, "second", "/v1/completions", "petit", False, b"{}")
    NatsNodeChannel(adapter.publisher).run(placed.terms.node_key, run)
    await eventually(lambda: node.runs)
    await node.finish(node.runs[0])
    await eventually(lambda: len(sink.down) == 2)
    await eventually(lambda: sink.out)
    await eventually(lambda: node.received(m.UsageAck))
    explained = await adapter.explain("job-1", "alpha")

    assert [run] == node.runs
    assert [(node.key, m.RunEnded)] == [(key, type(message)) for key, message in sink.out]
    assert JobState.COMPLETED == sink.down[1].state
    assert explained.explanation is not None
    assert explained.receipt is not None
    assert {"beta": "Les Abeilles"} == explained.explanation.coop_names
    assert ("placed", True) == (explained.explanation.decision, explained.receipt.settled)
    assert m.ExplanationReply(None) == await adapter.explain("job-1", "beta")
    assert m.ExplanationReply(None) == await adapter.explain("job-2", "alpha")
    listed = {card.model: card.means for card in await adapter.list_models()}
    assert {"petit": "", "auto": "petit"} == listed


async def test_jobs_of_a_gateway_that_stops_end(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """When a gateway says goodbye its live jobs end, and its kept jobs do not."""
    adapter, sink = apart
    await join_live_node(pool)
    adapter.submit(facts("job-live", gateway="second"))
    adapter.submit(facts("job-kept", gateway="main", kind=JobKind.KEPT))
    await eventually(lambda: sink.down)
    await adapter.stop()
    await eventually(lambda: pool.driver.core.job("job-live").state == "failed")
    kept = pool.driver.core.job("job-kept")

    assert "gateway_lost" == pool.driver.core.job("job-live").code
    assert kept is not None
    assert kept.code != "gateway_lost"
    assert ["stopped"] == [each.state for each in pool.gateways.list_gateways()]


async def test_gateway_hears_of_its_jobs_whose_messages_were_lost(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """A gateway that lists its jobs is told which ones are over or unknown, and of no others."""
    adapter, sink = apart
    await join_live_node(pool)
    for job in ("job-over", "job-under-way"):
        adapter.submit(facts(job, gateway="second"))
    adapter.cancel("job-over", "client_gone")
    await adapter.list_models()  # all that was sent before has arrived
    await eventually(lambda: pool.driver.core.job("job-over").ended_at)
    await eventually(lambda: "job-under-way" in [getattr(each, "job", "") for each in sink.down])
    sink.down.clear()
    adapter.report_held(("job-over", "job-under-way", "job-unheard-of"))
    await eventually(lambda: len(sink.down) == 2)
    ended, unknown = sink.down

    assert ("job-over", JobState.CANCELLED, "client_gone") == (ended.job, ended.state, ended.code)
    assert m.JobUnknown("job-unheard-of") == unknown


async def test_two_gateways_of_one_name_are_noticed(
    pool: RunningScheduler, bus: NatsPool, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """A new life of a gateway ends the former's jobs; two lives at once are an incident."""
    adapter, sink = apart
    await eventually(lambda: sink.heard)
    adapter.submit(facts("job-1", gateway="second"))
    await eventually(lambda: sink.down)
    other = NatsSchedulerAdapter(await bus.gateway("second"), "second")
    await other.start(RecordingSink())
    await eventually(pool.driver.health.incidents)
    listed = pool.gateways.list_gateways()
    await other.stop()

    assert (True, ()) == (sink.heard[0].is_new, sink.heard[0].jobs)
    assert pool.driver.core.job("job-1").ended_at
    assert ["gateway_twice"] == [each.code for each in pool.driver.health.incidents()]
    assert [("second", True)] == [(each.gateway, each.is_twice) for each in listed]


async def test_first_answer_names_the_jobs_that_the_scheduler_knows(
    tmp_path: Path, bus: NatsPool
) -> None:
    """After a restart of both, a gateway hears of the jobs of its former life."""
    async with running_scheduler(tmp_path, bus) as pool:
        await join_live_node(pool)
        former = NatsSchedulerAdapter(await bus.gateway("second"), "second")
        former.submit(facts("job-1", gateway="second"))
        await eventually(lambda: pool.driver.core.job("job-1"))
        await former.publisher.close()
    async with running_scheduler(tmp_path, bus):
        sink = RecordingSink()
        present = NatsSchedulerAdapter(await bus.gateway("second"), "second")
        await present.start(sink)
        await eventually(lambda: sink.heard)
        await present.stop()

    assert (True, ("job-1",)) == (sink.heard[0].is_new, sink.heard[0].jobs)


async def test_same_request_twice_is_one_job(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """A gateway that asks again for a job that is known changes nothing."""
    adapter, sink = apart
    await join_live_node(pool)
    adapter.submit(facts("job-1", gateway="second"))
    await eventually(lambda: sink.down)
    adapter.submit(facts("job-1", gateway="second"))
    await adapter.list_models()

    assert 1 == len([message for message in sink.down if isinstance(message, m.JobPlaced)])
    assert 0 == pool.driver.counts["dropped.duplicate"]


async def test_answer_for_which_a_gateway_still_waits_is_not_billed_and_runs_again(
    pool: RunningScheduler,
    apart: tuple[NatsSchedulerAdapter, RecordingSink],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A node has reported its run, and its gateway lists the job among those that it holds: the end
    of the answer was lost, and the job is placed again."""
    monkeypatch.setattr("entraide_scheduler.nodes.usage_reports.ON_ITS_WAY_S", 0.0)
    adapter, sink = apart
    node = await join_live_node(pool)
    adapter.submit(facts("job-1", gateway="second", stream=False))
    await eventually(lambda: sink.down)
    lost = sink.down[0]
    await node.send(m.Accept("job-1", lost.epoch))
    report = m.UsageReport("job-1", lost.epoch, Outcome.COMPLETED, "", True, usage())
    await node.send(report)
    reports = pool.service.parts.node_listener.reports
    await eventually(lambda: "job-1" in reports._held)
    early = pool.driver.counts["settled"]
    adapter.report_held(("job-1",))
    await eventually(lambda: len(sink.down) == 2)
    again = sink.down[1]

    assert (0, 0) == (early, pool.driver.counts["settled"])
    assert (m.JobPlaced, "job-1", True) == (type(again), again.job, again.epoch > lost.epoch)


async def test_answer_is_reported_again_when_the_scheduler_asks_for_its_job(
    pool: RunningScheduler, bus: NatsPool, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """A scheduler that was away while an answer came is told so again, and not that it is lost."""
    adapter, _ = apart
    heard = await listen(await bus.scheduler(), subjects.gateway_up("second"))
    answered = m.AnswerReceived("job-1", 1, "n1", usage())
    adapter.report_answer(answered)
    known = adapter.repeat_answer("job-1"), adapter.repeat_answer("job-2")
    await eventually(
        lambda: [data for _, data in heard.messages].count(codec.encode(answered)) == 2
    )

    assert (True, False) == known


async def test_answers_of_the_last_time_are_reported_again_after_an_outage_of_the_bus(
    bus: NatsPool, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """What was said just before the bus went may be lost; older words have come."""
    adapter, _ = apart
    heard = await listen(await bus.scheduler(), subjects.gateway_up("second"))
    old, new = (m.AnswerReceived(job, 1, "n1", usage()) for job in ("job-1", "job-2"))
    adapter._answers.add(old, time.monotonic() - 60.0)
    adapter.report_answer(new)
    await adapter.on_reconnected()
    await eventually(lambda: [data for _, data in heard.messages].count(codec.encode(new)) == 2)

    assert 0 == [data for _, data in heard.messages].count(codec.encode(old))


async def test_answer_is_reported_until_its_job_has_ended(
    pool: RunningScheduler, bus: NatsPool, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """The scheduler's connection was still away when the word of an answer came; then it is lost.

    Its gateway is killed later: what the client has is billed nevertheless, as it was repeated.
    """
    adapter, sink = apart
    node = await join_live_node(pool)
    adapter.submit(facts("job-1", gateway="second", stream=False))
    await eventually(lambda: sink.down)
    placed = sink.down[0]
    await node.send(m.Accept("job-1", placed.epoch))
    await eventually(lambda: pool.driver.core.job("job-1").state is JobState.ACTIVE)
    answer = m.AnswerReceived("job-1", placed.epoch, "n1", usage(output_tokens=7))
    adapter._answers.add(answer, time.monotonic())  # its message is lost
    heard = await listen(await bus.scheduler(), subjects.gateway_up("second"))
    adapter.repeat_unsettled_answers(least_age_s=60.0)
    adapter.repeat_unsettled_answers(least_age_s=0.0)
    parts = pool.service.parts
    await eventually(lambda: parts.node_listener.reports._unreported)
    listener = parts.gateway_listener
    listener._end_jobs("second", listener._known["second"])
    billed = await billed_tokens(pool)
    await eventually(lambda: any(isinstance(message, m.JobEnded) for message in sink.down))
    adapter.repeat_unsettled_answers(least_age_s=0.0)
    adapter.report_held(())
    await eventually(lambda: codec.encode(m.JobsHeld(())) in [data for _, data in heard.messages])

    assert 7 == billed
    assert 1 == [data for _, data in heard.messages].count(codec.encode(answer))


async def moved_answer(
    pool: RunningScheduler, gateway: tuple[NatsSchedulerAdapter, RecordingSink]
) -> tuple[ScriptedNode, m.JobPlaced, m.JobPlaced]:
    """A streamed answer whose machine has started again after two tokens, and its placements."""
    adapter, sink = gateway
    able = (replica(features=("resume",)),)
    node = await pool.join()
    await node.send_hello(replicas=able)
    await eventually(lambda: pool.state("n1") == "live")
    adapter.submit(facts("job-1", gateway="second", stream=True, resumable=True))
    await eventually(lambda: sink.down)
    first = sink.down[0]
    assert isinstance(first, m.JobPlaced)
    await node.send(m.Progress("job-1", first.epoch, 2))
    await eventually(lambda: pool.driver.core.job("job-1").state is JobState.ACTIVE)
    node.boot = "b2"
    await node.send_hello(replicas=able)
    await eventually(lambda: len(sink.down) == 2)
    second = sink.down[1]
    assert isinstance(second, m.JobPlaced)
    return node, first, second


async def billed_tokens(pool: RunningScheduler) -> int:
    """The output tokens of the settled receipt."""
    await eventually(lambda: pool.driver.counts["settled"])
    settled = await pool.service.parts.store.get_receipt("job-1")
    assert settled is not None
    return settled.receipt.output_tokens


async def test_whole_answer_of_a_run_that_was_given_up_is_billed(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """The client has all seven tokens, the word of it was lost, and the job is placed again: it
    ends at once, with what came."""
    adapter, _ = apart
    _, first, second = await moved_answer(pool, apart)
    answer = m.AnswerReceived("job-1", first.epoch, "n1", usage(output_tokens=7))
    unknown = adapter.complete_answered(second)
    adapter._answers.add(answer, time.monotonic())
    known = adapter.complete_answered(second)

    assert (False, True) == (unknown, known)
    assert 7 == await billed_tokens(pool)
    assert JobState.COMPLETED == pool.driver.core.job("job-1").state


async def test_what_came_before_a_seam_is_billed_though_the_word_of_it_was_lost(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """The core knows of two tokens; the gateway says at the end that three had come."""
    adapter, _ = apart
    node, first, second = await moved_answer(pool, apart)
    await node.send(m.Accept("job-1", second.epoch))
    used = usage(output_tokens=5)
    delivered = ((first.epoch, 3),)
    adapter.report_answer(m.AnswerReceived("job-1", second.epoch, "n1", used, delivered))
    report = m.UsageReport("job-1", second.epoch, Outcome.COMPLETED, "", True, used)
    await node.send(report)

    assert 8 == await billed_tokens(pool)


@pytest.mark.parametrize("starts_again", [False, True])
async def test_stream_of_a_gateway_that_is_lost_is_billed_by_what_it_said_last(
    pool: RunningScheduler,
    bus: NatsPool,
    apart: tuple[NatsSchedulerAdapter, RecordingSink],
    starts_again: bool,
) -> None:
    """It said two tokens, then three, then nothing; the node writes seven before it is stopped."""
    adapter, _ = apart
    node, _, second = await moved_answer(pool, apart)
    await node.send(m.Progress("job-1", second.epoch, 7))
    adapter.report_sent([("job-0", 1, 5), ("job-1", second.epoch, 2)])
    adapter.report_sent([("job-1", second.epoch, 3)])
    await eventually(
        lambda: (
            pool.service.parts.gateway_listener._known["second"].sent
            == {"job-1": (second.epoch, 3)}
        )
    )
    if starts_again:
        present = NatsSchedulerAdapter(await bus.gateway("second"), "second")
        await present.start(RecordingSink())
    else:
        await adapter.stop()
    await eventually(lambda: pool.driver.core.job("job-1").ended_at)
    used = usage(output_tokens=7)
    await node.send(m.UsageReport("job-1", second.epoch, Outcome.CANCELLED, "", True, used))

    assert 3 == await billed_tokens(pool)
    if starts_again:
        await present.stop()


async def test_gateway_cannot_ask_in_the_name_of_another(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """A request whose facts name a foreign gateway is dropped and counted."""
    adapter, _ = apart
    adapter.submit(facts("job-1", gateway="third"))
    await eventually(lambda: pool.driver.counts["gateway.foreign"])

    assert pool.driver.core.job("job-1") is None


UNSOUND: dict[str, dict[str, Any]] = {
    "a cap of an exagram": {"max_carbon_ug": 2**60},
    "less than no carbon": {"max_carbon_ug": -5},
    "a deadline that is no number": {"deadline_at": math.nan},
    "an endless deadline": {"deadline_at": math.inf},
    "a deadline in centuries": {"deadline_at": 1e300},
    "a prompt of all that was written": {"input_tokens_max": 2**60},
    "an answer of nothing": {"output_tokens_max": 0},
    "too many answers": {"choices": 10**9},
    "a long feature": {"features": ("x" * 65,)},
    "too many features": {"features": tuple(str(n) for n in range(17))},
    "a long model": {"model": "m" * 257},
    "a model's control signs": {"model": "m\x1b[2J"},
    "a long session": {"session": "s" * 129},
    "machines that hold its beginning": {"warm": (("n1", 10),)},
    "too many blocks": {"prefix_keys": (2**63,) * 65_537},
}


@pytest.mark.parametrize("name", UNSOUND)
async def test_facts_out_of_bounds_are_refused_before_the_core(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, RecordingSink], name: str
) -> None:
    """A gateway whose numbers no core could reckon with is told so; the next request is served."""
    changes = UNSOUND[name]
    adapter, sink = apart
    await join_live_node(pool)
    adapter.submit(facts("job-bad", gateway="second", **changes))
    adapter.submit(facts("job-good", gateway="second"))
    await eventually(lambda: len(sink.down) == 2)
    refused, placed = sink.down

    assert ("job-bad", "invalid_request") == (refused.job, refused.code)
    assert next(iter(changes)) == refused.values["param"]
    assert ("job-good", m.JobPlaced) == (placed.job, type(placed))
    assert pool.driver.core.job("job-bad") is None


async def test_a_question_waits_while_the_scheduler_changes(tmp_path: Path, bus: NatsPool) -> None:
    """A gateway that asks before the scheduler has begun gets its answer all the same."""
    adapter = NatsSchedulerAdapter(await bus.gateway("second"), "second")
    asked = asyncio.create_task(adapter.list_models())
    await asyncio.sleep(0)  # the question goes out
    async with running_scheduler(tmp_path, bus):
        models = await asked
    await adapter.publisher.close()

    assert () == models


async def test_desk_without_a_scheduler_says_so(
    bus: NatsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions that no scheduler answers end as unreachable."""
    monkeypatch.setattr("entraide_scheduler.bus.bus.AWAY_MAX_S", 0.0)
    adapter = NatsSchedulerAdapter(await bus.gateway("second"), "second")
    with pytest.raises(PoolUnreachable) as refused:
        await adapter.list_models()
    await adapter.publisher.close()

    assert "pool_unreachable" == refused.value.code


async def test_message_that_cannot_be_read_is_dropped(
    pool: RunningScheduler, bus: NatsPool, apart: tuple[NatsSchedulerAdapter, RecordingSink]
) -> None:
    """Noise on a gateway's subject is counted, and the next message is heard."""
    adapter, _ = apart
    connection = await bus.gateway("second")
    await connection.publish(subjects.gateway_up("second"), b"\xc1")
    await connection.publish(subjects.gateway_up("second"), codec.encode(m.UsageAck("a", 1)))
    await connection.flush()
    await eventually(lambda: pool.driver.counts["gateway.undecodable"] == 2)

    assert () == await adapter.list_models()
