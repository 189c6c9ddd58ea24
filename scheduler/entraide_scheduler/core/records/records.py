"""Records: the core's mutable records of jobs, leases and nodes.

Only the core's modules change them. A snapshot encodes them as they are, so they hold plain data;
their field names are part of the snapshot's format.
"""

from msgspec import Struct, field

from entraide.models import OpennessClass
from entraide.types import (
    Control,
    DataClass,
    EnergyStatus,
    Explanation,
    JobState,
    Lending,
    Loadable,
    NodeCard,
    NodeState,
    Replica,
    RequestFacts,
    Terms,
    Usage,
)
from entraide_scheduler.core.estimation import AvailabilityProfile, PerformanceModel
from entraide_scheduler.core.policy import Period, QuotaKind
from entraide_scheduler.core.records.batch_work import BatchWork
from entraide_scheduler.core.records.charges import RunCharge
from entraide_scheduler.core.records.probation import Probation
from entraide_scheduler.core.records.state_machines import (
    JOB,
    LEASE,
    MODEL_LOAD,
    NODE,
    REPLICA,
    LeaseState,
    ModelLoadState,
    ReplicaState,
)


class Shape(Struct, frozen=True, gc=False):
    """All properties that decide which nodes may run a job; equal shapes fit the same nodes.

    Attributes:
        model, features, jurisdiction, data_class: as the job asks.
        coop: the job's co-op if the rules depend on it, else "".
        context_tokens: the smallest context length in the fleet that holds the job.
        batch: whether its class may hold only a share of a node's slots.
        green_h: latest start of a job that may wait for greener hours, as expected when it was
            admitted, in hours since the epoch; 0 otherwise.
        limited: whether a carbon cap, a quota of energy or carbon, or another co-op's limit on
            lent energy applies. The amount is not part of the shape: such jobs are evaluated one
            by one.
        alone: the job's id if it must have an engine to itself; else "".
        capped: whether it has a carbon cap of its own.
        controlled_by: control that the node must have, or a closer one.
        revision: of the model, if an answer is resumed that this revision began; else "".
        rationed: whether it is ``internal`` and the pool has newcomers, to which its text is given
            in part only.
        openness, model_openness: class that the model must reach, and the class that it has; both
            "" where none is required.
        open_revisions: checksums of the model's weights if they reach the class.
        sandboxed: whether the node's engines must run in a sandbox.
    """

    model: str
    features: tuple[str, ...]
    jurisdiction: str
    data_class: DataClass
    coop: str
    context_tokens: int
    batch: bool = False
    green_h: int = 0
    limited: bool = False
    alone: str = ""
    capped: bool = False
    controlled_by: Control = Control.UNSTATED
    revision: str = ""
    rationed: bool = False
    openness: OpennessClass = OpennessClass.UNSTATED
    model_openness: OpennessClass = OpennessClass.UNSTATED
    open_revisions: tuple[str, ...] = ()
    sandboxed: bool = False


class Hold(Struct, frozen=True, gc=False):
    """A part of a quota that a job has reserved.

    Attributes:
        kind, period: which quota of the job's co-op.
        serial: number of the period; a hold on an ended period no longer counts.
        amount: in the quota's unit (tokens, jobs, uWh, ug).
        project, key: owner of the quota within the co-op; both "" for the co-op's own.
    """

    kind: QuotaKind
    period: Period
    serial: int
    amount: int
    project: str = ""
    key: str = ""


