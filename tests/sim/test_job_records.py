"""Records: what a promise is, and what a run of a world comes to."""

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
    lived = SimulatedWorld([node("n1"), node("n2", "beta")], mixed_arrivals(1.0, 60.0, seed=2))
    told = sim.summarize_run(lived.records, lived.world, wall_s=1.5)
    column = lived.records.column
    tokens = column("output_tokens")
    ttft_s = sorted(column("first_at") - column("asked_at"))

    assert told["jobs"] == told["completed"] == len(lived.records)
    assert told["output_tokens"] == tokens.sum()
    assert told["ttft_s"]["p50"] == pytest.approx(
        (ttft_s[(len(ttft_s) - 1) // 2] + ttft_s[len(ttft_s) // 2]) / 2
    )
    assert told["carbon_g_per_1k_output_tokens"] == pytest.approx(
        column("carbon_g").sum() / tokens.sum() * 1_000
    )
    assert 0.0 < told["utilisation"] < 1.0
    assert told["events"] == len(lived.events)
    assert 1.5 == told["wall_s"]


def test_a_promise_is_kept_or_missed() -> None:
    """A first token within the class's time keeps the promise; one after it, or none, misses it."""
    arrivals = even_arrivals(4.0, 2.0, input_tokens=1_000, output_tokens=20)
    lived = SimulatedWorld([node(slots=1)], arrivals)
    ttft_s = lived.records.column("first_at") - lived.records.column("asked_at")
    promise = lived.records.column("promise")

    assert [1 if one <= 2.0 else 0 for one in ttft_s] == list(promise)
    assert {0, 1} == set(promise)
    assert promise.mean() == sim.summarize_run(lived.records, lived.world)["slo_attainment"]


def test_a_missed_deadline_misses_the_promise() -> None:
    """A job that ends after its own deadline, or never, has missed its promise."""
    wish = sim.RequestTemplate(MODEL, JobClass.BATCH, deadline_s=3.0)
    lived = SimulatedWorld([node(slots=1)], even_arrivals(1.0, 5.0, output_tokens=100), wish=wish)
    ended_s = lived.records.column("end_at") - lived.records.column("asked_at")
    done = lived.records.column("state") == "completed"

    assert list(done & (ended_s <= 3.0)) == [bool(one) for one in lived.records.column("promise")]
    assert 0 in lived.records.column("promise")


def test_nothing_recorded_has_no_figures() -> None:
    """A world in which nothing happened has counts of zero and no quantiles."""
    lived = SimulatedWorld([node()], [])
    told = sim.summarize_run(lived.records, lived.world)

    assert 0 == told["jobs"]
    assert {"p50": None, "p95": None, "p99": None} == told["ttft_s"]
    assert told["slo_attainment"] is None


def test_an_unknown_column_is_refused() -> None:
    """A column that is not kept is refused by its name."""
    with pytest.raises(ValueError, match="unknown column: 'colour'"):
        sim.JobRecords(policy()).column("colour")


def test_the_public_names_are_these() -> None:
    """What the package offers is sorted, and is there."""
    names = [name for name in sim.__all__ if name.isupper()]
    rest = [name for name in sim.__all__ if not name.isupper()]

    assert sorted(names) == names
    assert sorted(rest, key=lambda name: (name[0].islower(), name)) == rest
    assert all(hasattr(sim, name) for name in sim.__all__)
    assert START % 86_400.0 == 0.0
