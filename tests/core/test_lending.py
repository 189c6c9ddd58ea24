"""Lending by energy: what a co-op lends in a day is promised at placement, settled at the end."""

from tests.core import invariants
from tests.core.builders import START, Pool, card, of, policy, rates, replica

from entraide.types import Basis, JobKind, Power
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Lend, Period
from entraide_scheduler.core.policy.policy import Limits

WH = 1_000_000
DAY_S = 86_400.0


def terms(lent_wh: int) -> tuple[CoopTerms, CoopTerms]:
    """A co-op that lends so many watt-hours a day, and one that has no nodes."""
    return CoopTerms("alpha", lend=Lend(energy_wh_per_day=lent_wh)), CoopTerms("beta")


def lending(lent_wh: int, *, explained_nodes: int = 64, nodes: int = 1) -> Pool:
    """A pool whose only machines are those of a co-op that lends so many watt-hours a day."""
    pool = Pool(*terms(lent_wh), limits=Limits(explained_nodes=explained_nodes))
    pool.tell(events.PeriodBegan, Period.DAY, START + DAY_S)
    pool.join(*(card(f"n{number}") for number in range(nodes)))
    return pool


def left_uwh(pool: Pool) -> int | None:
    return pool.core._state.quotas.lent.left_uwh.get("alpha")


def used_by_others_uwh(pool: Pool) -> int:
    """What the books say that alpha's nodes used for others."""
    return sum(
        settled.settlement.energy_uwh
        for settled in of(pool.asked, commands.Settle)
        if settled.terms.lender == "alpha" and settled.terms.borrower != "alpha"
    )


def run(pool: Pool, job: str, coop: str = "beta", *, energy_uwh: int | None = None) -> bool:
    """Asks for a job; runs it where it is placed, as predicted; tells whether it was."""
    for place in of(pool.ask(job, coop, kind=JobKind.KEPT), commands.Place):
        lease = pool.core._state.leases[job]
        energy_uwh = lease.expected.energy_uwh if energy_uwh is None else energy_uwh
        pool.accept(place)
        pool.report(place, energy_prefill_uwh=0, energy_decode_uwh=energy_uwh)
        return True
    return False


def test_a_day_of_jobs_uses_no_more_than_is_lent() -> None:
    """400 jobs of others, each as long as predicted, stay within one watt-hour; the owner's run."""
    pool = lending(1)
    placed = [run(pool, f"j{number}") for number in range(400)]
    own = [run(pool, f"own{number}", "alpha") for number in range(5)]

    assert 0 < used_by_others_uwh(pool) <= WH
    assert placed[0]
    assert not placed[-1]
    assert all(own)
    invariants.check(pool)


def test_jobs_that_run_at_once_are_promised_together() -> None:
    """What runs and has not reported counts as predicted: no burst goes beyond the limit."""
    pool = lending(1, nodes=40)
    for number in range(120):
        pool.ask(f"j{number}", "beta", kind=JobKind.KEPT)
    promised = [lease.expected.energy_uwh for lease in pool.core._state.leases.values()]

    assert 0 < sum(promised) <= WH
    assert left_uwh(pool) == WH - sum(promised)
    assert len(promised) < 120


def test_the_same_as_columns() -> None:
    """Where very many nodes serve a model the limit holds as well, and counts all it excludes."""
    few, many = lending(1, nodes=20), lending(1, nodes=20, explained_nodes=3)
    for pool in (few, many):
        for number in range(100):
            run(pool, f"j{number}")
    last_few = few.core.explain("j99", few.now)
    last_many = many.core.explain("j99", many.now)

    assert [place.node for place in few.places()] == [place.node for place in many.places()]
    assert last_few is not None
    assert last_many is not None
    assert last_few.excluded_counts == last_many.excluded_counts == {"lend_energy_spent": 20}
    assert (last_few.reason, last_many.reason) == ("lend_energy", "lend_energy")


def test_the_reason_tells_the_numbers() -> None:
    """A node that would go beyond what is lent says whose limit, how much, what is left."""
    pool = lending(1)
    while run(pool, f"j{len(pool.asked)}"):
        pass
    waits = next(iter(pool.core._state.jobs))
    explanation = pool.core.explain(waits, pool.now)
    assert explanation is not None
    (excluded,) = explanation.excluded

    assert excluded.rule == "lend_energy_spent"
    assert excluded.waiting_helps
    assert excluded.values["coop"] == "alpha"
    assert excluded.values["limit_wh"] == 1
    assert 0.0 <= float(excluded.values["left_wh"]) < float(excluded.values["needed_wh"])


def test_what_was_not_used_is_lent_again() -> None:
    """A run that used less than was promised, or nothing, gives the rest back; jobs go on."""
    pool = lending(1)
    first, *_ = of(pool.ask("j0", "beta", kind=JobKind.KEPT), commands.Place)
    promised_uwh = pool.core._state.leases["j0"].expected.energy_uwh
    before = left_uwh(pool)
    pool.report(first, energy_prefill_uwh=0, energy_decode_uwh=10)
    second, *_ = of(pool.ask("j1", "beta"), commands.Place)
    pool.decline(second, "engine_refused")

    assert before == WH - promised_uwh
    assert left_uwh(pool) == WH - 10


