"""A real vLLM (its build for processors) in an environment of its own: answers, counts, ends."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest
import pytest_asyncio
from msgspec.structs import replace
from tests.engines.own_environments import ALIAS, running, version_of, weights
from tests.engines.support import (
    events,
    lines_of,
    lives,
    metrics_when,
    ran,
    ready_when,
    request,
    said,
)
from tests.waiting import eventually

from entraide.types import Basis, Outcome
from entraide_node.engines.base import (
    BAD_REQUEST,
    COMPLETIONS,
    CONTEXT_LENGTH_EXCEEDED,
    ENGINE_CRASHED,
    ENGINE_EXITED,
    EngineChunk,
)
from entraide_node.engines.sandbox import kind_sandbox
from entraide_node.engines.supervised_engine import SupervisedEngine

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

STORY = [{"role": "user", "content": "Write a long story about a cat."}]
TOOL = {
    "type": "function",
    "function": {
        "name": "meteo",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"ville": {"type": "string", "enum": ["Gaspé", "Rimouski"]}},
            "required": ["ville"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where its log goes."""
    return tmp_path_factory.mktemp("vllm")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["vllm"])
async def engine(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[SupervisedEngine]:
    """One engine for all tests: it takes the better part of a minute to start."""
    async with running(
        request.param, folder, weights=weights(tools=True), tool_parser="hermes"
    ) as started:
        yield started


async def test_facts(engine: SupervisedEngine) -> None:
    """It says what it is, what it can do, and that it listens where only its owner may go."""
    facts = engine.facts

    assert ("vllm", version_of("vllm"), ALIAS, 2, 1024, 1) == (
        facts.name, facts.version, facts.model_alias, facts.slots, facts.context_tokens,
        facts.threads,
    )  # fmt: skip
    assert (
        "logprobs",
        "prefix_cache",
        "repetition_penalty",
        "resume",
        "schema",
        "stop_token_ids",
        "tools",
    ) == facts.features
    assert facts.api_base.startswith("unix://")
    socket = Path(facts.api_base.removeprefix("unix://"))
    assert 0o700 == socket.parent.stat().st_mode & 0o777
    assert kind_sandbox("vllm", wanted=True) is facts.sandbox
    assert await engine.ready() is None


async def test_stream(engine: SupervisedEngine) -> None:
    """A streamed chat comes under our names, counted on the way and at the end."""
    chunks, end = await ran(engine, request(max_tokens=12))

    assert Outcome.COMPLETED is end.outcome
    assert {("job-1", "public")} == {(e["id"], e["model"]) for e in events(chunks)}
    assert len(said(chunks)) > 0
    counts = [chunk.n_output_tokens for chunk in chunks]
    assert sorted(counts) == counts
    assert 12 == counts[-1] == end.usage.completion_tokens
    assert chunks[-1].n_prompt_tokens == end.usage.prompt_tokens
    assert "length" == end.finish_reason
    assert not {"usage", "metrics", "system_fingerprint"} & set().union(*events(chunks))


async def test_whole_answers(engine: SupervisedEngine) -> None:
    """A chat and a completion in one piece, each with its usage."""
    _, chat = await ran(engine, request(stream=False, max_tokens=4))
    asked = request(path=COMPLETIONS, stream=False, prompt="Un, deux,", max_tokens=4, n=2)
    _, completion = await ran(engine, asked)

    whole, text = msgspec.json.decode(chat.body), msgspec.json.decode(completion.body)
    assert ("chat.completion", "text_completion") == (whole["object"], text["object"])
    assert (4, 8) == (whole["usage"]["completion_tokens"], text["usage"]["completion_tokens"])
    assert [0, 1] == [choice["index"] for choice in text["choices"]]


async def test_usage_is_the_engines_own(engine: SupervisedEngine) -> None:
    """The tokens that runs report add up to what the engine's own counters grow by."""
    before = await metrics_when(engine, lambda m: m.processing == 0)
    ends = [
        (await ran(engine, request(f"job-{n}", max_tokens=5 + n, stream=n != 1)))[1]
        for n in range(3)
    ]
    after = await metrics_when(
        engine, lambda m: m.output_tokens_total >= before.output_tokens_total + 18
    )

    assert [Basis.MEASURED] * 3 == [end.usage.counted for end in ends]
    assert (
        sum(end.usage.prompt_tokens for end in ends),
        sum(end.usage.completion_tokens for end in ends),
    ) == (
        after.prompt_tokens_total - before.prompt_tokens_total,
        after.output_tokens_total - before.output_tokens_total,
    )


async def test_timings_are_the_engines_own(engine: SupervisedEngine) -> None:
    """Prefill and decode come from the engine, and fit into the time that the run took."""
    _, end = await ran(engine, request(max_tokens=8))

    timings = end.timings
    assert Basis.MEASURED is timings.timed
    assert 0 < timings.prefill_s <= timings.run_s
    assert 0 < timings.decode_s < timings.run_s


async def test_prompts_are_found_again_by_their_partition_only(engine: SupervisedEngine) -> None:
    """Not by another, by nobody's, or after they are to be forgotten; the text is the same."""
    ada, bo = b"a" * 32, b"b" * 32
    numbers = itertools.count()

    async def ask(partition: bytes) -> tuple[int, str]:
        messages = [{"role": "user", "content": "le chat " * 150}]
        plain = request(f"job-{next(numbers)}", messages=messages, max_tokens=8, temperature=0)
        chunks, end = await ran(engine, replace(plain, partition=partition, prefix_keep_s=60.0))
        return end.usage.cached_tokens, said(chunks)

    answers = [await ask(of) for of in (ada, ada, bo, b"", b"", ada)]
    held = engine.held_prefixes()
    engine.forget_prefixes(ada[:16])
    forgotten = [await ask(of) for of in (ada, bo)]
    engine.limit_prefixes(None)
    off = [await ask(ada) for _ in range(2)]
    engine.limit_prefixes(0)

    first, again, other, nobody, nobody_again, last = (cached for cached, _ in answers)
    assert 0 == first == other == nobody == nobody_again
    assert 0 < again == last
    assert 1 == len({text for _, text in answers})
    assert ("job-5", "job-2") == held.jobs
    assert 0 == forgotten[0][0] < forgotten[1][0]
    assert [0, 0] == [cached for cached, _ in off]


async def test_schema(engine: SupervisedEngine) -> None:
    """An answer that must fit a JSON schema does."""
    form = {
        "type": "json_schema",
        "json_schema": {"name": "a", "schema": TOOL["function"]["parameters"]},
    }  # type: ignore[index]

    _, end = await ran(engine, request(stream=False, max_tokens=40, response_format=form))

    content = msgspec.json.decode(end.body)["choices"][0]["message"]["content"]
    assert msgspec.json.decode(content)["ville"] in ("Gaspé", "Rimouski")


async def test_tools(engine: SupervisedEngine) -> None:
    """A call that the request demands comes as a tool call, put together."""
    asked = request(stream=False, max_tokens=60, tools=[TOOL], tool_choice="required")

    _, end = await ran(engine, asked)

    choice = msgspec.json.decode(end.body)["choices"][0]
    called = choice["message"]["tool_calls"][0]["function"]
    assert ("meteo", "tool_calls") == (called["name"], choice["finish_reason"])
    assert msgspec.json.decode(called["arguments"])["ville"] in ("Gaspé", "Rimouski")


async def test_refusals(engine: SupervisedEngine) -> None:
    """A prompt that is too long, a form that is wrong and an address to fetch from are refused."""
    long = [{"role": "user", "content": "le chat " * 1500}]
    image = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/a.png"}}
    codes = []
    for messages in (long, "no list", [{"role": "user", "content": [image]}]):
        _, end = await ran(engine, request(messages=messages))
        assert end.failure is not None
        codes.append((end.failure.code, end.failure.retryable))

    assert [(CONTEXT_LENGTH_EXCEEDED, False), (BAD_REQUEST, False), (BAD_REQUEST, False)] == codes


async def test_cancelling_stops_the_engine(engine: SupervisedEngine) -> None:
    """A cancelled run ends at once with exact counts, and the engine computes no more."""
    chunks: list[EngineChunk] = []

    def receive(chunk: EngineChunk) -> None:
        chunks.append(chunk)
        if chunk.n_output_tokens >= 5:
            engine.cancel("job-1")

    end = await engine.run(request(max_tokens=900, ignore_eos=True), receive)
    await metrics_when(engine, lambda m: m.processing == 0)

    assert Outcome.CANCELLED is end.outcome
    assert Basis.MEASURED is end.usage.counted
    assert 5 <= end.usage.completion_tokens == chunks[-1].n_output_tokens < 900


async def test_the_log_holds_nothing_of_requests(engine: SupervisedEngine, folder: Path) -> None:
    """What vLLM writes while it serves holds nothing of a request."""
    await ran(engine, request("job-1", messages="SECRET"))
    _, end = await ran(engine, request("job-2", messages=STORY, max_tokens=1, user="SECRET"))

    assert Outcome.COMPLETED is end.outcome
    assert lines_of(folder / "engine.log")
    assert [] == [line for line in lines_of(folder / "engine.log") if "SECRET" in line]


async def test_a_process_that_computes_is_killed(engine: SupervisedEngine) -> None:
    """When the process that computes is killed, the run fails as crashed and vLLM comes back."""
    assert engine.pid is not None
    family = psutil.Process(engine.pid).children(recursive=True)
    computing = max(family, key=lambda process: process.memory_info().rss)
    run = asyncio.create_task(ran(engine, request(max_tokens=900, ignore_eos=True)))
    await metrics_when(engine, lambda m: m.processing == 1)
    os.kill(computing.pid, signal.SIGKILL)
    _, crashed = await run
    await eventually(lambda: not any(lives(process) for process in family))
    await ready_when(engine, None, within_s=300.0)
    _, served = await ran(engine, request("job-2", max_tokens=2))

    assert crashed.failure is not None
    assert crashed.failure.retryable
    assert crashed.failure.code in (ENGINE_CRASHED, ENGINE_EXITED, "engine_rejected")
    assert Outcome.COMPLETED is served.outcome
