"""Green hours in a pool: which node a deferred job may start on, and what it leaves to others."""

from tests.core.builders import START, Pool, card, of, replica

from entraide.types import Basis, EnergyStatus, JobClass, JobKind, Power
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.policy import CoopTerms, Deferral, Limits, Timing

HOUR_S = 3_600.0
PATIENT = Timing(4_000.0, 8_000.0, 4_000.0, 4_000.0)
NOON = (START // HOUR_S + 1) * HOUR_S


def ontario(now_g: float, *later_g: float, **terms) -> Pool:
    """A pool at the beginning of an hour that knows what Ontario's next hours will be."""
    values = {"timing": PATIENT, "deferral": Deferral(worth=0.0, margin=0.0), **terms}
    pool = Pool(CoopTerms("alpha"), CoopTerms("beta"), **values)
    pool.now = NOON
    pool.tell(events.IntensityChanged, "CA-ON", now_g, now_g, "measured", NOON + HOUR_S)
    pool.tell(events.ForecastIssued, "CA-ON", NOON, NOON, (now_g, *later_g))
    return pool


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


def sun(surplus_w: float) -> EnergyStatus:
    return EnergyStatus(surplus_w, Basis.MEASURED, "meter", START, START + 1e6)


def watts(active_w: float) -> Power:
    return Power("bench", 10.0, 10.0 + active_w, Basis.DECLARED)


def test_a_site_is_priced_by_its_sun_for_this_job() -> None:
    """Two machines share a site's 150 W of sun: it covers the small one, and a part of the other's
    400 W. A job takes the small one, not the first by name, and the other waits for the evening."""
    pool = ontario(90.0, 10.0, 10.0, 10.0)
    one = {"zone": "CA-ON", "site": "farm", "energy": sun(150.0), "replicas": (replica(slots=1),)}
    pool.join(card("a-big", power=watts(400.0), **one), card("b-small", power=watts(100.0), **one))

    assert batch(pool, "j1") == ["b-small"]
    assert batch(pool, "j2") == []


def test_a_site_is_priced_by_what_is_left_of_its_sun() -> None:
    """What runs at a site draws its sun: a job that would get none any more waits."""
    pool = ontario(90.0, 10.0, 10.0, 10.0)
    one = {"zone": "CA-ON", "site": "farm", "energy": sun(120.0), "replicas": (replica(slots=1),)}
    pool.join(card("n1", power=watts(110.0), **one), card("n2", power=watts(110.0), **one))
    drawn = pool.ask("live", "alpha")

    assert [place.node for place in of(drawn, commands.Place)] == ["n1"]
    assert batch(pool, "j1") == []

    told = pool.core.explain("j1", pool.now)
    assert told is not None
    assert told.decision == "deferred"
    assert told.values["then_g_per_kwh"] == 10.0
    assert 80.0 < float(told.values["now_g_per_kwh"]) <= 90.0


def test_deferred_work_does_not_fill_the_line_of_live_requests() -> None:
    """A co-op whose batch jobs wait for the evening, as many as may wait, still gets its chat."""
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


def test_live_requests_do_not_fill_the_line_of_deferred_work() -> None:
    """The other way round as well: each has a line of its own, of the same length."""
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
