"""Tariffs: the price of electricity at a site as a step function of time.

A site has one price, or prices by hour of the day and season; of its ``tariffs`` the first whose
season and hours hold counts, else ``tariff_cad_per_kwh``. Hours and days are local.
"""

import datetime as dt
import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np

from entraide.units import JOULES_PER_WH
from entraide_node.core.owner_terms import DAY_MIN, WeeklyHours, parse_hours
from entraide_sim.fleet import DRAIN_H, local_days
from entraide_sim.grid import HOUR_S
from entraide_sim.scenario import Scenario, ScenarioSite, TariffPeriod
from entraide_sim.world import Column

TARIFF_CAD_PER_KWH = 0.12
J_PER_KWH = JOULES_PER_WH * 1_000.0

Season = tuple[tuple[int, int], tuple[int, int]]  # first and last (month, day)

_SEASON = re.compile(r"(\d\d)-(\d\d)\.\.(\d\d)-(\d\d)")
_LEAP_YEAR = 2024


def parse_season(text: str) -> Season | None:
    """Parses ``11-01..04-30``; "" is the whole year.

    Returns:
        The first and the last (month, day), or None if the text is invalid.
    """
    if not text:
        return (1, 1), (12, 31)
    match = _SEASON.fullmatch(text)
    if match is None:
        return None
    first_month, first_day, last_month, last_day = (int(part) for part in match.groups())
    try:
        dt.date(_LEAP_YEAR, first_month, first_day)
        dt.date(_LEAP_YEAR, last_month, last_day)
    except ValueError:
        return None
    return (first_month, first_day), (last_month, last_day)


def season_contains(season: Season, day: dt.date) -> bool:
    """Tells whether a day lies in a season, which may contain the turn of the year."""
    first, last = season
    on = (day.month, day.day)
    return first <= on <= last if first <= last else on >= first or on <= last


class SitePrices:
    """The price of a site's electricity over a period.

    Args of the constructor:
        site: with valid tariffs.
        begin_at, end_at: the period, seconds since the epoch.
        zone: time zone of its hours.

    Attributes:
        is_flat: whether there is one price.
    """

    def __init__(
        self, site: ScenarioSite, *, begin_at: float, end_at: float, zone: ZoneInfo
    ) -> None:
        other = site.tariff_cad_per_kwh
        self._flat_cad_per_kwh = TARIFF_CAD_PER_KWH if other is None else other
        self.is_flat = not site.tariffs
        self._edges = np.array([begin_at])
        self._sums = np.zeros(1)
        if self.is_flat:
            return
        steps = _price_steps(
            site.tariffs, self._flat_cad_per_kwh, begin_at=begin_at, end_at=end_at, zone=zone
        )
        self._edges = np.array([at for at, _ in steps] + [end_at])
        prices = np.array([price for _, price in steps])
        self._sums = np.concatenate(([0.0], np.cumsum(prices * np.diff(self._edges))))

    @classmethod
    def of(cls, scenario: Scenario, site: ScenarioSite) -> "SitePrices":
        """Returns the prices of a site for a whole run, its drain included."""
        return cls(
            site,
            begin_at=scenario.start_at,
            end_at=scenario.start_at + (scenario.hours + DRAIN_H) * HOUR_S,
            zone=ZoneInfo(scenario.timezone),
        )

    def mean_cad_per_kwh(self, begin_at: Column, end_at: Column) -> Column:
        """Returns the mean price of each interval, which may have no length.

        Args:
            begin_at: within the period, seconds since the epoch.
            end_at: likewise.
        """
        if self.is_flat:
            return np.full(len(begin_at), self._flat_cad_per_kwh)
        end_at = np.maximum(end_at, begin_at + 1.0)
        spent = np.interp(end_at, self._edges, self._sums)
        spent = spent - np.interp(begin_at, self._edges, self._sums)
        mean: Column = spent / (end_at - begin_at)
        return mean

    def power_cost_cad(self, watts: float, spans: Sequence[tuple[float, float]]) -> float:
        """Returns what a constant power costs during some intervals."""
        if not spans:
            return 0.0
        begin, end = np.array(spans).T
        joules = watts * (end - begin)
        return float((joules * self.mean_cad_per_kwh(begin, end)).sum()) / J_PER_KWH


def _price_steps(
    tariffs: Sequence[TariffPeriod],
    other_cad_per_kwh: float,
    *,
    begin_at: float,
    end_at: float,
    zone: ZoneInfo,
) -> list[tuple[float, float]]:
    """Returns (start, price) from the first local midnight at or before ``begin_at``."""
    periods: list[tuple[Season, list[WeeklyHours], float]] = []
    cuts_min = {0}
    for tariff in tariffs:
        season = parse_season(tariff.season)
        hours = [span for span in map(parse_hours, tariff.hours) if span is not None]
        assert season is not None
        periods.append((season, hours, tariff.cad_per_kwh))
        cuts_min |= {
            minute % DAY_MIN for span in hours for minute in (span.begin_min, span.end_min)
        }
    steps: list[tuple[float, float]] = []
    for midnight, weekday in local_days(begin_at, end_at, zone):
        day = dt.datetime.fromtimestamp(midnight, zone).date()
        for minute in sorted(cuts_min):
            at = dt.datetime.combine(day, dt.time(*divmod(minute, 60)), zone).timestamp()
            price = next(
                (
                    cad_per_kwh
                    for season, hours, cad_per_kwh in periods
                    if season_contains(season, day)
                    and (not hours or any(span.contains(weekday, minute) for span in hours))
                ),
                other_cad_per_kwh,
            )
            if at < end_at and (not steps or (at > steps[-1][0] and price != steps[-1][1])):
                steps.append((at, price))
    return steps
