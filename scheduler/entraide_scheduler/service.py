"""Service: the scheduler's parts put together in one process, and their start and stop.

It decides the order of both. What was promised is read back before anybody is heard; the gateway
listens last, and is the first to stop.
"""

import contextlib
import fcntl
import secrets
import ssl
from functools import partial
from pathlib import Path
from typing import IO

import structlog
from nats.aio.client import Client

from entraide.errors import PoolError
from entraide.i18n import lang_of
from entraide.types import JobState
from entraide.v1 import admin_pb2_grpc, enrolment_pb2_grpc, pool_pb2_grpc
from entraide.wire.nats import client_context, connect
from entraide_scheduler.bus import NatsNodeLine, subscribe_out
from entraide_scheduler.catalogue import PoolCatalogue
from entraide_scheduler.clock import Clock
from entraide_scheduler.config import SchedulerConfig, first_policy
from entraide_scheduler.control.admin import AdminService
from entraide_scheduler.control.enrolment import EnrolmentService
from entraide_scheduler.control.server import Certificate, GrpcServer
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.desks import GatewaysEar, LocalDesk, Switch
from entraide_scheduler.gateway import Gateway, NodeStatus, PoolStatus, Settings, Signer
from entraide_scheduler.gateway.weights import FOLDER as WEIGHTS_FOLDER
from entraide_scheduler.gateway.weights import Weights
from entraide_scheduler.grid.feed import Feed
from entraide_scheduler.grid.watch import Watch
from entraide_scheduler.journal import recover
from entraide_scheduler.live import Live
from entraide_scheduler.nats.identity import PoolIdentity, sealing_key, signing_key
from entraide_scheduler.nats.keyfiles import private_home, read_private, write_private
from entraide_scheduler.nats.tls import TlsFiles, ensure_files, fingerprint, server_context
from entraide_scheduler.nodes import NodesEar
from entraide_scheduler.outbox import Outbox
from entraide_scheduler.reports import PatientReports
from entraide_scheduler.roster import Roster
from entraide_scheduler.store.store import Store
from entraide_scheduler.upkeep import Upkeep

GRPC_GRACE_S = 2.0


