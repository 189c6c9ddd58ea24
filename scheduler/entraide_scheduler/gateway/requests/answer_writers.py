"""Answer writers: send a live answer over HTTP, as one document or as server-sent events.

Nothing is sent before the first token, so that until then a lost node can be replaced and an error
has its own HTTP status. After ``HEAD_AFTER_S`` seconds a streamed request gets its head and a
comment line every ``COMMENT_EVERY_S``, so that proxies do not time out; an error is then an event.
"""

import asyncio

from entraide_scheduler.gateway.answers import AnswerPart, CompleteAnswer
from entraide_scheduler.gateway.http import Exchange
from entraide_scheduler.gateway.refusals import ErrorReply, quota_headers, refusals
from entraide_scheduler.gateway.requests.answer_events import (
    AnswerEvent,
    AnswerPlaced,
    AnswerSeam,
    AnswerStarted,
    AnswerWaiting,
)
from entraide_scheduler.gateway.requests.answer_formats import (
    AnswerFormat,
    error_writer,
    make_format,
    seam_event,
    waiting_event,
)

HEAD_AFTER_S = 2.0
COMMENT_EVERY_S = 10.0
COMMENT = b": en attente | waiting\n\n"
EVENT_STREAM = "text/event-stream; charset=utf-8"
STREAM_HEADERS = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))


class AnswerWriter:
    """An ``AnswerSink`` that sends one JSON document, or server-sent events as they arrive."""

    def __init__(self, exchange: Exchange, langs: str) -> None:
        self._exchange = exchange
        self._langs = langs
        self._headers: list[tuple[str, str]] = []
        self._stream = False
        self._format: AnswerFormat
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, event: AnswerEvent) -> bool:
        """Handles an event; returns False if the client's send buffer is full."""
        match event:
            case AnswerPart():
                if self._timer is not None:
                    self._cancel_timer()
                    self._begin_stream()
                return self._exchange.write(self._format.write_part(event))
            case AnswerSeam():
                return self._exchange.write(seam_event(event))
            case AnswerWaiting():
                self._write_waiting(event)
            case AnswerStarted():
                self._start(event)
            case AnswerPlaced():
                self._headers = [*self._headers[:1], *quota_headers(event.quotas)]
            case CompleteAnswer():
                self._finish(event)
            case ErrorReply():
                self._fail(event)
        return True

    def _write_waiting(self, event: AnswerWaiting) -> None:
        if self._stream and not self._exchange.is_over:
            self._begin_stream()
            self._exchange.write(waiting_event(event, self._langs))

    def _start(self, event: AnswerStarted) -> None:
        self._headers = [("x-request-id", event.job)]
        self._stream = event.request.stream
        self._format = make_format(event.job, event.request, created_at=event.at)
        if self._stream:
            self._set_timer(HEAD_AFTER_S)

    def _finish(self, answer: CompleteAnswer) -> None:
        """Sends the document, or the last chunks, with the receipt."""
        self._cancel_timer()
        if self._stream:
            self._begin_stream()
            self._exchange.write(self._format.write_last(answer))
            self._exchange.end()
        elif not self._exchange.is_over:
            body = self._format.write_document(answer)
            self._exchange.respond(200, body, headers=self._headers)

    def _fail(self, refusal: ErrorReply) -> None:
        """Sends the error, with its own status or, after the head, as an event."""
        self._cancel_timer()
        if self._exchange.is_over:
            return
        if not self._exchange.has_begun:
            send_refusal(self._exchange, refusal, self._langs)
        elif refusal.code == "client_too_slow":
            self._exchange.abort()
        else:
            self._exchange.write(self._format.write_failure(refusal, self._langs))
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


def send_refusal(exchange: Exchange, refusal: ErrorReply, langs: str) -> None:
    """Sends an error, unless the client has left or the response has begun."""
    if not exchange.is_over and not exchange.has_begun:
        write_body = error_writer(exchange.request.path)
        exchange.respond(
            refusals.http_status(refusal),
            write_body(refusal, langs),
            headers=refusals.error_headers(refusal),
        )
