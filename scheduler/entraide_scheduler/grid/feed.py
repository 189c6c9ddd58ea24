"""Feed: what each zone's intensity is now, when that ends, and what is forecast.

A series gives the hour's value; where it has none the zone falls back to its annual average, and
the basis says which of the two it is. It reads no clock: it is asked for a moment.
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

    def forecasts(self, moment: float) -> tuple[Issue, ...]:
        """Returns the newest forecast of each zone that has one at a moment, in order of zone."""
        found = (self._forecasts[zone].at(moment) for zone in sorted(self._forecasts))
        return tuple(issue for issue in found if issue is not None)

    def at(self, moment: float) -> tuple[Reading, ...]:
        """Returns one reading for each zone, in order of zone."""
        until = float((int(moment) // HOUR_S + 1) * HOUR_S)
        readings = []
        for zone in sorted(self._annual.keys() | self._series.keys()):
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
