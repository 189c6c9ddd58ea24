"""Server program: an engine that runs as a server in its own Python environment.

The module chooses the server's address, builds the configuration of the wrapper process
(``program_child``) and connects to the server; ``vllm`` and ``mlx`` supply the command. A server
that supports socket files listens on one in a private folder, any other on a free loopback port. A
server that supports API keys gets a new key at each start.
"""

import asyncio
import os
import re
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide.models import PREFIX_CACHE
from entraide.process_sandbox import SandboxNeeds, sandbox_command, sandbox_environment
from entraide.types import Sandbox
from entraide_node.engines.base import EngineFacts, EngineProblem
from entraide_node.engines.child_connection import loading_timeout_s
from entraide_node.engines.engine_client import EngineClient, EngineEndpoint
from entraide_node.engines.model_folder import weights_bytes
from entraide_node.engines.process import CappedLog, EngineProcess, spawn_module
from entraide_node.engines.program_child import MODULE, ProgramConfig
from entraide_node.engines.salt_keeper import make_salt_keeper
from entraide_node.engines.sandbox import kind_sandbox
from entraide_node.engines.seam import ChatContinuation
from entraide_node.engines.sockets import NAME as SOCKET_NAME
from entraide_node.engines.start_failures import PROGRAM_REASONS, diagnose_start
from entraide_node.engines.supervised_engine import SupervisedEngine
from entraide_node.engines.untrusted_json import list_objects, parse_count, parse_object

LIST_TIMEOUT_S = 10.0
LOOPBACK = "127.0.0.1"

# No telemetry and no downloads: the agent downloads and verifies all weights.
ENVIRONMENT: Mapping[str, str] = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class ServerProgram(Struct, frozen=True, kw_only=True):
    """A server's command, options and API variants.

    Attributes:
        facts: description of the engine before it runs.
        python: interpreter of the server's environment.
        arguments: arguments after ``python -I``, without the address.
        environment: variables added to the agent's environment.
        socket_option: option that sets the socket file; "" if not supported.
        key_variable: variable that sets the API key; "" if not supported.
        folder_variable: variable that sets the folder of internal sockets; "" if not needed.
        probe_path: path that responds with 200 once the server is ready.
        probe_body: body of a POST request to this path; "" for a GET request.
        model: the model's name in the server's API.
        extra: additional fields of every request.
        counted_each_event, salted: see ``engine_client.EngineEndpoint``.
        finds_by_salt: whether it may find prompts again by their salts, if it keeps salts apart.
        continuation, holds_back_text, budget_field: see ``engine_client.EngineEndpoint``.
        loggable_lines: log lines that are kept after the server is ready.
        log_path: the server's log file; None for no log.
        first_event_timeout_s, stall_timeout_s: see ``engine_client``.
        weights: folder of the weights.
        sandbox: what it needs of its sandbox, on a socket file; None to run without one.
    """

    facts: EngineFacts
    python: Path
    arguments: tuple[str, ...]
    environment: dict[str, str]
    socket_option: str = ""
    key_variable: str = ""
    folder_variable: str = ""
    probe_path: str = "/health"
    probe_body: str = ""
    model: str
    extra: dict[str, Any] = {}
    counted_each_event: bool = False
    salted: bool = False
    finds_by_salt: bool = False
    continuation: ChatContinuation | None = None
    holds_back_text: bool = False
    budget_field: str = ""
    loggable_lines: re.Pattern[str]
    log_path: Path | None = None
    first_event_timeout_s: float = 300.0
    stall_timeout_s: float = 60.0
    weights: Path
    sandbox: SandboxNeeds | None = None


def make_supervised_engine(
    program: ServerProgram,
    *,
    ready_timeout_s: float,
    ready_base_s: float,
    clock: Callable[[], float],
) -> SupervisedEngine:
    """Returns the engine of a program, not started.

    Args:
        program: the server.
        ready_timeout_s: maximum time to load; 0 for the base plus the time to read the weights.
        ready_base_s: maximum time to load without reading the weights.
        clock: monotonic clock, seconds.
    """
    return SupervisedEngine(
        ServerProgramChild(program, clock=clock),
        stall_timeout_s=program.stall_timeout_s,
        ready_timeout_s=loading_timeout_s(
            ready_timeout_s, base_s=ready_base_s, weights_bytes=weights_bytes(program.weights)
        ),
        clock=clock,
    )


