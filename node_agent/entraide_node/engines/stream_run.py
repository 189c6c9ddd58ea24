"""Stream run: one run as a pure state machine, without the socket.

Input: the events of the engine's stream, and times in seconds. Output: chunks to send, and the end
of the run with usage and timings. The chunk with a ``finish_reason`` is held back until the end.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from entraide.decoding import decode_json
from entraide.types import Basis, Outcome
from entraide_node.engines.answer import AnswerBuilder, closing_chunk, format_event, rewrite_chunk
from entraide_node.engines.base import (
    BAD_REQUEST,
    CHAT,
    ENGINE_REJECTED,
    EngineChunk,
    EngineEnd,
    EngineFailure,
    EngineRequest,
    EngineTimings,
    EngineUsage,
)
from entraide_node.engines.engine_errors import failure_from_stream
from entraide_node.engines.seam import Seam, is_text
from entraide_node.engines.shown_tokens import ShownTokens
from entraide_node.engines.token_counter import CHOICES_MAX, TokenCounter, carries_output
from entraide_node.engines.untrusted_json import list_objects, parse_text

ANSWER_BYTES_MAX = 6 * 1024 * 1024  # leaves space in a bus message for the envelope
EVENTS_BYTES_MAX = 256 * 1024 * 1024  # of merged events: about a million tokens
DONE = b"[DONE]"
DONE_BYTES_MAX = 64  # with white space
TOO_LONG = EngineFailure(ENGINE_REJECTED, "the answer is too long", retryable=False)
TOO_DEEP = EngineFailure(ENGINE_REJECTED, "the answer nests too deep", retryable=False)
NO_TEXT = EngineFailure(ENGINE_REJECTED, "a text goes on as a thought or a call", retryable=True)
NO_USAGE = EngineUsage(0, 0, 0, counted=Basis.ESTIMATED)


def parse_request(request: EngineRequest) -> dict[str, Any] | EngineFailure:
    """Returns a request's fields, or why it cannot run.

    Media that must be fetched from an address are refused: the engine would access its owner's
    network.
    """
    try:
        body = decode_json(request.body)
    except msgspec.DecodeError as error:
        return EngineFailure(BAD_REQUEST, str(error), retryable=False)
    if not isinstance(body, dict):
        return EngineFailure(BAD_REQUEST, "the request is not an object", retryable=False)
    if any(not url.startswith("data:") for url in _media_urls(body.get("messages"))):
        return EngineFailure(BAD_REQUEST, "images must come as data: URLs", retryable=False)
    return body


def _media_urls(messages: Any) -> Iterator[str]:
    """The addresses in the messages' parts: images, audio, video."""
    for message in messages if isinstance(messages, list) else ():
        parts = message.get("content") if isinstance(message, dict) else None
        for part in parts if isinstance(parts, list) else ():
            for name, value in part.items() if isinstance(part, dict) else ():
                if str(name).endswith("_url"):
                    url = value.get("url") if isinstance(value, dict) else value
                    yield str(url)


