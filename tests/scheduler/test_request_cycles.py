"""Requests leave no cycles of objects, so that Python's collector may run rarely."""

import asyncio
import gc
import json
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.scheduler.batch_support import answering_nodes
from tests.scheduler.gateway_support import CHAT, KEY_A, WAIT_S, Pool, ask, open_pool

REQUESTS = 50


async def send_requests(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pool: Pool, *, stream: bool
) -> None:
    """Sends requests one after the other, without the cycles of a client library.

    Returns when all that follows the answers is on disk.
    """
    settled = await pool.store.count_settled()
    body = json.dumps(ask("Question", stream=stream)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: parc\r\nAuthorization: Bearer {KEY_A}\r\n"
    lines = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(REQUESTS):
        writer.write((head + lines).encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        if stream:
            await reader.readuntil(b"\r\n0\r\n\r\n")
        else:
            length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
    while await pool.store.count_settled() < settled + REQUESTS:
        await pool.store.committed()


@pytest.mark.parametrize("stream", [False, True])
async def test_requests_leave_no_cycles(tmp_path: Path, *, stream: bool) -> None:
    """The collector finds fewer objects than there were requests, and none of Entraide's types."""
    async with asyncio.timeout(WAIT_S), open_pool(tmp_path) as pool, answering_nodes(pool):
        url = urlsplit(pool.gateway.url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        with closing(writer):
            await send_requests(reader, writer, pool, stream=stream)
            gc.collect()
            gc.disable()
            gc.set_debug(gc.DEBUG_SAVEALL)
            try:
                await send_requests(reader, writer, pool, stream=stream)
                gc.collect()
                kinds = [type(item) for item in gc.garbage]
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
                gc.enable()

    assert len(kinds) < REQUESTS
    assert [] == [kind for kind in kinds if kind.__module__.startswith("entraide")]
