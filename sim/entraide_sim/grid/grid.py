"""Grid: carbon intensity of electricity by zone and hour, actual and forecast, gCO2e/kWh.

The core gets ``IntensityChanged`` for the current hour and ``ForecastIssued`` for later hours;
emissions are computed from the actual intensity. Hours are UTC.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from math import cos, inf, pi
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from entraide_scheduler.core.events import ForecastIssued, IntensityChanged
from entraide_sim.driver import Driver
from entraide_sim.files import numbered_rows, parse_moment, parse_number, read_hours

HOUR_S = 3_600.0
DAY_H = 24
YEAR_H = 8_766
FORECAST_ERROR_PART = 1.2  # of a distant hour's error, as a part of the intensity's variation
FORECAST_PERSISTENCE = 0.95  # autocorrelation of a forecast's error from hour to hour
VARIATION_H = 72  # before a forecast, whose variation it shares
NOISE_PERSISTENCE = 0.9  # autocorrelation of the deviation from hour to hour


class IntensitySeries(Struct, frozen=True):
    """Hourly intensity of one zone, gCO2e/kWh, location-based.

    Attributes:
        zone: grid zone.
        start_at: start of the first hour, seconds since the epoch.
        direct, lifecycle: one value per hour; an empty ``lifecycle`` means as ``direct``.
        basis: ``measured``, ``estimated`` or ``default``.
    """

    zone: str
    start_at: float
    direct: tuple[float, ...]
    lifecycle: tuple[float, ...] = ()
    basis: str = "measured"

    def hour_index(self, moment: float) -> int:
        """Returns the index of the hour of a moment.

        Raises:
            ValueError: the series does not contain the moment.
        """
        index = int((moment - self.start_at) // HOUR_S)
        if not 0 <= index < len(self.direct):
            when = dt.datetime.fromtimestamp(moment, dt.UTC).isoformat()
            raise ValueError(f"the intensity series of {self.zone} has no hour for {when}")
        return index


class PublishedForecast(Struct, frozen=True):
    """A forecast of one zone: hourly values from ``start_at`` on, issued at ``issued_at``."""

    zone: str
    issued_at: float
    start_at: float
    direct: tuple[float, ...]
    lifecycle: tuple[float, ...] = ()


class Grid:
    """Intensities and forecasts of all zones.

    Attributes:
        current: the current hour's direct and life-cycle intensity by zone.
    """

    def __init__(
        self, series: Iterable[IntensitySeries], forecasts: Iterable[PublishedForecast] = ()
    ) -> None:
        self._series = {zone_series.zone: zone_series for zone_series in series}
        self._forecasts = sorted(
            forecasts, key=lambda forecast: (forecast.issued_at, forecast.zone)
        )
        self.current: dict[str, tuple[float, float]] = {}

    def zones(self) -> list[str]:
        """Returns the zones that have a series, sorted."""
        return sorted(self._series)

    def intensity_at(self, zone: str, moment: float) -> tuple[float, float]:
        """Returns the actual direct and life-cycle intensity.

        Raises:
            ValueError: the zone has no series, or the series does not contain the moment.
        """
        if zone not in self._series:
            raise ValueError(f"zone {zone} has no intensity series")
        series = self._series[zone]
        index = series.hour_index(moment)
        direct = series.direct[index]
        return direct, series.lifecycle[index] if series.lifecycle else direct

    def has_lifecycle(self, zone: str) -> bool:
        """Tells whether a zone's series has life-cycle intensities."""
        return bool(self._series[zone].lifecycle)

    def advance_to(self, moment: float) -> list[str]:
        """Advances to the hour of a moment; returns the zones whose intensity changed."""
        changed = []
        for zone in self.zones():
            intensity = self.intensity_at(zone, moment)
            if self.current.get(zone) != intensity:
                self.current[zone] = intensity
                changed.append(zone)
        return changed

    def deliver_intensity(self, driver: Driver, zone: str) -> None:
        """Delivers a zone's current intensity to the core."""
        direct, lifecycle = self.current[zone]
        series = self._series[zone]
        end_at = series.start_at + (series.hour_index(driver.now) + 1) * HOUR_S
        driver.deliver(IntensityChanged, zone, direct, lifecycle, series.basis, end_at)

    def schedule_forecasts(self, driver: Driver) -> None:
        """Schedules each forecast at its issue; of past ones, delivers each zone's newest."""
        known = {
            forecast.zone: forecast
            for forecast in self._forecasts
            if forecast.issued_at <= driver.now
        }
        for zone in sorted(known):
            self._deliver_forecast(driver, known[zone])
        to_come = iter(
            [forecast for forecast in self._forecasts if forecast.issued_at > driver.now]
        )
        self._schedule_forecast(driver, to_come)

    def _schedule_forecast(self, driver: Driver, to_come: Iterator[PublishedForecast]) -> None:
        forecast = next(to_come, None)
        if forecast is not None:
            driver.schedule(
                forecast.issued_at, self._deliver_next_forecast, (driver, forecast, to_come)
            )

    def _deliver_next_forecast(
        self, scheduled: tuple[Driver, PublishedForecast, Iterator[PublishedForecast]]
    ) -> None:
        driver, forecast, to_come = scheduled
        self._deliver_forecast(driver, forecast)
        self._schedule_forecast(driver, to_come)

    def _deliver_forecast(self, driver: Driver, forecast: PublishedForecast) -> None:
        driver.deliver(
            ForecastIssued,
            forecast.zone,
            forecast.issued_at,
            forecast.start_at,
            forecast.direct,
            forecast.lifecycle,
        )


