"""Sensitivity: which assumption would overturn the answer of a plan or of a comparison."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest
from tests.sim.scenarios import small, text
from tests.sim.test_sweep import BUSY

from entraide.cli.app import run_command as entraide
from entraide_sim.building import load_scenario
from entraide_sim.fleet import energy_inputs
from entraide_sim.grid import IntensitySeries, PublishedForecast, scale_forecast_error
from entraide_sim.planning import (
    AnswerCandidate,
    Sensitivity,
    analyse_sensitivity,
    assumed_changes,
    sensitivity_to_json,
)
from entraide_sim.planning.assumed_changes import AssumedChange, change_result, change_scenario
from entraide_sim.planning.sensitivity import FURTHER_RUNS_MAX, GoalRule, PromiseRule
from entraide_sim.planning.sensitivity_text import overturning_sentences, sensitivity_table
from entraide_sim.runs import Case, CaseOutcome, combine_seeds
from entraide_sim.runs.goals import parse_goal
from entraide_sim.runs.simulate import simulate
from entraide_sim.scenario import GroupUsage, RunResult

SEEDS = (1, 2, 3, 4, 5)
DEMAND = small().scenario.workloads[0].requests_per_client_day


class Landscape:
    """Fleets whose waiting times, grams and dollars follow from their load by a formula.

    ``size`` machines that are ``grams`` dirty wait ``load / (size · speed)`` seconds; the seeds add
    ``noise``, which is the same for all fleets unless it is ``own``.
    """

    def __init__(self, *, noise: float = 0.0, own: bool = False) -> None:
        self._noise, self._own = noise, own
        self.cases: list[Case] = []

    def result(self, case: Case) -> RunResult:
        """What a fleet gives; its label is ``size:grams:price``."""
        size, grams, price = map(float, case.label.split(":"))
        scenario = case.scenario
        load = scenario.workloads[0].requests_per_client_day / DEMAND
        drawn = Random(f"{case.seed}{case.label if self._own else ''}").uniform(-1.0, 1.0)
        luck = 1.0 + self._noise * drawn
        wait_s = luck * load / (size * scenario.nodes[0].speed)
        group = GroupUsage(
            device="d", name="d", zone="CA-QC", coop="alpha", count=int(size), price_cad=price,
            life_years=5.0, power_max_w=None, jobs=1, output_tokens=1, energy_wh=1.0,
        )  # fmt: skip
        return RunResult(
            scenario="s", label=case.label, policy="p", picker="greenest", seed=case.seed,
            version="0", start_at=0.0, hours=1, fleet=(group,),
            summary={"seed": case.seed, "ttft_s": {"p95": wait_s},
                     "slo_attainment": min(1.0, 1.5 - wait_s), "carbon_g": grams * load * luck,
                     "carbon_g_per_1k_output_tokens": grams * luck,
                     "cost_cad": {"energy": 1.0, "hardware": price, "per_1m_output_tokens": 1.0}},
        )  # fmt: skip

    def __call__(self, cases: Sequence[Case]) -> Iterator[tuple[int, CaseOutcome]]:
        self.cases += cases
        for number, case in enumerate(cases):
            yield number, CaseOutcome(self.result(case))

    def candidate(self, label: str) -> AnswerCandidate:
        """A candidate with its results of all seeds."""
        case = Case(scenario=small().scenario, home="", seed=1, label=label)
        results = [self.result(msgspec.structs.replace(case, seed=seed)) for seed in SEEDS]
        return AnswerCandidate(case, combine_seeds(results), {"fr": label, "en": label})


def analysed(
    labels: Sequence[str], rule: GoalRule | PromiseRule, landscape: Landscape | None = None
) -> Sensitivity:
    """The sensitivity of the first of some fleets."""
    land = landscape or Landscape()
    candidates = [land.candidate(label) for label in labels]
    return analyse_sensitivity(candidates, answer=0, rule=rule, run_all=land)


def overturned(sensitivity: Sensitivity) -> dict[tuple[str, float], int | None]:
    """The choices that differ from the answer."""
    return {
        (row.change.code, row.change.factor): row.choice
        for row in sensitivity.overturning
        if row.change is not None
    }


FAST = (parse_goal("ttft_s.p95<=0.55"),)


def test_more_requests_overturn_a_fleet_with_little_margin() -> None:
    """Two machines wait 0.5 s of 0.55 s: not with 25 % more requests, or slower machines."""
    sensitivity = analysed(["2:1:10", "3:1:15", "1:1:5"], GoalRule(FAST, "machines"))

    assert {
        ("demand", 1.25): 1, ("demand", 2.0): None, ("speed", 0.75): 1,
    } == overturned(sensitivity)  # fmt: skip
    assert 0 == sensitivity.base.choice
    assert pytest.approx(1.0 - 0.5 / 0.55) == sensitivity.base.slack
    assert sensitivity.base.lead is not None
    assert pytest.approx(0.5) == sensitivity.base.lead.mean


def test_fewer_requests_overturn_a_purchase() -> None:
    """One machine is enough with 25 % fewer requests than what asked for two."""
    sensitivity = analysed(["2:1:10", "1:1:5"], GoalRule((parse_goal("ttft_s.p95<=0.8"),), "cost"))

    assert {("demand", 0.75): 1, ("speed", 1.25): 1, ("demand", 2.0): None} == overturned(
        sensitivity
    )


def test_a_fleet_with_a_wide_margin_holds() -> None:
    """Nothing overturns a fleet that is the cheapest, and meets its goal four times over."""
    sensitivity = analysed(["4:1:5", "5:2:8"], GoalRule((parse_goal("ttft_s.p95<=1"),), "cost"))

    assert {} == overturned(sensitivity)
    assert all(row.holds for row in sensitivity.rows)


def test_prices_overturn_without_a_simulation() -> None:
    """Dear machines, cheap to run: the goal of dollars is missed when they cost 25 % more."""
    goal = (parse_goal("cost_cad.hardware<=11"),)
    sensitivity = analysed(["2:1:10", "2:3:5"], GoalRule(goal, "carbon"))

    assert {("price", 1.25): 1} == overturned(sensitivity)


def test_a_grid_that_emits_more_misses_a_goal_of_grams() -> None:
    """Grams are proportional to the grid's intensity."""
    goal = (parse_goal("carbon_g_per_1k_output_tokens<=1.1"),)
    sensitivity = analysed(["2:1:10"], GoalRule(goal, "machines"))

    assert {("intensity", 1.25): None} == overturned(sensitivity)


