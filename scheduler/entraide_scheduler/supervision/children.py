"""Children: supervised child processes, restarted with exponential back-off.

Each child has one end of a socket pair as standard input (``parent_link``). When this process ends,
by whatever cause, the other end closes and the child ends.
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog
from msgspec import Struct

from entraide.system_service.units import FINAL_STATUS
from entraide_scheduler.supervision.foreground import PARENT_PIPE
from entraide_scheduler.supervision.log_files import rotate_log
from entraide_scheduler.supervision.parent_link import (
    BEGIN,
    LEAVE,
    LEAVE_MAX_S,
    LOADED,
    READY,
    SHARE,
    SOCKETS,
    WAIT,
)

BACKOFF_FIRST_S = 0.2
BACKOFF_LAST_S = 5.0
STEADY_AFTER_S = 20.0
TERM_WAIT_S = 12.0
LOG_CHECK_S = 10.0
SHARE_TIMEOUT_S = 10.0
SOCKETS_MAX = 64  # of one child
LINK_BYTES_MAX = 4_096

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
    """One supervised process.

    Args:
        spec: how to start it.
        sockets: listening sockets that it inherits, until ``keep_no_sockets``.
        waits: whether it loads its code only, until ``begin``.

    Attributes:
        spec: how it is started.
        starts: how often it was started.
        is_loaded: whether the process waits for ``begin``.
        version: that the process said when it was ready; "" before.
    """

    def __init__(
        self, spec: ChildSpec, sockets: Sequence[socket.socket] = (), *, waits: bool = False
    ) -> None:
        self.spec = spec
        self.starts = 0
        self.is_loaded = False
        self._waits = waits
        self.version = ""
        self._sockets = sockets
        self._link: socket.socket | None = None
        self._shared: asyncio.Future[list[int]] | None = None
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
        self._close_link()
        self.version, self.is_loaded = "", False
        own_end, its_end = socket.socketpair()
        numbers = [each.fileno() for each in self._sockets]
        variables = {SOCKETS: ",".join(map(str, numbers))} if numbers else {}
        variables |= {WAIT: "1"} if self._waits else {}
        with its_end, log_file.open("ab") as output:
            self._link = own_end
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.argv,
                stdin=its_end.fileno(),
                stdout=output,
                stderr=output,
                env={**os.environ, PARENT_PIPE: "1", **self.spec.env, **variables},
                pass_fds=numbers,
                start_new_session=True,
            )
        own_end.setblocking(False)
        asyncio.get_running_loop().add_reader(own_end, self._on_link, own_end)
        self.starts += 1

    def _on_link(self, link: socket.socket) -> None:
        """Reads what the process says: that it is ready, or its sockets."""
        try:
            data, numbers, *_ = socket.recv_fds(link, LINK_BYTES_MAX, SOCKETS_MAX)
        except OSError:
            data, numbers = b"", []
        if not data:
            asyncio.get_running_loop().remove_reader(link)
        self.is_loaded = self.is_loaded or data.startswith(LOADED)
        if data.startswith(READY):
            self.version = data.removeprefix(READY).decode(errors="replace").strip()
        if self._shared is not None and not self._shared.done() and (numbers or not data):
            self._shared.set_result(numbers)
            return
        for number in numbers:  # nobody asked
            os.close(number)

    def _close_link(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            asyncio.get_running_loop().remove_reader(link)
            link.close()

    async def share_sockets(self) -> list[socket.socket]:
        """Returns the sockets on which the process listens; none if it does not answer."""
        self._shared = asyncio.get_running_loop().create_future()
        with contextlib.suppress(OSError, TimeoutError):
            assert self._link is not None, "not started"
            self._link.send(SHARE)
            async with asyncio.timeout(SHARE_TIMEOUT_S):
                numbers = await self._shared
            return [socket.socket(fileno=number) for number in numbers]
        return []

    def begin(self) -> None:
        """Lets a process that waits begin; one that does not run begins at its next start."""
        self._waits = False
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.send(BEGIN)

    def keep_no_sockets(self) -> None:
        """Lets the next process listen by itself."""
        self._sockets = ()

    async def leave(self) -> None:
        """Lets the process end what it has begun, for ``LEAVE_MAX_S`` at most, and end."""
        self._stopping.set()
        if self._process is not None and self._link is not None:
            with contextlib.suppress(OSError, TimeoutError):
                self._link.send(LEAVE)
                async with asyncio.timeout(LEAVE_MAX_S + TERM_WAIT_S):
                    await self._process.wait()
        await self.stop()

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
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()
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
                async with asyncio.timeout(TERM_WAIT_S):
                    await process.wait()
            except TimeoutError:
                log.warning("child.killed", child=self.spec.name)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        for task in filter(None, (self._supervisor, self._log_watch)):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._close_link()

    def read_log_tail(self, lines: int = 15) -> str:
        """Returns the last lines of its log."""
        if not self.spec.log.exists():
            return ""
        text = self.spec.log.read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])
