"""Reference fair queue: the definition, computed from scratch at each call.

It shares no code with the core's queue and keeps no heap; both must return the same jobs.
"""

from collections.abc import Iterable
from math import inf

from tests.core.builders import facts

from entraide.types import DataClass, JobClass, JobState
from entraide_scheduler.core.policy import CoopTerms, FairShare, Policy
from entraide_scheduler.core.records import Job, OwnKind, Shape
from entraide_scheduler.core.rules import OwnSlotsChange

COOPS = ("alpha", "beta", "gamma")


def shape(
    model: str = "petit", jurisdiction: str = "CA", data_class: DataClass = DataClass.INTERNAL
) -> Shape:
    return Shape(model, (), jurisdiction, data_class, "", 4_096)


def make_job(
    serial: int,
    coop: str = "alpha",
    project: str = "main",
    *,
    where: Shape | None = None,
    prompt: int = 100,
    answer: int = 100,
    **changes,
) -> Job:
    where = where or shape()
    asked = facts(
        f"j{serial}", coop, project=project, model=where.model, input_tokens_est=prompt,
        input_tokens_max=prompt, data_class=where.data_class, **changes,
    )  # fmt: skip
    return Job(asked, JobState.QUEUED, serial, 0.0, answer, prompt + answer, where)


def policy(*coops: CoopTerms, **share) -> Policy:
    terms = coops or tuple(CoopTerms(coop) for coop in COOPS)
    return Policy("v1", terms, fair_share=FairShare(**{"own_nodes": False, **share}))


def reserved(job: Job) -> int:
    return job.facts.input_tokens_max + job.output_tokens_max * max(1, job.facts.choices)


class PlainCounter:
    """Service of a co-op, a project or a class."""

    def __init__(self) -> None:
        self.committed = 0.0
        self.running = 0
        self.answers = 0
        self.in_flight = 0
        self.virtual_time = 0.0
        self.lifts: dict[str, float] = {}

    def counter(self, model: str) -> float:
        return self.committed + self.lifts.get(model, 0.0)


class PlainCharge:
    """Charge of a run."""

    def __init__(self, job: Job, weights: tuple[float, float], *tokens: int) -> None:
        self.job = job
        self.path = (job.facts.coop, job.facts.project, job.facts.job_class)
        self.weights = weights
        self.input, self.expected, self.reserved = tokens
        self.output = 0
        self.own: OwnKind | None = None


