"""Views: JSON of jobs, models and the pool's status. Pure.

Each reason has its code and its sentence in both languages.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, structs

from entraide import i18n
from entraide.types import Basis, Receipt
from entraide.wire.cards import ModelCard
from entraide_scheduler.gateway.answers import Sentences, in_both
from entraide_scheduler.gateway.jobs.kept_jobs import CANCELLED
from entraide_scheduler.gateway.jobs.options import parse_creation_time
from entraide_scheduler.gateway.jobs.phases import JobPhase
from entraide_scheduler.gateway.jobs.recent_jobs import EndedJob
from entraide_scheduler.gateway.jobs.running_job import RunningJob
from entraide_scheduler.gateway.refusals import ErrorReply, refusals
from entraide_scheduler.store.rows import KeptJobRow

REFUSED_STATUS = frozenset({400, 403, 404, 413, 429})


class JobStatus(Struct, frozen=True, omit_defaults=True):
    """Status of a job for its owner; times are seconds since the epoch."""

    id: str
    object: str
    kind: str
    state: str
    model: str
    job_class: str
    submitted_at: float = 0.0
    ended_at: float = 0.0
    expires_at: float = 0.0
    code: str = ""
    message: str = ""
    message_fr: str = ""
    receipt: Raw | None = None
    result: Raw | None = None


def kept_job_status(
    row: KeptJobRow, running: RunningJob | None, langs: str, result: bytes = b""
) -> JobStatus:
    """Returns the status of a kept job."""
    state = row.state
    if state == "queued" and running is not None:
        state = "active"
    return JobStatus(
        id=row.job,
        object="job",
        kind="kept",
        state=state,
        model=row.model,
        job_class=row.job_class,
        submitted_at=row.submitted_at,
        ended_at=row.ended_at,
        expires_at=row.ended_at + row.keep_s if row.ended_at else 0.0,
        code=row.code,
        receipt=Raw(row.receipt_json) if row.receipt_json else None,
        result=Raw(result) if result else None,
        message=_message(row.code, langs, "message"),
        message_fr=_message(row.code, langs, "message_fr"),
    )


def running_job_status(job: RunningJob) -> JobStatus:
    """Returns the status of a live job that has not ended."""
    return JobStatus(
        id=job.facts.job,
        object="job",
        kind=job.facts.kind,
        state="queued" if job.phase is JobPhase.WAITING else "active",
        model=job.facts.model,
        job_class=job.facts.job_class,
        submitted_at=parse_creation_time(job.facts.job),
    )


def ended_job_status(job: EndedJob, langs: str, receipt: Receipt | None = None) -> JobStatus:
    """Returns the status of a recently ended live job, with its settled receipt if known."""
    return JobStatus(
        id=job.facts.job,
        object="job",
        kind=job.facts.kind,
        state=ended_state(job.code),
        model=job.facts.model,
        job_class=job.facts.job_class,
        submitted_at=parse_creation_time(job.facts.job),
        ended_at=job.ended_at,
        code=job.code,
        receipt=Raw(receipt_json(receipt)) if receipt is not None else None,
        message=_message(job.code, langs, "message"),
        message_fr=_message(job.code, langs, "message_fr"),
    )


def _message(code: str, langs: str, field: str) -> str:
    return refusals.error_messages(ErrorReply(code), langs).get(field, "") if code else ""


def ended_state(code: str) -> str:
    """Returns the final state of a job by its error code ("" for none)."""
    if not code:
        return "completed"
    if code in CANCELLED or code == "client_too_slow":
        return "cancelled"
    return "refused" if refusals.http_status(ErrorReply(code)) in REFUSED_STATUS else "failed"


def receipt_json(receipt: Receipt) -> bytes:
    """Returns a receipt as JSON."""
    return msgspec.json.encode(receipt)


class JobList(Struct, frozen=True):
    """Jobs, newest first."""

    data: list[JobStatus]
    object: Literal["list"] = "list"


class TokenCountBasis(Struct, frozen=True):
    """How the tokens were obtained."""

    basis: Basis = Basis.ESTIMATED


class TokenCount(Struct, frozen=True):
    """Prompt tokens of a request, as the pool estimates them."""

    input_tokens: int
    entraide: TokenCountBasis


class ModelPoolFields(Struct, frozen=True):
    """The pool's own fields of a model; ``openness`` by the Model Openness Framework."""

    features: tuple[str, ...]
    context_tokens: int
    zones: tuple[str, ...]
    controlled_by: tuple[str, ...]
    replicas: int
    loaded: bool
    means: str
    openness: str


