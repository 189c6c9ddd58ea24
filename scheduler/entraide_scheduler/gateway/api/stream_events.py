"""Stream events: a reconnectable answer over HTTP, as numbered server-sent events.

Each event has the line ``id: JOB/N``, by which a client that comes back says what it has
(``Last-Event-ID``, as the HTML standard defines it, section 9.2). A comment line after each
``QUIET_S`` seconds without an event tells the client that the connection still stands.
"""

import re
import time
from functools import partial

from msgspec import Struct

from entraide_scheduler.gateway.answers import AnswerPart, CompleteAnswer
from entraide_scheduler.gateway.api.pool_api import LAST_EVENT_ID
from entraide_scheduler.gateway.http import Exchange, Headers
from entraide_scheduler.gateway.jobs import ReconnectableStream, StreamReader
from entraide_scheduler.gateway.refusals import ErrorReply, quota_headers, refused, show_value
from entraide_scheduler.gateway.requests import (
    COMMENT,
    EVENT_STREAM,
    STREAM_HEADERS,
    AnswerEvent,
    AnswerPlaced,
    AnswerSeam,
    AnswerWaiting,
    ParsedRequest,
    make_format,
    seam_event,
    send_refusal,
    waiting_event,
)

FIELDS = (b"data:", b"event:")
EVENT_ID = "^(job-[0-9a-f]{8,64})/([0-9]{1,9})$"


class EventId(Struct, frozen=True):
    """The ``id`` of an event: the job, and the number of the event in its stream."""

    job: str
    number: int


def parse_event_id(text: str) -> EventId:
    """Returns the identifier of an event.

    Raises:
        Refused: ``invalid_request``: the text is no such identifier.

    >>> parse_event_id("job-0193ab12/41").number
    41
    """
    match = re.fullmatch(EVENT_ID, text)
    if match is None:
        raise refused(
            "invalid_request", param=LAST_EVENT_ID, fault="wrong_form", form="job-0193ab12/41",
            found=show_value(text),
        )  # fmt: skip
    return EventId(match[1], int(match[2]))


def split_events(data: bytes) -> list[bytes]:
    r"""Returns the server-sent events in some bytes, each with its names and data only.

    Other lines are left out: an engine's own ``id`` would be taken for the pool's.

    >>> split_events(b"id: 7\ndata: a\n\n: b\n\nevent: c\ndata: d\n\n")
    [b'data: a\n\n', b'event: c\ndata: d\n\n']
    """
    events = []
    for block in data.replace(b"\r", b"\n").split(b"\n\n"):
        lines = [line for line in block.split(b"\n") if line.startswith(FIELDS)]
        if lines:
            events.append(b"\n".join(lines) + b"\n\n")
    return events


class EventEncoder:
    """Writes the events of one answer in the form of the interface that was asked.

    Attributes:
        headers: of the response.
    """

    def __init__(self, job: str, request: ParsedRequest, langs: str) -> None:
        self.headers: Headers = [("x-request-id", job)]
        self._format = make_format(job, request, created_at=time.time())
        self._langs = langs

    def encode(self, event: AnswerEvent) -> list[bytes]:
        """Returns the events of the stream that an event of the answer becomes."""
        match event:
            case AnswerPart():
                return split_events(self._format.write_part(event))
            case AnswerSeam():
                return [seam_event(event)]
            case AnswerWaiting():
                return [waiting_event(event, self._langs)]
            case AnswerPlaced():
                self.headers = [*self.headers[:1], *quota_headers(event.quotas)]
            case CompleteAnswer():
                return split_events(self._format.write_last(event))
            case ErrorReply():
                return split_events(self._format.write_failure(event, self._langs))
        return []


async def send_events(
    exchange: Exchange, stream: ReconnectableStream, *, start: int, is_new: bool, langs: str
) -> None:
    """Sends the events of a stream, until its end or until its client leaves.

    Args:
        exchange: the request.
        stream: the stream, whose encoder is an ``EventEncoder``.
        start: number of the first event.
        is_new: whether this is the request that began the job: its response begins with the first
            event, and an error that comes before has its own status.
        langs: languages of that error.
    """
    reader = stream.attach(exchange.abort, start)
    exchange.on_client_left = partial(stream.leave, reader)
    try:
        if exchange.is_over:
            return
        if not is_new:
            _write(exchange, stream, COMMENT)
        async for events in stream.read(reader):
            if stream.failure is not None and not exchange.has_begun and reader.number == 1:
                send_refusal(exchange, stream.failure, langs)
                return
            _write(exchange, stream, _with_ids(stream.job, reader, events) or COMMENT)
            await exchange.wait_until_read()
        if stream.has_ended and reader.number == len(stream.log):
            exchange.end()
    finally:
        stream.leave(reader)


def _write(exchange: Exchange, stream: ReconnectableStream, data: bytes) -> None:
    if not exchange.has_begun:
        stream.is_known = True
        assert isinstance(stream.encoder, EventEncoder)
        headers = [*STREAM_HEADERS, *stream.encoder.headers]
        exchange.begin(200, kind=EVENT_STREAM, headers=headers)
    exchange.write(data)


def _with_ids(job: str, reader: StreamReader, events: list[bytes]) -> bytes:
    first = reader.number - len(events)
    return b"".join(
        b"id: %s/%d\n%s" % (job.encode(), number, event)
        for number, event in enumerate(events, first)
    )
