"""A real llama.cpp with the real small model, and what the tests ask of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import psutil
from tests.waiting import ENGINES_S

from entraide_node.engines.base import (
    CHAT,
    Engine,
    EngineChunk,
    EngineEnd,
    EngineMetrics,
    EngineProblem,
    EngineRequest,
)
from entraide_node.engines.llamacpp import LlamaCppConfig, make_llama_cpp
from entraide_node.engines.supervised_engine import SupervisedEngine
from entraide_node.models.model_files import ModelFile, find_model

DEADLINE_S = ENGINES_S
QUESTION = [{"role": "user", "content": "Write a long story about a cat."}]


@cache
def demo_model() -> ModelFile:
    """The small model, with its checksum verified."""
    model = find_model("demo")
    assert isinstance(model, ModelFile), model
    return model


def config(**options: Any) -> LlamaCppConfig:
    """llama.cpp on one thread, so that a busy machine does not matter much."""
    return LlamaCppConfig(**{"model": demo_model(), "threads": 1, "slots": 2, **options})


@asynccontextmanager
async def llamacpp(**options: Any) -> AsyncIterator[SupervisedEngine]:
    """A started llama.cpp; stopped afterwards."""
    engine = make_llama_cpp(config(**options))
    problem = await engine.start()
    assert problem is None, problem
    try:
        yield engine
    finally:
        await engine.stop()


def request(
    job: str = "job-1", *, stream: bool = True, path: str = CHAT, **fields: Any
) -> EngineRequest:
    """A request for a long story, unless the fields say otherwise."""
    body = {"messages": QUESTION} if path == CHAT else {}
    return EngineRequest(job, path, msgspec.json.encode(body | fields), stream, "public")


async def ran(engine: Engine, asked: EngineRequest) -> tuple[list[EngineChunk], EngineEnd]:
    """All that a run gives, within the deadline."""
    chunks: list[EngineChunk] = []
    async with asyncio.timeout(DEADLINE_S):
        return chunks, await engine.run(asked, chunks.append)


def events(chunks: list[EngineChunk]) -> list[dict[str, Any]]:
    """The events that were sent on."""
    sent = b"".join(chunk.data for chunk in chunks).split(b"\n\n")
    return [msgspec.json.decode(event.removeprefix(b"data: ")) for event in sent if event]


def said(chunks: list[EngineChunk]) -> str:
    """The text that was sent on."""
    return "".join(e["choices"][0]["delta"].get("content") or "" for e in events(chunks))


def lives(process: psutil.Process) -> bool:
    """Whether a process is there and more than an entry that nobody has read yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def metrics_when(engine: Engine, holds: Callable[[EngineMetrics], bool]) -> EngineMetrics:
    """Waits until the engine's own metrics hold something; returns them."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            metrics = await engine.metrics()
            if metrics is not None and holds(metrics):
                return metrics
            await asyncio.sleep(0.01)


async def ready_when(
    engine: Engine, code: str | None, *, within_s: float = DEADLINE_S
) -> EngineProblem | None:
    """Waits until the engine is ready (None), or is not for the reason with this code."""
    async with asyncio.timeout(within_s):
        while True:
            problem = await engine.ready()
            if (problem.code if problem is not None else None) == code:
                return problem
            await asyncio.sleep(0.01)


def lines_of(path: Path) -> list[str]:
    """The lines of a log; none when it was never written."""
    return path.read_text("utf-8").splitlines() if path.exists() else []
