"""Engine errors: the failure code for an engine's HTTP status and error object.

Input: an error of llama.cpp, vLLM or a similar engine. Output: ``EngineFailure``. An error of the
request itself is not retryable; an error of the engine (wrong key, unknown model, no memory) may
succeed elsewhere.
"""

import re
from typing import Any

from entraide_node.engines.base import (
    BAD_REQUEST,
    CONTEXT_LENGTH_EXCEEDED,
    ENGINE_REJECTED,
    EngineFailure,
)
from entraide_node.engines.untrusted_json import parse_count, parse_object, parse_text

_REQUEST_AT_FAULT = frozenset({400, 413, 415, 422})
_CONTEXT_TYPES = frozenset({"exceed_context_size_error", "context_length_exceeded"})
# llama.cpp reads an input of an embedding model in one batch, which holds the model's context.
_CONTEXT_WORDS = re.compile(
    r"maximum context length|context (?:size|window|length)|tokens\) is too large to process", re.I
)
_CONTEXT_SIZE = re.compile(
    r"(?:maximum context length (?:is|of)|context size \(|current batch size:)\s*(\d+)", re.I
)
_PROMPT_SIZE = re.compile(
    r"(?:(\d+) (?:input|prompt) tokens|\((\d+) tokens\)|requested (\d+) tokens"
    r"|(?:contains|has) (?:at least )?(\d+))",
    re.I,
)


# The part of a request that an engine refuses, by its text; the first match is used.
_CAUSES = (
    (
        "schema",
        re.compile(
            r"json[ _]schema|grammar|guided|structured output|expected .{0,40} format|\$ref", re.I
        ),
    ),
    ("tokens", re.compile(r"invalid tokens|out of vocabulary", re.I)),
    ("choices", re.compile(r"field 'n'|\bn_cmpl\b|number of slots", re.I)),
    ("images", re.compile(r"\bimages?\b|multimodal|mmproj", re.I)),
    ("tools", re.compile(r"tool_choice|tool choice|tool call|\btools\b|--jinja", re.I)),
    ("template", re.compile(r"template|jinja|\broles?\b|alternate", re.I)),
)
# llama.cpp reports as an internal error that a template refuses the messages, and that an answer
# under a schema was cut off at a place where its parser fails.
_REQUEST_FAULT_TEXT = re.compile(
    r"raise_exception|jinja exception|roles must alternate|not match the expected .{0,40} format",
    re.I,
)


def failure_from_response(status: int, payload: bytes) -> EngineFailure:
    """Returns the failure of an HTTP response other than 200."""
    error = extract_error(parse_object(payload))
    message = parse_text(error.get("message") or f"HTTP {status}")
    exceeded = _context_failure(error, message)
    if exceeded is not None and (status in _REQUEST_AT_FAULT or exceeded.n_ctx):
        return exceeded
    if status in _REQUEST_AT_FAULT or _REQUEST_FAULT_TEXT.search(message):
        return EngineFailure(
            code=BAD_REQUEST, detail=message, retryable=False, cause=classify_cause(message)
        )
    return EngineFailure(code=ENGINE_REJECTED, detail=message, retryable=True)


def failure_from_stream(error: Any) -> EngineFailure:
    """Returns the failure of an error object in a stream."""
    fields = extract_error({"error": error})
    message = parse_text(fields.get("message") or "error in the stream")
    exceeded = _context_failure(fields, message)
    if exceeded is not None:
        return exceeded
    code = fields.get("code")
    is_request_fault = isinstance(code, int) and code in _REQUEST_AT_FAULT
    if is_request_fault or _REQUEST_FAULT_TEXT.search(message):
        return EngineFailure(
            code=BAD_REQUEST, detail=message, retryable=False, cause=classify_cause(message)
        )
    return EngineFailure(code=ENGINE_REJECTED, detail=message, retryable=True)


def classify_cause(message: str) -> str:
    """Returns the part of a request that an engine refuses, by its text; "" if unknown.

    >>> classify_cause("Field 'n': Value must be between 1 <= value <= 4, but got 99")
    'choices'
    """
    return next((cause for cause, words in _CAUSES if words.search(message)), "")


def extract_error(answer: Any) -> dict[str, Any]:
    """Returns the error object of an answer, wherever the engine puts it; {} if there is none."""
    if not isinstance(answer, dict):
        return {}
    error = answer.get("error", answer)  # vLLM before 0.10 had no envelope
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    if "message" not in error and "detail" in error:  # FastAPI's own validation
        return {"message": parse_text(error["detail"])}
    return error


def _context_failure(error: dict[str, Any], message: str) -> EngineFailure | None:
    types = {parse_text(error.get("type")), parse_text(error.get("code"))}
    by_parameter = error.get("param") == "input_tokens" or error.get("parameter") == "input_tokens"
    if not (types & _CONTEXT_TYPES or by_parameter or _CONTEXT_WORDS.search(message)):
        return None
    prompt = parse_count(error.get("n_prompt_tokens"))
    context = parse_count(error.get("n_ctx"))
    return EngineFailure(
        code=CONTEXT_LENGTH_EXCEEDED,
        detail=message,
        retryable=False,
        n_prompt_tokens=prompt or _match_number(_PROMPT_SIZE, message),
        n_ctx=context or _match_number(_CONTEXT_SIZE, message),
    )


def _match_number(pattern: re.Pattern[str], message: str) -> int:
    match = pattern.search(message)
    return parse_count(int(next(group for group in match.groups() if group))) if match else 0
