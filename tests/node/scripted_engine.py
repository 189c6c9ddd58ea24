"""A fake engine on a free port that follows a script, and runs that are sent to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from entraide_node.engines.base import (
    CHAT,
    EngineChunk,
    EngineEnd,
    EngineRequest,
)
from entraide_node.engines.engine_client import EngineClient, EngineEndpoint

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
) -> AsyncIterator[tuple[FakeEngine, EngineClient]]:
    """A fake engine on a free port, and its client.

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
    client = EngineClient(target)
    try:
        yield engine, client
    finally:
        await client.close()
        await runner.cleanup()


def request(job: str = "job-1", *, stream: bool = True, body: bytes | None = None) -> EngineRequest:
    """A request that asks for nothing in particular."""
    plain = b'{"messages":[],"temperature":0,"mystery":[1],"model":"public","stream":false}'
    return EngineRequest(job, CHAT, plain if body is None else body, stream, "public")


async def ran(client: EngineClient, asked: EngineRequest) -> tuple[list[EngineChunk], EngineEnd]:
    """All that a run gives, within the deadline."""
    chunks: list[EngineChunk] = []
    async with asyncio.timeout(DEADLINE_S):
        return chunks, await client.run(asked, chunks.append)


async def good(_: web.Request, response: web.StreamResponse) -> None:
    """Answers well."""
    await response.write(TOKEN)
    await response.write(FINISH + DONE)


async def silent_after_a_token(_: web.Request, response: web.StreamResponse) -> None:
    """Writes one token, then nothing more until its caller leaves."""
    await response.write(TOKEN)
    await asyncio.sleep(LONG_S)


async def endless(_: web.Request, response: web.StreamResponse) -> None:
    """Writes tokens until its caller leaves."""
    while True:
        await response.write(TOKEN)
        await asyncio.sleep(0.001)
