"""Arrivals and workloads: traces, rates of generators, and reproducibility by seed."""

from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.sim.support import COOPS, MODEL, START

import entraide_sim as sim
from entraide.types import JobClass
from entraide_sim.workload import RateWindow, make_rng, servegen
from entraide_sim.workload.arrivals import arrival_times

LONG_S = 50_000.0
TRACES = Path(__file__).parents[3] / "shared/data/traces"


@pytest.mark.parametrize(
    ("family", "shape", "cv"),
    [("even", 1.0, 0.0), ("poisson", 1.0, 1.0), ("gamma", 0.25, 2.0), ("weibull", 0.5, 5**0.5)],
)
def test_a_renewal_process_has_its_rate_and_its_burstiness(family, shape, cv) -> None:
    """Intervals have the mean that the rate asks for and the variation that the shape implies."""
    windows = sim.steady_rate(0.5, LONG_S, family=family, shape=shape)
    moments = np.array(list(arrival_times(windows, make_rng(7))))
    gaps = np.diff(moments)

    assert len(moments) == pytest.approx(0.5 * LONG_S, rel=0.05)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.1, abs=1e-9)


def test_a_bursty_process_keeps_its_rate_in_short_windows() -> None:
    """Cutting time into short windows adds no request, however bursty they come."""
    counts = []
    for seed in range(40):
        windows = [RateWindow(10.0 * n, 10.0 * n + 10.0, 0.2, "gamma", 0.05) for n in range(500)]
        counts.append(len(list(arrival_times(windows, make_rng(seed)))))

    assert np.mean(counts) == pytest.approx(0.2 * 5_000.0, rel=0.08)


def test_even_arrivals_are_even() -> None:
    """Evenly spaced requests keep their distance after a random phase."""
    moments = list(arrival_times(sim.steady_rate(2.0, 10.0), make_rng(1)))

    assert 20 == len(moments)
    assert 0.0 <= moments[0] < 0.5
    assert {0.5} == {round(after - before, 9) for before, after in pairwise(moments)}


def test_on_off_sends_only_while_on() -> None:
    """A client that is on and off sends its rate while on, and nothing while off."""
    windows = sim.on_off_rate(2.0, 600.0, on_s=60.0, off_s=60.0)
    moments = list(arrival_times(windows, make_rng(1)))

    assert 600 == len(moments)
    assert all(moment % 120.0 < 60.0 for moment in moments)


def test_a_rising_rate_rises() -> None:
    """A rate that rises from r to s sends on average their mean, and more in the second half."""
    moments = list(arrival_times(sim.rising_rate(0.2, 2.0, 600.0), make_rng(1)))
    late = sum(moment >= 300.0 for moment in moments)

    assert 660 == len(moments)
    assert late == pytest.approx(300.0 * 1.55, abs=2)


def clients() -> list[sim.ClientSpec]:
    """Two clients of different kinds."""
    return [
        sim.ClientSpec(
            "a", sim.steady_rate(1.0, 100.0), sim.fixed_length(7), sim.uniform_length(16, 512)
        ),
        sim.ClientSpec(
            "b",
            sim.steady_rate(3.0, 100.0, family="poisson"),
            sim.uniform_length(1, 3),
            sim.fixed_length(9),
        ),
    ]


def test_generated_arrivals_are_seeded_and_in_order() -> None:
    """The same seed gives the same arrivals, in order of time; another gives others."""
    once, again, other = (list(sim.generate_arrivals(clients(), seed=seed)) for seed in (4, 4, 5))

    assert once == again
    assert once != other
    assert [arrival.at_s for arrival in once] == sorted(arrival.at_s for arrival in once)
    assert {"a": {7}, "b": {1, 2, 3}} == {
        name: {arrival.input_tokens for arrival in once if arrival.client == name} for name in "ab"
    }
    assert {9} == {arrival.output_tokens for arrival in once if arrival.client == "b"}


