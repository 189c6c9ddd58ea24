"""CSV source: the last row of a file that another program appends to."""

import asyncio
import csv
import datetime as dt
import os
from pathlib import Path

from entraide_node.energy.source_config import CsvFile
from entraide_node.energy.source_values import (
    UNAVAILABLE,
    UNREADABLE,
    MissingValue,
    SourceValue,
    parse_number,
)

HEAD_BYTES, TAIL_BYTES = 64 * 1024, 64 * 1024


class CsvSource:
    """A column of a file; the time of the value is in its row."""

    kind = "csv"

    def __init__(self, config: CsvFile, folder: Path) -> None:
        self._config = config
        self._path = folder / Path(config.file).expanduser()

    async def read(self) -> SourceValue | MissingValue:
        """Reads only the head and the end of the file, whatever its length."""
        return await asyncio.to_thread(self._read)

    async def close(self) -> None:
        """Has nothing to release."""

    def _read(self) -> SourceValue | MissingValue:
        try:
            with self._path.open("rb") as file:
                head = file.read(HEAD_BYTES).partition(b"\n")[0]
                size = file.seek(0, os.SEEK_END)
                file.seek(max(len(head) + 1, size - TAIL_BYTES))
                tail = file.read(TAIL_BYTES)
            names = next(csv.reader([head.decode("utf-8-sig")]), [])
            complete_rows, _, _ = tail.decode("utf-8").rpartition(
                "\n"
            )  # a row without a line end is incomplete
            cells = next(csv.reader([complete_rows.rpartition("\n")[2]]), [])
        except (OSError, UnicodeDecodeError, csv.Error) as problem:
            return MissingValue(UNAVAILABLE, type(problem).__name__)
        row = dict(zip(names, cells, strict=False))
        number = parse_number(row.get(self._config.column, ""))
        try:
            reading_time = dt.datetime.fromisoformat(row.get(self._config.time_column, ""))
        except ValueError:
            return MissingValue(UNREADABLE, "no moment in the last row")
        if number is None:
            return MissingValue(UNREADABLE, "no number in the last row")
        if reading_time.tzinfo is None:
            reading_time = reading_time.replace(tzinfo=dt.UTC)
        return SourceValue(number * self._config.scale, reading_time.timestamp())
