"""Plan: the smallest, cheapest or greenest fleet that meets its goals; or what helps most.

Decides the search. A few busy hours tell most of what a fleet can do, so they go first: from the
largest fleet allowed, machines are taken away group by group, by halving, as long as the goals that
a busy hour can tell are met. What is left is then run for the whole time, together with each fleet
that has one machine fewer: if it fails, the machine that helps most is added; if a smaller one does
as well, that one is taken. The answer is a fleet that was run and meets the goals, of which no
machine can be taken away: each such fleet was run too, and failed.

It takes for granted that more machines never make a goal on latency worse; the last step does not.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import sqrt

import msgspec
from msgspec import Struct

from entraide.errors import RequestError
from entraide_sim import catalogue, fleet
from entraide_sim.build import build
from entraide_sim.goals import BUSY_KEYS, Goal
from entraide_sim.grid import HOUR_S
from entraide_sim.reading import Loaded
from entraide_sim.results import Result
from entraide_sim.scenario import Nodes, Scenario
from entraide_sim.simulate import Case, with_nodes
from entraide_sim.sweep import Outcome

BUSY_H = 2.0
CHANGES_MAX = 64  # machines added or taken after the busy hours
OBJECTIVES = ("machines", "cost", "carbon")

Counts = tuple[int, ...]
RunAll = Callable[[Sequence[Case]], Iterator[tuple[int, Outcome]]]


class Group(Struct, frozen=True):
    """Machines of one kind, and how many a plan may have."""

    nodes: Nodes
    least: int
    most: int


class Tried(Struct, frozen=True):
    """A fleet that was run for the whole time.

    Attributes:
        counts: machines by group.
        result: what it came to.
        meets: whether all goals are met.
    """

    counts: Counts
    result: Result
    meets: bool


class Plan(Struct, frozen=True):
    """The answer.

    Attributes:
        groups: that counts are of.
        goals, minimise: as asked.
        base: the fleet as the scenario has it, all that may be bought left out.
        found: the fleet; None when even the largest one fails.
        best: the fleet that comes nearest when none is found.
        fewer: each fleet with one machine fewer, all of which fail.
        busy_runs, whole_runs: how many simulations it took.
    """

    groups: tuple[Group, ...]
    goals: tuple[Goal, ...]
    minimise: str
    base: Tried
    found: Tried | None
    best: Tried
    fewer: tuple[Tried, ...]
    busy_runs: int
    whole_runs: int


def groups_of(scenario: Scenario, ranges: Mapping[str, tuple[int, int]]) -> tuple[Group, ...]:
    """Returns what a plan may change.

    Args:
        scenario: with its ``[plan]``.
        ranges: by name of a group, over those of the scenario.

    Raises:
        RequestError: ``plan_refused``: a range is of a group that is not there, or is empty.
    """
    own = {one.nodes: (one.least, one.most) for one in scenario.plan.ranges}
    own |= ranges
    every = scenario.fleet + scenario.plan.purchases
    known = [nodes.name for nodes in every]
    for name, (least, most) in own.items():
        values: dict[str, str | int | float] = {"value": name, "known": ", ".join(known)}
        if name not in known:
            raise RequestError("plan_refused", values={"fault": "unknown_group", **values})
        if least > most or least < 0:
            raise RequestError("plan_refused", values={"fault": "empty_range", **values})
    return tuple(Group(nodes, *own.get(nodes.name, (0, nodes.count))) for nodes in every)


class Planner:
    """One search: it remembers what was run.

    Args of the constructor:
        loaded: the scenario.
        groups: what may change.
        goals: to meet.
        minimise: one of ``OBJECTIVES``.
        seed: of all runs.
        run_all: runs cases, several at once.
        at_once: how many.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        groups: tuple[Group, ...],
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
        self._busy = busy_hours(loaded, seed)
        keys = [goal for goal in goals if goal.key.partition(".")[0] in BUSY_KEYS]
        self._busy_goals = tuple(keys) if self._busy is not None else goals
        self._busy_runs: dict[Counts, Result] = {}
        self._whole_runs: dict[Counts, Tried] = {}

    def plan(self) -> Plan:
        """Searches; see the module."""
        most = tuple(group.most for group in self._groups)
        own = len(self._loaded.scenario.fleet)
        base = tuple(
            min(group.most, group.nodes.count) if number < own else 0
            for number, group in enumerate(self._groups)
        )
        if self._meets_busy(most):
            tried, found = self._settle(self._shrink(most))
        else:
            (tried,) = self._whole([most])
            found = tried.meets
            if found:  # the busy hours were too strict: only the whole can tell
                tried, found = self._settle(most)
        fewer = tuple(self._whole_runs[one] for one in self._one_fewer(tried.counts) if found)
        (first,) = self._whole([base])
        return Plan(
            self._groups,
            self._goals,
            self._minimise,
            first,
            tried if found else None,
            tried,
            fewer,
            len(self._busy_runs),
            len(self._whole_runs),
        )

    # The busy hours.

    def _shrink(self, most: Counts) -> Counts:
        """Takes machines away, the ones first that the objective can best do without."""
        found: list[Counts] = []
        for order in _orders(self._groups, self._minimise, self._loaded.scenario):
            counts = most
            for number in order:
                counts = self._least(counts, number)
            found.append(counts)
        return min(found, key=lambda counts: self._worth(counts, self._busy_run(counts)))

    def _least(self, counts: Counts, number: int) -> Counts:
        """Returns the counts with as few of one group as meet the goals, by parts of its range."""
        low, high = self._groups[number].least, counts[number]
        while low < high:
            step = (high - low) / (self._at_once + 1)
            parts = {low + int(step * part) for part in range(1, self._at_once + 1)}
            asked = sorted(parts if high - low > self._at_once else range(low, high))
            fleets = [_with(counts, number, count) for count in asked]
            self._busy_all(fleets)
            good = [
                count for count, one in zip(asked, fleets, strict=True) if self._meets_busy(one)
            ]
            high = min([high, *good])
            low = max([low, *(count + 1 for count in asked if count < high)])
        return _with(counts, number, high)

    def _meets_busy(self, counts: Counts) -> bool:
        if not sum(counts):
            return False
        return _meets(self._busy_goals, self._busy_run(counts))

    def _busy_run(self, counts: Counts) -> Result:
        self._busy_all([counts])
        return self._busy_runs[counts]

    def _busy_all(self, fleets: Sequence[Counts]) -> None:
        left = [one for one in fleets if sum(one) and one not in self._busy_runs]
        scenario = self._busy or self._loaded.scenario
        for number, outcome in self._run_all([self._case(scenario, one) for one in left]):
            self._busy_runs[left[number]] = outcome.result

    # The whole time.

    def _settle(self, start: Counts) -> tuple[Tried, bool]:
        counts = start
        for _ in range(CHANGES_MAX):
            fewer = self._one_fewer(counts)
            tried, *smaller = self._whole([counts, *fewer])
            good = [one for one in smaller if one.meets]
            if good:
                counts = min(good, key=lambda one: self._worth(one.counts, one.result)).counts
                continue
            if tried.meets:
                return tried, True
            more = [
                _with(counts, number, counts[number] + 1)
                for number, group in enumerate(self._groups)
                if counts[number] < group.most
            ]
            if not more:
                return tried, False
            counts = min(self._whole(more), key=self._lack).counts
        return self._whole_runs[counts], self._whole_runs[counts].meets

    def _lack(self, tried: Tried) -> tuple[float, tuple[float, float]]:
        missed = sum(goal.missed_by(tried.result.summary) for goal in self._goals)
        return missed, self._worth(tried.counts, tried.result)

    def _one_fewer(self, counts: Counts) -> list[Counts]:
        return [
            _with(counts, number, counts[number] - 1)
            for number, group in enumerate(self._groups)
            if counts[number] > group.least and sum(counts) > 1
        ]

    def _whole(self, fleets: Sequence[Counts]) -> list[Tried]:
        left = [one for one in fleets if one not in self._whole_runs]
        cases = [self._case(self._loaded.scenario, one) for one in left]
        for number, outcome in self._run_all(cases):
            result = outcome.result
            meets = _meets(self._goals, result)
            self._whole_runs[left[number]] = Tried(left[number], result, meets)
        return [self._whole_runs[one] for one in fleets]

    # What both do.

    def _case(self, scenario: Scenario, counts: Counts) -> Case:
        return case_of(scenario, self._groups, counts, home=str(self._loaded.home), seed=self._seed)

    def _worth(self, counts: Counts, result: Result) -> tuple[float, float]:
        cost = result.summary["cost_cad"]
        cad = float(cost["energy"] + cost["hardware"])
        match self._minimise:
            case "machines":
                return float(sum(counts)), cad
            case "cost":
                return cad, float(sum(counts))
            case _:
                return float(result.summary["carbon_g"]), float(sum(counts))


