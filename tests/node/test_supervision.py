"""An engine's process is supervised by a table that leaves nothing open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import all_cases

from entraide.state_machine import IllegalTransition
from entraide_node.core.supervision import (
    BACKOFF_MAX_S,
    HISTORY_STEPS_MAX,
    PROCESS,
    STABLE_S,
    ProcessAction,
    ProcessEvent,
    ProcessState,
    Supervision,
    apply_process_event,
    restart_backoff_s,
)

S, E, A = ProcessState, ProcessEvent, ProcessAction

STORIES = {
    "it starts and serves": ([E.START, E.UP], S.READY, None),
    "it dies while it serves, and rests": ([E.START, E.UP, E.GONE], S.RESTING, None),
    "it comes back after its rest": (
        [E.START, E.UP, E.GONE, E.RESTED, E.UP], S.READY, None
    ),
    "it cannot start, and tries again": ([E.START, E.GONE, E.RESTED], S.STARTING, None),
    "it is late, and killed": ([E.START, E.LATE], S.ENDING, A.KILL),
    "it hangs, and is killed": ([E.START, E.UP, E.HUNG], S.ENDING, A.KILL),
    "it hangs, is killed, and comes back": (
        [E.START, E.UP, E.HUNG, E.GONE, E.RESTED, E.UP], S.READY, None
    ),
    "it is stopped while it serves": ([E.START, E.UP, E.STOP], S.STOPPING, A.TERMINATE),
    "it will not stop, and is killed": ([E.START, E.UP, E.STOP, E.LATE], S.STOPPING, A.KILL),
    "it is stopped without a restart": ([E.START, E.UP, E.STOP, E.GONE], S.STOPPED, None),
    "it is stopped while it starts": ([E.START, E.STOP, E.GONE], S.STOPPED, None),
    "it is stopped while it rests": ([E.START, E.GONE, E.STOP], S.STOPPED, None),
    "it is stopped while it is being killed": (
        [E.START, E.UP, E.HUNG, E.STOP, E.GONE], S.STOPPED, None
    ),
}  # fmt: skip


def live(events: list[E], *, at: list[float] | None = None) -> tuple[Supervision, A | None]:
    """The last state and action of a life; a second passes between two events unless told."""
    supervision, action = Supervision(), None
    for n, event in enumerate(events):
        supervision, action = apply_process_event(
            supervision, event, at=at[n] if at else float(n), subject="small"
        )
    return supervision, action


@all_cases(("events", "state", "action"), STORIES.values(), ids=STORIES)
def test_stories(events: list[E], state: S, action: A | None) -> None:
    """Each sequence of events ends in the state and with the action of the table."""
    supervision, last = live(events)

    assert (state, action) == (supervision.state, last)


@pytest.mark.parametrize("state", [s for s in S if s is not S.STOPPED])
def test_whatever_it_does_it_can_be_stopped(state: S) -> None:
    """In every state a stop is foreseen, and so is, where there is a process, its end."""
    has_process = state is not S.RESTING

    assert PROCESS.allows(state, E.STOP)
    assert has_process == PROCESS.allows(state, E.GONE)


def test_every_state_is_reached() -> None:
    """The table leads to every state."""
    assert set(S) == set(PROCESS.table.values())


@given(st.lists(st.sampled_from(list(E)), max_size=40))
def test_an_illegal_step_raises(events: list[E]) -> None:
    """An event without a transition raises an error with the history."""
    supervision = Supervision()
    for event in events:
        if PROCESS.allows(supervision.state, event):
            supervision, _ = apply_process_event(supervision, event, at=0.0, subject="small")
        else:
            with pytest.raises(
                IllegalTransition, match=f"small: no step '{event}' from '{supervision.state}'"
            ):
                apply_process_event(supervision, event, at=0.0, subject="small")

    assert len(supervision.story) <= HISTORY_STEPS_MAX


def test_failures_are_counted() -> None:
    """Consecutive failures are counted, and the back-off grows to one minute."""
    supervision, _ = live([E.START, *[E.GONE, E.RESTED] * 20])

    assert 20 == supervision.failures
    rests = [restart_backoff_s(n) for n in range(1, 21)]
    assert sorted(rests) == rests
    assert (0.5, BACKOFF_MAX_S) == (rests[0], rests[-1])


def test_a_long_service_pays_off_failures() -> None:
    """A process that served for a while starts again with the shortest back-off."""
    short = live([E.START, E.GONE, E.RESTED, E.UP, E.GONE], at=[0, 1, 2, 3, 3 + STABLE_S - 1])
    long = live([E.START, E.GONE, E.RESTED, E.UP, E.GONE], at=[0, 1, 2, 3, 3 + STABLE_S])

    assert (2, 1) == (short[0].failures, long[0].failures)
