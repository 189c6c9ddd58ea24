"""Chat answer: reads the first choice of a chat's answer, streamed or whole. Pure.

Out: pieces in order, in which the other interfaces' answers are written. What an engine sends is
not trusted: only the fields read here reach a client.
"""

from collections.abc import Iterator

from msgspec import Struct

from entraide.decoding import JsonDecoder
from entraide_scheduler.gateway.answers import EVENT_PREFIX, AnswerPart

CALLS_MAX = 128


class TextPiece(Struct, frozen=True):
    """A piece of the answer's text."""

    text: str


class ReasoningPiece(Struct, frozen=True):
    """A piece of the model's reasoning."""

    text: str


class CallPiece(Struct, frozen=True):
    """A piece of a call of a tool.

    Attributes:
        index: number of the call.
        id, name: identifier and tool; in its first piece, else "".
        arguments: a piece of its arguments, which are JSON as text.
    """

    index: int
    id: str
    name: str
    arguments: str


class Finish(Struct, frozen=True):
    """Why the model stopped: ``stop``, ``length`` or ``tool_calls``."""

    reason: str


Piece = TextPiece | ReasoningPiece | CallPiece | Finish


class _Function(Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct, frozen=True):
    index: int = 0
    id: str | None = None
    function: _Function = _Function()


class _Message(Struct, frozen=True):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct, frozen=True):
    index: int = 0
    delta: _Message = _Message()
    message: _Message = _Message()
    finish_reason: str | None = None


class _Document(Struct):
    choices: list[_Choice] = []


_DOCUMENT = JsonDecoder[_Document](_Document)


def read_part(part: AnswerPart) -> Iterator[Piece]:
    """Yields the pieces in a part of a stream.

    Raises:
        msgspec.DecodeError: an event is no chunk of a chat's answer.
    """
    for line in part.data.split(b"\n"):
        if line.startswith(EVENT_PREFIX):
            yield from read_chunk(line[len(EVENT_PREFIX) :])


def read_chunk(chunk: bytes) -> Iterator[Piece]:
    """Yields the pieces in a chunk of a stream; none if it is empty.

    Raises:
        msgspec.DecodeError: the bytes are no chunk of a chat's answer.
    """
    if chunk.strip():
        for choice in _DOCUMENT.decode(chunk).choices:
            if choice.index == 0:
                yield from _read_message(choice.delta, choice.finish_reason)


def read_document(body: bytes) -> Iterator[Piece]:
    """Yields the pieces of a whole answer.

    Raises:
        msgspec.DecodeError: the bytes are no answer of a chat.
    """
    for choice in _DOCUMENT.decode(body).choices[:1]:
        calls = choice.message.tool_calls or []
        numbered = [_Call(number, call.id, call.function) for number, call in enumerate(calls)]
        message = _Message(choice.message.content, choice.message.reasoning_content, numbered)
        yield from _read_message(message, choice.finish_reason)


def _read_message(message: _Message, finish_reason: str | None) -> Iterator[Piece]:
    if message.reasoning_content:
        yield ReasoningPiece(message.reasoning_content)
    if message.content:
        yield TextPiece(message.content)
    for call in (message.tool_calls or ())[:CALLS_MAX]:
        function = call.function
        yield CallPiece(call.index, call.id or "", function.name or "", function.arguments or "")
    if finish_reason:
        yield Finish(finish_reason)
