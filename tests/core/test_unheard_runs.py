"""Answers of runs that were lost before the core heard of them: the client may have a part."""

import pytest
from tests.core import invariants
from tests.core.builders import Pool, of, placed
from tests.core.test_resumption import LOSSES, OTHER, leave, node, resumed, settled

from entraide_scheduler.core import commands, events


@pytest.fixture
def two(pool: Pool) -> Pool:
    """A pool of two nodes of two co-ops with the same revision."""
    pool.join(node("n1", "beta"), node("n2", "gamma"))
    return pool


def cut_off(pool: Pool, place: commands.Place) -> None:
    pool.tell(events.NodeDisconnected, place.node)
    pool.wait(1.0, seen=("n2",) if place.node == "n1" else ("n1",))


def lost_without_acceptance(pool: Pool, place: commands.Place) -> None:
    pool.wait(5.0, seen=("n1", "n2"))


UNHEARD = {**LOSSES, "node_lost": cut_off, "no_answer": lost_without_acceptance}


@pytest.mark.parametrize("code", UNHEARD)
def test_an_answer_goes_on_whose_begin_the_pool_has_not_heard_of(two: Pool, code: str) -> None:
    """A node may send text before it reports the run: it is the gateway that knows what came."""
    first = placed(two, "j1", resumable=True, stream=True)
    UNHEARD[code](two, first)
    second = two.places()[-1]
    two.accept(second)
    resumed(two, second, (first, 3))
    two.report(second, input_tokens=122, output_tokens=20)
    runs = settled(two).runs

    assert second.node != first.node
    assert [(run.terms.node, run.usage.output_tokens) for run in runs] == [
        (first.node, 3),
        (second.node, 20),
    ]
    invariants.check(two)


def test_a_run_that_the_pool_has_not_heard_of_may_have_given_nothing(two: Pool) -> None:
    """If the client has nothing of it, it is in no bill, and the next run is the only one."""
    first = placed(two, "j1", resumable=True, stream=True)
    leave(two, first)
    second = two.places()[-1]
    two.accept(second)
    resumed(two, second, (first, 0))
    two.report(second)

    assert [] == of(two.asked, commands.SettleResumed)
    assert 1 == len(of(two.asked, commands.Settle))
    invariants.check(two)


def test_a_run_that_the_pool_has_not_heard_of_keeps_no_job_from_another_revision(
    pool: Pool,
) -> None:
    """Where no node has the same revision, its job runs from the beginning."""
    pool.join(node("n1", "beta"), node("n2", "gamma", OTHER))
    first = placed(pool, "j1", resumable=True, stream=True)
    leave(pool, first)

    assert first.node != pool.places()[-1].node
