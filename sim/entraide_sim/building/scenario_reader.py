"""Scenario reader: loads a scenario from a file, or a shipped one by name, and validates it.

Every problem becomes one ``scenario_refused`` error with file, line, key, stable code and values.
"""

import re
import tomllib
from codecs import BOM_UTF8
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from entraide.decoding import decode_toml
from entraide.errors import RequestError
from entraide.form_faults import KeyPath, find_form_fault, show_value
from entraide_sim.building.scenario_validation import find_issues
from entraide_sim.building.world_builder import build_world
from entraide_sim.files import find_line
from entraide_sim.money import mark_purchases
from entraide_sim.scenario import NodeGroup, Scenario, SpreadsheetError, expand_coops, read_machines

SCENARIO_BYTES_MAX = 4 * 1024 * 1024
SUFFIX = ".toml"

Values = dict[str, str | int | float]

# Messages of the readers of series and traces, and their stable codes.
_MESSAGE_CODES = (
    (re.compile(r"no column (?P<value>.+)"), "no_column"),
    (re.compile(r"the hour before is missing"), "gap"),
    (re.compile(r"no hours from the start on"), "too_early"),
    (re.compile(r"the series ends before the scenario does"), "too_short"),
    (re.compile(r"(?:arrivals|hours) are not in order of time"), "not_in_order"),
    (re.compile(r"hours repeat the moment of another row"), "moment_twice"),
    (re.compile(r"rows are (?P<value>.+) minutes apart"), "not_hourly"),
    (re.compile(r"no arrivals"), "empty_trace"),
    (re.compile(r"more than (?P<high>\d+) requests"), "too_many_requests"),
    (re.compile(r"(?P<key>.+) (?P<value>\S+) is beyond (?P<high>\d+)"), "most"),
    (re.compile(r"(?P<value>.+) is not (?:an arrival|a moment|an intensity|a number)"), "bad_cell"),
)
_LOCATION = re.compile(
    r"^(?P<path>.+?\.(?:csv|jsonl))(?::(?P<line>\d+))?: (?P<said>.+)$", re.DOTALL
)


class LoadedScenario(Struct, frozen=True):
    """A validated scenario, and its source.

    Attributes:
        scenario: validated.
        home: folder that its files are relative to.
        text: TOML source.
        path: for error messages.
    """

    scenario: Scenario
    home: Path
    text: str
    path: str


def shipped_scenarios() -> list[str]:
    """Returns the names of the scenarios shipped with the package."""
    folder = files("entraide_sim") / "scenarios"
    names = [file.name for file in folder.iterdir() if file.name.endswith(SUFFIX)]
    return sorted(name.removesuffix(SUFFIX) for name in names)


def load_scenario(source: str) -> LoadedScenario:
    """Loads a scenario by its path or shipped name.

    Raises:
        RequestError: ``scenario_refused``.
    """
    path = Path(source)
    if path.suffix != SUFFIX and source in shipped_scenarios():
        text = (files("entraide_sim") / "scenarios" / f"{source}{SUFFIX}").read_text("utf-8")
        return parse_scenario(text, path=source, home=Path())
    try:
        raw = path.read_bytes()
        if len(raw) > SCENARIO_BYTES_MAX:
            raise scenario_error(source, 0, "", "too_large", {"high": SCENARIO_BYTES_MAX})
        if raw.startswith(BOM_UTF8):
            raise scenario_error(source, 1, "", "byte_order_mark", {})
        text = raw.decode("utf-8")
    except OSError:
        known = ", ".join(shipped_scenarios())
        raise scenario_error(
            source, 0, "", "no_scenario", {"value": source, "known": known}
        ) from None
    except UnicodeDecodeError as problem:
        raise scenario_error(source, 0, "", "unreadable", {"detail": str(problem)}) from None
    return parse_scenario(text, path=source, home=path.absolute().parent)


def parse_scenario(text: str, *, path: str, home: Path) -> LoadedScenario:
    """Parses and validates a scenario.

    Args:
        text: TOML.
        path: for error messages.
        home: folder that its files are relative to.

    Raises:
        RequestError: ``scenario_refused``.
    """
    try:
        raw = decode_toml(text)
    except tomllib.TOMLDecodeError as problem:
        line = re.search(r"line (\d+)", str(problem))
        number = int(line.group(1)) if line else 0
        raise scenario_error(path, number, "", "unreadable", {"detail": str(problem)}) from None
    _wrap_lengths(raw)
    sheet = _merge_spreadsheet(raw, text, path=path, home=home)
    scenario = mark_purchases(expand_coops(_convert_scenario(raw, text, path)))
    for fault in find_issues(scenario):
        row = sheet.line_of(fault.path) if sheet is not None else 0
        if sheet is not None and row:
            raise scenario_error(
                sheet.path, row, _format_path(fault.path[2:]), fault.code, fault.values
            )
        line_number = find_line(text, list(fault.path))
        raise scenario_error(path, line_number, _format_path(fault.path), fault.code, fault.values)
    return LoadedScenario(scenario, home, text, path)


