"""A gateway that leaves, so that another process takes its listening sockets over."""

import asyncio
from pathlib import Path

import pytest
from tests.scheduler.gateway_support import WAIT_S, Pool, ask, open_pool
from tests.waiting import eventually

from entraide_scheduler.gateway import gateway as module

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(pool: Pool) -> Stream:
    """A connection of a client."""
    return await asyncio.open_connection("127.0.0.1", pool.gateway.port)


async def look(stream: Stream) -> str:
    """Asks over a connection whether the gateway lives; returns the answer's head."""
    stream[1].write(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
    head = (await asyncio.wait_for(stream[0].readuntil(b"\r\n\r\n"), WAIT_S)).decode().lower()
    (length,) = (line for line in head.splitlines() if line.startswith("content-length: "))
    await stream[0].readexactly(int(length.removeprefix("content-length: ")))
    return head


async def test_what_has_begun_ends(tmp_path: Path) -> None:
    """A gateway that leaves takes no connection any more, but ends the answers that it has begun
    and serves each connection once more, the last time; then it is gone. No request fails that a
    client sends over a connection that it keeps."""
    async with open_pool(tmp_path) as pool:
        kept = await connect(pool)
        before = await look(kept)
        streaming = asyncio.ensure_future(pool.send(ask(stream=True), connection="close"))
        run = await pool.placed()
        leaving = asyncio.ensure_future(pool.gateway.leave(WAIT_S))
        await eventually(lambda: not pool.gateway.listening)
        with pytest.raises(OSError):  # noqa: PT011  (refused, whatever the system calls it)
            await connect(pool)
        after = await look(kept)
        rest = await asyncio.wait_for(kept[0].read(), WAIT_S)
        had_left = leaving.done()
        run.finish("Oui")
        async with await streaming as answer:
            text = await answer.text()
        await asyncio.wait_for(leaving, WAIT_S)
        kept[1].close()

    assert ("connection: keep-alive" in before, "connection: close" in after) == (True, True)
    assert (b"", False) == (rest, had_left)
    assert text.endswith("data: [DONE]\n\n")


async def test_idle_connections_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that nobody uses is closed after a while, so that the gateway can go."""
    monkeypatch.setattr(module, "LEAVE_IDLE_S", 0.1)
    async with open_pool(tmp_path) as pool:
        kept = await connect(pool)
        await look(kept)
        await asyncio.wait_for(pool.gateway.leave(WAIT_S), WAIT_S)
        rest = await asyncio.wait_for(kept[0].read(), WAIT_S)
        kept[1].close()

    assert b"" == rest
