"""World builder: makes the parts of a simulation from a scenario and a seed.

Parts: nodes, sites, grid, policy, faults, and an iterator over the requests. The values come from
``fleet``, ``energy_inputs``, ``client_generator`` and ``owner_presence``. The same scenario and
seed give the same parts.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, inf
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from entraide.types import JobClass
from entraide_scheduler.core.policy import DEFAULT_CLASSES, Policy
from entraide_sim.fleet import Machine, client_generator, energy_inputs, fleet, owner_presence
from entraide_sim.grid import HOUR_S, Grid
from entraide_sim.machines import SiteSpec, scale_battery
from entraide_sim.recordings import recorded_demand
from entraide_sim.scenario import Assumption, FaultSpec, Scenario, ScenarioSite, Workload
from entraide_sim.workload import (
    Arrival,
    Request,
    RequestTemplate,
    assign_coops,
    make_requests,
    make_rng,
    merge_requests,
    read_azure,
    read_mooncake,
    repeat_trace,
    sample_trace,
)
from entraide_sim.world import Fault, slow_heartbeat_timing

# Kinds of the events that begin and end a fault.
FAULT_KINDS = (
    ("vanish", "return"),
    ("slow", "slow"),
    ("silent", "heard"),
    ("pause", "take"),
    ("late", "late"),
    ("broken", "mended"),
)


class WorldParts(Struct, frozen=True):
    """The parts of a simulation; ``requests`` can be iterated once."""

    scenario: Scenario
    seed: int
    machines: list[Machine]
    sites: list[SiteSpec]
    grid: Grid
    policy: Policy
    faults: list[Fault]
    requests: Iterator[Request]
    assumptions: list[Assumption]


def build_world(scenario: Scenario, *, home: Path, seed: int) -> WorldParts:
    """Builds the parts of a simulation.

    Args:
        scenario: validated.
        home: folder that its file names are relative to.
        seed: of all random draws.

    Raises:
        ValueError: a file is invalid; the message names file and line.
    """
    machines = fleet.build_machines(scenario)
    grid, assumptions = energy_inputs.build_grid(scenario, home, seed)
    sites: list[SiteSpec] = []
    for site in scenario.sites:
        specs, site_assumptions = _site_specs(scenario, site, machines, home=home, seed=seed)
        sites += specs
        assumptions += site_assumptions
    assumptions += fleet.fleet_assumptions(scenario)
    assumptions += _demand_assumptions(scenario)
    return WorldParts(
        scenario,
        seed,
        machines,
        sites,
        grid,
        make_policy(scenario),
        _make_faults(scenario, machines, seed),
        _make_requests(scenario, home, seed),
        assumptions,
    )


def make_policy(scenario: Scenario) -> Policy:
    """Returns the policy made of the scenario's keys, co-ops and workload objectives.

    Raises:
        msgspec.ValidationError: a key or a value is not known.
    """
    raw: dict[str, Any] = {"version": scenario.name, **scenario.policy}
    policy = msgspec.convert(raw, Policy)
    changes: dict[str, Any] = {}
    if not policy.coops:
        changes["coops"] = tuple(coop.terms for coop in scenario.coops)
    if "timing" not in scenario.policy:
        changes["timing"] = slow_heartbeat_timing(scenario.heartbeat_s)
    if "classes" not in scenario.policy:
        changes["classes"] = tuple(
            _with_objective(terms, scenario.workloads) for terms in DEFAULT_CLASSES
        )
    return msgspec.structs.replace(policy, **changes)


def _with_objective(terms: Any, workloads: tuple[Workload, ...]) -> Any:
    for workload in workloads:
        if workload.job_class is terms.job_class:
            objective = msgspec.structs.asdict(workload.objective)
            changes = {key: value for key, value in objective.items() if value is not None}
            terms = msgspec.structs.replace(terms, **changes)
    return terms


def _site_specs(
    scenario: Scenario, site: ScenarioSite, machines: list[Machine], *, home: Path, seed: int
) -> tuple[list[SiteSpec], list[Assumption]]:
    """Divides a site's surplus among the co-ops with machines there, by number of machines."""
    site_machines = [machine for machine in machines if machine.site.name == site.name]
    if not site_machines:
        return [], []
    steps, assumptions = energy_inputs.site_surplus(scenario, site, home, seed=seed)
    if not steps:
        return [], []
    battery, battery_assumption = energy_inputs.site_battery(site) or (None, None)
    if battery_assumption is not None:
        assumptions.append(battery_assumption)
    owners = [machine.spec.card.coop for machine in site_machines]
    specs = []
    for coop in sorted(set(owners)):
        share = owners.count(coop) / len(owners)
        surplus_steps = tuple((at, value * share) for at, value in steps)
        battery_share = None if battery is None else scale_battery(battery, share)
        specs.append(SiteSpec(coop, site.name, surplus_steps, battery=battery_share))
    return specs, assumptions


