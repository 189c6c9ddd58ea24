"""Pool doctor: checks what a pool needs to work, and names the remedy of each fault.

Input: the pool's directory. Output: findings, and the checks that have found nothing. Nothing is
changed, and no finding contains a secret. Works while the pool runs and while it is stopped; a
running scheduler is asked what it finds itself.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from entraide import i18n
from entraide.errors import EntraideError
from entraide.system_service.manager import run_system_command
from entraide.types import UNKNOWN, Control
from entraide.v1 import admin_pb2
from entraide.wire.nats import client_context, connect
from entraide_scheduler.clock_check import describe, read_clock
from entraide_scheduler.config import PlaceConfig, load_notify_config
from entraide_scheduler.core.rules import has_control, is_in_jurisdiction
from entraide_scheduler.driver import ClockState, find_holder
from entraide_scheduler.findings import (
    Finding,
    Occurrences,
    Value,
    failure,
    find_restarts,
    finding,
    listed,
    merge,
    note_breaks,
    passed,
)
from entraide_scheduler.nats.config import LOOPBACK, WILDCARDS
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.policy_versions.documents import read_document
from entraide_scheduler.pool import facts
from entraide_scheduler.pool.backup_check import check_backup, check_daily
from entraide_scheduler.pool.backup_config import PoolBackup
from entraide_scheduler.pool.books_check import check_books
from entraide_scheduler.pool.config import FILE as CONFIG_FILE
from entraide_scheduler.pool.config import PoolConfig, gateway_name, load_pool_config
from entraide_scheduler.pool.create import check_certificate, port_problem
from entraide_scheduler.pool.grid_check import check_grid
from entraide_scheduler.pool.host_checks import check_ages, check_disk
from entraide_scheduler.pool.machine_files_check import check_machine_files
from entraide_scheduler.pool.retention_check import check_retention
from entraide_scheduler.pool.signin_check import check_signin
from entraide_scheduler.store.database import database_url, find_schema_fault, make_engines
from entraide_scheduler.supervision import poolfile
from entraide_scheduler.supervision.poolfile import PoolFile

CONNECT_TIMEOUT_S = 3.0
BUS_TIMEOUT_S = 5.0
UNFOUNDED = ("scheduler.toml", "store.db")  # of a directory that ``entraide up`` made, too


def inspect_pool(state: Path, lang: str) -> list[Finding]:
    """Returns the result of every check, in a fixed order. Blocks for some seconds."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the checks speak
    if not (state / CONFIG_FILE).is_file() and any((state / name).exists() for name in UNFOUNDED):
        own = [finding("config-unfounded", path=str(state)), check_disk(state)]
        return merge(own, _list_watched(poolfile.read_running(state), lang))
    try:
        config = load_pool_config(state)
        identity = PoolIdentity(state)
    except EntraideError as problem:
        return [failure("config", problem)]
    pool = poolfile.read_running(state)
    own = [
        passed("config-ok"),
        _check_name(config.address),
        _check_place(state, "place", config.place, lang),
        *_check_ports(config, is_running=pool is not None),
        _check_clock(state, config),
        check_disk(state),
        *_check_certificates(state, config),
        _check_store(state, config),
        check_books(state, config),
        *check_retention(state, config),
        *_check_running(state, config, pool, identity, lang=lang),
        check_backup(state, config),
        *check_daily(state, config),
        *check_machine_files(state, config),
        _check_place(state, "backup-place", config.backup, lang),
        check_grid(state, config),
        *check_signin(state, config),
        *_check_notify(state, config),
    ]
    return merge(own, _list_watched(pool, lang))


def _check_name(address: str) -> Finding:
    try:
        addresses = sorted({str(info[4][0]) for info in socket.getaddrinfo(address, None)})
    except OSError:
        return finding("name-unknown", address=address)
    return passed("name-ok", address=address, addresses=", ".join(addresses))


def _check_place(state: Path, name: str, place: PlaceConfig | PoolBackup, lang: str) -> Finding:
    values: dict[str, Value] = {
        "place": i18n.place_name(place.place, lang), "path": str(state),
    }  # fmt: skip
    return (
        passed(f"{name}-ok", **values) if place.is_known else finding(f"{name}-unknown", **values)
    )


def _check_default(state: Path, config: PoolConfig, pool: PoolFile, lang: str) -> Iterator[Finding]:
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
        yield finding("place-outside", **values)


def _check_ports(config: PoolConfig, *, is_running: bool) -> Iterator[Finding]:
    """Checks that each port is free, or that the running pool answers there."""
    for key, host, port in config.ports:
        values: dict[str, Value] = {"key": key, "port": str(port), "host": host}
        if is_running:
            target = LOOPBACK[1] if host in WILDCARDS else host
            try:
                socket.create_connection((target, port), CONNECT_TIMEOUT_S).close()
            except OSError:
                yield finding("port-silent", **values)
            continue
        problem = port_problem(host, port)
        if isinstance(problem, PermissionError):
            yield finding("port-refused", **values)
        elif problem is not None:
            yield finding("port-taken", **values)
    yield passed("port-ok", ports=", ".join(str(port) for _, _, port in config.ports))