class ServerProgramChild:
    """A server's process; see ``child_connection.EngineChild``."""

    def __init__(self, program: ServerProgram, *, clock: Callable[[], float]) -> None:
        self._program = program
        self._clock = clock
        self._log = CappedLog(program.log_path)
        self._key = ""
        self.facts = program.facts

    async def spawn(self, folder: Path | None) -> EngineProcess:
        """See ``EngineChild``."""
        config = await asyncio.to_thread(self._make_config, folder)
        return await spawn_module(
            MODULE,
            first_line=msgspec.json.encode(config),
            env=os.environ,
            log=self._log,
            is_loggable=lambda line: self._program.loggable_lines.search(line) is not None,
        )

    async def connect(self, line: bytes) -> tuple[EngineClient, EngineFacts] | None:
        """See ``EngineChild``; asks the server for its models."""
        program = self._program
        address = line.decode().strip()
        is_socket = address.startswith("unix:")
        client = EngineClient(
            EngineEndpoint(
                base_url="http://engine" if is_socket else address,
                model=program.model,
                socket_path=address.removeprefix("unix://") if is_socket else "",
                api_key=self._key,
                extra=program.extra,
                counted_each_event=program.counted_each_event,
                salted=program.salted,
                continuation=program.continuation,
                holds_back_text=program.holds_back_text,
                budget_field=program.budget_field,
                keep_alive=False,
                first_event_timeout_s=program.first_event_timeout_s,
                stall_timeout_s=program.stall_timeout_s,
            ),
            clock=self._clock,
        )
        response = await client.get("/v1/models", timeout_s=LIST_TIMEOUT_S)
        if response is None:
            await client.close()
            return None
        context_tokens = _parse_context_tokens(response[1]) or program.facts.context_tokens
        features = self.facts.features
        if program.finds_by_salt and is_socket:
            client.keeper = await make_salt_keeper(client, model=program.model, clock=self._clock)
            if client.keeper is not None:
                features = tuple(sorted({*features, PREFIX_CACHE}))
        return client, replace(
            self.facts, context_tokens=context_tokens, features=features, api_base=address
        )

    def diagnose(self, lines: Sequence[str], exit_code: int | None) -> EngineProblem:
        """See ``EngineChild``."""
        file = str(self._program.weights)
        return diagnose_start(lines, file=file, exit_code=exit_code, reasons=PROGRAM_REASONS)

    def _make_config(self, folder: Path | None) -> ProgramConfig:
        program = self._program
        socket_path = ""
        if program.socket_option and folder is not None:
            socket_path = str(folder / SOCKET_NAME)
            address_arguments = [program.socket_option, socket_path]
        else:
            address_arguments = ["--host", LOOPBACK, "--port", str(_free_port())]
        self._key = secrets.token_urlsafe(32) if program.key_variable else ""
        environment = {**ENVIRONMENT, **program.environment}
        if program.key_variable:
            environment[program.key_variable] = self._key
        if program.folder_variable and folder is not None:
            environment[program.folder_variable] = str(folder)
        launcher: tuple[str, ...] = ()
        wanted = program.sandbox is not None and bool(socket_path)
        sandbox = kind_sandbox(program.facts.name, wanted=wanted)
        if program.sandbox is not None and sandbox is not Sandbox.NONE:
            launcher = sandbox_command(program.sandbox, scratch=folder, removes_scratch=False)
            environment = sandbox_environment(folder) | environment
        self.facts = replace(self.facts, sandbox=sandbox)
        return ProgramConfig(
            command=(*launcher, str(program.python), "-I", *program.arguments, *address_arguments),
            environment=environment,
            inherits=not launcher,
            folder=str(folder or ""),
            address=f"unix://{socket_path}"
            if socket_path
            else f"http://{LOOPBACK}:{address_arguments[-1]}",
            key=self._key,
            probe_path=program.probe_path,
            probe_body=program.probe_body,
            parent_pid=os.getpid(),
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _parse_context_tokens(payload: bytes) -> int:
    """The context length that the server reports for its model; 0 if none is reported."""
    models = list_objects(parse_object(payload).get("data"))
    return parse_count(models[0].get("max_model_len")) if models else 0
