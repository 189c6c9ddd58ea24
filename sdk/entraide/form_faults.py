"""Form faults: what is wrong with the form of a configuration file, as a code with values.

In: the error that reading, parsing or converting the file has raised, and the struct type that it
was to become. Out: the faulty key, the code of the fault and what its sentence says: the value,
what was expected, the keys or values that are possible. The sentences are in the locale files
(``error-config_refused``); the error's own words are for the log.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from entraide.printable import shortened

VALUE_CHARS_MAX = 60
KNOWN_CHARS_MAX = 400  # of the list of possible keys

KeyPath = tuple[str | int, ...]

_PLACE = re.compile(r" - at `(?P<place>\$.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_KIND = re.compile(r"Expected `(.+?)`, got `(.+?)`")
_LEAST = re.compile(r"Expected `.+?` (>=|<=) (-?[\d.e+]+)")
_MOMENT = re.compile(r"Invalid \S+ encoded (date|datetime|time)")
_CHOICE = re.compile(r"Invalid (?:enum )?value ")
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")
_TWICE = ("Cannot overwrite", "Cannot declare", "Duplicate")


class FormFault(Struct, frozen=True):
    """One fault of a file's form.

    Attributes:
        path: the faulty key, by tables and positions from 0; empty where no key is meant.
        fault: ``unknown_key``, ``missing_key``, ``wrong_kind``, ``not_one_of``, ``least``,
            ``most``, ``not_toml``, ``key_twice``, ``not_utf8``, ``no_file``, ``too_large`` or
            ``unusable``.
        values: what its sentence says.
    """

    path: KeyPath
    fault: str
    values: dict[str, str | int | float] = {}

    @property
    def key(self) -> str:
        """The key as a file's reader counts: ``engines.2.port`` is of the second engine."""
        steps = (str(step + 1) if isinstance(step, int) else step for step in self.path)
        return shortened(".".join(steps), VALUE_CHARS_MAX)

    @property
    def sentence_values(self) -> dict[str, str | int | float]:
        """The values of its sentence, with the code and the key."""
        named = {"key": self.key} if self.path else {}
        return {**self.values, **named, "fault": self.fault}


def find_form_fault(
    problem: Exception, document: Any = None, kind: type[Struct] | None = None
) -> FormFault:
    """Returns the fault that an error of reading a TOML file stands for.

    Args:
        problem: of the file system, of the text's encoding, of TOML, or of msgspec.
        document: the tables of the file, as far as they were read.
        kind: the struct type of the file.
    """
    if isinstance(problem, tomllib.TOMLDecodeError):
        place = _AT.search(str(problem))
        lines: dict[str, str | int | float] = (
            {"line": int(place[1]), "column": int(place[2])} if place else {}
        )
        is_twice = str(problem).startswith(_TWICE)
        return FormFault((), "key_twice" if is_twice else "not_toml", lines)
    if isinstance(problem, UnicodeDecodeError):
        return FormFault((), "not_utf8", {"byte": problem.start + 1})
    if isinstance(problem, OSError):
        return FormFault((), "no_file", {"detail": problem.strerror or str(problem)})
    if isinstance(problem, msgspec.ValidationError):
        return _find_value_fault(str(problem), document, kind)
    return FormFault((), "unusable", {"detail": shortened(str(problem), 200)})


def _find_value_fault(problem: str, document: Any, kind: Any) -> FormFault:
    path: KeyPath = ()
    if place := _PLACE.search(problem):
        problem = problem[: place.start()]
        steps = _STEP.findall(place["place"].removeprefix("$"))
        path = tuple(name or int(index) for name, index in steps)
    if match := _UNKNOWN.match(problem):
        return FormFault((*path, match[1]), "unknown_key", _known_keys(kind, path, match[1]))
    if match := _MISSING.match(problem):
        return FormFault((*path, match[1]), "missing_key")
    values: dict[str, str | int | float] = {"value": show_value(value_at(document, path))}
    if match := _KIND.match(problem):
        kinds = [part for part in match[1].split(" | ") if part != "null"]
        return FormFault(path, "wrong_kind", values | {"expected": ", ".join(kinds)})
    if match := _MOMENT.match(problem):
        return FormFault(path, "wrong_kind", values | {"expected": match[1]})
    if match := _LEAST.match(problem):
        limit = float(match[2])
        fault, name = ("least", "low") if match[1] == ">=" else ("most", "high")
        return FormFault(path, fault, values | {name: int(limit) if limit.is_integer() else limit})
    choices = ", ".join(_choices(type_at(kind, path))) if _CHOICE.match(problem) else ""
    if choices:
        return FormFault(path, "not_one_of", values | {"choices": choices})
    return FormFault(path, "unusable", values | {"detail": shortened(problem, 200)})


def value_at(document: Any, path: KeyPath) -> Any:
    """Returns the value at a path of a document; None if there is none."""
    value = document
    for step in path:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return None
    return value


def show_value(value: Any) -> str:
    """Returns a value on one line, shortened, as TOML writes it: ``true``, ``[…]``, ``{…}``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{…}"
    if isinstance(value, list | tuple):
        return "[…]"
    return shortened(str(value), VALUE_CHARS_MAX)


def type_at(kind: Any, path: KeyPath) -> Any:
    """Returns the type of the value at a path of a struct type; None if there is no such key."""
    for step in path:
        kind = next((inner for each in _members(kind) if (inner := _step(each, step))), None)
    return kind


def _step(kind: Any, step: str | int) -> Any:
    """Returns the type of a struct's field, or of the items of a list or a table."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        tag = kind.__struct_config__.tag_field
        if step == tag:
            return None
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        return fields.get(str(step))
    arguments = get_args(kind)
    if not arguments:
        return None
    return arguments[0] if isinstance(step, int) else arguments[-1]


def _members(kind: Any) -> Iterator[Any]:
    """Yields the types of a union without None, or the type itself."""
    if get_origin(kind) in (Union, UnionType):
        for each in get_args(kind):
            yield from _members(each)
    elif kind is not None and kind is not type(None):
        yield kind


def _choices(kind: Any) -> Iterator[str]:
    """Yields the allowed values of an enumeration or of a literal type."""
    for each in _members(kind):
        if isinstance(each, type) and issubclass(each, Enum):
            yield from (str(member.value) for member in each)
        elif get_origin(each) is Literal:
            yield from (str(value) for value in get_args(each))


def _known_keys(kind: Any, path: KeyPath, name: str) -> dict[str, str | int | float]:
    """Returns the possible keys of a table: those that resemble a name, else all."""
    keys = [
        field.encode_name
        for each in _members(type_at(kind, path))
        if isinstance(each, type) and issubclass(each, Struct)
        for field in msgspec.structs.fields(each)
    ]
    alike = difflib.get_close_matches(name, keys, n=2)
    known = shortened(", ".join(alike or dict.fromkeys(keys)), KNOWN_CHARS_MAX)
    return {"known": known} if known else {}
