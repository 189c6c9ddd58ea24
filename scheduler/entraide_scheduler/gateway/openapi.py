"""OpenAPI: the HTTP interface as one document, made from the structs that requests are read with.

It decides how each endpoint is described. Bounds and fields are those of ``fields``, paths those of
``routes``: nothing is said twice, so that the document cannot say anything else than the code does.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from entraide import __version__
from entraide.types import Receipt
from entraide_scheduler.gateway.fields import IGNORED, NEUTRAL, REQUESTS, JobRequest
from entraide_scheduler.gateway.options import HTTP_NAMES
from entraide_scheduler.gateway.views import JobStatus

SCHEMAS = "#/components/schemas/"
PUBLISHED_NAMES = {"JobStatus": "JobView"}  # a schema keeps the name that clients know

# What each honoured field does, in one sentence.
FIELD_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "model": "Public name of a model, or a size: `petit`, `moyen`, `grand`, `auto`.",
        "messages": "The conversation so far. Unknown fields inside a message are left out.",
        "prompt": "Text to go on with, or tokens; each text of a list is answered by itself.",
        "max_tokens": "Longest answer, in tokens.",
        "max_completion_tokens": "The same; counts before `max_tokens` where both are given.",
        "n": "How many answers.",
        "stream": "Whether the answer comes as server-sent events.",
        "stream_options": "`include_usage`: whether a last event tells the usage.",
        "temperature": "How freely the model picks its words.",
        "top_p": "Part of the probability that is looked at.",
        "top_k": "How many tokens are looked at; 0 or -1 for all.",
        "min_p": "Least probability, as a part of the likeliest token's.",
        "seed": "The same seed may give the same answer.",
        "frequency_penalty": "Makes what was said often less likely.",
        "presence_penalty": "Makes what was said at all less likely.",
        "logit_bias": "What is added to tokens' logits, by the token's number.",
        "stop": "Texts that end the answer.",
        "response_format": "The form of the answer: text, a JSON object, or a JSON schema.",
        "logprobs": "Whether log probabilities come too; for a text, how many at each place.",
        "top_logprobs": "How many other tokens are told at each place; needs `logprobs`.",
        "tools": "Functions that the model may call.",
        "tool_choice": "Whether the model calls a tool, or which.",
        "parallel_tool_calls": "Whether the model may call several tools at once.",
        "reasoning_effort": "How long a model that reasons does so: the nearest of low, medium and "
        "high; `none` leaves the engine's own.",
        "request": "The request itself: an object as its path takes it.",
        "path": "Which endpoint's request it is.",
        "keep_s": "How long the answer is kept once the job ended, seconds; 0 means 24 hours.",
    }
)

_OPTION_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "job_class": "interactive, standard or batch.",
        "data_class": "public, internal or restricted.",
        "jurisdiction": "Where the job may run: CA, CA-QC, …",
        "deadline": "Latest completion: seconds from now, or a moment as ISO 8601 writes it.",
        "max_gco2e": "The most that the job may emit, grams of CO2 equivalent.",
        "session": "Name of a conversation, at most 256 characters.",
        "idempotency": "The same key twice is the same job, at most 256 characters.",
    }
)


class ErrorFields(Struct):
    """What is wrong: ``message`` says it in the language of ``Accept-Language``."""

    message: str
    type: str
    param: str | None
    code: str
    job: str = ""


class Error(Struct):
    """A refusal, in OpenAI's shape; the codes stand in ``docs/reference/errors.md``."""

    error: ErrorFields


class Operation(Struct, frozen=True):
    """What is said of one method of a path.

    Attributes:
        summary: in one sentence.
        request: schema of its body, or "".
        response: schema of its answer, or "" for any.
        open: whether it needs no key.
        kind: media type of the answer.
    """

    summary: str
    request: str = ""
    response: str = ""
    open: bool = False
    kind: str = "application/json"