class Service:
    """One scheduler with its gateway; ``start`` it, then ``stop`` it."""

    def __init__(self, config: SchedulerConfig) -> None:
        self._config = config
        self._home = Path(config.dir)
        self._log = structlog.get_logger("entraide.scheduler")
        self._undo = contextlib.AsyncExitStack()
        self.live: Live | None = None
        self.gateway: Gateway | None = None
        self.roster: Roster | None = None
        self.store: Store | None = None
        self.grpc = GrpcServer()

    async def start(self) -> None:
        """Starts everything; on return the gateway says that it is ready.

        Raises:
            EntraideError: something that must be there is not; its sentence says what.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops everything, in the reverse order, and writes a last snapshot."""
        await self._undo.aclose()

    async def _start(self) -> None:
        self._undo.enter_context(contextlib.closing(_only_one(self._home)))
        identity = PoolIdentity(self._home)
        store = self.store = await Store.open(self._config.url_of_store)
        self._undo.push_async_callback(store.close)
        policy = await self._policy(store)
        recovered = await recover(store)
        bus = await self._connect(identity)
        self._undo.push_async_callback(bus.close)
        outbox = Outbox(bus)
        self._undo.push_async_callback(outbox.close)
        switch = Switch(outbox)
        signer = Signer(key := signing_key(self._home))
        live = self.live = Live(
            recovered,
            store=store,
            clock=Clock(last=recovered.at),
            outside=switch,
            keep=self._config.journal.keep,
        )
        self._undo.push_async_callback(live.stop)
        roster = self.roster = Roster(store, await store.nodes())
        catalogue = PoolCatalogue(self._home, key, now=live.now)
        gateway = self._make_gateway(live, store=store, outbox=outbox, signer=signer, policy=policy)
        switch.attach(self._config.gateway, gateway.sink)
        ears = NodesEar(live, roster=roster, outbox=outbox, issuer=identity, catalogue=catalogue)
        catalogue.on_change(ears.tell_catalogue)
        ears.report_through(PatientReports(live, awaited=gateway.awaits, take=ears.report))
        gateways = GatewaysEar(live, store, switch, local=self._config.gateway)
        feed = Feed.of(self._config.grid)
        upkeep = Upkeep(
            live,
            store=store,
            nodes=ears,
            gateways=gateways,
            feed=feed,
            timezone=self._config.timezone,
        )
        await live.start(self._config.gateway)
        live.feed(e.PolicyChanged, policy=policy)
        _follow(catalogue, live)
        upkeep.begin()
        await subscribe_out(bus, self._config.gateway, gateway.sink)
        await gateways.start(bus)
        await ears.start(bus)
        upkeep.start()
        self._undo.push_async_callback(upkeep.stop)
        self._watch_grid(feed, live)
        await self._serve(
            live,
            store=store,
            roster=roster,
            identity=identity,
            policy=policy,
            ears=ears,
            catalogue=catalogue,
            gateways=gateways,
        )
        told = {"incarnation": live.incarnation, "policy": policy.version}
        self._log.info("scheduler.ready", http=gateway.url, grpc=self.grpc.port, **told)

    def _watch_grid(self, feed: Feed, live: Live) -> None:
        if self._config.grid.electricity_maps is not None:
            watch = Watch(self._config.grid.electricity_maps, feed, now=live.now)
            watch.start()
            self._undo.push_async_callback(watch.stop)

    async def _policy(self, store: Store) -> Policy:
        policy = await store.policy()
        if policy is None:
            policy = first_policy(self._config)
            await store.put_policy(policy)
        return policy

    async def _connect(self, identity: PoolIdentity) -> Client:
        nats = self._config.nats
        tls = client_context(_text(nats.ca_file)) if nats.ca_file else None

        async def push() -> None:
            if not await identity.push(nats.urls, tls=tls):
                self._log.warning("bus.revocations_not_pushed")

        bus = await connect(
            nats.urls,
            identity=identity.scheduler_identity,
            name="scheduler",
            tls=tls,
            on_reconnected=push,
        )
        await push()
        return bus

    def _make_gateway(
        self, live: Live, *, store: Store, outbox: Outbox, signer: Signer, policy: Policy
    ) -> Gateway:
        config = self._config
        gateway = self.gateway = Gateway(
            desk=LocalDesk(live, store, config.gateway),
            line=NatsNodeLine(outbox),
            store=store,
            sealing_key=sealing_key(self._home),
            signer=signer,
            settings=Settings(
                host=config.http.host,
                port=config.http.port,
                pool=config.pool,
                lang=lang_of(config.lang),
                jurisdiction=policy.jurisdiction,
                drain_s=config.drain_s,
                trusted_proxies=config.http.trusted_proxies,
                limits=config.http.limits,
            ),
            status=lambda: pool_status(live),
            health=live.health,
            tls=self._http_tls(),
        )
        return gateway

    def _weights(self, live: Live, roster: Roster, catalogue: PoolCatalogue) -> Weights:
        def key_of(node: str) -> str:
            row = roster.approved(node)
            return row.public_key if row is not None else ""

        folders = [self._home / WEIGHTS_FOLDER, *map(Path, self._config.weights_folders)]
        return Weights(
            catalogue=lambda: catalogue.catalogue, folders=folders, key_of=key_of, now=live.now
        )

    async def _serve(
        self,
        live: Live,
        *,
        store: Store,
        roster: Roster,
        identity: PoolIdentity,
        policy: Policy,
        ears: NodesEar,
        catalogue: PoolCatalogue,
        gateways: GatewaysEar,
    ) -> None:
        config, gateway, files = self._config, self.gateway, self._tls_files()
        assert gateway is not None
        ca_pem = _text(files.ca) if files and files.ca.name else ""
        nats_ca = _text(config.nats.ca_file) if config.nats.ca_file else ""
        bus_tls = client_context(nats_ca) if nats_ca else None
        cut_off = partial(identity.revoke, servers=config.nats.urls, tls=bus_tls)
        ears.revoke_through(cut_off)
        enrolment = EnrolmentService(
            store=store,
            roster=roster,
            identity=identity,
            now=live.now,
            nats_urls=config.nats.node_urls or config.nats.urls,
            ca_pem=nats_ca or ca_pem,
            pool=config.pool,
            lang=config.lang,
            signing_key=Signer(signing_key(self._home)).public_base64,
        )
        admin = AdminService(
            store=store,
            live=live,
            roster=roster,
            identity=identity,
            policy=policy,
            catalogue=catalogue,
            admin_key=config.admin_key or _admin_key(self._home),
            cut_off=cut_off,
            ears=ears,
            keys_changed=gateway.key_revoked,
            revoked=gateways.tell_all,
            ca_fingerprint=fingerprint(ca_pem) if ca_pem else "",
            lang=config.lang,
            timezone=config.timezone,
        )
        gateway.serve_weights(self._weights(live, roster, catalogue))
        for name, register in (
            (
                "Enrolment",
                lambda s: enrolment_pb2_grpc.add_EnrolmentServicer_to_server(enrolment, s),
            ),
            ("Admin", lambda s: admin_pb2_grpc.add_AdminServicer_to_server(admin, s)),
            ("Pool", lambda s: pool_pb2_grpc.add_PoolServicer_to_server(gateway.pool_service(), s)),
        ):
            self.grpc.add(f"entraide.v1.{name}", register)
        certificate = Certificate(files.cert, files.key) if files else None
        await self.grpc.start(config.grpc.host, config.grpc.port, certificate)
        self._undo.push_async_callback(self.grpc.stop, GRPC_GRACE_S)
        await self._open(gateway, tls=files is not None, ca_pem=ca_pem)

    async def _open(self, gateway: Gateway, *, tls: bool, ca_pem: str) -> None:
        grpc = self._config.grpc
        public = grpc.public or f"{grpc.host}:{self.grpc.port}"
        gateway.announce(grpc=public, tls=tls, ca_pem=ca_pem)
        await gateway.start()
        self._undo.push_async_callback(self._stop_gateway, gateway)
        gateway.ready = True

    async def _stop_gateway(self, gateway: Gateway) -> None:
        gateway.ready = False
        await gateway.stop()

    def _tls_files(self) -> TlsFiles | None:
        tls = self._config.tls
        if tls.cert_file:
            return TlsFiles(Path(tls.ca_file), Path(tls.cert_file), Path(tls.key_file))
        return ensure_files(self._home, tls.hosts) if tls.hosts else None

    def _http_tls(self) -> ssl.SSLContext | None:
        files = self._tls_files()
        return server_context(files) if files else None


