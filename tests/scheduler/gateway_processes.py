"""Gateways in processes of their own, their streams, and a node that answers at a test's pace."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from tests.core.builders import usage
from tests.cutting_proxy import CuttingProxy, cutting_proxy
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import MODEL, RunningScheduler, ScriptedNode
from tests.scheduler.test_gateway_run import gateway_process
from tests.waiting import eventually

from entraide.types import Outcome
from entraide.wire import codec, subjects
from entraide.wire import messages as m

BEAT_S = 0.3


def ask(**fields: Any) -> dict[str, Any]:
    """A chat request."""
    return {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}], **fields}


class GatewayProcess:
    """A gateway in a process of its own, and what a client of it asks.

    Attributes:
        name, url, process: of the gateway.
        session: an HTTP session with a key.
        received: the bytes of all its answers, as far as they have come.
    """

    def __init__(self, name: str, url: str, process: asyncio.subprocess.Process, key: str) -> None:
        self.name, self.url, self.process = name, url, process
        headers = {"authorization": f"Bearer {key}"}
        self.session = aiohttp.ClientSession(url, headers=headers)
        self.received = b""

    def ask(self, **fields: Any) -> asyncio.Task[tuple[int, str]]:
        """Asks for an answer; resolves to its status and whole text."""

        async def read() -> tuple[int, str]:
            async with self.session.post("/v1/chat/completions", json=ask(**fields)) as answer:
                body = b""
                async for chunk in answer.content.iter_any():
                    body += chunk
                    self.received += chunk
                return answer.status, body.decode()

        return asyncio.ensure_future(read())

    async def fetch(self, path: str, **options: Any) -> Any:
        """Fetches JSON."""
        async with self.session.get(path, **options) as answer:
            return await answer.json()


class LivelyNode:
    """A node that beats, and answers its runs when the test says so."""

    def __init__(self, node: ScriptedNode) -> None:
        self.node = node
        self.sent: dict[str, int] = {}
        self.running: dict[str, m.StartRun] = {}
        self.stopped = False

    async def beat(self) -> None:
        """Sends heartbeats with the progress of its runs, until it is stopped."""
        while not self.stopped:
            await self.node.send_heartbeat()
            await self._accept()
            for run in list(self.running.values()):
                await self.node.send(m.Progress(run.job, run.epoch, self.sent.get(run.job, 0)))
            await asyncio.sleep(BEAT_S)

    async def _accept(self) -> None:
        """Accepts the new runs: an offer that is not accepted is over after some seconds."""
        for run in self.node.runs:
            if run.job not in self.running:
                self.running[run.job] = run
                await self.node.send(m.Accept(run.job, run.epoch))

    async def take(self, gateway: str) -> m.StartRun:
        """Returns the next run of a gateway, accepted."""
        await eventually(lambda: any(run.gateway == gateway for run in self.node.runs))
        run = next(run for run in self.node.runs if run.gateway == gateway)
        await self._accept()
        self.node.runs.remove(run)
        return run

    async def say(self, run: m.StartRun, word: str) -> None:
        """Sends one token of a streamed answer."""
        first = self.sent.get(run.job, 0)
        choice = {"index": 0, "delta": {"content": word}}
        data = b"data: %s\n\n" % json.dumps({"choices": [choice]}).encode()
        tokens = m.Tokens(run.job, run.epoch, first, 1, data)
        await self._publish(run, tokens)
        self.sent[run.job] = first + 1

    async def end(self, run: m.StartRun) -> None:
        """Ends a streamed answer, and reports it."""
        self.running.pop(run.job, None)
        count = self.sent.get(run.job, 0)
        used = usage(output_tokens=count)
        final = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        done = m.RunEnded(
            run.job, run.epoch, Outcome.COMPLETED, "", {}, count, final.encode(), b"", used
        )
        await self._publish(run, done)
        await self.node.report(run, used)

    async def finish(self, run: m.StartRun) -> None:
        """Answers a run that is not streamed."""
        self.running.pop(run.job, None)
        await self.node.finish(run, json.dumps({"choices": [], "text": "Enfin"}).encode())

    async def _publish(self, run: m.StartRun, message: m.NodeOut) -> None:
        subject = subjects.node_out(self.node.key, run.gateway)
        await self.node.connection.publish(subject, codec.encode(message))
        await self.node.connection.flush()


@asynccontextmanager
async def lively_node(pool: RunningScheduler, **card: Any) -> AsyncIterator[LivelyNode]:
    """Runs a node of a pool that stays live."""
    lively = LivelyNode(await pool.join())
    await lively.node.send_hello(**card)
    beats = asyncio.create_task(lively.beat())
    try:
        await eventually(lambda: pool.state("n1") == "live")
        yield lively
    finally:
        lively.stopped = True
        await beats


@asynccontextmanager
async def running_gateway(
    folder: Path, bus: NatsPool, pool: RunningScheduler, name: str, *, bus_url: str = ""
) -> AsyncIterator[GatewayProcess]:
    """Runs a gateway beside the scheduler, for a client with a new key."""
    key = await pool.operator.key()
    async with gateway_process(folder, bus, name, bus_url=bus_url) as (url, process):
        gateway = GatewayProcess(name, url, process, key)
        try:
            yield gateway
        finally:
            await gateway.session.close()


@asynccontextmanager
async def cut_gateway(
    folder: Path, bus: NatsPool, pool: RunningScheduler, name: str
) -> AsyncIterator[tuple[GatewayProcess, CuttingProxy]]:
    """Runs a gateway whose link to the bus the test can cut."""
    port = urlsplit(bus.url).port
    assert port is not None
    async with cutting_proxy(port) as link:
        url = f"nats://127.0.0.1:{link.port}"
        async with running_gateway(folder, bus, pool, name, bus_url=url) as gateway:
            yield gateway, link