@pytest.mark.parametrize("order", [1, -1])
def test_a_difference_within_the_noise_overturns_nothing(order: int) -> None:
    """Two fleets emit the same but for the luck of each seed: none is better under any change."""
    rule = GoalRule((parse_goal("ttft_s.p95<=5"),), "carbon")
    land = Landscape(noise=0.3, own=True)
    sensitivity = analysed(["2:1:10", "2:1.001:10"][::order], rule, land)

    assert 0 == sensitivity.base.choice
    assert {} == overturned(sensitivity)


def test_one_seed_screens_and_further_runs_are_limited() -> None:
    """A clear order needs one seed; doubtful ones run with all seeds, up to the limit."""
    wide = Landscape()
    analysed(["4:1:5", "5:2:8"], GoalRule((parse_goal("ttft_s.p95<=1"),), "cost"), wide)
    doubtful = Landscape(noise=0.3, own=True)
    labels = [f"2:1.00{number}:10" for number in range(4)]
    sensitivity = analysed(labels, GoalRule((parse_goal("ttft_s.p95<=5"),), "carbon"), doubtful)
    screened = 5 * len(labels)  # speed and demand

    assert 5 * 2 == len(wide.cases)
    assert {1} == {case.seed for case in wide.cases}
    assert screened < len(doubtful.cases) <= screened + FURTHER_RUNS_MAX
    assert sensitivity.runs == len(doubtful.cases)
    assert {1, 5} == {row.seeds for row in sensitivity.rows}


def test_a_comparison_is_overturned_by_a_broken_promise() -> None:
    """The greenest variant is recommended until more requests make it break its promise."""
    sensitivity = analysed(["2:1:10", "9:3:10"], PromiseRule())

    assert {("demand", 1.25): 1, ("demand", 2.0): 1, ("speed", 0.75): 1} == overturned(sensitivity)


