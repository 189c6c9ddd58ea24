"""Intensity forecast: expected values by hour, and the signal that each comes from."""

from typing import Any

import msgspec
import pytest
from tests.core.builders import START

from entraide_scheduler.core import events
from entraide_scheduler.core.carbon import HOUR_S, Signal, ZoneSignals
from entraide_scheduler.core.carbon.intensity_forecast import (
    HORIZON_HOURS,
    MEMORY_DAYS,
    PROFILE_VALID_HOURS,
    ExpectedIntensity,
    IntensityForecast,
)
from entraide_scheduler.core.policy import Deferral, IntensityBasis

ZONE = "CA-ON"
HOUR = int(START) // HOUR_S + 1
AT = float(HOUR * HOUR_S)


def record_actual(
    zone_forecast: IntensityForecast, g_per_kwh: float, *, hour: int = HOUR, **changes: Any
) -> None:
    at = float(hour * HOUR_S)
    values = {
        "id": 1,
        "at": at,
        "zone": ZONE,
        "direct_g_per_kwh": g_per_kwh,
        "lifecycle_g_per_kwh": g_per_kwh + 30.0,
        "basis": "measured",
        "valid_until": at + HOUR_S,
    }
    zone_forecast.record_intensity(events.IntensityChanged(**{**values, **changes}))


def record_forecast(
    zone_forecast: IntensityForecast, *g_per_kwh: float, issued_at: float = AT, **changes: Any
) -> None:
    values = {
        "id": 2,
        "at": issued_at,
        "zone": ZONE,
        "issued_at": issued_at,
        "start_at": AT,
        "direct_g_per_kwh": g_per_kwh,
    }
    zone_forecast.record_forecast(events.ForecastIssued(**{**values, **changes}))


def expected(
    zone_forecast: IntensityForecast, ahead: int, *, now: int = HOUR
) -> ExpectedIntensity | None:
    return zone_forecast.expected(ZONE, now + ahead, at=float(now * HOUR_S) + 100.0)


def test_nothing_is_expected_of_a_zone_nobody_told_of() -> None:
    """Of an unknown zone nothing is expected, in any hour."""
    assert {None} == set(IntensityForecast().curve(ZONE, at=AT))


def test_the_present_hour_is_as_it_was_told() -> None:
    """The present hour is the actual value; no later hour is known by it alone."""
    zone_forecast = IntensityForecast()
    record_actual(zone_forecast, 40.0)

    assert ExpectedIntensity(40.0, Signal.ACTUAL) == expected(zone_forecast, 0)
    assert None is expected(zone_forecast, 1)


def test_hours_that_are_over_or_too_far_are_not_expected() -> None:
    """An hour before now, or beyond the horizon, has no expectation."""
    zone_forecast = IntensityForecast()
    record_actual(zone_forecast, 40.0)
    record_actual(zone_forecast, 41.0, hour=HOUR + 1)

    assert None is expected(zone_forecast, -1, now=HOUR + 1)
    assert None is expected(zone_forecast, HORIZON_HOURS, now=HOUR + 1)


def test_a_forecast_speaks_for_the_hours_that_it_covers() -> None:
    """Hours within a forecast are forecast; those behind it are not known."""
    zone_forecast = IntensityForecast()
    record_forecast(zone_forecast, 50.0, 20.0)

    assert [
        ExpectedIntensity(50.0, Signal.FORECAST),
        ExpectedIntensity(20.0, Signal.FORECAST),
        None,
    ] == [expected(zone_forecast, ahead) for ahead in range(3)]


def test_a_forecast_is_corrected_by_what_is_seen() -> None:
    """Where the present is twice what was forecast, the next hours are raised, ever less."""
    zone_forecast = IntensityForecast()
    record_forecast(zone_forecast, 20.0, 20.0, 20.0)
    record_actual(zone_forecast, 40.0)

    assert [40.0, 39.0, pytest.approx(38.05)] == [
        value.g_per_kwh for ahead in range(3) if (value := expected(zone_forecast, ahead))
    ]


def test_a_correction_has_bounds() -> None:
    """A present a hundred times the forecast raises the next hour five times at the most."""
    zone_forecast = IntensityForecast()
    record_forecast(zone_forecast, 1.0, 1.0)
    record_actual(zone_forecast, 100.0)

    assert ExpectedIntensity(1.0 + 4.0 * 0.95, Signal.FORECAST) == expected(zone_forecast, 1)


def test_a_forecast_of_nothing_is_not_a_divisor() -> None:
    """A forecast of 0 g for the present hour corrects nothing."""
    zone_forecast = IntensityForecast()
    record_forecast(zone_forecast, 0.0, 7.0)
    record_actual(zone_forecast, 3.0)

    assert ExpectedIntensity(7.0, Signal.FORECAST) == expected(zone_forecast, 1)


