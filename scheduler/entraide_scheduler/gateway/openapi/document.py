"""Document: puts paths, parameters, answers and components together."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from entraide import __version__, i18n
from entraide.errors import CODES
from entraide_scheduler.gateway.openapi import codes
from entraide_scheduler.gateway.openapi.examples import ANSWER_EXAMPLES, REQUEST_EXAMPLES
from entraide_scheduler.gateway.openapi.operations import (
    JSON,
    OPERATIONS,
    Access,
    Operation,
    OperationAnswer,
)
from entraide_scheduler.gateway.openapi.parameters import (
    build_headers,
    build_parameters,
    list_parameters,
    refer_to_headers,
)
from entraide_scheduler.gateway.openapi.schemas import PREFIX, PUBLISHED, build_schemas
from entraide_scheduler.gateway.openapi.texts import find_summary, find_text
from entraide_scheduler.gateway.refusals import refusals
from entraide_scheduler.gateway.requests import MESSAGES
from entraide_scheduler.gateway.signin import CSRF_HEADER, SAFE_METHODS, SECURE_NAME

FORM = "multipart/form-data"
EVENT_SCHEMA = "x-event-schema"  # of a stream: the schema of each event's document
ERROR_CODES = "x-error-codes"  # of an error's answer: its codes

# Of an operation that makes an object: the placeholder of its identifier, and who takes it.
LINKS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "submit_job": ("job", ("get_job", "explain_job", "job_receipt", "cancel_job")),
        "upload_file": ("file", ("get_file", "file_content", "delete_file")),
        "create_batch": ("batch", ("get_batch", "cancel_batch")),
    }
)
SECURITY: Mapping[Access, list[dict[str, list[str]]]] = MappingProxyType(
    {
        Access.ALL: [],
        Access.KEY: [{"key": []}, {"key_header": []}, {"session": []}],
        Access.PERSON: [{"session": []}],
        Access.ADMIN: [{"operator_key": []}, {"session": []}],
        Access.NODE: [{"node_pass": []}],
    }
)


def build_document(paths: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Returns the document.

    Args:
        paths: handler names by method, by path pattern.
    """
    names: set[str] = set()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Entraide",
            "version": __version__,
            "description": find_text("document", "description"),
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            pattern: {
                method.lower(): _operation(pattern, method, name, names)
                for method, name in methods.items()
            }
            for pattern, methods in paths.items()
        },
        "components": {
            "schemas": build_schemas(),
            "parameters": build_parameters(),
            "headers": build_headers(),
            "securitySchemes": _security_schemes(),
        },
        "security": SECURITY[Access.KEY],
    }


def _security_schemes() -> dict[str, Any]:
    return {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": find_text("security", "key"),
        },
        "key_header": {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": find_text("security", "key_header"),
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": SECURE_NAME,
            "description": find_text("security", "session"),
        },
        "csrf": {
            "type": "apiKey",
            "in": "header",
            "name": CSRF_HEADER,
            "description": find_text("security", "csrf"),
        },
        "operator_key": {
            "type": "http",
            "scheme": "bearer",
            "description": find_text("security", "operator_key"),
        },
        "node_pass": {
            "type": "http",
            "scheme": "entraide-node",
            "description": find_text("security", "node_pass"),
        },
    }


def _operation(pattern: str, method: str, name: str, names: set[str]) -> dict[str, Any]:
    facts = OPERATIONS[name]
    identifier = name if name not in names else f"{name}_by_{method.lower()}"
    names.add(identifier)
    operation: dict[str, Any] = {
        "operationId": identifier,
        "summary": find_summary(name),
        "parameters": list_parameters(pattern, facts),
        "responses": _responses(name, pattern, facts),
    }
    if facts.request is not None or facts.form is not None:
        operation["requestBody"] = _request_body(name, facts)
    operation["security"] = [_with_csrf(method, each) for each in SECURITY[facts.access]]
    return operation


