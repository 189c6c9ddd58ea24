"""Import file: a zone's hourly intensities from a CSV file or from an export of Electricity Maps.

A CSV file has a column ``utc`` (ISO 8601, start of the hour) and columns with gCO2e/kWh. An export
has ``Datetime (UTC)``, ``Zone id``, ``Data estimated`` and intensities, direct and life-cycle;
their names have changed over the years, so they are recognised by their endings.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from entraide.printable import shortened
from entraide.types import Basis
from entraide_scheduler.grid.csv_rows import (
    VALUE_CHARS_MAX,
    parse_hour,
    parse_intensity,
    read_header,
    read_rows,
    series_error,
)
from entraide_scheduler.grid.series import IntensitySeries

DIRECT_COLUMN = "ci_direct_g_per_kwh"
LIFECYCLE_COLUMN = "ci_lifecycle_g_per_kwh"
HOURS_MAX = 100_000  # of one series: eleven years

_EXPORT_TIME = re.compile(r"datetime \(utc\)", re.IGNORECASE)
_EXPORT_DIRECT = re.compile(r"carbon intensity .*\(direct\)", re.IGNORECASE)
_EXPORT_LIFECYCLE = re.compile(r"carbon intensity .*\((?:life cycle|lca)\)", re.IGNORECASE)
_EXPORT_ZONE = re.compile(r"zone id", re.IGNORECASE)
_EXPORT_ESTIMATED = re.compile(r"data estimated", re.IGNORECASE)


class ImportColumns(Struct, frozen=True):
    """Names of a file's columns; "" for one that it lacks."""

    time: str
    direct: str
    lifecycle: str = ""
    zone: str = ""
    estimated: str = ""


def read_import(path: Path, *, zone: str, column: str = "", year_shift: int = 0) -> IntensitySeries:
    """Reads the hours of a zone.

    Args:
        path: the file.
        zone: name of the zone; every row of an export must be of this zone.
        column: column of the direct intensity; "" for the usual ones.
        year_shift: years added to all times, to replay an earlier year.

    Returns:
        The series; without life-cycle values, these equal the direct ones.

    Raises:
        PoolError: ``series_refused``, with the line and what to correct.
    """
    columns = _find_columns(path, read_header(path), column)
    names = tuple(name for name in (columns.time, columns.direct, columns.lifecycle) if name)
    hours: dict[int, tuple[float, float]] = {}
    is_estimated = bool(year_shift)
    for line, row in read_rows(path, names):
        if columns.zone and row[columns.zone] != zone:
            shown = shortened(str(row[columns.zone]), VALUE_CHARS_MAX)
            raise series_error(path, "other_zone", line=line, value=shown, expected_zone=zone)
        if not row[columns.direct]:
            continue
        direct = parse_intensity(path, line, row, columns.direct)
        lifecycle = direct
        if columns.lifecycle and row[columns.lifecycle]:
            lifecycle = parse_intensity(path, line, row, columns.lifecycle)
        if len(hours) >= HOURS_MAX:
            raise series_error(path, "too_many", limit=HOURS_MAX)
        hours[parse_hour(path, line, row[columns.time], year_shift)] = direct, lifecycle
        if columns.estimated and str(row[columns.estimated]).lower() == "true":
            is_estimated = True
    if not hours:
        raise series_error(path, "no_hours", column=columns.direct)
    return IntensitySeries(zone, hours, Basis.ESTIMATED if is_estimated else Basis.MEASURED)


def _find_columns(path: Path, header: Sequence[str], column: str) -> ImportColumns:
    def matching(pattern: re.Pattern[str]) -> str:
        return next((name for name in header if pattern.match(name)), "")

    time = "utc" if "utc" in header else matching(_EXPORT_TIME)
    if not time:
        raise series_error(path, "no_column", column="utc")
    is_export = time != "utc"
    direct = column or (matching(_EXPORT_DIRECT) if is_export else DIRECT_COLUMN)
    lifecycle = matching(_EXPORT_LIFECYCLE) if is_export else LIFECYCLE_COLUMN
    if direct not in header:
        raise series_error(path, "no_column", column=direct or "Carbon intensity … (direct)")
    return ImportColumns(
        time,
        direct,
        "" if column or lifecycle not in header else lifecycle,
        matching(_EXPORT_ZONE) if is_export else "",
        matching(_EXPORT_ESTIMATED) if is_export else "",
    )
