"""Intensity feed: each zone's carbon intensity and forecast at a given time.

In: a time, seconds since the epoch. Out: one reading per zone and the forecasts known then. For
each zone the first available source is used: an hour received from the API while it is valid, the
hourly series, the annual average. The operator may limit a zone to the series or to the average.
The reading's basis states the source.
"""

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from entraide.types import Basis
from entraide_scheduler.config import GridConfig
from entraide_scheduler.grid.annual import AnnualAverage, load_annual_averages
from entraide_scheduler.grid.csv_rows import HOUR_S
from entraide_scheduler.grid.forecasts import ForecastSeries, ZoneForecast, read_forecasts
from entraide_scheduler.grid.series import IntensitySeries, read_series


class IntensityReading(Struct, frozen=True):
    """A zone's intensity, gCO2e/kWh, valid until a time in seconds since the epoch."""

    zone: str
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: Basis
    valid_until: float


class ZoneSource(StrEnum):
    """A source of a zone's intensity, the most precise first."""

    ELECTRICITY_MAPS = "electricity_maps"
    SERIES = "series"
    ANNUAL = "annual"


class SourcedReading(Struct, frozen=True):
    """A reading with its source, and the time of its data, seconds since the epoch."""

    reading: IntensityReading
    source: ZoneSource
    data_at: float


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
        self._configured_series = dict(self._series)
        self._forecast_series = {item.zone: item for item in forecasts}
        self._annual = load_annual_averages() if annual is None else annual
        self._choices: dict[str, ZoneSource] = {}
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

    def put_series(self, series: IntensitySeries) -> None:
        """Replaces a zone's series."""
        self._series[series.zone] = series

    def choose_source(self, zone: str, source: ZoneSource) -> None:
        """Limits a zone to a source; data that is missing there comes from the sources after it."""
        self._choices[zone] = source

    def leave_to_configuration(self, zone: str) -> None:
        """Forgets a zone's choice, and what was put for it since the start."""
        for put in (self._choices, self._series, self._hours, self._received_forecasts):
            put.pop(zone, None)
        if zone in self._configured_series:
            self._series[zone] = self._configured_series[zone]

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
            if self._choices.get(zone) is ZoneSource.ANNUAL:
                continue
            from_file = (
                self._forecast_series[zone].newest_at(moment)
                if zone in self._forecast_series
                else None
            )
            is_allowed = self._choices.get(zone) is not ZoneSource.SERIES
            received = self._received_forecasts.get(zone) if is_allowed else None
            if received is not None and received.issued_at > moment:
                received = None
            candidates = [issue for issue in (from_file, received) if issue is not None]
            if candidates:
                newest.append(max(candidates, key=lambda issue: issue.issued_at))
        return tuple(newest)

    def readings_at(self, moment: float) -> tuple[IntensityReading, ...]:
        """Returns one reading for each zone, sorted by zone."""
        return tuple(sourced.reading for sourced in self.sources_at(moment))

    def sources_at(self, moment: float) -> tuple[SourcedReading, ...]:
        """Returns one reading for each zone with its source, sorted by zone."""
        zones = sorted(self._annual.keys() | self._series.keys() | self._hours.keys())
        candidates = (self._read(zone, moment) for zone in zones)
        return tuple(sourced for sourced in candidates if sourced is not None)

    def _read(self, zone: str, moment: float) -> SourcedReading | None:
        """Returns a zone's reading from the first source that is allowed and has the hour."""
        until = float((int(moment) // HOUR_S + 1) * HOUR_S)
        choice = self._choices.get(zone, ZoneSource.ELECTRICITY_MAPS)
        hour_now = self._hours.get(zone)
        if choice is ZoneSource.ELECTRICITY_MAPS and hour_now and hour_now.is_valid_at(moment):
            reading = hour_now.to_reading(moment, until)
            return SourcedReading(reading, ZoneSource.ELECTRICITY_MAPS, hour_now.start_at)
        series = self._series.get(zone)
        hour = series.value_at(moment) if series is not None else None
        if choice is not ZoneSource.ANNUAL and series is not None and hour is not None:
            reading = IntensityReading(zone, *hour, series.basis, until)
            return SourcedReading(reading, ZoneSource.SERIES, until - HOUR_S)
        if zone not in self._annual:
            return None
        year = self._annual[zone]
        values = year.direct_g_per_kwh, year.lifecycle_g_per_kwh
        reading = IntensityReading(zone, *values, Basis.DEFAULT, until)
        return SourcedReading(reading, ZoneSource.ANNUAL, _end_of_year(year.year))


def _end_of_year(year: int) -> float:
    return dt.datetime(year + 1, 1, 1, tzinfo=dt.UTC).timestamp()
