"""Clock check: a system clock that is far from the pool's time, and what the operator decides.

Input: the system clock, and the time of the last event. Output: nothing that cannot be undone
before the operator has decided (ADR 0026).

``reading`` compares the two; ``decision`` has the file with the decision and its history; ``wait``
holds a start up, and ``wait_answers`` says why over HTTP; ``setting`` moves a recovered pool back
to the right time; ``watch`` does the same checks while the scheduler runs.
"""

from entraide_scheduler.clock_check.decision import (
    ClockFile,
    Setting,
    decide,
    read_clock_file,
)
from entraide_scheduler.clock_check.reading import ClockReading, read_clock
from entraide_scheduler.clock_check.setting import act_on_decision
from entraide_scheduler.clock_check.wait import describe, wait_until_decided
from entraide_scheduler.clock_check.watch import ClockWatch

__all__ = [
    "ClockFile",
    "ClockReading",
    "ClockWatch",
    "Setting",
    "act_on_decision",
    "decide",
    "describe",
    "read_clock",
    "read_clock_file",
    "wait_until_decided",
]
