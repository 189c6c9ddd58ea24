"""Answers: what the clients hand back, as frozen structs without a trace of the transport."""

from typing import Any

from msgspec import Struct

from entraide.types import Basis, Explanation, Receipt

ENDED = frozenset({"completed", "cancelled", "failed", "refused"})


class TokenUsage(Struct, frozen=True):
    """Tokens of one job, and whether the engine counted them (``measured``) or not."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    basis: Basis


class Answer(Struct, frozen=True):
    """A whole answer.

    Attributes:
        text: what the model said.
        finish_reason: why it stopped (``stop``, ``length``, ``tool_calls``).
        usage: its tokens.
        receipt: where it ran, for how much; None when the pool gave none.
        job: its identifier.
    """

    text: str
    finish_reason: str
    usage: TokenUsage
    receipt: Receipt | None
    job: str


class Job(Struct, frozen=True):
    """A job as the pool knows it.

    Attributes:
        job: identifier.
        state: one of ``entraide.types.JobState``.
        code, message: why it failed or was refused, as a stable code and a sentence, else "".
        model, job_class: what was asked for.
        submitted_at, ended_at: seconds since the epoch; 0 for not yet.
        result: the OpenAI-shaped answer of a completed kept job, else None.
        receipt: its receipt, once there is one.
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
        """Whether nothing more will happen to it."""
        return self.state in ENDED

    @property
    def text(self) -> str:
        """The first choice's text in the result, or ""."""
        choices = (self.result or {}).get("choices") or [{}]
        message = choices[0].get("message") or {}
        return str(message.get("content") or choices[0].get("text") or "")


class ModelInfo(Struct, frozen=True):
    """A model that may be asked for.

    Attributes:
        model: its public name, or the name of a size (``petit``, ``moyen``, ``grand``, ``auto``).
        revisions: checksums of the weights.
        context_tokens: longest prompt plus answer.
        features: what it can do beyond text.
        replicas: how many machines serve it.
        loaded: whether any does; else one loads it when it is asked for.
        means: of a size, the model that it means now; else "".
    """

    model: str
    revisions: tuple[str, ...]
    context_tokens: int
    features: tuple[str, ...]
    replicas: int
    loaded: bool = True
    means: str = ""


class JobExplanation(Struct, frozen=True):
    """Why a job is where it is: in words, and as facts."""

    text: str
    explanation: Explanation

    def __str__(self) -> str:
        """Returns the words."""
        return self.text
