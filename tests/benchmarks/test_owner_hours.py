"""What the benchmark of owners' hours computes without a world: its optimum and CarbonClipper."""

from itertools import product
from random import Random

import pytest
from benchmarks.support import owner_hours
from benchmarks.support.carbon_clipper import (
    Batch,
    accepted_price,
    clip_batches,
    robustness,
    wanted_progress,
)
from benchmarks.support.linear_optimum import min_deferral_cost


def test_the_optimum_is_that_of_all_assignments() -> None:
    """Jobs with deadlines and rooms that differ by hour cost what the best assignment costs."""
    source = Random(4)
    for _ in range(20):
        cost = [float(source.randint(1, 9)) for _ in range(4)]
        room = [source.randint(0, 2) for _ in range(4)]
        jobs = sorted(
            (first, source.randint(first, 3)) for first in (source.randint(0, 3) for _ in range(3))
        )
        best = min(
            (hours.count(None), sum(cost[hour] for hour in hours if hour is not None))
            for hours in product(*([None, *range(first, last + 1)] for first, last in jobs))
            if all(hours.count(hour) <= room[hour] for hour in range(4))
        )
        least, unplaced = min_deferral_cost([(*job, 1) for job in jobs], cost, room)

        assert (best[0], best[1]) == (pytest.approx(unplaced), pytest.approx(least))


def test_an_owner_takes_the_room_of_the_visit() -> None:
    """A visit of an hour and a half takes all of an hour and half of the next on one of two."""
    visits = [[(3_600.0, 9_000.0)], []]
    a_machine = owner_hours.BATCH_SLOTS * 3_600.0 / owner_hours.RUN_S

    assert [2.0, 1.0, 1.5] == pytest.approx(
        [room / a_machine for room in owner_hours.free_room(visits, 0.0, 3)]
    )


def test_the_accepted_price_falls_with_the_progress() -> None:
    """It begins at the highest price over the ratio, ends at the lowest, and has the inverse."""
    ratio, bound = robustness(10.0, 100.0, 1e9), robustness(10.0, 100.0, 0.3)

    assert 1.0 < ratio < bound < 10.0
    assert 10.0 == pytest.approx(accepted_price(1.0, 100.0, ratio))
    assert 30.0 == pytest.approx(
        accepted_price(wanted_progress(30.0, 10.0, 100.0, 3.0), 100.0, 3.0)
    )
    assert [0.0, 0.0] == [wanted_progress(price, 10.0, 100.0, 3.0) for price in (40.0, 100.0)]


@pytest.mark.parametrize(("epsilon", "most"), [(0.01, 1.011), (8.0, 9.0)])
def test_the_clipper_stays_within_its_bound_of_the_advice(epsilon: float, most: float) -> None:
    """With room for all, a batch costs at most 1 + epsilon times what the true advice costs."""
    source = Random(7)
    for _ in range(30):
        actual = [source.uniform(5.0, 90.0) for _ in range(24)]
        batch = Batch(0, 23, 240)
        shifted = clip_batches([batch], actual, [60.0] * 24, rate=60.0, epsilon=epsilon)
        advice = 60.0 * sum(sorted(actual)[:4])

        assert (240, 0) == (shifted.ran, shifted.late)
        assert shifted.grams <= most * advice * 1.02  # whole lines


def test_the_clipper_does_not_know_owners() -> None:
    """A batch whose last hours are the owner's is late."""
    actual, room = [50.0, 60.0, 10.0, 10.0], [6.0, 6.0, 0.0, 0.0]
    shifted = clip_batches([Batch(0, 3, 6)], actual, room, rate=6.0, epsilon=2.0)

    assert 6 == shifted.ran + shifted.late
    assert shifted.late > 0
