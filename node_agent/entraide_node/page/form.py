"""Form: converts the owner's terms to form fields, and back.

Input: terms or fields. Output: fields or terms, or the first faulty field. Hours are written per
weekday.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from entraide.types import DataClass
from entraide_node.core.owner_terms import (
    DAYS,
    OwnerTerms,
    PresencePolicy,
    UnknownPresencePolicy,
    WeeklyHours,
    format_hours,
    parse_hours,
)
from entraide_node.owner.terms_file import BOUNDS, find_excess

TEXT_CHARS_MAX = 4_096

CHECKS = ("on_battery", "surplus_only", "own_first")
CHOICES: Mapping[str, Sequence[str]] = {
    "present": tuple(PresencePolicy),
    "unseen": tuple(UnknownPresencePolicy),
}

# A field's value: one text, or a list for checkboxes of one group.
Fields = dict[str, str | list[str]]


class FormProblem(Struct, frozen=True):
    """Why a form is not saved.

    Attributes:
        code: stable; its sentence is in the message catalogue under ``page-CODE``.
        field: the faulty field.
        text: its content; for ``too-many`` the largest number.
    """

    code: str
    field: str
    text: str


def terms_to_fields(terms: OwnerTerms) -> Fields:
    """Returns terms as form fields."""
    fields: Fields = {}
    for day in range(len(DAYS)):
        spans = [span for span in terms.hours if day in span.days]
        fields[f"hours-{day}"] = ", ".join(format_hours(span).split()[-1] for span in spans)
    values = msgspec.to_builtins(terms)
    for key in BOUNDS:
        table, _, inner = key.rpartition(".")
        fields[key] = f"{(values[table] if table else values)[inner]:g}"
    for key in CHECKS:
        fields[key] = "on" if values[key] else ""
    for key in CHOICES:
        fields[key] = values[key]
    fields["programs"] = "\n".join(terms.programs)
    fields["data_classes"] = list(values["data_classes"])
    return fields


def fields_to_terms(fields: Fields) -> OwnerTerms | FormProblem:
    """Returns form fields as terms."""
    hours = _parse_hours(fields)
    if isinstance(hours, FormProblem):
        return hours
    table: dict[str, Any] = {"caps_idle": {}, "caps_present": {}}
    for key in BOUNDS:
        text = _field_text(fields, key)
        number = _parse_number(text)
        if number is None:
            return FormProblem("wrong-number", key, text)
        name, _, inner = key.rpartition(".")
        (table[name] if name else table)[inner] = number
    for key in CHECKS:
        table[key] = _field_text(fields, key) == "on"
    for key, known in CHOICES.items():
        chosen = _field_text(fields, key)
        table[key] = chosen if chosen in known else known[0]
    lines = [line.strip() for line in _field_text(fields, "programs").splitlines()]
    table["programs"] = [line for line in lines if line]
    ticked = fields.get("data_classes", [])
    table["data_classes"] = [data_class for data_class in DataClass if data_class in ticked]
    terms = msgspec.structs.replace(msgspec.convert(table, OwnerTerms), hours=hours)
    excess = find_excess(terms)
    if excess is None:
        return terms
    code, key, limit = excess
    if code == "too_many":
        return FormProblem("too-many", key, limit)
    return FormProblem("wrong-number", key, _field_text(fields, key))


def _parse_hours(fields: Fields) -> tuple[WeeklyHours, ...] | FormProblem:
    days_of: dict[tuple[int, int], list[int]] = {}
    for day in range(len(DAYS)):
        for part in _field_text(fields, f"hours-{day}").split(","):
            if not part.strip():
                continue
            span = parse_hours(part)
            if span is None or len(part.split()) != 1:
                return FormProblem("wrong-hours", f"hours-{day}", part.strip())
            days_of.setdefault((span.begin_min, span.end_min), []).append(day)
    return tuple(
        WeeklyHours(tuple(sorted(set(days))), begin_min, end_min)
        for (begin_min, end_min), days in days_of.items()
    )


def _field_text(fields: Fields, key: str) -> str:
    value = fields.get(key, "")
    return value.strip()[:TEXT_CHARS_MAX] if isinstance(value, str) else ""


def _parse_number(text: str) -> float | None:
    """A number as written in either language; an empty field is 0."""
    try:
        return float(text.replace(",", ".").replace("\u00a0", "") or "0")
    except ValueError:
        return None
