"""The engine interface: one protocol, and the structs that cross it.

A request is the client's own JSON; events are passed on in the client's format, those that arrived
together as one chunk; a run returns how it ended. Failures of a run, and reasons why an engine does
not serve, are values. ``detail`` of a failure is the engine's own text and may quote the request:
it may be sent to the client, but never be logged.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct

from entraide.models import EMBEDDINGS, EMBEDDINGS_ONLY
from entraide.types import Basis, Outcome, Rates, Sandbox
from entraide.wire.messages import Resume

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS_PATH = "/v1/embeddings"

# Features of an engine that computes embeddings and nothing else.
EMBEDDING_FEATURES = (EMBEDDINGS, EMBEDDINGS_ONLY)

# Stable codes of a failed run.
CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded"
BAD_REQUEST = "bad_request"
ENGINE_CRASHED = "engine_crashed"
ENGINE_EXITED = "engine_exited"  # its process ended without being stopped
ENGINE_HUNG = "engine_hung"
ENGINE_REJECTED = "engine_rejected"


class EngineFacts(Struct, frozen=True):
    """The description of an engine and its model.

    Attributes:
        name: of the program (``llama.cpp``).
        version: of the program's package.
        model_alias: the engine's name of the model.
        model_revision: checksum of the weights, ``sha256:…``, or ``unknown``.
        context_tokens: longest prompt plus answer, per slot; 0 if unknown.
        slots: concurrent sequences.
        threads: processor threads; 0 if unknown.
        features: features beyond text: ``tools``, ``schema``, ``images``, ``logprobs``,
            ``repetition_penalty``, ``stop_token_ids``, ``embeddings`` (also ``embeddings_only``,
            ``dimensions``).
        api_base: its address (``unix:///…`` or ``http://…``); "" while it has none.
        sandbox: what closes its process in.
    """

    name: str
    version: str
    model_alias: str
    model_revision: str
    context_tokens: int
    slots: int
    threads: int
    features: tuple[str, ...]
    api_base: str
    sandbox: Sandbox = Sandbox.NONE


class EngineProblem(Struct, frozen=True):
    """Why an engine does not serve.

    Attributes:
        code: stable code; its sentence is in the message catalogue under ``node-CODE`` with ``_``
            as ``-``.
        values: names and numbers in that sentence.
    """

    code: str
    values: dict[str, str | int | float]


class EngineRequest(Struct, frozen=True):
    """One run.

    Attributes:
        job: identifier of the job; it becomes the ``id`` of the answer.
        path: ``CHAT``, ``COMPLETIONS`` or ``EMBEDDINGS_PATH``.
        body: the client's JSON, checked by the gateway.
        stream: whether the client wants a stream of events.
        model: public model name; it becomes the ``model`` of the answer.
        first_event_timeout_s: longest silence before the first output; None for the engine's
            default.
        resume: if the run continues an answer that an earlier run began: where.
        partition: whose prompts it may find again, 32 bytes (``core.prefix_slots``); b"" for
            nobody's, and nothing of it may be found.
        prefix_keep_s: how long its prompt may be kept after it, seconds; 0 for not at all.
    """

    job: str
    path: str
    body: bytes
    stream: bool
    model: str
    first_event_timeout_s: float | None = None
    resume: Resume | None = None
    partition: bytes = b""
    prefix_keep_s: float = 0.0


class HeldPrefixes(Struct, frozen=True):
    """What an engine holds of earlier prompts.

    Attributes:
        jobs: the last run of each partition, the newest first.
        rest_bytes: of states at rest, outside the engine.
        blocks: of 64 tokens that a later run need not read.
    """

    jobs: tuple[str, ...] = ()
    rest_bytes: int = 0
    blocks: int = 0


class EngineChunk(Struct, frozen=True):
    """Events that arrived together.

    Attributes:
        data: ready to send, ``data: {json}`` and an empty line for each event; empty if the job is
            not streamed, or if there is only progress.
        n_output_tokens: output tokens so far, over all choices; never decreases. Events are counted
            if the engine reports no count, so it may be below the final count.
        n_prompt_tokens: prompt tokens processed so far, if the engine reports them; else 0.
        n_shown_tokens: output tokens so far whose text was not held back; -1 for all of them.
    """

    data: bytes
    n_output_tokens: int
    n_prompt_tokens: int = 0
    n_shown_tokens: int = -1


# Receives the chunks of one run in order, in the event loop. It returns None, or, if the run is to
# wait before its next chunk, for what.
ChunkReceiver = Callable[[EngineChunk], Awaitable[None] | None]


class EngineUsage(Struct, frozen=True):
    """Tokens of one run, counted as OpenAI does.

    Attributes:
        prompt_tokens: cached ones included; counted once for several choices of one prompt.
        completion_tokens: over all choices.
        cached_tokens: prompt tokens that were not computed again.
        counted: ``measured`` (the engine's own counts) or ``estimated``.
        reasoning_tokens: completion tokens of the model's thought.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    counted: Basis
    reasoning_tokens: int = 0


class EngineTimings(Struct, frozen=True):
    """Durations of one run, in seconds.

    Attributes:
        ttft_s: from the request to the first event with output, or to the embeddings; 0 without
            output.
        run_s: from the request to the end.
        prefill_s, decode_s: the engine's own timings if it reports them (``measured``); else the
            run split at the first output (``estimated``).
        timed: how the two were obtained.
    """

    ttft_s: float
    run_s: float
    prefill_s: float
    decode_s: float
    timed: Basis


class EngineFailure(Struct, frozen=True):
    """Why a run failed.

    Attributes:
        code: one of the codes above.
        detail: the engine's own text; may quote the request.
        retryable: whether the request may succeed on another engine, or later on this one.
        cause: with ``bad_request``, the part of the request that the engine refuses, if its text
            shows it: ``schema``, ``template``, ``tools``, ``images``, ``choices``, ``tokens``,
            ``inputs`` (the embeddings are more than an answer may hold), or "".
        n_prompt_tokens, n_ctx: with ``context_length_exceeded``, if the engine reported them.
    """

    code: str
    detail: str
    retryable: bool
    n_prompt_tokens: int = 0
    n_ctx: int = 0
    cause: str = ""


class EngineEnd(Struct, frozen=True):
    """How a run ended.

    Attributes:
        outcome: completed, cancelled or failed.
        usage: tokens used, also if the run did not complete.
        timings: its durations.
        finish_reason: of the first choice; "" if not completed.
        final_chunk: if completed and streamed: JSON of the last chunk with a ``finish_reason``,
            which was not sent before; without ``usage``.
        body: if completed and not streamed: JSON of the answer, usage included.
        failure: why it failed.
        other_runs: with ``engine_exited``, number of other runs in the engine at that time.
    """

    outcome: Outcome
    usage: EngineUsage
    timings: EngineTimings
    finish_reason: str = ""
    final_chunk: bytes = b""
    body: bytes = b""
    failure: EngineFailure | None = None
    other_runs: int = 0


class EngineMetrics(Struct, frozen=True):
    """The current load of an engine.

    Attributes:
        processing: sequences being computed.
        waiting: requests in the engine's queue.
        prompt_tokens_total: prompt tokens since its start, cached ones included.
        output_tokens_total: output tokens since its start.
    """

    processing: int
    waiting: int
    prompt_tokens_total: int
    output_tokens_total: int


class Engine(Protocol):
    """An engine that serves one model.

    ``start`` once, then ``run`` any number of times, also concurrently; ``stop`` once.
    """

    @property
    def facts(self) -> EngineFacts:
        """Its description; complete after ``start`` returned None."""
        ...

    async def start(self) -> EngineProblem | None:
        """Returns None when it serves, or why it cannot; it is stopped after a problem."""
        ...

    async def ready(self) -> EngineProblem | None:
        """Asks whether it serves now; None if it does."""
        ...

    async def run(self, request: EngineRequest, receive: ChunkReceiver) -> EngineEnd:
        """Runs one request; cancelling the call stops the computation at once."""
        ...

    def cancel(self, job: str) -> bool:
        """Ends a run at once as cancelled, with its usage; False if it is unknown."""
        ...

    def expect_rates(self, rates: Rates) -> None:
        """Sets how fast it is by its benchmark, to know sooner when it hangs."""
        ...

    async def metrics(self) -> EngineMetrics | None:
        """Reads the engine's load; None if it reports none or does not respond."""
        ...

    def limit_prefixes(self, rest_bytes_max: int | None) -> None:
        """Sets how much of earlier prompts it may hold.

        Args:
            rest_bytes_max: bytes at rest outside the engine; None to hold nothing, and to forget
                what it holds.
        """
        ...

    def forget_prefixes(self, owner: bytes) -> None:
        """Forgets what the partitions hold that begin so; b"" for all."""
        ...

    def held_prefixes(self) -> HeldPrefixes:
        """Returns what it holds of earlier prompts."""
        ...

    async def stop(self) -> None:
        """Stops the engine and all its runs; may be called again."""
        ...
