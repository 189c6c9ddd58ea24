"""Outlook: what each zone's intensity is expected to be in the hours to come.

Decides which signal speaks for an hour (the actual, a published forecast, the zone's recent daily
profile, its annual average) and corrects it by what is seen now. It refuses to know where the
signals come from, and what anyone does with them. Where nothing is known it says so: nobody waits
on nothing.

Hours are absolute: whole hours since the epoch, ``int(at) // 3600``.
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
HORIZON_HOURS = 168  # nothing is expected of what lies further ahead
PROFILE_VALID_HOURS = 168  # an hour of the day that was not seen for so long is forgotten

# The three were chosen on hourly series of 2021 to 2023 from seven grids; see
# docs/concepts/green-hours.md. Savings hardly change from half to twice these values.
MEMORY_DAYS = 8  # the weight of a new day in the profile never falls below 1 / MEMORY_DAYS
LIKENESS = 0.95  # how much of the present error is left one hour later
LEAST_RATIO, MOST_RATIO = 0.2, 5.0  # a correction never goes beyond

SKILL_MEMORY_HOURS = 72  # the weight of a new hour in a signal's skill never falls below 1 / 72
SKILL_LEAST_HOURS = 24  # a forecast is believed until so many hours have judged it

ERROR_LEFT = tuple(accumulate(repeat(LIKENESS, HORIZON_HOURS), mul, initial=1.0))


class Signal(StrEnum):
    """What an expected intensity rests on."""

    ACTUAL = "actual"  # the present hour's, as the feed told it
    FORECAST = "forecast"
    PROFILE = "profile"  # what this hour of the day was like lately
    DEFAULT = "default"  # the annual average, the same in every hour


class ExpectedIntensity(Struct, frozen=True, gc=False):
    """A zone's expected intensity in one hour, gCO2e/kWh, and what it rests on."""

    g_per_kwh: float
    signal: Signal


class PublishedForecast(Struct, frozen=True):
    """A published forecast: when it was made, and hourly values from ``start_hour`` on."""

    issued_at: float
    start_hour: int
    g_per_kwh: tuple[float, ...]

    def value(self, hour: int) -> float | None:
        """Returns what it says of an hour; None when it does not cover it."""
        place = hour - self.start_hour
        return self.g_per_kwh[place] if 0 <= place < len(self.g_per_kwh) else None


class HourOfDay(Struct):
    """One hour of the day in a zone's profile.

    Attributes:
        hour: when it was last seen, an absolute hour.
        seen: on how many days, up to ``MEMORY_DAYS``.
        before: its mean before that hour, g/kWh.
        mean: its mean with that hour, g/kWh.
    """

    hour: int
    seen: int
    before: float
    mean: float

    def add(self, hour: int, g_per_kwh: float) -> None:
        """Takes in what was seen; a second value for the same hour replaces the first."""
        if hour != self.hour:
            self.hour, self.before = hour, self.mean
            self.seen = min(self.seen + 1, MEMORY_DAYS)
        self.mean = self.before + (g_per_kwh - self.before) / self.seen


class ForecastSkill(Struct):
    """How well a signal foretold the hours that came, old ones fading.

    What counts is which hours are greener than others, so a signal that is too high or too low
    throughout is not blamed for that: its values are scaled to the mean of what came.

    Attributes:
        hours: how many, up to ``SKILL_MEMORY_HOURS``.
        said, seen: running means of what it said and of what came, g/kWh.
        error: running mean of how far apart the two were, the signal scaled, g/kWh.
    """

    hours: int = 0
    said: float = 0.0
    seen: float = 0.0
    error: float = 0.0

    def add(self, said: float, seen: float) -> None:
        """Takes in what was said of an hour, and what came."""
        self.hours = min(self.hours + 1, SKILL_MEMORY_HOURS)
        self.said += (said - self.said) / self.hours
        self.seen += (seen - self.seen) / self.hours
        scaled = said * self.seen / self.said if self.said > 0.0 else said
        self.error += (abs(scaled - seen) - self.error) / self.hours


