"""CSV rows: reads files of intensities; an error names the file and the row."""

import csv
import datetime as dt
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from entraide.errors import PoolError
from entraide.printable import shortened

ROWS_MAX = 1_000_000
HOUR_S = 3_600
VALUE_CHARS_MAX = 60


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a file with their line numbers.

    Raises:
        PoolError: ``series_refused``: the file or a column is missing, or there are too many rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = set(columns) - set(rows.fieldnames or ())
            if missing:
                raise series_error(path, "no_column", column=sorted(missing)[0])
            for number, row in enumerate(rows):
                if number >= ROWS_MAX:
                    raise series_error(path, "too_many", limit=ROWS_MAX)
                yield number + 2, row
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise series_error(path, "unreadable", detail=str(problem)) from problem


def parse_time(text: str, year_shift: int) -> float:
    """Returns an ISO 8601 time, shifted by some years, in seconds since the epoch.

    Raises:
        ValueError: the text is no ISO 8601 time.
    """
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt.UTC)
    if year_shift:
        # 29 February does not exist in a common year: its hours become those of 1 March, which
        # the rows of 1 March then replace.
        if (time.month, time.day) == (2, 29):
            time += dt.timedelta(days=1)
        time = time.replace(year=time.year + year_shift)
    return time.timestamp()


def read_header(path: Path) -> list[str]:
    """Returns the names of a file's columns.

    Raises:
        PoolError: ``series_refused``: the file cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file).fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise series_error(path, "unreadable", detail=str(problem)) from problem


def parse_hour(path: Path, line: int, text: str, year_shift: int) -> int:
    """Returns the start of the hour of a time, seconds since the epoch.

    Raises:
        PoolError: ``series_refused``: the text is no ISO 8601 time.
    """
    try:
        return int(parse_time(text, year_shift)) // HOUR_S * HOUR_S
    except (ValueError, OverflowError):
        shown = shortened(text, VALUE_CHARS_MAX)
        raise series_error(path, "no_time", line=line, value=shown) from None


def parse_intensity(path: Path, line: int, row: Mapping[str, str], column: str) -> float:
    """Returns an intensity, gCO2e/kWh.

    Raises:
        PoolError: ``series_refused``: the cell is no finite number of 0 or more.
    """
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0.0):
        shown = shortened(row[column], VALUE_CHARS_MAX)
        raise series_error(path, "no_intensity", line=line, column=column, value=shown)
    return value


def series_error(path: Path, fault: str, **values: str | float) -> PoolError:
    """Returns the error for a file that cannot be used."""
    return PoolError(
        "series_refused",
        f"{path}: {fault} {values}",
        values={**values, "path": str(path), "fault": fault},
    )
