"""Requests to an engine over real sockets: bytes that arrive in each way there is."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.serving import serving
from tests.waiting import eventually

from entraide_node.engines.engine_http import (
    BUFFER_BYTES_MAX,
    HEAD_BYTES_MAX,
    IDLE_CONNECTION_S,
    EngineHttp,
    EngineResponse,
)

DEADLINE_S = 10.0
ENDLESS = b"X: " + b"a" * 8 * HEAD_BYTES_MAX  # more than one read
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class RawEngine:
    """A server that answers each request with given bytes, then closes if told to."""

    def __init__(self, answer: bytes, *, closes: bool) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.sent = 0
        self._closes = closes

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head)
                for at in range(0, len(self.answer), 65_536):
                    writer.write(self.answer[at : at + 65_536])
                    await writer.drain()
                    self.sent = at + 65_536
                if self._closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def engine(
    answer: bytes = HELLO, *, closes: bool = False, path: Path | None = None, **options: bool
) -> AsyncIterator[tuple[RawEngine, EngineHttp]]:
    """A raw engine, and a client of it."""
    raw = RawEngine(answer, closes=closes)
    async with serving(raw.serve, path=path) as port, asyncio.timeout(DEADLINE_S):
        if path is not None:
            http = EngineHttp("http://engine", socket_path=str(path), **options)
        else:
            http = EngineHttp(f"http://127.0.0.1:{port}", api_key="secret", **options)
        try:
            yield raw, http
        finally:
            http.close()


async def sent(http: EngineHttp) -> EngineResponse:
    """A response that may not have arrived."""
    while (response := http.send("GET", "/health")) is None:
        await http.connect()
    return response


async def whole(http: EngineHttp) -> tuple[int, bytes]:
    """Status and body of a response."""
    response = await sent(http)
    status = await response.wait_for_head()
    body = b""
    while data := await response.read():
        body += data
    return status, body


async def test_a_connection_serves_one_request_after_another() -> None:
    """The key and the host are in each head."""
    async with engine() as (raw, http):
        answers = [await whole(http) for _ in range(3)]

    assert [(200, b"hello")] * 3 == answers
    assert 1 == raw.connections
    assert all(b"Authorization: Bearer secret\r\n" in head for head in raw.requests)
    assert all(head.startswith(b"GET /health HTTP/1.1\r\n") for head in raw.requests)


async def test_without_reuse_each_request_has_its_connection() -> None:
    """The engine is told that the connection ends."""
    async with engine(keep_alive=False) as (raw, http):
        answers = [await whole(http) for _ in range(2)]

    assert [(200, b"hello")] * 2 == answers
    assert 2 == raw.connections
    assert b"Connection: close\r\n" in raw.requests[0]


async def test_a_socket_file(tmp_path: Path) -> None:
    """It works the same over a socket file."""
    async with engine(path=tmp_path / "e.sock") as (_, http):
        assert (200, b"hello") == await whole(http)


@pytest.mark.parametrize(
    ("answer", "closes", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", True, (200, b"to the end")),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", False, (404, b"")),
        (b"HTTP/1.1 204 None\r\n\r\n", False, (204, b"")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            False,
            (200, b"abc"),
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO, False, (200, b"hello")),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", True, (200, b"ok")),
        (
            b"HTTP/1.1 103 Hints\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the end",
            True,
            (200, b"to the end"),
        ),
    ],
    ids=["until the close", "empty", "no body", "chunked", "continue", "HTTP/1.0", "hints"],
)
async def test_each_kind_of_body(answer: bytes, closes: bool, expected: tuple[int, bytes]) -> None:
    """A body ends by its length, by its last chunk, or with the connection."""
    async with engine(answer, closes=closes) as (_, http):
        assert expected == await whole(http)


@pytest.mark.parametrize(
    ("answer", "closes"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", False),
        (b"SSH-2.0-OpenSSH\r\n", False),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * HEAD_BYTES_MAX + b"a\r\n", False),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * HEAD_BYTES_MAX, False),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", True),
        (b"", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + ENDLESS, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + ENDLESS, False),
    ],
    ids=[
        "short",
        "cut chunk",
        "bad chunk",
        "no HTTP",
        "long",
        "many",
        "upgrade",
        "nothing",
        "endless trailer",
        "endless extension",
    ],
)
async def test_what_is_no_response_is_an_error(answer: bytes, closes: bool) -> None:
    """The reader gets an error, and the connection is not used again."""
    async with engine(answer, closes=closes) as (raw, http):
        with pytest.raises(ConnectionError):
            await whole(http)
        raw.answer = HELLO
        assert (200, b"hello") == await whole(http)
        assert 2 == raw.connections


async def test_what_came_before_the_break_is_read_first() -> None:
    """An answer that is cut off loses only what had not arrived."""
    async with engine(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", closes=True) as (
        _,
        http,
    ):
        response = await sent(http)
        await response.wait_for_head()
        await eventually(lambda: not http._all)
        data = await response.read()
        with pytest.raises(ConnectionError):
            await response.read()

    assert b"hello" == data


async def test_an_engine_waits_for_a_slow_reader() -> None:
    """What nobody reads is bounded, and nothing of it is lost."""
    size = 16 * BUFFER_BYTES_MAX
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    async with engine(head + bytes(size)) as (raw, http):
        response = await sent(http)
        await response.wait_for_head()
        await eventually(lambda: response._buffered > BUFFER_BYTES_MAX)
        before = raw.sent
        length = 0
        while data := await response.read():
            length += len(data)

    assert before < size
    assert size == length


async def test_a_failed_response_wakes_its_reader() -> None:
    """A waiting reader gets the exception, and the connection to the engine is closed."""
    async with engine(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") as (_, http):
        response = await sent(http)
        await response.wait_for_head()
        reader = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        response.fail(KeyError("stopped"))
        with pytest.raises(KeyError):
            await reader


async def test_the_last_bytes_may_come_later() -> None:
    """A response that is left is used up, and its connection used again."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
    async with engine(answer) as (raw, http):
        response = await sent(http)
        await response.wait_for_head()
        first = await response.read()
        response.leave()
        raw.answer = HELLO
        is_used_again = http.send("GET", "/") is not None

    assert b"ab" == first
    assert not is_used_again