# By the name that ``routes`` gives to the function that answers.
OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "page": Operation("The status page.", open=True, kind="text/html"),
        "status": Operation("The pool's machines and models now.", open=True),
        "well_known": Operation("How nodes and programs reach the pool.", open=True),
        "openapi": Operation("This document.", open=True),
        "health": Operation("Whether the process runs.", open=True),
        "readiness": Operation(
            "Whether requests are taken (503: not yet), and what went wrong of late.", open=True
        ),
        "metrics": Operation("Counters for Prometheus.", open=True, kind="text/plain"),
        "models": Operation("The models that may be asked for, with their features."),
        "model": Operation("One of these models."),
        "weights": Operation(
            "A piece (`Range`) of a pinned file, for an approved node, by a pass that it signs.",
            kind="application/octet-stream",
        ),
        "chat": Operation("Answers a conversation.", request="ChatRequest"),
        "completion": Operation("Goes on with a text.", request="CompletionRequest"),
        "list_jobs": Operation("The co-op's jobs, newest first (`limit`: 1 to 1,000)."),
        "submit_job": Operation(
            "Keeps a job, which survives anything.", request="JobRequest", response="JobView"
        ),
        "get_job": Operation("A job, with its answer once there is one.", response="JobView"),
        "cancel_job": Operation("Cancels a job.", response="JobView"),
        "explain_job": Operation("Why a job runs where it runs, or waits."),
        "job_receipt": Operation("The settled receipt of a job.", response="Receipt"),
    }
)


def build_document(paths: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Returns the document.

    Args:
        paths: by pattern, the name of the function that answers each method.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Entraide",
            "version": __version__,
            "description": "OpenAI-compatible inference on the machines of co-operatives.",
        },
        "paths": {
            pattern: {
                method.lower(): _operation(pattern, method, name)
                for method, name in methods.items()
            }
            for pattern, methods in paths.items()
        },
        "components": {
            "schemas": build_schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def build_schemas() -> dict[str, Any]:
    """Returns the schemas of requests and answers, by name."""
    kinds = [*REQUESTS.values(), JobRequest, Error, JobStatus, Receipt]
    _, components = msgspec.json.schema_components(kinds, ref_template=SCHEMAS + "{name}")
    for kind in (*REQUESTS.values(), JobRequest):
        for name, schema in components[kind.__name__]["properties"].items():
            schema["description"] = FIELD_DESCRIPTIONS[name]
    for path, kind in REQUESTS.items():
        properties = components[kind.__name__]["properties"]
        for name in sorted(IGNORED[path]):
            properties[name] = {"description": "Ignored."}
        for name, value in sorted(NEUTRAL[path].items()):
            properties[name] = {"enum": [value, None], "description": "Only this value."}
        # Any other field may be there if it is null.
        components[kind.__name__]["additionalProperties"] = {"type": "null"}
    for name, published in PUBLISHED_NAMES.items():
        components[name]["title"] = published
    return {PUBLISHED_NAMES.get(name, name): schema for name, schema in components.items()}


def _operation(pattern: str, method: str, name: str) -> dict[str, Any]:
    facts = OPERATIONS[name]
    operation: dict[str, Any] = {
        "operationId": f"{name}_{method.lower()}_{pattern.count('/')}",
        "summary": facts.summary,
        "parameters": _parameters(pattern, name, facts),
        "responses": _responses(name, facts),
    }
    if facts.request:
        content = {"application/json": {"schema": {"$ref": SCHEMAS + facts.request}}}
        operation["requestBody"] = {"required": True, "content": content}
    if facts.open:
        operation["security"] = []
    return operation


def _parameters(pattern: str, name: str, facts: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for placeholder in ("job", "model", "sha256"):
        if f"{{{placeholder}}}" in pattern:
            schema = {"type": "string"}
            parameters.append(
                {"name": placeholder, "in": "path", "required": True, "schema": schema}
            )
    if name == "list_jobs":
        parameters.append(
            {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1}}
        )
    if facts.request:
        for option, description in _OPTION_DESCRIPTIONS.items():
            schema = {"type": "string"}
            parameters.append(
                {
                    "name": HTTP_NAMES[option],
                    "in": "header",
                    "description": description,
                    "schema": schema,
                }
            )
    return parameters


def _responses(name: str, facts: Operation) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": SCHEMAS + facts.response} if facts.response else {}
    content: dict[str, Any] = {facts.kind: {"schema": schema}}
    if name in ("chat", "completion"):
        content["text/event-stream"] = {"schema": {}}
    success = {"description": "The answer.", "content": content}
    refusal = {
        "description": "A refusal.",
        "content": {"application/json": {"schema": {"$ref": SCHEMAS + "Error"}}},
    }
    return {"202" if name == "submit_job" else "200": success, "default": refusal}
