"""Rows of the store, as frozen structs."""

from enum import StrEnum

from msgspec import Struct

from entraide.types import (
    Control,
    DataClass,
    JobState,
    Receipt,
    RequestFacts,
    Settlement,
    SurplusEvidence,
    Terms,
    Usage,
)
from entraide_scheduler.core.commands import Entry


class KeyRow(Struct, frozen=True):
    """An API key, without its secret.

    Attributes:
        key: identifier, safe to show.
        coop, project: owner of the key.
        label: name given by the owner.
        revoked: whether the key is refused.
    """

    key: str
    coop: str
    project: str
    label: str
    revoked: bool = False


REVOKED = "revoked"  # approval of a node whose key was revoked


class NodeRow(Struct, frozen=True):
    """A node that joined, by the pool's record.

    Attributes:
        node: identifier.
        coop, site, zone: owner and location of the machine; zone "" until the operator names it.
        public_key: its user key on the bus (``U…``).
        approval: ``approved``, ``waiting`` (for the operator) or ``revoked``.
        jwt_issued_at: issue time of its newest JWT, seconds since the epoch.
        jwt_expires_at: expiry of that JWT, seconds since the epoch.
        device: approved identifier in the hardware catalogue; "" until the first hello after
            the approval.
        controlled_by: who controls the owner, as the operator vouches.
        data_classes: data classes that the operator vouched for, of which the owner offers some
            or all; empty where the operator set no limit.
        sealing_key: public X25519 key of the node, base64, for which prompts will be sealed; ""
            if it joined without one.
        surplus_evidence: what backs the surplus that it reports, as the operator vouches.
        evidence_document: name of the document or meter that the operator saw; "" without one.
        vouched_at: when the operator last vouched for it, seconds since the epoch; 0 where that is
            not known.
        vouched_by: who did; "" at its joining.
        said_zone: zone that the machine's owner named, which counts nowhere; "" for none.
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
    controlled_by: Control = Control.UNSTATED
    data_classes: tuple[DataClass, ...] = ()
    sealing_key: str = ""
    surplus_evidence: SurplusEvidence = SurplusEvidence.NONE
    evidence_document: str = ""
    vouched_at: float = 0.0
    vouched_by: str = ""
    said_zone: str = ""


class TokenRefusal(StrEnum):
    """Why a join token cannot be used."""

    UNKNOWN = "unknown"
    USED = "used"
    EXPIRED = "expired"
    RESTORED = "restored"  # the pool was restored from a backup since, and it may have been used


class JoinTokenRow(Struct, frozen=True):
    """A join token, without its secret: what the operator vouches for.

    Attributes:
        coop: co-op of the machine that joins.
        expires_at: end of its validity, seconds since the epoch.
        site, zone: location of the machine; "" where the operator says nothing.
        controlled_by: who controls the owner.
        data_classes: the only data classes whose jobs the machine may take; empty for no limit.
        surplus_evidence, evidence_document: what backs its surplus; see ``NodeRow``.
        used_by: public key of the node that used it; "" while it is unused.
        created_at: when it was made, seconds since the epoch.
    """

    coop: str
    expires_at: float
    site: str = ""
    zone: str = ""
    controlled_by: Control = Control.UNSTATED
    data_classes: tuple[DataClass, ...] = ()
    surplus_evidence: SurplusEvidence = SurplusEvidence.NONE
    evidence_document: str = ""
    used_by: str = ""
    created_at: float = 0.0

    @property
    def vouches(self) -> bool:
        """Whether the operator says more by it than whose machine joins."""
        words = self.site, self.zone, self.controlled_by, self.data_classes, self.surplus_evidence
        return any(words)


class PolicyRow(Struct, frozen=True):
    """One version of the policy, without its document.

    Attributes:
        version: name of the version.
        at: when it came into force, seconds since the epoch; 0 where that is not known.
        author, reason: who put it into force, and why; "" for the first version.
    """

    version: str
    at: float = 0.0
    author: str = ""
    reason: str = ""


class GridZoneRow(Struct, frozen=True):
    """What the operator imported and chose for a zone.

    Attributes:
        zone: name of the zone.
        source: chosen source, a ``ZoneSource``, or ``configured``.
        series: the imported series, encoded; empty without one.
        file: name of the imported file.
        imported_at: time of the import, seconds since the epoch; 0 without one.
    """

    zone: str
    source: str
    series: bytes = b""
    file: str = ""
    imported_at: float = 0.0


class KeptJobRow(Struct, frozen=True):
    """A kept job: its request, and its result once it has ended, both encrypted.

    Attributes:
        job, coop, key, model, job_class: identifier, owner and kind of the job.
        facts: the core's view of the request.
        sealed_body: the encrypted request; empty once the job was cancelled.
        path: HTTP path of the request.
        submitted_at: time of submission, seconds since the epoch.
        keep_s: retention of the result after the end, seconds.
        idempotency: the caller's idempotency key, or "".
        state, code: final state and error code; ``queued`` until the end.
        sealed_result: the encrypted answer; empty until the end.
        receipt_json: receipt of the answer, as JSON.
        ended_at: time of the end, seconds since the epoch; 0 until then.
        batch, line: the batch whose line the job is, and the line's number; "" and 0 for none.
        sealed_name: the line's ``custom_id``, as JSON, encrypted.
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
    batch: str = ""
    line: int = 0
    sealed_name: bytes = b""