def _follow(catalogue: PoolCatalogue, live: Live) -> None:
    """Tells the core of the catalogue in force, now and after each change."""

    def tell() -> None:
        if live.core.catalogue() != catalogue.catalogue:
            live.feed(e.CatalogueChanged, catalogue=catalogue.catalogue)

    tell()
    catalogue.on_change(tell)


def pool_status(live: Live) -> PoolStatus:
    """Returns the pool as the status page shows it."""
    core = live.core
    nodes = tuple(
        NodeStatus(
            node=view.card.node,
            coop=view.card.coop,
            site=view.card.site,
            zone=view.card.zone,
            state=view.state.value,
            accepting=view.accepting,
            reason=view.reason,
            surplus_w=view.energy.surplus_w if view.energy else 0.0,
            models=tuple(replica.model for replica in view.card.replicas),
            slots=sum(replica.slots for replica in view.card.replicas),
            running=sum(view.leases.values()),
        )
        for view in core.nodes()
    )
    held = (JobState.OFFERED, JobState.ACTIVE)
    return PoolStatus(
        queued=sum(core.queue_lengths().values()),
        running=sum(1 for view in core.jobs() if view.state in held),
        policy_version=live.policy_version,
        nodes=nodes,
    )


def _only_one(home: Path) -> IO[bytes]:
    """Takes the state directory for this scheduler.

    Raises:
        PoolError: ``already_running``: another scheduler has it.
    """
    private_home(home)
    lock = (home / "scheduler.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        lock.close()
        raise PoolError(
            "already_running",
            f"A scheduler already runs in {home}.",
            values={"path": str(home)},
        ) from problem
    return lock


def _admin_key(home: Path) -> str:
    """Returns the operator's key, made at first start."""
    path = home / "admin.key"
    if not path.exists():
        write_private(path, f"ent_{secrets.token_urlsafe(24)}\n".encode())
    return read_private(path).decode().strip()


def _text(path: str | Path) -> str:
    return Path(path).read_text("ascii")
