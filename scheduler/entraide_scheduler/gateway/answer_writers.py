"""Answer writers: send a live answer over HTTP, as one document or as server-sent events.

Nothing is sent before the first token, so that until then a lost node can be replaced and an error
has its own HTTP status. After ``HEAD_AFTER_S`` seconds a streamed request gets its head and a
comment line every ``COMMENT_EVERY_S``, so that proxies do not time out; an error is then an event.
"""

import asyncio

import msgspec

from entraide.decoding import decode_json
from entraide_scheduler.gateway import refusals
from entraide_scheduler.gateway.answer_events import (
    AnswerEvent,
    AnswerPart,
    AnswerPlaced,
    AnswerStarted,
    CompleteAnswer,
)
from entraide_scheduler.gateway.answer_json import add_pool_object, usage_json
from entraide_scheduler.gateway.exchange import Exchange
from entraide_scheduler.gateway.refusals import ErrorReply, quota_headers

HEAD_AFTER_S = 10.0
COMMENT_EVERY_S = 10.0
COMMENT = b": en attente | waiting\n\n"
EVENT_STREAM = "text/event-stream; charset=utf-8"
STREAM_HEADERS = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))


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


class AnswerWriter:
    """An ``AnswerSink`` that sends one JSON document, or server-sent events as they arrive."""

    def __init__(self, exchange: Exchange, lang: str) -> None:
        self._exchange = exchange
        self._lang = lang
        self._headers: list[tuple[str, str]] = []
        self._stream = self._include_usage = False
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, event: AnswerEvent) -> bool:
        """Handles an event; returns False if the client's send buffer is full."""
        match event:
            case AnswerPart():
                if self._timer is not None:
                    self._cancel_timer()
                    self._begin_stream()
                return self._exchange.write(event.data)
            case AnswerStarted():
                self._start(event)
            case AnswerPlaced():
                self._headers = [*self._headers[:1], *quota_headers(event.quotas)]
            case CompleteAnswer():
                self._finish(event)
            case ErrorReply():
                self._fail(event)
        return True

    def _start(self, event: AnswerStarted) -> None:
        self._headers = [("x-request-id", event.job)]
        self._stream = event.request.stream
        self._include_usage = event.request.include_usage
        if self._stream:
            self._set_timer(HEAD_AFTER_S)

    def _finish(self, answer: CompleteAnswer) -> None:
        """Sends the document, or the last chunks, with the receipt."""
        self._cancel_timer()
        if self._stream:
            self._begin_stream()
            self._exchange.write(last_events(answer, include_usage=self._include_usage))
            self._exchange.end()
        elif not self._exchange.is_over:
            body = add_pool_object(answer.body, answer)
            self._exchange.respond(200, body, headers=self._headers)

    def _fail(self, refusal: ErrorReply) -> None:
        """Sends the error, with its own status or, after the head, as an event."""
        self._cancel_timer()
        if self._exchange.is_over:
            return
        if not self._exchange.has_begun:
            send_refusal(self._exchange, refusal, self._lang)
        elif refusal.code == "client_too_slow":
            self._exchange.abort()
        else:
            self._exchange.write(b"data: %s\n\n" % refusals.error_body(refusal, self._lang))
            self._exchange.end()

    def _begin_stream(self) -> None:
        if not self._exchange.has_begun:
            headers = [*STREAM_HEADERS, *self._headers]
            self._exchange.begin(200, kind=EVENT_STREAM, headers=headers)

    def _send_comment(self) -> None:
        if not self._exchange.is_over:
            self._begin_stream()
            self._exchange.write(COMMENT)
            self._set_timer(COMMENT_EVERY_S)

    def _set_timer(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._send_comment)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def send_refusal(exchange: Exchange, refusal: ErrorReply, lang: str) -> None:
    """Sends an error, unless the client has left or the response has begun."""
    if not exchange.is_over and not exchange.has_begun:
        exchange.respond(
            refusals.http_status(refusal),
            refusals.error_body(refusal, lang),
            headers=refusals.error_headers(refusal),
        )
