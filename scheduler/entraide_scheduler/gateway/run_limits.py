"""Run limits: what a gateway takes of one run, by what its lease grants. Pure.

A stream may bring the granted tokens and so many bytes for each, and no more. What comes beyond
ends the answer as one that has reached its length. From what came the gateway estimates tokens by
itself: one for each event of a stream, and by its bytes for a whole answer.
"""

import msgspec
from msgspec import Struct

from entraide.decoding import JsonDecoder
from entraide.types import Basis, RequestFacts, Usage
from entraide.wire.messages import JobPlaced, RunEnded, Tokens
from entraide_scheduler.core.marks import STREAM_BYTES, STREAM_TOKENS
from entraide_scheduler.core.usage_limits import Estimate, Grant, energy_limit_uwh, limit
from entraide_scheduler.gateway.openai import CHAT
from entraide_scheduler.gateway.token_estimator import TOKENS_PER_BYTE

BYTES_AT_LEAST = 64 * 1024
BYTES_PER_TOKEN = 1024  # of a chunk with one token, its frame and names included
LOGPROBS_BYTES_PER_TOKEN = 16 * 1024  # twenty alternatives, each with its bytes


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
    """What one run may bring, and what it has brought.

    Attributes:
        input_tokens, output_tokens: granted.
        size: bytes granted.
        peak_w: the most that the node's device draws; 0 where nobody knows.
        placed_at: when it was placed, by the scheduler's clock.
        tokens, received, events: brought so far, the last by counting the stream's events.
    """

    input_tokens: int
    output_tokens: int
    bytes_max: int
    peak_w: float
    placed_at: float
    tokens: int = 0
    received: int = 0
    events: int = 0

    @classmethod
    def from_placement(cls, facts: RequestFacts, placed: JobPlaced) -> "RunLimits":
        """Returns the limits of a run that was just placed."""
        granted = placed.output_tokens_max * max(1, facts.choices)
        with_logprobs = "logprobs" in facts.features
        bytes_per_token = LOGPROBS_BYTES_PER_TOKEN if with_logprobs else BYTES_PER_TOKEN
        return cls(
            facts.input_tokens_max,
            granted,
            BYTES_AT_LEAST + granted * bytes_per_token,
            placed.peak_w,
            placed.terms.placed_at,
        )

    def count_part(self, message: Tokens) -> str:
        """Counts a part of a stream; returns the code of what goes beyond the grant, or ""."""
        self.tokens += message.n
        self.received += len(message.data)
        self.events += message.data.count(b"data:")
        if self.tokens > self.output_tokens:
            return STREAM_TOKENS
        return STREAM_BYTES if self.received > self.bytes_max else ""

    def estimate_answer_tokens(self, message: RunEnded | None) -> int:
        """Returns the tokens of what came, by the gateway's own estimate."""
        tokens = self.events
        if message is not None and message.body:
            tokens = _estimate_answer_tokens(message.body)
        return min(self.output_tokens, max(1, tokens))

    def limit_usage(
        self, facts: RequestFacts, message: RunEnded, at: float
    ) -> tuple[Usage, tuple[str, ...]]:
        """Returns the usage of an answer within the lease, and the codes of what was beyond."""
        energy_uwh = energy_limit_uwh(self.peak_w, at - self.placed_at)
        grant = Grant(self.input_tokens, self.output_tokens, energy_uwh)
        estimate = Estimate(facts.input_tokens_est, None)
        if message.usage.output_tokens > self.output_tokens:
            tokens = self.estimate_answer_tokens(message)
            estimate = Estimate(facts.input_tokens_est, tokens)
        return limit(message.usage, grant, estimate)

    def estimate_cut_usage(self, facts: RequestFacts, at: float) -> Usage:
        """Returns the usage of a stream that was cut, by the gateway's own estimate."""
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
    """Returns the chunk that ends a stream which has reached its length."""
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
    """Returns about how many tokens the texts of a whole answer have."""
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
