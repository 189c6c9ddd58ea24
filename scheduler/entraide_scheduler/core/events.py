"""Events: all that the core ever learns.

Each is *given* by the world or an *answer* to a command. ``id`` is the driver's serial number;
``at`` is the only clock the core knows, seconds since the epoch, never decreasing. An exact replay
feeds both kinds; a replay under another policy feeds only the given ones.
"""

from msgspec import Struct

from entraide.models import Catalogue
from entraide.types import EnergyStatus, Lending, NodeCard, Outcome, RequestFacts, Usage
from entraide_scheduler.core.policy import Period, Policy
from entraide_scheduler.core.quarantine import SenderKind


class BaseEvent(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """What every event carries (a common head, no behaviour)."""

    id: int
    at: float


# Given.


class SchedulerStarted(BaseEvent, frozen=True, tag="started"):
    """The scheduler (re)started. Jobs that lived with its own gateway are over.

    Attributes:
        incarnation: how many times it has started; epochs begin at ``incarnation * 2**20``.
        gateway: the gateway inside it, whose live jobs died with it.
    """

    incarnation: int
    gateway: str


class PolicyChanged(BaseEvent, frozen=True, tag="policy"):
    """A policy came into force."""

    policy: Policy


class PeriodBegan(BaseEvent, frozen=True, tag="period"):
    """A calendar period began: its quotas start again."""

    period: Period
    ends_at: float


class IntensityChanged(BaseEvent, frozen=True, tag="intensity"):
    """The grid's intensity in a zone, location-based hourly average, gCO2e/kWh.

    ``basis`` is ``default`` for an annual average. After ``valid_until`` the core asks the shell
    for nothing: the shell has sent the annual average by then.
    """

    zone: str
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: str
    valid_until: float


class ForecastIssued(BaseEvent, frozen=True, tag="forecast"):
    """A forecast of a zone's intensity: a signal with an issue time, gCO2e/kWh.

    A later issue for the same zone replaces it.

    Attributes:
        zone: grid zone.
        issued_at: when it was made, seconds since the epoch.
        start_at: begin of its first hour, seconds since the epoch.
        direct_g_per_kwh, lifecycle_g_per_kwh: one value for each hour from there on; the latter
            may be empty.
    """

    zone: str
    issued_at: float
    start_at: float
    direct_g_per_kwh: tuple[float, ...]
    lifecycle_g_per_kwh: tuple[float, ...] = ()


class LedgerCorrected(BaseEvent, frozen=True, tag="corrected"):
    """The members correct the books: a new entry, never a change of an old one.

    The same correction twice changes nothing. Amounts are what the lender gave the borrower;
    negative ones take back.
    """

    correction: str
    lender: str
    borrower: str
    tokens: int
    energy_uwh: int
    carbon_ug: int
    reason: str


class CatalogueChanged(BaseEvent, frozen=True, tag="catalogue"):
    """The pool's catalogue of models, for the first time or another one."""

    catalogue: Catalogue


class LoadAsked(BaseEvent, frozen=True, tag="load-asked"):
    """The operator wants a node to load a model; what the node does not offer is not done."""

    node: str
    model: str


class UnloadAsked(BaseEvent, frozen=True, tag="unload-asked"):
    """The operator wants a model that was loaded at the pool's word to be unloaded."""

    node: str
    model: str


class NodeJoined(BaseEvent, frozen=True, tag="joined"):
    """An approved node said hello, for the first time, again, or with a new card.

    Attributes:
        card: what it says of itself, its times corrected to our clock.
        accepting: whether it takes new work now.
        reason: stable code why not, or "".
        lending: for whose work.
        boot: identifier of this run of its agent; "" when nobody said.
        peak_w: the most that its device draws by the hardware catalogue; 0 where nobody knows.
        held: the runs that it holds, or whose reports wait for a receipt, as (job, epoch).
    """

    card: NodeCard
    accepting: bool
    reason: str
    lending: Lending = Lending.ALL
    boot: str = ""
    peak_w: float = 0.0
    held: tuple[tuple[str, int], ...] = ()


class NodeChanged(BaseEvent, frozen=True, tag="changed"):
    """A heartbeat that changed something."""

    node: str
    accepting: bool
    reason: str
    energy: EnergyStatus | None
    lending: Lending = Lending.ALL


class NodesSeen(BaseEvent, frozen=True, tag="seen"):
    """The nodes whose heartbeats of the last second changed nothing, sorted."""

    nodes: tuple[str, ...]


class NodeLeft(BaseEvent, frozen=True, tag="left"):
    """A node said goodbye, or was revoked (``reason``: ``goodbye`` or ``revoked``)."""

    node: str
    reason: str


class GatewayLost(BaseEvent, frozen=True, tag="gateway-lost"):
    """A gateway is gone; its live jobs end, its kept jobs do not."""

    gateway: str


class JobRequested(BaseEvent, frozen=True, tag="requested"):
    """A gateway asks for a job. The same job id twice changes nothing."""

    facts: RequestFacts


class JobCancelled(BaseEvent, frozen=True, tag="cancelled"):
    """Its owner cancelled the job, or the client went away (``reason`` is an error code)."""

    job: str
    reason: str


class Woke(BaseEvent, frozen=True, tag="woke"):
    """A deadline that the core asked for has come."""


class SenderQuarantined(BaseEvent, frozen=True, tag="quarantined"):
    """A sender is put in quarantine: its messages do not count until the operator clears it.

    Attributes:
        kind, name: the node or API key.
        reason: stable code, see ``quarantine``.
        detail: what exactly, or "".
        ends_work: whether a node's leases and a key's waiting jobs end at once. Without it the node
            counts as silent, and the jobs stay.
    """

    kind: SenderKind
    name: str
    reason: str
    detail: str = ""
    ends_work: bool = True


class QuarantineCleared(BaseEvent, frozen=True, tag="quarantine-cleared"):
    """The operator takes a node or API key out of quarantine."""

    kind: SenderKind
    name: str


class DeadlineDropped(BaseEvent, frozen=True, tag="deadline-dropped"):
    """The core failed on a deadline, repeatedly: it is not done any more.

    Attributes:
        kind, name: as in ``Deadlines``.
    """

    kind: str
    name: str


# Answers.


class RunAccepted(BaseEvent, frozen=True, tag="accepted"):
    """The node took the run."""

    job: str
    epoch: int
    node: str


class RunDeclined(BaseEvent, frozen=True, tag="declined"):
    """The node did not take the run, or gave it back before its first token.

    Attributes:
        code: ``full``, ``draining``, ``not_loaded``, ``stale``, or a code that ends the job
            (``context_exceeded``, ``engine_refused``).
        values: the numbers behind it.
    """

    job: str
    epoch: int
    node: str
    code: str
    values: dict[str, str | int | float]


class RunProgressed(BaseEvent, frozen=True, tag="progressed"):
    """A sign of life of a run: output tokens so far (also 0, while it prefills)."""

    job: str
    epoch: int
    node: str
    output_tokens: int


class RunReported(BaseEvent, frozen=True, tag="reported"):
    """The node's usage report: the run is over. It may come again until it is acknowledged.

    Attributes:
        outcome: how the run ended on the node.
        code: stable error code when it failed, else "".
        delivered: for a failed run, whether some output had been sent.
        beside: where its engine exited, how many other runs the engine had then.
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
    """A gateway got more of a run than its lease grants, and has ended the client's answer.

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
    """The gateway cannot go on with a placement.

    ``code`` is ``stream_broken`` or ``engine_failed`` (the client already has part of the answer:
    the job ends), ``answer_invalid`` (it has none: the job runs again) or ``gateway_lost``. It
    answers a ``HeapItem``.
    """

    job: str
    epoch: int
    code: str


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
    | NodeLeft
    | GatewayLost
    | JobRequested
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
    | RunReported
    | RunExceeded
    | JobAbandoned
    | LoadFailed
)
Event = Given | Answer
