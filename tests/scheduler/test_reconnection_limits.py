"""Clients that come back to their answer: who may not, and what is bounded."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.scheduler.gateway_support import KEY_A, KEY_B, NodeRun, Pool, ask, open_pool
from tests.scheduler.reconnection_support import (
    LAST,
    WORDS,
    begin,
    come_back,
    finish,
    until,
    written,
)
from tests.waiting import eventually

from entraide.types import JobState
from entraide_scheduler.gateway.jobs import reconnectable_streams
from entraide_scheduler.gateway.requests import openai
from entraide_scheduler.gateway.signin.auth import hash_key
from entraide_scheduler.store.rows import KeyRow


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


async def test_nobody_else_reads_on(pool: Pool) -> None:
    """Another co-op, another key of the same co-op and a made-up job get the same answer."""
    await pool.store.create_key(KeyRow("key-c", "alpha", "main", "c"), hash_key("ent_other"))
    answer, run = await begin(pool, "Il")
    refusals = []
    for key, job in (
        (KEY_B, run.run.job), ("ent_other", run.run.job), (KEY_A, "job-0123456789ab"),
    ):  # fmt: skip
        for path in ("", openai.CHAT):
            async with come_back(pool, job, 0, key=key, path=path) as refused:
                refusals.append((refused.status, (await refused.json())["error"]["code"]))
    finish(run)
    stream = await answer.read()

    assert [(404, "unknown_job")] * 6 == refusals
    assert b"[DONE]" in stream


HOSTILE: dict[str, tuple[str, int, str]] = {
    "garbage": ("x", 400, "invalid_request"),
    "no number": ("JOB", 400, "invalid_request"),
    "nothing": ("", 400, "invalid_request"),
    "below 0": ("JOB/-1", 400, "invalid_request"),
    "other digits": ("JOB/\u0661", 400, "invalid_request"),
    "too large": ("JOB/3", 400, "invalid_request"),
    "far too large": ("JOB/999999999", 400, "invalid_request"),
    "more digits": ("JOB/" + "9" * 40, 400, "invalid_request"),
    "a path": ("JOB/../../1", 400, "invalid_request"),
    "quotes": ('"; DROP TABLE jobs', 400, "invalid_request"),
    "a kept job": ("kept-0123456789ab/0", 400, "invalid_request"),
    "1 MB": ("JOB/" + "9" * 1_000_000, 431, "head_too_large"),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_hostile_last_event_id(pool: Pool, case: str) -> None:
    """It is refused with its name, and the answer goes on."""
    text, status, code = HOSTILE[case]
    answer, run = await begin(pool, "Il", " était", " une")
    await until(answer, 2)
    given = {LAST: text.replace("JOB", run.run.job), "authorization": f"Bearer {KEY_A}"}
    given |= {"accept-language": "en"}
    async with pool.session.post(openai.CHAT, headers=given, json=ask()) as refused:
        error = (await refused.json())["error"]
    finish(run)
    rest = await answer.read()

    assert (status, code) == (refused.status, error["code"])
    assert code != "invalid_request" or (error["param"], LAST in error["message"]) == (LAST, True)
    assert b"[DONE]" in rest


async def test_another_jobs_event_on_the_path_of_a_job(pool: Pool) -> None:
    """The header names a stream, and the path the same one."""
    answer, run = await begin(pool, "Il")
    headers = {"authorization": f"Bearer {KEY_A}", LAST: "job-0123456789ab/0"}
    async with pool.session.get(f"/v1/jobs/{run.run.job}/stream", headers=headers) as refused:
        error = (await refused.json())["error"]
    answer.close()

    assert (404, "unknown_job") == (refused.status, error["code"])


async def test_a_question_for_the_head_takes_nothing_over(pool: Pool) -> None:
    """HEAD reads no events."""
    answer, run = await begin(pool, "Il")
    headers = {"authorization": f"Bearer {KEY_A}"}
    async with pool.session.head(f"/v1/jobs/{run.run.job}/stream", headers=headers) as head:
        pass
    finish(run)

    assert (200, 0) == (head.status, head.content_length)
    assert b"[DONE]" in await answer.read()


@pytest.mark.parametrize("seconds", [-1, 120.5, 1e9])
async def test_the_time_has_a_bound(pool: Pool, seconds: float) -> None:
    """From 0 to 120 s, by the header and in the body."""
    async with pool.send(ask(stream=True), X_Entraide_Reconnect=str(seconds)) as first:
        in_header = (await first.json())["error"]["param"]
    async with pool.send(ask(stream=True, entraide={"reconnect_s": seconds})) as second:
        in_body = (await second.json())["error"]["param"]

    assert (400, 400) == (first.status, second.status)
    assert ("X-Entraide-Reconnect", "entraide.reconnect_s") == (in_header, in_body)


async def test_answers_that_are_not_streamed_live_with_their_connection(pool: Pool) -> None:
    """They have no events to come back to."""
    pending = asyncio.ensure_future(pool.send(ask(entraide={"reconnect_s": 60})))
    run = await pool.placed()
    run.finish()
    document = await (await pending).json()

    assert "Salut" == document["choices"][0]["message"]["content"]
    assert 0 == len(pool.gateway._streams)


async def test_a_thousand_reconnections_leave_nothing(pool: Pool) -> None:
    """Neither tasks nor readers nor events are left once the answer is over."""
    answer, run = await begin(pool, "Il", " était", reconnect_s=1)
    await until(answer, 0)
    tasks = len(asyncio.all_tasks())
    for number in range(1_000):
        async with come_back(pool, run.run.job, number % 2) as rest:
            await rest.content.readany()
            rest.close()
    streams = pool.gateway._streams
    held = streams.held_bytes
    async with come_back(pool, run.run.job, 1) as rest:
        finish(run)
        await rest.read()
    await eventually(lambda: not len(streams))
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks + 2)
    gc.collect()
    readers = [each for each in gc.get_objects() if isinstance(each, STREAM_TYPES)]

    assert held < 2_000
    assert (0, 0) == (streams.held_bytes, len(readers))


STREAM_TYPES = (
    reconnectable_streams.ReconnectableStream,
    reconnectable_streams.StreamReader,
)


async def three_without_client(pool: Pool) -> list[NodeRun]:
    """Three answers without a client: two that run, and one that has ended."""
    runs = []
    for word in ("un", "deux", "trois"):
        answer, run = await begin(pool, word)
        await until(answer, 0)
        answer.close()
        await eventually(lambda job=run.run.job: not pool.gateway._streams._streams[job].has_reader)
        runs.append(run)
    finish(runs[2])
    await eventually(lambda: pool.gateway._streams._streams[runs[2].run.job].has_ended)
    return runs


async def test_memory_is_taken_from_those_without_a_client(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First from answers that have ended, then from the jobs whose clients are longest away."""
    runs = await three_without_client(pool)
    streams = pool.gateway._streams
    reader, run = await begin(pool, "quatre")
    monkeypatch.setattr(reconnectable_streams, "HELD_BYTES_MAX", 400)
    monkeypatch.setattr(reconnectable_streams, "HELD_BYTES_AFTER", 300)
    run.tokens("cinq")
    await eventually(lambda: 1 == len(streams))
    ended = [pool.driver.core.job(each.run.job).state for each in runs]
    run.tokens(*WORDS)
    await until(reader, 20)
    await eventually(lambda: streams._streams[run.run.job].log.first)
    finish(run)
    rest = await reader.read()
    async with come_back(pool, run.run.job, 0) as late:
        error = (await late.json())["error"]

    assert [JobState.CANCELLED, JobState.CANCELLED, JobState.COMPLETED] == ended
    assert b"[DONE]" in rest
    assert "result_expired" == error["code"]


async def test_one_key_leaves_only_so_many_streams(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above that, the one that ended, or that was left, longest ago is given up."""
    runs = await three_without_client(pool)
    monkeypatch.setattr(reconnectable_streams, "WITHOUT_CLIENT_PER_OWNER_MAX", 2)
    readers = [await begin(pool, "quatre"), await begin(pool, "cinq")]
    codes = []
    for run in runs:
        async with come_back(pool, run.run.job, 0) as got:
            codes.append(got.status)
    for reader, _ in readers:
        reader.close()

    assert [499, 200, 410] == codes


async def test_a_stop_tells_the_client_and_forgets(tmp_path: Path) -> None:
    """A gateway that stops ends its streams with ``shutting_down``, whole to the last byte."""
    async with open_pool(tmp_path) as pool:
        answer, _ = await begin(pool, *WORDS)
        reading = asyncio.ensure_future(answer.read())
        await pool.gateway.stop()
        stream = await reading

        assert b"shutting_down" in stream
        assert all(written(word) in stream for word in WORDS)
        assert 0 == len(pool.gateway._streams)
