"""Run metrics: the metrics of a finished simulation run, as a ``RunResult``.

Energy, emissions and cost are those of ``energy_costs`` and ``money``. Latencies are of jobs that
are not batch jobs; ``ttft_s`` of classes with a TTFT objective. Where there are no such jobs, all
jobs count. Machines cost, and idle, for as long as requests arrive; the drain after the last one is
not counted.
"""

from typing import Any

from entraide.types import JobClass, JobState
from entraide_scheduler.core.policy import Policy
from entraide_sim.building import WorldParts
from entraide_sim.fleet import display_names
from entraide_sim.grid import HOUR_S
from entraide_sim.metrics import breakdown, energy_costs, fairness, money_assumptions
from entraide_sim.metrics.energy_costs import EnergyCosts
from entraide_sim.money import idle_energy, money
from entraide_sim.scenario import CoopShare, Footprint, RunResult, version
from entraide_sim.world import (
    NO_PROMISE,
    PROMISE_KEPT,
    Job,
    JobRecords,
    Table,
    World,
    latency_rows,
    quantiles,
    ratio,
)


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
    idle = idle_energy.idle_times(scenario, parts.machines, seed=parts.seed, world=world)
    costs = energy_costs.measure_energy(parts, world, table, idle)
    done = table["state"] == JobState.COMPLETED.value
    cost = money.yearly_money(
        scenario,
        energy_cad=costs.energy_cad,
        idle_energy_cad=costs.idle_energy_cad,
        input_tokens=int(table["input_tokens"][done].sum()),
        output_tokens=int(table["output_tokens"][done].sum()),
    )
    footprint = energy_costs.measure_footprint(parts, world, table, idle)
    stated = money_assumptions.list_assumptions(parts, idle)
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
        summary=_summarize(
            parts, world, table, coops=coops, costs=costs, footprint=footprint, wall_s=wall_s
        ),
        zones=breakdown.zone_hours(parts, world, table, idle),
        coops=coops,
        latencies=breakdown.class_latencies(policy, table),
        fleet=breakdown.group_usage(parts, table, idle),
        assumptions=(*parts.assumptions, *stated),
        sites=breakdown.site_energy(world),
        mishaps=breakdown.fault_impacts(parts, table),
        money=cost,
        footprint=footprint,
    )


# The summary.


def _summarize(
    parts: WorldParts,
    world: World,
    table: Table,
    *,
    coops: tuple[CoopShare, ...],
    costs: EnergyCosts,
    footprint: Footprint,
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
    slot_s = sum(
        instance.slot_s for node in world.nodes.values() for instance in node.model_instances()
    )
    slots = sum(node.replica.slots for node in world.nodes.values())
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
        **_cost_keys(parts, costs, footprint, output_tokens),
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


def _cost_keys(
    parts: WorldParts, costs: EnergyCosts, footprint: Footprint, output_tokens: int
) -> dict[str, Any]:
    """Returns the summary's energy, emissions and dollars."""
    scenario = parts.scenario
    hardware_cad = money.hardware_cad(scenario.fleet, scenario.money, hours=scenario.hours)
    return {
        "energy_wh": costs.energy_wh,
        "idle_wh": footprint.idle_wh,
        "carbon_g": costs.carbon_g,
        "idle_carbon_g": footprint.idle_carbon_g,
        "carbon_lifecycle_g": footprint.carbon_lifecycle_g,
        "carbon_g_per_1k_output_tokens": ratio(costs.carbon_g * 1_000.0, output_tokens),
        "cost_cad": {
            "energy": costs.energy_cad,
            "hardware": hardware_cad,
            "per_1m_output_tokens": ratio((costs.energy_cad + hardware_cad) * 1e6, output_tokens),
        },
    }
