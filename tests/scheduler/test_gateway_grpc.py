"""The gRPC service Pool: the same jobs and the same errors as over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.contract.receipts import is_signed_by
from tests.scheduler.gateway_support import (
    KEY_A,
    MODEL,
    SIGNER,
    WAIT_S,
    Pool,
    open_pool,
)

from entraide import i18n
from entraide.client._convert import receipt as read_receipt
from entraide.v1 import pool_pb2, pool_pb2_grpc

Stub = Any
KEY = (("authorization", f"Bearer {KEY_A}"), ("accept-language", "en"))


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def open_stub(pool: Pool) -> AsyncIterator[Stub]:
    """A client of the gateway's gRPC service on a port of its own."""
    server = grpc.aio.server()
    pool_pb2_grpc.add_PoolServicer_to_server(pool.gateway.pool_service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield pool_pb2_grpc.PoolStub(channel)
    await server.stop(0)


@pytest.fixture
async def stub(pool: Pool) -> AsyncIterator[Stub]:
    async with open_stub(pool) as opened:
        yield opened


def chat(text: str = "Bonjour", **fields: object) -> pool_pb2.InferenceRequest:
    message = pool_pb2.ChatMessage(role="user", content=text)
    request = pool_pb2.InferenceRequest(model=MODEL, messages=[message], max_output_tokens=9)
    request.extra.update(fields)
    return request


def reason(error: grpc.RpcError) -> str:
    """Returns the stable code in the details of a failed call."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info.reason


def fields_at_fault(error: grpc.RpcError) -> list[str]:
    """Returns the fields that the details of a failed call name."""
    for detail in rpc_status.from_call(error).details:
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            return [violation.field for violation in bad.field_violations]
    return []


async def collect(call: AsyncIterator[pool_pb2.StreamEvent]) -> list[pool_pb2.StreamEvent]:
    return [event async for event in call]


async def test_stream_tells_start_text_and_end(pool: Pool, stub: Stub) -> None:
    """A live job over gRPC starts with its name and ends with usage and a genuine receipt."""
    pending = asyncio.ensure_future(collect(stub.Stream(chat(seed=7, stop=["."]), metadata=KEY)))
    run = await pool.placed()
    run.finish("Salut")
    got = await asyncio.wait_for(pending, WAIT_S)
    done = got[-1].done

    assert run.run.job == got[0].started.job
    assert "Salut" == "".join(event.delta.text for event in got) == done.text
    assert ("stop", 3) == (done.finish_reason, done.usage.output_tokens)
    assert is_signed_by(read_receipt(done.receipt), SIGNER._key.public_key())
    assert {"seed": 7, "stop": ["."], "max_tokens": 9, "stream": True} == {
        key: run.body[key] for key in ("seed", "stop", "max_tokens", "stream")
    }


async def test_leaving_call_stops_the_node(pool: Pool, stub: Stub) -> None:
    """A caller that cancels its stream stops the run."""
    call = stub.Stream(chat(), metadata=KEY)
    first = asyncio.ensure_future(call.read())
    run = await pool.placed()
    await asyncio.wait_for(first, WAIT_S)
    call.cancel()
    cancel = await pool.cancelled()

    assert run.run.job == cancel.job


@pytest.mark.parametrize(
    ("inference_request", "metadata", "expected"),
    [
        (chat(), (), (grpc.StatusCode.UNAUTHENTICATED, "unauthorised")),
        (
            pool_pb2.InferenceRequest(model="grand", prompt="x"),
            KEY,
            (grpc.StatusCode.NOT_FOUND, "unknown_model"),
        ),
        (
            pool_pb2.InferenceRequest(),
            KEY,
            (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request"),
        ),
        (
            chat(),
            (*KEY, ("x-entraide-data-class", "restricted")),
            (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request"),
        ),
    ],
)
async def test_refusals_have_status_and_details(
    stub: Stub,
    inference_request: pool_pb2.InferenceRequest,
    metadata: tuple[tuple[str, str], ...],
    expected: tuple[grpc.StatusCode, str],
) -> None:
    """A refusal is a canonical status with the stable code in its details and a sentence."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await collect(stub.Stream(inference_request, metadata=metadata))

    assert expected == (caught.value.code(), reason(caught.value))
    assert caught.value.details()


async def test_why_a_job_ended_is_said_as_errors_are(pool: Pool, stub: Stub) -> None:
    """Without a language in the call the sentence is in English, with the pool's beside it."""
    submission = pool_pb2.SubmitRequest(request=chat())
    job = (await stub.Submit(submission, metadata=KEY)).job
    await stub.Cancel(pool_pb2.CancelRequest(job=job), metadata=KEY)
    request = pool_pb2.JobRequest(job=job)
    plain = await stub.Get(request, metadata=KEY[:1])
    english = await stub.Get(request, metadata=KEY)
    french = await stub.Get(request, metadata=(KEY[0], ("accept-language", "fr")))

    sentences = (i18n.error("cancelled", "en"), i18n.error("cancelled", "fr"))
    assert sentences == (plain.message, plain.message_fr)
    assert [(sentences[0], ""), (sentences[1], "")] == [
        (each.message, each.message_fr) for each in (english, french)
    ]


async def test_kept_job_over_grpc(pool: Pool, stub: Stub) -> None:
    """Submit, list, get, explain and cancel speak of the same jobs as HTTP does."""
    request = pool_pb2.SubmitRequest(request=chat())
    job = await stub.Submit(request, metadata=KEY)
    (await pool.placed()).finish("Salut")
    await pool.until_settled(job.job)
    got = await stub.Get(pool_pb2.JobRequest(job=job.job), metadata=KEY)
    listed = await stub.ListJobs(pool_pb2.ListJobsRequest(), metadata=KEY)
    explanation = await stub.Explain(pool_pb2.JobRequest(job=job.job), metadata=KEY)
    status, view = await pool.call("GET", f"/v1/jobs/{job.job}")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Cancel(pool_pb2.CancelRequest(job=job.job), metadata=KEY)

    assert ("queued", "completed") == (job.state, got.state)
    assert b"Salut" in got.result_json
    assert [job.job] == [item.job for item in listed.jobs]
    assert "placed" == explanation.decision
    assert "n1" in explanation.sentence
    assert (200, got.receipt.signature) == (status, view["receipt"]["signature"])
    assert "job_ended" == reason(caught.value)


async def test_models_over_grpc(stub: Stub) -> None:
    """The models are those of the HTTP list."""
    models = (await stub.ListModels(pool_pb2.ListModelsRequest(), metadata=KEY)).models

    assert [(MODEL, 4_096, 2, True, ""), ("auto", 4_096, 2, True, MODEL)] == [
        (item.model, item.context_tokens, item.replicas, item.loaded, item.means) for item in models
    ]


async def test_both_dialects_count_alike(pool: Pool, stub: Stub) -> None:
    """The same request is estimated, limited and charged alike by HTTP and by gRPC."""
    pending = asyncio.ensure_future(collect(stub.Stream(chat("é" * 50), metadata=KEY)))
    by_grpc = await pool.placed()
    body = {"model": MODEL, "messages": [{"role": "user", "content": "é" * 50}], "max_tokens": 9}
    other = asyncio.ensure_future(pool.send(body | {"stream": True}))
    by_http = await pool.placed()
    facts = [pool.gateway._running_jobs.get(run.run.job).facts for run in (by_grpc, by_http)]
    by_grpc.finish()
    by_http.finish()
    await pending
    (await other).release()
    counted = [
        (item.input_tokens_est, item.input_tokens_max, item.output_tokens_max) for item in facts
    ]

    assert counted[0] == counted[1]
    assert by_grpc.body == by_http.body


NAN, INF = float("nan"), float("inf")

OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "a cap beyond all": ({"max_gco2e": 1e20}, "options.max_gco2e"),
    "an endless cap": ({"max_gco2e": INF}, "options.max_gco2e"),
    "a cap that is no number": ({"max_gco2e": NAN}, "options.max_gco2e"),
    "less than no carbon": ({"max_gco2e": -5.0}, "options.max_gco2e"),
    "a deadline that is no number": ({"deadline_s": NAN}, "options.deadline_s"),
    "an endless deadline": ({"deadline_s": INF}, "options.deadline_s"),
    "a deadline gone by": ({"deadline_s": -5.0}, "options.deadline_s"),
    "a deadline in centuries": ({"deadline_s": 1e300}, "options.deadline_s"),
    "a class": ({"job_class": "vip"}, "options.job_class"),
    "a data class": ({"data_class": "secret"}, "options.data_class"),
    "a place": ({"jurisdiction": "canada\x07"}, "options.jurisdiction"),
    "a control": ({"controlled_by": "us"}, "options.controlled_by"),
    "a long session": ({"session": "x" * 257}, "options.session"),
    "a long key": ({"idempotency_key": "x" * 257}, "options.idempotency_key"),
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("method", ["Stream", "Submit"])
async def test_options_are_bounded_and_named(
    pool: Pool, stub: Stub, name: str, method: str
) -> None:
    """An option out of bounds is answered at once, by its own name; the pool goes on."""
    options, field = OPTIONS[name]
    request = chat()
    request.options.CopyFrom(pool_pb2.JobOptions(**options))
    if method == "Stream":
        call: Any = collect(stub.Stream(request, metadata=KEY))
    else:
        call = stub.Submit(pool_pb2.SubmitRequest(request=request), metadata=KEY)
    with pytest.raises(grpc.RpcError) as refused:
        await asyncio.wait_for(call, WAIT_S)

    assert grpc.StatusCode.INVALID_ARGUMENT == refused.value.code()
    assert reason(refused.value) in ("invalid_request", "deadline_passed")
    assert [field] == fields_at_fault(refused.value)
    pending = asyncio.ensure_future(collect(stub.Stream(chat(), metadata=KEY)))
    (await pool.placed()).finish("Salut")

    assert "Salut" == (await pending)[-1].done.text


FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "another engine's limit": ({"n_predict": 9}, "extra.n_predict"),
    "a number that is none": ({"temperature": NAN}, "extra"),
    "an endless number": ({"seed": INF}, "extra"),
    "a seed of 300 digits": ({"seed": 1e300}, "extra.seed"),
    "a field of the message": ({"messages": []}, "extra.messages"),
    "too hot": ({"temperature": 3}, "extra.temperature"),
}