def test_what_waits_for_lent_energy_goes_on_when_some_comes_back() -> None:
    """Another node of the same co-op takes the job that waited: the limit is the co-op's."""
    pool = lending(1, nodes=30)
    while of(pool.ask(f"j{len(pool.asked)}", "beta", kind=JobKind.KEPT), commands.Place):
        pass
    (waits,) = [job for job in pool.core._state.jobs if job not in pool.core._state.leases]
    first = pool.places()[0]
    asked = pool.report(first, energy_prefill_uwh=0, energy_decode_uwh=1)

    assert waits in [place.job for place in of(asked, commands.Place)]


def test_a_node_that_is_new_lends_no_more_than_the_others() -> None:
    """A machine that joins when all is lent, or comes back, takes its own co-op's work only."""
    pool = lending(1)
    run(pool, "j0", energy_uwh=2 * WH)
    pool.join(card("n9"))
    new = run(pool, "j1")
    pool.tell(events.NodeLeft, "n9", "goodbye")
    pool.join(card("n9"))
    back = run(pool, "j2")
    own = run(pool, "j3", "alpha")

    assert (new, back, own) == (False, False, True)


def test_a_node_that_left_on_a_spent_day_lends_again_on_the_next() -> None:
    """What was lent is the co-op's, of the day: nothing of it stays with a node that was away."""
    pool = lending(1)
    run(pool, "j0", energy_uwh=2 * WH)
    pool.tell(events.NodeLeft, "n0", "goodbye")
    pool.now = START + DAY_S
    pool.tell(events.PeriodBegan, Period.DAY, pool.now + DAY_S)
    pool.join(card("n0"))

    assert run(pool, "j1")


def test_a_promise_of_yesterday_is_settled_against_yesterday() -> None:
    """A run over midnight takes nothing of the new day, and gives nothing back to it."""
    pool = lending(1)
    (place,) = of(pool.ask("j0", "beta", kind=JobKind.KEPT), commands.Place)
    pool.accept(place)
    pool.now += 1.0
    pool.tell(events.PeriodBegan, Period.DAY, pool.now + DAY_S)
    (today,) = of(pool.ask("j1", "beta", kind=JobKind.KEPT), commands.Place)
    promised_uwh = pool.core._state.leases["j1"].expected.energy_uwh
    pool.report(place, energy_prefill_uwh=0, energy_decode_uwh=5 * WH)

    assert left_uwh(pool) == WH - promised_uwh

    pool.tell(events.PeriodBegan, Period.DAY, pool.now + 2 * DAY_S)
    pool.decline(today, "full")

    assert left_uwh(pool) is not None
    assert left_uwh(pool) <= WH  # type: ignore[operator]


def test_what_waits_for_lent_energy_goes_on_at_midnight() -> None:
    """A day begins: what waited because all was lent is placed at once."""
    pool = lending(1)
    run(pool, "j0", energy_uwh=2 * WH)
    waits = run(pool, "j1")
    pool.now += 1.0
    asked = pool.tell(events.PeriodBegan, Period.DAY, pool.now + DAY_S)

    assert not waits
    assert [place.job for place in of(asked, commands.Place)] == ["j1"]


def test_a_limit_of_nothing_lends_nothing() -> None:
    """Not even to a job that a machine without known power is predicted to run for nothing."""
    pool = lending(0, nodes=0)
    idle = Power("none", 10.0, 10.0, Basis.DEFAULT)
    pool.join(card("n0", power=idle, replicas=(replica(rates=rates()),)))

    assert not run(pool, "j0")
    assert run(pool, "j1", "alpha")


def test_a_limit_agreed_today_counts_what_was_lent_today() -> None:
    """Members who lower what they lend do not begin at nothing; who lift it free what waits."""
    pool = lending(1_000)
    run(pool, "j0", energy_uwh=2 * WH)
    pool.tell(events.PolicyChanged, policy(*terms(2)))
    spent = run(pool, "j1")
    asked = pool.tell(events.PolicyChanged, policy(CoopTerms("alpha"), CoopTerms("beta")))

    assert not spent
    assert [place.job for place in of(asked, commands.Place)] == ["j1"]


def test_promises_go_on_in_a_restored_core() -> None:
    """What runs, what was lent today and which day it is come back with a snapshot."""
    pool = lending(1)
    (place,) = of(pool.ask("j0", "beta", kind=JobKind.KEPT), commands.Place)
    pool.core = Core.restore(pool.core.snapshot())
    pool.report(place, energy_prefill_uwh=0, energy_decode_uwh=10)

    assert left_uwh(pool) == WH - 10
