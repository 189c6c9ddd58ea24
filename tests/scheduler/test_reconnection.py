"""Clients that come back to their answer: what they read, and when they are waited for."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openai import APIConnectionError, AsyncOpenAI
from tests.cutting_proxy import Cut, CuttingProxy, cutting_proxy
from tests.scheduler.gateway_support import KEY_A, Pool, ask, open_pool
from tests.scheduler.reconnection_support import (
    BODIES,
    LAST,
    WORDS,
    begin,
    come_back,
    finish,
    kept,
    like,
    numbers,
    until,
    without_comments,
    written,
)
from tests.scheduler.test_resumed_answers import able, leave, resumed
from tests.waiting import eventually

from entraide.types import JobState
from entraide_scheduler.gateway.requests import openai


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path, joined=(able("n1"), able("n2", "CA-ON"))) as opened:
        yield opened


@pytest.mark.parametrize("path", BODIES)
async def test_each_event_has_its_number(pool: Pool, path: str) -> None:
    """From 0 on, in every dialect; the stream is otherwise the one without the option."""
    answer, run = await begin(pool, "Il", " était", path=path)
    finish(run, " une")
    stream = await answer.read()
    pending = asyncio.ensure_future(pool.send(BODIES[path], path=path))
    plain_run = await pool.placed()
    plain_run.accept()
    finish(plain_run, "Il", " était", " une")
    plain = await (await pending).read()
    bare = b"".join(line for line in stream.splitlines(True) if not line.startswith(b"id:"))
    job, other = run.run.job.encode(), plain_run.run.job.encode()

    assert [f"{run.run.job}/{n}" for n in range(len(numbers(stream)))] == numbers(stream)
    assert b"id:" not in plain
    assert len(plain.split(b"\n\n")) == len(numbers(stream)) + 1
    assert like(bare, job)[:200] == like(plain, other)[:200]


@pytest.mark.parametrize("door", ["get", "post"])
@pytest.mark.parametrize("path", BODIES)
async def test_the_rest_has_the_same_bytes(pool: Pool, path: str, door: str) -> None:
    """Wherever the client was cut, before the end or after it, it reads what it would have."""
    answer, run = await begin(pool, "Il", " était", " une", path=path)
    whole = await until(answer, 2)
    answer.close()
    finish(run, " fois")
    job = run.run.job
    async with come_back(pool, job, 2, path=path if door == "post" else "") as rest:
        whole += without_comments(await rest.read())
        head = (rest.status, rest.headers["content-type"], rest.headers["x-request-id"])
    ends = [end + 2 for end in range(len(whole)) if whole[end : end + 2] == b"\n\n"]
    again = []
    for number in range(len(numbers(whole))):
        async with come_back(pool, job, number) as rest:
            again.append(whole[: ends[number]] + without_comments(await rest.read()))
    async with come_back(pool, job) as rest:
        again.append(without_comments(await rest.read()))

    assert (200, "text/event-stream; charset=utf-8", job) == head
    assert {whole} == {*again}


@pytest.mark.parametrize("seed", range(6))
async def test_cuts_at_random_points(pool: Pool, seed: int) -> None:
    """Through resets and silence at any byte, each event comes once, in its order."""
    draw = random.Random(seed)
    async with cutting_proxy(pool.gateway.port) as proxy:
        proxy.plan = lambda: (
            draw.randrange(300 if proxy.connections > 1 else 1_500, 3_000),
            draw.choice(list(Cut)),
        )
        reading = asyncio.ensure_future(read_through(proxy, kept()))
        run = await pool.placed()
        run.accept()
        for word in WORDS:
            run.tokens(word)
            await asyncio.sleep(0)
        finish(run, "fin")
        stream = await asyncio.wait_for(reading, 60)
        cuts = proxy.connections - 1
    async with come_back(pool, run.run.job) as again:
        whole = without_comments(await again.read())

    assert cuts > 2
    assert whole == stream
    assert all(written(word) in stream for word in WORDS)


async def read_through(proxy: CuttingProxy, body: dict[str, Any]) -> bytes:
    """Reads a stream as a client does that comes back after each cut."""
    events: list[bytes] = []
    while not events or b"[DONE]" not in events[-1]:
        reading = asyncio.ensure_future(read_once(proxy.url, body, events))
        silence = asyncio.ensure_future(proxy.silenced.wait())
        await asyncio.wait((reading, silence), return_when=asyncio.FIRST_COMPLETED)
        reading.cancel()
        silence.cancel()
        await asyncio.gather(reading, silence, return_exceptions=True)
        proxy.silenced.clear()
    return b"".join(events)


async def read_once(url: str, body: dict[str, Any], events: list[bytes]) -> None:
    """Reads by one connection what follows the events so far, and adds each whole event."""
    headers = {"authorization": f"Bearer {KEY_A}"}
    if events:
        headers[LAST] = events[-1].split(b"\n")[0].removeprefix(b"id: ").decode()
    data = b""
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url + openai.CHAT, json=body) as answer,
    ):
        while piece := await answer.content.readany():
            *whole, data = (data + piece).split(b"\n\n")
            events += [event + b"\n\n" for event in whole if event.startswith(b"id: ")]


async def test_without_the_option_a_closed_connection_ends_the_job(pool: Pool) -> None:
    """A stream without ``reconnect_s`` is cancelled when its client closes the connection."""
    pending = asyncio.ensure_future(pool.send(ask(stream=True)))
    run = await pool.placed()
    run.accept()
    run.tokens("Il")
    (await pending).close()
    cancelled = await pool.cancelled()
    async with come_back(pool, run.run.job) as refused:
        error = (await refused.json())["error"]

    assert run.run.job == cancelled.job
    assert (499, "client_gone") == (refused.status, error["code"])


async def test_a_running_answer_without_the_option_is_not_kept(pool: Pool) -> None:
    """Its events are with its client alone."""
    pending = asyncio.ensure_future(pool.send(ask(stream=True)))
    run = await pool.placed()
    run.accept()
    run.tokens("Il")
    answer = await pending
    async with come_back(pool, run.run.job) as refused:
        error = (await refused.json())["error"]
    finish(run)
    await answer.read()

    assert (409, "stream_not_kept") == (refused.status, error["code"])


async def test_a_client_that_stays_away_ends_its_job(pool: Pool) -> None:
    """After ``reconnect_s`` the job is cancelled as when the client left, and says so."""
    answer, run = await begin(pool, "Il", reconnect_s=0.05)
    await until(answer, 0)
    answer.close()
    cancelled = await pool.cancelled()
    async with come_back(pool, run.run.job, 0) as refused:
        error = (await refused.json())["error"]

    assert run.run.job == cancelled.job
    assert (499, "client_gone") == (refused.status, error["code"])
    assert JobState.CANCELLED is pool.driver.core.job(run.run.job).state
    assert (0, 0) == (len(pool.gateway._streams), pool.gateway._streams.held_bytes)


async def test_a_client_that_leaves_before_the_answer_ends_its_job(pool: Pool) -> None:
    """It was sent no identifier, so that it could not come back."""
    pending = asyncio.ensure_future(pool.send(kept()))
    run = await pool.placed()
    run.accept()
    pending.cancel()
    cancelled = await pool.cancelled()

    assert run.run.job == cancelled.job


async def test_stop_cancels_the_job(pool: Pool) -> None:
    """A client that wants no more says so by cancelling the job."""
    answer, run = await begin(pool, "Il")
    await until(answer, 0)
    answer.close()
    status, _ = await pool.call("DELETE", f"/v1/jobs/{run.run.job}")

    assert (200, run.run.job) == (status, (await pool.cancelled()).job)


async def test_an_ended_answer_is_kept_for_a_while(pool: Pool) -> None:
    """Its client may not have received the end; then the events are forgotten."""
    answer, run = await begin(pool, "Il", reconnect_s=0.2)
    await until(answer, 0)
    answer.close()
    finish(run, " était")
    async with come_back(pool, run.run.job, 0) as rest:
        stream = await rest.read()
    await eventually(lambda: not len(pool.gateway._streams))
    async with come_back(pool, run.run.job, 0) as late:
        error = (await late.json())["error"]

    assert b"[DONE]" in stream
    assert (410, "result_expired") == (late.status, error["code"])


async def test_a_failure_is_read_by_the_client_that_comes_back(pool: Pool) -> None:
    """An answer that failed meanwhile ends with its error, as an event."""
    answer, run = await begin(pool, "Il")
    await until(answer, 0)
    answer.close()
    run.end(code="engine_failed")
    for node in ("n1", "n2"):
        run.node = node
        leave(pool, run)
    async with come_back(pool, run.run.job, 0) as rest:
        stream = await rest.read()

    assert b"id: %s/1\n" % run.run.job.encode() in stream
    assert b"stream_broken" in stream


async def test_an_error_before_the_answer_has_its_own_status(pool: Pool) -> None:
    """The option changes nothing about a request that the pool refuses."""
    async with pool.send({**kept(), "model": "inconnu"}) as refused:
        error = (await refused.json())["error"]

    assert (404, "unknown_model") == (refused.status, error["code"])


async def test_the_second_connection_takes_over(pool: Pool) -> None:
    """The first one ends: a client that comes back may not know that its old one still stands."""
    answer, run = await begin(pool, "Il")
    first = await until(answer, 0)
    async with come_back(pool, run.run.job, 0) as rest:
        finish(run, " était")
        stream = without_comments(await rest.read())
    with pytest.raises(aiohttp.ClientError):
        await answer.read()

    assert [f"{run.run.job}/{n}" for n in range(5)] == numbers(first + stream)


async def test_a_resumed_answer_is_read_by_a_client_that_comes_back(pool: Pool) -> None:
    """While the client is away, another machine goes on: the event that says so has a number."""
    body = kept()
    body["entraide"]["resume_events"] = True
    pending = asyncio.ensure_future(pool.send(body))
    run = await pool.placed()
    run.accept()
    run.tokens("Il", " était")
    answer = await pending
    first = await until(answer, 0)
    answer.close()
    leave(pool, run)
    second = await resumed(pool, run)
    second.sent = 2
    finish(second, " une")
    async with come_back(pool, run.run.job, 0) as rest:
        stream = first + without_comments(await rest.read())

    assert [f"{run.run.job}/{n}" for n in range(len(numbers(stream)))] == numbers(stream)
    assert 1 == stream.count(b"event: entraide.resumed")
    assert b"[DONE]" in stream


async def test_openais_client_comes_back(pool: Pool) -> None:
    """It counts the chunks that it has, and sends the request once more with their number."""
    said: Any = dict(BODIES[openai.CHAT])
    chunks: list[Any] = []
    async with (
        cutting_proxy(pool.gateway.port) as proxy,
        AsyncOpenAI(api_key=KEY_A, base_url=f"{proxy.url}/v1", max_retries=0) as client,
    ):
        ask_again = partial(
            client.chat.completions.create, **said, extra_body={"entraide": {"reconnect_s": 30}}
        )
        asking = asyncio.ensure_future(ask_again())
        run = await pool.placed()
        run.accept()
        run.tokens(*WORDS[:20])
        stream = await asking
        with contextlib.suppress(APIConnectionError):
            async for each in stream:
                chunks.append(each)
                if len(chunks) == 10:
                    proxy.cut()
        cut_at = len(chunks)
        run.tokens(*WORDS[20:])
        finish(run)
        job = stream.response.headers["x-request-id"]
        rest = await ask_again(extra_headers={LAST: f"{job}/{len(chunks) - 1}"})
        chunks += [each async for each in rest]
    texts = [each.choices[0].delta.content or "" for each in chunks if each.choices]

    assert "".join(WORDS) == "".join(texts)
    assert 10 <= cut_at < len(chunks)
