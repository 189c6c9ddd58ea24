"""Intensity forecast: expected intensity of each zone, hour by hour.

For each hour it takes the first signal that exists: the actual value, a published forecast or the
zone's recent daily profile (the one of the two with the lower recent error), the annual average. A
forecast and a profile are multiplied by the present ratio actual / expected, which decays by
``LIKENESS`` per hour. Without a signal the expectation is None, and work does not wait.

Inputs: ``IntensityChanged`` and ``ForecastIssued``. Output: gCO2e/kWh by zone and absolute hour,
``int(at) // 3600``. Method and parameters: docs/concepts/green-hours.md.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import accumulate, repeat
from operator import mul

import msgspec
from msgspec import Struct

from entraide.types import Basis
from entraide_scheduler.core.events import ForecastIssued, IntensityChanged
from entraide_scheduler.core.policy import Deferral, IntensityBasis

HOUR_S = 3_600
DAY_HOURS = 24
HORIZON_HOURS = 168  # length of the forecast
PROFILE_VALID_HOURS = 168  # an hour of the day expires so long after its last value

# The three were chosen on hourly series of 2021 to 2023 from seven grids; see
# docs/concepts/green-hours.md. Savings hardly change from half to twice these values.
MEMORY_DAYS = 8  # the weight of a new day in the profile never falls below 1 / MEMORY_DAYS
LIKENESS = 0.95  # part of the present error that is left one hour later
LEAST_RATIO, MOST_RATIO = 0.2, 5.0  # bounds of a correction

SKILL_MEMORY_HOURS = 72  # the weight of a new hour in a signal's skill never falls below 1 / 72
SKILL_LEAST_HOURS = 24  # hours before a forecast's error is compared with the profile's

ERROR_LEFT = tuple(accumulate(repeat(LIKENESS, HORIZON_HOURS), mul, initial=1.0))


class Signal(StrEnum):
    """Source of an expected intensity."""

    ACTUAL = "actual"  # present hour's value from the feed
    FORECAST = "forecast"
    PROFILE = "profile"  # recent mean of this hour of the day
    DEFAULT = "default"  # annual average


class ExpectedIntensity(Struct, frozen=True, gc=False):
    """Expected intensity of a zone in one hour, gCO2e/kWh, and its source."""

    g_per_kwh: float
    signal: Signal


class PublishedForecast(Struct, frozen=True):
    """A published forecast: time of issue, and hourly values from ``start_hour`` on."""

    issued_at: float
    start_hour: int
    g_per_kwh: tuple[float, ...]

    def value(self, hour: int) -> float | None:
        """Returns the forecast of an hour; None outside the forecast."""
        place = hour - self.start_hour
        return self.g_per_kwh[place] if 0 <= place < len(self.g_per_kwh) else None


class HourOfDay(Struct):
    """One hour of the day in a zone's profile.

    Attributes:
        hour: absolute hour of the last value.
        seen: number of days with a value, up to ``MEMORY_DAYS``.
        before: mean without the last value, g/kWh.
        mean: mean with the last value, g/kWh.
    """

    hour: int
    seen: int
    before: float
    mean: float

    def add(self, hour: int, g_per_kwh: float) -> None:
        """Adds a value; a second value for the same hour replaces the first."""
        if hour != self.hour:
            self.hour, self.before = hour, self.mean
            self.seen = min(self.seen + 1, MEMORY_DAYS)
        self.mean = self.before + (g_per_kwh - self.before) / self.seen


class ForecastSkill(Struct):
    """Mean absolute error of a signal, with exponential forgetting.

    Shifting work needs to know which hours are greener than others. So a constant bias does not
    count: the signal is first scaled to the mean of the actual values.

    Attributes:
        hours: number of hours, up to ``SKILL_MEMORY_HOURS``.
        said, seen: running means of the signal and of the actual values, g/kWh.
        error: running mean of |scaled signal - actual|, g/kWh.
    """

    hours: int = 0
    said: float = 0.0
    seen: float = 0.0
    error: float = 0.0

    def add(self, said: float, seen: float) -> None:
        """Adds the signal's value and the actual value of an hour."""
        self.hours = min(self.hours + 1, SKILL_MEMORY_HOURS)
        self.said += (said - self.said) / self.hours
        self.seen += (seen - self.seen) / self.hours
        scaled = said * self.seen / self.said if self.said > 0.0 else said
        self.error += (abs(scaled - seen) - self.error) / self.hours


