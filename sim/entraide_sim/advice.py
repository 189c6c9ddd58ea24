"""Advice: which one purchase, or which one change of the schedule, helps most.

Decides which single changes are tried on a scenario, and what each would change in a year: dollars
(energy, and price over life), grams, and the seconds of the 95th percentile until the first token.
Each is run for the whole time with the same demand and luck. Signs: below zero is less, so better.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from entraide.types import JobClass
from entraide_sim import catalogue
from entraide_sim.goals import value_of
from entraide_sim.outcome import YEAR_H
from entraide_sim.reading import Loaded
from entraide_sim.results import Result
from entraide_sim.scenario import Nodes, Owner, Scenario
from entraide_sim.simulate import Case, with_nodes

LATER_H = 12.0  # a job that need not be answered at once may end within so many hours
CHANGES_MAX = 64

Values = dict[str, str | int | float]


class Change(Struct, frozen=True):
    """One change.

    Attributes:
        code: ``buy``, ``retire``, ``lend_always`` or ``later``.
        values: the numbers and names in its sentence.
        scenario: with the change made.
    """

    code: str
    values: Values
    scenario: Scenario


class Effect(Struct, frozen=True):
    """What a change does.

    Attributes:
        code, values: of the change.
        cad_per_year, g_per_year: more (above zero) or less.
        ttft_s_p95: likewise; None where nothing completed.
        price_cad: to be paid at once.
        result: of the run.
    """

    code: str
    values: Values
    cad_per_year: float
    g_per_year: float
    ttft_s_p95: float | None
    price_cad: float
    result: Result


def changes(scenario: Scenario) -> list[Change]:
    """Returns the single changes that are worth a try, at most ``CHANGES_MAX``."""
    found = [*_purchases(scenario), *_lending(scenario), *_later(scenario), *_retiring(scenario)]
    return found[:CHANGES_MAX]


def cases(loaded: Loaded, found: Sequence[Change], *, seed: int) -> list[Case]:
    """Returns the scenario as it is, then with each change."""
    home = str(loaded.home)
    base = with_nodes(loaded.scenario, loaded.scenario.fleet)
    return [
        Case(scenario=base, home=home, seed=seed),
        *(
            Case(scenario=change.scenario, home=home, seed=seed, label=label_of(change))
            for change in found
        ),
    ]


def label_of(change: Change) -> str:
    """Returns what a change's run is called."""
    return f"{change.code} {change.values['name']}"


def effect(change: Change, base: Result, result: Result) -> Effect:
    """Returns what a change does, against the scenario as it is."""
    years = change.scenario.hours / YEAR_H

    def more(key: str) -> float:
        return (value_of(result.summary, key) or 0.0) - (value_of(base.summary, key) or 0.0)

    first = value_of(base.summary, "ttft_s.p95")
    second = value_of(result.summary, "ttft_s.p95")
    return Effect(
        change.code,
        change.values,
        (more("cost_cad.energy") + more("cost_cad.hardware")) / years,
        more("carbon_g") / years,
        None if first is None or second is None else second - first,
        float(change.values.get("price_cad", 0.0)),
        result,
    )


def _purchases(scenario: Scenario) -> Iterator[Change]:
    bought = scenario.plan.purchases or tuple(_more_of_the_same(scenario))
    for nodes in bought:
        one = msgspec.structs.replace(nodes, count=1)
        device = catalogue.devices()[nodes.device]
        price = device.price_cad if nodes.price_cad is None else nodes.price_cad
        values: Values = {
            "name": nodes.name,
            "device": device.name,
            "site": nodes.site,
            "price_cad": price or 0.0,
        }
        yield Change("buy", values, with_nodes(scenario, (*scenario.fleet, one)))


def _more_of_the_same(scenario: Scenario) -> Iterator[Nodes]:
    """Yields one more machine of each group whose price is known."""
    for nodes in scenario.fleet:
        price = nodes.price_cad or catalogue.devices()[nodes.device].price_cad
        if price is not None:
            name = f"{nodes.name}-plus"
            yield msgspec.structs.replace(nodes, name=name, price_cad=price)


def _lending(scenario: Scenario) -> Iterator[Change]:
    for number, nodes in enumerate(scenario.fleet):
        if not nodes.hours and nodes.owner.present == "never":
            continue
        always = msgspec.structs.replace(nodes, hours=(), owner=Owner())
        fleet = list(scenario.fleet)
        fleet[number] = always
        values: Values = {"name": nodes.name, "count": nodes.count}
        yield Change("lend_always", values, with_nodes(scenario, tuple(fleet)))


def _later(scenario: Scenario) -> Iterator[Change]:
    base = with_nodes(scenario, scenario.fleet)
    for number, workload in enumerate(scenario.workloads):
        if workload.job_class is not JobClass.STANDARD:
            continue
        workloads = list(scenario.workloads)
        workloads[number] = msgspec.structs.replace(
            workload, job_class=JobClass.BATCH, deadline_h=LATER_H
        )
        values: Values = {"name": workload.name, "hours": LATER_H}
        yield Change("later", values, msgspec.structs.replace(base, workloads=tuple(workloads)))


def _retiring(scenario: Scenario) -> Iterator[Change]:
    total = sum(nodes.count for nodes in scenario.fleet)
    for number, nodes in enumerate(scenario.fleet):
        if nodes.count < 1 or total < 2:
            continue
        fleet = list(scenario.fleet)
        fleet[number] = msgspec.structs.replace(nodes, count=nodes.count - 1)
        values: Values = {"name": nodes.name}
        yield Change("retire", values, with_nodes(scenario, tuple(fleet)))
