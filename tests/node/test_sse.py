"""Bytes from an engine become the payloads of its events, however the network cuts them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import all_cases

from entraide_node.engines.sse import EVENT_BYTES_MAX, EventReader, EventTooLong

CASES = {
    "one event": (b"data: a\n\n", [b"a"]),
    "two events in one read": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "no space after the colon": (b"data:a\n\n", [b"a"]),
    "only the first space belongs to the field": (b"data:  a\n\n", [b" a"]),
    "comment lines are skipped": (b": keepalive 6/7\n\ndata: a\n\n:\n\n", [b"a"]),
    "a comment inside an event": (b"data: a\n: ping\n\n", [b"a"]),
    "other fields are skipped": (b"event: x\nid: 7\nretry: 3\ndata: a\n\n", [b"a"]),
    "several data lines are one payload": (b"data: a\ndata: b\n\n", [b"a\nb"]),
    "empty lines alone are nothing": (b"\n\n\r\n\n", []),
    "the end of the stream ends the event": (b"data: a\n\ndata: [DONE]", [b"a", b"[DONE]"]),
    "the field of a failure in older llama.cpp": (
        b'error: {"code":500}\n\n',
        [b'{"error":{"code":500}}'],
    ),
}


def read(*pieces: bytes) -> list[bytes]:
    """The payloads of a stream that comes in these pieces."""
    reader = EventReader()
    return [payload for piece in pieces for payload in reader.feed(piece)] + reader.close()


def feed_often(reader: EventReader, line: bytes) -> None:
    """Feeds a line until the limit of an event must have been passed."""
    for _ in range(EVENT_BYTES_MAX // len(line) + 2):
        reader.feed(line)


@all_cases(("stream", "payloads"), CASES.values(), ids=CASES)
def test_payloads(stream: bytes, payloads: list[bytes]) -> None:
    """Each form of stream gives the payloads that the standard says."""
    assert payloads == read(stream)


@pytest.mark.fuzz
@given(st.sampled_from(list(CASES)), st.lists(st.integers(0, 60), max_size=6))
def test_cuts_change_nothing(name: str, cuts: list[int]) -> None:
    """A stream gives the same payloads wherever it is cut."""
    stream, payloads = CASES[name]
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]

    assert payloads == read(*pieces)


def test_an_event_comes_as_soon_as_it_is_whole() -> None:
    """An event is given with the bytes that end it, and not later."""
    reader = EventReader()

    assert [] == reader.feed(b"data: a\n")
    assert [b"a"] == reader.feed(b"\ndata: b")


def test_an_endless_event_is_refused() -> None:
    """An event that never ends is refused at the limit, in one line or in many."""
    for line in (b"x" * 65_536, b"data: " + b"x" * 65_536 + b"\n"):
        reader = EventReader()

        with pytest.raises(EventTooLong):
            feed_often(reader, line)
