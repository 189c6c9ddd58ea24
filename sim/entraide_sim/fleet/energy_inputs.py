"""Energy inputs: grid intensity of a scenario's zones; surplus and battery of its sites.

Reads the files that the scenario names. Without a file it generates a synthetic series around the
zone's annual average, forecasts with a typical error, or solar generation under random clouds, and
records each as an assumption.
"""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import msgspec

from entraide_sim import catalogue
from entraide_sim.files import read_hours
from entraide_sim.grid import (
    FORECAST_ERROR_PART,
    HOUR_S,
    Grid,
    IntensitySeries,
    PublishedForecast,
    forecast_error_part,
    read_forecasts,
    read_series,
    scale_forecast_error,
    solar_power,
    synthetic_forecasts,
    synthetic_series,
)
from entraide_sim.machines import J_PER_KWH, Battery
from entraide_sim.scenario import Assumption, Scenario, ScenarioSite

DRAIN_H = 24 * 9  # hours of series beyond the last request
DAILY_AMPLITUDE, SEASONAL_AMPLITUDE = 0.2, 0.2


def build_grid(scenario: Scenario, home: Path, seed: int) -> tuple[Grid, list[Assumption]]:
    """Returns the grid of all zones.

    Args:
        scenario: sound.
        home: folder of its files.
        seed: of the synthetic series and forecasts.

    Raises:
        ValueError: a file is invalid; the message names file and line.
    """
    series: list[IntensitySeries] = []
    forecasts: list[PublishedForecast] = []
    assumptions: list[Assumption] = []
    zones = {site.zone: site for site in reversed(scenario.sites)}
    hours = ceil(scenario.hours) + DRAIN_H
    for number, zone in enumerate(sorted(zones)):
        site = zones[zone]
        zone_series = _zone_series(
            scenario, site, home, hours=hours, seed=seed * 100 + number, assumptions=assumptions
        )
        series.append(zone_series)
        if site.forecast:
            published = read_forecasts(home / site.forecast, zone=zone)
            forecasts += [
                scale_forecast_error(forecast, zone_series, site.forecast_error)
                for forecast in published
                if forecast.issued_at < scenario.start_at + hours * 3_600
            ]
            assumptions.append(
                Assumption("forecast_file", "measured", {"zone": zone}, site.forecast)
            )
        else:
            error_part = FORECAST_ERROR_PART * site.forecast_error
            made = synthetic_forecasts(zone_series, error_part=error_part, seed=seed * 100 + number)
            forecasts += made
            percent = round(forecast_error_part(zone_series, made) * 100)
            values: dict[str, str | int | float] = {"zone": zone, "percent": percent}
            assumptions.append(Assumption("forecast_made", "default", values))
    return Grid(series, forecasts), assumptions


def _zone_series(
    scenario: Scenario,
    site: ScenarioSite,
    home: Path,
    *,
    hours: int,
    seed: int,
    assumptions: list[Assumption],
) -> IntensitySeries:
    start_at = scenario.start_at // HOUR_S * HOUR_S
    if site.intensity:
        measured = read_series(
            home / site.intensity,
            zone=site.zone,
            column=site.column,
            lifecycle_column=site.lifecycle_column,
            start_at=start_at,
            hours=hours,
        )
        if len(measured.direct) < scenario.hours:
            raise ValueError(f"{home / site.intensity}: the series ends before the scenario does")
        assumptions.append(
            Assumption("intensity_file", "measured", {"zone": site.zone}, Path(site.intensity).name)
        )
        return _extend_series(measured, hours)
    average = catalogue.zone_averages()[site.zone]
    assumptions.append(
        Assumption(
            "intensity_profile",
            "estimated",
            {
                "zone": site.zone,
                "year": str(average.year),
                "annual_g_per_kwh": average.direct_g_per_kwh,
            },
            average.source,
        )
    )
    made = synthetic_series(
        site.zone,
        average.direct_g_per_kwh,
        start_at=start_at,
        hours=hours,
        daily=DAILY_AMPLITUDE,
        seasonal=SEASONAL_AMPLITUDE,
        seed=seed,
    )
    offset = average.lifecycle_g_per_kwh - average.direct_g_per_kwh
    return msgspec.structs.replace(made, lifecycle=tuple(value + offset for value in made.direct))