class PlainQueue:
    """The reference queue."""

    def __init__(self, terms: Policy) -> None:
        self.terms = terms
        self.waiting: list[Job] = []
        self.blocked_shapes: list[Shape] = []
        self.blocked: list[Job] = []
        self.counters: dict[tuple[str, ...], PlainCounter] = {}
        self.virtual_times: dict[str, float] = {}
        self.virtual_time = 0.0
        self.own_slots: dict[str, dict[OwnKind, list[int]]] = {}
        self.runs: list[PlainCharge] = []
        self.credit: dict[str, float] = {}
        self.turn: tuple[Job, int] | None = None

    def counter_of(self, *path: str) -> PlainCounter:
        return self.counters.setdefault(path, PlainCounter())

    # Waiting.

    def add(self, job: Job) -> None:
        """Lifts the counters that had no job of the kind waiting, then enqueues the job."""
        facts_of_job, model = job.facts, job.facts.model
        mine = [other for other in self.waiting if other.facts.coop == facts_of_job.coop]
        same = [other for other in mine if other.facts.project == facts_of_job.project]
        coop = self.counter_of(facts_of_job.coop)
        for_model = any(other.facts.model == model for other in self.waiting)
        virtual_time = self.virtual_times[model] = (
            self.virtual_times[model] if for_model else self.virtual_time
        )
        lowest = virtual_time - self.head_start(facts_of_job.coop)
        if not any(kind(other) == kind(job) for other in mine) and coop.counter(model) < lowest:
            coop.lifts[model] = lowest - coop.committed
        project = self.counter_of(facts_of_job.coop, facts_of_job.project)
        if not same:
            beside = [
                self.counter_of(*path(o)[:2]).committed for o in mine if self.is_beside(o, job)
            ]
            project.committed = max(project.committed, min(beside, default=coop.virtual_time))
        if not any(other.facts.job_class == facts_of_job.job_class for other in same):
            job_class = self.counter_of(*path(job))
            beside = [self.counter_of(*path(o)).committed for o in same if self.is_beside(o, job)]
            job_class.committed = max(
                job_class.committed, min(beside, default=project.virtual_time)
            )
        self.turn = None
        self.waiting.append(job)

    def is_beside(self, other: Job, job: Job) -> bool:
        """Whether a waiting job competes with a new one: same shape, and not blocked."""
        return other.shape == job.shape and other not in self.blocked

    def remove(self, job: Job) -> None:
        self.turn = None
        self.take(job)

    def take(self, job: Job) -> None:
        self.waiting.remove(job)
        if job in self.blocked:
            self.blocked.remove(job)
        if all(other.facts.model != job.facts.model for other in self.waiting):
            del self.virtual_times[job.facts.model]
        self.forget_blocked_shape(job.shape)

    def forget_blocked_shape(self, shape: Shape) -> None:
        """A shape without jobs that take turns is not blocked."""
        taking = [other for other in self.waiting if other not in self.blocked]
        if all(other.shape != shape for other in taking) and shape in self.blocked_shapes:
            self.blocked_shapes.remove(shape)

    def block_job(self, job: Job) -> None:
        """A blocked job waits, and takes no turns."""
        self.turn = None
        self.blocked.append(job)
        self.forget_blocked_shape(job.shape)

    def unblock_job(self, job: Job) -> None:
        self.turn = None
        self.blocked.remove(job)

    # Turns.

    def next_job(self) -> Job | None:
        """The first job of the least co-op by tier, counter, running jobs and name."""
        able: dict[tuple[str, float, bool], list[Job]] = {}
        for job in self.waiting:
            if job.shape not in self.blocked_shapes and job not in self.blocked:
                counter = self.counter_of(job.facts.coop).counter(job.facts.model)
                owed = self.is_owed(job)
                able.setdefault((job.facts.coop, counter, owed), []).append(job)
        turns = []
        for (coop, counter, _), jobs in able.items():
            first = min(jobs, key=self.inside)
            key = (self.tier(first), counter, self.counter_of(coop).running, coop)
            turns.append((key, first))
        if not turns:
            return None
        key, first = min(turns, key=lambda turn: turn[0])
        self.turn = first, key[0]
        return first

    def tier(self, job: Job) -> int:
        coop, share = self.counter_of(job.facts.coop), self.terms.fair_share
        if self.is_owed(job):
            return 0
        return 2 if coop.in_flight and coop.in_flight + reserved(job) > share.cap_tokens else 1

    def counted_kinds(self, coop: str, model: str) -> list[OwnKind]:
        """The counted kinds of own replicas of a model: the first sixteen."""
        own = self.own_slots.get(coop, {})
        return sorted(kind for kind in own if own[kind][0] and kind.model == model)[:16]

    def able_kinds(self, job: Job) -> list[OwnKind]:
        """The counted kinds that could run a job."""
        kinds = self.counted_kinds(job.facts.coop, job.facts.model)
        return [kind for kind in kinds if could_run(kind, job.shape)]

    def booked_on(self, coop: str, kind: OwnKind) -> tuple[int, int]:
        """The co-op's runs booked on a kind: those of batch work, and the others."""
        there = [charge for charge in self.runs if charge.path[0] == coop and charge.own == kind]
        batch = sum(charge.path[2] == JobClass.BATCH for charge in there)
        return batch, len(there) - batch

    def has_room(self, kind: OwnKind, job: Job) -> bool:
        """Whether own replicas of a kind could run a job beside the runs booked on them.

        Runs whose kind has no slot left count against every kind. Own replicas alone would run
        batch work on its share of the slots at most, so further batch runs take no room.
        """
        coop = job.facts.coop
        if kind not in self.able_kinds(job):
            return False
        own = self.own_slots[coop]
        slots, batch_slots = own[kind]
        kinds = {
            charge.own
            for charge in self.runs
            if charge.path[0] == coop and charge.own is not None and charge.own.model == kind.model
            if not own.get(charge.own, [0])[0]
        } | {kind}
        batch = sum(self.booked_on(coop, booked)[0] for booked in kinds)
        others = sum(self.booked_on(coop, booked)[1] for booked in kinds)
        room = slots - others - min(batch, batch_slots)
        return min(room, batch_slots - batch) > 0 if job.shape.batch else room > 0

    def is_owed(self, job: Job) -> bool:
        """Whether a counted kind that could run a job has a slot without a booked run."""
        own_nodes = self.terms.fair_share.own_nodes
        return own_nodes and any(self.has_room(kind, job) for kind in self.able_kinds(job))

    def kind_to_book(self, job: Job) -> OwnKind | None:
        """The first kind that is free, else the one with the fewest runs beyond its slots."""
        kinds = self.able_kinds(job)
        free = [kind for kind in kinds if self.has_room(kind, job)]
        return min(free[:1] or kinds, key=lambda kind: self.beyond(kind, job), default=None)

    def beyond(self, kind: OwnKind, job: Job) -> int:
        """How many runs a kind is beyond the slots, and the batch slots, that a job would take."""
        batch, others = self.booked_on(job.facts.coop, kind)
        slots, batch_slots = self.own_slots[job.facts.coop][kind]
        in_all = others + min(batch, batch_slots) - slots
        return max(in_all, batch - batch_slots) if job.shape.batch else in_all

    def first_owed_on(self, coop: str, kind: OwnKind, before: Job) -> Job | None:
        """A co-op's first job that is owed a slot of this kind of its own replicas."""
        if coop == before.facts.coop or not self.terms.fair_share.own_nodes:
            return None
        jobs = [
            job
            for job in self.waiting
            if job.facts.coop == coop
            and job.shape not in self.blocked_shapes
            and job not in self.blocked
            if self.has_room(kind, job)
        ]
        if not jobs:
            return None
        first = min(jobs, key=self.inside)
        self.turn = first, 0
        return first

    def inside(self, job: Job) -> tuple:
        """Order inside a co-op: project, class, lost runs, deadline, arrival."""
        project, job_class = self.counter_of(*path(job)[:2]), self.counter_of(*path(job))
        rank = next(t.rank for t in self.terms.classes if t.job_class == job.facts.job_class)
        deadline = inf if job.facts.deadline_at is None else job.facts.deadline_at
        return (
            project.committed, project.running, job.facts.project, job_class.committed, rank,
            not job.front, deadline, job.serial,
        )  # fmt: skip

    # Service.

    def start_run(
        self, job: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> PlainCharge:
        turn, tier = self.turn or (None, 0)
        facts_of_job, model = job.facts, job.facts.model
        coop, project, job_class = (
            self.counter_of(facts_of_job.coop),
            self.counter_of(*path(job)[:2]),
            path(job),
        )
        lowest = coop.counter(model)
        if turn is not job or tier == 0:
            lowest = min(
                self.counter_of(other.facts.coop).counter(model)
                for other in self.waiting
                if other.facts.model == model
            )
        self.virtual_times[model] = max(self.virtual_times[model], lowest)
        self.virtual_time = max(self.virtual_time, lowest)
        if turn is job:
            coop.virtual_time = max(coop.virtual_time, project.committed)
            project.virtual_time = max(project.virtual_time, self.counter_of(*job_class).committed)
        self.turn = None
        self.take(job)
        expected = expected_tokens if self.terms.fair_share.expected_lengths else 0
        weights = (self.weight(facts_of_job.coop), self.share(facts_of_job.job_class))
        charge = PlainCharge(job, weights, input_tokens, expected, reserved_tokens)
        charge.own = self.kind_to_book(job)
        self.runs.append(charge)
        coop.running += 1
        project.running += 1
        coop.in_flight += reserved_tokens
        self.commit(charge, self.worth(charge))
        return charge

    def head_start(self, coop: str) -> float:
        share = self.terms.fair_share
        left = max(0, share.cap_tokens - self.counter_of(coop).in_flight)
        most = self.terms.charge.output_weight * left
        if (
            share.expected_lengths
            and self.counter_of(coop).running
            and self.counter_of(coop).answers < 4
        ):
            return most / self.weight(coop)
        return min(share.head_start_tokens, most) / self.weight(coop)

    def weight(self, coop: str) -> float:
        shares = {terms.coop: terms.shares for terms in self.terms.coops}
        return shares.get(coop, 1.0) * (1.0 + self.credit.get(coop, 0.0))

    def share(self, job_class: JobClass) -> float:
        return next(t.share for t in self.terms.classes if t.job_class == job_class)

    def worth(self, charge: PlainCharge) -> float:
        weights = self.terms.charge
        tokens = max(charge.output, charge.expected)
        return weights.input_weight * charge.input + weights.output_weight * tokens

    def commit(self, charge: PlainCharge, virtual_tokens: float) -> None:
        coop, project, _ = charge.path
        self.counter_of(coop).committed += virtual_tokens / charge.weights[0]
        self.counter_of(coop, project).committed += virtual_tokens
        self.counter_of(*charge.path).committed += virtual_tokens / charge.weights[1]

    def add_output(self, charge: PlainCharge, tokens_more: int) -> None:
        before, held = self.worth(charge), max(0, charge.reserved - charge.output)
        charge.output += tokens_more
        self.counter_of(charge.path[0]).in_flight -= held - max(0, charge.reserved - charge.output)
        self.commit(charge, self.worth(charge) - before)

    def end_run(self, charge: PlainCharge) -> None:
        coop, project, _ = charge.path
        self.counter_of(coop).running -= 1
        self.counter_of(coop, project).running -= 1
        self.counter_of(coop).in_flight -= max(0, charge.reserved - charge.output)
        self.runs.remove(charge)
        before = self.worth(charge)
        charge.expected = charge.reserved = 0
        self.commit(charge, self.worth(charge) - before)

    def correct_charge(self, charge: PlainCharge, *, input_tokens: int, output_tokens: int) -> None:
        if output_tokens:
            self.counter_of(charge.path[0]).answers += 1
        before = self.worth(charge)
        charge.input, charge.output = input_tokens, output_tokens
        self.commit(charge, self.worth(charge) - before)

    # Slots, credit and blocked shapes.

    def add_own_slots(self, deltas: Iterable[OwnSlotsChange]) -> None:
        """Books earlier runs on a new kind, oldest first."""
        for delta in deltas:
            slots = self.own_slots.setdefault(delta.coop, {}).setdefault(delta.kind, [0, 0])
            slots[0] += delta.slots
            slots[1] += delta.batch_slots
        for charge in self.runs:
            charge.own = charge.own or self.kind_to_book(charge.job)

    def set_credit(self, coop: str, factor: float) -> None:
        self.credit[coop] = factor

    def block_shape(self, shape: Shape) -> None:
        taking = [job for job in self.waiting if job not in self.blocked]
        if shape not in self.blocked_shapes and any(job.shape == shape for job in taking):
            self.blocked_shapes.append(shape)

    def unblock_shapes(self, model: str, may_fit) -> None:
        self.blocked_shapes = [
            shape for shape in self.blocked_shapes if shape.model != model or not may_fit(shape)
        ]


def own_kind(model: str = "petit", zone: str = "CA-QC", context_tokens: int = 8_192) -> OwnKind:
    return OwnKind(model, zone, context_tokens, (), tuple(DataClass))


def own_slots(coop: str, slots: int, kind: OwnKind | None = None) -> OwnSlotsChange:
    """A change that adds slots, all of which batch work may hold."""
    return OwnSlotsChange(coop, kind or own_kind(), slots, slots)


def could_run(kind: OwnKind, shape: Shape) -> bool:
    """Whether own replicas of a kind may ever run jobs of a shape."""
    lies_in = kind.zone == shape.jurisdiction or kind.zone.startswith(shape.jurisdiction + "-")
    large = kind.context_tokens >= shape.context_tokens
    able = set(shape.features) <= set(kind.features) and shape.data_class in kind.data_classes
    return lies_in and large and able and kind.model == shape.model and not shape.capped


def path(job: Job) -> tuple[str, str, str]:
    return job.facts.coop, job.facts.project, job.facts.job_class


def kind(job: Job) -> tuple[str, str, str]:
    return job.facts.model, job.facts.job_class, job.shape.data_class
