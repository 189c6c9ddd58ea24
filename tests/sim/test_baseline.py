"""A trial that equals the past: a recorded life beside its simulation, and what is refused."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.data.recorded import DATA
from tests.sim.support import MODEL, START, card, even_arrivals, grid, node, policy
from tests.sim.test_replay import record, reseal, told_here, write

from entraide.types import Basis, JobState, Outcome, Rates, Usage
from entraide_scheduler.core import snapshot
from entraide_scheduler.core.events import (
    JobRequested,
    NodeDisconnected,
    NodeJoined,
    NodesSeen,
    RunReported,
    SchedulerStarted,
)
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Period, Quota, QuotaKind
from entraide_sim.machines import NodeSpec
from entraide_sim.recordings import JobOutcome, MeasuredSpeed, RunTimes, added_power_w
from entraide_sim.recordings.recorded_faults import FaultKind, RecordedFaults
from entraide_sim.recordings.recorded_history import RecordedHistory, TrueLengths
from entraide_sim.replay import baseline, counterfactual_replay, policy_comparison
from entraide_sim.replay.recorded_environment import RecordedEnvironment
from entraide_sim.workload import RequestTemplate, make_requests
from entraide_sim.world import World, node_agents

RATES = Rates(100.0, 0.05, 0.01, Basis.DECLARED)


def past_of(path: Path) -> baseline.Baseline:
    """The baseline of a recorded journal."""
    return policy_comparison.repeat_past(policy_comparison.replay_journal(path)).baseline


JOURNALS = {
    "base": DATA / "journal-base.gz",
    "base-busy": DATA / "journal-base-busy.gz",  # begins when most jobs waited
    "an hour": DATA.parents[1] / "benchmarks" / "data" / "trial" / "live-104.journal",
}


@pytest.mark.parametrize("name", JOURNALS)
def test_a_recorded_life_is_simulated_as_it_was(name: str, tmp_path: Path) -> None:
    """A real pool's requests by name, alias and size end as recorded; one pool lived an hour."""
    compared = past_of(reseal(JOURNALS[name], tmp_path / "pool.journal"))

    assert ("equal", ()) == (compared.verdict, compared.differences)
    assert compared.recorded.served > 20


def decline_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines compare the requested name with their model's."""
    admit = node_agents._admit_run

    def admit_by_name(offer: Any) -> Any:
        return admit(msgspec.structs.replace(offer, model=offer.job.request.facts.model))

    monkeypatch.setattr(node_agents, "_admit_run", admit_by_name)


def change_specs(**factors: float) -> Callable[[pytest.MonkeyPatch], None]:
    """Machines have another speed or power than measured."""
    made = counterfactual_replay.node_specs

    def change(spec: NodeSpec) -> NodeSpec:
        rates = spec.rates or spec.card.replicas[0].rates
        slow = factors.get("slow", 1.0)
        rates = Rates(
            rates.prefill_tokens_per_s / slow,
            rates.tpot_base_s * slow,
            rates.tpot_per_sequence_s * slow,
            rates.basis,
        )
        power_w = (spec.extra_w or 0.0) * factors.get("power", 1.0)
        return msgspec.structs.replace(spec, rates=rates, extra_w=power_w)

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            counterfactual_replay,
            "node_specs",
            lambda *values: [change(spec) for spec in made(*values)],
        )

    return plant


def shorten_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are half as long as reported."""
    true_lengths = RecordedHistory.true_lengths

    def shorten(self: RecordedHistory, facts: Any) -> TrueLengths:
        lengths = true_lengths(self, facts)
        return msgspec.structs.replace(lengths, output_tokens=max(1, lengths.output_tokens // 2))

    monkeypatch.setattr(RecordedHistory, "true_lengths", shorten)


def forget_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines that come back after a crash or a restart stay down."""
    monkeypatch.setattr(RecordedEnvironment, "_restore_node", lambda *_: None)


