"""Grid poller: fetches intensities and forecasts from Electricity Maps into the feed.

Each zone is polled at the configured interval. After failures the interval doubles up to
``RETRY_MAX_S``, respects ``Retry-After``, and is one day for forecasts that the contract lacks.
Without fresh data, the feed falls back to series and averages.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from entraide_scheduler.config import ElectricityMapsConfig
from entraide_scheduler.grid.electricitymaps import REFUSED, ElectricityMaps, FetchFailure
from entraide_scheduler.grid.feed import HourlyIntensity, IntensityFeed
from entraide_scheduler.grid.forecasts import ZoneForecast

FORECAST_EVERY_S = 3_600.0
RETRY_MAX_S = 3_600.0
REFUSED_EVERY_S = 86_400.0
DOUBLINGS_MAX = 6
TOKEN_BYTES_MAX = 4_096
PAUSE_S = 1.0  # between two rounds


class GridPoller:
    """Polls until it is stopped."""

    def __init__(
        self,
        config: ElectricityMapsConfig,
        feed: IntensityFeed,
        *,
        now: Callable[[], float],
        on_new_hour: Callable[[], None],
    ) -> None:
        """Creates a poller; ``start`` starts it.

        Args:
            config: zones and intervals.
            feed: receives the results.
            now: seconds since the epoch.
            on_new_hour: called after the feed received a new hour of a zone.
        """
        self._config = config
        self._feed = feed
        self._now = now
        self._on_new_hour = on_new_hour
        self._failures: dict[tuple[str, str], int] = {}
        self._due: dict[tuple[str, str], float] = {}
        self._log = structlog.get_logger("entraide.grid")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts polling; without a token it logs a warning and does not poll."""
        token = _token(self._config)
        if not token:
            self._log.warning("grid.no_token", zones=self._config.zones)
            return
        api = ElectricityMaps(self._config, token)
        self._task = asyncio.create_task(self._run(api), name="grid")

    async def stop(self) -> None:
        """Stops polling."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self, api: ElectricityMaps) -> None:
        try:
            while True:
                try:
                    await self.poll_due(api)
                except Exception:  # noqa: BLE001  (an error must not stop the next round)
                    self._log.exception("grid.broken")
                await asyncio.sleep(PAUSE_S)
        finally:
            await api.close()

    async def poll_due(self, api: ElectricityMaps) -> None:
        """Fetches everything that is due."""
        for zone in self._config.zones:
            if self._is_due(zone, "latest"):
                self._record_result(
                    zone, "latest", await api.fetch_latest(zone), self._config.every_s
                )
            if self._config.forecasts and self._is_due(zone, "forecast"):
                result = await api.fetch_forecast(zone, self._now())
                self._record_result(zone, "forecast", result, FORECAST_EVERY_S)

    def _is_due(self, zone: str, what: str) -> bool:
        return self._now() >= self._due.get((zone, what), 0.0)

    def _record_result(
        self,
        zone: str,
        what: str,
        result: HourlyIntensity | ZoneForecast | FetchFailure,
        every_s: float,
    ) -> None:
        key, failures = (zone, what), self._failures.get((zone, what), 0)
        if isinstance(result, FetchFailure):
            if failures == 0:
                self._log.warning(
                    "grid.lost", zone=zone, what=what, code=result.code, status=result.status
                )
            self._failures[key] = failures + 1
            self._due[key] = self._now() + _wait_s(result, what, every_s, failures)
            return
        if failures:
            self._log.info("grid.found", zone=zone, what=what)
        self._failures[key] = 0
        self._due[key] = self._now() + every_s
        if isinstance(result, ZoneForecast):
            self._feed.put_forecast(result)
        elif self._feed.put_hour(result):
            self._on_new_hour()


def _wait_s(failure: FetchFailure, what: str, every_s: float, failures: int) -> float:
    """Returns the wait after a failure, seconds."""
    if failure.code == REFUSED and what == "forecast":
        return REFUSED_EVERY_S
    growing_s = every_s * float(1 << min(failures, DOUBLINGS_MAX))
    return max(min(max(RETRY_MAX_S, every_s), growing_s), failure.retry_s)


def _token(config: ElectricityMapsConfig) -> str:
    if not config.token_file:
        return os.environ.get(config.token_env, "").strip()
    try:
        with Path(config.token_file).open("rb") as file:
            return file.read(TOKEN_BYTES_MAX).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
