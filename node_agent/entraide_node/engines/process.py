"""Process: an engine's operating system process and its log.

It spawns the process, reads the line with its address, and ends it; ``process_supervisor`` decides
when. The process's output goes to a log of bounded size, and its last lines are kept for diagnosis.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LINE_BYTES_MAX = 16 * 1024
LOG_BYTES_MAX = 1024 * 1024  # for the log and for the previous log
TAIL_LINES_MAX = 200  # a stack trace and its context
TERMINATE_TIMEOUT_S = 5.0


class CappedLog:
    """A log file of at most ``LOG_BYTES_MAX``; one previous file is kept as ``.1``."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, line: str) -> None:
        """Appends a line; a write error disables the log."""
        if self._path is None:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
                full = file.tell() > LOG_BYTES_MAX
            if full:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
        except OSError:
            self._path = None


class EngineProcess:
    """One process; created by ``spawn_module``."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        log: CappedLog,
        is_loggable: Callable[[str], bool],
    ) -> None:
        self._process = process
        self._log = log
        self._is_loggable = is_loggable
        self._is_ready = False
        self._tail: deque[str] = deque(maxlen=TAIL_LINES_MAX)
        self._pump = asyncio.create_task(self._pump_errors())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    @property
    def tail(self) -> list[str]:
        """The last loggable lines of its output."""
        return list(self._tail)

    async def read_ready_line(self, *, timeout_s: float) -> bytes | None:
        """Waits for the line with its address; b"" if it ended first, None after the time-out."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            return None
        if line:
            self._is_ready = True
        return line

    async def wait_exit(self) -> int:
        """Waits until it has ended and all its output has been read."""
        await self._process.wait()
        self._kill_group()
        await self._pump
        assert self._process.returncode is not None
        return self._process.returncode

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kills it and all processes that it started."""
        if self._process.returncode is None:
            self._kill_group()

    def _kill_group(self) -> None:
        """Kills its process group: engines compute in child processes."""
        if not hasattr(os, "killpg"):
            self._signal(signal.SIGKILL)
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _pump_errors(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than the limit: the rest is read as another line
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            if not self._is_ready or self._is_loggable(text):
                self._tail.append(text)
                self._log.write(text)


async def spawn_module(
    module: str,
    *,
    first_line: bytes,
    env: Mapping[str, str],
    log: CappedLog,
    is_loggable: Callable[[str], bool],
    launcher: Sequence[str] = (),
) -> EngineProcess:
    """Starts a module of ours as a process and sends its first line.

    Args:
        module: run as ``python -m``.
        first_line: its configuration, without a line end; standard input stays open after it.
        env: its whole environment.
        log: receives its standard error.
        is_loggable: whether a line may be logged after the engine is ready.
        launcher: begins the command; see ``sandbox.sandbox_command``.

    Raises:
        OSError: it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *launcher, sys.executable, "-P", "-m", module,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, limit=LINE_BYTES_MAX,
        env=dict(env),  # uvloop takes no other mapping
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    # A process that ended at once reports why in its status and its output.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(first_line + b"\n")
        await process.stdin.drain()
    return EngineProcess(process, log, is_loggable)
