"""Wait limits: how long a job waits while no node would accept it, and what does not count."""

import pytest
from tests.core.builders import START, Pool, card, facts, loadable, of, placed, policy, replica

from entraide.types import JobClass, JobKind, Lending
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Lend, Period, Quota, QuotaKind

PAUSED = "paused"


def pause(pool: Pool, node: str = "n1") -> list[commands.Command]:
    return pool.tell(events.NodeChanged, node, False, PAUSED, None)


def resume(pool: Pool, node: str = "n1") -> list[commands.Command]:
    return pool.tell(events.NodeChanged, node, True, "", None)


def ends(pool: Pool) -> list[tuple[str, str, float]]:
    """Returns the jobs that ended: job, code, and seconds since ``START``."""
    at = {event.id: event.at - START for event in pool.events}
    return [(end.job, end.code, at[end.cause]) for end in of(pool.asked, commands.EndStalledJob)]


@pytest.fixture
def paused(pool: Pool) -> Pool:
    """A pool whose only node is paused by its owner."""
    pool.join(card("n1"))
    pause(pool)
    return pool


def test_a_live_job_that_no_node_would_accept_ends_after_a_minute(paused: Pool) -> None:
    """While its only node is paused, a live job waits 60 s, then ends with the reason."""
    paused.ask("j1")
    paused.wait(61.0, seen=("n1",))

    (end,) = of(paused.asked, commands.EndStalledJob)
    assert ("j1", "waited_too_long", 60.0) == ends(paused)[0]
    assert {"reason": "no_node_live", "waited_s": 60.0} == end.values
    assert (30.0, "waiting") == (end.retry_after_s, end.explanation.decision)


def test_the_explanation_of_a_job_that_waited_too_long_can_still_be_asked_for(
    paused: Pool,
) -> None:
    """After its end a job says which rule kept each node from it."""
    paused.ask("j1")
    paused.wait(61.0, seen=("n1",))

    why = paused.core.explain("j1", paused.now)
    assert [("n1", "not_accepting")] == [(each.node, each.rule) for each in why.excluded]


def test_the_time_counts_only_while_no_node_would_accept(paused: Pool) -> None:
    """A node that opens for a moment and fills up, or closes again, begins the time anew."""
    paused.join(card("n2", replicas=(replica(slots=1),)))
    place = placed(paused, "other")
    paused.accept(place)

    def run_on(seconds: int) -> None:
        for tokens in range(1, seconds + 1):
            paused.progress(place, tokens % 90)
            paused.wait(1.0, seen=("n1", "n2"))

    paused.ask("j1")
    run_on(100)
    assert ends(paused) == []  # n2 is full, and would take the job later

    pause(paused, "n2")
    run_on(40)
    resume(paused, "n2")
    pause(paused, "n2")
    run_on(59)
    assert ends(paused) == []

    run_on(1)
    assert [("j1", "waited_too_long", 200.0)] == ends(paused)


def test_a_job_starts_when_the_node_opens_in_time(paused: Pool) -> None:
    """A node that takes work again within the minute runs the job that waited for it."""
    paused.ask("j1")
    paused.wait(59.0, seen=("n1",))

    assert ["j1"] == [place.job for place in of(resume(paused), commands.Place)]
    paused.wait(5.0, seen=("n1",))
    assert all(code != "waited_too_long" for _, code, _ in ends(paused))


@pytest.mark.parametrize(
    ("changes", "ended_after_s"),
    [
        ({"max_wait_s": 5.0}, 5.0),
        ({"max_wait_s": 500.0}, 60.0),
        ({"job_class": JobClass.STANDARD}, 60.0),
        ({"job_class": JobClass.BATCH}, None),
        ({"job_class": JobClass.BATCH, "max_wait_s": 7.0}, 7.0),
        ({"kind": JobKind.KEPT}, None),
    ],
)
def test_a_request_may_ask_for_less_and_kept_or_batch_work_waits_on(
    paused: Pool, changes: dict[str, object], ended_after_s: float | None
) -> None:
    """The least limit of class and request holds; batch and kept jobs have none of a class."""
    paused.ask("j1", **changes)
    paused.wait(120.0, seen=("n1",))

    expected = [] if ended_after_s is None else [("j1", "waited_too_long", ended_after_s)]
    assert expected == ends(paused)


