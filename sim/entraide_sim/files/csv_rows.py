"""CSV rows: the rows of a CSV file, with errors that name file and line.

Cells are separated as the first line separates them: by commas, semicolons or tabs. Where commas
do not separate cells, they are decimal commas. A byte-order mark is skipped. A missing cell is
empty text; cells beyond the header are ignored.
"""

import csv
import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf, isfinite, nan
from pathlib import Path
from types import MappingProxyType

SEPARATORS = (",", ";", "\t")
NUMBER_MAX = 1e9  # of a cell: sums and products of such numbers stay finite
PERIOD_S = 3_600.0  # an hour, of the values that are returned
NO_ALIASES: Mapping[str, str] = MappingProxyType({})

_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")


def cell_separator(head: str) -> str:
    """Returns the sign that separates the cells of a header."""
    return max(SEPARATORS, key=head.count)


def numbered_rows(
    path: Path, columns: set[str], *, aliases: Mapping[str, str] = NO_ALIASES
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a file with their line numbers.

    Args:
        path: the file, UTF-8.
        columns: required columns.
        aliases: other names of columns.

    Raises:
        ValueError: a column is missing, or the file is not CSV; the message names file and line.
        OSError: the file cannot be read.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        line = 0
        try:
            separator = cell_separator(file.readline())
            file.seek(0)
            reader = csv.DictReader(file, restkey="", restval="", delimiter=separator)
            names = [aliases.get(name.strip(), name.strip()) for name in reader.fieldnames or ()]
            reader.fieldnames = names
            missing = sorted(columns - set(names))
            if missing:
                raise ValueError(f"{path}:1: no column {missing[0]}")
            for row in reader:
                line = reader.line_num
                yield line, row if separator == "," else _with_decimal_points(row)
        except (csv.Error, UnicodeDecodeError) as problem:
            raise ValueError(f"{path}:{line + 1}: {problem}") from None


def _with_decimal_points(row: dict[str, str]) -> dict[str, str]:
    return {
        name: cell.replace(",", ".") if name and _DECIMAL_COMMA.fullmatch(cell) else cell
        for name, cell in row.items()
    }


def parse_moment(text: str, path: Path, line: int) -> float:
    """Parses an ISO 8601 moment as seconds since the epoch; UTC without an offset.

    Raises:
        ValueError: the text is not a moment.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"{path}:{line}: {text!r} is not a moment") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.timestamp()


def parse_number(
    row: Mapping[str, str], name: str, path: Path, line: int, *, least: float = -inf
) -> float:
    """Parses the cell of a column as a number.

    Raises:
        ValueError: the cell is not a finite number from ``least`` on, or beyond ``NUMBER_MAX``.
    """
    text = row[name]
    try:
        value = float(text or "")
    except ValueError:
        value = nan
    if not (isfinite(value) and value >= least):
        raise ValueError(f"{path}:{line}: {text!r} is not a number")
    if abs(value) > NUMBER_MAX:
        raise ValueError(f"{path}:{line}: {name} {value:g} is beyond {NUMBER_MAX:.0f}")
    return value


def read_hours(
    path: Path,
    columns: Sequence[str],
    *,
    least: float = -inf,
    start_at: float = 0.0,
    end_at: float = inf,
) -> tuple[float, list[tuple[float, ...]]]:
    """Reads hourly values from a file with a ``utc`` column (ISO 8601, start of the period).

    Rows may be in ascending or descending order. Several rows an hour are averaged; an incomplete
    first or last hour is left out.

    Args:
        path: the file.
        columns: of the values.
        least: smallest value of a cell.
        start_at: start of the period to read, seconds since the epoch.
        end_at: its end, excluded.

    Returns:
        The start of the first hour, and the values of each hour.

    Raises:
        ValueError: a column or an hour is missing, or a cell is invalid; the message names file
            and line.
    """
    rows: list[tuple[float, int, tuple[float, ...]]] = []
    for line, row in numbered_rows(path, {"utc", *columns}):
        moment = parse_moment(row["utc"], path, line)
        if start_at <= moment < end_at:
            values = tuple(parse_number(row, name, path, line, least=least) for name in columns)
            rows.append((moment, line, values))
    if not rows:
        raise ValueError(f"{path}: no hours from the start on")
    if rows[-1][0] < rows[0][0]:
        rows.reverse()
    step_s = _check_steps(rows, path)
    if step_s == PERIOD_S:
        return rows[0][0], [values for _, _, values in rows]
    hours: dict[float, list[tuple[float, ...]]] = {}
    for moment, _, values in rows:
        hours.setdefault(moment // PERIOD_S * PERIOD_S, []).append(values)
    whole = {at: several for at, several in hours.items() if len(several) == PERIOD_S / step_s}
    if not whole:
        raise ValueError(f"{path}: no hours from the start on")
    means = [
        tuple(sum(column) / len(column) for column in zip(*several, strict=True))
        for several in whole.values()
    ]
    return min(whole), means


def _check_steps(rows: Sequence[tuple[float, int, tuple[float, ...]]], path: Path) -> float:
    """Returns the time between rows, an hour or a whole part of it."""
    steps_s = [(after[0] - before[0], after[1]) for before, after in pairwise(rows)]
    for step_s, line in steps_s:
        if step_s <= 0.0:
            problem = "are not in order of time" if step_s else "repeat the moment of another row"
            raise ValueError(f"{path}:{line}: hours {problem}")
    shortest_s = min([PERIOD_S, *(step_s for step_s, _ in steps_s)])
    if PERIOD_S % shortest_s:
        raise ValueError(f"{path}: rows are {shortest_s / 60.0:g} minutes apart")
    for step_s, line in steps_s:
        if step_s != shortest_s:
            raise ValueError(f"{path}:{line}: the hour before is missing")
    return shortest_s
