"""The definition of the fair queue: its specification, computed from scratch at each call.

``core.fair_queue`` computes the same with counts and heaps: for each history of calls both return
the same jobs (``test_fairqueue_definition.py``). Both use the same formulas
(``fair_queue.formulas``, ``records.RunCharge``, ``rules.OwnSlots``). ``docs/concepts/fairness.md``
gives the reasons and the bounds.

The next job is the first job of the co-op that comes first by tier, counter, running jobs and name.
The tiers are: a turn that is owed, a co-op within its cap, a co-op above its cap. Inside a co-op
its projects, then their classes come first by the same counters, then the jobs by ``job_key``.
"""

from collections.abc import Callable, Iterable

from entraide.types import JobClass
from entraide_scheduler.core.fair_queue.formulas import (
    CAPPED,
    NORMAL,
    OWED,
    fits_cap,
    head_start,
    job_key,
    kind_of,
)
from entraide_scheduler.core.policy import ClassTerms, Policy
from entraide_scheduler.core.records import Job, OwnKind, RunCharge, Shape
from entraide_scheduler.core.rules import OwnSlots, OwnSlotsChange
from entraide_scheduler.core.rules.own_capacity import KINDS_PER_MODEL, could_run


class Counter:
    """Service of a co-op, a project or a class.

    Attributes:
        committed: virtual tokens charged or expected, over the weights of their runs.
        lifts: of a co-op, by model, addition to the counter for the time without waiting jobs.
        virtual_time: the highest counter at which a counter of the level below was served.
        weight, running, answers, in_flight_tokens: see ``formulas.RunTotals``.
    """

    def __init__(self) -> None:
        self.committed = 0.0
        self.lifts: dict[str, float] = {}
        self.virtual_time = 0.0
        self.weight = 1.0
        self.running = self.answers = self.in_flight_tokens = 0

    def counter(self, model: str) -> float:
        """The counter that orders a co-op among those that wait for a model."""
        return self.committed + self.lifts.get(model, 0.0)


class Run:
    """A run and its charge."""

    def __init__(self, job: Job, charge: RunCharge) -> None:
        self.job, self.charge = job, charge