def _with_csrf(method: str, scheme: dict[str, list[str]]) -> dict[str, list[str]]:
    """Returns a way to authenticate, with the token that a change in a session needs."""
    return {**scheme, "csrf": []} if "session" in scheme and method not in SAFE_METHODS else scheme


def _request_body(name: str, facts: Operation) -> dict[str, Any]:
    kind = facts.request or facts.form
    assert kind is not None
    content: dict[str, Any] = {
        "schema": _refer_to(kind if isinstance(kind, str) else kind.__name__)
    }
    if name in REQUEST_EXAMPLES:
        content["example"] = REQUEST_EXAMPLES[name]
    return {"required": True, "content": {FORM if facts.form is not None else JSON: content}}


def _refer_to(name: str) -> dict[str, Any]:
    return {"$ref": PREFIX + PUBLISHED.get(name, name)}


def _responses(name: str, pattern: str, facts: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for answer in facts.answers:
        response = responses.setdefault(
            str(answer.status),
            {"description": find_text("answers", str(answer.status)), "content": {}},
        )
        response["content"][answer.kind] = _content(name, answer)
        if name in LINKS:
            response["links"] = _links(*LINKS[name])
        if answer.headers:
            response.setdefault("headers", {}).update(refer_to_headers(answer.headers))
    error = "MessageError" if pattern.startswith(MESSAGES) else "Error"
    has_job = "{job}" in pattern or any("x-request-id" in each.headers for each in facts.answers)
    for status, its_codes in codes.by_status(facts.all_codes).items():
        refusal = _refusal(status, its_codes, error, has_job=has_job)
        if str(status) not in responses:
            responses[str(status)] = refusal
            continue
        present = responses[str(status)]  # of readiness: 503 is an answer, too
        assert JSON not in present["content"], (name, status)
        present["content"].update(refusal["content"])
    return responses


def _links(placeholder: str, operations: Iterable[str]) -> dict[str, Any]:
    parameters = {placeholder: "$response.body#/id"}
    return {name: {"operationId": name, "parameters": parameters} for name in operations}


def _content(name: str, answer: OperationAnswer) -> dict[str, Any]:
    if answer.schema is not None:
        kind = answer.schema
        name_of = kind if isinstance(kind, str) else kind.__name__
        content: dict[str, Any] = {"schema": _refer_to(name_of)}
        if name in ANSWER_EXAMPLES:
            content["example"] = ANSWER_EXAMPLES[name]
        return content
    if answer.kind == JSON:
        return {"schema": {"type": "object"}}
    content = {"schema": {"type": "string"}}
    if answer.events:
        content["schema"]["description"] = find_text("answers", "stream")
        shapes = [_refer_to(event.__name__) for event in answer.events]
        content[EVENT_SCHEMA] = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    elif "charset" not in answer.kind and not answer.kind.startswith("text/"):
        content["schema"]["format"] = "binary"
    return content


def _refusal(status: int, its_codes: list[str], error: str, *, has_job: bool) -> dict[str, Any]:
    facts = [CODES[code] for code in its_codes]
    headers = ["x-request-id"] if has_job else []
    if any(each.retryable for each in facts) or status == 429:
        headers.append("retry-after")
    if any(code.startswith("quota_") for code in its_codes):
        headers.append("x-ratelimit")
    if refusals.is_retried(status) and not all(each.retryable for each in facts):
        headers.append("x-should-retry")
    if status == 401:
        headers.append("www-authenticate")
    response: dict[str, Any] = {
        "description": _explain_codes(its_codes),
        "content": {JSON: {"schema": _refer_to(error)}},
        ERROR_CODES: its_codes,
    }
    if headers:
        response["headers"] = refer_to_headers(headers)
    return response


def _explain_codes(its_codes: Iterable[str]) -> str:
    """Returns each code with the first sentence of its message."""
    lines = []
    for code in its_codes:
        sentence = i18n.error(code, "en").replace("\n", " ").partition(". ")[0].rstrip(".")
        lines.append(f"`{code}`: {sentence}.")
    return "\n".join(lines)
