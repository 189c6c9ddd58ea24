"""Node checks: turns the facts of an inspection into results with a severity.

Input: facts that ``inspection`` gathers. Output: ``Check``; its sentence is in the message
catalogue under ``doctor-NAME-CODE``, the repair under its ``.remedy``. No check contains a secret
or a job's text, so its output may be shown to anybody.
"""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from entraide.system_service.units import ServiceState
from entraide.versions import is_older
from entraide.wire.reachability import Reach, host_and_port
from entraide_node.engines.base import EngineProblem

CLOCK_OFF_S = 2.0
DISK_BYTES_MIN = 200_000_000
DISK_BYTES_LOW = 5_000_000_000
IDENTITY_LEFT_S = 3 * 86_400.0  # the pool renews an identity ten days before it expires
DUPLICATE_HELLOS_MIN = 2  # within ``inspection.LISTEN_S``; a single agent is asked at most once
MEMORY_FACTOR = 1.15  # memory of loaded weights per byte on disk

Value = str | int | float


class Level(StrEnum):
    """Severity of a result."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(Struct, frozen=True):
    """One result.

    Attributes:
        name: what was checked.
        level: its severity.
        code: of the result; name and code select its sentence.
        values: names and numbers in the sentence.
        problem: an error or engine problem with a sentence of its own, which includes the repair.
    """

    name: str
    level: Level
    code: str
    values: dict[str, Value]
    problem: EngineProblem | None = None


def passed(name: str, code: str = "ok", **values: Value) -> Check:
    """Returns a result without a fault."""
    return Check(name, Level.OK, code, values)


def warning(name: str, code: str, **values: Value) -> Check:
    """Returns a result that deserves attention."""
    return Check(name, Level.WARN, code, values)


def failure(name: str, code: str, **values: Value) -> Check:
    """Returns a result that keeps the node from working."""
    return Check(name, Level.FAIL, code, values)


def failure_from_problem(name: str, problem: EngineProblem) -> Check:
    """Returns a problem as a result."""
    return Check(name, Level.FAIL, "problem", {}, problem)


def has_failure(checks: Sequence[Check]) -> bool:
    """Whether a result keeps the node from working."""
    return any(check.level is Level.FAIL for check in checks)


def check_bus(reached: Mapping[str, Reach], *, is_tls: bool) -> Check:
    """Says by which address of the bus the pool answers, and which port the network closes.

    Args:
        reached: of each address of the bus, in the order of the node's configuration.
        is_tls: whether the bus has TLS.
    """
    open_urls = [url for url, reach in reached.items() if reach is Reach.OPEN]
    first, reach = next(iter(reached.items()))
    if reach is not Reach.OPEN:
        servers = ", ".join(open_urls)
        return passed("bus", "fallback", servers=servers, place=_place(first), how=str(reach))
    return passed("bus", "tls" if is_tls else "plain", servers=", ".join(open_urls))


def find_closed_network(reached: Mapping[str, Reach]) -> Check:
    """Says why no address of the bus can be reached: the first cause of which all others follow."""
    causes = (Reach.UNKNOWN_NAME, Reach.DROPPED, Reach.REFUSED, Reach.UNREACHABLE)
    cause = next(each for each in causes if each in reached.values())
    closed = [_place(url) for url, reach in reached.items() if reach is cause]
    return failure("bus", str(cause), places=", ".join(dict.fromkeys(closed)))


def _place(url: str) -> str:
    host, port = host_and_port(url)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_identity(left_s: float) -> Check:
    """Checks the remaining validity of the identity, seconds; infinite if it never expires."""
    if left_s <= 0:
        return failure("identity", "expired")
    if left_s == math.inf:
        return passed("identity")
    days = int(left_s // 86_400)
    if left_s < IDENTITY_LEFT_S:
        return warning("identity", "expiring", days=days)
    return passed("identity", days=days)


def check_duplicate_agent(hellos_asked: int) -> Check:
    """Checks how often the pool asked for a hello while one agent listened."""
    return failure("twin", "two") if hellos_asked >= DUPLICATE_HELLOS_MIN else passed("twin")


def check_clock(offset_s: float | None) -> Check:
    """Checks this machine's clock minus the pool's, seconds; None if unknown."""
    if offset_s is None:
        return passed("clock", "unknown")
    if abs(offset_s) > CLOCK_OFF_S:
        return warning(
            "clock", "off", off_s=abs(offset_s), side="ahead" if offset_s > 0 else "behind"
        )
    return passed("clock")


def check_version(
    own_version: str,
    pool_version: str,
    *,
    running: str = "",
    update: Mapping[str, str] = MappingProxyType({}),
    restart: Mapping[str, str] = MappingProxyType({}),
) -> Check:
    """Checks this node's version against its pool's, and against the one that its agent runs.

    Args:
        own_version: of this installation.
        pool_version: of the pool; "" if unknown.
        running: of the agent; "" if unknown, or if none runs.
        update: how an older version is updated; see ``find_update_command``.
        restart: how the agent is restarted; see ``restart_values``.
    """
    if running not in ("", own_version) and not is_older(own_version, pool_version):
        return warning("version", "restart", version=own_version, running=running, **restart)
    if not pool_version:
        return passed("version", "unknown", version=own_version)
    if is_older(own_version, pool_version):
        return warning("version", "older", version=own_version, pool=pool_version, **update)
    return passed("version", version=own_version, pool=pool_version)


def check_disk(free_bytes: int) -> Check:
    """Checks the free space on the disk of the node's folder."""
    free_gb = free_bytes / 1e9
    if free_bytes < DISK_BYTES_MIN:
        return failure("disk", "full", free_gb=free_gb)
    if free_bytes < DISK_BYTES_LOW:
        return warning("disk", "low", free_gb=free_gb)
    return passed("disk", free_gb=free_gb)


