"""The talk with an engine over real sockets: an engine that misbehaves in each way there is."""

import asyncio

import msgspec
import pytest
from aiohttp import web
from tests.node.scripted_engine import (
    DEADLINE_S,
    FINISH,
    LONG_S,
    TOKEN,
    Script,
    endless,
    good,
    ran,
    request,
    silent_after_a_token,
    talking,
)

from entraide.types import Outcome
from entraide_node.engines.base import (
    BAD_REQUEST,
    CHAT,
    CONTEXT_LENGTH_EXCEEDED,
    ENGINE_CRASHED,
    ENGINE_HUNG,
    ENGINE_REJECTED,
)
from entraide_node.engines.engine_client import EngineClient, EngineEndpoint

PROGRESS = (
    b'data: {"choices":[{"index":0,"delta":{}}],"prompt_progress":{"total":9,"processed":%d}}\n\n'
)


async def test_what_the_engine_is_asked() -> None:
    """The engine is asked for a stream with usage, under its own name for the model and our key;
    all other fields reach it untouched, and our extra ones hold against the client's."""
    extra = {"temperature": 1, "timings_per_token": True}
    async with talking(good, extra=extra) as (engine, client):
        await ran(client, request(stream=False))

    assert [
        {
            "messages": [],
            "temperature": 1,
            "mystery": [1],
            "model": "its-name",
            "stream": True,
            "stream_options": {"include_usage": True},
            "timings_per_token": True,
        }
    ] == engine.asked
    assert "Bearer secret" == engine.headers[0]["Authorization"]


async def test_connections_are_used_again() -> None:
    """Runs one after the other share a connection where that is allowed, and only there."""
    connections = []
    for keep_alive in (True, False):
        async with talking(good, keep_alive=keep_alive) as (engine, client):
            for n in range(3):
                await ran(client, request(f"job-{n}"))
            connections.append(len(engine.connections))

    assert [1, 3] == connections


async def test_a_dead_connection_is_replaced() -> None:
    """A kept connection on which the engine hangs up costs the run nothing."""
    async with talking(good, hangs_up="reused") as (engine, client):
        await ran(client, request("job-1"))
        _, end = await ran(client, request("job-2"))

    assert Outcome.COMPLETED is end.outcome
    assert (3, 2) == (len(engine.asked), len(engine.connections))


async def test_an_engine_that_always_hangs_up() -> None:
    """An engine that hangs up on every try is asked twice, and then counts as crashed."""
    async with talking(good, hangs_up="always") as (engine, client):
        _, end = await ran(client, request())

    assert end.failure is not None
    assert (ENGINE_CRASHED, True) == (end.failure.code, end.failure.retryable)
    assert 2 == len(engine.asked)


async def test_nobody_there() -> None:
    """An engine that is not there counts as crashed."""
    async with talking(good) as (engine, _):
        url = engine.url
    client = EngineClient(EngineEndpoint(base_url=url, model="m"))

    _, end = await ran(client, request())
    await client.close()

    assert end.failure is not None
    assert ENGINE_CRASHED == end.failure.code


async def drop_in_the_middle(asked: web.Request, response: web.StreamResponse) -> None:
    """Hangs up after two tokens."""
    await response.write(TOKEN + TOKEN)
    await asyncio.sleep(0)
    assert asked.transport is not None
    asked.transport.close()


async def test_an_engine_that_dies_in_the_middle() -> None:
    """A stream that breaks off fails the run as crashed, with the counts so far."""
    async with talking(drop_in_the_middle) as (_, client):
        chunks, end = await ran(client, request())

    assert end.failure is not None
    assert ENGINE_CRASHED == end.failure.code
    assert sum(1 for chunk in chunks if chunk.data) == 1
    assert 2 == end.usage.completion_tokens


async def drop_after_the_finish(asked: web.Request, response: web.StreamResponse) -> None:
    """Dies when the answer is complete and only its counts are missing."""
    await response.write(TOKEN + FINISH)
    assert asked.transport is not None
    asked.transport.close()


async def test_an_engine_that_dies_after_the_answer() -> None:
    """A complete answer stays complete if the engine dies afterwards."""
    async with talking(drop_after_the_finish) as (_, client):
        _, end = await ran(client, request())

    assert Outcome.COMPLETED is end.outcome
    assert 1 == end.usage.completion_tokens


async def silent(_: web.Request, __: web.StreamResponse) -> None:
    """Writes nothing until its caller leaves."""
    await asyncio.sleep(LONG_S)


