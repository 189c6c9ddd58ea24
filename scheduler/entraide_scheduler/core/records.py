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
    NodeCard,
    NodeState,
    Replica,
    RequestFacts,
    Terms,
)
from entraide_scheduler.core.policy import Period, QuotaKind
from entraide_scheduler.core.tables import JOB, LEASE, NODE, LeaseState, step


class Shape(Struct, frozen=True):
    """All that decides which nodes may run a job: equal shapes fit the same nodes.

    Attributes:
        model, features, jurisdiction, data_class: as the job asks.
        coop: the job's co-op where the rules or the predictions depend on it, else "".
        context_tokens: the smallest known context that holds the job.
        max_carbon_ug: the client's cap; None without one.
        size: with a cap, the input's size as a power of two, for grams grow with it; else 0.
    """

    model: str
    features: tuple[str, ...]
    jurisdiction: str
    data_class: DataClass
    coop: str
    context_tokens: int
    max_carbon_ug: int | None
    size: int


class Hold(Struct, frozen=True):
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


class Job(Struct):
    """A job that was admitted (or refused, while it is kept for questions).

    Attributes:
        facts: as the gateway gave them.
        state: see ``tables.JOB``.
        serial: order of arrival.
        requested_at: when it came.
        output_tokens_max: limit on each answer, as reserved.
        context_tokens: what one answer needs of a replica's context.
        shape: what decides which nodes may run it.
        holds: quota reservations not yet settled.
        epoch: of its last placement; 0 before the first.
        attempts: placements so far.
        front: whether it goes before the others of its co-op (its run was lost).
        avoid: nodes that declined or lost it; others go first.
        explanation: of its last placement or refusal.
        code: why it ended; "" while it lasts and when it completed.
        ended_at: when it ended; 0 while it lasts.
        story: the steps so far, oldest first.
    """

    facts: RequestFacts
    state: JobState
    serial: int
    requested_at: float
    output_tokens_max: int
    context_tokens: int
    shape: Shape
    holds: tuple[Hold, ...] = ()
    epoch: int = 0
    attempts: int = 0
    front: bool = False
    avoid: tuple[str, ...] = ()
    explanation: Explanation | None = None
    code: str = ""
    ended_at: float = 0.0
    story: tuple[str, ...] = ()

    def step(self, trigger: str) -> None:
        """Takes one step of ``tables.JOB``; raises ``InvalidTransition`` and changes nothing."""
        self.state = step(JOB, self.state, trigger, name=self.facts.job, story=self.story)
        self.story = (*self.story, trigger)


class Lease(Struct):
    """A node's hold on a job, from the offer until its report, its loss or its expiry.

    Attributes:
        terms: what was fixed; the job, the epoch and the node stand there.
        state: see ``tables.LEASE``.
        coop, project: who is charged for it.
        input_tokens: expected prompt tokens not in the node's cache.
        input_tokens_max, output_tokens_max: bounds on what the run may use, all answers.
        output_tokens: produced so far, as the node says.
        charged: virtual tokens charged for it so far.
        job_state, holds: of a job that is over, while its report is awaited.
    """

    terms: Terms
    state: LeaseState
    coop: str
    project: str
    input_tokens: int
    input_tokens_max: int
    output_tokens_max: int
    output_tokens: int = 0
    charged: float = 0.0
    job_state: JobState = JobState.ACTIVE
    holds: tuple[Hold, ...] = ()

    def step(self, trigger: str) -> None:
        """Takes one step of ``tables.LEASE``; raises ``InvalidTransition``, changes nothing."""
        name = f"{self.terms.job} epoch {self.terms.epoch}"
        self.state = step(LEASE, self.state, trigger, name=name)


class Load(Struct):
    """What our own leases put on one replica.

    Attributes:
        leases: how many.
        prefill_tokens: prompt tokens of those that have produced nothing yet.
        paused: why the replica takes nothing for a moment (a decline's code), or "".
    """

    leases: int = 0
    prefill_tokens: int = 0
    paused: str = ""


class Node(Struct):
    """A node as the fleet view holds it.

    Attributes:
        card: as it said itself.
        replicas: the card's replicas by model.
        state: see ``tables.NODE``.
        last_seen: when it was last heard, seconds since the epoch.
        accepting, reason: whether it takes new work, and the stable code why not.
        energy: renewable status of its site, the latest.
        loads: what our leases put on it, by model.
        left_at: when it left; 0 otherwise.
    """

    card: NodeCard
    replicas: dict[str, Replica]
    state: NodeState
    last_seen: float
    accepting: bool
    reason: str
    energy: EnergyStatus | None
    loads: dict[str, Load]
    left_at: float = 0.0

    def step(self, trigger: str) -> bool:
        """Takes one step of ``tables.NODE``; returns whether the state changed."""
        before = self.state
        self.state = step(NODE, before, trigger, name=self.card.node)
        return self.state is not before

    def leases(self) -> int:
        """Returns how many leases of ours the node holds, over all its replicas."""
        return sum(load.leases for load in self.loads.values())