def test_a_job_waits_on_while_its_model_is_loaded(pool: Pool) -> None:
    """A model that loads is no reason to give up; a paused node that could load it is one."""
    pool.join(card("n1", replicas=(), loadable=(loadable(load_s=100.0),), models_bytes=1 << 40))
    pool.ask("j1")
    assert [load.model for load in of(pool.asked, commands.LoadModel)] == ["petit"]

    pool.wait(90.0, seen=("n1",))
    assert ends(pool) == []


def test_a_paused_node_that_could_load_the_model_counts_as_closed(pool: Pool) -> None:
    """Where the only node that could load the model is paused, the job ends after its minute."""
    pool.join(card("n1", replicas=(), loadable=(loadable(),), models_bytes=1 << 40))
    pause(pool)
    pool.ask("j1")
    pool.wait(61.0, seen=("n1",))

    assert [("j1", "waited_too_long", 60.0)] == ends(pool)


def test_a_node_that_serves_its_own_co_op_only_is_closed_to_the_others(pool: Pool) -> None:
    """For another co-op's job it is like a paused one; its own co-op's job runs."""
    pool.join(card("n1", coop="alpha"))
    pool.tell(events.NodeChanged, "n1", True, "", None, Lending.OWN_ONLY)
    pool.ask("theirs", "beta")
    assert ["own"] == [place.job for place in of(pool.ask("own", "alpha"), commands.Place)]
    pool.wait(61.0, seen=("n1",))

    assert [("theirs", "waited_too_long", 60.0)] == [
        end for end in ends(pool) if end[0] == "theirs"
    ]


def test_a_cap_that_no_machine_keeps_ends_the_wait(pool: Pool) -> None:
    """A job's own cap on grams that each idle machine exceeds counts as no machine that accepts."""
    pool.join(card("ab", zone="CA-AB"), card("on", zone="CA-ON"))
    pool.ask("capped", max_carbon_ug=1_500, max_wait_s=9.0)
    pool.wait(10.0, seen=("ab", "on"))

    (end,) = of(pool.asked, commands.EndStalledJob)
    assert [("capped", "waited_too_long", 9.0)] == ends(pool)
    assert {"reason": "carbon_cap", "waited_s": 9.0} == end.values
    assert {"over_carbon_cap"} == {each.rule for each in end.explanation.excluded}


def test_a_cap_beside_a_closed_machine_counts_and_beside_a_full_one_does_not(pool: Pool) -> None:
    """A full machine may keep the cap later: only what is open or closed counts."""
    pool.join(card("ab", zone="CA-AB"), card("qc", replicas=(replica(slots=1),)))
    (place,) = of(pool.ask("other"), commands.Place)
    assert "qc" == place.node
    pool.accept(place)
    pool.ask("capped", max_carbon_ug=100, max_wait_s=9.0)
    for tokens in range(1, 20):
        pool.progress(place, tokens)
        pool.wait(1.0, seen=("ab", "qc"))
    assert ends(pool) == []

    pause(pool, "qc")
    pool.ask("second", max_carbon_ug=100, max_wait_s=9.0)
    pool.wait(10.0, seen=("ab", "qc"))
    assert ("second", "waited_too_long") in [(job, code) for job, code, _ in ends(pool)]


