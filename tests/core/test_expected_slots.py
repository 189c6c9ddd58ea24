"""Expected slots: the sums over the machines, beside their definition in whole numbers."""

import random
from math import sqrt

import pytest
from msgspec import structs
from tests.core.builders import Pool, card, replica

from entraide.types import Lending
from entraide_scheduler.core.carbon import HOUR_S, ZoneCapacity
from entraide_scheduler.core.estimation import FULL, WEEK_HOURS
from entraide_scheduler.core.evaluation.expected_slots import (
    CAUTION,
    SLOTS_MAX,
    SURE_PART,
    find_batch_slots,
)
from entraide_scheduler.core.fleet import ReplicaView


def part_of(view: ReplicaView, hour: int, ahead: int, *, takes: bool) -> int:
    """The part of an hour in which a node is expected to take work."""
    profile = view.node.availability
    usual, now = profile.parts[(hour + ahead) % WEEK_HOURS], FULL * takes
    around = [profile.parts[(hour + near) % WEEK_HOURS] for near in (-1, 0, 1)]
    change = now - min(max(now, min(around)), max(around))
    if 2 * change < -FULL:
        return 0
    since = 1 + profile.lasted_hours(hour)
    return min(FULL, max(0, usual + change * since // (since + ahead)))


def defined(views: list[ReplicaView], coop: str, hour: int) -> tuple[list[float], list[float]]:
    """The expected and the sure slots by hour, by their definition."""
    expected, sure = [], []
    for ahead in range(WEEK_HOURS):
        whole = low_sum = variance = 0
        for view in views:
            own = coop == view.coop or view.node.lending is not Lending.OWN_ONLY
            slots = min(SLOTS_MAX, view.load.batch_slots)
            part = part_of(view, hour, ahead, takes=view.node.accepting and own)
            low = max(0, part - view.node.availability.doubt)
            whole, low_sum = whole + slots * part, low_sum + slots * low
            variance += slots * slots * low * (FULL - low)
        expected.append(whole / FULL)
        sure.append(max(low_sum - CAUTION * sqrt(float(variance)), 0.0) * SURE_PART / FULL)
    return expected, sure


@pytest.mark.parametrize("slots", [(1, 2, 8), (1, 300, 1 << 20)])
def test_the_slots_are_those_of_the_definition(slots: tuple[int, ...]) -> None:
    """With few and with very many slots, each hour has the sums of whole numbers, to the bit."""
    draw, pool = random.Random(1), Pool()
    for number in range(24):
        offered = replica(slots=draw.choice(slots))
        pool.join(card(f"n{number:02}", draw.choice(("alpha", "beta")), replicas=(offered,)))
    pool.ask("j1")
    state = pool.core._state
    shape = structs.replace(next(iter(state.jobs.values())).shape, coop="alpha")
    views = state.fleet.eligible_nodes(shape).views
    for view in views:
        node = view.node
        node.accepting, node.lending = draw.random() < 0.7, draw.choice(list(Lending))
        profile = node.availability
        profile.hours = draw.choice((0, 30, 400))
        profile.turned_at = pool.now - draw.choice((0.0, 5_000.0, 90_000.0))
        profile.parts = bytearray(draw.choice((0, 200, FULL, FULL)) for _ in range(WEEK_HOURS))
    (zone,) = find_batch_slots(state, shape, pool.now).zones
    expected, sure = defined(views, "alpha", int(pool.now) // HOUR_S)

    assert isinstance(zone, ZoneCapacity)
    assert expected == list(zone.expected)
    assert sure == list(zone.sure)
