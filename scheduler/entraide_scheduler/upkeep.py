"""Upkeep: what the scheduler does by the clock, once a second and once an hour."""

import asyncio
import contextlib
from zoneinfo import ZoneInfo

import structlog

from entraide_scheduler.calendar import PERIODS, period_end
from entraide_scheduler.core import events as e
from entraide_scheduler.desks import GatewaysEar
from entraide_scheduler.grid.feed import Feed, Reading
from entraide_scheduler.live import Live
from entraide_scheduler.nodes import NodesEar
from entraide_scheduler.store.store import Store

TICK_S = 1.0


class Upkeep:
    """Ticks once a second until it is stopped."""

    def __init__(
        self,
        live: Live,
        *,
        store: Store,
        nodes: NodesEar,
        gateways: GatewaysEar,
        feed: Feed,
        timezone: str,
    ) -> None:
        self._live = live
        self._store = store
        self._nodes = nodes
        self._gateways = gateways
        self._feed = feed
        self._zone = ZoneInfo(timezone)
        self._hour_ends_at = 0.0
        self._issued: dict[str, float] = {}
        self._read: dict[str, Reading] = {}
        self._revision = -1
        self._log = structlog.get_logger("entraide.upkeep")
        self._ticking: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Tells the core the periods, the grid's intensity and its forecasts as they are now."""
        self._periods()
        self._intensity()
        self._forecasts()

    def start(self) -> None:
        """Begins to tick."""
        self._ticking = asyncio.create_task(self._tick_for_ever(), name="upkeep")

    async def stop(self) -> None:
        """Stops ticking."""
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self._tick()
            except Exception:  # noqa: BLE001  (the next tick must come, whatever this one met)
                self._log.exception("upkeep.failed")

    async def _tick(self) -> None:
        self._nodes.tick()
        self._gateways.tick()
        self._periods()
        self._forecasts()
        self._live.snapshot_if_due()
        hour_over = self._live.now() >= self._hour_ends_at
        if hour_over or self._revision != self._feed.revision:
            self._intensity()
        if hour_over:
            await self._nodes.renew_due()
            await self._store.expire_explanations(self._live.now())

    def _periods(self) -> None:
        now = self._live.now()
        for period in PERIODS:
            if now >= self._live.period_ends_at(period):
                ends_at = period_end(period, now, self._zone)
                self._live.feed(e.PeriodBegan, period=period, ends_at=ends_at)

    def _intensity(self) -> None:
        self._revision = self._feed.revision
        for reading in self._feed.at(self._live.now()):
            self._hour_ends_at = reading.valid_until
            before = self._read.get(reading.zone)
            if reading == before:
                continue
            self._read[reading.zone] = reading
            if before is not None and before.basis is not reading.basis:
                self._log.info("grid.basis", zone=reading.zone, basis=reading.basis.value)
            if not self._live.feed(
                e.IntensityChanged,
                zone=reading.zone,
                direct_g_per_kwh=reading.direct_g_per_kwh,
                lifecycle_g_per_kwh=reading.lifecycle_g_per_kwh,
                basis=reading.basis.value,
                valid_until=reading.valid_until,
            ):
                del self._read[reading.zone]
                self._revision = -1  # the next tick tells it again

    def _forecasts(self) -> None:
        """Tells of each issue once; at a start the newest is told again, which changes nothing."""
        for issue in self._feed.forecasts(self._live.now()):
            if self._issued.get(issue.zone) == issue.issued_at:
                continue
            if self._live.feed(
                e.ForecastIssued,
                zone=issue.zone,
                issued_at=issue.issued_at,
                start_at=issue.start_at,
                direct_g_per_kwh=issue.direct_g_per_kwh,
                lifecycle_g_per_kwh=issue.lifecycle_g_per_kwh,
            ):
                self._issued[issue.zone] = issue.issued_at
