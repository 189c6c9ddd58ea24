"""CSV rows: reads files of intensities; an error names the file and the row."""

import csv
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from entraide.errors import PoolError

ROWS_MAX = 1_000_000


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a file with their line numbers.

    Raises:
        PoolError: ``series_refused``: the file or a column is missing, or there are too many rows.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            missing = set(columns) - set(rows.fieldnames or ())
            if missing:
                raise series_error(path, f"no column {sorted(missing)[0]}")
            for number, row in enumerate(rows):
                if number >= ROWS_MAX:
                    raise series_error(path, "too many rows")
                yield number + 2, row
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise series_error(path, str(problem)) from problem


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


def series_error(path: Path, why: str) -> PoolError:
    """Returns the error for a file that cannot be used."""
    return PoolError("series_refused", f"{path}: {why}", values={"path": str(path), "detail": why})
