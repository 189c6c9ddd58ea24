"""The fair queue as it is defined, in plain words: everything is looked at every time.

It shares no code with the queue of the core and keeps no heap; what it answers is what the core's
must answer.
"""

from math import inf

from tests.core.builders import facts

from entraide.types import DataClass, JobClass, JobState
from entraide_scheduler.core.own_capacity import OwnSlotsChange
from entraide_scheduler.core.own_kinds import OwnKind
from entraide_scheduler.core.policy import CoopTerms, FairShare, Policy
from entraide_scheduler.core.records import Job, Shape

COOPS = ("alpha", "beta", "gamma")


def shape(
    model: str = "petit", jurisdiction: str = "CA", data_class: DataClass = DataClass.INTERNAL
) -> Shape:
    return Shape(model, (), jurisdiction, data_class, "", 4_096)


def job(
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


def reserved(one: Job) -> int:
    return one.facts.input_tokens_max + one.output_tokens_max * max(1, one.facts.choices)


class PlainLine:
    """What a co-op, a project or a class was served."""

    def __init__(self) -> None:
        self.committed = 0.0
        self.running = 0
        self.answers = 0
        self.in_flight = 0
        self.height = 0.0
        self.lifts: dict[str, float] = {}

    def counter(self, model: str) -> float:
        return self.committed + self.lifts.get(model, 0.0)


class PlainBill:
    """What a run was charged."""

    def __init__(self, one: Job, weights: tuple[float, float], *tokens: int) -> None:
        self.job = one
        self.path = (one.facts.coop, one.facts.project, one.facts.job_class)
        self.weights = weights
        self.input, self.expected, self.reserved = tokens
        self.output = 0
        self.own: OwnKind | None = None


class PlainQueue:
    """Whose turn it is, by definition."""

    def __init__(self, terms: Policy) -> None:
        self.terms = terms
        self.waiting: list[Job] = []
        self.stuck: list[Shape] = []
        self.blocked: list[Job] = []
        self.lines: dict[tuple[str, ...], PlainLine] = {}
        self.floors: dict[str, float] = {}
        self.height = 0.0
        self.own_slots: dict[str, dict[OwnKind, list[int]]] = {}
        self.runs: list[PlainBill] = []
        self.credit: dict[str, float] = {}
        self.turn: tuple[Job, int] | None = None

    def line(self, *path: str) -> PlainLine:
        return self.lines.setdefault(path, PlainLine())

    # Waiting.

    def add(self, one: Job) -> None:
        """Those that had nothing of the kind waiting are lifted first."""
        wants, model = one.facts, one.facts.model
        mine = [other for other in self.waiting if other.facts.coop == wants.coop]
        same = [other for other in mine if other.facts.project == wants.project]
        coop = self.line(wants.coop)
        for_model = any(other.facts.model == model for other in self.waiting)
        floor = self.floors[model] = self.floors[model] if for_model else self.height
        mark = floor - self.head_start(wants.coop)
        if not any(kind(other) == kind(one) for other in mine) and coop.counter(model) < mark:
            coop.lifts[model] = mark - coop.committed
        project = self.line(wants.coop, wants.project)
        if not same:
            beside = [self.line(*path(o)[:2]).committed for o in mine if self.is_beside(o, one)]
            project.committed = max(project.committed, min(beside, default=coop.height))
        if not any(other.facts.job_class == wants.job_class for other in same):
            of_class = self.line(*path(one))
            beside = [self.line(*path(o)).committed for o in same if self.is_beside(o, one)]
            of_class.committed = max(of_class.committed, min(beside, default=project.height))
        self.turn = None
        self.waiting.append(one)

    def is_beside(self, other: Job, one: Job) -> bool:
        """Whether a waiting job competes with one that comes: of its shape, and not blocked."""
        return other.shape == one.shape and other not in self.blocked

    def remove(self, one: Job) -> None:
        self.turn = None
        self.take(one)

    def take(self, one: Job) -> None:
        self.waiting.remove(one)
        if one in self.blocked:
            self.blocked.remove(one)
        if all(other.facts.model != one.facts.model for other in self.waiting):
            del self.floors[one.facts.model]
        self.forget_stuck(one.shape)

    def forget_stuck(self, which: Shape) -> None:
        """A shape of which no job takes turns is not stuck."""
        taking = [other for other in self.waiting if other not in self.blocked]
        if all(other.shape != which for other in taking) and which in self.stuck:
            self.stuck.remove(which)

    def block_job(self, one: Job) -> None:
        """A job that a limit of its own holds back waits on, and takes no turns."""
        self.turn = None
        self.blocked.append(one)
        self.forget_stuck(one.shape)

    def unblock_job(self, one: Job) -> None:
        self.turn = None
        self.blocked.remove(one)

    # Turns.

    def next_job(self) -> Job | None:
        """The least of all co-ops: tier, counter, running jobs, name; then its first job."""
        able: dict[tuple[str, float, bool], list[Job]] = {}
        for one in self.waiting:
            if one.shape not in self.stuck and one not in self.blocked:
                counter = self.line(one.facts.coop).counter(one.facts.model)
                owed = self.is_owed(one)
                able.setdefault((one.facts.coop, counter, owed), []).append(one)
        turns = []
        for (coop, counter, _), jobs in able.items():
            first = min(jobs, key=self.inside)
            key = (self.tier(first), counter, self.line(coop).running, coop)
            turns.append((key, first))
        if not turns:
            return None
        key, first = min(turns, key=lambda turn: turn[0])
        self.turn = first, key[0]
        return first

    def tier(self, one: Job) -> int:
        coop, share = self.line(one.facts.coop), self.terms.fair_share
        if self.is_owed(one):
            return 0
        return 2 if coop.in_flight and coop.in_flight + reserved(one) > share.cap_tokens else 1

    def counted_kinds(self, coop: str, model: str) -> list[OwnKind]:
        """The kinds of own replicas of a model that owe anything: the first sixteen."""
        own = self.own_slots.get(coop, {})
        return sorted(kind for kind in own if own[kind][0] and kind.model == model)[:16]

    def able_kinds(self, one: Job) -> list[OwnKind]:
        """The kinds that count and could run a job."""
        kinds = self.counted_kinds(one.facts.coop, one.facts.model)
        return [kind for kind in kinds if could_run(kind, one.shape)]

    def booked_on(self, coop: str, kind: OwnKind) -> tuple[int, int]:
        """The co-op's runs booked on a kind: those of batch work, and the others."""
        there = [bill for bill in self.runs if bill.path[0] == coop and bill.own == kind]
        batch = sum(bill.path[2] == JobClass.BATCH for bill in there)
        return batch, len(there) - batch

    def has_room(self, kind: OwnKind, one: Job) -> bool:
        """Whether own replicas of a kind could run a job beside the runs booked on them.

        Runs whose kind has no slot left count against every kind. Own replicas alone would run
        batch work on its share of the slots at most, so further batch runs take no room.
        """
        coop = one.facts.coop
        if kind not in self.able_kinds(one):
            return False
        own = self.own_slots[coop]
        slots, batch_slots = own[kind]
        kinds = {
            bill.own
            for bill in self.runs
            if bill.path[0] == coop and bill.own is not None and bill.own.model == kind.model
            if not own.get(bill.own, [0])[0]
        } | {kind}
        batch = sum(self.booked_on(coop, which)[0] for which in kinds)
        others = sum(self.booked_on(coop, which)[1] for which in kinds)
        room = slots - others - min(batch, batch_slots)
        return min(room, batch_slots - batch) > 0 if one.shape.batch else room > 0

    def is_owed(self, one: Job) -> bool:
        """Whether own replicas that could run a job are free in the books."""
        own_nodes = self.terms.fair_share.own_nodes
        return own_nodes and any(self.has_room(kind, one) for kind in self.able_kinds(one))

    def kind_to_book(self, one: Job) -> OwnKind | None:
        """The first kind that is free, else the one with the fewest runs beyond its slots."""
        kinds = self.able_kinds(one)
        free = [kind for kind in kinds if self.has_room(kind, one)]
        return min(free[:1] or kinds, key=lambda kind: self.beyond(kind, one), default=None)

    def beyond(self, kind: OwnKind, one: Job) -> int:
        """How many runs a kind is beyond the slots, and the batch slots, that a job would take."""
        batch, others = self.booked_on(one.facts.coop, kind)
        slots, batch_slots = self.own_slots[one.facts.coop][kind]
        in_all = others + min(batch, batch_slots) - slots
        return max(in_all, batch - batch_slots) if one.shape.batch else in_all

    def first_owed_on(self, coop: str, kind: OwnKind, before: Job) -> Job | None:
        """A co-op's first job that is owed a slot of that very kind of its own replicas."""
        if coop == before.facts.coop or not self.terms.fair_share.own_nodes:
            return None
        jobs = [
            one
            for one in self.waiting
            if one.facts.coop == coop and one.shape not in self.stuck and one not in self.blocked
            if self.has_room(kind, one)
        ]
        if not jobs:
            return None
        first = min(jobs, key=self.inside)
        self.turn = first, 0
        return first

    def inside(self, one: Job) -> tuple:
        """Project, then class, then lost runs, deadline and arrival."""
        project, of_class = self.line(*path(one)[:2]), self.line(*path(one))
        rank = next(t.rank for t in self.terms.classes if t.job_class == one.facts.job_class)
        deadline = inf if one.facts.deadline_at is None else one.facts.deadline_at
        return (
            project.committed, project.running, one.facts.project, of_class.committed, rank,
            not one.front, deadline, one.serial,
        )  # fmt: skip

    # What is served.

    def start_run(
        self, one: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> PlainBill:
        turn, tier = self.turn or (None, 0)
        wants, model = one.facts, one.facts.model
        coop, project, of_class = self.line(wants.coop), self.line(*path(one)[:2]), path(one)
        mark = coop.counter(model)
        if turn is not one or tier == 0:
            mark = min(
                self.line(other.facts.coop).counter(model)
                for other in self.waiting
                if other.facts.model == model
            )
        self.floors[model] = max(self.floors[model], mark)
        self.height = max(self.height, mark)
        if turn is one:
            coop.height = max(coop.height, project.committed)
            project.height = max(project.height, self.line(*of_class).committed)
        self.turn = None
        self.take(one)
        expected = expected_tokens if self.terms.fair_share.expected_lengths else 0
        weights = (self.weight(wants.coop), self.share(wants.job_class))
        bill = PlainBill(one, weights, input_tokens, expected, reserved_tokens)
        bill.own = self.kind_to_book(one)
        self.runs.append(bill)
        coop.running += 1
        project.running += 1
        coop.in_flight += reserved_tokens
        self.commit(bill, self.worth(bill))
        return bill

    def head_start(self, coop: str) -> float:
        share = self.terms.fair_share
        left = max(0, share.cap_tokens - self.line(coop).in_flight)
        most = self.terms.charge.output_weight * left
        if share.expected_lengths and self.line(coop).running and self.line(coop).answers < 4:
            return most / self.weight(coop)
        return min(share.head_start_tokens, most) / self.weight(coop)

    def weight(self, coop: str) -> float:
        shares = {terms.coop: terms.shares for terms in self.terms.coops}
        return shares.get(coop, 1.0) * (1.0 + self.credit.get(coop, 0.0))

    def share(self, job_class: JobClass) -> float:
        return next(t.share for t in self.terms.classes if t.job_class == job_class)

    def worth(self, bill: PlainBill) -> float:
        charge = self.terms.charge
        tokens = max(bill.output, bill.expected)
        return charge.input_weight * bill.input + charge.output_weight * tokens

    def commit(self, bill: PlainBill, virtual_tokens: float) -> None:
        coop, project, _ = bill.path
        self.line(coop).committed += virtual_tokens / bill.weights[0]
        self.line(coop, project).committed += virtual_tokens
        self.line(*bill.path).committed += virtual_tokens / bill.weights[1]

    def add_output(self, bill: PlainBill, tokens_more: int) -> None:
        before, held = self.worth(bill), max(0, bill.reserved - bill.output)
        bill.output += tokens_more
        self.line(bill.path[0]).in_flight -= held - max(0, bill.reserved - bill.output)
        self.commit(bill, self.worth(bill) - before)

    def end_run(self, bill: PlainBill) -> None:
        coop, project, _ = bill.path
        self.line(coop).running -= 1
        self.line(coop, project).running -= 1
        self.line(coop).in_flight -= max(0, bill.reserved - bill.output)
        self.runs.remove(bill)
        before = self.worth(bill)
        bill.expected = bill.reserved = 0
        self.commit(bill, self.worth(bill) - before)

    def correct_charge(self, bill: PlainBill, *, input_tokens: int, output_tokens: int) -> None:
        if output_tokens:
            self.line(bill.path[0]).answers += 1
        before = self.worth(bill)
        bill.input, bill.output = input_tokens, output_tokens
        self.commit(bill, self.worth(bill) - before)

    def refund(self, bill: PlainBill) -> None:
        self.correct_charge(bill, input_tokens=0, output_tokens=0)

    # What the members and the nodes say.

    def add_own_slots(self, *deltas: OwnSlotsChange) -> None:
        """Runs that began before a kind came are booked on it, the oldest first."""
        for delta in deltas:
            slots = self.own_slots.setdefault(delta.coop, {}).setdefault(delta.kind, [0, 0])
            slots[0] += delta.slots
            slots[1] += delta.batch_slots
        for bill in self.runs:
            bill.own = bill.own or self.kind_to_book(bill.job)

    def set_credit(self, coop: str, factor: float) -> None:
        self.credit[coop] = factor

    def block_shape(self, which: Shape) -> None:
        taking = [one for one in self.waiting if one not in self.blocked]
        if which not in self.stuck and any(one.shape == which for one in taking):
            self.stuck.append(which)

    def unblock_shapes(self, model: str, may_fit) -> None:
        self.stuck = [one for one in self.stuck if one.model != model or not may_fit(one)]


def own_kind(model: str = "petit", zone: str = "CA-QC", context_tokens: int = 8_192) -> OwnKind:
    return OwnKind(model, zone, context_tokens, (), tuple(DataClass))


def own_slots(coop: str, slots: int, kind: OwnKind | None = None) -> OwnSlotsChange:
    """A co-op's own nodes have more slots, for batch work too."""
    return OwnSlotsChange(coop, kind or own_kind(), slots, slots)


def could_run(kind: OwnKind, which: Shape) -> bool:
    """Whether a replica of a kind may ever run jobs of a shape of its own co-op's."""
    lies_in = kind.zone == which.jurisdiction or kind.zone.startswith(which.jurisdiction + "-")
    large = kind.context_tokens >= which.context_tokens
    able = set(which.features) <= set(kind.features) and which.data_class in kind.data_classes
    return lies_in and large and able and kind.model == which.model and not which.capped


def path(one: Job) -> tuple[str, str, str]:
    return one.facts.coop, one.facts.project, one.facts.job_class


def kind(one: Job) -> tuple[str, str, str]:
    return one.facts.model, one.facts.job_class, one.shape.data_class
