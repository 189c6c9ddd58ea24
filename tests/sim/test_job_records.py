"""Job records: objectives of jobs, and the summary of a run."""

import pytest
from tests.sim.support import (
    MODEL,
    START,
    SimulatedWorld,
    even_arrivals,
    mixed_arrivals,
    node,
    policy,
)

import entraide_sim as sim
from entraide.types import JobClass


def test_a_summary_adds_up() -> None:
    """The parts of a summary agree with the columns, by hand."""
    simulated = SimulatedWorld([node("n1"), node("n2", "beta")], mixed_arrivals(1.0, 60.0, seed=2))
    summary = sim.summarize_run(simulated.records, simulated.world, wall_s=1.5)
    column = simulated.records.column
    tokens = column("output_tokens")
    ttft_s = sorted(column("first_at") - column("asked_at"))

    assert summary["jobs"] == summary["completed"] == len(simulated.records)
    assert summary["output_tokens"] == tokens.sum()
    assert summary["ttft_s"]["p50"] == pytest.approx(
        (ttft_s[(len(ttft_s) - 1) // 2] + ttft_s[len(ttft_s) // 2]) / 2
    )
    assert summary["carbon_g_per_1k_output_tokens"] == pytest.approx(
        column("carbon_g").sum() / tokens.sum() * 1_000
    )
    assert 0.0 < summary["utilisation"] < 1.0
    assert summary["events"] == len(simulated.events)
    assert 1.5 == summary["wall_s"]


def test_a_promise_is_kept_or_missed() -> None:
    """A first token within the objective meets it; a later one, or none, misses it."""
    arrivals = even_arrivals(4.0, 2.0, input_tokens=1_000, output_tokens=20)
    simulated = SimulatedWorld([node(slots=1)], arrivals)
    ttft_s = simulated.records.column("first_at") - simulated.records.column("asked_at")
    promise = simulated.records.column("promise")

    assert [1 if wait_s <= 2.0 else 0 for wait_s in ttft_s] == list(promise)
    assert {0, 1} == set(promise)
    assert promise.mean() == sim.summarize_run(simulated.records, simulated.world)["slo_attainment"]


def test_a_missed_deadline_misses_the_promise() -> None:
    """A job that ends after its deadline, or never, has missed its objective."""
    wish = sim.RequestTemplate(MODEL, JobClass.BATCH, deadline_s=3.0)
    simulated = SimulatedWorld(
        [node(slots=1)], even_arrivals(1.0, 5.0, output_tokens=100), wish=wish
    )
    ended_s = simulated.records.column("end_at") - simulated.records.column("asked_at")
    done = simulated.records.column("state") == "completed"

    assert list(done & (ended_s <= 3.0)) == [
        bool(promise) for promise in simulated.records.column("promise")
    ]
    assert 0 in simulated.records.column("promise")


def test_nothing_recorded_has_no_figures() -> None:
    """A world without requests has counts of 0 and no quantiles."""
    simulated = SimulatedWorld([node()], [])
    summary = sim.summarize_run(simulated.records, simulated.world)

    assert 0 == summary["jobs"]
    assert {"p50": None, "p95": None, "p99": None} == summary["ttft_s"]
    assert summary["slo_attainment"] is None


def test_an_unknown_column_is_refused() -> None:
    """A column that is not kept is refused by its name."""
    with pytest.raises(ValueError, match="unknown column: 'colour'"):
        sim.JobRecords(policy()).column("colour")


def test_the_public_names_are_these() -> None:
    """The package's exported names are sorted and defined."""
    names = [name for name in sim.__all__ if name.isupper()]
    rest = [name for name in sim.__all__ if not name.isupper()]

    assert sorted(names) == names
    assert sorted(rest, key=lambda name: (name[0].islower(), name)) == rest
    assert all(hasattr(sim, name) for name in sim.__all__)
    assert START % 86_400.0 == 0.0
