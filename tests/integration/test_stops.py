"""SIGTERM: live answers end within the drain time, kept work is handed over to the next start."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.killed_scheduler import PlayedNode, SchedulerProcess, killable
from tests.integration.nats_support import NatsPool
from tests.integration.test_kills import ANSWER, CHAT, USED, answers, submit_job, submit_line
from tests.waiting import eventually

from entraide.types import Outcome
from entraide.wire import codec, subjects
from entraide.wire import messages as m

pytestmark = pytest.mark.engines  # starts two schedulers each

STREAM = {**CHAT, "stream": True}
PART = b'data: {"choices":[{"index":0,"delta":{"content":"Sa"}}]}\n\n'
FINAL = b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'


async def send(played: PlayedNode, run: m.StartRun, message: m.NodeOut) -> None:
    """Sends a part of an answer as its node."""
    subject = subjects.node_out(played.node.key, run.gateway)
    await played.node.connection.publish(subject, codec.encode(message))
    await played.node.connection.flush()


@pytest.fixture
async def draining(
    tmp_path: Path, nats_pool: NatsPool, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[SchedulerProcess, PlayedNode, str]]:
    """A scheduler that lets live jobs end for as long as the test says, a live node and a key."""
    more = f"drain_s = {request.param}"
    async with killable(tmp_path, nats_pool, more) as made:
        yield made


async def read(answer: aiohttp.ClientResponse) -> str:
    """Returns the rest of a stream."""
    return (await answer.read()).decode()


@pytest.mark.parametrize("draining", [60.0], indirect=True)
async def test_live_stream_ends_and_kept_work_is_handed_over(
    draining: tuple[SchedulerProcess, PlayedNode, str],
) -> None:
    """After SIGTERM a stream goes on to its end and is billed, a new request is refused, and a
    kept job and a line of a batch that ran are run by the next scheduler, billed once."""
    scheduler, played, key = draining
    await submit_job(scheduler, key)
    await submit_line(scheduler, key)
    kept = [await played.next_run(), await played.next_run()]
    async with scheduler.session(key) as session:
        url = "/v1/chat/completions"
        pending = asyncio.ensure_future(session.post(url, json=STREAM))
        live = await played.next_run()
        await send(played, live, m.Tokens(live.job, live.epoch, 0, 1, PART))
        answer = await pending
        scheduler.process.send_signal(signal.SIGTERM)
        refused = await until_refused(session)
        end = m.RunEnded(live.job, live.epoch, Outcome.COMPLETED, "", {}, 1, FINAL, b"", USED)
        await send(played, live, end)
        text = await read(answer)
        await played.node.report(live, USED)
        status = await scheduler.end(signal.SIGTERM)
    await scheduler.start()
    await played.come(live, *kept)
    again = [await played.next_run(), await played.next_run()]
    for run in again:
        await played.node.answer(run, ANSWER, USED)
        await played.node.report(run, USED)
    await played.node.report(live, USED)
    await eventually(lambda: len(scheduler.settled()) == 3)

    assert (0, "shutting_down") == (status, refused["error"]["code"])
    assert "[DONE]" in text
    assert {run.job for run in kept} == {run.job for run in again}
    assert sorted([live.job, *(run.job for run in again)]) == scheduler.settled()
    assert 2 == answers(scheduler)


@pytest.mark.parametrize("draining", [0.5], indirect=True)
async def test_stream_that_does_not_end_is_ended(
    draining: tuple[SchedulerProcess, PlayedNode, str],
) -> None:
    """When the drain time is over, the stream ends with an error, and the process with status 0."""
    scheduler, played, key = draining
    async with scheduler.session(key) as session:
        url = "/v1/chat/completions"
        pending = asyncio.ensure_future(session.post(url, json=STREAM))
        live = await played.next_run()
        await send(played, live, m.Tokens(live.job, live.epoch, 0, 1, PART))
        answer = await pending
        scheduler.process.send_signal(signal.SIGTERM)
        text = await read(answer)
        status = await scheduler.end(signal.SIGTERM)

    assert 0 == status
    assert '"code":"shutting_down"' in text.replace(" ", "")


async def until_refused(session: aiohttp.ClientSession) -> Any:
    """Sends requests until the stop has begun; returns the refusal."""
    async with asyncio.timeout(60.0):
        while True:
            async with session.post("/v1/jobs", json={"request": {}}) as answer:
                reply = json.loads(await answer.read())
            if answer.status == 503:
                return reply