@pytest.mark.parametrize("name", FIELDS)
async def test_extra_fields_are_those_of_http(pool: Pool, stub: Stub, name: str) -> None:
    """A field that HTTP refuses is refused here too, by the name that it has here."""
    fields, field = FIELDS[name]
    with pytest.raises(grpc.RpcError) as refused:
        await collect(stub.Stream(chat(**fields), metadata=KEY))

    assert "invalid_request" == reason(refused.value)
    assert [field] == fields_at_fault(refused.value)
    assert field in refused.value.details()


async def test_limit_on_tokens_is_named_as_in_the_contract(pool: Pool, stub: Stub) -> None:
    """The limit on the answer is refused by the contract's name, not by HTTP's."""
    request = chat()
    request.max_output_tokens = 2**32 - 1
    with pytest.raises(grpc.RpcError) as refused:
        await collect(stub.Stream(request, metadata=KEY))

    assert ["max_output_tokens"] == fields_at_fault(refused.value)


@pytest.mark.parametrize("keep_s", [NAN, INF, -1.0, 1e9])
async def test_time_of_keeping_is_bounded(pool: Pool, stub: Stub, keep_s: float) -> None:
    """How long a result is kept lies within a week."""
    with pytest.raises(grpc.RpcError) as refused:
        await stub.Submit(pool_pb2.SubmitRequest(request=chat(), keep_s=keep_s), metadata=KEY)

    assert ["keep_s"] == fields_at_fault(refused.value)
