"""Service counters: weighted service of each co-op, project and class, in virtual tokens.

For each run a counter c of weight w commits c += (a*n_in + b*max(n_out, n_expected)) / w, where
n_in are uncached prompt tokens, n_out produced and n_expected expected answer tokens, and a and b
are the policy's charge per token. The end of the run corrects the charge to the engine's count
(``charges``). Keys that may have decreased are reported to the heaps (``lazy_heap``). Theory:
Sheng et al., OSDI 2024, and ``docs/concepts/fairness.md``.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from entraide.types import JobClass, RequestFacts
from entraide_scheduler.core.estimation import MIN_ANSWERS
from entraide_scheduler.core.fair_queue.formulas import BacklogKind, head_start
from entraide_scheduler.core.policy import ChargeWeights, ClassTerms, FairShare, Policy
from entraide_scheduler.core.records import OwnKind, RunCharge, Shape
from entraide_scheduler.core.rules import OwnModelSlots, OwnSlotsChange

NEVER = 2**62  # tokens; larger than any job


class ServiceCounter:
    """Weighted service of one co-op, project or class.

    Attributes:
        name: of the co-op, the project or the class.
        rank: tie-break between classes with equal counters; the lower rank goes first.
        weight: divisor of the virtual tokens served.
        committed: virtual tokens charged or expected of its runs, divided by the weight.
        running: number of its jobs that hold a lease.
        queues: number of class queues in which its jobs wait; the backlog counts them.
        children: counters of the level below, by name; kept when no job waits.
        virtual_time: the highest counter at which a child was served.
    """

    __slots__ = (
        "children",
        "committed",
        "name",
        "queues",
        "rank",
        "running",
        "virtual_time",
        "weight",
    )

    def __init__(self, name: str, *, rank: int = 0, weight: float = 1.0) -> None:
        self.name = name
        self.rank = rank
        self.weight = weight
        self.committed = 0.0
        self.running = 0
        self.queues = 0
        self.children: dict[str, ServiceCounter] = {}
        self.virtual_time = 0.0

    def clear_waiting(self) -> None:
        """Forgets the waiting jobs of this counter and its children; service stays."""
        self.queues = 0
        for child in self.children.values():
            child.clear_waiting()


class CoopCounter(ServiceCounter):
    """A co-op's service counter, and what the queue notes of its waiting jobs.

    Attributes:
        lifts: by model, addition to the counter for the time without waiting jobs.
        in_flight_tokens: prompts and longest answers of its runs, less the tokens produced.
        own: slots of its own nodes, by model.
        unbooked: by model, runs that no kind of its own replicas can run, each with its shape, in
            order of start.
        answers: runs that ended with an answer; counted up to ``MIN_ANSWERS``.
        credit: factor added to its weight for service that it gave to other co-ops.
        queued: number of its waiting jobs.
        kinds: number of class queues of each kind.
        shape_count: number of different shapes of its waiting jobs.
        coop_queues: its queues with jobs that take turns (``backlog.CoopQueue``).
        entries: its items in the heaps of models, by model (``backlog.BacklogEntry``).
        is_lower: whether its keys may be lower than its entries in these heaps.
        needs_tokens: size of the smallest job that its cap holds back.
        held_back_at: counters at which ``next_job`` has found its first job above the cap.
    """

    __slots__ = (
        "answers",
        "coop_queues",
        "credit",
        "entries",
        "held_back_at",
        "in_flight_tokens",
        "is_lower",
        "kinds",
        "lifts",
        "needs_tokens",
        "own",
        "queued",
        "shape_count",
        "unbooked",
    )

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.lifts: dict[str, float] = {}
        self.in_flight_tokens = 0
        self.own: dict[str, OwnModelSlots] = {}
        self.unbooked: dict[str, dict[RunCharge, Shape]] = {}
        self.answers = 0
        self.credit = 0.0
        self.queued = self.shape_count = 0
        self.kinds: dict[BacklogKind, int] = {}
        self.coop_queues: dict[Any, None] = {}
        self.entries: dict[str, Any] = {}
        self.is_lower = False
        self.needs_tokens = NEVER
        self.held_back_at: tuple[float, ...] = ()

    def counter(self, model: str) -> float:
        """Returns the counter that orders this co-op among those that wait for a model."""
        lifts = self.lifts
        return self.committed + lifts[model] if model in lifts else self.committed

    def lift_to(self, model: str, counter: float) -> None:
        """Raises the counter for a model to a value at least.

        The lift applies to this model only: a co-op that has waited long for a scarce model keeps
        its turn there when it requests another model.
        """
        if self.counter(model) < counter:
            self.lifts[model] = counter - self.committed

    def advance(self, project: ServiceCounter, job_class: ServiceCounter) -> None:
        """Raises the virtual times in the co-op to the counters of a job that is served."""
        self.virtual_time = max(self.virtual_time, project.committed)
        project.virtual_time = max(project.virtual_time, job_class.committed)

    def clear_waiting(self) -> None:
        """Forgets the waiting jobs; service and lifts stay."""
        super().clear_waiting()
        self.queued = self.shape_count = 0
        self.kinds, self.coop_queues, self.entries = {}, {}, {}


# Of a co-op, a project and a class.
CounterPath: TypeAlias = tuple[CoopCounter, ServiceCounter, ServiceCounter]


class ServiceCounters:
    """The service counters of all levels.

    Attributes:
        terms, charge: parameters of the fair queue, and virtual tokens per token.
        coops: counters by name; each has its projects as children, and each project its classes.
        virtual_time: the highest counter at which a co-op was served.
        lowered_coops: the co-ops whose keys may be lower than their entries in the queue's heaps.
    """

    def __init__(self) -> None:
        self.terms = FairShare()
        self.coops: dict[str, CoopCounter] = {}
        self.virtual_time = 0.0
        self.charge = ChargeWeights()
        self._shares: dict[str, float] = {}
        self._classes: dict[JobClass, ClassTerms] = {}
        self.lowered_coops: list[CoopCounter] = []

    def apply_policy(self, policy: Policy) -> None:
        """Applies a policy's weights, charges and parameters."""
        self.terms, self.charge = policy.fair_share, policy.charge
        self._shares = {terms.coop: terms.shares for terms in policy.coops}
        self._classes = {terms.job_class: terms for terms in policy.classes}
        self.update_weights()

    def update_weights(self) -> None:
        """Sets the weight and the rank of every counter from the policy."""
        for coop in self.coops.values():
            self.update_weight(coop)
            for project in coop.children.values():
                for job_class in project.children.values():
                    terms = self._classes[JobClass(job_class.name)]
                    job_class.rank, job_class.weight = terms.rank, terms.share

    def update_weight(self, coop: CoopCounter) -> None:
        """Sets a co-op's weight: shares x (1 + credit)."""
        coop.weight = self._shares.get(coop.name, 1.0) * (1.0 + coop.credit)
        self.mark_coop_lower(coop)

    def set_credit(self, coop: str, factor: float) -> None:
        """Sets a co-op's credit factor; its weight becomes shares x (1 + factor)."""
        counter = self.coop_counter(coop)
        counter.credit = factor
        self.update_weight(counter)

    def coop_counter(self, name: str) -> CoopCounter:
        """Returns a co-op's counter; creates a missing one."""
        coop = self.coops.get(name)
        if coop is None:
            coop = self.coops[name] = CoopCounter(name)
            self.update_weight(coop)
        return coop

    def counters_for(self, facts: RequestFacts) -> CounterPath:
        """Returns the counters of a job's co-op, project and class; creates missing ones."""
        coop = self.coop_counter(facts.coop)
        project = coop.children.get(facts.project)
        if project is None:
            project = coop.children[facts.project] = ServiceCounter(facts.project)
        job_class = project.children.get(facts.job_class)
        if job_class is None:
            terms = self._classes[facts.job_class]
            job_class = ServiceCounter(facts.job_class.value, rank=terms.rank, weight=terms.share)
            project.children[facts.job_class.value] = job_class
        return coop, project, job_class

    def counters_of(self, charge: RunCharge) -> CounterPath:
        """Returns the counters that a run is charged to."""
        coop = self.coops[charge.coop]
        project = coop.children[charge.project]
        return coop, project, project.children[charge.job_class]

    def start_at_once(self, facts: RequestFacts) -> CounterPath:
        """Returns the counters of a job that starts as it arrives, while no job can be next.

        Lifts them and advances the virtual times as its wait and its turn would.
        """
        path = coop, project, job_class = self.counters_for(facts)
        head_start_tokens = head_start(coop, self.terms, self.charge)
        coop.lift_to(facts.model, self.virtual_time - head_start_tokens)
        if not project.queues:
            project.committed = max(project.committed, coop.virtual_time)
        if not job_class.queues:
            job_class.committed = max(job_class.committed, project.virtual_time)
        self.virtual_time = max(self.virtual_time, coop.counter(facts.model))
        coop.advance(project, job_class)
        return path

    # Charges.

    def begin_charge(
        self,
        path: CounterPath,
        *,
        shape: Shape,
        input_tokens: int,
        expected_tokens: int,
        reserved_tokens: int,
    ) -> RunCharge:
        """Begins a run's charge: commits its prompt and its expected answer."""
        coop, project, job_class = path
        own = coop.own.get(shape.model)
        charge = RunCharge(
            coop.name,
            project.name,
            job_class.name,
            self.charge.input_weight,
            self.charge.output_weight,
            coop.weight,
            job_class.weight,
            input_tokens,
            expected_tokens if self.terms.expected_lengths else 0,
            reserved_tokens,
            own=None if own is None else own.kind_to_book(shape),
        )
        self.count_run(charge, path, shape)
        self._commit(charge, charge.committed(), path)
        return charge

    def count_run(self, charge: RunCharge, path: CounterPath, shape: Shape | None) -> None:
        """Counts a new or restored run; ``shape`` is needed where the run is not booked."""
        coop, project, _ = path
        coop.running += 1
        project.running += 1
        coop.in_flight_tokens += charge.in_flight_tokens()
        if charge.own is not None:
            own = coop.own.setdefault(charge.own.model, OwnModelSlots())
            own.book(charge.own, batch=charge.job_class == JobClass.BATCH)
        elif shape is not None:
            coop.unbooked.setdefault(shape.model, {})[charge] = shape

    def add_own_slots(self, deltas: Iterable[OwnSlotsChange]) -> None:
        """Changes the number of slots of own replicas, by kind.

        When a co-op's kinds change, its unbooked runs of the model are booked if a kind can run
        them now. The work is bounded by the number of these runs.
        """
        sums: dict[tuple[str, OwnKind], OwnSlotsChange] = {}
        for delta in deltas:
            key = delta.coop, delta.kind
            before = sums.get(key, OwnSlotsChange(*key, 0, 0))
            sums[key] = OwnSlotsChange(
                *key, before.slots + delta.slots, before.batch_slots + delta.batch_slots
            )
        changed: dict[tuple[str, str], CoopCounter] = {}
        for (name, kind), delta in sums.items():
            coop = self.coop_counter(name)
            own = coop.own.setdefault(kind.model, OwnModelSlots())
            version = own.version
            own.add(delta)
            self.mark_coop_lower(coop)
            if own.version != version:
                changed[name, kind.model] = coop
        for (_, model), coop in changed.items():
            self._book_earlier(coop, model)

    @staticmethod
    def _book_earlier(coop: CoopCounter, model: str) -> None:
        own, earlier = coop.own[model], coop.unbooked.get(model, {})
        for charge, shape in list(earlier.items()):
            kind = own.kind_to_book(shape)
            if kind is not None:
                own.book(kind, batch=charge.job_class == JobClass.BATCH)
                charge.own = kind
                del earlier[charge]

    def add_output(self, charge: RunCharge, tokens_more: int) -> None:
        """Counts output tokens of a run; expected tokens are committed already."""
        coop = self.coops[charge.coop]
        held_tokens, committed = charge.in_flight_tokens(), charge.committed()
        charge.output_tokens += tokens_more
        coop.in_flight_tokens -= held_tokens - charge.in_flight_tokens()
        more = charge.committed() - committed
        if more:
            self._commit(charge, more, self.counters_of(charge))
        if coop.in_flight_tokens + coop.needs_tokens <= self.terms.cap_tokens:
            self.mark_coop_lower(coop)

    def end_run(self, charge: RunCharge) -> None:
        """Ends a run: none of its tokens are expected or in flight any more."""
        path = coop, project, _ = self.counters_of(charge)
        coop.running -= 1
        project.running -= 1
        coop.in_flight_tokens -= charge.in_flight_tokens()
        if charge.own is not None:
            own = coop.own[charge.own.model]
            own.release(charge.own, batch=charge.job_class == JobClass.BATCH)
            charge.own = None
        else:
            for earlier in coop.unbooked.values():
                earlier.pop(charge, None)
        committed = charge.committed()
        charge.expected_tokens = charge.reserved_tokens = 0
        self._commit(charge, charge.committed() - committed, path)

    def correct_charge(self, charge: RunCharge, *, input_tokens: int, output_tokens: int) -> None:
        """Sets the charge of an ended run to the tokens that the engine counted."""
        path = coop, _, _ = self.counters_of(charge)
        if output_tokens and coop.answers < MIN_ANSWERS:
            coop.answers += 1
        committed = charge.committed()
        charge.input_tokens, charge.output_tokens = input_tokens, output_tokens
        self._commit(charge, charge.committed() - committed, path)

    def _commit(self, charge: RunCharge, virtual_tokens: float, path: CounterPath) -> None:
        coop, project, job_class = path
        coop.committed += virtual_tokens / charge.coop_weight
        project.committed += virtual_tokens
        job_class.committed += virtual_tokens / charge.class_weight
        if virtual_tokens <= 0.0 or coop.needs_tokens != NEVER:
            self.mark_coop_lower(coop)

    def mark_coop_lower(self, coop: CoopCounter) -> None:
        """Notes that a co-op's keys may be lower than its entries in the heaps."""
        if coop.queued and not coop.is_lower:
            coop.is_lower = True
            self.lowered_coops.append(coop)
