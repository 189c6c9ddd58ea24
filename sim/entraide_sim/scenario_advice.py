"""Scenario advice: the yearly effect of single purchases and schedule changes.

Runs the scenario with one change at a time, with the same demand and seed, for the whole time.
Effects are per year: dollars (energy, and price over life), grams, and seconds of TTFT p95. Below
zero is less, so better.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from entraide.types import JobClass
from entraide_sim import catalogue
from entraide_sim.goals import summary_value
from entraide_sim.results import RunResult
from entraide_sim.run_metrics import YEAR_H
from entraide_sim.scenario import NodeGroup, OwnerSchedule, Scenario
from entraide_sim.scenario_reader import LoadedScenario
from entraide_sim.simulate import Case, with_nodes

BATCH_DEADLINE_H = 12.0  # hours within which a standard job, made batch, must end
CHANGES_MAX = 64

Values = dict[str, str | int | float]


class ScenarioChange(Struct, frozen=True):
    """One change of a scenario.

    Attributes:
        code: ``buy``, ``retire``, ``lend_always`` or ``later``.
        values: numbers and names of its sentence.
        scenario: with the change made.
    """

    code: str
    values: Values
    scenario: Scenario


class ChangeEffect(Struct, frozen=True):
    """The effect of a change.

    Attributes:
        code, values: of the change.
        cad_per_year, g_per_year: difference from the unchanged scenario.
        ttft_s_p95: likewise; None if nothing completed.
        price_cad: purchase price.
        result: of the run.
    """

    code: str
    values: Values
    cad_per_year: float
    g_per_year: float
    ttft_s_p95: float | None
    price_cad: float
    result: RunResult


def list_changes(scenario: Scenario) -> list[ScenarioChange]:
    """Returns the single changes to try, at most ``CHANGES_MAX``."""
    changes = [
        *_buy_machines(scenario),
        *_lend_always(scenario),
        *_shift_to_batch(scenario),
        *_retire_machines(scenario),
    ]
    return changes[:CHANGES_MAX]


def advice_cases(
    loaded: LoadedScenario, changes: Sequence[ScenarioChange], *, seed: int
) -> list[Case]:
    """Returns the case of the unchanged scenario, then of each change."""
    home = str(loaded.home)
    base = with_nodes(loaded.scenario, loaded.scenario.fleet)
    return [
        Case(scenario=base, home=home, seed=seed),
        *(
            Case(scenario=change.scenario, home=home, seed=seed, label=change_label(change))
            for change in changes
        ),
    ]


def change_label(change: ScenarioChange) -> str:
    """Returns the label of a change's run."""
    return f"{change.code} {change.values['name']}"


def measure_effect(change: ScenarioChange, base: RunResult, result: RunResult) -> ChangeEffect:
    """Returns the difference of a change's run from the unchanged scenario's run."""
    years = change.scenario.hours / YEAR_H

    def more(key: str) -> float:
        return (summary_value(result.summary, key) or 0.0) - (
            summary_value(base.summary, key) or 0.0
        )

    first = summary_value(base.summary, "ttft_s.p95")
    second = summary_value(result.summary, "ttft_s.p95")
    return ChangeEffect(
        change.code,
        change.values,
        (more("cost_cad.energy") + more("cost_cad.hardware")) / years,
        more("carbon_g") / years,
        None if first is None or second is None else second - first,
        float(change.values.get("price_cad", 0.0)),
        result,
    )


def _buy_machines(scenario: Scenario) -> Iterator[ScenarioChange]:
    bought = scenario.plan.purchases or tuple(_extend_groups(scenario))
    for nodes in bought:
        machine = msgspec.structs.replace(nodes, count=1)
        device = catalogue.devices()[nodes.device]
        price = device.price_cad if nodes.price_cad is None else nodes.price_cad
        values: Values = {
            "name": nodes.name,
            "device": device.name,
            "site": nodes.site,
            "price_cad": price or 0.0,
        }
        yield ScenarioChange("buy", values, with_nodes(scenario, (*scenario.fleet, machine)))


def _extend_groups(scenario: Scenario) -> Iterator[NodeGroup]:
    """Yields one more machine of each group whose price is known."""
    for nodes in scenario.fleet:
        price = nodes.price_cad or catalogue.devices()[nodes.device].price_cad
        if price is not None:
            name = f"{nodes.name}-plus"
            yield msgspec.structs.replace(nodes, name=name, price_cad=price)


def _lend_always(scenario: Scenario) -> Iterator[ScenarioChange]:
    for number, nodes in enumerate(scenario.fleet):
        if not nodes.hours and nodes.owner.present == "never":
            continue
        always = msgspec.structs.replace(nodes, hours=(), owner=OwnerSchedule())
        fleet = list(scenario.fleet)
        fleet[number] = always
        values: Values = {"name": nodes.name, "count": nodes.count}
        yield ScenarioChange("lend_always", values, with_nodes(scenario, tuple(fleet)))


def _shift_to_batch(scenario: Scenario) -> Iterator[ScenarioChange]:
    base = with_nodes(scenario, scenario.fleet)
    for number, workload in enumerate(scenario.workloads):
        if workload.job_class is not JobClass.STANDARD:
            continue
        workloads = list(scenario.workloads)
        workloads[number] = msgspec.structs.replace(
            workload, job_class=JobClass.BATCH, deadline_h=BATCH_DEADLINE_H
        )
        values: Values = {"name": workload.name, "hours": BATCH_DEADLINE_H}
        yield ScenarioChange(
            "later", values, msgspec.structs.replace(base, workloads=tuple(workloads))
        )


def _retire_machines(scenario: Scenario) -> Iterator[ScenarioChange]:
    total = sum(nodes.count for nodes in scenario.fleet)
    for number, nodes in enumerate(scenario.fleet):
        if nodes.count < 1 or total < 2:
            continue
        fleet = list(scenario.fleet)
        fleet[number] = msgspec.structs.replace(nodes, count=nodes.count - 1)
        values: Values = {"name": nodes.name}
        yield ScenarioChange("retire", values, with_nodes(scenario, tuple(fleet)))