def test_an_old_forecast_is_not_used() -> None:
    """A forecast is dropped so long after its issue as the policy says."""
    zone_forecast = IntensityForecast()
    record_forecast(zone_forecast, *[50.0] * 96)
    zone_forecast.apply_policy(IntensityBasis.DIRECT, Deferral(forecast_valid_s=2.0 * HOUR_S))

    assert ExpectedIntensity(50.0, Signal.FORECAST) == expected(zone_forecast, 0, now=HOUR + 1)
    assert None is expected(zone_forecast, 0, now=HOUR + 2)


def test_the_newest_issue_counts() -> None:
    """An issue replaces the one before, and one that comes late changes nothing."""
    zone_forecast = IntensityForecast()
    record_forecast(zone_forecast, 50.0)
    record_forecast(zone_forecast, 60.0, issued_at=AT + 10.0)
    record_forecast(zone_forecast, 70.0, issued_at=AT + 5.0)

    assert ExpectedIntensity(60.0, Signal.FORECAST) == expected(zone_forecast, 0)


def test_yesterday_is_the_profile() -> None:
    """Without a forecast an hour is expected to be as it was a day before."""
    zone_forecast = IntensityForecast()
    for hour in range(24):
        record_actual(zone_forecast, 10.0 + hour, hour=HOUR + hour)
    record_actual(zone_forecast, 10.0, hour=HOUR + 24)

    assert [ExpectedIntensity(10.0, Signal.ACTUAL)] + [
        ExpectedIntensity(10.0 + hour, Signal.PROFILE) for hour in range(1, 24)
    ] == [expected(zone_forecast, ahead, now=HOUR + 24) for ahead in range(24)]


def test_the_profile_is_corrected_by_what_is_seen() -> None:
    """On a day that starts twice as dirty as usual, its next hours are raised too."""
    zone_forecast = IntensityForecast()
    for hour in range(24):
        record_actual(zone_forecast, 10.0, hour=HOUR + hour)
    record_actual(zone_forecast, 20.0, hour=HOUR + 24)

    assert ExpectedIntensity(19.5, Signal.PROFILE) == expected(zone_forecast, 1, now=HOUR + 24)


def test_the_profile_remembers_some_days() -> None:
    """A day counts fully at first, and as one of eight once eight were seen."""
    zone_forecast = IntensityForecast()
    record_actual(zone_forecast, 10.0)
    record_actual(zone_forecast, 20.0, hour=HOUR + 24)
    profile = zone_forecast.dump()[IntensityBasis.DIRECT][ZONE].profile[HOUR % 24]
    means = [profile.mean]
    for day in range(2, 12):
        record_actual(zone_forecast, 15.0, hour=HOUR + 24 * day)
    record_actual(zone_forecast, 15.0 + MEMORY_DAYS, hour=HOUR + 24 * 12)
    means.append(profile.mean)

    assert [15.0, 16.0] == means


def test_an_hour_told_twice_counts_once() -> None:
    """A second value for the same hour replaces the first, in the profile too."""
    zone_forecast, once = IntensityForecast(), IntensityForecast()
    for day in range(3):
        record_actual(zone_forecast, 10.0, hour=HOUR + 24 * day)
        record_actual(zone_forecast, 30.0 + day, hour=HOUR + 24 * day)
        record_actual(once, 30.0 + day, hour=HOUR + 24 * day)

    assert once.dump() == zone_forecast.dump()


def test_an_actual_that_has_run_out_gives_way() -> None:
    """After the actual value expires, the profile is used, with the decaying correction."""
    zone_forecast = IntensityForecast()
    for day in range(2):
        for hour in range(24):
            record_actual(zone_forecast, 10.0, hour=HOUR + 24 * day + hour)
    record_actual(zone_forecast, 20.0, hour=HOUR + 48)

    assert ExpectedIntensity(10.0 * (1.0 + 0.95), Signal.PROFILE) == expected(
        zone_forecast, 0, now=HOUR + 49
    )


def test_a_profile_is_forgotten() -> None:
    """An hour of the day that was not seen for a week is not known any more."""
    zone_forecast = IntensityForecast()
    record_actual(zone_forecast, 10.0)

    assert expected(zone_forecast, 24, now=HOUR + PROFILE_VALID_HOURS) is not None
    assert None is expected(zone_forecast, 24 - 1, now=HOUR + PROFILE_VALID_HOURS + 1)


def test_an_annual_average_is_the_same_in_every_hour() -> None:
    """A zone with an annual average alone is expected to stay at it, so nobody waits for it."""
    zone_forecast = IntensityForecast()
    record_actual(zone_forecast, 300.0, basis="default")

    assert {ExpectedIntensity(300.0, Signal.DEFAULT)} == set(zone_forecast.curve(ZONE, at=AT))


def test_an_annual_average_teaches_nothing() -> None:
    """Where hourly values are known, an annual average between them is no value of its hour."""
    zone_forecast = IntensityForecast()
    record_actual(zone_forecast, 40.0)
    record_actual(zone_forecast, 300.0, basis="default", hour=HOUR + 1)

    assert [None, ExpectedIntensity(40.0, Signal.PROFILE)] == [
        expected(zone_forecast, ahead, now=HOUR + 1) for ahead in (0, 23)
    ]


