"""Energy costs: energy, emissions and dollars of a run, machine by machine.

Energy is what running added, plus idle energy that counts (``idle_energy``). It is charged hour by
hour at the site's tariff: the energy of a job evenly from its last placement to its end. Own
generation is charged at the tariff too, because net metering would have credited it. Life-cycle
emissions use the zone's life-cycle intensity, or the direct one where there is none, in the hour of
a job's last placement; own generation counts without life-cycle emissions.
"""

from collections.abc import Mapping
from math import ceil, fsum

import numpy as np
from msgspec import Struct

from entraide.units import JOULES_PER_WH
from entraide_sim.building import WorldParts
from entraide_sim.grid import HOUR_S
from entraide_sim.metrics import breakdown
from entraide_sim.money import IdleTime, SitePrices, idle_energy, money
from entraide_sim.scenario import Footprint, SiteEnergy
from entraide_sim.world import Column, Table, World

G_PER_KG = 1_000.0
WH_PER_KWH = 1_000.0


class EnergyCosts(Struct, frozen=True):
    """Energy (Wh), direct emissions (grams) and energy cost (dollars) of a run.

    ``idle_energy_cad`` is the part of ``energy_cad`` for idle machines.
    """

    energy_wh: float
    carbon_g: float
    energy_cad: float
    idle_energy_cad: float


def measure_energy(
    parts: WorldParts, world: World, table: Table, idle: Mapping[str, IdleTime]
) -> EnergyCosts:
    """Returns the energy, direct emissions and energy cost of a run.

    Args:
        parts: parts of the simulation.
        world: after its run.
        table: columns of the job records.
        idle: idle time by node.
    """
    prices = {site.name: SitePrices.of(parts.scenario, site) for site in parts.scenario.sites}
    mean_prices = _mean_prices(parts, table, prices)
    energy_wh = cad = idle_cad = 0.0
    for machine in parts.machines:
        node = machine.spec.card.node
        instances = world.nodes[node].model_instances()
        own_wh = sum(instance.engine.total_j for instance in instances) / JOULES_PER_WH
        idle_time = idle[node]
        energy_wh += own_wh + idle_time.counted_wh
        cad += own_wh / WH_PER_KWH * mean_prices[node]
        idle_cad += prices[machine.site.name].power_cost_cad(idle_time.idle_w, idle_time.counted)
    carbon_g = float(table["carbon_g"].sum()) + _idle_carbon_g(parts, world, idle)
    return EnergyCosts(energy_wh, carbon_g, cad + idle_cad, idle_cad)


def measure_footprint(
    parts: WorldParts, world: World, table: Table, idle: Mapping[str, IdleTime]
) -> Footprint:
    """Returns idle energy and life-cycle emissions of a run; arguments as ``measure_energy``."""
    years = parts.scenario.hours / money.YEAR_H
    new = [group for group in parts.scenario.fleet if not money.is_owned(group)]
    embodied_g = fsum(
        (group.embodied_kg or 0.0) * G_PER_KG * group.count / group.life_years * years
        for group in new
    )
    return Footprint(
        idle_wh=sum(time.counted_wh for time in idle.values()),
        idle_carbon_g=_idle_carbon_g(parts, world, idle),
        uncounted_idle_wh=sum(time.uncounted_wh for time in idle.values()),
        carbon_lifecycle_g=_lifecycle_g(parts, world, table, idle) + embodied_g,
        embodied_g=embodied_g,
        embodied_unknown=sum(group.count for group in new if group.embodied_kg is None),
    )


