"""A real mlx-lm (on a processor here) in an environment of its own: answers, counts, ends.

It computes some ten tokens a second on this kind of machine: prompts and answers are short.
"""

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest
import pytest_asyncio
from msgspec.structs import replace
from tests.engines.own_environments import ALIAS, engine_of, running, version_of, weights
from tests.engines.support import events, lines_of, lives, ran, ready_when, request, said
from tests.waiting import eventually

from entraide.resuming import RESUME
from entraide.types import Basis, Outcome
from entraide.wire.messages import Resume
from entraide_node.engines.base import (
    BAD_REQUEST,
    COMPLETIONS,
    ENGINE_EXITED,
    ENGINE_HUNG,
    EngineChunk,
)
from entraide_node.engines.mlx_front import KEY_VARIABLE
from entraide_node.engines.model_folder import supports_tools
from entraide_node.engines.sandbox import kind_sandbox
from entraide_node.engines.supervised_engine import SupervisedEngine

ROOT = Path(__file__).parents[2]
SHORT = [{"role": "user", "content": "Un chat"}]

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where its log goes."""
    return tmp_path_factory.mktemp("mlx")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["mlx-lm"])
async def engine(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[SupervisedEngine]:
    """One engine for all tests."""
    async with running(request.param, folder, stall_timeout_s=5.0) as started:
        yield started


async def test_facts(engine: SupervisedEngine) -> None:
    """It says what it is and what it can do, and that it listens on a socket file."""
    facts = engine.facts

    assert ("mlx-lm", version_of("mlx-lm"), ALIAS, 2, 1024) == (
        facts.name, facts.version, facts.model_alias, facts.slots, facts.context_tokens
    )  # fmt: skip
    assert ("logprobs", "repetition_penalty") == facts.features
    assert kind_sandbox("mlx-lm", wanted=True) is facts.sandbox
    assert facts.api_base.startswith("unix:///")
    assert await engine.ready() is None
    assert await engine.metrics() is None


STRANGERS = {
    "a local user without the key": {"Host": "engine"},
    "a page that the owner opens": {"Host": "engine", "Origin": "https://evil.example"},
    "a page that has made a name mean this machine": {"Host": "evil.example"},
}


async def test_only_its_agent_passes(engine: SupervisedEngine) -> None:
    """It has no port, its socket is its owner's, and nobody else's request loads a model."""
    assert engine.pid is not None
    file = Path(engine.facts.api_base.removeprefix("unix://"))
    server = psutil.Process(engine.pid).children()[0]
    key = server.environ()[KEY_VARIABLE]
    listening = [each for each in server.net_connections("tcp") if each.status == "LISTEN"]
    body = '{"model": "mlx-community/other", "messages": [{"role": "user", "content": "?"}]}'
    modes = await asyncio.to_thread(
        lambda: tuple(path.stat().st_mode & 0o777 for path in (file, file.parent))
    )
    refused = {}
    for who, headers in STRANGERS.items():
        keyed = headers if "without" in who else headers | {"Authorization": f"Bearer {key}"}
        refused[who] = await asyncio.to_thread(status_of, file, body, keyed)
    _, served = await ran(engine, request("job-1", messages=SHORT, max_tokens=1))

    assert [] == listening
    assert (0o600, 0o700) == modes
    assert dict(zip(STRANGERS, (401, 403, 403), strict=True)) == refused
    assert Outcome.COMPLETED is served.outcome


def status_of(file: Path, body: str, headers: dict[str, str]) -> int:
    """The status of a request over a socket file.

    It is sent in one piece: a server that refuses a head does not wait for the body.
    """
    head = ["POST /v1/chat/completions HTTP/1.1", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(file))
        connection.sendall("\r\n".join([*head, "", body]).encode())
        with http.client.HTTPResponse(connection) as answer:
            answer.begin()
            return answer.status


@pytest.mark.parametrize("engine_name", ["mlx-lm"])
async def test_tools_are_offered_where_the_template_has_them(
    engine_name: str, folder: Path
) -> None:
    """A model whose template takes tools is offered with them; whether it calls one is its own."""
    with_tools = engine_of(engine_name, folder, weights=weights(tools=True))

    assert ("logprobs", "repetition_penalty", "tools") == with_tools.facts.features
    assert (True, False) == (supports_tools(weights(tools=True)), supports_tools(weights()))


async def test_stream(engine: SupervisedEngine) -> None:
    """A streamed chat comes under our names, and is counted by the engine at its end."""
    chunks, end = await ran(engine, request(messages=SHORT, max_tokens=6))

    assert Outcome.COMPLETED is end.outcome
    assert {("job-1", "public")} == {(e["id"], e["model"]) for e in events(chunks)}
    assert len(said(chunks)) > 0
    assert (Basis.MEASURED, 6, 0) == (
        end.usage.counted, end.usage.completion_tokens, end.usage.cached_tokens
    )  # fmt: skip
    assert "length" == end.finish_reason
    assert not {"usage", "system_fingerprint"} & set().union(*events(chunks))


async def test_whole_answer(engine: SupervisedEngine) -> None:
    """A chat in one piece has the same prompt, counted alike; no greedy text differs."""
    asked = {"messages": SHORT, "max_tokens": 4, "temperature": 0}
    chunks, streamed = await ran(engine, request("job-1", **asked))
    _, silent = await ran(engine, request("job-2", stream=False, **asked))

    whole = msgspec.json.decode(silent.body)
    assert "chat.completion" == whole["object"]
    last = msgspec.json.decode(streamed.final_chunk)["choices"][0]["delta"].get("content") or ""
    assert said(chunks) + last == whole["choices"][0]["message"]["content"]
    assert streamed.usage == silent.usage


async def test_no_answer_is_resumed(engine: SupervisedEngine) -> None:
    """mlx-lm removes a space before its first word, so that it cannot continue a text exactly."""
    asked = {"messages": [*SHORT, {"role": "assistant", "content": "Un"}], "max_tokens": 1}
    plain = request(**asked)

    _, end = await ran(engine, replace(plain, resume=Resume(1, 1_700, 2)))
    completion = request(
        "job-2", stream=False, path=COMPLETIONS, prompt="Un, deux,", max_tokens=3, temperature=0
    )
    _, completed = await ran(engine, completion)

    assert RESUME not in engine.facts.features
    assert end.failure is not None
    assert BAD_REQUEST == end.failure.code
    # llama.cpp and vLLM say " trois," with the same weights.
    assert "trois," == msgspec.json.decode(completed.body)["choices"][0]["text"]


async def test_no_prompt_is_kept_for_the_next(engine: SupervisedEngine) -> None:
    """A repeated prompt is read anew: a cache would tell tales."""
    usages = [
        (await ran(engine, request(f"job-{n}", messages=SHORT, max_tokens=1)))[1].usage
        for n in range(3)
    ]

    assert [0, 0, 0] == [usage.cached_tokens for usage in usages]


async def test_a_request_names_no_other_weights(engine: SupervisedEngine) -> None:
    """Whatever model, adapter or draft a request names, the engine's own model answers."""
    asked = request(
        messages=SHORT, max_tokens=1, model="other", adapters="/tmp", draft_model="owner/name"
    )

    _, end = await ran(engine, asked)

    assert Outcome.COMPLETED is end.outcome