# Sources of series.


def constant_series(zone: str, direct: float, *, start_at: float, hours: int) -> IntensitySeries:
    """Returns a constant series, gCO2e/kWh."""
    return IntensitySeries(zone, start_at, (direct,) * hours, basis="default")


def synthetic_series(
    zone: str,
    annual: float,
    *,
    start_at: float,
    hours: int,
    daily: float = 0.2,
    seasonal: float = 0.2,
    noise: float = 0.05,
    seed: int = 0,
) -> IntensitySeries:
    """Returns a synthetic series around an annual average, gCO2e/kWh, never below 0.

    ``annual * (1 + seasonal * cos(year) + daily * cos(day) + deviation)``: highest on 15 January
    and at 23 h UTC (18 h in Québec), with an hourly deviation (an AR(1) process of standard
    deviation ``noise``). Its basis is ``estimated``.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    shocks = rng.normal(0.0, noise * (1.0 - NOISE_PERSISTENCE**2) ** 0.5, hours).tolist()
    values, deviation = [], 0.0
    for index in range(hours):
        hour = int(start_at // HOUR_S) + index
        deviation = NOISE_PERSISTENCE * deviation + shocks[index]
        year = cos(2.0 * pi * (hour % YEAR_H - 14 * DAY_H) / YEAR_H)
        day = cos(2.0 * pi * (hour % DAY_H - 23) / DAY_H)
        values.append(max(0.0, annual * (1.0 + seasonal * year + daily * day + deviation)))
    return IntensitySeries(zone, start_at, tuple(values), basis="estimated")


def read_series(
    path: Path,
    *,
    zone: str,
    column: str = "ci_direct_g_per_kwh",
    lifecycle_column: str = "",
    start_at: float = 0.0,
    hours: int = 0,
) -> IntensitySeries:
    """Reads a CSV file with a ``utc`` column; see ``read_hours``.

    Args:
        path: the file.
        zone: grid zone.
        column: of the direct intensity, gCO2e/kWh.
        lifecycle_column: of the life-cycle intensity, or "".
        start_at: first hour, seconds since the epoch; 0 for the first of the file.
        hours: number of hours; 0 for all.

    Raises:
        ValueError: a column or an hour is missing, or a cell is invalid; the message names file
            and line.
    """
    columns = (column, lifecycle_column) if lifecycle_column else (column,)
    first_at, values = read_hours(
        path,
        columns,
        least=0.0,
        start_at=start_at,
        end_at=start_at + hours * HOUR_S if hours else inf,
    )
    if start_at and first_at > start_at:
        raise ValueError(f"{path}: no hours from the start on")
    direct, *lifecycle = zip(*values, strict=True)
    return IntensitySeries(zone, first_at, direct, lifecycle[0] if lifecycle else ())


def read_forecasts(path: Path, *, zone: str) -> list[PublishedForecast]:
    """Reads forecasts: ``issued_utc``, ``utc`` and ``forecast_ci_direct_g_per_kwh``, by issue.

    Negative values, which some forecast models produce near 0, count as 0.

    Raises:
        ValueError: as ``read_series``.
    """
    column = "forecast_ci_direct_g_per_kwh"
    issues: dict[float, list[tuple[float, float]]] = {}
    for line, row in numbered_rows(path, {"issued_utc", "utc", column}):
        moment = parse_moment(row["utc"], path, line)
        values = issues.setdefault(parse_moment(row["issued_utc"], path, line), [])
        if values and moment != values[-1][0] + HOUR_S:
            raise ValueError(f"{path}:{line}: the hour before is missing")
        values.append((moment, max(0.0, parse_number(row, column, path, line))))
    return [
        PublishedForecast(zone, issued_at, values[0][0], tuple(value for _, value in values))
        for issued_at, values in issues.items()
    ]


def synthetic_forecasts(
    series: IntensitySeries,
    *,
    hours: int = 96,
    error_part: float = FORECAST_ERROR_PART,
    seed: int = 0,
) -> list[PublishedForecast]:
    """Returns synthetic forecasts of a series, issued daily at 0 h UTC.

    The error is normal and correlated over hours (an AR(1) process that begins at 0 with each
    issue). It is relative to what there is to forecast: its standard deviation approaches
    ``error_part`` times that of the intensity in the three days before the issue and the forecast's
    own hours. Both constants were chosen on Ontario's published forecasts of 2023
    (``benchmarks.forecasts``).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    first = int(-(-series.start_at // HOUR_S)) % DAY_H
    issues = []
    for begin in range((DAY_H - first) % DAY_H, len(series.direct), DAY_H):
        ahead = series.direct[begin : begin + hours]
        near = series.direct[max(0, begin - VARIATION_H) : begin + hours]
        shock_part = error_part * (1.0 - FORECAST_PERSISTENCE**2) ** 0.5
        shocks = rng.normal(0.0, shock_part * float(np.std(near)), len(ahead)).tolist()
        values, error = [], 0.0
        for lead, value in enumerate(ahead):
            error = FORECAST_PERSISTENCE * error + shocks[lead] if lead else 0.0
            values.append(max(0.0, value + error))
        at = series.start_at + begin * HOUR_S
        issues.append(PublishedForecast(series.zone, at, at, tuple(values)))
    return issues


def scale_forecast_error(
    forecast: PublishedForecast, series: IntensitySeries, factor: float
) -> PublishedForecast:
    """Returns a forecast whose errors are multiplied by a factor; 0 makes it perfect.

    Hours outside the series are not changed, and no value falls below 0.
    """
    if factor == 1.0:
        return forecast
    begin = int((forecast.start_at - series.start_at) // HOUR_S)

    def scaled(values: tuple[float, ...], actual: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(
            max(0.0, actual[hour] + factor * (value - actual[hour]))
            if 0 <= hour < len(actual)
            else value
            for hour, value in enumerate(values, begin)
        )

    return msgspec.structs.replace(
        forecast,
        direct=scaled(forecast.direct, series.direct),
        lifecycle=scaled(forecast.lifecycle, series.lifecycle),
    )


def forecast_error_part(
    series: IntensitySeries, forecasts: Iterable[PublishedForecast], *, leads: range = range(DAY_H)
) -> float:
    """Returns the mean absolute error of forecasts over the mean intensity; 0 without hours."""
    error = actual = 0.0
    for issued in forecasts:
        begin = int((issued.start_at - series.start_at) // HOUR_S)
        for lead in leads[: len(issued.direct)]:
            if lead < len(issued.direct) and 0 <= begin + lead < len(series.direct):
                error += abs(issued.direct[lead] - series.direct[begin + lead])
                actual += series.direct[begin + lead]
    return error / actual if actual else 0.0


def step_value(steps: Sequence[tuple[float, float]], moment: float) -> float:
    """Returns the value of a step function of ascending (start, value); 0 before the first."""
    current = 0.0
    for begin, value in steps:
        if begin > moment:
            break
        current = value
    return current
