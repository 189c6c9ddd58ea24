"""A real llama.cpp, as the agent uses it: answers, counts, refusals."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.engines.support import (
    config,
    demo_model,
    events,
    lines_of,
    llamacpp,
    metrics_when,
    ran,
    request,
    said,
)
from tests.waiting import eventually

from entraide.types import Basis, Outcome
from entraide_node.engines.base import (
    BAD_REQUEST,
    COMPLETIONS,
    CONTEXT_LENGTH_EXCEEDED,
    ENGINE_REJECTED,
    EngineChunk,
)
from entraide_node.engines.llamacpp import make_llama_cpp
from entraide_node.engines.supervised_engine import WAITING_PER_SLOT_MAX, SupervisedEngine
from entraide_scheduler.gateway.requests import encode_for_engine, openai

pytestmark = pytest.mark.engines


@pytest.fixture
async def engine() -> AsyncIterator[SupervisedEngine]:
    """A started engine with two slots."""
    async with llamacpp() as started:
        yield started


async def test_facts(engine: SupervisedEngine) -> None:
    """It says what it is: program, version, weights, slots, context and what it can do."""
    facts = engine.facts

    assert ("llama.cpp", 2, 2048, 1) == (
        facts.name, facts.slots, facts.context_tokens, facts.threads
    )  # fmt: skip
    assert facts.version[0].isdigit()
    assert demo_model().revision == facts.model_revision
    assert (
        "logprobs",
        "prefix_cache",
        "repetition_penalty",
        "resume",
        "schema",
        "thinking_budget_tokens",
    ) == facts.features  # this model's template has no tools
    assert facts.api_base.startswith(("unix://", "http://127.0.0.1:"))
    assert await engine.ready() is None


async def test_stream(engine: SupervisedEngine) -> None:
    """A streamed chat comes token by token, under our names, and ends with its finish reason."""
    chunks, end = await ran(engine, request(max_tokens=12, seed=1))

    assert Outcome.COMPLETED is end.outcome
    assert {("job-1", "public")} == {(e["id"], e["model"]) for e in events(chunks)}
    assert len(said(chunks)) > 0
    counts = [chunk.n_output_tokens for chunk in chunks]
    assert sorted(counts) == counts
    assert 12 == counts[-1] == end.usage.completion_tokens
    assert "length" == end.finish_reason
    last = msgspec.json.decode(end.final_chunk)
    assert ("job-1", "length") == (last["id"], last["choices"][0]["finish_reason"])


async def test_whole_answer(engine: SupervisedEngine) -> None:
    """The same chat with the same seed gives the same text, streamed or in one piece."""
    chunks, _ = await ran(engine, request("job-1", max_tokens=12, seed=7))
    silent, end = await ran(engine, request("job-2", stream=False, max_tokens=12, seed=7))

    whole = msgspec.json.decode(end.body)
    assert said(chunks) == whole["choices"][0]["message"]["content"]
    assert {"id": "job-2", "object": "chat.completion", "model": "public"}.items() <= whole.items()
    assert b"" == b"".join(chunk.data for chunk in silent)
    assert 12 == silent[-1].n_output_tokens == whole["usage"]["completion_tokens"]


async def test_repetition_penalty(engine: SupervisedEngine) -> None:
    """The penalty reaches the engine under the name that the gateway adds for it."""
    chat = {"messages": [{"role": "user", "content": "Bonjour"}], "model": "public"}
    body = msgspec.json.encode({**chat, "temperature": 0, "repetition_penalty": 1.9})
    parsed = openai.parse_request(openai.CHAT, body)
    fields = msgspec.json.decode(encode_for_engine(parsed, 32, model="public", stream=False))
    del fields["messages"], fields["model"], fields["max_tokens"]
    texts = []
    for more in ({"temperature": 0}, fields):
        _, end = await ran(engine, request(stream=False, max_tokens=32, **more))
        texts.append(msgspec.json.decode(end.body)["choices"][0]["message"]["content"])

    assert ("repetition_penalty",) == parsed.features
    assert (1.9, 1.9) == (fields["repetition_penalty"], fields["repeat_penalty"])
    assert texts[0] != texts[1]


async def test_completion(engine: SupervisedEngine) -> None:
    """A plain completion works as a chat does."""
    asked = request(path=COMPLETIONS, stream=False, prompt="Un, deux,", max_tokens=4)

    _, end = await ran(engine, asked)

    whole = msgspec.json.decode(end.body)
    assert "text_completion" == whole["object"]
    assert whole["choices"][0]["text"]


async def test_usage_is_the_engines_own(engine: SupervisedEngine) -> None:
    """The tokens that runs report add up to what the engine's own counters say."""
    before = await metrics_when(engine, lambda m: m.processing == 0)  # it was asked at its start
    prompt = output = 0
    for n in range(3):
        _, end = await ran(engine, request(f"job-{n}", max_tokens=5 + n, stream=n == 1))
        assert Basis.MEASURED is end.usage.counted
        prompt += end.usage.prompt_tokens
        output += end.usage.completion_tokens

    metrics = await metrics_when(engine, lambda m: m.processing == 0)
    assert (prompt, output) == (
        metrics.prompt_tokens_total - before.prompt_tokens_total,
        metrics.output_tokens_total - before.output_tokens_total,
    )


