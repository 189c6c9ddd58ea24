"""Gateway: the parts put together, and their start and stop.

It decides the order of both. At a stop no new job is taken, those that run may finish for
``drain_s``, then the rest are told ``shutting_down``; kept jobs go on at the next start.
"""

import asyncio
import contextlib
import hmac
import ssl
from collections.abc import Coroutine

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from entraide import i18n
from entraide.wire.messages import GatewayDown, KeyRevoked, NodeOut
from entraide.wire.nats import requires_tls
from entraide_scheduler.desk import Desk, GatewaySink, NodeLine
from entraide_scheduler.gateway.auth import Keys
from entraide_scheduler.gateway.coop_jobs import CoopJobs
from entraide_scheduler.gateway.head_check import KeyCheck
from entraide_scheduler.gateway.http import HttpServer
from entraide_scheduler.gateway.jobs import RunningJobs
from entraide_scheduler.gateway.kept import KeptJobs, Seal
from entraide_scheduler.gateway.metrics import Metrics
from entraide_scheduler.gateway.options import FactsMaker
from entraide_scheduler.gateway.pages import Announced, Pages, StatusSource
from entraide_scheduler.gateway.peers import parse_networks
from entraide_scheduler.gateway.pool_service import PoolService
from entraide_scheduler.gateway.receipts import Signer
from entraide_scheduler.gateway.routes import Routes
from entraide_scheduler.gateway.sizes import Sizes
from entraide_scheduler.gateway.weights import Weights
from entraide_scheduler.health import Health
from entraide_scheduler.http_limits import HttpLimits
from entraide_scheduler.store.store import Store


class Settings(Struct, frozen=True):
    """What a gateway is told.

    Attributes:
        host, port: where it listens for HTTP; port 0 takes a free one.
        pool: what the pool is called.
        lang: language of those who do not say theirs.
        jurisdiction: of requests that name none; "" leaves it to the core's policy.
        kept_gateway: the gateway at which kept jobs run: the one inside the scheduler. "" means
            this one.
        drain_s: how long running jobs may go on at a stop.
        trusted_proxies: addresses and networks whose word on a client's address is believed.
        limits: of the HTTP server.
    """

    host: str = "127.0.0.1"
    port: int = 0
    pool: str = "entraide"
    lang: i18n.Lang = "fr"
    jurisdiction: str = "CA"
    kept_gateway: str = ""
    drain_s: float = 5.0
    trusted_proxies: tuple[str, ...] = ()
    limits: HttpLimits = HttpLimits()


