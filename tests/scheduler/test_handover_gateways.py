"""Gateways that take part in a handover only, as the scheduler hears them on a real bus."""

import time

from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler
from tests.waiting import eventually

from entraide.wire import codec, subjects
from entraide.wire import messages as m


async def test_gateways_of_a_handover_are_forgotten(pool: RunningScheduler, bus: NatsPool) -> None:
    """One whose goodbye is its first message to this scheduler, and one that is heard no more."""
    leaving = await bus.gateway("interim-1")
    await leaving.publish(
        subjects.gateway_up("interim-1"), codec.encode(m.GatewayGoodbye("boot-1"))
    )
    silent = await bus.gateway("interim-2")
    beat = m.GatewayHeartbeat("boot-2", "0.1", "", time.time())
    await silent.publish(subjects.gateway_up("interim-2"), codec.encode(beat))
    await eventually(
        lambda: ["interim-2"] == [each.gateway for each in pool.gateways.list_gateways()]
    )
    pool.gateways._known["interim-2"].lost_at = 0.0
    pool.gateways.report_lost_gateways()

    assert [] == pool.gateways.list_gateways()
