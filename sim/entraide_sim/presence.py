"""Presence: when owners sit at their machines, and what their nodes then do.

Decides, by pattern and luck, when somebody is there; the node's own core (``terms``) says what that
means. It yields the moments at which a node stops taking work, gives back what runs, and works
again. Days and hours are local.
"""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from entraide_node.core.terms import DAY_MIN, Moment, OwnerTerms, objection
from entraide_sim.arrivals import luck
from entraide_sim.surroundings import Fault

MINUTE_S = 60.0

# For each pattern: days, usual begin and end (minutes of the day), and how often somebody comes.
PATTERNS: dict[str, tuple[tuple[tuple[int, ...], int, int, float], ...]] = {
    "never": (),
    "office": (((0, 1, 2, 3, 4), 510, 1_020, 0.9),),
    "evenings": (((0, 1, 2, 3, 4, 5, 6), 1_080, 1_350, 0.8),),
    "home": (((0, 1, 2, 3, 4, 5, 6), 1_080, 1_350, 0.8), ((5, 6), 600, 960, 0.6)),
}
JITTER_MIN = 25.0  # standard deviation of each arrival and departure


def faults(
    node: str,
    terms: OwnerTerms,
    *,
    pattern: str,
    start_at: float,
    until: float,
    zone: ZoneInfo,
    seed: int,
    number: int,
) -> Iterator[Fault]:
    """Yields what an owner's presence and hours do to one node, in order of time.

    Args:
        node: which.
        terms: of its owner.
        pattern: a key of ``PATTERNS``.
        start_at: from which moment on, seconds since the epoch.
        until: before which moment.
        zone: the owner's clock.
        seed: of all luck.
        number: of this owner.
    """
    if not terms.hours and (terms.works_present or not PATTERNS[pattern]):
        return
    days = list(_days(start_at, until, zone))
    there = _visits(days, pattern, seed, number)
    edges = {start_at, *(edge for visit in there for edge in visit)}
    for midnight, _ in days:
        for span in terms.hours:
            edges |= {midnight + span.begin_min * MINUTE_S, midnight + span.end_min * MINUTE_S}
    working = True
    refused_at = start_at
    for at in sorted(edge for edge in edges if start_at <= edge < until):
        local = dt.datetime.fromtimestamp(at, zone)
        present = any(begin <= at < end for begin, end in there)
        reason = objection(terms, Moment(local.weekday(), local.hour * 60 + local.minute, present))
        if reason and working:
            refused_at = at
            yield Fault(at, node, "refuse", reason=reason)
        elif not reason and not working:
            if at > refused_at + terms.give_back_s:
                yield Fault(refused_at + terms.give_back_s, node, "give_back")
            yield Fault(at, node, "take")
        working = not reason
    if not working and refused_at + terms.give_back_s < until:
        yield Fault(refused_at + terms.give_back_s, node, "give_back")


def _days(start_at: float, until: float, zone: ZoneInfo) -> Iterator[tuple[float, int]]:
    """Yields the local midnights with their weekday, from the day before the start on."""
    day = dt.datetime.fromtimestamp(start_at, zone).date() - dt.timedelta(days=1)
    while True:
        at = dt.datetime.combine(day, dt.time(), zone).timestamp()
        if at >= until:
            return
        yield at, day.weekday()
        day += dt.timedelta(days=1)


def _visits(
    days: list[tuple[float, int]], pattern: str, seed: int, number: int
) -> list[tuple[float, float]]:
    """Returns from when to when somebody is there."""
    source = luck(seed, 5, number)
    found = []
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
                found.append((midnight + begin * MINUTE_S, midnight + end * MINUTE_S))
    return found
