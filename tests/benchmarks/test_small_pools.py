"""Small pools: the core and brute force time and weigh a burst by one model."""

from math import inf

import pytest
from benchmarks.small_pools import NEVER, make_policy, measure
from benchmarks.support.small_pools import (
    MachineLoad,
    add_run,
    best_assignment,
    draw_pool,
    outcome_of,
    place_jobs,
)

from entraide_scheduler.core.policy import Carbon

SEEDS = range(1, 41)


def test_brute_force_finds_the_best_assignment() -> None:
    """No assignment that the core makes has fewer late words, or as many and less grams."""
    policy = make_policy(Carbon().late_weight)
    for seed in SEEDS[:10]:
        pool = draw_pool(seed)
        best, ours = best_assignment(pool), outcome_of(pool, place_jobs(pool, policy))

        assert (best.late, best.carbon_ug) <= (ours.late, ours.carbon_ug * (1.0 + 1e-12))
        assert best.carbon_ug < inf


def test_a_run_alone_takes_what_its_card_says() -> None:
    """Start, prompt and round trip, each multiplied by what the core does not know."""
    pool = draw_pool(1)
    machine, ask = pool.machines[0], pool.asks[0]
    rates = machine.card.replicas[0].rates
    first_s, carbon_ug, load = add_run(machine, MachineLoad(), ask)
    read_s = rates.tpot_base_s + ask.input_tokens / rates.prefill_tokens_per_s

    assert first_s == pytest.approx(ask.at_s + 0.02 + read_s * machine.factor * ask.factor)
    assert load == MachineLoad(pytest.approx(first_s - 0.02), 1)
    assert carbon_ug > 0.0


def test_weighing_the_risk_saves_grams_and_makes_no_more_first_words_late() -> None:
    """On drawn pools of new machines, whose margins are wide; the pools are the same each time."""
    pools = [draw_pool(seed) for seed in SEEDS]
    least = [best_assignment(pool) for pool in pools]
    ours, hard = (
        measure("drawn", "", make_policy(weight), pools, least)
        for weight in (Carbon().late_weight, NEVER)
    )

    assert 1.0 < ours.total_by_least < 0.97 * hard.total_by_least
    assert ours.late <= hard.late