@pytest.mark.parametrize(
    ("lang", "first", "last"),
    [
        ("en", "If the machines were 25% slower, the answer would be: 3:1:15.",
         "3 candidates were compared under other assumptions"),
        ("fr", "Si les machines étaient 25\u00a0% plus lentes, la réponse serait\u00a0: 3:1:15.",
         "3 candidats ont été comparés sous d’autres hypothèses"),
    ],
)  # fmt: skip
def test_the_reader_is_told_what_would_change_the_answer(lang: str, first: str, last: str) -> None:
    """A sentence for each assumption that overturns it, and a table of all of them."""
    sensitivity = analysed(["2:1:10", "3:1:15", "1:1:5"], GoalRule(FAST, "machines"))
    sentences = overturning_sentences(sensitivity, lang)
    headings, rows = sensitivity_table(sensitivity, lang)

    assert first == sentences[0]
    assert sentences[-1].startswith(last)
    assert 1 + len(sensitivity.rows) == len(rows)
    assert {len(headings)} == {len(row) for row in rows}
    assert json.dumps(sensitivity_to_json(sensitivity), allow_nan=False)


# The changes.


@pytest.mark.long
def test_a_change_of_demand_changes_the_number_of_requests(tmp_path: Path) -> None:
    """Generated requests and a trace: 25 % more and fewer, within the luck of the draw."""
    rows = ["arrival_s,input_tokens,output_tokens", *(f"{at},50,20" for at in range(0, 3_600, 4))]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    generated = small(("clients = 10", "clients = 100"))
    traced = small(("clients = 10", 'trace = "t.csv"\nkeep = 0.9'), home=tmp_path)
    for loaded in (generated, traced):
        counts = {}
        for factor in (0.75, 1.0, 1.25):
            scenario = change_scenario(loaded.scenario, AssumedChange("demand", factor))
            case = Case(scenario=scenario, home=str(loaded.home), seed=1)
            counts[factor] = simulate(case, clock=lambda: 0.0)[0].summary["jobs"]

        assert [pytest.approx(factor, rel=0.1) for factor in counts] == [
            count / counts[1.0] for count in counts.values()
        ]


def test_slower_machines_answer_later() -> None:
    """Three quarters of the speed take a third longer per token, at the same power."""
    loaded = small()
    plain, slow = (
        simulate(
            Case(scenario=change_scenario(loaded.scenario, AssumedChange("speed", factor)),
                 home=str(loaded.home), seed=1), clock=lambda: 0.0,
        )[0].summary
        for factor in (1.0, 0.75)
    )  # fmt: skip

    assert pytest.approx(4 / 3, rel=0.05) == slow["tpot_s"]["p50"] / plain["tpot_s"]["p50"]


def test_a_forecasts_error_is_scaled() -> None:
    """0 is perfect, 2 is twice as wrong, and hours without an actual value are not changed."""
    series = IntensitySeries("CA-ON", 0.0, (10.0, 20.0))
    forecast = PublishedForecast("CA-ON", 0.0, 0.0, (14.0, 5.0, 7.0))

    assert (10.0, 20.0, 7.0) == scale_forecast_error(forecast, series, 0.0).direct
    assert (18.0, 0.0, 7.0) == scale_forecast_error(forecast, series, 2.0).direct
    assert forecast == scale_forecast_error(forecast, series, 1.0)


def test_a_generated_forecast_may_be_perfect() -> None:
    """With ``forecast_error`` 0, each generated forecast is the series itself."""
    loaded = small()
    scenario = change_scenario(loaded.scenario, AssumedChange("forecast", 0.0))
    _, wrong = energy_inputs.build_grid(loaded.scenario, loaded.home, 1)
    _, perfect = energy_inputs.build_grid(scenario, loaded.home, 1)
    percents = [
        {line.values["percent"] for line in lines if line.code == "forecast_made"}
        for lines in (wrong, perfect)
    ]

    assert {0} == percents[1]
    assert min(percents[0]) > 0


