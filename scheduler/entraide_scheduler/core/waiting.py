"""Waiting: jobs in line by shape, co-op, project and class, and which shapes are stuck.

Inside a row lost runs go first, then the earlier deadline, then the earlier arrival. It refuses to
know who is served what; ``turns`` orders the lines.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import TypeAlias

from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.turns import Key, Kind, Line, Turns

JobKey: TypeAlias = tuple[bool, float, int, Job]

# A project's counter, running jobs and name; a class's counter and rank; then the job's key.
Head: TypeAlias = tuple[float, int, str, float, int, bool, float, int, Job]


def reserved_tokens(job: Job) -> int:
    """Returns what a job holds of its co-op's cap: prompt and longest answers, tokens."""
    facts = job.facts
    return facts.input_tokens_max + job.output_tokens_max * max(1, facts.choices)


def job_key(job: Job) -> JobKey:
    """Returns a job's place among those of its row."""
    deadline_at = job.facts.deadline_at
    return not job.front, inf if deadline_at is None else deadline_at, job.serial, job


def kind_of(job: Job) -> Kind:
    """Returns what a co-op must have waiting not to count as away: model, class, data class."""
    facts = job.facts
    return facts.model, facts.job_class, facts.data_class


class Row:
    """The waiting jobs of one shape, project and class, in their order.

    Attributes:
        coop, project, job_class: the lines it counts for.
        kind: of its jobs.
        stand: where it stands.
    """

    __slots__ = ("_keys", "coop", "job_class", "kind", "project", "stand")

    def __init__(self, stand: "Stand", project: Line, job_class: Line, kind: Kind) -> None:
        self.stand = stand
        self.coop = stand.coop
        self.project = project
        self.job_class = job_class
        self.kind = kind
        self._keys: deque[JobKey] = deque()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Job]:
        return (key[3] for key in self._keys)

    def first(self) -> JobKey:
        """Returns the key of its first job; there must be one."""
        return self._keys[0]

    def add(self, job: Job) -> None:
        """Puts a job in its place: behind all others, as most come, or between them."""
        key, keys = job_key(job), self._keys
        if not keys or keys[-1] < key:
            keys.append(key)
        else:
            insort(keys, key)

    def remove(self, job: Job) -> None:
        """Takes a job out: the first, as most leave, or another."""
        keys = self._keys
        if keys[0][3] is job:
            keys.popleft()
        else:
            del keys[bisect_left(keys, job_key(job))]

    def before(self, job: Job) -> int:
        """Returns how many of its jobs go before a job of the same class."""
        return bisect_left(self._keys, job_key(job))


def _project_key(line: Line) -> Key:
    return 0, line.committed, line.running, line.name, line


def _class_key(row: Row) -> tuple[float, int]:
    return row.job_class.committed, row.job_class.rank


class Stand:
    """The waiting jobs of one shape and co-op.

    Attributes:
        sort: the jobs of that shape.
        coop: the co-op's line.
        turns: its projects that have such jobs.
        rows: by project and class.
    """

    __slots__ = ("coop", "rows", "sort", "turns")

    def __init__(self, sort: "Sort", coop: Line) -> None:
        self.sort = sort
        self.coop = coop
        self.turns = Turns(_project_key)
        self.rows: dict[str, dict[str, Row]] = {}

    def first(self) -> Row:
        """Returns the row whose turn it is: of the first project, the first class."""
        if len(self.rows) == 1:
            (rows,) = self.rows.values()
        else:
            rows = self.rows[self.turns.first()[3]]
        if len(rows) == 1:
            (row,) = rows.values()
            return row
        return min(rows.values(), key=_class_key)

    def head(self) -> Head:
        """Returns the key of its first job: project, class, job."""
        row = self.first()
        project = row.project
        return (
            project.committed,
            project.running,
            project.name,
            *_class_key(row),
            *row.first(),
        )

    def least_project(self) -> float:
        """Returns the least counter of the projects that wait here."""
        return self.turns.first()[1]


class Sort:
    """The waiting jobs of one shape.

    Attributes:
        shape: what decides which nodes may run them.
        stuck: whether they fit no node for now.
        jobs: how many there are.
        turns: the co-ops that have such jobs.
        stands: by co-op.
    """

    __slots__ = ("jobs", "shape", "stands", "stuck", "turns")

    def __init__(self, shape: Shape, key: "Callable[[Sort, Line], Key]") -> None:
        self.shape = shape
        self.stuck = False
        self.jobs = 0
        self.turns = Turns(partial(key, self))
        self.stands: dict[str, Stand] = {}


