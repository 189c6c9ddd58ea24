"""The world: conservation at every step, reproducibility, and events for the core."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.sim.support import (
    COOPS,
    MODEL,
    RATES,
    START,
    ZONES,
    RoundRobinScheduler,
    SimulatedWorld,
    even_arrivals,
    grid,
    mixed_arrivals,
    node,
    other_hash_seed,
    policy,
    provinces,
)

import entraide_sim as sim
from entraide.catalogue import shipped
from entraide.types import Basis, JobState, NodeState, Power
from entraide.units import JOULES_PER_WH, uwh_from_joules
from entraide_scheduler.core.commands import EndJob, NodeTurned, Refuse
from entraide_scheduler.core.events import (
    ForecastIssued,
    IntensityChanged,
    JobRequested,
    NodeBeat,
    NodeChanged,
    NodeJoined,
    NodesSeen,
    PeriodBegan,
    RunAccepted,
    RunDeclined,
    RunProgressed,
    RunReported,
    SchedulerStarted,
)
from entraide_scheduler.core.policy import CoopTerms, Period, Quota, QuotaKind

WH = JOULES_PER_WH


def check(simulated: SimulatedWorld) -> None:
    """Checks the conservation of jobs, tokens, energy, emissions and ledger."""
    world, records = simulated.world, simulated.records
    assert world.requests_received == len(world.jobs) + len(records)
    engines = [node.engine for node in world.nodes.values()]
    closed = sum(records.column(name).sum() for name in ("prefill_wh", "decode_wh", "wake_wh")) * WH
    grams = records.column("carbon_g").sum()
    for job in world.jobs.values():
        closed += job.prefill_j + job.decode_j + job.wake_j
        grams += job.carbon_g
    for engine in engines:
        for run in engine.runs():
            energy_j, carbon_g = engine.run_usage(run)
            closed += energy_j
            grams += carbon_g
            assert 0 <= engine.output_tokens(run, world.driver.now) <= run.output_tokens
    assert closed == pytest.approx(sum(engine.total_j for engine in engines))
    assert grams == pytest.approx(sum(engine.total_g for engine in engines))
    totals: dict[str, int] = {}
    for balance in simulated.core.balances().values():
        for unit, amount in balance.items():
            totals[unit] = totals.get(unit, 0) + amount
    assert set(totals.values()) <= {0}


def test_nothing_is_lost_at_any_step() -> None:
    """Jobs, tokens, energy, grams and books add up after every event, faults and all."""
    steps = 0

    def watch(simulated: SimulatedWorld) -> None:
        nonlocal steps
        steps += 1
        if steps % 7 == 0:
            check(simulated)

    faults = [
        sim.Fault(START + 20.0, "n-CA-QC", "vanish"),
        sim.Fault(START + 25.0, "n-CA-ON", "slow", 3.0),
        sim.Fault(START + 30.0, "n-CA-AB", "refuse"),
        sim.Fault(START + 40.0, "n-CA-AB", "take"),
        sim.Fault(START + 45.0, "n-CA-ON", "late", 6.0),
        sim.Fault(START + 50.0, "", "restart", 4.0),
        sim.Fault(START + 60.0, "n-CA-QC", "return"),
        sim.Fault(START + 65.0, "n-CA-ON", "late", 0.0),
    ]
    simulated = SimulatedWorld(
        provinces(noise=0.1),
        mixed_arrivals(1.0, 90.0, seed=3),
        wish=sim.RequestTemplate(MODEL, patience_s=8.0),
        watch=watch,
        terms=policy(1.0),
        heartbeat_s=1.0,
        faults=faults,
    )
    check(simulated)
    done = simulated.records.column("state") == "completed"
    tokens = {
        event.facts.job: event.facts.output_tokens_max for event in simulated.of_kind(JobRequested)
    }
    reported = {
        event.job: event.usage.output_tokens
        for event in simulated.of_kind(RunReported)
        if not event.code
    }
    completed = [end.job for end in simulated.of_kind(EndJob) if end.state is JobState.COMPLETED]

    assert steps > 500
    assert done.sum() == len(completed)
    assert [tokens[job] for job in completed] == [reported[job] for job in completed]
    assert {"completed", "cancelled"} <= set(simulated.records.column("state"))
    assert max(simulated.records.column("placements")) > 1


def test_a_restart_goes_on_from_what_was_known() -> None:
    """The core is restored as the next incarnation; events of the meantime were queued."""
    fault = sim.Fault(START + 10.0, "", "restart", 7.5)
    simulated = SimulatedWorld(
        [node(slots=16)], even_arrivals(1.0, 60.0), faults=[fault], heartbeat_s=5.0
    )
    back = START + 17.5
    asked = simulated.of_kind(JobRequested)
    ended = simulated.of_kind(EndJob)
    over = [end for end in ended if end.code == "gateway_lost"]
    silent = [event for event in simulated.events if START + 10.0 < event.at < back]

    check(simulated)
    assert [(START, 1), (back, 2)] == [
        (event.at, event.incarnation) for event in simulated.of_kind(SchedulerStarted)
    ]
    assert [] == silent
    assert 7 <= sum(event.at == back for event in asked) <= 8
    assert 60 == len(asked) == len(ended)
    assert 0 < len(over) < 5
    assert 60 - len(over) == sum(end.state is JobState.COMPLETED for end in ended)
    assert [event.id for event in simulated.events] == list(range(1, len(simulated.events) + 1))


def test_a_restart_in_a_restart_is_none() -> None:
    """A stopped scheduler cannot be stopped again."""
    faults = [sim.Fault(START + at_s, "", "restart", 5.0) for at_s in (10.0, 12.0)]
    simulated = SimulatedWorld([node(slots=16)], even_arrivals(1.0, 30.0), faults=faults)

    assert [1, 2] == [event.incarnation for event in simulated.of_kind(SchedulerStarted)]


@pytest.mark.parametrize("asked", ["auto", "small"])
def test_a_request_by_alias_runs_on_a_machine_with_one_model(asked: str) -> None:
    """The machine is given the placed model; it does not decline a name that it does not serve."""
    replica = msgspec.structs.replace(node().card.replicas[0], model="smollm2-135m-instruct")
    simulated = SimulatedWorld(
        [node(replicas=(replica,))],
        even_arrivals(0.01, 300.0),
        wish=sim.RequestTemplate(asked),
        catalogue=shipped(),
    )

    assert [] == simulated.of_kind(RunDeclined)
    assert {JobState.COMPLETED} == {end.state for end in simulated.of_kind(EndJob)}


def test_late_heartbeats_make_a_node_suspect_for_a_while() -> None:
    """A node with late heartbeats is suspect until they arrive."""
    faults = [
        sim.Fault(START + 20.5, "n1", "late", 5.0),
        sim.Fault(START + 60.5, "n1", "late", 0.0),
    ]
    simulated = SimulatedWorld(
        [node("n1", slots=16), node("n2", slots=16)],
        even_arrivals(1.0, 90.0),
        faults=faults,
        terms=policy(1.0),
        heartbeat_s=1.0,
    )
    turned = [turn for turn in simulated.of_kind(NodeTurned) if turn.node == "n1"]
    heartbeats_at = [event.at for event in simulated.of_kind(NodesSeen) if "n1" in event.nodes]

    check(simulated)
    assert [NodeState.LIVE, NodeState.SUSPECT, NodeState.LIVE] == [turn.state for turn in turned]
    assert [START + 20.0, START + 26.0] == [at for at in heartbeats_at if 19.5 < at - START < 26.5]
    assert {"completed"} == set(simulated.records.column("state"))


@pytest.mark.parametrize(
    "fault",
    [
        sim.Fault(START, "", "restart", -1.0),
        sim.Fault(START, "n1", "late", float("nan")),
        sim.Fault(START, "n9", "late", 1.0),
    ],
)
def test_a_fault_that_cannot_happen_is_refused(fault: sim.Fault) -> None:
    """Times out of bounds and nodes that are not there are told before anything happens."""
    with pytest.raises(ValueError, match="fault"):
        SimulatedWorld([node("n1")], [], faults=[fault])


def test_what_leaves_no_snapshot_cannot_restart() -> None:
    """A restart of a scheduler without snapshots is refused at once."""
    with pytest.raises(ValueError, match="snapshot"):
        SimulatedWorld(
            [node("n1")],
            [],
            faults=[sim.Fault(START, "", "restart")],
            core=RoundRobinScheduler(["n1"]),
        )


def digest(seed: int) -> str:
    """A digest of all events, commands and records of one seed."""
    sha = hashlib.sha256()
    simulated = SimulatedWorld(
        provinces(noise=0.2), mixed_arrivals(2.0, 120.0, seed=seed), seed=seed
    )
    sha.update(msgspec.msgpack.encode(simulated.events))
    sha.update(msgspec.msgpack.encode(simulated.commands))
    for column in simulated.records.columns().values():
        sha.update(column.tobytes())
    return sha.hexdigest()


def test_same_seed_same_bytes() -> None:
    """One seed gives the same events, commands and records, under any hash seed."""
    script = "from tests.sim.test_world import digest; print(digest(5))"
    folder = Path(__file__).parents[2]
    elsewhere = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": other_hash_seed()},
    ).stdout.strip()

    assert elsewhere == digest(5)
    assert digest(6) != elsewhere


def test_a_single_job_takes_what_the_formula_says() -> None:
    """The latency is round trip, prefill, and t0 + t1 for each further token."""
    simulated = SimulatedWorld(
        [node()], even_arrivals(1.0, 1.0, input_tokens=400, output_tokens=21)
    )
    (ttft_s,) = simulated.records.column("first_at") - simulated.records.column("asked_at")
    (decode_s,) = simulated.records.column("end_at") - simulated.records.column("first_at")
    (report,) = simulated.of_kind(RunReported)

    assert ttft_s == pytest.approx(0.02 + 400 / RATES.prefill_tokens_per_s, abs=1e-6)
    assert decode_s == pytest.approx(20 * 0.022, abs=1e-6)
    assert report.usage.ttft_s == pytest.approx(0.2, abs=1e-6)
    assert report.usage.run_s == pytest.approx(0.2 + 20 * 0.022, abs=1e-6)
    assert report.usage.energy_prefill_uwh == uwh_from_joules(100.0 * 0.2)
    assert report.usage.energy_decode_uwh == pytest.approx(uwh_from_joules(100.0 * 0.44), abs=1)


def test_answers_come_as_an_agent_gives_them() -> None:
    """A run sends its acceptance and first token; heartbeats list it until its usage."""
    simulated = SimulatedWorld([node()], even_arrivals(1.0, 1.0, output_tokens=200))
    kinds = [
        type(event).__name__
        for event in simulated.events
        if isinstance(event, RunAccepted | RunProgressed | NodeBeat | RunReported)
    ]
    signs = [tokens for event in simulated.of_kind(NodeBeat) for _, _, tokens in event.runs]

    assert kinds == ["RunAccepted", "RunProgressed", *["NodeBeat"] * 8, "RunReported"]
    assert signs == sorted(signs)


def test_a_day_in_three_provinces() -> None:
    """A day of jobs in three provinces ends with all done, most of them where it is cleanest."""
    simulated = SimulatedWorld(
        provinces(slots=8),
        sim.repeat_trace(mixed_arrivals(0.5, 60.0, seed=1), period_s=1_800.0, until_s=86_400.0),
        progress_s=5.0,
    )
    summary = sim.summarize_run(simulated.records, simulated.world)
    zones = list(simulated.records.column("zone"))

    assert summary["jobs"] == summary["completed"] == simulated.world.requests_received > 1_000
    assert summary["slo_attainment"] > 0.9
    assert max(ZONES, key=zones.count) == "CA-QC"
    assert summary["energy_wh"] > 0.0
    assert 24 == len({event.at for event in simulated.of_kind(IntensityChanged)})


def test_decided_on_the_forecast_and_paid_on_the_actual() -> None:
    """The core hears forecasts with their issue; what is emitted follows the actual series."""
    actual = sim.IntensitySeries("CA-QC", START, (50.0,) * 2 + (400.0,) * 22)
    wrong = sim.PublishedForecast("CA-QC", START - 60.0, START, (400.0,) * 2 + (50.0,) * 22)
    later = sim.PublishedForecast("CA-QC", START + 30.0, START, (50.0,) * 24)
    simulated = SimulatedWorld(
        [node("n1", slots=64)],
        even_arrivals(1.0, 60.0),
        grid=sim.Grid([actual], [wrong, later]),
        core=RoundRobinScheduler(["n1"]),
    )
    issued = simulated.of_kind(ForecastIssued)
    energy_wh = sim.summarize_run(simulated.records, simulated.world)["energy_wh"]

    assert [(START, START - 60.0), (START + 30.0, START + 30.0)] == [
        (event.at, event.issued_at) for event in issued
    ]
    assert simulated.records.column("carbon_g").sum() == pytest.approx(energy_wh * 50.0 / 1_000)


def test_a_run_pays_each_hour_its_own_intensity() -> None:
    """A run over the hour is emitted half at one intensity and half at the next."""
    actual = sim.IntensitySeries("CA-QC", START, (100.0, 300.0, 300.0))
    tokens = 1 + round(20.0 / 0.022)
    arrival = sim.Arrival(3_590.0 - 0.01 - 0.0005, "c", 1, tokens)
    simulated = SimulatedWorld([node()], [arrival], grid=sim.Grid([actual]))
    energy_wh = sim.summarize_run(simulated.records, simulated.world)["energy_wh"]

    assert simulated.records.column("carbon_g").sum() == pytest.approx(
        energy_wh * 200.0 / 1_000, rel=1e-3
    )


def test_own_surplus_is_used_first_and_shared() -> None:
    """Two machines at a site share its surplus; further power comes from the grid."""
    actual = sim.IntensitySeries("CA-QC", START, (100.0,) * 24)
    site = sim.SiteSpec("alpha", "home", ((START, 150.0), (START + 3_000.0, 0.0)))
    nodes = [node(name, site="home", slots=1) for name in ("n1", "n2")]
    pair = [sim.Arrival(at_s, "c", 1, 101) for at_s in (0.0, 0.0, 3_600.0, 3_600.0)]
    simulated = SimulatedWorld(nodes, pair, grid=sim.Grid([actual]), sites=[site])
    grams = simulated.records.column("carbon_g")
    energy_wh = simulated.records.column("decode_wh")
    joined = [event.card.energy.surplus_w for event in simulated.of_kind(NodeJoined)]
    changed = [event.energy.surplus_w for event in simulated.of_kind(NodeChanged)]

    assert [150.0, 150.0] == joined
    assert [0.0, 0.0] == changed
    assert grams[:2].sum() == pytest.approx(energy_wh[:2].sum() * 25.0 / 1_000, rel=0.01)
    assert grams[2:].sum() == pytest.approx(energy_wh[2:].sum() * 100.0 / 1_000, rel=0.01)


def test_a_full_node_declines() -> None:
    """A node with less memory than its card says declines what can never fit."""
    simulated = SimulatedWorld(
        [node(pool_tokens=300)], even_arrivals(1.0, 1.0, input_tokens=290, output_tokens=50)
    )
    (declined,) = simulated.of_kind(RunDeclined)

    assert "context_length_exceeded" == declined.code
    assert ["failed"] == list(simulated.records.column("state"))


@pytest.mark.parametrize(("pool_tokens", "together"), [(2_200, 2), (100_000, 6)])
def test_memory_bounds_the_batch(pool_tokens: int, together: int) -> None:
    """The batch is limited by the KV memory, independently of the slots."""
    most = 0

    def watch(simulated: SimulatedWorld) -> None:
        nonlocal most
        engines = [node.engine for node in simulated.world.nodes.values()]
        begun = [run for run in engines[0].runs() if run.first_at > 0.0]
        most = max(most, len(begun))

    spec = node(slots=6, pool_tokens=pool_tokens)
    arrivals = even_arrivals(20.0, 0.5, input_tokens=900, output_tokens=120)
    simulated = SimulatedWorld([spec], arrivals, watch=watch, progress_s=0.1)

    assert together == most
    assert set(simulated.records.column("state")) == {"completed"}


def test_a_node_that_sleeps_is_woken() -> None:
    """A sleeping machine delays its first job by its wake time, and waking uses energy."""
    power = Power("box", 10.0, 110.0, Basis.DECLARED, wake_j=3_600.0, wake_s=4.0)
    simulated = SimulatedWorld([node(power=power, sleep_after_s=60.0)], even_arrivals(0.5, 4.0))
    first = simulated.records.column("first_at") - simulated.records.column("asked_at")

    assert [1.0, 0.0] == list(simulated.records.column("wake_wh"))
    assert first[0] > 4.0


def test_shared_prefixes_need_no_prefill() -> None:
    """A prompt whose leading blocks were seen for the same co-op is prefilled from there on."""
    arrivals = [
        sim.Arrival(number * 20.0, "c", 1_200, 2, (1, 2, 10 + number)) for number in range(3)
    ]
    simulated = SimulatedWorld([node(prefix_tokens=5_120, prefix_block_tokens=400)], arrivals)
    cached: dict[str, list[int]] = {}
    for request, report in zip(
        simulated.of_kind(JobRequested), simulated.of_kind(RunReported), strict=True
    ):
        cached.setdefault(request.facts.coop, []).append(report.usage.cached_tokens)

    assert all(counts == [0, *[800] * (len(counts) - 1)] for counts in cached.values())
    assert any(len(counts) > 1 for counts in cached.values())


def test_refused_and_given_up_are_counted() -> None:
    """Refusals and clients that go away end in the records as what they are."""
    terms = policy(
        coops=tuple(
            CoopTerms(coop, quotas=(Quota(QuotaKind.REQUESTS, 3, Period.DAY),)) for coop in COOPS
        )
    )
    simulated = SimulatedWorld(
        [node(slots=1)],
        even_arrivals(2.0, 10.0, output_tokens=400),
        terms=terms,
        wish=sim.RequestTemplate(MODEL, patience_s=15.0),
    )
    summary = sim.summarize_run(simulated.records, simulated.world)

    assert (9, 11) == (summary["completed"] + summary["cancelled"], summary["rejected"])
    assert summary["cancelled"] > 0
    assert len(simulated.of_kind(Refuse)) == summary["rejected"]
    assert [START + 86_400.0] == [event.ends_at for event in simulated.of_kind(PeriodBegan)]


def test_it_goes_on_until_it_is_told() -> None:
    """A run with an end stops there, with open jobs in progress."""
    simulated = SimulatedWorld(
        [node(slots=1)], even_arrivals(2.0, 60.0, output_tokens=400), until=START + 30.0
    )

    assert START + 30.0 == simulated.world.driver.now
    assert (
        simulated.world.requests_received
        == len(simulated.records) + len(simulated.world.jobs)
        < 120
    )


def test_a_rare_heartbeat_needs_a_patient_policy() -> None:
    """A heartbeat that would come too late for the policy is refused before anything happens."""
    with pytest.raises(ValueError, match="heartbeat_s"):
        SimulatedWorld([node()], [], terms=policy(1.0), heartbeat_s=60.0)


def test_any_scheduler_can_be_driven() -> None:
    """A baseline with the core's two methods runs in the same world."""
    names = ["n1", "n2"]
    nodes = [node(name, slots=64) for name in names]
    simulated = SimulatedWorld(nodes, even_arrivals(2.0, 20.0), core=RoundRobinScheduler(names))

    assert [20, 20] == [list(simulated.records.column("node")).count(name) for name in names]