def case_of(
    scenario: Scenario, groups: Sequence[Group], counts: Counts, *, home: str, seed: int
) -> Case:
    """Returns the case of a fleet."""
    nodes = tuple(
        msgspec.structs.replace(group.nodes, count=count)
        for group, count in zip(groups, counts, strict=True)
    )
    label = told(groups, counts)
    return Case(scenario=with_nodes(scenario, nodes), home=home, seed=seed, label=label)


def told(groups: Sequence[Group], counts: Counts) -> str:
    """Returns a fleet in words: ``4 × mini-qc + 2 × studio-on``."""
    return " + ".join(
        f"{count} × {group.nodes.name}"
        for group, count in zip(groups, counts, strict=True)
        if count
    )


def busy_hours(loaded: Loaded, seed: int) -> Scenario | None:
    """Returns the scenario cut to its busiest hours; None where only the whole can tell.

    Traces and mishaps stand at fixed hours of the whole, so they are not cut.
    """
    scenario = loaded.scenario
    fixed = any(
        one.trace or one.from_h or one.until_h is not None for one in scenario.workloads
    ) or any(getattr(scenario.faults, kind) for kind in scenario.faults.__struct_fields__)
    if fixed or scenario.hours <= BUSY_H * 2.0:
        return None
    per_hour: dict[int, float] = {}
    for request in build(scenario, home=loaded.home, seed=seed).requests:
        hour = int((request.at - scenario.start_at) // HOUR_S)
        tokens = request.input_tokens + 2.0 * request.output_tokens
        per_hour[hour] = per_hour.get(hour, 0.0) + tokens
    span = int(BUSY_H)
    best = max(
        range(max(1, int(scenario.hours) - span + 1)),
        key=lambda hour: (sum(per_hour.get(hour + step, 0.0) for step in range(span)), -hour),
    )
    start = scenario.start + dt.timedelta(hours=best)
    return msgspec.structs.replace(scenario, start=start, hours=BUSY_H)


def _meets(goals: Sequence[Goal], result: Result) -> bool:
    return all(goal.met(result.summary) for goal in goals)


def _with(counts: Counts, number: int, count: int) -> Counts:
    return (*counts[:number], count, *counts[number + 1 :])


def _orders(groups: Sequence[Group], minimise: str, scenario: Scenario) -> list[list[int]]:
    """Returns in which orders groups are thinned out: by the objective, and slowest first."""
    zones = {site.name: site.zone for site in scenario.sites}
    tariffs = {site.name: site.tariff_cad_per_kwh or 0.12 for site in scenario.sites}

    def speed(number: int) -> float:
        nodes = groups[number].nodes
        device = catalogue.devices()[nodes.device]
        return device.decode_tokens_per_s * sqrt(nodes.slots or device.slots)

    def cost(number: int) -> float:
        nodes = groups[number].nodes
        device = catalogue.devices()[nodes.device]
        price = (fleet.price_cad(nodes) or 0.0) / nodes.life_years
        energy = device.active_w / 1_000.0 * 1_000.0 * tariffs[nodes.site]
        return -(price + energy) / speed(number)

    def grams(number: int) -> float:
        nodes = groups[number].nodes
        device = catalogue.devices()[nodes.device]
        zone = catalogue.annual().get(zones[nodes.site])
        intensity = zone.direct_g_per_kwh if zone is not None else 100.0
        return -(device.active_w / device.decode_tokens_per_s) * intensity

    every = list(range(len(groups)))
    by_name = {"machines": speed, "cost": cost, "carbon": grams}
    orders = [sorted(every, key=by_name[minimise]), sorted(every, key=speed)]
    return orders if orders[0] != orders[1] else orders[:1]
