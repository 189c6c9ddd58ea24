"""Shares: what each co-op, project and class was served, as counters that decide turns.

A run's bill commits what is expected at dispatch, follows what is produced, and ends with what the
engine counted. It refuses to know which jobs wait; it tells the turns in which a line stands when
its counter falls.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from msgspec import Struct

from entraide.types import JobClass, RequestFacts
from entraide_scheduler.core.charges import RunCharge
from entraide_scheduler.core.lazy_heap import LazyHeap
from entraide_scheduler.core.length_predictor import FEW
from entraide_scheduler.core.own_capacity import OwnModelSlots, OwnSlotsChange
from entraide_scheduler.core.own_kinds import OwnKind
from entraide_scheduler.core.policy import ChargeWeights, ClassTerms, FairShare, Policy
from entraide_scheduler.core.records import Shape

NEVER = 2**62  # more tokens than there are

BacklogKind: TypeAlias = tuple[str, str, str]  # model, job class, data class


class ServiceCounter:
    """One co-op's, project's or class's place in the fair share.

    Attributes:
        name: of the co-op, the project or the class.
        rank: of two classes with equal counters the one with the lower rank goes first.
        weight: its counter grows by what it is served, divided by this.
        committed: virtual tokens charged, and those still expected of its runs, over the weight.
        running: jobs of it that hold a lease.
        queue_count: in how many rows its jobs wait.
        heap_items: where it stands, by the turns.
        children: the lines of the level below, by name; each stays when it is empty.
        virtual_time: the highest counter at which a turn was taken on the level below.
        is_lower: whether a fall of its counter waits to be reckoned with.
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
        """Puts it among those that wait."""
        heap.add(item)
        self.heap_items[heap] = item

    def leave_heap(self, heap: "LazyHeap[Any]") -> None:
        """Takes it out of those that wait."""
        heap.remove(self.heap_items.pop(heap))

    def clear_waiting(self) -> None:
        """Takes out all that wait, of it and below; counters stay."""
        self.queue_count, self.heap_items = 0, {}
        for child in self.children.values():
            child.clear_waiting()