def test_memory_does_not_grow_with_finished_jobs() -> None:
    """Without a recorder the world keeps nothing of finished jobs."""
    simulated = SimulatedWorld([node(slots=32)], even_arrivals(5.0, 60.0), recorder=None)

    assert {} == simulated.world.jobs
    assert {} == simulated.world.nodes["n1"].runs
    assert 0 == len(simulated.records)
    assert 300 == simulated.world.requests_received


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sites": [sim.SiteSpec("alpha", "nowhere", ())]}, "site nowhere of alpha has no node"),
        ({"faults": [sim.Fault(START, "ghost", "vanish")]}, "fault of unknown node ghost"),
        ({"grid": grid("CA-ON")}, "zone CA-QC has no intensity series"),
    ],
)
def test_a_world_that_cannot_be_is_refused(changes, why) -> None:
    """A site without nodes, a fault of an unknown node and a zone without series are refused."""
    with pytest.raises(ValueError, match=why):
        SimulatedWorld([node()], even_arrivals(1.0, 1.0), **changes)


def test_a_site_lies_in_one_zone() -> None:
    """Two nodes of one site in two zones are refused."""
    nodes = [node("n1", site="home"), node("n2", zone="CA-ON", site="home")]

    with pytest.raises(ValueError, match="site home is in CA-ON and CA-QC"):
        SimulatedWorld(nodes, [])


def test_a_node_may_lie_about_its_energy() -> None:
    """A node can report half of its energy; the records have the true energy."""
    simulated = SimulatedWorld([node(energy_told=0.5)], even_arrivals(1.0, 1.0, output_tokens=100))
    (report,) = simulated.of_kind(RunReported)

    assert report.usage.energy_decode_uwh / 1e6 == pytest.approx(
        simulated.records.column("decode_wh")[0] / 2, rel=1e-6
    )
