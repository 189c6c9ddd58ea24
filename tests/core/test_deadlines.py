"""Deadlines: moved, cleared, and popped in order of time, kind and name."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from entraide_scheduler.core import events, machine
from entraide_scheduler.core.records import DeadlineKind
from entraide_scheduler.core.state.deadlines import Deadlines

NAMES = ("a", "b", "c")
LEASE, NODE = DeadlineKind.LEASE_EXPIRY, DeadlineKind.NODE_SILENCE


def drained(deadlines: Deadlines, now: float) -> list[tuple[DeadlineKind, str]]:
    drained_names = []
    while (due := deadlines.pop(now)) is not None:
        drained_names.append(due)
    return drained_names


def test_every_kind_has_a_handler() -> None:
    """The core has a handler for each kind of deadline and for each kind of event."""
    started = {events.SchedulerStarted}  # runs before the deadlines, not from the table

    assert set(DeadlineKind) == set(machine.DEADLINE_HANDLERS)
    assert set(get_args(events.Event)) == machine.HANDLERS.keys() | started


def test_kinds_have_the_values_of_old_snapshots() -> None:
    """Snapshots and journals hold these values, so that they never change."""
    values = "batch gone green job lease looks models node pause recalls rest resume surplus wait"

    assert values.split() == sorted(kind.value for kind in DeadlineKind)


def test_they_come_in_order_of_time_kind_and_name() -> None:
    """What is due first comes first; of what is due together, by kind and name."""
    deadlines = Deadlines()
    for kind, name, at in ((NODE, "b", 2.0), (LEASE, "z", 2.0), (NODE, "a", 1.0)):
        deadlines.set(kind, name, at)

    assert deadlines.next() == 1.0
    assert drained(deadlines, 2.0) == [(NODE, "a"), (LEASE, "z"), (NODE, "b")]
    assert deadlines.next() is None


def test_a_renewed_one_comes_at_its_new_time_only() -> None:
    """A deadline that was moved later is not due at its old time."""
    deadlines = Deadlines()
    deadlines.set(LEASE, "j", 1.0)
    deadlines.set(LEASE, "j", 5.0)

    assert drained(deadlines, 4.0) == []
    assert deadlines.next() == 5.0
    assert drained(deadlines, 5.0) == [(LEASE, "j")]


def test_one_that_is_set_no_later_is_never_put_off() -> None:
    """The earliest time set counts; after it was popped, a later one can be set."""
    deadlines = Deadlines()
    for at in (5.0, 7.0, 3.0, 4.0):
        deadlines.set_no_later(DeadlineKind.SKIPPED_SHAPES, "", at)
    first = deadlines.next()
    deadlines.pop(3.0)
    deadlines.set_no_later(DeadlineKind.SKIPPED_SHAPES, "", 7.0)

    assert first == 3.0
    assert deadlines.next() == 7.0


def test_a_cleared_one_never_comes() -> None:
    """What was cleared is neither next nor due."""
    deadlines = Deadlines()
    deadlines.set(LEASE, "j", 1.0)
    deadlines.clear(LEASE, "j")
    deadlines.clear(LEASE, "unknown")

    assert deadlines.next() is None
    assert drained(deadlines, 9.0) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("set", "clear", "pop")),
            st.sampled_from(NAMES),
            st.integers(0, 9),
        )
    )
)
def test_they_are_what_a_plain_table_would_be(steps: list[tuple[str, str, int]]) -> None:
    """After any steps, deadlines behave as a dictionary searched from end to end."""
    deadlines, plain = Deadlines(), {}
    for what, name, at in steps:
        if what == "set":
            deadlines.set(DeadlineKind.PAUSE_END, name, float(at))
            plain[name] = float(at)
        elif what == "clear":
            deadlines.clear(DeadlineKind.PAUSE_END, name)
            plain.pop(name, None)
        else:
            expected = min(((due, n) for n, due in plain.items() if due <= at), default=None)
            popped = deadlines.pop(float(at))
            assert popped == (None if expected is None else (DeadlineKind.PAUSE_END, expected[1]))
            if expected is not None:
                del plain[expected[1]]
        assert deadlines.next() == min(plain.values(), default=None)