async def test_refusals(engine: SupervisedEngine) -> None:
    """A request that it does not accept, and an address to fetch from, are the caller's fault."""
    image = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/a.png"}}
    codes = []
    for fields in ({"temperature": -1}, {"messages": [{"role": "user", "content": [image]}]}):
        _, end = await ran(engine, request(**fields))
        assert end.failure is not None
        codes.append(end.failure.code)

    assert [BAD_REQUEST, BAD_REQUEST] == codes


async def test_cancelling_ends_the_run(engine: SupervisedEngine) -> None:
    """A cancelled run ends at once, estimated, and the next one is served."""

    def cancel(chunk: EngineChunk) -> None:
        if chunk.n_output_tokens >= 2:
            engine.cancel("job-1")

    end = await engine.run(request(messages=SHORT, max_tokens=400), cancel)
    _, served = await ran(engine, request("job-2", messages=SHORT, max_tokens=1))

    assert (Outcome.CANCELLED, Basis.ESTIMATED) == (end.outcome, end.usage.counted)
    assert Outcome.COMPLETED is served.outcome


async def test_the_log_holds_nothing_of_requests(engine: SupervisedEngine, folder: Path) -> None:
    """What mlx-lm writes while it serves holds nothing of a request."""
    for messages in ("SECRET", [{"role": "SECRET", "content": "SECRET"}]):
        await ran(engine, request(messages=messages, max_tokens=1))

    assert lines_of(folder / "engine.log")
    assert [] == [line for line in lines_of(folder / "engine.log") if "SECRET" in line]


