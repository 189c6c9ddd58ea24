"""Messages answer: translates a chat's answer to Anthropic's Messages API, event by event. Pure.

An answer is a list of blocks: thinking (if the request turned it on), text, and calls of tools. An
engine does not say which stop sequence it met: ``stop_reason`` is then ``end_turn``.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw

from entraide.decoding import decode_json
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
from entraide_scheduler.gateway.messages.messages_fields import (
    MessagesRequest,
    ThinkingAdaptive,
    ThinkingOn,
)
from entraide_scheduler.gateway.refusals import ErrorReply, refusals

PREFIX = "msg_"

STOP_REASONS: Mapping[str, str] = MappingProxyType(
    {"length": "max_tokens", "tool_calls": "tool_use"}
)
# Type of the event that adds text to a section, and the field that holds the text.
DELTAS: Mapping[SectionKind, tuple[str, str]] = MappingProxyType(
    {
        SectionKind.TEXT: ("text_delta", "text"),
        SectionKind.REASONING: ("thinking_delta", "thinking"),
        SectionKind.CALL: ("input_json_delta", "partial_json"),
    }
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
# By parameter, the code by which Anthropic's client finds out what a server cannot do: without
# threads (conversations that the server holds), its tool runner sends the whole history.
DETAILS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"thread": {"error_code": "thread_unsupported_request"}}
)


class MessagesAnswer:
    """Writes one answer.

    Args:
        job: identifier of the job.
        request: the request.
    """

    def __init__(self, job: str, request: MessagesRequest) -> None:
        self._job = job
        self._request = request
        self._answer = AnswerSections(
            f"toolu_{job}",
            reads_reasoning=isinstance(request.thinking, ThinkingOn | ThinkingAdaptive),
        )
        self._has_begun = False

    def write_part(self, part: AnswerPart) -> bytes:
        """Returns the events of a part of a stream."""
        events = self._answer.read(chat_answer.read_part(part))
        return b"".join([*self._begin(), *map(_write_event, events)])

    def write_last(self, answer: CompleteAnswer) -> bytes:
        """Returns the last events of a stream; the receipt is on the one with the usage."""
        last = self._answer.read(chat_answer.read_chunk(answer.final))
        events = [*self._begin(), *map(_write_event, chain(last, self._answer.end()))]
        delta = {"stop_reason": self._stop_reason(), "stop_sequence": None}
        fields: dict[str, Any] = {"delta": delta, "usage": usage_json(answer.usage)}
        events.append(write_event("message_delta", fields | _receipt(answer)))
        return b"".join([*events, write_event("message_stop", {})])

    def write_document(self, answer: CompleteAnswer) -> bytes:
        """Returns a whole answer."""
        for _ in self._answer.read(chat_answer.read_document(answer.body)):
            pass
        message = self._message(self._stop_reason(), usage_json(answer.usage))
        message["content"] = [_show_block(section) for section in self._answer.sections]
        return msgspec.json.encode(message | _receipt(answer))

    def write_failure(self, refusal: ErrorReply, langs: str) -> bytes:
        """Returns the last event of a stream that failed."""
        return b"event: error\ndata: %s\n\n" % error_body(refusal, langs)

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
        finish_reason = self._answer.finish_reason
        if self._answer.has_calls and finish_reason != "length":
            return "tool_use"
        return STOP_REASONS.get(finish_reason, "end_turn")


def error_body(refusal: ErrorReply, langs: str) -> bytes:
    """Returns an error in Anthropic's form, with the pool's code and the parameter added."""
    status, param = refusals.http_status(refusal), refusals.find_param(refusal)
    other = "invalid_request_error" if status < 500 else "api_error"
    error: dict[str, object] = {
        "type": ERROR_TYPES.get(status, other),
        **refusals.error_messages(refusal, langs),
        "code": refusal.known_code,
        "param": param,
    }
    if details := DETAILS.get(param or ""):
        error["details"] = details
    if path := refusals.explanation_path(refusal):
        error["explanation"] = path
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


def _write_event(event: SectionEvent) -> bytes:
    section = event.section
    match event:
        case SectionBegan():
            block = _show_block(section)
            return write_event(
                "content_block_start", {"index": section.number, "content_block": block}
            )
        case SectionGrew(text=text):
            kind, field = DELTAS[section.kind]
            delta = {"type": kind, field: text}
            return write_event("content_block_delta", {"index": section.number, "delta": delta})
        case _:
            return write_event("content_block_stop", {"index": section.number})


def _show_block(section: Section) -> dict[str, Any]:
    match section.kind:
        case SectionKind.CALL:
            call = {"id": section.call_id, "name": section.name, "input": _read_input(section.text)}
            return {"type": "tool_use", **call}
        case SectionKind.REASONING:
            return {"type": "thinking", "thinking": section.text, "signature": ""}
        case _:
            return {"type": "text", "text": section.text}


def _read_input(arguments: str) -> dict[str, Any]:
    """Returns the arguments of a call; as one text if the model wrote no JSON object."""
    if not arguments.strip():
        return {}
    try:
        fields: dict[str, Any] = decode_json(arguments.encode(), type=dict[str, Any])
    except msgspec.DecodeError:
        return {"arguments": arguments}
    return fields