async def test_no_prompt_is_kept_for_the_next(engine: SupervisedEngine) -> None:
    """A repeated prompt is read anew, even if asked otherwise: a cache would tell tales."""
    _, first = await ran(engine, request("job-1", max_tokens=1))
    _, second = await ran(engine, request("job-2", max_tokens=1, cache_prompt=True))

    assert 0 == first.usage.cached_tokens
    assert 0 == second.usage.cached_tokens


async def test_timings(engine: SupervisedEngine) -> None:
    """The engine's own timings come with the end, and fit into the time that the run took."""
    _, end = await ran(engine, request(max_tokens=8))

    timings = end.timings
    assert Basis.MEASURED is timings.timed
    assert 0 < timings.prefill_s <= timings.ttft_s <= timings.run_s
    assert 0 < timings.decode_s < timings.run_s


async def test_schema(engine: SupervisedEngine) -> None:
    """An answer that must fit a JSON schema does."""
    schema = {
        "type": "object",
        "properties": {"ville": {"type": "string", "maxLength": 8}},
        "required": ["ville"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}

    _, end = await ran(engine, request(stream=False, max_tokens=60, response_format=form))

    content = msgspec.json.decode(end.body)["choices"][0]["message"]["content"]
    assert ["ville"] == list(msgspec.json.decode(content))


async def test_two_choices(engine: SupervisedEngine) -> None:
    """Two choices come apart, and their prompt counts once."""
    _, first_end = await ran(engine, request("job-1", max_tokens=4, stream=False))
    _, second_end = await ran(engine, request("job-2", max_tokens=4, n=2, stream=False))

    whole = msgspec.json.decode(second_end.body)
    assert [0, 1] == [choice["index"] for choice in whole["choices"]]
    assert first_end.usage.prompt_tokens == second_end.usage.prompt_tokens
    assert 8 == second_end.usage.completion_tokens


async def test_log_probabilities(engine: SupervisedEngine) -> None:
    """Log-probabilities come for each token of a whole answer."""
    asked = request(stream=False, max_tokens=3, logprobs=True, top_logprobs=2)

    _, end = await ran(engine, asked)

    entries = msgspec.json.decode(end.body)["choices"][0]["logprobs"]["content"]
    assert [2, 2, 2] == [len(entry["top_logprobs"]) for entry in entries]


async def test_prompt_too_long(engine: SupervisedEngine) -> None:
    """A prompt beyond the slot is refused with its length and the slot's."""
    messages = [{"role": "user", "content": "le chat " * 3000}]

    chunks, end = await ran(engine, request(messages=messages))

    assert [] == chunks
    assert end.failure is not None
    assert (CONTEXT_LENGTH_EXCEEDED, False) == (end.failure.code, end.failure.retryable)
    assert end.failure.n_prompt_tokens > end.failure.n_ctx == 2048


async def test_bad_request(engine: SupervisedEngine) -> None:
    """A request that the engine does not accept is the caller's fault, in the engine's words."""
    _, end = await ran(engine, request(messages="no list"))

    assert end.failure is not None
    assert (BAD_REQUEST, False) == (end.failure.code, end.failure.retryable)
    assert "messages" in end.failure.detail


async def test_cancelling_stops_the_engine(engine: SupervisedEngine) -> None:
    """A cancelled run ends at once with its exact counts, and the engine computes no more."""
    chunks: list[EngineChunk] = []

    def receive(chunk: EngineChunk) -> None:
        chunks.append(chunk)
        if chunk.n_output_tokens == 5:
            engine.cancel("job-1")

    end = await engine.run(request(max_tokens=1500, ignore_eos=True), receive)
    metrics = await metrics_when(engine, lambda m: m.processing == 0)

    assert Outcome.CANCELLED is end.outcome
    assert Basis.MEASURED is end.usage.counted
    assert 5 <= end.usage.completion_tokens == chunks[-1].n_output_tokens
    assert metrics.output_tokens_total < 100


async def test_leaving_stops_the_engine(engine: SupervisedEngine) -> None:
    """A reader that leaves makes the engine stop, while it writes and while it reads."""
    long = [{"role": "user", "content": "le chat " * 300}]
    for n, asked in enumerate([request("w", max_tokens=1500), request("r", messages=long)]):
        begun = asyncio.Event()
        run = asyncio.create_task(engine.run(asked, lambda _chunk, begun=begun: begun.set()))
        await begun.wait()
        run.cancel()
        metrics = await metrics_when(engine, lambda m: m.processing == m.waiting == 0)

        assert metrics.output_tokens_total < 100, n


async def test_long_prompts_show_life(engine: SupervisedEngine) -> None:
    """While a long prompt is read its progress is told, and that it was read to its end."""
    messages = [{"role": "user", "content": "le chat " * 300}]

    chunks, end = await ran(engine, request(messages=messages, max_tokens=1))

    reading = [chunk.n_prompt_tokens for chunk in chunks]
    assert sorted(reading) == reading
    assert 0 < reading[0] < reading[-1] == end.usage.prompt_tokens
    assert 0 == chunks[0].n_output_tokens


async def test_an_end_between_two_probes_is_told_once(engine: SupervisedEngine) -> None:
    """An engine that no run used, and that is back before anybody looks, has ended all the same."""
    before, pid = await engine.ready(), engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: engine.pid not in (None, pid))
    problem = await engine.ready()

    assert before is None
    assert problem is not None
    assert "engine_exited" == problem.code
    assert await engine.ready() is None


