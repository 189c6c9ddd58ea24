"""Clock: the time of events, seconds since the epoch, monotonic and slewed rather than stepped.

If the system clock is set back, this clock runs at half speed until both agree. Deadlines then take
at most twice as long, and no event is older than the one before it.

If the process was suspended (a stopped virtual machine, a sleeping laptop), ``set_back`` moves the
clock back by that time and it catches up at 1.5 times its speed. The heartbeats that arrived
meanwhile are then read before the core's timeouts elapse.
"""

import time
from collections.abc import Callable


class Clock:
    """A clock that never decreases, except by ``set_back``."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        last: float = 0.0,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._last = last
        self._steady_at = steady()
        self._offset_s = 0.0

    def set_back(self, by_s: float) -> None:
        """Moves the clock back by time in which the process did not run.

        This is the only way in which the clock decreases: a caller that orders events by time must
        take the later of the event's time and the clock's.
        """
        self._steady_at = self._steady()
        self._offset_s += by_s
        self._last = min(self._last, self._wall() - self._offset_s)

    def __call__(self) -> float:
        """Returns the time now, seconds since the epoch."""
        mark = self._steady()
        half = (mark - self._steady_at) / 2
        self._offset_s = max(0.0, self._offset_s - half)
        self._last = max(self._wall() - self._offset_s, self._last + half)
        self._steady_at = mark
        return self._last
