"""Answers that go on at a second node: what the client receives, and what is settled."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from msgspec.structs import replace
from tests.scheduler.gateway_support import (
    KEY_A,
    NodeRun,
    Pool,
    ask,
    card,
    chunk,
    events,
    open_pool,
)
from tests.waiting import eventually

from entraide import i18n
from entraide.client import AsyncClient, Seam
from entraide.receipts import Verdict, verify
from entraide.types import JobKind, JobState, NodeCard, Outcome, Receipt
from entraide.v1 import pool_pb2_grpc
from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.gateway.jobs import resumption
from entraide_scheduler.gateway.jobs.resumption import EmittedAnswer, is_resumable, with_answer
from entraide_scheduler.gateway.requests import openai
from entraide_scheduler.gateway.requests.openai import parse_request

COMPLETION = "/v1/completions"


def able(node: str, zone: str = "CA-QC", **changes: Any) -> NodeCard:
    """A node whose engine can resume an answer."""
    made = card(node, zone)
    served = replace(made.replicas[0], features=("resume", "logprobs"), **changes)
    return replace(made, replicas=(served,))


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path, joined=(able("n1"), able("n2", "CA-ON"))) as opened:
        yield opened


async def begun(pool: Pool, *texts: str, **fields: Any) -> tuple[Any, NodeRun]:
    """Sends a streamed request whose node has answered a part; returns the client's side."""
    path = fields.pop("path", openai.CHAT)
    headers = fields.pop("headers", {})
    body = fields.pop("body", None) or ask(stream=True, **fields)
    pending = asyncio.ensure_future(pool.send(body, path=path, **headers))
    run = await pool.placed()
    run.accept()
    run.tokens(*texts)
    return await pending, run


def leave(pool: Pool, run: NodeRun) -> None:
    pool.driver.feed(e.NodeLeft(*e.UNNUMBERED, node=run.node, reason="revoked"))


async def resumed(pool: Pool, before: NodeRun) -> NodeRun:
    run = await pool.placed()
    run.sent = before.sent
    run.accept()
    return run


def text_of(stream: str) -> str:
    return "".join(
        event["choices"][0]["delta"].get("content", "")
        for event in events(stream)
        if event.get("choices")
    )


def receipt_of(stream: str) -> Receipt:
    (stored,) = [event["entraide"] for event in events(stream) if "entraide" in event]
    return msgspec.convert(stored, Receipt)


async def settled(pool: Pool, job: str) -> Receipt:
    """The receipt in the ledger."""
    await eventually(lambda: pool.driver.counts["settled"])
    stored = await pool.store.get_receipt(job)
    assert stored is not None
    return stored.receipt


async def test_the_answer_goes_on_from_what_was_sent(pool: Pool) -> None:
    """The second node gets the text at the end of the chat and the rest of the limit; the client
    each token once."""
    answer, first = await begun(pool, "Il", " était", max_tokens=10)
    leave(pool, first)
    second = await resumed(pool, first)
    first.tokens(" jamais")
    second.tokens(" une", " fois")
    second.end(final=chunk("", "stop"))
    second.report()
    stream = await answer.text()

    assert second.node != first.node
    assert {"role": "assistant", "content": "Il était"} == second.body["messages"][-1]
    assert 8 == second.body["max_tokens"]
    assert m.Resume(2, 1, len("Il était")) == second.run.resume
    assert 3 == len({first.run.partition, second.run.partition, b""})  # one for each node
    assert "Il était une fois" == text_of(stream)
    assert "[DONE]" in stream


async def test_the_answer_goes_on_of_a_node_that_had_not_accepted_yet(pool: Pool) -> None:
    """A node may send text before the scheduler hears of the run, and be lost then."""
    pending = asyncio.ensure_future(pool.send(ask(stream=True, max_tokens=10)))
    first = await pool.placed()
    first.tokens("Il", " était")
    answer = await pending
    leave(pool, first)
    second = await resumed(pool, first)
    second.tokens(" une", " fois")
    second.end(final=chunk("", "stop"))
    second.report()
    receipt = receipt_of(stream := await answer.text())
    ledger = await settled(pool, first.run.job)

    assert "Il était une fois" == text_of(stream)
    assert [(first.node, 2), (second.node, 3)] == [
        (run.node, run.output_tokens) for run in receipt.runs
    ]
    assert receipt.runs == ledger.runs