def check_files(loaded: LoadedScenario) -> None:
    """Reads every file that a scenario names completely; at least one request must arrive.

    Raises:
        RequestError: ``scenario_refused``, with the file and the line.
    """
    scenario = loaded.scenario
    for number, site in enumerate(scenario.sites):
        for key in ("intensity", "forecast", "surplus"):
            _check_file(loaded, ("sites", number, key), getattr(site, key))
    for number, workload in enumerate(scenario.workloads):
        _check_file(loaded, ("workloads", number, "trace"), workload.trace)
    try:
        parts = build_world(scenario, home=loaded.home, seed=scenario.seed)
        first = next(parts.requests, None)
        if any(workload.trace for workload in scenario.workloads):
            for _ in parts.requests:
                pass
    except ValueError as problem:
        raise _file_error(str(problem), loaded.path) from problem
    if first is None:
        line = find_line(loaded.text, ["workloads", 0])
        raise scenario_error(loaded.path, line, "workloads", "no_requests", {})


def scenario_error(path: str, line: int, key: str, fault: str, values: Values) -> RequestError:
    """Returns the error of an invalid scenario."""
    where = f"{path}:{line}" if line else path
    named: Values = {"key": key} if key else {}
    return RequestError(
        "scenario_refused",
        f"{where}: {key}: {fault} {values}",
        values={**values, **named, "path": where, "fault": fault},
    )


def _check_file(loaded: LoadedScenario, place: KeyPath, name: str) -> None:
    if name and not (loaded.home / name).is_file():
        line = find_line(loaded.text, list(place))
        raise scenario_error(loaded.path, line, _format_path(place), "no_file", {"value": name})


def _file_error(message: str, scenario_path: str) -> RequestError:
    where = _LOCATION.match(message)
    path, line, rest = (
        (where["path"], int(where["line"] or 0), where["said"])
        if where
        else (scenario_path, 0, message)
    )
    for pattern, code in _MESSAGE_CODES:
        match = pattern.fullmatch(rest)
        if match:
            values: Values = {
                name: int(text) if name == "high" else text
                for name, text in match.groupdict().items()
            }
            return scenario_error(path, line, str(values.pop("key", "")), code, values)
    return scenario_error(path, line, "", "unreadable", {"detail": rest})


def _format_path(place: KeyPath) -> str:
    """Returns a path as text, array indices from 1."""
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in place)


# Conversion of raw values to a scenario.


class _SheetLines(Struct, frozen=True):
    """Lines of a spreadsheet's machines, which are in ``[[nodes]]`` from index ``first`` on."""

    path: str
    first: int
    lines: tuple[int, ...]

    def line_of(self, place: KeyPath) -> int:
        """Returns the line of the row that contains a key; 0 if there is none."""
        if len(place) < 2 or place[0] != "nodes":
            return 0
        row = int(place[1]) - self.first
        return self.lines[row] if 0 <= row < len(self.lines) else 0


def _merge_spreadsheet(
    raw: dict[str, Any], text: str, *, path: str, home: Path
) -> _SheetLines | None:
    """Appends the machines of a spreadsheet (``machines = "FILE.csv"``) to ``[[nodes]]``."""
    name = raw.pop("machines", None)
    if name is None:
        return None
    line = find_line(text, ["machines"])
    if not isinstance(name, str):
        wrong: Values = {"value": show_value(name), "expected": "str"}
        raise scenario_error(path, line, "machines", "wrong_kind", wrong)
    try:
        rows = read_machines(home / name)
    except OSError:
        raise scenario_error(path, line, "machines", "no_file", {"value": name}) from None
    except SpreadsheetError as problem:
        raise scenario_error(
            str(home / name), problem.line, "", problem.code, problem.values
        ) from None
    for row in rows:
        try:
            msgspec.convert(row.values, NodeGroup)
        except msgspec.ValidationError as problem:
            form_fault = find_form_fault(problem, row.values, NodeGroup)
            key, fault, values = form_fault.key, form_fault.fault, {**form_fault.values}
            raise scenario_error(str(home / name), row.line, key, fault, values) from None
    own = raw.get("nodes", [])
    raw["nodes"] = [*own, *(row.values for row in rows)]
    return _SheetLines(str(home / name), len(own), tuple(row.line for row in rows))


def _wrap_lengths(raw: dict[str, Any]) -> None:
    """Makes fixed lengths, which a scenario may write as one number, arrays of one number."""
    workloads = raw.get("workloads")
    for workload in workloads if isinstance(workloads, list) else ():
        for key in ("input_tokens", "output_tokens"):
            value = workload.get(key) if isinstance(workload, dict) else None
            if isinstance(value, int | float):
                workload[key] = [value]


def _convert_scenario(raw: dict[str, Any], text: str, path: str) -> Scenario:
    try:
        return msgspec.convert(raw, Scenario)
    except msgspec.ValidationError as problem:
        form_fault = find_form_fault(problem, raw, Scenario)
        values: Values = {**form_fault.values}
        if form_fault.fault == "unknown_key":
            values |= {"value": str(form_fault.path[-1])}
        line = find_line(text, list(form_fault.path))
        raise scenario_error(
            path, line, _format_path(form_fault.path), form_fault.fault, values
        ) from None
