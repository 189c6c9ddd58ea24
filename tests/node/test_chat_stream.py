"""The talk with an engine over real sockets: an engine that misbehaves in each way there is."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from entraide.types import Outcome
from entraide_node.engines.base import (
    BAD_REQUEST,
    CHAT,
    CONTEXT_EXCEEDED,
    ENGINE_CRASHED,
    ENGINE_HUNG,
    ENGINE_REJECTED,
    EngineChunk,
    EngineEnd,
    EngineRequest,
)
from entraide_node.engines.chat_stream import ChatStream, EngineEndpoint

DEADLINE_S = 10.0
LONG_S = 60.0

TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"

Script = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


class FakeEngine:
    """An engine's HTTP side that follows a script and records its requests."""

    def __init__(self, script: Script, hangs_up: str) -> None:
        self.asked: list[dict[str, object]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[object] = set()
        self.reached = asyncio.Event()
        self.left = asyncio.Event()
        self._script = script
        self._hangs_up = hangs_up
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answers a request by the script."""
        self.asked.append(msgspec.json.decode(await request.read()))
        self.headers.append(dict(request.headers))
        self.reached.set()
        is_reused = request.transport in self.connections
        self.connections.add(request.transport)
        if self._hangs_up and (is_reused or self._hangs_up == "always"):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        try:
            await response.prepare(request)
            await self._script(request, response)
        except (asyncio.CancelledError, ConnectionResetError):
            self.left.set()
            raise
        return response


@asynccontextmanager
async def talking(
    script: Script, *, hangs_up: str = "", **options: object
) -> AsyncIterator[tuple[FakeEngine, ChatStream]]:
    """A fake engine on a free port, and a stream to it.

    ``hangs_up`` says on which requests the engine hangs up before any byte of an answer:
    ``always``, or ``reused`` for those on a connection that it has answered on before.
    """
    engine = FakeEngine(script, hangs_up)
    app = web.Application(handler_args={"handler_cancellation": True})
    app.router.add_post(CHAT, engine.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    engine.url = f"http://{host}:{port}"
    target = EngineEndpoint(base_url=engine.url, model="its-name", api_key="secret", **options)
    stream = ChatStream(target)
    try:
        yield engine, stream
    finally:
        await stream.close()
        await runner.cleanup()


def request(job: str = "job-1", *, stream: bool = True, body: bytes | None = None) -> EngineRequest:
    """A request that asks for nothing in particular."""
    plain = b'{"messages":[],"temperature":0,"mystery":[1],"model":"public","stream":false}'
    return EngineRequest(job, CHAT, plain if body is None else body, stream, "public")


async def ran(stream: ChatStream, asked: EngineRequest) -> tuple[list[EngineChunk], EngineEnd]:
    """All that a run gives, within the deadline."""
    chunks: list[EngineChunk] = []
    async with asyncio.timeout(DEADLINE_S):
        return chunks, await stream.run(asked, chunks.append)


async def good(_: web.Request, response: web.StreamResponse) -> None:
    """Answers well."""
    await response.write(TOKEN)
    await response.write(FINISH + DONE)


async def test_what_the_engine_is_asked() -> None:
    """The engine is asked for a stream with usage, under its own name for the model and our key;
    all other fields reach it untouched, and our extra ones hold against the client's."""
    extra = {"temperature": 1, "timings_per_token": True}
    async with talking(good, extra=extra) as (engine, stream):
        await ran(stream, request(stream=False))

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
        async with talking(good, keep_alive=keep_alive) as (engine, stream):
            for n in range(3):
                await ran(stream, request(f"job-{n}"))
            connections.append(len(engine.connections))

    assert [1, 3] == connections


async def test_a_dead_connection_is_replaced() -> None:
    """A kept connection on which the engine hangs up costs the run nothing."""
    async with talking(good, hangs_up="reused") as (engine, stream):
        await ran(stream, request("job-1"))
        _, end = await ran(stream, request("job-2"))

    assert Outcome.COMPLETED is end.outcome
    assert (3, 2) == (len(engine.asked), len(engine.connections))


async def test_an_engine_that_always_hangs_up() -> None:
    """An engine that hangs up on every try is asked twice, and then counts as crashed."""
    async with talking(good, hangs_up="always") as (engine, stream):
        _, end = await ran(stream, request())

    assert end.failure is not None
    assert (ENGINE_CRASHED, True) == (end.failure.code, end.failure.retryable)
    assert 2 == len(engine.asked)


async def test_nobody_there() -> None:
    """An engine that is not there counts as crashed."""
    async with talking(good) as (engine, _):
        url = engine.url
    stream = ChatStream(EngineEndpoint(base_url=url, model="m"))

    _, end = await ran(stream, request())
    await stream.close()

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
    async with talking(drop_in_the_middle) as (_, stream):
        chunks, end = await ran(stream, request())

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
    async with talking(drop_after_the_finish) as (_, stream):
        _, end = await ran(stream, request())

    assert Outcome.COMPLETED is end.outcome
    assert 1 == end.usage.completion_tokens


async def silent(_: web.Request, __: web.StreamResponse) -> None:
    """Says nothing, for ever."""
    await asyncio.sleep(LONG_S)


async def only_comments(_: web.Request, response: web.StreamResponse) -> None:
    """Sends signs of life, and no event, for ever."""
    while True:
        await response.write(b": keepalive\n\n")
        await asyncio.sleep(0.01)


async def silent_after_a_token(_: web.Request, response: web.StreamResponse) -> None:
    """Stops in the middle, for ever."""
    await response.write(TOKEN)
    await asyncio.sleep(LONG_S)


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
    async with talking(script, **limits) as (engine, stream):
        _, end = await ran(stream, request())
        async with asyncio.timeout(DEADLINE_S):
            await engine.left.wait()

    assert end.failure is not None
    assert (ENGINE_HUNG, True) == (end.failure.code, end.failure.retryable)


async def test_a_request_may_have_more_time() -> None:
    """A request's own limit for its first event replaces the engine's."""
    asked = request()
    limited = msgspec.structs.replace(asked, first_event_timeout_s=0.05)
    async with talking(silent) as (_, stream):
        _, end = await ran(stream, limited)

    assert end.failure is not None
    assert ENGINE_HUNG == end.failure.code


PROGRESS = (
    b'data: {"choices":[{"index":0,"delta":{}}],"prompt_progress":{"total":9,"processed":%d}}\n\n'
)


async def slow_reader(_: web.Request, response: web.StreamResponse) -> None:
    """Reads the prompt with long silences, and then answers well."""
    for n in range(1, 4):
        await response.write(PROGRESS % (3 * n))
        await asyncio.sleep(0.15)
    await good(_, response)


async def test_a_long_prompt_may_be_read_in_silence() -> None:
    """Until there is output the longer limit holds, also between two signs of progress."""
    async with talking(slow_reader, stall_timeout_s=0.05) as (_, stream):
        chunks, end = await ran(stream, request())

    assert Outcome.COMPLETED is end.outcome
    assert [3, 6, 9] == [chunk.n_prompt_tokens for chunk in chunks if not chunk.data]


async def endless(_: web.Request, response: web.StreamResponse) -> None:
    """Writes tokens for ever."""
    while True:
        await response.write(TOKEN)
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("script", [endless, silent, silent_after_a_token])
async def test_cancelling(script: Script) -> None:
    """A cancelled run ends as cancelled, and the engine sees its caller leave."""
    async with talking(script) as (engine, stream):
        run = asyncio.create_task(ran(stream, request()))
        async with asyncio.timeout(DEADLINE_S):
            await engine.reached.wait()
        known = stream.cancel("job-1")
        _, end = await run
        async with asyncio.timeout(DEADLINE_S):
            await engine.left.wait()

    assert known
    assert Outcome.CANCELLED is end.outcome
    assert end.failure is None
    assert 0 == stream.running


async def test_cancelling_a_run_that_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    """However late in its attempt it is cancelled, the engine is not asked."""
    async with talking(good) as (engine, stream):
        connect = stream._http.connect

        async def connect_and_cancel() -> None:
            await connect()
            stream.cancel("job-1")

        monkeypatch.setattr(stream._http, "connect", connect_and_cancel)
        _, end = await ran(stream, request())

    assert Outcome.CANCELLED == end.outcome
    assert [] == engine.asked


async def test_cancelling_a_run_whose_reader_is_busy() -> None:
    """The engine sees its caller leave at once, even while nobody reads the run."""
    chunks: list[EngineChunk] = []
    async with talking(endless) as (engine, stream):

        async def cancel() -> None:
            stream.cancel("job-1")
            await engine.left.wait()

        def receive(chunk: EngineChunk) -> Awaitable[None]:
            chunks.append(chunk)
            return cancel()

        async with asyncio.timeout(DEADLINE_S):
            end = await stream.run(request(), receive)

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

    async with talking(script) as (_, stream), asyncio.timeout(DEADLINE_S):
        end = await stream.run(request(), receive)

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

    async with talking(script) as (_, stream), asyncio.timeout(DEADLINE_S):
        end = await stream.run(request(), receive)

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
        silences_s.append(stream.silence.silence_s(asyncio.get_running_loop().time() + LONG_S))

    async with talking(script) as (_, stream), asyncio.timeout(DEADLINE_S):
        await stream.run(request(), lambda _chunk: wait())

    assert {0.0} == set(silences_s)


async def test_an_engine_is_silent_after_an_event() -> None:
    """From an event on the next one is waited for."""
    async with talking(silent_after_a_token) as (_, stream), asyncio.timeout(DEADLINE_S):
        come = asyncio.Event()
        run = asyncio.create_task(stream.run(request(), lambda _chunk: come.set()))
        await come.wait()
        silence_s = stream.silence.silence_s(asyncio.get_running_loop().time() + LONG_S)
        stream.cancel("job-1")
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

    async with talking(endless) as (engine, stream), asyncio.timeout(DEADLINE_S):
        with pytest.raises(problem):
            await stream.run(request(), receive)
        await engine.left.wait()

    assert 0 == stream.running


async def test_cancelling_the_one_who_reads_while_it_receives() -> None:
    """A task that is cancelled while a run writes makes the engine's caller leave."""
    async with talking(endless) as (engine, stream):
        begun = asyncio.Event()
        run = asyncio.create_task(stream.run(request(), lambda _chunk: begun.set()))
        async with asyncio.timeout(DEADLINE_S):
            await begun.wait()
            run.cancel()
            await engine.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await run

    assert 0 == stream.running


async def test_cancelling_the_one_who_reads() -> None:
    """A task that is cancelled while it reads a run makes the engine's caller leave."""
    async with talking(silent_after_a_token) as (engine, stream):
        run = asyncio.create_task(ran(stream, request()))
        async with asyncio.timeout(DEADLINE_S):
            await engine.reached.wait()
            run.cancel()
            await engine.left.wait()

        with pytest.raises(asyncio.CancelledError):
            await run


async def test_unknown_and_doubled_jobs() -> None:
    """A job that is not there cannot be cancelled, and one that runs cannot run again."""
    async with talking(silent_after_a_token) as (engine, stream):
        first = asyncio.create_task(ran(stream, request()))
        await engine.reached.wait()
        _, second = await ran(stream, request())
        nobody = stream.cancel("job-2")
        stream.cancel("job-1")
        await first

    assert not nobody
    assert second.failure is not None
    assert (ENGINE_REJECTED, False) == (second.failure.code, second.failure.retryable)


async def test_a_body_that_is_no_request() -> None:
    """A body that is no JSON object fails the run before the engine is asked."""
    async with talking(good) as (engine, stream):
        _, end = await ran(stream, request(body=b"{"))

    assert end.failure is not None
    assert BAD_REQUEST == end.failure.code
    assert [] == engine.asked


async def test_a_stream_that_was_closed() -> None:
    """After the close no run begins, and it may be closed again."""
    async with talking(good) as (_, stream):
        await stream.close()
        await stream.close()
        _, end = await ran(stream, request())
        small = await stream.get("/health", timeout_s=1.0)

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
    stream = ChatStream(EngineEndpoint(base_url=f"http://{host}:{port}", model="m"))

    _, end = await ran(stream, request())
    await stream.close()
    await runner.cleanup()

    assert end.failure is not None
    assert (CONTEXT_EXCEEDED, 9, 4) == (
        end.failure.code, end.failure.n_prompt_tokens, end.failure.n_ctx
    )  # fmt: skip


async def test_many_at_a_time() -> None:
    """Runs at the same time do not mix."""
    async with talking(good) as (_, stream):
        runs = [ran(stream, request(f"job-{n}")) for n in range(40)]
        results = await asyncio.gather(*runs)

    for n, (chunks, end) in enumerate(results):
        sent = b"".join(chunk.data for chunk in chunks) + end.final_chunk
        assert 2 == sent.count(f'"id":"job-{n}"'.encode())
