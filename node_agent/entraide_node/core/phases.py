"""Phases of the agent's life: serving, draining, leaving, gone, as one transition table.

Input: the phase and an event (a signal, the last run's end, a deadline). Output: the next phase.
The caller watches the clock and reports when the drain time is over.
"""

from enum import StrEnum


class Phase(StrEnum):
    """A phase of the agent's life."""

    SERVING = "serving"
    DRAINING = "draining"  # accepts no new run, finishes its runs
    LEAVING = "leaving"  # ends the remaining runs, sends its reports and the goodbye
    GONE = "gone"


class PhaseEvent(StrEnum):
    """An event that may change the phase."""

    ASKED = "asked"  # SIGTERM or SIGINT
    IDLE = "idle"  # no run is left
    TIME_UP = "time-up"  # the drain time is over
    ORPHANED = "orphaned"  # its parent process ended
    DONE = "done"  # the goodbye was sent


TRANSITIONS: dict[tuple[Phase, PhaseEvent], Phase] = {
    (Phase.SERVING, PhaseEvent.ASKED): Phase.DRAINING,
    (Phase.SERVING, PhaseEvent.ORPHANED): Phase.LEAVING,
    (Phase.DRAINING, PhaseEvent.ASKED): Phase.LEAVING,  # asked twice: leave at once
    (Phase.DRAINING, PhaseEvent.IDLE): Phase.LEAVING,
    (Phase.DRAINING, PhaseEvent.TIME_UP): Phase.LEAVING,
    (Phase.DRAINING, PhaseEvent.ORPHANED): Phase.LEAVING,
    (Phase.LEAVING, PhaseEvent.ASKED): Phase.GONE,  # asked again: leave without goodbye
    (Phase.LEAVING, PhaseEvent.DONE): Phase.GONE,
}


def next_phase(phase: Phase, event: PhaseEvent) -> Phase:
    """Returns the next phase; an event without a transition changes nothing.

    >>> next_phase(Phase.SERVING, PhaseEvent.IDLE)
    <Phase.SERVING: 'serving'>
    """
    return TRANSITIONS.get((phase, event), phase)
