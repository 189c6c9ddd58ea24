"""Service managers: control a service through systemd or launchd.

Input: the service and a function that runs system commands. Output: "" or the system's error text,
and the service's state. A service is one of the system, which only root installs, or one of an
account: systemd's user manager, or launchd's agents.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from entraide.system_service.units import (
    ServiceState,
    ServiceUnit,
    launchd_plist,
    launchd_state,
    systemd_unit,
)

ASK_TIMEOUT_S = 120.0  # stopping waits for current runs
_SYSTEM_UNITS = Path("/etc/systemd/system")
_SYSTEM_DAEMONS = Path("/Library/LaunchDaemons")


class CommandResult(Struct, frozen=True):
    """Exit status and output of a system command."""

    status: int
    text: str


SystemCommand = Callable[[tuple[str, ...]], CommandResult]


class ServiceManager(Protocol):
    """A service manager of the system."""

    @property
    def kind(self) -> str:
        """``systemd`` or ``launchd``."""

    def install(self, service: ServiceUnit) -> str:
        """Writes and (re)starts the unit; returns "" or the system's error text."""

    def remove(self, service: ServiceUnit) -> str:
        """Stops and removes the unit; returns "" or the system's error text."""

    def restart(self, service: ServiceUnit) -> str:
        """Restarts the unit; returns "" or the system's error text."""

    def state(self, service: ServiceUnit) -> ServiceState:
        """Returns the state of the service."""

    def needs_linger(self) -> bool:
        """Whether the service ends when its owner logs out."""


class SystemdManager:
    """systemd's user manager, or the system's."""

    kind = "systemd"

    def __init__(self, run: SystemCommand, *, units: Path, system: bool = False) -> None:
        """Runs no command yet.

        Args:
            run: runs a command of the system.
            units: folder of the units.
            system: whether these are the system's, not an account's.
        """
        self._run = run
        self._units = units
        self._system = system

    def install(self, service: ServiceUnit) -> str:
        """See ``ServiceManager``."""
        self._units.mkdir(parents=True, exist_ok=True)
        self._path(service).write_text(systemd_unit(service, system=self._system), "utf-8")
        unit = f"{service.name}.service"
        return (
            self._systemctl("daemon-reload")
            or self._systemctl("enable", unit)
            or self._systemctl("restart", unit)
        )

    def remove(self, service: ServiceUnit) -> str:
        """See ``ServiceManager``."""
        if self.state(service) is ServiceState.ABSENT:
            return ""
        problem = self._systemctl("disable", "--now", f"{service.name}.service")
        self._path(service).unlink(missing_ok=True)
        self._systemctl("reset-failed", f"{service.name}.service")  # may fail
        return problem or self._systemctl("daemon-reload")

    def restart(self, service: ServiceUnit) -> str:
        """See ``ServiceManager``."""
        return self._systemctl("restart", f"{service.name}.service")

    def state(self, service: ServiceUnit) -> ServiceState:
        """See ``ServiceManager``."""
        if not self._path(service).exists():
            return ServiceState.ABSENT
        asked = ("show", "-p", "ActiveState", "--value", f"{service.name}.service")
        result = self._run((*_systemctl(system=self._system), *asked))
        active = result.text.strip()
        if active == "failed":
            return ServiceState.FAILED
        running = ("active", "activating", "reloading")
        return ServiceState.RUNNING if active in running else ServiceState.STOPPED

    def needs_linger(self) -> bool:
        """See ``ServiceManager``."""
        if self._system:
            return False
        result = self._run(("loginctl", "show-user", str(os.getuid()), "-p", "Linger", "--value"))
        return result.status == 0 and result.text.strip() == "no"

    def _path(self, service: ServiceUnit) -> Path:
        return self._units / f"{service.name}.service"

    def _systemctl(self, *words: str) -> str:
        result = self._run((*_systemctl(system=self._system), *words))
        return "" if result.status == 0 else result.text.strip() or f"systemctl: {result.status}"


