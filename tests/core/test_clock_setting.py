"""Clock setting: a core that has been 400 days ahead goes on at the right time."""

import msgspec
from tests.core.builders import Pool, card
from tests.core.recording import record

from entraide_scheduler.core.clock_setting import set_clock
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.snapshot import Snapshot

AHEAD_S = 400 * 86_400.0
HORIZON_S = 30 * 86_400.0  # no deadline of these worlds is further ahead


def set_back(pool: Pool, by_s: float) -> None:
    """Sets a pool's core and its clock back."""
    pool.now -= by_s
    pool.core = Core.restore(set_clock(pool.core.snapshot(), pool.now))


def numbers(value: object) -> list[float]:
    """All numbers with a fraction in a snapshot."""
    if isinstance(value, list):
        return [each for inner in value for each in numbers(inner)]
    if isinstance(value, dict):
        return [each for inner in value.values() for each in numbers(inner)]
    return [value] if isinstance(value, float) else []


def test_no_time_of_the_future_is_left() -> None:
    """In a world with all kinds of records, no number is a time of the 400 days any more."""
    world = record(11, 600)
    state = world.pool.core.snapshot()
    now = world.pool.now

    def times_near(data: bytes, at: float) -> int:
        plain = msgspec.msgpack.decode(data)
        return sum(at - HORIZON_S < each < at + HORIZON_S for each in numbers(plain))

    moved = set_clock(state, now - AHEAD_S)

    assert times_near(state, now) > 100
    # What is left is a document's date, and what explanations tell of then.
    empty = msgspec.msgpack.decode(Core().snapshot(), type=Snapshot)
    left = msgspec.msgpack.decode(moved, type=Snapshot)
    left = msgspec.structs.replace(left, catalogue=empty.catalogue)
    for job in (*left.jobs, *left.ended):
        if job.explanation is not None:
            empty_values = {"values": {}, "excluded": ()}
            job.explanation = msgspec.structs.replace(job.explanation, **empty_values)
    assert 0 == times_near(msgspec.msgpack.encode(left), now)
    assert now - AHEAD_S == left.now


def test_what_was_recorded_before_keeps_its_time(three: Pool) -> None:
    """Set back by two seconds, a core keeps the times of before, and how far deadlines are off."""
    joined_at = three.now
    three.now += 2.0
    three.ask("j1")
    due = three.core.next_deadline()
    set_back(three, 1.0)
    saved = msgspec.msgpack.decode(three.core.snapshot(), type=Snapshot)

    assert {joined_at} == {node.last_seen for node in saved.nodes.values()}
    assert (three.now, three.now) == (saved.now, saved.jobs[0].requested_at)
    assert due is not None
    assert due - 1.0 == three.core.next_deadline()


def test_the_pool_works_on_after_its_clock_was_set_back(three: Pool) -> None:
    """A job that waits is placed, one that runs settles, silence counts from the right time."""
    three.now += AHEAD_S
    three.join(card("qc-1", "alpha", "CA-QC"))  # lost to the silence of 400 days
    (run,) = [each for each in three.ask("j1") if type(each).__name__ == "Place"]
    three.accept(run)
    set_back(three, AHEAD_S)
    settled = {type(each).__name__ for each in three.report(run)}
    placed = {type(each).__name__ for each in three.ask("j2")}
    due = three.core.next_deadline()

    assert "Settle" in settled
    assert "Place" in placed
    assert due is not None
    assert three.now <= due < three.now + HORIZON_S
