"""``client.batches`` over HTTP against a gateway with a real core and store."""

import asyncio
from pathlib import Path

import pytest
from tests.scheduler.batch_support import answering_nodes, line, small_window
from tests.scheduler.gateway_support import CHAT, KEY_A, KEY_B, MODEL, open_pool

from entraide.client import AsyncClient, Batch, Client
from entraide.errors import AuthenticationError, NotFoundError, RequestError
from entraide_scheduler.config import HttpConfig, HttpLimits
from entraide_scheduler.gateway import Settings


async def test_prompts_are_answered_by_name(tmp_path: Path) -> None:
    """Prompts by name go through file, batch and results, and come back by name with tokens."""
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        client = AsyncClient(pool.gateway.url, KEY_A, lang="en")
        async with client:
            batch = await client.batches.create(
                {"a": "Question un", "b": "Question deux"}, model=MODEL, max_output_tokens=5,
                metadata={"projet": "bulletin"}, jurisdiction="CA", wait=True,
            )  # fmt: skip
            results = [result async for result in client.batches.results(batch)]
            listed = await client.batches.list()

    assert ("completed", MODEL, CHAT) == (batch.state, batch.model, batch.endpoint)
    assert {"projet": "bulletin"} == batch.metadata
    assert {"a": "un", "b": "deux"} == {each.custom_id: each.text for each in results}
    assert batch.saved_sentence.startswith("The lines used")
    assert [batch] == listed


async def test_the_synchronous_client_reads_pages_and_large_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of some MiB is streamed up, its content arrives as it is, and a list has pages."""
    monkeypatch.setattr("entraide.client.batches.sync.BATCHES_LIMIT_MAX", 2)
    requests = {f"n-{number}": "x" * 100_000 for number in range(30)}

    def work(url: str) -> tuple[str, list[Batch], int, Batch]:
        with Client(url, KEY_A) as client:
            first = client.batches.create(requests, model=MODEL)
            for _ in range(4):
                client.batches.create(["x"], model=MODEL)
            listed = client.batches.list(5)
            cancelled = client.batches.cancel(listed[0])
            return first.input_file, listed, len(client.batches.list(3)), cancelled

    async with open_pool(tmp_path) as pool:
        file, listed, count, cancelled = await asyncio.to_thread(work, pool.gateway.url)
        size = (await pool.call("GET", f"/v1/files/{file}"))[1]["bytes"]

    assert (5, 3) == (len({each.batch for each in listed}), count)
    assert file == listed[-1].input_file
    assert cancelled.state == "cancelling"
    assert size > 3_000_000


async def test_the_faults_that_only_the_pool_finds(tmp_path: Path) -> None:
    """A batch whose model is unknown fails with the fault of its line, in the client's language."""
    async with open_pool(tmp_path) as pool:
        client = AsyncClient(pool.gateway.url, KEY_A, lang="en")
        async with client:
            batch = await client.batches.create(["x"], model="absent", wait=True)
            results = [result async for result in client.batches.results(batch)]

    assert ("failed", []) == (batch.state, results)
    assert (1, "unknown_model") == (batch.faults[0].line, batch.faults[0].code)
    assert "absent" in batch.faults[0].message


async def test_partial_results_come_while_the_batch_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The results of a running batch are those that exist; errors are values among them."""
    small_window(monkeypatch, 1)
    async with open_pool(tmp_path) as pool, AsyncClient(pool.gateway.url, KEY_A) as client:
        batch = await client.batches.create([line("a"), line("b")])
        (await pool.placed()).finish("un")
        second = await pool.placed()
        partial = [result.text async for result in client.batches.results(batch)]
        await client.batches.cancel(batch)
        ended = await client.batches.wait(batch)
        results = [result async for result in client.batches.results(ended)]
        second.finish("trop tard")

    assert ["un"] == partial
    assert "cancelled" == ended.state
    assert [("a", None), ("b", "batch_cancelled")] == [
        (each.custom_id, each.error and each.error.code) for each in results
    ]


async def test_what_the_pool_refuses_is_raised(tmp_path: Path) -> None:
    """Another co-op's batch is unknown; a wrong key is refused, also at a large file."""

    def send(url: str, key: str) -> None:
        with Client(url, key, retries=0) as client:
            client.batches.create(["x" * 1_000_000] * 20, model=MODEL)

    few = Settings(http=HttpConfig(limits=HttpLimits(files_mb_per_coop=2)), drain_s=0.0)
    async with open_pool(tmp_path, settings=few) as pool:
        async with AsyncClient(pool.gateway.url, KEY_A) as client:
            batch = await client.batches.create(["x"], model=MODEL)
        async with AsyncClient(pool.gateway.url, KEY_B) as client:
            with pytest.raises(NotFoundError):
                await client.batches.get(batch.batch)
            with pytest.raises(RequestError, match="jurisdiction"):
                await client.batches.create(["x"], model=MODEL, jurisdiction="\u0000")
        with pytest.raises(AuthenticationError):
            await asyncio.to_thread(send, pool.gateway.url, "ent_faux")
        with pytest.raises(RequestError) as full:
            await asyncio.to_thread(send, pool.gateway.url, KEY_A)

    assert "files_full" == full.value.code