async def test_bytes_that_nobody_asked_for_close_the_connection() -> None:
    """A second response cannot become the answer to the next request."""
    async with engine(HELLO + HELLO) as (raw, http):
        await whole(http)
        await eventually(lambda: not http._all)
        raw.answer = HELLO
        answer = await whole(http)

    assert (200, b"hello") == answer
    assert 2 == raw.connections


async def test_a_connection_whose_reader_left_is_used_again() -> None:
    """The end of a response that was too long for the buffer, and unread, stops no other."""
    size = BUFFER_BYTES_MAX + 1
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    async with engine(head + bytes(size)) as (raw, http):
        response = await sent(http)
        await eventually(lambda: response._is_complete)
        response.close()
        raw.answer = HELLO
        answer = await whole(http)

    assert (200, b"hello") == answer
    assert 1 == raw.connections


async def test_connections_that_are_long_idle_are_closed() -> None:
    """After a peak only those stay open that are used."""
    async with engine() as (_, http):
        for _ in range(5):
            await http.connect()
        for connection in http._idle[:4]:
            connection.idle_since -= 2 * IDLE_CONNECTION_S
        await whole(http)
        await eventually(lambda: len(http._all) == 1)


async def test_a_name_in_the_address_is_sent() -> None:
    """A server behind a password is asked with it; the host's name is sent without it."""
    async with engine() as (raw, http):
        await whole(http)
        port = http._address[1]
        named = EngineHttp(f"http://coop:s%20t@127.0.0.1:{port}")
        await whole(named)
        named.close()

    assert b"Host: 127.0.0.1:%d\r\n" % port in raw.requests[-1]
    assert b"Authorization: Basic Y29vcDpzIHQ=\r\n" in raw.requests[-1]


async def test_a_closed_client_sends_nothing() -> None:
    """It says so, and may be closed again."""
    async with engine() as (_, http):
        await whole(http)
        http.close()
        http.close()
        await asyncio.sleep(0)
        with pytest.raises(ConnectionError):
            await sent(http)


@pytest.mark.parametrize("key", ["a\r\nX: y", "a\nX", "a\x00"])
def test_a_key_cannot_add_a_header(key: str) -> None:
    """An owner's key is one line."""
    with pytest.raises(ValueError, match="control characters"):
        EngineHttp("http://127.0.0.1", api_key=key)


async def test_no_connection_is_left() -> None:
    """After many requests with aborts in between, nothing holds a response."""
    async with engine() as (_, http):
        for turn in range(50):
            response = await sent(http)
            if turn % 3:
                await response.wait_for_head()
            response.close()
    del response
    await eventually(lambda: not alive())


def alive() -> list[object]:
    """The responses that something holds."""
    gc.collect()
    return [thing for thing in gc.get_objects() if isinstance(thing, EngineResponse)]


ON_UVLOOP = (
    test_a_connection_serves_one_request_after_another,
    test_without_reuse_each_request_has_its_connection,
    test_what_came_before_the_break_is_read_first,
    test_an_engine_waits_for_a_slow_reader,
    test_a_failed_response_wakes_its_reader,
    test_the_last_bytes_may_come_later,
    test_bytes_that_nobody_asked_for_close_the_connection,
    test_a_connection_whose_reader_left_is_used_again,
    test_a_closed_client_sends_nothing,
    test_no_connection_is_left,
)


@pytest.mark.parametrize("scenario", ON_UVLOOP)
def test_holds_on_the_loop_that_agents_run_on(
    scenario: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """What holds on asyncio's own loop holds on uvloop."""
    uvloop.run(scenario())
