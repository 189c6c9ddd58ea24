"""A year of batch work on published intensities: a one-hour job each hour, with 24 h of slack.

No nodes and no world: hourly intensities of a zone, a number of slots, and the planner under test.
The reference fixes each job's hour at its arrival.
"""

import csv
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.house.source import ROOT

from entraide_scheduler.core import events
from entraide_scheduler.core.carbon import HOUR_S, ZoneCapacity
from entraide_scheduler.core.carbon.intensity_forecast import IntensityForecast
from entraide_scheduler.core.carbon.shift_planner import plan_starts
from entraide_scheduler.core.policy import Deferral

SERIES = ROOT.parent / "shared/data/carbon"
FIRST_HOUR = 1_672_531_200 // HOUR_S  # 2023-01-01T00:00Z
WARM_UP_H = 24  # hours before the first job, for a profile to be there
SPARE = 1_000  # slots: more than ever wait
Guess = Callable[[int, int], float]
Changed = Callable[[Sequence[float]], tuple[float, ...]]


class Saved(NamedTuple):
    """Grams saved against running at once, percent, and jobs that started too late."""

    percent: float
    late: int


@cache
def actual(zone: str) -> tuple[float, ...]:
    """The direct intensity of a zone in each hour of 2023, g/kWh."""
    with Path(SERIES / f"{zone}_2023_hourly.csv").open() as file:
        return tuple(float(row["ci_direct_g_per_kwh"]) for row in csv.DictReader(file))


@cache
def forecasts(zone: str) -> dict[int, tuple[float, ...]]:
    """The published forecasts of a zone: 96 hours each, by the hour of the year of their issue."""
    issues: dict[str, list[float]] = {}
    with Path(SERIES / f"{zone}_2023_forecast_96h.csv").open() as file:
        for row in csv.DictReader(file):
            value = float(row["forecast_ci_direct_g_per_kwh"])
            issues.setdefault(row["issued_utc"], []).append(value)
    return {day * 24: tuple(issues[issued]) for day, issued in enumerate(sorted(issues))}


def by_oracle(zone: str) -> Guess:
    """Returns the actual values of the year."""
    return lambda _, hour: actual(zone)[hour]


def by_forecast(zone: str) -> Guess:
    """Returns the values of the newest published forecast."""
    return lambda now, hour: forecasts(zone)[now // 24 * 24][hour - now // 24 * 24]


def by_yesterday(zone: str) -> Guess:
    """Returns the value of 24 h earlier, and the actual value for the present hour."""
    return lambda now, hour: actual(zone)[hour if hour == now else hour - (24, 48)[hour > now + 23]]


def arrivals(zone: str, slack_h: int) -> range:
    """The hours of the year in which a job arrives."""
    return range(WARM_UP_H, len(actual(zone)) - slack_h - 1)


def committed(zone: str, guess: Guess, *, slots: int, slack_h: int = 24) -> float:
    """Percent saved by jobs that each take, when they arrive, the best hour with a free slot."""
    grams, at_once, taken = 0.0, 0.0, {}
    for now in arrivals(zone, slack_h):
        hours = [h for h in range(now, now + slack_h + 1) if taken.get(h, 0) < slots]
        best = min(hours, key=lambda hour: (guess(now, hour), hour))
        taken[best] = taken.get(best, 0) + 1
        grams += actual(zone)[best]
        at_once += actual(zone)[now]
    return 100.0 * (1.0 - grams / at_once)


def inverted(values: Sequence[float]) -> tuple[float, ...]:
    """Returns a forecast mirrored between its extremes."""
    return tuple(max(values) + min(values) - value for value in values)


def record_hour(
    expected: IntensityForecast, zone: str, now: int, *, forecast: bool, changed: Changed = tuple
) -> None:
    """Records the signals that a pool receives in an hour of the year."""
    at = float((FIRST_HOUR + now) * HOUR_S)
    value = actual(zone)[now]
    expected.record_intensity(
        events.IntensityChanged(
            id=now,
            at=at,
            zone=zone,
            direct_g_per_kwh=value,
            lifecycle_g_per_kwh=value,
            basis="measured",
            valid_until=at + HOUR_S,
        )
    )
    if forecast and now in forecasts(zone):
        expected.record_forecast(
            events.ForecastIssued(now, at, zone, at, at, changed(forecasts(zone)[now]))
        )


def planned(
    zone: str,
    *,
    slots: int,
    forecast: bool,
    terms: Deferral | None = None,
    slack_h: int = 24,
    changed: Changed = tuple,
) -> Saved:
    """Returns the saving of the planner, which plans again each hour and after each start."""
    expected, work, grams, at_once, late = IntensityForecast(), {}, 0.0, 0.0, 0  # type: ignore[var-annotated]
    terms = Deferral() if terms is None else terms
    capacities = (ZoneCapacity(zone, slots),)
    jobs = arrivals(zone, slack_h)
    for now in range(len(actual(zone))):
        record_hour(expected, zone, now, forecast=forecast, changed=changed)
        at, g_per_kwh = float((FIRST_HOUR + now) * HOUR_S), actual(zone)[now]
        if now in jobs:
            work[FIRST_HOUR + now + slack_h] = HOUR_S
            at_once += g_per_kwh
        for _ in range(slots):
            first = min(work, default=None)
            if first is None:
                break
            limit = plan_starts(sorted(work.items()), capacities, expected, at=at, terms=terms)[
                first
            ]
            if not limit.allows(zone, g_per_kwh):
                break
            del work[first]
            grams += g_per_kwh
            late += FIRST_HOUR + now > first
    assert not work
    return Saved(100.0 * (1.0 - grams / at_once), late)
