"""Owners who come back: what they end is nobody's failure."""

import pytest
from tests.core.builders import Pool, card, kinds, of, replica

from entraide.types import Lending, Outcome
from entraide_scheduler.core.commands import EndJob, Place
from entraide_scheduler.core.events import NodeChanged, NodeJoined
from entraide_scheduler.core.leases.run_events import UNCOUNTED_ENDS_MAX
from entraide_scheduler.core.policy.policy import Limits

OWN_ONLY, OWN_FIRST = Lending.OWN_ONLY, Lending.OWN_FIRST


@pytest.fixture
def pair() -> Pool:
    """Two nodes, and a policy that allows two attempts."""
    pool = Pool(limits=Limits(attempts=2))
    pool.join(card("a"), card("b"))
    return pool


def test_a_job_given_back_again_and_again_is_placed_each_time(pair: Pool) -> None:
    """Runs that owners end do not count as attempts, and the other node goes first."""
    (place,) = of(pair.ask("j1"), Place)
    went = [place.node]
    for _ in range(6):
        again = pair.report(place, Outcome.FAILED, code="owner_terms", output_tokens=3)
        (place,) = of(again, Place)
        went.append(place.node)
    last = pair.report(place)

    assert {"a", "b"} == set(went)
    assert went[0] != went[1]
    assert kinds(last) == ["Settle", "EndJob", "AckUsage"]


def test_a_node_that_never_stops_giving_back_is_not_asked_for_ever(pair: Pool) -> None:
    """Beyond a great many such ends each one counts."""
    (place,) = of(pair.ask("j1"), Place)
    ends: list[EndJob] = []
    for _ in range(UNCOUNTED_ENDS_MAX + 4):
        asked = pair.report(place, Outcome.FAILED, code="owner_terms")
        ends = of(asked, EndJob)
        if ends:
            break
        (place,) = of(asked, Place)

    assert ["too_many_attempts"] == [end.code for end in ends]


def test_a_stream_that_had_begun_ends_with_the_owners_code(pair: Pool) -> None:
    """What a client has seen a part of cannot begin anew: it is told why, and may try again."""
    (place,) = of(pair.ask("j1", stream=True), Place)
    pair.accept(place)
    pair.progress(place, 5)
    asked = pair.report(place, Outcome.FAILED, code="owner_terms", delivered=True)
    (end,) = of(asked, EndJob)

    assert "owner_terms" == end.code


def test_an_answer_that_is_not_streamed_begins_anew(pair: Pool) -> None:
    """A client that waits for the whole answer sees nothing of it."""
    (place,) = of(pair.ask("j1", stream=False), Place)
    pair.accept(place)
    pair.progress(place, 5)
    asked = pair.report(place, Outcome.FAILED, code="owner_terms", delivered=True)

    assert [] == of(asked, EndJob)
    assert 1 == len(of(asked, Place))


def test_a_node_whose_owner_is_back_may_go_on_for_its_own_co_op() -> None:
    """The others' jobs wait, and are told why; its own are placed; then all are again."""
    pool = Pool()
    pool.tell(NodeJoined, card("a"), True, "", OWN_ONLY)
    foreign = pool.ask("j1", "beta")
    own = pool.ask("j2", "alpha")
    excluded = pool.core.explain("j1", pool.now).excluded
    later = pool.tell(NodeChanged, "a", True, "", None, Lending.ALL)

    assert [] == of(foreign, Place)
    assert ["own_only"] == [exclusion.rule for exclusion in excluded]
    assert ["j2"] == [place.job for place in of(own, Place)]
    assert ["j1"] == [place.job for place in of(later, Place)]


def test_a_node_may_keep_a_slot_for_its_own_co_op() -> None:
    """The others never hold the last slot, unless there is but one."""
    pool = Pool()
    pool.tell(NodeJoined, card("a", replicas=(replica(slots=2),)), True, "", OWN_FIRST)
    first, second = pool.ask("j1", "beta"), pool.ask("j2", "beta")
    own = pool.ask("j3", "alpha")
    single = Pool()
    single.tell(NodeJoined, card("a", replicas=(replica(slots=1),)), True, "", OWN_FIRST)

    assert [1, 0, 1] == [len(of(asked, Place)) for asked in (first, second, own)]
    assert 1 == len(of(single.ask("j1", "beta"), Place))


def test_a_run_that_came_too_late_for_its_owner_goes_elsewhere(pair: Pool) -> None:
    """A node may decline another co-op's run as its owner comes back."""
    (place,) = of(pair.ask("j1", "beta"), Place)
    (again,) = of(pair.decline(place, "own_only"), Place)

    assert {"a", "b"} == {place.node, again.node}


def test_what_was_learned_of_a_machine_outlives_its_owners_cap(pair: Pool) -> None:
    """A replica with fewer slots for a while is the same one, and as fast as before."""
    (place,) = of(pair.ask("j1"), Place)
    pair.accept(place)
    pair.report(place, ttft_s=5.0, run_s=40.0)
    load = pair.core._state.fleet.nodes[place.node].loads["petit"]
    learned = load.pace
    pair.join(card(place.node, replicas=(replica(slots=1),)))

    assert learned is pair.core._state.fleet.nodes[place.node].loads["petit"].pace
    assert 1 == learned.slots