def test_lent_energy_that_is_spent_ends_the_wait() -> None:
    """Where co-ops lend no more energy today, the others' live jobs end, with that reason."""
    pool = Pool(CoopTerms("alpha", lend=Lend(energy_wh_per_day=1)), "beta")
    names = tuple(f"n{number}" for number in range(30))
    pool.join(*(card(name, coop="alpha") for name in names))
    number = 0
    while places := of(pool.ask(f"b{number}", "beta", kind=JobKind.KEPT), commands.Place):
        pool.accept(places[0])
        number += 1
    pool.ask("theirs", "beta", max_wait_s=3.0)
    assert of(pool.ask("own", "alpha"), commands.Place)
    pool.wait(4.0, seen=names)

    (end,) = of(pool.asked, commands.EndStalledJob)
    assert ("theirs", "lend_energy") == (end.job, end.values["reason"])


def short_pool(
    period: Period, kind: QuotaKind = QuotaKind.ENERGY_WH, *, left: int = 10_000
) -> Pool:
    """A pool whose alpha has almost nothing left of a quota of 1 Wh or 1 g."""
    pool = Pool(CoopTerms("alpha", quotas=(Quota(kind, 1, period),)), "beta")
    pool.join(card("n1", zone="CA-AB", replicas=(replica(slots=1),)))
    pool.tell(events.PeriodBegan, period, START + 7_200.0)
    quotas, asked = pool.core._state.quotas, facts("used")
    quotas.settle("alpha", quotas.reserve_at_placement(asked, 0, 0), {kind: 1_000_000 - left})
    return pool


@pytest.mark.parametrize(
    ("period", "kind", "code"),
    [
        (Period.DAY, QuotaKind.ENERGY_WH, "quota_energy"),
        (Period.MONTH, QuotaKind.CARBON_G, "quota_carbon"),
        (Period.MINUTE, QuotaKind.ENERGY_WH, "rate_limit_exceeded"),
    ],
)
def test_a_quota_that_does_not_suffice_ends_the_wait(
    period: Period, kind: QuotaKind, code: str
) -> None:
    """A live job ends after its class's minute with the quota's code, and the period's end."""
    pool = short_pool(period, kind)
    pool.ask("short")
    pool.ask("kept", kind=JobKind.KEPT)
    pool.wait(61.0, seen=("n1",))

    (end,) = of(pool.asked, commands.EndStalledJob)
    assert [("short", code, 60.0)] == ends(pool)
    assert (1, 0.01, period, 60.0) == tuple(
        end.values[name] for name in ("limit", "left", "period", "waited_s")
    )
    assert 0.01 < end.values["needed"] < 1.0
    assert (7_140.0, "waiting") == (end.retry_after_s, end.explanation.decision)
    assert end.explanation.reason in ("quota_energy", "quota_carbon")


def test_a_quota_that_begins_anew_in_time_runs_the_job() -> None:
    """The next minute's quota is there before the longest wait is over."""
    pool = short_pool(Period.MINUTE)
    pool.ask("short")
    pool.wait(50.0, seen=("n1",))
    begun = pool.tell(events.PeriodBegan, Period.MINUTE, pool.now + 60.0)

    assert ["short"] == [place.job for place in of(begun, commands.Place)]
    pool.wait(20.0, seen=("n1",))
    assert ends(pool) == []


def test_a_quota_ends_the_wait_beside_a_full_machine_too() -> None:
    """Where the job would exceed its quota on a full machine as well, its end helps nothing."""
    pool = short_pool(Period.DAY)
    pool.ask("short")
    place = placed(pool, "theirs", "beta")
    pool.accept(place)
    for tokens in range(1, 62):
        pool.progress(place, tokens)
        pool.wait(1.0, seen=("n1",))

    (end,) = of(pool.asked, commands.EndStalledJob)
    assert [("short", "quota_energy", 60.0)] == ends(pool)
    assert "quota_energy" == end.explanation.reason


def test_a_job_that_waits_for_a_quota_is_told_when_its_period_ends() -> None:
    """The reason and the time until the quota begins anew reach the client that waits."""
    pool = short_pool(Period.DAY)
    pool.ask("short")
    ((view,), _) = pool.core.live_waits(pool.now, 0)

    assert ("quota_energy", True) == (view.reason, (view.retry_after_s or 0.0) >= 7_200.0)


