"""A higher demand in a replay: whole conversations once more, a little later."""

import msgspec
from tests.core.builders import facts

from entraide_sim.replay.grown_demand import SHIFT_MAX_S, grow_requests
from entraide_sim.workload import Request

CONVERSATIONS, TURNS = 200, 3
END_AT = 12_000.0


def recorded() -> list[Request]:
    """Two hundred conversations of three turns, whose prompts share their beginning."""
    requests = []
    for turn in range(TURNS):
        for number in range(CONVERSATIONS):
            at = 10_000.0 + turn * 100.0 + number * 0.1
            asked = msgspec.structs.replace(
                facts(f"j{number}-{turn}"), session=f"s{number}", prefix_keys=(7, 1_000 + number),
                deadline_at=at + 50.0, idempotency=f"i{number}-{turn}",
            )  # fmt: skip
            requests.append(Request(at, asked, 10, 10))
    return requests


def test_conversations_come_again_as_a_whole_and_later() -> None:
    """Half more: about half of the conversations, each with all its turns, in order of time."""
    before = recorded()
    grown = list(grow_requests(before, 0.5, end_at=END_AT))
    copies = [request for request in grown if "+" in request.facts.job]
    turns: dict[str, int] = {}
    for request in copies:
        turns[request.facts.session] = turns.get(request.facts.session, 0) + 1
    originals = {request.facts.job: request for request in before}
    shifts = {
        request.facts.session: request.at - originals[request.facts.job.partition("+")[0]].at
        for request in copies
    }

    assert before == [request for request in grown if "+" not in request.facts.job]
    assert sorted(request.at for request in grown) == [request.at for request in grown]
    assert {TURNS} == set(turns.values())
    assert 0.35 * CONVERSATIONS < len(turns) < 0.65 * CONVERSATIONS
    assert all(0.0 <= shift_s <= SHIFT_MAX_S for shift_s in shifts.values())
    assert all(request.at <= END_AT for request in copies if request.facts.job.count("-0+"))
    assert all(abs(r.facts.deadline_at - r.at - 50.0) < 1e-6 for r in copies if r.facts.deadline_at)
    assert {""} == {request.facts.idempotency for request in copies}


def test_copies_share_prompts_with_each_other_alone() -> None:
    """No copy profits from a recorded request's cache; two copies share what the recorded share."""
    grown = list(grow_requests(recorded(), 1.0, end_at=END_AT))
    keys = {request.facts.prefix_keys for request in grown if "+" not in request.facts.job}
    copied = {request.facts.prefix_keys for request in grown if "+" in request.facts.job}

    assert 2 * CONVERSATIONS * TURNS == len(grown)
    assert not {key for pair in keys for key in pair[:1]} & {pair[0] for pair in copied}
    assert 1 == len({pair[0] for pair in copied})


def test_the_same_demand_grows_in_the_same_way() -> None:
    """Draws are seeded, and several times as much is several copies of each."""
    once, again = (list(grow_requests(recorded(), 2.5, end_at=END_AT)) for _ in range(2))

    assert once == again
    assert 3.2 * CONVERSATIONS * TURNS < len(once) < 3.8 * CONVERSATIONS * TURNS
