"""Answer events: the answer to one job, as one sequence of typed events. Pure.

    AnswerStarted  (AnswerWaiting | AnswerPlaced) ...  (AnswerPart | AnswerSeam) ...
    CompleteAnswer | ErrorReply

The sequence is independent of the protocol: the HTTP writer, the gRPC service and the kept jobs
each receive it through an ``AnswerSink``. A part holds the engine's server-sent events unchanged,
because the HTTP protocol forwards them as they are; its token offset says which tokens precede it.
A protocol that needs text reads the parts with a ``TextReader``, which returns each piece of text
with its offset. Text is decoded only there: it costs more than forwarding a part.
"""

from collections.abc import Callable

from msgspec import Struct

from entraide.decoding import JsonDecoder
from entraide.types import Terms
from entraide.wire.cards import QuotaLeft
from entraide.wire.messages import JobPlaced, Resume
from entraide_scheduler.gateway.answers import EVENT_PREFIX, AnswerPart, CompleteAnswer
from entraide_scheduler.gateway.refusals import ErrorReply
from entraide_scheduler.gateway.requests.openai import ParsedRequest

LOST = "node_lost"  # code of a run that ended before the scheduler knew of its output


class AnswerStarted(Struct, frozen=True):
    """The first event: the job was accepted for submission.

    Attributes:
        job: identifier of the job.
        request: the parsed request, which says whether and how the answer is streamed.
        at: seconds since the epoch.
    """

    job: str
    request: ParsedRequest
    at: float


class AnswerPlaced(Struct, frozen=True):
    """The job was placed, perhaps again; ``quotas`` has what is left to its sender."""

    quotas: tuple[QuotaLeft, ...]


class AnswerSeam(Struct, frozen=True):
    """The answer goes on at another node.

    Attributes:
        job: identifier of the job.
        token_offset: number of the answer's tokens before this point.
        node_before, node_after: the nodes that ran the job before and run it now.
        code: stable code of why the run before ended.
    """

    job: str
    token_offset: int
    node_before: str
    node_after: str
    code: str


class AnswerWaiting(Struct, frozen=True):
    """The job waits, for another reason or at another place in line; or waits no longer.

    Attributes:
        reason: stable code; ``placed``: a machine has the job now.
        position: place in line, from 1 on; 0 for a placed job.
        retry_after_s: time until it is expected to start, whole seconds; None where nobody knows.
    """

    reason: str
    position: int = 0
    retry_after_s: int | None = None


def make_seam(resume: Resume, before: Terms, placed: JobPlaced) -> AnswerSeam:
    """Returns the event of an answer that goes on.

    Args:
        resume: where.
        before: terms of the run before.
        placed: the placement.
    """
    codes = [run.code for run in placed.earlier if run.terms.epoch == before.epoch]
    return AnswerSeam(
        placed.job, resume.tokens, before.node, placed.node, codes[0] if codes else LOST
    )


# An ``ErrorReply`` is the last event of a job that was refused, failed or was cancelled.
AnswerEvent = (
    AnswerStarted
    | AnswerPlaced
    | AnswerWaiting
    | AnswerPart
    | AnswerSeam
    | CompleteAnswer
    | ErrorReply
)

# Receives the events of one job in order; called in the event loop, must not block. It returns
# False if its buffer is full: the client reads too slowly.
AnswerSink = Callable[[AnswerEvent], bool]


class TextDelta(Struct, frozen=True):
    """Text of the first choice of an answer, and the number of characters before it."""

    text_offset: int
    text: str


class TextReader:
    """Reads the text of one answer from its events, in order."""

    def __init__(self) -> None:
        self._offset = 0

    def read_part(self, part: AnswerPart) -> TextDelta:
        """Returns the text of a part."""
        lines = (line for line in part.data.split(b"\n") if line.startswith(EVENT_PREFIX))
        return self._advance("".join(_chunk_text(line[len(EVENT_PREFIX) :])[0] for line in lines))

    def read_final(self, final: bytes) -> tuple[TextDelta, str]:
        """Returns the text and the finish reason of a stream's last chunk, both "" if empty."""
        text, finish_reason = _chunk_text(final) if final else ("", "")
        return self._advance(text), finish_reason

    def _advance(self, text: str) -> TextDelta:
        delta = TextDelta(self._offset, text)
        self._offset += len(text)
        return delta


class _Delta(Struct, frozen=True):
    content: str | None = None


class _Choice(Struct, frozen=True):
    index: int = 0
    delta: _Delta = _Delta()
    text: str = ""
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] = []


_CHUNK = JsonDecoder[_Chunk](_Chunk)


def _chunk_text(chunk: bytes) -> tuple[str, str]:
    """Returns the text of the first choice in a chunk, and its finish reason."""
    for choice in _CHUNK.decode(chunk).choices:
        if choice.index == 0:
            return (choice.delta.content or "") + choice.text, choice.finish_reason or ""
    return "", ""