async def test_a_server_that_is_killed(engine: SupervisedEngine) -> None:
    """When the server is killed its run fails as one whose engine exited, and it comes back."""
    assert engine.pid is not None
    server = psutil.Process(engine.pid).children()[0]
    run = asyncio.create_task(ran(engine, request(messages=SHORT, max_tokens=400)))
    await asyncio.wait({run}, timeout=1.0)
    server.kill()
    _, crashed = await run
    await ready_when(engine, None, within_s=120.0)
    _, served = await ran(engine, request("job-2", messages=SHORT, max_tokens=1))

    assert crashed.failure is not None
    assert (ENGINE_EXITED, True) == (crashed.failure.code, crashed.failure.retryable)
    assert Outcome.COMPLETED is served.outcome


async def test_a_server_that_hangs(engine: SupervisedEngine) -> None:
    """A frozen server is killed, with its wrapper, after the stall limit; the next one serves."""
    assert engine.pid is not None
    wrapper = psutil.Process(engine.pid)
    server = wrapper.children()[0]

    def freeze(chunk: EngineChunk) -> None:
        if chunk.n_output_tokens == 2:
            server.send_signal(signal.SIGSTOP)

    end = await engine.run(request(messages=SHORT, max_tokens=400), freeze)
    await eventually(lambda: not lives(server) and not lives(wrapper))
    await ready_when(engine, None, within_s=120.0)
    _, served = await ran(engine, request("job-2", messages=SHORT, max_tokens=1))

    assert end.failure is not None
    assert (ENGINE_HUNG, True) == (end.failure.code, end.failure.retryable)
    assert Outcome.COMPLETED is served.outcome


async def test_a_server_that_hangs_while_nobody_asks(engine: SupervisedEngine) -> None:
    """A frozen server without work is noticed by its health, and killed after the stall limit."""
    assert engine.pid is not None
    server = psutil.Process(engine.pid).children()[0]
    server.send_signal(signal.SIGSTOP)
    silent = await ready_when(engine, "engine_silent")
    while lives(server):
        await engine.ready()
    await ready_when(engine, None, within_s=120.0)

    assert silent is not None


def folders_in(place: Path) -> list[str]:
    """The folders that engines have left there."""
    return [path.name for path in place.glob("entraide-*")]


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, signal.SIGTERM], ids=["mlx-lm-kill", "mlx-lm-term"]
)
async def test_a_parent_that_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    """When the agent's process is killed, wrapper and server end, and their folder goes."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.engines.orphan", "mlx-lm", str(tmp_path),
        stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert parent.stdout is not None
    try:
        pid, _ = (await parent.stdout.readline()).decode().split()
        wrapper = psutil.Process(int(pid))
        family = [wrapper, *wrapper.children(recursive=True)]
        alive = [lives(process) for process in family]
        parent.send_signal(how)
        await eventually(lambda: not any(lives(process) for process in family))
    finally:
        if parent.returncode is None:
            parent.kill()
        await parent.wait()

    assert [True, True] == alive
    assert [] == folders_in(tmp_path)
