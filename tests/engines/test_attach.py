"""An engine that somebody else runs: here a second llama.cpp, started by the test."""

import asyncio
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from tests.engines.own_environments import installed, weights
from tests.engines.sentence_model import sentence_gguf
from tests.engines.support import (
    DEADLINE_S,
    demo_model,
    events,
    metrics_when,
    ran,
    request,
)
from tests.ports import free_port

from entraide.models import PUBLIC_ONLY
from entraide.types import Basis, Outcome
from entraide_node.engines.attached_engine import AttachConfig, AttachedEngine
from entraide_node.engines.base import CONTEXT_LENGTH_EXCEEDED, EngineChunk, EngineProblem
from entraide_node.engines.discovery import discover_servers
from entraide_node.engines.llamacpp_child import MODULE, ChildConfig, ChildReady
from entraide_node.engines.model_listing import ListedModel
from entraide_node.engines.process import CappedLog, spawn_module

pytestmark = pytest.mark.engines

KEY = secrets.token_urlsafe(16)


@asynccontextmanager
async def serving(path: Path, *, pooling: str = "", cache_ram_mib: int = 0) -> AsyncIterator[str]:
    """The address of a llama.cpp that listens on a free port of the loopback."""
    child = ChildConfig(
        model_path=str(path), alias="theirs", api_key=KEY, socket_path="", slots=2,
        context_tokens=1024, threads=1, batch_tokens=512, cache_ram_mib=cache_ram_mib,
        kv_unified=False, states_path="", gpu_layers=None,
        pooling=pooling, parent_pid=os.getpid(),
    )  # fmt: skip
    process = await spawn_module(
        MODULE, first_line=msgspec.json.encode(child), env=os.environ, log=CappedLog(None),
        is_loggable=lambda line: False,
    )  # fmt: skip
    line = await process.read_ready_line(timeout_s=60.0)
    assert line, process.tail
    yield msgspec.json.decode(line, type=ChildReady).address
    process.terminate()
    await process.wait_exit()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """The address of a llama.cpp with the small model for text."""
    async with serving(demo_model().path) as address:
        yield address


@asynccontextmanager
async def attached(url: str, **options: object) -> AsyncIterator[AttachedEngine]:
    """An attached engine, whether it is ready or not."""
    plain = {"url": url, "model": "theirs", "key": KEY, "alias": "ours"}
    engine = AttachedEngine(AttachConfig(**{**plain, **options}))
    try:
        yield engine
    finally:
        await engine.stop()


async def test_it_serves(url: str) -> None:
    """It is ready when the engine lists its model, and serves as our own engine does."""
    async with attached(url) as engine:
        assert await engine.start() is None
        probed = await metrics_when(engine, lambda m: m.processing == 0)
        _, first_end = await ran(engine, request("job-1", max_tokens=4))
        _, second_end = await ran(engine, request("job-2", max_tokens=4, stream=False))
        metrics = await metrics_when(engine, lambda m: m.processing == 0)

        assert ("ours", 1024) == (engine.facts.model_alias, engine.facts.context_tokens)
    assert Basis.MEASURED is first_end.usage.counted
    assert 8 == first_end.usage.completion_tokens + second_end.usage.completion_tokens
    assert 8 == metrics.output_tokens_total - probed.output_tokens_total
    assert "public" == msgspec.json.decode(second_end.body)["model"]


async def test_many_runs_after_each_other(url: str) -> None:
    """An engine that hangs up after its streams, although it promised not to, costs no run."""
    async with attached(url) as engine:
        ends = [(await ran(engine, request(f"job-{n}", max_tokens=1)))[1] for n in range(8)]

    assert [Outcome.COMPLETED] * 8 == [end.outcome for end in ends]


async def test_leaving_and_cancelling(url: str) -> None:
    """Before it is known which program it is, a cancelled run is estimated, and stopped."""
    async with attached(url) as engine:

        def receive(chunk: EngineChunk) -> None:
            if chunk.n_output_tokens == 4:
                engine.cancel("job-1")

        end = await engine.run(request(max_tokens=900, ignore_eos=True), receive)
        metrics = await metrics_when(engine, lambda m: m.processing == 0)

    assert Outcome.CANCELLED is end.outcome
    assert Basis.ESTIMATED is end.usage.counted
    assert 4 <= end.usage.completion_tokens < 100
    assert metrics.output_tokens_total < 100


async def test_prompt_too_long(url: str) -> None:
    """Its refusals are read like our own engine's."""
    messages = [{"role": "user", "content": "le chat " * 900}]
    async with attached(url) as engine:
        _, end = await ran(engine, request(messages=messages))

    assert end.failure is not None
    assert (CONTEXT_LENGTH_EXCEEDED, 1024) == (end.failure.code, end.failure.n_ctx)


async def test_a_sentence_model_is_found_out(tmp_path: Path) -> None:
    """A server that embeds and writes no text is offered for embeddings only."""
    file = sentence_gguf(tmp_path / "sentence.gguf")
    async with serving(file, pooling="mean") as address, attached(address) as engine:
        assert await engine.start() is None
        assert {"embeddings", "embeddings_only", PUBLIC_ONLY} <= set(engine.facts.features)


@pytest.mark.parametrize("declared", [True, False])
async def test_the_owner_says_whether_a_text_model_embeds(*, declared: bool) -> None:
    """A server that does both embeds only if its owner declared it."""
    features = ("embeddings",) if declared else ()
    model = demo_model().path
    async with (
        serving(model, pooling="last") as address,
        attached(address, features=features) as engine,
    ):
        assert await engine.start() is None
        assert features == engine.facts.features


