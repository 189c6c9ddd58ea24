"""OpenAPI: the HTTP interface as an OpenAPI 3.1 document, generated from the request structs.

Fields and bounds come from ``fields``, paths from ``routes``, so that the document agrees with the
code. This module adds the descriptions.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from entraide import __version__
from entraide.statements import NodeStatement, Statement
from entraide.types import Receipt
from entraide.wire.enrolment import JoinRequest, JoinResponse
from entraide_scheduler.gateway.batches.use_cases import BatchRequest
from entraide_scheduler.gateway.batches.views import BatchList, BatchObject
from entraide_scheduler.gateway.endpoints import IGNORED, NEUTRAL, REQUESTS, JobRequest
from entraide_scheduler.gateway.fields import (
    INPUTS_MAX,
    NAME_MAX,
    PoolFields,
)
from entraide_scheduler.gateway.files import (
    ORDERS,
    FileDeletion,
    FileForm,
    FileList,
    FileObject,
)
from entraide_scheduler.gateway.grid_view import GridView
from entraide_scheduler.gateway.options import OPTIONS
from entraide_scheduler.gateway.pool_view import PoolChange, PoolView
from entraide_scheduler.gateway.views import JobStatus, PublicStatus

SCHEMAS = "#/components/schemas/"
PUBLISHED_NAMES = {"JobStatus": "JobView"}  # a schema keeps the name that clients know

# One sentence for each honoured field.
FIELD_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "model": "Public name of a model, or a size: `petit`, `moyen`, `grand`, `auto`.",
        "messages": "The conversation so far. Unknown fields inside a message are left out.",
        "prompt": "Text or tokens to continue; each text of a list is a separate prompt.",
        "max_tokens": "Maximum length of an answer, tokens.",
        "max_completion_tokens": "The same; takes precedence over `max_tokens`.",
        "n": "Number of answers.",
        "stream": "Whether the answer is sent as server-sent events.",
        "stream_options": "`include_usage`: whether a last event contains the usage.",
        "temperature": "Sampling temperature; 0 selects the likeliest token.",
        "top_p": "Nucleus sampling: the cumulative probability of the tokens considered.",
        "top_k": "Number of tokens considered; 0 or -1 for all.",
        "min_p": "Minimum probability, relative to the likeliest token's.",
        "seed": "Seed of the sampling; the same seed may give the same answer.",
        "frequency_penalty": "Penalty on tokens, proportional to their frequency so far.",
        "presence_penalty": "Penalty on tokens that have occurred.",
        "logit_bias": "Added to tokens' logits, by token id.",
        "stop": "Texts that end the answer.",
        "response_format": "Format of the answer: text, a JSON object, or a JSON schema.",
        "logprobs": "Whether to return log probabilities; for a text, how many per position.",
        "top_logprobs": "Number of alternative tokens per position; needs `logprobs`.",
        "tools": "Functions that the model may call.",
        "tool_choice": "Whether the model may or must call a tool, or which one.",
        "parallel_tool_calls": "Whether the model may call several tools at once.",
        "reasoning_effort": "Reasoning effort, mapped to low, medium or high; `none` for the "
        "engine's default.",
        "input": "Texts, or lists of tokens, to embed: one, or a list of at most "
        f"{INPUTS_MAX:,}. None is empty.",
        "encoding_format": "Form of the embeddings: `float`, numbers (the default); `base64`, "
        "their 32-bit floats, little-endian.",
        "dimensions": "Length of the embeddings; needs a model that can shorten them.",
        "entraide": "The pool's own options, as in the headers.",
        "instructions": "Instructions to the model, before the input.",
        "max_output_tokens": "Maximum length of the answer, tokens.",
        "text": "`format` of the answer: text, a JSON object, or a JSON schema.",
        "reasoning": "`effort`: as `reasoning_effort` of a chat.",
        "metadata": "Returned with the response; it is not stored.",
        "include": "Without effect: the answer contains the reasoning itself.",
        "system": "Instructions to the model, before the messages.",
        "stop_sequences": "Texts that end the answer; which one did is not known.",
        "output_config": "`format`: a JSON schema that the answer follows; `effort`: as "
        "`reasoning_effort` of a chat.",
        "thinking": "Whether the answer contains the model's reasoning; a budget has no effect.",
        "request": "The request, as an object for its path.",
        "path": "Endpoint of the request.",
        "keep_s": "Retention of the answer after the end, seconds; 0 means 24 hours.",
    }
)

# One sentence for each of the pool's own options.
OPTION_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "job_class": "Promise: `interactive` (first word soon), `standard` or `batch` (any time).",
        "data_class": "Sensitivity of the data: `public`, `internal` or `restricted`.",
        "jurisdiction": "A zone, or the beginning of one, where the job must run: `CA`, `CA-QC`.",
        "controlled_by": "Who must control the machine: `member` (a member co-op), `canadian` (any "
        "Canadian organisation) or `other` (any).",
        "deadline": "Latest completion: seconds from now, or a time in ISO 8601 (UTC without a "
        "zone); at most 31 days ahead.",
        "max_gco2e": "Maximum emissions of the job, grams of CO2 equivalent.",
        "session": "Name of a conversation, whose requests go to the same machine if that helps.",
        "explain": "Whether the answer's `entraide` object contains the job's `explanation`.",
        "idempotency": "Idempotency key: the same key means the same job.",
    }
)


class ErrorFields(Struct):
    """An error; ``message`` is in the language of ``Accept-Language``."""

    message: str
    type: str
    param: str | None
    code: str
    job: str = ""


class Error(Struct):
    """An error in OpenAI's format; ``docs/reference/errors.md`` lists the codes."""

    error: ErrorFields


