"""Embeddings over gRPC: live as the last event of a stream, and kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from tests.scheduler.gateway_support import WAIT_S, Pool, open_pool
from tests.scheduler.test_embeddings import SENTENCES, VECTOR, embedding_card, finish
from tests.scheduler.test_gateway_grpc import KEY, Stub, collect, fields_at_fault, open_stub, reason
from tests.scheduler.test_gateway_kept import ended

from entraide.v1 import pool_pb2


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path, joined=(embedding_card("n1"),)) as opened:
        yield opened


@pytest.fixture
async def stub(pool: Pool) -> AsyncIterator[Stub]:
    async with open_stub(pool) as opened:
        yield opened


def embed(*texts: str, **fields: object) -> pool_pb2.InferenceRequest:
    request = pool_pb2.InferenceRequest(model=SENTENCES, inputs=texts)
    request.extra.update(fields)
    return request


async def test_the_last_event_has_the_embeddings(pool: Pool, stub: Stub) -> None:
    """A live job starts with its name and ends with the numbers, the usage and the receipt."""
    pending = asyncio.ensure_future(collect(stub.Stream(embed("a", "b"), metadata=KEY)))
    run = await pool.placed()
    finish(run, 2)
    started, last = await asyncio.wait_for(pending, WAIT_S)

    assert run.run.job == started.started.job == last.done.receipt.job
    assert [VECTOR, VECTOR] == [list(each.values) for each in last.done.embeddings]
    assert (14, 0, "") == (
        last.done.usage.input_tokens, last.done.usage.output_tokens, last.done.text
    )  # fmt: skip
    assert ["a", "b"] == run.body["input"]


async def test_a_kept_job_embeds(pool: Pool, stub: Stub) -> None:
    """The result is what the same request gets over HTTP."""
    job = await stub.Submit(pool_pb2.SubmitRequest(request=embed("a")), metadata=KEY)
    finish(await pool.placed(), 1)
    await ended(pool, job.job)
    result = (await stub.Get(pool_pb2.JobRequest(job=job.job), metadata=KEY)).result_json

    assert [VECTOR] == [entry["embedding"] for entry in json.loads(result)["data"]]


FAULTS = {
    "an empty text": (embed("a", ""), "inputs[1]", "invalid_request"),
    "a length": (embed("a", dimensions=0), "extra.dimensions", "invalid_request"),
    "a field of the message": (embed("a", input="b"), "extra.input", "invalid_request"),
    "a limit of output": (
        pool_pb2.InferenceRequest(model=SENTENCES, inputs=["a"], max_output_tokens=3),
        "max_output_tokens",
        "invalid_request",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_faults_have_the_names_of_the_contract(stub: Stub, name: str) -> None:
    """A refusal names the field as the caller wrote it."""
    request, field, code = FAULTS[name]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await collect(stub.Stream(request, metadata=KEY))

    assert code == reason(refused.value)
    assert [field] == fields_at_fault(refused.value)
