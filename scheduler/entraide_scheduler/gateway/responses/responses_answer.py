"""Responses answer: translates a chat's answer to OpenAI's Responses API, event by event. Pure.

An answer is a list of items: reasoning, a message, calls of functions. No response is stored, and
each one says so (``store``).
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw

from entraide.types import Usage
from entraide_scheduler.gateway.answers import AnswerPart, CompleteAnswer, pool_object
from entraide_scheduler.gateway.chat import (
    AnswerSections,
    Section,
    SectionBegan,
    SectionEvent,
    SectionGrew,
    SectionKind,
    chat_answer,
)
from entraide_scheduler.gateway.http import write_event
from entraide_scheduler.gateway.refusals import ErrorReply, refusals
from entraide_scheduler.gateway.responses.responses_fields import ResponsesRequest

PREFIX = "resp_"


# Type of an item, the beginning of its identifier, and the name of its text in events.
ITEM_TYPES: Mapping[SectionKind, tuple[str, str, str]] = MappingProxyType(
    {
        SectionKind.TEXT: ("message", "msg", "output_text"),
        SectionKind.REASONING: ("reasoning", "rs", "reasoning_text"),
        SectionKind.CALL: ("function_call", "fc", "function_call_arguments"),
    }
)


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
        self._answer = AnswerSections(f"call_{job}")
        self._number = 0

    def write_part(self, part: AnswerPart) -> bytes:
        """Returns the events of a part of a stream."""
        return b"".join(
            [*self._begin(), *self._write(self._answer.read(chat_answer.read_part(part)))]
        )

    def write_last(self, answer: CompleteAnswer) -> bytes:
        """Returns the last events of a stream."""
        events = [
            *self._begin(),
            *self._write(self._answer.read(chat_answer.read_chunk(answer.final))),
            *self._write(self._end()),
        ]
        response = self._response(self._status(), answer)
        name = f"response.{response['status']}"
        return b"".join([*events, self._event(name, response=response)])

    def write_document(self, answer: CompleteAnswer) -> bytes:
        """Returns a whole answer."""
        for _ in chain(self._answer.read(chat_answer.read_document(answer.body)), self._end()):
            pass
        return msgspec.json.encode(self._response(self._status(), answer))

    def write_failure(self, refusal: ErrorReply, langs: str) -> bytes:
        """Returns the last events of a stream that failed.

        Many programs pass over ``response.failed`` and show what came as a whole answer. ``error``
        has its fields as OpenAI documents them, and again in an object, as its server sends them:
        by that object its client raises an exception.
        """
        response = self._response("failed", None)
        messages = refusals.error_messages(refusal, langs)
        response["error"] = {"code": refusal.known_code, **messages}
        error = refusals.error_fields(refusal, langs)
        facts = {name: error[name] for name in ("code", "message", "param")}
        events = [
            *self._begin(),
            self._event("response.failed", response=response),
            self._event("error", **facts, error=error),
        ]
        return b"".join(events)

    def _begin(self) -> Iterator[bytes]:
        if not self._number:
            for name in ("response.created", "response.in_progress"):
                yield self._event(name, response=self._response("in_progress", None))

    def _status(self) -> str:
        return "incomplete" if self._answer.finish_reason == "length" else "completed"

    def _end(self) -> Iterator[SectionEvent]:
        """Ends the answer, which has at least one item."""
        if not self._answer.sections:
            yield from self._answer.begin(SectionKind.TEXT)
        yield from self._answer.end()

    def _write(self, events: Iterator[SectionEvent]) -> Iterator[bytes]:
        for event in events:
            match event:
                case SectionBegan(section=section):
                    yield from self._write_begin(section)
                case SectionGrew(section=section, text=text):
                    fields = _content(section)
                    yield self._event(f"response.{_text_name(section)}.delta", delta=text, **fields)
                case _:
                    yield from self._write_end(event.section)

    def _write_begin(self, section: Section) -> Iterator[bytes]:
        item = _show_item(section)
        if section.kind is SectionKind.TEXT:
            item["content"] = []
        yield self._event("response.output_item.added", output_index=section.number, item=item)
        if section.kind is not SectionKind.CALL:
            place, part = _place(section), _show_part(section.kind, "")
            yield self._event("response.content_part.added", **place, content_index=0, part=part)

    def _write_end(self, section: Section) -> Iterator[bytes]:
        place, name = _place(section), f"response.{_text_name(section)}.done"
        if section.kind is SectionKind.CALL:
            yield self._event(name, **place, name=section.name, arguments=section.text)
        else:
            yield self._event(name, text=section.text, **_content(section))
            part = _show_part(section.kind, section.text)
            yield self._event("response.content_part.done", **place, content_index=0, part=part)
        item = _show_item(section)
        yield self._event("response.output_item.done", output_index=section.number, item=item)

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
            "output": []
            if answer is None
            else [_show_item(section) for section in self._answer.sections],
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
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _text_name(section: Section) -> str:
    return ITEM_TYPES[section.kind][2]


def _id(section: Section) -> str:
    return f"{ITEM_TYPES[section.kind][1]}_{section.number}"


def _place(section: Section) -> dict[str, Any]:
    return {"item_id": _id(section), "output_index": section.number}


def _content(section: Section) -> dict[str, Any]:
    """Returns the fields of an event about a section's text, besides the text itself."""
    fields = _place(section)
    if section.kind is not SectionKind.CALL:
        fields["content_index"] = 0
    if section.kind is SectionKind.TEXT:
        fields["logprobs"] = []
    return fields


def _show_part(kind: SectionKind, text: str) -> dict[str, Any]:
    if kind is SectionKind.REASONING:
        return {"type": "reasoning_text", "text": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _show_item(section: Section) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": _id(section),
        "type": ITEM_TYPES[section.kind][0],
        "status": "completed" if section.is_done else "in_progress",
    }
    if section.kind is SectionKind.CALL:
        call = {"call_id": section.call_id, "name": section.name, "arguments": section.text}
        return fields | call
    content = [_show_part(section.kind, section.text)]
    if section.kind is SectionKind.REASONING:
        return fields | {"summary": [], "content": content}
    return fields | {"role": "assistant", "content": content}
