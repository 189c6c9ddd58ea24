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
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import structlog
from msgspec import Struct, structs
from sqlalchemy.exc import SQLAlchemyError

from entraide import __version__
from entraide.decoding import decode_json
from entraide.errors import EntraideError
from entraide.system_service.manager import run_system_command
from entraide.types import Basis
from entraide.v1 import admin_pb2
from entraide.versions import is_older
from entraide.wire.nats import client_context, connect
from entraide_scheduler.config import GridConfig
from entraide_scheduler.grid.feed import IntensityFeed
from entraide_scheduler.nats.config import LOOPBACK, WILDCARDS
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.pool import facts
from entraide_scheduler.pool.config import PoolConfig, load_pool_config
from entraide_scheduler.pool.create import check_certificate, port_problem
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
LOG_TAIL_BYTES = 256 * 1024
NAMES_MAX = 10

Value = str | int | float


class Severity(StrEnum):
    """Severity of a check's result."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class PoolCheck(Struct, frozen=True):
    """One result.

    Attributes:
        name: what was checked.
        severity: whether it keeps the pool from working.
        code: of the result; name and code select its sentence.
        values: names and numbers in the sentence.
        problem: code of an error with a sentence of its own, or "".
    """

    name: str
    severity: Severity
    code: str = "ok"
    values: dict[str, Value] = {}
    problem: str = ""


def inspect_pool(state: Path, lang: str) -> list[PoolCheck]:
    """Returns the result of every check, in a fixed order. Blocks for some seconds."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the checks speak
    try:
        config = load_pool_config(state)
        identity = PoolIdentity(state)
    except EntraideError as problem:
        return [_problem("config", problem)]
    pool = poolfile.read_running(state)
    return [
        PoolCheck("config", Severity.OK),
        _check_name(config.address),
        *_check_ports(config, is_running=pool is not None),
        _check_clock(state, config),
        _check_disk(state),
        *_check_certificates(state, config),
        _check_store(state, config),
        *_check_running(state, pool, identity, lang),
        _check_backup(state),
        _check_grid(state, config),
    ]


def _fail(name: str, code: str, **values: Value) -> PoolCheck:
    return PoolCheck(name, Severity.FAIL, code, values)


def _warn(name: str, code: str, **values: Value) -> PoolCheck:
    return PoolCheck(name, Severity.WARN, code, values)


def _ok(name: str, code: str = "ok", /, **values: Value) -> PoolCheck:
    return PoolCheck(name, Severity.OK, code, values)


def _problem(name: str, problem: EntraideError) -> PoolCheck:
    values = {key: str(value) for key, value in problem.values.items()}
    return PoolCheck(name, Severity.FAIL, "problem", dict(values), problem.code)


def _check_name(address: str) -> PoolCheck:
    try:
        addresses = sorted({str(info[4][0]) for info in socket.getaddrinfo(address, None)})
    except OSError:
        return _fail("name", "unknown", address=address)
    return _ok("name", address=address, addresses=", ".join(addresses))


def _check_ports(config: PoolConfig, *, is_running: bool) -> Iterator[PoolCheck]:
    """Checks that each port is free, or that the running pool answers there."""
    for key, host, port in config.ports:
        values: dict[str, Value] = {"key": key, "port": str(port), "host": host}
        if is_running:
            target = LOOPBACK[1] if host in WILDCARDS else host
            try:
                socket.create_connection((target, port), CONNECT_TIMEOUT_S).close()
            except OSError:
                yield _fail("port", "silent", **values)
            continue
        problem = port_problem(host, port)
        if isinstance(problem, PermissionError):
            yield _fail("port", "refused", **values)
        elif problem is not None:
            yield _fail("port", "taken", **values)
    yield _ok("port", ports=", ".join(str(port) for _, _, port in config.ports))


def _check_clock(state: Path, config: PoolConfig) -> PoolCheck:
    """Checks the clock against the certificates' beginning, and asks the system about NTP."""
    try:
        early_s = max(each.starts_in_s for each in facts.read_certificates(state, config))
    except (OSError, ValueError):  # the certificates have a check of their own
        early_s = 0.0
    if early_s > 0.0:
        return _fail("clock", "behind", days=round(early_s / facts.DAY_S, 1))
    result = run_system_command(("timedatectl", "show", "-p", "NTPSynchronized", "--value"))
    if result.status == 0 and result.text.strip() == "no":
        return _warn("clock", "unsynchronised")
    return _ok("clock", "ok" if result.status == 0 else "unasked")


def _check_disk(state: Path) -> PoolCheck:
    free = shutil.disk_usage(state).free
    values: dict[str, Value] = {"free_gb": round(free / 1e9, 1), "path": str(state)}
    if free < DISK_BYTES_MIN:
        return _fail("disk", "full", **values)
    return _warn("disk", "low", **values) if free < DISK_BYTES_LOW else _ok("disk", **values)