def _check_clock(state: Path, config: PoolConfig) -> Finding:
    """Checks the clock against the last event and the certificates, and asks about NTP."""
    try:
        early_s = max(each.starts_in_s for each in _read_ages(state, config))
    except (OSError, ValueError):  # the certificates have a check of their own
        early_s = 0.0
    with contextlib.suppress(EntraideError):  # the store has a check of its own
        reading = read_clock(state, config.database or f"sqlite:///{state / 'store.db'}")
        if reading.state is not ClockState.RIGHT:
            return finding(f"clock-far-{reading.state}", **describe(state, reading))
    if early_s > 0.0:
        return finding("clock-behind", days=round(early_s / facts.DAY_S, 1))
    result = run_system_command(("timedatectl", "show", "-p", "NTPSynchronized", "--value"))
    if result.status == 0 and result.text.strip() == "no":
        return finding("clock-unsynchronised")
    return passed("clock-ok" if result.status == 0 else "clock-unasked")


def _check_certificates(state: Path, config: PoolConfig) -> Iterator[Finding]:
    if config.tls.cert_file:
        try:
            check_certificate(config)
        except EntraideError as problem:
            yield failure("certificate", problem)
    try:
        ages = _read_ages(state, config)
    except (OSError, ValueError) as problem:
        yield finding("certificate-unreadable", detail=str(problem))
        return
    yield from check_ages(ages)


def _read_ages(state: Path, config: PoolConfig) -> list[facts.CertificateAge]:
    return facts.read_certificates(state, config.tls.cert_file)


def _check_store(state: Path, config: PoolConfig) -> Finding:
    try:
        url = database_url(config.database or f"sqlite:///{state / 'store.db'}")
        if url.drivername == "sqlite" and not Path(url.database or "").is_file():
            return finding("store-absent")
        engines = make_engines(url)
        try:
            fault = find_schema_fault(engines[1])
        finally:
            for engine in engines:
                engine.dispose()
    except EntraideError as problem:
        return failure("store", problem)
    except SQLAlchemyError as problem:
        return finding("store-unreachable", detail=str(problem).splitlines()[0])
    if fault == "older":
        return finding("store-older")
    kind = url.drivername.partition("+")[0]
    return finding(f"store-{fault}") if fault else passed("store-ok", kind=kind)


def _check_running(
    state: Path, config: PoolConfig, pool: PoolFile | None, identity: PoolIdentity, *, lang: str
) -> Iterator[Finding]:
    if pool is None:
        yield finding("scheduler-stopped", path=str(state))
        yield from _check_holder(state, config)
        yield from _check_starts(state)
        return
    yield asyncio.run(_check_bus(pool, identity))
    try:
        status = facts.call_status(pool, lang)
    except EntraideError:
        yield finding("scheduler-silent", path=str(state))
        yield from _check_holder(state, config)
        yield from _check_starts(state)
        return
    yield passed("scheduler-ok", live=sum(node.state == "live" for node in status.nodes))
    yield from check_gateways(config, status)
    yield from _check_default(state, config, pool, lang)


def _list_watched(pool: PoolFile | None, lang: str) -> list[Finding]:
    """Returns what the running scheduler finds; nothing if it does not answer."""
    try:
        return facts.call_findings(pool, lang) if pool is not None else []
    except EntraideError:
        return []


def _check_holder(state: Path, config: PoolConfig) -> Iterator[Finding]:
    """Checks whether a scheduler elsewhere uses the database, so that this pool's own may not."""
    url = config.database or f"sqlite:///{state / 'store.db'}"
    with contextlib.suppress(EntraideError, SQLAlchemyError, OSError):  # they have own checks
        leader = find_holder(url, state)
        if leader:
            yield finding("scheduler-elsewhere", leader=leader)


def _check_starts(state: Path) -> Iterator[Finding]:
    """Checks whether a scheduler that does not answer starts again and again."""
    occurrences = Occurrences()
    note_breaks(occurrences, state)
    return find_restarts(occurrences)


def check_gateways(config: PoolConfig, status: admin_pb2.Status) -> Iterator[Finding]:
    """Checks that each gateway of its own is heard, and that no two have the same name."""
    live = [each.gateway for each in status.gateways if each.state == "live"]
    silent = {each.gateway for each in status.gateways if each.state == "silent"}
    silent |= {gateway_name(number) for number in range(2, config.gateways + 1)} - {*live}
    twice = [each.gateway for each in status.gateways if each.twice]
    if silent:
        yield finding("gateways-silent", gateways=listed(sorted(silent)))
    if twice:
        yield finding("gateways-twice", gateways=listed(twice))
    if not silent and not twice:
        yield passed("gateways-ok", number=len(live) + 1)


def _check_notify(state: Path, config: PoolConfig) -> Iterator[Finding]:
    """Checks who is told of findings; nobody is told of anything by that."""
    try:
        notify = load_notify_config(state, config.smtp)
    except EntraideError as problem:
        yield failure("notify", problem)
        return
    if notify is not None:
        yield passed("notify-ok", number=len(notify.mail) + len(notify.webhook))


async def _check_bus(pool: PoolFile, identity: PoolIdentity) -> Finding:
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
    return passed("bus-ok", url=pool.nats)