def _extend_series(series: IntensitySeries, hours: int) -> IntensitySeries:
    """Repeats the last day of a series up to a number of hours."""

    def longer(values: tuple[float, ...]) -> tuple[float, ...]:
        missing = hours - len(values)
        if missing <= 0 or not values:
            return values
        last = values[-24:]
        return values + (last * (missing // len(last) + 1))[:missing]

    return msgspec.structs.replace(
        series, direct=longer(series.direct), lifecycle=longer(series.lifecycle)
    )


def site_surplus(
    scenario: Scenario, site: ScenarioSite, home: Path, *, seed: int
) -> tuple[list[tuple[float, float]], list[Assumption]]:
    """Returns a site's surplus as hourly steps, and its assumptions; no steps without surplus.

    Args:
        scenario: sound.
        site: one of its sites.
        home: folder of its files.
        seed: of the clouds.

    Raises:
        ValueError: the surplus file is invalid.
    """
    hours = ceil(scenario.hours) + DRAIN_H
    start_at = scenario.start_at // HOUR_S * HOUR_S
    assumptions: list[Assumption] = []
    if site.surplus:
        values = _read_surplus(home / site.surplus, start_at, hours)
        assumptions.append(
            Assumption("surplus_file", "measured", {"site": site.name}, Path(site.surplus).name)
        )
    elif site.solar is not None:
        values = _solar_surplus(scenario, site, hours=hours, start_at=start_at, seed=seed)
        assumptions.append(
            Assumption(
                "solar",
                "estimated",
                {
                    "site": site.name,
                    "peak_kw": site.solar.peak_kw,
                    "percent": round(site.solar.clearness * 100),
                    "own_use_w": site.own_use_w,
                },
            )
        )
    else:
        return [], []
    return _merge_equal_hours(values, start_at), assumptions


def site_battery(site: ScenarioSite) -> tuple[Battery, Assumption] | None:
    """Returns a site's battery and its assumption; None if the site has none."""
    declared = site.battery
    if declared is None:
        return None
    capacity_j = declared.capacity_kwh * J_PER_KWH
    floor_j = capacity_j * declared.floor_part
    values: dict[str, str | int | float] = {
        "site": site.name,
        "capacity_kwh": declared.capacity_kwh,
        "power_kw": declared.power_kw,
        "percent": round(declared.efficiency * 100),
        "floor_percent": round(declared.floor_part * 100),
    }
    battery = Battery(capacity_j, declared.power_kw * 1_000.0, declared.efficiency, floor_j)
    return battery, Assumption("battery", "declared", values)


def _solar_surplus(
    scenario: Scenario, site: ScenarioSite, *, hours: int, start_at: float, seed: int
) -> list[float]:
    solar = site.solar
    assert solar is not None
    number = [other.name for other in scenario.sites].index(site.name)
    sky = solar_power.cloud_clearness(hours, clearness=solar.clearness, seed=seed, number=number)
    return [
        max(
            0.0,
            solar_power.panel_power_w(
                start_at + (index + 0.5) * HOUR_S,
                peak_kw=solar.peak_kw,
                latitude=solar.latitude,
                longitude=solar.longitude,
                tilt_deg=solar.tilt_deg,
                clearness=sky[index],
            )
            - site.own_use_w,
        )
        for index in range(hours)
    ]


def _read_surplus(path: Path, start_at: float, hours: int) -> list[float]:
    end_at = start_at + hours * HOUR_S
    first_at, rows = read_hours(path, ("surplus_w",), start_at=start_at, end_at=end_at)
    if first_at > start_at:
        raise ValueError(f"{path}: no hours from the start on")
    if len(rows) < hours - DRAIN_H:
        raise ValueError(f"{path}: the series ends before the scenario does")
    return [max(0.0, surplus_w) for (surplus_w,) in rows]


def _merge_equal_hours(values: Sequence[float], start_at: float) -> list[tuple[float, float]]:
    """Merges consecutive hours with the same value."""
    steps: list[tuple[float, float]] = []
    for index, value in enumerate(values):
        if not steps or steps[-1][1] != value:
            steps.append((start_at + index * HOUR_S, value))
    return steps
