"""Idle energy: when a machine is on because of the pool, and what it draws then without work.

The power that running adds is charged to jobs; below it lies the idle power, which counts only in
the hours in which the pool is the reason that the machine is on (``on_anyway`` of its group):

- ``always``: it would be on anyway, so that nothing counts;
- ``present``: it is on for its owner while the owner is there; the other lent hours count;
- ``never``: it is on for the pool alone; all lent hours count.

Lent hours are those of ``hours``, while requests arrive. Outside them such a machine is off. A
machine that sleeps draws nothing while it sleeps; with several models it counts as awake.
"""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct

from entraide.units import JOULES_PER_WH
from entraide_node.core.owner_terms import DAY_MIN, WeeklyHours
from entraide_sim.fleet import DRAIN_H, MINUTE_S, Machine, fleet, owner_presence
from entraide_sim.grid import HOUR_S
from entraide_sim.scenario import NodeGroup, Scenario
from entraide_sim.world import Column, World

Spans = tuple[tuple[float, float], ...]  # (begin, end), ascending, seconds since the epoch

ALWAYS, PRESENT, NEVER = "always", "present", "never"
ON_ANYWAY = (ALWAYS, PRESENT, NEVER)


class IdleTime(Struct, frozen=True):
    """Idle time of one machine.

    Attributes:
        idle_w: its idle power.
        counted: intervals in which it counts.
        uncounted_s: time in which it would be on anyway.
    """

    idle_w: float
    counted: Spans
    uncounted_s: float

    @property
    def counted_wh(self) -> float:
        """Counted idle energy."""
        return self.idle_w * sum(end - begin for begin, end in self.counted) / JOULES_PER_WH

    @property
    def uncounted_wh(self) -> float:
        """Idle energy of the time in which it would be on anyway."""
        return self.idle_w * self.uncounted_s / JOULES_PER_WH


def on_anyway(group: NodeGroup) -> str:
    """Returns when a group's machines would be on without the pool."""
    return group.on_anyway or (NEVER if group.dedicated else ALWAYS)


def idle_times(
    scenario: Scenario, machines: Sequence[Machine], *, seed: int, world: World
) -> dict[str, IdleTime]:
    """Returns the idle time of each machine while requests arrive, by node.

    Args:
        scenario: of the run.
        machines: in the order of the run, which owners' visits depend on.
        seed: of the run.
        world: after the run, for the time that machines slept.
    """
    times: dict[str, IdleTime] = {}
    lent = {group.name: lent_spans(scenario, group) for group in scenario.fleet}
    begin_at = scenario.start_at
    end_at = begin_at + scenario.hours * HOUR_S
    for number, machine in enumerate(machines):
        node, group = machine.spec.card.node, machine.group
        mode = on_anyway(group)
        counted: Spans = () if mode == ALWAYS else lent[group.name]
        uncounted_s = end_at - begin_at if mode == ALWAYS else 0.0
        if mode == PRESENT:
            visits = _visits(scenario, group, seed=seed, number=number)
            counted = _subtract(counted, visits)
            uncounted_s = sum(end - begin for begin, end in _within(visits, begin_at, end_at))
        if len(fleet.group_models(scenario, group)) == 1:
            asleep = world.nodes[node].engine.sleep_spans(max(end_at, world.driver.now))
            counted = _subtract(counted, asleep)
        times[node] = IdleTime(machine.spec.card.power.idle_w, counted, uncounted_s)
    return times


def lent_spans(scenario: Scenario, group: NodeGroup) -> Spans:
    """Returns the lent hours of a group while requests arrive."""
    begin_at = scenario.start_at
    end_at = begin_at + scenario.hours * HOUR_S
    hours = fleet.owner_terms(group).hours
    if not hours:
        return ((begin_at, end_at),)
    spans = [
        (midnight + span.begin_min * MINUTE_S, midnight + _end_min(span) * MINUTE_S)
        for midnight, weekday in owner_presence.local_days(
            begin_at, end_at, ZoneInfo(scenario.timezone)
        )
        for span in hours
        if weekday in span.days
    ]
    return _within(_merge(spans), begin_at, end_at)


def seconds_by_hour(spans: Spans, *, start_at: float, hours: int) -> Column:
    """Returns the seconds of some intervals in each clock hour from ``start_at`` on."""
    edges = start_at + np.arange(hours + 1) * HOUR_S
    passed = np.zeros(hours + 1)
    for begin, end in spans:
        passed += np.clip(edges, begin, end) - begin
    return np.diff(passed)


def idle_wh_by_hour(
    times: Mapping[str, IdleTime], nodes: Sequence[str], *, start_at: float, hours: int
) -> Column:
    """Returns the counted idle energy of some nodes in each clock hour, Wh."""
    watts: dict[Spans, float] = {}
    for node in nodes:
        time = times[node]
        watts[time.counted] = watts.get(time.counted, 0.0) + time.idle_w
    energy_wh = np.zeros(hours)
    for spans, idle_w in watts.items():
        seconds = seconds_by_hour(spans, start_at=start_at, hours=hours)
        energy_wh += seconds * idle_w / JOULES_PER_WH
    return energy_wh


def _end_min(span: WeeklyHours) -> int:
    later = span.end_min > span.begin_min
    return span.end_min if later else span.end_min + DAY_MIN


def _visits(scenario: Scenario, group: NodeGroup, *, seed: int, number: int) -> Spans:
    """Returns the visits of an owner as the run draws them."""
    begin_at = scenario.start_at
    until = begin_at + (scenario.hours + DRAIN_H) * HOUR_S
    days = list(owner_presence.local_days(begin_at, until, ZoneInfo(scenario.timezone)))
    return _merge(owner_presence.draw_visits(days, group.owner.present, seed, number))


# Sets of intervals.


def _merge(spans: Sequence[tuple[float, float]]) -> Spans:
    """Returns the union of some intervals, ascending."""
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > begin:
            merged.append((begin, end))
    return tuple(merged)


def _within(spans: Spans, begin_at: float, end_at: float) -> Spans:
    """Returns the parts of some intervals within a period."""
    return tuple(
        (max(begin, begin_at), min(end, end_at))
        for begin, end in spans
        if begin < end_at and end > begin_at
    )


def _subtract(spans: Spans, others: Spans) -> Spans:
    """Returns the parts of some intervals outside others; both ascend and are disjoint."""
    left: list[tuple[float, float]] = []
    index = 0  # of the first other interval that does not end before the current one begins
    for begin, end in spans:
        while index < len(others) and others[index][1] <= begin:
            index += 1
        at, number = begin, index
        while number < len(others) and others[number][0] < end:
            if others[number][0] > at:
                left.append((at, others[number][0]))
            at = others[number][1]
            number += 1
        if at < end:
            left.append((at, end))
    return tuple(left)
