"""Driver: runs one core in real time, and writes what it was told.

Input: events. Output: commands carried out, and the journal.

``live_driver`` orders events and deadlines, by ``clock``; ``feeder`` feeds them and recovers from
errors, with ``checkpoint`` and ``event_backoff``; ``executor`` carries out commands, with
``placements``. ``journal`` writes events, ``export`` copies them to a file. ``term`` takes and
keeps the scheduler's term. ``health`` has incidents, ``event_observer`` notes what is soon over,
``quotas_left`` has what is left to a sender.
"""

from entraide_scheduler.driver.clock import Clock, ClockState, compare_clock
from entraide_scheduler.driver.executor import (
    CORRECTED,
    FALSE_ALARM,
    PLACED,
    PROMISE,
    SETTLED,
    Outbound,
)
from entraide_scheduler.driver.export import write_recording
from entraide_scheduler.driver.health import Health, Incident
from entraide_scheduler.driver.journal import DriverSnapshot, RecoveredState, recover
from entraide_scheduler.driver.live_driver import LiveDriver
from entraide_scheduler.driver.term import (
    SCHEDULER_LOCK,
    SchedulerElsewhere,
    find_holder,
    hold_term,
)

__all__ = [
    "CORRECTED",
    "FALSE_ALARM",
    "PLACED",
    "PROMISE",
    "SCHEDULER_LOCK",
    "SETTLED",
    "Clock",
    "ClockState",
    "DriverSnapshot",
    "Health",
    "Incident",
    "LiveDriver",
    "Outbound",
    "RecoveredState",
    "SchedulerElsewhere",
    "compare_clock",
    "find_holder",
    "hold_term",
    "recover",
    "write_recording",
]
