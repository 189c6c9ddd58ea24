"""Views: JSON of jobs, models and the pool's status. Pure.

Each reason has its code and its sentence in both languages.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct, structs

from entraide import i18n
from entraide.types import Receipt
from entraide.wire.cards import ModelCard
from entraide_scheduler.gateway import refusals
from entraide_scheduler.gateway.kept_jobs import CANCELLED
from entraide_scheduler.gateway.options import parse_creation_time
from entraide_scheduler.gateway.phases import JobPhase
from entraide_scheduler.gateway.recent_jobs import EndedJob
from entraide_scheduler.gateway.refusals import ErrorReply
from entraide_scheduler.gateway.running_jobs import RunningJob
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
    receipt: Raw | None = None
    result: Raw | None = None


def kept_job_status(
    row: KeptJobRow, running: RunningJob | None, lang: str, result: bytes = b""
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
        message=refusals.error_sentence(ErrorReply(row.code), lang) if row.code else "",
        receipt=Raw(row.receipt_json) if row.receipt_json else None,
        result=Raw(result) if result else None,
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


def ended_job_status(job: EndedJob, lang: str, receipt: Receipt | None = None) -> JobStatus:
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
        message=refusals.error_sentence(ErrorReply(job.code), lang) if job.code else "",
        receipt=Raw(receipt_json(receipt)) if receipt is not None else None,
    )


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


def model_entry(card: ModelCard, pool: str) -> dict[str, object]:
    """Returns a model in OpenAI's and Anthropic's format, with additional fields of the pool."""
    return {
        "id": card.model,
        "object": "model",
        "type": "model",
        "display_name": card.model,
        "created": 0,
        "created_at": "1970-01-01T00:00:00Z",
        "owned_by": pool,
        "context_tokens": card.context_tokens,
        "features": card.features,
        "replicas": card.replicas,
        "revisions": card.revisions,
        "loaded": card.loaded,
        **({"means": card.means} if card.means else {}),
        "entraide": {
            "features": card.features,
            "context_tokens": card.context_tokens,
            "zones": card.zones,
            "controlled_by": card.controlled_by,
            "replicas": card.replicas,
            "loaded": card.loaded,
            "means": card.means,
        },
    }


class NodeStatus(Struct, frozen=True):
    """Public status of a node, for the status page."""

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
    """Public status of the pool, for the status page."""

    queued: int
    running: int
    policy_version: str
    nodes: tuple[NodeStatus, ...]


class Sentences(Struct, frozen=True):
    """A sentence in both languages."""

    fr: str
    en: str


class PublicNode(Struct, frozen=True):
    """A node as anybody may see it: ``reason_text`` says why it takes no jobs, or is empty."""

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
    """The pool as anybody may see it; counts are null while the scheduler is not known."""

    pool: str
    at: float
    queued: int | None
    running: int | None
    policy_version: str | None
    models: list[PublicModel]
    nodes: list[PublicNode]


def status_json(
    status: PoolStatus | None, models: Sequence[ModelCard], *, pool: str, at: float
) -> bytes:
    """Returns the pool's status as JSON, with reasons and zone names in both languages."""
    shown = PublicStatus(
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
        nodes=[_public_node(node) for node in (status.nodes if status is not None else ())],
    )
    return msgspec.json.encode(shown)


def _public_node(node: NodeStatus) -> PublicNode:
    zone = {lang: i18n.zone_name(node.zone, lang) for lang in i18n.LANGUAGES}
    reason = {
        lang: i18n.node_reason(node.reason, lang) if node.reason else "" for lang in i18n.LANGUAGES
    }
    return PublicNode(
        **structs.asdict(node), zone_name=Sentences(**zone), reason_text=Sentences(**reason)
    )
