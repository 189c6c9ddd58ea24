"""The OpenAPI document: valid, complete, and as strict as the validators."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.cases import all_cases
from tests.scheduler import documented
from tests.scheduler.gateway_support import MODEL, ask, events, open_pool
from tests.scheduler.test_clients import RECORDED, REQUESTS
from tests.scheduler.test_fields import REFUSED

from entraide_scheduler.gateway import openapi
from entraide_scheduler.gateway.openapi.document import EVENT_SCHEMA
from entraide_scheduler.gateway.openapi.examples import ANSWER_EXAMPLES, REQUEST_EXAMPLES
from entraide_scheduler.gateway.openapi.operations import OPERATIONS
from entraide_scheduler.gateway.openapi.schemas import build_schemas
from entraide_scheduler.gateway.openapi.texts import SCHEMA, load_texts
from entraide_scheduler.gateway.requests import EVENT_STREAM, openai
from entraide_scheduler.gateway.requests import REQUESTS as KINDS
from entraide_scheduler.gateway.routes import PATHS

# As clients read it: in JSON, a default that is a tuple is an array.
DOCUMENT: dict[str, Any] = json.loads(json.dumps(openapi.build_document(PATHS)))

DESCRIPTION = "description"

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
    """Each path, method and handler of the gateway is described."""
    operations = {path: {m.upper() for m in methods} for path, methods in DOCUMENT["paths"].items()}
    handlers = {name for methods in PATHS.values() for name in methods.values()}

    assert {path: set(methods) for path, methods in PATHS.items()} == operations
    assert handlers == set(OPERATIONS)


def test_names_of_operations_are_unique() -> None:
    """A client made from the document has a function for each operation."""
    names = [
        operations["operationId"]
        for path in DOCUMENT["paths"].values()
        for operations in path.values()
    ]

    assert len(set(names)) == len(names)


@all_cases(("client", "turn"), REQUESTS)
def test_recorded_requests_hold_to_it(client: str, turn: int) -> None:
    """What real clients send is what the document describes."""
    fields = RECORDED[client][turn]

    assert validator(fields["path"]).is_valid(fields["body"])


@all_cases("name", REFUSED)
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


def test_each_field_has_its_sentence() -> None:
    """Each field of each schema is described, and no sentence is about a field that is gone."""
    schemas = build_schemas()
    fields = {
        (name, field) for name, schema in schemas.items() for field in schema.get("properties", ())
    }
    mute = [
        (name, field)
        for name, field in fields
        if not schemas[name]["properties"][field].get(DESCRIPTION)
    ]
    used = {section for section, _ in fields} | {"PoolFields", "Sampling"}
    stale = [
        (section, name)
        for section, texts in load_texts().items()
        if section in used
        for name in texts
        if (section, name) not in fields | {(section, SCHEMA), ("PoolFields", "idempotency")}
        and section != "Sampling"
    ]

    assert ([], []) == (mute, stale)


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """The contents of requests and answers that have an example, by operation."""
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                for content in body.get("content", {}).values():
                    if "example" in content:
                        yield operation["operationId"], content


def test_examples_hold_to_it() -> None:
    """Each example of a request or an answer has the schema beside it."""
    faults = {
        (name, problem.json_path)
        for name, content in contents()
        for problem in documented.validator(content["schema"]["$ref"]).iter_errors(
            content["example"]
        )
    }

    assert set() == faults
    assert len(list(contents())) == len(REQUEST_EXAMPLES) + len(ANSWER_EXAMPLES)


ERROR = {"message": "…", "type": "…", "param": None, "code": "unknown_job"}


@pytest.mark.parametrize(
    ("path", "status", "headers", "body", "fault"),
    [
        ("/v1/jobs/x", 404, {}, {"error": ERROR}, ""),
        ("/v1/jobs/x", 402, {}, {"error": ERROR}, "status 402"),
        ("/v1/jobs/x", 404, {"content-type": "text/html"}, {}, "media type 'text/html'"),
        ("/v1/jobs/x", 404, {"location": "/"}, {"error": ERROR}, "header location"),
        ("/v1/jobs/x", 404, {}, {"error": {**ERROR, "param": 1}}, "$.error.param"),
        ("/v1/files/x", 404, {}, {"error": ERROR}, "code unknown_job of 404"),
        ("/v1/none", 404, {}, {"error": ERROR}, "code unknown_job of 404 at what is no operation"),
    ],
)
def test_undocumented_answer_is_noticed(
    path: str, status: int, headers: dict[str, str], body: dict[str, Any], fault: str
) -> None:
    """An answer with another status, media type, header, shape or code is found."""
    named = {"content-type": "application/json", **headers}
    faults = documented.find_faults("GET", path, status, named, json.dumps(body).encode())

    assert ([fault] if fault else []) == [each[: len(fault)] for each in faults]


STREAMS = {
    openai.CHAT: ask(stream=True, stream_options={"include_usage": True}),
    openai.RESPONSES: {"model": MODEL, "input": "Bonjour", "stream": True},
    openai.MESSAGES: ask(stream=True, max_tokens=9),
}


@pytest.mark.parametrize("path", STREAMS)
async def test_events_hold_to_it(tmp_path: Path, path: str) -> None:
    """Each event of a streamed answer has the schema that the document names for it."""
    content = DOCUMENT["paths"][path]["post"]["responses"]["200"]["content"][EVENT_STREAM]
    async with open_pool(tmp_path) as pool:
        pending = asyncio.ensure_future(pool.send(STREAMS[path], path=path))
        (await pool.placed()).finish()
        async with await pending as answer:
            sent = events(await answer.text())
    faults = [
        (event.get("type"), problem.json_path, problem.message)
        for event in sent
        for problem in documented.validator(content[EVENT_SCHEMA]["$ref"]).iter_errors(event)
    ]

    assert len(sent) > 3
    assert [] == faults
