"""Phases of the agent's life: serving, draining, leaving, gone, as one transition table.

Input: the phase and an event (a signal, the last run's end, a deadline). Output: the next phase.
The caller watches the clock and reports when the drain time is over. A signal may come in any
phase, so the table has a row for each.
"""

from enum import StrEnum

from entraide.state_machine import StateMachine


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
    STOPPED = "stopped"  # the agent's tasks have ended, by the phase or by an error
    DONE = "done"  # the goodbye was sent


AGENT = StateMachine(
    "agent",
    {
        (Phase.SERVING, PhaseEvent.ASKED): Phase.DRAINING,
        (Phase.SERVING, PhaseEvent.ORPHANED): Phase.LEAVING,
        (Phase.SERVING, PhaseEvent.STOPPED): Phase.LEAVING,
        (Phase.DRAINING, PhaseEvent.ASKED): Phase.LEAVING,  # asked twice: leave at once
        (Phase.DRAINING, PhaseEvent.IDLE): Phase.LEAVING,
        (Phase.DRAINING, PhaseEvent.TIME_UP): Phase.LEAVING,
        (Phase.DRAINING, PhaseEvent.ORPHANED): Phase.LEAVING,
        (Phase.DRAINING, PhaseEvent.STOPPED): Phase.LEAVING,
        (Phase.LEAVING, PhaseEvent.ASKED): Phase.GONE,  # asked again: leave without goodbye
        (Phase.LEAVING, PhaseEvent.ORPHANED): Phase.LEAVING,
        (Phase.LEAVING, PhaseEvent.STOPPED): Phase.LEAVING,
        (Phase.LEAVING, PhaseEvent.DONE): Phase.GONE,
        (Phase.GONE, PhaseEvent.ASKED): Phase.GONE,
        (Phase.GONE, PhaseEvent.ORPHANED): Phase.GONE,
        (Phase.GONE, PhaseEvent.STOPPED): Phase.GONE,
        (Phase.GONE, PhaseEvent.DONE): Phase.GONE,
    },
    starts=(Phase.SERVING,),
)
