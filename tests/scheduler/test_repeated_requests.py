"""Repeated requests: what a live request gets that repeats another by its idempotency key."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.scheduler.gateway_support import (
    CHAT,
    KEY_B,
    Pool,
    ask,
    chunk,
    everything,
    open_pool,
)
from tests.scheduler.pool_support import eventually

from entraide.wire import messages as m
from entraide_scheduler.gateway.jobs import repeatable_answers
from entraide_scheduler.gateway.jobs.repeatable_answers import HELD_S
from entraide_scheduler.gateway.signin.auth import hash_key
from entraide_scheduler.store.rows import KeyRow

KEY = {"Idempotency_Key": "k"}
RESPONSES = "/v1/responses"


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


async def answer(pool: Pool, body: Any, **more: Any) -> tuple[int, str]:
    """A request's status and text."""
    async with pool.send(body, **{**KEY, **more}) as response:
        return response.status, await response.text()


async def answered(pool: Pool, body: Any, text: str = "Salut", **more: Any) -> tuple[int, str]:
    """The same for a request that a machine answers."""
    asking = asyncio.ensure_future(answer(pool, body, **more))
    (await pool.placed()).finish(text)
    return await asking


async def add_key(pool: Pool, coop: str) -> str:
    """The secret of another key of a co-op."""
    secret = f"ent_other_{coop}"
    await pool.store.create_key(KeyRow(f"key-other-{coop}", coop, "main", coop), hash_key(secret))
    return secret


def clients_of(pool: Pool, job: str) -> int:
    """How many clients wait for the answer of a job."""
    held = pool.gateway._repeats.get(job)
    return len(held._sinks) if held is not None else 0


def error_of(reply: tuple[int, str]) -> tuple[int, str]:
    """Status and code of an error."""
    return reply[0], json.loads(reply[1])["error"]["code"]


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_an_answer_that_is_held_is_sent_again(pool: Pool, path: str) -> None:
    """A repeated request gets the same bytes while its job runs and after; it ran once."""
    body = ask() if path == CHAT else {"model": ask()["model"], "input": "Bonjour"}
    first, second = (asyncio.ensure_future(answer(pool, body, path=path)) for _ in range(2))
    run = await pool.placed()
    await eventually(lambda: clients_of(pool, run.run.job) == 2)
    run.finish()
    during = await first, await second
    after = await answer(pool, body, path=path)

    assert 200 == after[0]
    assert (after, after) == during
    assert pool.nodes.runs.empty()


async def test_a_stream_is_sent_again_from_its_beginning(pool: Pool) -> None:
    """Who asks in the middle of a stream gets its beginning and, like the first one, its end."""
    body = ask(stream=True)
    first = asyncio.ensure_future(answer(pool, body))
    run = await pool.placed()
    run.tokens("Sa", "lut")
    second = asyncio.ensure_future(answer(pool, body))
    await eventually(lambda: clients_of(pool, run.run.job) == 2)
    run.end(chunk("", "stop"))
    whole = await first

    assert whole == await second == await answer(pool, body)
    assert "Sa" in whole[1]
    assert whole[1].endswith("data: [DONE]\n\n")


async def test_a_job_goes_on_for_a_client_that_lost_its_connection(pool: Pool) -> None:
    """The client that asks again gets the answer of the job that it began."""
    lost = asyncio.ensure_future(answer(pool, ask()))
    run = await pool.placed()
    lost.cancel()
    await eventually(lambda: clients_of(pool, run.run.job) == 0)
    again = asyncio.ensure_future(answer(pool, ask()))
    await eventually(lambda: clients_of(pool, run.run.job) == 1)
    run.finish()

    assert 200 == (await again)[0]
    assert pool.nodes.runs.empty()


async def test_a_job_is_cancelled_if_nobody_asks_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job whose clients have left for good does not run to its end."""
    monkeypatch.setattr(repeatable_answers, "AWAY_S", 0.05)
    lost = asyncio.ensure_future(answer(pool, ask()))
    run = await pool.placed()
    lost.cancel()

    assert run.run.job == (await pool.cancelled()).job


async def test_another_request_with_the_key_is_refused(pool: Pool) -> None:
    """Another body, path or option is said to be another request, and runs nowhere."""
    first = await answered(pool, ask())
    others = [
        await answer(pool, ask("Bonsoir")),
        await answer(pool, ask(), X_Entraide_Explain="true"),
        await answer(pool, ask(stream=True)),
        await answer(pool, ask(), X_Entraide_Data_Class="restricted"),
        await answer(pool, {**ask(), "entraide": {"jurisdiction": "CA-QC"}}),
        await answer(pool, ask(), X_Entraide_Controlled_By="member"),
        await answer(pool, ask(), X_Entraide_Max_gCO2e="3"),
    ]

    assert 200 == first[0]
    assert [(409, "idempotency_mismatch")] * 7 == [error_of(other) for other in others]
    assert pool.nodes.runs.empty()


async def test_another_caller_gets_nothing_of_it(pool: Pool) -> None:
    """The same key and body of another co-op, or by another key of the co-op, is a new request."""
    other_key = await add_key(pool, "alpha")
    first = await answered(pool, ask(), "Pour moi seule")
    others = [await answered(pool, ask(), "Autre", key=key) for key in (KEY_B, other_key)]

    assert "Pour moi seule" in first[1]
    assert [(200, False)] * 2 == [(status, "Pour moi seule" in text) for status, text in others]


async def test_restricted_data_is_not_held(pool: Pool) -> None:
    """A repeated request for restricted data is refused, during and after its job."""
    headers = {"X_Entraide_Data_Class": "restricted", "key": await add_key(pool, "gamma")}
    first = asyncio.ensure_future(answer(pool, ask(), **headers))
    run = await pool.placed()
    during = await answer(pool, ask(), **headers)
    run.finish()
    whole = await first
    await pool.until_settled(run.run.job)
    after = await answer(pool, ask(), **headers)

    assert 200 == whole[0]
    assert [(409, "answer_not_held")] * 2 == [error_of(during), error_of(after)]
    assert run.run.job == json.loads(after[1])["error"]["job"]


async def test_an_erased_answer_is_gone(pool: Pool) -> None:
    """Once a live job that has ended is erased, a repeated request gets the receipt's name."""
    asking = asyncio.ensure_future(answer(pool, ask()))
    run = await pool.placed()
    run.finish()
    await asking
    await pool.until_settled(run.run.job)
    erased = await pool.call("DELETE", f"/v1/jobs/{run.run.job}?erase=true")
    after = await answer(pool, ask())

    assert 200 == erased[0]
    assert (409, "answer_not_held") == error_of(after)


