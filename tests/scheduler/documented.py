"""Holds each answer of a gateway to ``/openapi.json``: status, media type, headers, schema, code.

``checked_answers`` makes a trace for an HTTP client; a request then raises ``Undocumented`` if its
answer is not what the document says.
"""

import json
from functools import cache
from types import SimpleNamespace
from typing import Any

import aiohttp
from openapi_schema_validator import OAS31Validator

from entraide.errors import CODES
from entraide_scheduler.gateway.openapi import build_document
from entraide_scheduler.gateway.openapi.codes import NO_OPERATION
from entraide_scheduler.gateway.openapi.document import ERROR_CODES
from entraide_scheduler.gateway.openapi.parameters import RESPONSE_HEADERS
from entraide_scheduler.gateway.routes import PATHS, route_of

JSON = "application/json"
# Of a path or a method that the pool does not have.
ELSEWHERE = {str(CODES[code].http): code for code in NO_OPERATION}


class Undocumented(AssertionError):
    """An answer that the document does not describe."""


@cache
def document() -> dict[str, Any]:
    """Returns the document as clients read it: in JSON, a tuple is an array."""
    loaded: dict[str, Any] = json.loads(json.dumps(build_document(PATHS)))
    return loaded


@cache
def validator(reference: str) -> OAS31Validator:
    """Returns the validator of a schema, by its reference."""
    return OAS31Validator({"$ref": reference, "components": document()["components"]})


@cache
def schema_faults(reference: str, body: bytes) -> list[str]:
    """Returns how a body differs from a schema; many answers of a test have the same body."""
    problems = validator(reference).iter_errors(json.loads(body))
    return [f"{problem.json_path}: {problem.message[:200]}" for problem in problems]


def find_faults(
    method: str, path: str, status: int, headers: dict[str, str], body: bytes | None
) -> list[str]:
    """Returns how an answer differs from the document.

    Args:
        method, path: of the request.
        status: of the answer.
        headers: of the answer, in lower case.
        body: of the answer; None to check no schema.
    """
    route = route_of(path)
    operations = document()["paths"].get(route.pattern, {}) if route is not None else {}
    operation = operations.get("get" if method == "HEAD" else method.lower())
    if operation is None:
        return find_refusal_faults(status, body)
    response = operation["responses"].get(str(status))
    if response is None:
        return [f"status {status}"]
    known = set(response.get("headers", ()))
    faults = [f"header {name}" for name in headers if name in set(RESPONSE_HEADERS) - known]
    kind = headers.get("content-type", "")
    if kind not in response["content"]:
        return [*faults, f"media type {kind!r}"]
    if body is None or kind != JSON or method == "HEAD":
        return faults
    value = json.loads(body)
    schema = response["content"][kind]["schema"]
    if "$ref" in schema:
        faults += schema_faults(schema["$ref"], body)
    if ERROR_CODES in response and isinstance(value.get("error"), dict):
        code = value["error"].get("code")
        faults += [] if code in response[ERROR_CODES] else [f"code {code} of {status}"]
    return faults


def find_refusal_faults(status: int, body: bytes | None) -> list[str]:
    """Returns how an answer to what is no operation differs from such a refusal."""
    expected = ELSEWHERE.get(str(status))
    if body is None or (expected is None and status in (400, 401, 408, 413, 431)):
        return []
    code = json.loads(body)["error"]["code"]
    return [] if code == expected else [f"code {code} of {status} at what is no operation"]


def checked_answers() -> aiohttp.TraceConfig:
    """Returns a trace that holds each answer to the document; a stream without its body."""

    async def check(_: object, __: SimpleNamespace, ended: aiohttp.TraceRequestEndParams) -> None:
        answer = ended.response
        if ended.method == "OPTIONS":
            return
        headers = {name.lower(): value for name, value in answer.headers.items()}
        is_whole = headers.get("content-type") == JSON and "content-length" in headers
        body = await answer.read() if is_whole and ended.method != "HEAD" else None
        faults = find_faults(ended.method, ended.url.path, answer.status, headers, body)
        if faults:
            raise Undocumented(f"{ended.method} {ended.url.path}: {'; '.join(faults)}")

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(check)
    return trace
