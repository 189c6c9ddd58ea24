"""Errors over HTTP: OpenAI's form, with the parameter and the code, whatever is wrong."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.scheduler.gateway_support import CHAT, KEY_A, MODEL, Pool, ask, open_pool

from entraide.errors import CODES
from entraide_scheduler.gateway.refusals import ErrorReply, error_body
from entraide_scheduler.gateway.refusals.refusals import FEATURE_PARAMS, PARAMS, error_headers

COMPLETION, EMBEDDINGS, JOBS = "/v1/completions", "/v1/embeddings", "/v1/jobs"
LONG = "mot " * 6_000
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
PICTURE = {"model": MODEL, "messages": [{"role": "user", "content": [IMAGE]}]}
JOB = "job-" + "0" * 30

# Of each request: method, path, body, and the status, code and parameter of its refusal.
REFUSED: dict[str, tuple[str, str, Any, tuple[int, str, str | None]]] = {
    "no such path": ("GET", "/v1/nothing", None, (404, "unknown_path", None)),
    "no such method": ("DELETE", "/v1/models", None, (405, "method_not_allowed", None)),
    "no such model": ("GET", "/v1/models/x", None, (404, "unknown_model", "model")),
    "a model to ask": ("POST", CHAT, ask() | {"model": "x"}, (404, "unknown_model", "model")),
    "no JSON": ("POST", CHAT, b"{", (400, "invalid_json", None)),
    "a name twice": ("POST", CHAT, b'{"n":1,"n":1}', (400, "invalid_json", "n")),
    "a list": ("POST", CHAT, b"[]", (400, "invalid_request", None)),
    "no messages": ("POST", CHAT, {"model": MODEL}, (400, "invalid_request", "messages")),
    "a field": ("POST", CHAT, ask(grammar="x"), (400, "invalid_request", "grammar")),
    "a long chat": ("POST", CHAT, ask(LONG), (400, "context_length_exceeded", "messages")),
    "a long prompt": (
        "POST", COMPLETION, {"model": MODEL, "prompt": LONG},
        (400, "context_length_exceeded", "prompt"),
    ),
    "a penalty": (
        "POST", CHAT, ask(repetition_penalty=1.2),
        (400, "feature_unsupported", "repetition_penalty"),
    ),
    "tokens that stop": (
        "POST", CHAT, ask(stop_token_ids=[2]), (400, "feature_unsupported", "stop_token_ids"),
    ),
    "a picture": ("POST", CHAT, PICTURE, (400, "feature_unsupported", "messages")),
    "an embedding": (
        "POST", EMBEDDINGS, {"model": MODEL, "input": "mot"}, (400, "feature_unsupported", "model"),
    ),
    "nowhere": (
        "POST", CHAT, ask(entraide={"jurisdiction": "CA-BC"}),
        (503, "place_outside", "jurisdiction"),
    ),
    "nobody": (
        "POST", CHAT, ask(entraide={"controlled_by": "member"}), (503, "no_node_serves", "model"),
    ),
    "no such job": ("GET", f"{JOBS}/{JOB}", None, (404, "unknown_job", "job")),
    "no job at all": ("GET", f"{JOBS}/x", None, (404, "unknown_job", "job")),
    "no receipt": ("GET", f"{JOBS}/{JOB}/receipt", None, (404, "unknown_job", "job")),
    "a limit": ("GET", f"{JOBS}?limit=x", None, (400, "invalid_request", "limit")),
    "a path": (
        "POST", JOBS, {"path": "/v1/audio", "request": {}}, (400, "invalid_request", "path"),
    ),
    "a month": ("GET", "/v1/statement?month=13", None, (400, "invalid_request", "month")),
    "another co-op": (
        "GET", "/v1/statement?coop=beta", None, (403, "statement_of_another", "coop"),
    ),
    "no such file": ("GET", "/install/wheels/x", None, (404, "unknown_path", None)),
    "no pass": ("GET", "/weights/00", None, (404, "unknown_path", None)),
    "no token": ("POST", "/v1/enrolment", {}, (400, "invalid_request", "token")),
}  # fmt: skip


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


def test_errors_that_pass_by_themselves_say_when_to_ask_again() -> None:
    """Clients wait until machines or the gateway may be back, or as long as the error says."""
    replies = (
        ErrorReply("shutting_down"), ErrorReply("no_node_live"),
        ErrorReply("no_node_live", retry_after_s=3.2), ErrorReply("node_lost"),
    )  # fmt: skip

    assert ["10", "10", "4", None] == [
        dict(error_headers(reply)).get("retry-after") for reply in replies
    ]


async def test_each_refusal_has_parameter_and_code(pool: Pool) -> None:
    """Each refusal, from any part of the gateway, has the error form of OpenAI's clients."""
    refusals, forms = {}, set()
    for name, (method, path, body, _) in REFUSED.items():
        content = {"data": body} if isinstance(body, bytes) else {"json": body} if body else {}
        if method == "POST" and body == {}:
            content = {"data": b"{}"}
        headers = {"authorization": f"Bearer {KEY_A}"}
        async with pool.session.request(method, path, headers=headers, **content) as got:
            error = (await got.json())["error"]
            forms.add(frozenset(error) - {"job"})
            refusals[name] = (got.status, error["code"], error["param"])

    assert refusals == {name: expected for name, (*_, expected) in REFUSED.items()}
    assert forms == {frozenset({"message", "message_fr", "type", "param", "code"})}


async def test_without_a_key_the_form_is_the_same(pool: Pool) -> None:
    """A request without a key, or with a wrong one, gets the same form."""
    for headers in ({}, {"authorization": "Bearer ent_wrong"}):
        async with pool.session.get("/v1/models", headers=headers) as got:
            error = (await got.json())["error"]

        assert (401, "unauthorised", None) == (got.status, error["code"], error["param"])
        assert "authentication_error" == error["type"]


async def test_an_error_is_in_english_with_the_pools_language_beside_it(pool: Pool) -> None:
    """A program reads English, a person French beside it; a header that names one decides."""
    messages = {}
    for name in ("", "*", "de", "fr-CA", "en"):
        headers = {"authorization": "Bearer ent_wrong", "accept-language": name}
        async with pool.session.get("/v1/models", headers=headers if name else {}) as got:
            error = (await got.json())["error"]
            messages[name] = {
                field: text[:3] for field, text in error.items() if "message" in field
            }

    both = {"message": "The", "message_fr": "La "}
    alone = {"fr-CA": {"message": "La "}, "en": {"message": "The"}}
    assert {"": both, "*": both, "de": both, **alone} == messages


async def test_method_that_is_not_allowed_names_those_that_are(pool: Pool) -> None:
    """A 405 says which methods the path has (RFC 9110)."""
    async with pool.session.put(JOBS, headers={"authorization": f"Bearer {KEY_A}"}) as got:
        assert (405, "GET, POST") == (got.status, got.headers["allow"])


def test_every_parameter_belongs_to_a_code() -> None:
    """The table of parameters has no code that is gone."""
    assert set(CODES) >= set(PARAMS)
    for feature, param in FEATURE_PARAMS.items():
        refusal = ErrorReply("feature_unsupported", {"features": feature, "model": MODEL})

        assert f'"param":"{param}"'.encode() in error_body(refusal, "en")
