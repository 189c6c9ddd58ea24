"""What comes from the bus is split into direct messages and nats-py's stream, however it is cut."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlparse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entraide.wire.direct_transport import (
    LINE_BYTES_MAX,
    DirectProtocol,
    DirectTransport,
    Receiver,
)

DIRECT = 7
HEADERS = b"NATS/1.0\r\nTrace: MSG direct 7 1\r\n\r\n"
INFO = b'INFO {"server_id":"N1","max_payload":1048576}\r\n'
PASSED = (
    INFO, b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"-ERR 'Stale Connection'\r\n",
    b"MSG other 8 5\r\nMSG 7\r\n", b"HMSG other 8 inbox 12 17\r\nNATS/1.0\r\n\r\nMSG 7\r\n",
)  # fmt: skip


class Bytes:
    """What a protocol makes of bytes from the bus.

    Attributes:
        messages: the direct messages, as (subject, data).
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self._reader = asyncio.StreamReader(limit=1 << 30)
        receivers: dict[int, Receiver] = {DIRECT: lambda *message: self.messages.append(message)}
        self._protocol = DirectProtocol(
            self._reader,
            receivers,
            lambda receiver, subject, data, _headers: receiver(subject.decode(), data),
            is_tls=False,
        )

    def come(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self._protocol.data_received(chunk)

    async def passed(self) -> bytes:
        """What nats-py reads, all of it."""
        self._reader.feed_eof()
        return await self._reader.read()


def direct(data: bytes, *, reply: bool = False, headers: bool = False) -> bytes:
    inbox = b"inbox " if reply else b""
    if headers:
        size = len(HEADERS), len(HEADERS) + len(data)
        return b"HMSG direct 7 %b%d %d\r\n%b%b\r\n" % (inbox, *size, HEADERS, data)
    return b"MSG direct 7 %b%d\r\n%b\r\n" % (inbox, len(data), data)


def cut(whole: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The bytes in chunks of these sizes, again and again."""
    start = 0
    while start < len(whole):
        size = sizes[start % len(sizes)]
        yield whole[start : start + size]
        start += size


payloads = st.binary(max_size=60) | st.sampled_from([b"\r\n", b"MSG direct 7 1\r\nx\r\n", b"PING"])


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A direct message as it comes, and its data."""
    data = draw(payloads)
    return direct(data, reply=draw(st.booleans()), headers=draw(st.booleans())), data


operations = st.tuples(st.sampled_from(PASSED), st.none()) | messages()


@given(st.lists(operations, max_size=20), st.lists(st.integers(1, 90), min_size=1, max_size=9))
@settings(deadline=None)
def test_messages_come_once_and_all_else_is_passed_on(
    parts: list[tuple[bytes, bytes | None]], sizes: list[int]
) -> None:
    """Each direct message comes whole and in order, wherever its bytes were cut."""

    async def run() -> None:
        bus = Bytes()
        bus.come(*cut(b"".join(part for part, _ in parts), sizes))

        assert [("direct", data) for _, data in parts if data is not None] == bus.messages
        assert b"".join(part for part, data in parts if data is None) == await bus.passed()

    asyncio.run(run())


@pytest.mark.parametrize(
    "bad",
    [
        b"MSG direct 7 -5\r\n", b"MSG direct 7 many\r\n", b"MSG direct\r\n", b"MSG\r\nMSG x\r\n",
        b"MSG direct seven 0\r\n\r\n", b"MSG  \r\n", b"HMSG \r\n", b"HMSG direct 7 5 -9\r\n",
        b"HMSG direct 7\r\n", b"MSG direct 7 99999999999\r\n",
        b"x" * (LINE_BYTES_MAX + 1),
    ],
    ids=range(11),
)  # fmt: skip
async def test_what_cannot_be_read_is_nats_pys(bad: bytes) -> None:
    """These bytes and all later ones go to nats-py's reader; the protocol keeps none of them."""
    bus = Bytes()
    bus.come(direct(b"one") + bad, direct(b"two"))

    assert [("direct", b"one")] == bus.messages
    assert bad + direct(b"two") == await bus.passed()


async def test_a_large_message_in_small_pieces() -> None:
    """It comes whole, and then what follows it."""
    bus = Bytes()
    data = bytes(range(256)) * 4_096
    bus.come(*cut(direct(data) + b"PING\r\n", [1_400]))

    assert [("direct", data)] == bus.messages
    assert b"PING\r\n" == await bus.passed()


async def test_a_connection_that_has_ended_is_aborted_without_an_error() -> None:
    """It was closed while data waited; the server took it, and asyncio forgot the loop."""
    takes, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await takes.wait()
        await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = DirectTransport({}, lambda *_: None, tls_first=False)
    await transport.connect(urlparse(f"nats://127.0.0.1:{port}"), 1 << 16, 5)
    transport.write(bytes(1 << 24))
    transport.close()
    takes.set()
    await ended.wait()
    await transport.wait_closed()
    transport.abort()
    server.close()
    await server.wait_closed()
