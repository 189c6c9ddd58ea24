"""Supervision of an engine's process, as a table.

It decides what follows when a supervised process starts, serves, hangs or dies, and how long to
wait before the next try. It knows neither processes nor clocks: the shell tells what happened and
does what the table says. The shell spawns, kills and waits; every wait it makes has an end that
comes back as an event.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from entraide_node.core.backoff import doubling_backoff_s

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 60.0
STABLE_S = 60.0  # a process that served this long has paid off its earlier failures
HISTORY_STEPS_MAX = 16


class ProcessState(StrEnum):
    """Where a supervised process stands."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    ENDING = "ending"  # killed, because it was late or hung; not gone yet
    RESTING = "resting"  # waits before the next try
    STOPPING = "stopping"  # asked to end, for good


class ProcessEvent(StrEnum):
    """What can happen to it."""

    START = "start"
    UP = "up"  # it says that it serves
    LATE = "late"  # it did not say so in time
    HUNG = "hung"  # it serves no more, though it is there
    GONE = "gone"  # the process is not there any more
    RESTED = "rested"
    STOP = "stop"


class ProcessAction(StrEnum):
    """What the shell then does."""

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
        state: where it stands.
        failures: ends in a row that nobody asked for.
        ready_at: when it last began to serve, on the shell's clock; None before.
        story: the last steps, for the one who must find out what happened.
    """

    state: ProcessState = ProcessState.STOPPED
    failures: int = 0
    ready_at: float | None = None
    story: tuple[str, ...] = ()


class IllegalProcessTransition(AssertionError):
    """An event that the table does not foresee in this state; nothing has changed."""

    def __init__(self, supervision: Supervision, event: ProcessEvent) -> None:
        story = " · ".join((*supervision.story, f"{supervision.state} ? {event}"))
        super().__init__(f"no step for {event} while {supervision.state}: {story}")
        self.supervision = supervision
        self.event = event


def apply_process_event(
    supervision: Supervision, event: ProcessEvent, *, at: float
) -> tuple[Supervision, ProcessAction]:
    """Returns the next state and what to do.

    Args:
        supervision: the state now.
        event: what happened.
        at: when, in seconds on a clock that only goes forward.

    Raises:
        IllegalStep: the table does not foresee it.
    """
    found = TRANSITIONS.get((supervision.state, event))
    if found is None:
        raise IllegalProcessTransition(supervision, event)
    state, action = found
    failures = supervision.failures
    if action is ProcessAction.REST:
        ready_at = supervision.ready_at
        was_steady = ready_at is not None and at - ready_at >= STABLE_S
        failures = 1 if was_steady else failures + 1
    told = f"{at:.3f} {supervision.state} {event} {state}"
    after = replace(
        supervision,
        state=state,
        failures=failures,
        ready_at=at if action is ProcessAction.SERVE else supervision.ready_at,
        story=(*supervision.story, told)[-HISTORY_STEPS_MAX:],
    )
    return after, action


def restart_backoff_s(failures: int) -> float:
    """Returns how long to wait after so many failures in a row: doubling, up to a minute.

    >>> [restart_backoff_s(n) for n in (1, 2, 3, 100)]
    [0.5, 1.0, 2.0, 60.0]
    """
    return doubling_backoff_s(failures, first_s=BACKOFF_FIRST_S, max_s=BACKOFF_MAX_S)
