"""llama.cpp, mlx-lm and vLLM in one pool: real engines, agents, scheduler and bus, asked over HTTP.

Each engine serves the same weights under a name of its own, so that a test can ask for it.
"""

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace
from openai import AsyncOpenAI, BadRequestError
from tests.engines.conftest import why_absent
from tests.engines.own_environments import (
    ENVIRONMENT,
    cache_folder,
    gguf_with_tools,
    installed,
    weights,
)
from tests.engines.support import metrics_when
from tests.integration.nats_support import running_pool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler

from entraide_node.agent import Agent
from entraide_node.config import LlamaCpp, MlxLm, Vllm
from entraide_node.core.phases import PhaseEvent
from entraide_node.engine_config import OwnerEngine
from entraide_node.engines.base import Engine
from entraide_node.engines.environments import ROOT_VARIABLE
from entraide_node.join import JoinOptions, join_pool
from entraide_node.machine_setup import MachineSetup, start_machine
from entraide_node.model_manager.catalogue_source import CatalogueSource

KINDS = ("llama.cpp", "mlx-lm", "vllm")
LIVE_S = 120.0
TOOL = {
    "type": "function",
    "function": {
        "name": "meteo",
        "description": "The weather in a town.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"ville": {"type": "string", "enum": ["Gaspé", "Rimouski"]}},
            "required": ["ville"],
            "additionalProperties": False,
        },
    },
}
COUNT = """
import sys
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
messages = [{"role": "user", "content": sys.argv[2]}]
text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
print(len(tokenizer.encode(text, add_special_tokens=False)))
"""

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]


def alias(kind: str) -> str:
    """The public name of the model that this engine serves."""
    return f"smollm2-on-{kind}"


def engine_config(kind: str) -> OwnerEngine:
    """What the owner of a node with this engine writes."""
    common: dict[str, Any] = {"alias": alias(kind), "slots": 2, "context_tokens": 1024}
    match kind:
        case "llama.cpp":
            return LlamaCpp(model=str(gguf_with_tools()), threads=1, **common)
        case "mlx-lm":
            return MlxLm(model=str(weights()), **common)
        case _:
            return Vllm(
                model=str(weights(tools=True)), cpu=True, threads=1, tool_parser="hermes", **common
            )


class Pool:
    """The pool, and the engines behind it by their kind."""

    def __init__(self, scheduler: RunningScheduler, key: str, engines: dict[str, Engine]) -> None:
        self.scheduler = scheduler
        self.engines = engines
        url = f"{scheduler.gateway.url}/v1"
        self.asking = AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=120.0)

    async def ask(self, kind: str, text: str, *, begun: str = "", **fields: Any) -> Any:
        """Asks one engine's model, deterministically; the answer may be begun already."""
        messages = [{"role": "user", "content": text}]
        if begun:
            messages.append({"role": "assistant", "content": begun})
        return await self.asking.chat.completions.create(
            model=alias(kind), messages=messages, temperature=0, **fields
        )  # type: ignore[call-overload]


@contextlib.asynccontextmanager
async def node(scheduler: RunningScheduler, kind: str, folder: Path) -> AsyncIterator[MachineSetup]:
    """A node that has joined with its engine, and works until this ends."""
    token = await scheduler.operator.token("beta", valid_s=600.0)
    options = JoinOptions(name=kind.replace(".", "-"))
    joined = await asyncio.to_thread(
        join_pool, scheduler.gateway.url, token, folder=folder, options=options
    )
    config = replace(joined.config, engine=engine_config(kind))
    machine = await start_machine(config, tell=lambda state: None)
    assert isinstance(machine, MachineSetup), machine
    agent = Agent(config, machine=machine, model_source=CatalogueSource(config))
    work = asyncio.create_task(agent.run())
    try:
        yield machine
    finally:
        agent.apply_event(PhaseEvent.ORPHANED)
        await work
        await machine.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pool]:
    """One pool with a node for each engine that can be had here, all of them live."""
    folder = tmp_path_factory.mktemp("pool")
    os.environ[ROOT_VARIABLE] = str(cache_folder())
    kinds = [kind for kind in KINDS if kind not in ENVIRONMENT or not why_absent(kind)]
    for kind in kinds:
        if kind in ENVIRONMENT:
            installed(ENVIRONMENT[kind])
    async with contextlib.AsyncExitStack() as stack:
        bus = await stack.enter_async_context(running_pool(folder))
        scheduler = await stack.enter_async_context(running_scheduler(folder, bus))
        engines = {}
        for kind in kinds:
            machine = await stack.enter_async_context(node(scheduler, kind, folder / kind))
            engines[kind] = machine.instances[0].engine
        started = Pool(scheduler, await scheduler.operator.key("alpha"), engines)
        stack.push_async_callback(started.asking.close)
        async with asyncio.timeout(LIVE_S):
            while {alias(kind) for kind in kinds} > await served(started):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield started
    del os.environ[ROOT_VARIABLE]


async def served(pool: Pool) -> set[str]:
    """The models that the pool lists."""
    return {model.id async for model in pool.asking.models.list()}