def test_one_client_more_changes_no_other() -> None:
    """Each client has its own random stream: its arrivals do not depend on other clients."""
    alone = list(sim.generate_arrivals(clients()[:1], seed=4))
    both = [
        arrival for arrival in sim.generate_arrivals(clients(), seed=4) if arrival.client == "a"
    ]

    assert alone == both


def test_lengths_follow_their_quantiles() -> None:
    """Drawn lengths have the quantiles that were given."""
    lengths = sim.LengthDistribution((0.0, 0.5, 0.9, 1.0), (10.0, 100.0, 500.0, 1_000.0))
    drawn = lengths.sample(make_rng(2), 20_000)

    assert np.quantile(drawn, [0.5, 0.9]) == pytest.approx([100.0, 500.0], rel=0.05)
    assert 10 <= min(drawn) <= max(drawn) <= 1_000


def azure(folder: Path, *lines: str) -> Path:
    """A small trace."""
    path = folder / "trace.csv"
    path.write_text("\n".join(("arrival_s,input_tokens,output_tokens,client", *lines, "")), "utf-8")
    return path


def test_a_trace_is_read_as_it_stands(tmp_path) -> None:
    """Azure's columns give arrivals, client too where there is one."""
    path = azure(tmp_path, "0.0,374,44,c1", "4.3146,396,109,c2")

    assert [sim.Arrival(0.0, "c1", 374, 44), sim.Arrival(4.3146, "c2", 396, 109)] == list(
        sim.read_azure(path)
    )


@pytest.mark.parametrize("line", ["x,1,1,c", "1.0,0,5,c", "1.0,5,-1,c", "-1,5,5,c", "1.0,5"])
def test_a_bad_line_is_named(tmp_path, line) -> None:
    """An invalid line is refused with file and line."""
    path = azure(tmp_path, "0.0,374,44,c1", line)

    with pytest.raises(ValueError, match=r"trace\.csv:3: "):
        list(sim.read_azure(path))


def test_a_missing_column_is_named(tmp_path) -> None:
    """A trace without a column is refused by the column's name."""
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,input_tokens\n0,1\n", "utf-8")

    with pytest.raises(ValueError, match="no column output_tokens"):
        list(sim.read_azure(path))


def test_mooncake_brings_prefixes(tmp_path) -> None:
    """Mooncake's lines give milliseconds as seconds, and blocks as prefixes."""
    path = tmp_path / "trace.jsonl"
    path.write_text(
        '{"timestamp":1500,"input_length":900,"output_length":5,"hash_ids":[0,1]}\n{"x":1}\n'
    )
    lines = sim.read_mooncake(path)

    assert sim.Arrival(1.5, "", 900, 5, (0, 1)) == next(lines)
    with pytest.raises(ValueError, match=r"trace\.jsonl:2: "):
        next(lines)


def test_tiles_repeat_without_sharing_prefixes() -> None:
    """A repeated trace lasts until the end, and its copies share no prefixes."""
    pattern = [sim.Arrival(0.0, "", 9, 9, (0, 3)), sim.Arrival(50.0, "", 9, 9, (0,))]
    repeated = list(sim.repeat_trace(pattern, period_s=60.0, until_s=170.0))

    assert [0.0, 50.0, 60.0, 110.0, 120.0] == [arrival.at_s for arrival in repeated]
    assert [(0, 3), (0,), (4, 7), (4,), (8, 11)] == [arrival.prefix for arrival in repeated]


def test_thinning_keeps_families_whole() -> None:
    """Sampling keeps about the requested part, and whole families of prefixes."""
    pattern = [sim.Arrival(float(n), "", 9, 9, (n % 100, n)) for n in range(1_000)]
    kept = list(sim.sample_trace(pattern, keep=0.3, seed=1))
    families = {arrival.prefix[0] for arrival in kept}

    assert len(kept) == pytest.approx(300, abs=150)
    assert len(kept) == 10 * len(families)


