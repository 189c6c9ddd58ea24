"""Fleet planner: the fleet with the fewest machines, the least cost or emissions that meets goals.

Each fleet of the ranges is simulated with one seed (``fleet_search``), and those that may be the
answer with ``seeds`` seeds; a goal is met when the mean of the seeds meets it. Up to
``EXHAUSTIVE_MAX`` fleets the search is complete. A larger space is screened by the busiest hours,
for the goals that those can test, and the plan says how many of its fleets were simulated.

``current`` is the fleet without purchases, simulated with the same seeds: whether anything is
needed at all is the first answer of a plan.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.errors import RequestError
from entraide_sim import catalogue
from entraide_sim.building import LoadedScenario, build_world
from entraide_sim.fleet import Titles, display_name, fleet, scenario_titles, short_device_name
from entraide_sim.grid import HOUR_S
from entraide_sim.money import SitePrices, idle_energy, money
from entraide_sim.planning.fleet_search import (
    EXHAUSTIVE_MAX,
    Counts,
    FleetSearch,
    FleetSpace,
    Trial,
)
from entraide_sim.planning.sensitivity import GoalRule, RunAll
from entraide_sim.runs import PEAK_KEYS, Case, Goal, SeededResult, combine_seeds, with_nodes
from entraide_sim.scenario import NodeGroup, RunResult, Scenario

PEAK_H = 2.0
WHOLE_RUNS_MAX = 40  # of a search that is not complete, beside those of further seeds
WIDE_MARGIN = 0.25  # relative distance from each goal of a runner-up that more demand may need
CONFIRMED_MAX = 6  # fleets that such a search simulates with all seeds
OBJECTIVES = ("machines", "cost", "carbon")


class GroupBounds(Struct, frozen=True):
    """A node group, and the range of its count in a plan."""

    nodes: NodeGroup
    least: int
    most: int


class EvaluatedFleet(Struct, frozen=True):
    """A fleet with the results of its full runs.

    Attributes:
        counts: machines by group.
        seeded: results of the full runs, one for each seed.
        meets_goals: whether their mean meets all goals.
    """

    counts: Counts
    seeded: SeededResult
    meets_goals: bool

    @property
    def summary(self) -> dict[str, Any]:
        """The mean of the summaries."""
        return self.seeded.mean.summary


class FleetPlan(Struct, frozen=True):
    """The result of the search.

    Attributes:
        groups: the order of the counts.
        goals, minimise: as requested.
        current: the scenario's own fleet, without purchases.
        feasible: the planned fleet; None if no simulated fleet meets the goals.
        closest: the planned fleet, or the one closest to the goals.
        smaller_fleets: each fleet with one machine fewer.
        complete: whether every fleet of the ranges was simulated or is proved to be no better.
        fleets, tried: number of fleets within the ranges, and of those that were simulated.
        seeds: of the runs that decide.
        peak_runs, full_runs: numbers of simulations.
    """

    groups: tuple[GroupBounds, ...]
    goals: tuple[Goal, ...]
    minimise: str
    current: EvaluatedFleet
    feasible: EvaluatedFleet | None
    closest: EvaluatedFleet
    smaller_fleets: tuple[EvaluatedFleet, ...]
    complete: bool
    fleets: int
    tried: int
    seeds: tuple[int, ...]
    peak_runs: int
    full_runs: int


def default_objective(groups: Sequence[GroupBounds], scenario: Scenario) -> str:
    """Returns what a plan minimises unless the command says: cost if it may buy, else emissions.

    Machines that a member owns are there anyway: to use fewer of them saves nothing by itself.
    """
    own = len(scenario.fleet)
    buys = any(
        group.most > (group.nodes.count if number < own else 0)
        and (money.counted_price_cad(group.nodes) or 0.0) > 0.0
        for number, group in enumerate(groups)
    )
    return "cost" if buys else "carbon"


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
        seeds: of the runs that decide; the first one screens.
        run_all: runs cases in parallel.
        at_once: number of parallel cases.
        exhaustive_max: number of fleets up to which each one is scored; 0 tests the other search.
    """

    def __init__(
        self,
        loaded: LoadedScenario,
        *,
        groups: tuple[GroupBounds, ...],
        goals: tuple[Goal, ...],
        minimise: str,
        seeds: tuple[int, ...],
        run_all: RunAll,
        at_once: int,
        exhaustive_max: int = EXHAUSTIVE_MAX,
    ) -> None:
        self._loaded = loaded
        self._groups = groups
        self._goals = goals
        self._minimise = minimise
        self._seeds = seeds
        self._run_all = run_all
        self._at_once = at_once
        self._exhaustive_max = exhaustive_max
        self._space = FleetSpace(
            tuple(group.least for group in groups), tuple(group.most for group in groups)
        )
        self._peak = busiest_hours(loaded, seeds[0])
        self._peak_goals = tuple(goal for goal in goals if goal.key.partition(".")[0] in PEAK_KEYS)
        self._fixed_cad = tuple(_fixed_cost_cad(loaded.scenario, group.nodes) for group in groups)
        self._results: dict[tuple[Counts, int], RunResult] = {}
        self._trials: dict[Counts, Trial] = {}
        self._peak_runs = 0

    def find_plan(self) -> FleetPlan:
        """Runs the search; see the module.

        Raises:
            RequestError: ``plan_refused``: the ranges hold no machine.
        """
        if not self._space.size:
            raise RequestError("plan_refused", values={"fault": "no_fleet"})
        current = self._current_counts()
        large = self._space.size > EXHAUSTIVE_MAX
        search = FleetSearch(
            self._space,
            lambda fleets: self._score(fleets, self._seeds[:1]),
            self._lower_bound,
            at_once=self._at_once,
            screen=self._score_peak if large and self._peak is not None else None,
            trials_max=WHOLE_RUNS_MAX if large else self._space.size,
            confirmed_max=CONFIRMED_MAX if large else self._space.size,
        )
        best, complete = search.decide(
            current,
            lambda fleets: self._score(fleets, self._seeds),
            exhaustive_max=self._exhaustive_max,
        )
        self._trials = search.trials
        closest = best or min(self._trials.values(), key=Trial.rank)
        shown = [current, closest.counts, *self._smaller_fleets(closest.counts)]
        first, planned, *smaller = self._evaluate(shown, self._seeds)
        return FleetPlan(
            groups=self._groups,
            goals=self._goals,
            minimise=self._minimise,
            current=first,
            feasible=planned if planned.meets_goals else None,
            closest=planned,
            smaller_fleets=tuple(smaller),
            complete=complete,
            fleets=self._space.size,
            tried=len({counts for counts, _ in self._results}),
            seeds=self._seeds,
            peak_runs=self._peak_runs,
            full_runs=len(self._results),
        )

    def runner_ups(self, plan: FleetPlan) -> list[EvaluatedFleet]:
        """Returns the next best fleet, and the best one that meets the goals by a wide margin.

        Args:
            plan: of this planner.
        """
        shown = (plan.closest.counts, plan.current.counts)
        others = [trial for trial in self._trials.values() if trial.counts not in shown]
        ranked = [trial.counts for trial in sorted(others, key=Trial.rank)]
        rule = GoalRule(self._goals, self._minimise)
        slacks = {
            counts: rule.slack(self._evaluated(counts, self._seeds[:1]).seeded) or 0.0
            for counts in ranked
        }
        wide = [counts for counts in ranked if slacks[counts] >= WIDE_MARGIN]
        chosen = dict.fromkeys(ranked[:1] + wide[:1])
        return self._evaluate(list(chosen), self._seeds)

    def _current_counts(self) -> Counts:
        """Returns the scenario's own machines, without purchases."""
        own = len(self._loaded.scenario.fleet)
        return tuple(
            group.nodes.count if number < own else 0 for number, group in enumerate(self._groups)
        )

    def _smaller_fleets(self, counts: Counts) -> list[Counts]:
        return [
            (*counts[:number], counts[number] - 1, *counts[number + 1 :])
            for number, group in enumerate(self._groups)
            if counts[number] > group.least and sum(counts) > 1
        ]

    # Scores.

    def _lower_bound(self, counts: Counts) -> float:
        """Returns what a fleet's first objective is at least: machines and their fixed costs."""
        match self._minimise:
            case "machines":
                return float(sum(counts))
            case "cost":
                return sum(count * cad for count, cad in zip(counts, self._fixed_cad, strict=True))
            case _:
                return 0.0

    def _score(self, fleets: Sequence[Counts], seeds: tuple[int, ...]) -> Iterable[Trial]:
        return [
            self._trial(evaluated.counts, evaluated.summary, self._goals)
            for evaluated in self._evaluate(fleets, seeds)
        ]

    def _score_peak(self, fleets: Sequence[Counts]) -> Iterable[Trial]:
        assert self._peak is not None
        self._peak_runs += len(fleets)
        cases = [self._fleet_case(self._peak, counts, self._seeds[0]) for counts in fleets]
        return [
            self._trial(fleets[number], outcome.result.summary, self._peak_goals)
            for number, outcome in self._run_all(cases)
        ]

    def _trial(self, counts: Counts, summary: Mapping[str, Any], goals: Sequence[Goal]) -> Trial:
        missed = sum(goal.missed_by(summary) for goal in goals)
        cost = summary["cost_cad"]
        cad = float(cost["energy"] + cost["hardware"])
        machines, grams = float(sum(counts)), float(summary["carbon_g"])
        match self._minimise:
            case "machines":
                objective = (machines, cad, grams)
            case "cost":
                objective = (cad, machines, grams)
            case _:
                objective = (grams, cad, machines)
        return Trial(counts, missed, objective)

    def _evaluate(self, fleets: Sequence[Counts], seeds: tuple[int, ...]) -> list[EvaluatedFleet]:
        """Returns fleets with their runs of the whole time, each run made once."""
        left = [
            (counts, seed)
            for counts in dict.fromkeys(fleets)
            for seed in seeds
            if (counts, seed) not in self._results
        ]
        cases = [self._fleet_case(self._loaded.scenario, counts, seed) for counts, seed in left]
        for number, outcome in self._run_all(cases):
            self._results[left[number]] = outcome.result
        return [self._evaluated(counts, seeds) for counts in fleets]

    def _evaluated(self, counts: Counts, seeds: tuple[int, ...]) -> EvaluatedFleet:
        seeded = combine_seeds([self._results[counts, seed] for seed in seeds])
        meets = all(goal.is_met(seeded.mean.summary) for goal in self._goals)
        return EvaluatedFleet(counts, seeded, meets)

    def _fleet_case(self, scenario: Scenario, counts: Counts, seed: int) -> Case:
        return fleet_case(scenario, self._groups, counts, home=str(self._loaded.home), seed=seed)


