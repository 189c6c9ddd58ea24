"""Deadlines: what falls due when, and the next moment the core wants to be woken.

A deadline is set by kind and name, and setting it again moves it. It refuses to know what
happens when one falls due.
"""

from heapq import heappop, heappush
from math import inf


class Deadlines:
    """Moments by ``(kind, name)``, taken out in order of time, kind and name.

    Moving a deadline later costs one dictionary write: its entry in the heap is corrected when it
    comes to the top. So a lease that is renewed a hundred times has one entry.
    """

    def __init__(self) -> None:
        self._due: dict[tuple[str, str], float] = {}
        self._heap: list[tuple[float, str, str]] = []
        self._entry_at: dict[tuple[str, str], float] = {}

    def set(self, kind: str, name: str, at: float) -> None:
        """Sets or moves a deadline, seconds since the epoch."""
        key = (kind, name)
        self._due[key] = at
        entry = self._entry_at.get(key)
        if entry is None or at < entry:
            self._entry_at[key] = at
            heappush(self._heap, (at, kind, name))

    def set_no_later(self, kind: str, name: str, at: float) -> None:
        """Sets a deadline, or moves a later one to an earlier moment."""
        if at < self._due.get((kind, name), inf):
            self.set(kind, name, at)

    def clear(self, kind: str, name: str) -> None:
        """Forgets a deadline, if it is set."""
        self._due.pop((kind, name), None)

    def is_set(self, kind: str, name: str) -> bool:
        """Tells whether a deadline is set."""
        return (kind, name) in self._due

    def next(self) -> float | None:
        """Returns the earliest deadline; None when none is set."""
        self._correct_top()
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> tuple[str, str] | None:
        """Takes out and returns the earliest deadline that is due at ``now``, if any."""
        self._correct_top()
        if not self._heap or self._heap[0][0] > now:
            return None
        _, kind, name = heappop(self._heap)
        del self._entry_at[(kind, name)]
        del self._due[(kind, name)]
        return kind, name

    def listed(self) -> list[tuple[str, str, float]]:
        """Returns all deadlines as kind, name and moment, for a snapshot."""
        return [(kind, name, at) for (kind, name), at in self._due.items()]

    def _correct_top(self) -> None:
        while self._heap:
            entry, kind, name = self._heap[0]
            key = (kind, name)
            due = self._due.get(key)
            if due == entry and self._entry_at.get(key) == entry:
                return
            heappop(self._heap)
            if self._entry_at.get(key) != entry:
                continue  # a later setting to an earlier moment has its own entry
            if due is None:
                del self._entry_at[key]
            else:
                self._entry_at[key] = due
                heappush(self._heap, (due, kind, name))
