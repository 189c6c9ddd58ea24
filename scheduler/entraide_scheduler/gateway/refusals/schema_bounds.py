"""Schema bounds: limits of JSON schemas, before an engine compiles them to grammars.

A small schema can produce a grammar that exhausts memory (``maxItems: 1e9``) or recurses without
end (a cyclic ``$ref``), which ends the engine and all its runs. Bytes, depth, repetitions, enum
values and properties are bounded, references are followed, and patterns are checked by
``pattern_bounds``. The engine checks everything else.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from entraide_scheduler.gateway.refusals.field_faults import show_value
from entraide_scheduler.gateway.refusals.pattern_bounds import (
    NUMBER_MAX,
    REPETITIONS_MAX,
    check_pattern,
)
from entraide_scheduler.gateway.refusals.refusals import ErrorReply, Refused, clean_text
from entraide_scheduler.gateway.refusals.strict_json import check_free_json

SCHEMA_BYTES_MAX = 64 * 1024  # of one schema; four times as much for all tools together
SCHEMA_DEPTH_MAX = 32
REPETITIONS_SUM_MAX = 5_000
PROPERTIES_MAX = 400  # over all objects; with 1,500, llama.cpp took more than 12 s per token
ENUM_VALUES_MAX = 500
REFERENCES_MAX = 32  # length of a chain

COUNTS = (
    "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties",
    "minContains", "maxContains",
)  # fmt: skip
PAIRS = (
    ("minItems", "maxItems"), ("minLength", "maxLength"), ("minProperties", "maxProperties"),
    ("minContains", "maxContains"), ("minimum", "maximum"), ("exclusiveMinimum", "maximum"),
    ("minimum", "exclusiveMaximum"), ("exclusiveMinimum", "exclusiveMaximum"),
)  # fmt: skip
LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


def check_schema(schema: dict[str, Any], param: str) -> int:
    """Checks a schema; returns its size in bytes.

    Raises:
        Refused: ``invalid_request``, with the keyword at fault.
    """
    check_free_json(schema, param)
    size = len(msgspec.json.encode(schema))
    if size > SCHEMA_BYTES_MAX:
        raise _refused(param, "schema_bytes", limit=SCHEMA_BYTES_MAX, size=size)
    repetitions = enums = properties = 0
    for part, depth in _parts(schema):
        if depth > SCHEMA_DEPTH_MAX:
            raise _refused(param, "too_deep", limit=SCHEMA_DEPTH_MAX)
        repetitions += _repetitions(part, param)
        enums += len(part["enum"]) if isinstance(part.get("enum"), list) else 0
        fields = part.get("properties")
        properties += len(fields) if isinstance(fields, dict) else 0
        _check_limits(part, param)
        _check_pairs(part, param)
        _check_reference(part, schema, param)
    if repetitions > REPETITIONS_SUM_MAX:
        raise _refused(param, "schema_repetitions", limit=REPETITIONS_SUM_MAX, size=repetitions)
    if properties > PROPERTIES_MAX:
        raise _refused(param, "schema_properties", limit=PROPERTIES_MAX, size=properties)
    if enums > ENUM_VALUES_MAX:
        raise _refused(param, "schema_enum", limit=ENUM_VALUES_MAX, size=enums)
    return size


def _refused(param: str, fault: str, **values: str | float) -> Refused:
    return Refused(ErrorReply("invalid_request", {"param": param, "fault": fault, **values}))


def _parts(schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
    """Yields every object in a schema with its depth, in breadth-first order."""
    level: list[Any] = [schema]
    depth = 0
    while level:
        depth += 1
        next_level: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                yield item, depth
                next_level.extend(item.values())
            elif isinstance(item, list):
                next_level.extend(item)
        level = next_level


def _repetitions(part: dict[str, Any], param: str) -> int:
    """Returns the sum of an object's counts and counted repetitions."""
    counted = 0
    for keyword in COUNTS:
        count = part.get(keyword)
        if isinstance(count, int | float) and not isinstance(count, bool):
            if not 0 <= count <= REPETITIONS_MAX:
                raise _refused(
                    param, "schema_keyword", keyword=keyword, limit=REPETITIONS_MAX,
                    found=show_value(count),
                )  # fmt: skip
            counted += int(count)
    pattern = part.get("pattern")
    return counted + (check_pattern(pattern, param) if isinstance(pattern, str) else 0)


def _check_limits(part: dict[str, Any], param: str) -> None:
    for keyword in LIMITS:
        number = part.get(keyword)
        if isinstance(number, int | float) and not -NUMBER_MAX <= number <= NUMBER_MAX:
            raise _refused(param, "schema_number", keyword=keyword, found=show_value(number))


def _check_pairs(part: dict[str, Any], param: str) -> None:
    """Refuses a minimum above its maximum, with which llama.cpp does not terminate."""
    for low, high in PAIRS:
        least, most = part.get(low), part.get(high)
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            raise _refused(param, "schema_order", keyword=low, other=high)


def _check_reference(part: dict[str, Any], schema: dict[str, Any], param: str) -> None:
    """Follows a chain of references, which must end inside the schema."""
    followed = 0
    target: Any = part
    while isinstance(target, dict) and isinstance(reference := target.get("$ref"), str):
        followed += 1
        if followed > REFERENCES_MAX:
            raise _refused(param, "schema_cycle", found=show_value(clean_text(reference)))
        target = _target(reference, schema)
        if not isinstance(target, dict | bool):
            raise _refused(param, "schema_reference", found=show_value(reference))


def _target(reference: str, schema: dict[str, Any]) -> Any:
    """Returns the target of a reference; None if it is not inside the schema."""
    if reference == "#":
        return schema
    if not reference.startswith("#/"):
        return None
    target: Any = schema
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict):
            target = target.get(name)
        elif isinstance(target, list) and name.isascii() and name.isdigit() and len(name) < 6:
            target = target[int(name)] if int(name) < len(target) else None
        else:
            return None
    return target