async def test_the_receipt_names_both_machines_and_verifies(pool: Pool) -> None:
    """The provisional receipt and the settled one have the same totals and the same runs."""
    answer, first = await begun(pool, "Il", " était")
    first.report(Outcome.FAILED, "owner_terms", delivered=True)
    second = await resumed(pool, first)
    second.tokens(" une")
    second.end(final=chunk("", "stop"))
    second.report()
    receipt = receipt_of(await answer.text())
    ledger = await settled(pool, first.run.job)
    keys = {pool.gateway.pages._signer.public_key.id: pool.gateway.pages._signer.public_key}
    status, public = await pool.call("GET", f"/v1/jobs/{first.run.job}/receipt")

    assert [(first.node, 2, "owner_terms"), (second.node, 3, "")] == [
        (run.node, run.output_tokens, run.ended) for run in receipt.runs
    ]
    assert receipt.runs == ledger.runs
    assert (receipt.input_tokens, receipt.output_tokens) == (11, 5)
    assert (receipt.energy_wh, receipt.carbon_gco2e) == (ledger.energy_wh, ledger.carbon_gco2e)
    assert Verdict.GENUINE is verify(receipt, keys)
    assert (200, Verdict.GENUINE) == (status, verify(msgspec.convert(public, Receipt), keys))


async def test_the_bill_is_shared_by_both_machines(pool: Pool) -> None:
    """A statement counts the answer as one request; the ledger sums to zero."""
    answer, first = await begun(pool, "Il", " était")
    leave(pool, first)
    second = await resumed(pool, first)
    second.tokens(" une")
    second.end(final=chunk("", "stop"))
    second.report()
    await answer.text()
    receipt = await settled(pool, first.run.job)
    statement = await pool.store.get_statement("alpha", start_at=0.0, end_at=4e9)
    balances = await pool.store.get_balances()

    assert 1 == statement.received.jobs
    assert receipt.input_tokens + receipt.output_tokens == statement.received.tokens
    assert -statement.received.tokens == balances["alpha"]["tokens"]
    assert 0 == sum(account["tokens"] for account in balances.values())
    assert 0 == sum(account["energy_uwh"] for account in balances.values())
    assert 1 == await pool.store.count_settled()


async def test_usage_counts_the_prompt_once(pool: Pool) -> None:
    """A usage chunk has the prompt's tokens once, and those of both runs."""
    answer, first = await begun(pool, "Il", " était", stream_options={"include_usage": True})
    first.report(Outcome.FAILED, "engine_failed", delivered=True)
    second = await resumed(pool, first)
    second.tokens(" une")
    second.end(final=chunk("", "stop"))
    second.report()
    usage = events(await answer.text())[-1]["usage"]

    assert (11, 5) == (usage["prompt_tokens"], usage["completion_tokens"])


@pytest.mark.parametrize("ends", ["gap", "invalid", "failed without the core"])
async def test_a_broken_run_is_continued(pool: Pool, ends: str) -> None:
    """Lost messages and invalid answers of a node end its run, not the answer."""
    answer, first = await begun(pool, "Il", " était")
    if ends == "gap":
        first.tokens(" d", first=4)
    elif ends == "invalid":
        first.end(final=b"no JSON")
    else:
        first.end(code="engine_failed")
        leave(pool, first)
    second = await resumed(pool, first)
    second.sent = 2
    second.tokens(" une")
    second.end(final=chunk("", "stop"))
    second.report()

    assert "Il était une" == text_of(await answer.text())


async def test_no_node_with_the_revision_ends_the_answer_after_the_text(tmp_path: Path) -> None:
    """The client gets the text and a clear error at once, and nothing is billed."""
    joined = (able("n1"), able("n2", "CA-ON", revision="sha256:def"))
    async with open_pool(tmp_path, joined=joined) as pool:
        answer, first = await begun(pool, "Il", " était")
        leave(pool, first)
        stream = await answer.text()

        assert "Il était" == text_of(stream)
        assert "stream_broken" == events(stream)[-1]["error"]["code"]
        assert JobState.FAILED is pool.driver.core.job(first.run.job).state
        assert 0 == await pool.store.count_settled()


