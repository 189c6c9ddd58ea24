"""A rogue node's reports and streams beyond its lease: the client is served, the bill is bounded.

The node is marked with the reason; a mark is a count that the operator sees, and removes nothing.
"""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.core.builders import usage
from tests.hostile.pool import NO_ENERGY, SERVED, HostilePool, RogueNode
from tests.scheduler.gateway_support import events
from tests.waiting import eventually

from entraide.types import Basis, Outcome, Power, Receipt
from entraide.wire import messages as m

pytestmark = pytest.mark.asyncio(loop_scope="module")

USED = usage(input_tokens=9, output_tokens=3, **NO_ENERGY)
GRANTED = 8


async def joined(pool: HostilePool, rogue: RogueNode) -> None:
    await rogue.hello()
    await eventually(lambda: pool.running.state(rogue.name) == "live")


def marks(pool: HostilePool, rogue: RogueNode) -> set[str]:
    nodes = pool.running.driver.core.nodes()
    return {code for view in nodes if view.card.node == rogue.name for code in view.marks}


async def settled(pool: HostilePool, job: str) -> Receipt:
    """Returns the settled receipt of a job, once it is in the books."""
    await eventually(lambda: pool.running.driver.core.job(job).ended_at > 0.0)
    await pool.service.parts.store.committed()
    stored = await pool.service.parts.store.get_receipt(job)
    assert stored is not None
    return stored.receipt


# What a report says, and what it is marked with.
REPORTS: dict[str, tuple[dict[str, Any], str]] = {
    "9e15 tokens": ({"output_tokens": 9 * 10**15}, "report_output_tokens"),
    "one token more than granted": ({"output_tokens": GRANTED + 1}, "report_output_tokens"),
    "2^62 prompt tokens": ({"input_tokens": 2**62}, "report_input_tokens"),
    "1 MWh": ({"energy_decode_uwh": 10**12}, "report_energy"),
    "2^63 of energy": ({"energy_prefill_uwh": 2**63}, "report_energy"),
    "energy by its own clock": (
        {"energy_decode_uwh": 10**9, "run_s": 2_000_000.0},
        "report_energy",
    ),
}


@pytest.mark.parametrize("name", REPORTS)
async def test_report_is_believed_within_its_lease(
    pool: HostilePool, rogue: RogueNode, name: str
) -> None:
    """The client gets its answer; the bill is within the lease, on the receipt and in the books."""
    changes, code = REPORTS[name]
    await joined(pool, rogue)
    asked = asyncio.create_task(pool.ask(rogue.model, max_tokens=GRANTED))
    run = await rogue.run()
    await rogue.finish(run, msgspec.structs.replace(USED, **changes))
    status, body = await asked
    receipt = await settled(pool, run.job)
    said = body["entraide"]

    assert 200 == status
    assert max(receipt.output_tokens, said["output_tokens"]) <= GRANTED
    assert max(receipt.input_tokens, said["input_tokens"]) < 1_000
    assert max(receipt.energy_wh, said["energy_wh"]) < 10.0
    assert {code} == marks(pool, rogue)
    await rogue.withdraw(pool)
    await pool.check()


async def test_report_without_an_answer_is_believed_within_its_lease(
    pool: HostilePool, rogue: RogueNode
) -> None:
    """An honest answer and another report: the scheduler's own limit holds."""
    await joined(pool, rogue)
    asked = asyncio.create_task(pool.ask(rogue.model, max_tokens=GRANTED))
    run = await rogue.run()
    await rogue.node.report(run, msgspec.structs.replace(USED, output_tokens=10**9))
    await rogue.node.answer(run, SERVED, USED)
    status, body = await asked
    receipt = await settled(pool, run.job)

    assert (200, 3) == (status, body["entraide"]["output_tokens"])
    assert GRANTED == receipt.output_tokens
    assert {"report_output_tokens"} == marks(pool, rogue)
    await rogue.withdraw(pool)
    await pool.check()


CHUNK = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'


def flood(run: m.StartRun, count: int, n: int, data: bytes) -> list[m.Tokens]:
    return [m.Tokens(run.job, run.epoch, part * n, n, data) for part in range(count)]


