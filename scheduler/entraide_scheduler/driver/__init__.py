"""Driver: runs one core in real time, and writes what it was told.

Input: events. Output: commands carried out, and the journal.

``live_driver`` orders events and deadlines, by ``clock``; ``feeder`` feeds them and recovers from
errors, with ``checkpoint`` and ``event_backoff``; ``executor`` carries out commands. ``journal``
writes events, ``export`` copies them to a file. ``health`` has incidents, ``quotas_left`` what is
left to a sender.
"""

from entraide_scheduler.driver.clock import Clock
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
from entraide_scheduler.driver.journal import RecoveredState, recover
from entraide_scheduler.driver.live_driver import LiveDriver

__all__ = [
    "CORRECTED",
    "FALSE_ALARM",
    "PLACED",
    "PROMISE",
    "SETTLED",
    "Clock",
    "Health",
    "Incident",
    "LiveDriver",
    "Outbound",
    "RecoveredState",
    "recover",
    "write_recording",
]
