"""Stated batches: lines that are still to come count in the plan, and in nothing else."""

import pytest
from tests.core.builders import Pool, card, facts, of, replica
from tests.core.test_carbon_shifting import HOUR_S, NOON, batch, make_known, ontario

from entraide.types import JobClass, JobKind
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.carbon import RunLengths
from entraide_scheduler.core.evaluation import stated_batches
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Deferral
from entraide_scheduler.core.records import SenderKind

HOURS = (90.0, 40.0, 10.0, 50.0, 60.0, 70.0)  # g/kWh from noon on


def one_slot() -> Pool:
    """A pool in Ontario with one slot for batch work; a run takes ten seconds."""
    pool = ontario(*HOURS, deferral=Deferral(worth=0.0, margin=0.0, slots_part=1.0))
    pool.join(card("n1", zone="CA-ON", replicas=(replica(slots=1),)))
    make_known(pool)
    return pool


def line_facts(pool: Pool, name: str = "batch-1", *, hours: float = 6.0, **changes):
    values = {"job_class": JobClass.BATCH, "kind": JobKind.KEPT, **changes}
    return facts(name, deadline_at=pool.now + hours * HOUR_S, **values)


def state_lines(pool: Pool, lines: int, name: str = "batch-1", **changes) -> list:
    """States what is left of a batch; returns the jobs that start because of it."""
    answers = pool.tell(events.BatchStated, line_facts(pool, name, **changes), lines)
    return [place.job for place in of(answers, commands.Place)]


def work_h(pool: Pool) -> float:
    """The hours of slot time in the backlog."""
    backlog = pool.core._state.shift_planner.backlog
    return sum(seconds for _, seconds in backlog.work("petit", RunLengths())) / 3_600.0


def test_lines_to_come_fill_the_greenest_hours() -> None:
    """A job that would wait for a greener hour starts now if a batch's lines need all hours."""
    pool = one_slot()
    per_hour = int(HOUR_S / pool.core._state.length_predictor.run_s("petit"))

    assert batch(pool, "b1") == []
    assert state_lines(pool, 2 * per_hour) == []
    assert state_lines(pool, 6 * per_hour) == ["b1"]


def test_lines_to_come_are_no_waiting_jobs() -> None:
    """They take no room in a queue, and are forgotten when the batch says so."""
    pool = one_slot()
    state_lines(pool, 50_000)
    backlog = pool.core._state.shift_planner.backlog

    assert pool.core.queue_lengths() == {}
    assert backlog.jobs("alpha") == 0
    assert work_h(pool) > 1.0

    state_lines(pool, 0)

    assert work_h(pool) == 0.0
    assert pool.core._state.batches == {}


def test_a_statement_replaces_the_last() -> None:
    """Stated again, a batch counts by its newest number of lines."""
    pool = one_slot()
    state_lines(pool, 300)
    more_h = work_h(pool)
    state_lines(pool, 100)

    assert work_h(pool) == pytest.approx(more_h / 3)


def test_a_batch_is_forgotten_at_its_deadline() -> None:
    """What nobody takes back ends with the deadline, so that an old batch plans nothing."""
    pool = one_slot()
    state_lines(pool, 300, hours=6.0)
    pool.now += 6 * HOUR_S + 1.0
    pool.tell(events.Woke)

    assert pool.core._state.batches == {}
    assert work_h(pool) == 0.0


def test_a_batch_survives_a_snapshot() -> None:
    """A restored core plans with the same work, and forgets it at the same time."""
    pool = one_slot()
    state_lines(pool, 300)
    restored = Core.restore(pool.core.snapshot())
    pool_h = work_h(pool)
    pool.core = restored

    assert work_h(pool) == pool_h
    assert restored.next_deadline() is not None

    pool.now += 6 * HOUR_S + 1.0
    pool.tell(events.Woke)

    assert restored._state.batches == {}


def test_the_batches_of_a_quarantined_key_are_forgotten() -> None:
    """A key in quarantine requests no more lines, so nobody plans with them."""
    pool = one_slot()
    state_lines(pool, 300)
    pool.tell(events.SenderQuarantined, SenderKind.KEY, "key-alpha", "engines_ended")

    assert pool.core._state.batches == {}


def test_the_number_of_batches_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit a statement is dropped and says so; the batches before it count on."""
    monkeypatch.setattr(stated_batches, "BATCHES_MAX", 2)
    pool = one_slot()
    for number in range(3):
        answers = pool.tell(events.BatchStated, line_facts(pool, f"batch-{number}"), 5)

    assert [dropped.what for dropped in of(answers, commands.Dropped)] == ["batches_full"]
    assert list(pool.core._state.batches) == ["batch-0", "batch-1"]


def test_a_deadline_later_than_the_promise_is_waited_for() -> None:
    """A batch that may take three days waits for the greenest hour of the three, and the line that
    starts in it is not at risk."""
    days = (*HOURS, *(90.0,) * 50, 5.0, *(90.0,) * 12)
    pool = ontario(*days)
    pool.join(card("n1", zone="CA-ON"))

    assert batch(pool, "b1", hours=68.0) == []

    pool.now = NOON + 56 * HOUR_S
    pool.tell(events.IntensityChanged, "CA-ON", 5.0, 5.0, "measured", pool.now + HOUR_S)
    (place,) = of(pool.tell(events.NodesSeen, ("n1",)), commands.Place)

    assert place.job == "b1"
    assert not place.terms.at_risk
