"""Regions: two or three grid zones with a published year each, and the week to simulate.

The pool's constants were chosen on the week of 2023 closest to that year's mean in Québec, Ontario
and Alberta (``CHOSEN_ON``), and the rule that compares intensities also on that of two zones with
nearly equal means (``ALIKE_ZONES``); every other region is held out. Manitoba's, New Brunswick's,
Nova Scotia's and Saskatchewan's series are published day-ahead forecasts, not measurements.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.support.common import DATA, data_path
from msgspec import Struct

from entraide_sim import IntensitySeries, read_series

HOUR_S = 3_600.0
JURISDICTION = "CA-"
WEEK_H = 168
SPARE_H = 2  # of intensity after a load's end
IN_SAMPLE, HELD_OUT = "in_sample", "held_out"
FIRST_HALF, SECOND_HALF, WHOLE_YEAR = "first_half", "second_half", "year"


class Region(Struct, frozen=True):
    """Two or three zones in one year.

    Attributes:
        name: in the rows.
        zones: the zone with the lowest mean intensity of the year first, the highest last.
        year: of the series.
        part: of the year whose most typical week is taken.
        typical_of: the zone whose mean decides which week that is.
    """

    name: str
    zones: tuple[str, ...]
    year: int
    part: str
    typical_of: str


CANADA = ("CA-QC", "CA-ON", "CA-AB")
SIMILAR = ("DE-LU", "US-TEX-ERCO", "US-MIDA-PJM")  # means of 2023: 308, 317, 322 g/kWh
OTHER = ("GB", "US-CAL-CISO", "US-NY-NYIS")  # 129, 194, 210
CHOSEN_ON = Region("chosen_on_2023", CANADA, 2023, WHOLE_YEAR, "CA-ON")
FIRST_HALF_2023 = Region("first_half_2023", CANADA, 2023, FIRST_HALF, "CA-ON")
SECOND_HALF_2023 = Region("second_half_2023", CANADA, 2023, SECOND_HALF, "CA-ON")
OTHER_YEAR = Region("other_year_2022", CANADA, 2022, WHOLE_YEAR, "CA-ON")
OTHER_ZONES = Region("other_zones_2023", OTHER, 2023, WHOLE_YEAR, "US-CAL-CISO")
SIMILAR_ZONES = Region("similar_zones_2023", SIMILAR, 2023, WHOLE_YEAR, "US-TEX-ERCO")
ALIKE_ZONES = Region(
    "alike_zones_2023", ("CA-AB", "CA-NS", "CA-SK"), 2023, WHOLE_YEAR, "CA-AB"
)  # 339, 353, 410
HYDRO_ZONES = Region("hydro_zones_2023", ("CA-QC", "CA-MB"), 2023, WHOLE_YEAR, "CA-MB")  # 2, 13
EASTERN_ZONES = Region("eastern_zones_2023", ("CA-ON", "CA-NB"), 2023, WHOLE_YEAR, "CA-ON")


def typical_weeks(values: Sequence[float]) -> list[int]:
    """Returns the first hours of the weeks of a series, the most typical week first.

    The most typical week has the mean closest to that of the series. Weeks are consecutive, from
    the start of the series.
    """
    mean = fmean(values)
    begins = range(0, len(values) - WEEK_H - SPARE_H, WEEK_H)
    return sorted(begins, key=lambda hour: abs(fmean(values[hour : hour + WEEK_H]) - mean))


def year_part(values: Sequence[float], part: str) -> tuple[int, Sequence[float]]:
    """Returns a part of a year, and the hour of the year in which it begins."""
    half = len(values) // 2
    match part:
        case "first_half":
            return 0, values[:half]
        case "second_half":
            return half, values[half:]
        case _:
            return 0, values


def zone_label(zone: str) -> str:
    """Returns the zone's name in the simulated world: a request runs within its jurisdiction, CA.

    >>> label("CA-QC"), label("GB")
    ('CA-QC', 'CA-GB')
    """
    return zone if zone.startswith(JURISDICTION) else JURISDICTION + zone


def series_file(zone: str, year: int) -> tuple[Path, str]:
    """Returns the file of a zone's year and its column; forecasts where nothing was measured."""
    forecast = f"carbon/{zone}_{year}_dayahead_FORECAST_hourly.csv"
    if (DATA / forecast).is_file():
        return DATA / forecast, "forecast_ci_direct_g_per_kwh"
    return data_path(f"carbon/{zone}_{year}_hourly.csv"), "ci_direct_g_per_kwh"


def region_intensities(region: Region) -> list[IntensitySeries]:
    """Returns the intensity of each zone in the typical week of a region, whose hours are complete.

    Raises:
        ValueError: no week of the region is without blank hours.
    """
    files = {zone: series_file(zone, region.year) for zone in region.zones}
    path, column = files[region.typical_of]
    reference = read_series(path, zone=region.typical_of, column=column)
    offset, values = year_part(reference.direct, region.part)
    problem = ValueError(f"{region.name}: no week")
    for begin in typical_weeks(values):
        start_at = reference.start_at + (offset + begin) * HOUR_S
        try:
            return [
                read_series(
                    path,
                    zone=zone_label(zone),
                    column=column,
                    start_at=start_at,
                    hours=WEEK_H + SPARE_H,
                )
                for zone, (path, column) in files.items()
            ]
        except ValueError as blank:
            problem = blank
    raise problem
