"""Backlog: how much batch work waits, by model and by the hour of its latest start.

Counts only, in whole milliseconds, one small map of hours per model, however many jobs wait. It
refuses to know what a job is and why it waits. What it answers is the same whatever the order in
which jobs came and went, so it is made again from the waiting jobs and never kept.
"""

from math import ceil

from msgspec import Struct

from entraide_scheduler.core.intensity_forecast import HOUR_S


class BatchWork(Struct, frozen=True, array_like=True, gc=False):
    """What one job adds to the waiting work; the caller keeps it with the job.

    Attributes:
        hour: the absolute hour in which it must start at the latest, surprises aside.
        work_ms: how long it is expected to hold a slot, milliseconds.
    """

    hour: int
    work_ms: int


def batch_work_of(deadline_at: float, *, upper_s: float, run_s: float) -> BatchWork:
    """Returns what a job adds to the waiting work.

    Args:
        deadline_at: end of the last acceptable completion, seconds since the epoch.
        upper_s: a run time that is seldom exceeded.
        run_s: the expected run time.
    """
    return BatchWork(int(deadline_at - upper_s) // HOUR_S, max(1, ceil(run_s * 1_000.0)))


class BatchBacklog:
    """Waiting work by model and by the hour of its latest start.

    Attributes:
        version: changes whenever an answer does.
    """

    def __init__(self) -> None:
        self.version = 0
        self._work_ms: dict[str, dict[int, int]] = {}
        self._jobs: dict[str, int] = {}

    def add(self, model: str, coop: str, work: BatchWork) -> None:
        """Counts a job that waits."""
        self._count(model, coop, work.hour, work.work_ms, 1)

    def remove(self, model: str, coop: str, work: BatchWork) -> None:
        """Counts a job that waits no longer; ``wait`` is what was added for it."""
        self._count(model, coop, work.hour, -work.work_ms, -1)

    def jobs(self, coop: str) -> int:
        """Returns how many jobs of a co-op wait so."""
        return self._jobs.get(coop, 0)

    def work(self, model: str) -> list[tuple[int, float]]:
        """Returns a model's waiting work, seconds by hour of latest start, earliest first."""
        hours = self._work_ms.get(model, {})
        return [(hour, hours[hour] / 1_000.0) for hour in sorted(hours)]

    def _count(self, model: str, coop: str, hour: int, work_ms: int, jobs: int) -> None:
        self.version += 1
        hours = self._work_ms.setdefault(model, {})
        hours[hour] = hours.get(hour, 0) + work_ms
        if not hours[hour]:
            del hours[hour]
        if not hours:
            del self._work_ms[model]
        self._jobs[coop] = self._jobs.get(coop, 0) + jobs
        if not self._jobs[coop]:
            del self._jobs[coop]
