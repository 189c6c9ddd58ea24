"""The gateway during failures, and its HTTP parsing, on asyncio and uvloop."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from msgspec.structs import replace
from tests.scheduler.gateway_support import (
    KEY_A,
    WAIT_S,
    NodeRun,
    Pool,
    ask,
    card,
    chunk,
    events,
    key_of,
    open_pool,
    whole,
)

from entraide.types import Outcome
from entraide_scheduler.core import events as e


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


async def test_whole(pool: Pool) -> None:
    """A whole answer comes back as the node made it."""
    pending = asyncio.ensure_future(pool.send(ask()))
    (await pool.placed()).finish("Salut")
    async with await pending as answer:
        body = await answer.json()

    assert "Salut" == body["choices"][0]["message"]["content"]


async def test_leaving_client_stops_the_node(pool: Pool) -> None:
    """A client that leaves in the middle of a stream stops the run, and its job is cancelled."""
    pending = asyncio.ensure_future(pool.send(ask(stream=True)))
    run = await pool.placed()
    run.accept()
    run.tokens("Il", " était")
    answer = await pending
    first = await answer.content.readuntil(b"\n\n")
    answer.close()
    cancel = await pool.cancelled()
    status, job = await pool.call("GET", f"/v1/jobs/{run.run.job}")

    assert b"Il" in first
    assert (run.run.job, run.run.epoch) == (cancel.job, cancel.epoch)
    assert (200, "cancelled", "client_gone") == (status, job["state"], job["code"])


async def test_waiting_client_that_leaves_is_forgotten(pool: Pool) -> None:
    """A client that leaves before anything was sent leaves no job behind."""
    pending = asyncio.ensure_future(pool.send(ask()))
    run = await pool.placed()
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
    await pool.cancelled()

    assert pool.gateway._running_jobs.get(run.run.job) is None
    assert "cancelled" == pool.driver.core.job(run.run.job).state


async def test_lost_node_is_replaced_before_the_first_byte(pool: Pool) -> None:
    """A node that goes before its first token is replaced unseen, and the old one's late answer
    is not used."""
    pending = asyncio.ensure_future(pool.send(ask(stream=True)))
    first = await pool.placed()
    first.accept()
    pool.driver.feed(e.NodeLeft(*e.UNNUMBERED, node=first.node, reason="goodbye"))
    second = await pool.placed()
    first.tokens("Trop", " tard")
    second.finish("Oui")
    async with await pending as answer:
        text = "".join(
            event["choices"][0]["delta"]["content"] for event in events(await answer.text())
        )

    assert first.node != second.node
    assert first.run.epoch < second.run.epoch
    assert "Oui" == text


async def test_lost_node_breaks_a_stream_that_has_begun(pool: Pool) -> None:
    """A node that goes after its first token ends the stream with an error event, and only so."""
    pending = asyncio.ensure_future(pool.send(ask(stream=True), Accept_Language="en"))
    run = await pool.placed()
    run.accept()
    run.tokens("Il", " était")
    answer = await pending
    pool.driver.feed(e.NodeLeft(*e.UNNUMBERED, node=run.node, reason="goodbye"))
    text = await answer.text()
    answer.release()
    got = events(text)

    assert "stream_broken" == got[-1]["error"]["code"]
    assert "[DONE]" not in text
    assert "failed" == pool.driver.core.job(run.run.job).state


async def test_gap_in_the_tokens_breaks_the_stream(pool: Pool) -> None:
    """Tokens that do not follow on those before are never shown."""
    pending = asyncio.ensure_future(pool.send(ask(stream=True)))
    run = await pool.placed()
    run.accept()
    run.tokens("a", "b")
    run.tokens("d", first=3)
    async with await pending as answer:
        text = await answer.text()

    assert "stream_broken" == events(text)[-1]["error"]["code"]
    assert '"content": "d"' not in text


async def test_only_the_key_of_the_placement_answers(pool: Pool) -> None:
    """What another key sends about a run counts for nothing, whatever its machine is called; the
    receipt names the key that answered."""
    pending = asyncio.ensure_future(pool.send(ask()))
    run = await pool.placed()
    liar = NodeRun(pool, "n1" if run.node == "n2" else "n2", run.run)
    liar.end(body=whole("Non"))
    run.finish("Oui")
    async with await pending as answer:
        body = await answer.json()

    assert "Oui" == body["choices"][0]["message"]["content"]
    assert (run.node, key_of(run.node)) == (body["entraide"]["node"], body["entraide"]["node_key"])


async def test_a_node_without_a_key_gets_no_text(tmp_path: Path) -> None:
    """A placement that names no key of a node is given up."""
    keyless = replace(card("n1"), node_key="n1")
    async with open_pool(tmp_path, joined=(keyless,)) as pool, pool.send(ask()) as answer:
        status = answer.status

    assert (502, True) == (status, pool.nodes.runs.empty())


async def test_node_that_fails_before_it_answers_is_replaced(pool: Pool) -> None:
    """A whole answer that fails on one node comes from another, and is billed once."""
    pending = asyncio.ensure_future(pool.send(ask()))
    first = await pool.placed()
    first.accept()
    first.report(Outcome.FAILED, "engine_failed")
    second = await pool.placed()
    second.finish("Oui")
    async with await pending as answer:
        body = await answer.json()
    await pool.store.committed()

    assert "Oui" == body["choices"][0]["message"]["content"]
    assert second.node == body["entraide"]["node"]
    assert 1 == await pool.store.count_settled()


async def test_answer_that_no_client_can_be_given_is_not_billed(pool: Pool) -> None:
    """A whole answer that is no JSON comes from another node, although the first one reports it."""
    pending = asyncio.ensure_future(pool.send(ask()))
    first = await pool.placed()
    first.accept()
    first.end(body=b"no JSON}")
    first.report()
    second = await pool.placed()
    second.finish("Oui")
    async with await pending as answer:
        body = await answer.json()
    await pool.store.committed()

    assert second.node == body["entraide"]["node"]
    assert 1 == await pool.store.count_settled()


async def test_end_that_the_core_was_not_told_of_is_told_by_the_gateway(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that tells only the gateway that its run failed does not keep the client waiting."""
    monkeypatch.setattr("entraide_scheduler.gateway.jobs.running_jobs.CORE_OUTCOME_TIMEOUT_S", 0.0)
    pending = asyncio.ensure_future(pool.send(ask()))
    first = await pool.placed()
    first.accept()
    first.end(code="engine_failed")
    second = await pool.placed()
    second.finish("Oui")
    async with await pending as answer:
        status, body = answer.status, await answer.json()

    assert first.node != second.node
    assert (200, "Oui") == (status, body["choices"][0]["message"]["content"])