class LaunchdManager:
    """launchd, for an agent of an account's session, or for a daemon of the system."""

    kind = "launchd"

    def __init__(self, run: SystemCommand, *, agents: Path, uid: int, system: bool = False) -> None:
        """Runs no command yet.

        Args:
            run: runs a command of the system.
            agents: folder of the property lists.
            uid: user id of the account.
            system: whether these are the system's, not an account's.
        """
        self._run = run
        self._agents = agents
        # The second one is for a session without a screen.
        self._domains = ("system",) if system else (f"gui/{uid}", f"user/{uid}")

    def install(self, service: ServiceUnit) -> str:
        """See ``ServiceManager``."""
        self._agents.mkdir(parents=True, exist_ok=True)
        path = self._path(service)
        path.write_bytes(launchd_plist(service))
        self._bootout(service)
        result = CommandResult(1, "")
        for domain in self._domains:
            self._run(("launchctl", "enable", f"{domain}/{service.label}"))
            result = self._run(("launchctl", "bootstrap", domain, str(path)))
            if result.status == 0:
                return ""
        return result.text.strip() or f"launchctl: {result.status}"

    def remove(self, service: ServiceUnit) -> str:
        """See ``ServiceManager``."""
        self._bootout(service)
        self._path(service).unlink(missing_ok=True)
        return ""

    def restart(self, service: ServiceUnit) -> str:
        """See ``ServiceManager``."""
        result = CommandResult(1, "")
        for domain in self._domains:
            result = self._run(("launchctl", "kickstart", "-k", f"{domain}/{service.label}"))
            if result.status == 0:
                return ""
        return result.text.strip() or f"launchctl: {result.status}"

    def state(self, service: ServiceUnit) -> ServiceState:
        """See ``ServiceManager``."""
        if not self._path(service).exists():
            return ServiceState.ABSENT
        for domain in self._domains:
            result = self._run(("launchctl", "print", f"{domain}/{service.label}"))
            if result.status == 0:
                return launchd_state(result.text)
        return ServiceState.STOPPED

    def needs_linger(self) -> bool:
        """See ``ServiceManager``: an agent of a session ends with it, and nothing changes that."""
        return False

    def _bootout(self, service: ServiceUnit) -> None:
        for domain in self._domains:  # an unloaded service is the desired result
            self._run(("launchctl", "bootout", f"{domain}/{service.label}"))

    def _path(self, service: ServiceUnit) -> Path:
        return self._agents / f"{service.label}.plist"


def find_manager(*, system: bool = False) -> ServiceManager | None:
    """Returns the manager of an account's services, or of the system's; None without one. Blocks.

    Args:
        system: whether the service is the system's; only root can install one.
    """
    run = run_system_command
    if sys.platform == "darwin":
        agents = _SYSTEM_DAEMONS if system else Path.home() / "Library/LaunchAgents"
        return LaunchdManager(run, agents=agents, uid=os.getuid(), system=system)
    is_there = sys.platform == "linux"
    if not is_there or run((*_systemctl(system=system), "show-environment")).status != 0:
        return None
    if system:
        return SystemdManager(run, units=_SYSTEM_UNITS, system=True)
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return SystemdManager(run, units=Path(config) / "systemd/user")


def _systemctl(*, system: bool) -> tuple[str, ...]:
    return ("systemctl",) if system else ("systemctl", "--user")


def run_system_command(command: tuple[str, ...]) -> CommandResult:
    """Runs a system command; a missing one has exit status 127. Blocks."""
    env = dict(os.environ)
    runtime = f"/run/user/{os.getuid()}"
    if "XDG_RUNTIME_DIR" not in env and Path(runtime).is_dir():
        env["XDG_RUNTIME_DIR"] = runtime  # not set after su or in some remote shells
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=ASK_TIMEOUT_S, env=env
        )
    except (OSError, subprocess.SubprocessError) as problem:
        return CommandResult(127, str(problem))
    return CommandResult(done.returncode, done.stdout if done.returncode == 0 else done.stderr)
