"""Parts: the processes of a pool that a run kills and starts again."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
from msgspec import Struct

LOG_BYTES_MAX = 20_000_000
END_S = 20.0


class PartSpec(Struct, frozen=True):
    """How to start a part.

    Attributes:
        name: of the part.
        command: program and arguments.
        log: file for its output.
        env: variables in addition to this process's own.
        namespace: network namespace; "" for this process's own.
        niceness: added to this process's own.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    env: dict[str, str] = {}
    namespace: str = ""
    niceness: int = 0


class Part:
    """One process, as a service manager keeps it."""

    def __init__(self, spec: PartSpec) -> None:
        self.spec = spec
        self.starts = 0
        self.restart_at = 0.0  # on the steady clock, while it is down on purpose
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id; None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def status(self) -> int | None:
        """Exit status of the last process; None while it runs."""
        return self._process.poll() if self._process is not None else 0

    def start(self) -> None:
        """Starts the process."""
        spec = self.spec
        enter = ("ip", "netns", "exec", spec.namespace) if spec.namespace else ()
        slow = ("nice", "-n", str(spec.niceness)) if spec.niceness else ()
        too_large = spec.log.exists() and spec.log.stat().st_size > LOG_BYTES_MAX
        with spec.log.open("wb" if too_large else "ab") as output:
            self._process = subprocess.Popen(
                (*enter, *slow, *spec.command), stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, env={**os.environ, **spec.env}, start_new_session=True,
            )  # fmt: skip
        self.starts += 1
        self.restart_at = 0.0

    def kill(self, again_in_s: float) -> bool:
        """Kills the process; returns whether it ran."""
        pid = self.pid
        if pid is None or self._process is None:
            return False
        os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self.restart_at = time.monotonic() + again_in_s
        return True

    def child(self, word: str) -> int | None:
        """A child process with a word in its command line; None if there is none."""
        pid = self.pid
        if pid is None:
            return None
        try:
            for child in psutil.Process(pid).children():
                if word in child.cmdline():
                    return child.pid
        except psutil.Error:
            return None
        return None

    def send(self, number: signal.Signals) -> None:
        """Sends the process a signal, if it runs."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, number)

    def terminate(self) -> None:
        """Asks the process to end; also one that stands still."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)

    def wait(self) -> None:
        """Waits until the process has ended, and makes it end."""
        if self._process is None:
            return
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of its output."""
        text = self.spec.log.read_text(errors="replace") if self.spec.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
