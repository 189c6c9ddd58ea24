"""The direct way of messages through a real bus: order, loss, size and speed of its reader."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop
from nats import errors
from tests.integration.nats_support import NatsPool, listen, node_key, running_pool
from tests.suspending import suspended
from tests.waiting import eventually

from entraide.wire import subjects
from entraide.wire.bus_connection import (
    FLUSH_TIMEOUT_S,
    PENDING_MAX_BYTES,
    ROOM_BYTES,
    SENDING_MAX_BYTES,
    BusConnection,
)

N = node_key("n")
UP = subjects.node_ctl_up(N)


async def pair(pool: NatsPool) -> tuple[BusConnection, BusConnection, list[bytes]]:
    """A node, a scheduler that receives from it, and what it has received."""
    node, scheduler = await pool.node("n"), await pool.scheduler()
    received: list[bytes] = []
    await scheduler.receive(subjects.ALL_NODES_CTL, lambda _, data: received.append(data))
    await scheduler.flush()
    return node, scheduler, received


async def order_is_kept(pool: NatsPool) -> None:
    """Messages arrive once, in their order, also between those that nats-py publishes."""
    node, _, received = await pair(pool)
    for number in range(2_000):
        if number % 7:
            node.send(UP, b"%d" % number)
        else:
            await node.publish(UP, b"%d" % number)
        if number % 50 == 0:
            await asyncio.sleep(0)
    await eventually(lambda: len(received) >= 2_000)

    assert [b"%d" % number for number in range(2_000)] == received


async def what_comes_in_the_next_turn_goes_in_the_same_write(pool: NatsPool) -> None:
    """The loop looks at its sockets once more before it writes."""
    node, _, received = await pair(pool)
    writer: Any = node._transport._io_writer  # type: ignore[union-attr]
    written: list[int] = []
    write = writer.writelines

    def count_and_write(commands: list[bytes]) -> None:
        written.append(len(commands))
        write(commands)

    writer.writelines = count_and_write
    node.send(UP, b"first")
    asyncio.get_running_loop().call_soon(node.send, UP, b"second")
    await eventually(lambda: len(received) == 2)

    assert [2] == written


async def what_is_sent_meanwhile_arrives(pool: NatsPool) -> None:
    """What is sent while the server is away comes after it is back, and receivers go on."""
    node, scheduler, received = await pair(pool)
    own: list[bytes] = []
    await scheduler.receive(subjects.node_ctl_down(N), lambda _, data: own.append(data))
    psutil.Process(pool.server.pid).kill()
    await eventually(lambda: not (node.is_connected or scheduler.is_connected))
    scheduler.send(subjects.node_ctl_down(N), b"meanwhile")
    await eventually(lambda: pool.returns(node) and pool.returns(scheduler))
    await scheduler.flush()
    node.send(UP, b"after")
    await eventually(lambda: own and received)

    assert ([b"meanwhile"], [b"after"]) == (own, received)


async def a_slow_bus_makes_producers_wait(pool: NatsPool) -> None:
    """What waits for the bus is bounded, and nothing of it is lost."""
    node, _, received = await pair(pool)
    most = 0
    for number in range(400):
        node.send(UP, number.to_bytes(4, "big") + bytes(100_000))
        most = max(most, node.pending_data_size)
        await node.wait_for_room()
    await eventually(lambda: len(received) == 400)

    assert [number.to_bytes(4, "big") for number in range(400)] == [data[:4] for data in received]
    assert most <= ROOM_BYTES + 200_000


async def a_receiver_that_raises_ends_nothing(pool: NatsPool) -> None:
    """What a receiver raises is reported, and the next message comes."""
    node, scheduler = await pool.node("n"), await pool.scheduler()
    received: list[bytes] = []

    def receive(_: str, data: bytes) -> None:
        received.append(data)
        if data == b"bad":
            raise KeyError(data)

    await scheduler.receive(subjects.ALL_NODES_CTL, receive)
    await scheduler.flush()
    for data in (b"bad", b"good"):
        node.send(UP, data)
    await eventually(lambda: len(received) == 2)

    assert scheduler.is_connected


async def what_comes_while_it_subscribes_is_received(pool: NatsPool) -> None:
    """A subscription that waits for room in the connection already has its receiver."""
    node, scheduler = await pool.node("n"), await pool.scheduler()
    received: list[bytes] = []
    write: Any = scheduler._flush_pending

    async def write_and_wait(force_flush: bool = False) -> None:
        scheduler._flush_pending = write  # type: ignore[method-assign]
        await write(force_flush)
        before = scheduler.stats["in_msgs"]
        while scheduler.stats["in_msgs"] == before:
            node.send(UP, b"early")
            await node.flush()

    scheduler._flush_pending = write_and_wait  # type: ignore[method-assign]
    await scheduler.receive(subjects.ALL_NODES_CTL, lambda _, data: received.append(data))

    assert b"early" in received


async def an_ended_subscription_receives_nothing(pool: NatsPool) -> None:
    """After the end of a subscription its receiver is not called."""
    node, scheduler = await pool.node("n"), await pool.scheduler()
    received: list[bytes] = []
    subscription = await scheduler.receive(
        subjects.ALL_NODES_CTL, lambda _, data: received.append(data)
    )
    await scheduler.flush()
    await subscription.unsubscribe()
    await scheduler.flush()
    node.send(UP, b"late")
    await node.flush()
    await scheduler.flush()

    assert [] == received


async def a_connection_that_closes_receives_nothing(pool: NatsPool) -> None:
    """While its last bytes are written and its tasks end, messages go on to come."""
    node, scheduler = await pool.node("n"), await pool.scheduler()
    received: list[bool] = []
    await scheduler.receive(
        subjects.ALL_NODES_CTL, lambda _, data: received.append(scheduler.is_closed)
    )
    await scheduler.flush()

    async def send_on() -> None:
        while True:
            node.send(UP, bytes(100))
            await asyncio.sleep(0)

    sending = asyncio.create_task(send_on())
    await eventually(lambda: received)
    await scheduler.close()
    sending.cancel()
    await asyncio.wait({sending})

    assert not any(received)


async def what_cannot_be_sent_is_an_error(pool: NatsPool) -> None:
    """Too much, too large, or after the end: each is an exception, and no message is cut."""
    node, _, received = await pair(pool)
    with pytest.raises(errors.MaxPayloadError):
        node.send(UP, bytes(node.max_payload + 1))
    async with suspended(pool.server.pid):
        for _ in range(SENDING_MAX_BYTES // 1_000_000):
            node.send(UP, bytes(1_000_000))
        with pytest.raises(errors.OutboundBufferLimitError):
            node.send(UP, bytes(1_000_000))
    await eventually(lambda: len(received) == SENDING_MAX_BYTES // 1_000_000)
    await node.close()
    with pytest.raises(errors.ConnectionClosedError):
        node.send(UP, b"late")

    assert {1_000_000} == {len(data) for data in received}


async def a_producer_that_waits_can_be_cancelled(pool: NatsPool) -> None:
    """A run that is stopped while the bus takes nothing ends at once."""
    node, _, received = await pair(pool)
    async with suspended(pool.server.pid):
        while node.pending_data_size <= ROOM_BYTES:
            node.send(UP, bytes(1_000_000))
            for _ in range(3):  # until it is written, or cannot be
                await asyncio.sleep(0)
        waiting = asyncio.create_task(node.wait_for_room())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
    await eventually(lambda: node.pending_data_size == 0 and received)

    assert waiting.cancelled()


async def a_flush_cancelled_as_it_ends_is_cancelled(pool: NatsPool) -> None:
    """A task that flushes in a loop can be ended, though ``wait_for`` loses cancellations."""
    node, _, _ = await pair(pool)
    ping = node._send_ping

    async def ping_and_cancel(pong: asyncio.Future[Any]) -> None:
        pong.add_done_callback(lambda _: flushing.cancel())
        await ping(pong)

    node._send_ping = ping_and_cancel
    flushing = asyncio.create_task(node.flush())
    await asyncio.wait({flushing})

    assert flushing.cancelled()


async def a_flush_cancelled_before_it_is_written_is_cancelled(pool: NatsPool) -> None:
    """Also if the server answers nothing: the wait for its answer does not begin."""
    node, _, _ = await pair(pool)
    async with suspended(pool.server.pid):
        flushing = asyncio.create_task(node.flush())
        await asyncio.sleep(0)
        flushing.cancel()
        await asyncio.wait({flushing}, timeout=FLUSH_TIMEOUT_S / 2)

    assert flushing.done()
    assert flushing.cancelled()


async def a_flush_that_gave_up_stops_no_reading(pool: NatsPool) -> None:
    """The server's late answer to its ping is nobody's, and what nats-py reads goes on to come."""
    node, scheduler, _ = await pair(pool)
    heard = await listen(node, subjects.node_ctl_down(N))
    await node.flush()
    async with suspended(pool.server.pid):
        flushing = asyncio.create_task(node.flush())
        await eventually(lambda: node._pongs)
        flushing.cancel()
        await asyncio.wait({flushing})
    await node.flush()
    scheduler.send(subjects.node_ctl_down(N), b"after")
    await eventually(lambda: heard.messages)

    assert flushing.cancelled()
    assert node.is_connected


async def what_fails_before_a_write_stops_no_later_one(pool: NatsPool) -> None:
    """The failure is reported to the event loop, and the next message arrives."""
    node, _, received = await pair(pool)
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))

    def fail() -> None:
        node._before_write = lambda: None
        raise KeyError("once")

    node._before_write = fail
    node.write_soon()
    await eventually(lambda: problems)
    node.send(UP, b"after")
    await eventually(lambda: received)

    assert ["once"] == [problem["exception"].args[0] for problem in problems]


async def it_closes_while_the_server_is_away(pool: NatsPool) -> None:
    """What waits then is lost, and its bytes were bounded."""
    node, _, _ = await pair(pool)
    psutil.Process(pool.server.pid).kill()
    await eventually(lambda: not node.is_connected)
    while node.pending_data_size + 1_000_000 <= PENDING_MAX_BYTES:
        node.send(UP, bytes(1_000_000))
    with pytest.raises(errors.OutboundBufferLimitError):
        node.send(UP, bytes(1_000_000))
    await node.close()

    assert node.is_closed


async def it_closes_after_another_task_gave_up_waiting_for_that(pool: NatsPool) -> None:
    """asyncio cancels what both tasks wait for; the connection closes and says so all the same."""
    node, _, _ = await pair(pool)
    calls: list[str] = []

    async def closed() -> None:
        calls.append("closed")

    node._closed_cb = closed
    transport: Any = node._transport
    waiting = asyncio.ensure_future(transport.wait_closed())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await node.close()

    assert node.is_closed
    assert ["closed"] == calls


SCENARIOS = (
    it_closes_after_another_task_gave_up_waiting_for_that,
    a_flush_cancelled_as_it_ends_is_cancelled,
    a_flush_cancelled_before_it_is_written_is_cancelled,
    a_flush_that_gave_up_stops_no_reading,
    a_producer_that_waits_can_be_cancelled,
    what_fails_before_a_write_stops_no_later_one,
    it_closes_while_the_server_is_away,
    order_is_kept,
    what_comes_in_the_next_turn_goes_in_the_same_write,
    what_is_sent_meanwhile_arrives,
    a_slow_bus_makes_producers_wait,
    a_receiver_that_raises_ends_nothing,
    what_comes_while_it_subscribes_is_received,
    an_ended_subscription_receives_nothing,
    a_connection_that_closes_receives_nothing,
    what_cannot_be_sent_is_an_error,
)


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_direct_way(
    tmp_path: Path,
    scenario: Callable[[NatsPool], Coroutine[Any, Any, None]],
    runner: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    """Each scenario holds on both event loops."""

    async def run() -> None:
        async with running_pool(tmp_path) as pool:
            await scenario(pool)

    runner(run())