class ZoneSignals(Struct):
    """All that is known of one zone on one basis.

    Attributes:
        actual_g_per_kwh, actual_hour: the last hourly value, and the hour it was told in.
        actual_until: it holds until then, seconds since the epoch.
        default_g_per_kwh: the annual average, when the feed ever had nothing better.
        profile: by hour of the day, UTC.
        forecast: the newest issue.
        forecast_skill, profile_skill: how well the two foretold the hours that both spoke of.
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
        """Takes in an hourly value, and teaches it to the profile."""
        if hour != self.actual_hour:
            self._record_skill(hour, g_per_kwh)
        self.actual_g_per_kwh, self.actual_hour, self.actual_until = g_per_kwh, hour, until
        profile_hour = self.profile.get(hour % DAY_HOURS)
        if profile_hour is None:
            self.profile[hour % DAY_HOURS] = HourOfDay(hour, 1, g_per_kwh, g_per_kwh)
        else:
            profile_hour.add(hour, g_per_kwh)

    def _record_skill(self, hour: int, g_per_kwh: float) -> None:
        """Holds forecast and profile against what came, where both had spoken."""
        said = None if self.forecast is None else self.forecast.value(hour)
        usual = self._profile_mean(hour, hour)
        if said is not None and usual is not None:
            self.forecast_skill.add(said, g_per_kwh)
            self.profile_skill.add(usual, g_per_kwh)

    def _is_believed(self) -> bool:
        """Tells whether the forecast has foretold no worse than the profile lately."""
        skill = self.forecast_skill
        return skill.hours < SKILL_LEAST_HOURS or skill.error <= self.profile_skill.error

    def curve(self, hour: int, valid_s: float) -> list[ExpectedIntensity | None]:
        """Returns what is expected from an hour on, for ``HORIZON_HOURS``."""
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
        """Returns seen / said for the last hour seen, within bounds; 1 where it is not known."""
        if said is None or self.actual_hour is None:
            return 1.0
        value = said(self.actual_hour)
        if value is None or value <= 0.0:
            return 1.0
        return min(MOST_RATIO, max(LEAST_RATIO, self.actual_g_per_kwh / value))


class IntensityForecast:
    """What every zone's intensity is expected to be.

    Attributes:
        version: changes whenever an answer may have.
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
        """Takes the members' terms: the basis that is asked about, and how forecasts age."""
        self._basis, self._valid_s = basis, deferral.forecast_valid_s
        self._invalidate()

    def record_intensity(self, event: IntensityChanged) -> None:
        """Takes in a zone's present intensity; an annual average teaches no profile."""
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
        """Takes in a forecast; an issue that is older than the current one changes nothing."""
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
        """Returns what is expected of a zone in an hour, as known at a moment.

        None when nothing is known of it, when it is over, or when it lies beyond the horizon.
        """
        ahead = hour - int(at) // HOUR_S
        return self.curve(zone, at=at)[ahead] if 0 <= ahead < HORIZON_HOURS else None

    def issued_at(self, zone: str) -> float | None:
        """Returns when a zone's newest forecast was made, seconds since the epoch."""
        signals = self._zones[self._basis].get(zone)
        return None if signals is None or signals.forecast is None else signals.forecast.issued_at

    def curve(self, zone: str, *, at: float) -> Sequence[ExpectedIntensity | None]:
        """Returns what is expected of a zone, hour by hour from the present one on."""
        hour = int(at) // HOUR_S
        cached = self._curves.get(zone)
        if cached is None or cached[0] != hour:
            signals = self._zones[self._basis].get(zone, ZoneSignals())
            cached = self._curves[zone] = (hour, signals.curve(hour, self._valid_s))
        return cached[1]

    def dump(self) -> dict[IntensityBasis, dict[str, ZoneSignals]]:
        """Returns all that must be kept; the policy's terms are given again by ``obey``."""
        return self._zones

    def load(self, zones: dict[IntensityBasis, dict[str, ZoneSignals]]) -> None:
        """Takes what ``dump`` returned."""
        self._zones = {basis: zones.get(basis, {}) for basis in IntensityBasis}
        self._invalidate()

    def _signals(self, basis: IntensityBasis, zone: str) -> ZoneSignals:
        return self._zones[basis].setdefault(zone, ZoneSignals())

    def _invalidate(self) -> None:
        self.version += 1
        self._curves.clear()
