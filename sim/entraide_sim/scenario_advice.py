"""Scenario advice: the yearly effect of single purchases and schedule changes.

Each change is simulated alone, with the demand, seed and duration of the scenario. Effects are
dollars a year (energy and depreciation), grams a year, and seconds of TTFT p95; negative values
are improvements.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from entraide.types import JobClass
from entraide_sim import catalogue
from entraide_sim.goals import summary_value
from entraide_sim.money import YEAR_H
from entraide_sim.results import RunResult
from entraide_sim.scenario import NodeGroup, OwnerSchedule, Scenario
from entraide_sim.scenario_reader import LoadedScenario
from entraide_sim.seeded_result import SeededResult
from entraide_sim.simulate import Case, with_nodes

BATCH_DEADLINE_H = 12.0  # deadline of standard jobs that are shifted to batch
CHANGES_MAX = 64

Values = dict[str, str | int | float]


class ScenarioChange(Struct, frozen=True):
    """One change of a scenario.

    Attributes:
        code: ``buy``, ``retire``, ``lend_always`` or ``later``.
        values: numbers and names in the sentence of the code.
        scenario: the changed scenario.
    """

    code: str
    values: Values
    scenario: Scenario


class ChangeEffect(Struct, frozen=True):
    """The effect of a change.

    Attributes:
        code, values: code and values of the change.
        cad_per_year, g_per_year: difference from the unchanged scenario.
        ttft_s_p95: the same difference; None if no job completed.
        price_cad: purchase price.
        result: result of the changed scenario.
    """

    code: str
    values: Values
    cad_per_year: float
    g_per_year: float
    ttft_s_p95: float | None
    price_cad: float
    result: RunResult


def list_changes(scenario: Scenario) -> list[ScenarioChange]:
    """Returns the changes to simulate, at most ``CHANGES_MAX``."""
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
    """Returns the case of the unchanged scenario, then the case of each change."""
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


def measure_effect(
    change: ScenarioChange, unchanged: SeededResult, changed: SeededResult
) -> ChangeEffect:
    """Returns the mean difference of a change's runs from those of the unchanged scenario."""
    years = change.scenario.hours / YEAR_H
    base, result = unchanged.mean, changed.mean

    def difference(key: str) -> float:
        return (summary_value(result.summary, key) or 0.0) - (
            summary_value(base.summary, key) or 0.0
        )

    base_ttft_s = summary_value(base.summary, "ttft_s.p95")
    changed_ttft_s = summary_value(result.summary, "ttft_s.p95")
    return ChangeEffect(
        change.code,
        change.values,
        (difference("cost_cad.energy") + difference("cost_cad.hardware")) / years,
        difference("carbon_g") / years,
        None if base_ttft_s is None or changed_ttft_s is None else changed_ttft_s - base_ttft_s,
        float(change.values.get("price_cad", 0.0)),
        result,
    )


def _buy_machines(scenario: Scenario) -> Iterator[ScenarioChange]:
    purchases = scenario.plan.purchases or tuple(_extend_groups(scenario))
    for group in purchases:
        machine = msgspec.structs.replace(group, count=1)
        device = catalogue.devices()[group.device]
        price = device.price_cad if group.price_cad is None else group.price_cad
        values: Values = {
            "name": group.name,
            "device": device.name,
            "site": group.site,
            "price_cad": price or 0.0,
        }
        yield ScenarioChange("buy", values, with_nodes(scenario, (*scenario.fleet, machine)))


def _extend_groups(scenario: Scenario) -> Iterator[NodeGroup]:
    """Yields one more machine of each group whose price is known."""
    for group in scenario.fleet:
        price = group.price_cad or catalogue.devices()[group.device].price_cad
        if price is not None:
            name = f"{group.name}-plus"
            yield msgspec.structs.replace(group, name=name, price_cad=price)


def _lend_always(scenario: Scenario) -> Iterator[ScenarioChange]:
    for index, group in enumerate(scenario.fleet):
        if not group.hours and group.owner.present == "never":
            continue
        lent_always = msgspec.structs.replace(group, hours=(), owner=OwnerSchedule())
        fleet = list(scenario.fleet)
        fleet[index] = lent_always
        values: Values = {"name": group.name, "count": group.count}
        yield ScenarioChange("lend_always", values, with_nodes(scenario, tuple(fleet)))


def _shift_to_batch(scenario: Scenario) -> Iterator[ScenarioChange]:
    base = with_nodes(scenario, scenario.fleet)
    for index, workload in enumerate(scenario.workloads):
        if workload.job_class is not JobClass.STANDARD:
            continue
        workloads = list(scenario.workloads)
        workloads[index] = msgspec.structs.replace(
            workload, job_class=JobClass.BATCH, deadline_h=BATCH_DEADLINE_H
        )
        values: Values = {"name": workload.name, "hours": BATCH_DEADLINE_H}
        yield ScenarioChange(
            "later", values, msgspec.structs.replace(base, workloads=tuple(workloads))
        )


def _retire_machines(scenario: Scenario) -> Iterator[ScenarioChange]:
    total = sum(group.count for group in scenario.fleet)
    for index, group in enumerate(scenario.fleet):
        if group.count < 1 or total < 2:
            continue
        fleet = list(scenario.fleet)
        fleet[index] = msgspec.structs.replace(group, count=group.count - 1)
        values: Values = {"name": group.name}
        yield ScenarioChange("retire", values, with_nodes(scenario, tuple(fleet)))
