"""Form: converts the owner's terms to form fields, and back.

Input: terms or fields. Output: fields or terms, or all faulty fields, in the form's order. An empty
number is "no limit" where 0 means that, and is refused elsewhere.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from entraide.decoding import decode_json
from entraide.types import DataClass
from entraide_node.core.owner_terms import (
    OwnerTerms,
    PresencePolicy,
    ReasonNotice,
    UnknownPresencePolicy,
)
from entraide_node.owner.terms_file import BOUNDS, LISTED_MAX
from entraide_node.page.fields import (
    TEXT_CHARS_MAX,
    Fields,
    FormProblem,
    field_text,
    field_texts,
)
from entraide_node.page.hours_rows import fields_to_hours, hours_to_fields

SHOWN = "shown"  # field with the terms that a form showed
CHECKS = ("own_first", "surplus_only", "on_battery", "keep_awake")
CHOICES: Mapping[str, Sequence[str]] = {
    "present": tuple(PresencePolicy),
    "unseen": tuple(UnknownPresencePolicy),
    "tell_pool": tuple(ReasonNotice),
}
# Numbers of which 0 is a value, and not the absence of a limit.
DURATIONS = ("idle_min", "give_back_s", "settle_s", "prefix.memory_part")
TABLES = ("caps_idle", "caps_present", "prefix")


def terms_to_fields(terms: OwnerTerms) -> Fields:
    """Returns terms as form fields."""
    fields = hours_to_fields(terms.hours)
    values = msgspec.to_builtins(terms)
    for key in BOUNDS:
        fields[key] = format_number(number_of(terms, key), key)
    for key in CHECKS:
        fields[key] = "on" if values[key] else ""
    for key in CHOICES:
        fields[key] = values[key]
    fields["programs"] = "\n".join(terms.programs)
    fields["data_classes"] = list(values["data_classes"])
    return fields


def show_terms(terms: OwnerTerms, allowed: Collection[DataClass]) -> Fields:
    """Returns the terms in force as form fields, and in ``SHOWN`` what the form was made of.

    Args:
        terms: that apply.
        allowed: data classes of the node's configuration; the others are not processed.
    """
    fields = terms_to_fields(terms)
    fields["data_classes"] = [each for each in terms.data_classes if each in allowed]
    fields[SHOWN] = msgspec.json.encode(terms).decode("utf-8")
    return fields


def merge_changes(
    sent: OwnerTerms, fields: Fields, now: OwnerTerms, allowed: Collection[DataClass]
) -> OwnerTerms:
    """Returns the present terms with what was changed in a form, and nothing else.

    Args:
        sent: terms of the form as it was sent.
        fields: of that form.
        now: terms that apply now, perhaps others than those which the form showed.
        allowed: data classes of the node's configuration.
    """
    try:
        shown = decode_json(field_text(fields, SHOWN), type=OwnerTerms)
    except msgspec.DecodeError:
        shown = now
    before = fields_to_terms(show_terms(shown, allowed))
    if not isinstance(before, OwnerTerms):
        return sent
    hidden = [each for each in now.data_classes if each not in allowed]
    ticked = [each for each in DataClass if each in (*sent.data_classes, *hidden)]
    changes = _changes(before, msgspec.structs.replace(sent, data_classes=before.data_classes))
    if sent.data_classes != before.data_classes:
        changes["data_classes"] = tuple(ticked)
    for name in TABLES:
        caps = _changes(getattr(before, name), getattr(sent, name))
        changes[name] = msgspec.structs.replace(getattr(now, name), **caps)
    return msgspec.structs.replace(now, **changes)


def _changes(before: msgspec.Struct, after: msgspec.Struct) -> dict[str, Any]:
    """Returns the fields of the second struct that differ from those of the first."""
    values = msgspec.structs.asdict(after)
    return {name: each for name, each in values.items() if each != getattr(before, name)}


def fields_to_terms(fields: Fields) -> OwnerTerms | tuple[FormProblem, ...]:
    """Returns form fields as terms, or all that is wrong with them."""
    hours, problems = fields_to_hours(fields)
    table: dict[str, Any] = {name: {} for name in TABLES}
    for key, known in CHOICES.items():
        table[key] = field_text(fields, key)
        if table[key] not in known:
            problems.append(FormProblem("wrong-choice", key))
    for key in BOUNDS:
        number = _parse_number(field_text(fields, key), key)
        if isinstance(number, FormProblem):
            problems.append(number)
        else:
            name, _, inner = key.rpartition(".")
            (table[name] if name else table)[inner] = number
    for key in CHECKS:
        table[key] = field_text(fields, key) == "on"
    table["programs"] = _parse_programs(fields, problems)
    ticked = field_texts(fields, "data_classes")
    table["data_classes"] = [data_class for data_class in DataClass if data_class in ticked]
    if problems:
        return tuple(problems)
    return msgspec.structs.replace(msgspec.convert(table, OwnerTerms), hours=hours)


def number_of(terms: OwnerTerms, key: str) -> float:
    """Returns a number of the terms by its key in ``BOUNDS``."""
    name, _, inner = key.rpartition(".")
    return float(getattr(getattr(terms, name) if name else terms, inner))


def format_number(number: float, key: str) -> str:
    """Returns a number as a field shows it; "" where 0 means no limit."""
    return f"{number:g}" if number or key in DURATIONS else ""


def _parse_programs(fields: Fields, problems: list[FormProblem]) -> list[str]:
    text = field_text(fields, "programs")
    lines = [line.strip() for line in text.splitlines()]
    programs = [line for line in lines if line]
    if len(text) > TEXT_CHARS_MAX:
        problems.append(FormProblem("too-long", "programs", str(TEXT_CHARS_MAX)))
    elif len(programs) > LISTED_MAX:
        problems.append(FormProblem("too-many", "programs", str(LISTED_MAX)))
    return programs


def _parse_number(text: str, key: str) -> float | FormProblem:
    """A number as written in either language."""
    if not text:
        return FormProblem("missing-number", key) if key in DURATIONS else 0.0
    try:
        number = float(text.replace(",", ".").replace("\u00a0", "").replace("\u202f", ""))
    except ValueError:
        return FormProblem("wrong-number", key, text)
    low, high = BOUNDS[key]
    return number if low <= number <= high else FormProblem("wrong-number", key, text)
