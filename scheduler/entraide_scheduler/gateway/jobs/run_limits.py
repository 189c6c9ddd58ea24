"""Run limits: enforces a lease's grant on the answer of one run. Pure.

A stream may have the granted tokens, and a number of bytes per token. If it exceeds either, the
answer ends with ``finish_reason`` ``length``. The gateway's own estimate of tokens is one per event
of a stream, and bytes times ``TOKENS_PER_BYTE`` for a complete answer.
"""

import msgspec
from msgspec import UNSET, Struct

from entraide.decoding import JsonDecoder
from entraide.types import Basis, RequestFacts, Usage
from entraide.wire.messages import JobPlaced, RunEnded, Tokens
from entraide_scheduler.core.accounting import (
    UsageEstimate,
    UsageGrant,
    energy_limit_uwh,
    limit_usage,
)
from entraide_scheduler.core.settlement import STREAM_BYTES, STREAM_TOKENS
from entraide_scheduler.gateway.embeddings import INPUT_ANSWER_BYTES
from entraide_scheduler.gateway.jobs.token_estimator import TOKENS_PER_BYTE
from entraide_scheduler.gateway.requests import CHAT

BYTES_AT_LEAST = 64 * 1024
BYTES_PER_TOKEN = 1024  # of a chunk with one token, with its JSON frame
LOGPROBS_BYTES_PER_TOKEN = 16 * 1024  # with twenty alternatives per token


class _Message(Struct):
    content: str | None = None
    reasoning_content: str | None = None


class _Choice(Struct):
    message: _Message | None = None
    text: str | None = None


class _Body(Struct):
    choices: list[_Choice] = []


_body = JsonDecoder[_Body](_Body)


class RunLimits(Struct):
    """Limits of one run, and the amounts received so far.

    Attributes:
        input_tokens, output_tokens: granted tokens.
        bytes_max: granted bytes.
        peak_w: peak power of the node's device, watts; 0 if unknown.
        placed_at: time of the placement, on the scheduler's clock.
        may_reuse: whether a part of the prompt may have been in a kept state.
        tokens, received, events: reported tokens, bytes and events received so far.
    """

    input_tokens: int
    output_tokens: int
    bytes_max: int
    peak_w: float
    placed_at: float
    may_reuse: bool = False
    tokens: int = 0
    received: int = 0
    events: int = 0

    @classmethod
    def from_placement(
        cls, facts: RequestFacts, placed: JobPlaced, *, inputs: int = 0, sent_tokens: int = 0
    ) -> "RunLimits":
        """Returns the limits of a placement.

        Args:
            facts: of the request.
            placed: the placement.
            inputs: number of inputs of a request for embeddings.
            sent_tokens: output tokens that the client has of earlier runs; this run reads them.
        """
        granted = placed.output_tokens_max * max(1, facts.choices) - sent_tokens
        input_tokens = facts.input_tokens_max + (placed.terms.template_tokens or 0)
        if placed.earlier:
            input_tokens += placed.output_tokens_max
        with_logprobs = "logprobs" in facts.features
        bytes_per_token = LOGPROBS_BYTES_PER_TOKEN if with_logprobs else BYTES_PER_TOKEN
        return cls(
            input_tokens,
            granted,
            BYTES_AT_LEAST + granted * bytes_per_token + inputs * INPUT_ANSWER_BYTES,
            placed.peak_w,
            placed.terms.placed_at,
            placed.terms.cached_token_part is not UNSET,
        )

    def count_part(self, message: Tokens) -> str:
        """Counts a part of a stream; returns the code of an exceeded limit, or ""."""
        self.tokens += message.n
        self.received += len(message.data)
        self.events += message.data.count(b"data:")
        if self.tokens > self.output_tokens:
            return STREAM_TOKENS
        return STREAM_BYTES if self.received > self.bytes_max else ""

    def estimate_answer_tokens(self, message: RunEnded | None) -> int:
        """Returns the gateway's own estimate of the answer's tokens."""
        tokens = self.events
        if message is not None and message.body:
            tokens = _estimate_answer_tokens(message.body)
        return min(self.output_tokens, max(1, tokens))

    def limit_usage(
        self, facts: RequestFacts, message: RunEnded, at: float
    ) -> tuple[Usage, tuple[str, ...]]:
        """Returns the usage limited to the lease, and the codes of the exceeded limits."""
        energy_uwh = energy_limit_uwh(self.peak_w, at - self.placed_at)
        grant = UsageGrant(self.input_tokens, self.output_tokens, energy_uwh, self.may_reuse)
        estimate = UsageEstimate(facts.input_tokens_est, None)
        if message.usage.output_tokens > self.output_tokens:
            tokens = self.estimate_answer_tokens(message)
            estimate = UsageEstimate(facts.input_tokens_est, tokens)
        return limit_usage(message.usage, grant, estimate)

    def estimate_cut_usage(self, facts: RequestFacts, at: float) -> Usage:
        """Returns the estimated usage of a stream that was ended at its limit."""
        return Usage(
            input_tokens=facts.input_tokens_est,
            cached_tokens=0,
            output_tokens=self.estimate_answer_tokens(None),
            counted=Basis.ESTIMATED,
            energy_prefill_uwh=0,
            energy_decode_uwh=0,
            energy_basis=Basis.ESTIMATED,
            ttft_s=0.0,
            run_s=max(0.0, at - self.placed_at),
        )


def last_chunk(facts: RequestFacts, path: str, model: str, at: float) -> bytes:
    """Returns the last chunk of a stream, with ``finish_reason`` ``length``."""
    chat = path == CHAT
    kind = "chat.completion.chunk" if chat else "text_completion"
    empty: dict[str, object] = {"delta": {}} if chat else {"text": ""}
    choices = [
        {"index": index, **empty, "finish_reason": "length"}
        for index in range(max(1, facts.choices))
    ]
    chunk = {"id": facts.job, "object": kind, "created": int(at), "model": model}
    return msgspec.json.encode({**chunk, "choices": choices})


def _estimate_answer_tokens(body: bytes) -> int:
    """Returns the estimated tokens of a complete answer, from its bytes."""
    try:
        choices = _body.decode(body).choices
    except (msgspec.DecodeError, RecursionError):
        return 1
    texts = []
    for choice in choices:
        message = choice.message or _Message()
        texts += [message.content, message.reasoning_content, choice.text]
    size = sum(len(text.encode("utf-8", "replace")) for text in texts if text)
    return round(size * TOKENS_PER_BYTE.mean)