class ZoneSignals(Struct):
    """All signals of one zone on one basis.

    Attributes:
        actual_g_per_kwh, actual_hour: the last hourly value, and the hour of its arrival.
        actual_until: end of its validity, seconds since the epoch.
        default_g_per_kwh: the annual average, if the feed ever sent one.
        profile: recent means by hour of the day, UTC.
        forecast: the newest forecast.
        forecast_skill, profile_skill: errors of both, over the hours for which both had a value.
    """

    actual_g_per_kwh: float = 0.0
    actual_hour: int | None = None
    actual_until: float = 0.0
    default_g_per_kwh: float | None = None
    profile: dict[int, HourOfDay] = {}
    forecast: PublishedForecast | None = None
    forecast_skill: ForecastSkill = msgspec.field(default_factory=ForecastSkill)
    profile_skill: ForecastSkill = msgspec.field(default_factory=ForecastSkill)

    def record_actual(self, hour: int, g_per_kwh: float, until: float) -> None:
        """Records an hourly value, and adds the value to the profile."""
        if hour != self.actual_hour:
            self._record_skill(hour, g_per_kwh)
        self.actual_g_per_kwh, self.actual_hour, self.actual_until = g_per_kwh, hour, until
        profile_hour = self.profile.get(hour % DAY_HOURS)
        if profile_hour is None:
            self.profile[hour % DAY_HOURS] = HourOfDay(hour, 1, g_per_kwh, g_per_kwh)
        else:
            profile_hour.add(hour, g_per_kwh)

    def _record_skill(self, hour: int, g_per_kwh: float) -> None:
        """Scores forecast and profile by an actual value, if both had a value for its hour."""
        said = None if self.forecast is None else self.forecast.value(hour)
        usual = self._profile_mean(hour, hour)
        if said is not None and usual is not None:
            self.forecast_skill.add(said, g_per_kwh)
            self.profile_skill.add(usual, g_per_kwh)

    def _is_believed(self) -> bool:
        """Tells whether the forecast's recent error is at most the profile's."""
        skill = self.forecast_skill
        return skill.hours < SKILL_LEAST_HOURS or skill.error <= self.profile_skill.error

    def curve(self, hour: int, valid_s: float) -> list[ExpectedIntensity | None]:
        """Returns the expected intensities of ``HORIZON_HOURS`` hours from an hour on."""
        forecast = self.forecast
        if forecast is not None and forecast.issued_at + valid_s <= hour * HOUR_S:
            forecast = None
        by_forecast = self._correction(None if forecast is None else forecast.value)
        by_profile = self._correction(self._profile_before)
        believed = self._is_believed()
        flat = None
        if (
            self.default_g_per_kwh is not None
            and forecast is None
            and not self._has_recent_actual(hour)
        ):
            flat = ExpectedIntensity(self.default_g_per_kwh, Signal.DEFAULT)
        seen_hour = hour if self.actual_hour is None else self.actual_hour
        curve: list[ExpectedIntensity | None] = []
        for ahead in range(hour, hour + HORIZON_HOURS):
            fade = ERROR_LEFT[min(max(0, ahead - seen_hour), HORIZON_HOURS)]
            predicted = None if forecast is None else forecast.value(ahead)
            usual = self._profile_mean(ahead, hour)
            if predicted is not None and (usual is None or believed):
                g_per_kwh = predicted * (1.0 + (by_forecast - 1.0) * fade)
                curve.append(ExpectedIntensity(g_per_kwh, Signal.FORECAST))
                continue
            if usual is not None:
                g_per_kwh = usual * (1.0 + (by_profile - 1.0) * fade)
                curve.append(ExpectedIntensity(g_per_kwh, Signal.PROFILE))
                continue
            curve.append(flat)
        if self.actual_hour is not None and self.actual_until > hour * HOUR_S:
            curve[0] = ExpectedIntensity(self.actual_g_per_kwh, Signal.ACTUAL)
        return curve

    def _has_recent_actual(self, hour: int) -> bool:
        return self.actual_hour is not None and hour - self.actual_hour <= PROFILE_VALID_HOURS

    def _profile_mean(self, ahead: int, hour: int) -> float | None:
        profile_hour = self.profile.get(ahead % DAY_HOURS)
        if profile_hour is None or hour - profile_hour.hour > PROFILE_VALID_HOURS:
            return None
        return profile_hour.mean

    def _profile_before(self, hour: int) -> float | None:
        profile_hour = self.profile[hour % DAY_HOURS]
        return profile_hour.before if profile_hour.seen > 1 else None

    def _correction(self, said: Callable[[int], float | None] | None) -> float:
        """Returns actual / signal for the last actual hour, within bounds; 1 where unknown."""
        if said is None or self.actual_hour is None:
            return 1.0
        value = said(self.actual_hour)
        if value is None or value <= 0.0:
            return 1.0
        return min(MOST_RATIO, max(LEAST_RATIO, self.actual_g_per_kwh / value))