@pytest.mark.parametrize(
    "parts",
    [
        [{"reasoning_content": "hum"}],
        [{"reasoning": "hum"}],
        [{"reasoning_content": "hum"}, {"content": "Il"}],
    ],
    ids=["during its thought", "by its newer name", "after its thought"],
)
async def test_an_answer_with_a_thought_does_not_go_on(
    pool: Pool, parts: list[dict[str, str]]
) -> None:
    """A thought cannot be put into the request exactly, so the answer ends after what was sent."""
    pending = asyncio.ensure_future(pool.send(ask(stream=True)))
    first = await pool.placed()
    first.accept()
    for delta in parts:
        choice = {"index": 0, "delta": delta}
        event = {"id": "x", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}
        first.raw(b"data: %s\n\n" % json.dumps(event).encode())
    answer = await pending
    leave(pool, first)
    sent = events(await answer.text())

    assert parts == [event["choices"][0]["delta"] for event in sent[:-1]]
    assert "stream_broken" == sent[-1]["error"]["code"]
    await eventually(lambda: pool.driver.core.job(first.run.job).ended_at)
    assert 0 == await pool.store.count_settled()


async def test_options_that_an_engine_loses_end_the_answer(tmp_path: Path) -> None:
    """vLLM counts penalties over its own output only."""
    engine = "vllm/0.33"
    joined = (able("n1", engine=engine), able("n2", "CA-ON", engine=engine))
    async with open_pool(tmp_path, joined=joined) as pool:
        answer, first = await begun(pool, "Il", presence_penalty=0.5)
        leave(pool, first)

        assert "stream_broken" == events(await answer.text())[-1]["error"]["code"]


async def test_a_text_completion_goes_on(pool: Pool) -> None:
    """The text stands at the end of the prompt."""
    body = {"model": "petit", "prompt": "Il", "stream": True}
    pending = asyncio.ensure_future(pool.send(body, path=COMPLETION))
    first = await pool.placed()
    first.accept()
    event = {"id": "x", "object": "text_completion", "created": 7, "choices": [{"text": " était"}]}
    first.raw(b"data: %s\n\n" % json.dumps(event).encode())
    answer = await pending
    leave(pool, first)
    second = await resumed(pool, first)
    second.end(final=json.dumps({**event, "choices": [{"text": ".", "index": 0}]}).encode())
    second.report()
    stream = await answer.text()

    assert "Il était" == second.body["prompt"]
    assert m.Resume(1, 7, len(" était")) == second.run.resume
    assert "[DONE]" in stream


async def test_it_goes_on_twice(pool: Pool) -> None:
    """Two seams: each run continues where the client stands; all three are settled."""
    answer, first = await begun(pool, "a")
    first.report(Outcome.FAILED, "engine_failed", delivered=True)
    second = await resumed(pool, first)
    second.tokens("b", "c")
    second.report(Outcome.FAILED, "engine_failed", delivered=True)
    third = await resumed(pool, second)
    third.tokens("d")
    third.end(final=chunk("", "stop"))
    third.report()
    stream = await answer.text()
    receipt = receipt_of(stream)

    assert "abcd" == text_of(stream)
    assert "abc" == third.body["messages"][-1]["content"]
    assert [1, 2, 3] == [run.output_tokens for run in receipt.runs]
    assert receipt.runs == (await settled(pool, first.run.job)).runs


async def test_an_answer_of_which_only_the_end_was_lost_is_complete(pool: Pool) -> None:
    """Nothing is left to write: it ends with its length, and the first machine alone is billed."""
    answer, first = await begun(pool, "Il", " était", max_tokens=2)
    leave(pool, first)
    stream = await answer.text()
    receipt = await settled(pool, first.run.job)

    assert "Il était" == text_of(stream)
    assert "length" == events(stream)[-1]["choices"][0]["finish_reason"]
    assert (first.node, 2, ()) == (receipt.node, receipt.output_tokens, receipt.runs)
    assert JobState.COMPLETED is pool.driver.core.job(first.run.job).state
    assert pool.nodes.runs.empty()
    assert receipt_of(stream).output_tokens == 2


async def test_a_client_that_leaves_pays_for_what_it_has(pool: Pool) -> None:
    """The job is cancelled, and both runs are settled."""
    answer, first = await begun(pool, "a", "b")
    leave(pool, first)
    second = await resumed(pool, first)
    second.tokens("c")
    await pool.cancelled()  # the first run
    answer.close()
    await pool.cancelled()
    second.report(Outcome.CANCELLED, delivered=True)
    receipt = await settled(pool, first.run.job)

    assert [2, 3] == [run.output_tokens for run in receipt.runs]


SEAM = {"token_offset": 2, "node_before": "n1", "node_after": "n2", "code": "engine_failed"}


async def continued(pool: Pool) -> None:
    """Answers a request in two runs."""
    first = await pool.placed()
    first.accept()
    first.tokens("Il", " était")
    first.report(Outcome.FAILED, "engine_failed", delivered=True)
    second = await resumed(pool, first)
    second.tokens(" une")
    second.end(final=chunk("", "stop"))
    second.report()


