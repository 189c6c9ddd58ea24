"""Hours rows: the owner's hours as rows of a form, each with days, a begin and an end.

Input: hours, or form fields. Output: form fields, or hours and the faulty fields. Midnight at the
end of a day is ``00:00`` in a form, since a browser's time field has no ``24:00``.
"""

import re
from collections.abc import Sequence

from entraide_node.core.owner_terms import DAY_MIN, DAYS, WeeklyHours
from entraide_node.owner.terms_file import LISTED_MAX
from entraide_node.page.fields import Fields, FormProblem, field_text, field_texts

MODE, ONLY, ALWAYS = "hours_mode", "only", "always"

_FIELD = re.compile(r"row-(\d{1,3})-(?:days|from|to)")
# As a browser's time field sends it, and as people write it: 18:00, 18 h, 18h30.
_TIME = re.compile(r"(\d{1,2})\s*(?:[:hH]\s*(\d{2})?)?(?::\d{2})?")


def hours_to_fields(hours: Sequence[WeeklyHours]) -> Fields:
    """Returns hours as form fields; without hours, an empty row that waits to be filled in."""
    fields: Fields = {MODE: ONLY if hours else ALWAYS}
    for number, span in enumerate(hours):
        fields[f"row-{number}-days"] = [str(day) for day in span.days]
        fields[f"row-{number}-from"] = _format_time(span.begin_min)
        fields[f"row-{number}-to"] = _format_time(span.end_min)
    return fields if hours else fields | _empty_row(0)


def row_numbers(fields: Fields) -> list[int]:
    """Returns the numbers of the rows that a form has, in order."""
    return sorted({int(match.group(1)) for key in fields if (match := _FIELD.fullmatch(key))})


def add_row(fields: Fields) -> tuple[Fields, int]:
    """Returns the fields with one more row, and its number; the same beyond the largest number."""
    numbers = row_numbers(fields)
    if len(numbers) >= LISTED_MAX:
        return fields, numbers[-1]
    number = len(numbers)
    return _renumbered(fields, numbers) | _empty_row(number) | {MODE: ONLY}, number


def remove_row(fields: Fields, number: int) -> Fields:
    """Returns the fields without a row; the last row becomes an empty one."""
    left = [row for row in row_numbers(fields) if row != number]
    fields = _renumbered(fields, left)
    return fields if left else fields | _empty_row(0)


def fields_to_hours(fields: Fields) -> tuple[tuple[WeeklyHours, ...], list[FormProblem]]:
    """Returns the hours of a form, and its faulty fields."""
    if field_text(fields, MODE) == ALWAYS:
        return (), []
    rows = [row for row in row_numbers(fields) if not _is_empty(fields, row)]
    if not rows:
        return (), [FormProblem("no-hours", "hours")]
    if len(rows) > LISTED_MAX:
        return (), [FormProblem("too-many", "hours", str(LISTED_MAX))]
    hours: list[WeeklyHours] = []
    problems: list[FormProblem] = []
    for row in rows:
        row_problems = _find_row_problems(fields, row)
        problems += row_problems
        if not row_problems:
            begin_min = _parse_time(field_text(fields, f"row-{row}-from")) or 0
            end_min = _parse_time(field_text(fields, f"row-{row}-to")) or DAY_MIN
            hours.append(WeeklyHours(_row_days(fields, row), begin_min, end_min))
    return tuple(hours), problems


def _find_row_problems(fields: Fields, row: int) -> list[FormProblem]:
    problems = [] if _row_days(fields, row) else [FormProblem("no-days", f"row-{row}-days")]
    for end in ("from", "to"):
        key = f"row-{row}-{end}"
        text = field_text(fields, key)
        if not text:
            problems.append(FormProblem("missing-time", key))
        elif _parse_time(text) is None:
            problems.append(FormProblem("wrong-time", key, text))
    return problems


def _row_days(fields: Fields, row: int) -> tuple[int, ...]:
    ticked = field_texts(fields, f"row-{row}-days")
    return tuple(day for day in range(len(DAYS)) if str(day) in ticked)


def _is_empty(fields: Fields, row: int) -> bool:
    ends = (field_text(fields, f"row-{row}-{end}") for end in ("from", "to"))
    return not _row_days(fields, row) and not any(ends)


def _empty_row(number: int) -> Fields:
    return {f"row-{number}-days": [], f"row-{number}-from": "", f"row-{number}-to": ""}


def _renumbered(fields: Fields, rows: Sequence[int]) -> Fields:
    kept: Fields = {key: value for key, value in fields.items() if not _FIELD.fullmatch(key)}
    for number, row in enumerate(rows):
        kept[f"row-{number}-days"] = field_texts(fields, f"row-{row}-days")
        for end in ("from", "to"):
            kept[f"row-{number}-{end}"] = field_text(fields, f"row-{row}-{end}")
    return kept


def _format_time(minute: int) -> str:
    return f"{minute % DAY_MIN // 60:02}:{minute % 60:02}"


def _parse_time(text: str) -> int | None:
    """Returns the minute of the day, or None."""
    match = _TIME.fullmatch(text)
    if match is None or not text.isascii():
        return None
    minute = int(match.group(1)) * 60 + int(match.group(2) or 0)
    return minute if minute < DAY_MIN and int(match.group(2) or 0) < 60 else None