class IntensityForecast:
    """Expected intensities of all zones.

    Attributes:
        version: changes whenever an expected value may have changed.
    """

    def __init__(self) -> None:
        self.version = 0
        self._basis = IntensityBasis.DIRECT
        self._valid_s = Deferral().forecast_valid_s
        self._zones: dict[IntensityBasis, dict[str, ZoneSignals]] = {
            basis: {} for basis in IntensityBasis
        }
        self._curves: dict[str, tuple[int, list[ExpectedIntensity | None]]] = {}

    def apply_policy(self, basis: IntensityBasis, deferral: Deferral) -> None:
        """Sets the basis of the values and the validity of forecasts by the policy."""
        self._basis, self._valid_s = basis, deferral.forecast_valid_s
        self._invalidate()

    def record_intensity(self, event: IntensityChanged) -> None:
        """Records a zone's present intensity; an annual average does not enter the profile."""
        hour = int(event.at) // HOUR_S
        values = (event.direct_g_per_kwh, event.lifecycle_g_per_kwh)
        for basis, g_per_kwh in zip(IntensityBasis, values, strict=True):
            signals = self._signals(basis, event.zone)
            if event.basis == Basis.DEFAULT:
                signals.default_g_per_kwh = g_per_kwh
            else:
                signals.record_actual(hour, g_per_kwh, event.valid_until)
        self._invalidate()

    def record_forecast(self, event: ForecastIssued) -> None:
        """Records a forecast; one that is older than the current forecast is ignored."""
        series = (event.direct_g_per_kwh, event.lifecycle_g_per_kwh)
        for basis, values in zip(IntensityBasis, series, strict=True):
            signals = self._signals(basis, event.zone)
            current = signals.forecast
            if values and (current is None or current.issued_at <= event.issued_at):
                start_hour = int(event.start_at) // HOUR_S
                signals.forecast = PublishedForecast(
                    event.issued_at, start_hour, values[:HORIZON_HOURS]
                )
        self._invalidate()

    def expected(self, zone: str, hour: int, *, at: float) -> ExpectedIntensity | None:
        """Returns a zone's expected intensity in an absolute hour, as known at a time.

        None for an hour without a signal, before ``at``, or beyond the horizon.
        """
        ahead = hour - int(at) // HOUR_S
        return self.curve(zone, at=at)[ahead] if 0 <= ahead < HORIZON_HOURS else None

    def issued_at(self, zone: str) -> float | None:
        """Returns the time of issue of a zone's newest forecast, seconds since the epoch."""
        signals = self._zones[self._basis].get(zone)
        return None if signals is None or signals.forecast is None else signals.forecast.issued_at

    def curve(self, zone: str, *, at: float) -> Sequence[ExpectedIntensity | None]:
        """Returns a zone's expected intensities, hour by hour from the present hour on."""
        hour = int(at) // HOUR_S
        cached = self._curves.get(zone)
        if cached is None or cached[0] != hour:
            signals = self._zones[self._basis].get(zone, ZoneSignals())
            cached = self._curves[zone] = (hour, signals.curve(hour, self._valid_s))
        return cached[1]

    def dump(self) -> dict[IntensityBasis, dict[str, ZoneSignals]]:
        """Returns the state for a snapshot; ``apply_policy`` restores the policy's terms."""
        return self._zones

    def load(self, zones: dict[IntensityBasis, dict[str, ZoneSignals]]) -> None:
        """Restores the state that ``dump`` returned."""
        self._zones = {basis: zones.get(basis, {}) for basis in IntensityBasis}
        self._invalidate()

    def _signals(self, basis: IntensityBasis, zone: str) -> ZoneSignals:
        return self._zones[basis].setdefault(zone, ZoneSignals())

    def _invalidate(self) -> None:
        self.version += 1
        self._curves.clear()
