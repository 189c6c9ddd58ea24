"""Fair queue: whose turn it is, by virtual tokens on three levels: co-op, project, class.

Weighted virtual token counters (VTC, Sheng et al., OSDI 2024): a line's counter grows by what it
is served over its weight, and the waiting line with the least goes first. Ours commit the answer
that is expected at dispatch and correct it as it comes; a co-op that holds less than its own nodes
could give goes first, and one at its cap goes last. ``docs/concepts/fairness.md`` proves what
follows. It refuses to know nodes, and asks its caller which shapes are stuck.
"""

from collections.abc import Callable

from msgspec import Struct

from entraide.types import JobClass
from entraide_scheduler.core.bills import Bill
from entraide_scheduler.core.policy import Charge, ClassTerms, FairShare, Policy
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.turns import NEVER, Crowd, Key, Level, Line
from entraide_scheduler.core.waiting import Row, Sort, Stand, Waiting, kind_of, reserved_tokens

OWED, NORMAL, CAPPED = range(3)  # tiers of co-ops: each goes before the next, whatever it had


class AtCap(Struct, frozen=True):
    """Why a job of a co-op waits for that co-op's own runs.

    Attributes:
        in_flight_tokens: prompt and longest answer of its runs, less what was produced.
        cap_tokens: the most it may have while another co-op waits for the same nodes.
    """

    in_flight_tokens: int
    cap_tokens: int


