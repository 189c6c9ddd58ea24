"""Pool service: runs a pool under systemd or launchd, from the start of the machine on.

Root installs a service of the system, which runs under the account that owns the pool's directory;
another account installs one of its own.
"""

import os
import pwd
import re
import sys
from pathlib import Path

from msgspec import Struct

from entraide.errors import PoolError
from entraide.system_service.manager import ServiceManager, find_manager
from entraide.system_service.units import ServiceState, ServiceUnit, folder_mark
from entraide_scheduler.pool.config import PoolConfig

UNIT = "entraide-pool"
LABEL = "coop.entraide.pool"
STOP_MARGIN_S = 45  # gateways and scheduler drain, one after the other, then the bus ends
FILES_MAX = 65_536  # each connection of a client or a node is an open file
LOW_PORT = 1_024
PLAIN = re.compile(r"[a-z0-9_.]+")
NAME_MAX = 80


class PoolServiceReport(Struct, frozen=True):
    """A pool's service, for programs.

    Attributes:
        manager: ``systemd``, ``launchd``, or "" without a service manager.
        state: ``absent``, ``stopped``, ``running`` or ``failed``.
        name: of its unit.
        log: how to read its log.
    """

    manager: str
    state: ServiceState
    name: str
    log: str


def is_of_system() -> bool:
    """Whether this account installs services of the system."""
    return os.geteuid() == 0


def make_service(state: Path, config: PoolConfig) -> ServiceUnit:
    """Returns the service of a pool's directory; its name follows from the directory's path."""
    parts = state.parts[1:]
    joined = "-".join(parts)
    is_plain = all(PLAIN.fullmatch(part) for part in parts) and len(joined) <= NAME_MAX
    mark = joined if is_plain else folder_mark(state)
    command = ("-P", "-m", "entraide.cli", "--lang", config.lang, "pool", "run", str(state))
    owner = state.stat().st_uid
    return ServiceUnit(
        name=f"{UNIT}-{mark}",
        label=f"{LABEL}.{mark}",
        description=f"Entraide pool ({config.name})",
        command=(sys.executable, *command),
        folder=state,
        stop_s=STOP_MARGIN_S,
        errors=state / "logs" / "service.err",
        account=pwd.getpwuid(owner).pw_name if is_of_system() and owner else "",
        low_ports=any(port < LOW_PORT for _, _, port in config.ports),
        files_max=FILES_MAX,
    )


def report_service(service: ServiceUnit, manager: ServiceManager | None) -> PoolServiceReport:
    """Returns the state of a pool's service. Blocks."""
    scope = "" if is_of_system() else "--user "
    is_launchd = manager is not None and manager.kind == "launchd"
    return PoolServiceReport(
        manager=manager.kind if manager is not None else "",
        state=manager.state(service) if manager is not None else ServiceState.ABSENT,
        name=service.name,
        log=str(service.errors) if is_launchd else f"journalctl {scope}-u {service.name}",
    )


def install_service(service: ServiceUnit) -> ServiceManager:
    """Writes and starts the service. Blocks.

    Raises:
        PoolError: ``pool_service_none``: there is no service manager; ``pool_service_failed``, with
            the system's own words.
    """
    manager = find_manager(system=is_of_system())
    if manager is None:
        raise PoolError(
            "pool_service_none", "no service manager", values={"path": str(service.folder)}
        )
    try:
        problem = manager.install(service)
    except OSError as error:
        problem = str(error)
    if problem:
        raise PoolError("pool_service_failed", problem, values={"problem": problem})
    return manager


def remove_service(service: ServiceUnit) -> bool:
    """Stops and removes the service; returns whether there was one. Blocks.

    Raises:
        PoolError: ``pool_service_failed``.
    """
    manager = find_manager(system=is_of_system())
    if manager is None or manager.state(service) is ServiceState.ABSENT:
        return False
    problem = manager.remove(service)
    if problem:
        raise PoolError("pool_service_failed", problem, values={"problem": problem})
    return True
