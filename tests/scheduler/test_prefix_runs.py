"""Which runs a node may let use what it has read before, and when it must forget it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import msgpack, structs
from tests.scheduler.batch_support import create, jsonl, line
from tests.scheduler.gateway_support import (
    CHAT,
    KEY_A,
    KEY_B,
    WAIT_S,
    NodeRun,
    Pool,
    ask,
    card,
    everything,
    open_pool,
)

from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import PrefixTerms

OWNER = m.OWNER_BYTES
LONG = "Il était une fois une coopérative. " * 40


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path, joined=(card("n1"),)) as pool:
        yield pool


async def run_of(
    pool: Pool, body: Any, *, key: str = KEY_A, path: str = CHAT, **headers: str
) -> NodeRun:
    """Sends a request and answers it; returns its run."""
    pending = asyncio.ensure_future(read(pool, body, key=key, path=path, **headers))
    run = await pool.placed()
    run.finish()
    await asyncio.wait_for(pending, WAIT_S)
    return run


async def read(pool: Pool, body: Any, **how: str) -> bytes:
    async with pool.send(body, **how) as answer:
        return await answer.read()


async def test_runs_of_one_key_have_one_partition(pool: Pool) -> None:
    """Each key has its own partition, and each user or cache key that its request names."""
    asked = {
        "a": (ask(LONG), KEY_A),
        "again, of another text": (ask("Autre chose"), KEY_A),
        "b": (ask(LONG), KEY_B),
        "a's user": (ask(LONG, user="ana-7"), KEY_A),
        "a's cache key": (ask(LONG, prompt_cache_key="dossier"), KEY_A),
    }
    runs = {name: (await run_of(pool, body, key=key)).run for name, (body, key) in asked.items()}
    parts = {name: run.partition for name, run in runs.items()}

    assert {m.PARTITION_BYTES} == {len(part) for part in parts.values()}
    assert {900.0} == {run.prefix_keep_s for run in runs.values()}
    assert parts["a"] == parts["again, of another text"]
    assert 4 == len(set(parts.values()))
    assert {parts["a"][:OWNER], parts["b"][:OWNER]} == {part[:OWNER] for part in parts.values()}
    assert all(secret not in run.body for run in runs.values() for secret in (b"dossier", b"ana-7"))


@pytest.mark.parametrize("way", ["body", "header", "policy"])
async def test_nothing_is_kept_of_a_run_without_a_partition(pool: Pool, way: str) -> None:
    """By the request's own wish, or where the policy has it off; other runs keep theirs."""
    if way == "policy":
        off = PrefixTerms(enabled=False)
        policy = structs.replace(pool.driver.policy, version="v2", prefix=off)
        pool.driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=policy))
    body = ask(LONG, entraide={"prefix": "off"}) if way == "body" else ask(LONG)
    headers = {"X_Entraide_Prefix": "off"} if way == "header" else {}
    run = (await run_of(pool, body, **headers)).run

    assert (b"", 0.0) == (run.partition, run.prefix_keep_s)
    assert bool((await run_of(pool, ask(LONG))).run.partition) == (way != "policy")


async def test_a_word_other_than_off_is_refused(pool: Pool) -> None:
    """What would restrict nothing is an error, in a header as in the body."""
    async with pool.send(ask(), X_Entraide_Prefix="on") as header:
        text = await header.text()
    async with pool.send(ask(entraide={"prefix": "of"})) as body:
        assert [400, 400] == [header.status, body.status]
        assert "X-Entraide-Prefix" in text
        assert "entraide.prefix" in await body.text()


async def test_kept_jobs_and_lines_of_batches_have_the_partition_of_their_key(
    pool: Pool,
) -> None:
    """They find again what their sender's other requests have read, unless the batch says no."""
    live = (await run_of(pool, ask(LONG))).run
    async with pool.send({"request": ask(LONG)}, path="/v1/jobs") as reply:
        assert 202 == reply.status
    kept = await pool.placed()
    await create(pool, jsonl(line("a", ask(LONG, max_tokens=5))))
    first = await pool.placed()
    without = {"prefix": "off"}
    await create(pool, jsonl(line("b", ask(LONG, max_tokens=5))), entraide=without)
    second = await pool.placed()
    rows = [await pool.store.get_kept(run.run.job) for run in (kept, first, second)]
    for run in (kept, first, second):
        run.finish()

    assert live.partition == kept.run.partition == first.run.partition != b""
    assert b"" == second.run.partition
    assert [((), ()), ((), ()), ((), None)] == [
        (row.facts.prefix_keys, row.facts.warm) for row in rows if row is not None
    ]


@pytest.mark.parametrize(
    "revoked", [m.KeyRevoked("key-alpha"), m.SigninEnded("person-0123456789ab", "s1")], ids=type
)
async def test_nodes_are_told_whom_to_forget(pool: Pool, revoked: m.Revocation) -> None:
    """Every node is told, for each day of which it may hold something, and of nobody else."""
    run = (await run_of(pool, ask(LONG))).run
    pool.gateway.on_scheduler_message(revoked)
    owners = [owner for node, owner in pool.nodes.forgotten if node == "n1"]

    assert 4 == len(set(owners)) == len(pool.nodes.forgotten)
    assert (run.partition[:OWNER] in owners) == isinstance(revoked, m.KeyRevoked)


async def test_no_digest_of_a_prompt_is_on_disk(pool: Pool, tmp_path: Path) -> None:
    """Neither the journal nor another table has one, as bytes or as a number."""
    pending = asyncio.ensure_future(read(pool, ask(LONG)))
    run = await pool.placed()
    facts = pool.gateway._running_jobs.get(run.run.job).facts  # type: ignore[union-attr]
    run.finish()
    await pending
    await pool.until_settled(run.run.job)
    on_disk = everything(tmp_path)

    assert len(facts.prefix_keys) > 3
    for key in facts.prefix_keys:
        assert msgpack.encode(key) not in on_disk
        assert str(key).encode() not in on_disk
    assert run.run.partition not in on_disk