class FairQueue:
    """All jobs that wait, and what each co-op, project and class was served.

    Attributes:
        coops: the upper level; each line holds its projects, and each project its classes.
        crowds: the co-ops that wait, by model.
    """

    def __init__(self) -> None:
        self.coops = Level()
        self.crowds: dict[str, Crowd] = {}
        self._waiting = Waiting(self._key)
        self._fallen: list[Line] = []
        self._fallen_coops: list[Line] = []
        self._turn: tuple[Job, Row, int] | None = None
        self._largest_tokens = 0
        self._share = FairShare()
        self._charge = Charge()
        self._shares: dict[str, float] = {}
        self._classes: dict[JobClass, ClassTerms] = {}

    # What the members agreed.

    def agree(self, policy: Policy) -> None:
        """Takes the members' terms; every shape is looked at again."""
        self._share, self._charge = policy.fair_share, policy.charge
        self._shares = {terms.coop: terms.shares for terms in policy.coops}
        self._classes = {terms.job_class: terms for terms in policy.classes}
        self.weigh_all()
        for coop in self.coops.lines.values():
            self._coop_fell(coop)
        self.unstick_all(lambda _: True)

    def weigh_all(self) -> None:
        """Gives every line the weight and the rank that the terms say."""
        for coop in self.coops.lines.values():
            self._weigh(coop)
            for project in coop.inner.lines.values():
                for line in project.inner.lines.values():
                    terms = self._classes[JobClass(line.name)]
                    line.rank, line.weight = terms.rank, terms.share

    def own(self, coop: str, slots: int) -> None:
        """Says how many slots a co-op's own nodes have."""
        line = self._coop(coop)
        line.own_slots = slots
        self._coop_fell(line)

    def weigh(self, coop: str, factor: float) -> None:
        """Says what a co-op's gifts add to its weight: shares x (1 + factor)."""
        line = self._coop(coop)
        line.credit = factor
        self._weigh(line)

    def _weigh(self, coop: Line) -> None:
        coop.weight = self._shares.get(coop.name, 1.0) * (1.0 + coop.credit)

    # Waiting.

    def add(self, job: Job) -> None:
        """Puts a job in line; lines that had none of its kind waiting are lifted."""
        self._put(job, lift=True)

    def place(self, job: Job) -> None:
        """Puts a job in line that waited already: a restored or reshaped one lifts nobody."""
        self._put(job, lift=False)

    def _put(self, job: Job, *, lift: bool) -> None:
        row = self._waiting.find(job)
        if row is None:
            row = self._put_first(job, lift=lift)
        else:
            self._waiting.put(row, job)
        row.coop.queued += 1
        tokens = reserved_tokens(job)
        self._largest_tokens = max(self._largest_tokens, tokens)
        if row.coop.needs_tokens != NEVER:
            self._coop_fell(row.coop)

    def _put_first(self, job: Job, *, lift: bool) -> Row:
        facts = job.facts
        coop = self._coop(facts.coop)
        project = coop.inner.lines.get(facts.project)
        if project is None:
            project = coop.inner.lines[facts.project] = Line(facts.project)
        line = project.inner.lines.get(facts.job_class)
        if line is None:
            terms = self._classes[facts.job_class]
            line = Line(facts.job_class.value, rank=terms.rank, weight=terms.share)
            project.inner.lines[facts.job_class] = line
        self._enter(job, coop, project, line, lift=lift)
        return self._waiting.put_first(job, coop=coop, project=project, job_class=line)

    def _enter(self, job: Job, coop: Line, project: Line, line: Line, *, lift: bool) -> None:
        """Notes one more row of these lines; those that were away are lifted."""
        kind, model = kind_of(job), job.facts.model
        crowd = self.crowds.get(model)
        if crowd is None:
            crowd = self.crowds[model] = Crowd(self.coops.height, model)
        away = coop.enter(kind)
        if lift:
            self._settle()
            if away:
                coop.lift(model, crowd.mark())
            stand = self._waiting.stand(job.shape, coop.name)
            if not project.rows:
                mark = stand.least_project() if stand else coop.inner.height
                project.committed = max(project.committed, mark)
            if not line.rows:
                alike = {} if stand is None else stand.rows.get(project.name, {})
                counters = [row.job_class.committed for row in alike.values()]
                mark = min(counters, default=project.inner.height)
                line.committed = max(line.committed, mark)
        project.rows += 1
        line.rows += 1
        if coop not in crowd.turns:
            crowd.turns.enter(coop)

    def remove(self, job: Job) -> None:
        """Takes a job out of the line, served or not."""
        self._take(self._row(job), job)

    def _row(self, job: Job) -> Row:
        row = self._waiting.find(job)
        assert row is not None, f"{job.facts.job} does not wait"
        return row

    def _take(self, row: Row, job: Job) -> None:
        self._waiting.take(row, job)
        coop = row.coop
        coop.queued -= 1
        if not len(row):
            self._exit(row)
        if coop.needs_tokens != NEVER:
            self._coop_fell(coop)

    def _exit(self, row: Row) -> None:
        row.project.rows -= 1
        row.job_class.rows -= 1
        if row.coop.exit(row.kind):
            model = row.kind[0]
            crowd = self.crowds[model]
            crowd.turns.leave(row.coop)
            if not len(crowd.turns):
                del self.crowds[model]

    def reorder(self, shape_of: Callable[[Job], Shape]) -> None:
        """Puts every waiting job in place again, after a change of shapes; none is stuck then.

        Args:
            shape_of: a job's shape from now on; of the same model.
        """
        jobs = self._waiting.jobs()
        self._waiting = Waiting(self._key)
        self.crowds = {model: Crowd(crowd.floor, model) for model, crowd in self.crowds.items()}
        for coop in self.coops.lines.values():
            coop.empty()
        for job in jobs:
            job.shape = shape_of(job)
            self.place(job)

    def jobs(self) -> list[Job]:
        """Returns the waiting jobs, in order of arrival."""
        return self._waiting.jobs()

    def length(self, coop: str) -> int:
        """Returns how many jobs of a co-op wait."""
        line = self.coops.lines.get(coop)
        return 0 if line is None else line.queued

    @property
    def shapes(self) -> dict[Shape, int]:
        """How many jobs of each shape wait."""
        return self._waiting.shapes()

    @property
    def stuck(self) -> tuple[Shape, ...]:
        """The shapes that are passed over, in the order in which they were set aside."""
        return tuple(self._waiting.stuck)

    def stick(self, shape: Shape) -> None:
        """Passes over a shape that fits no node for now."""
        self._waiting.stick(shape)

    def unstick(self, model: str, may_fit: Callable[[Shape], bool]) -> None:
        """Looks at a model's stuck shapes again, after something opened for it."""
        self._waiting.unstick(model, may_fit)

    def unstick_all(self, may_fit: Callable[[Shape], bool]) -> None:
        """Looks at all stuck shapes again."""
        for model in list(self._waiting.models):
            self._waiting.unstick(model, may_fit)

    # Turns.

    def next(self) -> Job | None:
        """Returns the job whose turn it is among those whose shape is not stuck."""
        if not self._waiting.open:
            return None
        self._settle()
        barred: list[Line] = []
        while True:
            key = min([sort.turns.first() for sort in self._waiting.open.values()])
            tier, counter, _, _, coop = key
            row = self._first(coop, counter)
            job = row.first()[3]
            if tier != NORMAL or self._fits_cap(coop, job):
                break
            # A smaller job of another shape stands here, behind one that must wait for the cap.
            coop.barred += (counter,)
            barred.append(coop)
        for line in barred:
            line.barred = ()
            self._coop_fell(line)
        self._turn = (job, row, tier)
        return job

    def _first(self, coop: Line, counter: float) -> Row:
        """Returns a co-op's first row over all shapes for which its counter is the same."""
        name = coop.name
        stands = [sort.stands[name] for sort in self._waiting.open.values() if name in sort.stands]
        if len(stands) == 1:
            return stands[0].first()
        alike = [stand for stand in stands if coop.counter(stand.sort.shape.model) == counter]
        return min(alike, key=Stand.head).first()

    def _key(self, sort: Sort, coop: Line) -> Key:
        """Returns what decides a co-op's turn for jobs of a shape."""
        counter = coop.committed + coop.lifts[sort.shape.model]
        return self._tier(sort, coop, counter), counter, coop.running, coop.name, coop

    def _tier(self, sort: Sort, coop: Line, counter: float) -> int:
        if coop.running < coop.own_slots and self._share.own_nodes:
            return OWED
        held_tokens = coop.in_flight_tokens
        if not held_tokens or held_tokens + self._largest_tokens <= self._share.cap_tokens:
            return NORMAL
        if counter in coop.barred:
            return CAPPED
        job = sort.stands[coop.name].first().first()[3]
        if self._fits_cap(coop, job):
            return NORMAL
        coop.needs_tokens = min(coop.needs_tokens, reserved_tokens(job))
        return CAPPED

    def _is_owed(self, coop: Line) -> bool:
        return self._share.own_nodes and coop.running < coop.own_slots

    def _fits_cap(self, coop: Line, job: Job) -> bool:
        held_tokens = coop.in_flight_tokens
        return not held_tokens or held_tokens + reserved_tokens(job) <= self._share.cap_tokens

    def held(self, job: Job) -> AtCap | None:
        """Returns what holds a waiting job back while other co-ops wait, if its cap does."""
        coop = self._row(job).coop
        if self._is_owed(coop) or self._fits_cap(coop, job):
            return None
        return AtCap(coop.in_flight_tokens, self._share.cap_tokens)

    def ahead(self, job: Job) -> tuple[int, int]:
        """Returns what goes before a waiting job, as things stand.

        Returns:
            Jobs of its project and class, and other co-ops that wait for its model.
        """
        self._settle()
        row = self._row(job)
        sorts = self._waiting.models[job.shape.model].values()
        mine = min(sort.turns.key(row.coop) for sort in sorts if row.coop in sort.turns)
        others = {
            line.name
            for sort in sorts
            for line in sort.turns.lines()
            if line is not row.coop and sort.turns.key(line) < mine
        }
        own = sum(
            other.before(job)
            for alike in self._waiting.models.values()
            for sort in alike.values()
            if (stand := sort.stands.get(row.coop.name)) is not None
            and (other := stand.rows.get(row.project.name, {}).get(row.job_class.name)) is not None
        )
        return own, len(others)

    # What is served.

    def serve(
        self, job: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> Bill:
        """Takes a job out of the line because a node was found for it, and begins its bill.

        Args:
            job: one that waits; ``next`` need not have named it.
            input_tokens: of its prompt, those that no cache holds.
            expected_tokens: of its answers, at most the longest.
            reserved_tokens: prompt and longest answers; they count in flight.
        """
        turn, row, tier = self._turn or (None, None, NORMAL)
        if row is None or turn is not job:
            row = self._row(job)
        self._turn = None
        self._take_turn(row, tier if turn is job else None)
        self._take(row, job)
        coop, project, line = row.coop, row.project, row.job_class
        bill = Bill(
            coop=coop.name,
            project=project.name,
            job_class=job.facts.job_class,
            input_weight=self._charge.input_weight,
            output_weight=self._charge.output_weight,
            coop_weight=coop.weight,
            class_weight=line.weight,
            input_tokens=input_tokens,
            expected_tokens=expected_tokens if self._share.expected_lengths else 0,
            reserved_tokens=reserved_tokens,
        )
        coop.running += 1
        project.running += 1
        coop.in_flight_tokens += reserved_tokens
        self._commit(bill, bill.committed(), coop, project, line)
        return bill

    def _take_turn(self, row: Row, tier: int | None) -> None:
        """Notes where turns are taken: those who come back will be lifted there.

        The counter of a co-op that goes before its turn says nothing of that; then the least of
        those that wait does.

        Args:
            row: whose job is served.
            tier: in which it was its turn, if it was.
        """
        model = row.kind[0]
        crowd = self.crowds[model]
        if tier is None or tier == OWED:
            self._settle()
            mark = crowd.turns.first()[1]
        else:
            mark = row.coop.counter(model)
        crowd.floor = max(crowd.floor, mark)
        self.coops.height = max(self.coops.height, mark)
        if tier is not None:
            projects, classes = row.coop.inner, row.project.inner
            projects.height = max(projects.height, row.project.committed)
            classes.height = max(classes.height, row.job_class.committed)

    def produced(self, bill: Bill, tokens_more: int) -> None:
        """Notes tokens that a run has produced; what was expected is committed already."""
        coop = self.coops.lines[bill.coop]
        held_tokens, committed = bill.in_flight_tokens(), bill.committed()
        bill.output_tokens += tokens_more
        coop.in_flight_tokens -= held_tokens - bill.in_flight_tokens()
        more = bill.committed() - committed
        if more:
            self._commit(bill, more, *self._lines(bill))
        if coop.in_flight_tokens + coop.needs_tokens <= self._share.cap_tokens:
            self._coop_fell(coop)

    def leave(self, bill: Bill) -> None:
        """Notes that a run is over: nothing of it is expected or in flight any more."""
        coop, project, line = self._lines(bill)
        coop.running -= 1
        project.running -= 1
        coop.in_flight_tokens -= bill.in_flight_tokens()
        committed = bill.committed()
        bill.expected_tokens = bill.reserved_tokens = 0
        self._commit(bill, bill.committed() - committed, coop, project, line)

    def correct(self, bill: Bill, *, input_tokens: int, output_tokens: int) -> None:
        """Sets what a run that is over is charged to what the engine counted."""
        committed = bill.committed()
        bill.input_tokens, bill.output_tokens = input_tokens, output_tokens
        self._commit(bill, bill.committed() - committed, *self._lines(bill))

    def refund(self, bill: Bill) -> None:
        """Gives back what was charged for a run that is over and came to nothing."""
        self.correct(bill, input_tokens=0, output_tokens=0)

    def _lines(self, bill: Bill) -> tuple[Line, Line, Line]:
        coop = self.coops.lines[bill.coop]
        project = coop.inner.lines[bill.project]
        return coop, project, project.inner.lines[bill.job_class]

    def _commit(
        self, bill: Bill, virtual_tokens: float, coop: Line, project: Line, line: Line
    ) -> None:
        coop.committed += virtual_tokens / bill.coop_weight
        project.committed += virtual_tokens
        line.committed += virtual_tokens / bill.class_weight
        if virtual_tokens <= 0.0:
            self._coop_fell(coop)
            self._fell(project)
        elif coop.needs_tokens != NEVER:
            self._coop_fell(coop)

    def _coop(self, name: str) -> Line:
        line = self.coops.lines.get(name)
        if line is None:
            line = self.coops.lines[name] = Line(name)
            self._weigh(line)
        return line

    # Counters that fell.

    def _coop_fell(self, line: Line) -> None:
        if not line.told and line.places:
            line.told = True
            self._fallen_coops.append(line)

    def _fell(self, line: Line) -> None:
        if not line.told and line.places:
            line.told = True
            self._fallen.append(line)

    def _settle(self) -> None:
        """Reckons with what fell: co-ops last, whose tiers depend on the order below them."""
        for line in self._fallen:
            line.told = False
            for turns in line.places:
                turns.fell(line)
        self._fallen.clear()
        for line in self._fallen_coops:
            line.told = False
            line.needs_tokens = NEVER
            for turns in line.places:
                turns.fell(line)
        self._fallen_coops.clear()
