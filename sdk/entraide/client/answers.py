"""Answers of the clients, as frozen structs that do not depend on the transport."""

from typing import Any

from msgspec import Struct

from entraide.models import TaskQuality
from entraide.types import Basis, Explanation, Receipt

ENDED = frozenset({"completed", "cancelled", "failed", "refused"})


class TokenUsage(Struct, frozen=True):
    """Tokens of one job; ``basis`` is ``measured`` where the engine counted them.

    ``reasoning_tokens`` are the output tokens of the model's thought.
    """

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    basis: Basis
    reasoning_tokens: int = 0


class JobExplanation(Struct, frozen=True):
    """Explanation of a job, as text and as a struct."""

    text: str
    explanation: Explanation

    def __str__(self) -> str:
        """Returns the text."""
        return self.text


class Seam(Struct, frozen=True):
    """Where another machine continued a streamed answer.

    Attributes:
        token_offset: number of the answer's tokens before this point.
        node_before, node_after: the machines.
        code: stable code of why the run before ended.
    """

    token_offset: int
    node_before: str
    node_after: str
    code: str


class Waiting(Struct, frozen=True):
    """Why a request waits for a machine.

    Attributes:
        reason: stable code; ``placed``: a machine has it now.
        position: place in line, from 1 on; 0 once it is placed.
        retry_after_s: time until it is expected to start, seconds; None where nobody knows.
        message: the same as a sentence, in the client's language.
    """

    reason: str
    position: int
    retry_after_s: float | None
    message: str


class Answer(Struct, frozen=True):
    """A whole answer.

    Attributes:
        text: text of the answer.
        finish_reason: why the model stopped (``stop``, ``length``, ``tool_calls``).
        usage: tokens.
        receipt: machine, energy and emissions; None where the pool gave no receipt.
        job: identifier of the job.
        explanation: why the job ran where it did, if the request asked for it (``explain=True``).
    """

    text: str
    finish_reason: str
    usage: TokenUsage
    receipt: Receipt | None
    job: str
    explanation: JobExplanation | None = None


class Embeddings(Struct, frozen=True):
    """The embeddings of one request.

    Attributes:
        vectors: the numbers of each input, in the order of the inputs.
        model: public name of the model; only embeddings of one model can be compared.
        usage: tokens; there are no output tokens.
        receipt: machine, energy and emissions; None where the pool gave no receipt.
        job: identifier of the job.
        explanation: as for an ``Answer``.
    """

    vectors: tuple[tuple[float, ...], ...]
    model: str
    usage: TokenUsage
    receipt: Receipt | None
    job: str
    explanation: JobExplanation | None = None


class Job(Struct, frozen=True):
    """A job in the pool's records.

    Attributes:
        job: identifier.
        state: one of ``entraide.types.JobState``.
        code, message: why the job failed or was refused, as a stable code and a sentence, else "".
        model, job_class: requested model and class.
        submitted_at, ended_at: seconds since the epoch; 0 for not yet.
        result: the OpenAI-shaped answer of a completed kept job, else None.
        receipt: its receipt; None until there is one.
    """

    job: str
    state: str
    code: str
    message: str
    model: str
    job_class: str
    submitted_at: float
    ended_at: float
    result: dict[str, Any] | None
    receipt: Receipt | None

    @property
    def ended(self) -> bool:
        """Whether the job has reached a final state."""
        return self.state in ENDED

    @property
    def text(self) -> str:
        """The first choice's text in the result, or ""."""
        choices = (self.result or {}).get("choices") or [{}]
        message = choices[0].get("message") or {}
        return str(message.get("content") or choices[0].get("text") or "")


class ModelInfo(Struct, frozen=True):
    """A model that requests may name.

    Attributes:
        model: its public name, or an alias (``petit``, ``moyen``, ``grand``, ``auto``).
        revisions: checksums of the weights.
        context_tokens: longest prompt plus answer.
        features: its features beyond text.
        replicas: number of nodes that serve it.
        loaded: whether a node serves it; if not, a node loads it on request.
        means: for an alias, the model that it stands for now; else "".
        zones: zones of the machines that serve it, or that can load it.
        controlled_by: who controls these machines.
        pinned_at: when its weights were pinned, seconds since the epoch; 0 if they were not.
        quality: measured quality by task and language.
        openness: class by the Model Openness Framework, such as ``open-model``; "" if nobody states
            it.
    """

    model: str
    revisions: tuple[str, ...]
    context_tokens: int
    features: tuple[str, ...]
    replicas: int
    loaded: bool = True
    means: str = ""
    zones: tuple[str, ...] = ()
    controlled_by: tuple[str, ...] = ()
    pinned_at: float = 0.0
    quality: tuple[TaskQuality, ...] = ()
    openness: str = ""
