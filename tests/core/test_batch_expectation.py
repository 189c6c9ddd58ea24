"""Batch expectation: the hours in which a batch will run, and its grams then and at once."""

import pytest
from tests.core.builders import Pool, card, facts, replica
from tests.core.test_carbon_shifting import HOUR_S, NOON, make_known, ontario

from entraide.types import JobClass, JobKind
from entraide_scheduler.core import events
from entraide_scheduler.core.carbon import BatchExpectation, ShiftReason
from entraide_scheduler.core.policy import Deferral

HOURS = (90.0, 40.0, 10.0, 50.0, 60.0, 70.0, 90.0, 90.0, 90.0)  # g/kWh from noon on
FIRST_HOUR = int(NOON // HOUR_S)


def pool_of(*cards, worth: float = 0.0) -> Pool:
    """A pool in Ontario, with one node of one slot if no other is named."""
    pool = ontario(*HOURS, deferral=Deferral(worth=worth, margin=0.0, slots_part=1.0))
    pool.join(*(cards or (card("n1", zone="CA-ON", replicas=(replica(slots=1),)),)))
    make_known(pool)
    return pool


def expect(pool: Pool, lines: int, *, hours: float = 8.0, **changes) -> BatchExpectation | None:
    values = {"job_class": JobClass.BATCH, "kind": JobKind.KEPT, "jurisdiction": "", **changes}
    batch = facts("batch-1", deadline_at=pool.now + hours * HOUR_S, **values)
    return pool.core.expect_batch(batch, lines, pool.now)


def lines_per_hour(pool: Pool) -> int:
    return int(HOUR_S / pool.core._state.length_predictor.run_s("petit"))


def test_a_small_batch_takes_the_greenest_hour() -> None:
    """Its lines run in the hour of 10 g/kWh and emit a ninth of what they would at once."""
    pool = pool_of()
    expected = expect(pool, lines_per_hour(pool) // 2)

    assert expected is not None
    assert ShiftReason.LATER == expected.reason
    assert [("CA-ON", FIRST_HOUR + 2, 1.0, 10.0, "forecast")] == [
        (hour.zone, hour.hour, hour.part, hour.g_per_kwh, hour.signal) for hour in expected.hours
    ]
    assert NOON + 2 * HOUR_S == expected.starts_at
    assert expected.starts_at < expected.ends_at <= NOON + 3 * HOUR_S
    assert 9.0 == pytest.approx(expected.at_once_ug / expected.planned_ug)
    assert expected.at_once_uwh == pytest.approx(expected.planned_uwh)


def test_work_of_the_present_hour_ends_after_now() -> None:
    """Eleven minutes after the hour, the work that begins now does not end before now."""
    pool = pool_of()
    pool.now += 660.0
    expected = expect(pool, 1, hours=0.5)

    assert expected is not None
    assert pool.now == expected.starts_at < expected.ends_at


def test_a_large_batch_takes_the_greenest_hours_in_their_order() -> None:
    """Two and a half hours of work take the hours of 10 and 40, and half of that of 50 g/kWh; at
    once they would take the first two and a half."""
    pool = pool_of()
    per_hour = lines_per_hour(pool)
    expected = expect(pool, 5 * per_hour // 2)

    assert expected is not None
    assert [(1, 0.4), (2, 0.4), (3, 0.2)] == [
        (hour.hour - FIRST_HOUR, round(hour.part, 2)) for hour in expected.hours
    ]
    assert (10 + 40 + 25) / (90 + 40 + 5) == pytest.approx(
        expected.planned_ug / expected.at_once_ug, rel=0.01
    )


def test_a_batch_that_needs_every_hour_runs_at_once() -> None:
    """What the hours before the deadline cannot hold does not wait, and saves nothing."""
    pool = pool_of()
    expected = expect(pool, 9 * lines_per_hour(pool))

    assert expected is not None
    assert ShiftReason.SHORT == expected.reason
    assert pool.now == expected.starts_at
    assert expected.planned_ug == expected.at_once_ug
    assert 1.0 == pytest.approx(sum(hour.part for hour in expected.hours))


def test_other_work_takes_its_part_of_the_green_hours() -> None:
    """Beside another batch that fills the greenest hour, half of this one runs in the next."""
    pool = pool_of()
    per_hour = lines_per_hour(pool)
    alone = expect(pool, per_hour)
    other = facts("batch-2", job_class=JobClass.BATCH, deadline_at=pool.now + 7 * HOUR_S)
    pool.tell(events.BatchStated, other, per_hour)
    beside = expect(pool, per_hour)
    pool.tell(
        events.BatchStated,
        facts("batch-1", job_class=JobClass.BATCH, deadline_at=pool.now + 8 * HOUR_S),
        per_hour,
    )

    assert alone is not None
    assert beside is not None
    assert [FIRST_HOUR + 2] == [hour.hour for hour in alone.hours]
    assert [(FIRST_HOUR + 1, 0.5), (FIRST_HOUR + 2, 0.5)] == [
        (hour.hour, round(hour.part, 2)) for hour in beside.hours
    ]
    assert beside == expect(pool, per_hour), "what was stated of the batch itself counts once"


def test_at_once_the_greenest_machines_come_first() -> None:
    """Few lines run where the present intensity is lowest; more run everywhere.

    One slot of each node is kept for other work."""
    pool = pool_of(
        card("n1", zone="CA-ON", replicas=(replica(slots=3),)),
        card("n2", zone="CA-QC", replicas=(replica(slots=3),)),
    )
    few, many = expect(pool, 2), expect(pool, 4)

    assert few is not None
    assert many is not None
    assert few.at_once_ug / few.at_once_uwh == pytest.approx(1.3 / 1_000)
    assert many.at_once_ug / many.at_once_uwh == pytest.approx((90.0 + 1.3) / 2 / 1_000)


def test_without_a_machine_nothing_is_expected() -> None:
    """No node can run the lines, so nobody can say when they will run."""
    pool = pool_of()

    assert expect(pool, 5, model="inconnu") is None
    assert expect(pool, 0) is None


def test_without_a_signal_the_batch_runs_at_once() -> None:
    """A pool that knows no later hour does not wait, and says why."""
    pool = pool_of(card("n1", zone="CA-MB", replicas=(replica(slots=1),)))
    expected = expect(pool, 5)

    assert expected is not None
    assert ShiftReason.UNKNOWN == expected.reason
    assert 760.0 == expected.hours[0].g_per_kwh


def test_a_query_changes_nothing() -> None:
    """The state after a question is the state before."""
    pool = pool_of()
    before = pool.core.snapshot()
    expect(pool, 100)

    assert before == pool.core.snapshot()
