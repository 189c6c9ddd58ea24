"""The gateway by HTTP: answers, streams, refusals, and what happens when something breaks."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
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
    chunk,
    open_pool,
)

from entraide.types import Outcome, Receipt
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.gateway.http import BODY_MAX_BYTES
from entraide_scheduler.gateway.receipts import is_genuine


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


def events(text: str) -> list[Any]:
    """Returns the events of a stream, decoded, without the last word."""
    lines = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def genuine(receipt: dict[str, Any]) -> bool:
    return is_genuine(msgspec.convert(receipt, Receipt), SIGNER._key.public_key())


async def test_whole_answer_carries_a_genuine_receipt(pool: Pool) -> None:
    """An answer comes back as the node made it, with a signed receipt beside its usage."""
    asked = asyncio.ensure_future(pool.send(ask()))
    run = await pool.placed()
    run.finish("Salut")
    async with await asked as answer:
        body = await answer.json()

        assert 200 == answer.status
        assert "Salut" == body["choices"][0]["message"]["content"]
        assert 14 == body["usage"]["total_tokens"]
        assert run.run.job == body["entraide"]["job"] == answer.headers["x-request-id"]
        assert "CA-QC" == body["entraide"]["province"]
        assert genuine(body["entraide"])


async def test_settled_receipt_says_the_same(pool: Pool) -> None:
    """The books' receipt holds the same facts as the one on the answer, and is settled."""
    asked = asyncio.ensure_future(pool.send(ask()))
    run = await pool.placed()
    run.finish()
    async with await asked as answer:
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
        asked = asyncio.ensure_future(pool.send(ask(stream=True)))
        (await pool.placed()).finish("Oui")
        async with await asked as answer:
            text = await answer.text()
    got = events(text)

    assert "text/event-stream; charset=utf-8" == answer.headers["content-type"]
    assert "Oui" == "".join(event["choices"][0]["delta"]["content"] for event in got)
    assert "stop" == got[-1]["choices"][0]["finish_reason"]
    assert genuine(got[-1]["entraide"])
    assert text.endswith("data: [DONE]\n\n")


