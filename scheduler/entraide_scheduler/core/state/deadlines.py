"""Deadlines: a priority queue of times at which the core must act, by kind and name.

Setting a deadline again moves it. ``next`` gives the time at which the driver must wake the core.
"""

from heapq import heappop, heappush
from math import inf

from entraide_scheduler.core.records import DeadlineKind


class Deadlines:
    """Times by ``(kind, name)``, popped in order of time, kind and name.

    Moving a deadline later costs one dictionary write, since its heap entry is corrected when it
    reaches the top. A lease that is renewed a hundred times therefore has one entry.
    """

    def __init__(self) -> None:
        self._due: dict[tuple[DeadlineKind, str], float] = {}
        self._heap: list[tuple[float, tuple[DeadlineKind, str]]] = []
        self._entry_at: dict[tuple[DeadlineKind, str], float] = {}

    def set(self, kind: DeadlineKind, name: str, at: float) -> None:
        """Sets or moves a deadline, seconds since the epoch."""
        key = (kind, name)
        self._due[key] = at
        entry = self._entry_at.get(key)
        if entry is None or at < entry:
            self._entry_at[key] = at
            heappush(self._heap, (at, key))

    def set_no_later(self, kind: DeadlineKind, name: str, at: float) -> None:
        """Sets a deadline unless an earlier one is set."""
        if at < self._due.get((kind, name), inf):
            self.set(kind, name, at)

    def set_no_earlier(self, kind: DeadlineKind, name: str, at: float) -> None:
        """Sets a deadline unless a later one is set."""
        if at > self._due.get((kind, name), -inf):
            self.set(kind, name, at)

    def clear(self, kind: DeadlineKind, name: str) -> None:
        """Removes a deadline, if it is set."""
        self._due.pop((kind, name), None)

    def is_set(self, kind: DeadlineKind, name: str) -> bool:
        """Tells whether a deadline is set."""
        return (kind, name) in self._due

    def next(self) -> float | None:
        """Returns the earliest deadline; None when none is set."""
        self._correct_top()
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> tuple[DeadlineKind, str] | None:
        """Removes and returns the earliest deadline due at ``now``; None when none is due."""
        if not self._heap or self._heap[0][0] > now:
            return None  # no entry is later than its deadline
        self._correct_top()
        if not self._heap or self._heap[0][0] > now:
            return None
        _, key = heappop(self._heap)
        del self._entry_at[key], self._due[key]
        return key

    def listed(self) -> list[tuple[DeadlineKind, str, float]]:
        """Returns all deadlines as kind, name and time, for a snapshot."""
        return [(kind, name, at) for (kind, name), at in self._due.items()]

    def _correct_top(self) -> None:
        while self._heap:
            entry, key = self._heap[0]
            due = self._due.get(key)
            if due == entry and self._entry_at.get(key) == entry:
                return
            heappop(self._heap)
            if self._entry_at.get(key) != entry:
                continue  # the deadline was moved earlier and has a newer entry
            if due is None:
                del self._entry_at[key]
            else:
                self._entry_at[key] = due
                heappush(self._heap, (due, key))
