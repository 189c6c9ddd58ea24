"""CSV rows: the rows of a CSV file, with errors that name file and line.

A missing cell is empty text; cells beyond the header are ignored.
"""

import csv
from collections.abc import Iterator
from pathlib import Path


def numbered_rows(path: Path, columns: set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a file with their line numbers.

    Args:
        path: the file, UTF-8.
        columns: required columns.

    Raises:
        ValueError: a column is missing, or the file is not CSV; the message names file and line.
        OSError: the file cannot be read.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, restkey="", restval="")
        try:
            missing = sorted(columns - set(reader.fieldnames or ()))
            if missing:
                raise ValueError(f"{path}:1: no column {missing[0]}")
            for row in reader:
                yield reader.line_num, row
        except (csv.Error, UnicodeDecodeError) as problem:
            raise ValueError(f"{path}:{reader.line_num + 1}: {problem}") from None
