"""Intensity feed: each zone's carbon intensity and forecast at a given time.

In: a time, seconds since the epoch. Out: one reading per zone and the forecasts known then. For
each zone the first available source is used: an hour received from the API while it is valid, the
hourly series, the annual average. The reading's basis states the source.
"""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from entraide.types import Basis
from entraide_scheduler.config import GridConfig
from entraide_scheduler.grid.annual import AnnualAverage, load_annual_averages
from entraide_scheduler.grid.forecasts import ForecastSeries, ZoneForecast, read_forecasts
from entraide_scheduler.grid.series import HOUR_S, IntensitySeries, read_series


class IntensityReading(Struct, frozen=True):
    """A zone's intensity, gCO2e/kWh, valid until a time in seconds since the epoch."""

    zone: str
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: Basis
    valid_until: float


class HourlyIntensity(Struct, frozen=True):
    """A zone's intensity in one hour, as received from an API.

    Attributes:
        zone: name of the zone.
        start_at: start of the hour, seconds since the epoch.
        direct_g_per_kwh, lifecycle_g_per_kwh: intensities, gCO2e/kWh.
        basis: measured, or estimated by the source.
    """

    zone: str
    start_at: float
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: Basis

    def is_valid_at(self, moment: float) -> bool:
        """Whether it is usable at a time: in its own hour, and in the next one as an estimate."""
        return self.start_at <= moment < self.start_at + 2 * HOUR_S

    def to_reading(self, moment: float, until: float) -> IntensityReading:
        """Returns the reading at a time; in the following hour its basis is ``estimated``."""
        own = moment < self.start_at + HOUR_S
        basis = self.basis if own else Basis.ESTIMATED
        return IntensityReading(
            self.zone, self.direct_g_per_kwh, self.lifecycle_g_per_kwh, basis, until
        )


class IntensityFeed:
    """Readings and forecasts of all known zones."""

    def __init__(
        self,
        series: Iterable[IntensitySeries],
        annual: dict[str, AnnualAverage] | None = None,
        forecasts: Iterable[ForecastSeries] = (),
    ) -> None:
        self._series = {item.zone: item for item in series}
        self._forecast_series = {item.zone: item for item in forecasts}
        self._annual = load_annual_averages() if annual is None else annual
        self._hours: dict[str, HourlyIntensity] = {}
        self._received_forecasts: dict[str, ZoneForecast] = {}

    @classmethod
    def from_config(cls, config: GridConfig) -> "IntensityFeed":
        """Creates a feed from the ``[grid]`` config.

        Raises:
            PoolError: ``series_refused``.
        """
        series = (
            read_series(
                Path(item.file),
                zone=item.zone,
                column=item.column,
                lifecycle_column=item.lifecycle_column,
                year_shift=item.year_shift,
            )
            for item in config.series
        )
        forecasts = (
            read_forecasts(
                Path(item.file),
                zone=item.zone,
                column=item.column,
                lifecycle_column=item.lifecycle_column,
                year_shift=item.year_shift,
            )
            for item in config.forecasts
        )
        return cls(series, forecasts=forecasts)

    def put_hour(self, hour: HourlyIntensity) -> bool:
        """Stores a zone's newest hour; returns whether it differs from the stored one."""
        is_new = self._hours.get(hour.zone) != hour
        self._hours[hour.zone] = hour
        return is_new

    def put_forecast(self, issue: ZoneForecast) -> None:
        """Stores a zone's newest forecast."""
        self._received_forecasts[issue.zone] = issue

    def forecasts_at(self, moment: float) -> tuple[ZoneForecast, ...]:
        """Returns the newest forecast of each zone at a time, sorted by zone."""
        newest = []
        for zone in sorted(self._forecast_series.keys() | self._received_forecasts.keys()):
            from_file = (
                self._forecast_series[zone].newest_at(moment)
                if zone in self._forecast_series
                else None
            )
            received = self._received_forecasts.get(zone)
            if received is not None and received.issued_at > moment:
                received = None
            candidates = [issue for issue in (from_file, received) if issue is not None]
            if candidates:
                newest.append(max(candidates, key=lambda issue: issue.issued_at))
        return tuple(newest)

    def readings_at(self, moment: float) -> tuple[IntensityReading, ...]:
        """Returns one reading for each zone, sorted by zone."""
        until = float((int(moment) // HOUR_S + 1) * HOUR_S)
        readings = []
        for zone in sorted(self._annual.keys() | self._series.keys() | self._hours.keys()):
            hour_now = self._hours.get(zone)
            if hour_now is not None and hour_now.is_valid_at(moment):
                readings.append(hour_now.to_reading(moment, until))
                continue
            hour = self._series[zone].value_at(moment) if zone in self._series else None
            if hour is not None:
                readings.append(IntensityReading(zone, *hour, self._series[zone].basis, until))
            elif zone in self._annual:
                year = self._annual[zone]
                readings.append(
                    IntensityReading(
                        zone,
                        year.direct_g_per_kwh,
                        year.lifecycle_g_per_kwh,
                        Basis.DEFAULT,
                        until,
                    )
                )
        return tuple(readings)
