"""Service: creates, connects, starts and stops the parts of a scheduler process.

The term is taken and the journal recovered before any message is received. The gateway starts to
listen last and stops first.
"""

import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from entraide.i18n import lang_of
from entraide.metrics import ReadAtScrape
from entraide.v1 import admin_pb2_grpc, enrolment_pb2_grpc, pool_pb2_grpc
from entraide.wire.bus_connection import BusConnection
from entraide.wire.messages import AnswerReceived, Revocation
from entraide.wire.nats import client_context, connect
from entraide_scheduler.bus import NatsNodeChannel, Publisher, TermClaims, subscribe_answers
from entraide_scheduler.catalogue import PoolCatalogue
from entraide_scheduler.certificates import ServerCertificates
from entraide_scheduler.clock_check import ClockWatch, act_on_decision, wait_until_decided
from entraide_scheduler.config import SchedulerConfig
from entraide_scheduler.control.enrolment import EnrolmentService
from entraide_scheduler.control.operator_access import OperatorAccess, OperatorInterceptor
from entraide_scheduler.control.server import GrpcServer
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.driver import (
    SCHEDULER_LOCK,
    Clock,
    LiveDriver,
    RecoveredState,
    hold_term,
    recover,
)
from entraide_scheduler.findings import Sort, note_end, note_start
from entraide_scheduler.gateway import Gateway, PoolEndpoints, ReceiptSigner, Settings
from entraide_scheduler.gateway.machines import FOLDER as MIRROR_FOLDER
from entraide_scheduler.gateway.machines import NodePasses, NodeStatements, WeightServer
from entraide_scheduler.gateways import GatewayListener, LocalSchedulerAdapter, MessageRouter
from entraide_scheduler.grid.feed import IntensityFeed
from entraide_scheduler.metrics import (
    FindingMetrics,
    PoolMetrics,
    build_pool_status,
    make_process_collectors,
)
from entraide_scheduler.monitor import Monitor
from entraide_scheduler.nats.identity import PoolIdentity, load_sealing_key
from entraide_scheduler.nats.keyfiles import load_admin_key, lock_home
from entraide_scheduler.nats.receipt_keys import describe_key, load_catalogue_key
from entraide_scheduler.nodes import (
    ConnectionWatcher,
    NodeListener,
    NodeRegistry,
    UnrecordedKeys,
)
from entraide_scheduler.periodic import PeriodicTasks
from entraide_scheduler.pool.daily_task import DailyBackups
from entraide_scheduler.restored import read_mark
from entraide_scheduler.service_admin import make_admin
from entraide_scheduler.service_parts import (
    Parts,
    align_fleet,
    end_superseded,
    feed_catalogue,
    find_zone_sources,
    load_policy,
    make_enrolment,
    make_grid_sources,
    make_notifier,
    make_weight_server,
    start_closing,
)
from entraide_scheduler.store.leader import Term
from entraide_scheduler.store.store import Store
from entraide_scheduler.supervision.parent_link import ParentLink
from entraide_scheduler.upgrade_trial import refuse_during_trial

GRPC_GRACE_S = 2.0