class Embedding(Struct):
    """An embedding: numbers, or the base64 of their 32-bit floats."""

    object: str
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Struct):
    """Tokens of all inputs, as the engine counted them."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Struct):
    """The embeddings, in the order of the inputs, with the job's receipt."""

    object: str
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
    entraide: Receipt | None = None


class Operation(Struct, frozen=True):
    """Description of one method of a path.

    Attributes:
        summary: one sentence.
        request: schema of the body, or "".
        response: schema of the response, or "" for any.
        open: whether no key is needed.
        kind: media type of the response.
        form: schema of a body that is a form, or "".
        query: names of the parameters in the query.
    """

    summary: str
    request: str = ""
    response: str = ""
    open: bool = False
    kind: str = "application/json"
    form: str = ""
    query: tuple[str, ...] = ()


QUERY_PARAMETERS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "limit": {"type": "integer", "minimum": 1},
        "after": {"type": "string"},
        "order": {"enum": list(ORDERS)},
        "purpose": {"type": "string"},
        "lang": {"enum": ["fr", "en"]},
    }
)


# By the handler's name in ``routes``.
OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "page": Operation("The pages, for a browser.", open=True, kind="text/html"),
        "page_asset": Operation(
            "A file that the pages load.", open=True, kind="application/octet-stream"
        ),
        "status": Operation("The pool's machines and models.", response="PublicStatus", open=True),
        "well_known": Operation("How nodes and programs reach the pool.", open=True),
        "openapi": Operation("This document.", open=True),
        "health": Operation("Whether the process runs.", open=True),
        "readiness": Operation(
            "Whether requests are accepted (503: not yet), and recent incidents.", open=True
        ),
        "metrics": Operation("Counters for Prometheus.", open=True, kind="text/plain"),
        "models": Operation("The models that clients may name, with their features."),
        "model": Operation("One of these models."),
        "weights": Operation(
            "A part (`Range`) of a pinned file, for an approved node with a signed pass.",
            kind="application/octet-stream",
        ),
        "enrol": Operation(
            "Takes a machine into the pool, against a one-time token.",
            request="JoinRequest",
            response="JoinResponse",
            open=True,
        ),
        "install_page": Operation(
            "The page that says how a member installs Entraide.", open=True, kind="text/html"
        ),
        "install_script": Operation(
            "The script that installs Entraide from this pool.",
            open=True,
            kind="text/x-shellscript",
        ),
        "install_file": Operation(
            "A wheel of the pool's mirror, or its requirements with hashes (`Range`).",
            open=True,
            kind="application/octet-stream",
        ),
        "chat": Operation("Answers a conversation.", request="ChatRequest"),
        "completion": Operation("Continues a text.", request="CompletionRequest"),
        "embeddings": Operation(
            "Computes embeddings of texts.",
            request="EmbeddingsRequest",
            response="EmbeddingList",
        ),
        "responses": Operation(
            "Answers a conversation, in the form of OpenAI's Responses API; nothing is stored.",
            request="ResponsesRequest",
        ),
        "messages": Operation(
            "Answers a conversation, in the form of Anthropic's Messages API.",
            request="MessagesRequest",
        ),
        "count_tokens": Operation(
            "Estimates the prompt tokens of a request for `/v1/messages`.",
            request="MessagesRequest",
        ),
        "list_jobs": Operation(
            "The co-op's jobs, newest first (`limit`: 1 to 1,000).", query=("limit",)
        ),
        "submit_job": Operation(
            "Submits a kept job, which survives restarts.", request="JobRequest", response="JobView"
        ),
        "get_job": Operation("A job, with its answer once completed.", response="JobView"),
        "cancel_job": Operation("Cancels a job.", response="JobView"),
        "explain_job": Operation("The explanation of a job's placement, or of its wait."),
        "job_receipt": Operation("The settled receipt of a job.", response="Receipt"),
        "upload_file": Operation(
            "Stores a file for a batch.", form="FileForm", response="FileObject"
        ),
        "list_files": Operation(
            "The co-op's files, newest first.",
            response="FileList",
            query=("purpose", "order", "after", "limit"),
        ),
        "get_file": Operation("A file, without its content.", response="FileObject"),
        "delete_file": Operation("Deletes a file.", response="FileDeletion"),
        "file_content": Operation("The content of a file.", kind="application/jsonl"),
        "create_batch": Operation(
            "Runs the requests in a file, in greener hours where that can wait.",
            request="BatchRequest",
            response="BatchObject",
        ),
        "list_batches": Operation(
            "The co-op's batches, newest first.", response="BatchList", query=("after", "limit")
        ),
        "get_batch": Operation(
            "A batch, with the files of its answers and errors so far.", response="BatchObject"
        ),
        "cancel_batch": Operation("Cancels a batch.", response="BatchObject"),
        "pool": Operation(
            "The pool now: machines by province and site, and what waits.",
            response="PoolView",
            query=("lang",),
        ),
        "pool_events": Operation(
            "The same as server-sent events: `pool` with a `PoolView`, then `change` with a "
            "`PoolChange`, at most one a second; `end` with an error.",
            kind="text/event-stream",
            query=("lang",),
        ),
        "grid": Operation(
            "The next 24 hours of the grid, and the work that waits for them.",
            response="GridView",
            query=("lang",),
        ),
        "statement": Operation(
            "What the key's co-op gave and received in a month (`month`, 2026-11; default: the "
            "present one), by day, key, project, model and node; CSV with `Accept: text/csv`.",
            response="Statement",
        ),
        "node_statement": Operation(
            "What a node gave today and this month, by co-op, for the approved node with a signed "
            "pass.",
            response="NodeStatement",
        ),
    }
)


