"""Overview: what members see of the pool, as counts, and why a co-op has its weight."""

import pytest
from tests.core.builders import START, Pool, card, facts, replica
from tests.core.test_carbon_shifting import HOUR_S, batch, make_known, ontario, solar_surplus

from entraide.types import Basis, JobClass, JobKind
from entraide_scheduler.core import events
from entraide_scheduler.core.policy import CoopTerms, Deferral, Evidence

HOURS = (90.0, 40.0, 10.0, 50.0, 60.0, 70.0, 90.0, 90.0, 90.0)  # g/kWh from noon on


def green_pool() -> Pool:
    """A pool in Ontario with one slot, where the third hour is by far the greenest."""
    pool = ontario(*HOURS, deferral=Deferral(worth=0.0, margin=0.0, slots_part=1.0))
    pool.join(card("n1", zone="CA-ON", replicas=(replica(slots=1),)))
    make_known(pool)
    return pool


def state_batch(pool: Pool, lines: int, name: str = "batch-1") -> None:
    values = {"job_class": JobClass.BATCH, "kind": JobKind.KEPT, "jurisdiction": ""}
    pool.tell(events.BatchStated, facts(name, deadline_at=pool.now + 8 * HOUR_S, **values), lines)


def test_work_that_waits_for_a_greener_hour_stands_in_it() -> None:
    """Two deferred jobs and ten lines are expected in the greenest hour, and counted once each."""
    pool = green_pool()
    assert [] == batch(pool, "job-1", hours=8.0) + batch(pool, "job-2", hours=8.0)
    state_batch(pool, 10)
    work = pool.core.planned_work(pool.now)

    assert [("CA-ON", int(pool.now // HOUR_S) + 2, 2, 10)] == [
        (each.zone, each.hour, each.jobs, each.lines) for each in work
    ]
    assert [("greener_later", JobClass.BATCH, 2)] == [
        (each.reason, each.job_class, each.jobs) for each in pool.core.count_waiting(pool.now)
    ]


def test_parts_of_a_large_batch_sum_to_its_lines() -> None:
    """A batch that needs several hours is divided into whole lines, of which none is lost."""
    pool = green_pool()
    per_hour = int(HOUR_S / pool.core._state.length_predictor.run_s("petit"))
    lines = 5 * per_hour // 2 + 1
    state_batch(pool, lines)
    work = pool.core.planned_work(pool.now)

    assert len(work) > 1
    assert lines == sum(each.lines for each in work)


def test_work_beyond_the_maximum_is_counted_without_hours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hours of few batches are computed; the lines of the others are counted together."""
    monkeypatch.setattr("entraide_scheduler.core.overview.PLANS_EXAMINED_MAX", 1)
    pool = green_pool()
    for name in ("batch-1", "batch-2", "batch-3"):
        state_batch(pool, 10, name)
    work = pool.core.planned_work(pool.now)

    assert [("", 0, 20), ("CA-ON", int(pool.now // HOUR_S) + 2, 10)] == [
        (each.zone, each.hour, each.lines) for each in work
    ]


def test_waits_beyond_the_maximum_are_counted_without_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Few queues of equal jobs are examined for their reason."""
    monkeypatch.setattr("entraide_scheduler.core.overview.WAITS_EXAMINED_MAX", 1)
    pool = Pool("alpha", "beta")
    pool.join(card("n1", replicas=(replica(slots=1),)))
    for name, coop in (("a1", "alpha"), ("a2", "alpha"), ("a3", "alpha"), ("b1", "beta")):
        pool.ask(name, coop)
    counts = {each.reason: each.jobs for each in pool.core.count_waiting(pool.now)}

    assert 3 == sum(counts.values())
    assert 1 == counts["unexamined"]


def test_surplus_says_what_counts_and_how_it_is_known() -> None:
    """The reported and the counted surplus differ by the policy's trust; a meter is evidence."""
    pool = Pool("alpha", evidence=Evidence(undocumented_part=0.5))
    pool.join(card("n1", energy=solar_surplus(300.0)), card("n2"))
    shown, without = pool.core.machines(START)

    assert shown.surplus is not None
    assert (300.0, 150.0) == (shown.surplus.reported_w, shown.surplus.counted_w)
    assert (Basis.MEASURED, "") == (shown.surplus.basis, shown.surplus.evidence)
    assert without.surplus is None


def test_machine_that_left_is_not_shown() -> None:
    """Only nodes that have not left stand in the overview."""
    pool = Pool("alpha")
    pool.join(card("n1"), card("n2"))
    pool.tell(events.NodeLeft, "n1", "goodbye")

    assert ["n2"] == [machine.node.card.node for machine in pool.core.machines(pool.now)]


def test_weight_of_a_coop_is_its_shares_and_its_credit() -> None:
    """What a co-op's node did for another raises its weight; the weight in force is the same."""
    pool = Pool(CoopTerms("alpha"), CoopTerms("beta", shares=2.0))
    pool.join(card("n1", coop="beta"))
    pool.ask("job-1", "alpha")
    place = pool.places()[-1]
    pool.accept(place)
    pool.report(place)
    view = pool.core.coop("beta", pool.now)

    assert view is not None
    share = view.fair_share
    assert share.credit > 0.0
    assert share.gift_tokens / share.terms.full_tokens * share.terms.most == pytest.approx(
        share.credit
    )
    assert share.weight == pytest.approx(2.0 * (1.0 + share.credit))
    assert pool.core._state.counters.coops["beta"].weight == pytest.approx(share.weight)
    assert view.balance["tokens"] > 0
    assert pool.core.coop("gamma", pool.now) is None