async def test_receipt_rides_on_the_usage_chunk_when_asked(pool: Pool) -> None:
    """With include_usage the receipt is on the usage chunk, after the finish chunk."""
    asked = asyncio.ensure_future(
        pool.send(ask(stream=True, stream_options={"include_usage": True}))
    )
    (await pool.placed()).finish("Oui")
    async with await asked as answer:
        got = events(await answer.text())

    assert "entraide" not in got[-2]
    assert "stop" == got[-2]["choices"][0]["finish_reason"]
    assert [] == got[-1]["choices"]
    assert {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14} == {
        key: got[-1]["usage"][key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")
    }
    assert genuine(got[-1]["entraide"])


async def test_unknown_fields_travel_untouched(pool: Pool) -> None:
    """Fields we do not know reach the node as they came; only the output limit is written."""
    fields = {"temperature": 0.10, "mirostat": {"tau": 5, "x": [1, None]}, "max_tokens": 7}
    asked = asyncio.ensure_future(pool.send(ask(**fields, max_completion_tokens=9)))
    run = await pool.placed()
    run.finish()
    (await asked).release()

    assert ask(**fields, max_completion_tokens=9) | {"max_tokens": 9} == run.body
    assert b'"temperature":0.1,' in run.run.body.replace(b" ", b"")


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
    asked = asyncio.ensure_future(pool.send(ask(), **headers))
    run = await pool.placed()
    facts = pool.gateway._running.get(run.run.job).facts
    run.finish()
    (await asked).release()

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
    "a place without nodes": (ask(), {"X_Entraide_Jurisdiction": "CA-BC"}, 503, "no_node_serves"),
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


async def test_refusal_speaks_the_pools_language_by_default(pool: Pool) -> None:
    """Who names no language is answered in French; English readers get English."""
    sentences = {}
    for lang in ("", "en", "fr"):
        headers = {"Accept_Language": lang} if lang else {}
        async with pool.send(b"{", **headers) as answer:
            sentences[lang] = (await answer.json())["error"]["message"]

    assert sentences["fr"] == sentences[""]
    assert sentences["fr"] != sentences["en"]


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
    pool.gateway.key_revoked()
    after = (await pool.call("GET", "/v1/models"))[0]

    assert (200, 401) == (before, after)


async def test_spent_quota_says_when_it_opens(tmp_path: Path) -> None:
    """A quota that is spent gives 429, a Retry-After and a sentence."""
    quota = Quota(QuotaKind.TOKENS, 700, Period.DAY)
    async with open_pool(tmp_path, quotas=(quota,)) as pool:
        pool.live.feed(e.PeriodBegan, period=Period.DAY, ends_at=time.time() + 3_600)
        asked = asyncio.ensure_future(pool.send(ask(max_tokens=500)))
        (await pool.placed()).accept()
        async with pool.send(ask(max_tokens=500)) as answer:
            body = await answer.json()
        asked.cancel()

    assert (429, "quota_tokens") == (answer.status, body["error"]["code"])
    assert 0 < int(answer.headers["retry-after"]) <= 3_600


async def test_leaving_client_stops_the_node(pool: Pool) -> None:
    """A client that leaves in the middle of a stream stops the run, and its job is cancelled."""
    answer = await_stream = None
    asked = asyncio.ensure_future(pool.send(ask(stream=True)))
    run = await pool.placed()
    run.accept()
    run.tokens("Il", " était")
    answer = await asked
    await_stream = await answer.content.readuntil(b"\n\n")
    answer.close()
    cancel = await pool.cancelled()
    status, job = await pool.call("GET", f"/v1/jobs/{run.run.job}")

    assert b"Il" in await_stream
    assert (run.run.job, run.run.epoch) == (cancel.job, cancel.epoch)
    assert (200, "cancelled", "client_gone") == (status, job["state"], job["code"])


async def test_waiting_client_that_leaves_is_forgotten(pool: Pool) -> None:
    """A client that leaves before anything was sent leaves no job behind."""
    asked = asyncio.ensure_future(pool.send(ask()))
    run = await pool.placed()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await pool.cancelled()

    assert pool.gateway._running.get(run.run.job) is None
    assert "cancelled" == pool.live.core.job(run.run.job).state


async def test_lost_node_is_replaced_before_the_first_byte(pool: Pool) -> None:
    """A node that goes before its first token is replaced unseen, and the old one's late answer
    is not used."""
    asked = asyncio.ensure_future(pool.send(ask(stream=True)))
    first = await pool.placed()
    first.accept()
    pool.live.feed(e.NodeLeft, node=first.node, reason="goodbye")
    second = await pool.placed()
    first.tokens("Trop", " tard")
    second.finish("Oui")
    async with await asked as answer:
        text = "".join(
            event["choices"][0]["delta"]["content"] for event in events(await answer.text())
        )

    assert first.node != second.node
    assert first.run.epoch < second.run.epoch
    assert "Oui" == text


async def test_lost_node_breaks_a_stream_that_has_begun(pool: Pool) -> None:
    """A node that goes after its first token ends the stream with an error event, and only so."""
    asked = asyncio.ensure_future(pool.send(ask(stream=True), Accept_Language="en"))
    run = await pool.placed()
    run.accept()
    run.tokens("Il", " était")
    answer = await asked
    pool.live.feed(e.NodeLeft, node=run.node, reason="goodbye")
    text = await answer.text()
    answer.release()
    got = events(text)

    assert "stream_broken" == got[-1]["error"]["code"]
    assert "[DONE]" not in text
    assert "failed" == pool.live.core.job(run.run.job).state


async def test_gap_in_the_tokens_breaks_the_stream(pool: Pool) -> None:
    """Tokens that do not follow on those before are never shown."""
    asked = asyncio.ensure_future(pool.send(ask(stream=True)))
    run = await pool.placed()
    run.accept()
    run.tokens("a", "b")
    run.tokens("d", first=3)
    async with await asked as answer:
        text = await answer.text()

    assert "stream_broken" == events(text)[-1]["error"]["code"]
    assert '"content": "d"' not in text


async def test_node_that_fails_before_it_answers_is_replaced(pool: Pool) -> None:
    """A whole answer that fails on one node comes from another, and is billed once."""
    asked = asyncio.ensure_future(pool.send(ask()))
    first = await pool.placed()
    first.accept()
    first.report(Outcome.FAILED, "engine_failed")
    second = await pool.placed()
    second.finish("Oui")
    async with await asked as answer:
        body = await answer.json()
    await pool.store.committed()

    assert "Oui" == body["choices"][0]["message"]["content"]
    assert second.node == body["entraide"]["node"]
    assert 1 == await pool.store.settled_count()


async def test_prompt_that_a_node_finds_too_long_is_a_400(pool: Pool) -> None:
    """A node's own count decides; its refusal comes back with its numbers."""
    asked = asyncio.ensure_future(pool.send(ask(), Accept_Language="en"))
    run = await pool.placed()
    run.decline("context_exceeded", input_tokens=5_000, context_tokens=4_096)
    async with await asked as answer:
        error = (await answer.json())["error"]

    assert (400, "context_exceeded") == (answer.status, error["code"])
    assert "4,096" in error["message"]


async def test_slow_client_is_cut_off(pool: Pool) -> None:
    """A client that reads nothing is let go once its unread answer reaches the limit."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pool.gateway.port, limit=1_024)
    writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    writer.transport.pause_reading()
    body = json.dumps(ask(stream=True)).encode()
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (KEY_A.encode(), len(body), body)
    )
    run = await pool.placed()
    run.accept()
    sent = 0
    while pool.gateway._running.get(run.run.job) is not None and sent < 64:
        run.raw(b"data: %s\n\n" % chunk("x" * 1_000_000))
        sent += 1
        await asyncio.sleep(0)
    await pool.cancelled()
    job = (await pool.call("GET", f"/v1/jobs/{run.run.job}"))[1]
    writer.close()

    assert sent < 64
    assert "client_too_slow" == job["code"]


async def test_several_requests_share_a_connection(pool: Pool) -> None:
    """A connection is kept alive, and requests sent ahead are answered in order."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pool.gateway.port)
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    writer.write(one + one + last)
    text = (await asyncio.wait_for(reader.read(), WAIT_S)).decode()
    writer.close()

    assert ["200", "200", "404"] == [part[1:4] for part in text.split("HTTP/1.1")[1:]]


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    ],
)
async def test_what_is_not_http_is_refused(pool: Pool, raw: bytes) -> None:
    """Bytes that are not a request get a 400 and the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pool.gateway.port)
    writer.write(raw)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n"), WAIT_S)
    rest = await asyncio.wait_for(reader.read(), WAIT_S)
    writer.close()

    assert b"HTTP/1.1 400 Bad Request\r\n" == head
    assert b"invalid_request" in rest


async def test_head_and_first_event_leave_together(pool: Pool) -> None:
    """The first read of a stream holds its head and its first event, and delays are off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pool.gateway.port)
    body = json.dumps(ask(stream=True)).encode()
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (KEY_A.encode(), len(body), body)
    )
    run = await pool.placed()
    run.accept()
    run.tokens("Oui")
    first = await asyncio.wait_for(reader.read(65_536), WAIT_S)
    connection = next(iter(pool.gateway._http._connections))
    server_side = connection._transport.get_extra_info("socket")
    nodelay = server_side.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    writer.close()
    await pool.cancelled()

    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"Oui"' in first
    assert nodelay


