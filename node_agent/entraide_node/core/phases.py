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


class Sign(StrEnum):
    """What happens to it."""

    ASKED = "asked"  # SIGTERM or SIGINT
    IDLE = "idle"  # no run is left
    TIME_UP = "time-up"  # the drain took as long as it may
    ORPHANED = "orphaned"  # its parent is gone
    DONE = "done"  # goodbye was said


TABLE: dict[tuple[Phase, Sign], Phase] = {
    (Phase.SERVING, Sign.ASKED): Phase.DRAINING,
    (Phase.SERVING, Sign.ORPHANED): Phase.LEAVING,
    (Phase.DRAINING, Sign.ASKED): Phase.LEAVING,  # asked twice: at once
    (Phase.DRAINING, Sign.IDLE): Phase.LEAVING,
    (Phase.DRAINING, Sign.TIME_UP): Phase.LEAVING,
    (Phase.DRAINING, Sign.ORPHANED): Phase.LEAVING,
    (Phase.LEAVING, Sign.ASKED): Phase.GONE,  # asked again: without goodbye
    (Phase.LEAVING, Sign.DONE): Phase.GONE,
}


def after(phase: Phase, sign: Sign) -> Phase:
    """Returns the phase that follows; a sign without meaning in a phase changes nothing.

    >>> after(Phase.SERVING, Sign.IDLE)
    <Phase.SERVING: 'serving'>
    """
    return TABLE.get((phase, sign), phase)
