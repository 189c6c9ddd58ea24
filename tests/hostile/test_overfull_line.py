"""One co-op fills the line: another co-op's requests are served in their turn all the same.

The attacker is beta. The honest node serves both, a few requests at a time.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.core.builders import MODEL
from tests.hostile.pool import ANSWER_S, CHAT, HostilePool

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

CONNECTIONS = 50  # fewer than one address may open before it shows a key
AT_ONCE = 200
LONG = {"model": MODEL, "messages": [{"role": "user", "content": "x" * 1_000_000}]}
WIDE = {"model": MODEL, "n": 128, "messages": [{"role": "user", "content": "Bonjour"}]}
SHORT = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def key(pool: HostilePool) -> AsyncIterator[str]:
    """A key of the attacker; at the end the pool is whole."""
    yield await pool.running.operator.key("beta")
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
