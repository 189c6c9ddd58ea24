"""Fair queue: whose turn it is, by virtual tokens on three levels: co-op, project, class.

Weighted virtual token counters (VTC, Sheng et al., OSDI 2024): a line's counter grows by what it
is served over its weight, and the waiting line with the least goes first. Ours commit the answer
that is expected at dispatch and correct it as it comes; a job that its co-op's own nodes could
run now goes first (``owed``), and a co-op at its cap goes last. ``docs/concepts/fairness.md``
proves what follows. It refuses to know nodes, and asks its caller which shapes are stuck.
"""

from collections.abc import Callable

from entraide_scheduler.core.bills import Bill
from entraide_scheduler.core.blocked import Blocked, BlockedRow
from entraide_scheduler.core.owed import OwnDelta
from entraide_scheduler.core.own_kinds import OwnKind
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.shares import Lines, Shares
from entraide_scheduler.core.turns import NEVER, AtCap, Coop, Crowd, Key
from entraide_scheduler.core.waiting import (
    Row,
    Sort,
    Stand,
    Waiting,
    kind_of,
    open_stands,
    reserved_tokens,
)

OWED, NORMAL, CAPPED = range(3)  # tiers of co-ops: each goes before the next, whatever it had

ALONE = 2  # places of a co-op that waits for one shape: there, and in its model's crowd