def test_a_greener_grid_begins_the_time_of_a_cap_anew(pool: Pool) -> None:
    """A capped job that a machine takes in the end is not ended for what it waited before."""
    pool.join(card("ab", zone="CA-AB", replicas=(replica(slots=1),)))
    pool.tell(events.ForecastIssued, "CA-AB", START, START, (372.0, 2.0))
    pool.ask("capped", max_carbon_ug=2_000, max_wait_s=9.0)
    pool.wait(8.0, seen=("ab",))
    cleaner = pool.tell(events.IntensityChanged, "CA-AB", 2.0, 20.0, "measured", START + 1e6)
    (place,) = of(cleaner, commands.Place)
    pool.accept(place)
    pool.wait(5.0, seen=("ab",))
    assert all(code != "waited_too_long" for _, code, _ in ends(pool))


def test_a_restored_core_ends_the_same_jobs_at_the_same_time(paused: Pool) -> None:
    """A snapshot keeps since when a job is stalled."""
    paused.ask("j1")
    paused.wait(30.0, seen=("n1",))
    core = Core.restore(paused.core.snapshot())
    paused.core = core
    paused.wait(31.0, seen=("n1",))

    assert [("j1", "waited_too_long", 60.0)] == ends(paused)


def test_another_policy_moves_the_end_of_those_who_wait(paused: Pool) -> None:
    """A vote for a shorter limit holds for jobs that are stalled already."""
    classes = tuple(
        type(terms)(terms.job_class, terms.rank, max_wait_s=20.0) for terms in policy().classes
    )
    paused.ask("j1")
    paused.wait(10.0, seen=("n1",))
    paused.tell(events.PolicyChanged, policy(classes=classes))
    paused.wait(11.0, seen=("n1",))

    assert [("j1", "waited_too_long", 20.0)] == ends(paused)


def test_facts_have_no_limit_by_default() -> None:
    """Facts of an older gateway decode, and mean the class's limit."""
    assert facts("j1").max_wait_s is None


def test_each_waiting_live_job_has_a_reason_a_place_and_an_expected_start(pool: Pool) -> None:
    """Behind a full node the places count up, and the expected start with them."""
    pool.join(card("n1", replicas=(replica(slots=1),)))
    for number in range(4):
        pool.ask(f"j{number}")
    pool.ask("kept", kind=JobKind.KEPT)
    views, count = pool.core.live_waits(pool.now, 0)

    assert 3 == count
    assert [("j1", 1), ("j2", 2), ("j3", 3)] == [(view.job, view.position) for view in views]
    assert {"no_free_slot"} == {view.reason for view in views}
    expected_s = [view.retry_after_s or 0.0 for view in views]
    assert 0.0 < expected_s[0] < expected_s[1] < expected_s[2]


def test_nobody_knows_when_a_paused_node_opens(pool: Pool) -> None:
    """While the only node is paused, no time is promised; the next ones of many follow later."""
    pool.join(card("n1"))
    pool.tell(events.NodeChanged, "n1", False, "paused", None)
    for number in range(3):
        pool.ask(f"j{number}")
    views, _ = pool.core.live_waits(pool.now, 1)

    assert [("j1", "no_node_live", None), ("j2", "no_node_live", None)] == [
        (view.job, view.reason, view.retry_after_s) for view in views
    ]


def test_a_model_that_loads_gives_its_time_beside_the_line(pool: Pool) -> None:
    """The expected start is after the model is ready."""
    pool.join(card("n1", replicas=(), loadable=(loadable(load_s=40.0),), models_bytes=1 << 40))
    pool.ask("j1")
    ((view,), _) = pool.core.live_waits(pool.now, 0)

    assert ("model_loading", True) == (view.reason, (view.retry_after_s or 0.0) > 40.0)