class Job(Struct, gc=False):
    """An admitted job, or a refused one that is kept for queries.

    Attributes:
        facts: from the gateway.
        state: see ``state_machines.JOB``.
        serial: order of arrival.
        requested_at: time of arrival, seconds since the epoch.
        output_tokens_max: reserved limit on each answer.
        context_tokens: context that one answer needs.
        shape: what decides which nodes may run it.
        wait: its share of the batch backlog while it waits for greener hours; else None.
        holds: quota reservations not yet settled.
        epoch: of its last placement; 0 before the first.
        attempts: placements so far.
        front: whether it goes first in its co-op's queue, because its run was lost.
        avoid: nodes that declined or lost it; other nodes are preferred.
        explanation: of its last placement or refusal.
        alias: the alias in the request, resolved in ``facts.model``; "" if the request named a
            model.
        code: why it ended; "" before, and if it completed.
        ended_at: time of its end; 0 before.
        story: its triggers so far, oldest first.
        failed_on: the replicas (node and model) on which a run of it failed.
        exits: (node, co-op) of each engine exit during its runs.
        alone: whether it must have an engine to itself.
        earlier_runs: runs that delivered a part of its answer and were lost, oldest first; settled
            when it ends.
        revision: of the model that its next run must have, since the client has a part of its
            answer; "" if it has none.
        stalled_at: since when it waits while no node would accept it, seconds since the epoch; 0
            while one would, and while it does not wait.
        is_capped: whether its own cap on grams, a quota, or the energy that co-ops lend kept it
            from each node that would accept it when it was examined last.
        given_up: its last run, refunded, whose answer may still come (``late_answers``); else None.
    """

    facts: RequestFacts
    state: JobState
    serial: int
    requested_at: float
    output_tokens_max: int
    context_tokens: int
    shape: Shape
    wait: BatchWork | None = None
    holds: tuple[Hold, ...] = ()
    epoch: int = 0
    attempts: int = 0
    front: bool = False
    avoid: tuple[str, ...] = ()
    explanation: Explanation | None = None
    code: str = ""
    ended_at: float = 0.0
    story: tuple[str, ...] = ()
    alias: str = ""
    failed_on: tuple[tuple[str, str], ...] = ()
    exits: tuple[tuple[str, str], ...] = ()
    alone: bool = False
    earlier_runs: "tuple[EarlierRun, ...]" = ()
    revision: str = ""
    stalled_at: float = 0.0
    is_capped: bool = False
    given_up: "Lease | None" = None

    def step(self, trigger: str) -> None:
        """Applies a trigger of ``JOB``; raises ``IllegalTransition`` and changes nothing."""
        self.state = JOB.step(self.state, trigger, subject=self.facts.job, story=self.story)
        self.story = (*self.story, trigger)


class ExpectedRun(Struct, frozen=True, gc=False):
    """Predictions for a run at its placement, compared with its usage later.

    Attributes:
        ttft_s: from placement to first token.
        queue_s, queue_tokens, queue_prompts: part of it for the prefill of earlier prompts, and
            their number of tokens and prompts.
        tpot_s: per output token.
        input_tokens: prompt tokens expected not to be in the node's cache.
        batch: sequences running on the replica.
        energy_uwh, carbon_ug: of the whole run.
    """

    ttft_s: float
    queue_s: float
    queue_tokens: int
    tpot_s: float
    input_tokens: int
    batch: int
    energy_uwh: int
    carbon_ug: int
    queue_prompts: float = 0.0


class Lease(Struct, gc=False):
    """A node's right to run a job in one epoch, from the offer to report, loss or expiry.

    Attributes:
        terms: fixed at the placement, with job, epoch and node.
        state: see ``state_machines.LEASE``.
        bill: the run's charge to its co-op, project and class.
        expected: predictions.
        batch: whether it counts against the slots for batch work.
        foreign: whether it counts against the slots that the node's co-op lends.
        prefill_s: expected time from its start to the end of its prefill.
        input_tokens_max, output_tokens_max: bounds on the usage of all answers together.
        output_tokens: produced so far, as reported by the node.
        first_at: time of the report of its first token; 0 before.
        sequences_s: its replica's sequence-seconds at ``first_at``, for its mean batch size.
        job_state, holds: of an ended job whose report is awaited.
        lent_day: day whose lending limit holds its expected energy; 0 if none.
        answer_tokens_est: the gateway's estimate of the answer's tokens, or None.
        shape: of its job if no kind of its co-op's own replicas could run it; else None.
        earlier_runs: of its job, which has ended or ends with this run.
        delivered_tokens: that the client has, as its gateway said before it was lost, or before the
            run broke; else None.
    """

    terms: Terms
    state: LeaseState
    bill: RunCharge
    expected: ExpectedRun
    batch: bool
    foreign: bool
    prefill_s: float
    input_tokens_max: int
    output_tokens_max: int
    output_tokens: int = 0
    first_at: float = 0.0
    sequences_s: float = 0.0
    job_state: JobState = JobState.ACTIVE
    holds: tuple[Hold, ...] = ()
    lent_day: int = 0
    answer_tokens_est: int | None = None
    shape: Shape | None = None
    earlier_runs: "tuple[EarlierRun, ...]" = ()
    delivered_tokens: int | None = None

    def step(self, trigger: str) -> None:
        """Applies a trigger of ``LEASE``; raises ``IllegalTransition`` and changes nothing."""
        subject = f"{self.terms.job} epoch {self.terms.epoch}"
        self.state = LEASE.step(self.state, trigger, subject=subject)


