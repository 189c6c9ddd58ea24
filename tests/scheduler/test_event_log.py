"""The log of a stream's events: what is added is read, from any number on, and held compactly."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from entraide_scheduler.gateway.api.stream_events import split_events
from entraide_scheduler.gateway.jobs import event_log
from entraide_scheduler.gateway.jobs.event_log import EventLog

TOKEN = (
    b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"delta":{"content":"%d"}}]}\n\n'
)


def read_all(log: EventLog, start: int) -> list[bytes]:
    events: list[bytes] = []
    while more := log.read(start + len(events)):
        events += more
    return events


@given(
    events=st.lists(st.binary(max_size=80), max_size=60),
    segment_bytes=st.integers(1, 2_000),
    start=st.integers(0, 60),
    forgotten=st.integers(0, 60),
)
def test_events_are_read_as_they_were_added(
    events: list[bytes], segment_bytes: int, start: int, forgotten: int
) -> None:
    """From each number that is still held; forgetting takes none that was not named."""
    log, start = EventLog(), min(start, len(events))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_log, "SEGMENT_BYTES", segment_bytes)
        for event in events:
            log.add(event)
    before = read_all(log, start)
    log.forget(min(forgotten, len(events)))
    kept = read_all(log, max(start, log.first))

    assert events[start:] == before
    assert events[max(start, log.first) :] == kept
    assert log.first <= min(forgotten, len(events))
    assert len(events) == len(log)


def test_an_answer_is_held_compactly() -> None:
    """A long answer takes a tenth of its bytes, and nothing once it is forgotten."""
    log, sent_bytes = EventLog(), 0
    for number in range(20_000):
        log.add(TOKEN % number)
        sent_bytes += len(TOKEN)
    log.compress()
    held_bytes = log.size_bytes
    log.forget(len(log))

    assert held_bytes < sent_bytes / 10
    assert (0, 20_000) == (log.size_bytes, log.first)


@given(st.binary(max_size=300))
def test_what_an_engine_sends_adds_no_field_of_its_own(data: bytes) -> None:
    """Whatever the bytes, each event has only names and data, and ends once."""
    for event in split_events(b"id: 1\r\n" + data + b"\rretry: 9\rid: other/7\n"):
        lines = event[:-2].split(b"\n")

        assert all(line.startswith((b"data:", b"event:")) for line in lines)
        assert (b"\r" not in event, 1) == (True, event.count(b"\n\n"))