def prompt_tokens(kind: str, text: str, model: Path) -> int:
    """The tokens of a question in the model's chat form, by the tokenizer that engine ships."""
    python = installed(ENVIRONMENT[kind])
    done = subprocess.run(
        [str(python), "-I", "-c", COUNT, str(model), text],
        capture_output=True, text=True, check=True, env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize("kind", KINDS)
async def test_streaming(pool: Pool, kind: str) -> None:
    """Each engine streams through the pool, its name in the receipt, its own usage at the end."""
    stream = await pool.ask(
        kind, "Un chat", max_tokens=6, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    finishes = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert said
    assert "length" == finishes[-1]
    assert {alias(kind)} == {chunk.model for chunk in chunks}
    assert 6 == chunks[-1].usage.completion_tokens
    receipt = chunks[-1].model_extra["entraide"]
    assert receipt["engine"].startswith(f"{kind}/")


@pytest.mark.parametrize("kind", ["llama.cpp", "vllm"])
async def test_usage_is_what_the_engine_counted(pool: Pool, kind: str) -> None:
    """What the pool reports is what the engine's own counters grow by."""
    engine = pool.engines[kind]
    before = await metrics_when(engine, lambda m: m.processing == m.waiting == 0)
    answer = await pool.ask(kind, "Le capitaine", max_tokens=7)
    after = await metrics_when(
        engine, lambda m: m.output_tokens_total >= before.output_tokens_total + 7
    )

    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (
        after.prompt_tokens_total - before.prompt_tokens_total,
        after.output_tokens_total - before.output_tokens_total,
    )


@pytest.mark.parametrize("kind", ["llama.cpp", "vllm"])
async def test_a_prompt_is_found_again_by_its_own_key_alone(pool: Pool, kind: str) -> None:
    """The second turn of a conversation reads what is new; another key, or a request that wants
    nothing kept, reads everything."""
    url, text = f"{pool.scheduler.gateway.url}/v1", "Le phare de la pointe est éteint. " * 20
    other = await pool.scheduler.operator.key("alpha")
    async with AsyncOpenAI(base_url=url, api_key=other, max_retries=0, timeout=120.0) as stranger:
        first = await pool.ask(kind, text, max_tokens=4)
        again = await pool.ask(kind, text, max_tokens=4)
        theirs = await stranger.chat.completions.create(
            model=alias(kind), max_tokens=4, temperature=0,
            messages=[{"role": "user", "content": text}],
        )  # fmt: skip
        off = await pool.ask(kind, text, max_tokens=4, extra_body={"entraide": {"prefix": "off"}})
    answers = (first, again, theirs, off)
    cached = [answer.usage.prompt_tokens_details.cached_tokens for answer in answers]

    assert cached[1] > 100
    assert [0, 0] == cached[2:]
    assert 1 == len({answer.choices[0].message.content for answer in answers})
    assert 1 == len({answer.usage.prompt_tokens for answer in answers})


@pytest.mark.parametrize("kind", ["mlx-lm"])
async def test_usage_is_what_the_engines_tokenizer_counts(pool: Pool, kind: str) -> None:
    """An engine without counters is believed as far as its own tokenizer agrees."""
    answer = await pool.ask(kind, "Le capitaine", max_tokens=7)

    expected = await asyncio.to_thread(prompt_tokens, kind, "Le capitaine", weights())
    assert (expected, 7) == (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert "length" == answer.choices[0].finish_reason


@pytest.mark.parametrize("kind", ["llama.cpp", "vllm"])
async def test_structured_output(pool: Pool, kind: str) -> None:
    """Where the engine can, an answer that must fit a JSON schema does."""
    schema = TOOL["function"]["parameters"]  # type: ignore[index]
    form = {"type": "json_schema", "json_schema": {"name": "ou", "strict": True, "schema": schema}}

    answer = await pool.ask(kind, "Gaspé", max_tokens=40, response_format=form)

    assert json.loads(answer.choices[0].message.content)["ville"] in ("Gaspé", "Rimouski")


@pytest.mark.parametrize("kind", ["llama.cpp", "vllm"])
async def test_tool_calls(pool: Pool, kind: str) -> None:
    """Where the engine can, a call that is demanded comes as a tool call, streamed or not.

    llama.cpp lets a model talk before it calls, and this one would talk for ever: it is begun.
    """
    asked = {"max_tokens": 80, "tools": [TOOL], "tool_choice": "required"}
    asked["parallel_tool_calls"] = False
    asked["begun"] = "<tool_call>\n" if kind == "llama.cpp" else ""
    answer = await pool.ask(kind, "Gaspé", **asked)
    stream = await pool.ask(kind, "Gaspé", stream=True, **asked)
    streamed: dict[int, str] = {}
    async for chunk in stream:
        for call in (chunk.choices[0].delta.tool_calls or ()) if chunk.choices else ():
            streamed[call.index] = streamed.get(call.index, "") + (call.function.arguments or "")

    call = answer.choices[0].message.tool_calls[0].function
    assert "meteo" == call.name
    assert json.loads(call.arguments)["ville"] in ("Gaspé", "Rimouski")
    assert json.loads(streamed[0])["ville"] in ("Gaspé", "Rimouski")


@pytest.mark.parametrize("kind", ["mlx-lm"])
async def test_what_an_engine_cannot_is_told(pool: Pool, kind: str) -> None:
    """A form that the only engine of a model cannot promise is refused with a reason, not lost."""
    form = {"type": "json_schema", "json_schema": {"name": "ou", "schema": {"type": "object"}}}

    with pytest.raises(BadRequestError, match="No machine") as refused:
        await pool.ask(kind, "Gaspé", max_tokens=8, response_format=form)

    assert 400 == refused.value.status_code


@pytest.mark.parametrize("kind", KINDS)
async def test_several_at_once(pool: Pool, kind: str) -> None:
    """Two questions at once are both answered by each engine."""
    answers = await asyncio.gather(
        *(pool.ask(kind, f"Un chat et {n} chiens", max_tokens=3) for n in (2, 3))
    )

    assert [3, 3] == [answer.usage.completion_tokens for answer in answers]
