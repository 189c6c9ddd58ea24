"""An answer that has begun keeps its turn when it moves to another machine."""

from tests.core import invariants
from tests.core.builders import Pool, card, of, place_in, placed, replica

from entraide.types import Outcome
from entraide_scheduler.core import commands, events

ABLE = ("resume",)


def cut_answer(pool: Pool, *, waiting_coop: str) -> commands.Place:
    """Cuts an answer whose machine leaves, while a job waits for the only other machine.

    Args:
        pool: without nodes.
        waiting_coop: of that job, which waits before the answer is cut.

    Returns:
        The run that takes the only slot.
    """
    pool.join(card("n1", "alpha", replicas=(replica(features=ABLE),)))
    cut = placed(pool, "begun", resumable=True, stream=True)
    pool.accept(cut)
    pool.join(card("n2", "beta", replicas=(replica(features=ABLE, slots=1),)))
    pool.tell(events.NodeChanged, "n1", False, "paused", None)
    other = placed(pool, "other")
    pool.accept(other)
    pool.ask("next", waiting_coop)
    pool.progress(cut, 50)
    pool.tell(events.NodeLeft, "n1", "revoked")
    return other


def test_it_goes_before_the_turns_of_all_coops(pool: Pool) -> None:
    """The first slot that can continue it is its own, also if another co-op's turn is next."""
    place = place_in(pool.report(cut_answer(pool, waiting_coop="gamma")))

    assert ("begun", "n2") == (place.job, place.node)


def test_the_coop_of_the_machine_goes_before_it(pool: Pool) -> None:
    """A machine serves the waiting jobs of its own co-op first; then it continues the answer."""
    place = place_in(pool.report(cut_answer(pool, waiting_coop="beta")))
    pool.accept(place)
    then = place_in(pool.report(place))

    assert ["next", "begun"] == [place.job, then.job]


def test_it_keeps_its_turn_when_the_scheduler_starts_again(pool: Pool) -> None:
    """The core that is restored knows of it by its deadline."""
    other = cut_answer(pool, waiting_coop="gamma")
    pool.core = type(pool.core).restore(pool.core.snapshot())

    assert "begun" == place_in(pool.report(other)).job


def test_it_waits_for_engines_that_are_started_again(pool: Pool) -> None:
    """Those of both machines have ended, one soon after the other: neither accepts work now."""
    for name, coop in (("n1", "beta"), ("n2", "gamma")):
        pool.join(card(name, coop, replicas=(replica(features=ABLE),)))
    first = placed(pool, "begun", resumable=True, stream=True)
    pool.accept(first)
    pool.progress(first, 30)
    for _ in range(2):
        place = pool.places()[-1]
        pool.tell(events.NodeChanged, place.node, False, "engine_down", None)
        pool.report(place, Outcome.FAILED, code="engine_failed", delivered=True, output_tokens=5)
    before = of(pool.asked, commands.EndJob)
    pool.wait(5.0, seen=("n1", "n2"))
    pool.tell(events.NodeChanged, first.node, True, "", None)
    pool.wait(5.0, seen=("n1", "n2"))

    assert [] == before
    assert 3 == len(pool.places())
    invariants.check(pool)
