"""Events: all inputs of the core.

An event is *given* by the world or an *answer* to a command. ``id`` is the driver's serial number;
``at`` is the core's only clock, seconds since the epoch, never decreasing. An exact replay feeds
both kinds; a replay under another policy feeds the given events only.
"""

from msgspec import Struct

from entraide.models import Catalogue
from entraide.types import (
    Control,
    EnergyStatus,
    Lending,
    NodeCard,
    Outcome,
    RequestFacts,
    SurplusEvidence,
    Usage,
)
from entraide_scheduler.core.policy import Period, Policy
from entraide_scheduler.core.records import DeadlineKind, SenderKind

UNNUMBERED = (0, 0.0)  # id and time of an event until a driver, which sets both, feeds it


class BaseEvent(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Fields of every event."""

    id: int
    at: float


# Given.


class SchedulerStarted(BaseEvent, frozen=True, tag="started"):
    """The scheduler started. The live jobs of its own gateway end.

    Attributes:
        incarnation: number of starts so far; epochs begin at ``incarnation * 2**20``.
        gateway: the gateway in the same process.
        answered: its kept jobs whose answers are stored and whose settlements are not. Their runs
            are not repeated: their nodes report the usage again.
    """

    incarnation: int
    gateway: str
    answered: tuple[str, ...] = ()


class PolicyChanged(BaseEvent, frozen=True, tag="policy"):
    """A policy came into force."""

    policy: Policy


class PeriodBegan(BaseEvent, frozen=True, tag="period"):
    """A calendar period began: its quotas are reset."""

    period: Period
    ends_at: float


class IntensityChanged(BaseEvent, frozen=True, tag="intensity"):
    """The grid's intensity in a zone, location-based hourly average, gCO2e/kWh.

    ``basis`` is ``default`` for an annual average. By ``valid_until`` the shell sends the next
    value, or the annual average.
    """

    zone: str
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: str
    valid_until: float


class ForecastIssued(BaseEvent, frozen=True, tag="forecast"):
    """A forecast of a zone's intensity was issued, gCO2e/kWh.

    A later issue for the same zone replaces it.

    Attributes:
        zone: grid zone.
        issued_at: time of issue, seconds since the epoch.
        start_at: start of its first hour, seconds since the epoch.
        direct_g_per_kwh, lifecycle_g_per_kwh: one value for each hour from there on; the latter
            may be empty.
    """

    zone: str
    issued_at: float
    start_at: float
    direct_g_per_kwh: tuple[float, ...]
    lifecycle_g_per_kwh: tuple[float, ...] = ()


class LedgerCorrected(BaseEvent, frozen=True, tag="corrected"):
    """The members correct the ledger by a new entry.

    Repeating a correction changes nothing. Amounts are what the lender gave the borrower;
    negative amounts are taken back.
    """

    correction: str
    lender: str
    borrower: str
    tokens: int
    energy_uwh: int
    carbon_ug: int
    reason: str


class CatalogueChanged(BaseEvent, frozen=True, tag="catalogue"):
    """The pool's catalogue of models was loaded or replaced."""

    catalogue: Catalogue


class LoadAsked(BaseEvent, frozen=True, tag="load-asked"):
    """The operator asks a node to load a model; ignored if the node does not offer it."""

    node: str
    model: str


class UnloadAsked(BaseEvent, frozen=True, tag="unload-asked"):
    """The operator asks a node to unload a model that the pool had it load."""

    node: str
    model: str


class NodeJoined(BaseEvent, frozen=True, tag="joined"):
    """An approved node said hello: for the first time, again, or with a new card.

    Attributes:
        card: the node's card, with times corrected to the scheduler's clock.
        accepting: whether it accepts new work.
        reason: stable code why not, or "".
        lending: whose work it accepts.
        boot: identifier of the present run of its agent; "" if unknown.
        peak_w: maximum power of its device by the hardware catalogue, watts; 0 if unknown.
        held: runs (job, epoch) that it holds, or whose reports are not acknowledged.
    """

    card: NodeCard
    accepting: bool
    reason: str
    lending: Lending = Lending.ALL
    boot: str = ""
    peak_w: float = 0.0
    held: tuple[tuple[str, int], ...] = ()


class NodeChanged(BaseEvent, frozen=True, tag="changed"):
    """A heartbeat that changed something of a node."""

    node: str
    accepting: bool
    reason: str
    energy: EnergyStatus | None
    lending: Lending = Lending.ALL


class NodesSeen(BaseEvent, frozen=True, tag="seen"):
    """The nodes whose heartbeats of the last second changed nothing, sorted."""

    nodes: tuple[str, ...]


class NodeDisconnected(BaseEvent, frozen=True, tag="disconnected"):
    """The bus closed a node's connection: its agent exited, or its link was cut.

    The node may reconnect.
    """

    node: str


class BusLost(BaseEvent, frozen=True, tag="bus-lost"):
    """The scheduler lost its own connection to the bus, so that it hears no node."""


class NodeLeft(BaseEvent, frozen=True, tag="left"):
    """A node said goodbye, or was revoked (``reason``: ``goodbye`` or ``revoked``)."""

    node: str
    reason: str


class NodeForgotten(BaseEvent, frozen=True, tag="forgotten"):
    """The operator deleted the record of a node; ``number`` takes the place of its name."""

    node: str
    number: str


class NodeVouched(BaseEvent, frozen=True, tag="vouched"):
    """The operator vouches for a node in other words than before; its record has them, too.

    It changes nothing for a node that is not in the fleet: its card has them when it joins.

    Attributes:
        node: the node.
        controlled_by: who controls its owner.
        surplus_evidence: what backs its surplus.
        zone, site: where it is; zone "" for not named. None: as before.
    """

    node: str
    controlled_by: Control
    surplus_evidence: SurplusEvidence
    zone: str | None = None
    site: str | None = None


class GatewayLost(BaseEvent, frozen=True, tag="gateway-lost"):
    """A gateway is lost; its live jobs end, its kept jobs do not.

    Attributes:
        gateway: its identifier.
        sent: job, epoch and output tokens of the runs of which its clients have some, as it said.
    """

    gateway: str
    sent: tuple[tuple[str, int, int], ...] = ()


class JobRequested(BaseEvent, frozen=True, tag="requested"):
    """A gateway requests a job. Repeating a job id changes nothing."""

    facts: RequestFacts


class BatchStated(BaseEvent, frozen=True, tag="batch"):
    """A batch has this work that is not yet requested; replaces what was stated of it before.

    Attributes:
        facts: of a typical line that is left: its tokens are means, its features all that any line
            needs; ``job`` is the batch's identifier, ``deadline_at`` its deadline.
        lines: number of lines left; 0 for a batch that has ended or is requested in full.
    """

    facts: RequestFacts
    lines: int


class JobCancelled(BaseEvent, frozen=True, tag="cancelled"):
    """The owner cancelled the job, or the client disconnected (``reason`` is an error code)."""

    job: str
    reason: str


class Woke(BaseEvent, frozen=True, tag="woke"):
    """The time that the core gave as its next deadline has come."""


class SenderQuarantined(BaseEvent, frozen=True, tag="quarantined"):
    """A sender is put in quarantine: its messages are ignored until the operator clears it.

    Attributes:
        kind, name: the node or API key.
        reason: stable code, see ``quarantine``.
        detail: details of the reason, or "".
        ends_work: whether a node's leases and a key's waiting jobs end at once. If not, the node
            counts as silent and the jobs stay.
    """

    kind: SenderKind
    name: str
    reason: str
    detail: str = ""
    ends_work: bool = True


class QuarantineCleared(BaseEvent, frozen=True, tag="quarantine-cleared"):
    """The operator ended the quarantine of a node or API key."""

    kind: SenderKind
    name: str


class DeadlineDropped(BaseEvent, frozen=True, tag="deadline-dropped"):
    """The handler of a deadline raised repeatedly: the deadline is removed.

    Attributes:
        kind, name: as in ``Deadlines``.
    """

    kind: DeadlineKind
    name: str


# Answers.


class RunAccepted(BaseEvent, frozen=True, tag="accepted"):
    """A node accepted a run."""

    job: str
    epoch: int
    node: str


class RunDeclined(BaseEvent, frozen=True, tag="declined"):
    """A node declined a run, or returned it before its first token.

    Attributes:
        code: ``full``, ``draining``, ``not_loaded``, ``stale``, or a code that ends the job
            (``context_length_exceeded``, ``engine_refused``).
        values: numbers of the code's sentence.
    """

    job: str
    epoch: int
    node: str
    code: str
    values: dict[str, str | int | float]


class RunProgressed(BaseEvent, frozen=True, tag="progressed"):
    """A node reported a run's output tokens so far (0 during prefill)."""

    job: str
    epoch: int
    node: str
    output_tokens: int


class NodeBeat(BaseEvent, frozen=True, tag="beat"):
    """A heartbeat that lists the node's runs; or the first one that lists none again.

    Attributes:
        node: the node.
        runs: each run as (job, epoch, output tokens so far).
    """

    node: str
    runs: tuple[tuple[str, int, int], ...]


class RunReported(BaseEvent, frozen=True, tag="reported"):
    """A node sent a run's usage report, which ends the run; repeated until acknowledged.

    Attributes:
        outcome: how the run ended on the node.
        code: stable error code if it failed, else "".
        delivered: for a failed run, whether some output had been sent.
        beside: if its engine exited, the number of other runs in the engine.
    """

    job: str
    epoch: int
    node: str
    outcome: Outcome
    code: str
    delivered: bool
    usage: Usage
    beside: int = 0


class RunExceeded(BaseEvent, frozen=True, tag="exceeded"):
    """A gateway received more of a run than its lease grants, and ended the client's answer.

    Attributes:
        reason: stable code, see ``protocol_violations``.
        output_tokens: the gateway's own estimate of the answer.
    """

    job: str
    epoch: int
    node: str
    reason: str
    output_tokens: int


class JobAbandoned(BaseEvent, frozen=True, tag="abandoned"):
    """A gateway cannot use a placement.

    ``code`` is ``stream_broken`` or ``engine_failed`` (the client already has part of the answer:
    the job ends), ``answer_invalid`` (the job runs again, or is resumed), ``answer_broken`` (parts
    are missing: it is resumed), ``answer_complete`` (the earlier runs delivered all but the end) or
    ``gateway_lost``. It answers a ``Place``.
    """

    job: str
    epoch: int
    code: str


class AnswerResumed(BaseEvent, frozen=True, tag="resumed"):
    """A gateway says what its client has of the runs of an answer.

    It answers a ``Place`` of a job with earlier runs, as the gateway sends the run that continues
    the answer, or begins it again if nothing was delivered. While the job waits for a placement,
    and just before the report of a run that broke, it is what the gateway has said last.

    Attributes:
        job, epoch: the placement.
        delivered: for each such run, its epoch and the output tokens that the client has of it.
    """

    job: str
    epoch: int
    delivered: tuple[tuple[int, int], ...]


class LoadFailed(BaseEvent, frozen=True, tag="load-failed"):
    """A node could not load a model (``code`` is stable). It answers a ``LoadModel``."""

    node: str
    model: str
    code: str


Given = (
    SchedulerStarted
    | PolicyChanged
    | PeriodBegan
    | IntensityChanged
    | ForecastIssued
    | LedgerCorrected
    | CatalogueChanged
    | LoadAsked
    | UnloadAsked
    | NodeJoined
    | NodeChanged
    | NodesSeen
    | NodeDisconnected
    | BusLost
    | NodeLeft
    | NodeForgotten
    | NodeVouched
    | GatewayLost
    | JobRequested
    | BatchStated
    | JobCancelled
    | Woke
    | SenderQuarantined
    | QuarantineCleared
    | DeadlineDropped
)
Answer = (
    RunAccepted
    | RunDeclined
    | RunProgressed
    | NodeBeat
    | RunReported
    | RunExceeded
    | JobAbandoned
    | AnswerResumed
    | LoadFailed
)
Event = Given | Answer
