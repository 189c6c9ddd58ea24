"""Desks: gateways in processes of their own, across the bus."""

import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.core.builders import facts
from tests.integration.nats_support import NatsPool
from tests.scheduler.driver_support import eventually
from tests.scheduler.pool_support import RunningScheduler

from entraide.errors import PoolUnreachable
from entraide.types import JobKind, JobState
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide_scheduler.bus import NatsNodeChannel, NatsSchedulerAdapter, subscribe_answers


class Ears:
    """A gateway that keeps what it hears."""

    def __init__(self) -> None:
        self.down: list[m.GatewayDown] = []
        self.out: list[tuple[str, m.NodeOut]] = []

    def on_scheduler_message(self, message: m.GatewayDown) -> None:
        self.down.append(message)

    def on_node_message(self, node: str, message: m.NodeOut) -> None:
        self.out.append((node, message))


@pytest.fixture
async def apart(
    pool: RunningScheduler, bus: NatsPool
) -> AsyncIterator[tuple[NatsSchedulerAdapter, Ears]]:
    """A gateway of its own at the scheduler's desk."""
    ears = Ears()
    connection = await bus.gateway("second")
    desk = NatsSchedulerAdapter(connection, "second", ears)
    await desk.start()
    await subscribe_answers(connection, "second", ears)
    await connection.flush()
    yield desk, ears
    await desk.stop()


async def test_gateway_apart_asks_places_runs_and_hears_the_end(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, Ears]
) -> None:
    """A job of a gateway apart goes its whole way over the bus, receipt included."""
    desk, ears = apart
    node = await pool.join()
    await node.hello()
    await eventually(lambda: pool.state("n1") == "live")
    desk.submit(facts("job-1", gateway="second"))
    await eventually(lambda: ears.down)
    placed = ears.down[0]
    assert isinstance(placed, m.JobPlaced)
    run = m.StartRun("job-1", placed.epoch, "second", "/v1/completions", "petit", False, b"{}")
    NatsNodeChannel(desk.publisher).run(placed.node, run)
    await eventually(lambda: node.runs)
    await node.finish(node.runs[0])
    await eventually(lambda: len(ears.down) == 2)
    await eventually(lambda: ears.out)
    await eventually(lambda: node.got(m.UsageAck))
    explained = await desk.explain("job-1", "alpha")

    assert [run] == node.runs
    assert [("n1", m.RunEnded)] == [(name, type(message)) for name, message in ears.out]
    assert JobState.COMPLETED == ears.down[1].state
    assert explained.explanation is not None
    assert explained.receipt is not None
    assert ("placed", True) == (explained.explanation.decision, explained.receipt.settled)
    assert m.ExplanationReply(None) == await desk.explain("job-1", "beta")
    assert m.ExplanationReply(None) == await desk.explain("job-2", "alpha")
    listed = {card.model: card.means for card in await desk.models()}
    assert {"petit": "", "auto": "petit"} == listed


async def test_jobs_of_a_silent_gateway_end(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, Ears]
) -> None:
    """When a gateway falls silent its live jobs end, and its kept jobs do not."""
    desk, ears = apart
    node = await pool.join()
    await node.hello()
    await eventually(lambda: pool.state("n1") == "live")
    desk.submit(facts("job-live", gateway="second"))
    desk.submit(facts("job-kept", gateway="main", kind=JobKind.KEPT))
    await eventually(lambda: ears.down)
    await desk.stop()
    await eventually(lambda: pool.live.core.job("job-live").state == "failed")
    kept = pool.live.core.job("job-kept")

    assert "gateway_lost" == pool.live.core.job("job-live").code
    assert kept is not None
    assert kept.code != "gateway_lost"


async def test_same_request_twice_is_one_job(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, Ears]
) -> None:
    """A gateway that asks again for a job that is known changes nothing."""
    desk, ears = apart
    node = await pool.join()
    await node.hello()
    await eventually(lambda: pool.state("n1") == "live")
    desk.submit(facts("job-1", gateway="second"))
    await eventually(lambda: ears.down)
    desk.submit(facts("job-1", gateway="second"))
    await desk.models()

    assert 1 == len([one for one in ears.down if isinstance(one, m.JobPlaced)])
    assert 0 == pool.live.counts["dropped.duplicate"]


async def test_gateway_cannot_ask_in_the_name_of_another(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, Ears]
) -> None:
    """A request whose facts name a foreign gateway is dropped and counted."""
    desk, _ = apart
    desk.submit(facts("job-1", gateway="third"))
    await eventually(lambda: pool.live.counts["gateway.foreign"])

    assert pool.live.core.job("job-1") is None


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
    "too many blocks": {"prefix_keys": (2**63,) * 65_537},
}


@pytest.mark.parametrize("name", UNSOUND)
async def test_facts_out_of_bounds_are_refused_before_the_core(
    pool: RunningScheduler, apart: tuple[NatsSchedulerAdapter, Ears], name: str
) -> None:
    """A gateway whose numbers no core could reckon with is told so; the next request is served."""
    changes = UNSOUND[name]
    desk, ears = apart
    node = await pool.join()
    await node.hello()
    await eventually(lambda: pool.state("n1") == "live")
    desk.submit(facts("job-bad", gateway="second", **changes))
    desk.submit(facts("job-good", gateway="second"))
    await eventually(lambda: len(ears.down) == 2)
    refused, placed = ears.down

    assert ("job-bad", "invalid_request") == (refused.job, refused.code)
    assert next(iter(changes)) == refused.values["param"]
    assert ("job-good", m.JobPlaced) == (placed.job, type(placed))
    assert pool.live.core.job("job-bad") is None


async def test_desk_without_a_scheduler_says_so(bus: NatsPool) -> None:
    """Questions that no scheduler answers end as unreachable."""
    desk = NatsSchedulerAdapter(await bus.gateway("second"), "second", Ears())
    with pytest.raises(PoolUnreachable) as refused:
        await desk.models()
    await desk.publisher.close()

    assert "pool_unreachable" == refused.value.code


async def test_message_that_cannot_be_read_is_dropped(
    pool: RunningScheduler, bus: NatsPool, apart: tuple[NatsSchedulerAdapter, Ears]
) -> None:
    """Noise on a gateway's subject is counted, and the next message is heard."""
    desk, _ = apart
    connection = await bus.gateway("second")
    await connection.publish(subjects.gateway_up("second"), b"\xc1")
    await connection.publish(subjects.gateway_up("second"), codec.encode(m.UsageAck("a", 1)))
    await connection.flush()
    await eventually(lambda: pool.live.counts["gateway.undecodable"] == 2)

    assert () == await desk.models()
