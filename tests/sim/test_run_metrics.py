"""Metrics of a run: reproducible by seed, and consistent sums."""

import json

import msgspec
import numpy as np
import pytest
from tests.sim.scenarios import small

from entraide import i18n
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_sim.building import build_world, load_scenario
from entraide_sim.grid import HOUR_S
from entraide_sim.metrics import fairness
from entraide_sim.runs import Case
from entraide_sim.runs.simulate import simulate
from entraide_sim.scenario import RunResult

SUMMARY = {
    "seed", "scenario", "policy", "jobs", "completed", "rejected", "failed", "ttft_s", "tpot_s",
    "e2e_s", "slo_attainment", "deadline_misses", "energy_wh", "carbon_g",
    "carbon_g_per_1k_output_tokens", "cost_cad", "fairness", "utilisation", "wall_s", "events",
    "idle_wh", "idle_carbon_g", "carbon_lifecycle_g",
}  # fmt: skip


def lived(*changes: tuple[str, str], more: str = "", seed: int = 1) -> tuple[RunResult, dict]:
    """The small scenario's result and jobs."""
    loaded = small(*changes, more=more)
    case = Case(scenario=loaded.scenario, home=str(loaded.home), seed=seed)
    result, table = simulate(case, clock=lambda: 0.0)
    return result, dict(table)


def test_a_summary_has_its_keys() -> None:
    """Exactly those of the contract, with the parts of the composite ones."""
    summary = lived()[0].summary

    assert set(summary) == SUMMARY
    assert {"p50", "p95", "p99"} == set(summary["ttft_s"]) == set(summary["e2e_s"])
    assert {"energy", "hardware", "per_1m_output_tokens"} == set(summary["cost_cad"])
    assert {"jain", "max_gap", "gap_bound", "violations"} == set(summary["fairness"])


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Two runs differ in nothing; another seed in something."""
    first, other, third = (json.dumps(lived(seed=seed)[0].summary) for seed in (1, 1, 2))

    assert first == other
    assert first != third


def test_hours_zones_and_groups_add_up_to_the_whole() -> None:
    """Energy, emissions, jobs and tokens have the same sums in each breakdown."""
    result, table = lived()
    summary = result.summary
    zones, groups = result.zones, result.fleet

    assert summary["energy_wh"] == pytest.approx(sum(sum(zone.energy_wh) for zone in zones))
    assert summary["energy_wh"] == pytest.approx(sum(group.energy_wh for group in groups))
    assert summary["carbon_g"] == pytest.approx(sum(sum(zone.carbon_g) for zone in zones))
    assert summary["completed"] == sum(sum(zone.jobs) for zone in zones)
    assert int(table["output_tokens"].sum()) == sum(group.output_tokens for group in groups)


def test_slots_are_occupied_while_requests_arrive() -> None:
    """Utilisation is of the scenario's hours: work and time of the drain count in neither part."""
    changes = (
        ("hours = 2.0", "hours = 0.02"),
        ("day = 60.0", "day = 9000.0"),
        ("[10, 120]", "[1000, 1200]"),
    )
    result, table = lived(*changes)
    loaded = small(*changes)
    slots = sum(
        machine.spec.card.replicas[0].slots
        for machine in build_world(loaded.scenario, home=loaded.home, seed=1).machines
    )
    begin, end = loaded.scenario.start_at, loaded.scenario.start_at + 72.0
    placed = table["placed_at"] > 0.0
    busy_s = np.clip(table["end_at"], begin, end) - np.clip(table["placed_at"], begin, end)

    assert table["end_at"].max() > end + 15.0
    assert result.summary["utilisation"] == pytest.approx(
        float(busy_s[placed].sum()) / (slots * 72.0), rel=0.05
    )


def test_what_members_receive_others_give() -> None:
    """Tokens given to others never exceed what was received, and dues sum to what was served."""
    result, _ = lived()
    received = sum(share.received_tokens for share in result.coops)

    assert received == pytest.approx(sum(share.due_tokens for share in result.coops))
    assert sum(share.given_tokens for share in result.coops) <= received


def test_energy_is_paid_at_the_tariff_where_it_was_used() -> None:
    """The energy cost is each site's kilowatt-hours at its own tariff."""
    result, _ = lived()
    tariffs = {"CA-QC": 0.1, "CA-AB": 0.2}
    due = sum(sum(zone.energy_wh) / 1_000.0 * tariffs[zone.zone] for zone in result.zones)

    assert due == pytest.approx(result.summary["cost_cad"]["energy"])
    assert 0.0 == result.summary["cost_cad"]["hardware"]


def test_machines_bought_for_the_pool_count_at_rest_too() -> None:
    """Idle power counts for as long as requests arrive; the price is annualised over the life."""
    bought = 'count = 2\ndedicated = true\nprice_cad = 900.0\nlife_years = 3.0\ncoop = "alpha"'
    plain, _ = lived()
    result, _ = lived(('count = 2\ncoop = "alpha"', bought))
    more_wh = result.summary["energy_wh"] - plain.summary["energy_wh"]

    assert 2 * 4.0 * 2.0 == pytest.approx(more_wh)  # machines, watts, hours
    annual = 900.0 * 0.05 / (1.0 - 1.05**-3)  # 330.49 dollars a year
    assert 2 * annual * 2.0 / 8_766.0 == pytest.approx(result.summary["cost_cad"]["hardware"])


