"""Children: supervised child processes, restarted with exponential back-off.

Each child has a pipe as standard input to which nothing is written. When this process ends, by
whatever cause, the pipe closes and the child ends.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import structlog
from msgspec import Struct

from entraide.system_service.units import FINAL_STATUS
from entraide_scheduler.supervision.foreground import PARENT_PIPE
from entraide_scheduler.supervision.log_files import rotate_log

BACKOFF_FIRST_S = 0.2
BACKOFF_LAST_S = 5.0
STEADY_AFTER_S = 20.0
TERM_WAIT_S = 12.0
LOG_CHECK_S = 10.0

log = structlog.get_logger()


class ChildSpec(Struct, frozen=True):
    """How to start a child process.

    Attributes:
        name: its name in ``pool.json``.
        argv: program and arguments.
        log: file for its output; see ``log_files``.
        env: variables in addition to this process's own.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = {}


class Child:
    """One supervised process."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.starts = 0
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._log_watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id; None if it does not run."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Starts the process and its supervision."""
        await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"keep-{self.spec.name}")
        self._log_watch = asyncio.create_task(self._watch_log(), name=f"log-{self.spec.name}")

    async def _spawn(self) -> None:
        log_file = self.spec.log
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, PARENT_PIPE: "1", **self.spec.env},
                start_new_session=True,
            )
        self.starts += 1

    async def _watch_log(self) -> None:
        while True:
            try:
                await asyncio.to_thread(rotate_log, self.spec.log)
            except OSError as problem:  # a full disk, for instance
                log.warning("child.log_not_rotated", child=self.spec.name, problem=str(problem))
            await asyncio.sleep(LOG_CHECK_S)

    async def _supervise(self) -> None:
        wait_s = BACKOFF_FIRST_S
        while True:
            started_at = time.monotonic()
            process = self._process
            assert process is not None
            code = await process.wait()
            if self._stopping.is_set():
                return
            if code == FINAL_STATUS:
                log.warning("child.ended", child=self.spec.name)
                return
            if time.monotonic() - started_at > STEADY_AFTER_S:
                wait_s = BACKOFF_FIRST_S
            log.warning("child.died", child=self.spec.name, code=code, again_in_s=wait_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)
                return
            wait_s = min(BACKOFF_LAST_S, wait_s * 2)
            await self._spawn()

    async def stop(self) -> None:
        """Ends the process: SIGTERM, then SIGKILL to its process group."""
        self._stopping.set()
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), TERM_WAIT_S)
            except TimeoutError:
                log.warning("child.killed", child=self.spec.name)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        for task in filter(None, (self._supervisor, self._log_watch)):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def read_log_tail(self, lines: int = 15) -> str:
        """Returns the last lines of its log."""
        if not self.spec.log.exists():
            return ""
        text = self.spec.log.read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])