class Waiting:
    """All rows, and the shapes that are passed over.

    Attributes:
        open: the jobs of the shapes that are not stuck, by shape.
        stuck: the others' shapes, in the order in which they were set aside.
        models: the jobs of all shapes, by model and shape.
    """

    def __init__(self, key: Callable[[Sort, Line], Key]) -> None:
        self.open: dict[Shape, Sort] = {}
        self.stuck: dict[Shape, None] = {}
        self.models: dict[str, dict[Shape, Sort]] = {}
        self._sorts: dict[Shape, Sort] = {}
        self._key = key

    def shapes(self) -> dict[Shape, int]:
        """Returns how many jobs of each shape wait."""
        return {shape: sort.jobs for shape, sort in self._sorts.items()}

    def rows(self) -> list[Row]:
        """Returns all rows, in no order that matters."""
        return [
            row
            for sort in self._sorts.values()
            for stand in sort.stands.values()
            for rows in stand.rows.values()
            for row in rows.values()
        ]

    def jobs(self) -> list[Job]:
        """Returns the waiting jobs, in order of arrival."""
        return sorted([job for row in self.rows() for job in row], key=lambda job: job.serial)

    def find(self, job: Job) -> Row | None:
        """Returns the row for a job, if any of its equals waits."""
        sort, facts = self._sorts.get(job.shape), job.facts
        stand = None if sort is None else sort.stands.get(facts.coop)
        rows = None if stand is None else stand.rows.get(facts.project)
        return None if rows is None else rows.get(facts.job_class)

    def put(self, row: Row, job: Job) -> None:
        """Puts a job in a row that is there."""
        row.add(job)
        row.stand.sort.jobs += 1

    def stand(self, shape: Shape, coop: str) -> Stand | None:
        """Returns where jobs of a shape and a co-op stand, if any waits."""
        sort = self._sorts.get(shape)
        return None if sort is None else sort.stands.get(coop)

    def put_first(self, job: Job, *, coop: Line, project: Line, job_class: Line) -> Row:
        """Puts a job in a row of its own, the first of its kind there."""
        sort = self._sorts.get(job.shape) or self._new_sort(job.shape)
        stand = sort.stands.get(coop.name)
        if stand is None:
            stand = sort.stands[coop.name] = Stand(sort, coop)
        rows = stand.rows.setdefault(project.name, {})
        if not rows:
            stand.turns.enter(project)
        row = rows[job_class.name] = Row(stand, project, job_class, kind_of(job))
        self.put(row, job)
        if coop not in sort.turns:
            sort.turns.enter(coop)
        return row

    def _new_sort(self, shape: Shape) -> Sort:
        sort = Sort(shape, self._key)
        self._sorts[shape] = self.open[shape] = sort
        self.models.setdefault(shape.model, {})[shape] = sort
        return sort

    def take(self, row: Row, job: Job) -> None:
        """Takes a job out of its row, which goes when it is empty."""
        row.remove(job)
        row.stand.sort.jobs -= 1
        if not len(row):
            self._drop(row)

    def _drop(self, row: Row) -> None:
        stand, sort = row.stand, row.stand.sort
        rows = stand.rows[row.project.name]
        del rows[row.job_class.name]
        if not rows:
            del stand.rows[row.project.name]
            stand.turns.leave(row.project)
        if not stand.rows:
            del sort.stands[row.coop.name]
            sort.turns.leave(row.coop)
        if not sort.stands:
            self._drop_sort(sort)

    def _drop_sort(self, sort: Sort) -> None:
        shape = sort.shape
        del self._sorts[shape]
        self.open.pop(shape, None)
        self.stuck.pop(shape, None)
        alike = self.models[shape.model]
        del alike[shape]
        if not alike:
            del self.models[shape.model]

    def stick(self, shape: Shape) -> None:
        """Passes over a shape that fits no node for now."""
        sort = self.open.pop(shape, None)
        if sort is not None:
            sort.stuck = True
            self.stuck[shape] = None

    def unstick(self, model: str, may_fit: Callable[[Shape], bool]) -> None:
        """Looks at a model's stuck shapes again, after something opened for it."""
        for shape, sort in self.models.get(model, {}).items():
            if sort.stuck and may_fit(shape):
                sort.stuck = False
                del self.stuck[shape]
                self.open[shape] = sort
