"""Batch backlog: run time of waiting batch work, by model and by hour of latest start.

The work is that of waiting jobs and of batches' lines that are not yet requested. For each model,
one map holds the work of each hour in whole milliseconds, so the size does not depend on the number
of jobs, nor the sums on the order of additions and removals. A restored core computes the sums
again from the waiting jobs and the stated batches.
"""

from math import ceil

from entraide_scheduler.core.carbon.intensity_forecast import HOUR_S
from entraide_scheduler.core.records import BatchWork


def batch_work_of(deadline_at: float, *, upper_s: float, run_s: float) -> BatchWork:
    """Returns the work that a job adds to the backlog.

    Args:
        deadline_at: latest acceptable completion, seconds since the epoch.
        upper_s: upper quantile of the run time, seconds.
        run_s: expected run time, seconds.
    """
    return BatchWork(int(deadline_at - upper_s) // HOUR_S, max(1, ceil(run_s * 1_000.0)))


class BatchBacklog:
    """Waiting batch work by model and by hour of latest start.

    Attributes:
        version: increases with each change.
    """

    def __init__(self) -> None:
        self.version = 0
        self._work_ms: dict[str, dict[int, int]] = {}
        self._job_counts: dict[str, int] = {}

    def add(self, model: str, coop: str, work: BatchWork) -> None:
        """Adds a waiting job's work."""
        self._change(model, coop, work.hour, work.work_ms, 1)

    def remove(self, model: str, coop: str, work: BatchWork) -> None:
        """Removes the work that was added for a job."""
        self._change(model, coop, work.hour, -work.work_ms, -1)

    def add_lines(self, model: str, work: BatchWork) -> None:
        """Adds the work of lines that are not yet requested; they count as no jobs."""
        self._change(model, "", work.hour, work.work_ms, 0)

    def remove_lines(self, model: str, work: BatchWork) -> None:
        """Removes the work that was added for lines."""
        self._change(model, "", work.hour, -work.work_ms, 0)

    def jobs(self, coop: str) -> int:
        """Returns the number of a co-op's jobs in the backlog."""
        return self._job_counts.get(coop, 0)

    def work(self, model: str) -> list[tuple[int, float]]:
        """Returns a model's waiting work, seconds by hour of latest start, earliest first."""
        work_ms = self._work_ms.get(model, {})
        return [(hour, work_ms[hour] / 1_000.0) for hour in sorted(work_ms)]

    def _change(self, model: str, coop: str, hour: int, work_ms: int, jobs: int) -> None:
        self.version += 1
        work_by_hour = self._work_ms.setdefault(model, {})
        work_by_hour[hour] = work_by_hour.get(hour, 0) + work_ms
        if not work_by_hour[hour]:
            del work_by_hour[hour]
        if not work_by_hour:
            del self._work_ms[model]
        self._job_counts[coop] = self._job_counts.get(coop, 0) + jobs
        if not self._job_counts[coop]:
            del self._job_counts[coop]
