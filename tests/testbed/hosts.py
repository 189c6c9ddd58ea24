"""Hosts of a testbed: in its own namespace, with its own home folder and Unix user each.

A host runs shell commands, such as those of a guide. Its environment has nothing of the machine's:
neither keys nor addresses nor caches. What a host started ends with it.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from tests.testbed.network import Network, run_name

HOSTS = ("pool", "site-a", "site-b", "client")
BARE = "site-a"  # has the system's programs without Python, and nothing of the checkout
UPGRADED = "pool"  # makes environments from its Python, which its user must be able to run
PYTHON = f"python3.{sys.version_info.minor}"
FIRST_USER = 64_101  # without an entry in /etc/passwd
SYSTEM_PROGRAMS = os.pathsep.join((os.defpath, "/usr/sbin", "/sbin"))
COMMAND_S = 300.0
POLL_S = 0.1
KEPT = ("ENTRAIDE_TEST_RUN", "TZ")


class Done(NamedTuple):
    """Exit status and output of a command."""

    status: int
    out: str
    err: str


class Host:
    """One host.

    Args:
        name: ``pool``, ``site-a``, ``site-b`` or ``client``.
        namespace: its network namespace; "" for that of this machine.
        home: its home folder, which exists.
        user: its Unix user and group; 0 where other users cannot read the interpreter.
        commands: folder of Entraide's commands; None where the host has none.
        programs: folders of the system's programs, as in ``PATH``.
        hidden: files and folders of the machine that the host has not got.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        home: Path,
        user: int,
        commands: Path | None,
        *,
        programs: str = SYSTEM_PROGRAMS,
        hidden: Sequence[Path] = (),
    ) -> None:
        self.name = name
        self.home = home
        self._hidden = hidden
        self._commands = commands
        self._programs = programs
        self._namespace = namespace
        self._user = user
        self._started: list[tuple[subprocess.Popen[bytes], Path]] = []

    @property
    def is_bare(self) -> bool:
        """Whether it has no command of Entraide's but those that it installs."""
        return self._commands is None

    def run(self, script: str, *, check: bool = True) -> Done:
        """Runs shell commands in the home folder, until the first that fails.

        Raises:
            AssertionError: a command failed, unless ``check`` is off.
        """
        done = subprocess.run(
            self._command(script), env=self._environment(), cwd="/", check=False,
            capture_output=True, text=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert not check or not done.returncode, (
            f"{self.name}$ {script}\n{done.stdout}{done.stderr}\n{self.logs()}"
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, script: str) -> "Started":
        """Starts shell commands in the background; their output is in the home folder."""
        log = self.home / f"background-{len(self._started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._command(script), env=self._environment(), cwd="/",
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self._started.append((process, log))
        return Started(process, log)

    def write(self, name: str, content: bytes) -> None:
        """Puts a file into the home folder, as somebody who sends it would."""
        path = self.home / name
        path.write_bytes(content)
        os.chown(path, self._user, self._user)

    def own(self, path: Path) -> None:
        """Gives a folder with all that is in it to the host's user."""
        for each in (path, *path.rglob("*")):
            os.chown(each, self._user, self._user)

    def logs(self) -> str:
        """The last lines of what the background commands wrote."""
        return "\n".join(
            f"== {self.name}: {log.name}\n" + "\n".join(log.read_text().splitlines()[-20:])
            for _, log in self._started
        )

    def close(self) -> None:
        """Ends the background commands, the last one first."""
        for process, _ in reversed(self._started):
            Started(process, Path()).stop()

    def _command(self, script: str) -> list[str]:
        user = (
            ["setpriv", f"--reuid={self._user}", f"--regid={self._user}", "--clear-groups"]
            if self._user
            else []
        )
        shell = ["bash", "-euo", "pipefail", "-c", f'cd "$HOME"\n{script}']
        enter = ["ip", "netns", "exec", self._namespace] if self._namespace else []
        return [*enter, *self._hide(), *user, *shell]

    def _hide(self) -> list[str]:
        """A command that hides files in the mounts that ``ip netns exec`` gives to a process."""
        if not self._hidden:
            return []
        lines = [
            f"mount -t tmpfs -o mode=755 tmpfs {quote(str(path))}"
            if path.is_dir()
            else f"mount --bind /dev/null {quote(str(path))}"
            for path in self._hidden
        ]
        return ["sh", "-ec", "\n".join([*lines, 'exec "$@"']), "sh"]

    def _environment(self) -> dict[str, str]:
        commands = [str(self._commands)] if self._commands is not None else []
        own = str(self.home / ".local/bin")  # as login shells have it
        folders = [own, *commands, self._programs]
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        named = {"HOME": str(self.home), "USER": self.name, "LOGNAME": self.name}
        return {"PATH": os.pathsep.join(folders), "LANG": "fr_CA.UTF-8", **named, **kept}


class Started:
    """A command in the background."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def has_ended(self) -> bool:
        """Whether the command has ended by itself."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Asks the command and its children to end, and makes them end."""
        if not self.has_ended:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(10)


class Testbed:
    """The network and its hosts by name."""

    __test__ = False

    def __init__(self, network: Network, hosts: dict[str, Host]) -> None:
        self.network = network
        self.hosts = hosts

    def until(self, condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
        """Waits until a condition holds, or fails with the logs of every host."""
        deadline = time.monotonic() + within_s
        while True:
            asked_at = time.monotonic()
            if condition():
                return
            if time.monotonic() >= deadline:
                logs = "\n".join(host.logs() for host in self.hosts.values())
                msg = f"not within {within_s} s: {what}\n{logs}"
                raise AssertionError(msg)
            # A condition that is a command leaves half of the time to what it waits for.
            time.sleep(max(POLL_S, time.monotonic() - asked_at))


@contextmanager
def running_testbed(*, has_bare: bool = True) -> Iterator[Testbed]:
    """A testbed; removed with all that runs in it, whatever happens.

    Args:
        has_bare: whether a site has to install Entraide, which takes its while; if not, every host
            has the checkout's commands.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{run_name()}-"))
    folder.chmod(0o711)  # its hosts pass, but do not list it
    network = None
    hosts: dict[str, Host] = {}
    try:
        network = Network()
        for number, name in enumerate(HOSTS):
            user = FIRST_USER + number if _others_can_run(sys.executable) else 0
            home = folder / name
            home.mkdir(mode=0o700)
            os.chown(home, user, user)
            commands: Path | None = Path(sys.executable).parent
            programs = SYSTEM_PROGRAMS
            if has_bare and name == BARE:
                commands = None
                programs = _link_programs(folder / "programs")
            elif name == UPGRADED and has_python():
                commands = _make_environment(folder / "environment")
            namespace = network.namespace(name)
            hosts[name] = Host(name, namespace, home, user, commands, programs=programs)
        yield Testbed(network, hosts)
    finally:
        for host in reversed(hosts.values()):
            host.close()
        if network is not None:
            network.close()
        shutil.rmtree(folder, ignore_errors=True)


def _link_programs(folder: Path) -> str:
    """Makes a folder with the system's programs but Python; returns it as a ``PATH``."""
    folder.mkdir()
    for path in (Path(each) for each in SYSTEM_PROGRAMS.split(os.pathsep)):
        for program in path.iterdir() if path.is_dir() else ():
            link = folder / program.name
            if not program.name.startswith("python") and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


@cache
def has_python() -> bool:
    """Whether the system has this version of Python, and can make environments with it."""
    program = shutil.which(PYTHON, path=os.defpath)
    command = [program or "false", "-c", "import ensurepip, venv"]
    return not subprocess.run(command, check=False, capture_output=True).returncode


def _make_environment(folder: Path) -> Path:
    """Makes an environment of the system's Python with the checkout's packages; returns ``bin``."""
    program = shutil.which(PYTHON, path=os.defpath)
    subprocess.run([str(program), "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python3.*/site-packages")
    checkout = sysconfig.get_path("purelib")
    (packages / "checkout.pth").write_text(f"import site; site.addsitedir({checkout!r})\n")
    command = folder / "bin/entraide"
    command.write_text(f"#!{folder}/bin/python\nfrom entraide.cli import main\nmain()\n")
    command.chmod(0o755)
    server = Path(sys.executable).with_name("nats-server")
    (folder / "bin/nats-server").symlink_to(server)
    return command.parent


def _others_can_run(program: str) -> bool:
    """Whether a user without rights of its own can run a program."""
    identity = [f"--reuid={FIRST_USER}", f"--regid={FIRST_USER}", "--clear-groups"]
    command = ["setpriv", *identity, program, "-c", "import entraide"]
    return not subprocess.run(command, check=False, capture_output=True, cwd="/").returncode