@pytest.mark.parametrize("door", ["header", "body", "neither"])
async def test_an_event_marks_the_seam_for_clients_that_ask(pool: Pool, door: str) -> None:
    """A named event; without the option a client sees no trace of it."""
    fields = {"entraide": {"resume_events": True}} if door == "body" else {}
    headers = {"X_Entraide_Resume_Events": "true"} if door == "header" else {}
    pending = asyncio.ensure_future(pool.send(ask(stream=True, **fields), **headers))
    await continued(pool)
    lines = (await (await pending).text()).split("\n")
    marks = [lines[place + 1] for place, line in enumerate(lines) if line.startswith("event:")]
    seams = [json.loads(mark.removeprefix("data: ")) for mark in marks]

    assert [SEAM] * (door != "neither") == [
        {name: value for name, value in seam.items() if name != "job"} for seam in seams
    ]
    assert (door != "neither") == ("event: entraide.resumed" in lines)


@pytest.mark.parametrize("asks", [True, False])
async def test_the_sdk_tells_the_seams_to_those_who_ask(pool: Pool, asks: bool) -> None:
    """Over gRPC, the stream has a message where another machine continues."""
    server = grpc.aio.server()
    pool_pb2_grpc.add_PoolServicer_to_server(pool.gateway.pool_service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    options: Any = {"resume_events": True} if asks else {}
    async with AsyncClient(f"127.0.0.1:{port}", KEY_A, lang="en") as client:
        stream = client.stream("Bonjour", model="petit", **options)
        answering = asyncio.ensure_future(stream.answer())
        await continued(pool)
        answer = await answering
    await server.stop(0)

    assert "Il était une" == answer.text
    assert (Seam(*SEAM.values()),) * asks == stream.seams
    assert answer.receipt is not None
    assert ["n1", "n2"] == [run.node for run in answer.receipt.runs]
    assert "n1" in i18n.earlier_runs_line(answer.receipt, "en")


@pytest.mark.parametrize(
    ("fields", "resumable"),
    [
        ({}, True),
        ({"logprobs": True}, True),
        ({"stop": ["."], "temperature": 0.0}, True),
        ({"stream": False}, False),
        ({"n": 2}, False),
        ({"response_format": {"type": "json_object"}}, False),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, False),
    ],
)
def test_which_requests_may_resume(fields: dict[str, Any], resumable: bool) -> None:
    """Streams of one text: several answers, tools and schemas have state beside the text."""
    parsed = parse_request(openai.CHAT, json.dumps({**ask(stream=True), **fields}).encode())

    assert is_resumable(parsed, JobKind.LIVE) is resumable
    assert not is_resumable(parsed, JobKind.KEPT)


def test_the_clients_own_beginning_is_kept() -> None:
    """An assistant's last message is the client's own beginning of the answer."""
    said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "Il"}]
    body = {"model": "petit", "messages": said, "stream": True}
    parsed = parse_request(openai.CHAT, json.dumps(body).encode())
    added = with_answer(parsed, " était")

    assert added is not None
    assert "Il était" == added.request.messages[-1].content
    assert 2 == len(added.request.messages)


def test_tokens_are_no_text() -> None:
    """A prompt of token numbers has no place for text."""
    parsed = parse_request(
        COMPLETION, json.dumps({"model": "petit", "prompt": [1, 2], "stream": True}).encode()
    )

    assert not is_resumable(parsed, JobKind.LIVE)


def test_long_answers_are_read_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are kept for a while only; the text is the same."""
    monkeypatch.setattr(resumption, "UNREAD_BYTES_MAX", 300)
    emitted = EmittedAnswer()
    for number in range(100):
        emitted.add(b"data: %s\n\n" % chunk(f"{number} é "))
        assert emitted._unread_bytes <= 300 + 400

    assert "".join(f"{number} é " for number in range(100)) == emitted.text()
    assert 1 == emitted.created


@pytest.mark.parametrize(
    "data",
    [
        b"data: [1]\n\n",
        b"data: {\n\n",
        b'data: {"choices":[{"index":1,"delta":{"content":"b"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":["b"]}}]}\n\n',
    ],
)
def test_what_is_more_than_text_is_not_continued(data: bytes) -> None:
    """A second choice, a call, an end, or what is no event."""
    emitted = EmittedAnswer()
    emitted.add(b"data: %s\n\n" % chunk("a"))
    emitted.add(data)

    assert emitted.text() is None
