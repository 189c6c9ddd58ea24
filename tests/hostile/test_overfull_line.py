"""One co-op fills the line: another co-op's requests are served in their turn all the same.

The attacker is beta. The honest node serves both, a few requests at a time.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from tests.core.builders import MODEL
from tests.hostile.pool import ANSWER_S, CHAT, HostilePool

from entraide.v1 import pool_pb2, pool_pb2_grpc

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

CONNECTIONS = 50  # fewer than one address may open before it shows a key
AT_ONCE = 200
TRIES, TRY_S = 1_800, 0.1  # a limit: a line that has not emptied by then fails
KEPT = 200
LONG = {"model": MODEL, "messages": [{"role": "user", "content": "x" * 1_000_000}]}
WIDE = {"model": MODEL, "n": 128, "messages": [{"role": "user", "content": "Bonjour"}]}
SHORT = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def key(pool: HostilePool) -> AsyncIterator[str]:
    """A key of the attacker; at the end the pool is whole."""
    yield await pool.running.operator.key("beta")
    for _ in range(TRIES):
        if not any(pool.running.driver.core.queue_lengths().values()):
            break
        await asyncio.sleep(TRY_S)
    await pool.check()


async def post_many(pool: HostilePool, key: str, path: str, body: Any, count: int) -> Counter[int]:
    """Sends a request many times at once; returns how often each status came."""
    data = json.dumps(body).encode()

    headers = {"authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    url = pool.running.gateway.url
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:

        async def post() -> int:
            async with session.post(path, data=data) as answer:
                await answer.read()
                return answer.status

        return Counter(await asyncio.gather(*(post() for _ in range(count))))


async def served_meanwhile(pool: HostilePool, attack: asyncio.Task[Any]) -> None:
    """Asks three times as another co-op while the attack goes on."""
    for _ in range(3):
        async with asyncio.timeout(ANSWER_S):
            status, body = await pool.ask()

        assert (200, "oui") == (status, body["choices"][0]["message"]["content"])
    await attack


async def test_live_requests(pool: HostilePool, key: str) -> None:
    """Fifty requests wait at any time; another co-op is served meanwhile."""
    attack = asyncio.create_task(post_many(pool, key, CHAT, SHORT, AT_ONCE))
    await served_meanwhile(pool, attack)

    assert {200, 429} >= set(attack.result())


@pytest.mark.parametrize("body", [LONG, WIDE], ids=["long", "wide"])
async def test_large_requests(pool: HostilePool, key: str, body: Any) -> None:
    """Prompts of a megabyte, and 128 answers of one request, are refused or served one by one."""
    attack = asyncio.create_task(post_many(pool, key, CHAT, body, 30))
    await served_meanwhile(pool, attack)

    assert {200, 400, 429} >= set(attack.result())


async def test_kept_jobs(pool: HostilePool, key: str) -> None:
    """Many kept jobs wait; another co-op is served meanwhile."""
    attack = asyncio.create_task(post_many(pool, key, "/v1/jobs", {"request": SHORT}, KEPT))
    await served_meanwhile(pool, attack)

    assert {202, 429} >= set(attack.result())


async def test_kept_jobs_over_grpc(pool: HostilePool, key: str) -> None:
    """Many kept jobs at once on one connection over gRPC; another co-op is served meanwhile."""
    message = pool_pb2.ChatMessage(role="user", content="Bonjour")
    inference = pool_pb2.InferenceRequest(model=MODEL, messages=[message])
    metadata = (("authorization", f"Bearer {key}"),)

    async def submit_all() -> list[pool_pb2.Job]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{pool.service.grpc.port}") as channel:
            stub: Any = pool_pb2_grpc.PoolStub(channel)
            request = pool_pb2.SubmitRequest(request=inference)
            calls = (stub.Submit(request, metadata=metadata) for _ in range(KEPT))
            return await asyncio.gather(*calls)

    attack = asyncio.create_task(submit_all())
    await served_meanwhile(pool, attack)

    assert KEPT == len({job.job for job in attack.result()})