async def test_slow_client_is_cut_off(pool: Pool) -> None:
    """A client that reads nothing is let go once its unread answer reaches the limit."""
    _, writer = await asyncio.open_connection("127.0.0.1", pool.gateway.port, limit=1_024)
    writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    writer.transport.pause_reading()
    body = json.dumps(ask(stream=True)).encode()
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (KEY_A.encode(), len(body), body)
    )
    run = await pool.placed()
    run.accept()
    run_limits = pool.gateway._running_jobs.get(run.run.job).limits
    run_limits.bytes_max = 64 * 1024 * 1024  # more than what a gateway keeps for a slow client
    sent = 0
    while pool.gateway._running_jobs.get(run.run.job) is not None and sent < 64:
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
    answer = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    writer.write(answer + answer + last)
    text = (await asyncio.wait_for(reader.read(), WAIT_S)).decode()
    writer.close()

    assert ["200", "200", "404"] == [part[1:4] for part in text.split("HTTP/1.1")[1:]]


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"GARBAGE\r\n\r\n", b"400", b"invalid_request"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"400",
            b"invalid_request",
        ),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431", b"head_too_large"),
    ],
)
async def test_what_is_not_http_is_refused(
    pool: Pool, raw: bytes, status: bytes, code: bytes
) -> None:
    """Bytes that are not a request get an error and the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pool.gateway.port)
    writer.write(raw)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n"), WAIT_S)
    rest = await asyncio.wait_for(reader.read(), WAIT_S)
    writer.close()

    assert head.startswith(b"HTTP/1.1 %s " % status)
    assert code in rest


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


async def test_stop_tells_who_still_waits(tmp_path: Path) -> None:
    """At a stop a live job is told that the pool shuts down and when to ask, and its node stops."""
    async with open_pool(tmp_path) as pool:
        pending = asyncio.ensure_future(pool.send(ask()))
        run = await pool.placed()
        await pool.gateway.stop()
        async with await pending as answer:
            body = await answer.json()
        cancel = await pool.cancelled()

    assert (503, "shutting_down") == (answer.status, body["error"]["code"])
    assert "10" == answer.headers["retry-after"]  # or OpenAI's clients give up after 2 s
    assert run.run.job == cancel.job


async def test_head_comes_before_a_long_wait(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that waits long gets its head and comments, and then errors come as events."""
    monkeypatch.setattr("entraide_scheduler.gateway.requests.answer_writers.HEAD_AFTER_S", 0.0)
    pending = asyncio.ensure_future(pool.send(ask(stream=True)))
    run = await pool.placed()
    answer: aiohttp.ClientResponse = await asyncio.wait_for(pending, WAIT_S)
    comment = await answer.content.readuntil(b"\n\n")
    run.decline("engine_refused", detail="grammar")
    text = await answer.text()

    assert comment.startswith(b":")
    assert "engine_refused" == events(text)[-1]["error"]["code"]