def build_document(paths: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Returns the document.

    Args:
        paths: handler names by method, by path pattern.
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
    """Returns the schemas of requests and responses, by name."""
    kinds = [
        *REQUESTS.values(), EmbeddingList, JobRequest, Error, JobStatus, Receipt, Statement,
        NodeStatement, JoinRequest, JoinResponse, FileForm, FileObject, FileList, FileDeletion,
        BatchRequest, BatchObject, BatchList, PoolView, PublicStatus, PoolChange, GridView,
    ]  # fmt: skip
    _, components = msgspec.json.schema_components(kinds, ref_template=SCHEMAS + "{name}")
    for kind in (*REQUESTS.values(), JobRequest):
        for name, schema in components[kind.__name__]["properties"].items():
            schema["description"] = FIELD_DESCRIPTIONS[name]
    for name, schema in components[PoolFields.__name__]["properties"].items():
        schema["description"] = OPTION_DESCRIPTIONS[name]
    for path, kind in REQUESTS.items():
        properties = components[kind.__name__]["properties"]
        for name in sorted(IGNORED[path]):
            properties[name] = {"description": "Ignored."}
        for name, value in sorted(NEUTRAL[path].items()):
            properties[name] = {"enum": [value, None], "description": "Only this value."}
        # Any other field is accepted if it is null.
        components[kind.__name__]["additionalProperties"] = {"type": "null"}
    components["MessageItem"]["required"].remove("type")  # see ``responses.with_item_types``
    for name, published in PUBLISHED_NAMES.items():
        components[name]["title"] = published
    return {PUBLISHED_NAMES.get(name, name): schema for name, schema in components.items()}


def build_option_schemas() -> dict[str, Any]:
    """Returns the schemas of the pool's own options, by name; those of the body's object."""
    _, components = msgspec.json.schema_components([PoolFields])
    schemas = {
        name: _without_null(schema)
        for name, schema in components[PoolFields.__name__]["properties"].items()
    }
    return {**schemas, "idempotency": {"type": "string", "maxLength": NAME_MAX}}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema of a value that is given."""
    if "enum" in schema:
        return {"enum": [value for value in schema["enum"] if value is not None]}
    choices = [part for part in schema["anyOf"] if part != {"type": "null"}]
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _operation(pattern: str, method: str, name: str) -> dict[str, Any]:
    facts = OPERATIONS[name]
    operation: dict[str, Any] = {
        "operationId": f"{name}_{method.lower()}_{pattern.count('/')}",
        "summary": facts.summary,
        "parameters": _parameters(pattern, facts),
        "responses": _responses(name, facts),
    }
    if facts.request or facts.form:
        kind = "multipart/form-data" if facts.form else "application/json"
        content = {kind: {"schema": {"$ref": SCHEMAS + (facts.form or facts.request)}}}
        operation["requestBody"] = {"required": True, "content": content}
    if facts.open:
        operation["security"] = []
    return operation


def _parameters(pattern: str, facts: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for placeholder in ("job", "model", "sha256", "file", "batch"):
        if f"{{{placeholder}}}" in pattern:
            schema = {"type": "string"}
            parameters.append(
                {"name": placeholder, "in": "path", "required": True, "schema": schema}
            )
    parameters += [
        {"name": option, "in": "query", "schema": QUERY_PARAMETERS[option]}
        for option in facts.query
    ]
    if facts.request and not facts.open:
        schemas = build_option_schemas()
        parameters += [
            {
                "name": option.header,
                "in": "header",
                "description": OPTION_DESCRIPTIONS[option.name],
                "schema": schemas[option.name],
            }
            for option in OPTIONS
        ]
    return parameters


def _responses(name: str, facts: Operation) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": SCHEMAS + facts.response} if facts.response else {}
    content: dict[str, Any] = {facts.kind: {"schema": schema}}
    if name in ("chat", "completion", "responses", "messages"):
        content["text/event-stream"] = {"schema": {}}
    success = {"description": "The answer.", "content": content}
    refusal = {
        "description": "A refusal.",
        "content": {"application/json": {"schema": {"$ref": SCHEMAS + "Error"}}},
    }
    return {"202" if name == "submit_job" else "200": success, "default": refusal}
