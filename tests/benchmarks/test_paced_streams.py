"""The client of many streams: it counts each token once, and says which were lost or came again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from benchmarks.paced_streams import parse_options, row_of
from benchmarks.support.paced_client import (
    Received,
    StreamRecord,
    ask_all,
    make_request,
    summarize,
)
from tests.serving import serving

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def token(number: int) -> bytes:
    """A token as the pool sends it."""
    event = b'data: {"choices":[{"index":0,"delta":{"content":"T%d"}}]}\n\n' % number
    return b"%x\r\n%b\r\n" % (len(event), event)


def received(*arrivals: tuple[float, bytes], tokens: int) -> Received:
    """What one stream received that was asked for at 0 s."""
    record = StreamRecord(0.0, list(arrivals))
    return summarize([record], tokens=tokens, wall_s=1.0, cpu_s=0.1)


def test_each_token_has_the_time_of_its_last_byte() -> None:
    """The times between tokens and to the first one come from where bytes were cut."""
    cut = received((0.1, token(1)), (0.2, token(2)[:30]), (0.4, token(2)[30:]), tokens=2)

    assert (2, 0, 0) == (cut.delivered, cut.lost, cut.doubled)
    assert (300.0, 300.0, 300.0) == cut.inter_token_ms
    assert (100.0, 100.0) == cut.first_token_ms


def test_tokens_that_are_lost_or_come_again_are_counted() -> None:
    """A token in the middle that is missing, one that comes twice, and an answer without any."""
    gap = received((0.1, token(1) + token(3)), tokens=3)
    twice = received((0.1, token(1) + token(2) + token(1)), tokens=2)
    refusal = b'HTTP/1.1 429 Too Many Requests\r\n\r\n{"error":{"code":"too_many"}}'
    nothing = received((0.1, refusal), tokens=2)

    assert (2, 1, 0) == (gap.delivered, gap.lost, gap.doubled)
    assert (2, 0, 1) == (twice.delivered, twice.lost, twice.doubled)
    assert (0, 2, 1) == (nothing.delivered, nothing.lost, nothing.refused)
    assert [{"cut": 1}, {}, {"too_many": 1}] == [gap.codes, twice.codes, nothing.codes]


@asynccontextmanager
async def streaming_server(tokens: int) -> AsyncIterator[int]:
    """A server that streams tokens to each request; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.read(65_536)).endswith(b"}"):
            writer.write(HEAD)
            for number in range(tokens):
                writer.write(token(number))
                await writer.drain()
            writer.write(b"e\r\ndata: [DONE]\n\n\r\n0")
            await writer.drain()
            writer.write(b"\r\n\r\n")
        writer.close()

    async with serving(serve) as port:
        yield port


async def test_the_client_reads_all_streams_round_after_round() -> None:
    """Several streams at a time, twice on the same connections, whole even if their end is cut."""
    async with streaming_server(5) as port:
        requests = [make_request("key", tokens=5, gap_us=0)] * 3
        records = await asyncio.to_thread(ask_all, port, requests, rounds=2)
    whole = summarize(records, tokens=5, wall_s=1.0, cpu_s=0.1)

    assert (6, 30, 0, 0) == (whole.streams, whole.delivered, whole.lost, whole.doubled)


def test_the_row_has_what_each_part_costs_a_token() -> None:
    """Processor time is divided by the tokens that were delivered."""
    options = parse_options(["--streams", "4", "--tokens", "2"])
    sample = received((0.1, token(1) + token(2)), tokens=2)
    row = row_of(sample, {"gateway": 20e-6, "client": 2e-6}, options, 1, 0.5)

    assert (4, 2, 20.0) == (row["streams"], row["tokens"], row["gap_ms"])
    assert pytest.approx(10.0) == row["gateway_cpu_us_per_token"]
    assert pytest.approx(1.0) == row["client_cpu_us_per_token"]
    assert sample == msgspec.json.decode(msgspec.json.encode(sample), type=Received)