async def test_model_list_names_what_is_served(pool: Pool) -> None:
    """The models are listed as OpenAI lists them, and one can be asked for by name."""
    status, listed = await pool.call("GET", "/v1/models")
    one = await pool.call("GET", f"/v1/models/{MODEL}")
    none = await pool.call("GET", "/v1/models/grand")

    assert (200, [MODEL]) == (status, [card["id"] for card in listed["data"]])
    assert (200, MODEL) == (one[0], one[1]["id"])
    assert (404, "unknown_model") == (none[0], none[1]["error"]["code"])


async def test_explanation_speaks_both_languages(pool: Pool) -> None:
    """Why a job ran where it ran is told in French and English, to its own co-op alone."""
    asked = asyncio.ensure_future(pool.send(ask()))
    run = await pool.placed()
    run.finish()
    (await asked).release()
    path = f"/v1/jobs/{run.run.job}/explanation"
    status, told = await pool.call("GET", path)
    other = await pool.call("GET", path, key=KEY_B)

    assert (200, "placed", run.node) == (status, told["decision"], told["node"])
    assert told["sentence"]["fr"] != told["sentence"]["en"]
    assert {"n1", "n2"} == {candidate["node"] for candidate in told["candidates"]}
    assert (404, "unknown_job") == (other[0], other[1]["error"]["code"])


