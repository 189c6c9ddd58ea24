"""Pool doctor: checks what a pool needs to work, and names the remedy of each fault.

Input: the pool's directory. Output: checks; the sentence of each is in the message catalogue under
``pool-doctor-NAME-CODE``, its remedy under ``.remedy``. Nothing is changed, and no check contains a
secret. Works while the pool runs and while it is stopped.
"""

import asyncio
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from entraide import __version__, i18n
from entraide.errors import EntraideError
from entraide.system_service.manager import run_system_command
from entraide.types import UNKNOWN, Control
from entraide.v1 import admin_pb2
from entraide.versions import is_older
from entraide.wire.nats import client_context, connect
from entraide_scheduler.config import PlaceConfig
from entraide_scheduler.core.rules import has_control, is_in_jurisdiction
from entraide_scheduler.nats.config import LOOPBACK, WILDCARDS
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.policy_versions.documents import read_document
from entraide_scheduler.pool import facts
from entraide_scheduler.pool.checks import PoolCheck, Value, fail, failure, names, ok, warn
from entraide_scheduler.pool.config import FILE as CONFIG_FILE
from entraide_scheduler.pool.config import PoolConfig, gateway_name, load_pool_config
from entraide_scheduler.pool.create import check_certificate, port_problem
from entraide_scheduler.pool.grid_check import check_grid
from entraide_scheduler.pool.signin_check import check_signin
from entraide_scheduler.store.database import database_url, find_schema_fault, make_engines
from entraide_scheduler.supervision import poolfile
from entraide_scheduler.supervision.poolfile import PoolFile

DISK_BYTES_MIN = 200_000_000
DISK_BYTES_LOW = 5_000_000_000
GIVEN_DAYS_LOW = 14.0
POOL_DAYS_LOW = 20.0  # ``pool run`` renews it 30 days before its end
AUTHORITY_DAYS_LOW = 180.0
BACKUP_AGE_MAX_S = 7 * facts.DAY_S
CONNECT_TIMEOUT_S = 3.0
BUS_TIMEOUT_S = 5.0
ALARMS_FREQUENT = 3  # false alarms of a node in an hour: its limits are then the long ones
UNFOUNDED = ("scheduler.toml", "store.db")  # of a directory that ``entraide up`` made, too


def inspect_pool(state: Path, lang: str) -> list[PoolCheck]:
    """Returns the result of every check, in a fixed order. Blocks for some seconds."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the checks speak
    if not (state / CONFIG_FILE).is_file() and any((state / name).exists() for name in UNFOUNDED):
        return [warn("config", "unfounded", path=str(state)), _check_disk(state)]
    try:
        config = load_pool_config(state)
        identity = PoolIdentity(state)
    except EntraideError as problem:
        return [failure("config", problem)]
    pool = poolfile.read_running(state)
    return [
        ok("config"),
        _check_name(config.address),
        _check_place(state, "place", config.place, lang),
        *_check_ports(config, is_running=pool is not None),
        _check_clock(state, config),
        _check_disk(state),
        *_check_certificates(state, config),
        _check_store(state, config),
        *_check_running(state, config, pool, identity, lang=lang),
        _check_backup(state),
        _check_place(state, "backup-place", config.backup, lang),
        check_grid(state, config),
        *check_signin(state, config),
    ]


def _check_name(address: str) -> PoolCheck:
    try:
        addresses = sorted({str(info[4][0]) for info in socket.getaddrinfo(address, None)})
    except OSError:
        return fail("name", "unknown", address=address)
    return ok("name", address=address, addresses=", ".join(addresses))


def _check_place(state: Path, name: str, place: PlaceConfig, lang: str) -> PoolCheck:
    values: dict[str, Value] = {
        "place": i18n.place_name(place.place, lang), "path": str(state),
    }  # fmt: skip
    return ok(name, **values) if place.is_known else warn(name, "unknown", **values)


def _check_default(
    state: Path, config: PoolConfig, pool: PoolFile, lang: str
) -> Iterator[PoolCheck]:
    """Checks that a request that names nothing may pass the pool's server."""
    policy = read_document(facts.call_policy(pool, lang).document).policy
    place = config.place.place
    if policy is None:
        return
    asked = ""
    if place.zone != UNKNOWN and not is_in_jurisdiction(place.zone, policy.jurisdiction):
        asked = policy.jurisdiction
    elif place.controlled_by != UNKNOWN and not has_control(
        Control(place.controlled_by), policy.controlled_by
    ):
        asked = policy.controlled_by
    if asked:
        values = {"place": i18n.place_name(place, lang), "path": str(state), "asked": asked}
        yield fail("place", "outside", **values)


def _check_ports(config: PoolConfig, *, is_running: bool) -> Iterator[PoolCheck]:
    """Checks that each port is free, or that the running pool answers there."""
    for key, host, port in config.ports:
        values: dict[str, Value] = {"key": key, "port": str(port), "host": host}
        if is_running:
            target = LOOPBACK[1] if host in WILDCARDS else host
            try:
                socket.create_connection((target, port), CONNECT_TIMEOUT_S).close()
            except OSError:
                yield fail("port", "silent", **values)
            continue
        problem = port_problem(host, port)
        if isinstance(problem, PermissionError):
            yield fail("port", "refused", **values)
        elif problem is not None:
            yield fail("port", "taken", **values)
    yield ok("port", ports=", ".join(str(port) for _, _, port in config.ports))


def _check_clock(state: Path, config: PoolConfig) -> PoolCheck:
    """Checks the clock against the certificates' beginning, and asks the system about NTP."""
    try:
        early_s = max(each.starts_in_s for each in facts.read_certificates(state, config))
    except (OSError, ValueError):  # the certificates have a check of their own
        early_s = 0.0
    if early_s > 0.0:
        return fail("clock", "behind", days=round(early_s / facts.DAY_S, 1))
    result = run_system_command(("timedatectl", "show", "-p", "NTPSynchronized", "--value"))
    if result.status == 0 and result.text.strip() == "no":
        return warn("clock", "unsynchronised")
    return ok("clock", "ok" if result.status == 0 else "unasked")


