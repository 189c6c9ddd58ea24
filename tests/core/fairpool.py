"""A small pool around a fair queue: slots, runs of random lengths, and who got what.

Jobs are of two classes and two data classes, and some nodes take public data only. So a co-op that
waits already is lifted when a job comes of a class or data class of which it had none.

It reckons what each co-op was served by itself, from what it tells the queue, and checks after
every step what the page on fairness proves.
"""

from collections.abc import Mapping
from itertools import product
from random import Random
from types import MappingProxyType

from msgspec import structs
from tests.core.fairplain import job, own_kind, reserved, shape

from entraide.types import DataClass, JobClass
from entraide_scheduler.core.charges import RunCharge
from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.own_capacity import OwnSlotsChange
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Job, Shape

MODEL = "petit"


def batch_share(slots: int) -> int:
    """How many of a co-op's own slots batch work may hold: half of them, one at least."""
    return max(1, min(slots // 2, slots - 1))


class Run:
    """A job on a node, and how long its answer is going to be."""

    def __init__(
        self, one: Job, bill: RunCharge, answer: int, *, owed: bool, turns: int, on_public: bool
    ) -> None:
        self.job, self.bill, self.answer = one, bill, answer
        self.output = 0
        self.owed, self.turns = owed, turns
        self.on_public = on_public

    def in_flight(self) -> int:
        return reserved(self.job) - self.output


class Account:
    """What one co-op was served, and what the bound's conditions ask of it.

    Attributes:
        charged: virtual tokens over its weight.
        served: whether it ever was.
        in_order: whether its last turn kept it within its cap.
        came_within: whether it had no more in flight than its cap when it last came or was lifted.
        able: whether it came so, kept within its cap, and could have had each turn since.
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
            queue.add_own_slots(OwnSlotsChange(coop, own_kind(), count, batch_share(count)))
            queue.add_own_slots(OwnSlotsChange(coop, own_kind("grand"), 10 * count, 10 * count))
        self.most_tokens = max(terms.fair_share.cap_tokens, LONGEST)
        self.free_public = slots // 3
        self.free = slots - self.free_public
        self.stuck: set[Shape] = set()
        self.luck = Random(seed)
        self.weights = {one.coop: one.shares for one in terms.coops}
        self.accounts = {coop: Account() for coop in self.weights}
        self.waiting: dict[str, list[Job]] = {coop: [] for coop in self.weights}
        self.runs: list[Run] = []
        self.serial = self.checked = self.checked_lifted = 0
        self.breaches: list[str] = []
        self.widest = 0.0

    # What happens.

    def ask(
        self,
        coop: str,
        *,
        prompt: int,
        answer: int,
        job_class: JobClass = JobClass.INTERACTIVE,
        data_class: DataClass = DataClass.INTERNAL,
    ) -> None:
        """A job comes; nobody knows yet how long its answer will be."""
        self.serial += 1
        account, waited = self.accounts[coop], bool(self.waiting[coop])
        within = self.in_flight(coop) <= self.most_tokens
        if not waited:
            account.able = account.came_within = within
        batch = job_class is JobClass.BATCH
        where = structs.replace(shape(data_class=data_class), batch=batch)
        one = job(self.serial, coop, where=where, prompt=prompt, answer=answer, job_class=job_class)
        self.waiting[coop].append(one)
        self.queue.add(one)
        lift = self.lift(coop)
        if lift != account.lift:
            account.lift, account.came_within = lift, within
            account.begin_again(lifted_waiting=waited)

    def dispatch(self) -> None:
        """Places jobs while a slot is free that takes them."""
        while (one := self.queue.next_job()) is not None:
            on_public = one.shape.data_class is DataClass.PUBLIC and self.free_public > 0
            if not on_public and not self.free:
                self.queue.block_shape(one.shape)
                self.stuck.add(one.shape)
            else:
                self._begin(one, on_public=on_public)

    def _begin(self, one: Job, *, on_public: bool) -> None:
        """Starts a run whose answer nobody foresaw rightly."""
        longest, luck = one.output_tokens_max, self.luck
        expected = luck.choice((longest, longest // 2, luck.randrange(longest + 1)))
        answer = luck.choice((longest, luck.randrange(longest + 1)))
        self.start(one, answer=answer, expected=expected, on_public=on_public)

    def start(self, one: Job, *, answer: int, expected: int, on_public: bool = False) -> Run:
        """Starts a run, and notes what its turn means for the bound's conditions."""
        coop = one.facts.coop
        account, within = self.accounts[coop], self.below_cap(coop, one)
        owed = self.is_owed(one)
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
        self.waiting[coop].remove(one)
        self.free_public -= on_public
        self.free -= not on_public
        bill = self.queue.start_run(
            one,
            input_tokens=one.facts.input_tokens_est,
            expected_tokens=expected,
            reserved_tokens=reserved(one),
        )
        run = Run(one, bill, answer, owed=owed, turns=account.turns, on_public=on_public)
        self.charge(run, self.terms.charge.input_weight * one.facts.input_tokens_est)
        self.runs.append(run)
        return run

    def able_jobs(self, coop: str) -> list[Job]:
        """A co-op's waiting jobs that were not found to fit no free slot; one of them is first."""
        return [one for one in self.waiting[coop] if one.shape not in self.stuck]

    def below_cap(self, coop: str, one: Job) -> bool:
        """Whether with a job a co-op would stay within the tokens it may have in flight."""
        held = self.in_flight(coop)
        return not held or held + reserved(one) <= self.terms.fair_share.cap_tokens

    def in_flight(self, coop: str) -> int:
        return sum(run.in_flight() for run in self.runs if run.job.facts.coop == coop)

    def is_owed(self, one: Job) -> bool:
        """Whether a job's co-op holds less than its own nodes alone would have room for.

        They would run batch work on its share of their slots at most.
        """
        coop = one.facts.coop
        slots = self.own.get(coop, 0)
        held = [run.job.shape.batch for run in self.runs if run.job.facts.coop == coop]
        batch, share = sum(held), batch_share(slots)
        room = slots - (len(held) - batch) - min(batch, share)
        return room > 0 and (not one.shape.batch or batch < share)

    def charge(self, run: Run, virtual_tokens: float) -> None:
        coop = run.job.facts.coop
        account = self.accounts[coop]
        account.charged += virtual_tokens / self.weights[coop]
        if run.owed and run.turns == account.turns:
            account.owed += virtual_tokens / self.weights[coop]

    def work(self, tokens: int) -> None:
        """Every run that is not unlucky produces some tokens; those that are done end."""
        for run in list(self.runs):
            self.produce(run, min(self.luck.choice((0, tokens)), run.answer - run.output))
            if run.output == run.answer:
                self.end(run)

    def produce(self, run: Run, tokens: int) -> None:
        run.output += tokens
        self.queue.add_output(run.bill, tokens)
        self.charge(run, self.terms.charge.output_weight * tokens)

    def end(self, run: Run) -> None:
        self.runs.remove(run)
        self.free_public += run.on_public
        self.free += not run.on_public
        self.queue.end_run(run.bill)
        self.queue.correct_charge(
            run.bill, input_tokens=run.job.facts.input_tokens_est, output_tokens=run.output
        )
        self.queue.unblock_shapes(MODEL, lambda _: True)
        self.stuck.clear()

    # What must hold.

    def check(self) -> None:
        """Notes each pair of which one is further ahead than the bound allows.

        The bound speaks of a co-op whose last turn in order kept to its cap, beside one that waits
        and could have had each turn that was taken since it came. What was owed since comes on top.
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
        """What a co-op was served over its weight, and what it was lifted by."""
        return self.accounts[coop].charged + self.lift(coop)

    def lift(self, coop: str) -> float:
        line = self.queue.counters.coops.get(coop)
        return 0.0 if line is None else line.lifts.get(MODEL, 0.0)

    def room(self, coop: str) -> float:
        """w_out x K over the weight."""
        return self.terms.charge.output_weight * self.most_tokens / self.weights[coop]


KINDS = tuple(
    product((JobClass.INTERACTIVE, JobClass.BATCH), (DataClass.INTERNAL, DataClass.PUBLIC))
)
LONGEST = 700  # prompt and answer of any job here, tokens


def live(pool: FairPool, steps: int) -> None:
    """Lets co-ops come and go, some with floods, some with a job now and then.

    Most jobs of a co-op are alike for a while; now and then one is of another class or data class.
    """
    floods = (0, 1, 3 + pool.free // 8)
    moods = {coop: pool.luck.choice(floods) for coop in pool.weights}
    usual = {coop: pool.luck.choice(KINDS) for coop in pool.weights}
    for _ in range(steps):
        for coop, mood in moods.items():
            if pool.luck.random() < 0.03:
                moods[coop], usual[coop] = pool.luck.choice(floods), pool.luck.choice(KINDS)
            for _ in range(pool.luck.randrange(mood + 1)):
                prompt, answer = pool.luck.choice(((20, 30), (200, 100), (100, 600)))
                alike = pool.luck.random() < 0.9
                job_class, data_class = usual[coop] if alike else pool.luck.choice(KINDS)
                pool.ask(
                    coop, prompt=prompt, answer=answer, job_class=job_class, data_class=data_class
                )
                pool.dispatch()
                pool.check()
        pool.work(pool.luck.choice((10, 100)))
        pool.check()
        pool.dispatch()
        pool.check()
