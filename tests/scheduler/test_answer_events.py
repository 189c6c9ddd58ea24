"""Answers as one sequence of events: offsets of tokens and of text, and buffered reading."""

import asyncio
from pathlib import Path

from tests.scheduler.gateway_support import (
    MODEL,
    USAGE,
    WAIT_S,
    chunk,
    open_pool,
    sse,
)
from tests.waiting import eventually

from entraide_scheduler.gateway.answers import AnswerPart, CompleteAnswer
from entraide_scheduler.gateway.jobs import Caller, Options, Submission
from entraide_scheduler.gateway.refusals import ErrorReply
from entraide_scheduler.gateway.requests import (
    CHAT,
    AnswerEvent,
    AnswerPlaced,
    AnswerStarted,
    AnswerStream,
    TextReader,
)
from entraide_scheduler.gateway.requests.answer_events import TextDelta

CALLER = Caller("key-alpha", "alpha", "main")
BODY = b'{"model": "%s", "stream": true, "messages": [{"role": "user", "content": "a"}]}'


async def events_of(stream: AnswerStream) -> list[AnswerEvent]:
    return [event async for event in stream]


async def test_answer_is_one_sequence_with_token_offsets(tmp_path: Path) -> None:
    """A stream starts, has each part with the tokens before it, and ends with its receipt."""
    async with open_pool(tmp_path) as pool:
        events: list[AnswerEvent] = []
        submission = Submission(CHAT, BODY % MODEL.encode(), Options())
        prepared = pool.gateway._api.prepare(CALLER, submission)
        job = pool.gateway._api.stream(prepared, lambda e: events.append(e) or True)
        run = await pool.placed()
        run.accept()
        run.tokens("Sa", "lu")
        run.tokens("t")
        run.end(final=chunk("", "stop"))
        await eventually(lambda: len(events) == 5)  # once the placement is in the journal
        started, placed, first, second, last = events

        assert isinstance(started, AnswerStarted)
        assert (job, True) == (started.job, started.request.stream)
        assert AnswerPlaced(()) == placed
        assert [AnswerPart(0, sse("Sa", "lu")), AnswerPart(2, sse("t"))] == [first, second]
        assert isinstance(last, CompleteAnswer)
        assert last.receipt is not None


async def test_sequence_of_a_refused_job_ends_with_the_error(tmp_path: Path) -> None:
    """A job of an unknown model starts and ends with the core's refusal."""
    async with open_pool(tmp_path) as pool:
        stream = AnswerStream()
        submission = Submission(CHAT, BODY % b"other", Options())
        pool.gateway._api.stream(pool.gateway._api.prepare(CALLER, submission), stream)
        started, last = await asyncio.wait_for(events_of(stream), WAIT_S)

        assert isinstance(started, AnswerStarted)
        assert isinstance(last, ErrorReply)
        assert "unknown_model" == last.code


def test_text_has_its_offset_in_characters() -> None:
    """The offset of a piece of text is the number of characters before it, in any script."""
    reader = TextReader()
    pieces = [
        reader.read_part(AnswerPart(0, sse("été ", "→"))),
        reader.read_part(AnswerPart(2, sse("b"))),
    ]
    last, finish_reason = reader.read_final(chunk("c", "stop"))

    assert [TextDelta(0, "été →"), TextDelta(5, "b")] == pieces
    assert (TextDelta(6, "c"), "stop") == (last, finish_reason)


async def test_parts_that_waited_together_are_read_as_one() -> None:
    """A reader that comes late gets the waiting parts joined, with the first one's offset."""
    stream, end = AnswerStream(), CompleteAnswer(b"", b"", USAGE, None)
    for event in (AnswerPart(4, b"a"), AnswerPart(5, b"b"), end):
        assert stream(event)

    assert [AnswerPart(4, b"ab"), end] == await asyncio.wait_for(events_of(stream), WAIT_S)
