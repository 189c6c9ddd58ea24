"""Meter health: whether a meter's reading is plausible, and how long a faulty meter is suspended.

Input: power readings, whether the machine was busy, and its idle power. Output: whether a reading
is accepted. One implausible reading is dropped; ``FAULTS_MAX`` consecutive ones suspend the meter,
first for one minute and twice as long each time, until ``GOOD_READINGS_TO_FORGIVE`` good readings
reset that. While a meter is suspended, the next best meter is used.
"""

import math

from msgspec import Struct

FAULTS_MAX = 3
SUSPENSION_MIN_S, SUSPENSION_MAX_S = 60.0, 3_600.0
LOAD_CHANGES_UNMOVED_MAX = 4  # changes between busy and idle that leave a reading exactly the same
UNNOTICED_MAX = 5  # consecutive busy readings that are not above idle power
GOOD_READINGS_TO_FORGIVE = 120  # consecutive good readings that reset the suspension time

# Why a reading is rejected; the message catalogue has the words under `meter-fault-CODE`.
NOT_A_NUMBER = "not_a_number"
NEGATIVE = "negative"
TOO_HIGH = "too_high"
NOTHING = "nothing"
UNMOVED = "unmoved"


class MeterHealth(Struct):
    """The health of one meter.

    Attributes:
        max_w: power that the machine cannot exceed.
        added_min_w: least power that jobs add to the idle power.
        fault: why the last reading was rejected, or "".
        suspended_until: end of its suspension, seconds; 0 while it is in use.
    """

    max_w: float
    added_min_w: float = 0.0
    fault: str = ""
    suspended_until: float = 0.0
    _faults: int = 0
    _suspensions: int = 0
    _good_readings: int = 0
    _last_w: float = math.nan
    _was_busy: bool = False
    _load_changes: int = 0
    _unnoticed: int = 0

    def is_usable(self, at: float) -> bool:
        """Whether the meter may be read now."""
        return at >= self.suspended_until

    def accept_reading(
        self, power_w: float, *, busy: bool, idle_w: float | None, at: float
    ) -> bool:
        """Checks a reading; returns whether it is accepted.

        Args:
            power_w: the reading, watts.
            busy: whether a job ran since the last reading.
            idle_w: the meter's idle power, if known.
            at: now, seconds.
        """
        fault = self._fault_of(power_w, busy=busy, idle_w=idle_w)
        if fault:
            self.add_fault(fault, at)
            return False
        self.fault, self._faults, self.suspended_until = "", 0, 0.0
        self._good_readings += 1
        if self._good_readings >= GOOD_READINGS_TO_FORGIVE:
            self._suspensions = 0
        return True

    def add_fault(self, fault: str, at: float) -> None:
        """Notes that the meter gave no reading, or a rejected one."""
        self.fault = fault
        self._good_readings = 0
        self._faults += 1
        if self._faults >= FAULTS_MAX:
            self.suspended_until = at + min(
                SUSPENSION_MAX_S, SUSPENSION_MIN_S * (1 << self._suspensions)
            )
            self._suspensions = min(self._suspensions + 1, 10)
            self._faults = self._load_changes = self._unnoticed = 0

    def _fault_of(self, power_w: float, *, busy: bool, idle_w: float | None) -> str:
        if not math.isfinite(power_w):
            return NOT_A_NUMBER
        if power_w < 0.0:
            return NEGATIVE
        if power_w > self.max_w:
            return TOO_HIGH
        if power_w != self._last_w:
            self._load_changes = 0
        elif busy is not self._was_busy:
            self._load_changes += 1
        self._last_w, self._was_busy = power_w, busy
        unnoticed = busy and power_w <= (idle_w or 0.0) + self.added_min_w
        self._unnoticed = self._unnoticed + 1 if unnoticed else 0
        if self._unnoticed >= UNNOTICED_MAX:
            return NOTHING
        return UNMOVED if self._load_changes >= LOAD_CHANGES_UNMOVED_MAX else ""


def power_limit_w(active_w: float) -> float:
    """Returns the power that a machine cannot exceed, from the active power of its catalogue entry.

    The limit is generous, because an entry describes one card and the machine may have eight. It
    detects a unit that is wrong by a factor of 1,000, and a counter that jumped.
    """
    return max(1_000.0, 12.0 * active_w)


def added_power_min_w(idle_w: float, active_w: float) -> float:
    """Returns the least power that jobs add: a twentieth of the catalogue's difference.

    A meter that shows less measures another machine, or a part that does not compute.
    """
    return 0.05 * max(0.0, active_w - idle_w)
