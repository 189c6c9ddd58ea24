"""The prefix index: what a node need not read is known by digests that the core never gets."""

from itertools import count
from typing import Any

import msgspec
import pytest
from tests.core.builders import Pool, card, facts, of, policy, usage

from entraide.types import Outcome, Usage, account_of
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.policy import PrefixTerms
from entraide_scheduler.core.prefix_index import (
    KEYS_PER_JOB_MAX,
    STATES_MAX,
    WARM_NODES_MAX,
    PrefixIndex,
)

DOCUMENT = tuple(range(1, 11))  # ten blocks of ten tokens


class IndexedPool(Pool):
    """A core whose driver has a prefix index."""

    def __init__(self, *coops: Any, **terms: Any) -> None:
        self.index = PrefixIndex()
        self.names = (f"j{number}" for number in count())
        super().__init__(*coops, **terms)

    def tell(self, kind: type, *values: Any, **named: Any) -> list[commands.Command]:
        """Feeds an event through the index."""
        asked: list[commands.Command] = []

        def prepared(number: int, at: float, *values: Any, **named: Any) -> events.Event:
            event = self.index.prepare(kind(number, at, *values, **named))
            self.prepared = event
            return event

        asked = super().tell(prepared, *values, **named)  # type: ignore[arg-type]
        self.index.observe(self.prepared, asked)
        return asked

    def run(self, *keys: int, at: str = "", cached: int = 0, **changes: Any) -> str:
        """Runs a job to its end, on one node if named, and returns its identifier."""
        job = next(self.names)
        asked = self.tell(
            events.JobRequested,
            facts(job, prefix_keys=keys, input_tokens_max=200, **changes),
        )
        (place,) = of(asked, commands.Place)
        assert not at or place.node == at
        outcome = changes.get("outcome", Outcome.COMPLETED)
        self.report(place, outcome, input_tokens=100, cached_tokens=cached)
        return job

    def warm(self, *keys: int, **changes: Any) -> dict[str, int] | None:
        """What a request with such a beginning finds, as the core gets it."""
        event = self.index.prepare(
            events.JobRequested(0, self.now, facts("asked", prefix_keys=keys, **changes))
        )
        assert isinstance(event, events.JobRequested)
        assert event.facts.prefix_keys == ()
        warm = event.facts.warm
        return None if warm is None else dict(warm)


@pytest.fixture
def pool() -> IndexedPool:
    """A pool of one node that reports what it holds."""
    pool = IndexedPool("alpha", "beta")
    pool.join(card("n1", "alpha"))
    pool.index.note_held("n1", ())
    return pool


def test_a_conversation_is_warm_where_it_ran(pool: IndexedPool) -> None:
    """A next turn need not read what the earlier one has read; one with another beginning must."""
    pool.run(*DOCUMENT)

    assert {"n1": 99} == pool.warm(*DOCUMENT)
    assert {"n1": 100} == pool.warm(*DOCUMENT, 11, 12, input_tokens_est=120, input_tokens_max=200)
    assert {"n1": 50} == pool.warm(1, 2, 3, 4, 5, 96, 97, 98, 99, 100)
    assert {} == pool.warm(2, 3)
    assert {} == pool.warm(*DOCUMENT, coop="beta")
    assert {} == pool.warm(*DOCUMENT, model="other")
    assert None is pool.warm()


def test_neither_event_nor_snapshot_has_a_digest(pool: IndexedPool) -> None:
    """What is journaled and what is kept are counts of tokens."""
    secret = 1_234_567_890_123_456
    pool.run(secret, secret + 1)
    pool.run(secret, secret + 1, cached=99)
    recorded = msgspec.msgpack.encode([pool.events, pool.asked, pool.core.snapshot()])

    assert [(), (("n1", 99),)] == [
        event.facts.warm for event in of(pool.events, events.JobRequested)
    ]
    assert msgspec.msgpack.encode(secret) not in recorded


def test_a_request_cannot_say_itself_where_it_is_warm(pool: IndexedPool) -> None:
    """Only the index fills the field, whatever a gateway writes."""
    pool.run(*DOCUMENT)

    assert None is pool.warm(warm=(("n1", 99),))
    assert {} == pool.warm(warm=())
    assert {"n1": 99} == pool.warm(*DOCUMENT, warm=(("n2", 10**9),))


def test_a_node_that_never_reports_holds_nothing() -> None:
    """Without a report, the end of a run says nothing of what is kept."""
    pool = IndexedPool("alpha")
    pool.join(card("n1"))
    pool.run(*DOCUMENT)
    before = pool.warm(*DOCUMENT)
    pool.index.note_held("n1", ("j0",))

    assert ({}, {"n1": 99}) == (before, pool.warm(*DOCUMENT))


@pytest.mark.parametrize("held", [(), ("another",), ("j1",)])
def test_a_node_holds_what_it_reports_and_no_more(pool: IndexedPool, held: tuple[str, ...]) -> None:
    """A report without a job's state ends it, also if a state of another job is named."""
    pool.run(*DOCUMENT)
    pool.index.note_held("n1", held)
    pool.index.note_held("n2", ("j0",))  # which it has not run

    assert {} == pool.warm(*DOCUMENT)


