"""Gateway: creates, starts and stops the parts of a gateway.

At a stop no new job is accepted, running jobs may finish for ``drain_s`` seconds, and the rest fail
with ``shutting_down``. Kept jobs continue at the next start. A gateway that leaves listens no
longer, and serves its connections until their live jobs have ended; then it is stopped.
"""

import asyncio
import contextlib
import hmac
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from prometheus_client.registry import Collector

from entraide.types import ServerPlace
from entraide.wire.messages import (
    GatewayDown,
    GatewayHeard,
    JobPlaced,
    JobsWaiting,
    JobUnknown,
    JobUpdate,
    KeyRevoked,
    NodeOut,
    Revocation,
    SigninEnded,
)
from entraide_scheduler.bus import BatchPlanner, NodeChannel, SchedulerPort
from entraide_scheduler.driver import Health
from entraide_scheduler.gateway.admin import SigninParts
from entraide_scheduler.gateway.api import CoopRoutes, PoolApi, StatementRenderer
from entraide_scheduler.gateway.batches import (
    Batches,
    BatchFeeder,
    BatchRoutes,
    FileRoutes,
    Files,
    SentWork,
    Way,
    WindowListener,
)
from entraide_scheduler.gateway.http import HTTPS_ONLY, CorsPolicy, HttpServer, parse_networks
from entraide_scheduler.gateway.jobs import (
    FactsBuilder,
    KeptJobs,
    Metrics,
    PartitionErasure,
    Partitions,
    ReceiptSigner,
    ReconnectableStreams,
    RepeatableAnswers,
    RunningJobs,
    SchedulerLink,
    SchedulerWatch,
    Sealer,
    TokenEstimator,
    list_sent,
)
from entraide_scheduler.gateway.machines import (
    NodeStatements,
    WeightServer,
)
from entraide_scheduler.gateway.pages import Pages, PoolEndpoints, StatusSource
from entraide_scheduler.gateway.routes import Routes
from entraide_scheduler.gateway.rpc import PoolService
from entraide_scheduler.gateway.settings import (
    Settings,
    has_public_certificate,
    make_installer,
)
from entraide_scheduler.gateway.signin import (
    Authenticator,
    CookiePolicy,
    KeyCheck,
    OidcProvider,
    SmtpMailer,
)
from entraide_scheduler.gateway.views import PoolEvents, PoolRoutes, PoolStates
from entraide_scheduler.store.store import Store

STREAMS_STOP_S = 2.0  # for clients to read the end of their streams
LEAVE_POLL_S = 0.1
LEAVE_IDLE_S = 20.0  # longer than most clients keep a connection that they do not use
LEAVE_OTHERS_S = 30.0  # for requests that are no jobs, such as a page's events


