"""Fair queue: it answers what its plain definition answers, whatever comes, and after a restart."""

from random import Random

import msgspec
import pytest
from msgspec import structs
from tests.core.fairplain import COOPS, PlainQueue, job, own_kind, policy, reserved, shape

from entraide.types import DataClass, JobClass
from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.fair_queue_state import QueueState, dump, load
from entraide_scheduler.core.own_capacity import OwnSlotsChange
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_scheduler.core.records import Job

STEPS = 400
SHAPES = (
    shape(),
    shape(jurisdiction="CA-QC"),
    shape("grand"),
    shape(data_class=DataClass.RESTRICTED),
    structs.replace(shape(), limited=True, capped=True),
    structs.replace(shape(), batch=True),
)
TERMS = tuple(CoopTerms(coop, shares) for coop, shares in zip(COOPS, (1.0, 2.0, 0.75), strict=True))
KINDS = (own_kind(), own_kind(zone="CA-AB"), own_kind("grand"), own_kind(context_tokens=1_024))
CAPS = (300, 700, 1_500, 100_000)


class Both:
    """Two queues that are told the same: the core's and the plain one.

    Attributes:
        waiting: jobs in line. runs: a bill of each queue for each run.
    """

    def __init__(self, terms: Policy) -> None:
        self.terms = terms
        self.queue, self.plain = FairQueue(), PlainQueue(terms)
        self.queue.apply_policy(terms)
        self.waiting: list[Job] = []
        self.runs: list[tuple] = []
        self.serial = 0

    def add(self, luck: Random) -> None:
        one = self._job(luck)
        self.waiting.append(one)
        self.queue.add(one)
        self.plain.add(one)

    def come(self, luck: Random) -> None:
        """A job comes that is served at once where nobody else is to be looked at."""
        one = self._job(luck)
        self.plain.add(one)
        if not self.queue.is_idle_for(one.facts.model):
            self.waiting.append(one)
            self.queue.add(one)
            return

        assert one is self.plain.next_job()
        wants = self._wants(one, luck)
        self.runs.append(
            (self.queue.start_run_at_once(one, **wants), self.plain.start_run(one, **wants))
        )

    def _job(self, luck: Random) -> Job:
        one = job(
            self.serial,
            luck.choice(COOPS),
            luck.choice(("main", "main", "side")),
            where=luck.choice((*SHAPES, SHAPES[0])),
            prompt=luck.randrange(1, 100),
            answer=luck.choice((20, 100, 400)),
            job_class=luck.choice(tuple(JobClass)),
            deadline_at=luck.choice((None, None, 5.0, 9.0)),
        )
        one.front = luck.random() < 0.1
        self.serial += 1
        return one

    def serve(self, luck: Random) -> None:
        """Serves whose turn it is."""
        one = self.queue.next_job()

        assert one is self.plain.next_job()
        if one is not None:
            if luck.random() < 0.1:
                self.add(luck)  # then it may not be its turn any more
            self._begin(one, luck)

    def serve_out_of_turn(self, luck: Random) -> None:
        taking = [one for one in self.waiting if one not in self.plain.blocked]
        if taking:
            self._begin(luck.choice(taking), luck)

    def _begin(self, one: Job, luck: Random) -> None:
        wants = self._wants(one, luck)
        self.waiting.remove(one)
        self.runs.append((self.queue.start_run(one, **wants), self.plain.start_run(one, **wants)))

    def _wants(self, one: Job, luck: Random) -> dict[str, int]:
        return {
            "input_tokens": luck.randrange(one.facts.input_tokens_est + 1),
            "expected_tokens": luck.randrange(one.output_tokens_max + 1),
            "reserved_tokens": reserved(one),
        }

    def produce(self, luck: Random) -> None:
        if self.runs:
            bill, plain = luck.choice(self.runs)
            tokens = luck.randrange(1, 150)
            self.queue.add_output(bill, tokens)
            self.plain.add_output(plain, tokens)

    def end(self, luck: Random) -> None:
        if not self.runs:
            return
        run = self.runs.pop(luck.randrange(len(self.runs)))
        lost, output = luck.random() < 0.2, luck.randrange(400)
        for queue, bill in zip((self.queue, self.plain), run, strict=True):
            queue.end_run(bill)
            if lost:
                queue.refund(bill)
            else:
                queue.correct_charge(bill, input_tokens=30, output_tokens=output)

    def cancel(self, luck: Random) -> None:
        if self.waiting:
            one = luck.choice((luck.choice(self.waiting), self.waiting[0]))
            self.waiting.remove(one)
            self.queue.remove(one)
            self.plain.remove(one)

    def block(self, luck: Random) -> None:
        """A limit of its own holds back whose turn it is, or another job."""
        if luck.random() < 0.5:
            one = self.queue.next_job()
        else:
            taking = [one for one in self.waiting if one not in self.plain.blocked]
            one = luck.choice(taking) if taking else None
        if one is not None:
            self.queue.block_job(one)
            self.plain.block_job(one)

    def unblock(self, luck: Random) -> None:
        if self.plain.blocked:
            one = luck.choice(self.plain.blocked)
            self.queue.unblock_job(one)
            self.plain.unblock_job(one)

    def stick(self, luck: Random) -> None:
        where = luck.choice(SHAPES)
        self.queue.block_shape(where)
        self.plain.block_shape(where)

    def unstick(self, luck: Random) -> None:
        where, some = luck.choice(SHAPES), luck.random() < 0.5
        for queue in (self.queue, self.plain):
            queue.unblock_shapes(where.model, lambda one: not some or one == where)

    def own(self, luck: Random) -> None:
        """A co-op's own nodes get more slots of a kind, or fewer."""
        coop, kind = luck.choice(COOPS), luck.choice(KINDS)
        slots, batch_slots = self.plain.own_slots.get(coop, {}).get(kind, (0, 0))
        now = luck.choice((0, 0, 1, 3))
        delta = OwnSlotsChange(coop, kind, now - slots, min(now, 1) - batch_slots)
        deltas = [delta]
        if luck.random() < 0.3:  # the same replica is of another kind from now on
            other = luck.choice([one for one in KINDS if one != kind])
            deltas.append(OwnSlotsChange(coop, other, 1, 1))
        self.queue.add_own_slots(*deltas)
        self.plain.add_own_slots(*deltas)

    def serve_owner_first(self, luck: Random) -> None:
        """Whose turn it is would take another co-op's node: the owner may go first."""
        one, owner, kind = self.queue.next_job(), luck.choice(COOPS), luck.choice(KINDS)

        assert one is self.plain.next_job()
        if one is not None:
            first = self.queue.first_owed_on(owner, kind, before=one)

            assert first is self.plain.first_owed_on(owner, kind, before=one)
            self._begin(first or one, luck)

    def weigh(self, luck: Random) -> None:
        coop, factor = luck.choice(COOPS), luck.choice((0.0, 0.125, 0.25))
        self.queue.set_credit(coop, factor)
        self.plain.set_credit(coop, factor)

    def restart(self, _: Random) -> None:
        """Writes the queue down, and goes on with what was read."""
        kept = msgspec.msgpack.encode(dump(self.queue))
        self.queue = FairQueue()
        self.queue.apply_policy(self.terms)
        state = msgspec.msgpack.decode(kept, type=QueueState)
        bill_of = {plain: bill for bill, plain in self.runs}
        runs = [(bill_of[plain], plain.job.shape) for plain in self.plain.runs]
        load(self.queue, state, self.waiting, runs)
        self.queue.add_own_slots(
            *(
                OwnSlotsChange(coop, kind, slots, batch_slots)
                for coop, own in self.plain.own_slots.items()
                for kind, (slots, batch_slots) in own.items()
            )
        )
        self.plain.turn = None

        assert kept == msgspec.msgpack.encode(dump(self.queue))

    def reorder(self, _: Random) -> None:
        """Merges two shapes, as a change of what nodes serve may do."""
        first, second = SHAPES[0], SHAPES[1]
        self.queue.reorder(lambda one: first if one.shape == second else one.shape)
        self.plain.stuck, self.plain.blocked, self.plain.turn = [], [], None

    def check(self) -> None:
        assert self.plain.next_job() is self.queue.next_job()
        assert self.waiting == self.queue.jobs()
        assert self.plain.stuck == list(self.queue.blocked_shapes)
        assert len(self.plain.blocked) == len(self.queue.blocked.jobs())
        assert all(one in self.queue.blocked for one in self.plain.blocked)
        for coop in COOPS:
            line = self.queue.counters.coop_counter(coop)
            mine = [one for one in self.waiting if one.facts.coop == coop]

            assert len(mine) == self.queue.queue_length(coop)
            assert self.plain.line(coop).running == line.running
            assert self.plain.line(coop).in_flight == line.in_flight_tokens
        assert [plain.own for _, plain in self.runs] == [bill.own for bill, _ in self.runs]


ODDS = {
    Both.add: 25, Both.come: 8, Both.serve: 30, Both.produce: 15, Both.end: 14, Both.cancel: 6,
    Both.stick: 3, Both.block: 6, Both.unblock: 4,
    Both.unstick: 5, Both.serve_out_of_turn: 1, Both.own: 3, Both.weigh: 1, Both.restart: 1,
    Both.reorder: 1, Both.serve_owner_first: 8,
}  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_the_next_job_is_the_one_by_definition(seed: int) -> None:
    """Whatever comes, the queue names the job that the plain definition names."""
    luck = Random(seed)
    terms = policy(
        *TERMS,
        cap_tokens=CAPS[seed % len(CAPS)],
        expected_lengths=seed % 3 > 0,
        own_nodes=seed % 5 > 1,
    )
    both = Both(terms)
    for _ in range(STEPS):
        (step,) = luck.choices(list(ODDS), list(ODDS.values()))
        step(both, luck)
        both.check()
