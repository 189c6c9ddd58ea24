"""``gateway run``: a gateway as a process of its own, connected to the scheduler by the bus.

The process needs the pool's state directory (keys of identity, receipts and kept jobs) and the
pool's store. Any number of gateways may run, each with a name of its own. While the scheduler is
unreachable, jobs wait and are submitted again; see ``scheduler_watch``.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog

import entraide
from entraide import i18n
from entraide.receipts import ReceiptKey
from entraide.v1 import pool_pb2, pool_pb2_grpc
from entraide.wire.bus_connection import BusConnection
from entraide.wire.nats import client_context, connect
from entraide.wire.subjects import checked
from entraide_scheduler.bus import NatsNodeChannel, NatsSchedulerAdapter, subscribe_answers
from entraide_scheduler.certificates import ServerCertificates
from entraide_scheduler.config import (
    GatewayConfig,
    config_error,
    find_lang_fault,
    find_server_fault,
    find_signin_fault,
    read_pool_place,
    read_toml,
    value_fault,
)
from entraide_scheduler.control.server import GrpcServer
from entraide_scheduler.gateway import Gateway, PoolEndpoints, Settings
from entraide_scheduler.gateway.jobs import ReceiptSigner
from entraide_scheduler.gateway.machines import FOLDER
from entraide_scheduler.metrics import make_process_collectors
from entraide_scheduler.nats.identity import PoolIdentity, load_sealing_key
from entraide_scheduler.nats.keyfiles import lock_home
from entraide_scheduler.store.closed_files import ClosedFiles
from entraide_scheduler.store.store import Store
from entraide_scheduler.supervision.parent_link import LEAVE_MAX_S, ParentLink
from entraide_scheduler.upgrade_trial import refuse_during_trial

GRPC_GRACE_S = 2.0
PING_INTERVAL_S = 2  # a link that was cut is noticed after three of these


def load_gateway_config(path: Path) -> GatewayConfig:
    """Reads a gateway's config file; paths in it are relative to it.

    Raises:
        PoolError: ``config_refused``, with the file and the key.
    """
    config = read_toml(path, GatewayConfig)
    try:
        checked(config.gateway)
    except ValueError as problem:
        fault = value_fault("gateway", config.gateway, "no_gateway_name")
        raise config_error(path, fault, detail=str(problem)) from problem
    if config.gateway == config.kept_gateway:
        raise config_error(path, value_fault("gateway", config.gateway, "gateway_kept"))
    wrong = (
        find_lang_fault(config.lang)
        or find_server_fault(config.http, config.grpc, config.tls)
        or (config.place.form_fault if config.place is not None else None)
    )
    if wrong is not None:
        raise config_error(path, wrong)
    config_dir = path.absolute().parent
    absolute: dict[str, Any] = {
        "dir": str(config_dir / config.dir),
        "smtp": config.smtp.with_absolute_paths(config_dir) if config.smtp else None,
        "oidc": config.oidc.with_absolute_paths(config_dir) if config.oidc else None,
    }
    if config.nats.ca_file:
        ca_file = str(config_dir / config.nats.ca_file)
        absolute["nats"] = msgspec.structs.replace(config.nats, ca_file=ca_file)
    if wrong := find_signin_fault(absolute["smtp"], absolute["oidc"]):
        raise config_error(path, wrong)
    return msgspec.structs.replace(config, **absolute)


async def run_gateway(config: GatewayConfig) -> None:
    """Runs a gateway until SIGTERM, SIGINT, the end of the parent's pipe, or until it has left.

    Raises:
        EntraideError: the bus or the store cannot be reached, or a key cannot be read.
    """
    log = structlog.get_logger("entraide.gateway")
    log.info("gateway.starting", config=msgspec.to_builtins(config))
    link = ParentLink()
    if not await _may_begin(link):
        return
    state = Path(config.dir)
    lock = lock_home(state, f"gateway-{config.gateway}.lock")
    signer = ReceiptSigner.load(state)
    store = await _open_store(config, signer.keys)
    identity = PoolIdentity(state)
    connection = await connect(
        config.nats.urls,
        identity=lambda: identity.make_gateway_identity(config.gateway),
        name=f"gateway {config.gateway}",
        tls=_bus_context(config.nats.ca_file),
        ping_interval_s=PING_INTERVAL_S,
        on_reconnected=lambda: scheduler.on_reconnected(),  # noqa: PLW0108  (it is made below)
    )
    scheduler = NatsSchedulerAdapter(connection, config.gateway)
    certificates = ServerCertificates(state, config.http, config.tls)
    gateway = Gateway(
        scheduler=scheduler,
        link=scheduler,
        nodes=NatsNodeChannel(scheduler.publisher),
        store=store,
        sealing_key=load_sealing_key(state),
        signer=signer,
        settings=_make_settings(config),
        tls=certificates.http.context if certificates.http else None,
        collectors=make_process_collectors(connection, scheduler.publisher, store, certificates),
    )
    grpc = GrpcServer(shares_port=link.is_supervised)
    pool = pool_pb2.DESCRIPTOR.services_by_name["Pool"].full_name
    grpc.add_service(
        pool, lambda server: pool_pb2_grpc.add_PoolServicer_to_server(gateway.pool_service, server)
    )
    try:
        await subscribe_answers(connection, config.gateway, gateway)
        await scheduler.start(gateway)
        certificates.watch()
        await grpc.start(config.grpc.host, config.grpc.port, certificates.grpc)
        await gateway.start(_find_endpoints(config, grpc.port, certificates), link.sockets)
        scheduler.url = gateway.pool_url()
        log.info("gateway.ready", http=gateway.url, grpc=grpc.port)
        link.say_ready(entraide.__version__, gateway.listening)
        await _run_until_stopped(link, gateway, grpc)
    finally:
        await _stop(gateway, grpc, scheduler, connection)
        await certificates.stop()
        await store.close()
        lock.close()


def _make_settings(config: GatewayConfig) -> Settings:
    state = Path(config.dir)
    return Settings(
        http=config.http,
        pool=config.pool,
        lang=i18n.lang_of(config.lang),
        place=(config.place or read_pool_place(state)).place,
        kept_gateway=config.kept_gateway,
        drain_s=config.drain_s,
        mirror=state / FOLDER,
        timezone=config.timezone,
        smtp=config.smtp,
        oidc=config.oidc,
    )


async def _may_begin(link: ParentLink) -> bool:
    """Waits until this process may begin; returns False if it is stopped before."""
    stopped = asyncio.ensure_future(link.stopped.wait())
    beginning = asyncio.ensure_future(link.wait_to_begin())
    await asyncio.wait({stopped, beginning}, return_when=asyncio.FIRST_COMPLETED)
    for each in (stopped, beginning):
        each.cancel()
    return not link.stopped.is_set()


async def _run_until_stopped(link: ParentLink, gateway: Gateway, grpc: GrpcServer) -> None:
    """Returns once the process is stopped, or has left as its parent told it."""

    async def leave() -> None:
        await link.leaving.wait()
        await asyncio.gather(gateway.leave(LEAVE_MAX_S), grpc.stop(LEAVE_MAX_S))

    ends = {asyncio.ensure_future(link.stopped.wait()), asyncio.ensure_future(leave())}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for each in ends:
        each.cancel()


async def _open_store(config: GatewayConfig, keys: Mapping[str, ReceiptKey]) -> Store:
    state = Path(config.dir)
    url = config.store_url or f"sqlite:///{state / 'store.db'}"
    store = await Store.open(url, check_new=partial(refuse_during_trial, state))
    store.closed = ClosedFiles(state, keys)
    return store


async def _stop(
    gateway: Gateway, grpc: GrpcServer, scheduler: NatsSchedulerAdapter, connection: BusConnection
) -> None:
    await gateway.stop()
    await grpc.stop(GRPC_GRACE_S)
    await scheduler.stop()
    await connection.close()


def _find_endpoints(
    config: GatewayConfig, grpc_port: int, certificates: ServerCertificates
) -> PoolEndpoints:
    return PoolEndpoints(
        grpc=config.grpc.public or f"{config.grpc.host}:{grpc_port}",
        tls=certificates.grpc is not None,
        ca_pem=certificates.ca_pem,
    )


def _bus_context(ca_file: str) -> ssl.SSLContext | None:
    return client_context(Path(ca_file).read_text("ascii")) if ca_file else None
