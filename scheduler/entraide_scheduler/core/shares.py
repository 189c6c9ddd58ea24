"""Shares: what each co-op, project and class was served, as counters that decide turns.

A run's bill commits what is expected at dispatch, follows what is produced, and ends with what the
engine counted. It refuses to know which jobs wait; it tells the turns in which a line stands when
its counter falls.
"""

from collections.abc import Iterable
from typing import TypeAlias

from entraide.types import JobClass, RequestFacts
from entraide_scheduler.core.bills import Bill
from entraide_scheduler.core.habits import FEW
from entraide_scheduler.core.owed import OwnDelta, OwnModel
from entraide_scheduler.core.own_kinds import OwnKind
from entraide_scheduler.core.policy import Charge, ClassTerms, FairShare, Policy
from entraide_scheduler.core.records import Shape
from entraide_scheduler.core.turns import NEVER, Coop, Line

Lines: TypeAlias = tuple[Coop, Line, Line]  # of a co-op, a project and a class


class Shares:
    """The lines of all levels.

    Attributes:
        terms: how turns are taken.
        coops: their lines by name; each holds its projects', and each project its classes'.
        height: the highest counter at which a co-op's turn was taken.
    """

    def __init__(self) -> None:
        self.terms = FairShare()
        self.coops: dict[str, Coop] = {}
        self.height = 0.0
        self._charge = Charge()
        self._shares: dict[str, float] = {}
        self._classes: dict[JobClass, ClassTerms] = {}
        self._fallen: list[Line] = []
        self._fallen_coops: list[Coop] = []

    def agree(self, policy: Policy) -> None:
        """Takes the members' terms."""
        self.terms, self._charge = policy.fair_share, policy.charge
        self._shares = {terms.coop: terms.shares for terms in policy.coops}
        self._classes = {terms.job_class: terms for terms in policy.classes}
        self.weigh_all()

    def weigh_all(self) -> None:
        """Gives every line the weight and the rank that the terms say."""
        for coop in self.coops.values():
            self.weigh(coop)
            for project in coop.inner.values():
                for line in project.inner.values():
                    terms = self._classes[JobClass(line.name)]
                    line.rank, line.weight = terms.rank, terms.share

    def weigh(self, coop: Coop) -> None:
        """Gives a co-op its weight: shares x (1 + credit)."""
        coop.weight = self._shares.get(coop.name, 1.0) * (1.0 + coop.credit)
        self.coop_fell(coop)

    def coop(self, name: str) -> Coop:
        """Returns a co-op's line, made when it is new."""
        line = self.coops.get(name)
        if line is None:
            line = self.coops[name] = Coop(name)
            self.weigh(line)
        return line

    def lines_for(self, facts: RequestFacts) -> Lines:
        """Returns the lines of a job's co-op, project and class, made when they are new."""
        coop = self.coop(facts.coop)
        project = coop.inner.get(facts.project)
        if project is None:
            project = coop.inner[facts.project] = Line(facts.project)
        line = project.inner.get(facts.job_class)
        if line is None:
            terms = self._classes[facts.job_class]
            line = Line(facts.job_class.value, rank=terms.rank, weight=terms.share)
            project.inner[facts.job_class.value] = line
        return coop, project, line

    def lines_of(self, bill: Bill) -> Lines:
        """Returns the lines that a bill charges."""
        coop = self.coops[bill.coop]
        project = coop.inner[bill.project]
        return coop, project, project.inner[bill.job_class]

    def head_start(self, coop: Coop) -> float:
        """Returns how far below the place of turns a co-op that comes back may stand.

        No further than its cap leaves, priced and weighed: so the bound stays what it is. As far
        as that, while it has runs and hardly an answer of its own has ended: what its runs will
        cost is then a guess, and a co-op that is being served was not away.
        """
        terms = self.terms
        left_tokens = max(0, terms.cap_tokens - coop.in_flight_tokens)
        most = self._charge.output_weight * left_tokens
        if terms.expected_lengths and coop.running and coop.answers < FEW:
            return most / coop.weight
        return min(float(terms.head_start_tokens), most) / coop.weight

    # Bills.

    def begin(
        self,
        lines: Lines,
        *,
        shape: Shape,
        input_tokens: int,
        expected_tokens: int,
        reserved_tokens: int,
    ) -> Bill:
        """Begins a run's bill: charges its prompt and commits the answer that is expected."""
        coop, project, line = lines
        own = coop.own.get(shape.model)
        bill = Bill(
            coop.name,
            project.name,
            line.name,
            self._charge.input_weight,
            self._charge.output_weight,
            coop.weight,
            line.weight,
            input_tokens,
            expected_tokens if self.terms.expected_lengths else 0,
            reserved_tokens,
            own=None if own is None else own.kind_to_book(shape),
        )
        self.count(bill, lines, shape)
        self._commit(bill, bill.committed(), lines)
        return bill

    def count(self, bill: Bill, lines: Lines, shape: Shape | None) -> None:
        """Counts a run that begins, or that a snapshot held; its shape where it is not booked."""
        coop, project, _ = lines
        coop.running += 1
        project.running += 1
        coop.in_flight_tokens += bill.in_flight_tokens()
        if bill.own is not None:
            own = coop.own.setdefault(bill.own.model, OwnModel())
            own.book(bill.own, batch=bill.job_class == JobClass.BATCH)
        elif shape is not None:
            coop.unbooked.setdefault(shape.model, {})[bill] = shape

    def own(self, deltas: Iterable[OwnDelta]) -> None:
        """Takes in more or fewer slots of some kinds of own replicas.

        Runs that began before their co-op had a kind which could run them are booked then. The
        work is bounded by the co-op's runs of the model that are not booked; a hello that changes
        no kind does none.
        """
        sums: dict[tuple[str, OwnKind], OwnDelta] = {}
        for delta in deltas:
            key = delta.coop, delta.kind
            before = sums.get(key, OwnDelta(*key, 0, 0))
            sums[key] = OwnDelta(
                *key, before.slots + delta.slots, before.batch_slots + delta.batch_slots
            )
        changed: dict[tuple[str, str], Coop] = {}
        for (name, kind), delta in sums.items():
            coop = self.coop(name)
            own = coop.own.setdefault(kind.model, OwnModel())
            version = own.version
            own.add(delta)
            self.coop_fell(coop)
            if own.version != version:
                changed[name, kind.model] = coop
        for (_, model), coop in changed.items():
            self._book_earlier(coop, model)

    @staticmethod
    def _book_earlier(coop: Coop, model: str) -> None:
        own, earlier = coop.own[model], coop.unbooked.get(model, {})
        for bill, shape in list(earlier.items()):
            kind = own.kind_to_book(shape)
            if kind is not None:
                own.book(kind, batch=bill.job_class == JobClass.BATCH)
                bill.own = kind
                del earlier[bill]

    def produced(self, bill: Bill, tokens_more: int) -> None:
        """Notes tokens that a run has produced; what was expected is committed already."""
        coop = self.coops[bill.coop]
        held_tokens, committed = bill.in_flight_tokens(), bill.committed()
        bill.output_tokens += tokens_more
        coop.in_flight_tokens -= held_tokens - bill.in_flight_tokens()
        more = bill.committed() - committed
        if more:
            self._commit(bill, more, self.lines_of(bill))
        if coop.in_flight_tokens + coop.needs_tokens <= self.terms.cap_tokens:
            self.coop_fell(coop)

    def leave(self, bill: Bill) -> None:
        """Notes that a run is over: nothing of it is expected or in flight any more."""
        lines = coop, project, _ = self.lines_of(bill)
        coop.running -= 1
        project.running -= 1
        coop.in_flight_tokens -= bill.in_flight_tokens()
        if bill.own is not None:
            own = coop.own[bill.own.model]
            own.release(bill.own, batch=bill.job_class == JobClass.BATCH)
            bill.own = None
        else:
            for earlier in coop.unbooked.values():
                earlier.pop(bill, None)
        committed = bill.committed()
        bill.expected_tokens = bill.reserved_tokens = 0
        self._commit(bill, bill.committed() - committed, lines)

    def correct(self, bill: Bill, *, input_tokens: int, output_tokens: int) -> None:
        """Sets what a run that is over is charged to what the engine counted."""
        lines = coop, _, _ = self.lines_of(bill)
        if output_tokens and coop.answers < FEW:
            coop.answers += 1
        committed = bill.committed()
        bill.input_tokens, bill.output_tokens = input_tokens, output_tokens
        self._commit(bill, bill.committed() - committed, lines)

    def _commit(self, bill: Bill, virtual_tokens: float, lines: Lines) -> None:
        coop, project, line = lines
        coop.committed += virtual_tokens / bill.coop_weight
        project.committed += virtual_tokens
        line.committed += virtual_tokens / bill.class_weight
        if virtual_tokens <= 0.0:
            self.coop_fell(coop)
            if not project.told and project.places:
                project.told = True
                self._fallen.append(project)
        elif coop.needs_tokens != NEVER:
            self.coop_fell(coop)

    # Counters that fell.

    def coop_fell(self, coop: Coop) -> None:
        """Notes that a co-op's turn may come sooner than its places say."""
        if not coop.told and coop.places:
            coop.told = True
            self._fallen_coops.append(coop)

    def settle(self) -> None:
        """Reckons with what fell: co-ops last, whose tiers depend on the order below them."""
        for line in self._fallen:
            line.told = False
            for turns, place in line.places.items():
                turns.fell(place)
        self._fallen.clear()
        for line in self._fallen_coops:
            line.told = False
            line.needs_tokens = NEVER
            for turns, place in line.places.items():
                turns.fell(place)
        self._fallen_coops.clear()
