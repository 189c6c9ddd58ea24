"""The OpenAPI document: valid, complete, and as strict as the validators."""

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.scheduler.gateway_support import open_pool
from tests.scheduler.test_clients import RECORDED, REQUESTS
from tests.scheduler.test_fields import REFUSED

from entraide_scheduler.gateway import openai, openapi
from entraide_scheduler.gateway.endpoints import REQUESTS as KINDS
from entraide_scheduler.gateway.endpoints import JobRequest
from entraide_scheduler.gateway.options import OPTIONS
from entraide_scheduler.gateway.routes import PATHS

# As clients read it: in JSON, a default that is a tuple is an array.
DOCUMENT: dict[str, Any] = json.loads(json.dumps(openapi.build_document(PATHS)))

# Faults that a schema cannot say: relations between fields, and what JSON itself is.
BEYOND_A_SCHEMA = {
    "needs", "tool_choice", "tool_call_unknown", "tool_call_twice", "tool_arguments", "image_url",
    "images",
}  # fmt: skip


def validator(path: str) -> OAS31Validator:
    schema = {"$ref": f"#/components/schemas/{KINDS[path].__name__}", **DOCUMENT}
    return OAS31Validator(schema)


def test_document_is_valid() -> None:
    """The document holds to OpenAPI 3.1."""
    assert [] == list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors())


def test_every_route_is_in_it() -> None:
    """Each path and method of the gateway is described, and each field has its sentence."""
    operations = {path: {m.upper() for m in methods} for path, methods in DOCUMENT["paths"].items()}
    fields = {name for kind in (*KINDS.values(), JobRequest) for name in kind.__struct_fields__}

    assert {path: set(methods) for path, methods in PATHS.items()} == operations
    assert fields == set(openapi.FIELD_DESCRIPTIONS)
    assert {option.name for option in OPTIONS} == set(openapi.OPTION_DESCRIPTIONS)


def test_names_of_operations_are_unique() -> None:
    """A client made from the document has a function for each operation."""
    names = [
        operations["operationId"]
        for path in DOCUMENT["paths"].values()
        for operations in path.values()
    ]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("client", "turn"), REQUESTS)
def test_recorded_requests_hold_to_it(client: str, turn: int) -> None:
    """What real clients send is what the document describes."""
    fields = RECORDED[client][turn]

    assert validator(fields["path"]).is_valid(fields["body"])


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_what_the_gateway_refuses(name: str) -> None:
    """A field out of bounds is out of bounds in the document, too."""
    body, _, fault = REFUSED[name]
    if fault not in BEYOND_A_SCHEMA:
        assert not validator(openai.CHAT).is_valid(json.loads(body))


async def test_it_is_served_without_a_key(tmp_path: Path) -> None:
    """Whoever can reach the pool can read how to speak to it."""
    async with open_pool(tmp_path) as pool, pool.session.get("/openapi.json") as answer:
        assert 200 == answer.status
        assert DOCUMENT == await answer.json()
