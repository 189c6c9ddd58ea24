"""Batch backlog: waiting batch work, by model and by deadline.

The work is that of waiting jobs and of batches' lines that are not yet requested. For each model,
one map holds the work of each deadline in whole tokens, so the size does not depend on the number
of jobs, nor the sums on the order of additions and removals. A restored core computes the sums
again from the waiting jobs and the stated batches. How long the work takes is computed for each
plan from the run lengths known then.
"""

from entraide_scheduler.core.carbon.intensity_forecast import HOUR_S
from entraide_scheduler.core.carbon.run_lengths import RunLengths
from entraide_scheduler.core.records import BatchWork

FIRST_LENGTHS = RunLengths()
STEP_S = 900  # plans are made for the start of a quarter of an hour; deadlines are rounded down


def latest_start_hour(deadline_at: float, upper_s: float) -> int:
    """Returns the hour in which a run of a length must start at the latest, since the epoch."""
    return int(deadline_at - upper_s) // HOUR_S


class BatchBacklog:
    """Waiting batch work by model and by deadline.

    Attributes:
        version: increases with each change.
    """

    def __init__(self) -> None:
        self.version = 0
        self._work: dict[str, dict[int, BatchWork]] = {}
        self._job_counts: dict[str, int] = {}

    def add(self, model: str, coop: str, work: BatchWork) -> None:
        """Adds a waiting job's work."""
        self._change(model, work, 1)
        self._count_job(coop, 1)

    def remove(self, model: str, coop: str, work: BatchWork) -> None:
        """Removes the work that was added for a job."""
        self._change(model, work, -1)
        self._count_job(coop, -1)

    def add_lines(self, model: str, work: BatchWork) -> None:
        """Adds the work of lines that are not yet requested; they count as no jobs."""
        self._change(model, work, 1)

    def remove_lines(self, model: str, work: BatchWork) -> None:
        """Removes the work that was added for lines."""
        self._change(model, work, -1)

    def jobs(self, coop: str) -> int:
        """Returns the number of a co-op's jobs in the backlog."""
        return self._job_counts.get(coop, 0)

    def __bool__(self) -> bool:
        return bool(self._work)

    def has_work(self, model: str) -> bool:
        """Tells whether work of a model may wait for greener hours."""
        return model in self._work

    def work(self, model: str, lengths: RunLengths = FIRST_LENGTHS) -> list[tuple[int, float]]:
        """Returns a model's waiting work, seconds by hour of latest start, earliest first.

        Args:
            model: public name.
            lengths: of its runs.
        """
        seconds: dict[int, float] = {}
        entries = self._work.get(model, {})
        for due in sorted(entries):
            work = entries[due]
            hour = latest_start_hour(due * STEP_S, lengths.upper_line_s(work))
            seconds[hour] = seconds.get(hour, 0.0) + lengths.expected_s(work)
        return sorted(seconds.items())

    def _change(self, model: str, work: BatchWork, sign: int) -> None:
        self.version += 1
        by_deadline = self._work.setdefault(model, {})
        before = by_deadline.get(work.due) or BatchWork(work.due, 0, 0, 0)
        after = by_deadline[work.due] = BatchWork(
            work.due,
            before.lines + sign * work.lines,
            before.input_tokens + sign * work.input_tokens,
            before.output_tokens_max + sign * work.output_tokens_max,
        )
        if not after.lines:
            del by_deadline[work.due]
        if not by_deadline:
            del self._work[model]

    def _count_job(self, coop: str, change: int) -> None:
        self._job_counts[coop] = self._job_counts.get(coop, 0) + change
        if not self._job_counts[coop]:
            del self._job_counts[coop]
