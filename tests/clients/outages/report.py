"""Report of a run: every kind of error that a library raised, with its faults and its charges.

python -m tests.clients.outages.report FOLDER
"""

import json
import re
import sqlite3
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

AFTER_S = 15.0  # how long a fault explains an error after its end
EXAMPLES = 2  # of each kind of error
ANSWERED = re.compile(r"HTTP Request: POST .*\" 200|HTTP Request: POST .* 200 OK")

Line = dict[str, Any]


def make_report(folder: Path) -> str:
    """The counts by library, and the errors by kind."""
    faults = read_lines(folder / "faults.jsonl")
    charged = read_charged(folder)
    paths = [path for path in sorted(folder.glob("*.jsonl")) if path.stem != "faults"]
    return "\n\n".join(report_library(path, faults, charged[path.stem]) for path in paths)


def report_library(path: Path, faults: list[Line], charged: list[float]) -> str:
    """The report of one library.

    Args:
        path: of its lines.
        faults: of the run.
        charged: when its jobs were charged, seconds since the epoch.
    """
    lines = read_lines(path)
    ended = [line for line in lines if "ended_at" in line]
    numbers = {line["number"] for line in ended}
    hanging = [line["call"] for line in lines if line["number"] not in numbers]
    kinds: dict[tuple[str, ...], list[Line]] = defaultdict(list)
    next_at = {
        line["number"]: after["begun_at"]
        for line, after in zip(ended, [*ended[1:], {"begun_at": float("inf")}], strict=True)
    }
    extra = 0
    for line in ended:
        line["charged"] = sum(line["begun_at"] < at < next_at[line["number"]] for at in charged)
        line["answers"] = sum(bool(ANSWERED.search(text)) for text in line["attempts"])
        if "error" in line:
            facts = (line["call"], line["error"], line["status"], line["code"])
            kinds[tuple(map(str, facts))].append(line)
        elif line["charged"] > line["answers"]:
            extra += line["charged"] - line["answers"]
    errors = sum(map(len, kinds.values()))
    counts = f"{len(ended)} calls, {errors} errors; {len(charged)} jobs charged, {extra} unanswered"
    text = [f"## {path.stem}: {counts}; open at the end: {hanging}"]
    for kind, those in sorted(kinds.items()):
        text.append(f"- {len(those)} × {' | '.join(kind)}")
        text += [describe(line, faults) for line in those[:EXAMPLES]]
    return "\n".join(text)


def describe(line: Line, faults: list[Line]) -> str:
    """One error in full."""
    met = [
        f"{fault['kind']} {'+'.join(fault['parts'])} {fault['at'] - line['begun_at']:+.0f}s"
        for fault in faults
        if line["begun_at"] - fault["lasts_s"] - AFTER_S < fault["at"] < line["ended_at"]
    ]
    facts = {
        name: line[name]
        for name in ("message", "body", "causes", "retry_after", "should_retry")
        if line[name] not in (None, "None", [], "")
    }
    duration_s = line["ended_at"] - line["begun_at"]
    counts = f"{line['answers']} answers, {line['charged']} charged"
    head = f"    gateway {line['gateway']}, {duration_s:.1f} s, {counts}; {'; '.join(met)}"
    details = [f"      {name}: {value}" for name, value in facts.items()]
    return "\n".join([head, *details, *(f"      > {text}" for text in line["attempts"])])


def read_charged(folder: Path) -> dict[str, list[float]]:
    """When each library's jobs were charged."""
    keys = json.loads((folder / "keys.json").read_text())
    charged: dict[str, list[float]] = defaultdict(list)
    address = f"file:{folder / 'pool/store.db'}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as store:
        query = "SELECT key, settled_at FROM settled WHERE run = 0 AND tokens > 0"
        for key, at in store.execute(query):
            if key in keys:
                charged[keys[key]].append(at)
    return charged


def read_lines(path: Path) -> list[Line]:
    """The lines of a file of JSON; a last one that was cut is left out."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


if __name__ == "__main__":
    print(make_report(Path(sys.argv[1])))