async def test_embeddings_that_are_declared_must_come(url: str) -> None:
    """A server without embeddings is refused where its owner declared them."""
    async with attached(url, features=("embeddings",)) as engine:
        problem = await engine.start()

    assert problem is not None
    assert "engine_no_embeddings" == problem.code


async def test_another_model(url: str) -> None:
    """A model that the engine does not list is told, with those that it does."""
    async with attached(url, model="other") as engine:
        problem = await engine.start()

    assert EngineProblem("engine_lacks_model", {"model": "other", "models": "theirs"}) == problem


async def test_the_only_model(url: str) -> None:
    """Without a name the only model that the engine lists is taken, under its own name."""
    async with attached(url, model="", alias="") as engine:
        assert await engine.start() is None
        _, end = await ran(engine, request(max_tokens=2))

        assert ("theirs", 1024) == (engine.facts.model_alias, engine.facts.context_tokens)
    assert (Outcome.COMPLETED, 2) == (end.outcome, end.usage.completion_tokens)


async def test_it_is_found(url: str) -> None:
    """A llama-server that runs is found with its model; without its key only that it wants one."""
    (stranger,) = await discover_servers([url])
    (friend,) = await discover_servers([url], key=KEY)

    assert (True, ()) == (stranger.wants_key, stranger.models)
    assert ("llama.cpp", (ListedModel("theirs", 1024),)) == (friend.program, friend.models)


async def test_its_prompts_are_not_kept_for_others(url: str) -> None:
    """A llama-server that is known as one is told to keep no prompt, and counts on every event."""
    async with attached(url) as engine:
        assert await engine.start() is None
        ends = [(await ran(engine, request(f"job-{n}", max_tokens=1)))[1] for n in range(2)]

    assert [0, 0] == [end.usage.cached_tokens for end in ends]


@pytest.mark.parametrize("cache_ram_mib", [0, 64])
async def test_it_gets_public_data_only_while_it_keeps_prompts(cache_ram_mib: int) -> None:
    """A llama-server without a cache in memory is shown to keep nothing; one with it is not."""
    async with (
        serving(demo_model().path, cache_ram_mib=cache_ram_mib) as address,
        attached(address) as engine,
    ):
        assert await engine.start() is None

        assert (("cached", True) if cache_ram_mib else ("nothing", False)) == (
            engine.retention, PUBLIC_ONLY in engine.facts.features
        )  # fmt: skip


MLX = """
import sys
from mlx_lm.server import main
sys.argv = ["mlx_lm.server", "--model", sys.argv[1], "--port", sys.argv[2]]
main()
"""


@pytest.fixture(params=["mlx-lm"])
def their_mlx(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An mlx_lm.server as its owner starts it: no hub cache, all else as it comes."""
    port = free_port()
    python = installed("mlx")
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [str(python), "-I", "-c", MLX, str(weights()), str(port)],
            stdout=log,
            stderr=log,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "no-hub")},
        )
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.mark.timeout(300)
async def test_an_mlx_server_that_its_owner_runs(their_mlx: str) -> None:
    """It lists no model, so that it needs a name; with one it is asked for a token, and serves."""
    short = {"messages": [{"role": "user", "content": "Un chat"}], "max_tokens": 3}
    await found_at(their_mlx)
    async with attached(their_mlx, model="", alias="", key="") as unnamed:
        problem = await unnamed.start()
    async with attached(their_mlx, model="", key="") as engine:
        assert await engine.start() is None
        chunks, end = await ran(engine, request(**short))
        again = await engine.ready()

        assert "ours" == engine.facts.model_alias
        assert ("unshown", True) == (engine.retention, PUBLIC_ONLY in engine.facts.features)
    (server,) = await discover_servers([their_mlx])

    assert EngineProblem("engine_name_model", {"url": their_mlx}) == problem
    assert again is None
    assert {"public"} == {event["model"] for event in events(chunks)}
    assert (Outcome.COMPLETED, Basis.MEASURED, 3) == (
        end.outcome, end.usage.counted, end.usage.completion_tokens
    )  # fmt: skip
    assert ("openai", ()) == (server.program, server.models)


async def found_at(url: str) -> None:
    """Waits until a server answers there."""
    async with asyncio.timeout(DEADLINE_S):
        while not await discover_servers([url]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_nobody_there() -> None:
    """An address at which nobody answers is told."""
    async with attached("http://127.0.0.1:9") as engine:
        problem = await engine.start()

    assert EngineProblem("engine_unreachable", {"url": "http://127.0.0.1:9"}) == problem


@asynccontextmanager
async def server(models: web.Response, *, answers: bool) -> AsyncIterator[str]:
    """An engine that answers ``/v1/models`` with this, and serves or not."""

    async def list_models(_: web.Request) -> web.Response:
        return models

    async def chat(_: web.Request) -> web.Response:
        said = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\n\n'
        return web.Response(body=said) if answers else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/v1/models", list_models)
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/v1/"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("answers", "code"), [(True, None), (False, "engine_lacks_model")])
async def test_an_engine_that_lists_nothing(answers: bool, code: str | None) -> None:
    """An engine that lists no model is asked for one token, and judged by that."""
    async with server(web.Response(), answers=answers) as url, attached(url) as engine:
        problem = await engine.start()

    assert code == (problem.code if problem is not None else None)


async def test_a_key_that_is_refused() -> None:
    """An engine that refuses our key is told so."""
    async with server(web.Response(status=401), answers=True) as url, attached(url) as engine:
        problem = await engine.start()

    assert EngineProblem("engine_key_refused", {"url": url}) == problem
