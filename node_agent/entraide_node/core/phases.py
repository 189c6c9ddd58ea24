"""Phases of an agent's life: serving, draining, leaving, gone.

It decides what a signal, an idle moment or a deadline lead to, as one table. It reads no clock:
whoever watches the clock says when the drain's time is over.
"""

from enum import StrEnum


class Phase(StrEnum):
    """Where the agent is in its life."""

    SERVING = "serving"
    DRAINING = "draining"  # takes nothing new, finishes what it has
    LEAVING = "leaving"  # ends what is left, hands in its reports, says goodbye
    GONE = "gone"


class PhaseEvent(StrEnum):
    """What happens to it."""

    ASKED = "asked"  # SIGTERM or SIGINT
    IDLE = "idle"  # no run is left
    TIME_UP = "time-up"  # the drain took as long as it may
    ORPHANED = "orphaned"  # its parent is gone
    DONE = "done"  # goodbye was said


TRANSITIONS: dict[tuple[Phase, PhaseEvent], Phase] = {
    (Phase.SERVING, PhaseEvent.ASKED): Phase.DRAINING,
    (Phase.SERVING, PhaseEvent.ORPHANED): Phase.LEAVING,
    (Phase.DRAINING, PhaseEvent.ASKED): Phase.LEAVING,  # asked twice: at once
    (Phase.DRAINING, PhaseEvent.IDLE): Phase.LEAVING,
    (Phase.DRAINING, PhaseEvent.TIME_UP): Phase.LEAVING,
    (Phase.DRAINING, PhaseEvent.ORPHANED): Phase.LEAVING,
    (Phase.LEAVING, PhaseEvent.ASKED): Phase.GONE,  # asked again: without goodbye
    (Phase.LEAVING, PhaseEvent.DONE): Phase.GONE,
}


def next_phase(phase: Phase, sign: PhaseEvent) -> Phase:
    """Returns the phase that follows; a sign without meaning in a phase changes nothing.

    >>> next_phase(Phase.SERVING, PhaseEvent.IDLE)
    <Phase.SERVING: 'serving'>
    """
    return TRANSITIONS.get((phase, sign), phase)
