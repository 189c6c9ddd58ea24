"""Process supervisor: the loop that carries out ``core.supervision`` for an engine's process.

Input: hooks of the engine that start the process and read its first line. It starts one process at
a time, watches it until its end, waits for the back-off and starts the next, until it is stopped.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from typing import Protocol

from entraide_node.core.supervision import (
    ProcessAction,
    ProcessEvent,
    ProcessState,
    Supervision,
    apply_process_event,
    restart_backoff_s,
)
from entraide_node.engines.process import TERMINATE_TIMEOUT_S, EngineProcess

STOPPED_CODES = (0, -signal.SIGTERM, 128 + signal.SIGTERM)


class ProcessHooks(Protocol):
    """The hooks of an engine for its supervised process."""

    async def spawn(self) -> EngineProcess | None:
        """Starts a process; None if that failed."""
        ...

    async def on_ready(self, line: bytes) -> bool:
        """Handles the line with the process's address; returns False if it does not serve."""
        ...

    async def on_exit(
        self, process: EngineProcess | None, exit_code: int | None, *, is_stop: bool
    ) -> None:
        """Handles the end of a process.

        Args:
            process: the process; None if it could not be started.
            exit_code: its status; None if it was killed because it started too slowly.
            is_stop: whether the supervisor stopped the process and will not start it again.
        """
        ...


class ProcessSupervisor:
    """Keeps one process alive at a time, from ``start`` to ``stop``."""

    def __init__(
        self,
        hooks: ProcessHooks,
        *,
        name: str,
        ready_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hooks = hooks
        self._name = name
        self._ready_timeout_s = ready_timeout_s
        self._clock = clock
        self._supervision = Supervision()
        self._process: EngineProcess | None = None
        self._loop: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._end: tuple[int, asyncio.Future[bool]] | None = None  # last process

    @property
    def pid(self) -> int | None:
        """Process id of the process that serves now."""
        ready = self._has_state(ProcessState.READY) and self._process is not None
        return self._process.pid if ready and self._process is not None else None

    async def start(self) -> bool:
        """Starts the first process; returns whether it serves. Restarts are automatic."""
        assert self._loop is None, "an engine is started once"
        self._apply(ProcessEvent.START)
        self._loop = asyncio.create_task(self._run_loop())
        undecided = (ProcessState.STARTING, ProcessState.ENDING)
        while self._has_state(*undecided) and not self._loop.done():
            await self._next_change()
        return self._has_state(ProcessState.READY)

    async def stop(self) -> None:
        """Ends the process, by force if needed, and starts no other; may be called again."""
        if self._loop is None:
            return
        if not self._has_state(ProcessState.STOPPED):
            self._apply(ProcessEvent.STOP)
            await asyncio.wait([self._loop], timeout=TERMINATE_TIMEOUT_S)
            if self._has_state(ProcessState.STOPPING):
                self._apply(ProcessEvent.LATE)
        await self._loop

    def mark_hung(self) -> None:
        """Kills a process that does not respond, and starts the next one."""
        if not self._has_state(ProcessState.STARTING, ProcessState.STOPPED):
            self._apply(ProcessEvent.HUNG)

    async def has_exited(self, pid: int, *, timeout_s: float) -> bool:
        """Tells whether a process ended by itself; waits briefly for its end.

        A process that was stopped or killed has not, nor one that ended with a status of
        ``STOPPED_CODES``, as it does when the service manager stops all processes of the agent.
        """
        if self._end is None or self._end[0] != pid:
            return False
        done, _ = await asyncio.wait([self._end[1]], timeout=timeout_s)
        return bool(done) and self._end[1].result()

    def _has_state(self, *states: ProcessState) -> bool:
        return self._supervision.state in states

    def _apply(self, event: ProcessEvent) -> None:
        self._supervision, action = apply_process_event(
            self._supervision, event, at=self._clock(), subject=self._name
        )
        if self._process is not None and action is ProcessAction.KILL:
            self._process.kill()
        elif self._process is not None and action is ProcessAction.TERMINATE:
            self._process.terminate()
        self._changed.set()

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _run_loop(self) -> None:
        try:
            while self._has_state(ProcessState.STARTING):
                await self._run_process()
                self._apply(ProcessEvent.GONE)
                await self._back_off()
        except BaseException:
            if self._process is not None:
                self._process.kill()
            raise
        finally:
            self._changed.set()

    async def _run_process(self) -> None:
        """Runs one process from its start to its end."""
        process = await self._hooks.spawn()
        if process is None:
            await self._hooks.on_exit(None, None, is_stop=self._has_state(ProcessState.STOPPING))
            return
        self._process = process
        end = asyncio.get_running_loop().create_future()
        self._end = process.pid, end
        if self._has_state(ProcessState.STOPPING):
            process.terminate()
        line = await process.read_ready_line(timeout_s=self._ready_timeout_s)
        is_late = line is None
        if is_late and self._has_state(ProcessState.STARTING):
            self._apply(ProcessEvent.LATE)
        if line and self._has_state(ProcessState.STARTING):
            serves = await self._hooks.on_ready(line)
            if not serves:
                process.kill()
            elif self._has_state(ProcessState.STARTING):
                self._apply(ProcessEvent.UP)
        exit_code = await process.wait_exit()
        self._process = None
        end.set_result(self._has_state(ProcessState.READY) and exit_code not in STOPPED_CODES)
        is_stop = self._has_state(ProcessState.STOPPING)
        await self._hooks.on_exit(process, None if is_late else exit_code, is_stop=is_stop)

    async def _back_off(self) -> None:
        until = self._clock() + restart_backoff_s(self._supervision.failures)
        while self._has_state(ProcessState.RESTING):
            left_s = until - self._clock()
            if left_s <= 0:
                self._apply(ProcessEvent.RESTED)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._next_change()