async def only_comments(_: web.Request, response: web.StreamResponse) -> None:
    """Writes comments, and no event, until its caller leaves."""
    while True:
        await response.write(b": keepalive\n\n")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "limits"),
    [
        (silent, {"first_event_timeout_s": 0.2}),
        (only_comments, {"first_event_timeout_s": 0.2}),
        (silent_after_a_token, {"stall_timeout_s": 0.2}),
    ],
)
async def test_an_engine_that_hangs(script: Script, limits: dict[str, float]) -> None:
    """An engine without events for too long hangs, even if its HTTP thread sends comments."""
    async with talking(script, **limits) as (engine, client):
        _, end = await ran(client, request())
        async with asyncio.timeout(DEADLINE_S):
            await engine.left.wait()

    assert end.failure is not None
    assert (ENGINE_HUNG, True) == (end.failure.code, end.failure.retryable)


async def test_a_request_may_have_more_time() -> None:
    """A request's own limit for its first event replaces the engine's."""
    asked = request()
    limited = msgspec.structs.replace(asked, first_event_timeout_s=0.05)
    async with talking(silent) as (_, client):
        _, end = await ran(client, limited)

    assert end.failure is not None
    assert ENGINE_HUNG == end.failure.code


async def slow_reader(_: web.Request, response: web.StreamResponse) -> None:
    """Reads the prompt with long silences, and then answers well."""
    for n in range(1, 4):
        await response.write(PROGRESS % (3 * n))
        await asyncio.sleep(0.15)
    await good(_, response)


async def test_a_long_prompt_may_be_read_in_silence() -> None:
    """Until there is output the longer limit holds, also between two signs of progress."""
    async with talking(slow_reader, stall_timeout_s=0.05) as (_, client):
        chunks, end = await ran(client, request())

    assert Outcome.COMPLETED is end.outcome
    assert [3, 6, 9] == [chunk.n_prompt_tokens for chunk in chunks if not chunk.data]


@pytest.mark.parametrize("script", [endless, silent, silent_after_a_token])
async def test_cancelling(script: Script) -> None:
    """A cancelled run ends as cancelled, and the engine sees its caller leave."""
    async with talking(script) as (engine, client):
        run = asyncio.create_task(ran(client, request()))
        async with asyncio.timeout(DEADLINE_S):
            await engine.reached.wait()
        known = client.cancel("job-1")
        _, end = await run
        async with asyncio.timeout(DEADLINE_S):
            await engine.left.wait()

    assert known
    assert Outcome.CANCELLED is end.outcome
    assert end.failure is None
    assert 0 == client.running


async def test_cancelling_a_run_that_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    """However late in its attempt it is cancelled, the engine is not asked."""
    async with talking(good) as (engine, client):
        connect = client._http.connect

        async def connect_and_cancel() -> None:
            await connect()
            client.cancel("job-1")

        monkeypatch.setattr(client._http, "connect", connect_and_cancel)
        _, end = await ran(client, request())

    assert Outcome.CANCELLED == end.outcome
    assert [] == engine.asked


async def test_unknown_and_doubled_jobs() -> None:
    """A job that is not there cannot be cancelled, and one that runs cannot run again."""
    async with talking(silent_after_a_token) as (engine, client):
        first = asyncio.create_task(ran(client, request()))
        await engine.reached.wait()
        _, second = await ran(client, request())
        nobody = client.cancel("job-2")
        client.cancel("job-1")
        await first

    assert not nobody
    assert second.failure is not None
    assert (ENGINE_REJECTED, False) == (second.failure.code, second.failure.retryable)


async def test_a_body_that_is_no_request() -> None:
    """A body that is no JSON object fails the run before the engine is asked."""
    async with talking(good) as (engine, client):
        _, end = await ran(client, request(body=b"{"))

    assert end.failure is not None
    assert BAD_REQUEST == end.failure.code
    assert [] == engine.asked


async def test_a_stream_that_was_closed() -> None:
    """After the close no run begins, and it may be closed again."""
    async with talking(good) as (_, client):
        await client.close()
        await client.close()
        _, end = await ran(client, request())
        small = await client.get("/health", timeout_s=1.0)

    assert end.failure is not None
    assert ENGINE_CRASHED == end.failure.code
    assert small is None


async def test_a_refusal() -> None:
    """A refusal of the engine is a failure with its numbers."""
    said = b'{"error":{"type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":4}}'

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=400, body=said)

    app = web.Application()
    app.router.add_post(CHAT, refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    client = EngineClient(EngineEndpoint(base_url=f"http://{host}:{port}", model="m"))

    _, end = await ran(client, request())
    await client.close()
    await runner.cleanup()

    assert end.failure is not None
    assert (CONTEXT_LENGTH_EXCEEDED, 9, 4) == (
        end.failure.code, end.failure.n_prompt_tokens, end.failure.n_ctx
    )  # fmt: skip


async def test_many_at_a_time() -> None:
    """Runs at the same time do not mix."""
    async with talking(good) as (_, client):
        runs = [ran(client, request(f"job-{n}")) for n in range(40)]
        results = await asyncio.gather(*runs)

    for n, (chunks, end) in enumerate(results):
        sent = b"".join(chunk.data for chunk in chunks) + end.final_chunk
        assert 2 == sent.count(f'"id":"job-{n}"'.encode())
