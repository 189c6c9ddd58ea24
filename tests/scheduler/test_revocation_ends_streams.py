"""Revocation: the streams of a revoked key or node end at once, others go on."""

import asyncio
import json
from typing import Any

import pytest
from tests.core.builders import usage
from tests.scheduler.gateway_support import WAIT_S, chunk, sse
from tests.scheduler.pool_support import MODEL, RunningScheduler, ScriptedNode
from tests.waiting import eventually

from entraide.types import Outcome
from entraide.v1 import admin_pb2
from entraide.wire import codec, subjects
from entraide.wire import messages as m

pytestmark = pytest.mark.engines  # real processes that are waited for

QUESTION = {
    "model": MODEL,
    "stream": True,
    "messages": [{"role": "user", "content": "Bonjour"}],
}


async def begun(node: ScriptedNode, run: m.StartRun) -> None:
    """Sends the first token of a run."""
    await node.send(m.Accept(run.job, run.epoch))
    out = subjects.node_out(node.key, run.gateway)
    await node.connection.publish(out, codec.encode(m.Tokens(run.job, run.epoch, 0, 1, sse("Bon"))))
    await node.connection.flush()


async def run_of(node: ScriptedNode) -> m.StartRun:
    """Waits for the node's next run and takes it."""
    await eventually(lambda: node.runs)
    return node.runs.pop()


async def codes(answer: Any) -> list[str]:
    """Reads a stream to its end; returns the codes of the errors in it."""
    text = (await asyncio.wait_for(answer.read(), WAIT_S)).decode()
    codes_found = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    return [event["error"]["code"] for event in codes_found if "error" in event]


async def test_streams_of_a_revoked_key_end_and_another_keys_go_on(pool: RunningScheduler) -> None:
    """A key is revoked in mid-answer: its stream ends with a reason, its node is told to stop."""
    node = await pool.join_live()
    secret, other = await pool.operator.key("alpha"), await pool.operator.key("beta")
    async with pool.session(secret) as session, pool.session(other) as others:
        revoked = asyncio.ensure_future(session.post("/v1/chat/completions", json=QUESTION))
        run = await run_of(node)
        await begun(node, run)
        kept = asyncio.ensure_future(others.post("/v1/chat/completions", json=QUESTION))
        other_run = await run_of(node)
        await begun(node, other_run)
        answers = [await revoked, await kept]
        keys = (await pool.operator.ask("ListKeys", admin_pb2.ListKeysRequest())).keys
        name = next(key.key for key in keys if key.coop == "alpha")
        await pool.operator.ask("RevokeKey", admin_pb2.RevokeKeyRequest(key=name))
        ended = await codes(answers[0])
        refused = await session.post("/v1/chat/completions", json=QUESTION)
        end = m.RunEnded(
            other_run.job, other_run.epoch, Outcome.COMPLETED, "", {}, 1, chunk("", "stop"), b"",
            usage(output_tokens=1),
        )  # fmt: skip
        out = subjects.node_out(node.key, other_run.gateway)
        await node.connection.publish(out, codec.encode(end))

        assert run.partition[: m.OWNER_BYTES] in node.forgotten
        assert other_run.partition[: m.OWNER_BYTES] not in node.forgotten
        assert ["unauthorised"] == ended
        assert 401 == refused.status
        assert [] == await codes(answers[1])


async def test_streams_of_a_revoked_node_end(pool: RunningScheduler) -> None:
    """A node is revoked in mid-answer and the other has no room: the client is told after the wait
    that it allows."""
    other = await pool.join("n2")
    await other.send_hello()
    await other.send_heartbeat(reason="owner_active")
    await eventually(lambda: not all(view.accepting for view in pool.driver.core.nodes()))
    node = await pool.join_live("n1")
    async with pool.session(await pool.operator.key("alpha")) as session:
        brief = QUESTION | {"entraide": {"max_wait_s": 1.0}}
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=brief))
        run = await run_of(node)
        await begun(node, run)
        answer = await pending
        await pool.operator.ask("RevokeNode", admin_pb2.NodeRequest(node=node.name))

        assert ["waited_too_long"] == await codes(answer)
