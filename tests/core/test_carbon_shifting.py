"""Carbon shifting in a pool: where a deferred job may start, and what live requests keep."""

from tests.core.builders import START, Pool, card, of, replica

from entraide.types import Basis, EnergyStatus, JobClass, JobKind, Power
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.estimation import WEEK_HOURS
from entraide_scheduler.core.policy import Deferral, Period, Quota, QuotaKind, Timing
from entraide_scheduler.core.policy.policy import Limits

HOUR_S = 3_600.0
PATIENT = Timing(4_000.0, 8_000.0, 4_000.0, 4_000.0)
NOON = (START // HOUR_S + 1) * HOUR_S


def ontario(now_g: float, *later_g: float, **terms) -> Pool:
    """A pool at the beginning of an hour that knows what Ontario's next hours will be."""
    values = {"timing": PATIENT, "deferral": Deferral(worth=0.0, margin=0.0), **terms}
    pool = Pool("alpha", "beta", **values)
    pool.now = NOON
    pool.tell(events.IntensityChanged, "CA-ON", now_g, now_g, "measured", NOON + HOUR_S)
    pool.tell(events.ForecastIssued, "CA-ON", NOON, NOON, (now_g, *later_g))
    return pool


def make_known(pool: Pool) -> None:
    """Makes the pool's nodes ones that were there in each hour of the last weeks."""
    for node in pool.core._state.fleet.nodes.values():
        node.availability.hours = 5 * WEEK_HOURS


def batch(pool: Pool, job: str, *, hours: float = 6.0, **changes) -> list[str]:
    """Asks for a job that may wait so many hours; returns the nodes that jobs go to."""
    asked = pool.ask(
        job,
        job_class=JobClass.BATCH,
        kind=JobKind.KEPT,
        deadline_at=pool.now + hours * HOUR_S,
        **changes,
    )
    return [place.node for place in of(asked, commands.Place)]


def solar_surplus(surplus_w: float) -> EnergyStatus:
    return EnergyStatus(surplus_w, Basis.MEASURED, "meter", START, START + 1e6)


def watts(active_w: float) -> Power:
    return Power("bench", 10.0, 10.0 + active_w, Basis.DECLARED)


def test_a_site_surplus_counts_by_the_power_of_the_node() -> None:
    """A site's 150 W of surplus cover the 100 W node and a part of the 400 W node.

    The first job takes the 100 W node; the second waits for the evening."""
    pool = ontario(90.0, 10.0, 10.0, 10.0)
    site = {
        "zone": "CA-ON",
        "site": "farm",
        "energy": solar_surplus(150.0),
        "replicas": (replica(slots=1),),
    }
    pool.join(
        card("a-big", power=watts(400.0), **site), card("b-small", power=watts(100.0), **site)
    )

    assert batch(pool, "j1") == ["b-small"]
    assert batch(pool, "j2") == []


def test_a_surplus_in_use_does_not_count_again() -> None:
    """A job waits if the site's running jobs already use the surplus."""
    pool = ontario(90.0, 10.0, 10.0, 10.0)
    site = {
        "zone": "CA-ON",
        "site": "farm",
        "energy": solar_surplus(120.0),
        "replicas": (replica(slots=1),),
    }
    pool.join(card("n1", power=watts(110.0), **site), card("n2", power=watts(110.0), **site))
    drawn = pool.ask("live", "alpha")

    assert [place.node for place in of(drawn, commands.Place)] == ["n1"]
    assert batch(pool, "j1") == []

    explanation = pool.core.explain("j1", pool.now)
    assert explanation is not None
    assert explanation.decision == "deferred"
    assert explanation.values["then_g_per_kwh"] == 10.0
    assert 80.0 < float(explanation.values["now_g_per_kwh"]) <= 90.0


def test_deferred_work_does_not_fill_the_queue_of_live_requests() -> None:
    """A co-op's live request is placed while its deferred jobs fill their own queue limit."""
    pool = ontario(90.0, 10.0, 10.0, 10.0, 10.0, limits=Limits(queued_per_coop=5))
    pool.join(card("n1", zone="CA-ON"))
    for number in range(5):
        batch(pool, f"b{number}")
    live = pool.ask("live", "alpha")
    over = pool.ask(
        "b5", job_class=JobClass.BATCH, kind=JobKind.KEPT, deadline_at=pool.now + 6 * HOUR_S
    )

    assert pool.core.queue_lengths() == {"alpha": 5}
    assert [place.job for place in of(live, commands.Place)] == ["live"]
    assert [refuse.code for refuse in of(over, commands.Refuse)] == ["queue_full"]


def test_live_requests_do_not_fill_the_queue_of_deferred_work() -> None:
    """Live and deferred jobs have separate queue limits of the same length."""
    pool = ontario(90.0, 10.0, 10.0, 10.0, 10.0, limits=Limits(queued_per_coop=2))
    pool.join(card("n1", zone="CA-ON", replicas=(replica(slots=1),)))
    codes = [
        refuse.code
        for number in range(4)
        for refuse in of(pool.ask(f"j{number}", "alpha"), commands.Refuse)
    ]
    asked = pool.ask(
        "b0", job_class=JobClass.BATCH, kind=JobKind.KEPT, deadline_at=pool.now + 6 * HOUR_S
    )

    assert codes == ["queue_full"]
    assert of(asked, commands.Refuse) == []


def test_three_usual_runs_are_reserved_before_a_deadline() -> None:
    """A job starts at once where less than three runs would be left after the greener hour."""
    pool = ontario(90.0, 10.0, 10.0, 10.0, 10.0)
    pool.core._state.length_predictor.learn(
        "alpha", "petit", output_tokens=10, run_s=HOUR_S, input_tokens=100
    )
    pool.join(card("n1", zone="CA-ON"))
    make_known(pool)

    assert batch(pool, "soon", hours=4.9) == ["n1"]
    assert batch(pool, "late", hours=5.1) == []


def close(pool: Pool, node: str) -> tuple[list[commands.Command], list[commands.Command]]:
    """Has a node accept no more work; returns what follows at once, and within a second."""
    at_once = pool.tell(events.NodeChanged, node, False, "paused", None)
    pool.now += 1.0
    return at_once, pool.tell(events.Woke)


def test_a_deferred_job_is_tried_again_when_the_plan_loses_a_node() -> None:
    """The hours of a job are planned by the slots of the nodes that accept work: if the only node
    with a greener hour stops accepting, the job starts on the other one within a second."""
    for changes in ({}, {"max_carbon_ug": 10**9}):
        pool = ontario(90.0, 10.0, 10.0)
        pool.join(card("green", zone="CA-ON"), card("other", zone="CA-AB"))
        pool.tell(events.IntensityChanged, "CA-AB", 300.0, 300.0, "measured", NOON + HOUR_S)
        waits = batch(pool, "j1", **changes)
        at_once, soon = close(pool, "green")

        assert (waits, at_once) == ([], [])
        assert [place.node for place in of(soon, commands.Place)] == ["other"]


def test_a_blocked_job_is_tried_again_when_the_plan_loses_a_node() -> None:
    """The same for a job that its energy quota keeps from a third node, so that it is blocked."""
    quotas = (Quota(QuotaKind.ENERGY_WH, 1, Period.DAY),)
    pool = ontario(90.0, 10.0, 10.0, quotas={"alpha": quotas})
    pool.tell(events.IntensityChanged, "CA-AB", 300.0, 300.0, "measured", NOON + HOUR_S)
    large = {"power": watts(9_000.0), "energy": solar_surplus(1e6)}
    pool.join(card("green", zone="CA-ON"), card("other", zone="CA-AB"))
    pool.join(card("sunny", zone="CA-AB", site="farm", **large))
    waits = batch(pool, "j1")
    blocked = [job.facts.job for job in pool.core._state.blocked_jobs.jobs()]
    _, soon = close(pool, "green")

    assert (waits, blocked) == ([], ["j1"])
    assert [place.node for place in of(soon, commands.Place)] == ["other"]
