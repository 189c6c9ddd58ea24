"""Units: service definitions for systemd and launchd.

Input: a service. Output: a systemd unit or a launchd property list. The service starts with the
machine or the session, restarts with growing pauses, and has time to end. ``manager`` installs it.
"""

import hashlib
import plistlib
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from entraide.files import PRIVATE_UMASK

RESTART_S, RESTART_MAX_S, RESTART_STEPS = 5, 300, 6
FINAL_STATUS = 77  # EX_NOPERM of sysexits.h: starting again would not help


class ServiceUnit(Struct, frozen=True, kw_only=True):
    """A process as a service.

    Attributes:
        name: of its unit, unique on this machine.
        label: launchd's name of it.
        description: for people.
        command: command line.
        folder: its working directory.
        stop_s: time that the process may take to end, seconds.
        errors: file for its output, where the system keeps none.
        nice: lowered priority; 0 for the normal one.
        account: account of a service of the system; "" for root, or for a service of a session.
        low_ports: whether a service of the system may listen on ports below 1024.
        files_max: how many files it may have open; 0 for the system's limit.
    """

    name: str
    label: str
    description: str
    command: tuple[str, ...]
    folder: Path
    stop_s: int
    errors: Path
    nice: int = 0
    account: str = ""
    low_ports: bool = False
    files_max: int = 0


class ServiceState(StrEnum):
    """The state of a service."""

    ABSENT = "absent"
    STOPPED = "stopped"
    RUNNING = "running"
    FAILED = "failed"


def folder_mark(folder: Path) -> str:
    """Returns a short name for a folder, for the name of its service."""
    return hashlib.sha256(str(folder).encode("utf-8")).hexdigest()[:8]


def systemd_unit(service: ServiceUnit, *, system: bool = False) -> str:
    """Returns the unit for systemd's user manager, or for the system's.

    The restart pause grows with systemd 254 or newer; an older version ignores that and restarts
    the process every five seconds.
    """
    command = " ".join(map(_quote, service.command))
    network = ("Wants=network-online.target", "After=network-online.target") if system else ()
    options = {
        "User": service.account if system else "",
        "Nice": service.nice or "",
        "LimitNOFILE": service.files_max or "",
        "AmbientCapabilities": "CAP_NET_BIND_SERVICE" if system and service.low_ports else "",
    }
    lines = (
        "[Unit]",
        f"Description={service.description.replace('%', '%%')}",
        *network,
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={command}",
        *(f"{name}={value}" for name, value in options.items() if value),
        "Restart=on-failure",
        f"RestartPreventExitStatus={FINAL_STATUS}",
        f"RestartSec={RESTART_S}",
        f"RestartSteps={RESTART_STEPS}",
        f"RestartMaxDelaySec={RESTART_MAX_S}",
        "KillMode=mixed",
        f"TimeoutStopSec={service.stop_s}",
        "UMask=0077",
        "NoNewPrivileges=yes",
        "",
        "[Install]",
        f"WantedBy={'multi-user.target' if system else 'default.target'}",
        "",
    )
    return "\n".join(lines)


def _quote(word: str) -> str:
    """An argument of a command in systemd's syntax."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped.replace("%", "%%").replace("$", "$$")}"'


def launchd_plist(service: ServiceUnit) -> bytes:
    """Returns the property list for launchd.

    The process type is not ``Background``, because macOS runs those on the slow cores only; the
    nice value lowers the priority.
    """
    properties: dict[str, object] = {
        "Label": service.label,
        "ProgramArguments": list(service.command),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ExitTimeOut": service.stop_s,
        "ProcessType": "Standard",
        "Umask": PRIVATE_UMASK,
        "WorkingDirectory": str(service.folder),
        "StandardOutPath": "/dev/null",
        "StandardErrorPath": str(service.errors),
    }
    if service.nice:
        properties |= {"Nice": service.nice, "LowPriorityIO": True}
    if service.files_max:
        properties["SoftResourceLimits"] = {"NumberOfFiles": service.files_max}
    if service.account:
        properties["UserName"] = service.account
    return plistlib.dumps(properties)


def launchd_state(printed: str) -> ServiceState:
    """Parses the output of ``launchctl print``."""
    fields: dict[str, str] = {}
    for line in printed.splitlines():
        name, equals, value = line.partition(" = ")
        if equals:
            fields.setdefault(name.strip(), value.strip())
    if fields.get("state") == "running":
        return ServiceState.RUNNING
    return (
        ServiceState.STOPPED
        if fields.get("last exit code", "0").startswith(("0", "("))
        else ServiceState.FAILED
    )