class FileRow(Struct, frozen=True):
    """A file that a co-op sent, without its content, which is in sealed parts.

    Attributes:
        file, coop, project, key: identifier, and who sent the file.
        purpose: what the file is for.
        sealed_name: the file's name, encrypted.
        bytes: size of the content so far.
        complete: whether all of the content has arrived.
        created_at, expires_at: seconds since the epoch.
        places: of a gateway elsewhere that it passed, encoded.
    """

    file: str
    coop: str
    project: str
    key: str
    purpose: str
    sealed_name: bytes
    created_at: float
    expires_at: float
    places: bytes = b""
    bytes: int = 0
    complete: bool = False


class BatchProgress(Struct, frozen=True):
    """What of a batch's input is requested.

    Attributes:
        line: number of the last line that was requested; 0 before the first.
        requested: how many lines were requested; empty lines do not count.
        part, offset: where the next line begins in the input: number of the part, and byte in it.
        input_tokens, output_tokens: of the lines after it, estimated.
        facts: of a typical line, with the features that any line needs; None before the input was
            checked.
        wishes: the jurisdictions and controls that lines name and the pool's server satisfies.
    """

    line: int = 0
    part: int = 0
    offset: int = 0
    requested: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    facts: RequestFacts | None = None
    wishes: tuple[tuple[str, Control], ...] = ()


class BatchRow(Struct, frozen=True):
    """A batch; times are seconds since the epoch, and 0 for what has not happened.

    Attributes:
        batch, coop, project, key: identifier, and who sent the batch.
        endpoint: HTTP path of its requests.
        input_file: file with its requests.
        options: the pool's own options of all requests, encoded.
        sealed_metadata: the client's own names and values, encrypted.
        lang: language of the errors in its results.
        created_at: when it was sent.
        deadline_at: when what has not ended expires.
        keep_s: how long its results are kept after its end, seconds.
        state: see the gateway's table of a batch's states.
        started_at, finalizing_at, cancelling_at, ended_at: when it came into a state.
        expires_at: when it and its results are deleted.
        lines, completed, failed: number of its requests, and of those with an answer or an error.
        progress: what of its input is requested.
        sealed_faults: why the input was refused, encrypted: it quotes the input.
        expected: when it is expected to run, encoded; empty before that is known.
        outcome: what it used in the end, encoded; empty before.
        places: of the gateways elsewhere that it and its file passed, encoded.
    """

    batch: str
    coop: str
    project: str
    key: str
    endpoint: str
    input_file: str
    options: bytes
    sealed_metadata: bytes
    lang: str
    created_at: float
    deadline_at: float
    keep_s: float
    state: str = "validating"
    started_at: float = 0.0
    finalizing_at: float = 0.0
    cancelling_at: float = 0.0
    ended_at: float = 0.0
    expires_at: float = 0.0
    lines: int = 0
    completed: int = 0
    failed: int = 0
    progress: BatchProgress = BatchProgress()
    sealed_faults: bytes = b""
    expected: bytes = b""
    outcome: bytes = b""
    places: bytes = b""


class BatchResultRow(Struct, frozen=True):
    """The result of one line of a batch.

    Attributes:
        batch, line: identifier of the batch, and number of the line from 1.
        job: identifier of the job that ran the line.
        code: stable error code; "" for an answer.
        sealed_name: the line's ``custom_id``, as JSON, encrypted.
        sealed_result: the answer, encrypted; empty for an error.
        position: order in which the batch's lines ended, from 1; set by the store.
    """

    batch: str
    line: int
    job: str
    code: str
    sealed_name: bytes
    sealed_result: bytes = b""
    position: int = 0


class CorrectionRow(Struct, frozen=True):
    """A correction of the ledger; its entries sum to zero in each unit.

    Attributes:
        correction: name given by the members.
        reason: reason given by the members.
        at: time of posting, seconds since the epoch.
        entries: ledger entries.
    """

    correction: str
    reason: str
    at: float
    entries: tuple[Entry, ...]


class EarlierSettlement(Struct, frozen=True):
    """The settlement of an earlier run of a job whose answer was resumed."""

    terms: Terms
    usage: Usage
    settlement: Settlement
    entries: tuple[Entry, ...]


class SettlementRow(Struct, frozen=True):
    """The settlement of one job; its entries sum to zero in each unit.

    Attributes:
        job, coop, state: the job, who sent it, and its final state.
        terms, usage, settlement, entries: of the run that ended it, or of its only run.
        receipt: of the whole answer, unsigned.
        key, project: of the sender; "" where they are no longer known.
        earlier: its earlier runs, oldest first.
        idempotency: keyed hash of its idempotency key, or "".
    """

    job: str
    coop: str
    state: JobState
    terms: Terms
    usage: Usage
    settlement: Settlement
    receipt: Receipt
    entries: tuple[Entry, ...]
    key: str = ""
    project: str = ""
    earlier: tuple[EarlierSettlement, ...] = ()
    idempotency: str = ""
