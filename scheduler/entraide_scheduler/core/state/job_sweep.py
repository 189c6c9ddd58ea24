"""Job sweep: a pass over waiting jobs in order of arrival, a bounded number of them per event.

What many jobs must follow (a new policy, another context length, a node that stays away) begins a
pass. Each event visits the next jobs; a change meanwhile begins the pass anew from where it stands.
So each job that waits is visited within its number of events, waiting jobs divided by those that an
event visits, after the last change. How far a pass has come is part of a snapshot.

Input: open jobs. Output: the jobs to visit now.
"""

from collections.abc import Iterator

from msgspec import Struct

from entraide.types import JobState
from entraide_scheduler.core.records import Job

PART_BITS = 8  # jobs are kept in parts of so many bits of their serial numbers


class SweepState(Struct, frozen=True, array_like=True):
    """A sweep in a snapshot.

    Attributes:
        ranges: serial numbers still to visit: the first, and the end.
        shapes: see ``JobSweep``.
    """

    ranges: list[tuple[int, int]] = []
    shapes: bool = False


class JobSweep:
    """The open jobs, and a pass over those that wait.

    Args:
        visits_per_event: see the attribute.

    Attributes:
        visits_per_event: number of jobs that an event visits.
        ranges: serial numbers still to visit, as in ``SweepState``; empty without a pass.
        shapes: whether the visited jobs get their shapes anew.
        visits_left: number of jobs that the present event may still visit.
        visited: number of jobs visited so far, which tests of the work count.
    """

    def __init__(self, visits_per_event: int) -> None:
        self.visits_per_event = self.visits_left = visits_per_event
        self.ranges: list[tuple[int, int]] = []
        self._parts: dict[int, dict[int, Job]] = {}  # by part, then serial number, both ascending
        self.shapes = False
        self.visited = 0

    def add(self, job: Job) -> None:
        """Adds an open job; its serial number is above those of all others."""
        self._parts.setdefault(job.serial >> PART_BITS, {})[job.serial] = job

    def remove(self, job: Job) -> None:
        """Removes a job that has ended."""
        number = job.serial >> PART_BITS
        part = self._parts[number]
        del part[job.serial]
        if not part:
            del self._parts[number]

    def begin(self, arrivals: int, *, shapes: bool = False) -> None:
        """Begins a pass, or begins the present one anew from where it stands.

        Args:
            arrivals: number of jobs that have arrived so far.
            shapes: whether the jobs' shapes may have changed.
        """
        if not self._parts:
            return
        first = self.ranges[0][0] if self.ranges else 0
        self.ranges = [(first, arrivals), (0, first)] if first else [(0, arrivals)]
        self.shapes = self.shapes or shapes

    def take(self) -> list[Job]:
        """Returns the next waiting jobs, at most as many as the present event may still visit."""
        taken: list[Job] = []
        while self.ranges and self.visits_left:
            first, end = self.ranges.pop(0)
            for job in self._jobs_in(first, end):
                if job.state is not JobState.QUEUED:
                    continue
                if not self.visits_left:
                    self.ranges.insert(0, (job.serial, end))
                    break
                taken.append(job)
                self.visits_left -= 1
        self.visited += len(taken)
        return taken

    def _jobs_in(self, first: int, end: int) -> Iterator[Job]:
        """Yields the jobs with the serial numbers of a range, in order."""
        for number, part in self._parts.items():
            if first >> PART_BITS <= number <= end >> PART_BITS:
                yield from (job for serial, job in part.items() if first <= serial < end)

    def end_if_done(self) -> None:
        """Ends the pass if each job was visited."""
        if not self.ranges:
            self.shapes = False

    def dump(self) -> SweepState:
        """Returns the state for a snapshot."""
        return SweepState(list(self.ranges), self.shapes)

    def load(self, saved: SweepState) -> None:
        """Restores the state of a snapshot."""
        self.ranges, self.shapes = list(saved.ranges), saved.shapes
