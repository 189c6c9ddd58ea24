"""Reported: a recorded life as a report knows runs: sites, machines, grid, assumptions.

Decides how the recording's facts are named in a report: each machine is a group of its own, there
anyway, at what it draws beyond its rest; a zone's hour has the intensity that was told in it last.
It refuses to know what was compared.
"""

import datetime as dt
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from entraide_node.core.terms import OwnerTerms
from entraide_scheduler.core.policy import Policy
from entraide_sim import catalogue
from entraide_sim.build import Built
from entraide_sim.catalogue import Device
from entraide_sim.fleet import Machine
from entraide_sim.grid import HOUR_S, Grid, Series
from entraide_sim.nodes import NodeSpec
from entraide_sim.outcome import result
from entraide_sim.places import AFTER_H
from entraide_sim.replay.past import Past
from entraide_sim.replay.recording import Exact
from entraide_sim.replay.whatif import Compared, Lived
from entraide_sim.results import Assumption, Result
from entraide_sim.scenario import Coop, Model, Nodes, Scenario, Site

TITLE = {"fr": "Journal rejoué", "en": "Replayed journal"}
NAME = "journal"
HOURS_LEAST = 1.0 / 60.0


class Made(Struct, frozen=True):
    """What both lives have in common in a report."""

    scenario: Scenario
    machines: list[Machine]
    assumptions: list[Assumption]


def grid_of(past: Past, exact: Exact) -> Grid:
    """Returns the actual intensities by hour, to beyond the end of any drain."""
    begin = exact.start_at // HOUR_S * HOUR_S
    hours = int((exact.end_at - begin) // HOUR_S) + 1 + AFTER_H
    found = []
    for zone, steps in sorted(past.intensities.items()):
        direct, lifecycle = [], []
        place = 0
        for hour in range(hours):
            while place + 1 < len(steps) and steps[place + 1][0] < begin + (hour + 1) * HOUR_S:
                place += 1
            direct.append(steps[place][1])
            lifecycle.append(steps[place][2])
        found.append(Series(zone, begin, tuple(direct), tuple(lifecycle)))
    return Grid(found)


def results(
    compared: Compared, *, past: Past, exact: Exact, grid: Grid, proposed: Policy, command: str
) -> list[Result]:
    """Returns both lives as results: under the old policy, then under the proposed one."""
    made = _made(compared, past, exact)
    lives = ((compared.old, past.policy), (compared.proposed, proposed))
    names = _labels(past.policy.version, proposed.version)
    return [
        _result(made, life, policy, grid, label=label, command=command)
        for (life, policy), label in zip(lives, names, strict=True)
    ]


def _labels(old: str, proposed: str) -> tuple[str, str]:
    return (old, proposed) if old != proposed else (old, f"{proposed}*")


def _result(
    made: Made, life: Lived, policy: Policy, grid: Grid, *, label: str, command: str
) -> Result:
    built = Built(made.scenario, 0, made.machines, [], grid, policy, [], iter(()), made.assumptions)
    found = result(built, life.world, life.recorder, label=label)
    return msgspec.structs.replace(found, command=command)


def _made(compared: Compared, past: Past, exact: Exact) -> Made:
    sites: dict[str, Site] = {}
    machines = []
    for spec in compared.specs:
        card = spec.card
        site = sites.setdefault(f"{card.coop}/{card.site}", _site(spec))
        device = _device(spec)
        machines.append(Machine(spec, _group(spec, site, device), site, device, OwnerTerms()))
    models = sorted({spec.card.replicas[0].model for spec in compared.specs})
    scenario = Scenario(
        name=NAME,
        title=TITLE,
        start=dt.datetime.fromtimestamp(exact.start_at, dt.UTC),
        hours=max(HOURS_LEAST, (exact.end_at - exact.start_at) / HOUR_S),
        sites=tuple(sites.values()),
        coops=tuple(Coop(name=terms.coop, shares=terms.shares) for terms in past.policy.coops),
        models=tuple(Model(name=name) for name in models),
        nodes=tuple(machine.group for machine in machines),
    )
    return Made(scenario, machines, _assumptions(compared, machines))


def _site(spec: NodeSpec) -> Site:
    card = spec.card
    return Site(name=f"{card.coop}/{card.site}", zone=card.zone, rtt_s=card.rtt_s)


def _group(spec: NodeSpec, site: Site, device: Device) -> Nodes:
    card = spec.card
    return Nodes(
        name=card.node,
        device=device.device_id,
        coop=card.coop,
        site=site.name,
        model=card.replicas[0].model,
        slots=card.replicas[0].slots,
        idle_w=card.power.idle_w,
        active_w=card.power.active_w,
    )


def _device(spec: NodeSpec) -> Device:
    power = spec.card.power
    known = catalogue.devices().get(power.device)
    if known is not None:
        return known
    rates = spec.rates or spec.card.replicas[0].rates
    return Device(
        device_id=power.device,
        name=power.device,
        kind="other",
        memory_gb=0.0,
        memory_part=1.0,
        idle_w=power.idle_w,
        active_w=power.active_w,
        max_w=power.active_w,
        prefill_tokens_per_s=rates.prefill_tokens_per_s,
        decode_tokens_per_s=1.0 / (rates.tpot_base_s + rates.tpot_per_sequence_s),
        basis=rates.basis,
        step_part=0.0,
        slots=spec.card.replicas[0].slots,
        curve="flat",
        price_cad=None,
        throttle_after_s=0.0,
        throttle_factor=1.0,
        sources={},
    )


def _assumptions(compared: Compared, machines: Sequence[Machine]) -> list[Assumption]:
    told = [Assumption("replay_demand", "measured", {"jobs": compared.lengths_known})]
    if compared.lengths_taken:
        told.append(Assumption("replay_lengths", "estimated", {"jobs": compared.lengths_taken}))
    learned = compared.speeds_learned
    if learned:
        told.append(Assumption("replay_speed", "measured", {"nodes": learned}))
    if learned < len(machines):
        told.append(Assumption("replay_card", "declared", {"nodes": len(machines) - learned}))
    told.append(Assumption("replay_intensity", "measured"))
    told.append(Assumption("rest", "default"))
    return told
