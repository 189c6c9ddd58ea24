"""Service counters: weighted service of each co-op, project and class, in virtual tokens.

For each run a counter c of weight w commits c += (a*n_in + b*max(n_out, n_expected)) / w, where
n_in are uncached prompt tokens, n_out produced and n_expected expected answer tokens, and a and b
are the policy's charge per token. The end of the run corrects the charge to the engine's count
(``charges``). Keys that may have decreased are reported to the heaps (``lazy_heap``). Theory:
Sheng et al., OSDI 2024, and ``docs/concepts/fairness.md``.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from msgspec import Struct

from entraide.types import JobClass, RequestFacts
from entraide_scheduler.core.estimation import MIN_ANSWERS
from entraide_scheduler.core.fair_queue.lazy_heap import LazyHeap
from entraide_scheduler.core.policy import ChargeWeights, ClassTerms, FairShare, Policy
from entraide_scheduler.core.records import OwnKind, RunCharge, Shape
from entraide_scheduler.core.rules import OwnModelSlots, OwnSlotsChange

NEVER = 2**62  # tokens; larger than any job

BacklogKind: TypeAlias = tuple[str, str, str]  # model, job class, data class


class ServiceCounter:
    """Weighted service of one co-op, project or class.

    Attributes:
        name: of the co-op, the project or the class.
        rank: tie-break between classes with equal counters; the lower rank goes first.
        weight: divisor of the virtual tokens served.
        committed: virtual tokens charged or expected of its runs, divided by the weight.
        running: number of its jobs that hold a lease.
        queue_count: number of class queues in which its jobs wait.
        heap_items: its item in each heap.
        children: counters of the level below, by name; kept when no job waits.
        virtual_time: the highest counter at which a child was served.
        is_lower: whether a decrease of its counter is still to be applied to the heaps.
    """

    __slots__ = (
        "children",
        "committed",
        "heap_items",
        "is_lower",
        "name",
        "queue_count",
        "rank",
        "running",
        "virtual_time",
        "weight",
    )  # fmt: skip

    def __init__(self, name: str, *, rank: int = 0, weight: float = 1.0) -> None:
        self.name = name
        self.rank = rank
        self.weight = weight
        self.committed = 0.0
        self.running = 0
        self.queue_count = 0
        self.heap_items: dict[LazyHeap[Any], Any] = {}
        self.children: dict[str, ServiceCounter] = {}
        self.virtual_time = 0.0
        self.is_lower = False

    def enter_heap(self, heap: "LazyHeap[Any]", item: Any) -> None:
        """Adds an item of this counter to a heap."""
        heap.add(item)
        self.heap_items[heap] = item

    def leave_heap(self, heap: "LazyHeap[Any]") -> None:
        """Removes the item of this counter from a heap."""
        heap.remove(self.heap_items.pop(heap))

    def clear_waiting(self) -> None:
        """Forgets the waiting jobs of this counter and its children; service stays."""
        self.queue_count, self.heap_items = 0, {}
        for child in self.children.values():
            child.clear_waiting()


class CoopCounter(ServiceCounter):
    """A co-op's service counter.

    Attributes:
        queues_by_kind: number of class queues of each kind.
        queues_by_shape: number of class queues of each shape.
        lifts: by model, addition to the counter for the time without waiting jobs.
        queued: number of waiting jobs.
        in_flight_tokens: prompts and longest answers of its runs, less the tokens produced.
        own: slots of its own nodes, by model.
        unbooked: by model, runs that no kind of its own replicas can run, each with its shape, in
            order of start.
        answers: runs that ended with an answer; counted up to ``FEW``.
        credit: factor added to its weight for service that it gave to other co-ops.
        needs_tokens: size of the smallest job that its cap holds back.
        held_back_at: counters at which ``next_job`` has found its first job above the cap.
    """

    __slots__ = (
        "answers",
        "credit",
        "held_back_at",
        "in_flight_tokens",
        "lifts",
        "needs_tokens",
        "own",
        "queued",
        "queues_by_kind",
        "queues_by_shape",
        "unbooked",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.queues_by_kind: dict[BacklogKind, int] = {}
        self.queues_by_shape: dict[Shape, int] = {}
        self.lifts: dict[str, float] = {}
        self.queued = 0
        self.in_flight_tokens = 0
        self.own: dict[str, OwnModelSlots] = {}
        self.unbooked: dict[str, dict[RunCharge, Shape]] = {}
        self.answers = 0
        self.credit = 0.0
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

    def add_queue(self, kind: BacklogKind, shape: Shape) -> bool:
        """Counts one more class queue; returns whether it is the first of its kind."""
        queues = self.queues_by_kind.get(kind, 0)
        self.queues_by_kind[kind] = queues + 1
        self.queues_by_shape[shape] = self.queues_by_shape.get(shape, 0) + 1
        return not queues

    def waits_for(self, kind: BacklogKind) -> bool:
        """Tells whether a job of a kind waits."""
        return kind in self.queues_by_kind

    def remove_queue(self, kind: BacklogKind, shape: Shape) -> bool:
        """Counts one class queue less; returns whether no job waits for the model now."""
        self.queues_by_kind[kind] -= 1
        self.queues_by_shape[shape] -= 1
        if not self.queues_by_shape[shape]:
            del self.queues_by_shape[shape]
        if not self.queues_by_kind[kind]:
            del self.queues_by_kind[kind]
        return all(other[0] != kind[0] for other in self.queues_by_kind)

    def clear_waiting(self) -> None:
        """Forgets the waiting jobs; service and lifts stay."""
        super().clear_waiting()
        self.queues_by_kind, self.queues_by_shape, self.queued = {}, {}, 0


CounterPath: TypeAlias = tuple[
    CoopCounter, ServiceCounter, ServiceCounter
]  # of a co-op, a project and a class


class CapReached(Struct, frozen=True):
    """Why a job waits for its own co-op's runs: the co-op's tokens in flight are at the cap.

    Attributes:
        in_flight_tokens: prompts and longest answers of the co-op's runs, less tokens produced.
        cap_tokens: upper bound while another co-op waits for the same nodes.
    """

    in_flight_tokens: int
    cap_tokens: int


class ServiceCounters:
    """The service counters of all levels.

    Attributes:
        terms: parameters of the fair queue.
        coops: counters by name; each has its projects as children, and each project its classes.
        virtual_time: the highest counter at which a co-op was served.
    """

    def __init__(self) -> None:
        self.terms = FairShare()
        self.coops: dict[str, CoopCounter] = {}
        self.virtual_time = 0.0
        self._charge = ChargeWeights()
        self._shares: dict[str, float] = {}
        self._classes: dict[JobClass, ClassTerms] = {}
        self._lowered_projects: list[ServiceCounter] = []
        self._lowered_coops: list[CoopCounter] = []

    def apply_policy(self, policy: Policy) -> None:
        """Applies a policy's weights, charges and parameters."""
        self.terms, self._charge = policy.fair_share, policy.charge
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

    def head_start(self, coop: CoopCounter) -> float:
        """Returns how far below the virtual time the counter of a returning co-op may start.

        At most the virtual tokens that the co-op's cap leaves, over its weight, so that the bound
        of ``docs/concepts/fairness.md`` holds. A co-op with runs and fewer than ``FEW`` ended
        answers gets this maximum: its charges are still guesses, and it is not idle.
        """
        terms = self.terms
        left_tokens = max(0, terms.cap_tokens - coop.in_flight_tokens)
        virtual_tokens_max = self._charge.output_weight * left_tokens
        if terms.expected_lengths and coop.running and coop.answers < MIN_ANSWERS:
            return virtual_tokens_max / coop.weight
        return min(float(terms.head_start_tokens), virtual_tokens_max) / coop.weight

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
            self._charge.input_weight,
            self._charge.output_weight,
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
        if virtual_tokens <= 0.0:
            self.mark_coop_lower(coop)
            if not project.is_lower and project.heap_items:
                project.is_lower = True
                self._lowered_projects.append(project)
        elif coop.needs_tokens != NEVER:
            self.mark_coop_lower(coop)

    # Counters that decreased.

    def mark_coop_lower(self, coop: CoopCounter) -> None:
        """Notes that a co-op's keys may be lower than its entries in the heaps."""
        if not coop.is_lower and coop.heap_items:
            coop.is_lower = True
            self._lowered_coops.append(coop)

    def update_heaps(self) -> None:
        """Applies decreased keys to the heaps; co-ops last, as tiers depend on their projects."""
        for project in self._lowered_projects:
            project.is_lower = False
            for heap, item in project.heap_items.items():
                heap.decrease_key(item)
        self._lowered_projects.clear()
        for coop in self._lowered_coops:
            coop.is_lower = False
            coop.needs_tokens = NEVER
            for heap, item in coop.heap_items.items():
                heap.decrease_key(item)
        self._lowered_coops.clear()
