"""Backlog: how much batch work waits, by group of jobs and by the hour of its latest start.

Counts only, one small map of hours per group, however many jobs wait. It refuses to know what a
job is and why it waits. What it answers is the same whatever the order in which jobs came and
went, so it is made again from the waiting jobs and never kept.
"""

from collections.abc import Iterable
from math import ceil

from msgspec import Struct

from entraide_scheduler.core.outlook import HOUR_S

WORK_BITS = 6  # waiting work is rounded down to so many binary digits: by 1/32 at most


class Wait(Struct, frozen=True, array_like=True, gc=False):
    """What one job adds to the waiting work; the caller keeps it with the job.

    Attributes:
        hour: the absolute hour in which it must start at the latest, surprises aside.
        work_ms: how long it is expected to hold a slot, milliseconds.
    """

    hour: int
    work_ms: int


def wait_of(deadline_at: float, *, upper_s: float, run_s: float) -> Wait:
    """Returns what a job adds to the waiting work.

    Args:
        deadline_at: end of the last acceptable completion, seconds since the epoch.
        upper_s: a run time that is seldom exceeded.
        run_s: the expected run time.
    """
    return Wait(int(deadline_at - upper_s) // HOUR_S, max(1, ceil(run_s * 1_000.0)))


class Backlog:
    """Waiting work by group and by the hour of its latest start."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[int, list[int]]] = {}
        self._versions: dict[str, int] = {}
        self._changes = 0

    def add(self, group: str, wait: Wait) -> None:
        """Counts a job that waits."""
        held = self._groups.setdefault(group, {}).setdefault(wait.hour, [0, 0])
        self._count(group, held, wait.work_ms, 1)

    def remove(self, group: str, wait: Wait) -> None:
        """Counts a job that waits no longer; ``wait`` is what was added for it."""
        hours = self._groups[group]
        held = hours[wait.hour]
        self._count(group, held, -wait.work_ms, -1)
        if not held[1]:
            del hours[wait.hour]
        if not hours:
            del self._groups[group], self._versions[group]

    def version(self, group: str) -> int:
        """Returns a number that changes when the group's rounded work does; 0 for no work."""
        return self._versions.get(group, 0)

    def groups(self) -> int:
        """Returns how many groups have work that waits."""
        return len(self._groups)

    def names(self) -> list[str]:
        """Returns the groups that have work that waits, sorted."""
        return sorted(self._groups)

    def work(self, parts: Iterable[tuple[str, float]]) -> list[tuple[int, float]]:
        """Returns the rounded work of some groups together, seconds by hour, earliest first.

        Args:
            parts: groups, and which part of each one's work counts.
        """
        total: dict[int, float] = {}
        for group, part in parts:
            for hour, held in self._groups.get(group, {}).items():
                total[hour] = total.get(hour, 0.0) + part * (_rounded(held[0]) / 1_000.0)
        return sorted(total.items())

    def _count(self, group: str, held: list[int], work_ms: int, jobs: int) -> None:
        before = _rounded(held[0])
        held[0] += work_ms
        held[1] += jobs
        if _rounded(held[0]) != before:
            self._changes += 1
            self._versions[group] = self._changes


def _rounded(work_ms: int) -> int:
    shift = max(0, work_ms.bit_length() - WORK_BITS)
    return work_ms >> shift << shift
