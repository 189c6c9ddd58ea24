"""While an answer waits to be continued, the core hears what its client has of it."""

from tests.core.builders import usage
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler
from tests.scheduler.test_scheduler_adapters import RecordingSink, moved_answer
from tests.waiting import eventually

from entraide.types import Outcome
from entraide.wire import messages as m
from entraide_scheduler.bus import NatsSchedulerAdapter


async def test_gateway_says_what_came_of_a_run_that_broke(
    pool: RunningScheduler, bus: NatsPool
) -> None:
    """The node reports seven tokens, of which the gateway had said two; then it says three."""
    adapter, sink = NatsSchedulerAdapter(await bus.gateway("second"), "second"), RecordingSink()
    await adapter.start(sink)
    node, _, second = await moved_answer(pool, (adapter, sink))
    core, listener = pool.driver.core, pool.service.parts.gateway_listener

    def known_tokens() -> int | None:
        return core.earlier_runs("job-1")[-1].delivered_tokens

    adapter.report_sent([("job-1", second.epoch, 2)])
    await eventually(lambda: listener._known["second"].sent)
    await node.send_heartbeat(reason="engine_down")
    report = m.UsageReport(
        "job-1", second.epoch, Outcome.FAILED, "engine_failed", True, usage(output_tokens=7)
    )
    await node.send(report)
    await eventually(lambda: core.awaits_continuation("job-1"))
    before = known_tokens()
    adapter.report_sent([("job-1", second.epoch, 3)])
    await eventually(lambda: known_tokens() == 3)
    await adapter.stop()

    assert 2 == before