class CoopCounter(ServiceCounter):
    """A co-op's line.

    Attributes:
        queues_by_kind: in how many rows jobs of each kind wait.
        queues_by_shape: in how many rows jobs of each shape wait.
        lifts: by model, what is added to the counter there for the time it was away.
        queued: jobs that wait.
        in_flight_tokens: prompts and longest answers of its runs, less what came.
        own: slots of its own nodes, by model.
        unbooked: by model, its runs that no kind of its own replicas could run yet, with the shape
            of each, in the order in which they began.
        answers: runs of it that ended with an answer, as far as that is counted.
        credit: what is added to its weight for what it gave.
        needs_tokens: the smallest job that its cap was found to hold back.
        held_back_at: counters at which its first job was found to be held back.
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
        """Returns where it stands among those that wait for a model."""
        lifts = self.lifts
        return self.committed + lifts[model] if model in lifts else self.committed

    def lift_to(self, model: str, counter: float) -> None:
        """Lifts it to a mark at least.

        It counts for this model only: a co-op that waits long for a scarce model loses nothing
        there by asking for another one too.
        """
        if self.counter(model) < counter:
            self.lifts[model] = counter - self.committed

    def add_queue(self, kind: BacklogKind, shape: Shape) -> bool:
        """Notes one more row in which it waits; returns whether it had none of that kind."""
        queues = self.queues_by_kind.get(kind, 0)
        self.queues_by_kind[kind] = queues + 1
        self.queues_by_shape[shape] = self.queues_by_shape.get(shape, 0) + 1
        return not queues

    def waits_for(self, kind: BacklogKind) -> bool:
        """Tells whether it has a job of a kind that waits."""
        return kind in self.queues_by_kind

    def remove_queue(self, kind: BacklogKind, shape: Shape) -> bool:
        """Notes one row less; returns whether it waits for that model no more."""
        self.queues_by_kind[kind] -= 1
        self.queues_by_shape[shape] -= 1
        if not self.queues_by_shape[shape]:
            del self.queues_by_shape[shape]
        if not self.queues_by_kind[kind]:
            del self.queues_by_kind[kind]
        return all(other[0] != kind[0] for other in self.queues_by_kind)

    def clear_waiting(self) -> None:
        """Takes out all that wait; counters and lifts stay."""
        super().clear_waiting()
        self.queues_by_kind, self.queues_by_shape, self.queued = {}, {}, 0


CounterPath: TypeAlias = tuple[
    CoopCounter, ServiceCounter, ServiceCounter
]  # of a co-op, a project and a class


class CapReached(Struct, frozen=True):
    """Why a job of a co-op waits for that co-op's own runs.

    Attributes:
        in_flight_tokens: prompt and longest answer of its runs, less what was produced.
        cap_tokens: the most it may have while another co-op waits for the same nodes.
    """

    in_flight_tokens: int
    cap_tokens: int


class ServiceCounters:
    """The lines of all levels.

    Attributes:
        terms: how turns are taken.
        coops: their lines by name; each holds its projects', and each project its classes'.
        virtual_time: the highest counter at which a co-op's turn was taken.
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
        """Takes the members' terms."""
        self.terms, self._charge = policy.fair_share, policy.charge
        self._shares = {terms.coop: terms.shares for terms in policy.coops}
        self._classes = {terms.job_class: terms for terms in policy.classes}
        self.update_weights()

    def update_weights(self) -> None:
        """Gives every line the weight and the rank that the terms say."""
        for coop in self.coops.values():
            self.update_weight(coop)
            for project in coop.children.values():
                for job_class in project.children.values():
                    terms = self._classes[JobClass(job_class.name)]
                    job_class.rank, job_class.weight = terms.rank, terms.share

    def update_weight(self, coop: CoopCounter) -> None:
        """Gives a co-op its weight: shares x (1 + credit)."""
        coop.weight = self._shares.get(coop.name, 1.0) * (1.0 + coop.credit)
        self.mark_coop_lower(coop)

    def coop_counter(self, name: str) -> CoopCounter:
        """Returns a co-op's line, made when it is new."""
        coop = self.coops.get(name)
        if coop is None:
            coop = self.coops[name] = CoopCounter(name)
            self.update_weight(coop)
        return coop

    def counters_for(self, facts: RequestFacts) -> CounterPath:
        """Returns the lines of a job's co-op, project and class, made when they are new."""
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
        """Returns the lines that a bill charges."""
        coop = self.coops[charge.coop]
        project = coop.children[charge.project]
        return coop, project, project.children[charge.job_class]

    def head_start(self, coop: CoopCounter) -> float:
        """Returns how far below the place of turns a co-op that comes back may stand.

        No further than its cap leaves, priced and weighed: so the bound stays what it is. As far
        as that, while it has runs and hardly an answer of its own has ended: what its runs will
        cost is then a guess, and a co-op that is being served was not away.
        """
        terms = self.terms
        left_tokens = max(0, terms.cap_tokens - coop.in_flight_tokens)
        virtual_tokens_max = self._charge.output_weight * left_tokens
        if terms.expected_lengths and coop.running and coop.answers < FEW:
            return virtual_tokens_max / coop.weight
        return min(float(terms.head_start_tokens), virtual_tokens_max) / coop.weight

    # Bills.

    def begin_charge(
        self,
        path: CounterPath,
        *,
        shape: Shape,
        input_tokens: int,
        expected_tokens: int,
        reserved_tokens: int,
    ) -> RunCharge:
        """Begins a run's bill: charges its prompt and commits the answer that is expected."""
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
        """Counts a run that begins, or that a snapshot held; its shape where it is not booked."""
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
        """Takes in more or fewer slots of some kinds of own replicas.

        Runs that began before their co-op had a kind which could run them are booked then. The
        work is bounded by the co-op's runs of the model that are not booked; a hello that changes
        no kind does none.
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
        """Notes tokens that a run has produced; what was expected is committed already."""
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
        """Notes that a run is over: nothing of it is expected or in flight any more."""
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
        """Sets what a run that is over is charged to what the engine counted."""
        path = coop, _, _ = self.counters_of(charge)
        if output_tokens and coop.answers < FEW:
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

    # Counters that fell.

    def mark_coop_lower(self, coop: CoopCounter) -> None:
        """Notes that a co-op's turn may come sooner than its places say."""
        if not coop.is_lower and coop.heap_items:
            coop.is_lower = True
            self._lowered_coops.append(coop)

    def update_heaps(self) -> None:
        """Reckons with what fell: co-ops last, whose tiers depend on the order below them."""
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
