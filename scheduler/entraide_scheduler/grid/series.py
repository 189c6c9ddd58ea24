"""Series: hourly intensities of a zone from a CSV file, by UTC hour.

An empty cell or an absent hour is a missing value, never zero.
"""

from pathlib import Path

from msgspec import Struct

from entraide.types import Basis
from entraide_scheduler.grid.csv_rows import (
    HOUR_S,
    parse_hour,
    parse_intensity,
    read_rows,
)


class IntensitySeries(Struct, frozen=True):
    """Hourly intensities of one zone.

    Attributes:
        zone: name of the zone.
        hours: (direct, life-cycle) gCO2e/kWh by the start of the hour, seconds since the epoch.
        basis: measured; estimated if the values are of another year.
    """

    zone: str
    hours: dict[int, tuple[float, float]]
    basis: Basis = Basis.MEASURED

    def value_at(self, moment: float) -> tuple[float, float] | None:
        """Returns the intensities of the hour that contains a time; None if it is missing."""
        return self.hours.get(int(moment) // HOUR_S * HOUR_S)


def read_series(
    path: Path, *, zone: str, column: str, lifecycle_column: str, year_shift: int = 0
) -> IntensitySeries:
    """Reads a CSV file with a ``utc`` column (ISO 8601, start of the hour).

    Raises:
        PoolError: ``series_refused``: the file or a column is missing, or a cell is no number.
    """
    hours: dict[int, tuple[float, float]] = {}
    for number, row in read_rows(path, ("utc", column, lifecycle_column)):
        if not (row[column] and row[lifecycle_column]):
            continue
        hours[parse_hour(path, number, row["utc"], year_shift)] = (
            parse_intensity(path, number, row, column),
            parse_intensity(path, number, row, lifecycle_column),
        )
    return IntensitySeries(zone, hours, Basis.ESTIMATED if year_shift else Basis.MEASURED)