def test_a_node_that_did_not_reuse_what_it_holds_is_forgotten(pool: IndexedPool) -> None:
    """If none of the expected tokens was cached, its other states do not count either."""
    pool.run(*DOCUMENT)
    pool.run(7, 8, 9)
    pool.run(7, 8, 9, cached=0)

    assert ({}, {"n1": 99}) == (pool.warm(*DOCUMENT), pool.warm(7, 8, 9))


def test_a_hello_says_that_nothing_is_held_until_the_next_report(pool: IndexedPool) -> None:
    """What a node held before counts again once it names it."""
    pool.tell(events.NodeJoined, card("n1"), True, "", boot="first")
    pool.index.note_held("n1", ())
    job = pool.run(*DOCUMENT)
    pool.tell(events.NodeJoined, card("n1"), True, "", boot="first")
    before = pool.warm(*DOCUMENT)
    pool.index.note_held("n1", (job,))

    assert ({}, {"n1": 99}) == (before, pool.warm(*DOCUMENT))


def forget_by_time(pool: IndexedPool) -> None:
    pool.now += 901.0


def restart(pool: IndexedPool) -> None:
    pool.tell(events.NodeJoined, card("n1"), True, "", boot="another")


def leave(pool: IndexedPool) -> None:
    pool.tell(events.NodeLeft, "n1", "revoked")


def turn_off(pool: IndexedPool) -> None:
    pool.tell(events.PolicyChanged, policy("alpha", prefix=PrefixTerms(enabled=False)))


def end_access(pool: IndexedPool) -> None:
    pool.index.forget_account(account_of(facts("any").key))


@pytest.mark.parametrize("end", [forget_by_time, restart, leave, turn_off, end_access])
def test_what_a_node_holds_is_forgotten(pool: IndexedPool, end: Any) -> None:
    """After ``keep_s``, with its agent, node or sender, and when the members turn it off."""
    pool.tell(events.NodeJoined, card("n1"), True, "", boot="first")
    pool.index.note_held("n1", ())
    pool.run(*DOCUMENT)
    before = pool.warm(*DOCUMENT)
    end(pool)

    assert ({"n1": 99}, True) == (before, not pool.warm(*DOCUMENT))
    assert (pool.index._by_mark, pool.index._by_node, pool.index._held_keys) == ({}, {}, 0)


def test_only_the_sender_whose_access_has_ended_is_forgotten(pool: IndexedPool) -> None:
    """With all starts of a person, and with the jobs that have not ended; others stay warm."""
    ada, bo = (1, 2), (3, 4)
    pool.run(*ada, key="person-ada.1")
    pool.run(*bo, key="person-bo.1")
    (place,) = of(
        pool.tell(events.JobRequested, facts("open", prefix_keys=(5, 6), key="person-ada.2")),
        commands.Place,
    )
    pool.index.forget_account("person-ada")
    pool.report(place, Outcome.CANCELLED, input_tokens=100)

    assert ({}, {"n1": 99}, {}) == (pool.warm(*ada), pool.warm(*bo), pool.warm(5, 6))


def test_a_report_of_a_run_that_another_node_has_counts_for_nobody(pool: IndexedPool) -> None:
    """A node cannot gain a beginning by reporting another's run."""
    pool.index.note_held("n2", ())
    (place,) = of(pool.tell(events.JobRequested, facts("j1", prefix_keys=DOCUMENT)), commands.Place)
    false = events.RunReported(
        0, pool.now, "j1", place.epoch, "n2", Outcome.COMPLETED, "", False, usage()
    )
    pool.index.observe(false, [])

    assert {} == pool.warm(*DOCUMENT)


def test_the_index_is_bounded() -> None:
    """By digests of a prompt, states of a node, and nodes of a request."""
    index, names = PrefixIndex(), [f"n{number:02}" for number in range(WARM_NODES_MAX + 4)]
    for node in names:
        index.note_held(node, ())
        for number in range(STATES_MAX + 9):
            job, size = f"{node}-{number}", KEYS_PER_JOB_MAX + 9 if number == STATES_MAX else 9
            keys = (1, 2, *range(10 * number, 10 * number + size))
            asked = events.JobRequested(1, 0.0, facts(job, prefix_keys=keys))
            index.prepare(asked)
            place = commands.Place(1, job, 1, node, "gw", 9, None, None)  # type: ignore[arg-type]
            index.observe(asked, [place])
            done: Usage = usage(input_tokens=100, cached_tokens=9)
            index.observe(
                events.RunReported(1, 0.0, job, 1, node, Outcome.COMPLETED, "", False, done), []
            )
    asked_again = index.prepare(
        events.JobRequested(1, 0.0, facts("asked", prefix_keys=(1, 2, *range(640, 649))))
    )

    assert isinstance(asked_again, events.JobRequested)
    assert WARM_NODES_MAX == len(asked_again.facts.warm or ())
    assert {STATES_MAX} == {len(states) for states in index._by_node.values()}
    assert index._held_keys == sum(len(state.keys) for state in index._held)
    assert KEYS_PER_JOB_MAX >= max(len(state.keys) for state in index._held)
    assert ["asked"] == list(index._open)
