"""A node that sends too much: the excess is dropped and counted, and the store stays small."""

import asyncio

import pytest
from tests.core.builders import usage
from tests.hostile.pool import NO_ENERGY, HostilePool, RogueNode
from tests.waiting import eventually

from entraide.wire import codec
from entraide.wire import messages as m
from entraide_scheduler.node_validation.rate_limits import (
    BURST,
    MESSAGES_PER_S,
    RUN_BURST,
    NodeRateLimits,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

FLOOD = 2_000


async def test_flood_is_dropped(pool: HostilePool, rogue: RogueNode) -> None:
    """Of two thousand messages at once most are dropped, and nobody else waits for them."""
    await rogue.hello()
    before = pool.count("node.too_many")
    accept = codec.encode(m.Accept("nothing", 1))
    for _ in range(FLOOD):
        await rogue.node.connection.publish(f"node.{rogue.node.key}.up.ctl", accept)
    await rogue.node.connection.flush()
    await eventually(lambda: pool.count("node.too_many") > before + FLOOD / 2)

    await pool.check()


async def test_run_goes_on_while_its_node_floods(pool: HostilePool, rogue: RogueNode) -> None:
    """What belongs to a run has a rate of its own: the client of that run gets its answer."""
    await rogue.hello()
    await eventually(lambda: pool.running.state(rogue.name) == "live")
    asked = asyncio.create_task(pool.ask(rogue.model))
    run = await rogue.run()
    accept = codec.encode(m.Accept("nothing", 1))
    for _ in range(FLOOD):
        await rogue.node.connection.publish(f"node.{rogue.node.key}.up.ctl", accept)
    await rogue.finish(run, usage(input_tokens=9, output_tokens=3, **NO_ENERGY))
    status, _ = await asked

    assert 200 == status
    await eventually(lambda: pool.running.driver.core.job(run.job).ended_at > 0.0)
    await pool.check()


async def test_large_declines_do_not_fill_the_store(pool: HostilePool, rogue: RogueNode) -> None:
    """Ten declines of 6 MiB leave the store as it was, to within a megabyte."""
    await rogue.hello()
    before, size = pool.count("node.too_large"), pool.store_bytes()
    for _ in range(10):
        await rogue.send(m.Decline("j", 1, "full", {"x": "y" * 6 * 1024 * 1024}))
    await eventually(lambda: pool.count("node.too_large") == before + 10)
    await pool.check()

    assert pool.store_bytes() - size < 1024 * 1024


async def test_bucket_gives_what_it_says() -> None:
    """A node may send its burst at once, and then its rate; a long message counts as several."""
    rates = NodeRateLimits()
    sent = sum(rates.take_control("n", 10, 1_000.0) for _ in range(500))
    later = sum(rates.take_control("n", 10, 1_001.0) for _ in range(500))
    other = rates.take_control("m", 10, 1_001.0)
    long = sum(rates.take_control("l", 400 * 1024, 1_000.0) for _ in range(500))

    assert (BURST, MESSAGES_PER_S, True, 1) == (sent, later, other, long)


async def test_fast_node_is_not_held_back() -> None:
    """A thousand runs in a tenth of a second, each with its four messages, all count."""
    rates = NodeRateLimits()
    taken = [
        rates.take_run("n", f"job-{number}", 1, 1_000.0 + number / 10_000)
        for number in range(1_000)
        for _ in range(4)
    ]
    flood = sum(rates.take_run("n", "job-0", 1, 1_001.0) for _ in range(500))

    assert all(taken)
    assert RUN_BURST == flood


async def test_clock_that_stands_back_gives_nothing() -> None:
    """A time before the last one neither fills nor empties a bucket."""
    rates = NodeRateLimits()
    for _ in range(int(BURST)):
        rates.take_control("n", 10, 1_000.0)

    assert not rates.take_control("n", 10, 0.0)
    assert not rates.take_control("n", 10, 1_000.0)
