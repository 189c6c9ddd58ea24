"""What an engine is to the node agent: one protocol, and the facts that cross it.

It decides nothing. It knows neither the bus nor leases nor co-ops: a request comes in as the
client's own JSON, batches of events go out as the client will read them, and the last item tells
how it ended. Failures of a run, and reasons why an engine is not there, are values.

``detail`` in a failure is the engine's own text and may quote the request: it may go back to the
one who asked, and never into a log.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from msgspec import Struct

from entraide.types import Basis, Outcome

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"

# Stable codes of a failed run.
CONTEXT_EXCEEDED = "context_exceeded"
BAD_REQUEST = "bad_request"
ENGINE_CRASHED = "engine_crashed"
ENGINE_EXITED = "engine_exited"  # its process ended by itself; nobody had stopped it
ENGINE_HUNG = "engine_hung"
ENGINE_REJECTED = "engine_rejected"


class EngineFacts(Struct, frozen=True):
    """What an engine is and serves.

    Attributes:
        name: of the program (``llama.cpp``).
        version: of the program, as its package tells it.
        model_alias: the name that the engine itself gives the model.
        model_revision: checksum of the weights, ``sha256:…``, or ``unknown``.
        context_tokens: longest prompt plus answer, per slot; 0 when unknown.
        slots: sequences it runs at once.
        threads: processor threads it computes with; 0 when unknown.
        features: what it can do beyond text: ``tools``, ``schema``, ``images``, ``logprobs``.
        api_base: where it listens (``unix:///…`` or ``http://…``); "" while it does not.
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


class EngineProblem(Struct, frozen=True):
    """Why an engine does not serve.

    Attributes:
        code: stable code; the catalogue has its sentence under ``node-CODE`` with ``_`` as ``-``.
        values: the names and numbers in that sentence.
    """

    code: str
    values: dict[str, str | int | float]


class EngineRequest(Struct, frozen=True):
    """One run.

    Attributes:
        job: identifier of the job; it becomes the ``id`` of the answer.
        path: ``CHAT`` or ``COMPLETIONS``.
        body: the client's JSON, already checked by the gateway.
        stream: whether the client wants events as they come.
        model: public model name; it becomes the ``model`` of the answer.
        first_event_timeout_s: the longest silence of the engine before there is output; None for
            the engine's own default.
    """

    job: str
    path: str
    body: bytes
    stream: bool
    model: str
    first_event_timeout_s: float | None = None


class EngineChunk(Struct, frozen=True):
    """The events that arrived together.

    Attributes:
        data: ready to be sent on, ``data: {json}`` and an empty line for each event; empty when
            the job is not streamed and when there is only progress to tell.
        n_output_tokens: output tokens so far, over all choices; never falls. Counted by events
            where the engine tells no count, so that it may lag behind the count at the end.
        n_prompt_tokens: prompt tokens processed so far, where the engine tells; else 0.
    """

    data: bytes
    n_output_tokens: int
    n_prompt_tokens: int = 0


class EngineUsage(Struct, frozen=True):
    """Tokens of one run, as OpenAI counts them.

    Attributes:
        prompt_tokens: with the cached ones; counted once for several choices of one prompt.
        completion_tokens: over all choices.
        cached_tokens: the part of the prompt that was not computed again.
        counted: ``measured`` (the engine's own counts) or ``estimated``.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    counted: Basis


class EngineTimings(Struct, frozen=True):
    """Durations of one run, in seconds.

    Attributes:
        ttft_s: from the request to the first event that bears output; 0 when none did.
        run_s: from the request to the end.
        prefill_s, decode_s: the engine's own timings where it has them (``measured``); else
            split at the first output (``estimated``).
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
        detail: the engine's own words; may quote the request.
        retryable: whether the same request may succeed on another engine, or later on this one.
        cause: with ``bad_request``, what of the request the engine does not take, as far as its
            words tell: ``schema``, ``template``, ``tools``, ``images``, ``choices``, or "".
        n_prompt_tokens, n_ctx: with ``context_exceeded``, as far as the engine told; else 0.
    """

    code: str
    detail: str
    retryable: bool
    n_prompt_tokens: int = 0
    n_ctx: int = 0
    cause: str = ""


class EngineEnd(Struct, frozen=True):
    """How a run ended; always the last item, and always there.

    Attributes:
        outcome: completed, cancelled or failed.
        usage: what was used, also by a run that did not complete.
        timings: how long it took.
        finish_reason: of the first choice; "" when not completed.
        final_chunk: completed and streamed: JSON of the last chunk that bears a
            ``finish_reason``, not among the data sent before; without ``usage``.
        body: completed and not streamed: JSON of the whole answer, usage included.
        failure: why it failed.
        beside: with ``engine_exited``, how many other runs were in the engine then.
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
    """What the engine says of its load now.

    Attributes:
        processing: sequences being computed.
        waiting: requests that wait inside the engine.
        prompt_tokens_total: prompt tokens since its start, cached ones included.
        output_tokens_total: output tokens since its start.
    """

    processing: int
    waiting: int
    prompt_tokens_total: int
    output_tokens_total: int


class Engine(Protocol):
    """An engine that serves one model.

    ``start`` once, then ``run`` as often as one likes, at the same time too; ``stop`` once.
    """

    @property
    def facts(self) -> EngineFacts:
        """What it serves; complete once ``start`` returned None."""
        ...

    async def start(self) -> EngineProblem | None:
        """Returns None once it serves, or why it cannot; after a problem it is stopped."""
        ...

    async def ready(self) -> EngineProblem | None:
        """Asks the engine whether it serves now; None when it does."""
        ...

    def run(self, request: EngineRequest) -> AsyncGenerator[EngineChunk | EngineEnd, None]:
        """Runs one request.

        Closing the generator, or cancelling the one who iterates it, makes the engine stop
        computing at once.
        """
        ...

    def cancel(self, job: str) -> bool:
        """Makes a run end at once, as cancelled and with its usage; False when it is unknown."""
        ...

    async def metrics(self) -> EngineMetrics | None:
        """Asks for the engine's load; None when it tells none or does not answer."""
        ...

    async def stop(self) -> None:
        """Stops it, and every run with it; may be called again."""
        ...
