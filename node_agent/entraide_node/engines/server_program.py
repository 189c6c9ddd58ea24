"""Server program: an engine that is a server in an environment of its own.

It chooses the server's address, builds the configuration of its wrapper (``program_child``), and
connects to it; ``vllm`` and ``mlx`` supply the command. If the server supports it, it listens on a
socket file in a folder that only its owner may enter, else on a free loopback port; it uses a key
per process if it supports keys.
"""

import asyncio
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide_node.engines.base import EngineFacts, EngineProblem
from entraide_node.engines.chat_stream import ChatStream, EngineEndpoint
from entraide_node.engines.model_folder import weights_bytes
from entraide_node.engines.process import CappedLog, EngineProcess, spawn_module
from entraide_node.engines.program_child import MODULE, ProgramConfig
from entraide_node.engines.sockets import NAME as SOCKET_NAME
from entraide_node.engines.sockets import socket_folder
from entraide_node.engines.start_failures import PROGRAM_REASONS, diagnose_start
from entraide_node.engines.supervised_engine import SupervisedEngine
from entraide_node.engines.untrusted_json import list_objects, parse_count, parse_object

LIST_TIMEOUT_S = 10.0
READY_BYTES_PER_S = 100e6  # weights from a slow disk
LOOPBACK = "127.0.0.1"

# No telemetry and no downloads: weights come only through the agent, verified.
ENVIRONMENT: Mapping[str, str] = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class ServerProgram(Struct, frozen=True, kw_only=True):
    """A server and its dialect.

    Attributes:
        facts: its description, as known before it runs.
        python: interpreter of its environment.
        arguments: after ``python -I``, without the address.
        environment: added to the agent's own.
        socket_option: option for a socket file; "" without one.
        key_variable: variable for its key; "" without one.
        folder_variable: variable for the folder of its own sockets; "" without one.
        probe_path: responds with 200 when it serves.
        probe_body: body to post there; "" for a GET request.
        model: its name of the model.
        extra: fields of every request.
        counted_each_event: see ``chat_stream.EngineEndpoint``.
        keeps: lines that may be logged after it is ready.
        log_path: its log file; None for none.
        first_event_timeout_s, stall_timeout_s: see ``chat_stream``.
        weights: path for error messages.
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
    keeps: re.Pattern[str]
    log_path: Path | None = None
    first_event_timeout_s: float = 300.0
    stall_timeout_s: float = 60.0
    weights: Path


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
        ready_timeout_s: time to load; 0 for the base and the time to read its weights.
        ready_base_s: base time.
        clock: monotonic, seconds.
    """
    reading_s = weights_bytes(program.weights) / READY_BYTES_PER_S
    return SupervisedEngine(
        ServerProgramChild(program, clock=clock),
        stall_timeout_s=program.stall_timeout_s,
        ready_timeout_s=ready_timeout_s or ready_base_s + reading_s,
        clock=clock,
    )


class ServerProgramChild:
    """The hooks of a server's process; see ``supervised_engine.EngineChild``."""

    def __init__(self, program: ServerProgram, *, clock: Callable[[], float]) -> None:
        self._program = program
        self._clock = clock
        self._log = CappedLog(program.log_path)
        self._folder: Path | None = None
        self._key = ""
        self.stream: ChatStream | None = None
        self.problem: EngineProblem | None = EngineProblem("engine_stopped", {})
        self.facts = program.facts

    async def spawn(self) -> EngineProcess | None:
        """See ``ProcessHooks``."""
        self.problem = EngineProblem("engine_starting", {})
        try:
            config = self._config()
            return await spawn_module(
                MODULE,
                first_line=msgspec.json.encode(config),
                env={},
                log=self._log,
                keeps_when_ready=lambda line: self._program.keeps.search(line) is not None,
            )
        except OSError as error:
            self.problem = EngineProblem("engine_exited", {"status": 0, "detail": str(error)})
            return None

    async def on_ready(self, line: bytes) -> bool:
        """See ``ProcessHooks``; connects to the server and asks for its models."""
        program = self._program
        address = line.decode().strip()
        stream = ChatStream(
            EngineEndpoint(
                base_url="http://engine" if address.startswith("unix:") else address,
                model=program.model,
                socket_path=address.removeprefix("unix://") if address[:5] == "unix:" else "",
                api_key=self._key,
                extra=program.extra,
                counted_each_event=program.counted_each_event,
                keep_alive=False,
                first_event_timeout_s=program.first_event_timeout_s,
                stall_timeout_s=program.stall_timeout_s,
            ),
            clock=self._clock,
        )
        listed = await stream.get("/v1/models", timeout_s=LIST_TIMEOUT_S)
        if listed is None:
            await stream.close()
            return False
        context_tokens = _parse_context_tokens(listed[1]) or program.facts.context_tokens
        self.facts = replace(program.facts, context_tokens=context_tokens, api_base=address)
        self.stream, self.problem = stream, None
        return True

    async def on_exit(
        self, process: EngineProcess | None, exit_code: int | None, *, is_stop: bool
    ) -> None:
        """See ``ProcessHooks``."""
        stream, self.stream = self.stream, None
        self.facts = replace(self.facts, api_base="")
        if stream is not None:
            self.problem = EngineProblem("engine_exited", {"status": exit_code or 0})
            await stream.close(crashed=not is_stop)
        elif process is not None:
            self.problem = diagnose_start(
                process.tail, file=str(self._program.weights), exit_code=exit_code,
                reasons=PROGRAM_REASONS,
            )  # fmt: skip
        if is_stop:
            self.problem = EngineProblem("engine_stopped", {})
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _config(self) -> ProgramConfig:
        program = self._program
        self._folder = socket_folder()
        socket_path = ""
        if program.socket_option and self._folder is not None:
            socket_path = str(self._folder / SOCKET_NAME)
            where = [program.socket_option, socket_path]
        else:
            where = ["--host", LOOPBACK, "--port", str(_free_port())]
        self._key = secrets.token_urlsafe(32) if program.key_variable else ""
        environment = {**ENVIRONMENT, **program.environment}
        if program.key_variable:
            environment[program.key_variable] = self._key
        if program.folder_variable and self._folder is not None:
            environment[program.folder_variable] = str(self._folder)
        return ProgramConfig(
            command=(str(program.python), "-I", *program.arguments, *where),
            environment=environment,
            folder=str(self._folder or ""),
            address=f"unix://{socket_path}" if socket_path else f"http://{LOOPBACK}:{where[-1]}",
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
    """The context that the server lists for its model; 0 if it lists none."""
    models = list_objects(parse_object(payload).get("data"))
    return parse_count(models[0].get("max_model_len")) if models else 0
