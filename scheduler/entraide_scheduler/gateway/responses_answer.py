"""Responses answer: translates a chat's answer to OpenAI's Responses API, event by event. Pure.

An answer is a list of items: reasoning, a message, calls of functions. An item of reasoning or text
is complete when another one begins; calls are complete at the end, because an engine may send the
arguments of several calls by turns. No response is stored, and each one says so (``store``).
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

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
from entraide_scheduler.gateway.refusals import ErrorReply
from entraide_scheduler.gateway.responses_fields import ResponsesRequest
from entraide_scheduler.gateway.server_sent_events import write_event

PREFIX = "resp_"


class Item(Struct):
    """An item of the answer while it is read.

    Attributes:
        kind: ``reasoning``, ``message`` or ``function_call``.
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


class ResponsesAnswer:
    """Writes one answer.

    Args:
        job: identifier of the job.
        request: the request.
        created_at: start of the answer, seconds since the epoch.
    """

    def __init__(self, job: str, request: ResponsesRequest, *, created_at: float) -> None:
        self._job = job
        self._request = request
        self._created_at = int(created_at)
        self._items: list[Item] = []
        self._calls: dict[int, Item] = {}
        self._finish_reason = ""
        self._number = 0

    def write_part(self, part: AnswerPart) -> bytes:
        """Returns the events of a part of a stream."""
        return b"".join([*self._begin(), *self._write_pieces(chat_answer.read_part(part))])

    def write_last(self, answer: CompleteAnswer) -> bytes:
        """Returns the last events of a stream."""
        events = [*self._begin(), *self._write_pieces(chat_answer.read_chunk(answer.final))]
        if not self._items:
            events += self._add_item("message")
        for item in self._items:
            events += self._end_item(item)
        response = self._response(self._status(), answer)
        name = f"response.{response['status']}"
        return b"".join([*events, self._event(name, response=response)])

    def write_document(self, answer: CompleteAnswer) -> bytes:
        """Returns a whole answer."""
        for _ in self._write_pieces(chat_answer.read_document(answer.body)):
            pass
        if not self._items:
            self._items.append(Item("message", 0))
        for item in self._items:
            item.is_done = True
        return msgspec.json.encode(self._response(self._status(), answer))

    def write_failure(self, refusal: ErrorReply, lang: str) -> bytes:
        """Returns the last event of a stream that failed."""
        response = self._response("failed", None)
        message = refusals.error_sentence(refusal, lang)
        response["error"] = {"code": refusal.known_code, "message": message}
        return b"".join([*self._begin(), self._event("response.failed", response=response)])

    def _begin(self) -> Iterator[bytes]:
        if not self._number:
            for name in ("response.created", "response.in_progress"):
                yield self._event(name, response=self._response("in_progress", None))

    def _status(self) -> str:
        return "incomplete" if self._finish_reason == "length" else "completed"

    def _write_pieces(self, pieces: Iterator[Piece]) -> Iterator[bytes]:
        for piece in pieces:
            match piece:
                case TextPiece(text=text):
                    yield from self._add_text("message", text)
                case ReasoningPiece(text=text):
                    yield from self._add_text("reasoning", text)
                case CallPiece():
                    yield from self._add_call(piece)
                case Finish(reason=reason):
                    self._finish_reason = reason

    def _add_text(self, kind: str, text: str) -> Iterator[bytes]:
        item = self._items[-1] if self._items else None
        if item is None or item.kind != kind or item.is_done:
            yield from self._add_item(kind)
            item = self._items[-1]
        item.text += text
        name = "output_text" if kind == "message" else "reasoning_text"
        logprobs: dict[str, Any] = {"logprobs": []} if kind == "message" else {}
        yield self._event(
            f"response.{name}.delta", **_place(item), content_index=0, delta=text, **logprobs
        )

    def _add_call(self, piece: CallPiece) -> Iterator[bytes]:
        item = self._calls.get(piece.index)
        if item is None:
            call_id = piece.id or f"call_{self._job}_{piece.index}"
            yield from self._add_item("function_call", call_id, piece.name)
            item = self._calls[piece.index] = self._items[-1]
        if piece.arguments:
            item.text += piece.arguments
            yield self._event(
                "response.function_call_arguments.delta", **_place(item), delta=piece.arguments
            )

    def _add_item(self, kind: str, call_id: str = "", name: str = "") -> Iterator[bytes]:
        if self._items and self._items[-1].kind != "function_call":
            yield from self._end_item(self._items[-1])
        item = Item(kind, len(self._items), call_id=call_id, name=name)
        self._items.append(item)
        shown = _show_item(item)
        if kind == "message":
            shown["content"] = []
        yield self._event("response.output_item.added", output_index=item.number, item=shown)
        if kind != "function_call":
            part = _show_part(kind, "")
            yield self._event(
                "response.content_part.added", **_place(item), content_index=0, part=part
            )

    def _end_item(self, item: Item) -> Iterator[bytes]:
        if item.is_done:
            return
        item.is_done = True
        place = _place(item)
        if item.kind == "function_call":
            done = {"name": item.name, "arguments": item.text}
            yield self._event("response.function_call_arguments.done", **place, **done)
        else:
            name = "output_text" if item.kind == "message" else "reasoning_text"
            logprobs: dict[str, Any] = {"logprobs": []} if item.kind == "message" else {}
            yield self._event(
                f"response.{name}.done", **place, content_index=0, text=item.text, **logprobs
            )
            part = _show_part(item.kind, item.text)
            yield self._event("response.content_part.done", **place, content_index=0, part=part)
        yield self._event(
            "response.output_item.done", output_index=item.number, item=_show_item(item)
        )

    def _event(self, name: str, /, **fields: Any) -> bytes:
        number = self._number
        self._number += 1
        return write_event(name, {"sequence_number": number, **fields})

    def _response(self, status: str, answer: CompleteAnswer | None) -> dict[str, Any]:
        request = self._request
        fields: dict[str, Any] = {
            "id": PREFIX + self._job,
            "object": "response",
            "created_at": self._created_at,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"}
            if status == "incomplete"
            else None,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "metadata": request.metadata or {},
            "model": request.model,
            "output": [] if answer is None else [_show_item(item) for item in self._items],
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "previous_response_id": None,
            "reasoning": request.reasoning or {"effort": None},
            "store": False,
            "temperature": request.temperature,
            "text": request.text or {"format": {"type": "text"}},
            "tool_choice": request.tool_choice or "auto",
            "tools": request.tools or [],
            "top_p": request.top_p,
            "truncation": "disabled",
            "usage": None if answer is None else usage_json(answer.usage),
        }
        content = pool_object(answer) if answer is not None else b""
        return {**fields, "entraide": Raw(content)} if content else fields


def usage_json(usage: Usage) -> dict[str, Any]:
    """Returns a usage in the form of the Responses API."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _place(item: Item) -> dict[str, Any]:
    return {"item_id": _id(item), "output_index": item.number}


def _id(item: Item) -> str:
    prefix = {"message": "msg", "reasoning": "rs", "function_call": "fc"}[item.kind]
    return f"{prefix}_{item.number}"


def _show_part(kind: str, text: str) -> dict[str, Any]:
    if kind == "reasoning":
        return {"type": "reasoning_text", "text": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _show_item(item: Item) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": _id(item),
        "type": item.kind,
        "status": "completed" if item.is_done else "in_progress",
    }
    match item.kind:
        case "function_call":
            return fields | {"call_id": item.call_id, "name": item.name, "arguments": item.text}
        case "reasoning":
            return fields | {"summary": [], "content": [_show_part(item.kind, item.text)]}
        case _:
            return fields | {"role": "assistant", "content": [_show_part(item.kind, item.text)]}
