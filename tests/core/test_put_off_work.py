"""What one event about a node or a policy may cost, and that the rest is done in the next ones."""

import random
from collections.abc import Callable
from functools import partial

import pytest
from msgspec import structs
from tests.core import invariants
from tests.core.builders import (
    MODEL,
    Pool,
    card,
    catalogue,
    entry,
    facts,
    of,
    packed,
    place_in,
    policy,
    replica,
)

from entraide.types import Control, DataClass, JobKind, Lending
from entraide_scheduler.core import commands, events, snapshot
from entraide_scheduler.core.evaluation import shape_of
from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Lend, Period, Quota, QuotaKind
from entraide_scheduler.core.policy.policy import Limits
from entraide_scheduler.core.rules import first_broken_rule, first_offer_rule
from entraide_scheduler.core.state.state import JOBS_PER_EVENT

NODES = 80
LENGTHS = (512, 1_024, 2_048, 4_096)
FEATURES = ("tools", "schema", "images", "logprobs", "seed", "stop")


def full_pool(shapes: int, *, models: int = 1, explained: int = 8) -> Pool:
    """Returns a pool without a free slot, where jobs of many shapes wait for each model."""
    pool = Pool(limits=Limits(explained_nodes=explained))
    for number in range(NODES):
        model = f"{MODEL}-{number % models}"
        pool.join(card(f"n{number:03}", "beta", replicas=(replica(model, slots=1),)))
        place_in(pool.ask(f"run-{number}", model=model))
    for number in range(shapes):
        where = ("CA", "CA-QC")[number % 2]
        data = (DataClass.PUBLIC, DataClass.INTERNAL)[number // 2 % 2]
        model = f"{MODEL}-{number % models}"
        pool.ask(f"wait-{number}", jurisdiction=where, data_class=data, model=model)
    return pool


def evaluated(pool: Pool, act: Callable[[], object]) -> int:
    """Returns how often a node was evaluated for needs during an event."""
    eligibility = pool.core._state.fleet.eligibility
    before = eligibility.evaluated
    act()
    return eligibility.evaluated - before


def test_a_node_that_comes_or_goes_is_evaluated_once_for_each_shape() -> None:
    """No other node is evaluated again, and none for the shapes of other models."""
    pool = full_pool(4)
    new = card("new", "beta", replicas=(replica(f"{MODEL}-0"),))
    join, leave = partial(pool.join, new), partial(pool.tell, events.NodeLeft, "new", "goodbye")
    again = partial(pool.tell, events.NodeVouched, "n001", new.controlled_by, new.surplus_evidence)
    known = len(pool.core._state.fleet.eligibility._by_model[f"{MODEL}-0"])

    assert 4 == known
    assert [4, 0, 4] == [evaluated(pool, act) for act in (join, leave, again)]

    many = full_pool(80, models=40)
    node = card("new", "beta", replicas=(replica(f"{MODEL}-7"),))

    assert 2 >= evaluated(many, partial(many.join, node))


def test_a_new_shape_is_compared_with_each_kind_of_offer_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eighty nodes of one co-op, model and zone are one kind: the rules on offers run once."""
    calls: list[object] = []

    def counted(*values: object) -> object:
        calls.append(values)
        return first_offer_rule(*values)

    monkeypatch.setattr("entraide_scheduler.core.fleet.eligibility.first_offer_rule", counted)
    pool = full_pool(0)
    calls.clear()
    pool.ask("new", controlled_by=Control.CANADIAN)

    assert 1 == len(calls)


@pytest.mark.parametrize("explained", [8, 10 * NODES])
def test_a_node_that_opens_costs_few_turns_of_each_waiting_shape(
    explained: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its slot is taken, no turn is computed again to find that no other shape fits.

    That is so in large fleets, whose searches read columns, and in small ones.
    """
    keys: list[object] = []
    find_key = FairQueue._coop_key

    def counted(queue: FairQueue, coop_queue: object) -> object:
        keys.append(coop_queue)
        return find_key(queue, coop_queue)

    monkeypatch.setattr(FairQueue, "_coop_key", counted)
    pool, shapes = full_pool(0, explained=explained), 60
    offered = replica(f"{MODEL}-0", slots=1, features=FEATURES)
    pool.join(card("m0", "beta", replicas=(offered,)))
    place_in(pool.ask("run-m0", model=f"{MODEL}-0", features=FEATURES))
    for number in range(shapes):
        features = tuple(name for place, name in enumerate(FEATURES) if number >> place & 1)
        pool.ask(f"wait-{number}", model=f"{MODEL}-0", features=features)
    keys.clear()
    placed = pool.tell(events.NodeJoined, card("m1", "beta", replicas=(offered,)), True, "")

    assert 1 == len(of(placed, commands.Place))
    assert shapes - 1 == len(pool.core._state.queue.shapes)
    assert len(keys) <= shapes + 4


def test_shapes_that_were_not_examined_are_tried_a_bounded_number_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each time the longest waiting are tried, and after some times all were."""
    monkeypatch.setattr("entraide_scheduler.core.fair_queue.queue.SHAPES_PER_EVENT", 3)
    queue = full_pool(8, models=8).core._state.queue
    for shape in queue.blocked_shapes:
        queue._blocked_shapes[shape] = True
    tried: list[list[object]] = []
    while queue.unexamined_shapes:
        waiting = list(queue.unexamined_shapes)
        queue.unblock_unexamined()
        tried.append([shape for shape in waiting if shape not in queue.unexamined_shapes])

    assert [3, 3, 2] == list(map(len, tried))
    assert 8 == len({shape for shapes in tried for shape in shapes})


@pytest.fixture
def long_queue() -> Pool:
    """A pool where more jobs wait than an event visits; each run that ends places the next."""
    pool = Pool(limits=Limits(queued_per_coop=5_000))
    pool.join(card("n1", "beta", replicas=(replica(slots=1),)))
    for number in range(2 * JOBS_PER_EVENT + 100):
        pool.core.handle(events.JobRequested(number + 1_000, pool.now, facts(f"j{number}")))
    return pool


def context_changes(pool: Pool) -> None:
    pool.tell(
        events.NodeJoined,
        card("n2", "beta", replicas=(replica(context_tokens=512),)),
        False,
        "paused",
    )


def policy_changes(pool: Pool) -> None:
    quota = CoopTerms("alpha", quotas=(Quota(QuotaKind.ENERGY_WH, 1, Period.DAY),))
    limits = Limits(queued_per_coop=5_000)
    pool.tell(events.PolicyChanged, policy(quota, "beta", limits=limits))


def test_the_same_policy_under_another_version_changes_nothing_else() -> None:
    """A trial of the policy in force is that policy: nothing is put off, planned or tried again."""
    once, pool = full_pool(3), full_pool(3)
    in_force = snapshot.read(pool.core.snapshot()).policy
    pool.tell(events.PolicyChanged, structs.replace(in_force, version="again"))
    pool.core._state.policy = in_force
    once.tell(events.Woke)

    assert once.core.snapshot() == pool.core.snapshot()


@pytest.mark.parametrize("change", [context_changes, policy_changes])
def test_many_jobs_follow_a_change_within_a_stated_number_of_events(
    long_queue: Pool, change: Callable[[Pool], None]
) -> None:
    """An event visits so many of them; after waiting jobs / that number of events, all have."""
    pool, state = long_queue, long_queue.core._state
    waiting = len(state.queue.jobs())
    visits: list[int] = []
    for act in (change, *[lambda pool: pool.tell(events.Woke)] * 2):
        before = state.job_sweep.visited
        act(pool)
        visits.append(state.job_sweep.visited - before)

    assert [JOBS_PER_EVENT, JOBS_PER_EVENT, waiting - 2 * JOBS_PER_EVENT] == visits
    assert not state.job_sweep.ranges
    assert all(shape_of(state, job) == job.shape for job in state.queue.jobs())


def test_jobs_that_no_node_serves_any_more_end_piece_by_piece(long_queue: Pool) -> None:
    """Their only node leaves: each event ends some, and none is forgotten."""
    pool, state = long_queue, long_queue.core._state
    waiting = len(state.queue.jobs())
    ends = [
        sum(isinstance(command, commands.EndJob) for command in asked)
        for asked in [
            pool.tell(events.NodeLeft, "n1", "goodbye"),
            *[pool.tell(events.Woke) for _ in range(3)],
        ]
    ]

    assert max(ends) <= JOBS_PER_EVENT + 1
    assert waiting <= sum(ends) <= waiting + 1
    assert not state.queue.jobs()


def test_a_wake_up_goes_on_with_what_was_put_off(long_queue: Pool) -> None:
    """Without another event the driver wakes the core until nothing is left."""
    pool, core = long_queue, long_queue.core
    context_changes(pool)
    for _ in range(2):
        pool.now = core.next_deadline() or 0.0
        pool.tell(events.Woke)

    assert not core._state.job_sweep.ranges


def test_a_job_that_was_not_visited_yet_is_not_placed_by_what_was_true_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A quota that came into force counts for the next placement, wherever the pass has come."""
    monkeypatch.setattr("entraide_scheduler.core.state.state.JOBS_PER_EVENT", 1)
    pool = Pool()
    pool.join(card("n1", "beta", replicas=(replica(slots=1),)))
    place = place_in(pool.ask("j0"))
    for number in range(1, 9):
        pool.ask(f"j{number}")
    quota = CoopTerms("alpha", quotas=(Quota(QuotaKind.ENERGY_WH, 0, Period.DAY),))
    pool.tell(events.PolicyChanged, policy(quota, "beta"))
    pending = bool(pool.core._state.job_sweep.ranges)
    pool.accept(place)
    pool.report(place)

    assert pending
    assert 1 == len(pool.places())


class Twins:
    """A pool, and a second core that gets the same events and is restored again and again."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.pool = Pool("alpha", "beta", limits=Limits(queued_per_coop=40, attempts=3))
        self.pool.tell(events.CatalogueChanged, catalogue(entry("grand"), entry(MODEL), version=2))
        self.restored = Core.restore(self.pool.core.snapshot())
        self.jobs = 0
        self.was_pending = 0

    def tell(self, kind: type, *values: object, **named: object) -> None:
        asked = self.pool.tell(kind, *values, **named)
        if self.draw.random() < 0.3:
            self.restored = Core.restore(self.restored.snapshot())
        again = self.restored.handle(self.pool.events[-1])
        state = self.pool.core._state
        self.was_pending += bool(state.job_sweep.ranges)

        assert packed(asked) == packed(again)
        assert self.pool.core.next_deadline() == self.restored.next_deadline()
        for place in asked:
            if isinstance(place, commands.Place) and place.job in state.jobs:
                job, node = state.jobs[place.job], state.fleet.nodes[place.node]
                shape = shape_of(state, job)

                assert first_broken_rule(node, shape) is None
                assert shape.limited or not job.shape.limited

    def step(self) -> None:
        draw, pool = self.draw, self.pool
        node = f"n{draw.randint(1, 4)}"
        what = draw.choice(("ask", "ask", "ask", "join", "leave", "lend", "policy", "run", "wait"))
        if what == "ask":
            self.jobs += 1
            changes = {
                "model": draw.choice((MODEL, MODEL, "grand", "auto")),
                "input_tokens_est": draw.choice((50, 400, 900)),
                "output_tokens_max": draw.choice((50, 100)),
                "data_class": draw.choice(list(DataClass)),
                "kind": draw.choice(list(JobKind)),
            }
            coop = draw.choice(("alpha", "beta"))
            self.tell(events.JobRequested, facts(f"j{self.jobs}", coop, **changes))
        elif what == "join":
            served = replica(
                draw.choice((MODEL, "grand")),
                context_tokens=draw.choice(LENGTHS),
                slots=draw.randint(1, 2),
            )
            coop = draw.choice(("alpha", "beta"))
            self.tell(events.NodeJoined, card(node, coop, replicas=(served,)), True, "")
        elif what == "leave" and draw.random() < 0.5:
            self.tell(events.NodeLeft, node, "goodbye")
        elif what == "lend":
            lending = draw.choice(list(Lending))
            self.tell(events.NodeChanged, node, draw.random() < 0.7, "", None, lending=lending)
        elif what == "policy" and draw.random() < 0.4:
            self.tell(events.PolicyChanged, self.any_policy())
        elif what == "run":
            self.end_run()
        else:
            pool.now += draw.choice((0.1, 1.0, 4.0))
            self.tell(events.NodesSeen, tuple(sorted(pool.core._state.fleet.nodes)))

    def any_policy(self) -> object:
        draw = self.draw
        quotas = (Quota(QuotaKind.ENERGY_WH, 1, Period.DAY),) if draw.random() < 0.5 else ()
        lend = Lend(part=draw.choice((1.0, 0.5)))
        limits = Limits(queued_per_coop=40, attempts=3)
        alpha = CoopTerms("alpha", quotas=quotas, lend=lend)
        return policy(alpha, "beta", limits=limits)

    def end_run(self) -> None:
        leases = list(self.pool.core._state.leases)
        held = [place for place in self.pool.places() if place.job in leases]
        if held:
            place = self.draw.choice(held)
            run = (place.job, place.epoch, place.node)
            self.tell(events.RunAccepted, *run)
            self.tell(events.JobCancelled, place.job, "client_gone")


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))]
)
def test_put_off_work_is_part_of_the_state(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restored at any moment, a core gives the same commands; no placement breaks a rule."""
    monkeypatch.setattr("entraide_scheduler.core.state.state.JOBS_PER_EVENT", 2)
    monkeypatch.setattr("entraide_scheduler.core.state.state.ALIASES_PER_EVENT", 1)
    twins = Twins(seed)
    for _ in range(250):
        twins.step()
        invariants.check(twins.pool)
    for _ in range(100):
        twins.tell(events.Woke)

    assert twins.was_pending > 20
    assert not twins.pool.core._state.job_sweep.ranges
    invariants.check(twins.pool)
