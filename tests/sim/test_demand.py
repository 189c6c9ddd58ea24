"""A recorded journal as the demand of a scenario."""

from pathlib import Path

import pytest
from tests.core import recording as lives
from tests.sim.scenarios import small
from tests.sim.test_replay import BEGUN, EVENTS, record, write

from entraide import i18n
from entraide.errors import RequestError
from entraide.types import Outcome
from entraide_scheduler.core.events import Event, JobRequested, RunReported
from entraide_sim.building import LoadedScenario, build_world, check_files
from entraide_sim.runs import Case
from entraide_sim.runs.simulate import simulate
from entraide_sim.workload import Request

TRACE = ("clients = 10", 'trace = "pool.journal"\nmodel = "petit"')


@pytest.fixture(scope="module")
def life() -> list[Event]:
    """About a thousand events of a pool with faults, owners, restarts and quotas."""
    return list(lives.record(3, EVENTS).pool.events)


@pytest.fixture
def home(tmp_path: Path, life: list[Event]) -> Path:
    """A folder with that recording as an exported journal."""
    write(tmp_path / "pool.journal", *record(life))
    return tmp_path


def asked(life: list[Event]) -> list[JobRequested]:
    """The requests after the recording began, each once."""
    requests_by_job: dict[str, JobRequested] = {}
    for event in life[BEGUN:]:
        if isinstance(event, JobRequested):
            requests_by_job.setdefault(event.facts.job, event)
    return list(requests_by_job.values())


def scenario(home: Path, life: list[Event], *, more: str = "") -> LoadedScenario:
    """The small scenario with that trace, and all co-ops that are recorded."""
    names = sorted({event.facts.coop for event in asked(life)} - {"alpha", "beta"})
    coops = "\n".join(f'[[coops]]\nname = "{name}"' for name in names)
    trace, model = TRACE[1].split("\n")
    return small((TRACE[0], f"{trace}\n{model}\n{more}"), more=coops, home=home)


def requests(loaded: LoadedScenario) -> list[Request]:
    """The requests of a scenario."""
    return list(build_world(loaded.scenario, home=loaded.home, seed=1).requests)


def test_recorded_requests_come_as_they_were(home: Path, life: list[Event]) -> None:
    """When, whose, which class, deadline and limit are the recorded ones; lengths are the true."""
    loaded = scenario(home, life)
    check_files(loaded)
    shift_s = loaded.scenario.start_at - life[BEGUN - 1].at
    recorded = asked(life)
    simulated = requests(loaded)
    used = {
        event.job: event.usage
        for event in life[BEGUN:]
        if isinstance(event, RunReported) and event.outcome is Outcome.COMPLETED
    }
    known = [
        (request, used[event.facts.job], event.facts.choices)
        for request, event in zip(simulated, recorded, strict=True)
        if event.facts.job in used
    ]

    assert [
        (event.facts.coop, event.facts.project, event.facts.job_class, event.facts.data_class,
         event.facts.kind, event.facts.output_tokens_max, "petit")
        for event in recorded
    ] == [
        (request.facts.coop, request.facts.project, request.facts.job_class,
         request.facts.data_class, request.facts.kind, request.facts.output_tokens_max,
         request.facts.model)
        for request in simulated
    ]  # fmt: skip
    assert [event.at + shift_s for event in recorded] == pytest.approx(
        [request.at for request in simulated]
    )
    assert [
        None if event.facts.deadline_at is None else event.facts.deadline_at - event.at
        for event in recorded
    ] == pytest.approx(
        [
            None if request.facts.deadline_at is None else request.facts.deadline_at - request.at
            for request in simulated
        ]
    )
    assert len(known) > 50
    assert all(
        (request.input_tokens, request.output_tokens)
        == (max(1, usage.input_tokens), max(1, -(-usage.output_tokens // choices)))
        for request, usage, choices in known
    )


def test_coops_choose_whose_requests_are_taken(home: Path, life: list[Event]) -> None:
    """Where co-ops are named, the others' requests are left out."""
    loaded = small(TRACE, ('model = "petit"', 'model = "petit"\ncoops = ["alpha"]'), home=home)
    mine = [event for event in asked(life) if event.facts.coop == "alpha"]

    assert 0 < len(mine) == len(requests(loaded))


def test_a_part_can_be_kept_and_repeated(home: Path, life: list[Event]) -> None:
    """A journal is thinned and begins again as any trace does, its jobs each of its own name."""
    span_h = (life[-1].at - life[BEGUN - 1].at) / 3_600.0
    twice = requests(scenario(home, life, more=f"repeat_h = {span_h + 0.01}"))
    part = requests(scenario(home, life, more="keep = 0.5"))
    count = len(asked(life))

    assert 2 * count <= len(twice) == len({request.facts.job for request in twice})
    assert 0.3 * count < len(part) < 0.7 * count


def test_a_scenario_lives_with_recorded_demand(home: Path, life: list[Event]) -> None:
    """Every recorded request is simulated once, and its assumption says so."""
    loaded = scenario(home, life, more="patience_s = 600.0")
    case = Case(scenario=loaded.scenario, home=str(loaded.home), seed=1)
    result, table = simulate(case, clock=lambda: 0.0)
    (journal_assumptions,) = [
        assumption for assumption in result.assumptions if assumption.code == "journal"
    ]
    sentences = [
        i18n.text("sim-assumption-journal", lang, **journal_assumptions.values)
        for lang in ("fr", "en")
    ]

    assert len(asked(life)) == len(table["state"]) == result.summary["jobs"]
    assert result.summary["completed"] > 0
    assert [] == [sentence for sentence in sentences if i18n.HOLE in sentence]


WRONG = {
    "a co-op that is not there": ((TRACE,), "no_coop"),
    "a model that is not there": (
        (("clients = 10", 'trace = "pool.journal"\ncoops = ["alpha"]'),),
        "no_model",
    ),
}


def refusal(loaded: LoadedScenario) -> tuple[RequestError, list[str]]:
    """The error that a scenario's files are refused with, and its sentences."""
    with pytest.raises(RequestError) as caught:
        check_files(loaded)
    problem = caught.value
    return problem, [i18n.error(problem.code, lang, problem.values) for lang in ("fr", "en")]


@pytest.mark.parametrize("case", WRONG)
def test_what_a_scenario_lacks_is_told(case: str, home: Path) -> None:
    """A recorded co-op or model that the scenario has not is named, in both languages."""
    changes, fault = WRONG[case]
    problem, sentences = refusal(small(*changes, home=home))

    assert ("journal_refused", fault) == (problem.code, problem.values["fault"])
    assert all(str(problem.values["value"]) in sentence for sentence in sentences)
    assert [] == [sentence for sentence in sentences if i18n.HOLE in sentence]


def test_a_journal_that_was_cut_is_refused(home: Path) -> None:
    """A file that is not whole is told before anything is simulated."""
    path = home / "pool.journal"
    path.write_bytes(path.read_bytes()[:-20])
    problem, _ = refusal(small(TRACE, home=home))

    assert ("journal_refused", "cut", str(path)) == (
        problem.code, problem.values["fault"], problem.values["path"],
    )  # fmt: skip
