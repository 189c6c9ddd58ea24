"""Fleet planner: searches the smallest, cheapest or lowest-carbon fleet that meets its goals.

1. On the busiest hours, from the largest allowed fleet, remove machines group by group with a
   binary search while the goals that those hours can test are met.
2. Run that fleet for the whole time, together with each fleet that has one machine fewer. If it
   fails, add the machine that helps most; if a smaller fleet succeeds, take that one; repeat.

The answer was run and meets the goals; each fleet with one machine fewer was run too and fails.
Step 1 assumes that more machines never make a latency goal worse; step 2 does not.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import sqrt

import msgspec
from msgspec import Struct

from entraide.errors import RequestError
from entraide_sim import catalogue, fleet
from entraide_sim.goals import PEAK_KEYS, Goal
from entraide_sim.grid import HOUR_S
from entraide_sim.results import RunResult
from entraide_sim.scenario import NodeGroup, Scenario
from entraide_sim.scenario_reader import LoadedScenario
from entraide_sim.simulate import Case, with_nodes
from entraide_sim.sweep import CaseOutcome
from entraide_sim.world_builder import build_world

PEAK_H = 2.0
CHANGES_MAX = 64  # machines added or removed in step 2
OBJECTIVES = ("machines", "cost", "carbon")

Counts = tuple[int, ...]
RunAll = Callable[[Sequence[Case]], Iterator[tuple[int, CaseOutcome]]]


class GroupBounds(Struct, frozen=True):
    """A node group, and the range of its count in a plan."""

    nodes: NodeGroup
    least: int
    most: int


class EvaluatedFleet(Struct, frozen=True):
    """A fleet with the result of its full run.

    Attributes:
        counts: machines by group.
        result: of the full run.
        meets_goals: whether all goals are met.
    """

    counts: Counts
    result: RunResult
    meets_goals: bool


class FleetPlan(Struct, frozen=True):
    """The result of the search.

    Attributes:
        groups: the order of the counts.
        goals, minimise: as requested.
        current: the scenario's own fleet, without purchases.
        feasible: the planned fleet; None if the largest one fails.
        closest: the planned fleet, or the one closest to the goals.
        smaller_fleets: each fleet with one machine fewer; all of them fail.
        peak_runs, full_runs: numbers of simulations.
    """

    groups: tuple[GroupBounds, ...]
    goals: tuple[Goal, ...]
    minimise: str
    current: EvaluatedFleet
    feasible: EvaluatedFleet | None
    closest: EvaluatedFleet
    smaller_fleets: tuple[EvaluatedFleet, ...]
    peak_runs: int
    full_runs: int


def plan_groups(
    scenario: Scenario, ranges: Mapping[str, tuple[int, int]]
) -> tuple[GroupBounds, ...]:
    """Returns the node groups that a plan may change, with their ranges.

    Args:
        scenario: with its ``[plan]``.
        ranges: by group name; they override those of the scenario.

    Raises:
        RequestError: ``plan_refused``: a range names an unknown group, or is empty.
    """
    own = {bounds.nodes: (bounds.least, bounds.most) for bounds in scenario.plan.ranges}
    own |= ranges
    every = scenario.fleet + scenario.plan.purchases
    known = [nodes.name for nodes in every]
    for name, (least, most) in own.items():
        values: dict[str, str | int | float] = {"value": name, "known": ", ".join(known)}
        if name not in known:
            raise RequestError("plan_refused", values={"fault": "unknown_group", **values})
        if least > most or least < 0:
            raise RequestError("plan_refused", values={"fault": "empty_range", **values})
    return tuple(GroupBounds(nodes, *own.get(nodes.name, (0, nodes.count))) for nodes in every)


class FleetPlanner:
    """One search, with a cache of its runs.

    Args of the constructor:
        loaded: the scenario.
        groups: node groups with their ranges.
        goals: to meet.
        minimise: one of ``OBJECTIVES``.
        seed: of all runs.
        run_all: runs cases in parallel.
        at_once: number of parallel cases.
    """

    def __init__(
        self,
        loaded: LoadedScenario,
        *,
        groups: tuple[GroupBounds, ...],
        goals: tuple[Goal, ...],
        minimise: str,
        seed: int,
        run_all: RunAll,
        at_once: int,
    ) -> None:
        self._loaded = loaded
        self._groups = groups
        self._goals = goals
        self._minimise = minimise
        self._seed = seed
        self._run_all = run_all
        self._at_once = at_once
        self._peak = busiest_hours(loaded, seed)
        keys = [goal for goal in goals if goal.key.partition(".")[0] in PEAK_KEYS]
        self._peak_goals = tuple(keys) if self._peak is not None else goals
        self._peak_results: dict[Counts, RunResult] = {}
        self._full_results: dict[Counts, EvaluatedFleet] = {}

    def find_plan(self) -> FleetPlan:
        """Runs the search; see the module."""
        most = tuple(group.most for group in self._groups)
        own = len(self._loaded.scenario.fleet)
        base = tuple(
            min(group.most, group.nodes.count) if number < own else 0
            for number, group in enumerate(self._groups)
        )
        if self._meets_peak_goals(most):
            evaluated, feasible = self._refine_fleet(self._shrink_fleet(most))
        else:
            (evaluated,) = self._run_full([most])
            feasible = evaluated.meets_goals
            if feasible:  # the busiest hours were stricter than the whole time
                evaluated, feasible = self._refine_fleet(most)
        fewer = tuple(
            self._full_results[counts]
            for counts in self._smaller_fleets(evaluated.counts)
            if feasible
        )
        (first,) = self._run_full([base])
        return FleetPlan(
            self._groups,
            self._goals,
            self._minimise,
            first,
            evaluated if feasible else None,
            evaluated,
            fewer,
            len(self._peak_results),
            len(self._full_results),
        )

    # The busiest hours.

    def _shrink_fleet(self, most: Counts) -> Counts:
        """Removes machines, in the order in which the objective gains most."""
        candidates: list[Counts] = []
        for order in _removal_orders(self._groups, self._minimise, self._loaded.scenario):
            counts = most
            for number in order:
                counts = self._fewest_machines(counts, number)
            candidates.append(counts)
        return min(
            candidates, key=lambda counts: self._objective_value(counts, self._peak_result(counts))
        )

    def _fewest_machines(self, counts: Counts, number: int) -> Counts:
        """Returns the counts with the fewest machines of one group that meet the goals."""
        low, high = self._groups[number].least, counts[number]
        while low < high:
            step = (high - low) / (self._at_once + 1)
            parts = {low + int(step * part) for part in range(1, self._at_once + 1)}
            asked = sorted(parts if high - low > self._at_once else range(low, high))
            fleets = [_with_count(counts, number, count) for count in asked]
            self._run_peak(fleets)
            meeting = [
                count
                for count, fleet in zip(asked, fleets, strict=True)
                if self._meets_peak_goals(fleet)
            ]
            high = min([high, *meeting])
            low = max([low, *(count + 1 for count in asked if count < high)])
        return _with_count(counts, number, high)

    def _meets_peak_goals(self, counts: Counts) -> bool:
        if not sum(counts):
            return False
        return _meets_goals(self._peak_goals, self._peak_result(counts))

    def _peak_result(self, counts: Counts) -> RunResult:
        self._run_peak([counts])
        return self._peak_results[counts]

    def _run_peak(self, fleets: Sequence[Counts]) -> None:
        left = [counts for counts in fleets if sum(counts) and counts not in self._peak_results]
        scenario = self._peak or self._loaded.scenario
        for number, outcome in self._run_all(
            [self._fleet_case(scenario, counts) for counts in left]
        ):
            self._peak_results[left[number]] = outcome.result

    # The whole time.

    def _refine_fleet(self, start: Counts) -> tuple[EvaluatedFleet, bool]:
        counts = start
        for _ in range(CHANGES_MAX):
            fewer = self._smaller_fleets(counts)
            evaluated, *smaller = self._run_full([counts, *fewer])
            meeting = [candidate for candidate in smaller if candidate.meets_goals]
            if meeting:
                counts = min(
                    meeting,
                    key=lambda candidate: self._objective_value(candidate.counts, candidate.result),
                ).counts
                continue
            if evaluated.meets_goals:
                return evaluated, True
            more = [
                _with_count(counts, number, counts[number] + 1)
                for number, group in enumerate(self._groups)
                if counts[number] < group.most
            ]
            if not more:
                return evaluated, False
            counts = min(self._run_full(more), key=self._goal_distance).counts
        return self._full_results[counts], self._full_results[counts].meets_goals

    def _goal_distance(self, evaluated: EvaluatedFleet) -> tuple[float, tuple[float, float]]:
        missed = sum(goal.missed_by(evaluated.result.summary) for goal in self._goals)
        return missed, self._objective_value(evaluated.counts, evaluated.result)

    def _smaller_fleets(self, counts: Counts) -> list[Counts]:
        return [
            _with_count(counts, number, counts[number] - 1)
            for number, group in enumerate(self._groups)
            if counts[number] > group.least and sum(counts) > 1
        ]

    def _run_full(self, fleets: Sequence[Counts]) -> list[EvaluatedFleet]:
        left = [counts for counts in fleets if counts not in self._full_results]
        cases = [self._fleet_case(self._loaded.scenario, counts) for counts in left]
        for number, outcome in self._run_all(cases):
            result = outcome.result
            meets = _meets_goals(self._goals, result)
            self._full_results[left[number]] = EvaluatedFleet(left[number], result, meets)
        return [self._full_results[counts] for counts in fleets]

    # Both.

    def _fleet_case(self, scenario: Scenario, counts: Counts) -> Case:
        return fleet_case(
            scenario, self._groups, counts, home=str(self._loaded.home), seed=self._seed
        )

    def _objective_value(self, counts: Counts, result: RunResult) -> tuple[float, float]:
        cost = result.summary["cost_cad"]
        cad = float(cost["energy"] + cost["hardware"])
        match self._minimise:
            case "machines":
                return float(sum(counts)), cad
            case "cost":
                return cad, float(sum(counts))
            case _:
                return float(result.summary["carbon_g"]), float(sum(counts))


def fleet_case(
    scenario: Scenario, groups: Sequence[GroupBounds], counts: Counts, *, home: str, seed: int
) -> Case:
    """Returns the case that runs a fleet."""
    nodes = tuple(
        msgspec.structs.replace(group.nodes, count=count)
        for group, count in zip(groups, counts, strict=True)
    )
    label = describe_fleet(groups, counts)
    return Case(scenario=with_nodes(scenario, nodes), home=home, seed=seed, label=label)


def describe_fleet(groups: Sequence[GroupBounds], counts: Counts) -> str:
    """Returns a fleet as text: ``4 × mini-qc + 2 × studio-on``."""
    return " + ".join(
        f"{count} × {group.nodes.name}"
        for group, count in zip(groups, counts, strict=True)
        if count
    )


def busiest_hours(loaded: LoadedScenario, seed: int) -> Scenario | None:
    """Returns the scenario limited to its busiest hours; None if it cannot be shortened.

    Scenarios with traces or faults at fixed hours are not shortened.
    """
    scenario = loaded.scenario
    fixed = any(
        workload.trace or workload.from_h or workload.until_h is not None
        for workload in scenario.workloads
    ) or any(getattr(scenario.faults, kind) for kind in scenario.faults.__struct_fields__)
    if fixed or scenario.hours <= PEAK_H * 2.0:
        return None
    per_hour: dict[int, float] = {}
    for request in build_world(scenario, home=loaded.home, seed=seed).requests:
        hour = int((request.at - scenario.start_at) // HOUR_S)
        tokens = request.input_tokens + 2.0 * request.output_tokens
        per_hour[hour] = per_hour.get(hour, 0.0) + tokens
    span = int(PEAK_H)
    best = max(
        range(max(1, int(scenario.hours) - span + 1)),
        key=lambda hour: (sum(per_hour.get(hour + step, 0.0) for step in range(span)), -hour),
    )
    start = scenario.start + dt.timedelta(hours=best)
    return msgspec.structs.replace(scenario, start=start, hours=PEAK_H)


def _meets_goals(goals: Sequence[Goal], result: RunResult) -> bool:
    return all(goal.is_met(result.summary) for goal in goals)


def _with_count(counts: Counts, number: int, count: int) -> Counts:
    return (*counts[:number], count, *counts[number + 1 :])


def _removal_orders(
    groups: Sequence[GroupBounds], minimise: str, scenario: Scenario
) -> list[list[int]]:
    """Returns the orders in which to shrink groups: by the objective, and slowest first."""
    zones = {site.name: site.zone for site in scenario.sites}
    tariffs = {site.name: site.tariff_cad_per_kwh or 0.12 for site in scenario.sites}

    def speed(number: int) -> float:
        nodes = groups[number].nodes
        device = catalogue.devices()[nodes.device]
        return device.decode_tokens_per_s * sqrt(nodes.slots or device.slots)

    def cost(number: int) -> float:
        nodes = groups[number].nodes
        device = catalogue.devices()[nodes.device]
        price = (fleet.group_price_cad(nodes) or 0.0) / nodes.life_years
        energy = device.active_w / 1_000.0 * 1_000.0 * tariffs[nodes.site]
        return -(price + energy) / speed(number)

    def grams(number: int) -> float:
        nodes = groups[number].nodes
        device = catalogue.devices()[nodes.device]
        zone = catalogue.zone_averages().get(zones[nodes.site])
        intensity = zone.direct_g_per_kwh if zone is not None else 100.0
        return -(device.active_w / device.decode_tokens_per_s) * intensity

    every = list(range(len(groups)))
    by_name = {"machines": speed, "cost": cost, "carbon": grams}
    orders = [sorted(every, key=by_name[minimise]), sorted(every, key=speed)]
    return orders if orders[0] != orders[1] else orders[:1]