async def test_public_pages_hold_no_secret(pool: Pool) -> None:
    """Page, status, metrics and announcement are open, and tell no key and no text."""
    texts = {}
    for path in ("/", "/status.json", "/metrics", "/.well-known/entraide", "/healthz", "/readyz"):
        async with pool.session.get(path) as answer:
            texts[path] = await answer.text()

            assert 200 == answer.status
    status = json.loads(texts["/status.json"])

    assert ["n1", "n2"] == [node["node"] for node in status["nodes"]]
    assert "Ontario" == status["nodes"][1]["zone_name"]["fr"]
    assert SIGNER.key == json.loads(texts["/.well-known/entraide"])["receipt_key"]["id"]
    assert not any(KEY_A in text or "Bonjour" in text for text in texts.values())


async def test_metrics_count_by_route_and_end(pool: Pool) -> None:
    """Requests are counted by route and status, jobs by end, tokens by model."""
    asked = asyncio.ensure_future(pool.send(ask(stream=True)))
    (await pool.placed()).finish()
    async with await asked as answer:
        await answer.read()
    async with pool.session.get("/metrics") as answer:
        page = await answer.text()

    assert f'entraide_gateway_requests_total{{path="{CHAT}",status="200"}} 1.0' in page
    assert 'entraide_gateway_jobs_total{end="completed"} 1.0' in page
    assert f'entraide_gateway_tokens_total{{kind="output",model="{MODEL}"}} 3.0' in page
    assert "entraide_gateway_ttft_seconds_count 1.0" in page


async def test_stop_tells_who_still_waits(tmp_path: Path) -> None:
    """At a stop a live job is told that the pool shuts down, and its node stops."""
    async with open_pool(tmp_path) as pool:
        asked = asyncio.ensure_future(pool.send(ask()))
        run = await pool.placed()
        await pool.gateway.stop()
        async with await asked as answer:
            body = await answer.json()
        cancel = await pool.cancelled()

    assert (503, "shutting_down") == (answer.status, body["error"]["code"])
    assert run.run.job == cancel.job


async def test_completions_take_a_prompt(pool: Pool) -> None:
    """The older completions call is served too, with its own path to the node."""
    body = {"model": MODEL, "prompt": ["Un", "Deux"], "max_tokens": 4}
    asked = asyncio.ensure_future(pool.send(body, path="/v1/completions"))
    run = await pool.placed()
    choices = pool.gateway._running.get(run.run.job).facts.choices
    run.finish()
    (await asked).release()

    assert ("/v1/completions", 2) == (run.run.path, choices)
    assert body == run.body


async def test_no_node_means_a_503(tmp_path: Path) -> None:
    """A pool whose only node left says so, and that trying again may help."""
    async with open_pool(tmp_path, joined=(card("n1"),)) as pool:
        pool.live.feed(e.NodeLeft, node="n1", reason="goodbye")
        async with pool.send(ask()) as answer:
            body = await answer.json()

    assert body["error"]["code"] in ("no_node_live", "unknown_model")
    assert answer.status in (503, 404)


async def test_same_idempotency_key_is_not_run_twice_at_once(pool: Pool) -> None:
    """A live request that repeats one which still runs is refused; another co-op's is not."""
    asked = asyncio.ensure_future(pool.send(ask(), Idempotency_Key="k"))
    run = await pool.placed()
    async with pool.send(ask(), Idempotency_Key="k") as again:
        body = await again.json()
    other = asyncio.ensure_future(pool.send(ask(), key=KEY_B, Idempotency_Key="k"))
    (await pool.placed()).finish()
    run.finish()
    first, second = await asked, await other

    assert (409, "already_exists") == (again.status, body["error"]["code"])
    assert (200, 200) == (first.status, second.status)


async def test_head_comes_before_a_long_wait(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that waits long gets its head and comments, and then errors come as events."""
    monkeypatch.setattr("entraide_scheduler.gateway.streams.HEAD_AFTER_S", 0.0)
    asked = asyncio.ensure_future(pool.send(ask(stream=True)))
    run = await pool.placed()
    answer: aiohttp.ClientResponse = await asyncio.wait_for(asked, WAIT_S)
    comment = await answer.content.readuntil(b"\n\n")
    run.decline("engine_refused", detail="grammar")
    text = await answer.text()

    assert comment.startswith(b":")
    assert "engine_refused" == events(text)[-1]["error"]["code"]
