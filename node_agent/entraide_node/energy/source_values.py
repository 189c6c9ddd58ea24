"""Values: one number with its moment, and the ways in which it can fail to come.

It decides what counts as a number in what a device says. Who asks the device, stands elsewhere.
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

# Why there is no value; the catalogue has the words under `meter-fault-CODE`.
UNREACHABLE = "unreachable"
REFUSED = "refused"
UNREADABLE = "unreadable"
UNAVAILABLE = "unavailable"
NOT_YET = "not_yet"
NO_SECRET = "no_secret"  # noqa: S105  (a code)


class SourceValue(Struct, frozen=True):
    """A number, and when it held, seconds since the epoch."""

    number: float
    at: float


class MissingValue(Struct, frozen=True):
    """Why there is no value: a stable code, and for the log a few words that hold no secret."""

    fault: str
    detail: str = ""


class ValueSource(Protocol):
    """Where one number is read."""

    @property
    def kind(self) -> str:
        """Its kind; the catalogue has its name under ``meter-KIND``."""

    async def read(self) -> SourceValue | MissingValue:
        """Returns the newest value that it knows."""

    async def close(self) -> None:
        """Lets go of what it holds."""


def extract_number(document: Any, expression: str) -> float | None:
    """Returns the number that an expression finds in decoded JSON; several are added up.

    >>> extract_number({"ENERGY": {"Power": [12, 30.5]}}, "ENERGY.Power")
    42.5
    """
    try:
        result = jmespath.search(expression, document)
    except (JMESPathError, ArithmeticError, RecursionError, TypeError, ValueError):
        return None  # a function of the expression was given what it does not take
    parts = result if isinstance(result, list) else [result]
    if not 0 < len(parts) <= PHASES_MAX:
        return None
    numbers = [parse_number(part) for part in parts]
    return sum(number for number in numbers if number is not None) if None not in numbers else None


def parse_number(value: Any) -> float | None:
    """Returns what was said as a finite number; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if abs(number) <= NUMBER_MAX else None  # NaN compares as false


def read_secret(folder: Path, *, file: str, env: str) -> str | None:
    """Returns a secret from the file or the variable that holds it; None when it is not there."""
    if not file:
        return os.environ.get(env, "").strip() or None
    try:
        with (folder / Path(file).expanduser()).open("rb") as opened:
            return opened.read(SECRET_BYTES_MAX).decode("utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
