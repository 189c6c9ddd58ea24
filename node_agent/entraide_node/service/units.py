"""Units: what a system is told of the agent as a service of its owner's session.

It decides what the unit says: the agent starts with the machine or the session, comes back by
itself with growing pauses, has the time to end what runs, and yields to whatever else wants the
processor. Plain functions; how the system is asked, ``manager`` knows.
"""

import hashlib
import plistlib
import sys
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

UNIT = "entraide-node"
LABEL = "coop.entraide.node"
STOP_MARGIN_S = 15  # for the last reports and the goodbye, beyond the time that runs may take
RESTART_S, RESTART_MAX_S, RESTART_STEPS = 5, 300, 6
NICE = 5


class Service(Struct, frozen=True):
    """An agent that the system is to keep running.

    Attributes:
        name: of its unit, unique on this machine for the node's folder.
        node: identifier of the node, for people.
        command: what is run.
        folder: of the node.
        stop_s: how long the agent may take to end, seconds.
    """

    name: str
    node: str
    command: tuple[str, ...]
    folder: Path
    stop_s: int


class ServiceState(StrEnum):
    """What the system says of a service."""

    ABSENT = "absent"
    STOPPED = "stopped"
    RUNNING = "running"
    FAILED = "failed"


def make_service(folder: Path, *, node: str, drain_s: float, default: Path, logs: bool) -> Service:
    """Returns the service of a node's folder.

    Args:
        folder: of the node.
        node: its identifier.
        drain_s: how long running jobs may go on after the agent was asked to stop.
        default: the folder that needs no mark in the name.
        logs: whether the agent keeps its log in its folder, where the system keeps none.
    """
    folder = folder.resolve()
    mark = "" if folder == default.resolve() else f"-{_folder_mark(folder)}"
    command = (sys.executable, "-P", "-m", "entraide_node", "run", "--dir", str(folder))
    return Service(
        name=f"{UNIT}{mark}",
        node=node,
        command=(*command, "--log") if logs else command,
        folder=folder,
        stop_s=int(drain_s) + STOP_MARGIN_S,
    )


def _folder_mark(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode("utf-8")).hexdigest()[:8]


def systemd_unit(service: Service) -> str:
    """Returns the unit for systemd's user manager.

    The pause between two starts grows with systemd 254 and newer; an older one ignores that, and
    starts the agent again every five seconds.
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
    """A word of a command as systemd reads it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped.replace("%", "%%").replace("$", "$$")}"'


def label_of(service: Service) -> str:
    """Returns what launchd calls a service."""
    return LABEL + service.name.removeprefix(UNIT).replace("-", ".")


def launchd_plist(service: Service) -> bytes:
    """Returns the agent's property list for launchd.

    Not a background process to macOS: those run on the slow cores only, and everything else goes
    before a nice one anyway. What Python itself says before the agent has its log goes to
    ``agent.err``.
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
        "Umask": 0o077,
        "WorkingDirectory": str(service.folder),
        "StandardOutPath": "/dev/null",
        "StandardErrorPath": str(service.folder / "agent.err"),
    })  # fmt: skip


def launchd_state(printed: str) -> ServiceState:
    """Reads what ``launchctl print`` says of a service."""
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
