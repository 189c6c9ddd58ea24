"""Fair queue: equals the definition for random operations, also after a restart."""

from random import Random

import msgspec
from msgspec import structs
from tests.cases import all_cases
from tests.core.fair_jobs import COOPS, make_job, own_kind, policy, shape
from tests.core.fair_queue_definition import DefinedQueue

from entraide.types import Control, DataClass, JobClass
from entraide_scheduler.core.fair_queue import FairQueue, QueueState, dump, load
from entraide_scheduler.core.fair_queue.formulas import NORMAL, OWED, reserved_tokens
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_scheduler.core.records import Job
from entraide_scheduler.core.rules import OwnSlotsChange

STEPS = 400
SHAPES = (
    shape(),
    shape(jurisdiction="CA-QC"),
    shape("grand"),
    shape(data_class=DataClass.RESTRICTED),
    structs.replace(shape(), limited=True, capped=True),
    structs.replace(shape(), batch=True),
    structs.replace(shape(), controlled_by=Control.MEMBER),
)
TERMS = tuple(CoopTerms(coop, shares) for coop, shares in zip(COOPS, (1.0, 2.0, 0.75), strict=True))
KINDS = (
    own_kind(),
    own_kind(zone="CA-AB"),
    own_kind("grand"),
    own_kind(context_tokens=1_024),
    own_kind()._replace(controlled_by=Control.MEMBER),
)
CAPS = (300, 700, 1_500, 100_000)


