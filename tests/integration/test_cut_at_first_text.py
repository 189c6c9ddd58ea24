"""A machine that is cut off once it has given text, before the pool has a report of the run."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from msgspec.structs import replace
from tests.cutting_proxy import HOST, CuttingProxy
from tests.integration.nats_support import running_pool
from tests.node.support import MODEL, ScriptedEngine, end, serving
from tests.scheduler.gateway_support import chunk, sse
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.waiting import eventually

from entraide.types import Receipt
from entraide_node import run_manager
from entraide_node.engines.base import ChunkReceiver, EngineChunk, EngineEnd, EngineRequest
from entraide_node.join import JoinOptions, join_pool
from entraide_scheduler.core.leases.backoff import NO_ANSWER
from entraide_scheduler.core.policy import Timing

CHAT = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Bonjour"}],
    "max_tokens": 8,
    "stream": True,
}


class PromptEngine(ScriptedEngine):
    """An engine whose first text comes at once; a run that resumes an answer ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.facts = replace(self.facts, name="llama.cpp", features=("resume",))

    async def run(self, request: EngineRequest, receive: ChunkReceiver) -> EngineEnd:
        """Gives one token."""
        self.say(request.job, EngineChunk(sse("a" if request.resume is None else "b"), 1))
        if request.resume is not None:
            self.say(request.job, end(completion=1, final=chunk("", "stop")))
        return await super().run(request, receive)


@contextlib.asynccontextmanager
async def machine(
    scheduler: RunningScheduler, folder: Path, name: str, bus_port: int
) -> AsyncIterator[CuttingProxy]:
    """A live node, and its link to the bus."""
    token = await scheduler.operator.token()
    joined = await asyncio.to_thread(
        join_pool,
        scheduler.gateway.url,
        token,
        folder=folder / name,
        options=JoinOptions(name=name),
    )
    link = CuttingProxy(bus_port)
    await link.start()
    try:
        config = replace(joined.config, nats_urls=(f"nats://{HOST}:{link.port}",))
        async with serving(config, PromptEngine()):
            await eventually(lambda: scheduler.state(name) == "live")
            yield link
            link.heal()
    finally:
        await link.close()


async def test_the_answer_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The silence counts from the heartbeat that the first text brought, not as a missing answer;
    the other machine continues the text, and both are on the receipt."""
    monkeypatch.setattr(run_manager, "REPORT_AFTER_S", 3_600.0)
    async with contextlib.AsyncExitStack() as stack:
        bus = await stack.enter_async_context(running_pool(tmp_path))
        scheduler = await stack.enter_async_context(
            running_scheduler(tmp_path, bus, timing=Timing())
        )
        port = urlsplit(bus.url).port or 0
        links = {
            name: await stack.enter_async_context(machine(scheduler, tmp_path, name, port))
            for name in ("n1", "n2")
        }
        session = scheduler.session(await scheduler.operator.key())
        text, receipt = "", {}
        async with session, session.post("/v1/chat/completions", json=CHAT) as answer:
            async for line in answer.content:
                if not line.startswith(b"data: {"):
                    continue
                event = json.loads(line[6:])
                text += "".join(c["delta"].get("content") or "" for c in event["choices"])
                receipt = event.get("entraide", receipt)
                if text == "a":
                    (job,) = scheduler.driver.core.jobs()
                    links[job.node].hold()
        first, second = msgspec.convert(receipt, Receipt).runs

    assert "ab" == text
    assert {"n1", "n2"} == {first.node, second.node}
    assert (job.node, 1) == (first.node, first.output_tokens)
    assert NO_ANSWER != first.ended
