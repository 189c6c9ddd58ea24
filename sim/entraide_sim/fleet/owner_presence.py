"""Owner presence: when owners use or pause their machines, and the faults that follow.

Draws visits from a weekly pattern; the live node agent's owner policy then decides when the node
accepts no work, returns its runs, or works again. Days and hours are local.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from math import inf
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from entraide_node.core.machine_state import MachineState
from entraide_node.core.owner_policy import LendingState, OwnerPolicy
from entraide_node.core.owner_terms import DAY_MIN, OwnerTerms, PresencePolicy
from entraide_sim.workload import make_rng
from entraide_sim.world import Fault

MINUTE_S = 60.0
AFTER_TOUCH_S = 1e-3  # least idle time after a visit

# For each pattern: weekdays, mean begin and end (minutes of the day), probability of a visit.
PATTERNS: dict[str, tuple[tuple[tuple[int, ...], int, int, float], ...]] = {
    "never": (),
    "office": (((0, 1, 2, 3, 4), 510, 1_020, 0.9),),
    "evenings": (((0, 1, 2, 3, 4, 5, 6), 1_080, 1_350, 0.8),),
    "home": (((0, 1, 2, 3, 4, 5, 6), 1_080, 1_350, 0.8), ((5, 6), 600, 960, 0.6)),
}
JITTER_MIN = 25.0  # standard deviation of each arrival and departure


def presence_faults(
    node: str,
    terms: OwnerTerms,
    *,
    pattern: str,
    start_at: float,
    until: float,
    zone: ZoneInfo,
    seed: int,
    number: int,
    power_cap_w: float | None = None,
    present_cap_w: float | None = None,
    pauses: Sequence[tuple[float, float]] = (),
) -> Iterator[Fault]:
    """Yields the faults of one node from its owner's presence, hours and pauses, power caps first.

    Args:
        node: name of the node.
        terms: of its owner.
        pattern: a key of ``PATTERNS``.
        start_at: first moment, seconds since the epoch.
        until: end, exclusive.
        zone: the owner's time zone.
        seed: of all random draws.
        number: of this owner.
        power_cap_w: power cap of the machine, watts, if any.
        present_cap_w: power cap while the owner is present.
        pauses: begin and end of each pause of the node by its owner.
    """
    capped = present_cap_w is not None
    if not (terms.hours or pauses) and (
        not PATTERNS[pattern] or (terms.present is PresencePolicy.ALL and not capped)
    ):
        return
    days = list(local_days(start_at, until, zone))
    visits = draw_visits(days, pattern, seed, number)
    if present_cap_w is not None:
        usual_w = inf if power_cap_w is None else power_cap_w
        for begin, end in visits:
            if end > start_at and begin < until:
                yield Fault(max(begin, start_at), node, "cap", min(usual_w, present_cap_w))
                yield Fault(end, node, "cap", usual_w)
    yield from visit_faults(
        node, terms, visits=visits, start_at=start_at, until=until, zone=zone, pauses=pauses
    )


def visit_faults(
    node: str,
    terms: OwnerTerms,
    *,
    visits: Sequence[tuple[float, float]],
    start_at: float,
    until: float,
    zone: ZoneInfo,
    pauses: Sequence[tuple[float, float]] = (),
) -> Iterator[Fault]:
    """Yields the faults of one node from its owner's visits and pauses, in order of time.

    Args:
        node: name of the node.
        terms: of its owner.
        visits: begin and end of each visit, in order, seconds since the epoch.
        start_at: first moment, seconds since the epoch.
        until: end, exclusive.
        zone: the owner's time zone.
        pauses: begin and end of each pause.
    """
    owner_policy = OwnerPolicy()
    moments = _change_moments(terms, visits, start_at, until, zone)
    moments |= {edge for pause in pauses for edge in pause}
    edges = sorted(at for at in moments if start_at < at)
    at, edge_index, reason, has_runs = start_at, 0, "", True
    while at < until:
        machine_state = replace(
            _machine_state(visits, at, zone), paused=any(b <= at < end for b, end in pauses)
        )
        lending, gives_back = owner_policy.evaluate(
            terms, machine_state, at=at, running=has_runs, foreign=False
        )
        if lending.reason is not None and lending.reason.code != reason:
            yield Fault(at, node, "refuse", reason=lending.reason.code)
        if gives_back:
            yield Fault(at, node, "give_back")
        if lending.reason is None and reason:
            yield Fault(at, node, "take")
        reason = "" if lending.reason is None else lending.reason.code
        has_runs = lending.state not in (LendingState.GIVING_BACK, LendingState.AWAY)
        if lending.state is LendingState.GIVING_BACK:
            continue  # evaluate the same moment again: the runs have ended
        while edge_index < len(edges) and edges[edge_index] <= at:
            edge_index += 1
        due = owner_policy.next_deadline(terms)
        at = min(inf if due is None else due, edges[edge_index] if edge_index < len(edges) else inf)


def _change_moments(
    terms: OwnerTerms,
    visits: Sequence[tuple[float, float]],
    start_at: float,
    until: float,
    zone: ZoneInfo,
) -> set[float]:
    """Returns the moments at which the owner policy's answer may change."""
    moments = {edge for visit in visits for edge in visit}
    moments |= {end + terms.idle_min * MINUTE_S for _, end in visits}
    for midnight, _ in local_days(start_at, until, zone):
        for span in terms.hours:
            moments |= {midnight + span.begin_min * MINUTE_S, midnight + span.end_min * MINUTE_S}
    return moments


def _machine_state(
    visits: Sequence[tuple[float, float]], at: float, zone: ZoneInfo
) -> MachineState:
    local = dt.datetime.fromtimestamp(at, zone)
    since = [at - end for begin, end in visits if begin <= at]
    idle_s = inf if not since else 0.0 if min(since) < 0.0 else max(min(since), AFTER_TOUCH_S)
    return MachineState(day=local.weekday(), minute=local.hour * 60 + local.minute, idle_s=idle_s)


def local_days(start_at: float, until: float, zone: ZoneInfo) -> Iterator[tuple[float, int]]:
    """Yields the local midnights with their weekday, from the day before the start on."""
    day = dt.datetime.fromtimestamp(start_at, zone).date() - dt.timedelta(days=1)
    while True:
        at = dt.datetime.combine(day, dt.time(), zone).timestamp()
        if at >= until:
            return
        yield at, day.weekday()
        day += dt.timedelta(days=1)


def draw_visits(
    days: list[tuple[float, int]], pattern: str, seed: int, number: int
) -> list[tuple[float, float]]:
    """Returns the begin and end of each visit."""
    source = make_rng(seed, 5, number)
    visits = []
    for midnight, weekday in days:
        for on, begin_min, end_min, chance in PATTERNS[pattern]:
            comes = float(source.random())
            early, late = (
                float(source.normal(0.0, JITTER_MIN)),
                float(source.normal(0.0, JITTER_MIN)),
            )
            if weekday in on and comes < chance:
                begin = max(0.0, begin_min + early)
                end = min(float(DAY_MIN), max(begin + 10.0, end_min + late))
                visits.append((midnight + begin * MINUTE_S, midnight + end * MINUTE_S))
    return visits