class EarlierRun(Struct, gc=False):
    """A run that was lost after it had delivered a part of an answer that is resumed.

    Attributes:
        lease: over; it keeps the run's charge and holds until the run is settled.
        usage: as the node reported it, within its lease; else estimated.
        code: stable code of why the run ended.
        is_reported: whether the node reported the usage.
        delivered_tokens: output tokens that the client has of this run, as its gateway said; None
            before.
        is_false_alarm: whether the node still had the run after the core gave it up.
    """

    lease: Lease
    usage: Usage
    code: str
    is_reported: bool
    delivered_tokens: int | None = None
    is_false_alarm: bool = False

    @property
    def output_tokens(self) -> int:
        """Output tokens to bill: those that the client has; by the core's own figure if unknown."""
        delivered = self.delivered_tokens
        return self.usage.output_tokens if delivered is None else delivered


class Load(Struct):
    """Leases and learned performance of one replica.

    Attributes:
        pace: its learned performance model.
        leases: number of leases.
        batch: number of batch leases.
        foreign: number of leases of co-ops other than the node's.
        reading, reading_tokens: number of leases in prefill, and their prompt tokens.
        reading_s: expected total prefill time of these.
        free_at: expected end of these prefills.
        sequences_s: sequence-seconds up to ``since``.
        since: time of the last change of ``leases``.
        paused: code of why the replica takes no work for a moment, or "".
        paused_until: end of that pause; 0 where something else ends it.
        turn: serial of the last placement on it, 0 before the first.
        lend_slots, batch_slots: limits on ``foreign`` and on ``batch``.
        completed: whether a run has completed since the last failure.
        reserved: the job for which the replica is reserved, or "".
    """

    pace: PerformanceModel
    leases: int = 0
    batch: int = 0
    foreign: int = 0
    reading: int = 0
    reading_tokens: int = 0
    reading_s: float = 0.0
    free_at: float = 0.0
    sequences_s: float = 0.0
    since: float = 0.0
    paused: str = ""
    turn: int = 0
    lend_slots: int = 0
    batch_slots: int = 0
    completed: bool = False
    reserved: str = ""
    paused_until: float = 0.0


class ExclusiveReplica(Struct, frozen=True):
    """The replica reserved for one job, and the job's co-op."""

    node: str
    model: str
    coop: str


class KeyExits(Struct, frozen=True):
    """Engine exits caused by an API key's jobs within the last hour.

    Attributes:
        refusals: times of refusals for engine exits, oldest first, seconds since the epoch.
        broken_at: time at which an exit broke a stream; 0 after a run completed alone.
        broken_on: (node, co-op) of that exit.
    """

    refusals: tuple[float, ...] = ()
    broken_at: float = 0.0
    broken_on: tuple[str, str] = ("", "")


class ModelLoad(Struct):
    """A model that a node loads, or has loaded, on the pool's instruction.

    Attributes:
        model: public name.
        state: see ``state_machines.MODEL_LOAD``.
        since: start of the state, seconds since the epoch.
        ready_at: expected end of the load, estimated at its start.
        memory_bytes: memory of the model.
        reason: stable code of why it was loaded.
        told_at: time of the last instruction to load or unload.
    """

    model: str
    state: ModelLoadState
    since: float
    ready_at: float
    memory_bytes: int
    reason: str
    told_at: float

    def step(self, trigger: str, at: float) -> None:
        """Applies a trigger of ``MODEL_LOAD``; raises ``IllegalTransition`` and changes nothing."""
        self.state = MODEL_LOAD.step(self.state, trigger, subject=self.model)
        self.since = at


class LoadBackoff(Struct, frozen=True):
    """Pause after which a node may load a model again that it failed to load.

    Attributes:
        failures: consecutive failures.
        until: end of the pause, seconds since the epoch.
        code: of the last failure.
    """

    failures: int
    until: float
    code: str


