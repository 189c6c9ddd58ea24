"""Records: what the core remembers of jobs, leases and nodes while they last.

Unlike the vocabulary these change, and only the core's own modules change them. A snapshot is
these records as they stand, so they hold plain data and nothing that could not be written down.
"""

from msgspec import Struct

from entraide.types import (
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
)
from entraide_scheduler.core.batch_backlog import BatchWork
from entraide_scheduler.core.charges import RunCharge
from entraide_scheduler.core.performance_model import PerformanceModel
from entraide_scheduler.core.policy import Period, QuotaKind
from entraide_scheduler.core.state_machines import (
    JOB,
    LEASE,
    MODEL_LOAD,
    NODE,
    REPLICA,
    LeaseState,
    ModelLoadState,
    ReplicaState,
    step,
)


class Shape(Struct, frozen=True, gc=False):
    """All that decides which nodes may run a job: equal shapes fit the same nodes.

    Attributes:
        model, features, jurisdiction, data_class: as the job asks.
        coop: the job's co-op where the rules depend on it, else "".
        context_tokens: the smallest known context that holds the job.
        batch: whether it is of the class that may hold only a part of a node's slots.
        green_h: of a job that may wait for greener hours, the hour (since the epoch) by which it
            must have started; 0 otherwise.
        limited: whether a carbon cap, a quota of energy or carbon, or the energy that another
            co-op lends limits it. By how much is no part of the shape: such jobs are held against
            the nodes one by one.
        alone: of a job that must have an engine to itself, its identifier; else "".
        capped: whether it has a carbon cap of its own.
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


class Hold(Struct, frozen=True, gc=False):
    """A part of a quota that a job has reserved.

    Attributes:
        kind, period: which quota of the job's co-op.
        serial: which period of it; a hold on a period that is over counts nowhere any more.
        amount: how much, in what it is counted in (tokens, jobs, uWh, ug).
        project, key: whose quota within the co-op; both "" for the whole co-op's.
    """

    kind: QuotaKind
    period: Period
    serial: int
    amount: int
    project: str = ""
    key: str = ""


class Job(Struct, gc=False):
    """A job that was admitted (or refused, while it is kept for questions).

    Attributes:
        facts: as the gateway gave them.
        state: see ``state_machines.JOB``.
        serial: order of arrival.
        requested_at: when it came.
        output_tokens_max: limit on each answer, as reserved.
        context_tokens: what one answer needs of a replica's context.
        shape: what decides which nodes may run it.
        wait: what it adds to the work that waits for greener hours; None when it does not wait.
        holds: quota reservations not yet settled.
        epoch: of its last placement; 0 before the first.
        attempts: placements so far.
        front: whether it goes before the others of its co-op (its run was lost).
        avoid: nodes that declined or lost it; others go first.
        explanation: of its last placement or refusal.
        alias: what was asked for, where that is no model's name: ``facts.model`` is then the model
            it means for this job; else "".
        code: why it ended; "" while it lasts and when it completed.
        ended_at: when it ended; 0 while it lasts.
        story: the steps so far, oldest first.
        failed_on: the replicas (node and model) on which a run of it failed.
        exits: where an engine exited during a run of it: the node and its co-op.
        alone: whether it must have an engine to itself.
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

    def step(self, trigger: str) -> None:
        """Takes one step of ``JOB``; raises ``InvalidTransition`` and changes nothing."""
        self.state = step(JOB, self.state, trigger, name=self.facts.job, story=self.story)
        self.story = (*self.story, trigger)


class ExpectedRun(Struct, frozen=True, gc=False):
    """What was predicted of a run when it was placed, to be held against what came.

    Attributes:
        ttft_s: from the placement to the first token.
        queue_s, queue_tokens, queue_prompts: the part of it that prompts already there were
            expected to take, and how many.
        tpot_s: for each token of the answer.
        input_tokens: prompt tokens expected not to be in the node's cache.
        batch: sequences that ran there.
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
    """A node's hold on a job, from the offer until its report, its loss or its expiry.

    Attributes:
        terms: what was fixed; the job, the epoch and the node stand there.
        state: see ``state_machines.LEASE``.
        bill: what its co-op, project and class are charged for it.
        expected: what was predicted.
        batch: whether it counts against the slots that batch work may hold.
        foreign: whether it counts against what the node's co-op lends.
        prefill_s: time that its prompt is expected to take there, from its start on.
        input_tokens_max, output_tokens_max: bounds on what the run may use, all answers.
        output_tokens: produced so far, as the node says.
        first_at: when its first token was heard of; 0 before.
        sequences_s: its replica's sequence-seconds then, for the mean batch it ran in.
        job_state, holds: of a job that is over, while its report is awaited.
        lent_day: in which day what is expected of it was promised by its lender; 0 for no promise.
        answer_tokens_est: its gateway's own estimate of the answer; None without one.
        shape: of its job, where no kind of own replicas could run it when it began; else None.
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

    def step(self, trigger: str) -> None:
        """Takes one step of ``LEASE``; raises ``InvalidTransition`` and changes nothing."""
        name = f"{self.terms.job} epoch {self.terms.epoch}"
        self.state = step(LEASE, self.state, trigger, name=name)