# Messages of a stream, how many bytes of text reach the client at most, and the mark.
STREAMS: dict[str, tuple[tuple[int, int, bytes], str]] = {
    "more tokens than granted": ((50, 1, CHUNK), "stream_tokens"),
    "40 MiB for 8 tokens": ((50, 0, CHUNK + b": %s\n\n" % (b"x" * 800_000)), "stream_bytes"),
    "all at once": ((1, 5_000, CHUNK * 5_000), "stream_tokens"),
}


@pytest.mark.parametrize("name", STREAMS)
async def test_stream_ends_at_what_was_granted(
    pool: HostilePool, rogue: RogueNode, name: str
) -> None:
    """The client's stream ends well with finish_reason length; the node is stopped and marked."""
    shape, code = STREAMS[name]
    await joined(pool, rogue)
    asked = asyncio.create_task(pool.ask(rogue.model, stream=True, max_tokens=GRANTED))
    run = await rogue.run()
    for message in flood(run, *shape):
        await rogue.send_out(run, message)
    status, text = await asked
    receipt = await settled(pool, run.job)
    last = events(text)[-1]

    assert (200, "length") == (status, last["choices"][0]["finish_reason"])
    assert text.endswith("data: [DONE]\n\n")
    assert len(text) < 1024 * 1024
    assert receipt.output_tokens <= GRANTED
    assert {code} == marks(pool, rogue)
    await eventually(lambda: any(stop.job == run.job for stop in rogue.node.received(m.StopRun)))
    await rogue.withdraw(pool)
    await pool.check()


async def test_quota_of_the_borrower_and_weight_of_the_lender_stand(
    pool: HostilePool, rogue: RogueNode
) -> None:
    """Fifty reports of 9e15 tokens leave the books as if each had been within its lease."""
    await joined(pool, rogue)
    for _ in range(50):
        await rogue.node.send_heartbeat()
        asked = asyncio.create_task(pool.ask(rogue.model, max_tokens=GRANTED))
        run = await rogue.run()
        huge = {"output_tokens": 9 * 10**15, "energy_decode_uwh": 9 * 10**15}
        await rogue.finish(run, msgspec.structs.replace(USED, **huge))
        status, _ = await asked

        assert 200 == status
    balance = pool.running.driver.core.balances()["beta"]

    assert balance["tokens"] < 50 * 1_000
    assert balance["energy_uwh"] < 10**9
    await rogue.withdraw(pool)
    await pool.check()


async def test_what_failed_is_not_billed_beyond_its_lease(
    pool: HostilePool, rogue: RogueNode
) -> None:
    """A stream that failed after its first part is billed within the lease as well."""
    await joined(pool, rogue)
    asked = asyncio.create_task(pool.ask(rogue.model, stream=True, max_tokens=GRANTED))
    run = await rogue.run()
    await rogue.send_out(run, m.Tokens(run.job, run.epoch, 0, 1, CHUNK))
    used = msgspec.structs.replace(USED, output_tokens=10**12)
    await rogue.send(m.UsageReport(run.job, run.epoch, Outcome.FAILED, "engine_failed", True, used))
    status, text = await asked
    receipt = await settled(pool, run.job)

    assert (200, True) == (status, "error" in events(text)[-1])
    assert receipt.output_tokens <= GRANTED
    await rogue.withdraw(pool)
    await pool.check()


async def test_larger_device_named_later_is_not_believed(
    pool: HostilePool, rogue: RogueNode
) -> None:
    """Reports are held to the device with which the node was approved, whatever it names later."""
    driver, registry = pool.running.driver, pool.running.registry
    await rogue.hello(power=power("mac-mini-m4"))
    await eventually(lambda: pool.running.state(rogue.name) == "live")
    approved_w = driver.core.peak_w(rogue.name)
    changes = driver.counts["node.device_changed"]
    await rogue.hello(power=power("default-nvidia"))
    await eventually(lambda: driver.counts["node.device_changed"] > changes)
    believed_w = driver.core.peak_w(rogue.name)
    row = registry.get(rogue.name)
    assert row is not None
    renamed = row.device
    await registry.set_approval(rogue.name, "approved")  # the operator approves the new machine
    await rogue.hello(power=power("default-nvidia"))
    await eventually(lambda: driver.core.peak_w(rogue.name) > approved_w)

    assert ("mac-mini-m4", approved_w) == (renamed, believed_w)
    await rogue.withdraw(pool)
    await pool.check()


def power(device: str) -> Power:
    return Power(device, 4.0, 40.0, Basis.DEFAULT)