class Backoff(Struct):
    """Failure history of a replica.

    Attributes:
        state: see ``state_machines.REPLICA``.
        failures: number of pauses, halved by each completed run.
        code: of the last failure.
        until: end of its pause, seconds since the epoch.
        coops: co-ops whose runs failed since one completed, two at most; "" for a failure that no
            request can cause.
        confirmed: whether a job that failed here completed on another replica since.
        restarted: whether an agent's restart ended a pause since a run completed.
    """

    state: ReplicaState = ReplicaState.SERVING
    failures: int = 0
    code: str = ""
    until: float = 0.0
    coops: tuple[str, ...] = ()
    confirmed: bool = False
    restarted: bool = False

    def step(self, trigger: str, subject: str) -> None:
        """Applies a trigger of ``REPLICA``; raises ``IllegalTransition`` and changes nothing."""
        self.state = REPLICA.step(self.state, trigger, subject=subject)


class Node(Struct):
    """A node in the fleet view.

    Attributes:
        card: its own description.
        replicas: the card's replicas by model.
        state: see ``state_machines.NODE``.
        last_seen: time of its last message, seconds since the epoch.
        accepting, reason: whether it accepts new work, and the stable code of why not.
        energy: latest renewable status of its site.
        lending: whose work it accepts.
        loads: leases and learned performance of its replicas, by model.
        leases: number of leases on all its replicas.
        left_at: time at which it left; 0 before.
        loadable: models that it offers and does not serve.
        orders: models that it loads, or has loaded, on the pool's instruction.
        rests: pauses of models that it failed to load.
        asked_loads: times of instructions to load within the last hour.
        quarantine: stable code of why its messages are ignored, or "".
        boot: identifier of its agent's present run, "" if unknown.
        backoffs: failure histories of its replicas, by model.
        marks: number of protocol violations by stable code; see ``protocol_violations``.
        peak_w: maximum power of its device by the hardware catalogue, watts; 0 if unknown.
        busy: whether its last heartbeat listed runs.
        closed_at: time at which the bus closed its connection; 0 once it is heard again.
        alarm_until: if its runs were lost by the short limits of silence, the time until which its
            return is a false alarm; else 0.
        alarms: times of its last false alarms, oldest first; see ``node_silence``.
        probation: whether it is a newcomer.
        lends: whether its co-op lends anything to the others by the policy.
        availability: in which hours it usually takes the pool's work.
    """

    card: NodeCard
    replicas: dict[str, Replica]
    state: NodeState
    last_seen: float
    accepting: bool
    reason: str
    energy: EnergyStatus | None
    loads: dict[str, Load]
    leases: int = 0
    left_at: float = 0.0
    lending: Lending = Lending.ALL
    loadable: dict[str, Loadable] = {}
    orders: dict[str, ModelLoad] = {}
    rests: dict[str, LoadBackoff] = {}
    asked_loads: tuple[float, ...] = ()
    quarantine: str = ""
    boot: str = ""
    backoffs: dict[str, Backoff] = {}
    marks: dict[str, int] = {}
    peak_w: float = 0.0
    busy: bool = False
    closed_at: float = 0.0
    alarm_until: float = 0.0
    alarms: tuple[float, ...] = ()
    probation: Probation = field(default_factory=Probation)
    lends: bool = True
    availability: AvailabilityProfile = field(default_factory=AvailabilityProfile)

    def step(self, trigger: str) -> bool:
        """Applies a trigger of ``state_machines.NODE``; returns whether the state changed."""
        before = self.state
        self.state = NODE.step(before, trigger, subject=self.card.node)
        return self.state is not before


def is_loading(node: Node, model: str) -> bool:
    """Tells whether a node is loading a model, for the pool or for its owner."""
    load = node.orders.get(model)
    if load is not None and load.state in (ModelLoadState.MAKING_ROOM, ModelLoadState.LOADING):
        return True
    return model in node.card.loading and model not in node.replicas


def is_leaving(node: Node, model: str) -> bool:
    """Tells whether a node is unloading a model."""
    load = node.orders.get(model)
    return load is not None and load.state is ModelLoadState.UNLOADING


def context_input_est(facts: RequestFacts) -> int:
    """Returns the expected prompt tokens that must fit into the context together."""
    return facts.longest_input_est or facts.input_tokens_est
