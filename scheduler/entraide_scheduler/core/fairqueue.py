"""Fair queue: whose turn it is, by virtual tokens on two levels, co-op then project.

Weighted virtual token counters (VTC, Sheng et al., OSDI 2024): a line's counter grows by what it
was served, divided by its weight, and the waiting line with the least counter goes first. A line
that returns to the queue is lifted to the others' level, so that idle time is never hoarded as
credit. Decides order only; it refuses to know nodes, and asks its caller which shapes are stuck.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from math import inf

from msgspec import Struct

from entraide.types import JobClass
from entraide_scheduler.core.records import Job, Shape

Key = tuple[bool, int, float, int]


class Line(Struct):
    """One co-op's or one project's place in the fair share.

    Attributes:
        name: of the co-op or the project.
        charge: virtual tokens served, divided by the weight.
        queued, running: jobs that wait, jobs that hold a lease.
    """

    name: str
    charge: float = 0.0
    queued: int = 0
    running: int = 0


class Level:
    """Lines of one level that compete with each other.

    Attributes:
        lines: by name; a line stays when it is empty, for its charge.
        last: the line that was served last, or "".
        floor: the charge it had just before that.
    """

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.last = ""
        self.floor = 0.0

    def line(self, name: str) -> Line:
        """Returns a line, made when it is new."""
        found = self.lines.get(name)
        if found is None:
            found = self.lines[name] = Line(name)
        return found

    def enter(self, name: str) -> None:
        """Notes that one more job waits; a line that had none waiting is lifted first.

        When none waits it is lifted to the line that was served last. Else to the least charge
        of those that wait, or to where the last one was served if that is more: a line whose jobs
        fit no node for days must not hold the level down for all.
        """
        line = self.line(name)
        if line.queued == 0:
            waiting = [other.charge for other in self.lines.values() if other.queued]
            if waiting:
                line.charge = max(line.charge, self.floor, min(waiting))
            elif self.last:
                line.charge = max(line.charge, self.lines[self.last].charge)
        line.queued += 1

    def serve(self, name: str) -> None:
        """Notes whose turn it was, before that is charged."""
        self.last, self.floor = name, self.line(name).charge

    def by_turn(self) -> list[Line]:
        """Returns the lines that wait, whose turn is first first.

        Of equal charges, the one with fewer jobs running, then by name.
        """
        waiting = [line for line in self.lines.values() if line.queued]
        waiting.sort(key=lambda line: (line.charge, line.running, line.name))
        return waiting


class Waiting:
    """The waiting jobs of one project, by shape; equal shapes stand in one sorted list."""

    def __init__(self) -> None:
        self.by_shape: dict[Shape, list[Key]] = {}
        self.fronts = 0

    def add(self, shape: Shape, key: Key) -> None:
        """Puts a job in its place."""
        insort(self.by_shape.setdefault(shape, []), key)
        self.fronts += not key[0]

    def remove(self, shape: Shape, key: Key) -> None:
        """Takes a job out."""
        keys = self.by_shape[shape]
        del keys[bisect_left(keys, key)]
        self.fronts -= not key[0]
        if not keys:
            del self.by_shape[shape]


class FairQueue:
    """All jobs that wait, and what each co-op and project was served.

    Attributes:
        coops: the upper level.
        projects: the lower level, by co-op.
        stuck: shapes that fit no node for now; they are passed over until unstuck.
    """

    def __init__(self) -> None:
        self.coops = Level()
        self.projects: dict[str, Level] = {}
        self.stuck: dict[Shape, None] = {}
        self.shapes: dict[Shape, int] = {}
        self._waiting: dict[tuple[str, str], Waiting] = {}
        self._jobs: dict[int, Job] = {}
        self._ranks: dict[JobClass, int] = {}
        self._weights: dict[str, float] = {}

    def agree(self, ranks: dict[JobClass, int], shares: dict[str, float]) -> None:
        """Takes the members' terms: rank of each class, shares of each co-op."""
        self._ranks = ranks
        self._weights = shares
        self.reorder(lambda job: job.shape)

    def weight(self, coop: str) -> float:
        """Returns a co-op's weight: its shares; credit for what it gave will multiply them."""
        return self._weights.get(coop, 1.0)

    # Waiting.

    def add(self, job: Job) -> None:
        """Puts a job in line, behind its equals, or in front when its run was lost."""
        coop, project = job.facts.coop, job.facts.project
        self.coops.enter(coop)
        self.projects.setdefault(coop, Level()).enter(project)
        self.place(job)

    def place(self, job: Job) -> None:
        """Enters a job that its lines count already (a restored or reshaped one)."""
        where = (job.facts.coop, job.facts.project)
        self._waiting.setdefault(where, Waiting()).add(job.shape, self.key(job))
        self._jobs[job.serial] = job
        self.shapes[job.shape] = self.shapes.get(job.shape, 0) + 1

    def remove(self, job: Job) -> None:
        """Takes a job out of the line, served or not."""
        coop, project = job.facts.coop, job.facts.project
        self.coops.line(coop).queued -= 1
        self.projects[coop].line(project).queued -= 1
        waiting = self._waiting[(coop, project)]
        waiting.remove(job.shape, self.key(job))
        if not waiting.by_shape:
            del self._waiting[(coop, project)]
        del self._jobs[job.serial]
        self.shapes[job.shape] -= 1
        if not self.shapes[job.shape]:
            del self.shapes[job.shape]
            self.stuck.pop(job.shape, None)

    def key(self, job: Job) -> Key:
        """Returns a job's place in its project: lost runs, class rank, deadline, arrival."""
        deadline_at = inf if job.facts.deadline_at is None else job.facts.deadline_at
        return not job.front, self._ranks.get(job.facts.job_class, 0), deadline_at, job.serial

    def reorder(self, shape: Callable[[Job], Shape]) -> None:
        """Puts every waiting job in place again, after a change of ranks or of shapes.

        Args:
            shape: a job's shape from now on.
        """
        jobs = list(self._jobs.values())
        self._waiting, self._jobs, self.shapes, self.stuck = {}, {}, {}, {}
        for job in jobs:
            job.shape = shape(job)
            self.place(job)

    def jobs(self) -> Iterator[Job]:
        """Returns the waiting jobs, in order of arrival."""
        return (self._jobs[serial] for serial in sorted(self._jobs))

    def length(self, coop: str) -> int:
        """Returns how many jobs of a co-op wait."""
        line = self.coops.lines.get(coop)
        return 0 if line is None else line.queued

    # Turns.

    def next(self) -> Job | None:
        """Returns the job whose turn it is among those whose shape is not stuck."""
        if len(self.stuck) == len(self.shapes):
            return None
        for coop in self.coops.by_turn():
            found = self._next_of(coop.name)
            if found is not None:
                return found
        return None

    def _next_of(self, coop: str) -> Job | None:
        best: Key | None = None
        for line in self.projects[coop].by_turn():
            waiting = self._waiting[(coop, line.name)]
            if best is not None and not waiting.fronts:
                continue  # an earlier project has a job; only a lost run goes before it
            key = self._head(waiting)
            if key is not None and (best is None or (best[0] and not key[0])):
                best = key
        return None if best is None else self._jobs[best[3]]

    def _head(self, waiting: Waiting) -> Key | None:
        heads = [keys[0] for shape, keys in waiting.by_shape.items() if shape not in self.stuck]
        return min(heads) if heads else None

    def stick(self, shape: Shape) -> None:
        """Passes over a shape that fits no node for now."""
        self.stuck[shape] = None

    def unstick(self, may_fit: Callable[[Shape], bool]) -> None:
        """Looks at the stuck shapes again, after something opened."""
        for shape in [shape for shape in self.stuck if may_fit(shape)]:
            del self.stuck[shape]

    # What was served.

    def serve(self, job: Job) -> None:
        """Takes a job out of the line because a node was found for it."""
        coop, project = job.facts.coop, job.facts.project
        self.coops.serve(coop)
        self.projects[coop].serve(project)
        self.remove(job)
        self.coops.line(coop).running += 1
        self.projects[coop].line(project).running += 1

    def leave(self, coop: str, project: str) -> None:
        """Notes that a job's lease is over."""
        self.coops.line(coop).running -= 1
        self.projects[coop].line(project).running -= 1

    def charge(self, coop: str, project: str, virtual_tokens: float) -> None:
        """Charges what was served (or, negative, gives back what was not)."""
        self.coops.line(coop).charge += virtual_tokens / self.weight(coop)
        self.projects[coop].line(project).charge += virtual_tokens

    def ahead(self, job: Job) -> tuple[int, int]:
        """Returns how many jobs of its project, and how many other co-ops, go before a job."""
        coop, project = job.facts.coop, job.facts.project
        keys = self._waiting[(coop, project)].by_shape
        own = sum(bisect_left(places, self.key(job)) for places in keys.values())
        turn = self.coops.by_turn()
        others = [line.name for line in turn].index(coop)
        return own, others
