"""Process supervision: the transition table of an engine's process, and its restart back-off.

Input: events of the process (started, ready, late, hung, gone) and stop requests. Output: the next
state and the action on the process (kill, terminate), or none. The shell runs a process in the
state STARTING and waits for the back-off in the state RESTING; each wait ends with an event.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from entraide.state_machine import StateMachine
from entraide_node.core.backoff import doubling_backoff_s

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 60.0
START_TRIES_MAX = 5  # of an engine that is killed each time before it serves
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
    """What the shell must do to the process."""

    KILL = "kill"
    TERMINATE = "terminate"


S, E = ProcessState, ProcessEvent

PROCESS = StateMachine(
    "process",
    {
        (S.STOPPED, E.START): S.STARTING,
        (S.STOPPED, E.STOP): S.STOPPED,
        (S.STARTING, E.UP): S.READY,
        (S.STARTING, E.LATE): S.ENDING,
        (S.STARTING, E.GONE): S.RESTING,
        (S.STARTING, E.STOP): S.STOPPING,
        (S.READY, E.HUNG): S.ENDING,
        (S.READY, E.GONE): S.RESTING,
        (S.READY, E.STOP): S.STOPPING,
        (S.ENDING, E.HUNG): S.ENDING,
        (S.ENDING, E.GONE): S.RESTING,
        (S.ENDING, E.STOP): S.STOPPING,
        (S.RESTING, E.HUNG): S.RESTING,
        (S.RESTING, E.RESTED): S.STARTING,
        (S.RESTING, E.STOP): S.STOPPED,
        (S.STOPPING, E.HUNG): S.STOPPING,
        (S.STOPPING, E.LATE): S.STOPPING,
        (S.STOPPING, E.GONE): S.STOPPED,
        (S.STOPPING, E.STOP): S.STOPPING,
    },
    starts=(S.STOPPED,),
)

# The action of a transition; no action for any other.
ACTIONS: Mapping[tuple[ProcessState, ProcessEvent], ProcessAction] = MappingProxyType(
    {
        (S.STARTING, E.LATE): ProcessAction.KILL,
        (S.STARTING, E.STOP): ProcessAction.TERMINATE,
        (S.READY, E.HUNG): ProcessAction.KILL,
        (S.READY, E.STOP): ProcessAction.TERMINATE,
        (S.ENDING, E.STOP): ProcessAction.TERMINATE,
        (S.STOPPING, E.LATE): ProcessAction.KILL,
    }
)


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


def apply_process_event(
    supervision: Supervision, event: ProcessEvent, *, at: float, subject: str
) -> tuple[Supervision, ProcessAction | None]:
    """Returns the next state, and the action if there is one.

    Args:
        supervision: the current state.
        event: of the process.
        at: time of the event, in seconds on a monotonic clock.
        subject: name of the process, for the error.

    Raises:
        IllegalTransition: the table has no transition for it.
    """
    before = supervision.state
    state = PROCESS.step(before, event, subject=subject, story=supervision.story)
    failures, ready_at = supervision.failures, supervision.ready_at
    if event is E.GONE and state is S.RESTING:
        was_steady = ready_at is not None and at - ready_at >= STABLE_S
        failures = 1 if was_steady else failures + 1
    updated = replace(
        supervision,
        state=state,
        failures=failures,
        ready_at=at if event is E.UP else ready_at,
        story=(*supervision.story, f"{at:.3f} {before} {event} {state}")[-HISTORY_STEPS_MAX:],
    )
    return updated, ACTIONS.get((before, event))


def restart_backoff_s(failures: int) -> float:
    """Returns the wait after consecutive failures: it doubles, up to one minute.

    >>> [restart_backoff_s(n) for n in (1, 2, 3, 100)]
    [0.5, 1.0, 2.0, 60.0]
    """
    return doubling_backoff_s(failures, first_s=BACKOFF_FIRST_S, max_s=BACKOFF_MAX_S)