async def test_an_answer_is_held_for_ten_minutes_and_never_on_disk(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its time is over the books alone know of it; the text was in no file."""
    monkeypatch.setattr(repeatable_answers, "HELD_S", 0.05)
    asking = asyncio.ensure_future(answer(pool, ask("secretissime")))
    run = await pool.placed()
    run.finish("confidentialissime")
    await asking
    await pool.until_settled(run.run.job)
    await eventually(lambda: not len(pool.gateway._repeats))
    after = await answer(pool, ask("secretissime"))

    assert (409, "answer_not_held") == error_of(after)
    assert 600.0 == HELD_S
    assert not any(
        word in everything(tmp_path) for word in (b"secretissime", b"confidentialissime")
    )


async def test_the_memory_is_bounded(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest answers of a sender are forgotten first; those of others stay."""
    monkeypatch.setattr(repeatable_answers, "SENDER_BYTES_MAX", 8_000)
    other = await answered(pool, ask(), key=KEY_B)
    for number in range(5):
        await answered(pool, ask(), "x" * 2_000, Idempotency_Key=f"k{number}")

    assert pool.gateway._repeats.held_bytes < 8_000 + 3_000
    assert other == await answer(pool, ask(), key=KEY_B)
    assert 200 == (await answer(pool, ask(), Idempotency_Key="k4"))[0]
    assert (409, "answer_not_held") == error_of(await answer(pool, ask(), Idempotency_Key="k0"))


async def test_a_long_stream_is_dropped_but_not_run_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer above the bound reaches its client whole; a repeated request is refused."""
    monkeypatch.setattr(repeatable_answers, "SENDER_BYTES_MAX", 8_000)
    first = asyncio.ensure_future(answer(pool, ask(stream=True)))
    run = await pool.placed()
    run.tokens(*["Q" * 500] * 40)
    run.end(chunk("", "stop"))
    whole = await first
    again = await answer(pool, ask(stream=True))

    assert 40 * 500 == whole[1].count("Q" * 500) * 500
    assert (409, "answer_not_held") == error_of(again)
    assert pool.gateway._repeats.held_bytes < 8_000


async def test_a_request_that_was_refused_or_failed_may_be_repeated(pool: Pool) -> None:
    """An error is no answer: the same key works again."""
    refused = await answer(pool, ask(temperature=9))
    unknown = await answer(pool, {**ask(), "model": "inconnu"})
    asking = asyncio.ensure_future(answer(pool, ask()))
    (await pool.placed()).decline("engine_refused", cause="schema")
    failed = await asking
    whole = await answered(pool, ask())

    assert [400, 404, 400, 200] == [refused[0], unknown[0], failed[0], whole[0]]


async def test_a_revoked_keys_answers_are_forgotten(pool: Pool) -> None:
    """Nothing of a key stays in memory once it is revoked."""
    await answered(pool, ask())
    before = len(pool.gateway._repeats)
    (key,) = {answer.key.sender for answer in pool.gateway._repeats._answers.values()}
    pool.gateway.on_scheduler_message(m.KeyRevoked(key))

    assert (1, 0, 0) == (before, len(pool.gateway._repeats), pool.gateway._repeats.held_bytes)


async def test_a_reconnectable_stream_is_taken_over(pool: Pool) -> None:
    """The same request reads the stream that it began, from its first event."""
    body, headers = ask(stream=True), {"X_Entraide_Reconnect": "30"}
    first = asyncio.ensure_future(answer(pool, body, **headers))
    run = await pool.placed()
    run.tokens("Sa", "lut")
    second = asyncio.ensure_future(answer(pool, body, **headers))
    await asyncio.gather(first, return_exceptions=True)
    run.end(chunk("", "stop"))
    status, text = await second

    assert (200, True) == (status, "Sa" in text)
    assert text.endswith("data: [DONE]\n\n")
    assert pool.nodes.runs.empty()