ON_UVLOOP = (
    test_whole,
    test_lost_node_is_replaced_before_the_first_byte,
    test_leaving_client_stops_the_node,
    test_slow_client_is_cut_off,
    test_head_and_first_event_leave_together,
    test_several_requests_share_a_connection,
)


@pytest.mark.parametrize("scenario", ON_UVLOOP)
def test_holds_on_the_loop_that_pools_run_on(
    tmp_path: Path, scenario: Callable[[Pool], Coroutine[Any, Any, None]]
) -> None:
    """What holds on asyncio's own loop holds on uvloop."""

    async def run() -> None:
        async with open_pool(tmp_path) as opened:
            await scenario(opened)

    uvloop.run(run())


async def test_receipt_that_cannot_be_made_keeps_no_answer_back(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer goes out without a receipt, and the failure is counted."""

    def broken(*_: object) -> None:
        raise ValueError("no receipt")

    monkeypatch.setattr("entraide_scheduler.gateway.jobs.resumption.settle", broken)
    pending = asyncio.ensure_future(pool.send(ask()))
    (await pool.placed()).finish("Salut")
    async with await pending as answer:
        body = await answer.json()
    async with pool.session.get("/metrics") as page:
        metrics = await page.text()

    assert ("Salut", False) == (body["choices"][0]["message"]["content"], "entraide" in body)
    assert 'entraide_gateway_failures_total{what="receipt"} 1.0' in metrics


@pytest.mark.parametrize(
    "step", ["token_estimator.TokenEstimator.add_count", "metrics.Metrics.count_end"]
)
async def test_listener_is_told_before_anything_that_may_fail(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Learning and counting come after the client has its answer."""

    def broken(*_: object) -> None:
        raise ValueError(step)

    monkeypatch.setattr(f"entraide_scheduler.gateway.jobs.{step}", broken)
    pending = asyncio.ensure_future(pool.send(ask()))
    (await pool.placed()).finish("Salut")
    async with await pending as answer:
        body = await answer.json()

    assert "Salut" == body["choices"][0]["message"]["content"]
