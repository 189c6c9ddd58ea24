"""Report data: values that a report derives from results before formatting.

Which result is recommended, which are Pareto-optimal in latency, carbon and cost, which zones and
co-ops are shown when there are many, and the profile of a run over the hours of the day.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from entraide_sim.grid import DAY_H, HOUR_S
from entraide_sim.report import formatting
from entraide_sim.runs import comparison, summary_value
from entraide_sim.scenario import Assumption, CoopShare, RunResult, ZoneHours

ZONES_MAX = 6  # zones with their own colour
COOPS_MAX = 16  # in one chart
DUE_PART_MIN = 0.95  # of its due service: below, a co-op counts as short

# Axes of a comparison, lower is better: keys of the summary.
TTFT = "ttft_s.p95"
CARBON = comparison.CARBON
COST = "cost_cad.per_1m_output_tokens"
AXES = (TTFT, CARBON, COST)


def pareto_optimal(results: Sequence[RunResult]) -> list[bool]:
    """Returns for each result whether it is Pareto-optimal in ``AXES``.

    An axis without a value in any result is ignored; a result without a value is not optimal.
    """
    axes = [
        key
        for key in AXES
        if any(summary_value(result.summary, key) is not None for result in results)
    ]
    points = [tuple(summary_value(result.summary, key) for key in axes) for result in results]
    known = [tuple(value for value in point if value is not None) for point in points]
    full = [len(point) == len(axes) for point in known]
    return [
        full[mine]
        and not any(
            full[other]
            and known[other] != known[mine]
            and all(theirs <= ours for theirs, ours in zip(known[other], known[mine], strict=True))
            for other in range(len(results))
        )
        for mine in range(len(results))
    ]


def machine_count(result: RunResult) -> int:
    """Returns the number of machines of a fleet."""
    return sum(line.count for line in result.fleet)


def is_owned(result: RunResult) -> bool:
    """Returns whether all machines are there already: none was bought for the pool."""
    return all(line.owned for line in result.fleet)


def zones_by_work(result: RunResult) -> list[ZoneHours]:
    """Returns the zones, sorted by output tokens, most first."""
    return sorted(
        result.zones, key=lambda zone_hours: (-sum(zone_hours.output_tokens), zone_hours.zone)
    )


def main_zone(result: RunResult) -> tuple[str, float] | None:
    """Returns the zone with most output tokens, and its part; None without output tokens."""
    produced = {zone_hours.zone: sum(zone_hours.output_tokens) for zone_hours in result.zones}
    total = sum(produced.values())
    if not total:
        return None
    zone = min(produced, key=lambda name: (-produced[name], name))
    return zone, produced[zone] / total


def worst_served_coop(result: RunResult) -> CoopShare | None:
    """Returns the co-op furthest below its due service; None if each received its due."""
    with_due = [coop for coop in result.coops if coop.due_tokens > 0]
    worst = min(
        with_due, key=lambda coop: (coop.received_tokens / coop.due_tokens, coop.coop), default=None
    )
    if worst is None or worst.received_tokens >= DUE_PART_MIN * worst.due_tokens:
        return None
    return worst


def coops_shown(result: RunResult) -> list[CoopShare]:
    """Returns the co-ops to draw: all, or the ``COOPS_MAX`` furthest from their due service."""
    coops = sorted(result.coops, key=lambda coop: (-coop.due_tokens, coop.coop))
    if len(coops) <= COOPS_MAX:
        return coops
    off = sorted(coops, key=lambda coop: (-abs(coop.received_tokens - coop.due_tokens), coop.coop))
    return sorted(off[:COOPS_MAX], key=lambda coop: (-coop.due_tokens, coop.coop))


class DayProfile(Struct, frozen=True):
    """A run averaged over the hours of the day.

    Attributes:
        hours: hours of the day that the run contains, in order.
        zones: zones of the columns, most output tokens first.
        jobs: by zone and hour of the day: placed jobs per hour.
        intensity_g_per_kwh: by zone and hour of the day: mean.
    """

    hours: tuple[int, ...]
    zones: tuple[str, ...]
    jobs: tuple[tuple[float, ...], ...]
    intensity_g_per_kwh: tuple[tuple[float, ...], ...]


def demand_hours(result: RunResult) -> float:
    """Returns the length of the period in which requests arrive, hours."""
    return result.demand_h or float(result.hours)


def has_year(result: RunResult) -> bool:
    """Tells whether a run is long enough for figures of a year."""
    return demand_hours(result) >= DAY_H


def without_year(result: RunResult) -> RunResult:
    """Returns a run; if it is too short, without a year's money and the assumption of a year."""
    if has_year(result):
        return result
    stated = tuple(each for each in result.assumptions if each.code != "year")
    return msgspec.structs.replace(result, money=None, assumptions=stated)