class Both:
    """The core's queue and the definition, with the same operations.

    Attributes:
        waiting: waiting jobs. runs: the charge of each queue for each run.
        rules: the rules that decided something.
    """

    def __init__(self, terms: Policy) -> None:
        self.terms = terms
        self.queue, self.defined = FairQueue(), DefinedQueue(terms)
        self.queue.apply_policy(terms)
        self.waiting: list[Job] = []
        self.runs: list[tuple] = []
        self.rules: set[str] = set()
        self.serial = 0

    def add(self, rng: Random) -> None:
        job = self._job(rng)
        before = self._lifts(job)
        is_idle = self.queue.is_idle_for(job.facts.model)
        self.waiting.append(job)
        self.defined.add(job)
        lifts = zip(("co-op", "project", "class"), before, self._lifts(job), strict=True)
        self.rules |= {f"lift of a {name}" for name, old, new in lifts if old != new}
        if is_idle and rng.random() < 0.5:
            self.rules.add("at once")

            assert job is self.defined.next_job()
            self._begin(job, rng)
        else:
            self.queue.add(job)

    def _lifts(self, job: Job) -> tuple[float, float, float]:
        coop, project, job_class = self.defined.path_of(job)
        return coop.counter(job.facts.model), project.committed, job_class.committed

    def _job(self, rng: Random) -> Job:
        job = make_job(
            self.serial,
            rng.choice(COOPS),
            rng.choice(("main", "main", "side")),
            where=rng.choice((*SHAPES, SHAPES[0])),
            prompt=rng.randrange(1, 100),
            answer=rng.choice((20, 100, 400)),
            job_class=rng.choice(tuple(JobClass)),
            deadline_at=rng.choice((None, None, 5.0, 9.0)),
        )
        job.front = rng.random() < 0.1
        self.serial += 1
        return job

    def serve(self, rng: Random) -> None:
        """Serves the next job."""
        job = self.queue.next_job()

        assert job is self.defined.next_job()
        if job is not None:
            if rng.random() < 0.1:
                self.add(rng)  # then it may not be its turn any more
            self._begin(job, rng)

    def serve_out_of_turn(self, rng: Random) -> None:
        taking = [job for job in self.waiting if job not in self.defined.blocked]
        if taking:
            self._begin(rng.choice(taking), rng)

    def _begin(self, job: Job, rng: Random) -> None:
        tokens_of_run = self._run_tokens(job, rng)
        self.waiting.remove(job)
        self._note_rules(job)
        charge = self.queue.start_run(job, **tokens_of_run)
        self.runs.append((charge, self.defined.start_run(job, **tokens_of_run)))

    def _note_rules(self, job: Job) -> None:
        """Notes the rules that decide about the start of a run."""
        turn, tier = self.defined.turn or (None, NORMAL)
        if turn is not job:
            self.rules.add("out of order")
            return
        self.rules.add(("owed", "within the cap", "above the cap")[tier])
        if tier == OWED and job.shape.batch:
            self.rules.add("batch share")
        path = job_path(job)
        others = [job_path(other) for other in self.defined.candidates()]
        for level, name in enumerate(("co-op", "project", "class")):
            if any(other[:level] == path[:level] and other != path for other in others):
                self.rules.add(f"choice of a {name}")

    def _run_tokens(self, job: Job, rng: Random) -> dict[str, int]:
        return {
            "input_tokens": rng.randrange(job.facts.input_tokens_est + 1),
            "expected_tokens": rng.randrange(job.output_tokens_max + 1),
            "reserved_tokens": reserved_tokens(job),
        }

    def produce(self, rng: Random) -> None:
        if self.runs:
            charge, run = rng.choice(self.runs)
            tokens = rng.randrange(1, 150)
            self.queue.counters.add_output(charge, tokens)
            self.defined.add_output(run, tokens)

    def end(self, rng: Random) -> None:
        if not self.runs:
            return
        run = self.runs.pop(rng.randrange(len(self.runs)))
        lost, output = rng.random() < 0.2, rng.randrange(400)
        tokens = (0, 0) if lost else (30, output)
        for queue, charge in zip((self.queue.counters, self.defined), run, strict=True):
            queue.end_run(charge)
            queue.correct_charge(charge, input_tokens=tokens[0], output_tokens=tokens[1])

    def cancel(self, rng: Random) -> None:
        if self.waiting:
            job = rng.choice((rng.choice(self.waiting), self.waiting[0]))
            self.waiting.remove(job)
            self.queue.remove(job)
            self.defined.remove(job)

    def block(self, rng: Random) -> None:
        """Blocks the next job, or another one."""
        if rng.random() < 0.5:
            job = self.queue.next_job()
        else:
            taking = [job for job in self.waiting if job not in self.defined.blocked]
            job = rng.choice(taking) if taking else None
        if job is not None:
            self.queue.block_job(job)
            self.defined.block_job(job)
            self.rules.add("blocked job")

    def unblock(self, rng: Random) -> None:
        if self.defined.blocked:
            job = rng.choice(self.defined.blocked)
            self.queue.unblock_job(job)
            self.defined.unblock_job(job)

    def block_shape(self, rng: Random) -> None:
        where = rng.choice(SHAPES)
        self.queue.block_shape(where)
        self.defined.block_shape(where)

    def unblock_shapes(self, rng: Random) -> None:
        where, some = rng.choice(SHAPES), rng.random() < 0.5
        for queue in (self.queue, self.defined):
            queue.unblock_shapes(where.model, lambda shape: not some or shape == where)

    def add_own_slots(self, rng: Random) -> None:
        """A co-op's own nodes get more slots of a kind, or fewer."""
        coop, kind = rng.choice(COOPS), rng.choice(KINDS)
        slots, batch_slots = self.defined.own_slots.get(coop, {}).get(kind, (0, 0))
        now = rng.choice((0, 1, 3, 9))
        delta = OwnSlotsChange(coop, kind, now - slots, min(now, 3) - batch_slots)
        deltas = [delta]
        if rng.random() < 0.3:  # the same replica is of another kind from now on
            other = rng.choice([other for other in KINDS if other != kind])
            deltas.append(OwnSlotsChange(coop, other, 1, 1))
        self.queue.counters.add_own_slots(deltas)
        self.defined.add_own_slots(deltas)

    def serve_owner_first(self, rng: Random) -> None:
        """The next job would take another co-op's node: the owner may go first."""
        job = self.queue.next_job()
        if job is not None:
            pairs = [(owner, kind) for owner in COOPS for kind in KINDS]
            owed = [pair for pair in pairs if self.defined.first_owed_on(*pair, before=job)]
            owner, kind = rng.choice(owed or pairs)

            assert job is self.defined.next_job()
            first = self.queue.first_owed_on(owner, kind, before=job)

            assert first is self.defined.first_owed_on(owner, kind, before=job)
            if first is not None:
                self.rules.add("owner first")
            self._begin(first or job, rng)

    def set_credit(self, rng: Random) -> None:
        coop, factor = rng.choice(COOPS), rng.choice((0.0, 0.125, 0.25))
        self.queue.counters.set_credit(coop, factor)
        self.defined.set_credit(coop, factor)
        if factor:
            self.rules.add("credit")

    def restart(self, _: Random) -> None:
        """Continues with a queue restored from a snapshot."""
        kept = msgspec.msgpack.encode(dump(self.queue))
        self.queue = FairQueue()
        self.queue.apply_policy(self.terms)
        state = msgspec.msgpack.decode(kept, type=QueueState)
        charge_of = {run: charge for charge, run in self.runs}
        runs = [(charge_of[run], run.job.shape) for run in self.defined.runs]
        load(self.queue, state, self.waiting, runs)
        self.queue.counters.add_own_slots(
            OwnSlotsChange(coop, kind, slots, batch_slots)
            for coop, own in self.defined.own_slots.items()
            for kind, (slots, batch_slots) in own.items()
        )
        self.defined.turn = None

        assert kept == msgspec.msgpack.encode(dump(self.queue))

    def merge(self, _: Random) -> None:
        """Merges two shapes, as a change of what nodes serve may do."""
        first, second = SHAPES[0], SHAPES[1]
        moved = [job for job in self.queue.jobs() if job.shape == second]
        for job in moved:
            self.queue.reshape(job, first)
        defined = self.defined
        defined.blocked_shapes = [shape for shape in defined.blocked_shapes if shape != second]
        defined.blocked = [job for job in defined.blocked if job not in moved]
        defined.turn = None

    def check(self) -> None:
        assert self.defined.next_job() is self.queue.next_job()
        assert self.waiting == self.queue.jobs()
        assert self.defined.blocked_shapes == list(self.queue.blocked_shapes)
        assert len(self.defined.blocked) == len(self.queue.blocked.jobs())
        assert all(job in self.queue.blocked for job in self.defined.blocked)
        for coop in COOPS:
            counter = self.queue.counters.coop_counter(coop)
            mine = [job for job in self.waiting if job.facts.coop == coop]

            assert len(mine) == self.queue.queue_length(coop)
            assert self.defined.counter_of(coop).committed == counter.committed
            assert self.defined.counter_of(coop).virtual_time == counter.virtual_time
            assert self.defined.counter_of(coop).running == counter.running
            assert self.defined.counter_of(coop).in_flight_tokens == counter.in_flight_tokens
        assert [run.charge.own for _, run in self.runs] == [charge.own for charge, _ in self.runs]


