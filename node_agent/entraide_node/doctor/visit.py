"""The doctor's visit: looks at a node from all sides, whether its agent runs or not.

It decides what is looked at and in which order, and that looking disturbs nothing: it reads files,
asks systems, and listens on the bus beside the agent without a word. What a finding means,
``judgement`` decides.
"""

import asyncio
import shutil
import time
from pathlib import Path

import msgspec
import psutil
from nats.aio.msg import Msg

from entraide import __version__
from entraide.errors import EntraideError
from entraide.wire import codec, subjects
from entraide.wire.messages import HelloRequest
from entraide.wire.nats import client_context, connect, expires_at
from entraide_node import keys, living
from entraide_node.config import CONFIG_NAME, NodeConfig, load
from entraide_node.doctor import judgement
from entraide_node.doctor.engines import engine_check, model_checks
from entraide_node.doctor.judgement import Check, failed, fine, warn
from entraide_node.engines.base import EngineProblem
from entraide_node.join import read_page
from entraide_node.machine import meters_for
from entraide_node.owner import files as owner_files
from entraide_node.owner import terms as owner_terms
from entraide_node.presence.look import look_here
from entraide_node.service.manager import manager_here
from entraide_node.update import update_command

BUS_S = 5.0
LISTEN_S = 2.5  # two agents with one identity make the pool ask again and again
METER_S = 0.3  # between two looks at a counter
LOOKS_MAX, LOOK_S = 5, 0.3


async def visit(folder: Path, *, listen_s: float = LISTEN_S) -> tuple[Check, ...]:
    """Looks at the node of a folder; returns what was found, in order.

    Args:
        folder: of the node.
        listen_s: how long to listen for a second agent with its identity.
    """
    if not (folder / CONFIG_NAME).exists():
        return (judgement.fail("config", "absent", folder=str(folder)),)
    try:
        config = load(folder / CONFIG_NAME)
    except EntraideError as problem:
        return (_error("config", problem), _disk(folder))
    status = owner_files.read_status(folder, now=time.time())
    weights_bytes, models = await asyncio.to_thread(model_checks, config)
    pool_side = await _pool(config, status, listen_s)
    return (
        fine("config"),
        _agent(config, status),
        await asyncio.to_thread(_service, config, running=status is not None),
        _identity(folder),
        *pool_side,
        *_disks(folder, living.weights_folder(config)),
        _memory(weights_bytes, running=status is not None),
        *[await engine_check(asked) for asked in config.fixed],
        *models,
        await _meter(config, status),
        _terms(folder, status),
        await _presence(),
    )


def _error(name: str, problem: EntraideError) -> Check:
    return failed(name, EngineProblem(problem.code, problem.values))


def _agent(config: NodeConfig, status: owner_files.Status | None) -> Check:
    if status is not None:
        return fine("agent", pid=str(status.pid))
    stopped = owner_files.read_stopped(Path(config.dir))
    if stopped.code:
        return failed("agent", EngineProblem(stopped.code, stopped.values))
    return warn("agent", "absent", command=living.run_command(config))


def _service(config: NodeConfig, *, running: bool) -> Check:
    manager = manager_here()
    told = living.told(config, manager)
    linger = manager is not None and manager.needs_linger()
    return judgement.service_check(told.manager, told.state, linger=linger, running=running)


def _identity(folder: Path) -> Check:
    try:
        jwt = keys.read(folder).jwt
    except EntraideError as problem:
        return _error("identity", problem)
    try:
        return judgement.identity_check(expires_at(jwt) - time.time())
    except ValueError:
        return judgement.fail("identity", "unreadable")


async def _pool(
    config: NodeConfig, status: owner_files.Status | None, listen_s: float
) -> tuple[Check, ...]:
    """The bus, who else is on it, and how clock and version compare."""
    bus, hellos = await _listen(config, listen_s)
    says = await asyncio.to_thread(_page, Path(config.dir))
    offset_s = status.clock_offset_s if status is not None else None
    pools = status.pool_version if status is not None else ""
    if says is not None:
        offset_s = says[1] if offset_s is None else offset_s
        pools = pools or says[0]
    twin = (judgement.twin_check(hellos),) if bus.level is judgement.Level.OK else ()
    return (
        bus,
        *twin,
        judgement.clock_check(offset_s),
        judgement.version_check(__version__, pools, update_command()),
    )


