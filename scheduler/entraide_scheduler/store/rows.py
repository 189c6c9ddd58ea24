"""Rows: what the store takes and gives back, as frozen structs."""

from msgspec import Struct

from entraide.types import JobState, Receipt, RequestFacts, Settlement, Terms, Usage
from entraide_scheduler.core.commands import Entry


class KeyRow(Struct, frozen=True):
    """An API key, without its secret.

    Attributes:
        key: identifier, safe to show.
        coop, project: whose it is.
        label: what its owner calls it.
        revoked: whether it is refused.
    """

    key: str
    coop: str
    project: str
    label: str
    revoked: bool = False


class NodeRow(Struct, frozen=True):
    """A node that joined, as the pool knows it (never the node's own word).

    Attributes:
        node: identifier.
        coop, site, zone: whose machine it is, and where.
        public_key: its user key on the bus (``U…``).
        approval: ``approved`` or ``revoked``.
        jwt_issued_at: when its newest identity token was issued.
        jwt_expires_at: when that one expires.
        device: identifier in the hardware catalogue with which it was approved; "" until its first
            hello after that.
    """

    node: str
    coop: str
    site: str
    zone: str
    public_key: str
    approval: str
    jwt_issued_at: float = 0.0
    jwt_expires_at: float = 0.0
    device: str = ""


class KeptJobRow(Struct, frozen=True):
    """A kept job: its request, and its result once it has ended, both sealed.

    Attributes:
        job, coop, key, model, job_class: what was asked, by whom.
        facts: the core's view of the request.
        sealed_body: the request, sealed.
        path: the HTTP path that the request is meant for.
        submitted_at: when it was accepted.
        keep_s: how long the result stays once the job ended.
        idempotency: the caller's idempotency key, or "".
        state, code: how it ended; ``queued`` until then.
        sealed_result: the answer, sealed; empty until then.
        receipt_json: the receipt that came with the answer.
        ended_at: 0 until then.
    """

    job: str
    coop: str
    key: str
    model: str
    job_class: str
    facts: RequestFacts
    sealed_body: bytes
    path: str
    submitted_at: float
    keep_s: float
    idempotency: str = ""
    state: str = "queued"
    code: str = ""
    sealed_result: bytes = b""
    receipt_json: bytes = b""
    ended_at: float = 0.0


class CorrectionRow(Struct, frozen=True):
    """A correction of the books; its entries sum to zero in each unit.

    Attributes:
        correction: what the members call it.
        reason: why, in their words.
        at: when it was posted.
        entries: its lines.
    """

    correction: str
    reason: str
    at: float
    entries: tuple[Entry, ...]


class SettlementRow(Struct, frozen=True):
    """The books of one job; its entries sum to zero in each unit."""

    job: str
    coop: str
    state: JobState
    terms: Terms
    usage: Usage
    settlement: Settlement
    receipt: Receipt
    entries: tuple[Entry, ...]
