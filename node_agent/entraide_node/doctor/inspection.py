"""Inspection: gathers the facts about a node for ``entraide node doctor``.

Input: the node's folder. Output: checks, in a fixed order. The inspection changes nothing: it reads
files, asks the operating system, and subscribes to the bus beside the agent without publishing.
``node_checks`` judges the facts.
"""

import asyncio
import shutil
import time
from pathlib import Path

import msgspec
import psutil
from nats.aio.msg import Msg

from entraide import __version__
from entraide.errors import EntraideError, PoolUnreachable
from entraide.system_service.manager import find_manager
from entraide.versions import is_older
from entraide.wire import codec, subjects
from entraide.wire.enrolment import JoinSecret
from entraide.wire.messages import HelloRequest
from entraide.wire.nats import client_context, connect, expires_at
from entraide.wire.reachability import Reach, probe
from entraide_node import keys, service_commands
from entraide_node.config import CONFIG_NAME, NodeConfig, load_config
from entraide_node.doctor import node_checks
from entraide_node.doctor.engine_checks import (
    check_engine,
    check_models,
    check_prefixes,
    check_sandbox,
)
from entraide_node.doctor.node_checks import Check, failure_from_problem, passed, warning
from entraide_node.engines.base import EngineProblem
from entraide_node.idle_detection.detector import make_detector
from entraide_node.machine_setup import find_machine_meters
from entraide_node.owner import files as owner_files
from entraide_node.owner import terms_file as owner_terms
from entraide_node.pool_address import read_pool_address
from entraide_node.pool_http import PoolClient
from entraide_node.update_command import find_update_command

BUS_TIMEOUT_S = 5.0
PAGE_TIMEOUT_S = 3.0
LISTEN_S = 2.5  # two agents with one identity make the pool ask for a hello repeatedly
METER_INTERVAL_S = 0.3  # between two readings of a counter
DETECTIONS_MAX, DETECTION_INTERVAL_S = 5, 0.3


async def inspect_node(folder: Path, *, listen_s: float = LISTEN_S) -> tuple[Check, ...]:
    """Inspects the node of a folder; returns the checks in order.

    Args:
        folder: of the node.
        listen_s: how long to listen for a second agent with the same identity.
    """
    if not (folder / CONFIG_NAME).exists():
        return (node_checks.failure("config", "absent", folder=str(folder)),)
    try:
        config = load_config(folder / CONFIG_NAME)
    except EntraideError as problem:
        return (_failure_from_error("config", problem), _check_disk(folder))
    status = owner_files.read_status(folder, now=time.time())
    weights_bytes, models = await asyncio.to_thread(check_models, config)
    pool_side = await _check_pool(config, status, listen_s)
    return (
        passed("config"),
        _check_agent(config, status),
        await asyncio.to_thread(_check_service, config, running=status is not None),
        _check_identity(folder),
        *pool_side,
        *_check_zone(status),
        *_check_disks(folder, service_commands.weights_folder(config)),
        _check_memory(weights_bytes, running=status is not None),
        *[await check_engine(engine, folder) for engine in config.owner_engines],
        await asyncio.to_thread(check_sandbox, config),
        check_prefixes(owner_terms.TermsFile(folder).terms.prefix.memory_part),
        *models,
        await _check_meter(config, status),
        _check_terms(folder, status),
        await _check_idle_detection(),
    )


def _failure_from_error(name: str, problem: EntraideError) -> Check:
    return failure_from_problem(name, EngineProblem(problem.code, problem.values))


def _check_agent(config: NodeConfig, status: owner_files.NodeStatus | None) -> Check:
    if status is not None:
        return passed("agent", pid=str(status.pid))
    stopped = owner_files.read_stopped(Path(config.dir))
    if stopped.code:
        return failure_from_problem("agent", EngineProblem(stopped.code, stopped.values))
    return warning(
        "agent", "absent", command=service_commands.run_command(config),
        manager="none" if find_manager() is None else "some",
    )  # fmt: skip


def _check_zone(status: owner_files.NodeStatus | None) -> tuple[Check, ...]:
    """The zone in the pool's record, which the agent knows once it is welcomed."""
    if status is None or not status.welcomed:
        return ()
    return (node_checks.check_zone(status.node, status.zone, missing=status.zone_missing),)


def _check_service(config: NodeConfig, *, running: bool) -> Check:
    manager = find_manager()
    report = service_commands.report_service(config, manager)
    linger = manager is not None and manager.needs_linger()
    return node_checks.check_service(report.manager, report.state, linger=linger, running=running)


def _check_identity(folder: Path) -> Check:
    try:
        jwt = keys.read_identity(folder).jwt
    except EntraideError as problem:
        return _failure_from_error("identity", problem)
    try:
        return node_checks.check_identity(expires_at(jwt) - time.time())
    except ValueError:
        return node_checks.failure("identity", "unreadable")


async def _check_pool(
    config: NodeConfig, status: owner_files.NodeStatus | None, listen_s: float
) -> tuple[Check, ...]:
    """Checks of the bus, of a second agent, and of clock and version."""
    (bus, hellos), facts = await asyncio.gather(
        _count_hello_requests(config, listen_s),
        asyncio.to_thread(_read_pool_facts, Path(config.dir)),
    )
    offset_s = status.clock_offset_s if status is not None else None
    pool_version = status.pool_version if status is not None else ""
    if facts is not None:
        offset_s = facts[1] if offset_s is None else offset_s
        pool_version = pool_version or facts[0]
    duplicate = (
        (node_checks.check_duplicate_agent(hellos),) if bus.level is node_checks.Level.OK else ()
    )
    return (
        bus,
        *duplicate,
        node_checks.check_clock(offset_s),
        await _check_version(config, pool_version, status.version if status is not None else ""),
    )


