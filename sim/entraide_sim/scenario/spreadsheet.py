"""Spreadsheet: reads a CSV list of machines as ``[[nodes]]`` of a scenario.

Columns are keys of ``[[nodes]]``; empty cells are omitted. Several hours go in one cell, separated
by ``|``; ``present`` and ``give_back_s`` belong to the owner. Values are validated with the rest of
the scenario. Files are UTF-8 or Windows-1252.
"""

import csv
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from entraide_sim.files import cell_separator
from entraide_sim.scenario.scenario import NodeGroup, OwnerSchedule

ROWS_MAX = 10_000
OWNER_COLUMNS = tuple(field.encode_name for field in msgspec.structs.fields(OwnerSchedule))
COLUMNS = tuple(
    field.encode_name for field in msgspec.structs.fields(NodeGroup) if field.name != "owner"
)
TRUE_TEXTS = ("true", "yes", "oui", "1", "x")


class SpreadsheetError(ValueError):
    """An invalid spreadsheet.

    Attributes:
        line: of the file.
        code: stable code of the problem.
        values: names of its error message.
    """

    def __init__(self, line: int, fault: str, values: dict[str, str | int | float]) -> None:
        super().__init__(f"line {line}: {fault} {values}")
        self.line = line
        self.code = fault
        self.values = values


class SheetRow(Struct, frozen=True):
    """One row as a scenario table, and its last line."""

    values: dict[str, Any]
    line: int


def read_machines(path: Path) -> list[SheetRow]:
    """Returns the rows of a spreadsheet.

    Raises:
        OSError: the file cannot be read.
        SpreadsheetError: a column is unknown, or a cell is invalid.
    """
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    mark = cell_separator(text.partition("\n")[0])
    reader = csv.DictReader(text.splitlines(), restkey="", restval="", delimiter=mark)
    try:
        return _sheet_rows(reader)
    except csv.Error:  # a cell beyond the csv module's limit, 128 KiB
        raise SpreadsheetError(reader.line_num + 1, "bad_cell", {"value": "…"}) from None


def _sheet_rows(reader: "csv.DictReader[str]") -> list[SheetRow]:
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    for name in reader.fieldnames or ():
        if name not in COLUMNS + OWNER_COLUMNS:
            known = ", ".join(COLUMNS + OWNER_COLUMNS)
            raise SpreadsheetError(1, "unknown_key", {"value": name, "known": known, "key": name})
    rows: list[SheetRow] = []
    for row in reader:
        if len(rows) >= ROWS_MAX:
            raise SpreadsheetError(
                reader.line_num, "too_many", {"value": ROWS_MAX + 1, "high": ROWS_MAX}
            )
        rows.append(SheetRow(_row_table(row, reader.line_num), reader.line_num))
    return rows


def _row_table(row: dict[str, Any], line: int) -> dict[str, Any]:
    table: dict[str, Any] = {}
    owner: dict[str, Any] = {}
    if row.pop("", None):
        raise SpreadsheetError(line, "bad_cell", {"value": "…"})  # more cells than columns
    for name, cell in row.items():
        written = cell.strip()
        if written:
            place = owner if name in OWNER_COLUMNS else table
            place[name] = _cell_value(name, written, line)
    if owner:
        table["owner"] = owner
    return table


def _cell_value(name: str, written: str, line: int) -> Any:
    kinds = {
        field.encode_name: str(field.type)
        for struct in (NodeGroup, OwnerSchedule)
        for field in msgspec.structs.fields(struct)
    }
    kind = kinds[name]
    if "tuple" in kind:
        return [part.strip() for part in written.split("|")]
    if "bool" in kind:
        return written.lower() in TRUE_TEXTS
    if "int" in kind or "float" in kind:
        try:
            number = float("".join(written.replace(",", ".").split()))
            return int(number) if "int" in kind else number
        except (OverflowError, ValueError):  # an OverflowError: infinity
            raise SpreadsheetError(line, "bad_cell", {"value": written}) from None
    return written
