"""Forecasts: issues of a zone's hourly forecast from a CSV file.

A forecast is known from its issue time on and not before, also when an earlier year is played. An
issue ends at the first hour that it does not have: a gap is no value.
"""

import math
from bisect import bisect_right
from pathlib import Path

from msgspec import Struct

from entraide_scheduler.grid.csv_rows import numbered_rows, parse_time, series_error
from entraide_scheduler.grid.series import HOUR_S

HOURS_MAX = 24 * 31  # of one issue


class ZoneForecast(Struct, frozen=True):
    """One forecast of a zone, gCO2e/kWh.

    Attributes:
        zone: which zone.
        issued_at: when it was made, seconds since the epoch.
        start_at: begin of its first hour, seconds since the epoch.
        direct_g_per_kwh, lifecycle_g_per_kwh: a value for each hour from there on; the latter is
            empty when the file has none.
    """

    zone: str
    issued_at: float
    start_at: float
    direct_g_per_kwh: tuple[float, ...]
    lifecycle_g_per_kwh: tuple[float, ...] = ()


class ForecastSeries(Struct, frozen=True):
    """All issues of a zone, oldest first."""

    zone: str
    forecasts: tuple[ZoneForecast, ...]

    def newest_at(self, moment: float) -> ZoneForecast | None:
        """Returns the newest issue known at a moment; None before the first."""
        place = bisect_right(self.forecasts, moment, key=lambda issue: issue.issued_at)
        return self.forecasts[place - 1] if place else None


def read_forecasts(
    path: Path, *, zone: str, column: str, lifecycle_column: str = "", year_shift: int = 0
) -> ForecastSeries:
    """Reads a CSV file with columns ``issued_utc`` and ``utc`` (ISO 8601) and one or two of values.

    Args:
        path: the file.
        zone: which zone it is about.
        column: of direct intensity.
        lifecycle_column: of life-cycle intensity; "" when there is none.
        year_shift: years added to all its times, to play an earlier year now.

    Raises:
        PoolError: ``series_refused``: the file or a column is not there, or a cell is no number.
    """
    values = (column, lifecycle_column) if lifecycle_column else (column,)
    cells: dict[float, dict[int, tuple[float, ...]]] = {}
    for number, row in numbered_rows(path, ("issued_utc", "utc", *values)):
        if not all(row[name] for name in values):
            continue
        try:
            issued_at = parse_time(row["issued_utc"], year_shift)
            hour = int(parse_time(row["utc"], year_shift)) // HOUR_S
            intensities = tuple(float(row[name]) for name in values)
        except ValueError as problem:
            raise series_error(path, f"row {number}: {problem}") from problem
        if not all(math.isfinite(value) and value >= 0.0 for value in intensities):
            raise series_error(path, f"row {number}: {intensities} are no intensities")
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
