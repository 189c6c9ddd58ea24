"""Clock: the time of events, seconds since the epoch, monotonic and slewed rather than stepped.

A system clock that jumps ahead is believed once it has been ahead for ``BELIEVED_AFTER_S``; until
then this clock goes on at its speed. A clock that is wrong for a moment therefore changes nothing,
and neither does a machine that slept, at first: its nodes are heard before their time is over.
A jump that ``is_far`` is believed only after ``accept``, which the operator decides.

If the system clock is set back, this clock runs at ``SLOW`` of its speed until both agree: no event
is older than the one before it, and deadlines take a tenth longer meanwhile. If it is back by more
than that, they would not agree soon: this clock goes on at its speed, and the operator
decides (ADR 0026).

If the process was suspended (a stopped virtual machine), ``set_back`` moves the clock back by that
time. The heartbeats that arrived meanwhile are then read before the core's timeouts elapse. The
clock catches up a tenth faster, so that no timeout is much shorter meanwhile: a machine that is
held up once is held up again. What lies more than ``CLOSE_S`` back it catches up at 1.5 times its
speed.
"""

import time
from collections.abc import Callable
from enum import StrEnum

from entraide_scheduler.store.trusted_time import is_far

JUMP_S = 5.0  # a difference from the steady clock that is no drift
BELIEVED_AFTER_S = 60.0
SLOW = 0.9
CLOSE_S = 30.0  # a time back by which it catches up slowly, in five minutes at most
CATCH_UP = 0.1  # of the time that passes, in addition to it, while it is that close
CATCH_UP_FAR = 0.5  # likewise, while it is further back


class ClockState(StrEnum):
    """Where the system clock is, compared with the pool's time."""

    RIGHT = "right"
    AHEAD = "ahead"
    BACK = "back"


def compare_clock(offset_s: float) -> ClockState:
    """Returns where a clock is that differs from the pool's time by some seconds."""
    if not is_far(offset_s):
        return ClockState.RIGHT
    return ClockState.AHEAD if offset_s > 0.0 else ClockState.BACK


class Clock:
    """A clock that never decreases, except by ``set_back``."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        last: float = 0.0,
        waits: bool = True,
    ) -> None:
        """Begins with the system clock's time, or with a later one.

        Args:
            wall: the system clock, seconds since the epoch.
            steady: seconds that nobody sets.
            last: time of the last event before; the clock is not earlier.
            waits: whether a system clock that is far waits for ``accept``.
        """
        self._wall = wall
        self._steady = steady
        self._last = last
        self._waits = waits
        self._steady_at = steady()
        self._offset_s = 0.0
        self._has_begun = False
        self._ahead_since: float | None = None  # on the steady clock

    def set_back(self, by_s: float) -> None:
        """Moves the clock back by time in which the process did not run.

        This is the only way in which the clock decreases: a caller that orders events by time must
        take the later of the event's time and the clock's.
        """
        self._steady_at = self._steady()
        self._offset_s += by_s
        self._last = min(self._last, self._wall() - self._offset_s)

    def accept(self) -> None:
        """Believes the system clock from now on, however far ahead it is."""
        self._has_begun = False

    @property
    def system_time(self) -> float:
        """The system clock, seconds since the epoch."""
        return self._wall()

    @property
    def state(self) -> ClockState:
        """Where the system clock is, compared with this one."""
        return compare_clock(self.offset_s) if self._waits else ClockState.RIGHT

    @property
    def offset_s(self) -> float:
        """How far the system clock is ahead of this clock, seconds; negative if it is behind."""
        now = self()
        return self._wall() - self._offset_s - now

    def __call__(self) -> float:
        """Returns the time now, seconds since the epoch."""
        mark = self._steady()
        passed_s = mark - self._steady_at
        self._steady_at = mark
        catch_up = CATCH_UP if self._offset_s <= CLOSE_S else CATCH_UP_FAR
        self._offset_s = max(0.0, self._offset_s - catch_up * passed_s)
        now = self._wall() - self._offset_s
        if self._is_doubtful(now, mark, passed_s):
            self._last += passed_s
        else:
            self._last = max(now, self._last + SLOW * passed_s)
        self._has_begun = True
        return self._last

    def _is_doubtful(self, now: float, mark: float, passed_s: float) -> bool:
        """Whether the system clock is far back, or has jumped ahead and not been there for long."""
        expected = self._last + (1.0 + CATCH_UP_FAR) * passed_s
        ahead_s = now - self._last - passed_s
        state = compare_clock(ahead_s) if self._waits else ClockState.RIGHT
        if not self._has_begun or (state is not ClockState.BACK and now <= expected + JUMP_S):
            self._ahead_since = None
            return False
        if state is not ClockState.RIGHT:
            self._ahead_since = None
            return True
        if self._ahead_since is None:
            self._ahead_since = mark
        if mark - self._ahead_since < BELIEVED_AFTER_S:
            return True
        self._ahead_since = None
        return False
