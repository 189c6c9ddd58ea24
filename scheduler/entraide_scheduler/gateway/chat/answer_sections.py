"""Answer sections: the pieces of a chat's answer, put together to texts, reasoning and calls. Pure.

In: pieces of a chat's answer, in order. Out: when a section begins, grows and ends, which the
Responses and Messages interfaces write in their own forms. A section of text or reasoning ends when
another section begins; calls end at the end, because an engine may send the arguments of several
calls by turns.
"""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from entraide_scheduler.gateway.chat.chat_answer import (
    CallPiece,
    Finish,
    Piece,
    ReasoningPiece,
    TextPiece,
)


class SectionKind(StrEnum):
    """What a section is."""

    TEXT = "text"
    REASONING = "reasoning"
    CALL = "call"


class Section(Struct):
    """A section of the answer, so far.

    Attributes:
        kind: what it is.
        number: its place in the answer.
        text: of a call, its arguments.
        call_id, name: of a call.
        is_done: whether it is complete.
    """

    kind: SectionKind
    number: int
    text: str = ""
    call_id: str = ""
    name: str = ""
    is_done: bool = False


class SectionBegan(Struct, frozen=True):
    """A section begins, empty."""

    section: Section


class SectionGrew(Struct, frozen=True):
    """Text was added to a section, which contains it already."""

    section: Section
    text: str


class SectionEnded(Struct, frozen=True):
    """A section is complete."""

    section: Section


SectionEvent = SectionBegan | SectionGrew | SectionEnded


class AnswerSections:
    """Puts one answer together.

    Args of the constructor:
        call_prefix: begins the identifier of a call to which the engine gave none.
        reads_reasoning: whether the model's reasoning is part of the answer.

    Attributes:
        sections: the sections so far, in order.
        finish_reason: why the model stopped; "" until it is known.
    """

    def __init__(self, call_prefix: str, *, reads_reasoning: bool = True) -> None:
        self.sections: list[Section] = []
        self.finish_reason = ""
        self._call_prefix = call_prefix
        self._reads_reasoning = reads_reasoning
        self._calls: dict[int, Section] = {}

    @property
    def has_calls(self) -> bool:
        """Whether the answer calls a tool."""
        return bool(self._calls)

    def read(self, pieces: Iterator[Piece]) -> Iterator[SectionEvent]:
        """Yields what pieces of the answer change."""
        for piece in pieces:
            match piece:
                case TextPiece(text=text):
                    yield from self._add_text(SectionKind.TEXT, text)
                case ReasoningPiece(text=text) if self._reads_reasoning:
                    yield from self._add_text(SectionKind.REASONING, text)
                case CallPiece():
                    yield from self._add_call(piece)
                case Finish(reason=reason):
                    self.finish_reason = reason

    def begin(self, kind: SectionKind, call_id: str = "", name: str = "") -> Iterator[SectionEvent]:
        """Begins a section; the one before it ends, unless it is a call."""
        if self.sections and self.sections[-1].kind is not SectionKind.CALL:
            yield from _end(self.sections[-1])
        section = Section(kind, len(self.sections), call_id=call_id, name=name)
        self.sections.append(section)
        yield SectionBegan(section)

    def end(self) -> Iterator[SectionEvent]:
        """Ends every section that is not complete."""
        for section in self.sections:
            yield from _end(section)

    def _add_text(self, kind: SectionKind, text: str) -> Iterator[SectionEvent]:
        last = self.sections[-1] if self.sections else None
        if last is None or last.kind is not kind or last.is_done:
            yield from self.begin(kind)
            last = self.sections[-1]
        last.text += text
        yield SectionGrew(last, text)

    def _add_call(self, piece: CallPiece) -> Iterator[SectionEvent]:
        call = self._calls.get(piece.index)
        if call is None:
            call_id = piece.id or f"{self._call_prefix}_{piece.index}"
            yield from self.begin(SectionKind.CALL, call_id, piece.name)
            call = self._calls[piece.index] = self.sections[-1]
        if piece.arguments:
            call.text += piece.arguments
            yield SectionGrew(call, piece.arguments)


def _end(section: Section) -> Iterator[SectionEvent]:
    if not section.is_done:
        section.is_done = True
        yield SectionEnded(section)
