"""Forecasts: a zone's hourly intensity forecasts from a CSV file.

A forecast is known from its issue time on, also when an earlier year is replayed. It ends at the
first missing hour.
"""

from bisect import bisect_right
from pathlib import Path

from msgspec import Struct

from entraide.printable import shortened
from entraide_scheduler.grid.csv_rows import (
    HOUR_S,
    VALUE_CHARS_MAX,
    parse_hour,
    parse_intensity,
    parse_time,
    read_rows,
    series_error,
)

HOURS_MAX = 24 * 31  # of one forecast


class ZoneForecast(Struct, frozen=True):
    """One forecast of a zone, gCO2e/kWh.

    Attributes:
        zone: name of the zone.
        issued_at: issue time, seconds since the epoch.
        start_at: start of its first hour, seconds since the epoch.
        direct_g_per_kwh, lifecycle_g_per_kwh: one value per hour from ``start_at``; the latter
            is empty if the source has no life-cycle values.
    """

    zone: str
    issued_at: float
    start_at: float
    direct_g_per_kwh: tuple[float, ...]
    lifecycle_g_per_kwh: tuple[float, ...] = ()


class ForecastSeries(Struct, frozen=True):
    """All forecasts of a zone, oldest first."""

    zone: str
    forecasts: tuple[ZoneForecast, ...]

    def newest_at(self, moment: float) -> ZoneForecast | None:
        """Returns the newest forecast known at a time; None before the first."""
        place = bisect_right(self.forecasts, moment, key=lambda issue: issue.issued_at)
        return self.forecasts[place - 1] if place else None


def read_forecasts(
    path: Path, *, zone: str, column: str, lifecycle_column: str = "", year_shift: int = 0
) -> ForecastSeries:
    """Reads a CSV file with columns ``issued_utc`` and ``utc`` (ISO 8601) and one or two of values.

    Args:
        path: the file.
        zone: name of the zone.
        column: column of direct intensity, gCO2e/kWh.
        lifecycle_column: column of life-cycle intensity, or "".
        year_shift: years added to all times, to replay an earlier year.

    Raises:
        PoolError: ``series_refused``: the file or a column is missing, or a cell is no number.
    """
    values = (column, lifecycle_column) if lifecycle_column else (column,)
    cells: dict[float, dict[int, tuple[float, ...]]] = {}
    for number, row in read_rows(path, ("issued_utc", "utc", *values)):
        if not all(row[name] for name in values):
            continue
        try:
            issued_at = parse_time(row["issued_utc"], year_shift)
        except ValueError:
            shown = shortened(row["issued_utc"], VALUE_CHARS_MAX)
            raise series_error(path, "no_time", line=number, value=shown) from None
        hour = parse_hour(path, number, row["utc"], year_shift) // HOUR_S
        intensities = tuple(parse_intensity(path, number, row, name) for name in values)
        cells.setdefault(issued_at, {})[hour] = intensities
    issues = (_build_forecast(zone, issued_at, cells[issued_at]) for issued_at in sorted(cells))
    return ForecastSeries(zone, tuple(issues))


def _build_forecast(
    zone: str, issued_at: float, hours: dict[int, tuple[float, ...]]
) -> ZoneForecast:
    first = min(hours)
    run: list[tuple[float, ...]] = []
    while len(run) < HOURS_MAX and first + len(run) in hours:
        run.append(hours[first + len(run)])
    direct, *lifecycle = zip(*run, strict=True)
    return ZoneForecast(
        zone, issued_at, float(first * HOUR_S), direct, lifecycle[0] if lifecycle else ()
    )