@pytest.mark.parametrize("keep", [0.05, 0.4, 0.8])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_system_prompt_that_all_share_leaves_families(keep, seed) -> None:
    """Where all prompts begin alike, conversations are kept whole, and the part is the asked."""
    pattern = [sim.Arrival(float(n), "", 9, 9, (0, 7, n % 99, n)) for n in range(2_000)]
    kept = list(sim.sample_trace(pattern, keep=keep, seed=seed))
    families = {arrival.prefix[2] for arrival in kept}

    assert keep == pytest.approx(len(kept) / 2_000, abs=0.01)
    assert len(kept) == sum(arrival.prefix[2] in families for arrival in pattern)
    assert kept == list(sim.sample_trace(pattern, keep=keep, seed=seed))
    assert kept != list(sim.sample_trace(pattern, keep=keep, seed=seed + 2))


@pytest.mark.shared_data
@pytest.mark.parametrize("keep", [0.1, 0.4])
def test_a_part_of_mooncakes_trace_is_that_part(keep) -> None:
    """All of its requests share their first block; the part kept is still the asked one."""
    trace = list(sim.read_mooncake(TRACES / "mooncake_conversation_first40min.jsonl"))
    kept = list(sim.sample_trace(trace, keep=keep, seed=1))
    conversations = {arrival.prefix[:2] for arrival in kept if len(arrival.prefix) > 1}
    whole = [arrival for arrival in trace if arrival.prefix[:2] in conversations]

    assert keep == pytest.approx(len(kept) / len(trace), abs=0.02)
    assert len(whole) == sum(len(arrival.prefix) > 1 for arrival in kept)


def test_co_ops_share_clients_evenly() -> None:
    """The seeded mapping gives each co-op as many clients, and another seed another mapping."""
    names = [f"c{number}" for number in range(31)]
    mapping = sim.assign_coops(names, COOPS, seed=1)
    counts = [list(mapping.values()).count(coop) for coop in COOPS]

    assert [10, 10, 11] == sorted(counts)
    assert mapping == sim.assign_coops(reversed(names), COOPS, seed=1)
    assert mapping != sim.assign_coops(names, COOPS, seed=2)


def test_requests_carry_the_wish() -> None:
    """A request has its arrival's lengths and its template's values."""
    wish = sim.RequestTemplate(
        MODEL, JobClass.BATCH, deadline_s=60.0, estimate_factor=1.5, output_tokens_max=0
    )
    arrivals = [sim.Arrival(2.0, "c", 100, 30)]
    (request,) = sim.make_requests(arrivals, wish, start_at=START, coop_of={"c": "beta"})

    assert (START + 2.0, 100, 30) == (request.at, request.input_tokens, request.output_tokens)
    assert ("beta", 150, 150, None) == (
        request.facts.coop,
        request.facts.input_tokens_est,
        request.facts.input_tokens_max,
        request.facts.output_tokens_max,
    )
    assert START + 62.0 == request.facts.deadline_at


def test_workloads_merge_in_order() -> None:
    """Several workloads come in order of time, each under its own name."""
    lone = [sim.Arrival(float(n), "c", 5, 5) for n in range(3)]
    both = sim.merge_requests(
        sim.make_requests(lone, sim.RequestTemplate(MODEL), start_at=START, coops=COOPS, name="a"),
        sim.make_requests(
            lone, sim.RequestTemplate(MODEL), start_at=START + 0.5, coops=COOPS, name="b"
        ),
    )

    assert ["a", "b", "a", "b", "a", "b"] == [request.facts.job[0] for request in both]


@pytest.mark.shared_data
def test_servegen_keeps_the_published_rate() -> None:
    """Clients of the published tables send as many requests as their windows say, scaled."""
    names = [f"servegen_m-small_days0-6_{what}.csv" for what in ("rates", "lengths")]
    senders = sim.read_servegen(*(TRACES / name for name in names), scale=0.000_5, until_s=86_400.0)
    arrivals = list(servegen.generate_servegen(senders, seed=1))
    windows = [window for sender in senders for window in sender.windows]
    expected = sum((window.end_s - window.begin_s) * window.rate_per_s for window in windows)

    assert len(arrivals) == pytest.approx(expected, rel=0.1)
    assert len(arrivals) > 1_000
    assert arrivals == list(islice(servegen.generate_servegen(senders, seed=1), len(arrivals)))
