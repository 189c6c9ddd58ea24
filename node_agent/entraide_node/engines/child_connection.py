"""Child connection: the connection to an engine's process, from its start to its end.

Input: the start, the first line and the exit of each process, from ``process_supervisor``. Output:
the client of the process that serves, or the problem why none serves. ``EngineChild`` has what
differs between engines. Each process gets a private folder for its socket file, which is removed
after its end.
"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from entraide_node.core.step_times import StepTimes
from entraide_node.engines.base import EngineFacts, EngineProblem
from entraide_node.engines.engine_client import EngineClient
from entraide_node.engines.prefix_keeper import PrefixKeeper
from entraide_node.engines.process import EngineProcess
from entraide_node.engines.sockets import socket_folder

READY_BYTES_PER_S = 100e6  # read rate of a slow disk


class EngineChild(Protocol):
    """How one engine's process is started and connected to.

    Attributes:
        facts: description of the engine before it serves.
    """

    facts: EngineFacts

    async def spawn(self, folder: Path | None) -> EngineProcess:
        """Starts a process.

        Args:
            folder: for its socket file; None if socket files are unavailable.

        Raises:
            OSError: it cannot be started.
        """
        ...

    async def connect(self, line: bytes) -> tuple[EngineClient, EngineFacts] | None:
        """Connects to the process by its first line; None if it does not serve."""
        ...

    def diagnose(self, lines: Sequence[str], exit_code: int | None) -> EngineProblem:
        """Returns why a process did not start, by its last lines; see ``diagnose_start``."""
        ...


class ChildConnection:
    """The hooks of an engine's process; see ``process_supervisor.ProcessHooks``.

    Attributes:
        client: of the serving process; None without one.
        problem: why none serves; None while one serves.
        facts: description of the engine; complete while a process serves.
    """

    def __init__(self, child: EngineChild) -> None:
        self.child = child
        self.client: EngineClient | None = None
        self.problem: EngineProblem | None = EngineProblem("engine_stopped", {})
        self.facts = child.facts
        self.step_times = StepTimes()  # of all its processes
        self._folder: Path | None = None
        self._rest_bytes_max: int | None = 0

    async def spawn(self) -> EngineProcess | None:
        """See ``ProcessHooks``."""
        self.problem = EngineProblem("engine_starting", {})
        try:
            self._folder = socket_folder()
            return await self.child.spawn(self._folder)
        except OSError as error:
            self.problem = EngineProblem("engine_exited", {"status": 0, "detail": str(error)})
            return None

    async def on_ready(self, line: bytes) -> bool:
        """See ``ProcessHooks``."""
        connected = await self.child.connect(line)
        if connected is None:
            return False
        self.client, self.facts = connected
        self.client.silence.times = self.step_times
        self.limit_prefixes(self._rest_bytes_max)
        self.problem = None
        return True

    async def on_exit(
        self, process: EngineProcess | None, exit_code: int | None, *, is_stop: bool
    ) -> None:
        """See ``ProcessHooks``."""
        client, self.client = self.client, None
        self.facts = replace(self.facts, api_base="")
        if client is not None:
            self.problem = EngineProblem("engine_exited", {"status": exit_code or 0})
            await client.close(crashed=not is_stop)
        elif process is not None:
            self.problem = self.child.diagnose(process.tail, exit_code)
        if is_stop:
            self.problem = EngineProblem("engine_stopped", {})
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def limit_prefixes(self, rest_bytes_max: int | None) -> None:
        """See ``base.Engine``; it holds for later processes, too."""
        self._rest_bytes_max = rest_bytes_max
        if self.keeper is not None:
            self.keeper.limit(rest_bytes_max)

    @property
    def keeper(self) -> PrefixKeeper | None:
        """What keeps prompts apart in the process that serves; None without one."""
        return self.client.keeper if self.client is not None else None


def loading_timeout_s(configured_s: float, *, base_s: float, weights_bytes: int) -> float:
    """Returns how long an engine may take to load, in seconds.

    Args:
        configured_s: the configured time; 0 for a time that depends on the size of the weights.
        base_s: time to load without reading the weights.
        weights_bytes: size of the weights.
    """
    return configured_s or base_s + weights_bytes / READY_BYTES_PER_S
