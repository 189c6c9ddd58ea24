"""The wrapper process of a server: it ends with the agent, and ends all that the server started.

It runs in the agent's own Python and imports nothing of the server. Its configuration is the first
line on standard input; one line on standard output reports the server's address when a probe
succeeds. When standard input closes, or on SIGTERM, the server is asked to end and then killed with
all its descendants, because such servers compute in child processes that outlive a killed parent.
"""

import contextlib
import ctypes
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import psutil
from msgspec import Struct

from entraide.decoding import decode_json

MODULE = "entraide_node.engines.program_child"
HEALTH_PATH = "/health"
PROBE_EVERY_S = 0.25
PROBE_TIMEOUT_S = 30.0
GRACE_S = 3.0  # less than the agent's time-out for the wrapper
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_SIGNALLED = 128  # added to the number of a signal that ended the server, as shells do


class ProgramConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server to run, and its readiness probe.

    Attributes:
        command: of the server.
        environment: added to this process's, or the whole one.
        inherits: whether the server inherits this process's environment.
        folder: its working folder, removed at the end; "" for this process's.
        address: where it will listen, ``unix://path`` or ``http://127.0.0.1:port``.
        key: required of callers, or "".
        probe_path, probe_body: request that succeeds when it serves.
        parent_pid: process id of the agent.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    inherits: bool = True
    folder: str
    address: str
    key: str
    probe_path: str
    probe_body: str
    parent_pid: int


def main() -> int:
    """Runs the server until it ends or must end; returns its exit status."""
    config = decode_json(sys.stdin.buffer.readline(), type=ProgramConfig)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the agent handles Ctrl-C
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    _bind_lifetime_to(config.parent_pid)
    answer = os.dup(1)
    os.dup2(2, 1)
    server = subprocess.Popen(
        config.command,
        stdin=subprocess.DEVNULL,
        env=os.environ | config.environment if config.inherits else config.environment,
        cwd=config.folder or None,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
    )
    for watch in (
        lambda: _wait_for_end_of_input(over),
        lambda: _wait_for_end_of(server, over),
        lambda: _report_when_ready(config, answer, over),
    ):
        threading.Thread(target=watch, daemon=True).start()
    over.wait()
    _end_server(server)
    if config.folder:
        shutil.rmtree(config.folder, ignore_errors=True)
    status = server.returncode
    return status if status >= 0 else _SIGNALLED - status


def _bind_lifetime_to(parent_pid: int) -> None:
    """Asks the kernel for a signal when the agent dies, and to adopt orphans (Linux)."""
    if sys.platform == "linux":
        kernel = ctypes.CDLL(None)
        kernel.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_pid:  # the parent died before the request
            sys.exit(1)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for_end_of_input(over: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    over.set()


def _wait_for_end_of(server: "subprocess.Popen[bytes]", over: threading.Event) -> None:
    server.wait()
    over.set()


def _report_when_ready(config: ProgramConfig, answer: int, over: threading.Event) -> None:
    while not over.is_set():
        if _probe_status(config, config.probe_path, config.probe_body) == http.HTTPStatus.OK:
            os.write(answer, config.address.encode() + b"\n")
            os.close(answer)
            return
        if _probe_status(config, HEALTH_PATH) == http.HTTPStatus.SERVICE_UNAVAILABLE:
            over.set()  # mlx-lm keeps listening after its model failed to load
        over.wait(PROBE_EVERY_S)


def _probe_status(config: ProgramConfig, path: str, body: str = "") -> int:
    """The server's status code; 0 without a response."""
    connection = _open_connection(config.address)
    headers = {"Content-Type": "application/json"}
    if config.key:
        headers["Authorization"] = f"Bearer {config.key}"
    try:
        connection.request("POST" if body else "GET", path, body or None, headers)
        with connection.getresponse() as response:
            response.read()
            return response.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _open_connection(address: str) -> http.client.HTTPConnection:
    if not address.startswith("unix://"):
        return http.client.HTTPConnection(urlsplit(address).netloc, timeout=PROBE_TIMEOUT_S)
    connection = http.client.HTTPConnection("engine", timeout=PROBE_TIMEOUT_S)
    unix_socket = socket.socket(socket.AF_UNIX)
    unix_socket.settimeout(PROBE_TIMEOUT_S)
    try:
        unix_socket.connect(address.removeprefix("unix://"))
    except OSError:
        unix_socket.close()
        return connection  # the request fails the same way, where that is handled
    connection.sock = unix_socket
    return connection


def _end_server(server: "subprocess.Popen[bytes]") -> None:
    """Ends the server, first with SIGTERM, and then all remaining descendants."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    while left := _descendants():
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=GRACE_S)
    # Reap adopted orphans that have ended.
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _descendants() -> list[psutil.Process]:
    """The living descendants, adopted orphans included."""
    processes = {child.pid: child for child in psutil.Process().children(recursive=True)}
    group = os.getpgrp()
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and os.getpgid(process.pid) == group:
                processes[process.pid] = process
        except (OSError, psutil.Error):
            continue
    return [child for child in processes.values() if _is_alive(child)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    os._exit(main())  # do not wait for reader threads