async def _check_version(config: NodeConfig, pool_version: str, running: str) -> Check:
    """The installed version against the pool's and the agent's."""
    update = restart = {}
    if is_older(__version__, pool_version):
        update = await asyncio.to_thread(find_update_command, Path(config.dir))
    elif running not in ("", __version__):
        restart = await asyncio.to_thread(service_commands.restart_values, config)
    return node_checks.check_version(
        __version__, pool_version, running=running, update=update, restart=restart
    )


async def _count_hello_requests(config: NodeConfig, listen_s: float) -> tuple[Check, int]:
    """Connects with the node's identity, and counts the requests for its hello."""
    folder, hello_requests = Path(config.dir), 0
    reached = await probe(config.nats_urls)
    open_urls = [url for url, reach in reached.items() if reach is Reach.OPEN]
    if not open_urls:
        return node_checks.find_closed_network(reached), 0

    async def on_message(message: Msg) -> None:
        nonlocal hello_requests
        try:
            hello_requests += isinstance(codec.node_down_ctl.decode(message.data), HelloRequest)
        except msgspec.DecodeError:
            return

    try:
        authority, keyring = keys.read_ca_pem(folder), keys.Keyring(folder)
        connection = await connect(
            open_urls,
            identity=keyring.identity(),
            name=f"doctor-{config.node}",
            tls=client_context(authority) if authority else None,
            deadline_s=BUS_TIMEOUT_S,
        )
    except EntraideError as problem:
        return _failure_from_error("bus", problem), 0
    except (OSError, ValueError):  # an invalid authority file
        return node_checks.failure("bus", "authority"), 0
    try:
        await connection.subscribe(subjects.node_ctl_down(keyring.public_key), cb=on_message)
        await asyncio.sleep(listen_s)
    finally:
        await connection.close()
    return node_checks.check_bus(reached, is_tls=bool(authority)), hello_requests


def _read_pool_facts(folder: Path) -> tuple[str, float] | None:
    """The pool's version from its page, and this clock minus the pool's, seconds."""
    url = read_pool_address(folder).url
    # The page's certificate may be of the pool's own authority, or of a public one.
    for ca_pem in dict.fromkeys((keys.read_ca_pem(folder), "")) if url else ():
        asked_at = time.time()
        try:
            client = PoolClient(url, secret=JoinSecret(""), ca_pem=ca_pem, timeout_s=PAGE_TIMEOUT_S)
            page = client.read_page()
        except PoolUnreachable:
            return None
        except EntraideError:
            continue
        if page.now:
            return page.version, (asked_at + time.time()) / 2 - page.now
    return None


def _check_disk(folder: Path) -> Check:
    try:
        return node_checks.check_disk(shutil.disk_usage(folder).free)
    except OSError:
        return node_checks.failure("disk", "absent", folder=str(folder))


def _check_disks(folder: Path, weights: Path) -> tuple[Check, ...]:
    """The disk of the node's folder, and the disk of its weights if it is another one."""
    checks = (_check_disk(folder),)
    try:
        apart = weights.stat().st_dev != folder.stat().st_dev
    except OSError:  # no weights yet
        return checks
    return (*checks, _check_disk(weights)) if apart else checks


def _check_memory(weights_bytes: int, *, running: bool) -> Check:
    memory = psutil.virtual_memory()
    return node_checks.check_memory(
        total_bytes=memory.total,
        free_bytes=memory.available,
        weights_bytes=weights_bytes,
        running=running,
    )


async def _check_meter(config: NodeConfig, status: owner_files.NodeStatus | None) -> Check:
    """The source of energy figures: as the agent reports it, else by reading the meters."""
    if status is not None:
        power = status.power
        return node_checks.check_meter(power.kind, aside=power.aside, fault=power.fault)
    meters = await find_machine_meters(config)
    try:
        aside, fault = "", ""
        for meter in meters:
            reading = await meter.read()
            if not reading.fault and reading.power_w is None:  # a counter needs two readings
                await asyncio.sleep(METER_INTERVAL_S)
                reading = await meter.read()
            if not reading.fault:
                return node_checks.check_meter(meter.kind, aside=aside, fault=fault)
            aside, fault = aside or meter.kind, fault or reading.fault
        return node_checks.check_meter("catalogue", aside=aside, fault=fault)
    finally:
        for meter in meters:
            await meter.close()


def _check_terms(folder: Path, status: owner_files.NodeStatus | None) -> Check:
    """Whether the owner's file can be used, and its current effect."""
    terms = owner_terms.read_terms(folder)
    if isinstance(terms, owner_terms.TermsProblem):
        values = terms.values(folder)
        return Check("terms", node_checks.Level.WARN, "file", {}, EngineProblem(
            f"owner-file-{terms.code}", values
        ))  # fmt: skip
    if status is None:
        return passed("terms", "readable")
    if status.owner.code:
        return passed("terms", "rest", reason=status.owner.code, **status.owner.values)
    return passed("terms", "work")


async def _check_idle_detection() -> Check:
    """Whether the presence of somebody at the machine can be detected."""
    detector = make_detector()
    try:
        for _ in range(DETECTIONS_MAX):  # a desktop may need a moment for its first answer
            activity = await detector.detect()
            if activity.idle_s is not None:
                return passed("presence", how=activity.how)
            await asyncio.sleep(DETECTION_INTERVAL_S)
        return warning("presence", "unknown")
    finally:
        await detector.close()
