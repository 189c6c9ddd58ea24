"""Service managers: control the agent's service through systemd's user manager or launchd.

Input: the service and a function that runs system commands. Output: "" or the system's error text,
and the service's state. Root is never needed. Without a service manager, the owner starts the
agent.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from entraide_node.service.units import (
    ServiceState,
    ServiceUnit,
    label_of,
    launchd_plist,
    launchd_state,
    systemd_unit,
)

ASK_TIMEOUT_S = 120.0  # stopping waits for current runs
_SYSTEMCTL = ("systemctl", "--user")


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
    """systemd's user manager."""

    kind = "systemd"

    def __init__(self, run: SystemCommand, *, units: Path) -> None:
        """Runs no command yet.

        Args:
            run: runs a command of the system.
            units: folder of the owner's units.
        """
        self._run = run
        self._units = units

    def install(self, service: ServiceUnit) -> str:
        """See ``ServiceManager``."""
        self._units.mkdir(parents=True, exist_ok=True)
        self._path(service).write_text(systemd_unit(service), "utf-8")
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
        result = self._run(
            (*_SYSTEMCTL, "show", "-p", "ActiveState", "--value", f"{service.name}.service")
        )
        active = result.text.strip()
        if active == "failed":
            return ServiceState.FAILED
        running = ("active", "activating", "reloading")
        return ServiceState.RUNNING if active in running else ServiceState.STOPPED

    def needs_linger(self) -> bool:
        """See ``ServiceManager``."""
        result = self._run(("loginctl", "show-user", str(os.getuid()), "-p", "Linger", "--value"))
        return result.status == 0 and result.text.strip() == "no"

    def _path(self, service: ServiceUnit) -> Path:
        return self._units / f"{service.name}.service"

    def _systemctl(self, *words: str) -> str:
        result = self._run((*_SYSTEMCTL, *words))
        return "" if result.status == 0 else result.text.strip() or f"systemctl: {result.status}"


class LaunchdManager:
    """launchd, for an agent of the owner's session."""

    kind = "launchd"

    def __init__(self, run: SystemCommand, *, agents: Path, uid: int) -> None:
        """Runs no command yet.

        Args:
            run: runs a command of the system.
            agents: folder of the owner's property lists.
            uid: user id of the owner.
        """
        self._run = run
        self._agents = agents
        self._domains = (f"gui/{uid}", f"user/{uid}")  # for a session without a screen

    def install(self, service: ServiceUnit) -> str:
        """See ``ServiceManager``."""
        self._agents.mkdir(parents=True, exist_ok=True)
        path = self._path(service)
        path.write_bytes(launchd_plist(service))
        self._bootout(service)
        result = CommandResult(1, "")
        for domain in self._domains:
            self._run(("launchctl", "enable", f"{domain}/{label_of(service)}"))
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
            result = self._run(("launchctl", "kickstart", "-k", f"{domain}/{label_of(service)}"))
            if result.status == 0:
                return ""
        return result.text.strip() or f"launchctl: {result.status}"

    def state(self, service: ServiceUnit) -> ServiceState:
        """See ``ServiceManager``."""
        if not self._path(service).exists():
            return ServiceState.ABSENT
        for domain in self._domains:
            result = self._run(("launchctl", "print", f"{domain}/{label_of(service)}"))
            if result.status == 0:
                return launchd_state(result.text)
        return ServiceState.STOPPED

    def needs_linger(self) -> bool:
        """See ``ServiceManager``: an agent of a session ends with it, and nothing changes that."""
        return False

    def _bootout(self, service: ServiceUnit) -> None:
        for domain in self._domains:  # an unloaded service is the desired result
            self._run(("launchctl", "bootout", f"{domain}/{label_of(service)}"))

    def _path(self, service: ServiceUnit) -> Path:
        return self._agents / f"{label_of(service)}.plist"


def find_manager() -> ServiceManager | None:
    """Returns the service manager of this machine; None without one. Blocks."""
    if sys.platform == "darwin":
        return LaunchdManager(
            run_system_command, agents=Path.home() / "Library/LaunchAgents", uid=os.getuid()
        )
    if sys.platform != "linux" or run_system_command((*_SYSTEMCTL, "show-environment")).status != 0:
        return None
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return SystemdManager(run_system_command, units=Path(config) / "systemd/user")


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