def _check_disk(state: Path) -> PoolCheck:
    free = shutil.disk_usage(state).free
    values: dict[str, Value] = {"free_gb": round(free / 1e9, 1), "path": str(state)}
    if free < DISK_BYTES_MIN:
        return fail("disk", "full", **values)
    return warn("disk", "low", **values) if free < DISK_BYTES_LOW else ok("disk", **values)


def _check_certificates(state: Path, config: PoolConfig) -> Iterator[PoolCheck]:
    if config.tls.cert_file:
        try:
            check_certificate(config)
        except EntraideError as problem:
            yield failure("certificate", problem)
    try:
        ages = facts.read_certificates(state, config)
    except (OSError, ValueError) as problem:
        yield fail("certificate", "unreadable", detail=str(problem))
        return
    low = {"https": GIVEN_DAYS_LOW, "pool": POOL_DAYS_LOW, "authority": AUTHORITY_DAYS_LOW}
    for age in ages:
        values: dict[str, Value] = {"days": int(age.days_left), "file": age.file}
        if age.days_left < 0.0:
            yield fail("certificate", f"{age.kind}-expired", **values)
        elif age.days_left < low[age.kind]:
            yield warn("certificate", f"{age.kind}-ending", **values)
        else:
            yield ok("certificate", age.kind, **values)


def _check_store(state: Path, config: PoolConfig) -> PoolCheck:
    try:
        url = database_url(config.database or f"sqlite:///{state / 'store.db'}")
        if url.drivername == "sqlite" and not Path(url.database or "").is_file():
            return fail("store", "absent")
        engines = make_engines(url)
        try:
            fault = find_schema_fault(engines[1])
        finally:
            for engine in engines:
                engine.dispose()
    except EntraideError as problem:
        return failure("store", problem)
    except SQLAlchemyError as problem:
        return fail("store", "unreachable", detail=str(problem).splitlines()[0])
    if fault == "older":
        return warn("store", "older")
    return fail("store", fault) if fault else ok("store", kind=url.drivername.partition("+")[0])


def _check_running(
    state: Path, config: PoolConfig, pool: PoolFile | None, identity: PoolIdentity, *, lang: str
) -> Iterator[PoolCheck]:
    if pool is None:
        yield warn("scheduler", "stopped", path=str(state))
        return
    yield asyncio.run(_check_bus(pool, identity))
    try:
        status = facts.call_status(pool, lang)
    except EntraideError:
        yield fail("scheduler", "silent", path=str(state))
        return
    yield ok("scheduler", live=sum(node.state == "live" for node in status.nodes))
    yield from check_gateways(config, status)
    yield _check_nodes(status)
    yield check_zones(status)
    yield check_alarms(status)
    yield from _check_default(state, config, pool, lang)


def check_gateways(config: PoolConfig, status: admin_pb2.Status) -> Iterator[PoolCheck]:
    """Checks that each gateway of its own is heard, and that no two have the same name."""
    live = [each.gateway for each in status.gateways if each.state == "live"]
    silent = {each.gateway for each in status.gateways if each.state == "silent"}
    silent |= {gateway_name(number) for number in range(2, config.gateways + 1)} - {*live}
    twice = [each.gateway for each in status.gateways if each.twice]
    if silent:
        yield fail("gateways", "silent", gateways=names(sorted(silent)))
    if twice:
        yield fail("gateways", "twice", gateways=names(twice))
    if not silent and not twice:
        yield ok("gateways", number=len(live) + 1)


async def _check_bus(pool: PoolFile, identity: PoolIdentity) -> PoolCheck:
    try:
        connection = await connect(
            pool.nats,
            identity=identity.make_gateway_identity("doctor"),
            name="doctor",
            tls=client_context(pool.ca),
            deadline_s=BUS_TIMEOUT_S,
        )
    except EntraideError as problem:
        return failure("bus", problem)
    await connection.close()
    return ok("bus", url=pool.nats)


def _check_nodes(status: admin_pb2.Status) -> PoolCheck:
    old = [
        node.node
        for node in status.nodes
        if node.approval == "approved" and node.agent and is_older(node.agent, __version__)
    ]
    if old:
        return warn("nodes", "old", nodes=names(old), version=__version__)
    return ok("nodes", number=len(status.nodes))


def check_zones(status: admin_pb2.Status) -> PoolCheck:
    """Checks that the operator has named the zone of each approved node."""
    nodes = [node for node in status.nodes if node.approval == "approved"]
    missing = [node.node for node in nodes if not node.zone]
    return (
        warn("zones", "none", nodes=names(missing)) if missing else ok("zones", number=len(nodes))
    )


def check_alarms(status: admin_pb2.Status) -> PoolCheck:
    """Checks how often nodes were given up within the last hour although they were there."""
    often = [node.node for node in status.nodes if node.false_alarms >= ALARMS_FREQUENT]
    number = sum(node.false_alarms for node in status.nodes)
    if often:
        return warn("alarms", "frequent", nodes=names(often), number=number)
    return ok("alarms", number=number)


def _check_backup(state: Path) -> PoolCheck:
    record = facts.read_last_backup(state)
    if record is None:
        return warn("backup", "none", path=str(state))
    age_s = time.time() - record.at
    values: dict[str, Value] = {"days": int(age_s / facts.DAY_S), "path": str(state)}
    return warn("backup", "old", **values) if age_s > BACKUP_AGE_MAX_S else ok("backup", **values)
