"""Paths of published data, options, and printing of result rows.

Traces, series and the hardware catalogue are in a folder beside the checkout. If a file is missing,
the benchmark says so in one sentence and exits with 2.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MISSING = 2


def data_path(name: str) -> Path:
    """Returns the path of a published file; where it is absent the benchmark ends with 2."""
    path = DATA / name
    if not path.is_file():
        print(f"This benchmark needs {path}, which is not there.", file=sys.stderr)
        raise SystemExit(MISSING)
    return path


def make_parser(doc: str | None) -> argparse.ArgumentParser:
    """Returns the parser of a benchmark's options, described by its docstring's first line."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    return parser


def print_rows(rows: Sequence[Struct], *, as_json: bool) -> None:
    """Prints rows: as one JSON array, or one table for each kind of row."""
    if as_json:
        print(json.dumps(to_builtins(rows)))
        return
    kinds: dict[type[Struct], list[Struct]] = {}
    for row in rows:
        kinds.setdefault(type(row), []).append(row)
    for kind, alike in kinds.items():
        names = list(kind.__struct_fields__)
        cells = [names, *([_cell(getattr(row, name)) for name in names] for row in alike)]
        widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
        for line in cells:
            print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
        print()


def markdown_table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Returns columns of rows as a Markdown table."""
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        cells = ("–" if row[name] is None else str(row[name]) for name in names)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