async def _listen(config: NodeConfig, listen_s: float) -> tuple[Check, int]:
    """Enters the bus with the node's identity, and counts how often its hello is asked for."""
    folder, asked = Path(config.dir), 0

    async def heard(message: Msg) -> None:
        nonlocal asked
        try:
            asked += isinstance(codec.node_down_ctl.decode(message.data), HelloRequest)
        except msgspec.DecodeError:
            return

    try:
        authority = keys.ca_pem(folder)
        connection = await connect(
            config.nats_urls,
            identity=keys.Keyring(folder).identity(),
            name=f"doctor-{config.node}",
            tls=client_context(authority) if authority else None,
            deadline_s=BUS_S,
        )
    except EntraideError as problem:
        return _error("bus", problem), 0
    except (OSError, ValueError):  # an authority that is none
        return judgement.fail("bus", "authority"), 0
    try:
        await connection.subscribe(subjects.node_ctl_down(config.node), cb=heard)
        await asyncio.sleep(listen_s)
    finally:
        await connection.close()
    return fine("bus", "tls" if authority else "plain", servers=", ".join(config.nats_urls)), asked


def _page(folder: Path) -> tuple[str, float] | None:
    """The pool's version as its page says it, and this clock minus the pool's."""
    url = living.read_pool(folder)
    # The page may show the certificate of the pool's own authority, or one that systems know.
    for ca_pem in dict.fromkeys((keys.ca_pem(folder), "")) if url else ():
        asked_at = time.time()
        try:
            page = read_page(url, ca_pem=ca_pem)
        except EntraideError:
            continue
        if page.now:
            return page.version, (asked_at + time.time()) / 2 - page.now
    return None


def _disk(folder: Path) -> Check:
    try:
        return judgement.disk_check(shutil.disk_usage(folder).free)
    except OSError:
        return judgement.fail("disk", "absent", folder=str(folder))


def _disks(folder: Path, weights: Path) -> tuple[Check, ...]:
    """The disk of the node's folder, and that of its weights where it is another one."""
    checks = (_disk(folder),)
    try:
        apart = weights.stat().st_dev != folder.stat().st_dev
    except OSError:  # no weights yet
        return checks
    return (*checks, _disk(weights)) if apart else checks


def _memory(weights_bytes: int, *, running: bool) -> Check:
    memory = psutil.virtual_memory()
    return judgement.memory_check(
        total_bytes=memory.total,
        free_bytes=memory.available,
        weights_bytes=weights_bytes,
        running=running,
    )


async def _meter(config: NodeConfig, status: owner_files.Status | None) -> Check:
    """Where energy comes from: as the agent says, else by a look of our own."""
    if status is not None:
        told = status.power
        return judgement.meter_check(told.kind, aside=told.aside, fault=told.fault)
    meters = await meters_for(config)
    try:
        aside, fault = "", ""
        for meter in meters:
            reading = await meter.read()
            if not reading.fault and reading.power_w is None:  # a counter wants two looks
                await asyncio.sleep(METER_S)
                reading = await meter.read()
            if not reading.fault:
                return judgement.meter_check(meter.kind, aside=aside, fault=fault)
            aside, fault = aside or meter.kind, fault or reading.fault
        return judgement.meter_check("catalogue", aside=aside, fault=fault)
    finally:
        for meter in meters:
            await meter.close()


def _terms(folder: Path, status: owner_files.Status | None) -> Check:
    """Whether the owner's file can be used, and what it comes to now."""
    terms = owner_terms.read(folder)
    if isinstance(terms, owner_terms.TermsProblem):
        values = terms.values(folder)
        return Check("terms", judgement.Level.WARN, "file", {}, EngineProblem(
            f"owner-file-{terms.code}", values
        ))  # fmt: skip
    if status is None:
        return fine("terms", "readable")
    if status.owner.code:
        return fine("terms", "rest", reason=status.owner.code, **status.owner.values)
    return fine("terms", "work")


async def _presence() -> Check:
    """Whether anybody could notice that somebody is at the machine."""
    look = look_here()
    try:
        for _ in range(LOOKS_MAX):  # a desktop may need a moment for its first answer
            seen = await look.look()
            if seen.idle_s is not None:
                return fine("presence", how=seen.how)
            await asyncio.sleep(LOOK_S)
        return warn("presence", "unknown")
    finally:
        await look.close()