# Demand.


def _make_requests(scenario: Scenario, home: Path, seed: int) -> Iterator[Request]:
    return merge_requests(
        *(
            _workload_requests(scenario, workload, home=home, seed=seed, number=number)
            for number, workload in enumerate(scenario.workloads)
        )
    )


def _workload_requests(
    scenario: Scenario, workload: Workload, *, home: Path, seed: int, number: int
) -> Iterator[Request]:
    coops = scenario.members(workload.coops or ("*",))
    arrivals = _workload_arrivals(scenario, workload, home=home, seed=seed, number=number)
    names = [f"{workload.name}-{index + 1}" for index in range(workload.clients)]
    return make_requests(
        arrivals,
        _make_template(scenario, workload),
        start_at=scenario.start_at,
        coop_of=assign_coops(names, coops, seed=seed + number) if names else None,
        coops=coops,
        seed=seed * 1_000 + number,
        name=workload.name,
    )


def _workload_arrivals(
    scenario: Scenario, workload: Workload, *, home: Path, seed: int, number: int
) -> Iterator[Arrival]:
    if not workload.trace:
        return client_generator.client_arrivals(
            workload,
            start_at=scenario.start_at,
            hours=scenario.hours,
            zone=ZoneInfo(scenario.timezone),
            seed=seed,
            number=number,
        )
    path = home / workload.trace
    arrivals: Iterator[Arrival]
    if _is_recorded(workload):
        arrivals = recorded_demand.read_journal(
            path,
            coops=scenario.members(workload.coops or ("*",)),
            chosen=bool(workload.coops),
            models=() if workload.model else [model.name for model in scenario.models],
        )
    else:
        read = read_mooncake if path.suffix == ".jsonl" else read_azure
        arrivals = _check_order(read(path), path)
    if workload.keep < 1.0:
        arrivals = sample_trace(arrivals, keep=workload.keep, seed=seed + number)
    if workload.repeat_h:
        until_s = scenario.hours * HOUR_S
        arrivals = repeat_trace(arrivals, period_s=workload.repeat_h * HOUR_S, until_s=until_s)
    return _within_hours(arrivals, workload, scenario.hours)


def _is_recorded(workload: Workload) -> bool:
    return Path(workload.trace).suffix == recorded_demand.SUFFIX


def _check_order(arrivals: Iterator[Arrival], path: Path) -> Iterator[Arrival]:
    before = 0.0
    number = 0
    for number, arrival in enumerate(arrivals, 1):
        if arrival.at_s < before:
            line = number + (path.suffix != ".jsonl")
            raise ValueError(f"{path}:{line}: arrivals are not in order of time")
        before = arrival.at_s
        yield arrival
    if not number:
        raise ValueError(f"{path}: no arrivals")


def _within_hours(
    arrivals: Iterator[Arrival], workload: Workload, hours: float
) -> Iterator[Arrival]:
    end_h = hours if workload.until_h is None else min(hours, workload.until_h)
    for arrival in arrivals:
        if workload.from_h * HOUR_S <= arrival.at_s < end_h * HOUR_S:
            yield arrival


def _make_template(scenario: Scenario, workload: Workload) -> RequestTemplate:
    limit = workload.output_tokens_max
    if limit is None and not workload.trace:
        limit = ceil(workload.output_tokens[-1])
    first = "" if _is_recorded(workload) else scenario.models[0].name
    return RequestTemplate(
        model=workload.model or first,
        job_class=workload.job_class,
        data_class=workload.data_class,
        jurisdiction=workload.jurisdiction,
        output_tokens_max=limit,
        deadline_s=None if workload.deadline_h is None else workload.deadline_h * HOUR_S,
        patience_s=workload.patience_s,
        project=workload.project,
    )


