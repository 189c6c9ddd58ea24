"""llama.cpp as a supervised child process: the engine that every node has.

It builds the child's configuration and connects to it; ``child_connection`` has the parts that are
common to all child processes. The child listens on a socket file in a folder that only its owner
may enter, which costs half as much as a loopback connection; without socket files, on a free
loopback port. It requires a key that is new for each child. Connections are not reused, because the
child closes them after a stream although it announces keep-alive. Behind that key and that folder
only it is asked to erase, save and restore slots, so that runs of one partition find their prompts
again, and nobody else's (ADR 0030).
"""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide.decoding import decode_json
from entraide.models import EMBEDDINGS, PREFIX_CACHE, THINKING_BUDGET
from entraide.process_sandbox import SandboxNeeds, sandbox_command, sandbox_environment
from entraide.resuming import RESUME
from entraide.thinking import TEMPLATE_ARGUMENTS
from entraide.types import Sandbox
from entraide_node.core.step_times import STEP_TOKENS
from entraide_node.engines.base import EMBEDDING_FEATURES, EngineFacts, EngineProblem
from entraide_node.engines.child_connection import loading_timeout_s
from entraide_node.engines.engine_client import EngineClient, EngineEndpoint
from entraide_node.engines.llamacpp_child import MODULE, ChildConfig, ChildReady
from entraide_node.engines.llamacpp_props import parse_features, parse_slot_context
from entraide_node.engines.prefix_files import PrefixFiles, make_prefix_files
from entraide_node.engines.process import CappedLog, EngineProcess, spawn_module
from entraide_node.engines.sandbox import AGENT_PACKAGE, kind_sandbox
from entraide_node.engines.seam import ChatContinuation
from entraide_node.engines.slot_keeper import SlotKeeper, keeps_apart
from entraide_node.engines.sockets import NAME as SOCKET_NAME
from entraide_node.engines.start_failures import diagnose_start, is_loggable
from entraide_node.engines.supervised_engine import SupervisedEngine
from entraide_node.engines.untrusted_json import parse_object
from entraide_node.models.model_files import ModelFile, list_parts

NAME = "llama.cpp"
BATCH_TOKENS = 512  # llama.cpp computes batches of 512; it reports progress after each
# Else llama.cpp itself keeps the states of earlier prompts, of anybody, and they have come up in
# another's answer (llama.cpp, issue 27148).
CACHE_RAM_MIB, KV_UNIFIED = 0, False
PROPS_TIMEOUT_S = 10.0
READY_BASE_S = 60.0
TEXT_MODEL_POOLING = "last"  # needs no larger batches than text does

# Fields of every request: counts on every event, so that a run that was cut short is counted
# exactly, and progress during a long prefill. Prompts are not cached unless the slot keeper says
# so, because the cache itself does not separate who asks (ADR 0030).
REQUEST_FIELDS = {"timings_per_token": True, "return_progress": True, "cache_prompt": False}
_ASKED = {"role": "user", "content": "?"}
_BEGUN = {"role": "assistant", "content": " \n?\n "}  # with the white space that templates remove
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}  # waiting threads must not use the owner's cores


class LlamaCppConfig(Struct, frozen=True, kw_only=True):
    """How to run llama.cpp.

    Attributes:
        model: the weights.
        slots: concurrent sequences.
        context_tokens: per slot; at most the model's.
        threads: processor threads; 0 for all cores but one.
        gpu_layers: layers on the accelerator; None for llama.cpp's default.
        embeddings: whether a model that writes text also computes embeddings.
        sandbox: whether it runs in a sandbox where the machine has one.
        log_path: its log file; None for none.
        first_event_timeout_s, stall_timeout_s: see ``engine_client``.
        ready_timeout_s: time to load; 0 for a time that depends on the size.
    """

    model: ModelFile
    slots: int = 4
    context_tokens: int = 2048
    threads: int = 0
    gpu_layers: int | None = None
    embeddings: bool = False
    sandbox: bool = True
    log_path: Path | None = None
    first_event_timeout_s: float = 300.0
    stall_timeout_s: float = 60.0
    ready_timeout_s: float = 0.0


def make_llama_cpp(
    config: LlamaCppConfig, *, clock: Callable[[], float] = time.monotonic
) -> SupervisedEngine:
    """Returns the engine, not started."""
    return SupervisedEngine(
        _LlamaCppChild(config, clock=clock),
        stall_timeout_s=config.stall_timeout_s,
        ready_timeout_s=loading_timeout_s(
            config.ready_timeout_s, base_s=READY_BASE_S, weights_bytes=config.model.size_bytes
        ),
        clock=clock,
    )


