"""vLLM: the engine for graphics cards, as a server in an environment of its own.

It builds the server's command: for one card, several cards of a machine, a site's Ray cluster, or
processors. The server listens on a socket file, because its key protects only some of its
addresses. A run finds the beginning of its prompt again by its salt only, which ``salt_keeper``
gives it (ADR 0030). It reports counts on every event, so a run that was cut short is counted
exactly, and its own prefill and decode times at the end.
"""

import math
import re
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from entraide.models import DIMENSIONS, REPETITION_PENALTY, STOP_TOKEN_IDS, THINKING_BUDGET
from entraide.process_sandbox import SandboxNeeds
from entraide.resuming import RESUME
from entraide_node.engines.base import EMBEDDING_FEATURES, EngineFacts
from entraide_node.engines.llamacpp import default_threads
from entraide_node.engines.model_folder import (
    chat_template_of,
    computes_embeddings,
    context_max_of,
    kv_bytes_per_token_of,
    shortens_embeddings,
    tool_parser_of,
)
from entraide_node.engines.seam import ChatContinuation
from entraide_node.engines.server_program import ServerProgram, make_supervised_engine
from entraide_node.engines.supervised_engine import SupervisedEngine

NAME = "vllm"
READY_BASE_S = 600.0  # imports, kernel compilation at the first start, graph capture
GIB = 1024**3
CACHE_GIB_MAX = 64
FEATURES = ("logprobs", REPETITION_PENALTY, "schema", STOP_TOKEN_IDS)
NO_PARSER = "none"
BUDGET_FIELD = "thinking_token_budget"

# Lines of a serving process that cannot contain parts of a request.
_LOGGABLE_LINES = re.compile(
    r"(?:torch\.(?:cuda\.)?OutOfMemoryError|CUDA (?:error|out of memory)|EngineDeadError"
    r"|HIP error|NCCL error|died unexpectedly|No space left on device)[^{\[]*$"
)


class VllmConfig(Struct, frozen=True, kw_only=True):
    """How to run vLLM.

    Attributes:
        weights: folder of the model.
        alias, revision: public name, and checksum.
        python, version: of the environment.
        slots: concurrent sequences.
        context_tokens: longest prompt plus answer; at most the model's.
        cpu: whether it is the build for processors.
        threads: processor threads of that build; 0 for all cores but one.
        memory_fraction: usable part of each card's memory.
        tensor_parallel: cards that share each layer.
        pipeline_parallel: groups of cards that share the layers; usually machines.
        ray: whether the cards belong to a Ray cluster, which the owner started.
        tool_parser: vLLM's parser of the model's tool calls; "" for the known one, "none" for none.
        log_path: its log file; None for none.
        arguments: further arguments of the command.
        sandbox: whether it runs in a sandbox where the machine has one; never with Ray, whose
            cluster is outside.
        first_event_timeout_s, stall_timeout_s: see ``engine_client``.
        ready_timeout_s: time to load; 0 for a time that depends on the size.
    """

    weights: Path
    alias: str
    revision: str
    python: Path
    version: str
    slots: int = 8
    context_tokens: int = 4096
    cpu: bool = False
    threads: int = 0
    memory_fraction: float = 0.9
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    ray: bool = False
    tool_parser: str = ""
    log_path: Path | None = None
    arguments: tuple[str, ...] = ()
    sandbox: bool = True
    first_event_timeout_s: float = 300.0
    stall_timeout_s: float = 60.0
    ready_timeout_s: float = 0.0


def make_vllm(
    config: VllmConfig, *, clock: Callable[[], float] = time.monotonic
) -> SupervisedEngine:
    """Returns the engine, not started; reads the model's folder."""
    context_max = context_max_of(config.weights)
    context_tokens = min(config.context_tokens, context_max or config.context_tokens)
    parser = config.tool_parser or tool_parser_of(config.weights) or NO_PARSER
    threads = config.threads or default_threads()
    template = _template_of(config)
    program = ServerProgram(
        facts=EngineFacts(
            name=NAME,
            version=config.version,
            model_alias=config.alias,
            model_revision=config.revision,
            context_tokens=context_tokens,
            slots=config.slots,
            threads=threads if config.cpu else 0,
            features=_features(config, parser, template),
            api_base="",
        ),
        python=config.python,
        arguments=(*_command(config, context_tokens, parser), *config.arguments),
        environment=_environment(config, context_tokens, threads),
        socket_option="--uds",
        key_variable="VLLM_API_KEY",
        folder_variable="VLLM_RPC_BASE_PATH",
        model=config.alias,
        counted_each_event=True,
        salted=True,
        finds_by_salt=not computes_embeddings(config.weights),
        extra={"chat_template": None},  # a request may not choose it, unless it is resumed
        continuation=ChatContinuation(template=template) if template else None,
        holds_back_text=True,
        budget_field=BUDGET_FIELD if _separates_thoughts(config) else "",
        loggable_lines=_LOGGABLE_LINES,
        log_path=config.log_path,
        first_event_timeout_s=config.first_event_timeout_s,
        stall_timeout_s=config.stall_timeout_s,
        weights=config.weights,
        sandbox=_sandbox_needs(config) if config.sandbox and not config.ray else None,
    )
    return make_supervised_engine(
        program, ready_timeout_s=config.ready_timeout_s, ready_base_s=READY_BASE_S, clock=clock
    )


