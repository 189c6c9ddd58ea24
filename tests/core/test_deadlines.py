"""Deadlines: moved, cleared, and popped in order of time, kind and name."""

from hypothesis import given
from hypothesis import strategies as st

from entraide_scheduler.core.state.deadlines import Deadlines

NAMES = ("a", "b", "c")


def drained(deadlines: Deadlines, now: float) -> list[tuple[str, str]]:
    drained_names = []
    while (due := deadlines.pop(now)) is not None:
        drained_names.append(due)
    return drained_names


def test_they_come_in_order_of_time_kind_and_name() -> None:
    """What is due first comes first; of what is due together, by kind and name."""
    deadlines = Deadlines()
    for kind, name, at in (("node", "b", 2.0), ("lease", "z", 2.0), ("node", "a", 1.0)):
        deadlines.set(kind, name, at)

    assert deadlines.next() == 1.0
    assert drained(deadlines, 2.0) == [("node", "a"), ("lease", "z"), ("node", "b")]
    assert deadlines.next() is None


def test_a_renewed_one_comes_at_its_new_time_only() -> None:
    """A deadline that was moved later is not due at its old time."""
    deadlines = Deadlines()
    deadlines.set("lease", "j", 1.0)
    deadlines.set("lease", "j", 5.0)

    assert drained(deadlines, 4.0) == []
    assert deadlines.next() == 5.0
    assert drained(deadlines, 5.0) == [("lease", "j")]


def test_one_that_is_set_no_later_is_never_put_off() -> None:
    """The earliest time set counts; after it was popped, a later one can be set."""
    deadlines = Deadlines()
    for at in (5.0, 7.0, 3.0, 4.0):
        deadlines.set_no_later("looks", "", at)
    first = deadlines.next()
    deadlines.pop(3.0)
    deadlines.set_no_later("looks", "", 7.0)

    assert first == 3.0
    assert deadlines.next() == 7.0


def test_a_cleared_one_never_comes() -> None:
    """What was cleared is neither next nor due."""
    deadlines = Deadlines()
    deadlines.set("lease", "j", 1.0)
    deadlines.clear("lease", "j")
    deadlines.clear("lease", "unknown")

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
            deadlines.set("k", name, float(at))
            plain[name] = float(at)
        elif what == "clear":
            deadlines.clear("k", name)
            plain.pop(name, None)
        else:
            expected = min(((due, n) for n, due in plain.items() if due <= at), default=None)
            popped = deadlines.pop(float(at))
            assert popped == (None if expected is None else ("k", expected[1]))
            if expected is not None:
                del plain[expected[1]]
        assert deadlines.next() == min(plain.values(), default=None)
