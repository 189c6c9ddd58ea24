"""Strict JSON: parses a request's body, or refuses it with the position of the fault.

Accepted is UTF-8 JSON of RFC 8259 with unique names in each object, finite numbers, valid Unicode,
and a bounded number and depth of objects and lists. The only exception is ``Refused``.
"""

import json
import math
from typing import Any, NoReturn

from entraide_scheduler.gateway.refusals.refusals import clean_text, refused

CONTAINERS_MAX = 100_000
DEPTH_MAX = 64  # levels of free JSON, such as a schema; see ``check_free_json``
INTEGER_MAX = 2**63 - 1


class _DuplicateName(ValueError):
    """An object has a name twice."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _NotFinite(ValueError):
    """A number is NaN or infinite."""


def read_object(body: bytes) -> dict[str, Any]:
    """Returns the JSON object in a body.

    Raises:
        Refused: ``invalid_json``, or ``invalid_request`` if the body is not an object.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise refused("invalid_json", fault="json_not_utf8", at_byte=problem.start) from None
    if text.count("{") + text.count("[") > CONTAINERS_MAX:
        raise refused("invalid_json", fault="json_too_large", limit=CONTAINERS_MAX)
    value = _decoded(text)
    if "\\ud" in text or "\\uD" in text:
        _check_unicode(value)
    if not isinstance(value, dict):
        raise refused("invalid_request", fault="not_an_object")
    return value


def check_free_json(value: Any, param: str) -> None:
    """Checks the depth and the numbers of JSON with arbitrary fields.

    Raises:
        Refused: ``invalid_request``.
    """
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise refused("invalid_request", param=param, fault="too_deep", limit=DEPTH_MAX)
        next_level: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                next_level.extend(item.values())
            elif isinstance(item, list):
                next_level.extend(item)
            elif isinstance(item, float) and not math.isfinite(item):
                raise refused("invalid_request", param=param, fault="not_finite")
            elif isinstance(item, int) and abs(item) > INTEGER_MAX:
                raise refused("invalid_request", param=param, fault="integer_too_large")
        level = next_level


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as problem:
        raise refused(
            "invalid_json", fault="json_syntax", line=problem.lineno, column=problem.colno
        ) from None
    except _DuplicateName as problem:
        name = clean_text(problem.name)
        raise refused("invalid_json", fault="json_duplicate", param=name) from None
    except _NotFinite:
        raise refused("invalid_json", fault="json_not_finite") from None
    except RecursionError:
        raise refused("invalid_json", fault="json_too_deep", limit=DEPTH_MAX) from None
    except ValueError:  # an integer of thousands of digits
        raise refused("invalid_json", fault="json_integer_too_large") from None


def _check_unicode(value: Any) -> None:
    """Refuses an escape of a single surrogate, which is no valid Unicode."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise refused("invalid_json", fault="json_surrogate") from None
    except (RecursionError, ValueError):
        raise refused("invalid_json", fault="json_too_deep", limit=DEPTH_MAX) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names: set[str] = set()
        for name, _ in pairs:
            if name in names:
                raise _DuplicateName(name)
            names.add(name)
    return value


def _constant(name: str) -> NoReturn:
    raise _NotFinite(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