def check_memory(*, total_bytes: int, free_bytes: int, weights_bytes: int, running: bool) -> Check:
    """Checks whether the owner's models fit into memory.

    Args:
        total_bytes: memory of the machine.
        free_bytes: free memory now.
        weights_bytes: size of the weights.
        running: whether the agent runs, so that the weights are already in memory.
    """
    needed_bytes = weights_bytes * MEMORY_FACTOR
    values: dict[str, Value] = {
        "total_gb": total_bytes / 2**30,
        "free_gb": free_bytes / 2**30,
        "needed_gb": needed_bytes / 2**30,
    }
    if needed_bytes > total_bytes:
        return failure("memory", "small", **values)
    if not running and needed_bytes > free_bytes:
        return warning("memory", "taken", **values)
    return passed("memory", "ok", **values)


def check_service(manager: str, state: ServiceState, *, linger: bool, running: bool) -> Check:
    """Checks the service.

    Args:
        manager: kind of the service manager, or "".
        state: of the service.
        linger: whether it would end with the owner's session.
        running: whether the agent runs, with or without the service.
    """
    if not manager:
        return (passed if running else warning)("service", "none")
    if state is ServiceState.ABSENT:
        return warning("service", "absent")
    if state is not ServiceState.RUNNING:
        return failure("service", str(state), kind=manager)
    return warning("service", "linger") if linger else passed("service", kind=manager)


def check_zone(node: str, zone: str, *, missing: bool) -> Check:
    """Checks whether the pool's record names the machine's zone: without one nothing runs here."""
    return warning("zone", "missing", node=node) if missing else passed("zone", zone=zone)


def check_meter(kind: str, *, aside: str, fault: str) -> Check:
    """Checks the source of energy figures.

    Args:
        kind: of the meter in use, or ``catalogue``.
        aside: kind of a better meter that is not used, or "".
        fault: why it is not used.
    """
    if aside:
        return warning("meter", "aside", meter=kind, aside=aside, fault=fault)
    return passed("meter", "catalogue" if kind == "catalogue" else "ok", meter=kind)