def test_the_policy_says_which_emissions_count() -> None:
    """On the life-cycle basis, values and forecasts are the life-cycle ones."""
    zone_forecast = IntensityForecast()
    record_forecast(zone_forecast, 40.0, 20.0, lifecycle_g_per_kwh=(70.0, 50.0))
    record_actual(zone_forecast, 40.0)
    zone_forecast.apply_policy(IntensityBasis.LIFECYCLE, Deferral())

    assert [ExpectedIntensity(70.0, Signal.ACTUAL), ExpectedIntensity(50.0, Signal.FORECAST)] == [
        expected(zone_forecast, ahead) for ahead in range(2)
    ]


def test_a_forecast_without_life_cycle_values_says_nothing_of_them() -> None:
    """A direct forecast is never taken for a life-cycle one."""
    zone_forecast = IntensityForecast()
    record_forecast(zone_forecast, 40.0, 20.0)
    zone_forecast.apply_policy(IntensityBasis.LIFECYCLE, Deferral())

    assert None is expected(zone_forecast, 1)


def test_what_was_kept_goes_on_the_same() -> None:
    """A forecast that was written and read expects the same, bit for bit."""
    zone_forecast, restored = IntensityForecast(), IntensityForecast()
    for hour in range(60):
        record_actual(zone_forecast, 10.0 + hour * 7 % 24 / 3.0, hour=HOUR + hour)
    record_forecast(
        zone_forecast, *[30.0 + hour / 7.0 for hour in range(30)], start_at=AT + 40 * HOUR_S
    )
    kept = msgspec.msgpack.encode(zone_forecast.dump())
    restored.load(msgspec.msgpack.decode(kept, type=dict[IntensityBasis, dict[str, ZoneSignals]]))
    at = AT + 59 * HOUR_S

    assert list(zone_forecast.curve(ZONE, at=at)) == list(restored.curve(ZONE, at=at))
    assert kept == msgspec.msgpack.encode(restored.dump())


def test_the_version_tells_of_each_change() -> None:
    """The version changes with each value, issue and change of terms, and with nothing else."""
    zone_forecast = IntensityForecast()
    versions = [zone_forecast.version]
    record_actual(zone_forecast, 40.0)
    versions.append(zone_forecast.version)
    record_forecast(zone_forecast, 40.0)
    versions.append(zone_forecast.version)
    zone_forecast.apply_policy(IntensityBasis.DIRECT, Deferral())
    versions.append(zone_forecast.version)
    zone_forecast.curve(ZONE, at=AT)

    assert versions == sorted(set(versions))
    assert versions[-1] == zone_forecast.version


# Which of two signals is believed.


def forecast_after_days(change, *, days: int = 3) -> IntensityForecast:
    """A forecast after some days of a zone that is dear by day, with a forecast each midnight."""
    zone_forecast = IntensityForecast()
    for day in range(days):
        begin = HOUR + day * 24
        actual = [20.0 if hour < 12 else 60.0 + 2.0 * hour for hour in range(24)]
        said = tuple(change(value) for value in actual * 2)
        at = float(begin * HOUR_S)
        record_forecast(zone_forecast, *said, issued_at=at, start_at=at)
        for hour, value in enumerate(actual):
            record_actual(zone_forecast, value, hour=begin + hour)
    at = float((HOUR + days * 24) * HOUR_S)
    record_forecast(zone_forecast, *said, issued_at=at, start_at=at)
    return zone_forecast


def signal_of(zone_forecast: IntensityForecast, *, days: int = 3) -> Signal:
    value = expected(zone_forecast, 5, now=HOUR + days * 24)
    assert value is not None
    return value.signal


def test_a_forecast_that_is_wrong_way_round_is_not_believed() -> None:
    """An inverted forecast has a greater error than the profile, which replaces it."""
    assert Signal.PROFILE is signal_of(forecast_after_days(lambda value: 130.0 - value))
    assert Signal.FORECAST is signal_of(
        forecast_after_days(lambda value: 130.0 - value, days=1), days=1
    )


def test_a_forecast_that_is_too_high_throughout_is_believed() -> None:
    """A forecast with a constant factor of 2 still ranks the hours, so it is used."""
    assert Signal.FORECAST is signal_of(forecast_after_days(lambda value: value))
    assert Signal.FORECAST is signal_of(forecast_after_days(lambda value: 2.0 * value))


def test_skill_goes_on_in_a_snapshot() -> None:
    """What is believed is the same after a restart."""
    zone_forecast = forecast_after_days(lambda value: 130.0 - value)
    written = msgspec.msgpack.encode(zone_forecast.dump())
    again = IntensityForecast()
    again.load(msgspec.msgpack.decode(written, type=dict[IntensityBasis, dict[str, ZoneSignals]]))

    assert again.curve(ZONE, at=AT + 72 * HOUR_S) == zone_forecast.curve(ZONE, at=AT + 72 * HOUR_S)