async def test_too_many_at_a_time(engine: SupervisedEngine) -> None:
    """Beyond its slots and a few that wait, the engine takes no more."""
    places = engine.facts.slots * (1 + WAITING_PER_SLOT_MAX)
    running = [
        asyncio.create_task(ran(engine, request(f"job-{n}", max_tokens=1500)))
        for n in range(places)
    ]
    # Those that wait for a slot are not sent yet.
    await metrics_when(engine, lambda m: m.processing == engine.facts.slots)
    _, end = await ran(engine, request("one-more"))
    for n in range(places):
        engine.cancel(f"job-{n}")
    await asyncio.gather(*running)

    assert end.failure is not None
    assert (ENGINE_REJECTED, True) == (end.failure.code, end.failure.retryable)


async def test_the_log_holds_nothing_of_requests(tmp_path: Path) -> None:
    """What llama.cpp writes of a request while it serves does not reach the log."""
    log = tmp_path / "engine.log"
    async with llamacpp(log_path=log) as engine:
        await ran(engine, request("job-1", grammar="SECRET root ::= ("))
        await ran(engine, request("job-2", messages="SECRET"))
        _, end = await ran(engine, request("job-3", max_tokens=1))

    assert Outcome.COMPLETED is end.outcome
    assert [] == [line for line in lines_of(log) if "SECRET" in line]


async def test_the_context_never_passes_the_models() -> None:
    """A context longer than the model was made for is cut to that."""
    async with llamacpp(slots=1, context_tokens=1_000_000) as engine:
        assert demo_model().context_max == engine.facts.context_tokens


def test_threads_leave_a_core_to_the_owner() -> None:
    """Without a number of threads the engine leaves one core alone, if there is more than one."""
    assert make_llama_cpp(config(threads=0)).facts.threads >= 1
    assert 3 == make_llama_cpp(config(threads=3)).facts.threads
