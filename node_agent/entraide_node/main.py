"""The agent's process: from its configuration to its exit status.

It starts the engines, benchmarks them and then runs the agent. It handles signals before the agent
exists, ends with its parent if asked to, and stores the reason of its end in the node's folder.
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import structlog

from entraide import i18n
from entraide.errors import EntraideError
from entraide.event_loop import run_event_loop
from entraide.files import PRIVATE_UMASK
from entraide.system_service.units import FINAL_STATUS
from entraide_node import terminal
from entraide_node.agent import Agent
from entraide_node.config import Attach, NodeConfig, load_config
from entraide_node.core.phases import PhaseEvent
from entraide_node.engines.base import EngineProblem
from entraide_node.error_output import error_sentence, print_error
from entraide_node.logs import log_to_folder, log_to_stderr
from entraide_node.machine_setup import MachineSetup, start_machine
from entraide_node.model_manager.catalogue_source import CatalogueSource
from entraide_node.owner import files as owner_files
from entraide_node.revocation import ENDS, find_end

PARENT_PIPE = "ENTRAIDE_PARENT_PIPE"
ORPHAN_GRACE_S = 5.0

RETRY_MIN_S, RETRY_MAX_S = 1.0, 30.0


def run_node(path: Path, *, log: bool = False) -> int:
    """Runs the agent of a configuration until it is asked to stop; returns the exit status.

    Args:
        path: of the configuration.
        log: whether the log goes to the node's folder instead of standard error. At a terminal it
            goes there, too, and the terminal shows sentences.
    """
    os.umask(PRIVATE_UMASK)
    log_to_stderr()
    try:
        config = load_config(path)
    except EntraideError as problem:
        print_error(problem, i18n.DEFAULT_LANG)
        return 1
    folder = Path(config.dir)
    if log or terminal.is_terminal():
        log_to_folder(folder)
    running = owner_files.read_status(folder, now=time.time())
    if running is not None:
        sys.stderr.write(f"{i18n.text('node-runs-already', config.lang, pid=running.pid)}\n")
        return 1
    return run_event_loop(_AgentProcess(config, shows_states=terminal.is_terminal()).run())


class _AgentProcess:
    """The receiver of signals: the agent, or its start."""

    def __init__(self, config: NodeConfig, *, shows_states: bool) -> None:
        self._config = config
        self._shows_states = shows_states
        self._folder = Path(config.dir)
        self._log = structlog.get_logger("entraide.node").bind(node=config.node)
        self._agent: Agent | None = None
        self._stopping = asyncio.Event()
        self._started_at = psutil.Process().create_time()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._handle_event, PhaseEvent.ASKED)
        if os.environ.get(PARENT_PIPE) == "1":
            watch_parent(lambda: loop.call_soon_threadsafe(self._handle_event, PhaseEvent.ORPHANED))
        self._log.info("node.starting", config=self._config_without_keys())
        showing = asyncio.ensure_future(terminal.show_states(self._config))
        if not self._shows_states:
            showing.cancel()
        stopped = await self._serve()
        showing.cancel()
        if self._shows_states and not stopped.code:
            terminal.print_line("node-run-ends", self._config)
        if stopped.code:
            self._log.error("node.stopped", code=stopped.code)
            text = error_sentence(stopped.code, stopped.values, self._config.lang) or stopped.code
            sys.stderr.write(f"{text}\n")
        owner_files.write_stopped(self._folder, stopped)
        if stopped.code in ENDS.values():
            return FINAL_STATUS
        return 1 if stopped.code else 0

    def _config_without_keys(self) -> str:
        config_text = repr(self._config)
        for engine in self._config.owner_engines:
            config_text = config_text.replace(getattr(engine, "key", "") or "\0", "…")
        return config_text

    def _handle_event(self, event: PhaseEvent) -> None:
        self._stopping.set()
        if self._agent is not None:
            self._agent.apply_event(event)

    async def _serve(self) -> owner_files.StopReason:
        last = owner_files.read_stopped(self._folder)
        if last.code in ENDS.values() and await asyncio.to_thread(find_end, self._folder) != "":
            return last  # without starting an engine
        try:
            machine = await self._start_machine()
        except EntraideError as problem:
            return owner_files.StopReason(problem.code, problem.values)
        if machine is None:
            return owner_files.StopReason("", {})
        if isinstance(machine, EngineProblem):
            return owner_files.StopReason(machine.code, machine.values)
        try:
            source = CatalogueSource(self._config)
            await source.open()
            self._agent = Agent(
                self._config,
                machine=machine,
                model_source=source,
            )
            if not self._stopping.is_set():
                await self._agent.run()
        except EntraideError as problem:
            return owner_files.StopReason(problem.code, problem.values)
        finally:
            await machine.stop()
        return owner_files.StopReason("", {})

    async def _start_machine(self) -> MachineSetup | EngineProblem | None:
        """Starts the engines; retries servers of the owner. None if it was asked to stop."""
        wait_s = RETRY_MIN_S
        while True:
            opening = asyncio.create_task(start_machine(self._config, tell=self._write_state))
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if self._stopping.is_set():
                opening.cancel()
                await asyncio.wait({opening})
                machine_left = None if opening.cancelled() else opening.result()
                if isinstance(machine_left, MachineSetup):
                    await machine_left.stop()
                return None
            machine = opening.result()
            fixed = self._config.owner_engines
            others = [engine for engine in fixed if not isinstance(engine, Attach)]
            if isinstance(machine, MachineSetup) or others or not fixed:
                return machine
            self._log.warning("node.engine_unreachable", code=machine.code, wait_s=wait_s)
            self._write_state("engine_down")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()
            wait_s = min(RETRY_MAX_S, 2 * wait_s)

    def _write_state(self, state: str) -> None:
        self._log.info("node.state", state=state)
        config = self._config
        owner_files.write_status(
            self._folder,
            owner_files.NodeStatus(
                node=config.node,
                coop=config.coop,
                zone=config.zone,
                pool=config.pool,
                pid=os.getpid(),
                started_at=self._started_at,
                state=state,
                values={},
                written_at=time.time(),
            ),
        )


def watch_parent(gone: Callable[[], object]) -> None:
    """Calls back at the end of standard input, and ends the process shortly after."""

    def watch() -> None:
        # Not through sys.stdin: its lock, held at exit, would abort the interpreter.
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has ended
            gone()
        time.sleep(ORPHAN_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
