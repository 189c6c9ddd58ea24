"""Process supervision: the transition table of an engine's process, and its restart back-off.

Input: events of the process (started, ready, late, hung, gone) and stop requests. Output: the next
state and the action for the shell (spawn, kill, terminate, wait). Each wait of the shell ends with
an event.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from entraide_node.core.backoff import doubling_backoff_s

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 60.0
STABLE_S = 60.0  # after serving for this long, earlier failures of a process no longer count
HISTORY_STEPS_MAX = 16


class ProcessState(StrEnum):
    """The state of a supervised process."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    ENDING = "ending"  # killed because it was late or hung; not gone yet
    RESTING = "resting"  # waits for its back-off
    STOPPING = "stopping"  # asked to end, without a restart


class ProcessEvent(StrEnum):
    """An event of a supervised process."""

    START = "start"
    UP = "up"  # it reported that it serves
    LATE = "late"  # it did not report in time
    HUNG = "hung"  # it exists but does not respond
    GONE = "gone"  # it ended
    RESTED = "rested"
    STOP = "stop"


class ProcessAction(StrEnum):
    """The action that the shell must take."""

    SPAWN = "spawn"
    SERVE = "serve"
    KILL = "kill"
    REST = "rest"
    TERMINATE = "terminate"
    NOTHING = "nothing"


S, E, A = ProcessState, ProcessEvent, ProcessAction

TRANSITIONS: dict[tuple[ProcessState, ProcessEvent], tuple[ProcessState, ProcessAction]] = {
    (S.STOPPED, E.START): (S.STARTING, A.SPAWN),
    (S.STOPPED, E.STOP): (S.STOPPED, A.NOTHING),
    (S.STARTING, E.UP): (S.READY, A.SERVE),
    (S.STARTING, E.LATE): (S.ENDING, A.KILL),
    (S.STARTING, E.GONE): (S.RESTING, A.REST),
    (S.STARTING, E.STOP): (S.STOPPING, A.TERMINATE),
    (S.READY, E.HUNG): (S.ENDING, A.KILL),
    (S.READY, E.GONE): (S.RESTING, A.REST),
    (S.READY, E.STOP): (S.STOPPING, A.TERMINATE),
    (S.ENDING, E.HUNG): (S.ENDING, A.NOTHING),
    (S.ENDING, E.GONE): (S.RESTING, A.REST),
    (S.ENDING, E.STOP): (S.STOPPING, A.TERMINATE),
    (S.RESTING, E.HUNG): (S.RESTING, A.NOTHING),
    (S.RESTING, E.RESTED): (S.STARTING, A.SPAWN),
    (S.RESTING, E.STOP): (S.STOPPED, A.NOTHING),
    (S.STOPPING, E.HUNG): (S.STOPPING, A.NOTHING),
    (S.STOPPING, E.LATE): (S.STOPPING, A.KILL),
    (S.STOPPING, E.GONE): (S.STOPPED, A.NOTHING),
    (S.STOPPING, E.STOP): (S.STOPPING, A.NOTHING),
}


class Supervision(Struct, frozen=True):
    """One supervised process.

    Attributes:
        state: its state.
        failures: number of consecutive unexpected ends.
        ready_at: when it last became ready, on the shell's clock; None before.
        story: its last transitions, for diagnosis.
    """

    state: ProcessState = ProcessState.STOPPED
    failures: int = 0
    ready_at: float | None = None
    story: tuple[str, ...] = ()


class IllegalProcessTransition(AssertionError):
    """An event without a transition in this state; the state has not changed."""

    def __init__(self, supervision: Supervision, event: ProcessEvent) -> None:
        story = " · ".join((*supervision.story, f"{supervision.state} ? {event}"))
        super().__init__(f"no step for {event} while {supervision.state}: {story}")
        self.supervision = supervision
        self.event = event


def apply_process_event(
    supervision: Supervision, event: ProcessEvent, *, at: float
) -> tuple[Supervision, ProcessAction]:
    """Returns the next state and the action.

    Args:
        supervision: the current state.
        event: of the process.
        at: time of the event, in seconds on a monotonic clock.

    Raises:
        IllegalProcessTransition: the table has no transition for it.
    """
    transition = TRANSITIONS.get((supervision.state, event))
    if transition is None:
        raise IllegalProcessTransition(supervision, event)
    state, action = transition
    failures = supervision.failures
    if action is ProcessAction.REST:
        ready_at = supervision.ready_at
        was_steady = ready_at is not None and at - ready_at >= STABLE_S
        failures = 1 if was_steady else failures + 1
    entry = f"{at:.3f} {supervision.state} {event} {state}"
    updated = replace(
        supervision,
        state=state,
        failures=failures,
        ready_at=at if action is ProcessAction.SERVE else supervision.ready_at,
        story=(*supervision.story, entry)[-HISTORY_STEPS_MAX:],
    )
    return updated, action


def restart_backoff_s(failures: int) -> float:
    """Returns the wait after consecutive failures: it doubles, up to one minute.

    >>> [restart_backoff_s(n) for n in (1, 2, 3, 100)]
    [0.5, 1.0, 2.0, 60.0]
    """
    return doubling_backoff_s(failures, first_s=BACKOFF_FIRST_S, max_s=BACKOFF_MAX_S)