class OfferedModel(Struct, frozen=True, kw_only=True):
    """A model that requests may name, in OpenAI's and Anthropic's form with fields of the pool."""

    id: str
    object: Literal["model"] = "model"
    type: Literal["model"] = "model"
    display_name: str
    created: int
    created_at: str
    owned_by: str
    context_tokens: int
    features: tuple[str, ...]
    replicas: int
    revisions: tuple[str, ...]
    loaded: bool
    means: str | UnsetType = UNSET
    entraide: ModelPoolFields


class ModelList(Struct, frozen=True):
    """The models that requests may name."""

    data: list[OfferedModel]
    object: Literal["list"] = "list"


def model_entry(card: ModelCard, pool: str) -> OfferedModel:
    """Returns a model in OpenAI's and Anthropic's format, with additional fields of the pool."""
    return OfferedModel(
        id=card.model,
        display_name=card.model,
        created=int(card.pinned_at),
        created_at=datetime.fromtimestamp(int(card.pinned_at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        owned_by=pool,
        context_tokens=card.context_tokens,
        features=card.features,
        replicas=card.replicas,
        revisions=card.revisions,
        loaded=card.loaded,
        means=card.means or UNSET,
        entraide=ModelPoolFields(
            features=card.features,
            context_tokens=card.context_tokens,
            zones=card.zones,
            controlled_by=card.controlled_by,
            replicas=card.replicas,
            loaded=card.loaded,
            means=card.means,
            openness=card.openness,
        ),
    )


class NodeStatus(Struct, frozen=True):
    """Status of a node, for members."""

    node: str
    coop: str
    site: str
    zone: str
    state: str
    accepting: bool
    reason: str
    surplus_w: float
    models: tuple[str, ...]
    slots: int
    running: int


class PoolStatus(Struct, frozen=True):
    """Status of the pool, for members."""

    queued: int
    running: int
    policy_version: str
    nodes: tuple[NodeStatus, ...]


class PublicNode(Struct, frozen=True):
    """A node as members see it: ``reason_text`` says why it takes no jobs, or is empty."""

    node: str
    coop: str
    site: str
    zone: str
    state: str
    accepting: bool
    reason: str
    surplus_w: float
    models: tuple[str, ...]
    slots: int
    running: int
    zone_name: Sentences
    reason_text: Sentences


class PublicModel(Struct, frozen=True):
    """A model that is served now; ``context`` in tokens."""

    model: str
    replicas: int
    context: int


class PublicStatus(Struct, frozen=True):
    """The pool as its members see it.

    Strangers learn its name only. Counts are null for them, and while the scheduler is not known.
    """

    pool: str
    at: float
    queued: int | None
    running: int | None
    policy_version: str | None
    models: list[PublicModel]
    nodes: list[PublicNode]


def status_view(
    status: PoolStatus | None, models: Sequence[ModelCard], *, pool: str, at: float
) -> PublicStatus:
    """Returns the pool's status, with reasons and zone names in both languages."""
    return PublicStatus(
        pool=pool,
        at=at,
        queued=status.queued if status else None,
        running=status.running if status else None,
        policy_version=status.policy_version if status else None,
        models=[
            PublicModel(card.model, card.replicas, card.context_tokens)
            for card in models
            if card.loaded and not card.means
        ],
        nodes=[_public_node(node) for node in status.nodes] if status is not None else [],
    )


def _public_node(node: NodeStatus) -> PublicNode:
    return PublicNode(
        **structs.asdict(node),
        zone_name=in_both(partial(i18n.zone_name, node.zone)),
        reason_text=in_both(
            lambda lang: i18n.node_reason(node.reason, lang) if node.reason else ""
        ),
    )