class Gateway:
    """HTTP and gRPC ``Pool`` for one scheduler; a ``GatewaySink``.

    Attributes:
        pool_service: the gRPC ``Pool`` servicer.
        pages: the public pages, and the list of models.
        statements: renders statements.
        signin: its parts for persons who sign in.
    """

    def __init__(
        self,
        *,
        scheduler: SchedulerPort,
        nodes: NodeChannel,
        store: Store,
        sealing_key: bytes,
        signer: ReceiptSigner,
        settings: Settings,
        status: StatusSource | None = None,
        health: Health | None = None,
        weights: WeightServer | None = None,
        node_statements: NodeStatements | None = None,
        list_node_keys: Callable[[], Iterable[str]] | None = None,
        planner: BatchPlanner | None = None,
        link: SchedulerLink | None = None,
        tls: ssl.SSLContext | None = None,
        collectors: Sequence[Collector] = (),
    ) -> None:
        """Creates the parts; ``start`` starts them.

        Args:
            scheduler: receives jobs, cancellations and questions.
            nodes: sends runs and cancellations to nodes.
            store: the pool's store, shared by its gateways.
            sealing_key: 32 bytes, the same for all gateways of a pool.
            signer: signs receipts.
            settings: settings of the gateway.
            status: returns the pool's status for the status page, or None.
            health: health of the scheduler in the same process, or None.
            weights: serves pinned weights to nodes, or None.
            node_statements: tells nodes what they gave, or None.
            list_node_keys: returns the public keys of the approved nodes, in the gateway that tells
                them whose prompts to erase, or None.
            planner: is told of the batches' lines in the gateway that runs them, or None.
            link: to the scheduler, if it is in another process: then it is watched.
            tls: TLS context of the HTTP server, or None.
            collectors: of the process's metrics other than the gateway's own.
        """
        self._settings = settings
        self._tls = tls
        self._log = structlog.get_logger("entraide.gateway")
        self._scheduler = scheduler
        self._authenticator = Authenticator(store)
        self.metrics = Metrics(collectors)
        token_estimator = TokenEstimator()
        partitions = self._partitions = Partitions(sealing_key)
        self._erasure = PartitionErasure(partitions, nodes, list_node_keys, time.time)
        self._running_jobs = self._make_running_jobs(nodes, signer, token_estimator)
        self._runs_kept_jobs = settings.kept_gateway in ("", scheduler.gateway)
        sealer = Sealer(sealing_key)
        self._files = Files(store, sealer, mb_per_coop=settings.http.limits.files_mb_per_coop)
        facts_builder = self._facts_builder = self._make_facts_builder(sealing_key, token_estimator)
        self._planner = planner
        lines = None if planner is None else WindowListener()
        self._kept_jobs = KeptJobs(
            store=store,
            scheduler=scheduler,
            running_jobs=self._running_jobs,
            facts_builder=facts_builder,
            sealer=sealer,
            lines=lines,
        )
        self._feeder = self._make_feeder(planner, lines, store, facts_builder, sealer)
        self._batches = self._make_batches(store, sealer)
        self._watch = self._make_watch(link, store)
        self.pages = self._make_pages(signer, status, health)
        self.statements = StatementRenderer(store, signer, settings.pool)
        self._streams = ReconnectableStreams(
            self._running_jobs.cancel, self.metrics.count_reconnection
        )
        self._repeats = RepeatableAnswers(self._running_jobs.cancel)
        self._api = self._make_api(store, facts_builder, signer)
        self._pool_events = PoolEvents(PoolStates(scheduler), pool=settings.pool)
        self.signin = self._make_signin(store, sealer)
        self._routes, self.pool_service = self._make_codecs(weights, node_statements)
        self._http: HttpServer | None = None
        self._background: list[asyncio.Task[None]] = []

    def _make_watch(self, link: SchedulerLink | None, store: Store) -> SchedulerWatch | None:
        if link is None:
            return None
        return SchedulerWatch(
            scheduler=link,
            running_jobs=self._running_jobs,
            store=store,
            revoke=self.on_scheduler_message,
        )

    def _make_pages(
        self, signer: ReceiptSigner, status: StatusSource | None, health: Health | None
    ) -> Pages:
        return Pages(
            scheduler=self._scheduler,
            signer=signer,
            pool=self._settings.pool,
            status=status,
            health=health,
            find_places=self.find_places,
            find_incidents=tuple if self._watch is None else self._watch.find_incidents,
        )

    def _make_api(
        self, store: Store, facts_builder: FactsBuilder, signer: ReceiptSigner
    ) -> PoolApi:
        return PoolApi(
            store=store,
            scheduler=self._scheduler,
            facts_builder=facts_builder,
            running_jobs=self._running_jobs,
            kept_jobs=self._kept_jobs,
            signer=signer,
            timezone=self._settings.timezone,
            streams=self._streams,
            repeats=self._repeats,
            find_places=self.find_places,
        )

    def _make_running_jobs(
        self, nodes: NodeChannel, signer: ReceiptSigner, token_estimator: TokenEstimator
    ) -> RunningJobs:
        return RunningJobs(
            scheduler=self._scheduler,
            nodes=nodes,
            signer=signer,
            token_estimator=token_estimator,
            partitions=self._partitions,
            counters=self.metrics,
        )

    def _make_facts_builder(
        self, sealing_key: bytes, token_estimator: TokenEstimator
    ) -> FactsBuilder:
        return FactsBuilder(
            gateway=self._scheduler.gateway,
            kept_gateway=self._settings.kept_gateway or self._scheduler.gateway,
            place=self._settings.place,
            secret=hmac.digest(sealing_key, b"entraide/veil", "sha256"),
            token_estimator=token_estimator,
            partitions=self._partitions,
            language=self._settings.lang,
        )

    def _make_batches(self, store: Store, sealer: Sealer) -> Batches:
        clock = partial(datetime.fromtimestamp, tz=ZoneInfo(self._settings.timezone))
        way, wake = Way(self.find_places), self._wake_feeder
        return Batches(store, sealer, self._files, clock=clock, on_change=wake, way=way)

    def _make_feeder(
        self,
        planner: BatchPlanner | None,
        lines: WindowListener | None,
        store: Store,
        facts_builder: FactsBuilder,
        sealer: Sealer,
    ) -> BatchFeeder | None:
        if planner is None or lines is None:
            return None
        return BatchFeeder(
            store=store,
            scheduler=self._scheduler,
            planner=planner,
            lines=lines,
            kept_jobs=self._kept_jobs,
            files=self._files,
            facts_builder=facts_builder,
            sealer=sealer,
        )

    def _make_codecs(
        self, pool_weights: WeightServer | None, node_statements: NodeStatements | None
    ) -> tuple[Routes, PoolService]:
        routes = Routes(
            self._api,
            callers=self.signin.callers,
            groups=(
                FileRoutes(self._files, self._batches, self.signin.callers),
                BatchRoutes(self._batches, self.signin.callers),
                PoolRoutes(self._pool_events, self.signin.callers, pool=self._settings.pool),
                CoopRoutes(
                    self._api, self._pool_events.states, self.signin.callers, self.statements
                ),
                *self.signin.groups,
            ),
            pages=self.pages,
            metrics=self.metrics,
            pool_weights=pool_weights,
            node_statements=node_statements,
            installer=make_installer(self._settings),
            enrol=self._scheduler.enrol,
            cors=CorsPolicy(self._settings.http.cors_origins),
            lang=self._settings.lang,
            common_headers=HTTPS_ONLY if has_public_certificate(self._settings.http) else (),
        )
        pool_service = PoolService(
            self._api,
            authenticator=self._authenticator,
            pages=self.pages,
            metrics=self.metrics,
            lang=self._settings.lang,
        )
        return routes, pool_service

    def _make_signin(self, store: Store, sealer: Sealer) -> SigninParts:
        settings, public = self._settings, self._settings.http.public
        provider = OidcProvider(settings.oidc, sealer, self.pool_url) if settings.oidc else None
        is_https = self._tls is not None or public.startswith("https://")
        return SigninParts(
            store,
            self._scheduler,
            authenticator=self._authenticator,
            cookies=CookiePolicy(public, is_https=is_https),
            mailer=SmtpMailer(settings.smtp, settings.pool) if settings.smtp else None,
            provider=provider,
            erase_closed=SentWork(store, self._kept_jobs, self._batches).erase_closed,
            pool=settings.pool,
            pool_url=self.pool_url,
            unseal=sealer.unseal,
            may_pass=self._batches.may_pass,
        )

    def find_places(self) -> tuple[ServerPlace, ...]:
        """Returns where the pool's server stands, then this gateway if it is elsewhere."""
        own = self._settings.place
        pool = own if self._watch is None else self._watch.pool_place
        return (pool,) if own == pool else (pool, own)

    def pool_url(self) -> str:
        """Returns the address at which browsers reach the pool."""
        return self._settings.http.public or self.url

    def _wake_feeder(self) -> None:
        if self._feeder is not None:
            self._feeder.wake()

    @property
    def port(self) -> int:
        """Port of the HTTP server, once started."""
        assert self._http is not None, "not started"
        return self._http.port

    @property
    def url(self) -> str:
        """URL of the HTTP server, once started."""
        host = self._settings.http.host
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def wait_for_result(self, job: str, epoch: int) -> asyncio.Future[None] | None:
        """Returns a future that resolves when a run of a kept job has ended here, or None."""
        return self._running_jobs.wait_for_result(job, epoch)

    def list_sent(self) -> list[tuple[str, int, int]]:
        """Returns what clients have of live streams here: job, epoch and output tokens."""
        return list_sent(self._running_jobs.list_live())

    def wait_for_storage(self, job: str) -> asyncio.Future[bool] | None:
        """Returns the future of the write of a kept job's answer, or None."""
        return self._kept_jobs.wait_for_storage(job)

    async def end_work(self, sender: str) -> None:
        """Cancels the kept jobs and the batches of a person or a key."""
        await self._kept_jobs.cancel_of(sender)
        await self._batches.cancel_of(sender)

    def clear_key_cache(self) -> None:
        """Clears the caches of API keys and of sign-in sessions."""
        self._authenticator.clear_cache()
        self.signin.sessions.clear_cache()

    def on_scheduler_message(self, message: GatewayDown) -> None:
        """Handles a message of the scheduler; a revoked key clears the cache of keys."""
        if isinstance(message, JobUpdate):
            is_known = self._running_jobs.on_job_update(message) or (
                self._runs_kept_jobs and self._kept_jobs.on_job_update(message)
            )
            if is_known or not isinstance(message, JobPlaced):
                pass
            elif self._watch is None:
                self._scheduler.cancel(message.job, "client_gone")
            else:
                self._watch.on_unknown_placement(message)
        elif isinstance(message, Revocation):
            if isinstance(message, KeyRevoked | SigninEnded):
                self.clear_key_cache()
            self.signin.callers.streams.end_revoked(message)
            self._pool_events.end_revoked(message)
            self._running_jobs.end_revoked(message)
            self._repeats.end_revoked(message)
            self._erasure.end_revoked(message)
        elif isinstance(message, JobsWaiting):
            self._running_jobs.on_waits(message)
        else:
            self._on_scheduler_heard(message)

    def _on_scheduler_heard(self, message: GatewayHeard | JobUnknown) -> None:
        if self._watch is not None and isinstance(message, GatewayHeard):
            self._watch.on_heard(message)
        elif self._watch is not None and isinstance(message, JobUnknown):
            self._watch.on_unknown(message)

    def on_node_message(self, key: str, message: NodeOut) -> None:
        """Handles a part or the end of an answer."""
        self._running_jobs.on_node_message(key, message)

    @property
    def listening(self) -> list[int]:
        """File descriptors of the sockets on which the HTTP server listens."""
        assert self._http is not None, "not started"
        return self._http.listening

    async def start(self, endpoints: PoolEndpoints, sockets: Sequence[socket.socket] = ()) -> None:
        """Starts to listen, and submits unfinished kept jobs again; then ``/readyz`` says ready.

        Args:
            endpoints: addresses of the gRPC services, for ``/.well-known/entraide``.
            sockets: that listen already, in place of the configured address.

        Raises:
            OSError: the address is in use or not local.
        """
        self.pages.endpoints = endpoints
        self._facts_builder.begin_loading()
        http, count = self._settings.http, self.metrics.count_refused
        self._http = HttpServer(
            self._routes,
            self._routes.refuse,
            check=KeyCheck(
                self.signin.callers,
                self.signin.admin.is_operator,
                http.limits,
                count,
                CorsPolicy(http.cors_origins),
            ),
            limits=http.limits,
            proxies=parse_networks(http.trusted_proxies),
            count=count,
            bus_port=http.bus_port,
        )
        await self._http.start(http.host, http.port, self._tls, sockets)
        if self._runs_kept_jobs:
            resumed = await self._kept_jobs.resubmit_pending()
            self._log.info("gateway.resumed", kept=resumed)
            self._spawn(self._kept_jobs.run_expiry())
            self._spawn(self._batches.run_expiry())
            self._spawn(self.signin.run_expiry())
            if self._feeder is not None:
                self._spawn(self._feeder.run())
            if self._planner is not None:
                self._spawn(self._kept_jobs.run_pending_check(self._planner.is_known))
        if self._watch is not None:
            self._spawn(self._watch.run())
        self.pages.ready = True
        self._log.info("gateway.listening", url=self.url)

    async def leave(self, max_s: float) -> None:
        """Leaves, as the module describes; returns once that is done, or after ``max_s``.

        A connection is closed after its next answer, or after it was idle for ``LEAVE_IDLE_S``.
        """
        assert self._http is not None, "not started"
        self._http.leave()
        await self._pool_events.stop()  # their clients connect again, elsewhere
        began_at = time.monotonic()
        while (left_s := time.monotonic() - began_at) < max_s:
            self._http.close_idle(LEAVE_IDLE_S)
            if not self._running_jobs.list_live() and (
                left_s > LEAVE_OTHERS_S or not self._http.has_connections
            ):
                return
            await asyncio.sleep(LEAVE_POLL_S)

    async def stop(self) -> None:
        """Stops the gateway as the module describes; returns when all its tasks have ended."""
        self.pages.ready = False
        self._api.stopping = True
        await self._pool_events.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s):
                await self._api.wait_until_drained()
        self._running_jobs.end_all("shutting_down")
        await self._streams.stop(STREAMS_STOP_S)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self._background.clear()
        await self._kept_jobs.stop()
        await self._facts_builder.stop()
        await self.signin.letters.stop()
        if self._http is not None:
            await self._http.stop()
        self._log.info("gateway.stopped")

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self._background.append(asyncio.get_running_loop().create_task(work))