def _demand_assumptions(scenario: Scenario) -> list[Assumption]:
    assumptions = []
    for workload in scenario.workloads:
        if workload.trace:
            values: dict[str, str | int | float] = {
                "workload": workload.name,
                "percent": round(workload.keep * 100),
            }
            code = "journal" if _is_recorded(workload) else "trace"
            assumptions.append(Assumption(code, "measured", values, Path(workload.trace).name))
            continue
        values = {
            "workload": workload.name,
            "clients": workload.clients,
            "requests_per_day": workload.requests_per_client_day,
            "rhythm": workload.rhythm,
        }
        assumptions.append(Assumption("clients", "declared", values))
    assumptions.append(Assumption("heartbeats", "default", {"seconds": scenario.heartbeat_s}))
    if any(workload.job_class is JobClass.BATCH for workload in scenario.workloads):
        assumptions.append(Assumption("fairness_without_batch", "default"))
    return assumptions


# Faults.


def _make_faults(scenario: Scenario, machines: list[Machine], seed: int) -> list[Fault]:
    faults: list[Fault] = []
    pauses: dict[str, list[tuple[float, float]]] = {}  # by node
    for restart in scenario.faults.restart:
        at = scenario.start_at + restart.at_h * HOUR_S
        faults.append(Fault(at, "", "restart", restart.down_s))
    for rank, (begins, ends) in enumerate(FAULT_KINDS):
        for number, spec in enumerate(getattr(scenario.faults, begins)):
            source = make_rng(seed, 8, number, rank)
            for machine, begin_at, end_at in _fault_spans(scenario, spec, machines, source):
                node = machine.spec.card.node
                if begins == "pause":
                    pauses.setdefault(node, []).append((begin_at, end_at))
                    continue
                late = begins == "late"
                faults.append(
                    Fault(begin_at, node, begins, spec.late_s or 0.0 if late else spec.factor)
                )
                if end_at < inf:
                    faults.append(Fault(end_at, node, ends, 0.0 if late else 1.0))
    owner_faults = _owner_faults(scenario, machines, seed, pauses=pauses)
    return sorted((*owner_faults, *faults), key=lambda fault: fault.at)


def _owner_faults(
    scenario: Scenario,
    machines: list[Machine],
    seed: int,
    *,
    pauses: Mapping[str, Sequence[tuple[float, float]]],
) -> Iterator[Fault]:
    end_at = scenario.start_at + (scenario.hours + energy_inputs.DRAIN_H) * HOUR_S
    for number, machine in enumerate(machines):
        yield from owner_presence.presence_faults(
            machine.spec.card.node,
            machine.terms,
            pattern=machine.group.owner.present,
            start_at=scenario.start_at,
            until=end_at,
            zone=ZoneInfo(scenario.timezone),
            seed=seed,
            number=number,
            power_cap_w=machine.group.power_cap_w,
            present_cap_w=machine.group.owner.present_cap_w,
            pauses=pauses.get(machine.spec.card.node, ()),
        )


def _select_machines(spec: FaultSpec, machines: list[Machine], source: Any) -> list[Machine]:
    """Returns the machines that a fault affects, in random order."""
    matching = [
        machine
        for machine in machines
        if machine.site.zone.startswith(spec.zone)
        and spec.site in ("", machine.site.name)
        and spec.nodes in ("", machine.group.name)
    ]
    order = source.permutation(len(matching)).tolist()
    return [matching[index] for index in order[: round(spec.part * len(matching))]]


def _fault_spans(
    scenario: Scenario, spec: FaultSpec, machines: list[Machine], source: Any
) -> Iterator[tuple[Machine, float, float]]:
    """Yields the machines that a fault affects, each with its begin and end."""
    selected = _select_machines(spec, machines, source)
    for place, machine in enumerate(selected):
        end_at = inf
        if spec.until_h is not None:
            back_h = spec.until_h + spec.spread_h * (place / len(selected))
            end_at = scenario.start_at + back_h * HOUR_S
        yield machine, scenario.start_at + spec.at_h * HOUR_S, end_at