def test_vanished_machines_do_nothing_until_they_return() -> None:
    """With all machines gone for the middle half hour, no job begins there."""
    result, table = lived(
        more="[[faults.vanish]]\nat_h = 0.5\nuntil_h = 1.0\n",
        seed=3,
    )
    begun = (table["placed_at"] - result.start_at) / HOUR_S
    dark = (begun > 0.75) & (begun < 1.0)  # after the pool has noticed

    assert 0 == int(dark.sum())
    assert result.summary["completed"] > 0


def test_a_given_back_answer_goes_on_and_the_rest_is_placed_again() -> None:
    """When owners come back, no job is lost: each ends, most of them elsewhere."""
    result, table = lived(
        ('site = "ici"\n', 'site = "ici"\nowner = { present = "office", give_back_s = 0.0 }\n'),
        ("requests_per_client_day = 60.0", "requests_per_client_day = 900.0"),
    )
    summary = result.summary
    codes = set(table["code"][table["state"] == "failed"].tolist())

    assert summary["jobs"] == summary["completed"] + summary["failed"] + summary["rejected"]
    assert codes <= {"stream_broken"}


def test_a_result_survives_its_encoding() -> None:
    """JSON there and back changes nothing."""
    result, _ = lived()

    assert result == msgspec.json.decode(msgspec.json.encode(result), type=RunResult)


DUES = {
    "all asked little": ([1.0, 2.0], [1.0, 1.0], 3.0, [1.0, 2.0]),
    "one asked little": ([10.0, 100.0, 100.0], [1.0, 1.0, 2.0], 100.0, [10.0, 30.0, 60.0]),
    "nothing served": ([5.0, 5.0], [1.0, 1.0], 0.0, [0.0, 0.0]),
    "nobody asked": ([0.0, 0.0], [1.0, 1.0], 9.0, [0.0, 0.0]),
}


@pytest.mark.parametrize("case", DUES)
def test_dues_are_weighted_max_min(case: str) -> None:
    """No co-op gets more than its demand; the rest is divided by weight."""
    demands, weights, served, expected = DUES[case]

    assert expected == fairness.max_min_shares(demands, weights, served)


def backlog(first: list[float], second: list[float]) -> dict[str, np.ndarray]:
    """Jobs of two co-ops, all queued from the start, by placement time."""
    placed = np.array([*first, *second])
    count = len(placed)
    return {
        "asked_at": np.zeros(count), "placed_at": placed, "first_at": placed + 1.0,
        "end_at": placed + 2.0, "input_tokens": np.full(count, 100),
        "cached_tokens": np.zeros(count, int), "output_tokens": np.full(count, 50),
        "coop": np.array(["a"] * len(first) + ["b"] * len(second)),
        "job_class": np.array(["interactive"] * count), "state": np.array(["completed"] * count),
    }  # fmt: skip


def test_gaps_are_measured_while_both_wait() -> None:
    """Served in turn the gap is one job's tokens; one after the other it is all of them."""
    policy = Policy("v", (CoopTerms("a"), CoopTerms("b")))
    turns = [60.0 * step for step in range(1, 21)]
    fair = backlog([*turns[::2], 2_000.0], [*turns[1::2], 2_000.0])
    unfair = backlog([*turns[:10], 2_000.0], [*turns[10:], 2_000.0])
    gaps = [
        fairness.measure_fairness(
            table, policy, received={"a": 1.0, "b": 1.0}, due_tokens={"a": 1.0, "b": 1.0}
        )["max_gap"]
        for table in (fair, unfair)
    ]

    assert [200.0, 2_000.0] == pytest.approx(gaps)


@pytest.mark.parametrize("name", ["quartier", "trois-provinces", "gpu-ou-minis"])
def test_every_assumption_has_its_sentence(name: str) -> None:
    """Every assumption has a complete sentence in both languages."""
    loaded = load_scenario(name)
    assumptions = build_world(loaded.scenario, home=loaded.home, seed=1).assumptions
    sentences = [
        i18n.text(f"sim-assumption-{event.code}", lang, **event.values)
        for event in assumptions
        for lang in ("fr", "en")
    ]

    assert [] == [
        sentence for sentence in sentences if i18n.HOLE in sentence or sentence.startswith("sim-")
    ]


def test_mishaps_are_told_with_how_requests_fared() -> None:
    """A fault's line counts its machines and the requests that arrived while it lasted."""
    loaded = small(
        more='[[faults.vanish]]\nat_h = 0.5\nuntil_h = 1.0\nzone = "CA-AB"\npart = 0.5\n'
        "[[faults.restart]]\nat_h = 1.5\n"
    )
    result, table = simulate(Case(scenario=loaded.scenario, home="", seed=1), clock=lambda: 0.0)
    vanished, restarted = result.mishaps
    meanwhile = (table["asked_at"] >= vanished.at) & (table["asked_at"] < vanished.at + 1_800.0)

    assert ("vanish", 1, 1_800.0) == (
        vanished.kind, vanished.machines, (vanished.until or 0.0) - vanished.at,
    )  # fmt: skip
    assert vanished.jobs == meanwhile.sum() > 0
    assert ("restart", 0) == (restarted.kind, restarted.machines)