class _LlamaCppChild:
    """llama.cpp's process; see ``child_connection.EngineChild``."""

    def __init__(self, config: LlamaCppConfig, *, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._log = CappedLog(config.log_path)
        self._started: ChildConfig | None = None
        self._files: PrefixFiles | None = None
        self.facts = EngineFacts(
            name=NAME,
            version=_version(),
            model_alias=config.model.alias,
            model_revision=config.model.revision,
            context_tokens=_context_tokens(config),
            slots=config.slots,
            threads=config.threads or default_threads(),
            features=(),
            api_base="",
        )

    async def spawn(self, folder: Path | None) -> EngineProcess:
        """See ``EngineChild``."""
        self._close_files()
        if folder is not None and self._caches:
            self._files = await asyncio.to_thread(make_prefix_files)
        self._started = self._child_config(folder)
        launcher: tuple[str, ...] = ()
        environment = dict(os.environ)
        sandbox = kind_sandbox(NAME, wanted=self._config.sandbox and folder is not None)
        if folder is not None and sandbox is not Sandbox.NONE:
            launcher = await asyncio.to_thread(self._launcher, folder)
            environment = sandbox_environment(folder)
        self.facts = replace(self.facts, sandbox=sandbox)
        return await spawn_module(
            MODULE,
            first_line=msgspec.json.encode(self._started),
            env=environment | ENVIRONMENT,
            log=self._log,
            is_loggable=is_loggable,
            launcher=launcher,
        )

    def _launcher(self, scratch: Path) -> tuple[str, ...]:
        needs = SandboxNeeds(
            read=(AGENT_PACKAGE, *list_parts(self._config.model.path)),
            writes=(self._files.folder,) if self._files is not None else (),
        )
        return sandbox_command(needs, scratch=scratch)

    async def connect(self, line: bytes) -> tuple[EngineClient, EngineFacts] | None:
        """See ``EngineChild``; asks the process for its features."""
        assert self._started is not None
        ready = decode_json(line, type=ChildReady)
        socket_path = self._started.socket_path
        endpoint = EngineEndpoint(
            base_url="http://engine" if socket_path else ready.address,
            socket_path=socket_path,
            model=self._started.alias,
            api_key=self._started.api_key,
            extra=dict(REQUEST_FIELDS),
            budget_field=THINKING_BUDGET,
            reports_steps=BATCH_TOKENS <= STEP_TOKENS,
            keep_alive=False,
            first_event_timeout_s=self._config.first_event_timeout_s,
            stall_timeout_s=self._config.stall_timeout_s,
        )
        client = EngineClient(endpoint, clock=self._clock)
        props = await client.get("/props", timeout_s=PROPS_TIMEOUT_S)
        if props is None or props[0] != 200:
            await client.close()
            return None
        resumes = not self._config.model.pooling and await _continues_messages(client)
        if resumes:
            await client.close()
            endpoint = replace(endpoint, continuation=ChatContinuation())
            client = EngineClient(endpoint, clock=self._clock)
        if self._started.states_path:
            client.keeper = await self._make_keeper(client)
        facts = replace(
            self.facts,
            version=ready.version,
            context_tokens=parse_slot_context(props[1]) or self.facts.context_tokens,
            features=self._features(props[1], resumes=resumes, caches=client.keeper is not None),
            api_base=ready.address,
        )
        return client, facts

    def diagnose(self, lines: Sequence[str], exit_code: int | None) -> EngineProblem:
        """See ``EngineChild``."""
        self._close_files()
        return diagnose_start(lines, file=str(self._config.model.path), exit_code=exit_code)

    @property
    def _caches(self) -> bool:
        """Whether prompts may be found again: embeddings would take any slot."""
        return not self._config.model.pooling and not self._config.embeddings

    async def _make_keeper(self, client: EngineClient) -> SlotKeeper | None:
        """Returns what keeps partitions apart; None if the process was not seen to do it."""

        async def post(path: str, payload: bytes, timeout_s: float) -> bytes:
            return await client.post(path, payload, timeout_s=timeout_s)

        if not await keeps_apart(post):
            self._close_files()
            return None
        files, self._files = self._files, None  # the keeper removes them
        return SlotKeeper(post, slots=self.facts.slots, clock=self._clock, files=files)

    def _close_files(self) -> None:
        if self._files is not None:
            self._files.close()
            self._files = None

    def _features(self, props: bytes, *, resumes: bool, caches: bool) -> tuple[str, ...]:
        if self._config.model.pooling:
            return EMBEDDING_FEATURES
        also = [RESUME] if resumes else []
        if caches:
            also.append(PREFIX_CACHE)
        if self._config.embeddings:
            also.append(EMBEDDINGS)
        return tuple(sorted((*parse_features(props), *also)))

    def _child_config(self, folder: Path | None) -> ChildConfig:
        config = self._config
        states = self._files.folder if self._files is not None else folder
        return ChildConfig(
            model_path=str(config.model.path),
            alias=config.model.alias,
            api_key=secrets.token_urlsafe(32),
            socket_path=str(folder / SOCKET_NAME) if folder is not None else "",
            slots=config.slots,
            context_tokens=_context_tokens(config),
            threads=self.facts.threads,
            batch_tokens=BATCH_TOKENS,
            cache_ram_mib=CACHE_RAM_MIB,
            states_path=str(states) if states is not None and self._caches else "",
            kv_unified=KV_UNIFIED,
            gpu_layers=config.gpu_layers,
            pooling=config.model.pooling or (TEXT_MODEL_POOLING if config.embeddings else ""),
            parent_pid=os.getpid(),
        )


async def _continues_messages(client: EngineClient) -> bool:
    """Whether llama.cpp continues the last message of a chat exactly where it ends.

    It is asked as for a request that turns the thought off. With a template that lets a model think
    all the same, it puts an empty thought before the message.
    """
    off = {"chat_template_kwargs": dict.fromkeys(TEMPLATE_ARGUMENTS, False)}
    prompts = []
    for messages in ([_ASKED], [_ASKED, _BEGUN]):
        payload = msgspec.json.encode({"messages": messages, **off})
        answer = await client.post("/apply-template", payload, timeout_s=PROPS_TIMEOUT_S)
        prompts.append(parse_object(answer).get("prompt"))
    return isinstance(prompts[0], str) and prompts[1] == prompts[0] + _BEGUN["content"]


def default_threads() -> int:
    """Returns the usable cores minus one, so that the owner's machine stays responsive."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return max(1, cores - 1)


def _context_tokens(config: LlamaCppConfig) -> int:
    return min(config.context_tokens, config.model.context_max or config.context_tokens)


def _version() -> str:
    try:
        return version("xllamacpp")
    except PackageNotFoundError:
        return "unknown"