def test_forecasts_matter_where_work_may_wait() -> None:
    """Without batch work no forecast is changed."""
    codes = {
        name: {change.code for change in assumed_changes.relevant_changes(scenario)}
        for name, scenario in (
            ("interactive", small().scenario),
            ("batch", load_scenario("trois-provinces").scenario),
        )
    }

    assert {"forecast"} == codes["batch"] - codes["interactive"]


def test_a_cost_per_token_follows_from_its_parts() -> None:
    """Energy 1 and hardware 3 dollars: electricity 25 % dearer makes tokens 6.25 % dearer."""
    result = Landscape().result(Case(scenario=small().scenario, home="", seed=1, label="1:1:3"))
    dearer = change_result(result, AssumedChange("tariff", 1.25)).summary["cost_cad"]

    assert {"energy": 1.25, "hardware": 3.0, "per_1m_output_tokens": 1.0625} == dearer


def test_maintenance_and_manufacture_do_not_follow_from_price_and_grid() -> None:
    """Of 3 dollars a third is maintenance; of 10 life-cycle grams 4 are manufacture."""
    case = Case(scenario=small().scenario, home="", seed=1, label="1:1:3")
    real, _ = simulate(case, clock=lambda: 0.0)
    assert real.money is not None
    assert real.footprint is not None
    result = msgspec.structs.replace(
        real,
        summary={**real.summary, "carbon_lifecycle_g": 10.0,
                 "cost_cad": {"energy": 1.0, "hardware": 3.0, "per_1m_output_tokens": 8.0}},
        money=msgspec.structs.replace(real.money, capital_cad=200.0, maintenance_cad=100.0),
        footprint=msgspec.structs.replace(real.footprint, embodied_g=4.0),
    )  # fmt: skip
    dearer = change_result(result, AssumedChange("price", 1.25)).summary["cost_cad"]
    dirtier = change_result(result, AssumedChange("intensity", 1.5)).summary

    assert {"energy": 1.0, "hardware": 3.5, "per_1m_output_tokens": 9.0} == dearer
    assert 13.0 == dirtier["carbon_lifecycle_g"]
    assert 1.5 * real.summary["carbon_g"] == dirtier["carbon_g"]


# Commands.


@pytest.mark.long
def test_a_plan_has_its_sensitivity_unless_it_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``plan.json`` has the rows, and the terminal says them; ``--no-sensitivity`` runs nothing."""
    path = tmp_path / "small.toml"
    path.write_text(text(("hours = 2.0", "hours = 0.05"), *BUSY))
    command = ["sim", "plan", str(path), "--goal", "ttft_s.p95<=0.6", "--range", "carte=0..0",
               "--range", "mini=1..4", "--minimise", "machines", "--seeds", "2",
               "--at-once", "1"]  # fmt: skip
    assert 0 == entraide([*command, "--out", str(tmp_path / "all")], "en")
    spoken = capsys.readouterr().out
    assert 0 == entraide([*command, "--no-sensitivity", "--out", str(tmp_path / "none")], "en")
    tested, left_out = (
        json.loads((tmp_path / name / "plan.json").read_text()) for name in ("all", "none")
    )
    sensitivity = tested["sensitivity"]

    assert None is left_out["sensitivity"]
    assert tested["fleet"]["nodes"] == left_out["fleet"]["nodes"]
    assert "What would change the answer" in spoken
    assert "What would change the answer" not in capsys.readouterr().out
    assert not [row for row in sensitivity["rows"] if row["code"] == "demand" and row["holds"]
                and row["factor"] == 2.0]  # fmt: skip
    assert 0 < sensitivity["runs"]


@pytest.mark.long
def test_a_comparison_has_its_sensitivity(tmp_path: Path) -> None:
    """The recommended variant has it in ``comparison.json``."""
    path = tmp_path / "small.toml"
    path.write_text(text(("hours = 2.0", "hours = 0.5")))
    command = ["sim", "compare", str(path), "--policies", "greenest,fastest", "--seeds", "2",
               "--at-once", "1", "--out", str(tmp_path / "out")]  # fmt: skip
    assert 0 == entraide(command, "fr")
    variants = json.loads((tmp_path / "out" / "comparison.json").read_text())

    assert ["recommended"] == [
        variant["verdict"] for variant in variants.values() if "sensitivity" in variant
    ]
