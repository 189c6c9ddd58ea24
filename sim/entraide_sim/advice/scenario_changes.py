"""Scenario changes: the single changes of a scenario that advice simulates.

Input: a scenario. Output: the changed scenarios: the scenario's alternatives, purchases, longer
lending, delayed work, a smaller model, and one machine fewer of each group.
"""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from entraide.types import JobClass
from entraide_sim import catalogue
from entraide_sim.money import money
from entraide_sim.runs import with_nodes
from entraide_sim.scenario import NodeGroup, OwnerSchedule, Scenario

BATCH_DEADLINE_H = 12.0  # deadline of standard jobs that are shifted to batch
CHANGES_MAX = 64

Values = dict[str, str | int | float]


class ScenarioChange(Struct, frozen=True, kw_only=True):
    """One change of a scenario.

    Attributes:
        code: ``buy``, ``instead``, ``lend_always``, ``later``, ``smaller_model`` or ``retire``.
        values: numbers and names in the sentence of the code; ``name`` identifies the change.
        scenario: the changed scenario.
        machines: machines that are bought, lent or retired.
        replaced: of ``instead``: machines of the first alternative, which this one replaces.
        price_cad: new money: price of the machines bought, less that of the replaced ones.
        is_alternative: whether the scenario asks for this change.
    """

    code: str
    values: Values
    scenario: Scenario
    machines: tuple[NodeGroup, ...] = ()
    replaced: tuple[NodeGroup, ...] = ()
    price_cad: float = 0.0
    is_alternative: bool = False

    @property
    def label(self) -> str:
        """Name of the change's run."""
        return f"{self.code} {self.values['name']}"


def list_changes(scenario: Scenario) -> list[ScenarioChange]:
    """Returns the changes to simulate, at most ``CHANGES_MAX``; purchases are listed once each."""
    changes: dict[object, ScenarioChange] = {}
    for change in (
        *_choose_alternatives(scenario),
        *_buy_machines(scenario),
        *_lend_always(scenario),
        *_shift_to_batch(scenario),
        *_serve_smaller_model(scenario),
        *_retire_machines(scenario),
    ):
        bought = tuple(_purchase_key(group) for group in change.machines)
        changes.setdefault(bought if change.code == "buy" else change.label, change)
    return list(changes.values())[:CHANGES_MAX]


def _purchase_key(group: NodeGroup) -> tuple[object, ...]:
    return (group.device, group.site, group.count, money.price_cad(group))


def _choose_alternatives(scenario: Scenario) -> Iterator[ScenarioChange]:
    """Yields each further alternative of the scenario; the first one is the unchanged scenario."""
    for alternative in scenario.alternatives[1:]:
        first = scenario.alternatives[0].nodes
        yield ScenarioChange(
            code="instead" if first else "buy",
            values={"name": alternative.name, "price_cad": _price_cad(alternative.nodes)},
            scenario=with_nodes(scenario, scenario.nodes + alternative.nodes),
            machines=alternative.nodes,
            replaced=first,
            price_cad=_price_cad(alternative.nodes) - _price_cad(first),
            is_alternative=True,
        )


def _price_cad(groups: Iterable[NodeGroup]) -> float:
    return sum(group.count * (money.price_cad(group) or 0.0) for group in groups)


def _buy_machines(scenario: Scenario) -> Iterator[ScenarioChange]:
    """Yields one machine of each purchase and all its machines, else one more of each group."""
    for group in scenario.plan.purchases or tuple(_extend_groups(scenario)):
        for count in dict.fromkeys((1, group.count)):
            bought = msgspec.structs.replace(group, count=count)
            price_cad = _price_cad((bought,))
            yield ScenarioChange(
                code="buy",
                values={
                    "name": group.name if count == 1 else f"{count} {group.name}",
                    "device": catalogue.devices()[group.device].name,
                    "site": group.site,
                    "price_cad": price_cad,
                },
                scenario=with_nodes(scenario, (*scenario.fleet, bought)),
                machines=(bought,),
                price_cad=price_cad,
            )


def _extend_groups(scenario: Scenario) -> Iterator[NodeGroup]:
    """Yields one more machine of each group whose price is known, bought for the pool alone."""
    for group in scenario.fleet:
        price_cad = money.price_cad(group)
        if price_cad:
            yield msgspec.structs.replace(
                group,
                name=f"{group.name}-plus",
                count=1,
                hours=(),
                owner=OwnerSchedule(),
                dedicated=True,
                owned=False,
                on_anyway="",
            )


def _lend_always(scenario: Scenario) -> Iterator[ScenarioChange]:
    """Yields each group served at all hours, also while its owner is present."""
    for index, group in enumerate(scenario.fleet):
        is_away = group.owner.present == "never" or group.owner.works_present
        if not group.count or (not group.hours and is_away):
            continue
        owner = msgspec.structs.replace(group.owner, works_present=True)
        lent_always = msgspec.structs.replace(group, hours=(), owner=owner)
        yield ScenarioChange(
            code="lend_always",
            values={"name": group.name, "count": group.count},
            scenario=_with_group(scenario, index, lent_always),
            machines=(group,),
        )


def _shift_to_batch(scenario: Scenario) -> Iterator[ScenarioChange]:
    base = with_nodes(scenario, scenario.fleet)
    for index, workload in enumerate(scenario.workloads):
        if workload.job_class is not JobClass.STANDARD:
            continue
        workloads = list(scenario.workloads)
        workloads[index] = msgspec.structs.replace(
            workload, job_class=JobClass.BATCH, deadline_h=BATCH_DEADLINE_H
        )
        yield ScenarioChange(
            code="later",
            values={"name": workload.name, "workload": workload.name, "hours": BATCH_DEADLINE_H},
            scenario=msgspec.structs.replace(base, workloads=tuple(workloads)),
        )


def _serve_smaller_model(scenario: Scenario) -> Iterator[ScenarioChange]:
    """Yields each model replaced by the next smaller one, on all machines and in all requests.

    Scenarios whose machines serve or load several models are left alone.
    """
    if any(group.models is not None or group.loadable for group in scenario.fleet):
        return
    base = with_nodes(scenario, scenario.fleet)
    first = scenario.models[0].name
    for model in scenario.models:
        smaller = [other for other in scenario.models if other.params_b < model.params_b]
        served = any((group.model or first) == model.name for group in base.nodes)
        if not smaller or not served:
            continue
        name = max(smaller, key=lambda other: other.params_b).name
        changed = {model.name: name} | ({"": name} if model.name == first else {})
        yield ScenarioChange(
            code="smaller_model",
            values={"name": name, "model": name, "larger": model.name},
            scenario=msgspec.structs.replace(
                base,
                nodes=tuple(
                    msgspec.structs.replace(group, model=changed.get(group.model, group.model))
                    for group in base.nodes
                ),
                workloads=tuple(
                    msgspec.structs.replace(load, model=changed.get(load.model, load.model))
                    for load in base.workloads
                ),
            ),
        )


def _retire_machines(scenario: Scenario) -> Iterator[ScenarioChange]:
    total = sum(group.count for group in scenario.fleet)
    for index, group in enumerate(scenario.fleet):
        if group.count < 1 or total < 2:
            continue
        yield ScenarioChange(
            code="retire",
            values={"name": group.name},
            scenario=_with_group(
                scenario, index, msgspec.structs.replace(group, count=group.count - 1)
            ),
            machines=(msgspec.structs.replace(group, count=1),),
        )


def _with_group(scenario: Scenario, index: int, group: NodeGroup) -> Scenario:
    groups = list(scenario.fleet)
    groups[index] = group
    return with_nodes(scenario, tuple(groups))