class Service:
    """One scheduler with its gateway; ``start`` it, then ``stop`` it.

    Args:
        config: of the scheduler.
        link: to the process that supervises this one; None without one.

    Attributes:
        home: the pool's directory.
        grpc: its gRPC server.
        monitor: looks for findings.
    """

    def __init__(self, config: SchedulerConfig, link: ParentLink | None = None) -> None:
        self._config = config
        self._link = link
        self.home = Path(config.dir)
        self._log = structlog.get_logger("entraide.scheduler")
        self._cleanup = contextlib.AsyncExitStack()
        self._parts: Parts | None = None
        self._term: Term  # taken at the start
        self._certificates: ServerCertificates  # read at the start
        self.grpc: GrpcServer  # made at the start
        self.monitor: Monitor  # likewise

    @property
    def parts(self) -> Parts:
        """Its parts, once started."""
        assert self._parts is not None, "not started"
        return self._parts

    async def start(self) -> None:
        """Starts all parts; on return ``/readyz`` says ready.

        Raises:
            EntraideError: a part cannot start; the message says which.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops all parts in the reverse order, and writes a last snapshot."""
        await self._cleanup.aclose()

    async def _start(self) -> None:
        lock = self._cleanup.enter_context(lock_home(self.home, SCHEDULER_LOCK))
        clock_state = await wait_until_decided(self._config)
        note_start(self.home, Sort.SCHEDULER)  # at a time that is right
        self._cleanup.callback(self._note_end)
        self._certificates = ServerCertificates(self.home, self._config.http, self._config.tls)
        identity = PoolIdentity(self.home)
        store = await Store.open(
            self._config.effective_store_url,
            before_results=self._flush_journal,
            check_new=partial(refuse_during_trial, self.home),
        )
        self._cleanup.push_async_callback(store.close)
        least = read_mark(self.home).least_incarnation
        self._term, predecessor = await hold_term(self._cleanup, store, lock, least=least)
        policy = await load_policy(store, self._config)
        recovered = await recover(store)
        recovered = await act_on_decision(clock_state, recovered, store, self._config)
        recovered.incarnation = max(recovered.incarnation, least)
        bus = await self._connect(identity)
        self._cleanup.callback(self._stop_listening)
        self._cleanup.push_async_callback(bus.close)
        parts = self._parts = await self._make_parts(store, bus, identity, policy, recovered)
        if predecessor:
            parts.driver.occurrences.add(Sort.TERM, predecessor)
        await self._start_parts(parts)
        versions = {"incarnation": parts.driver.incarnation, "policy": policy.version}
        self._log.info("scheduler.ready", http=parts.gateway.url, grpc=self.grpc.port, **versions)

    # What parts that are made earlier ask of later ones, once messages come.

    def _flush_journal(self) -> None:
        self.parts.driver.flush()

    def _broadcast(self, message: Revocation) -> None:
        self.parts.gateway_listener.broadcast(message)

    def _is_cut_off(self, gateway: str) -> bool:
        return self.parts.gateway_listener.is_cut_off(gateway)

    def _note_broken(self, job: str, epoch: int) -> None:
        self.parts.gateway_listener.report_broken(job, epoch)

    def _add_answer(self, message: AnswerReceived) -> None:
        self.parts.node_listener.reports.add_answer(message)

    def _add_waiting(self, jobs: list[str]) -> None:
        self.parts.node_listener.reports.add_waiting(jobs)

    def _note_end(self) -> None:
        if self._parts is not None and not self._parts.driver.failed.done():
            note_end(self.home, Sort.SCHEDULER)

    def _stop_listening(self) -> None:
        if self._parts is not None:
            self._parts.node_listener.stop()

    async def _make_parts(
        self,
        store: Store,
        bus: BusConnection,
        identity: PoolIdentity,
        policy: Policy,
        recovered: RecoveredState,
    ) -> Parts:
        """Creates the parts around the recovered state; none has received a message yet."""
        publisher = Publisher(bus, term=self._term)
        self._cleanup.push_async_callback(publisher.close)
        registry = await NodeRegistry.load(store, restored_at=read_mark(self.home).joined_until)
        router = MessageRouter(publisher, registry.get_public_key)
        signer = ReceiptSigner.load(self.home)
        catalogue_key = load_catalogue_key(self.home)
        driver = self._make_driver(recovered, store, router)
        self._cleanup.push_async_callback(driver.stop)
        catalogue = PoolCatalogue(self.home, catalogue_key, now=driver.now)
        passes = NodePasses(key_of=registry.get_public_key, now=driver.now)
        enrolment = make_enrolment(
            self._config, self._certificates.ca_pem, driver=driver, store=store, registry=registry,
            identity=identity, signing_key=describe_key(catalogue_key).ed25519,
        )  # fmt: skip
        feed = IntensityFeed.from_config(self._config.grid)
        scheduler = LocalSchedulerAdapter(
            driver, store, router, enrolment, self._config.gateway, place=self._config.place.place,
            zone_sources=partial(find_zone_sources, feed),
            broadcast=self._broadcast, is_cut_off=self._is_cut_off,
            on_answer=self._add_answer, on_waiting=self._add_waiting,
        )  # fmt: skip
        gateway = self._make_gateway(
            driver, scheduler, store=store, publisher=publisher, bus=bus, signer=signer,
            weights=make_weight_server(self._config, self.home, passes, catalogue),
            node_statements=self._make_node_statements(passes, store, registry),
            list_node_keys=registry.list_approved_keys,
        )  # fmt: skip
        router.attach(self._config.gateway, gateway)
        unrecorded_keys = UnrecordedKeys(registry, self._make_key_revoker(identity))
        self._cleanup.push_async_callback(unrecorded_keys.stop)
        node_listener = NodeListener(
            driver,
            registry=registry,
            publisher=publisher,
            issuer=identity,
            catalogue=catalogue,
            refuse_key=unrecorded_keys.refuse,
            results=gateway,
            gateway=self._config.gateway,
            note_broken=self._note_broken,
        )
        gateway_listener = GatewayListener(
            driver, scheduler, router, node_listener.reports, gateway.list_sent
        )
        catalogue.add_listener(node_listener.send_catalogue)
        return Parts(
            bus=bus, store=store, identity=identity, policy=policy, signer=signer, driver=driver,
            registry=registry, catalogue=catalogue, enrolment=enrolment, feed=feed, gateway=gateway,
            node_listener=node_listener, gateway_listener=gateway_listener,
            unrecorded_keys=unrecorded_keys,
        )  # fmt: skip

    async def _start_parts(self, parts: Parts) -> None:
        """Starts the parts in order; the servers for clients and nodes come last."""
        driver, feed = parts.driver, parts.feed
        claims = TermClaims(parts.bus, self._term, partial(end_superseded, parts))
        await claims.start()
        self._cleanup.push_async_callback(claims.stop)
        periodic = PeriodicTasks(
            driver, store=parts.store, nodes=parts.node_listener,
            gateways=parts.gateway_listener, feed=feed, timezone=self._config.timezone,
            check_clock=ClockWatch(driver, parts.store, self.home).check,
        )  # fmt: skip
        grid = make_grid_sources(self._config, parts, self.home, periodic.feed_intensity)
        await grid.load()
        answered = await parts.store.list_answered_kept()
        await driver.start(self._config.gateway, answered=answered)
        await parts.node_listener.settle_answered(parts.store)
        driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=parts.policy))
        feed_catalogue(parts.catalogue, driver)
        align_fleet(parts.registry, driver)
        periodic.feed_current()
        await subscribe_answers(parts.bus, self._config.gateway, parts.gateway)
        await parts.gateway_listener.start(parts.bus)
        await parts.node_listener.start(parts.bus)
        watcher = ConnectionWatcher(
            driver, registry=parts.registry, identity=parts.identity,
            on_node_connected=parts.unrecorded_keys.refuse,
            on_gateway_closed=parts.gateway_listener.on_connection_closed,
        )  # fmt: skip
        watcher.start(self._config.nats.urls, self._bus_context())
        self._cleanup.push_async_callback(watcher.stop)
        periodic.start()
        self._cleanup.push_async_callback(periodic.stop)
        grid.start()
        self._cleanup.push_async_callback(grid.stop)
        self._cleanup.push_async_callback(start_closing(parts, self._config).stop)
        self._cleanup.push_async_callback(DailyBackups(self.home).start().stop)
        notifier = make_notifier(parts, self._config, lambda: self.monitor.findings())  # noqa: PLW0108
        self.monitor = Monitor(
            parts, self.home, self._config.tls.cert_file,
            stale_zones=grid.list_stale_zones, untold=notifier.findings,
        )  # fmt: skip
        self.monitor.start()
        self._cleanup.push_async_callback(self.monitor.stop)
        admin_key = self._config.admin_key or load_admin_key(self.home)
        access = OperatorAccess(admin_key, lang=self._config.lang)
        is_shared = self._link is not None and self._link.is_supervised
        self.grpc = GrpcServer([OperatorInterceptor(access)], shares_port=is_shared)
        admin = make_admin(
            parts, self._config, self._certificates, access=access, admin_key=admin_key,
            grid=grid, watched=self.monitor.findings, send_trial=notifier.send_trial,
            grpc=lambda: f"{self._config.grpc.host}:{self.grpc.port}",
            revoke_bus_keys=self._make_key_revoker(parts.identity), cleanup=self._cleanup,
        )  # fmt: skip
        await self._serve(parts, admin)
        notifier.start()  # its messages name the gateway
        self._cleanup.push_async_callback(notifier.stop)

    def _make_driver(
        self, recovered: RecoveredState, store: Store, router: MessageRouter
    ) -> LiveDriver:
        return LiveDriver(
            recovered, store=store, outbound=router, term=self._term,
            clock=Clock(last=recovered.at, waits=self._config.clock.wait),
            retention=self._config.journal.retention, is_elsewhere=router.is_elsewhere,
        )  # fmt: skip

    async def _connect(self, identity: PoolIdentity) -> BusConnection:
        nats, tls = self._config.nats, self._bus_context()

        async def push() -> None:
            if not await identity.push_claims(nats.urls, tls=tls):
                self._log.warning("bus.revocations_not_pushed")

        bus = await connect(
            nats.urls,
            identity=identity.make_scheduler_identity,
            name="scheduler",
            tls=tls,
            on_reconnected=push,
            on_disconnected=self._on_bus_lost,
        )
        await push()
        return bus

    async def _on_bus_lost(self) -> None:
        if self._parts is not None:
            self._parts.driver.feed(e.BusLost(*e.UNNUMBERED))

    def _make_gateway(
        self,
        driver: LiveDriver,
        scheduler: LocalSchedulerAdapter,
        *,
        store: Store,
        publisher: Publisher,
        bus: BusConnection,
        signer: ReceiptSigner,
        weights: WeightServer,
        node_statements: NodeStatements,
        list_node_keys: Callable[[], Iterable[str]],
    ) -> Gateway:
        config = self._config
        process = make_process_collectors(bus, publisher, store, self._certificates)
        return Gateway(
            scheduler=scheduler,
            nodes=NatsNodeChannel(publisher),
            store=store,
            sealing_key=load_sealing_key(self.home),
            signer=signer,
            settings=Settings(
                http=config.http,
                pool=config.pool,
                lang=lang_of(config.lang),
                place=config.place.place,
                drain_s=config.drain_s,
                mirror=self.home / MIRROR_FOLDER,
                timezone=config.timezone,
                smtp=config.smtp,
                oidc=config.oidc,
            ),
            status=lambda: build_pool_status(driver),
            health=driver.health,
            weights=weights,
            node_statements=node_statements,
            list_node_keys=list_node_keys,
            planner=scheduler,
            tls=self._certificates.http.context if self._certificates.http else None,
            collectors=(
                ReadAtScrape(PoolMetrics(driver, self.home).read),
                ReadAtScrape(FindingMetrics(lambda: self.monitor, self.home).read),
                *process,
            ),
        )

    def _make_node_statements(
        self, passes: NodePasses, store: Store, registry: NodeRegistry
    ) -> NodeStatements:
        zone = ZoneInfo(self._config.timezone)
        return NodeStatements(passes, store=store, coop_of=registry.get_coop, zone=zone)

    def _make_key_revoker(
        self, identity: PoolIdentity
    ) -> Callable[[Iterable[str]], Awaitable[bool]]:
        nats, tls = self._config.nats, self._bus_context()
        return partial(identity.revoke_keys, servers=nats.urls, tls=tls)

    async def _serve(self, parts: Parts, admin: admin_pb2_grpc.AdminServicer) -> None:
        """Starts the gRPC services, then the gateway, which publishes their address."""
        gateway, enrolment = parts.gateway, EnrolmentService(parts.enrolment, self._config.lang)
        config, add, certificate = self._config.grpc, self.grpc.add_service, self._certificates.grpc
        add_enrolment = enrolment_pb2_grpc.add_EnrolmentServicer_to_server
        add("entraide.v1.Enrolment", lambda server: add_enrolment(enrolment, server))
        add_admin = admin_pb2_grpc.add_AdminServicer_to_server
        add("entraide.v1.Admin", lambda server: add_admin(admin, server))
        add_pool = pool_pb2_grpc.add_PoolServicer_to_server
        add("entraide.v1.Pool", lambda server: add_pool(gateway.pool_service, server))
        self._certificates.watch()
        self._cleanup.push_async_callback(self._certificates.stop)
        await self.grpc.start(config.host, config.port, certificate)
        self._cleanup.push_async_callback(self.grpc.stop, GRPC_GRACE_S)
        public = config.public or f"{config.host}:{self.grpc.port}"
        await gateway.start(
            PoolEndpoints(public, certificate is not None, self._certificates.ca_pem),
            self._link.sockets if self._link is not None else (),
        )
        self._cleanup.push_async_callback(gateway.stop)

    def _bus_context(self) -> ssl.SSLContext | None:
        ca_file = self._config.nats.ca_file
        return client_context(Path(ca_file).read_text("ascii")) if ca_file else None
