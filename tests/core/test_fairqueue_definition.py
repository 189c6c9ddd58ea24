"""Fair queue: it answers what its plain definition answers, whatever comes, and after a restart."""

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.core.fairplain import COOPS, PlainQueue, job, policy, reserved, shape

from entraide.types import DataClass, JobClass
from entraide_scheduler.core.fairline import FairQueue
from entraide_scheduler.core.fairstate import QueueState, dump, load
from entraide_scheduler.core.policy import CoopTerms

SHAPES = (shape(), shape(jurisdiction="CA-QC"), shape("grand"))
TERMS = tuple(CoopTerms(coop, shares) for coop, shares in zip(COOPS, (1.0, 2.0, 0.75), strict=True))


class Both(RuleBasedStateMachine):
    """Tells two queues the same: the core's and the plain one."""

    @initialize(cap=st.sampled_from((300, 900, 10_000)), expected=st.booleans(), own=st.booleans())
    def begin(self, cap: int, *, expected: bool, own: bool) -> None:
        self.terms = policy(*TERMS, cap_tokens=cap, expected_lengths=expected, own_nodes=own)
        self.queue, self.plain = FairQueue(), PlainQueue(self.terms)
        self.queue.agree(self.terms)
        self.jobs: list = []
        self.runs: list = []
        self.serial = 0

    @rule(
        coop=st.sampled_from(COOPS),
        project=st.sampled_from(("main", "side")),
        where=st.sampled_from((*SHAPES[:1] * 3, *SHAPES)),
        prompt=st.integers(1, 200),
        answer=st.integers(1, 400),
        job_class=st.sampled_from(JobClass),
        data_class=st.sampled_from((DataClass.INTERNAL, DataClass.RESTRICTED)),
        deadline_at=st.sampled_from((None, None, 5.0, 9.0)),
        front=st.booleans(),
    )
    def add(self, *, coop, project, where, prompt, answer, front, **wanted) -> None:
        one = job(
            self.serial, coop, project, where=where, prompt=prompt, answer=answer, **wanted
        )
        one.front = front
        self.serial += 1
        self.jobs.append(one)
        self.queue.add(one)
        self.plain.add(one)

    @rule(times=st.integers(2, 8), coop=st.sampled_from(COOPS), data=st.data())
    def add_many(self, times: int, coop: str, data: st.DataObject) -> None:
        answer = data.draw(st.integers(1, 300))
        for _ in range(times):
            self.add(
                coop=coop, project="main", where=SHAPES[0], prompt=50, answer=answer, front=False,
                job_class=JobClass.INTERACTIVE, data_class=DataClass.INTERNAL,
            )  # fmt: skip

    @rule(times=st.integers(1, 4), expected=st.integers(0, 400))
    def serve(self, times: int, expected: int) -> None:
        for _ in range(times):
            one = self.queue.next()
            if one is None or self.plain.next() is not one:
                return  # the invariant tells when they differ
            self.begin_run(one, expected)

    @rule(data=st.data(), expected=st.integers(0, 400))
    def serve_out_of_turn(self, data: st.DataObject, expected: int) -> None:
        if self.jobs:
            self.begin_run(data.draw(st.sampled_from(self.jobs)), expected)

    def begin_run(self, one, expected: int) -> None:
        wants = {
            "input_tokens": one.facts.input_tokens_est,
            "expected_tokens": min(expected, one.output_tokens_max),
            "reserved_tokens": reserved(one),
        }
        self.jobs.remove(one)
        self.runs.append((self.queue.serve(one, **wants), self.plain.serve(one, **wants)))

    @rule(data=st.data(), tokens=st.integers(1, 300))
    def produce(self, data: st.DataObject, tokens: int) -> None:
        if self.runs:
            bill, plain = data.draw(st.sampled_from(self.runs))
            self.queue.produced(bill, tokens)
            self.plain.produced(plain, tokens)

    @rule(data=st.data(), output=st.integers(0, 300), lost=st.booleans())
    def end(self, data: st.DataObject, output: int, *, lost: bool) -> None:
        if not self.runs:
            return
        run = data.draw(st.sampled_from(self.runs))
        self.runs.remove(run)
        for queue, bill in zip((self.queue, self.plain), run, strict=True):
            queue.leave(bill)
            if lost:
                queue.refund(bill)
            else:
                queue.correct(bill, input_tokens=30, output_tokens=output)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.jobs:
            one = data.draw(st.sampled_from(self.jobs))
            self.jobs.remove(one)
            self.queue.remove(one)
            self.plain.remove(one)

    @rule(where=st.sampled_from(SHAPES), stuck=st.booleans(), some=st.booleans())
    def stick(self, where, *, stuck: bool, some: bool) -> None:
        for queue in (self.queue, self.plain):
            if stuck:
                queue.stick(where)
            else:
                queue.unstick(where.model, lambda one: not some or one == where)

    @rule(coop=st.sampled_from(COOPS), slots=st.integers(0, 3))
    def own(self, coop: str, slots: int) -> None:
        self.queue.own(coop, slots)
        self.plain.own(coop, slots)

    @rule(coop=st.sampled_from(COOPS), factor=st.sampled_from((0.0, 0.125, 0.25)))
    def weigh(self, coop: str, factor: float) -> None:
        self.queue.weigh(coop, factor)
        self.plain.weigh(coop, factor)

    @rule()
    def restart(self) -> None:
        """Writes the queue down, and goes on with what was read."""
        kept = msgspec.msgpack.encode(dump(self.queue))
        before = self.queue.next()
        self.queue = FairQueue()
        self.queue.agree(self.terms)
        state = msgspec.msgpack.decode(kept, type=QueueState)
        load(self.queue, state, self.jobs, [bill for bill, _ in self.runs])
        self.plain.turn = None

        assert kept == msgspec.msgpack.encode(dump(self.queue))
        assert before is self.queue.next()

    @rule(where=st.sampled_from(SHAPES))
    def reorder(self, where) -> None:
        """Merges and parts shapes of a model, as a change of what nodes serve does."""
        self.queue.reorder(lambda one: where if where.model == one.shape.model else one.shape)
        self.plain.stuck, self.plain.turn = [], None

    @invariant()
    def both_say_the_same(self) -> None:
        if hasattr(self, "queue"):
            expected, actual = self.plain.next(), self.queue.next()

            assert expected is actual
            assert [*self.jobs] == sorted(self.jobs, key=lambda one: one.serial)
            assert self.jobs == self.queue.jobs()
            assert list(self.queue.stuck) == self.plain.stuck


Both.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


class TestDefinition(Both.TestCase):
    """Whatever comes, the next job is the one that the plain definition names."""
