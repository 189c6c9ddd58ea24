"""Run metrics: the metrics of a finished simulation run, as a ``RunResult``.

Energy and emissions: what running added, plus the idle power of dedicated machines. Cost: energy at
the site's tariff, plus price over life of dedicated machines; own generation is charged at the
tariff too, because net metering would have credited it. Latencies are of jobs that are not batch
jobs; ``ttft_s`` of classes with a TTFT objective. Where there are no such jobs, all jobs count.
Machines cost, and idle, for as long as requests arrive; the drain after the last one is not
counted.
"""

from math import ceil
from typing import Any

from entraide.types import JobClass, JobState
from entraide.units import JOULES_PER_WH
from entraide_scheduler.core.policy import Policy
from entraide_sim import breakdown, display_names, energy_inputs, fairness, fleet
from entraide_sim.grid import HOUR_S
from entraide_sim.job_records import (
    NO_PROMISE,
    PROMISE_KEPT,
    JobRecords,
    Table,
    latency_rows,
    quantiles,
    ratio,
)
from entraide_sim.jobs import Job
from entraide_sim.results import (
    CoopShare,
    RunResult,
    version,
)
from entraide_sim.world import World
from entraide_sim.world_builder import WorldParts

YEAR_H = 8_766.0


class RunRecorder:
    """A world's recorder: rows of jobs, and the virtual tokens that each co-op requested."""

    def __init__(self, policy: Policy) -> None:
        self.records = JobRecords(policy)
        self.requested_tokens: dict[str, float] = {}
        self._charge = policy.charge

    def __call__(self, job: Job) -> None:
        """Adds a finished job."""
        self.records(job)
        request = job.request
        limit = request.facts.output_tokens_max
        answer = request.output_tokens if limit is None else min(limit, request.output_tokens)
        virtual_tokens = self._charge.input_weight * request.input_tokens
        virtual_tokens += self._charge.output_weight * answer
        if job.state is JobState.COMPLETED:
            virtual_tokens = self._charge.input_weight * (request.input_tokens - job.cached_tokens)
            virtual_tokens += self._charge.output_weight * job.output_tokens
        coop = request.facts.coop
        self.requested_tokens[coop] = self.requested_tokens.get(coop, 0.0) + virtual_tokens


def build_result(
    parts: WorldParts, world: World, recorder: RunRecorder, *, label: str = "", wall_s: float = 0.0
) -> RunResult:
    """Returns the metrics of a finished run.

    Args:
        parts: parts of the simulation.
        world: after its run.
        recorder: of the world.
        label: name of the run in a comparison.
        wall_s: duration of the run by the caller's clock.
    """
    scenario, policy = parts.scenario, parts.policy
    table = recorder.records.columns()
    coops = breakdown.coop_shares(parts, table, recorder.requested_tokens)
    return RunResult(
        scenario=scenario.name,
        title=scenario.title,
        about=scenario.about,
        titles=display_names.scenario_titles(scenario),
        label=label,
        policy=policy.version,
        picker=policy.picker.value,
        seed=parts.seed,
        version=version(),
        start_at=scenario.start_at // HOUR_S * HOUR_S,
        hours=breakdown.hour_count(parts, world),
        demand_at=scenario.start_at,
        demand_h=scenario.hours,
        timezone=scenario.timezone,
        summary=_summarize(parts, world, table, coops=coops, wall_s=wall_s),
        zones=breakdown.zone_hours(parts, world, table),
        coops=coops,
        latencies=breakdown.class_latencies(policy, table),
        fleet=breakdown.group_usage(parts, table),
        assumptions=tuple(parts.assumptions),
        sites=breakdown.site_energy(world),
        mishaps=breakdown.fault_impacts(parts, table),
    )


# The summary.


