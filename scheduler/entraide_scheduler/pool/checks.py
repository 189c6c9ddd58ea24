"""Checks of the pool's doctor: their results, and how a check makes one."""

from enum import StrEnum

from msgspec import Struct

from entraide.errors import EntraideError

NAMES_MAX = 10

Value = str | int | float


class Severity(StrEnum):
    """Severity of a check's result."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class PoolCheck(Struct, frozen=True):
    """One result.

    Attributes:
        name: what was checked.
        severity: whether it keeps the pool from working.
        code: of the result; name and code select its sentence.
        values: names and numbers in the sentence.
        problem: code of an error with a sentence of its own, or "".
    """

    name: str
    severity: Severity
    code: str = "ok"
    values: dict[str, Value] = {}
    problem: str = ""


def fail(name: str, code: str, **values: Value) -> PoolCheck:
    """Returns a result that keeps the pool from working."""
    return PoolCheck(name, Severity.FAIL, code, values)


def warn(name: str, code: str, **values: Value) -> PoolCheck:
    """Returns a result that does not."""
    return PoolCheck(name, Severity.WARN, code, values)


def ok(name: str, code: str = "ok", /, **values: Value) -> PoolCheck:
    """Returns a result without a fault."""
    return PoolCheck(name, Severity.OK, code, values)


def failure(name: str, problem: EntraideError) -> PoolCheck:
    """Returns the failure of an error that has a sentence of its own."""
    values = {key: str(value) for key, value in problem.values.items()}
    return PoolCheck(name, Severity.FAIL, "problem", dict(values), problem.code)


def names(names: list[str]) -> str:
    """Returns names in a sentence; of many, the first and their number."""
    more = f", … ({len(names)})" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more
