"""Doctor output: what ``entraide node doctor`` prints, as sentences and as JSON."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.event_loop import run_event_loop
from entraide_node.doctor.inspection import inspect_node
from entraide_node.doctor.node_checks import Check, Level, Value, has_failure
from entraide_node.energy.cli_output import meter_name
from entraide_node.error_output import error_sentence
from entraide_node.logs import log_nothing

MARKS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗"}


class CheckReport(Struct, frozen=True):
    """A check as sentences.

    Attributes:
        name, level, code: of the check.
        sentence: the result.
        mend: how to repair it; "" if nothing needs repair.
    """

    name: str
    level: Level
    code: str
    sentence: str
    mend: str


def report_check(check: Check, lang: str) -> CheckReport:
    """Returns a check as sentences."""
    if check.problem is not None:
        code, problem_values = check.problem.code, check.problem.values
        text = error_sentence(code, problem_values, lang) or i18n.text(code, lang, **problem_values)
        return CheckReport(check.name, check.level, code, text, "")
    code = f"doctor-{check.name}-{check.code}"
    values = _localise_values(check.values, lang)
    mend = i18n.text(f"{code}.remedy", lang, **values) if i18n.has_message(f"{code}.remedy") else ""
    return CheckReport(check.name, check.level, check.code, i18n.text(code, lang, **values), mend)


def print_doctor(folder: Path, lang: str, *, as_json: bool) -> int:
    """Inspects a node and prints the result; returns 1 if something keeps it from working."""
    log_nothing()
    checks = run_event_loop(inspect_node(folder))
    format_report = _as_json if as_json else _as_lines
    sys.stdout.write(format_report([report_check(check, lang) for check in checks], lang))
    return 1 if has_failure(checks) else 0


def _as_json(checks: Sequence[CheckReport], _: str) -> str:
    ok = not any(check.level is Level.FAIL for check in checks)
    return msgspec.json.encode({"ok": ok, "checks": checks}).decode("utf-8") + "\n"


def _as_lines(checks: Sequence[CheckReport], lang: str) -> str:
    lines = []
    for check in checks:
        name = i18n.text(f"doctor-{check.name}", lang)
        lines.append(
            f"{MARKS[check.level]} {name}{i18n.text('doctor-colon', lang)}{check.sentence}"
        )
        if check.mend:
            lines.append(f"  → {check.mend}")
    levels = [check.level for check in checks]
    summary = i18n.text(
        "doctor-summary", lang, failed=levels.count(Level.FAIL), warned=levels.count(Level.WARN)
    )
    return "\n".join([*lines, summary, ""])


def _localise_values(values: dict[str, Value], lang: str) -> dict[str, Value]:
    """Replaces codes among the values by the names that people know."""
    localised = dict(values)
    for key in ("meter", "aside"):
        if key in localised:
            localised[key] = meter_name(str(localised[key]), lang)
    if "fault" in localised:
        localised["fault"] = i18n.text(f"meter-fault-{localised['fault']}", lang)
    if isinstance(off_s := localised.get("off_s"), float):
        localised["off"] = _format_duration(off_s, lang)
    for key, value in localised.items():
        if key.endswith("_gb") and isinstance(value, float):
            localised[key] = i18n.decimal(value, lang)
    return localised


def _format_duration(value_s: float, lang: str) -> str:
    """A duration in its largest unit; the unit symbols are the same in both languages."""
    for unit, size_s in (("h", 3_600.0), ("min", 60.0)):
        if value_s >= size_s:
            return f"{i18n.decimal(round(value_s / size_s, 1), lang)}\u00a0{unit}"
    return i18n.seconds(value_s, lang)