def _check_certificates(state: Path, config: PoolConfig) -> Iterator[PoolCheck]:
    if config.tls.cert_file:
        try:
            check_certificate(config)
        except EntraideError as problem:
            yield _problem("certificate", problem)
    try:
        ages = facts.read_certificates(state, config)
    except (OSError, ValueError) as problem:
        yield _fail("certificate", "unreadable", detail=str(problem))
        return
    low = {"https": GIVEN_DAYS_LOW, "pool": POOL_DAYS_LOW, "authority": AUTHORITY_DAYS_LOW}
    for age in ages:
        values: dict[str, Value] = {"days": int(age.days_left), "file": age.file}
        if age.days_left < 0.0:
            yield _fail("certificate", f"{age.kind}-expired", **values)
        elif age.days_left < low[age.kind]:
            yield _warn("certificate", f"{age.kind}-ending", **values)
        else:
            yield _ok("certificate", age.kind, **values)


def _check_store(state: Path, config: PoolConfig) -> PoolCheck:
    try:
        url = database_url(config.database or f"sqlite:///{state / 'store.db'}")
        if url.drivername == "sqlite" and not Path(url.database or "").is_file():
            return _fail("store", "absent")
        engines = make_engines(url)
        try:
            fault = find_schema_fault(engines[1])
        finally:
            for engine in engines:
                engine.dispose()
    except EntraideError as problem:
        return _problem("store", problem)
    except SQLAlchemyError as problem:
        return _fail("store", "unreachable", detail=str(problem).splitlines()[0])
    if fault == "older":
        return _warn("store", "older")
    return _fail("store", fault) if fault else _ok("store", kind=url.drivername.partition("+")[0])


def _check_running(
    state: Path, pool: PoolFile | None, identity: PoolIdentity, lang: str
) -> Iterator[PoolCheck]:
    if pool is None:
        yield _warn("scheduler", "stopped", path=str(state))
        return
    yield asyncio.run(_check_bus(pool, identity))
    try:
        status = facts.call_status(pool, lang)
    except EntraideError:
        yield _fail("scheduler", "silent", path=str(state))
        return
    yield _ok("scheduler", live=sum(node.state == "live" for node in status.nodes))
    yield _check_nodes(status)


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
        return _problem("bus", problem)
    await connection.close()
    return _ok("bus", url=pool.nats)


def _check_nodes(status: admin_pb2.Status) -> PoolCheck:
    old = [
        node.node
        for node in status.nodes
        if node.approval == "approved" and node.agent and is_older(node.agent, __version__)
    ]
    if old:
        return _warn("nodes", "old", nodes=_names(old), version=__version__)
    return _ok("nodes", number=len(status.nodes))


def _check_backup(state: Path) -> PoolCheck:
    record = facts.read_last_backup(state)
    if record is None:
        return _warn("backup", "none", path=str(state))
    age_s = time.time() - record.at
    values: dict[str, Value] = {"days": int(age_s / facts.DAY_S), "path": str(state)}
    return _warn("backup", "old", **values) if age_s > BACKUP_AGE_MAX_S else _ok("backup", **values)


def _check_grid(state: Path, config: PoolConfig) -> PoolCheck:
    """Checks that each configured source has data for the present hour."""
    grid = _with_absolute_files(config.grid, state)
    configured = {each.zone for each in grid.series}
    try:
        readings = IntensityFeed.from_config(grid).readings_at(time.time())
    except EntraideError as problem:
        return _problem("grid", problem)
    stale = {
        each.zone for each in readings if each.zone in configured and each.basis is Basis.DEFAULT
    }
    if grid.electricity_maps is not None:
        configured |= set(grid.electricity_maps.zones)
        events = list(_read_grid_events(state / "logs" / "scheduler.log"))
        if events and events[-1].get("event") == "grid.no_token":
            return _warn("grid", "no_token")
        last = {event.get("zone"): event.get("event") for event in events}
        stale |= {str(zone) for zone, event in last.items() if event == "grid.lost"}
    if stale:
        return _warn("grid", "stale", zones=_names(sorted(stale)))
    return _ok("grid", "ok" if configured else "averages", zones=_names(sorted(configured)))


def _with_absolute_files(grid: GridConfig, state: Path) -> GridConfig:
    series = tuple(structs.replace(each, file=str(state / each.file)) for each in grid.series)
    return structs.replace(grid, series=series, forecasts=())


def _read_grid_events(log: Path) -> Iterator[dict[str, Any]]:
    """Yields the events about intensities in the tail of the scheduler's log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        if b'"grid.' not in line:
            continue
        try:
            event = decode_json(line, type=dict[str, Any])
        except msgspec.MsgspecError:
            continue
        if event.get("what", "intensity") != "forecast":
            yield event


def _names(names: list[str]) -> str:
    more = f", … ({len(names)})" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more
