"""A small simulated pool around a fair queue: slots, and runs of random lengths.

Jobs are of two classes and two data classes, and some nodes take public data only. So a waiting
co-op is lifted when it adds a job of a class or data class of which it had none.

The pool measures each co-op's service independently of the queue, and checks the bound of
docs/concepts/fairness.md after every step.
"""

from collections.abc import Mapping
from itertools import product
from random import Random
from types import MappingProxyType

from msgspec import structs
from tests.core.fair_jobs import make_job, own_kind, shape

from entraide.types import DataClass, JobClass
from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.fair_queue.formulas import reserved_tokens
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Job, RunCharge, Shape
from entraide_scheduler.core.rules import OwnSlotsChange

MODEL = "petit"


def batch_share(slots: int) -> int:
    """How many of a co-op's own slots batch work may hold: half of them, one at least."""
    return max(1, min(slots // 2, slots - 1))


class Run:
    """A run of a job, and the length of its answer."""

    def __init__(
        self, job: Job, charge: RunCharge, answer: int, *, owed: bool, turns: int, on_public: bool
    ) -> None:
        self.job, self.charge, self.answer = job, charge, answer
        self.output = 0
        self.owed, self.turns = owed, turns
        self.on_public = on_public

    def in_flight(self) -> int:
        return reserved_tokens(self.job) - self.output


class Account:
    """Service of one co-op, and whether the conditions of the bound hold for it.

    Attributes:
        charged: virtual tokens over its weight.
        served: whether it was ever served.
        in_order: whether its last turn kept it within its cap.
        came_within: whether it was within its cap when it last arrived or was lifted.
        able: whether it arrived so, kept within its cap, and could have had each turn since.
        turns: its turns in order, and lifts.
        owed: of ``charged``, for runs that began since the last of these in a turn owed to it.
        lift: as it was last seen.
        lifted_waiting: whether the last of its turns in order and lifts was a lift while it waited.
    """

    def __init__(self) -> None:
        self.charged = 0.0
        self.served = False
        self.in_order = True
        self.came_within = True
        self.able = True
        self.turns = 0
        self.owed = self.lift = 0.0
        self.lifted_waiting = False

    def begin_again(self, *, lifted_waiting: bool = False) -> None:
        self.turns += 1
        self.owed = 0.0
        self.lifted_waiting = lifted_waiting


class FairPool:
    """Nodes with slots, and a queue in front of them; one slot in three takes public data only.

    Attributes:
        free, free_public: slots that are free for every job, and for public data only.
        stuck: shapes that were found to fit no free slot.
        most_tokens: K of the bound: the cap, or one job where that is larger.
        checked: pairs to which the bound applied. widest: the largest part of it that was reached.
        checked_lifted: those pairs of which the one ahead was lifted while it waited, and has taken
            no turn in order since.
        breaches: what went against it, in words.
    """

    def __init__(
        self,
        queue: FairQueue,
        terms: Policy,
        *,
        slots: int,
        seed: int,
        own: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.queue, self.terms, self.own = queue, terms, own
        queue.apply_policy(terms)
        for coop, count in own.items():
            queue.counters.add_own_slots(
                [
                    OwnSlotsChange(coop, own_kind(), count, batch_share(count)),
                    OwnSlotsChange(coop, own_kind("grand"), 10 * count, 10 * count),
                ]
            )
        self.most_tokens = max(terms.fair_share.cap_tokens, LONGEST)
        self.free_public = slots // 3
        self.free = slots - self.free_public
        self.blocked_shapes: set[Shape] = set()
        self.rng = Random(seed)
        self.weights = {coop.coop: coop.shares for coop in terms.coops}
        self.accounts = {coop: Account() for coop in self.weights}
        self.waiting: dict[str, list[Job]] = {coop: [] for coop in self.weights}
        self.runs: list[Run] = []
        self.serial = self.checked = self.checked_lifted = 0
        self.breaches: list[str] = []
        self.widest = 0.0

    # Steps.

    def ask(
        self,
        coop: str,
        *,
        prompt: int,
        answer: int,
        job_class: JobClass = JobClass.INTERACTIVE,
        data_class: DataClass = DataClass.INTERNAL,
    ) -> None:
        """Enqueues a job; the length of its answer is not known yet."""
        self.serial += 1
        account, waited = self.accounts[coop], bool(self.waiting[coop])
        within = self.in_flight(coop) <= self.most_tokens
        if not waited:
            account.able = account.came_within = within
        batch = job_class is JobClass.BATCH
        where = structs.replace(shape(data_class=data_class), batch=batch)
        job = make_job(
            self.serial, coop, where=where, prompt=prompt, answer=answer, job_class=job_class
        )
        self.waiting[coop].append(job)
        self.queue.add(job)
        lift = self.lift(coop)
        if lift != account.lift:
            account.lift, account.came_within = lift, within
            account.begin_again(lifted_waiting=waited)

    def dispatch(self) -> None:
        """Places jobs until no free slot takes the next one."""
        while (job := self.queue.next_job()) is not None:
            on_public = job.shape.data_class is DataClass.PUBLIC and self.free_public > 0
            if not on_public and not self.free:
                self.queue.block_shape(job.shape)
                self.blocked_shapes.add(job.shape)
            else:
                self._begin(job, on_public=on_public)

    def _begin(self, job: Job, *, on_public: bool) -> None:
        """Starts a run whose expected length is independent of its length."""
        longest, rng = job.output_tokens_max, self.rng
        expected = rng.choice((longest, longest // 2, rng.randrange(longest + 1)))
        answer = rng.choice((longest, rng.randrange(longest + 1)))
        self.start(job, answer=answer, expected=expected, on_public=on_public)

    def start(self, job: Job, *, answer: int, expected: int, on_public: bool = False) -> Run:
        """Starts a run, and updates the conditions of the bound."""
        coop = job.facts.coop
        account, within = self.accounts[coop], self.below_cap(coop, job)
        owed = self.is_owed(job)
        others = [other for other, jobs in self.waiting.items() if jobs and other != coop]
        able = {other: self.able_jobs(other) for other in others}
        passed_over = [
            other
            for other in others
            if able[other] and all(self.below_cap(other, first) for first in able[other])
        ]
        if passed_over and not within and not owed:
            self.breaches.append(f"{coop} goes over its cap before {passed_over}")
        if not owed and any(self.is_owed(first) for other in others for first in able[other]):
            self.breaches.append(f"{coop} goes before those whose turn is owed to them")
        for other in others:
            self.accounts[other].able &= other in passed_over
        account.served = True
        account.able &= within
        if not owed:
            account.in_order = within
            account.begin_again()
        self.waiting[coop].remove(job)
        self.free_public -= on_public
        self.free -= not on_public
        charge = self.queue.start_run(
            job,
            input_tokens=job.facts.input_tokens_est,
            expected_tokens=expected,
            reserved_tokens=reserved_tokens(job),
        )
        run = Run(job, charge, answer, owed=owed, turns=account.turns, on_public=on_public)
        self.charge(run, self.terms.charge.input_weight * job.facts.input_tokens_est)
        self.runs.append(run)
        return run

    def able_jobs(self, coop: str) -> list[Job]:
        """A co-op's waiting jobs whose shape is not blocked."""
        return [job for job in self.waiting[coop] if job.shape not in self.blocked_shapes]

    def below_cap(self, coop: str, job: Job) -> bool:
        """Whether a co-op would stay within its cap with one more job."""
        held = self.in_flight(coop)
        return not held or held + reserved_tokens(job) <= self.terms.fair_share.cap_tokens

    def in_flight(self, coop: str) -> int:
        return sum(run.in_flight() for run in self.runs if run.job.facts.coop == coop)

    def is_owed(self, job: Job) -> bool:
        """Whether a job's co-op has fewer runs than its own nodes alone could hold.

        Own nodes would run batch work on the batch share of their slots at most.
        """
        coop = job.facts.coop
        slots = self.own.get(coop, 0)
        held = [run.job.shape.batch for run in self.runs if run.job.facts.coop == coop]
        batch, share = sum(held), batch_share(slots)
        room = slots - (len(held) - batch) - min(batch, share)
        return room > 0 and (not job.shape.batch or batch < share)

    def charge(self, run: Run, virtual_tokens: float) -> None:
        coop = run.job.facts.coop
        account = self.accounts[coop]
        account.charged += virtual_tokens / self.weights[coop]
        if run.owed and run.turns == account.turns:
            account.owed += virtual_tokens / self.weights[coop]

    def work(self, tokens: int) -> None:
        """Each run produces tokens with probability one half; complete runs end."""
        for run in list(self.runs):
            self.produce(run, min(self.rng.choice((0, tokens)), run.answer - run.output))
            if run.output == run.answer:
                self.end(run)

    def produce(self, run: Run, tokens: int) -> None:
        run.output += tokens
        self.queue.counters.add_output(run.charge, tokens)
        self.charge(run, self.terms.charge.output_weight * tokens)

    def end(self, run: Run) -> None:
        self.runs.remove(run)
        self.free_public += run.on_public
        self.free += not run.on_public
        self.queue.counters.end_run(run.charge)
        self.queue.counters.correct_charge(
            run.charge, input_tokens=run.job.facts.input_tokens_est, output_tokens=run.output
        )
        self.queue.unblock_shapes(MODEL, lambda _: True)
        self.blocked_shapes.clear()

    # Checks.

    def check(self) -> None:
        """Records each pair of co-ops whose counters differ by more than the bound.

        The bound applies to a co-op whose last turn in order kept it within its cap, and another
        that waits and could have had each turn since its arrival. Owed service since is added.
        """
        for ahead, mine in self.accounts.items():
            if not (mine.served and mine.in_order and mine.came_within):
                continue
            for behind, other in self.accounts.items():
                if ahead == behind or not (self.waiting[behind] and other.able):
                    continue
                gap = self.counter(ahead) - mine.owed - self.counter(behind)
                allowed = self.room(ahead) + self.room(behind)
                self.checked += 1
                self.checked_lifted += mine.lifted_waiting
                self.widest = max(self.widest, gap / allowed)
                if gap > allowed * (1 + 1e-9):
                    self.breaches.append(f"{ahead} is {gap} ahead of {behind}, allowed {allowed}")

    def counter(self, coop: str) -> float:
        """A co-op's service over its weight, plus its lift."""
        return self.accounts[coop].charged + self.lift(coop)

    def lift(self, coop: str) -> float:
        counter = self.queue.counters.coops.get(coop)
        return 0.0 if counter is None else counter.lifts.get(MODEL, 0.0)

    def room(self, coop: str) -> float:
        """A co-op's term of the bound: w_out x K over its weight."""
        return self.terms.charge.output_weight * self.most_tokens / self.weights[coop]


KINDS = tuple(
    product((JobClass.INTERACTIVE, JobClass.BATCH), (DataClass.INTERNAL, DataClass.PUBLIC))
)
LONGEST = 700  # prompt and answer of any job here, tokens


def live(pool: FairPool, steps: int) -> None:
    """Simulates co-ops with random loads: none, single jobs or bursts.

    Nine in ten of a co-op's jobs have its usual class and data class.
    """
    floods = (0, 1, 3 + pool.free // 8)
    moods = {coop: pool.rng.choice(floods) for coop in pool.weights}
    usual = {coop: pool.rng.choice(KINDS) for coop in pool.weights}
    for _ in range(steps):
        for coop, mood in moods.items():
            if pool.rng.random() < 0.03:
                moods[coop], usual[coop] = pool.rng.choice(floods), pool.rng.choice(KINDS)
            for _ in range(pool.rng.randrange(mood + 1)):
                prompt, answer = pool.rng.choice(((20, 30), (200, 100), (100, 600)))
                alike = pool.rng.random() < 0.9
                job_class, data_class = usual[coop] if alike else pool.rng.choice(KINDS)
                pool.ask(
                    coop, prompt=prompt, answer=answer, job_class=job_class, data_class=data_class
                )
                pool.dispatch()
                pool.check()
        pool.work(pool.rng.choice((10, 100)))
        pool.check()
        pool.dispatch()
        pool.check()
