"""Client of many streams at a time: what each received, and when.

    python -m benchmarks.support.paced_client PORT TOKENS GAP_US ROUNDS KEY [KEY ...]

Opens one connection for each key, asks for one stream on each, and for the next round once all have
ended. Bytes are kept with the time of their arrival, and are read after the last round, so that
reading costs the streams nothing. The mock engine writes the time on its clock into each token:
equal times are the same token. Prints a line of JSON, ``Received``.
"""

import math
import re
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence

import msgspec
from msgspec import Struct

CODE = re.compile(rb'"code":"([a-z_]{1,40})"')
TOKEN = re.compile(rb'"content":"T([0-9]{1,20})')
END = b"\r\n0\r\n\r\n"  # the last chunk of HTTP
SILENCE_MAX_S = 60.0
READ_BYTES = 256 * 1024

Arrival = tuple[float, bytes]


class StreamRecord(Struct):
    """What one stream has received.

    Attributes:
        asked_at: time of the request, seconds on the monotonic clock.
        arrivals: bytes and their times.
    """

    asked_at: float
    arrivals: list[Arrival] = []


class Received(Struct, frozen=True):
    """What all streams have received.

    Attributes:
        streams: requests.
        delivered: tokens, without those that came again.
        doubled: tokens that came again, or out of their order.
        lost: tokens that did not come.
        refused: streams without any token.
        codes: how many streams ended with which error code, "cut" where the connection ended.
        inter_token_ms: 50th, 99th and 99.9th percentile of the times between a stream's tokens.
        first_token_ms: 50th and 99th percentile of the times from a request to its first token.
        wall_s: from the first request to the last byte.
        cpu_s: processor time of the client meanwhile.
    """

    streams: int
    delivered: int
    doubled: int
    lost: int
    refused: int
    codes: dict[str, int]
    inter_token_ms: tuple[float, ...]
    first_token_ms: tuple[float, ...]
    wall_s: float
    cpu_s: float


def percentile(values: Sequence[float], share: float) -> float:
    """Returns a percentile by the nearest rank; 0 of nothing.

    >>> percentile([3.0, 1.0, 2.0], 0.5), percentile([3.0, 1.0, 2.0], 0.99)
    (2.0, 3.0)
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def read_tokens(arrivals: Sequence[Arrival]) -> list[tuple[float, int]]:
    """Returns each token of a stream with the time of its last byte.

    >>> read_tokens([(1.0, b'"content":"T7"'), (2.0, b'"content":"T'), (3.0, b'9"')])
    [(1.0, 7), (3.0, 9)]
    """
    data = b"".join(part for _, part in arrivals)
    tokens = []
    times = iter(arrivals)
    at, end = 0.0, 0
    for match in TOKEN.finditer(data):
        while end < match.end():
            at, part = next(times)
            end += len(part)
        tokens.append((at, int(match[1])))
    return tokens


def summarize(
    records: Sequence[StreamRecord], *, tokens: int, wall_s: float, cpu_s: float
) -> Received:
    """Returns what streams of ``tokens`` tokens each have received."""
    delivered = doubled = lost = refused = 0
    gaps, firsts = [], []
    codes: Counter[str] = Counter()
    for record in records:
        received = read_tokens(record.arrivals)
        first_times: dict[int, float] = {}
        last = -1
        for at, number in received:
            if number <= last:
                doubled += 1
            elif first_times:
                gaps.append((at - first_times[last]) * 1_000)
            first_times.setdefault(number, at)
            last = max(last, number)
        delivered += len(first_times)
        lost += max(0, tokens - len(first_times))
        refused += not received
        if len(first_times) < tokens:
            error_codes = CODE.findall(b"".join(part for _, part in record.arrivals))
            codes[error_codes[-1].decode() if error_codes else "cut"] += 1
        if received:
            firsts.append((received[0][0] - record.asked_at) * 1_000)
    return Received(
        streams=len(records), delivered=delivered, doubled=doubled, lost=lost, refused=refused,
        codes=dict(codes),
        inter_token_ms=tuple(round(percentile(gaps, share), 2) for share in (0.5, 0.99, 0.999)),
        first_token_ms=tuple(round(percentile(firsts, share), 2) for share in (0.5, 0.99)),
        wall_s=round(wall_s, 3), cpu_s=round(cpu_s, 3),
    )  # fmt: skip


def make_request(key: str, *, tokens: int, gap_us: int) -> bytes:
    """Returns the request of one stream; the mock engine takes the seed for the interval."""
    body = msgspec.json.encode(
        {
            "model": "mock",
            "messages": [{"role": "user", "content": "lorem ipsum dolor sit amet"}],
            "max_tokens": tokens,
            "seed": gap_us,
            "stream": True,
        }
    )
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: pool\r\nAuthorization: Bearer {key}\r\n"
        f"X-Entraide-Data-Class: public\r\n"  # a mock cannot show that it keeps nothing
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def ask_all(port: int, requests: Sequence[bytes], *, rounds: int) -> list[StreamRecord]:
    """Asks for streams at a time, round after round; returns what each received.

    Raises:
        TimeoutError: no stream has received anything for ``SILENCE_MAX_S``.
    """
    poll = select.epoll()
    connections: list[socket.socket] = []
    records: list[StreamRecord] = []
    for _ in range(rounds):
        present: dict[int, StreamRecord] = {}
        for number, request in enumerate(requests):
            record = StreamRecord(time.monotonic())
            if len(connections) == number:  # in the first round, each shows its key at once
                connections.append(socket.create_connection(("127.0.0.1", port)))
                poll.register(connections[number], select.EPOLLIN)
            connections[number].sendall(request)
            present[connections[number].fileno()] = record
        records += present.values()
        receive_all(poll, {each.fileno(): each for each in connections}, present)
    for connection in connections:
        connection.close()
    return records


def receive_all(
    poll: select.epoll, by_number: dict[int, socket.socket], present: dict[int, StreamRecord]
) -> None:
    """Receives until each stream has ended, or its connection has."""
    open_numbers = set(present)
    while open_numbers:
        events = poll.poll(SILENCE_MAX_S)
        if not events:
            raise TimeoutError(f"{len(open_numbers)} streams receive nothing")
        for number, _ in events:
            try:
                data = by_number[number].recv(READ_BYTES)
            except ConnectionResetError:
                data = b""
            arrivals = present[number].arrivals
            arrivals.append((time.monotonic(), data))
            if not data:
                poll.unregister(number)
            if not data or _has_ended(arrivals):
                open_numbers.discard(number)


def _has_ended(arrivals: Sequence[Arrival]) -> bool:
    """Whether all chunks are there, or the answer is an error."""
    tail = b"".join(part for _, part in arrivals[-len(END) :])
    return tail.endswith(END) or (len(arrivals) == 1 and not tail.startswith(b"HTTP/1.1 200"))


def main(arguments: Sequence[str]) -> int:
    """Entry point; returns the exit code."""
    port, tokens, gap_us, rounds = map(int, arguments[:4])
    requests = [make_request(key, tokens=tokens, gap_us=gap_us) for key in arguments[4:]]
    began_at, cpu_before_s = time.monotonic(), time.process_time()
    records = ask_all(port, requests, rounds=rounds)
    wall_s, cpu_s = time.monotonic() - began_at, time.process_time() - cpu_before_s
    received = summarize(records, tokens=tokens, wall_s=wall_s, cpu_s=cpu_s)
    sys.stdout.buffer.write(msgspec.json.encode(received) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