class Load(Struct):
    """What our own leases put on one replica, and what we have learned of it.

    Attributes:
        pace: its speed and energy, as learned.
        leases: how many.
        batch: those of batch work.
        foreign: those of other co-ops than the node's own.
        reading, reading_tokens: those that have produced nothing yet, and their prompts.
        reading_s: how long their prompts are expected to take, together.
        free_at: when the prompts sent there are expected to be read.
        sequences_s: sequence-seconds up to ``since``.
        since: when the number of leases last changed.
        paused: why the replica takes nothing for a moment (a decline's code), or "".
        turn: serial of the last placement there, 0 before the first.
        lend_slots, batch_slots: how many leases of others, and of batch work, it takes.
        completed: whether a run has completed there since one failed.
        reserved: the job that has the replica to itself, running or awaited; else "".
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


class ExclusiveReplica(Struct, frozen=True):
    """The replica that a job has to itself, running or awaited, and the job's co-op."""

    node: str
    model: str
    coop: str


class KeyExits(Struct, frozen=True):
    """What a key's jobs did to engines within the last hour.

    Attributes:
        refusals: when jobs were refused for it, oldest first, seconds since the epoch.
        broken_at: when an exit broke a stream of it and no run has completed alone since; else 0.
        broken_on: the node and its co-op where that was.
    """

    refusals: tuple[float, ...] = ()
    broken_at: float = 0.0
    broken_on: tuple[str, str] = ("", "")


class ModelLoad(Struct):
    """A model that a node loads, or has loaded, at the pool's word.

    Attributes:
        model: public name.
        state: see ``state_machines.MODEL_LOAD``.
        since: when that state began, seconds since the epoch.
        ready_at: when it was expected to serve, as reckoned when it was asked for.
        memory_bytes: what it takes there.
        reason: stable code of why it was asked for.
        told_at: when the node was last told to load or unload it.
    """

    model: str
    state: ModelLoadState
    since: float
    ready_at: float
    memory_bytes: int
    reason: str
    told_at: float

    def step(self, trigger: str, at: float) -> None:
        """Takes one step of ``MODEL_LOAD``; raises ``InvalidTransition`` and changes nothing."""
        self.state = step(MODEL_LOAD, self.state, trigger, name=self.model)
        self.since = at


class LoadBackoff(Struct, frozen=True):
    """A node that failed to load a model is not asked again for a while.

    Attributes:
        failures: in a row.
        until: seconds since the epoch.
        code: why, the last time.
    """

    failures: int
    until: float
    code: str


class Backoff(Struct):
    """What is remembered of a replica whose runs failed.

    Attributes:
        state: see ``state_machines.REPLICA``.
        failures: failures that counted, halved by each run that completes.
        code: why the last run failed.
        until: when its rest is over, seconds since the epoch.
        coops: the co-ops whose runs failed since one completed, two at most; "" stands for a
            failure that no request can have caused.
        confirmed: whether a job that failed there has completed elsewhere since.
        restarted: whether a restart of the agent has ended a rest since a run completed.
    """

    state: ReplicaState = ReplicaState.SERVING
    failures: int = 0
    code: str = ""
    until: float = 0.0
    coops: tuple[str, ...] = ()
    confirmed: bool = False
    restarted: bool = False

    def step(self, trigger: str, name: str) -> None:
        """Takes one step of ``REPLICA``; raises ``InvalidTransition`` and changes nothing."""
        self.state = step(REPLICA, self.state, trigger, name=name)


class Node(Struct):
    """A node as the fleet view holds it.

    Attributes:
        card: as it said itself.
        replicas: the card's replicas by model.
        state: see ``state_machines.NODE``.
        last_seen: when it was last heard, seconds since the epoch.
        accepting, reason: whether it takes new work, and the stable code why not.
        energy: renewable status of its site, the latest.
        lending: for whose work it takes jobs now.
        loads: what our leases put on it and what we have learned, by model; one for each replica.
        leases: how many of ours it holds, over all its replicas.
        left_at: when it left; 0 otherwise.
        loadable: what it could load and does not serve, by model.
        orders: what it loads, or has loaded, at the pool's word, by model.
        rests: models that it failed to load, until when it is not asked again.
        asked_loads: when it was told to load something, in the last hour.
        quarantine: stable code of why its messages do not count, or "".
        boot: identifier of its agent's present run, "" when nobody said.
        backoffs: of its replicas whose runs failed, by model.
        marks: how often it did what no honest node does, by stable code; see
            ``protocol_violations``.
        peak_w: the most that its device draws by the hardware catalogue; 0 where nobody knows.
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

    def step(self, trigger: str) -> bool:
        """Takes one step of ``state_machines.NODE``; returns whether the state changed."""
        before = self.state
        self.state = step(NODE, before, trigger, name=self.card.node)
        return self.state is not before
