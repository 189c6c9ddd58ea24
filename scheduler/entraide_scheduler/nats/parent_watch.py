"""Parent watch: a server process ends when the process that started it ends.

On Linux the kernel sends the child SIGTERM when its parent dies (``PR_SET_PDEATHSIG``). On other
systems, the next start terminates a server whose parent was killed: the pid file names the server,
the owner file names the parent, and both are verified against the process table.
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.errors import PoolError

END_TIMEOUT_S = 5.0
_CLOCK_SLACK_S = 2.0  # a process's start time is computed from the boot time, which is rounded
_PR_SET_PDEATHSIG = 1


class OwnerProcess(Struct, frozen=True):
    """The process that started a server: its pid and its own start time."""

    pid: int
    created_at: float


def make_death_signal_hook() -> Callable[[], None] | None:
    """Returns a ``preexec_fn`` that makes the kernel end the child with its parent.

    The kernel watches the thread that starts the child: start the child from a thread that lives
    as long as the process, such as the event loop's.

    Returns:
        The function; None on systems other than Linux.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(
        None, use_errno=True
    )  # loaded here, because loading between fork and exec might hang
    parent = os.getpid()

    def set_death_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the call
            os._exit(1)

    return set_death_signal


def claim_directory(home: Path, *, program: str) -> None:
    """Claims a server's directory for this process, and ends a server left by a dead owner.

    Args:
        home: the server's directory, with its ``PROGRAM.pid``.
        program: name of the server's program.

    Raises:
        PoolError: ``nats_already_running``: the owner of a running server is alive.
    """
    owner_file = home / f"{program}.owner"
    server = _find_server(home, program)
    if server is not None:
        owner = _read_owner(owner_file)
        if owner is not None and owner.pid != os.getpid() and _is_alive(owner):
            raise PoolError(
                "nats_already_running",
                f"{program} already runs in {home}, started by process {owner.pid}.",
                values={"program": program, "path": str(home), "pid": str(owner.pid)},
            )
        _terminate(server)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    this_process = OwnerProcess(os.getpid(), psutil.Process().create_time())
    owner_file.write_bytes(msgspec.json.encode(this_process))


def _find_server(home: Path, program: str) -> psutil.Process | None:
    """Returns the server that the pid file names, if that process is the server."""
    try:
        process = psutil.Process(int((home / f"{program}.pid").read_text().strip()))
        ours = any(str(home) in argument for argument in process.cmdline())
        return process if ours and process.name() == program else None
    except (OSError, ValueError, psutil.Error):
        return None


def _read_owner(path: Path) -> OwnerProcess | None:
    try:
        return decode_json(path.read_bytes(), type=OwnerProcess)
    except (OSError, msgspec.MsgspecError):
        return None


def _is_alive(owner: OwnerProcess) -> bool:
    try:
        created_at = psutil.Process(owner.pid).create_time()
    except psutil.Error:
        return False
    return abs(created_at - owner.created_at) < _CLOCK_SLACK_S


def _terminate(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(END_TIMEOUT_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(END_TIMEOUT_S)
