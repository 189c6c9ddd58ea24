"""Source values: one number with its time, or the reason for its absence.

Input: a device's document. Output: a finite number; anything else counts as no number.
"""

import os
from pathlib import Path
from typing import Any, Protocol

import jmespath
from jmespath.exceptions import JMESPathError
from msgspec import Struct

BODY_BYTES_MAX = 1024 * 1024
SECRET_BYTES_MAX = 4_096
PHASES_MAX = 64
NUMBER_MAX = 1e15

# Why there is no value; the message catalogue has the words under `meter-fault-CODE`.
UNREACHABLE = "unreachable"
REFUSED = "refused"
UNREADABLE = "unreadable"
UNAVAILABLE = "unavailable"
NOT_YET = "not_yet"
NO_SECRET = "no_secret"  # noqa: S105  (a code)


class SourceValue(Struct, frozen=True):
    """A number and the time of its measurement, seconds since the epoch."""

    number: float
    at: float


class MissingValue(Struct, frozen=True):
    """Why there is no value: a stable code, and a detail for the log that contains no secret."""

    fault: str
    detail: str = ""


class ValueSource(Protocol):
    """A source of one number."""

    @property
    def kind(self) -> str:
        """Its kind; the message catalogue has its name under ``meter-KIND``."""

    async def read(self) -> SourceValue | MissingValue:
        """Returns its newest value."""

    async def close(self) -> None:
        """Releases its resources."""


def extract_number(document: Any, expression: str) -> float | None:
    """Returns the number that an expression selects in decoded JSON; several are added up.

    >>> extract_number({"ENERGY": {"Power": [12, 30.5]}}, "ENERGY.Power")
    42.5
    """
    try:
        result = jmespath.search(expression, document)
    except (JMESPathError, ArithmeticError, RecursionError, TypeError, ValueError):
        return None  # an expression's function got an argument of the wrong type
    parts = result if isinstance(result, list) else [result]
    if not 0 < len(parts) <= PHASES_MAX:
        return None
    numbers = [parse_number(part) for part in parts]
    return sum(number for number in numbers if number is not None) if None not in numbers else None


def parse_number(value: Any) -> float | None:
    """Returns a value as a finite number; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if abs(number) <= NUMBER_MAX else None  # NaN compares as false


def read_secret(folder: Path, *, file: str, env: str) -> str | None:
    """Returns a secret from its file or variable; None if it is missing."""
    if not file:
        return os.environ.get(env, "").strip() or None
    try:
        with (folder / Path(file).expanduser()).open("rb") as opened:
            return opened.read(SECRET_BYTES_MAX).decode("utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
