"""The failure codes of engines' errors."""

import msgspec
import pytest
from tests.cases import all_cases

from entraide_node.engines.base import BAD_REQUEST, CONTEXT_LENGTH_EXCEEDED, ENGINE_REJECTED
from entraide_node.engines.engine_errors import failure_from_response
from entraide_node.engines.untrusted_json import TEXT_CHARS_MAX

CASES = {
    "llama.cpp: the prompt is too long": (
        400,
        {"error": {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 6031,
                   "n_ctx": 2048, "message": "request (6031 tokens) exceeds the available …"}},
        (CONTEXT_LENGTH_EXCEEDED, False, 6031, 2048),
    ),
    "vLLM: the prompt is too long": (
        400,
        {"error": {"code": 400, "type": "BadRequestError", "param": "input_tokens",
                   "message": "This model's maximum context length is 2048 tokens. However, your"
                   " request has 3001 input tokens. Please reduce the length."}},
        (CONTEXT_LENGTH_EXCEEDED, False, 3001, 2048),
    ),
    "OpenAI: prompt and answer are too long": (
        400,
        {"error": {"code": "context_length_exceeded", "type": "invalid_request_error",
                   "message": "maximum context length is 4096 tokens, however you requested 5000"
                   " tokens"}},
        (CONTEXT_LENGTH_EXCEEDED, False, 5000, 4096),
    ),
    "llama.cpp: a field is wrong": (
        400,
        {"error": {"code": 400, "message": "Expected 'messages' to be an array",
                   "type": "invalid_request_error"}},
        (BAD_REQUEST, False, 0, 0),
    ),
    "older vLLM has no envelope": (
        400,
        {"object": "error", "message": "top_p must be in (0, 1]", "code": 400},
        (BAD_REQUEST, False, 0, 0),
    ),
    "FastAPI's validation": (
        422, {"detail": [{"loc": ["body", "n"], "msg": "not an integer"}]},
        (BAD_REQUEST, False, 0, 0),
    ),
    "the key is wrong": (
        401, {"error": {"code": 401, "message": "Invalid API Key"}}, (ENGINE_REJECTED, True, 0, 0)
    ),
    "the model is not there": (
        404, {"error": {"code": 404, "message": "The model `x` does not exist."}},
        (ENGINE_REJECTED, True, 0, 0),
    ),
    "it is loading": (
        503, {"error": {"code": 503, "message": "Loading model"}}, (ENGINE_REJECTED, True, 0, 0)
    ),
    "it cannot do images": (
        500, {"error": {"code": 500, "message": "image input is not supported"}},
        (ENGINE_REJECTED, True, 0, 0),
    ),
    "it says nothing": (502, None, (ENGINE_REJECTED, True, 0, 0)),
}  # fmt: skip


@all_cases(("status", "answer", "expected"), CASES.values(), ids=CASES)
def test_refusals(status: int, answer: object, expected: tuple[str, bool, int, int]) -> None:
    """Each refusal of an engine has the code that fits it, and its numbers."""
    payload = b"" if answer is None else msgspec.json.encode(answer)

    failure = failure_from_response(status, payload)

    assert expected == (failure.code, failure.retryable, failure.n_prompt_tokens, failure.n_ctx)
    assert failure.detail


@pytest.mark.parametrize("payload", [b"", b"<html>", b"\xff\xfe", b"[1]", b'"x"', b"null"])
def test_answers_that_are_no_errors(payload: bytes) -> None:
    """An answer that is no error object gives the status as its detail."""
    assert "HTTP 500" == failure_from_response(500, payload).detail


def test_details_have_a_limit() -> None:
    """An engine that quotes the whole request is cut."""
    payload = msgspec.json.encode({"error": {"message": "x" * 10_000}})

    assert TEXT_CHARS_MAX == len(failure_from_response(400, payload).detail)


CAUSES = {
    "Failed to initialize samplers: failed to parse grammar": "schema",
    "Unable to generate parser for this template. JSON schema conversion failed": "schema",
    "The model produced output that does not match the expected peg-native format": "schema",
    "Field 'n': Value must be between 1 <= value <= 4, but got 99": "choices",
    "image input is not supported - hint: you may need to provide the mmproj": "images",
    '"auto" tool choice requires --enable-auto-tool-choice': "tools",
    "Conversation roles must alternate user/assistant/user/assistant/...": "template",
    "top_p must be in (0, 1]": "",
}


@pytest.mark.parametrize("message", CAUSES)
def test_cause_of_a_refusal_is_told(message: str) -> None:
    """The part of the request at fault follows from the engine's text."""
    payload = msgspec.json.encode({"error": {"code": 400, "message": message}})

    assert CAUSES[message] == failure_from_response(400, payload).cause


def test_template_that_raises_is_the_requests_fault() -> None:
    """A template error, which llama.cpp reports as a server error, is the request's fault."""
    message = "Jinja Exception: Conversation roles must alternate user/assistant"
    failure = failure_from_response(
        500, msgspec.json.encode({"error": {"code": 500, "message": message}})
    )

    assert (BAD_REQUEST, False, "template") == (failure.code, failure.retryable, failure.cause)
