"""Sweeps, comparisons and plans, and the commands that make them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.sim.scenarios import small, text

from entraide.cli.app import run_command as entraide
from entraide.errors import RequestError
from entraide_sim.building import load_scenario
from entraide_sim.planning import fleet_planner, policy_variants
from entraide_sim.runs import Case, SweepRunner, goals
from entraide_sim.runs.sweep import CaseTask, cache_key, load_outcome, run_task

DEADLINE_S = 100.0


def cases(count: int, **changes: Any) -> list[Case]:
    """Cases of the small scenario with different seeds."""
    loaded = small(("hours = 2.0", "hours = 0.5"), **changes)
    return [
        Case(scenario=loaded.scenario, home=str(loaded.home), seed=seed) for seed in range(count)
    ]


def same(outcomes: Sequence[Any]) -> list[Any]:
    """Outcomes without their wall-clock time."""
    return [{**outcome.result.summary, "wall_s": 0.0} for outcome in outcomes]


def test_processes_and_one_process_say_the_same(tmp_path: Path) -> None:
    """The results do not depend on the number of processes."""
    many = cases(4)
    alone = [run_task(CaseTask(case)) for case in many]
    with SweepRunner(keep=tmp_path, at_once=2) as sweep:
        in_parallel = dict(sweep(many))

    assert same(alone) == same([in_parallel[number] for number in range(4)])


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    """A resumed sweep takes stored outcomes, and runs the other cases."""
    many = cases(3)
    with SweepRunner(keep=tmp_path, at_once=1) as sweep:
        first = dict(sweep(many[:2]))
    with SweepRunner(keep=tmp_path, at_once=1, resume=True) as sweep:
        second = dict(sweep(many))

    assert [outcome.result for outcome in first.values()] == [second[0].result, second[1].result]
    assert load_outcome(tmp_path, cache_key(many[2]), tables=False) is not None
    assert None is load_outcome(tmp_path, cache_key(many[2]), tables=True)


def test_a_case_travels_with_its_files(tmp_path: Path) -> None:
    """On another machine the files are unpacked, and the result is the same."""
    rows = ["arrival_s,input_tokens,output_tokens", *(f"{at},50,20" for at in range(0, 900, 9))]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    (case,) = cases(1)
    loaded = small(("clients = 10", 'trace = "t.csv"'), home=tmp_path)
    case = Case(scenario=loaded.scenario, home=str(tmp_path), seed=1)
    there = CaseTask(case, files={"t.csv": (tmp_path / "t.csv").read_bytes()})

    assert same([run_task(CaseTask(case))]) == same([run_task(there)])


def test_keys_tell_cases_apart(tmp_path: Path) -> None:
    """Another seed, another scenario or another file is another case."""
    first, other = cases(2)
    (more,) = cases(1, more='[policy]\npicker = "fastest"')

    assert 3 == len({cache_key(first), cache_key(other), cache_key(more)})
    assert cache_key(first) == cache_key(cases(1)[0])


# Goals.


@pytest.mark.parametrize(
    ("typed", "summary", "met"),
    [
        ("ttft_s.p95<=2", {"ttft_s": {"p95": 2.0}}, True),
        ("ttft_s.p95 < 2", {"ttft_s": {"p95": 2.0}}, False),
        ("slo_attainment>=0.99", {"slo_attainment": 0.995}, True),
        ("cost_cad.per_1m_output_tokens>1e-3", {"cost_cad": {"per_1m_output_tokens": 0.0}}, False),
        ("ttft_s.p95<=2", {"ttft_s": {"p95": None}}, False),
    ],
)
def test_goals_are_read_as_typed(typed: str, summary: dict[str, Any], met: bool) -> None:
    """Each sign has its meaning, and a missing value misses the goal."""
    goal = goals.parse_goal(typed)

    assert met is goal.is_met(summary)
    assert (goal.missed_by(summary) == 0.0) is met


@pytest.mark.parametrize(
    ("typed", "fault"),
    [("ttft_s.p95", "no_goal"), ("speed<=2", "unknown_key"), ("jobs<=1.2.3", "no_goal")],
)
def test_goals_that_are_none_are_refused(typed: str, fault: str) -> None:
    """An invalid goal, or an unknown key, is refused."""
    with pytest.raises(RequestError) as caught:
        goals.parse_goal(typed)

    assert ("plan_refused", fault) == (caught.value.code, caught.value.values["fault"])


# Plans.


BUSY = (
    ("requests_per_client_day = 60.0", "requests_per_client_day = 3000.0"),
    ('count = 2\ncoop = "alpha"', 'count = 6\ncoop = "alpha"'),
    ("input_tokens = [20, 400]", "input_tokens = [20, 200]"),
)


def planned(tmp_path: Path, goal: str, minimise: str) -> fleet_planner.FleetPlan:
    """A plan for the small scenario when it is busy."""
    loaded = small(("hours = 2.0", "hours = 0.3"), *BUSY)
    with SweepRunner(keep=tmp_path, at_once=1) as sweep:
        return fleet_planner.FleetPlanner(
            loaded, groups=fleet_planner.plan_groups(loaded.scenario, {"carte": (0, 1)}),
            goals=(goals.parse_goal(goal),), minimise=minimise, seeds=(1, 2), run_all=sweep,
            at_once=1,
        ).find_plan()  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("minimise", fleet_planner.OBJECTIVES)
def test_a_plan_meets_its_goals_at_the_least_objective(minimise: str, tmp_path: Path) -> None:
    """The planned fleet meets the goal, and no smaller one does where machines are minimised."""
    plan = planned(tmp_path, "ttft_s.p95<=0.6", minimise)

    assert plan.feasible is not None
    assert plan.feasible.meets_goals
    assert plan.complete
    assert (1, 2) == plan.seeds
    if minimise == "machines":
        assert not any(smaller.meets_goals for smaller in plan.smaller_fleets)
        assert sum(plan.closest.counts) < sum(plan.current.counts)


@pytest.mark.long
def test_a_goal_out_of_reach_is_said_so(tmp_path: Path) -> None:
    """If no fleet meets the goal, there is only the closest one, and the search is complete."""
    plan = planned(tmp_path, "ttft_s.p50<=0.0001", "machines")

    assert None is plan.feasible
    assert plan.complete
    assert plan.closest.counts


def test_the_busiest_hours_are_found() -> None:
    """For office demand, they are in the working day."""
    hours = fleet_planner.busiest_hours(load_scenario("trois-provinces"), 1)

    assert hours is not None
    assert fleet_planner.PEAK_H == hours.hours
    assert 13 <= hours.start.hour <= 20  # UTC: 8 to 15 h in Montréal


def test_a_comparison_runs_each_policy_with_each_fleet() -> None:
    """Two pickers and two alternatives are four cases with the same seed."""
    variants = policy_variants.variant_cases(
        load_scenario("gpu-ou-minis"),
        policy_variants.read_variants(["greenest", "fastest"]),
        seed=5,
    )

    assert ["gpu · greenest", "minis · greenest", "gpu · fastest", "minis · fastest"] == [
        case.label for case in variants
    ]
    assert {5} == {case.seed for case in variants}


# Commands.


def write(folder: Path, *changes: tuple[str, str], more: str = "") -> str:
    """The small scenario as a file."""
    path = folder / "small.toml"
    path.write_text(text(("hours = 2.0", "hours = 0.5"), *changes, more=more))
    return str(path)


def test_run_writes_its_files_and_the_same_again(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Summary, jobs and report; another run with the same seed has the same bytes."""
    source = write(tmp_path)
    first, other = tmp_path / "one", tmp_path / "other"
    status = [entraide(["sim", "run", source, "--out", str(first)], "en")]
    request.getfixturevalue("undrawn")
    status.append(entraide(["sim", "run", source, "--out", str(other)], "en"))
    summaries = [json.loads((out / "summary.json").read_text()) for out in (first, other)]
    jobs = pl.read_parquet(first / "jobs.parquet")

    assert [0, 0] == status
    assert (first / "jobs.parquet").read_bytes() == (other / "jobs.parquet").read_bytes()
    assert summaries[0] | {"wall_s": 0} == summaries[1] | {"wall_s": 0}
    assert summaries[0]["jobs"] == len(jobs)
    assert (first / "report.html").stat().st_size > 10_000
    assert not (first / "done").exists()
    result = json.loads((first / "result.json").read_text())
    assert result["money"] is None  # half an hour tells nothing of a year
    assert "year" not in {each["code"] for each in result["assumptions"]}


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_bad_scenario_writes_nothing(
    lang: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence with file and line on the error output, status 1, and no folder."""
    source = write(tmp_path, ("clients = 10", "clients = -3"))
    status = entraide(["sim", "run", source, "--out", str(tmp_path / "out")], lang)
    said = capsys.readouterr().err

    assert 1 == status
    assert f"{source}:43" in said
    assert 1 == len(said.strip().splitlines())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("lang", "sentence"), [
    ("en", "This number of seeds cannot be simulated (0): give a number from 1 to 100."),
    ("fr", "Ce nombre de graines ne peut pas être simulé (0)\u00a0: donnez un nombre de 1 à 100."),
])  # fmt: skip
@pytest.mark.parametrize("command", ["compare", "plan"])
def test_a_number_of_seeds_that_is_none_is_refused(
    command: str, lang: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A comparison, and a plan without goals, say which numbers of seeds are allowed."""
    arguments = ["sim", command, write(tmp_path), "--out", str(tmp_path / "out"), "--seeds", "0"]
    status = entraide(arguments, lang)

    assert 1 == status
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_plan_writes_a_scenario_that_confirms_it(tmp_path: Path) -> None:
    """The planned fleet, run by itself, meets the goal, and one machine fewer does not."""
    source = write(tmp_path, *BUSY)
    out, again, fewer = tmp_path / "plan", tmp_path / "again", tmp_path / "fewer"
    goal = ["--goal", "ttft_s.p95<=0.6", "--range", "carte=0..0", "--at-once", "1",
            "--minimise", "machines", "--seeds", "1", "--no-sensitivity"]  # fmt: skip
    assert 0 == entraide(["sim", "plan", source, *goal, "--out", str(out)], "fr")
    count = json.loads((out / "plan.json").read_text())["fleet"]["nodes"]["mini"]
    confirmed = (out / "plan.toml").read_text()
    smaller = tmp_path / "smaller.toml"
    smaller.write_text(confirmed.replace(f"count = {count}", f"count = {count - 1}"))
    for path, folder in ((out / "plan.toml", again), (smaller, fewer)):
        assert 0 == entraide(["sim", "run", str(path), "--out", str(folder)], "fr")
    waits = [
        json.loads((folder / "summary.json").read_text())["ttft_s"]["p95"]
        for folder in (again, fewer)
    ]

    assert waits[0] <= 0.6 < waits[1]


@pytest.mark.usefixtures("undrawn")
def test_compare_puts_policies_side_by_side(tmp_path: Path) -> None:
    """Each has its folder, and the first one's files stand at the top."""
    source, out = write(tmp_path), tmp_path / "out"
    policy = tmp_path / "patient.toml"
    policy.write_text("[carbon]\ntolerance = 0.5\n")
    names = f"fastest,{policy}"
    status = entraide(
        ["sim", "compare", source, "--policies", names, "--seeds", "3", "--at-once", "1",
         "--no-sensitivity", "--out", str(out)], "en"
    )  # fmt: skip
    summaries = json.loads((out / "comparison.json").read_text())
    first = json.loads((out / "summary.json").read_text())
    jobs = pl.read_parquet(out / "runs" / "patient" / "jobs.parquet")

    assert 0 == status
    assert ["fastest", "patient"] == list(summaries)
    assert first == {key: summaries["fastest"][key] for key in first}
    assert [1, 2, 3] == [summary["seed"] for summary in summaries["patient"]["seeds"]]
    assert summaries["patient"]["seeds"][0]["jobs"] == len(jobs)
    assert ["more", "recommended"] == [summary["verdict"] for summary in summaries.values()]
    assert {"mean", "low", "high"} == set(first["intervals"]["carbon_g"])
    assert first["carbon_g"] == first["intervals"]["carbon_g"]["mean"]


# A shell that runs its commands in the background lets them ignore Ctrl-C.
BY_A_TERMINAL = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from entraide.cli import main
main(sys.argv[1:])
"""


@pytest.mark.long
def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(tmp_path: Path) -> None:
    """An interrupted comparison exits with 130, and the next one starts from what it left."""
    source, out = write(tmp_path), tmp_path / "out"
    command = [
        sys.executable, "-c", BY_A_TERMINAL,
        "sim", "compare", source, "--out", str(out), "--seeds", "2", "--at-once", "2",
        "--lang", "en", "--no-sensitivity",
    ]  # fmt: skip
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + DEADLINE_S
    while not list(out.glob("done/*.run")):
        assert time.monotonic() < deadline
        assert child.poll() is None
        os.sched_yield()
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=DEADLINE_S)
    left = len(list((out / "done").glob("*.run")))
    again = subprocess.run([*command, "--resume"], check=False, capture_output=True, text=True)

    assert 130 == child.returncode
    assert f"{left} run" in said
    assert 0 == again.returncode, again.stderr
    assert sorted(policy_variants.PICKERS) == sorted(
        json.loads((out / "comparison.json").read_text())
    )
