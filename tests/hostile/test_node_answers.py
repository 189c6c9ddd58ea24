"""A rogue node's answers: whatever it sends as the end of a run, the client is answered.

What no client can be given is dropped, and the job runs again on another node; once a part of a
stream was handed on, the client gets an error that says so.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.core.builders import MODEL, replica, usage
from tests.hostile.pool import NO_ENERGY, SERVED, HostilePool, RogueNode
from tests.scheduler.gateway_support import events
from tests.waiting import eventually

from entraide.types import Outcome, Usage
from entraide.wire import messages as m

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAN, INF = float("nan"), float("inf")
USED = usage(input_tokens=9, output_tokens=3, **NO_ENERGY)
CHUNK = (
    b'{"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}'
)
EVENT = b"data: %s\n\n" % CHUNK


def end(run: m.StartRun, **changes: Any) -> m.RunEnded:
    message = m.RunEnded(run.job, run.epoch, Outcome.COMPLETED, "", {}, 0, b"", SERVED, USED)
    return msgspec.structs.replace(message, **changes)


def used(**changes: Any) -> Usage:
    return msgspec.structs.replace(USED, **changes)


async def busy_rogue(pool: HostilePool, rogue: RogueNode) -> None:
    """Lets the rogue serve the honest node's model too, on a greener grid."""
    await rogue.hello(replicas=(replica(MODEL), replica(rogue.model)))
    await eventually(lambda: pool.running.state(rogue.name) == "live")


# The end of a run whose answer no client can be given.
UNUSABLE: dict[str, Callable[[m.StartRun], Any]] = {
    "no JSON": lambda run: end(run, body=b"hello}"),
    "nothing": lambda run: end(run, body=b""),
    "a list": lambda run: end(run, body=b"[{}]"),
    "half a document": lambda run: end(run, body=SERVED[:-1]),
    "two documents": lambda run: end(run, body=SERVED + SERVED),
    "100,000 lists in lists": lambda run: end(run, body=b'{"a":' + b"[" * 100_000 + b"}"),
    "NaN among the values": lambda run: end(run, values={"x": NAN}),
    "17 values": lambda run: end(run, values={f"x{number}": 1 for number in range(17)}),
    "a code of 65": lambda run: end(run, code="x" * 65),
    "a last chunk of 2 MiB": lambda run: end(run, final=b"x" * 2 * 1024 * 1024),
    "a first token of 2^62": lambda run: end(run, first=2**62),
}


@pytest.mark.parametrize("name", UNUSABLE)
async def test_unusable_answer_comes_from_another_node(
    pool: HostilePool, rogue: RogueNode, name: str
) -> None:
    """A whole answer that cannot be used is dropped; the client gets another node's."""
    await busy_rogue(pool, rogue)
    asked = asyncio.create_task(pool.ask(MODEL))
    run = await rogue.run()
    await rogue.send_out(run, UNUSABLE[name](run))
    status, body = await asked
    await rogue.withdraw(pool)

    assert (200, "honest") == (status, body["entraide"]["node"])
    await pool.check()


# The end of a run whose answer is whole, with a usage that is out of bounds.
USAGES: dict[str, Usage] = {
    "NaN seconds": used(ttft_s=NAN, run_s=NAN),
    "infinite seconds": used(ttft_s=INF, run_s=INF),
    "negative tokens": used(input_tokens=-5, output_tokens=-5),
    "2^62 tokens": used(output_tokens=2**62),
    "more cached than read": used(cached_tokens=10**6),
    "negative energy": used(energy_decode_uwh=-(2**62)),
    "2^63 of energy": used(energy_prefill_uwh=2**63, energy_decode_uwh=2**63),
}


@pytest.mark.parametrize("name", USAGES)
async def test_strange_usage_does_not_keep_the_answer_back(
    pool: HostilePool, rogue: RogueNode, name: str
) -> None:
    """A client gets its answer with a receipt, whatever the node says that it used."""
    await rogue.hello()
    await eventually(lambda: pool.running.state(rogue.name) == "live")
    asked = asyncio.create_task(pool.ask(rogue.model))
    run = await rogue.run()
    await rogue.finish(run, USAGES[name])
    status, body = await asked
    receipt = body["entraide"]
    await rogue.withdraw(pool)

    assert (200, rogue.name) == (status, receipt["node"])
    assert 0 <= receipt["output_tokens"] < 2**53
    assert 0.0 <= receipt["energy_wh"] < 1e7
    await pool.check()


STREAMS: dict[str, Callable[[m.StartRun], list[Any]]] = {
    "a gap": lambda run: [m.Tokens(run.job, run.epoch, 0, 1, EVENT), end(run, first=5)],
    "negative tokens": lambda run: [
        m.Tokens(run.job, run.epoch, 0, 1, EVENT),
        m.Tokens(run.job, run.epoch, 1, -1, EVENT),
    ],
    "2^62 tokens at once": lambda run: [
        m.Tokens(run.job, run.epoch, 0, 1, EVENT),
        m.Tokens(run.job, run.epoch, 1, 2**62, EVENT),
    ],
    "a last chunk that is no JSON": lambda run: [
        m.Tokens(run.job, run.epoch, 0, 1, EVENT),
        end(run, first=1, final=b"hello}"),
    ],
    "a last chunk on two lines": lambda run: [
        m.Tokens(run.job, run.epoch, 0, 1, EVENT),
        end(run, first=1, final=b'{"id":\n\ndata: "x"}'),
    ],
}


@pytest.mark.parametrize("name", STREAMS)
async def test_broken_stream_ends_with_an_error(
    pool: HostilePool, rogue: RogueNode, name: str
) -> None:
    """A stream that began and cannot go on ends with an error event, at once."""
    await rogue.hello()
    await eventually(lambda: pool.running.state(rogue.name) == "live")
    asked = asyncio.create_task(pool.ask(rogue.model, stream=True))
    run = await rogue.run()
    for message in STREAMS[name](run):
        await rogue.send_out(run, message)
    status, text = await asked
    await rogue.withdraw(pool)

    assert (200, True) == (status, "error" in events(text)[-1])
    await pool.check()
