"""Cards: small structs inside messages, which the gateway shows to clients.

A field is only added at the end, with a default.
"""

from msgspec import Struct

from entraide.models import TaskQuality
from entraide.types import Terms, Usage


class QuotaLeft(Struct, frozen=True, array_like=True):
    """What a quota leaves to the sender of a job.

    Attributes:
        kind: ``requests`` or ``tokens``.
        limit, left: of the present period.
        reset_s: time until the period ends, seconds.
    """

    kind: str
    limit: int
    left: int
    reset_s: float


class JobWait(Struct, frozen=True, array_like=True):
    """Why a live job waits.

    Attributes:
        job: its identifier.
        reason: stable code of the reason.
        position: its place in line, from 1 on.
        retry_after_s: time until it is expected to start, seconds; None where nobody knows.
    """

    job: str
    reason: str
    position: int
    retry_after_s: float | None = None


class ModelCard(Struct, frozen=True, array_like=True):
    """A model that requests may name.

    Attributes:
        model: its public name, or an alias (a size).
        revisions: checksums of the weights.
        context_tokens: the longest context offered.
        features: its features beyond text.
        replicas: number of nodes that serve it.
        loaded: whether a node serves it; if not, a node loads it on request.
        means: for an alias, the model that it stands for now; else "".
        zones: zones of the nodes that serve it, or that can load it.
        controlled_by: who controls these nodes, where it is stated.
        pinned_at: when its weights were pinned, seconds since the epoch; 0 if they were not.
        quality: measured quality by task and language.
        openness: class by the Model Openness Framework, as ``open-model``; "" if not stated.
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


class EarlierRun(Struct, frozen=True, array_like=True):
    """A run that was lost in mid-answer, and that another run continues.

    Attributes:
        terms: its terms.
        usage: as its node reported it, within its lease; else estimated.
        code: stable code of why it ended.
    """

    terms: Terms
    usage: Usage
    code: str