def _sandbox_needs(config: VllmConfig) -> SandboxNeeds:
    """Its weights, which may be links into another folder, its environment and named files."""
    weights = (config.weights, *(path.resolve() for path in config.weights.glob("*")))
    values = (argument.rpartition("=")[2] for argument in config.arguments)
    named = (Path(value) for value in values if value.startswith("/"))
    return SandboxNeeds(
        read=(*weights, *named), environment_root=config.python.parent.parent, writes_files=True,
        processes=True, cards=not config.cpu, own_network=True,
    )  # fmt: skip


def _template_of(config: VllmConfig) -> str:
    """The chat template by which it continues answers; "" if it cannot.

    A parser that separates thoughts takes the continuation of an answer for a new thought.
    """
    is_chosen = _has_option(config, "--chat-template") or _separates_thoughts(config)
    return "" if is_chosen else chat_template_of(config.weights)


def _separates_thoughts(config: VllmConfig) -> bool:
    return _has_option(config, "--reasoning-parser")


def _has_option(config: VllmConfig, option: str) -> bool:
    """Whether the owner's arguments have an option, in either of the forms that vLLM takes."""
    return any(name.replace("_", "-").startswith(option) for name in config.arguments)


def _features(config: VllmConfig, parser: str, template: str) -> tuple[str, ...]:
    weights = config.weights
    if computes_embeddings(weights):
        shortens = (DIMENSIONS,) if shortens_embeddings(weights) else ()
        return (*shortens, *EMBEDDING_FEATURES)
    features = {*FEATURES}
    if template:
        features.add(RESUME)
    if _separates_thoughts(config):  # vLLM bounds only what its parser knows
        features.add(THINKING_BUDGET)
    if parser != NO_PARSER:
        features.add("tools")
    return tuple(sorted(features))


def _command(config: VllmConfig, context_tokens: int, parser: str) -> tuple[str, ...]:
    # `vllm serve` requires a distribution named vllm; the build for processors has another name.
    command = [
        "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(config.weights),
        "--served-model-name", config.alias,
        "--max-model-len", str(context_tokens),
        "--max-num-seqs", str(config.slots),
        "--enable-prompt-tokens-details",
        "--enable-per-request-metrics",
        "--disable-uvicorn-access-log",
        "--disable-fastapi-docs",
        "--allowed-media-domains", "none.invalid",
        "--trust-request-chat-template",
    ]  # fmt: skip
    if computes_embeddings(config.weights):
        command += ["--runner", "pooling", "--no-enable-prefix-caching"]
    else:
        command += ["--enable-prefix-caching", "--prefix-caching-hash-algo", "sha256"]
    if parser != NO_PARSER and not computes_embeddings(config.weights):
        command += ["--enable-auto-tool-choice", "--tool-call-parser", parser]
    if config.cpu:
        # One process with the given number of threads; graph mode would need a compiler.
        return (*command, "--enforce-eager", "--distributed-executor-backend", "uni")
    command += ["--gpu-memory-utilization", str(config.memory_fraction)]
    if config.tensor_parallel > 1:
        command += ["--tensor-parallel-size", str(config.tensor_parallel)]
    if config.pipeline_parallel > 1:
        command += ["--pipeline-parallel-size", str(config.pipeline_parallel)]
    if config.ray:
        command += ["--distributed-executor-backend", "ray"]
    return tuple(command)


def _environment(config: VllmConfig, context_tokens: int, threads: int) -> dict[str, str]:
    environment = {"VLLM_NO_USAGE_STATS": "1", "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0"}
    if config.ray:
        # Without an address, vLLM starts a cluster of this machine alone if none runs here, and
        # waits half an hour in it for the cards of the others.
        environment |= {"RAY_ADDRESS": "auto", "RAY_USAGE_STATS_ENABLED": "0"}
    if not config.cpu:
        return environment
    cache_bytes = kv_bytes_per_token_of(config.weights) * context_tokens * config.slots
    cache_gib = min(CACHE_GIB_MAX, max(1, math.ceil(cache_bytes / GIB)))
    return environment | {
        "VLLM_CPU_KVCACHE_SPACE": str(cache_gib),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",  # waiting threads must not use the owner's cores
    }
