"""The gateway over HTTP: answers, streams, errors and failures."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.contract.receipts import is_signed_by
from tests.scheduler.gateway_support import (
    CHAT,
    KEY_A,
    KEY_B,
    MODEL,
    SIGNER,
    WAIT_S,
    Pool,
    ask,
    card,
    events,
    open_pool,
)

from entraide import __version__
from entraide.receipts import read_keys
from entraide.types import Receipt
from entraide_scheduler.config import BODY_MAX_BYTES
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Period, Quota, QuotaKind


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


def genuine(receipt: dict[str, Any]) -> bool:
    return is_signed_by(msgspec.convert(receipt, Receipt), SIGNER._key.public_key())


async def test_whole_answer_carries_a_genuine_receipt(pool: Pool) -> None:
    """An answer comes back as the node made it, with a signed receipt beside its usage."""
    pending = asyncio.ensure_future(pool.send(ask()))
    run = await pool.placed()
    run.finish("Salut")
    async with await pending as answer:
        body = await answer.json()

        assert 200 == answer.status
        assert "Salut" == body["choices"][0]["message"]["content"]
        assert 14 == body["usage"]["total_tokens"]
        assert run.run.job == body["entraide"]["job"] == answer.headers["x-request-id"]
        assert "CA-QC" == body["entraide"]["province"]
        assert genuine(body["entraide"])


async def test_settled_receipt_says_the_same(pool: Pool) -> None:
    """The books' receipt holds the same facts as the one on the answer, and is settled."""
    pending = asyncio.ensure_future(pool.send(ask()))
    run = await pool.placed()
    run.finish()
    async with await pending as answer:
        early = (await answer.json())["entraide"]
    await pool.store.committed()
    status, settled = await pool.call("GET", f"/v1/jobs/{run.run.job}/receipt")
    changed = {name for name in early if early[name] != settled[name]}

    assert 200 == status
    assert genuine(settled)
    assert {"settled", "issued_at", "signature"} == changed


async def test_stream_ends_with_receipt_on_the_finish_chunk(pool: Pool) -> None:
    """Tokens come as they are sent; the receipt rides on the chunk with the finish reason."""
    async with asyncio.timeout(WAIT_S):
        pending = asyncio.ensure_future(pool.send(ask(stream=True)))
        (await pool.placed()).finish("Oui")
        async with await pending as answer:
            text = await answer.text()
    got = events(text)

    assert "text/event-stream; charset=utf-8" == answer.headers["content-type"]
    assert "Oui" == "".join(event["choices"][0]["delta"]["content"] for event in got)
    assert "stop" == got[-1]["choices"][0]["finish_reason"]
    assert genuine(got[-1]["entraide"])
    assert text.endswith("data: [DONE]\n\n")


