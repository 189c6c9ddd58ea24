"""Fair queue: the bound that docs/concepts/fairness.md proves, on one node and on fifty."""

from collections.abc import Iterable

import pytest
from tests.core.fair_jobs import own_kind, policy
from tests.core.fairpool import FairPool, live

from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.fair_queue import queue as queues
from entraide_scheduler.core.fair_queue.counters import ServiceCounters
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_scheduler.core.rules import OwnSlotsChange

STEPS = 120
SEEDS = 16
COOPS = ("alpha", "beta", "gamma")
WEIGHTS = ((1.0, 1.0, 1.0), (1.0, 2.0, 0.5), (4.0, 1.0, 1.0))
OWN_NOTHING: dict[str, int] = {}
CAPS = {1: (700, 1_500, 3_000, 5_000), 50: (1_500, 4_000, 8_000, 16_000)}


def terms(seed: int, nodes: int, **share) -> Policy:
    weights = WEIGHTS[seed % len(WEIGHTS)]
    coops = [CoopTerms(coop, weight) for coop, weight in zip(COOPS, weights, strict=True)]
    head_start = {} if seed % 2 else {"head_start_tokens": 0}
    cap = CAPS[nodes][seed // 2 % len(CAPS[nodes])]
    return policy(*coops, **{"cap_tokens": cap, **head_start, **share})


def run_pool(queue: FairQueue, seed: int, nodes: int, own=OWN_NOTHING, **share) -> FairPool:
    slots = 3 if nodes == 1 else nodes
    pool = FairPool(queue, terms(seed, nodes, **share), slots=slots, seed=seed, own=own)
    live(pool, STEPS)
    return pool


@pytest.mark.parametrize("expected", [True, False], ids=["expected", "plain"])
@pytest.mark.parametrize("nodes", [1, 50])
def test_no_coop_gets_further_ahead_than_the_bound(nodes: int, *, expected: bool) -> None:
    """For random arrivals and expected lengths no co-op is ahead by more than the bound."""
    pools = [run_pool(FairQueue(), seed, nodes, expected_lengths=expected) for seed in range(SEEDS)]

    assert [] == [breach for pool in pools for breach in pool.breaches]
    assert sum(pool.checked for pool in pools) > 1_000


@pytest.mark.parametrize(("nodes", "own"), [(1, {"alpha": 2}), (50, {"alpha": 20, "beta": 10})])
def test_the_bound_holds_where_borrowers_own_nodes(nodes: int, own: dict[str, int]) -> None:
    """Only owed service exceeds the bound; owed jobs go first; each model counts by itself."""
    pools = [run_pool(FairQueue(), seed, nodes, own, own_nodes=True) for seed in range(SEEDS)]

    assert [] == [breach for pool in pools for breach in pool.breaches]
    assert sum(pool.checked for pool in pools) > 1_000


@pytest.mark.parametrize("own", [OWN_NOTHING, {"alpha": 2}], ids=["borrowers", "owners"])
def test_the_bound_is_held_against_lifts_while_waiting(own: dict[str, int]) -> None:
    """The pools above also measure pairs after a lift of a waiting co-op."""
    pools = [run_pool(FairQueue(), seed, 1, own, own_nodes=bool(own)) for seed in range(SEEDS)]

    assert sum(pool.checked_lifted > 0 for pool in pools) >= 3
    assert sum(pool.checked_lifted for pool in pools) > 100


class Hoarding(ServiceCounters):
    """Counts slots of every model for every job."""

    def add_own_slots(self, deltas: Iterable[OwnSlotsChange]) -> None:
        super().add_own_slots(delta._replace(kind=own_kind()) for delta in deltas)


class Unowed(ServiceCounters):
    """Ignores own nodes."""

    def add_own_slots(self, deltas: Iterable[OwnSlotsChange]) -> None:
        pass


class Crowded(ServiceCounters):
    """Lets batch runs take all own slots."""

    def add_own_slots(self, deltas: Iterable[OwnSlotsChange]) -> None:
        super().add_own_slots(delta._replace(batch_slots=delta.slots) for delta in deltas)


def queue_with(counters: type[ServiceCounters]) -> FairQueue:
    """A fair queue with other counters."""
    queue = FairQueue()
    queue.counters = counters()
    return queue


@pytest.mark.parametrize("broken", [Hoarding, Unowed, Crowded])
def test_owing_more_or_less_breaks_the_bound(broken: type[ServiceCounters]) -> None:
    """If more or less is owed than own nodes could give, the same runs break the bound."""
    own = {"alpha": 2 if broken is Crowded else 1}
    pools = [run_pool(queue_with(broken), seed, 1, own, own_nodes=True) for seed in range(SEEDS)]

    assert any(pool.breaches for pool in pools)


def test_the_bound_is_nearly_reached() -> None:
    """Expected lengths with the largest error bring a co-op to 90 % of the bound."""
    pool = FairPool(FairQueue(), policy(cap_tokens=1_000), slots=50, seed=0)
    pool.ask("alpha", prompt=1, answer=899)
    pool.start(pool.queue.next_job(), answer=0, expected=899)
    pool.ask("alpha", prompt=1, answer=1)
    for answer in [49] * 18 + [999]:
        pool.ask("beta", prompt=1, answer=answer)
        run = pool.start(pool.queue.next_job(), answer=answer, expected=0)
        pool.produce(run, answer)
        if answer == 49:
            pool.end(run)
    pool.check()

    assert [] == pool.breaches
    assert pool.widest > 0.9


def come_back() -> FairPool:
    """A co-op with 900 of its 1,000 tokens in flight waits again, beside one that uses its cap."""
    pool = FairPool(FairQueue(), policy(cap_tokens=1_000), slots=50, seed=0)
    pool.ask("alpha", prompt=1, answer=899)
    pool.start(pool.queue.next_job(), answer=0, expected=899)
    for answer in [499] * 10 + [999]:
        pool.ask("beta", prompt=1, answer=answer)
        run = pool.start(pool.queue.next_job(), answer=answer, expected=0)
        if answer == 499:
            pool.produce(run, answer)
            pool.end(run)
    pool.ask("alpha", prompt=1, answer=1)
    pool.produce(run, 999)
    pool.check()
    return pool


def test_a_head_start_leaves_room_for_what_is_in_flight() -> None:
    """A co-op that comes back with runs comes to the bound, not beyond it."""
    pool = come_back()

    assert [] == pool.breaches
    assert pool.widest > 0.99


def test_a_head_start_beside_what_is_in_flight_breaks_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the head start is all of the cap, whatever is in flight, the same runs break the bound."""
    monkeypatch.setattr(queues, "head_start", lambda _coop, share, _: 2.0 * share.cap_tokens)

    assert come_back().breaches


class Unlifted(FairQueue):
    """Does not lift a returning co-op."""

    def add(self, job) -> None:
        self.restore(job)


class Unweighted(FairQueue):
    """Ignores the voted shares."""

    def apply_policy(self, policy: Policy) -> None:
        super().apply_policy(Policy(policy.version, fair_share=policy.fair_share))


class Uncharged(ServiceCounters):
    """Charges prompts only."""

    def add_output(self, charge, tokens_more: int) -> None:
        pass

    def correct_charge(self, charge, *, input_tokens: int, output_tokens: int) -> None:
        super().correct_charge(charge, input_tokens=input_tokens, output_tokens=0)


class Uncapped(FairQueue):
    """Ignores the cap."""

    def apply_policy(self, policy: Policy) -> None:
        super().apply_policy(Policy(policy.version, policy.coops))


class FirstCome(FairQueue):
    """Serves in order of arrival."""

    def next_job(self):
        able = [job for job in self.jobs() if job.shape not in self.blocked_shapes]
        return able[0] if able else None


@pytest.mark.parametrize("broken", [Unlifted, Unweighted, Uncapped, FirstCome])
def test_a_broken_queue_breaks_the_bound(broken: type[FairQueue]) -> None:
    """Without any one of its parts, the queue breaks the bound in the same runs."""
    pools = [run_pool(broken(), seed, 1, cap_tokens=700) for seed in range(SEEDS)]

    assert any(pool.breaches for pool in pools)


def test_counters_without_answers_break_the_bound() -> None:
    """If only prompts are charged, the same runs break the bound."""
    pools = [run_pool(queue_with(Uncharged), seed, 1, cap_tokens=700) for seed in range(SEEDS)]

    assert any(pool.breaches for pool in pools)
