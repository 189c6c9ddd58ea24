"""Periodic tasks of the scheduler: once a second, and at the end of each hour.

They compare the clocks, feed quota periods, grid intensity and forecasts to the core, report silent
nodes and gateways, write snapshots, renew identities and delete old explanations.
"""

from collections.abc import Callable
from zoneinfo import ZoneInfo

import structlog

from entraide_scheduler.books import PERIODS, period_end
from entraide_scheduler.core import events as e
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.findings import Sort
from entraide_scheduler.gateways import GatewayListener
from entraide_scheduler.grid.feed import IntensityFeed, IntensityReading
from entraide_scheduler.nodes import NodeListener
from entraide_scheduler.repeated_task import RepeatedTask
from entraide_scheduler.store.store import Store

TICK_S = 1.0
STORE_FAULTS = {"storage_full": Sort.DISK, "store_away": Sort.STORE}


class PeriodicTasks:
    """Runs the periodic tasks until it is stopped."""

    def __init__(
        self,
        driver: LiveDriver,
        *,
        store: Store,
        nodes: NodeListener,
        gateways: GatewayListener,
        feed: IntensityFeed,
        timezone: str,
        check_clock: Callable[[], None],
    ) -> None:
        self._driver = driver
        self._store = store
        self._nodes = nodes
        self._gateways = gateways
        self._feed = feed
        self._zone = ZoneInfo(timezone)
        self._check_clock = check_clock
        self._hour_ends_at = 0.0
        self._fed_forecasts: dict[str, float] = {}
        self._fed_readings: dict[str, IntensityReading] = {}
        self._has_unfed_reading = False
        self._log = structlog.get_logger("entraide.periodic")
        self._task = RepeatedTask(
            "periodic-tasks", self._run_once, every_s=TICK_S, waits_first=True,
            failed=lambda: self._log.exception("periodic.failed"),
        )  # fmt: skip

    def feed_current(self) -> None:
        """Feeds the present periods, intensities and forecasts to the core."""
        self._feed_periods()
        self.feed_intensity()
        self._feed_forecasts()

    def start(self) -> None:
        """Starts the periodic tasks."""
        self._task.start()

    async def stop(self) -> None:
        """Stops the periodic tasks."""
        await self._task.stop()

    async def _run_once(self) -> None:
        self._check_store()
        if not self._driver.may_handle():
            return
        self._check_clock()
        self._nodes.report_seen_nodes()
        self._gateways.report_lost_gateways()
        self._gateways.report_waits()
        self._gateways.report_sent()
        self._feed_periods()
        self._feed_forecasts()
        self._driver.write_snapshot_if_due()
        hour_over = self._driver.now() >= self._hour_ends_at
        if hour_over or self._has_unfed_reading:
            self.feed_intensity()
        if hour_over:
            await self._nodes.renew_due_identities()
            await self._store.expire_explanations(self._driver.now())

    def _check_store(self) -> None:
        """Records why new work is refused because of the store, or that it no longer is."""
        faults = {
            "storage_full": not self._store.space.takes_kept_work(),
            "store_away": self._store.outage.is_present,
        }
        health = self._driver.health
        known = {incident.code for incident in health.incidents()}
        for code, is_present in faults.items():
            if not is_present:
                health.clear(code)
            elif code not in known:
                health.add(code)
                self._driver.occurrences.add(STORE_FAULTS[code])

    def _feed_periods(self) -> None:
        now = self._driver.now()
        for period in PERIODS:
            if now >= self._driver.get_period_end(period):
                ends_at = period_end(period, now, self._zone)
                self._driver.feed(e.PeriodBegan(*e.UNNUMBERED, period=period, ends_at=ends_at))

    def feed_intensity(self) -> None:
        """Feeds the intensities that differ from those fed last."""
        self._has_unfed_reading = False
        for reading in self._feed.readings_at(self._driver.now()):
            self._hour_ends_at = reading.valid_until
            previous = self._fed_readings.get(reading.zone)
            if reading == previous:
                continue
            self._fed_readings[reading.zone] = reading
            if previous is not None and previous.basis is not reading.basis:
                self._log.info("grid.basis", zone=reading.zone, basis=reading.basis.value)
            if not self._driver.feed(
                e.IntensityChanged(
                    *e.UNNUMBERED,
                    zone=reading.zone,
                    direct_g_per_kwh=reading.direct_g_per_kwh,
                    lifecycle_g_per_kwh=reading.lifecycle_g_per_kwh,
                    basis=reading.basis.value,
                    valid_until=reading.valid_until,
                )
            ):
                del self._fed_readings[reading.zone]
                self._has_unfed_reading = True  # the next tick feeds it again

    def _feed_forecasts(self) -> None:
        """Feeds each forecast once; the newest is fed again at a start, which changes nothing."""
        for issue in self._feed.forecasts_at(self._driver.now()):
            if self._fed_forecasts.get(issue.zone) == issue.issued_at:
                continue
            if self._driver.feed(
                e.ForecastIssued(
                    *e.UNNUMBERED,
                    zone=issue.zone,
                    issued_at=issue.issued_at,
                    start_at=issue.start_at,
                    direct_g_per_kwh=issue.direct_g_per_kwh,
                    lifecycle_g_per_kwh=issue.lifecycle_g_per_kwh,
                )
            ):
                self._fed_forecasts[issue.zone] = issue.issued_at