ODDS = {
    Both.add: 33, Both.serve: 30, Both.produce: 15, Both.end: 14,
    Both.cancel: 6, Both.block_shape: 3, Both.block: 6, Both.unblock: 4, Both.unblock_shapes: 5,
    Both.serve_out_of_turn: 1, Both.add_own_slots: 6, Both.set_credit: 1, Both.restart: 1,
    Both.merge: 1, Both.serve_owner_first: 8,
}  # fmt: skip


RULES = {
    "above the cap", "at once", "batch share", "blocked job", "choice of a class",
    "choice of a co-op", "choice of a project", "credit", "lift of a class", "lift of a co-op",
    "lift of a project", "out of order", "owed", "owner first", "within the cap",
}  # fmt: skip


def job_path(job: Job) -> tuple[str, str, str]:
    return job.facts.coop, job.facts.project, job.facts.job_class


def live(seed: int) -> Both:
    """Compares the queues after each step of a random history."""
    rng = Random(seed)
    terms = policy(
        *TERMS,
        cap_tokens=CAPS[seed % len(CAPS)],
        expected_lengths=seed % 3 > 0,
        own_nodes=seed % 5 > 1,
    )
    both = Both(terms)
    for _ in range(STEPS):
        (step,) = rng.choices(list(ODDS), list(ODDS.values()))
        step(both, rng)
        both.check()
    return both


@all_cases("seed", range(40))
def test_the_next_job_is_the_one_by_definition(seed: int) -> None:
    """After each random operation both queues return the same next job."""
    assert live(seed).runs


def test_the_histories_need_every_rule() -> None:
    """A few histories together reach each rule of the definition."""
    assert RULES == set().union(*(live(seed).rules for seed in (2, 3, 8)))