def whole_days_hours(result: RunResult) -> int:
    """Returns the hours of the complete days in which requests arrive."""
    return min(int(demand_hours(result)), result.hours) // DAY_H * DAY_H


def _hours_with_jobs(result: RunResult) -> int:
    """Returns the number of hours up to the last placement; all hours without placements.

    After the last request a run continues until all jobs have ended.
    """
    last = (
        at
        for at in reversed(range(result.hours))
        if any(zone_hours.jobs[at] for zone_hours in result.zones)
    )
    return next(last, result.hours - 1) + 1


def _demand_part(result: RunResult, index: int) -> float:
    """Returns the part of a clock hour in which requests arrive; 1 for an hour without any."""
    begin_h = max(0.0, (result.demand_at - result.start_at) / HOUR_S) if result.demand_at else 0.0
    end_h = begin_h + demand_hours(result)
    part = min(end_h, index + 1.0) - max(begin_h, float(index))
    return part if part > 0.0 else 1.0


def own_energy_part(result: RunResult, zone: str) -> float:
    """Returns the part of a zone's energy from own generation, battery included."""
    used_wh = sum(site.own_wh + site.battery_wh for site in result.sites if site.zone == zone)
    whole_wh = sum(
        sum(zone_hours.energy_wh) for zone_hours in result.zones if zone_hours.zone == zone
    )
    return min(1.0, used_wh / whole_wh) if whole_wh else 0.0


def day_profile(result: RunResult) -> DayProfile:
    """Averages a run by local hour of the day, over complete days if there are any."""
    columns: dict[int, list[int]] = {}
    for index in range(whole_days_hours(result) or _hours_with_jobs(result)):
        moment = formatting.local_time(result.start_at + index * HOUR_S, result.timezone)
        columns.setdefault(moment.hour, []).append(index)
    hours = tuple(sorted(columns))
    zones = zones_by_work(result)

    def mean(values: Sequence[float]) -> tuple[float, ...]:
        return tuple(sum(values[at] for at in columns[hour]) / len(columns[hour]) for hour in hours)

    def per_hour(jobs: Sequence[int]) -> tuple[float, ...]:
        return tuple(
            sum(jobs[at] for at in columns[hour])
            / sum(_demand_part(result, at) for at in columns[hour])
            for hour in hours
        )

    return DayProfile(
        hours,
        tuple(zone_hours.zone for zone_hours in zones),
        tuple(per_hour(zone_hours.jobs) for zone_hours in zones),
        tuple(mean(zone_hours.intensity_g_per_kwh) for zone_hours in zones),
    )


def merged_assumptions(results: Sequence[RunResult]) -> list[tuple[Assumption, tuple[int, ...]]]:
    """Returns each assumption once, with the indices of its results, by basis."""
    order = {"measured": 0, "declared": 1, "estimated": 2, "default": 3}
    uses: dict[str, tuple[Assumption, list[int]]] = {}
    for at, result in enumerate(results):
        for assumption in result.assumptions:
            values = sorted(assumption.values.items())
            key = f"{assumption.code}|{assumption.basis}|{values}|{assumption.source}"
            uses.setdefault(key, (assumption, []))[1].append(at)
    listed = [(assumption, tuple(dict.fromkeys(where))) for assumption, where in uses.values()]
    return sorted(listed, key=lambda pair: order.get(pair[0].basis, len(order)))
