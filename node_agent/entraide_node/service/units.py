"""Units: the agent's service definitions for systemd and launchd.

Input: the node's folder and the drain time. Output: a systemd unit or a launchd property list. The
agent starts with the machine or the session, restarts with growing pauses, has time to end its
runs, and runs at low priority. ``manager`` installs them.
"""

import hashlib
import plistlib
import sys
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from entraide.files import PRIVATE_UMASK

UNIT = "entraide-node"
LABEL = "coop.entraide.node"
STOP_MARGIN_S = 15  # for the last reports and the goodbye, in addition to the drain time
RESTART_S, RESTART_MAX_S, RESTART_STEPS = 5, 300, 6
NICE = 5


class ServiceUnit(Struct, frozen=True):
    """An agent as a service.

    Attributes:
        name: of its unit, unique on this machine for the node's folder.
        node: identifier of the node, for people.
        command: command line.
        folder: of the node.
        stop_s: time that the agent may take to end, seconds.
    """

    name: str
    node: str
    command: tuple[str, ...]
    folder: Path
    stop_s: int


class ServiceState(StrEnum):
    """The state of a service."""

    ABSENT = "absent"
    STOPPED = "stopped"
    RUNNING = "running"
    FAILED = "failed"


def make_service(
    folder: Path, *, node: str, drain_s: float, default: Path, logs: bool
) -> ServiceUnit:
    """Returns the service of a node's folder.

    Args:
        folder: of the node.
        node: its identifier.
        drain_s: how long runs may continue after the agent was asked to stop.
        default: folder whose service has no suffix in its name.
        logs: whether the agent writes its log into its folder, because the system keeps none.
    """
    folder = folder.resolve()
    mark = "" if folder == default.resolve() else f"-{_folder_mark(folder)}"
    command = (sys.executable, "-P", "-m", "entraide_node", "run", "--dir", str(folder))
    return ServiceUnit(
        name=f"{UNIT}{mark}",
        node=node,
        command=(*command, "--log") if logs else command,
        folder=folder,
        stop_s=int(drain_s) + STOP_MARGIN_S,
    )


def _folder_mark(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode("utf-8")).hexdigest()[:8]


def systemd_unit(service: ServiceUnit) -> str:
    """Returns the unit for systemd's user manager.

    The restart pause grows with systemd 254 or newer; an older version ignores that and restarts
    the agent every five seconds.
    """
    command = " ".join(map(_quote, service.command))
    return f"""[Unit]
Description=Entraide node agent ({service.node.replace("%", "%%")})
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
Restart=on-failure
RestartSec={RESTART_S}
RestartSteps={RESTART_STEPS}
RestartMaxDelaySec={RESTART_MAX_S}
KillMode=mixed
TimeoutStopSec={service.stop_s}
Nice={NICE}
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def _quote(word: str) -> str:
    """An argument of a command in systemd's syntax."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped.replace("%", "%%").replace("$", "$$")}"'


def label_of(service: ServiceUnit) -> str:
    """Returns launchd's label of a service."""
    return LABEL + service.name.removeprefix(UNIT).replace("-", ".")


def launchd_plist(service: ServiceUnit) -> bytes:
    """Returns the agent's property list for launchd.

    The process type is not ``Background``, because macOS runs those on the slow cores only; the
    nice value lowers the priority. Python's output before the log is set up goes to ``agent.err``.
    """
    return plistlib.dumps({
        "Label": label_of(service),
        "ProgramArguments": list(service.command),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ExitTimeOut": service.stop_s,
        "ProcessType": "Standard",
        "Nice": NICE,
        "LowPriorityIO": True,
        "Umask": PRIVATE_UMASK,
        "WorkingDirectory": str(service.folder),
        "StandardOutPath": "/dev/null",
        "StandardErrorPath": str(service.folder / "agent.err"),
    })  # fmt: skip


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
