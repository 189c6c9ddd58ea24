"""Assumed changes: what a scenario, or its result, would be if an assumption were wrong.

Speed, demand and forecast change what happens, so they change the scenario, which is simulated
again. Grid intensity, electricity price and machine price change no decision of the pool (grams are
compared with each other, and the pool knows no price), so they change the result: its numbers are
proportional. Three effects are neglected: a quota of carbon is an absolute number of grams, own
solar power has life-cycle grams that do not change with the grid's, and a resale value does not
follow from the price.
"""

from typing import Any

import msgspec
from msgspec import Struct

from entraide.types import JobClass
from entraide_sim.scenario import NodeGroup, RunResult, Scenario, Workload


class AssumedChange(Struct, frozen=True):
    """One assumption, changed by a factor.

    Attributes:
        code: ``speed`` (of all machines), ``demand`` (number of requests), ``forecast`` (errors of
            the intensity's forecasts), ``intensity`` (of all zones), ``tariff`` (electricity price)
            or ``price`` (of machines).
        factor: 1.25 for 25 % more; for ``forecast`` 0 is a perfect one.
    """

    code: str
    factor: float


SIMULATED = ("speed", "demand", "forecast")
CHANGES = (
    AssumedChange("speed", 0.75),
    AssumedChange("speed", 1.25),
    AssumedChange("demand", 0.75),
    AssumedChange("demand", 1.25),
    AssumedChange("demand", 2.0),
    AssumedChange("forecast", 0.0),
    AssumedChange("forecast", 2.0),
    AssumedChange("intensity", 0.75),
    AssumedChange("intensity", 1.25),
    AssumedChange("tariff", 0.75),
    AssumedChange("tariff", 1.25),
    AssumedChange("price", 0.75),
    AssumedChange("price", 1.25),
)


def relevant_changes(scenario: Scenario) -> tuple[AssumedChange, ...]:
    """Returns the changes that can affect a scenario: forecasts only defer batch work."""
    defers = any(workload.job_class is JobClass.BATCH for workload in scenario.workloads)
    return tuple(change for change in CHANGES if defers or change.code != "forecast")


def change_scenario(scenario: Scenario, change: AssumedChange) -> Scenario:
    """Returns the scenario under a change of speed, demand or forecast.

    Raises:
        ValueError: the change is none of ``SIMULATED``.
    """
    replace = msgspec.structs.replace
    match change.code:
        case "speed":
            nodes = tuple(_with_speed(group, change.factor) for group in scenario.nodes)
            return replace(scenario, nodes=nodes)
        case "demand":
            workloads = tuple(
                changed
                for workload in scenario.workloads
                for changed in _with_demand(workload, change.factor)
            )
            return replace(scenario, workloads=workloads)
        case "forecast":
            sites = tuple(
                replace(site, forecast_error=site.forecast_error * change.factor)
                for site in scenario.sites
            )
            return replace(scenario, sites=sites)
        case _:
            raise ValueError(f"{change.code} changes results, not scenarios")


def _with_speed(group: NodeGroup, factor: float) -> NodeGroup:
    return msgspec.structs.replace(group, speed=group.speed * factor)


def _with_demand(workload: Workload, factor: float) -> list[Workload]:
    """Returns a workload with more or fewer requests; a trace is repeated beside itself."""
    replace = msgspec.structs.replace
    if not workload.trace:
        rate = workload.requests_per_client_day * factor
        return [replace(workload, requests_per_client_day=rate)]
    left, parts = workload.keep * factor, []
    while left > 1e-9:
        parts.append(min(1.0, left))
        left -= parts[-1]
    return [
        replace(workload, keep=part, name=f"{workload.name}-{number}" if number else workload.name)
        for number, part in enumerate(parts)
    ]


def change_result(result: RunResult, change: AssumedChange) -> RunResult:
    """Returns a result under a change of intensity, electricity price or machine price.

    Raises:
        ValueError: the change is one of ``SIMULATED``.
    """
    summary, factor = dict(result.summary), change.factor
    match change.code:
        case "intensity":
            summary |= _grid_grams(result, factor)
        case "tariff":
            summary["cost_cad"] = _with_cost(summary["cost_cad"], "energy", factor)
        case "price":
            summary["cost_cad"] = _with_cost(
                summary["cost_cad"], "hardware", 1.0 + (factor - 1.0) * _capital_part(result)
            )
        case _:
            raise ValueError(f"{change.code} changes scenarios, not results")
    return msgspec.structs.replace(result, summary=summary)


def _grid_grams(result: RunResult, factor: float) -> dict[str, float | None]:
    """Returns the grams of a summary under another intensity; those of manufacture remain."""
    summary = result.summary
    fixed_g = 0.0 if result.footprint is None else result.footprint.embodied_g
    values: dict[str, float | None] = {
        key: None if summary[key] is None else summary[key] * factor
        for key in ("carbon_g", "idle_carbon_g", "carbon_g_per_1k_output_tokens")
        if key in summary
    }
    if "carbon_lifecycle_g" in summary:
        values["carbon_lifecycle_g"] = fixed_g + (summary["carbon_lifecycle_g"] - fixed_g) * factor
    return values


def _capital_part(result: RunResult) -> float:
    """Returns the part of the hardware's cost that follows from prices: not its maintenance."""
    cost = result.money
    if cost is None or not cost.capital_cad + cost.maintenance_cad:
        return 1.0
    return cost.capital_cad / (cost.capital_cad + cost.maintenance_cad)


def _with_cost(cost: dict[str, Any], key: str, factor: float) -> dict[str, Any]:
    """Returns a cost with one part multiplied, and the cost per token that follows."""
    changed = {**cost, key: cost[key] * factor}
    before, per_1m = cost["energy"] + cost["hardware"], cost["per_1m_output_tokens"]
    if per_1m is not None and before:
        changed["per_1m_output_tokens"] = (
            per_1m * (changed["energy"] + changed["hardware"]) / before
        )
    return changed
