"""Schemas at the gateway's bounds on a real llama.cpp: each is answered, none keeps it busy."""

from typing import Any

import pytest
from tests.engines.support import llamacpp, ran, request

from entraide.types import Outcome
from entraide_node.engines.base import BAD_REQUEST
from entraide_scheduler.gateway.refusals import check_schema
from entraide_scheduler.gateway.refusals.pattern_bounds import REPETITIONS_MAX
from entraide_scheduler.gateway.refusals.schema_bounds import ENUM_VALUES_MAX, PROPERTIES_MAX

pytestmark = pytest.mark.engines

TEXT = {"type": "string", "maxLength": REPETITIONS_MAX}
LIST = {"type": "array", "maxItems": REPETITIONS_MAX}
SCHEMAS: dict[str, dict[str, Any]] = {
    "long texts": {"type": "object", "properties": dict.fromkeys("abcde", TEXT)},
    "lists of lists": {**LIST, "items": {**LIST, "items": {**LIST, "items": TEXT}}},
    "many words": {"enum": [f"mot numéro {n}" for n in range(ENUM_VALUES_MAX)]},
    "many properties": {
        "type": "object",
        "properties": {f"p{n}": {"type": "integer"} for n in range(PROPERTIES_MAX)},
    },
    "repetitions in repetitions": {"type": "string", "pattern": "^((a{1,10}b?){1,10})$"},
    "stars in stars": {"type": "string", "pattern": "^(((((((a*)*)*)*)*)*)*)*$"},
    "parts that may be missing": {"type": "string", "pattern": "^" + "(a?)" * 32 + "$"},
    "left recursion": {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "string"}]}},
    },
    "recursion in all": {
        "allOf": [{"$ref": "#/$defs/a"}],
        "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}},
    },
    "a type that is none": {"type": "frob"},
}


async def test_schemas_at_the_bounds_leave_the_engine_serving() -> None:
    """What the gateway lets through ends, or is refused as the request's fault; it goes on."""
    async with llamacpp() as engine:
        for name, schema in SCHEMAS.items():
            check_schema(schema, "response_format")
            named = {"name": "reponse", "schema": schema}
            form = {"type": "json_schema", "json_schema": named}
            _, end = await ran(engine, request(max_tokens=8, response_format=form))
            refused = end.failure is not None and end.failure.code == BAD_REQUEST

            assert end.outcome is Outcome.COMPLETED or refused, (name, end)
            _, plain = await ran(engine, request(max_tokens=2))

            assert Outcome.COMPLETED is plain.outcome, name