def _fixed_cost_cad(scenario: Scenario, group: NodeGroup) -> float:
    """Returns what one machine costs at least, even without a job.

    Its annualised price and maintenance, and the energy of its idle hours where those depend on no
    draw: those of machines that are on for the pool alone and never sleep. The energy of runs is
    never negative, so that no fleet costs less.
    """
    hours = scenario.hours
    cad = money.machine_cad_per_year(group, scenario.money) * hours / money.YEAR_H
    if idle_energy.on_anyway(group) != idle_energy.NEVER or group.sleep_after_s:
        return cad
    (site,) = (site for site in scenario.sites if site.name == group.site)
    prices = SitePrices.of(scenario, site)
    return cad + prices.power_cost_cad(
        fleet.idle_power_w(group), idle_energy.lent_spans(scenario, group)
    )


def fleet_case(
    scenario: Scenario, groups: Sequence[GroupBounds], counts: Counts, *, home: str, seed: int
) -> Case:
    """Returns the case that runs a fleet."""
    nodes = tuple(
        msgspec.structs.replace(group.nodes, count=count)
        for group, count in zip(groups, counts, strict=True)
    )
    label = describe_fleet(groups, counts)
    shown = scenario_titles(scenario)
    titles = {str(lang): fleet_name(groups, counts, lang, shown) for lang in i18n.LANGUAGES}
    scenario = with_nodes(scenario, nodes)
    return Case(scenario=scenario, home=home, seed=seed, label=label, names={label: titles})


def describe_fleet(groups: Sequence[GroupBounds], counts: Counts) -> str:
    """Returns a fleet as text: ``4 × mini-qc + 2 × studio-on``."""
    return " + ".join(
        f"{count} × {group.nodes.name}"
        for group, count in zip(groups, counts, strict=True)
        if count
    )


def fleet_name(groups: Sequence[GroupBounds], counts: Counts, lang: str, titles: Titles) -> str:
    """Returns a fleet in words: each group's count, device and site.

    Args:
        groups: of the plan.
        counts: machines of each group.
        lang: of the reader.
        titles: of the scenario's parts.
    """
    devices = catalogue.devices()
    return ", ".join(
        i18n.text(
            "sim-plan-group",
            lang,
            count=count,
            device=short_device_name(devices[group.nodes.device].name, lang),
            site=display_name(titles, "site", group.nodes.site, lang),
        )
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
