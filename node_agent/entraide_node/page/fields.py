"""Fields: what a form sends, by name, and why a field is refused."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

TEXT_CHARS_MAX = 4_096
GROUP_VALUES_MAX = 16  # of checkboxes with one name

# A field's value: one text, or a list for checkboxes of one group.
Fields = dict[str, str | list[str]]

_GROUPS = ("-days", "data_classes")  # ends of the names of checkbox groups


class FormProblem(Struct, frozen=True):
    """Why a field is refused.

    Attributes:
        code: stable; its sentence is in the message catalogue under ``page-CODE``.
        field: the faulty field.
        text: its content; for ``too-many`` and ``too-long`` the largest number.
    """

    code: str
    field: str
    text: str = ""


def read_fields(sent: Iterable[tuple[str, object]]) -> Fields:
    """Returns the fields of a sent form; files are left out.

    Args:
        sent: names and values, in the form's order.
    """
    fields: Fields = {"data_classes": []}
    for name, value in sent:
        if not isinstance(value, str):
            continue
        if not name.endswith(_GROUPS):
            fields[name] = value
            continue
        group = fields.setdefault(name, [])
        if isinstance(group, list) and len(group) < GROUP_VALUES_MAX:
            group.append(value)
    return fields


def field_text(fields: Mapping[str, str | list[str]], key: str) -> str:
    """Returns the text of a field without surrounding space; "" for a group, or without it."""
    value = fields.get(key, "")
    return value.strip() if isinstance(value, str) else ""


def field_texts(fields: Mapping[str, str | list[str]], key: str) -> list[str]:
    """Returns the ticked values of a group of checkboxes."""
    value = fields.get(key, [])
    return value if isinstance(value, list) else []
