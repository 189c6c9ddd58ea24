"""Breakdown: metrics of a run by zone and hour, co-op, class, node group, site and fault.

A job counts in the hour of its last placement. A co-op's due service is its weighted max-min share
of all service.
"""

from collections.abc import Iterator, Mapping
from math import ceil, inf

import numpy as np

from entraide.types import JobState
from entraide.units import JOULES_PER_WH
from entraide_scheduler.core.policy import Policy
from entraide_sim.building import FAULT_KINDS, WorldParts
from entraide_sim.grid import HOUR_S
from entraide_sim.metrics import fairness
from entraide_sim.money import IdleTime, idle_energy, money
from entraide_sim.scenario import (
    PERCENTILES,
    ClassLatency,
    CoopShare,
    FaultImpact,
    FaultSpec,
    GroupUsage,
    RestartSpec,
    Scenario,
    SiteEnergy,
    ZoneHours,
)
from entraide_sim.world import NO_PROMISE, PROMISE_KEPT, Column, Table, World


def hour_count(parts: WorldParts, world: World) -> int:
    """Returns the number of clock hours of a run."""
    return ceil((world.driver.now - parts.scenario.start_at // HOUR_S * HOUR_S) / HOUR_S)


def part_within_demand(parts: WorldParts, table: Table) -> float:
    """Returns the part of the runs' time that lies in the period in which requests arrive."""
    start_at = parts.scenario.start_at
    ran = table["placed_at"] > 0.0
    begin, end = table["placed_at"][ran], table["end_at"][ran]
    within = np.clip(end, start_at, start_at + parts.scenario.hours * HOUR_S) - np.maximum(
        begin, start_at
    )
    whole_s = float((end - begin).sum())
    return float(np.maximum(within, 0.0).sum()) / whole_s if whole_s else 0.0


def zone_intensities(parts: WorldParts, world: World, zone: str) -> list[float]:
    """Returns a zone's direct intensity in each hour of a run, gCO2e/kWh."""
    start_at = parts.scenario.start_at // HOUR_S * HOUR_S
    return [
        parts.grid.intensity_at(zone, start_at + hour * HOUR_S)[0]
        for hour in range(hour_count(parts, world))
    ]


# By zone and hour.


def zone_hours(
    parts: WorldParts, world: World, table: Table, idle: Mapping[str, IdleTime]
) -> tuple[ZoneHours, ...]:
    """Returns hourly columns of each zone that has machines."""
    hours = hour_count(parts, world)
    start_at = parts.scenario.start_at // HOUR_S * HOUR_S
    hour = np.clip(((table["placed_at"] - start_at) // HOUR_S).astype(int), 0, hours - 1)
    energy = table["prefill_wh"] + table["decode_wh"] + table["wake_wh"]
    rows = []
    for zone in sorted({machine.site.zone for machine in parts.machines}):
        in_zone = (table["zone"] == zone) & (table["placed_at"] > 0.0)
        intensities = zone_intensities(parts, world, zone)
        nodes = [m.spec.card.node for m in parts.machines if m.site.zone == zone]
        slots = sum(
            machine.spec.first_model.card.replicas[0].slots
            for machine in parts.machines
            if machine.site.zone == zone
        )

        def by_hour(values: Column, in_zone: Column = in_zone) -> Column:
            counted: Column = np.bincount(hour[in_zone], weights=values[in_zone], minlength=hours)
            return counted

        idle_wh = idle_energy.idle_wh_by_hour(idle, nodes, start_at=start_at, hours=hours)
        carbon = by_hour(table["carbon_g"]) + idle_wh * np.array(intensities) / 1_000.0
        rows.append(
            ZoneHours(
                zone,
                tuple(intensities),
                tuple(by_hour(np.ones(len(in_zone))).astype(int).tolist()),
                tuple(by_hour(table["output_tokens"]).astype(int).tolist()),
                tuple((by_hour(energy) + idle_wh).tolist()),
                tuple(carbon.tolist()),
                tuple(_slot_utilisation(table, in_zone, start_at, hours, slots)),
            )
        )
    return tuple(rows)


def _slot_utilisation(
    table: Table, in_zone: Column, start_at: float, hours: int, slots: int
) -> list[float]:
    """Returns the part of the slots that runs used, by hour.

    ``total`` is the slot-seconds used until each hour's start.
    """
    edges = np.arange(hours + 1) * HOUR_S
    total = np.zeros(hours + 1)
    for name, sign in (("placed_at", 1.0), ("end_at", -1.0)):
        times = np.sort(table[name][in_zone] - start_at)
        sums = np.concatenate(([0.0], np.cumsum(times)))
        count = np.searchsorted(times, edges, side="right")
        total += sign * (count * edges - sums[count])
    parts = np.diff(total) / (slots * HOUR_S)
    return [float(part) for part in np.clip(parts, 0.0, 1.0).tolist()]


# By co-op, class and group.


def coop_shares(
    parts: WorldParts, table: Table, asked_tokens: Mapping[str, float]
) -> tuple[CoopShare, ...]:
    """Returns the service that each co-op received, was due and gave.

    Args:
        parts: parts of the simulation.
        table: columns of the job records.
        asked_tokens: virtual tokens requested by each co-op.
    """
    policy = parts.policy
    charge = policy.charge
    lender_by_node = {machine.spec.card.node: machine.spec.card.coop for machine in parts.machines}
    tokens = charge.input_weight * (table["input_tokens"] - table["cached_tokens"])
    tokens = tokens + charge.output_weight * table["output_tokens"]
    tokens = np.where(table["first_at"] > 0.0, tokens, 0.0)
    lenders = np.array([lender_by_node.get(node, "") for node in table["node"].tolist()] or [""])
    lenders = lenders[: len(tokens)]
    names = [terms.coop for terms in policy.coops]
    weights = [terms.shares for terms in policy.coops]
    received = [float(tokens[table["coop"] == name].sum()) for name in names]
    requested = [
        max(asked_tokens.get(name, 0.0), served)
        for name, served in zip(names, received, strict=True)
    ]
    due = fairness.max_min_shares(requested, weights, sum(received))
    return tuple(
        CoopShare(
            name,
            int((table["coop"] == name).sum()),
            int(((table["coop"] == name) & (table["state"] == JobState.REFUSED.value)).sum()),
            received[index],
            due[index],
            weights[index],
            float(tokens[(lenders == name) & (table["coop"] != name)].sum()),
        )
        for index, name in enumerate(names)
    )


def class_latencies(policy: Policy, table: Table) -> tuple[ClassLatency, ...]:
    """Returns the latencies of each class that has completed jobs."""
    class_rows = []
    for terms in policy.classes:
        rows = (table["job_class"] == terms.job_class.value) & (
            table["state"] == JobState.COMPLETED.value
        )
        if not rows.any():
            continue
        requested, first_token, end = (
            table[name][rows] for name in ("asked_at", "first_at", "end_at")
        )
        tokens = table["output_tokens"][rows]
        has_tpot = tokens > 1
        class_rows.append(
            ClassLatency(
                terms.job_class.value,
                terms.ttft_s,
                terms.tpot_s,
                terms.completion_s,
                int(rows.sum()),
                _percentiles(first_token - requested),
                _percentiles((end - first_token)[has_tpot] / (tokens[has_tpot] - 1)),
                _percentiles(end - requested),
            )
        )
    return tuple(class_rows)


def _percentiles(values: Column) -> tuple[float, ...]:
    if not len(values):
        return ()
    parts = np.linspace(0.0, 1.0, PERCENTILES)
    return tuple(float(value) for value in np.quantile(values, parts).tolist())


def group_usage(
    parts: WorldParts, table: Table, idle: Mapping[str, IdleTime]
) -> tuple[GroupUsage, ...]:
    """Returns the use of each node group."""
    groups = {machine.spec.card.node: machine.group.name for machine in parts.machines}
    energy = table["prefill_wh"] + table["decode_wh"] + table["wake_wh"]
    node_groups = np.array([groups.get(node, "") for node in table["node"].tolist()] or [""])
    node_groups = node_groups[: len(energy)]
    group_rows = []
    for group in parts.scenario.fleet:
        example = next(
            (machine for machine in parts.machines if machine.group.name == group.name), None
        )
        if example is None:
            continue
        rows = node_groups == group.name
        idle_wh = sum(idle[node].counted_wh for node, name in groups.items() if name == group.name)
        price = money.counted_price_cad(group)
        group_rows.append(
            GroupUsage(
                group.device,
                example.device.name,
                example.site.zone,
                group.coop,
                group.count,
                price,
                group.life_years if price else None,
                example.device.max_w,
                int(rows.sum()),
                int(table["output_tokens"][rows].sum()),
                float(energy[rows].sum()) + idle_wh,
                group.name,
                money.is_owned(group),
            )
        )
    return tuple(group_rows)


def site_energy(world: World) -> tuple[SiteEnergy, ...]:
    """Returns the energy balance of each site with own generation."""
    sums_by_site: dict[tuple[str, str], list[float]] = {}
    battery_sites: set[str] = set()
    for site in world.sites:
        if site.spec is None:
            continue
        site.account_energy(world.driver.now)
        if site.supply.battery is not None:
            battery_sites.add(site.spec.site)
        supply, sums = site.supply, site.supply.balance
        start_j = supply.battery.floor_j if supply.battery is not None else 0.0
        flows = (
            sums.surplus_j,
            sums.own_j,
            sums.battery_j,
            sums.grid_j,
            sums.lost_j,
            sums.unused_j,
        )
        key = (site.spec.site, site.nodes[0].card.zone)
        row = sums_by_site.setdefault(key, [0.0] * (len(flows) + 1))
        for column, value_j in enumerate((*flows, supply.held_j - start_j)):
            row[column] += value_j / JOULES_PER_WH
    return tuple(
        SiteEnergy(
            name,
            zone,
            surplus_wh=row[0],
            own_wh=row[1],
            battery_wh=row[2],
            grid_wh=row[3],
            lost_wh=row[4],
            away_wh=row[5],
            held_wh=row[6],
            stores=name in battery_sites,
        )
        for (name, zone), row in sorted(sums_by_site.items())
    )


def fault_impacts(parts: WorldParts, table: Table) -> tuple[FaultImpact, ...]:
    """Returns each fault with the metrics of the requests that arrived while it lasted."""
    scenario, impacts = parts.scenario, []
    ttft_classes = [
        terms.job_class.value for terms in parts.policy.classes if terms.ttft_s is not None
    ]
    for kind, event_kind, spec in _fault_specs(scenario):
        at = scenario.start_at + spec.at_h * HOUR_S
        until = at + spec.down_s if isinstance(spec, RestartSpec) else None
        if isinstance(spec, FaultSpec) and spec.until_h is not None:
            until = scenario.start_at + (spec.until_h + spec.spread_h) * HOUR_S
        rows = (table["asked_at"] >= at) & (table["asked_at"] < (inf if until is None else until))
        promised = rows & (table["promise"] != NO_PROMISE)
        done = rows & (table["state"] == JobState.COMPLETED.value)
        has_ttft = done & np.isin(table["job_class"], ttft_classes)
        ttft_s = (table["first_at"] - table["asked_at"])[has_ttft]
        kept = int((promised & (table["promise"] == PROMISE_KEPT)).sum())
        affected = {
            event.node
            for event in parts.faults
            if event.kind == event_kind and event.at == at and event.node
        }
        impacts.append(
            FaultImpact(
                kind,
                at,
                until,
                len(affected),
                int(rows.sum()),
                int(done.sum()),
                kept / int(promised.sum()) if promised.any() else None,
                float(np.quantile(ttft_s, 0.95)) if len(ttft_s) else None,
            )
        )
    return tuple(impacts)


def _fault_specs(scenario: Scenario) -> Iterator[tuple[str, str, FaultSpec | RestartSpec]]:
    """Yields each fault with its kind, and with the kind of its first event."""
    for kind, _ in FAULT_KINDS:
        for spec in getattr(scenario.faults, kind):
            yield kind, "refuse" if kind == "pause" else kind, spec
    for restart in scenario.faults.restart:
        yield "restart", "restart", restart