def _summarize(
    parts: WorldParts,
    world: World,
    table: Table,
    *,
    coops: tuple[CoopShare, ...],
    wall_s: float,
) -> dict[str, Any]:
    done = table["state"] == JobState.COMPLETED.value
    batch = table["job_class"] == JobClass.BATCH.value
    asked, first, end = (table[name][done] for name in ("asked_at", "first_at", "end_at"))
    tokens = table["output_tokens"][done]
    several = tokens > 1
    ttft_classes = [
        terms.job_class.value for terms in parts.policy.classes if terms.ttft_s is not None
    ]
    awaited, promised_soon = latency_rows(table["job_class"][done], ttft_classes)
    promised = table["promise"] != NO_PROMISE
    output_tokens = int(tokens.sum())
    energy_wh, carbon_g, energy_cad = _energy_carbon_cost(parts, world, table)
    hardware_cad = _hardware_cost_cad(parts)
    slot_s = sum(
        instance.slot_s for node in world.nodes.values() for instance in node.model_instances()
    )
    slots = sum(node.replica.slots for node in world.nodes.values())
    cad = energy_cad + hardware_cad
    return {
        "seed": parts.seed,
        "scenario": parts.scenario.name,
        "policy": parts.policy.version,
        "jobs": len(done),
        "completed": int(done.sum()),
        "rejected": int((table["state"] == JobState.REFUSED.value).sum()),
        "failed": int((table["state"] == JobState.FAILED.value).sum()),
        "ttft_s": quantiles((first - asked)[promised_soon]),
        "tpot_s": quantiles((end - first)[several] / (tokens[several] - 1)),
        "e2e_s": quantiles((end - asked)[awaited]),
        "slo_attainment": ratio(int((table["promise"] == PROMISE_KEPT).sum()), int(promised.sum())),
        "deadline_misses": int((batch & promised & (table["promise"] != PROMISE_KEPT)).sum()),
        "energy_wh": energy_wh,
        "carbon_g": carbon_g,
        "carbon_g_per_1k_output_tokens": ratio(carbon_g * 1_000.0, output_tokens),
        "cost_cad": {
            "energy": energy_cad,
            "hardware": hardware_cad,
            "per_1m_output_tokens": ratio(cad * 1e6, output_tokens),
        },
        "fairness": fairness.measure_fairness(
            table,
            parts.policy,
            received={coop.coop: coop.received_tokens for coop in coops},
            due_tokens={coop.coop: coop.due_tokens for coop in coops},
        ),
        "utilisation": ratio(
            slot_s * breakdown.part_within_demand(parts, table),
            slots * parts.scenario.hours * HOUR_S,
        ),
        "wall_s": wall_s,
        "events": world.driver.events_delivered,
    }


def _energy_carbon_cost(
    parts: WorldParts, world: World, table: Table
) -> tuple[float, float, float]:
    """Returns energy (Wh), emissions (grams) and energy cost (dollars)."""
    energy_wh = cad = 0.0
    rest = breakdown.idle_power_w(parts)
    carbon_g = float(table["carbon_g"].sum())
    hours = parts.scenario.hours
    for machine in parts.machines:
        name = machine.spec.card.node
        node = world.nodes[name]
        own_wh = sum(instance.engine.total_j for instance in node.model_instances()) / JOULES_PER_WH
        if name in rest:
            own_wh += rest[name] * hours
            grams = breakdown.zone_intensities(parts, world, machine.site.zone)[: ceil(hours)]
            carbon_g += rest[name] * sum(grams) / len(grams) * hours / 1_000.0
        energy_wh += own_wh
        cad += own_wh / 1_000.0 * energy_inputs.tariff_cad_per_kwh(machine.site)
    return energy_wh, carbon_g, cad


def _hardware_cost_cad(parts: WorldParts) -> float:
    years = parts.scenario.hours / YEAR_H
    cad = 0.0
    for machine in parts.machines:
        cad += (fleet.group_price_cad(machine.group) or 0.0) / machine.group.life_years * years
    return cad