FAULTS = {
    "aliases": (decline_aliases, "served"),
    "slow machines": (change_specs(slow=2.0), "ttft_s_p95"),
    "hungry machines": (change_specs(power=1.3), "energy_wh"),
    "short answers": (shorten_answers, "tokens"),
    "machines down": (forget_machines, "served"),
}


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_simulated_world_is_refused(
    fault: str,
    real_replayed: policy_comparison.ReplayedJournal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A world with a planted fault is not taken for the past, and the figure is named."""
    plant, figure = FAULTS[fault]
    plant(monkeypatch)
    compared = policy_comparison.repeat_past(real_replayed).baseline

    assert "different" == compared.verdict
    assert figure in {each.figure for each in compared.differences}


def test_command_compares_nothing_if_the_past_is_not_repeated(
    tmp_path: Path, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both lives come first, then the reason; there is no comparison and no report."""
    decline_aliases(monkeypatch)
    done = {
        lang: told_here(str(real), "--policy", "fastest", "--out", str(tmp_path / lang), lang=lang)
        for lang in ("fr", "en")
    }
    kept = json.loads((tmp_path / "en" / "replay.json").read_text("utf-8"))

    assert [1, 1] == [each.returncode for each in done.values()]
    assert "Nothing is compared" in done["en"].stderr
    assert "Rien n’est comparé" in done["fr"].stderr
    assert "Requests served: 306 recorded" in done["en"].stderr
    assert done["en"].stdout.index("As recorded:") < done["en"].stdout.index("Simulated under")
    assert ("different", False) == (kept["baseline"]["verdict"], "compared" in kept)
    assert not (tmp_path / "en" / "report.html").exists()


@pytest.mark.usefixtures("undrawn")
def test_command_shows_both_lives_before_the_comparison(tmp_path: Path, real: Path) -> None:
    """Terminal, document and report begin with the recorded and the simulated past."""
    done = told_here(str(real), "--policy", "fastest", "--out", str(tmp_path), lang="en")
    kept = json.loads((tmp_path / "replay.json").read_text("utf-8"))
    report = (tmp_path / "report.html").read_text("utf-8")
    begin = done.stdout.index("As recorded: 306 of 360 requests served")

    assert 0 == done.returncode
    assert begin < done.stdout.index("What policy")
    assert ["recorded", "simulated", "verdict"] == list(kept["baseline"])[:3]
    assert report.index("As recorded: 306 of 360") < report.index("What would the proposal")


@pytest.mark.usefixtures("undrawn")
def test_a_replay_has_sentences_of_its_own(tmp_path: Path, real: Path) -> None:
    """Ten minutes make no year, no purchase and no recommendation between equal figures."""
    told_here(str(real), "--policy", "greenest", "--out", str(tmp_path), lang="en")
    report = (tmp_path / "report.html").read_text("utf-8")

    assert "No figure differs" in report
    for sentence in ("Do we need anything", "a year at this rate", "a year, and per person",
                     "recommended", "Each co-op received"):  # fmt: skip
        assert sentence not in report, sentence


# Verdicts.


class Lives:
    """Outcomes of a recorded and of a simulated life."""

    def __init__(self, *served: tuple[int, int, float]) -> None:
        self.by_job = {
            f"j{number}": JobOutcome("interactive", JobState.COMPLETED, "", *each)
            for number, each in enumerate(served)
        }


@pytest.mark.parametrize(
    ("simulated", "figures"),
    [
        ((100, 1_000_000, 1.0), []),
        ((102, 1_150_000, 1.5), []),
        ((103, 1_000_000, 1.0), ["tokens"]),
        ((100, 1_160_000, 1.0), ["energy_wh"]),
        ((100, 840_000, 1.6), ["energy_wh", "ttft_s_p95"]),
    ],
)
def test_limits_are_those_that_are_told(
    simulated: tuple[int, int, float], figures: list[str]
) -> None:
    """Tokens within 2 %, energy within 15 %, the first word within 25 % or half a second."""
    past: Any = Lives(*[(100, 1_000_000, 1.0)] * 100)
    again: Any = Lives(*[simulated] * 100)
    compared = baseline.compare_lives(past, again, ())

    assert figures == [each.figure for each in compared.differences]
    assert ("different" if figures else "equal") == compared.verdict


def test_a_life_without_an_answer_is_no_base_of_a_comparison() -> None:
    """Where nothing was served, there is nothing to compare; that is said, not a share of 100 %."""
    none: Any = Lives()

    assert "empty" == baseline.compare_lives(none, none, ()).verdict


def test_an_answer_too_few_of_a_hundred_is_within_the_limit() -> None:
    """Two of a hundred requests may end otherwise, three may not."""
    past: Any = Lives(*[(100, 1_000_000, 1.0)] * 200)
    for few, verdict in ((4, "equal"), (5, "different")):
        again: Any = Lives(*[(100, 1_000_000, 1.0)] * (200 - few))

        assert verdict == baseline.compare_lives(past, again, ()).verdict


# Measured speed and power.


def usage(read: int, produced: int, ttft_s: float, run_s: float, joules: float) -> Usage:
    """A run's usage report."""
    energy_uwh = round(joules / 3.6e-3)
    return Usage(read, 0, produced, Basis.MEASURED, 0, energy_uwh, Basis.MEASURED, ttft_s, run_s)


def test_speed_and_power_are_those_of_the_reports() -> None:
    """Runs alone on a machine of 50 tokens a second, 0.1 s a step and 40 W tell just that."""
    times = RunTimes()
    for number in range(12):
        read, produced = 20 + 10 * (number % 4), 5 + 3 * (number % 5)
        ttft_s, decode_s = 0.2 + read / 50.0, 0.1 * (produced - 1)
        run_s = ttft_s + decode_s
        report = usage(read, produced, ttft_s, run_s, 40.0 * run_s)
        times.add(1_000.0 * number + run_s, report, choices=1)
    speed = times.speed(MeasuredSpeed(RATES, 0.0))

    assert 40.0 == pytest.approx(added_power_w([times]), rel=0.001)
    assert 50.0 == pytest.approx(speed.rates.prefill_tokens_per_s, rel=0.05)
    assert 0.1 == pytest.approx(speed.rates.tpot_base_s + speed.rates.tpot_per_sequence_s, rel=0.05)


def test_a_machine_that_became_slower_is_slower_from_then_on() -> None:
    """Twenty minutes at one speed, twenty at half of it: each window has its factor of the mean."""
    times = RunTimes()
    for number in range(80):
        begun_at, slow = 30.0 * number, 2.0 if number >= 40 else 1.0
        read, produced = 20 + 10 * (number % 4), 5 + 3 * (number % 5)
        ttft_s, decode_s = slow * read / 50.0, slow * 0.1 * (produced - 1)
        report = usage(read, produced, ttft_s, ttft_s + decode_s, 0.0)
        times.add(begun_at + ttft_s + decode_s, report, choices=1)
    slowdowns = times.speed(MeasuredSpeed(RATES, 0.0)).slowdowns
    before, after = ([factor for at, factor in slowdowns if (at >= 1_200.0) == late]
                     for late in (False, True))  # fmt: skip

    assert (4, 4) == (len(before), len(after))
    assert 0.67 == pytest.approx(sum(before) / 4, abs=0.1)
    assert 1.33 == pytest.approx(sum(after) / 4, abs=0.1)


def test_lost_runs_shared_the_power() -> None:
    """A run that was never reported had its half of the machine's power."""
    times = RunTimes()
    times.add(10.0, usage(10, 5, 1.0, 10.0, 200.0), choices=1)
    times.add_lost(0.0, 10.0)

    assert 40.0 == pytest.approx(added_power_w([times]), rel=0.001)


def test_without_a_run_the_known_speed_holds() -> None:
    """A machine of which nothing was reported has its card's speed."""
    known = MeasuredSpeed(RATES, 0.1)

    assert known == RunTimes().speed(known)


def test_a_single_run_takes_its_time_again() -> None:
    """Few runs say little of each rate; what they took in all is what they take again."""
    times = RunTimes()
    times.add(10.0, usage(100, 21, 4.0, 10.0, 200.0), choices=1)
    speed = times.speed(MeasuredSpeed(RATES, 0.0))
    step_s = speed.rates.tpot_base_s + speed.rates.tpot_per_sequence_s
    again_s = speed.start_s + 100 / speed.rates.prefill_tokens_per_s + 20 * step_s

    assert 10.0 == pytest.approx(again_s, rel=0.01)


def test_models_of_one_machine_are_measured_by_their_share() -> None:
    """While another model works, a model has half of the machine; its own speed is the whole's."""
    times, other = RunTimes(), RunTimes()
    for number in range(8):
        read, produced = 20 + 10 * (number % 4), 5 + 3 * (number % 5)
        ttft_s, decode_s = 2.0 * read / 50.0, 2.0 * 0.1 * (produced - 1)
        report = usage(read, produced, ttft_s, ttft_s + decode_s, 0.0)
        times.add(1_000.0 * number + ttft_s + decode_s, report, choices=1)
        other.add_lost(1_000.0 * number - 1.0, 1_000.0 * number + 100.0)
    alone = times.speed(MeasuredSpeed(RATES, 0.0))
    shared = times.speed(MeasuredSpeed(RATES, 0.0), [other])

    assert 25.0 == pytest.approx(alone.rates.prefill_tokens_per_s, rel=0.1)
    assert 50.0 == pytest.approx(shared.rates.prefill_tokens_per_s, rel=0.1)


@pytest.mark.parametrize(("gap_s", "together"), [(0.0, True), (1.0, False)])
def test_it_is_seen_whether_prompts_are_read_together(gap_s: float, together: bool) -> None:
    """Two prompts that wait together have their first words at once, or one reading time apart."""
    times = RunTimes()
    for number in range(8):
        begun_at, first_s = 1_000.0 * number, 3.0
        for place in range(2):
            ttft_s = first_s + gap_s * place
            report = usage(50, 11, ttft_s, ttft_s + 1.0, 0.0)
            times.add(begun_at + ttft_s + 1.0, report, choices=1)

    assert together == times.speed(MeasuredSpeed(RATES, 0.0)).batches_prefill


# What befell machines.


def faults_of(*happened: Any) -> list[tuple[float, str]]:
    """What befell a machine that was live at moment 0 in boot ``a``."""
    core = Core()
    core.handle(NodeJoined(1, 0.0, card("n1"), accepting=True, reason="", boot="a"))
    faults = RecordedFaults(snapshot.read(core.snapshot()))
    for event in happened:
        faults.observe(event, ())
    return [(fault.at, fault.kind.value) for fault in faults.faults()]


def hello(at: float, boot: str) -> NodeJoined:
    """The machine says hello."""
    return NodeJoined(2, at, card("n1"), accepting=True, reason="", boot=boot)


def test_a_killed_agent_is_a_crash_and_a_cut_link_is_none() -> None:
    """Another boot says that the runs were lost; the same boot, that they went on."""
    gone = NodeDisconnected(2, 5.0, "n1")

    assert [(5.0, "crash"), (9.0, "return")] == faults_of(gone, hello(9.0, "b"))
    assert [(5.0, "cut"), (9.0, "heal"), (9.0, "return")] == faults_of(gone, hello(9.0, "a"))
    assert [(5.0, "crash")] == faults_of(gone)


def test_silence_counts_only_while_the_scheduler_listens() -> None:
    """A machine that is not heard for long was cut off, unless nobody listened."""
    late = NodesSeen(3, 100.0, ("n1",))

    assert [(0.0, "cut"), (100.0, "heal")] == faults_of(late)
    assert [] == faults_of(SchedulerStarted(2, 99.0, 2, "main"), late)


def test_runs_end_for_the_owner_as_recorded() -> None:
    """The moment at which an owner had the runs of a machine ended is one of its faults."""
    values = ("j1", 1, "n1", Outcome.FAILED, "owner_terms", False)
    ended = RunReported(2, 7.0, *values, usage(1, 1, 0.1, 0.2, 0.0))

    assert [(7.0, "give_back")] == faults_of(ended)


def test_runs_of_an_engine_that_exited_are_one_fault() -> None:
    """The reports of the runs that an engine had come one by one, but it exited once."""
    core, events = Core(), life_of(exits_at=(20.0,))
    faults = RecordedFaults(snapshot.read(core.snapshot()))
    lost = 0
    for event in events:
        faults.observe(event, core.handle(event))
        lost += isinstance(event, RunReported) and event.code == "engine_exited"
    exits = [fault for fault in faults.faults() if fault.kind is FaultKind.ENGINE_EXIT]

    assert lost > 1
    assert [("n1", "petit", "engine_exited")] == [
        (fault.node, fault.model, fault.code) for fault in exits
    ]


# Lives of two machines.


def life_of(*, exits_at: tuple[float, ...] = (), requests_limit: int = 0) -> list[Any]:
    """Events of two machines for a minute; the first one's engine exits, a co-op has a quota."""
    quotas = (Quota(QuotaKind.REQUESTS, requests_limit, Period.DAY),) if requests_limit else ()
    events: list[Any] = []
    world = World(
        Core(),
        start_at=START,
        policy=policy(1.0, coops=(CoopTerms("alpha", quotas=quotas),)),
        nodes=[node("n1", slots=8), node("n2", slots=8)],
        grid=grid(),
        watch=lambda event, _: events.append(event),
    )
    for at_s in exits_at:
        world.driver.schedule(START + at_s, partial(_exit_engine, world))
    arrivals = even_arrivals(2.0, 60.0, output_tokens=200)
    world.run(
        make_requests(arrivals, RequestTemplate(model=MODEL), start_at=START, coops=("alpha",))
    )
    return events


def _exit_engine(world: World, _: None) -> None:
    world.agents.fail_runs(world.nodes["n1"], "engine_exited")


def test_runs_that_ended_with_their_engine_end_again(tmp_path: Path) -> None:
    """Runs that an exiting engine lost are lost in the simulation too, and used what they used."""
    events = life_of(exits_at=(20.0, 30.0, 40.0, 50.0))
    compared = past_of(write(tmp_path / "exits.journal", *record(events, start=40)))
    again = compared.simulated.energy_wh / compared.recorded.energy_wh

    assert "equal" == compared.verdict
    assert compared.recorded.served == compared.simulated.served < compared.recorded.jobs
    assert 1.0 == pytest.approx(again, abs=0.05)


def test_a_quota_used_before_the_journal_is_used_in_the_simulation(tmp_path: Path) -> None:
    """Of 60 requests a day a part was asked before the journal began: only the rest is served."""
    events = life_of(requests_limit=60)
    asked = [at for at, event in enumerate(events) if isinstance(event, JobRequested)]
    begin = asked[40]
    compared = past_of(write(tmp_path / "quota.journal", *record(events, start=begin)))
    served = {compared.recorded.served, compared.simulated.served}

    assert ("equal", {}) == (compared.verdict, compared.otherwise)
    assert 1 == len(served)
    assert 20 <= served.pop() < 40 < compared.recorded.jobs
