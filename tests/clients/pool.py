"""A pool for other people's programs: a model for text that calls tools, and a sentence model.

``running_client_pool`` gives its address, a key and its models, and runs programs against it.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from msgspec.structs import replace
from tests.engines.hub_folder import with_template
from tests.engines.sentence_model import NAME, sentence_gguf
from tests.engines.support import DEADLINE_S, demo_model
from tests.integration.nats_support import running_pool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler

from entraide.v1 import admin_pb2 as a
from entraide_node.agent import Agent
from entraide_node.config import LlamaCpp
from entraide_node.core.phases import PhaseEvent
from entraide_node.join import JoinOptions, join_pool
from entraide_node.machine_setup import MachineSetup, start_machine
from entraide_node.model_manager.catalogue_source import CatalogueSource

TEXT_MODEL, SENTENCE_MODEL = "smollm2", NAME
PROGRAM_TIMEOUT_S = 240.0
TOKENS_MAX = 48
QUESTION = "What is 2+2?"  # this model answers it in one short sentence

# The model's own template; with tools, two examples of a call, which the model then follows.
TEMPLATE = (
    "{%- if messages[0].role != 'system' %}<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n{% endif %}"
    "{%- if tools and messages[-1].role != 'tool' %}<|im_start|>system\n"
    "Answer by a call of one of these functions: <tools>"
    "{%- for tool in tools %}\n{{ tool | tojson }}{%- endfor %}\n</tools><|im_end|>\n"
    "{%- for town in ['Rimouski', 'Lévis'] %}<|im_start|>user\n{{ town }}<|im_end|>\n"
    '<|im_start|>assistant\n<tool_call>\n{"name": "{{ tools[0].function.name }}", '
    '"arguments": {"ville": "{{ town }}"}}\n</tool_call><|im_end|>\n{% endfor %}{% endif %}'
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n"
    "{%- if message.content %}{{ message.content }}{%- endif %}"
    "{%- for call in message.tool_calls or [] %}"
    '<tool_call>\n{"name": "{{ call.function.name }}", '
    '"arguments": {{ call.function.arguments | tojson }}}\n</tool_call>'
    "{%- endfor %}<|im_end|>\n{% endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class ClientPool:
    """Where the pool is, and what a program needs to know of it."""

    def __init__(self, url: str, key: str, paced_key: str) -> None:
        self.url = url
        self.key = key
        self.paced_key = paced_key  # with one request a minute

    @property
    def headers(self) -> dict[str, str]:
        """For a request without a client."""
        return {"authorization": f"Bearer {self.key}"}

    @property
    def variables(self) -> dict[str, str]:
        """Variables that the clients themselves read, and the names of the models."""
        return {
            "ENTRAIDE_URL": self.url,
            "ENTRAIDE_KEY": self.key,
            "PACED_KEY": self.paced_key,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_API_KEY": self.key,
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": self.key,
            "ENTRAIDE_MODEL": TEXT_MODEL,
            "ENTRAIDE_EMBEDDING_MODEL": SENTENCE_MODEL,
            "QUESTION": QUESTION,
            "TOKENS": str(TOKENS_MAX),
        }

    async def run(self, *command: str | Path, home: Path, **more: str) -> str:
        """Runs a program with these variables in an empty home; returns what it printed."""
        home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  # at once
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            **self.variables, "HOME": str(home), "PYTHONUTF8": "1", **more,
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command, cwd=home, env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PROGRAM_TIMEOUT_S):
                printed, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, f"{printed.decode()}\n{errors.decode()[-6_000:]}"
        return printed.decode()


@contextlib.asynccontextmanager
async def _node(scheduler: RunningScheduler, folder: Path) -> AsyncIterator[None]:
    """A node with both models, which works until this ends."""
    token = await scheduler.operator.token("beta", valid_s=600.0)
    joined = await asyncio.to_thread(
        join_pool, scheduler.gateway.url, token, folder=folder, options=JoinOptions(name="n1")
    )
    text = with_template(demo_model().path, folder / f"{TEXT_MODEL}.gguf", chat_template=TEMPLATE)
    sentences = sentence_gguf(folder / f"{SENTENCE_MODEL}.gguf")
    config = replace(
        joined.config,
        engine=LlamaCpp(model=str(text), alias=TEXT_MODEL, threads=2, slots=2),
        engines=(LlamaCpp(model=str(sentences), threads=1, slots=2),),
    )
    machine = await start_machine(config, tell=lambda state: None)
    assert isinstance(machine, MachineSetup), machine
    agent = Agent(config, machine=machine, model_source=CatalogueSource(config))
    work = asyncio.create_task(agent.run())
    try:
        yield
    finally:
        agent.apply_event(PhaseEvent.ORPHANED)
        await work
        await machine.stop()


async def _served(url: str, key: str) -> set[str]:
    """The models that the pool lists."""
    headers = {"authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/v1/models", headers=headers) as answer,
    ):
        return {model["id"] for model in (await answer.json())["data"]}


@contextlib.asynccontextmanager
async def running_client_pool(folder: Path) -> AsyncIterator[ClientPool]:
    """Runs the pool; both models are served when it is given."""
    async with contextlib.AsyncExitStack() as stack:
        bus = await stack.enter_async_context(running_pool(folder))
        scheduler = await stack.enter_async_context(running_scheduler(folder, bus))
        await stack.enter_async_context(_node(scheduler, folder / "node"))
        operator = scheduler.operator
        quota = a.Quota(kind="requests", limit=1, period="minute")
        await operator.ask("SetCoop", a.Coop(coop="paced", shares=1.0, quotas=[quota]))
        keys = [await operator.key(coop) for coop in ("alpha", "paced")]
        pool = ClientPool(scheduler.gateway.url, *keys)
        async with asyncio.timeout(DEADLINE_S):
            missing = {TEXT_MODEL, SENTENCE_MODEL}
            while missing:
                await asyncio.sleep(0.05)
                missing -= await _served(pool.url, pool.key)
        yield pool