class Gateway:
    """HTTP and gRPC ``Pool`` in front of one desk."""

    def __init__(
        self,
        *,
        desk: Desk,
        line: NodeLine,
        store: Store,
        sealing_key: bytes,
        signer: Signer | Ed25519PrivateKey,
        settings: Settings,
        status: StatusSource | None = None,
        health: Health | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Puts the parts together; nothing listens yet.

        Args:
            desk: the scheduler, as a gateway sees it.
            line: the way to the nodes.
            store: shared by all gateways of a pool.
            sealing_key: 32 bytes; the same for all gateways of a pool.
            signer: the key of its receipts.
            settings: see there.
            status: where the status page's nodes come from, if from anywhere.
            health: of the scheduler in the same process, if it is there.
            tls: of the HTTP server; needed beyond loopback.

        Raises:
            ValueError: it would listen beyond this machine without TLS.
        """
        if tls is None and requires_tls(settings.host):
            raise ValueError(f"{settings.host} is reached from beyond this machine: TLS is needed")
        self._settings = settings
        self._tls = tls
        self._log = structlog.get_logger("entraide.gateway")
        self._keys = Keys(store)
        self.metrics = Metrics(health.counts if health is not None else {})
        sizes = Sizes()
        signing = signer if isinstance(signer, Signer) else Signer(signer)
        self._running = RunningJobs(
            desk=desk, line=line, signer=signing, sizes=sizes, counts=self.metrics
        )
        self._apart = settings.kept_gateway not in ("", desk.gateway)
        maker = _facts_maker(desk.gateway, settings, sealing_key, sizes)
        self._kept = KeptJobs(
            store=store, desk=desk, running=self._running, maker=maker, seal=Seal(sealing_key)
        )
        if not self._apart:
            self._running.keep_with(self._kept)
        self._pages = Pages(
            desk=desk, signer=signing, pool=settings.pool, status=status, health=health
        )
        coop_jobs = CoopJobs(
            store=store, desk=desk, running=self._running, kept=self._kept, signer=signing
        )
        self._routes = Routes(
            keys=self._keys,
            maker=maker,
            running=self._running,
            kept=self._kept,
            coop_jobs=coop_jobs,
            pages=self._pages,
            metrics=self.metrics,
            lang=settings.lang,
        )
        self._pool_service = PoolService(
            keys=self._keys,
            maker=maker,
            running=self._running,
            kept=self._kept,
            coop_jobs=coop_jobs,
            pages=self._pages,
            metrics=self.metrics,
            lang=settings.lang,
        )
        self._http: HttpServer | None = None
        self._background: list[asyncio.Task[None]] = []

    @property
    def sink(self) -> GatewaySink:
        """The gateway's ears, for the desk."""
        return self

    @property
    def ready(self) -> bool:
        """What ``/readyz`` says; the process that holds the gateway decides it."""
        return self._pages.ready

    @ready.setter
    def ready(self, ready: bool) -> None:
        self._pages.ready = ready

    @property
    def port(self) -> int:
        """The port it listens on for HTTP, once started."""
        assert self._http is not None, "not started"
        return self._http.port

    @property
    def url(self) -> str:
        """Its address for HTTP, once started."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def pool_service(self) -> PoolService:
        """Returns the gRPC ``Pool`` servicer of this gateway."""
        return self._pool_service

    def serve_weights(self, weights: Weights) -> None:
        """Serves the pinned files that the pool has to its nodes."""
        self._routes.pool_weights = weights

    def announce(self, *, grpc: str, tls: bool, ca_pem: str) -> None:
        """Says how the gRPC services are reached (``/.well-known/entraide``)."""
        self._pages.announced = Announced(grpc, tls, ca_pem)

    def awaits(self, job: str, epoch: int) -> bool:
        """Whether this run's answer is still on its way."""
        running = self._running.get(job)
        return running is not None and running.epoch == epoch

    def key_revoked(self) -> None:
        """Forgets which keys were believed."""
        self._keys.invalidate()

    def on_down(self, message: GatewayDown) -> None:
        """Takes what the scheduler says; after a revocation no key is believed unasked."""
        if isinstance(message, KeyRevoked):
            self._keys.invalidate()
        self._running.on_down(message)

    def on_out(self, node: str, message: NodeOut) -> None:
        """Takes what a node sends of an answer."""
        self._running.on_out(node, message)

    async def start(self) -> None:
        """Listens. Kept jobs that had not ended are asked for again.

        Raises:
            OSError: the address is taken or not ours.
        """
        settings, count = self._settings, self.metrics.refused
        self._http = HttpServer(
            self._routes,
            self._routes.refuse,
            check=KeyCheck(self._keys, settings.limits, count),
            limits=settings.limits,
            proxies=parse_networks(settings.trusted_proxies),
            count=count,
        )
        await self._http.start(self._settings.host, self._settings.port, self._tls)
        if not self._apart:
            resumed = await self._kept.resume()
            self._log.info("gateway.resumed", kept=resumed)
            self._spawn(self._kept.expire_for_ever())
        self._log.info("gateway.listening", url=self.url)

    async def stop(self) -> None:
        """Stops as the module says; returns when nothing of it runs any more."""
        self._routes.stopping = self._pool_service.stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s):
                await self._running.drained()
        self._running.close("shutting_down")
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self._background.clear()
        await self._kept.stop()
        if self._http is not None:
            await self._http.stop()
        self._log.info("gateway.stopped")

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self._background.append(asyncio.get_running_loop().create_task(work))


def _facts_maker(gateway: str, settings: Settings, sealing_key: bytes, sizes: Sizes) -> FactsMaker:
    return FactsMaker(
        gateway=gateway,
        kept_gateway=settings.kept_gateway or gateway,
        jurisdiction=settings.jurisdiction,
        secret=hmac.digest(sealing_key, b"entraide/veil", "sha256"),
        sizes=sizes,
    )
