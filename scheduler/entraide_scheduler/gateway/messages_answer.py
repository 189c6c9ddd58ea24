"""Messages answer: translates a chat's answer to Anthropic's Messages API, event by event. Pure.

An answer is a list of blocks: thinking (if the request turned it on), text, and calls of tools. A
block of thinking or text ends when another one begins; calls end at the end, because an engine may
send the arguments of several calls by turns. An engine does not say which stop sequence it met:
``stop_reason`` is then ``end_turn``.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw, Struct

from entraide.decoding import decode_json
from entraide.types import Usage
from entraide_scheduler.gateway import chat_answer, refusals
from entraide_scheduler.gateway.answer_events import AnswerPart, CompleteAnswer
from entraide_scheduler.gateway.answer_json import pool_object
from entraide_scheduler.gateway.chat_answer import (
    CallPiece,
    Finish,
    Piece,
    ReasoningPiece,
    TextPiece,
)
from entraide_scheduler.gateway.messages_fields import MessagesRequest, ThinkingAdaptive, ThinkingOn
from entraide_scheduler.gateway.refusals import ErrorReply
from entraide_scheduler.gateway.server_sent_events import write_event

PREFIX = "msg_"

STOP_REASONS: Mapping[str, str] = MappingProxyType(
    {"length": "max_tokens", "tool_calls": "tool_use"}
)
# Anthropic's error types, by HTTP status; https://docs.anthropic.com/en/api/errors.
ERROR_TYPES: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
    }
)


class Block(Struct):
    """A block of the answer while it is read.

    Attributes:
        kind: ``thinking``, ``text`` or ``tool_use``.
        number: its place in the answer.
        text: of a call, its arguments.
        call_id, name: of a call.
        is_done: whether it is complete.
    """

    kind: str
    number: int
    text: str = ""
    call_id: str = ""
    name: str = ""
    is_done: bool = False


class MessagesAnswer:
    """Writes one answer.

    Args:
        job: identifier of the job.
        request: the request.
    """

    def __init__(self, job: str, request: MessagesRequest) -> None:
        self._job = job
        self._request = request
        self._shows_thinking = isinstance(request.thinking, ThinkingOn | ThinkingAdaptive)
        self._blocks: list[Block] = []
        self._calls: dict[int, Block] = {}
        self._finish_reason = ""
        self._has_begun = False

    def write_part(self, part: AnswerPart) -> bytes:
        """Returns the events of a part of a stream."""
        return b"".join([*self._begin(), *self._write_pieces(chat_answer.read_part(part))])

    def write_last(self, answer: CompleteAnswer) -> bytes:
        """Returns the last events of a stream; the receipt is on the one with the usage."""
        events = [*self._begin(), *self._write_pieces(chat_answer.read_chunk(answer.final))]
        for block in self._blocks:
            events += _end_block(block)
        delta = {"stop_reason": self._stop_reason(), "stop_sequence": None}
        fields: dict[str, Any] = {"delta": delta, "usage": usage_json(answer.usage)}
        events.append(write_event("message_delta", fields | _receipt(answer)))
        return b"".join([*events, write_event("message_stop", {})])

    def write_document(self, answer: CompleteAnswer) -> bytes:
        """Returns a whole answer."""
        for _ in self._write_pieces(chat_answer.read_document(answer.body)):
            pass
        message = self._message(self._stop_reason(), usage_json(answer.usage))
        message["content"] = [_show_block(block) for block in self._blocks]
        return msgspec.json.encode(message | _receipt(answer))

    def write_failure(self, refusal: ErrorReply, lang: str) -> bytes:
        """Returns the last event of a stream that failed."""
        return b"event: error\ndata: %s\n\n" % error_body(refusal, lang)

    def _begin(self) -> Iterator[bytes]:
        if not self._has_begun:
            self._has_begun = True
            usage = {"input_tokens": 0, "output_tokens": 0}
            yield write_event("message_start", {"message": self._message(None, usage)})
            yield write_event("ping", {})

    def _message(self, stop_reason: str | None, usage: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": PREFIX + self._job,
            "type": "message",
            "role": "assistant",
            "model": self._request.model,
            "content": [],
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": usage,
        }

    def _stop_reason(self) -> str:
        if self._calls and self._finish_reason != "length":
            return "tool_use"
        return STOP_REASONS.get(self._finish_reason, "end_turn")

    def _write_pieces(self, pieces: Iterator[Piece]) -> Iterator[bytes]:
        for piece in pieces:
            match piece:
                case TextPiece(text=text):
                    yield from self._add_text("text", text)
                case ReasoningPiece(text=text) if self._shows_thinking:
                    yield from self._add_text("thinking", text)
                case CallPiece():
                    yield from self._add_call(piece)
                case Finish(reason=reason):
                    self._finish_reason = reason

    def _add_text(self, kind: str, text: str) -> Iterator[bytes]:
        block = self._blocks[-1] if self._blocks else None
        if block is None or block.kind != kind or block.is_done:
            yield from self._add_block(kind)
            block = self._blocks[-1]
        block.text += text
        yield _delta(block, {"type": f"{kind}_delta", kind: text})

    def _add_call(self, piece: CallPiece) -> Iterator[bytes]:
        block = self._calls.get(piece.index)
        if block is None:
            call_id = piece.id or f"toolu_{self._job}_{piece.index}"
            yield from self._add_block("tool_use", call_id, piece.name)
            block = self._calls[piece.index] = self._blocks[-1]
        if piece.arguments:
            block.text += piece.arguments
            yield _delta(block, {"type": "input_json_delta", "partial_json": piece.arguments})

    def _add_block(self, kind: str, call_id: str = "", name: str = "") -> Iterator[bytes]:
        if self._blocks and self._blocks[-1].kind != "tool_use":
            yield from _end_block(self._blocks[-1])
        block = Block(kind, len(self._blocks), call_id=call_id, name=name)
        self._blocks.append(block)
        fields = {"index": block.number, "content_block": _show_block(block)}
        yield write_event("content_block_start", fields)


def error_body(refusal: ErrorReply, lang: str) -> bytes:
    """Returns an error in Anthropic's form, with the pool's code and the parameter added."""
    status = refusals.http_status(refusal)
    other = "invalid_request_error" if status < 500 else "api_error"
    error = {
        "type": ERROR_TYPES.get(status, other),
        "message": refusals.error_sentence(refusal, lang),
        "code": refusal.known_code,
        "param": refusals.find_param(refusal),
    }
    return msgspec.json.encode({"type": "error", "error": error, "request_id": refusal.job or None})


def usage_json(usage: Usage) -> dict[str, Any]:
    """Returns a usage in Anthropic's form, whose input tokens are those that were not cached."""
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }


def _receipt(answer: CompleteAnswer) -> dict[str, Any]:
    content = pool_object(answer)
    return {"entraide": Raw(content)} if content else {}


def _delta(block: Block, delta: Mapping[str, Any]) -> bytes:
    return write_event("content_block_delta", {"index": block.number, "delta": delta})


def _end_block(block: Block) -> Iterator[bytes]:
    if not block.is_done:
        block.is_done = True
        yield write_event("content_block_stop", {"index": block.number})


def _show_block(block: Block) -> dict[str, Any]:
    match block.kind:
        case "tool_use":
            call = {"id": block.call_id, "name": block.name, "input": _read_input(block.text)}
            return {"type": "tool_use", **call}
        case "thinking":
            return {"type": "thinking", "thinking": block.text, "signature": ""}
        case _:
            return {"type": "text", "text": block.text}


def _read_input(arguments: str) -> dict[str, Any]:
    """Returns the arguments of a call; as one text if the model wrote no JSON object."""
    if not arguments.strip():
        return {}
    try:
        fields: dict[str, Any] = decode_json(arguments.encode(), type=dict[str, Any])
    except msgspec.DecodeError:
        return {"arguments": arguments}
    return fields
