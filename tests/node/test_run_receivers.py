"""Who receives a run from an engine: waits, failures and cancellations, over real sockets."""

import asyncio
import itertools
from collections.abc import Awaitable

import pytest
from aiohttp import web
from tests.node.scripted_engine import (
    DEADLINE_S,
    DONE,
    FINISH,
    LONG_S,
    TOKEN,
    endless,
    ran,
    request,
    silent_after_a_token,
    talking,
)

from entraide.types import Outcome
from entraide_node.engines.base import (
    EngineChunk,
)


async def test_cancelling_a_run_whose_reader_is_busy() -> None:
    """The engine sees its caller leave at once, even while nobody reads the run."""
    chunks: list[EngineChunk] = []
    async with talking(endless) as (engine, client):

        async def cancel() -> None:
            client.cancel("job-1")
            await engine.left.wait()

        def receive(chunk: EngineChunk) -> Awaitable[None]:
            chunks.append(chunk)
            return cancel()

        async with asyncio.timeout(DEADLINE_S):
            end = await client.run(request(), receive)

    assert 1 == len(chunks)
    assert Outcome.CANCELLED is end.outcome


async def test_a_receiver_that_waits() -> None:
    """It is not called while it waits; then it gets all that came meanwhile, once."""
    first_came, all_written = asyncio.Event(), asyncio.Event()

    async def script(_: web.Request, response: web.StreamResponse) -> None:
        await response.write(TOKEN)
        await first_came.wait()
        for _number in range(3):
            await response.write(TOKEN)
        await response.write(FINISH + DONE)
        all_written.set()

    counts: list[int] = []
    counts_after_wait: list[int] = []

    async def wait() -> None:
        first_came.set()
        await all_written.wait()
        counts_after_wait.extend(counts)

    def receive(chunk: EngineChunk) -> Awaitable[None] | None:
        counts.append(chunk.n_output_tokens)
        return wait() if len(counts) == 1 else None

    async with talking(script) as (_, client), asyncio.timeout(DEADLINE_S):
        end = await client.run(request(), receive)

    assert Outcome.COMPLETED is end.outcome
    assert [1] == counts_after_wait
    assert (1, 4) == (counts[0], counts[-1])


async def test_a_receiver_that_waits_at_the_end() -> None:
    """The run ends after the wait, also if the last text comes together with the answer's end."""
    first_came = asyncio.Event()

    async def script(_: web.Request, response: web.StreamResponse) -> None:
        await response.write(TOKEN)
        await first_came.wait()
        await response.write_eof(TOKEN + FINISH + DONE)

    waits: list[str] = []

    async def wait() -> None:
        waits.append("begun")
        await asyncio.sleep(0)
        waits.append("over")

    def receive(chunk: EngineChunk) -> Awaitable[None] | None:
        first_came.set()
        return wait() if chunk.n_output_tokens == 2 else None

    async with talking(script) as (_, client), asyncio.timeout(DEADLINE_S):
        end = await client.run(request(), receive)

    assert Outcome.COMPLETED is end.outcome
    assert ["begun", "over"] == waits


@pytest.mark.parametrize("last", [DONE, TOKEN.rstrip()], ids=["whole", "cut"])
async def test_a_slow_receiver_is_not_the_engines_silence(last: bytes) -> None:
    """While it waits the engine is not silent, also after the last event; before it, it is."""

    async def script(_: web.Request, response: web.StreamResponse) -> None:
        await response.write(TOKEN)
        await response.write_eof(TOKEN + FINISH + last)

    silences_s: list[float] = []

    async def wait() -> None:
        silences_s.append(client.silence.silence_s(asyncio.get_running_loop().time() + LONG_S))

    async with talking(script) as (_, client), asyncio.timeout(DEADLINE_S):
        await client.run(request(), lambda _chunk: wait())

    assert {0.0} == set(silences_s)


async def test_an_engine_is_silent_after_an_event() -> None:
    """From an event on the next one is waited for."""
    async with talking(silent_after_a_token) as (_, client), asyncio.timeout(DEADLINE_S):
        come = asyncio.Event()
        run = asyncio.create_task(client.run(request(), lambda _chunk: come.set()))
        await come.wait()
        silence_s = client.silence.silence_s(asyncio.get_running_loop().time() + LONG_S)
        client.cancel("job-1")
        await run

    assert silence_s >= LONG_S


@pytest.mark.parametrize("problem", [ZeroDivisionError, BrokenPipeError])
@pytest.mark.parametrize("chunks", [1, 3])
async def test_a_reader_that_fails(chunks: int, problem: type[Exception]) -> None:
    """An exception of the one who receives a run reaches its caller, and the engine's caller
    leaves; it is not taken for the engine's."""
    counted = itertools.count(1)

    def receive(_chunk: EngineChunk) -> None:
        if next(counted) == chunks:
            raise problem

    async with talking(endless) as (engine, client), asyncio.timeout(DEADLINE_S):
        with pytest.raises(problem):
            await client.run(request(), receive)
        await engine.left.wait()

    assert 0 == client.running


async def test_cancelling_the_one_who_reads_while_it_receives() -> None:
    """A task that is cancelled while a run writes makes the engine's caller leave."""
    async with talking(endless) as (engine, client):
        begun = asyncio.Event()
        run = asyncio.create_task(client.run(request(), lambda _chunk: begun.set()))
        async with asyncio.timeout(DEADLINE_S):
            await begun.wait()
            run.cancel()
            await engine.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await run

    assert 0 == client.running


async def test_cancelling_the_one_who_reads() -> None:
    """A task that is cancelled while it reads a run makes the engine's caller leave."""
    async with talking(silent_after_a_token) as (engine, client):
        run = asyncio.create_task(ran(client, request()))
        async with asyncio.timeout(DEADLINE_S):
            await engine.reached.wait()
            run.cancel()
            await engine.left.wait()

        with pytest.raises(asyncio.CancelledError):
            await run