class DefinedQueue:
    """The fair queue by its definition.

    Attributes:
        waiting: jobs, in order of arrival; ``blocked`` and ``blocked_shapes`` take no turns.
        counters: by path: co-op; co-op and project; co-op, project and class.
        virtual_times: by model that is waited for, the highest counter served; ``virtual_time``: of
            all models.
        own_slots: by co-op and kind of own replica, number of slots, and of those for batch work.
        runs: in order of start.
        turn: the job returned last, with its tier, unless the queue has changed since.
    """

    def __init__(self, terms: Policy) -> None:
        self.terms = terms
        self.waiting: list[Job] = []
        self.blocked: list[Job] = []
        self.blocked_shapes: list[Shape] = []
        self.counters: dict[tuple[str, ...], Counter] = {}
        self.virtual_times: dict[str, float] = {}
        self.virtual_time = 0.0
        self.own_slots: dict[str, dict[OwnKind, list[int]]] = {}
        self.runs: list[Run] = []
        self.turn: tuple[Job, int] | None = None
        for coop in terms.coops:
            self.counter_of(coop.coop).weight = coop.shares

    def counter_of(self, *path: str) -> Counter:
        return self.counters.setdefault(path, Counter())

    def path_of(self, job: Job) -> tuple[Counter, Counter, Counter]:
        """The counters of a job's co-op, project and class."""
        coop, project, job_class = job.facts.coop, job.facts.project, job.facts.job_class
        return (
            self.counter_of(coop),
            self.counter_of(coop, project),
            self.counter_of(coop, project, job_class),
        )

    def class_terms(self, job: Job) -> ClassTerms:
        return next(t for t in self.terms.classes if t.job_class == job.facts.job_class)

    def set_credit(self, coop: str, factor: float) -> None:
        """A co-op's weight is shares x (1 + credit)."""
        shares = {terms.coop: terms.shares for terms in self.terms.coops}
        self.counter_of(coop).weight = shares.get(coop, 1.0) * (1.0 + factor)

    # Waiting.

    def add(self, job: Job) -> None:
        """Lifts the counters for which no job waited, then enqueues the job."""
        model = job.facts.model
        coop, project, job_class = self.path_of(job)
        of_coop = [other for other in self.waiting if other.facts.coop == job.facts.coop]
        of_project = [other for other in of_coop if other.facts.project == job.facts.project]
        of_class = [other for other in of_project if other.facts.job_class == job.facts.job_class]
        if all(other.facts.model != model for other in self.waiting):
            self.virtual_times[model] = self.virtual_time
        lowest = self.virtual_times[model] - head_start(
            coop, self.terms.fair_share, self.terms.charge
        )
        if kind_of(job) not in map(kind_of, of_coop) and coop.counter(model) < lowest:
            coop.lifts[model] = lowest - coop.committed
        if not of_project:
            siblings = [self.path_of(other)[1] for other in self.beside(job, of_coop)]
            self.lift(project, coop, siblings)
        if not of_class:
            siblings = [self.path_of(other)[2] for other in self.beside(job, of_project)]
            self.lift(job_class, project, siblings)
        self.turn = None
        self.waiting.append(job)

    def lift(self, counter: Counter, parent: Counter, siblings: list[Counter]) -> None:
        """Lifts to the lowest waiting sibling, or to the virtual time of the parent."""
        lowest = min((sibling.committed for sibling in siblings), default=parent.virtual_time)
        counter.committed = max(counter.committed, lowest)

    def beside(self, job: Job, others: list[Job]) -> list[Job]:
        """The waiting jobs that compete with a new one: same shape, and not blocked."""
        return [other for other in others if other.shape == job.shape and other not in self.blocked]

    def remove(self, job: Job) -> None:
        self.turn = None
        self.waiting.remove(job)
        if job in self.blocked:
            self.blocked.remove(job)
        if all(other.facts.model != job.facts.model for other in self.waiting):
            del self.virtual_times[job.facts.model]
        self.forget_blocked_shape(job.shape)

    def block_job(self, job: Job) -> None:
        """A blocked job waits, and takes no turns."""
        self.turn = None
        self.blocked.append(job)
        self.forget_blocked_shape(job.shape)

    def unblock_job(self, job: Job) -> None:
        self.turn = None
        self.blocked.remove(job)

    def block_shape(self, shape: Shape) -> None:
        if shape not in self.blocked_shapes and self.takes_turns(shape):
            self.blocked_shapes.append(shape)

    def unblock_shapes(self, model: str, may_fit: Callable[[Shape], bool]) -> None:
        self.blocked_shapes = [
            shape for shape in self.blocked_shapes if shape.model != model or not may_fit(shape)
        ]

    def forget_blocked_shape(self, shape: Shape) -> None:
        """A shape without jobs that take turns is not blocked."""
        if shape in self.blocked_shapes and not self.takes_turns(shape):
            self.blocked_shapes.remove(shape)

    def takes_turns(self, shape: Shape) -> bool:
        return any(job.shape == shape and job not in self.blocked for job in self.waiting)

    def candidates(self) -> list[Job]:
        """The jobs that can be next."""
        return [
            job
            for job in self.waiting
            if job.shape not in self.blocked_shapes and job not in self.blocked
        ]

    # Turns.

    def next_job(self) -> Job | None:
        """The first job of the first co-op by tier, counter, running jobs and name."""
        rivals: dict[tuple[str, float, bool], list[Job]] = {}
        for job in self.candidates():
            counter = self.counter_of(job.facts.coop).counter(job.facts.model)
            rivals.setdefault((job.facts.coop, counter, self.is_owed(job)), []).append(job)
        turns = []
        for (coop, counter, _), jobs in rivals.items():
            first = min(jobs, key=self.inside)
            key = self.tier(first), counter, self.counter_of(coop).running, coop
            turns.append((key, first))
        if not turns:
            return None
        key, first = min(turns, key=lambda turn: turn[0])
        self.turn = first, key[0]
        return first

    def tier(self, job: Job) -> int:
        coop = self.counter_of(job.facts.coop)
        if self.is_owed(job):
            return OWED
        return NORMAL if fits_cap(coop, job, self.terms.fair_share.cap_tokens) else CAPPED

    def inside(self, job: Job) -> tuple:
        """Order inside a co-op: project, class, job."""
        _, project, job_class = self.path_of(job)
        return (
            project.committed, project.running, job.facts.project,
            job_class.committed, self.class_terms(job).rank, job_key(job)[:3],
        )  # fmt: skip

    def first_owed_on(self, coop: str, kind: OwnKind, before: Job) -> Job | None:
        """A co-op's first job that is owed a slot of this kind of its own replicas."""
        if coop == before.facts.coop or not self.terms.fair_share.own_nodes:
            return None
        owed = [
            job
            for job in self.candidates()
            if job.facts.coop == coop and kind in self.kinds_for(job) and self.has_room(kind, job)
        ]
        first = min(owed, key=self.inside, default=None)
        if first is not None:
            self.turn = first, OWED
        return first

    # Own nodes.

    def add_own_slots(self, deltas: Iterable[OwnSlotsChange]) -> None:
        """Books earlier runs on a new kind, oldest first."""
        for delta in deltas:
            slots = self.own_slots.setdefault(delta.coop, {}).setdefault(delta.kind, [0, 0])
            slots[0] += delta.slots
            slots[1] += delta.batch_slots
        for run in self.runs:
            run.charge.own = run.charge.own or self.kind_to_book(run.job)

    def is_owed(self, job: Job) -> bool:
        """Whether a kind that could run a job has a slot without a booked run."""
        own_nodes = self.terms.fair_share.own_nodes
        return own_nodes and any(self.has_room(kind, job) for kind in self.kinds_for(job))

    def kinds_for(self, job: Job) -> list[OwnKind]:
        """The kinds of own replicas that could run a job, among the counted ones of its model."""
        own, model = self.own_slots.get(job.facts.coop, {}), job.facts.model
        if job.shape.capped:
            return []
        kinds = sorted(kind for kind in own if own[kind][0] and kind.model == model)
        return [kind for kind in kinds[:KINDS_PER_MODEL] if could_run(kind, job.shape)]

    def has_room(self, kind: OwnKind, job: Job) -> bool:
        """Whether a slot is free; runs whose kind has no slot left count against every kind."""
        own = self.own_slots[job.facts.coop]
        runs = self.runs_of(job.facts.coop, kind.model)
        orphans = self.slots([run for run in runs if not own[run.own][0]])
        there = self.slots([run for run in runs if run.own == kind], *own[kind])
        return there.is_free(orphans, batch=job.shape.batch)

    def kind_to_book(self, job: Job) -> OwnKind | None:
        """The first kind that is free, else the one with the fewest runs beyond its slots."""
        kinds = self.kinds_for(job)
        free = [kind for kind in kinds if self.has_room(kind, job)]
        return min(free[:1] or kinds, key=lambda kind: self.overbooked(kind, job), default=None)

    def overbooked(self, kind: OwnKind, job: Job) -> int:
        """How many runs a kind is beyond the slots that a job would take."""
        coop = job.facts.coop
        runs = [run for run in self.runs_of(coop, kind.model) if run.own == kind]
        return self.slots(runs, *self.own_slots[coop][kind]).overbooked(batch=job.shape.batch)

    def runs_of(self, coop: str, model: str) -> list[RunCharge]:
        """The charges of a co-op's runs that are booked on a model's kinds."""
        charges = [run.charge for run in self.runs if run.charge.coop == coop]
        return [charge for charge in charges if charge.own and charge.own.model == model]

    def slots(self, booked: list[RunCharge], slots: int = 0, batch_slots: int = 0) -> OwnSlots:
        """Slots and the runs that are booked on them."""
        own_slots = OwnSlots()
        own_slots.slots, own_slots.batch_slots = slots, batch_slots
        for charge in booked:
            own_slots.book(batch=charge.job_class == JobClass.BATCH)
        return own_slots

    # Service.

    def start_run(
        self, job: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> Run:
        """Raises the virtual times, dequeues the job, commits its prompt and expected answer."""
        turn, tier = self.turn or (None, OWED)
        model = job.facts.model
        coop, project, job_class = self.path_of(job)
        counter = coop.counter(model)
        if turn is not job or tier == OWED:  # out of order: the lowest counter that waits counts
            counter = min(
                self.counter_of(other.facts.coop).counter(model)
                for other in self.waiting
                if other.facts.model == model
            )
        self.virtual_times[model] = max(self.virtual_times[model], counter)
        self.virtual_time = max(self.virtual_time, counter)
        if turn is job:
            coop.virtual_time = max(coop.virtual_time, project.committed)
            project.virtual_time = max(project.virtual_time, job_class.committed)
        self.remove(job)
        prices, own = self.terms.charge, self.kind_to_book(job)
        charge = RunCharge(
            job.facts.coop, job.facts.project, job.facts.job_class, prices.input_weight,
            prices.output_weight, coop.weight, self.class_terms(job).share, input_tokens,
            expected_tokens if self.terms.fair_share.expected_lengths else 0, reserved_tokens,
            own=own,
        )  # fmt: skip
        run = Run(job, charge)
        self.runs.append(run)
        coop.running += 1
        project.running += 1
        coop.in_flight_tokens += charge.in_flight_tokens()
        self.commit(run, charge.committed())
        return run

    def commit(self, run: Run, virtual_tokens: float) -> None:
        coop, project, job_class = self.path_of(run.job)
        coop.committed += virtual_tokens / run.charge.coop_weight
        project.committed += virtual_tokens
        job_class.committed += virtual_tokens / run.charge.class_weight

    def add_output(self, run: Run, tokens_more: int) -> None:
        charge = run.charge
        self.change(run, output_tokens=charge.output_tokens + tokens_more)

    def end_run(self, run: Run) -> None:
        """None of its tokens are expected or in flight any more."""
        coop, project, _ = self.path_of(run.job)
        coop.running -= 1
        project.running -= 1
        self.runs.remove(run)
        self.change(run, expected_tokens=0, reserved_tokens=0)

    def correct_charge(self, run: Run, *, input_tokens: int, output_tokens: int) -> None:
        """Charges what the engine counted."""
        self.path_of(run.job)[0].answers += output_tokens > 0
        self.change(run, input_tokens=input_tokens, output_tokens=output_tokens)

    def change(self, run: Run, **tokens: int) -> None:
        """Sets token counts of a charge, and commits the difference."""
        charge = run.charge
        committed, in_flight_tokens = charge.committed(), charge.in_flight_tokens()
        for name, count in tokens.items():
            setattr(charge, name, count)
        coop = self.path_of(run.job)[0]
        coop.in_flight_tokens += charge.in_flight_tokens() - in_flight_tokens
        self.commit(run, charge.committed() - committed)