async def test_receipt_rides_on_the_usage_chunk_when_asked(pool: Pool) -> None:
    """With include_usage the receipt is on the usage chunk, after the finish chunk."""
    pending = asyncio.ensure_future(
        pool.send(ask(stream=True, stream_options={"include_usage": True}))
    )
    (await pool.placed()).finish("Oui")
    async with await pending as answer:
        got = events(await answer.text())

    assert "entraide" not in got[-2]
    assert "stop" == got[-2]["choices"][0]["finish_reason"]
    assert [] == got[-1]["choices"]
    assert {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14} == {
        key: got[-1]["usage"][key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")
    }
    assert genuine(got[-1]["entraide"])


async def test_known_fields_reach_the_node_and_others_do_not(pool: Pool) -> None:
    """A node is given the honoured fields with the limit decided on; ignored ones stay here."""
    message = {"role": "user", "content": "Bonjour", "reasoning_content": "…", "x": [1, None]}
    fields = {"temperature": 0.10, "max_tokens": 7, "max_completion_tokens": 9, "user": "u-1"}
    pending = asyncio.ensure_future(pool.send(ask(**fields) | {"messages": [message]}))
    run = await pool.placed()
    run.finish()
    (await pending).release()

    quiet = {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}
    assert ask(temperature=0.1, max_tokens=9) | quiet == run.body


async def test_field_that_is_not_known_is_refused_by_its_name(pool: Pool) -> None:
    """A field that an engine might obey is refused at the pool's own door, with a remedy."""
    async with pool.send(ask(n_predict=1_500), Accept_Language="en") as answer:
        error = (await answer.json())["error"]

    assert (400, "invalid_request", "n_predict") == (answer.status, error["code"], error["param"])
    assert '"n_predict"' in error["message"]
    assert '"max_tokens"' in error["message"]


async def test_options_become_facts(pool: Pool) -> None:
    """The pool's own headers reach the core; a session's name does not."""
    headers = {
        "X_Entraide_Class": "standard",
        "X_Entraide_Data_Class": "public",
        "X_Entraide_Deadline": "60",
        "X_Entraide_Max_Gco2e": "1.5",
        "X_Entraide_Jurisdiction": "CA-ON",
        "X_Entraide_Session": "mon-fil",
    }
    pending = asyncio.ensure_future(pool.send(ask(), **headers))
    run = await pool.placed()
    facts = pool.gateway._running_jobs.get(run.run.job).facts
    run.finish()
    (await pending).release()

    assert ("standard", "public", "CA-ON") == (
        facts.job_class,
        facts.data_class,
        facts.jurisdiction,
    )
    assert 1_500_000 == facts.max_carbon_ug
    assert 0 < facts.deadline_at - time.time() <= 60
    assert facts.session
    assert "mon-fil" not in facts.session
    assert "n2" == run.node


async def test_the_body_says_where_a_request_may_run(pool: Pool) -> None:
    """What the headers can say of the place, the field ``entraide`` of the body can say, too."""
    own = {"data_class": "public", "jurisdiction": "CA-ON", "controlled_by": "other"}
    pending = asyncio.ensure_future(pool.send(ask(entraide=own), X_Entraide_Controlled_By="other"))
    run = await pool.placed()
    facts = pool.gateway._running_jobs.get(run.run.job).facts
    run.finish()
    (await pending).release()

    assert ("public", "CA-ON", "other") == (
        facts.data_class,
        facts.jurisdiction,
        facts.controlled_by,
    )
    assert "n2" == run.node
    assert "entraide" not in run.body


async def test_refusal_for_control_names_what_was_asked_for(pool: Pool) -> None:
    """No node was vouched for: a request for a member's node is refused, and says why."""
    async with pool.send(ask(), X_Entraide_Controlled_By="member", Accept_Language="en") as answer:
        error = (await answer.json())["error"]

    assert (503, "no_node_serves") == (answer.status, error["code"])
    assert "not controlled by a member co-op" in error["message"]


BAD: dict[str, tuple[Any, dict[str, str], int, str]] = {
    "not JSON": (b'{"model": ', {}, 400, "invalid_json"),
    "no model": ({"messages": []}, {}, 400, "invalid_request"),
    "no messages": ({"model": MODEL, "messages": []}, {}, 400, "invalid_request"),
    "a limit that is text": (ask(max_tokens="9"), {}, 400, "invalid_request"),
    "a limit of nothing": (ask(max_tokens=0), {}, 400, "invalid_request"),
    "an unknown model": (ask() | {"model": "grand"}, {}, 404, "unknown_model"),
    "an unknown class": (ask(), {"X_Entraide_Class": "vip"}, 400, "invalid_request"),
    "a deadline gone by": (ask(), {"X_Entraide_Deadline": "-1"}, 400, "deadline_passed"),
    "nowhere": (ask(), {"X_Entraide_Jurisdiction": "canada"}, 400, "invalid_request"),
    "a control of nobody": (
        ask(),
        {"X_Entraide_Controlled_By": "us"},
        400,
        "invalid_request",
    ),
    "a body against its header": (
        ask(entraide={"controlled_by": "other"}),
        {"X_Entraide_Controlled_By": "member"},
        400,
        "invalid_request",
    ),
    "a place without the server": (
        ask(),
        {"X_Entraide_Jurisdiction": "CA-BC"},
        503,
        "place_outside",
    ),
    "too large": (ask("x" * BODY_MAX_BYTES), {}, 413, "body_too_large"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("lang", ["fr", "en"])
async def test_refusals_have_codes_and_sentences(pool: Pool, name: str, lang: str) -> None:
    """What cannot be done is refused with a stable code and a sentence in one's language."""
    body, headers, status, code = BAD[name]
    async with pool.send(body, Accept_Language=lang, **headers) as answer:
        error = (await answer.json())["error"]

    assert (status, code) == (answer.status, error["code"])
    assert error["message"] not in ("", code, f"error-{code}")
    assert {"message", "type", "param", "code"} <= set(error)


@pytest.mark.parametrize("header", ["", "Bearer nope", "Basic ent_alpha", "Bearer"])
async def test_wrong_keys_are_refused(pool: Pool, header: str) -> None:
    """Without a key that the pool knows nothing is answered."""
    headers = {"authorization": header} if header else {}
    async with pool.session.post(CHAT, json=ask(), headers=headers) as answer:
        body = await answer.json()

    assert (401, "unauthorised") == (answer.status, body["error"]["code"])


async def test_revoked_key_is_refused_at_once(pool: Pool) -> None:
    """A key that was just used is refused as soon as it is revoked."""
    before = (await pool.call("GET", "/v1/models"))[0]
    await pool.store.revoke_key("key-alpha")
    pool.gateway.clear_key_cache()
    after = (await pool.call("GET", "/v1/models"))[0]

    assert (200, 401) == (before, after)


async def test_spent_quota_says_when_it_opens(tmp_path: Path) -> None:
    """A quota that is spent gives 429, a Retry-After and a sentence."""
    quota = Quota(QuotaKind.TOKENS, 700, Period.DAY)
    async with open_pool(tmp_path, quotas=(quota,)) as pool:
        pool.driver.feed(
            e.PeriodBegan(*e.UNNUMBERED, period=Period.DAY, ends_at=time.time() + 3_600)
        )
        pending = asyncio.ensure_future(pool.send(ask(max_tokens=500)))
        (await pool.placed()).accept()
        async with pool.send(ask(max_tokens=500)) as answer:
            body = await answer.json()
        pending.cancel()

    assert (429, "quota_tokens") == (answer.status, body["error"]["code"])
    assert 0 < int(answer.headers["retry-after"]) <= 3_600


async def test_prompt_that_a_node_finds_too_long_is_a_400(pool: Pool) -> None:
    """A node's own count decides; its refusal comes back with its numbers."""
    pending = asyncio.ensure_future(pool.send(ask(), Accept_Language="en"))
    run = await pool.placed()
    run.decline("context_length_exceeded", input_tokens=5_000, context_tokens=4_096)
    async with await pending as answer:
        error = (await answer.json())["error"]

    assert (400, "context_length_exceeded") == (answer.status, error["code"])
    assert error["message"].startswith(
        "This model's maximum context length is 4096 tokens. However, your messages resulted in"
        " 5000 tokens. Input tokens exceed the configured limit: please reduce the length of"
    )


@pytest.mark.parametrize(("cause", "field"), [("schema", "response_format"), ("choices", '"n"')])
async def test_refusal_of_an_engine_names_the_remedy(pool: Pool, cause: str, field: str) -> None:
    """What an engine does not take comes back as a 400 with the field to change."""
    pending = asyncio.ensure_future(pool.send(ask(), Accept_Language="en"))
    run = await pool.placed()
    run.decline("engine_refused", cause=cause)
    async with await pending as answer:
        error = (await answer.json())["error"]

    assert (400, "engine_refused") == (answer.status, error["code"])
    assert field in error["message"]


async def test_model_list_names_what_is_served(pool: Pool) -> None:
    """The models are listed as OpenAI lists them, with what a size means; each has a page."""
    status, listed = await pool.call("GET", "/v1/models")
    entry = await pool.call("GET", f"/v1/models/{MODEL}")
    none = await pool.call("GET", "/v1/models/grand")

    assert (200, [MODEL, "auto"]) == (status, [card["id"] for card in listed["data"]])
    assert [None, MODEL] == [card.get("means") for card in listed["data"]]
    assert (200, MODEL) == (entry[0], entry[1]["id"])
    assert {
        "features": ["schema", "thinking_budget_tokens", "tools"],
        "context_tokens": 4_096, "zones": ["CA-ON", "CA-QC"],
        "controlled_by": [], "replicas": 2, "loaded": True, "means": "", "openness": "",
    } == entry[1]["entraide"]  # fmt: skip
    assert (404, "unknown_model") == (none[0], none[1]["error"]["code"])


async def test_explanation_speaks_both_languages(pool: Pool) -> None:
    """Why a job ran where it ran is told in French and English, to its own co-op alone."""
    pending = asyncio.ensure_future(pool.send(ask()))
    run = await pool.placed()
    run.finish()
    (await pending).release()
    path = f"/v1/jobs/{run.run.job}/explanation"
    status, explanation = await pool.call("GET", path)
    other = await pool.call("GET", path, key=KEY_B)

    assert (200, "placed", run.node) == (status, explanation["decision"], explanation["node"])
    assert explanation["sentence"]["fr"] != explanation["sentence"]["en"]
    assert {"n1", "n2"} == {candidate["node"] for candidate in explanation["candidates"]}
    assert (404, "unknown_job") == (other[0], other[1]["error"]["code"])


@pytest.mark.parametrize(
    ("path", "header", "lang"),
    [
        ("/", "", "fr"),
        ("/", "en-CA,fr;q=0.5", "en"),
        ("/", "de", "fr"),
        ("/?lang=en", "fr", "en"),
        ("/?lang=fr", "en", "fr"),
        ("/?lang=de", "en", "fr"),
    ],
)
async def test_the_status_page_is_in_the_readers_language(
    pool: Pool, path: str, header: str, lang: str
) -> None:
    """``?lang=`` decides, then ``Accept-Language``, then it is the pool's language, French."""
    async with pool.session.get(path, headers={"Accept-Language": header}) as answer:
        page = await answer.text()

    assert f'<html lang="{lang}">' in page
    assert "accept-language" == answer.headers["Vary"]


async def test_public_pages_hold_no_secret(pool: Pool) -> None:
    """Page, status, metrics and announcement are there, and tell no key and no text."""
    texts = {}
    for path in ("/", "/status.json", "/metrics", "/.well-known/entraide", "/healthz", "/readyz"):
        async with pool.session.get(path) as answer:
            texts[path] = await answer.text()

            assert 200 == answer.status
    _, status = await pool.call("GET", "/status.json")

    assert ["n1", "n2"] == [node["node"] for node in status["nodes"]]
    assert "Ontario" == status["nodes"][1]["zone_name"]["fr"]
    announced = json.loads(texts["/.well-known/entraide"])

    assert SIGNER.public_key.id == announced["receipt_key"]["id"]
    assert {SIGNER.public_key.id: SIGNER.public_key} == read_keys(texts["/.well-known/entraide"])
    assert __version__ == announced["version"]
    assert not any(KEY_A in text or "Bonjour" in text for text in texts.values())


async def test_metrics_count_by_route_and_end(pool: Pool) -> None:
    """Requests are counted by route and status, jobs by end, tokens by model."""
    pending = asyncio.ensure_future(pool.send(ask(stream=True)))
    (await pool.placed()).finish()
    async with await pending as answer:
        await answer.read()
    async with pool.session.get("/metrics") as answer:
        page = await answer.text()

    assert f'entraide_gateway_requests_total{{path="{CHAT}",status="200"}} 1.0' in page
    assert 'entraide_gateway_jobs_total{end="completed"} 1.0' in page
    assert f'entraide_gateway_tokens_total{{kind="output",model="{MODEL}"}} 3.0' in page
    assert "entraide_gateway_ttft_seconds_count 1.0" in page


async def test_completions_take_a_prompt(pool: Pool) -> None:
    """The older completions call is served too, with its own path to the node."""
    body = {"model": MODEL, "prompt": ["Un", "Deux"], "max_tokens": 4}
    pending = asyncio.ensure_future(pool.send(body, path="/v1/completions"))
    run = await pool.placed()
    choices = pool.gateway._running_jobs.get(run.run.job).facts.choices
    run.finish()
    (await pending).release()

    assert ("/v1/completions", 2) == (run.run.path, choices)
    assert body == run.body


async def test_no_node_means_a_503(tmp_path: Path) -> None:
    """A pool whose only node left says so, and that trying again may help."""
    async with open_pool(tmp_path, joined=(card("n1"),)) as pool:
        pool.driver.feed(e.NodeLeft(*e.UNNUMBERED, node="n1", reason="goodbye"))
        async with pool.send(ask()) as answer:
            body = await answer.json()

    assert body["error"]["code"] in ("no_node_live", "unknown_model")
    assert answer.status in (503, 404)
