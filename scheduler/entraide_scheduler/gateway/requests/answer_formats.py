"""Answer formats: an answer and its errors as each interface of the pool writes them. Pure.

A chat's or a text's answer is forwarded as the engine made it; those of the other interfaces are
written anew from it.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import structs

from entraide import i18n
from entraide.decoding import decode_json
from entraide_scheduler.gateway.answers import (
    AnswerPart,
    CompleteAnswer,
    add_pool_object,
    usage_json,
)
from entraide_scheduler.gateway.messages import MessagesAnswer, MessagesRequest, messages_answer
from entraide_scheduler.gateway.refusals import ErrorReply, refusals
from entraide_scheduler.gateway.requests.answer_events import AnswerSeam, AnswerWaiting
from entraide_scheduler.gateway.requests.endpoints import MESSAGES
from entraide_scheduler.gateway.requests.openai import ParsedRequest
from entraide_scheduler.gateway.responses import ResponsesAnswer, ResponsesRequest


class AnswerFormat(Protocol):
    """Writes one answer, as a stream or as one document."""

    def write_part(self, part: AnswerPart) -> bytes:
        """Returns the events of a part of a stream."""

    def write_last(self, answer: CompleteAnswer) -> bytes:
        """Returns the last events of a stream."""

    def write_document(self, answer: CompleteAnswer) -> bytes:
        """Returns a whole answer."""

    def write_failure(self, refusal: ErrorReply, langs: str) -> bytes:
        """Returns the last event of a stream that failed."""


class OpenAIAnswer:
    """Writes an answer to a chat, a text or inputs for embeddings.

    Args:
        include_usage: whether a stream ends with a usage chunk.
    """

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage

    def write_part(self, part: AnswerPart) -> bytes:
        """Returns the events of a part of a stream."""
        return part.data

    def write_last(self, answer: CompleteAnswer) -> bytes:
        """Returns the last events of a stream."""
        return last_events(answer, include_usage=self._include_usage)

    def write_document(self, answer: CompleteAnswer) -> bytes:
        """Returns a whole answer."""
        return add_pool_object(answer.body, answer)

    def write_failure(self, refusal: ErrorReply, langs: str) -> bytes:
        """Returns the last event of a stream that failed."""
        return b"data: %s\n\n" % refusals.error_body(refusal, langs)


def make_format(job: str, request: ParsedRequest, *, created_at: float) -> AnswerFormat:
    """Returns the format of the answer to a request.

    Args:
        job: identifier of the job.
        request: the request.
        created_at: start of the answer, seconds since the epoch.
    """
    match request.original:
        case ResponsesRequest():
            return ResponsesAnswer(job, request.original, created_at=created_at)
        case MessagesRequest():
            return MessagesAnswer(job, request.original)
        case _:
            return OpenAIAnswer(include_usage=request.include_usage)


def error_writer(path: str) -> Callable[[ErrorReply, str], bytes]:
    """Returns what writes the body of an error at a path, in some languages."""
    is_messages = path == MESSAGES or path.startswith(f"{MESSAGES}/")
    return messages_answer.error_body if is_messages else refusals.error_body


def seam_event(seam: AnswerSeam) -> bytes:
    """Returns the named event of an answer that goes on at another node."""
    return b"event: entraide.resumed\ndata: %s\n\n" % msgspec.json.encode(seam)


def waiting_event(waiting: AnswerWaiting, langs: str) -> bytes:
    """Returns the named event of a job that waits, with a sentence in the languages of errors."""
    facts, (first, *others) = structs.asdict(waiting), langs.split()
    for lang, field in ((first, "message"), *((lang, f"message_{lang}") for lang in others)):
        facts[field] = i18n.wait_line(**structs.asdict(waiting), lang=lang)
    return b"event: entraide.waiting\ndata: %s\n\n" % msgspec.json.encode(facts)


def last_events(answer: CompleteAnswer, *, include_usage: bool) -> bytes:
    """Returns the last events of a stream.

    The receipt is added to the usage chunk if the client requested one, else to the chunk with
    ``finish_reason``; never sent as a chunk of its own, because clients read ``choices[0]``.
    """
    events = []
    if answer.final:
        final = answer.final if include_usage else add_pool_object(answer.final, answer)
        events.append(b"data: %s\n\n" % final.strip())
    if include_usage:
        head = decode_json(answer.final) if answer.final else {}
        chunk = {key: head[key] for key in ("id", "object", "created", "model") if key in head}
        chunk |= {"choices": [], "usage": usage_json(answer.usage)}
        usage_chunk = add_pool_object(msgspec.json.encode(chunk), answer)
        events.append(b"data: %s\n\n" % usage_chunk)
    events.append(b"data: [DONE]\n\n")
    return b"".join(events)
