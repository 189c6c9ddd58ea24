"""A hostile client in three dialects, HTTP, gRPC and the SDK: each field is answered, none ends us.

After each attack another request is served, the books balance, and the pool starts again.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from tests.core.builders import MODEL
from tests.hostile.pool import ANSWER_S, CHAT, HostilePool
from tests.scheduler.test_fields import JSON, REFUSED, SCHEMAS, schema
from tests.scheduler.test_gateway_grpc import OPTIONS

from entraide.client import AsyncClient
from entraide.errors import RequestError
from entraide.v1 import pool_pb2, pool_pb2_grpc

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMPLETION = "/v1/completions"
USER = {"role": "user", "content": "Bonjour"}
HEADERS: dict[str, tuple[str, str]] = {
    "a cap that is no number": ("X-Entraide-Max-Gco2e", "nan"),
    "an endless cap": ("X-Entraide-Max-Gco2e", "1e999"),
    "a cap beyond all": ("X-Entraide-Max-Gco2e", "1e20"),
    "less than no carbon": ("X-Entraide-Max-Gco2e", "-5"),
    "an endless deadline": ("X-Entraide-Deadline", "inf"),
    "a deadline that is no number": ("X-Entraide-Deadline", "nan"),
    "a deadline before all calendars": ("X-Entraide-Deadline", "0001-01-01T00:00+14:00"),
    "a deadline of words": ("X-Entraide-Deadline", "demain"),
    "a class": ("X-Entraide-Class", "vip"),
    "a place": ("X-Entraide-Jurisdiction", "canada"),
    "a long session": ("X-Entraide-Session", "x" * 257),
    "a long key": ("Idempotency-Key", "x" * 257),
}


async def post(pool: HostilePool, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    """Sends bytes as a client of alpha; returns the status and the error or answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        asyncio.timeout(ANSWER_S),
        pool.running.session(pool.key) as session,
        session.post(path, data=body, headers=named) as answer,
    ):
        return answer.status, await answer.json()


def kept(request: bytes) -> bytes:
    """A job that is kept, of a request that may be anything."""
    return b'{"path": "/v1/chat/completions", "request": ' + request + b"}"


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def whole_at_the_end(pool: HostilePool) -> AsyncIterator[None]:
    """Asks at the end of all attacks that the pool is whole."""
    yield
    await pool.check()


async def test_fields_out_of_bounds_by_http(pool: HostilePool) -> None:
    """Each field out of bounds is a 400 that names it, live and kept alike."""
    for name, (body, param, _) in REFUSED.items():
        for path, sent in ((CHAT, body), ("/v1/jobs", kept(body))):
            status, answer = await post(pool, path, sent)

            assert (400, param) == (status, answer["error"]["param"]), name
    await pool.serves()


async def test_schemas_that_would_end_an_engine(pool: HostilePool) -> None:
    """A bomb of a schema is refused by the gateway, in a format as in a tool."""
    for name, (fields, _) in SCHEMAS.items():
        tool = {"type": "function", "function": {"name": "f", "parameters": fields}}
        for extra in ({"response_format": schema(fields)}, {"tools": [tool]}):
            body = json.dumps({"model": MODEL, "messages": [USER], **extra}).encode()

            assert 400 == (await post(pool, CHAT, body))[0], name
    await pool.serves()


async def test_json_that_is_none(pool: HostilePool) -> None:
    """JSON that is broken, deep or ambiguous is a 400 with a sentence, on every endpoint."""
    for name, (body, _) in JSON.items():
        for path, sent in ((CHAT, body), (COMPLETION, body), ("/v1/jobs", body)):
            status, answer = await post(pool, path, sent)

            assert (400, "invalid_json") == (status, answer["error"]["code"]), name
        assert 400 == (await post(pool, "/v1/jobs", kept(body)))[0], name
    await pool.serves()


async def test_headers_out_of_bounds(pool: HostilePool) -> None:
    """Each option out of bounds is a 400 with the header's name."""
    body = json.dumps({"model": MODEL, "messages": [USER]}).encode()
    for name, (header, value) in HEADERS.items():
        for path, sent in ((CHAT, body), ("/v1/jobs", kept(body))):
            status, answer = await post(pool, path, sent, **{header.replace("-", "_"): value})

            assert (400, header) == (status, answer["error"]["param"]), name
    await pool.serves()


async def test_options_by_grpc(pool: HostilePool) -> None:
    """Each option out of bounds is answered at once over gRPC, live and kept."""
    metadata = (("authorization", f"Bearer {pool.key}"),)
    async with channel(pool) as connection:
        stub: Any = pool_pb2_grpc.PoolStub(connection)
        for name, (options, _) in OPTIONS.items():
            message = pool_pb2.ChatMessage(role="user", content="Bonjour")
            request = pool_pb2.InferenceRequest(
                model=MODEL, messages=[message], options=pool_pb2.JobOptions(**options)
            )
            submitted = pool_pb2.SubmitRequest(request=request)
            for call in (
                stub.Stream(request, metadata=metadata, timeout=ANSWER_S).read(),
                stub.Submit(submitted, metadata=metadata, timeout=ANSWER_S),
            ):
                with pytest.raises(grpc.RpcError) as refused:
                    await call

                assert grpc.StatusCode.INVALID_ARGUMENT == refused.value.code(), name
    await pool.serves()


async def test_fields_by_the_python_client(pool: HostilePool) -> None:
    """The Python client raises for the same fields, with the same sentence."""
    fields: tuple[dict[str, Any], ...] = (
        {"n_predict": 1_500}, {"grammar": "(" * 800_000}, {"max_gco2e": 1e20}, {"max_gco2e": -5.0},
        {"temperature": 3}, {"deadline_s": float("nan")}, {"temperature": float("nan")},
        {"max_output_tokens": 2**40}, {"tools": [{"type": "web"}]}, {"job_class": "vip"},
        {"response_format": schema({"type": "array", "maxItems": 1e9})},
    )  # fmt: skip
    async with AsyncClient(address(pool), key=pool.key, retries=0) as client:
        for extra in fields:
            with pytest.raises(RequestError) as refused:
                async with asyncio.timeout(ANSWER_S):
                    await client.chat("Bonjour", model=MODEL, **extra)

            assert refused.value.message != refused.value.code, extra
    await pool.serves()


def address(pool: HostilePool) -> str:
    """Where the pool's gRPC services are."""
    return f"grpc://127.0.0.1:{pool.service.grpc.port}"


@contextlib.asynccontextmanager
async def channel(pool: HostilePool) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to the pool's gRPC services."""
    async with grpc.aio.insecure_channel(address(pool).removeprefix("grpc://")) as connection:
        yield connection
