"""Peers that drip, stall and send without end, against a live gateway.

Deadlines, bytes that nobody reads, and sizes. What a peer does stands in ``peers``.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.hostile import peers
from tests.hostile.peer_scenarios import (
    LONG,
    LOOPS,
    MODELS,
    READ_MAX_BYTES,
    SHORT,
    Scenario,
    Scenarios,
    attacked,
    held_bytes,
    post,
    refused,
    server,
)
from tests.hostile.peers import Address, head
from tests.scheduler.gateway_support import KEY_A, WAIT_S, Pool, ask, chunk
from tests.waiting import eventually

from entraide_scheduler.config import (
    AHEAD_MAX_BYTES,
    BODY_MAX_BYTES,
    HEAD_MAX_BYTES,
    SMALL_BODY_MAX_BYTES,
    UNREAD_HIGH_BYTES,
    HttpLimits,
)

LONGEST = 4_000  # output tokens: an answer may have 1 KiB for each
SCENARIOS = Scenarios()


# Deadlines.


@SCENARIOS.under(SHORT)
async def dripping_head_is_cut_off(pool: Pool, address: Address) -> None:
    """A head that drips in without end is refused at its deadline."""
    data = await asyncio.to_thread(peers.dripping_head, address)

    assert [408] == peers.statuses(data)
    assert b"request_timeout" in data
    assert 1.0 == refused(pool, "head_deadline")


@SCENARIOS.under(SHORT)
async def dripping_blank_lines_are_cut_off(pool: Pool, address: Address) -> None:
    """Blank lines before a request are no request, and renew nothing."""
    await asyncio.to_thread(peers.drip, address, b"\r\n", b"\r\n")

    assert 1.0 == refused(pool, "idle")


@SCENARIOS.under(SHORT)
async def dripping_body_is_cut_off(pool: Pool, address: Address) -> None:
    """A body that drips in without end is refused at its deadline, with a key too."""
    data = await asyncio.to_thread(peers.dripping_body, address)

    assert [408] == peers.statuses(data)
    assert 1.0 == refused(pool, "body_deadline")


@SCENARIOS.under(SHORT)
async def dripping_chunks_are_cut_off(pool: Pool, address: Address) -> None:
    """A body in chunks of one byte has the same deadline."""
    first = head("POST", "/v1/chat/completions", KEY_A, Transfer_Encoding="chunked")
    data = await asyncio.to_thread(peers.drip, address, first, b"1\r\n \r\n")

    assert [408] == peers.statuses(data)


@SCENARIOS.under(SHORT)
async def silent_connection_is_closed(pool: Pool, address: Address) -> None:
    """A connection on which nothing is said is closed."""
    assert b"" == await asyncio.to_thread(peers.silent, address)
    assert 1.0 == refused(pool, "idle")


@SCENARIOS.under(SHORT)
async def second_head_has_a_deadline_too(pool: Pool, address: Address) -> None:
    """A head that drips in behind a whole request is cut off, too."""
    first = head("GET", "/healthz") + b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    data = await asyncio.to_thread(peers.drip, address, first, b"A: b\r\n")

    assert [200, 408] == peers.statuses(data)


# What is not read.


@SCENARIOS.under(LONG)
async def unread_answers_stop_the_reading(pool: Pool, address: Address) -> None:
    """Requests of a peer that reads no answer are not read any further."""
    most = 32 * 1024 * 1024
    async with pool.session.get("/openapi.json") as answer:
        answer_bytes = len(await answer.read())
    with peers.dialled(address, buffer_bytes=4_096) as peer:
        send = partial(peers.send_without_reading, peer, most_bytes=most)
        taken = await asyncio.to_thread(send)

        assert taken < most
        assert 0 < held_bytes(pool)
        assert (
            held_bytes(pool) < UNREAD_HIGH_BYTES + answer_bytes + AHEAD_MAX_BYTES + READ_MAX_BYTES
        )

        peer.settimeout(peers.PATIENCE_S)
        first = await asyncio.to_thread(peer.recv, 65_536)

    assert [200] == peers.statuses(first)[:1]


@SCENARIOS.under(SHORT)
async def unread_answers_end_the_connection(pool: Pool, address: Address) -> None:
    """A peer that never takes what waits for it is cut off at a deadline."""
    await asyncio.to_thread(peers.unread, address)
    await eventually(lambda: not server(pool)._connections)

    assert 1.0 == refused(pool, "unread_deadline")


def bound_send_buffer(transport: asyncio.Transport) -> None:
    """Keeps the kernel from taking more and more of an answer, up to megabytes, as it tunes."""
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    with socket.socket(fileno=descriptor) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)


@SCENARIOS.under(SHORT)
async def trickling_reader_ends_the_connection(pool: Pool, address: Address) -> None:
    """A reader that takes a byte now and then of a stream renews nothing."""
    with peers.dialled(address, buffer_bytes=4_096) as peer:
        peer.sendall(post(json.dumps(ask(stream=True, max_tokens=LONGEST)).encode()))
        run = await pool.placed()
        for connection in server(pool)._connections:
            bound_send_buffer(connection._transport)
        run.accept()
        for _ in range(3):  # below the limit in bytes, beyond what the kernel takes
            run.raw(b"data: %s\n\n" % chunk("x" * 1_000_000))
        peer.settimeout(0.01)
        async with asyncio.timeout(WAIT_S):
            while pool.gateway._running_jobs.get(run.run.job) is not None:
                with contextlib.suppress(TimeoutError, ConnectionError):
                    await asyncio.to_thread(peer.recv, 1)
    await pool.cancelled()

    assert 1.0 == refused(pool, "unread_deadline")


@SCENARIOS.under(SHORT)
async def unread_last_answer_ends_the_connection(pool: Pool, address: Address) -> None:
    """A connection that closes after its answer does not wait for a reader without end."""
    with peers.dialled(address, buffer_bytes=4_096) as peer:
        asked = json.dumps(ask(max_tokens=LONGEST)).encode()
        peer.sendall(post(asked, Connection="close"))
        run = await pool.placed()
        run.finish("x" * 3_500_000)
        await eventually(lambda: not server(pool)._connections)


# Sizes.


@SCENARIOS.under(LONG)
async def long_head_is_not_kept(pool: Pool, address: Address) -> None:
    """A header without end is refused as soon as it is too long."""
    _, got = await asyncio.to_thread(peers.one_long_header, address, 32 * 1024 * 1024)

    assert [431] == got


@SCENARIOS.under(LONG)
async def many_headers_are_refused(pool: Pool, address: Address) -> None:
    """A head with too many headers is refused."""
    assert [431] == await asyncio.to_thread(peers.flood_of_headers, address, 10_000)
    assert 1.0 == refused(pool, "head_too_large")


@SCENARIOS.under(LONG)
async def long_trailer_is_not_kept(pool: Pool, address: Address) -> None:
    """A trailer without end is refused as soon as it is too long."""
    first = head("POST", "/v1/chat/completions", KEY_A, Transfer_Encoding="chunked")
    raw = first + b"1\r\n \r\n0\r\nA: " + b"a" * (HEAD_MAX_BYTES + 2 * READ_MAX_BYTES)

    assert [431] == await asyncio.to_thread(peers.answers, address, raw)


@SCENARIOS.under(LONG)
async def trailer_changes_nothing(pool: Pool, address: Address) -> None:
    """A key in a trailer is no key."""
    first = head("POST", MODELS, Transfer_Encoding="chunked", Connection="close")
    raw = first + b"0\r\nAuthorization: Bearer %s\r\n\r\n" % KEY_A.encode()

    assert [401] == await asyncio.to_thread(peers.answers, address, raw)


@SCENARIOS.under(LONG)
async def chunked_body_has_the_same_limit(pool: Pool, address: Address) -> None:
    """A body in chunks is refused once it is too long."""
    first = head("POST", "/v1/chat/completions", KEY_A, Transfer_Encoding="chunked")
    raw = first + b"100000\r\n%s\r\n" % (b" " * 0x100000) * (BODY_MAX_BYTES // 0x100000 + 1)

    assert [413] == await asyncio.to_thread(peers.answers, address, raw)


@SCENARIOS.under(LONG)
async def open_path_takes_no_body(pool: Pool, address: Address) -> None:
    """A path that needs no key takes a small body at most, announced or in chunks."""
    small, size = b" " * SMALL_BODY_MAX_BYTES, str(SMALL_BODY_MAX_BYTES + 1)
    for path in ("/", "/healthz", "/nowhere"):
        whole = head("GET", path, Content_Length=str(len(small)), Connection="close") + small
        chunks = b"1000\r\n%s\r\n" % (b" " * 0x1000) * 3
        chunked = head("GET", path, Transfer_Encoding="chunked") + chunks
        announced = head("GET", path, Content_Length=size)
        served = 404 if path == "/nowhere" else 200

        assert [served] == await asyncio.to_thread(peers.answers, address, whole)
        assert [413] == await asyncio.to_thread(peers.answers, address, announced)
        assert [413] == await asyncio.to_thread(peers.answers, address, chunked)


@LOOPS
@pytest.mark.parametrize(("attack", "limits"), SCENARIOS.cases)
def test_peer_is_bounded(
    tmp_path: Path,
    attack: Scenario,
    limits: HttpLimits,
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    """The scenario holds, and another co-op is served after it."""
    run(attacked(tmp_path, attack, limits))
