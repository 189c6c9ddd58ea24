"""Feed: what each zone's intensity is now, when that ends, and what is forecast.

What somebody told it while it ran goes first, for as long as that holds; then a series' value of
the hour; and where there is neither the zone falls back to its annual average. The basis says which
of them it is. It reads no clock: it is asked for a moment.
"""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from entraide.types import Basis
from entraide_scheduler.config import GridConfig
from entraide_scheduler.grid.annual import Annual, annual_averages
from entraide_scheduler.grid.forecasts import Forecasts, Issue, read_forecasts
from entraide_scheduler.grid.series import HOUR_S, Series, read_series


class Reading(Struct, frozen=True):
    """A zone's intensity, and until when it holds, seconds since the epoch."""

    zone: str
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: Basis
    valid_until: float


class Hour(Struct, frozen=True):
    """A zone's intensity in one hour, as somebody told it.

    Attributes:
        zone: which zone.
        start_at: begin of the hour, seconds since the epoch.
        direct_g_per_kwh, lifecycle_g_per_kwh: the intensities.
        basis: measured, or estimated by whoever told it.
    """

    zone: str
    start_at: float
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: Basis

    def holds(self, moment: float) -> bool:
        """Whether it can still be used: in its own hour, and in the next while that is awaited."""
        return self.start_at <= moment < self.start_at + 2 * HOUR_S

    def reading(self, moment: float, until: float) -> Reading:
        """Returns it as of a moment; an hour that stands for the next one is an estimate."""
        own = moment < self.start_at + HOUR_S
        basis = self.basis if own else Basis.ESTIMATED
        return Reading(self.zone, self.direct_g_per_kwh, self.lifecycle_g_per_kwh, basis, until)


class Feed:
    """Readings of all known zones at a moment, and the forecasts known then."""

    def __init__(
        self,
        series: Iterable[Series],
        annual: dict[str, Annual] | None = None,
        forecasts: Iterable[Forecasts] = (),
    ) -> None:
        self._series = {one.zone: one for one in series}
        self._forecasts = {one.zone: one for one in forecasts}
        self._annual = annual_averages() if annual is None else annual
        self._told: dict[str, Hour] = {}
        self._issued: dict[str, Issue] = {}
        self.revision = 0  # grows with whatever is told

    @classmethod
    def of(cls, config: GridConfig) -> "Feed":
        """Makes the feed that a config describes.

        Raises:
            PoolError: ``series_refused``.
        """
        series = (
            read_series(
                Path(one.file),
                zone=one.zone,
                column=one.column,
                lifecycle_column=one.lifecycle_column,
                year_shift=one.year_shift,
            )
            for one in config.series
        )
        forecasts = (
            read_forecasts(
                Path(one.file),
                zone=one.zone,
                column=one.column,
                lifecycle_column=one.lifecycle_column,
                year_shift=one.year_shift,
            )
            for one in config.forecasts
        )
        return cls(series, forecasts=forecasts)

    def tell(self, hour: Hour) -> None:
        """Takes a zone's newest hour."""
        if self._told.get(hour.zone) != hour:
            self._told[hour.zone] = hour
            self.revision += 1

    def issue(self, issue: Issue) -> None:
        """Takes a zone's newest forecast."""
        self._issued[issue.zone] = issue

    def forecasts(self, moment: float) -> tuple[Issue, ...]:
        """Returns the newest forecast of each zone that has one at a moment, in order of zone."""
        newest = []
        for zone in sorted(self._forecasts.keys() | self._issued.keys()):
            filed = self._forecasts[zone].at(moment) if zone in self._forecasts else None
            told = self._issued.get(zone)
            if told is not None and told.issued_at > moment:
                told = None
            known = [issue for issue in (filed, told) if issue is not None]
            if known:
                newest.append(max(known, key=lambda issue: issue.issued_at))
        return tuple(newest)

    def at(self, moment: float) -> tuple[Reading, ...]:
        """Returns one reading for each zone, in order of zone."""
        until = float((int(moment) // HOUR_S + 1) * HOUR_S)
        readings = []
        for zone in sorted(self._annual.keys() | self._series.keys() | self._told.keys()):
            told = self._told.get(zone)
            if told is not None and told.holds(moment):
                readings.append(told.reading(moment, until))
                continue
            hour = self._series[zone].at(moment) if zone in self._series else None
            if hour is not None:
                readings.append(Reading(zone, *hour, self._series[zone].basis, until))
            elif zone in self._annual:
                year = self._annual[zone]
                readings.append(
                    Reading(
                        zone,
                        year.direct_g_per_kwh,
                        year.lifecycle_g_per_kwh,
                        Basis.DEFAULT,
                        until,
                    )
                )
        return tuple(readings)
