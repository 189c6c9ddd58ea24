"""Pages: the public pages of a pool, its status, and the list of its models.

Anybody reads the pool's name, its addresses and whether it takes requests. Nodes with their co-op,
zone and state, models and counts are for members: they tell who is there. A job, a key or a text is
in none of them. Pages are cached for ``FRESH_S`` seconds.
"""

import time
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from entraide import __version__
from entraide.receipts import ReceiptKey
from entraide.types import UNKNOWN_PLACE, ServerPlace
from entraide.wire.cards import ModelCard
from entraide_scheduler.bus import SchedulerPort
from entraide_scheduler.driver import Health, Incident
from entraide_scheduler.gateway.http import PAGE_HEADERS, Exchange, PageAssets
from entraide_scheduler.gateway.jobs import (
    ModelList,
    PoolStatus,
    ReceiptSigner,
    model_entry,
    status_view,
)

FRESH_S = 1.0
StatusSource = Callable[[], PoolStatus]


class PoolEndpoints(Struct, frozen=True):
    """Addresses of the pool, published at ``/.well-known/entraide``.

    Attributes:
        grpc: ``host:port`` of the gRPC services.
        tls: whether these services use TLS.
        ca_pem: PEM of the pool's certificate authority, or "".
    """

    grpc: str = ""
    tls: bool = False
    ca_pem: str = ""


class PresentKey(Struct, frozen=True):
    """The key that signs receipts now."""

    id: str
    ed25519: str


class WellKnown(Struct, frozen=True):
    """How nodes and programs reach the pool, where it stands, and the keys of its receipts."""

    pool: str
    version: str
    now: float
    grpc: str
    tls: bool
    ca_pem: str
    receipt_key: PresentKey
    receipt_keys: list[ReceiptKey]
    place: ServerPlace
    further_places: tuple[ServerPlace, ...]


class Liveness(Struct, frozen=True):
    """The process runs."""

    status: Literal["ok"] = "ok"


ReadinessStatus = Literal["ok", "degraded", "not_ready"]


class Readiness(Struct, frozen=True):
    """Whether requests are accepted, and the incidents of the last hour."""

    ready: bool
    status: ReadinessStatus
    reasons: tuple[Incident, ...]


class Pages:
    """Renders the public pages and the list of models.

    Attributes:
        endpoints: addresses of the pool.
    """

    def __init__(
        self,
        *,
        scheduler: SchedulerPort,
        signer: ReceiptSigner,
        pool: str,
        status: StatusSource | None,
        health: Health | None = None,
        find_places: Callable[[], tuple[ServerPlace, ...]] = lambda: (UNKNOWN_PLACE,),
        find_incidents: Callable[[], tuple[Incident, ...]] = tuple,
    ) -> None:
        """Creates the pages.

        Args:
            scheduler: is asked for the models.
            signer: of receipts, whose keys are listed.
            pool: name of the pool.
            status: returns the pool's status, or None.
            health: health of the scheduler in the same process, or None.
            find_places: returns where the pool's server stands, then this gateway if elsewhere.
            find_incidents: returns why a gateway of its own cannot serve now.
        """
        self._scheduler = scheduler
        self._signer = signer
        self._pool = pool
        self._source = status
        self._health = health
        self._assets = PageAssets()
        self._models: tuple[float, tuple[ModelCard, ...]] = (0.0, ())
        self._status: tuple[float, bytes] = (0.0, b"")
        self.endpoints = PoolEndpoints()
        self._find_places = find_places
        self._find_incidents = find_incidents
        self._started = False

    @property
    def ready(self) -> bool:
        """Whether requests are accepted, and can be served."""
        return self._started and not self._find_incidents()

    @ready.setter
    def ready(self, started: bool) -> None:
        self._started = started

    async def get_model_cards(self) -> tuple[ModelCard, ...]:
        """Returns the models that clients may name, and the model of each size alias."""
        now = time.monotonic()
        if now >= self._models[0]:
            self._models = (now + FRESH_S, await self._scheduler.list_models())
        return self._models[1]

    async def list_models(self) -> bytes:
        """Returns the list of models in OpenAI's format."""
        entries = [model_entry(card, self._pool) for card in await self.get_model_cards()]
        return msgspec.json.encode(ModelList(entries))

    async def get_model(self, name: str) -> bytes | None:
        """Returns one model of the list, or None."""
        for card in await self.get_model_cards():
            if card.model == name:
                return msgspec.json.encode(model_entry(card, self._pool))
        return None

    async def render_status(self) -> bytes:
        """Returns the pool's status for members, as JSON."""
        now = time.monotonic()
        if now >= self._status[0]:
            status = self._source() if self._source is not None else None
            cards = await self.get_model_cards()
            view = status_view(status, cards, pool=self._pool, at=time.time())
            self._status = (now + FRESH_S, msgspec.json.encode(view))
        return self._status[1]

    def render_name(self) -> bytes:
        """Returns the status for strangers: the pool's name, and nothing of who is there."""
        return msgspec.json.encode(status_view(None, (), pool=self._pool, at=time.time()))

    def render_readiness(self) -> bytes:
        """Returns whether requests are accepted, and the incidents of the last hour.

        A degraded pool accepts requests: the HTTP status depends on ``ready`` only.
        """
        reasons = self._health.incidents() if self._health is not None else self._find_incidents()
        status: ReadinessStatus = "not_ready" if not self.ready else "degraded" if reasons else "ok"
        return msgspec.json.encode(Readiness(self.ready, status, reasons))

    def render_well_known(self) -> bytes:
        """Returns the addresses of the pool, its place and the public keys of its receipts.

        ``receipt_keys`` has the present key first, then the retired ones; ``receipt_key`` is the
        present one for older readers. By ``version`` and ``now``, a node detects that it is
        outdated or that its clock is wrong.
        """
        present = self._signer.public_key
        place, *further = self._find_places()
        return msgspec.json.encode(
            WellKnown(
                pool=self._pool,
                version=__version__,
                now=time.time(),
                grpc=self.endpoints.grpc,
                tls=self.endpoints.tls,
                ca_pem=self.endpoints.ca_pem,
                receipt_key=PresentKey(present.id, present.ed25519),
                receipt_keys=[present, *self._signer.retired_keys],
                place=place,
                further_places=tuple(further),
            )
        )

    def send_page(self, exchange: Exchange, lang: str) -> None:
        """Sends the page in which all views are, in a language, ``fr`` or ``en``."""
        page = self._assets.index.replace('<html lang="fr">', f'<html lang="{lang}">', 1)
        kind = "text/html; charset=utf-8"
        exchange.respond(200, page.encode(), kind=kind, headers=PAGE_HEADERS)

    def send_asset(self, exchange: Exchange, name: str) -> None:
        """Sends a file that the page loads."""
        self._assets.send(exchange, name)
