"""Availability profile: in which hours of the week a node usually takes the pool's work.

For each hour of the week (UTC) the profile has the mean part of the hour in which the node took
work, over about the last eight weeks. In the first week, an hour also tells of the same hour of the
days that were not observed yet: an owner who comes at nine on Monday is expected at nine on
Tuesday. A node of which nothing is known is expected in all hours, with a ``doubt`` that shrinks
with each day.

Inputs: the moments at which the node begins and ceases to take work. Output: parts of hours, and
how long its present state has lasted. The size is fixed; integer arithmetic replays exactly.
"""

from math import inf

from msgspec import Struct, field

HOUR_S = 3_600
DAY_HOURS, WEEK_HOURS = 24, 168
FULL = 255  # a part of 1; parts are bytes
WEEKS_KEPT = 8  # weeks after which older weeks weigh no less
LASTED_HOURS_MAX = 336
FIRST_WEIGHT = 8  # weight of one observation against what was expected before the first
DOUBT_FIRST, DOUBT_LESS_PER_DAY = 20, 10


class AvailabilityProfile(Struct, array_like=True):
    """Usual availability of one node by hour of the week, with the present state.

    Attributes:
        since: time up to which the profile counts, seconds since the epoch; 0 before the first
            state.
        available: whether the node takes work since then.
        ends_at: end of the hour that is counted next; infinite before the first state.
        available_s: time in the present hour, before ``since``, in which it took work, seconds.
        turned_at: time of the last change of ``available``.
        hours: number of hours counted.
        parts: by hour of the week, the usual part of the hour in which it takes work.
    """

    since: float = 0.0
    available: bool = False
    ends_at: float = inf
    available_s: float = 0.0
    turned_at: float = 0.0
    hours: int = 0
    parts: bytearray = field(default_factory=lambda: bytearray([FULL]) * WEEK_HOURS)

    @property
    def doubt(self) -> int:
        """What a part may be too high because little was observed."""
        return FULL // (DOUBT_FIRST + DOUBT_LESS_PER_DAY * (self.hours // DAY_HOURS))

    def lasted_hours(self, hour: int) -> int:
        """Returns for how many hours the present state has lasted in an absolute hour."""
        return max(0, min(LASTED_HOURS_MAX, hour - int(self.turned_at) // HOUR_S))

    def set_available(self, available: bool, at: float) -> None:
        """Records whether the node takes work from a time on."""
        if not self.since:  # the hour in which a node is first seen counts as if it was there
            self.available_s = at % HOUR_S if available else 0.0
            self.since = self.turned_at = at
            self.available, self.ends_at = available, _hour_end(at)
            return
        self.count_hours(at)
        if available is not self.available:
            self.available_s += at - self.since if self.available else 0.0
            self.since = self.turned_at = at
            self.available = available

    def count_hours(self, at: float) -> None:
        """Counts the hours that have ended; after a long silence the last weeks alone."""
        if at < self.ends_at:
            return
        hour, now = int(self.since) // HOUR_S, int(at) // HOUR_S
        available_s = self.available_s + (self.ends_at - self.since if self.available else 0.0)
        self._count(hour, min(FULL, int(available_s * FULL / HOUR_S + 0.5)))
        for ended in range(max(hour + 1, now - WEEKS_KEPT * WEEK_HOURS), now):
            self._count(ended, FULL if self.available else 0)
        self.since, self.available_s, self.ends_at = float(now * HOUR_S), 0.0, _hour_end(at)

    def _count(self, hour: int, part: int) -> None:
        days, weeks = self.hours // DAY_HOURS, self.hours // WEEK_HOURS
        self.hours += 1
        self._move(hour % WEEK_HOURS, part, weeks)
        for ahead in range(1, WEEK_HOURS // DAY_HOURS - days):
            self._move((hour + ahead * DAY_HOURS) % WEEK_HOURS, part, days)

    def _move(self, index: int, part: int, times: int) -> None:
        """Moves a mean towards a part, by a whole step at least, so that it arrives."""
        change = FIRST_WEIGHT * (part - self.parts[index])
        divisor = FIRST_WEIGHT * (min(times, WEEKS_KEPT - 1) + 1) + 1
        step = -(-change // divisor) if change > 0 else change // divisor
        self.parts[index] += step


def _hour_end(at: float) -> float:
    return float((int(at) // HOUR_S + 1) * HOUR_S)