def _mean_prices(
    parts: WorldParts, table: Table, prices: Mapping[str, SitePrices]
) -> dict[str, float]:
    """Returns the price of each node's jobs, weighted by their energy, dollars per kWh."""
    energy = _job_energy_wh(table)
    means: dict[str, float] = {}
    for site_name, site_prices in prices.items():
        nodes = sorted(m.spec.card.node for m in parts.machines if m.site.name == site_name)
        begin_at = parts.scenario.start_at
        period = np.array([begin_at]), np.array([begin_at + parts.scenario.hours * HOUR_S])
        usual = float(site_prices.mean_cad_per_kwh(*period)[0])
        means |= dict.fromkeys(nodes, usual)
        if site_prices.is_flat or not nodes:
            continue
        rows = np.isin(table["node"], nodes) & (table["placed_at"] > 0.0)
        index = np.searchsorted(nodes, table["node"][rows])
        price = site_prices.mean_cad_per_kwh(table["placed_at"][rows], table["end_at"][rows])
        paid = np.bincount(index, weights=energy[rows] * price, minlength=len(nodes))
        used = np.bincount(index, weights=energy[rows], minlength=len(nodes))
        for node, cad, energy_wh in zip(nodes, paid.tolist(), used.tolist(), strict=True):
            if energy_wh > 0.0:
                means[node] = cad / energy_wh
    return means


def _job_energy_wh(table: Table) -> Column:
    energy: Column = table["prefill_wh"] + table["decode_wh"] + table["wake_wh"]
    return energy


def _idle_wh_of_zone(
    parts: WorldParts, world: World, zone: str, idle: Mapping[str, IdleTime]
) -> Column:
    nodes = [machine.spec.card.node for machine in parts.machines if machine.site.zone == zone]
    start_at = parts.scenario.start_at // HOUR_S * HOUR_S
    hours = _hour_count(parts, world)
    return idle_energy.idle_wh_by_hour(idle, nodes, start_at=start_at, hours=hours)


def _hour_count(parts: WorldParts, world: World) -> int:
    """Returns the clock hours of the run and of the demand, whichever ends later."""
    begin_at = parts.scenario.start_at
    demand_h = (begin_at % HOUR_S) / HOUR_S + parts.scenario.hours
    return max(breakdown.hour_count(parts, world), ceil(demand_h))


def _zones(parts: WorldParts) -> list[str]:
    return sorted({machine.site.zone for machine in parts.machines})


def _idle_carbon_g(parts: WorldParts, world: World, idle: Mapping[str, IdleTime]) -> float:
    """Returns the direct emissions of counted idle energy."""
    return sum(
        float(_idle_wh_of_zone(parts, world, zone, idle) @ _intensities(parts, world, zone)[0])
        / WH_PER_KWH
        for zone in _zones(parts)
    )


def _intensities(parts: WorldParts, world: World, zone: str) -> Column:
    """Returns a zone's direct and life-cycle intensities, one row each, by hour."""
    start_at = parts.scenario.start_at // HOUR_S * HOUR_S
    hours = range(_hour_count(parts, world))
    rows: Column = np.array(
        [parts.grid.intensity_at(zone, start_at + hour * HOUR_S) for hour in hours]
    ).T
    return rows


def _lifecycle_g(
    parts: WorldParts, world: World, table: Table, idle: Mapping[str, IdleTime]
) -> float:
    """Returns the life-cycle emissions of the energy taken from the grid."""
    start_at = parts.scenario.start_at // HOUR_S * HOUR_S
    hours = _hour_count(parts, world)
    grid_parts = {site.site: _grid_part(site) for site in breakdown.site_energy(world)}
    part_by_node = {
        machine.spec.card.node: grid_parts.get(machine.site.name, 1.0) for machine in parts.machines
    }
    hour = np.clip(((table["placed_at"] - start_at) // HOUR_S).astype(int), 0, hours - 1)
    names, index = np.unique(table["node"], return_inverse=True)
    part = np.array([part_by_node.get(name, 1.0) for name in names.tolist()])
    grid_wh = _job_energy_wh(table) * part[index]
    grams = 0.0
    for zone in _zones(parts):
        intensities = _intensities(parts, world, zone)[1]
        rows = (table["zone"] == zone) & (table["placed_at"] > 0.0)
        grams += float((grid_wh[rows] * intensities[hour[rows]]).sum()) / WH_PER_KWH
        grams += float(_idle_wh_of_zone(parts, world, zone, idle) @ intensities) / WH_PER_KWH
    return grams


def _grid_part(site: SiteEnergy) -> float:
    """Returns the part of a site's energy that came from the grid."""
    used_wh = site.own_wh + site.battery_wh + site.grid_wh
    return site.grid_wh / used_wh if used_wh > 0.0 else 1.0