class FairQueue:
    """All jobs that wait, and what each co-op, project and class was served.

    Attributes:
        shares: what each was served.
        crowds: the co-ops that wait, by model.
        blocked: the waiting jobs that take no turns, for a limit of their own.
    """

    def __init__(self) -> None:
        self.shares = Shares()
        self.crowds: dict[str, Crowd] = {}
        self.blocked = Blocked()
        self._waiting = Waiting(self._key)
        self._turn: tuple[Job, Row, int] | None = None
        self._largest_tokens = 0

    # What the members agreed.

    def agree(self, policy: Policy) -> None:
        """Takes the members' terms; every shape is looked at again."""
        self.shares.agree(policy)
        self.unstick_all(lambda _: True)

    def own(self, *deltas: OwnDelta) -> None:
        """Takes in that co-ops' own nodes have more or fewer slots of some kinds."""
        self.shares.own(deltas)

    def weigh(self, coop: str, factor: float) -> None:
        """Says what a co-op's gifts add to its weight: shares x (1 + factor)."""
        line = self.shares.coop(coop)
        line.credit = factor
        self.shares.weigh(line)

    # Waiting.

    def add(self, job: Job) -> None:
        """Puts a job in line; lines that had none of its kind waiting are lifted."""
        self._put(job, lift=True)

    def place(self, job: Job) -> None:
        """Puts a job in line that waited already: a restored or reshaped one lifts nobody."""
        self._put(job, lift=False)

    def _put(self, job: Job, *, lift: bool) -> None:
        self._turn = None
        row = self._waiting.find(job)
        if row is None:
            lines = self.shares.lines_for(job.facts)
            self._enter(job, lines, lift=lift)
            coop, project, line = lines
            row = self._waiting.put_first(job, coop=coop, project=project, job_class=line)
        else:
            self._waiting.put(row, job)
        coop = row.coop
        coop.queued += 1
        self._largest_tokens = max(self._largest_tokens, reserved_tokens(job))
        if coop.needs_tokens != NEVER:
            self.shares.coop_fell(coop)

    def _enter(self, job: Job, lines: Lines, *, lift: bool) -> None:
        """Notes one more row of these lines; those that were away are lifted."""
        coop, project, line = lines
        kind, model = kind_of(job), job.shape.model
        crowd = self.crowds.get(model)
        if crowd is None:
            crowd = self.crowds[model] = Crowd(self.shares.height, model)
        away = coop.enter(kind, job.shape)
        if lift:
            self.shares.settle()
            if away:
                coop.lift(model, crowd.floor - self.shares.head_start(coop))
            self._lift_below(self._waiting.stand(job.shape, coop.name), lines)
        project.rows += 1
        line.rows += 1
        crowd.enter(coop)

    @staticmethod
    def _lift_below(stand: Stand | None, lines: Lines) -> None:
        """Lifts a project and a class that were away to the least that wait beside them.

        Where none waits, to where turns are taken.
        """
        coop, project, line = lines
        if not project.rows:
            mark = coop.height if stand is None else stand.turns.first()[1]
            project.committed = max(project.committed, mark)
        if not line.rows:
            group = None if stand is None else stand.groups.get(project.name)
            beside = () if group is None else group.rows.values()
            mark = min((row.job_class.committed for row in beside), default=project.height)
            line.committed = max(line.committed, mark)

    def remove(self, job: Job) -> None:
        """Takes a job out of the line."""
        self._turn = None
        if job in self.blocked:
            self._unblock(job)
        else:
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
            self.shares.coop_fell(coop)

    def _exit(self, row: Row | BlockedRow) -> None:
        row.project.rows -= 1
        row.job_class.rows -= 1
        if row.coop.exit(row.kind, row.shape):
            model = row.kind[0]
            crowd = self.crowds[model]
            row.coop.quit(crowd.turns)
            if not len(crowd.turns):
                del self.crowds[model]

    def block(self, job: Job) -> None:
        """Takes a waiting job out of the turns: a limit of its own keeps it from the nodes."""
        self._turn = None
        row = self._row(job)
        self._block(job, due=False)
        self._take(row, job)

    def place_blocked(self, job: Job, *, due: bool) -> None:
        """Puts a job in line that waited already, and was blocked."""
        self._turn = None
        self._block(job, due=due)

    def _block(self, job: Job, *, due: bool) -> None:
        lines = self.shares.lines_for(job.facts)
        row = self.blocked.row(job)
        if row is None:
            self._enter(job, lines, lift=False)
            self.blocked.add_row(job, BlockedRow(lines, kind=kind_of(job), shape=job.shape))
        self.blocked.add(job, due=due)
        lines[0].queued += 1

    def unblock(self, job: Job) -> None:
        """Lets a blocked job take its turn again, in the place that it has in its row."""
        self.place(job)
        self._unblock(job)

    def _unblock(self, job: Job) -> None:
        row = self.blocked.remove(job)
        row.coop.queued -= 1
        if not row.jobs:
            self._exit(row)

    def reorder(self, shape_of: Callable[[Job], Shape]) -> None:
        """Puts every waiting job in place again, after a change of shapes.

        None is stuck or blocked then.

        Args:
            shape_of: a job's shape from now on; of the same model.
        """
        jobs = self.jobs()
        self._waiting = Waiting(self._key)
        self.blocked.clear()
        self.crowds = {model: Crowd(crowd.floor, model) for model, crowd in self.crowds.items()}
        for coop in self.shares.coops.values():
            coop.empty()
        for job in jobs:
            job.shape = shape_of(job)
            self.place(job)

    def jobs(self) -> list[Job]:
        """Returns the waiting jobs, in order of arrival."""
        if not self.blocked:
            return self._waiting.jobs()
        return sorted([*self._waiting.jobs(), *self.blocked.jobs()], key=lambda job: job.serial)

    def heads(self) -> list[tuple[Job, int]]:
        """Returns the first of the waiting jobs that are alike, by arrival, and how many are."""
        heads = self._waiting.heads()
        return heads if not self.blocked else sorted([*heads, *self.blocked.heads()], key=_arrival)

    def length(self, coop: str) -> int:
        """Returns how many jobs of a co-op wait."""
        line = self.shares.coops.get(coop)
        return 0 if line is None else line.queued

    def shapes_of(self, coop: str) -> int:
        """Returns of how many shapes a co-op's waiting jobs are."""
        line = self.shares.coops.get(coop)
        return 0 if line is None else len(line.shapes)

    @property
    def shapes(self) -> dict[Shape, int]:
        """How many jobs of each shape wait."""
        shapes = self._waiting.shapes()
        for row in self.blocked.rows():
            shapes[row.shape] = shapes.get(row.shape, 0) + row.jobs
        return shapes

    @property
    def stuck(self) -> tuple[Shape, ...]:
        """The shapes that are passed over, in the order in which they were set aside."""
        return tuple(self._waiting.stuck)

    @property
    def late(self) -> tuple[Shape, ...]:
        """Those of them that there was no time to look at."""
        return tuple(shape for shape, late in self._waiting.stuck.items() if late)

    def stick(self, shape: Shape, *, late: bool = False) -> None:
        """Passes over a shape that fits no node for now, or that there is no time to look at."""
        self._waiting.stick(shape, late=late)

    def unstick_late(self) -> None:
        """Looks at the shapes again that there was no time for."""
        self._waiting.unstick_late()

    def unstick(self, model: str, may_fit: Callable[[Shape], bool]) -> None:
        """Looks at a model's stuck shapes again, after something opened for it."""
        self._waiting.unstick(model, may_fit)

    def unstick_all(self, may_fit: Callable[[Shape], bool]) -> None:
        """Looks at all stuck shapes again."""
        for model in self._waiting.models:
            self._waiting.unstick(model, may_fit)

    # Turns.

    def next(self) -> Job | None:
        """Returns the job whose turn it is among those whose shape is not stuck."""
        if not len(self._waiting.front):
            return None
        self.shares.settle()
        barred: list[Coop] = []
        while True:
            key = self._waiting.front.first()
            row = self._first(key)
            job, coop = row.first(), row.coop
            if key[0] != NORMAL or self._fits_cap(coop, job):
                break
            # A smaller job of another shape stands here, behind one that must wait for the cap.
            coop.barred += (key[1],)
            barred.append(coop)
        for line in barred:
            line.barred = ()
            self.shares.coop_fell(line)
        self._turn = job, row, key[0]
        return job

    def _first(self, key: Key[Sort]) -> Row:
        """Returns a co-op's first row over all open shapes of which its turn is the same.

        The same is its counter, and whether the turn is owed to it.
        """
        stand = key[4].leading
        assert stand is not None
        coop = stand.line
        if len(coop.places) == ALONE:
            return stand.first()
        alike = [
            place
            for place in open_stands(coop)
            if coop.counter(place.sort.shape.model) == key[1]
            and (key[0] != OWED or place.is_owed())
        ]
        return min(alike, key=Stand.head).first()

    def first_on_own(self, coop: str, kind: OwnKind, *, before: Job) -> Job | None:
        """Returns a co-op's first job that is owed a slot of a kind of its own replicas.

        Such a job goes before one of another co-op on a replica of that kind: else what is owed
        to both could be given to the other one there, again and again.

        Args:
            coop: whose replica it is.
            kind: of the replica.
            before: the job that would be placed there, of another co-op.
        """
        line = self.shares.coops.get(coop)
        if line is None or not line.queued or coop == before.facts.coop:
            return None
        own = line.own.get(kind.model)
        if own is None or not self.shares.terms.own_nodes:
            return None
        owed = [place for place in open_stands(line) if own.has_free(kind, place.sort.shape)]
        if not owed:
            return None
        row = min(owed, key=Stand.head).first()
        self._turn = row.first(), row, OWED
        return row.first()

    def _key(self, stand: Stand) -> Key[Stand]:
        """Returns what decides a co-op's turn for jobs of a shape."""
        coop = stand.line
        counter = coop.counter(stand.sort.shape.model)
        if coop.own and self.shares.terms.own_nodes and stand.is_owed():
            tier = OWED
        elif coop.in_flight_tokens + self._largest_tokens <= self.shares.terms.cap_tokens:
            tier = NORMAL
        else:
            tier = self._tier_at_cap(stand, counter)
        return tier, counter, coop.running, coop.name, stand

    def _tier_at_cap(self, stand: Stand, counter: float) -> int:
        coop, job = stand.line, stand.first().first()
        if counter not in coop.barred and self._fits_cap(coop, job):
            return NORMAL
        coop.needs_tokens = min(coop.needs_tokens, reserved_tokens(job))
        return CAPPED

    def _fits_cap(self, coop: Coop, job: Job) -> bool:
        held_tokens = coop.in_flight_tokens
        cap_tokens = self.shares.terms.cap_tokens
        return not held_tokens or held_tokens + reserved_tokens(job) <= cap_tokens

    def held(self, job: Job) -> AtCap | None:
        """Returns what holds a waiting job back while other co-ops wait, if its cap does."""
        coop, terms = self.shares.coop(job.facts.coop), self.shares.terms
        own = coop.own.get(job.shape.model) if terms.own_nodes else None
        if (own is not None and own.is_owed(job.shape)) or self._fits_cap(coop, job):
            return None
        return AtCap(coop.in_flight_tokens, terms.cap_tokens)

    def ahead(self, job: Job) -> tuple[int, int]:
        """Returns what goes before a waiting job, as things stand.

        Returns:
            Jobs of its project and class, and other co-ops that wait for its model; none of a
            blocked job, which waits for no turn.
        """
        if job in self.blocked:
            return 0, 0
        self.shares.settle()
        row = self._row(job)
        stands = [
            stand
            for sort in self._waiting.models[job.shape.model].values()
            for stand in sort.stands.values()
        ]
        mine = min(self._key(stand) for stand in stands if stand.line is row.coop)
        others = {stand.line.name for stand in stands if self._key(stand) < mine}
        path = row.coop.name, row.project.name, row.job_class.name
        own = sum(
            sort.rows[path].before(job)
            for alike in self._waiting.models.values()
            for sort in alike.values()
            if path in sort.rows
        )
        return own, len(others - {row.coop.name})

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
        turn = self._turn
        if turn is not None and turn[0] is job:
            _, row, tier = turn
            self._take_turn(row, tier)
        else:
            row = self._row(job)
            self._take_turn(row, None)
        self._turn = None
        self._take(row, job)
        return self.shares.begin(
            (row.coop, row.project, row.job_class),
            shape=job.shape,
            input_tokens=input_tokens,
            expected_tokens=expected_tokens,
            reserved_tokens=reserved_tokens,
        )

    def _take_turn(self, row: Row, tier: int | None) -> None:
        """Notes where turns are taken: those who come back will be lifted there.

        The counter of a co-op that goes before its turn says nothing of that; then the least of
        those that wait does.

        Args:
            row: whose first job is served.
            tier: in which it was its turn, if it was.
        """
        model, shares = row.kind[0], self.shares
        crowd = self.crowds[model]
        if tier is None or tier == OWED:
            shares.settle()
            mark = crowd.turns.first()[1]
        else:
            mark = row.coop.counter(model)
        crowd.floor = max(crowd.floor, mark)
        shares.height = max(shares.height, mark)
        if tier is not None:
            coop, project = row.coop, row.project
            coop.height = max(coop.height, project.committed)
            project.height = max(project.height, row.job_class.committed)

    def nobody_waits(self, model: str) -> bool:
        """Tells whether a job of a model that comes now would be the only one to look at."""
        return model not in self.crowds and not len(self._waiting.front)

    def serve_at_once(
        self, job: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> Bill:
        """Begins the bill of a job that never waited, where nobody waits for its model.

        The same as ``add``, ``next`` and ``serve`` come to then: its lines are lifted to where
        turns are taken, and turns are taken there.
        """
        lines = self.shares.lines_for(job.facts)
        coop, project, line = lines
        shares, model = self.shares, job.facts.model
        if not coop.waits_for(kind_of(job)):
            coop.lift(model, shares.height - shares.head_start(coop))
        self._lift_below(None, lines)
        shares.height = max(shares.height, coop.counter(model))
        coop.height = max(coop.height, project.committed)
        project.height = max(project.height, line.committed)
        self._largest_tokens = max(self._largest_tokens, reserved_tokens)
        return self.shares.begin(
            lines,
            shape=job.shape,
            input_tokens=input_tokens,
            expected_tokens=expected_tokens,
            reserved_tokens=reserved_tokens,
        )

    def produced(self, bill: Bill, tokens_more: int) -> None:
        """Notes tokens that a run has produced; what was expected is committed already."""
        self.shares.produced(bill, tokens_more)

    def leave(self, bill: Bill) -> None:
        """Notes that a run is over: nothing of it is expected or in flight any more."""
        self.shares.leave(bill)

    def correct(self, bill: Bill, *, input_tokens: int, output_tokens: int) -> None:
        """Sets what a run that is over is charged to what the engine counted."""
        self.shares.correct(bill, input_tokens=input_tokens, output_tokens=output_tokens)

    def refund(self, bill: Bill) -> None:
        """Gives back what was charged for a run that is over and came to nothing."""
        self.shares.correct(bill, input_tokens=0, output_tokens=0)


def _arrival(head: tuple[Job, int]) -> int:
    return head[0].serial
