"""Untrusted JSON: safe values from the JSON of an engine.

Input: JSON of an attached engine, which is somebody else's program and may send anything. Output:
values of a known type and range; a number is whole and fits into a bus message.
"""

from typing import Any

import msgspec

from entraide.decoding import decode_json
from entraide.units import COUNT_MAX

TEXT_CHARS_MAX = 500
MILLISECONDS_MAX = 1e12


def parse_object(payload: bytes) -> dict[str, Any]:
    """Returns a document if it is an object; else {}."""
    try:
        document = decode_json(payload)
    except msgspec.DecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def list_objects(value: Any) -> list[dict[str, Any]]:
    """Returns the objects in a list; [] for anything else."""
    if not isinstance(value, list):
        return []
    if len(value) == 1 and isinstance(value[0], dict):  # nearly every event of a stream
        return value
    return [item for item in value if isinstance(item, dict)]


def parse_count(value: Any) -> int:
    """Returns a positive whole number; 0 for anything else.

    >>> parse_count(7), parse_count(-7), parse_count(10**30), parse_count("7")
    (7, 0, 0, 0)
    """
    return value if isinstance(value, int) and 0 < value <= COUNT_MAX else 0


def parse_milliseconds(value: Any) -> float:
    """Returns a positive number of milliseconds; 0 for anything else."""
    is_valid = isinstance(value, int | float) and 0 < value <= MILLISECONDS_MAX
    return float(value) if is_valid else 0.0


def parse_text(value: Any) -> str:
    """Returns a value as a short text; "" for none, or for one that nests too deeply."""
    if isinstance(value, str):
        return value[:TEXT_CHARS_MAX]
    try:
        return str(value)[:TEXT_CHARS_MAX] if value is not None else ""
    except (RecursionError, ValueError):  # ValueError: an integer with thousands of digits
        return ""