class StreamRun:
    """The state of one run."""

    def __init__(
        self, request: EngineRequest, body: dict[str, Any], *, started: float,
        counted_each_event: bool = False, shown: ShownTokens | None = None,
        seam: Seam | None = None,
    ) -> None:  # fmt: skip
        """Has no event yet.

        Args:
            request: the run's request.
            body: its fields.
            started: time of the start, in seconds on any clock.
            counted_each_event: see ``token_counter``.
            shown: counts the tokens whose text the engine has sent.
            seam: where the run continues an answer; None where it begins one.
        """
        self._shown = shown or ShownTokens(held_chars=0)
        self._seam = seam
        self._request = request
        self._body = body
        self._started = started
        self._first_output: float | None = None
        choices_asked = body.get("n")
        self._token_counter = TokenCounter(
            choices_asked=choices_asked if isinstance(choices_asked, int) else 1,
            counted_each_event=counted_each_event,
        )
        self._answer = None if request.stream else AnswerBuilder(path=request.path)
        self._held_chunk: dict[str, Any] | None = None
        self._choices: dict[int, str] = {}  # finish reason by index, "" while unfinished
        self._failure: EngineFailure | None = None
        self._done = False
        self._taken_bytes = 0
        self._told = (0, 0)  # output and prompt tokens, in the last chunk
        self.events = 0

    @property
    def continued(self) -> dict[str, Any]:
        """The fields of the request with which the engine continues an answer."""
        return self._seam.fields if self._seam is not None else {}

    @property
    def failure(self) -> EngineFailure | None:
        """The failure that the engine reported inside the stream."""
        return self._failure

    @property
    def tokens(self) -> int:
        """Tokens of the prompt and the answer so far, as far as the engine has counted them."""
        usage = self._token_counter.usage(body=self._body) if self.events else NO_USAGE
        return usage.prompt_tokens + usage.completion_tokens

    @property
    def has_output(self) -> bool:
        """Whether there was output."""
        return self._first_output is not None

    @property
    def is_over(self) -> bool:
        """Whether the engine will send no more events."""
        return self._done or self._failure is not None

    @property
    def is_answered(self) -> bool:
        """Whether every choice has its finish reason."""
        return bool(self._choices) and all(self._choices.values())

    def add_events(self, payloads: list[bytes], *, now: float) -> EngineChunk | None:
        """Adds the events that arrived together; returns the chunk to send, if any."""
        out: list[bytes] = []
        for payload in payloads:
            if len(payload) < DONE_BYTES_MAX and payload.strip() == DONE:
                self._done = True
            if self.is_over:
                break
            self._taken_bytes += len(payload)
            if self._answer is not None and self._taken_bytes > EVENTS_BYTES_MAX:
                self._failure = TOO_LONG
                break
            try:
                self._add_event(payload, out, now=now)
            except RecursionError:
                self._failure = TOO_DEEP
        if self._done and self._seam is not None:
            out += [format_event(self._rewritten(chunk)) for chunk in self._seam.release()]
        tokens = (self._token_counter.n_output_tokens, self._token_counter.n_prompt_processed)
        if not out and tokens == self._told:
            return None
        self._told = tokens
        return EngineChunk(b"".join(out), *tokens, self._shown.count)

    def complete(self, *, now: float, created: int) -> EngineEnd:
        """Returns the end of a run whose stream is complete.

        Args:
            now: end time, on the clock of ``started``.
            created: seconds since the epoch, for an engine that reported none.
        """
        usage = self._token_counter.usage(body=self._body)
        try:
            final, body = self._final_answer(created, usage)
        except RecursionError:
            return self.abort(Outcome.FAILED, now=now, failure=TOO_DEEP)
        if max(len(body), len(final)) > ANSWER_BYTES_MAX:
            return self.abort(Outcome.FAILED, now=now, failure=TOO_LONG)
        return EngineEnd(
            outcome=Outcome.COMPLETED,
            usage=usage,
            timings=self._timings(now),
            finish_reason=self._choices.get(min(self._choices, default=0)) or "stop",
            final_chunk=final,
            body=body,
        )

    def abort(
        self, outcome: Outcome, *, now: float, failure: EngineFailure | None = None
    ) -> EngineEnd:
        """Returns the end of a run that was cancelled or failed.

        A run without any event used nothing, as far as is known.
        """
        usage = self._token_counter.usage(body=self._body) if self.events else NO_USAGE
        return EngineEnd(outcome, usage=usage, timings=self._timings(now), failure=failure)

    def _final_answer(self, created: int, usage: EngineUsage) -> tuple[bytes, bytes]:
        """Returns the last chunk of a stream and b"", or b"" and the complete answer."""
        if self._answer is None:
            chat = self._request.path == CHAT
            created = self._seam.created if self._seam is not None else created
            return self._rewritten(
                self._held_chunk or closing_chunk(chat=chat, created=created)
            ), b""
        job, model = self._request.job, self._request.model
        return b"", self._answer.build(job=job, model=model, created=created, usage=usage)

    def _add_event(self, payload: bytes, out: list[bytes], *, now: float) -> None:
        try:
            chunk = decode_json(payload)
        except msgspec.DecodeError:
            self._failure = EngineFailure(ENGINE_REJECTED, "an event is not JSON", retryable=True)
            return
        self.events += 1
        if not isinstance(chunk, dict):
            return  # llama.cpp sometimes sends `null`
        if chunk.get("error"):
            self._failure = failure_from_stream(chunk["error"])
            return
        choices = list_objects(chunk.get("choices"))
        self._token_counter.add_event(chunk, choices)
        if not choices or "prompt_progress" in chunk:
            return
        if self._first_output is None and any(carries_output(choice) for choice in choices):
            self._first_output = now
        finished = self._note_finish(choices)
        if self._answer is not None:
            self._answer.add_chunk(chunk)
            return
        self._shown.add(choices, self._token_counter.n_output_tokens)
        if self._seam is None:
            self._send(chunk, out, finished=finished)
            return
        if not is_text(choices):
            self._failure = NO_TEXT
            return
        for passed in self._seam.pass_on(chunk, finished=finished):
            self._send(passed, out, finished=finished and passed is chunk)
        if self._seam.is_stopped:
            self._choices, self._held_chunk, self._done = {0: "stop"}, None, True

    def _send(self, chunk: dict[str, Any], out: list[bytes], *, finished: bool) -> None:
        """Adds an event to those to send; the last is held back until the end of the run."""
        before = chunk
        if finished:
            before, self._held_chunk = self._held_chunk or {}, chunk
        if before:
            out.append(format_event(self._rewritten(before)))

    def _note_finish(self, choices: list[dict[str, Any]]) -> bool:
        finished = False
        for choice in choices:
            index = choice.get("index")
            reason = choice.get("finish_reason")
            key = index if isinstance(index, int) else 0
            finished = finished or bool(reason)
            if key not in self._choices:
                if len(self._choices) == CHOICES_MAX:
                    continue
                self._choices[key] = ""
            if reason:
                self._choices[key] = parse_text(reason)
        return finished

    def _rewritten(self, chunk: dict[str, Any]) -> bytes:
        return rewrite_chunk(chunk, job=self._request.job, model=self._request.model)

    def _timings(self, now: float) -> EngineTimings:
        run_s = now - self._started
        ttft_s = 0.0 if self._first_output is None else self._first_output - self._started
        if self._token_counter.has_timings:
            prefill_s, decode_s = self._token_counter.prefill_s, self._token_counter.decode_s
            return EngineTimings(ttft_s, run_s, prefill_s, decode_s, timed=Basis.MEASURED)
        prefill_s = run_s if self._first_output is None else ttft_s
        return EngineTimings(ttft_s, run_s, prefill_s, run_s - prefill_s, timed=Basis.ESTIMATED)
