"""The fairness benchmark's random pools: the bound's witness, and who may use which node."""

import pytest
from benchmarks.support import eligibility, fairness_bound
from msgspec import structs

from entraide_scheduler.core.policy import FairShare

SEEDS = range(1, 6)


def test_the_bound_holds_in_random_pools() -> None:
    """On one node and on fifty, each pair that the bound speaks of keeps to it."""
    checkers = [
        fairness_bound.simulate_pool(pool, FairShare(pool.cap_tokens))
        for nodes, seeds in ((1, SEEDS), (50, (1,)))
        for pool in [fairness_bound.random_pool(nodes, seed) for seed in seeds]
    ]

    assert [0] * len(checkers) == [checker.violations for checker in checkers]
    assert sum(checker.pairs_checked for checker in checkers) > 500
    assert 0.0 < max(checker.widest_part for checker in checkers) <= 1.0


def test_the_witness_sees_what_breaks_the_bound() -> None:
    """Where one co-op may fill the pool while another waits, the same check fails."""
    pools = [fairness_bound.random_pool(50, seed) for seed in (1, 2, 3)]
    tight = [structs.replace(pool, cap_tokens=pool.longest_tokens) for pool in pools]
    plain = FairShare(fairness_bound.HUGE_TOKENS, expected_lengths=False)

    assert any(fairness_bound.simulate_pool(pool, plain).violations for pool in tight)


def test_a_seed_is_a_pool() -> None:
    """The same seed makes the same pool, another one another."""
    first, again, other = (fairness_bound.random_pool(1, seed) for seed in (3, 3, 4))

    assert first == again
    assert first.requests != other.requests


def test_who_may_use_which_node() -> None:
    """Jurisdiction and model decide where each co-op's jobs may run."""

    assert {
        "any": {"qc", "on", "ab"},
        "qc-1": {"qc"},
        "qc-2": {"qc"},
        "on": {"on"},
        "big": {"big"},
    } == eligibility.ELIGIBLE


def test_service_is_near_max_min() -> None:
    """Where co-ops can use different nodes, each gets nearly its weighted max-min part."""
    mine, equal = eligibility.max_min_distances(1)

    assert max(mine) < 0.15
    assert max(equal) > max(mine)


@pytest.mark.long
def test_owners_are_never_passed_over_here_and_are_by_plain_vtc() -> None:
    """In pools whose borrowers own nodes no slot that is owed goes to another; VTC knows none."""
    rows = fairness_bound.owners_rows(10)

    assert [0, 0] == [row.violations for row in rows]
    assert [0, 0] == [row.owner_violations for row in rows]
    assert all(row.owner_waits_checked > 100 for row in rows)
    assert any(row.reference_uncapped_vtc_owner_violations for row in rows)
