"""Series: hourly intensities of a zone from a CSV file, by UTC hour.

A blank hour, or one that the file does not have, is a missing value and never a zero.
"""

import csv
import datetime as dt
import math
from pathlib import Path

from msgspec import Struct

from entraide.errors import PoolError
from entraide.types import Basis

HOUR_S = 3_600
ROWS_MAX = 1_000_000


class Series(Struct, frozen=True):
    """Intensities of one zone: (direct, life cycle) in gCO2e/kWh by the hour's start, UTC.

    Attributes:
        zone: which zone.
        hours: the intensities.
        basis: measured, or estimated when another year stands for this one.
    """

    zone: str
    hours: dict[int, tuple[float, float]]
    basis: Basis = Basis.MEASURED

    def at(self, moment: float) -> tuple[float, float] | None:
        """Returns the intensities of the hour that holds a moment; None when it is missing."""
        return self.hours.get(int(moment) // HOUR_S * HOUR_S)


def read_series(
    path: Path, *, zone: str, column: str, lifecycle_column: str, year_shift: int = 0
) -> Series:
    """Reads a CSV file with a ``utc`` column (ISO 8601, start of the hour).

    Raises:
        PoolError: ``series_refused``: the file or a column is not there, or a cell is no number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            missing = {"utc", column, lifecycle_column} - set(rows.fieldnames or ())
            if missing:
                raise _refused(path, f"no column {sorted(missing)[0]}")
            hours: dict[int, tuple[float, float]] = {}
            for number, row in enumerate(rows):
                if number >= ROWS_MAX:
                    raise _refused(path, "too many rows")
                if row[column] and row[lifecycle_column]:
                    pair = float(row[column]), float(row[lifecycle_column])
                    if not all(math.isfinite(value) and value >= 0.0 for value in pair):
                        raise _refused(path, f"row {number + 2}: {pair} are no intensities")
                    hours[_hour(row["utc"], year_shift)] = pair
    except (OSError, ValueError) as problem:
        raise _refused(path, str(problem)) from problem
    return Series(zone, hours, Basis.ESTIMATED if year_shift else Basis.MEASURED)


def _hour(text: str, year_shift: int) -> int:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    if year_shift:
        # 29 February has no match in a common year: its hours fall on 1 March, which is then
        # overwritten by the day itself.
        day = moment.timetuple()
        if (day.tm_mon, day.tm_mday) == (2, 29):
            moment += dt.timedelta(days=1)
        moment = moment.replace(year=moment.year + year_shift)
    return int(moment.timestamp()) // HOUR_S * HOUR_S


def _refused(path: Path, why: str) -> PoolError:
    return PoolError("series_refused", f"{path}: {why}", values={"path": str(path), "detail": why})
