"""Trust: whether a meter's reading is believed, and for how long a meter that lies is left alone.

It decides from readings alone. One bad reading is dropped; ``FAULTS_MAX`` in a row put the meter
aside, at first for a minute, each time for twice as long until it has been good for a while, and
what comes next in line is asked. It does not know what kind of meter it is.
"""

import math

from msgspec import Struct

FAULTS_MAX = 3
SUSPENSION_MIN_S, SUSPENSION_MAX_S = 60.0, 3_600.0
LOAD_CHANGES_UNMOVED_MAX = (
    4  # begins and ends of work that leave a reading the same, to the last digit
)
UNNOTICED_MAX = 5  # readings that do not notice that the machine works
GOOD_READINGS_TO_FORGIVE = 120  # readings without a fault, for earlier ones to be forgotten

# Why a reading is not believed; the catalogue has the words under `meter-fault-CODE`.
SILENT = "silent"
NOT_A_NUMBER = "not_a_number"
NEGATIVE = "negative"
TOO_HIGH = "too_high"
NOTHING = "nothing"
UNMOVED = "unmoved"


class MeterHealth(Struct):
    """How far one meter is trusted.

    Attributes:
        ceiling_w: more than this the machine cannot draw.
        least_w: less than this work cannot add to the power at rest.
        fault: why the last reading was not believed, or "".
        aside_until: from when it is asked again, seconds; 0 while it is trusted.
    """

    max_w: float
    added_min_w: float = 0.0
    fault: str = ""
    suspended_until: float = 0.0
    _faults: int = 0
    _asides: int = 0
    _good: int = 0
    _last_w: float = math.nan
    _was_busy: bool = False
    _turns: int = 0
    _nothing: int = 0

    def is_usable(self, at: float) -> bool:
        """Whether it may be asked now."""
        return at >= self.suspended_until

    def accept_reading(
        self, power_w: float, *, busy: bool, rest_w: float | None, at: float
    ) -> bool:
        """Takes a reading, and says whether it is believed.

        Args:
            power_w: what the meter says, watts.
            busy: whether the machine worked meanwhile.
            rest_w: what it said at rest, if it was asked then.
            at: now, seconds.
        """
        fault = self._fault_of(power_w, busy=busy, rest_w=rest_w)
        if fault:
            self.add_fault(fault, at)
            return False
        self.fault, self._faults, self.suspended_until = "", 0, 0.0
        self._good += 1
        if self._good >= GOOD_READINGS_TO_FORGIVE:
            self._asides = 0
        return True

    def add_fault(self, fault: str, at: float) -> None:
        """It gave no reading, or none that is believed."""
        self.fault = fault
        self._good = 0
        self._faults += 1
        if self._faults >= FAULTS_MAX:
            self.suspended_until = at + min(
                SUSPENSION_MAX_S, SUSPENSION_MIN_S * (1 << self._asides)
            )
            self._asides = min(self._asides + 1, 10)
            self._faults = self._turns = self._nothing = 0

    def _fault_of(self, power_w: float, *, busy: bool, rest_w: float | None) -> str:
        if not math.isfinite(power_w):
            return NOT_A_NUMBER
        if power_w < 0.0:
            return NEGATIVE
        if power_w > self.max_w:
            return TOO_HIGH
        if power_w != self._last_w:
            self._turns = 0
        elif busy is not self._was_busy:
            self._turns += 1
        self._last_w, self._was_busy = power_w, busy
        unnoticed = busy and power_w <= (rest_w or 0.0) + self.added_min_w
        self._nothing = self._nothing + 1 if unnoticed else 0
        if self._nothing >= UNNOTICED_MAX:
            return NOTHING
        return UNMOVED if self._turns >= LOAD_CHANGES_UNMOVED_MAX else ""


def power_limit_w(active_w: float) -> float:
    """Returns what a machine cannot draw more than, from what its kind draws at work.

    Generous, since a catalogue's entry stands for one card where there may be eight: what it
    catches is a unit mistaken by a thousand and a counter that jumped.
    """
    return max(1_000.0, 12.0 * active_w)


def added_power_min_w(idle_w: float, active_w: float) -> float:
    """Returns what work adds at least, from what its kind adds: a twentieth.

    A meter that notices less measures another machine, or a part that does not do the work.
    """
    return 0.05 * max(0.0, active_w - idle_w)
