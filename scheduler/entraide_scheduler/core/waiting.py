"""Waiting: jobs in line by shape, co-op, project and class, and which shapes are stuck.

Inside a row lost runs go first, then the earlier deadline, then the earlier arrival. It refuses to
know who is served what; ``turns`` orders the lines.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from math import inf
from typing import TypeAlias

from entraide_scheduler.core.owed import OwnCount
from entraide_scheduler.core.own_kinds import OwnKind
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.turns import Coop, Key, Kind, Line, Place, Turns

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
    return job.shape.model, job.facts.job_class, job.shape.data_class


class Row:
    """The waiting jobs of one shape, project and class, in their order.

    Attributes:
        stand: where it stands.
        coop, project, job_class: the lines it counts for.
        kind, shape: of its jobs.
    """

    __slots__ = ("_keys", "coop", "job_class", "kind", "project", "shape", "stand")

    def __init__(self, stand: "Stand", project: Line, job_class: Line, kind: Kind) -> None:
        self.stand = stand
        self.coop = stand.line
        self.project = project
        self.job_class = job_class
        self.kind = kind
        self.shape = stand.sort.shape
        self._keys: deque[JobKey] = deque()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Job]:
        return (key[3] for key in self._keys)

    def first(self) -> Job:
        """Returns its first job; there must be one."""
        return self._keys[0][3]

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


class Group(Place):
    """The waiting jobs of one shape and project: the project's place in a stand.

    Attributes:
        line: the project's.
        entry: see ``turns.Place``.
        rows: by class.
    """

    __slots__ = ("entry", "line", "rows")

    def __init__(self, project: Line) -> None:
        self.line = project
        self.entry: Key[Group] | None = None
        self.rows: dict[str, Row] = {}

    def first(self) -> Row:
        """Returns the row of the class whose turn it is."""
        return min(self.rows.values(), key=_class_key)

    def key(self) -> "Key[Group]":
        """Returns what decides the project's turn."""
        line = self.line
        return 0, line.committed, line.running, line.name, self


def _class_key(row: Row) -> tuple[float, int]:
    return row.job_class.committed, row.job_class.rank


class Stand(Place):
    """The waiting jobs of one shape and co-op: the co-op's place among those of the shape.

    Attributes:
        line: the co-op's.
        entry: see ``turns.Place``.
        sort: the jobs of that shape.
        turns: the projects that have such jobs.
        groups: by project.
        only: the row, when there is but one.
    """

    __slots__ = ("_able", "_version", "entry", "groups", "line", "only", "sort", "turns")

    def __init__(self, sort: "Sort", coop: Coop) -> None:
        self.sort = sort
        self.line = coop
        self.entry: Key[Stand] | None = None
        self._able: tuple[tuple[OwnKind, OwnCount], ...] = ()
        self._version = -1
        self.turns = Turns(Group.key)
        self.groups: dict[str, Group] = {}
        self.only: Row | None = None

    def is_owed(self) -> bool:
        """Tells whether its jobs are owed a turn: own replicas that could run them are free."""
        shape = self.sort.shape
        own = self.line.own.get(shape.model)
        if own is None:
            return False
        if self._version != own.version:
            self._able, self._version = own.able_for(shape), own.version
        orphans, batch = own.orphans, shape.batch
        return any(count.is_free(orphans, batch=batch) for _, count in self._able)

    def first(self) -> Row:
        """Returns the row whose turn it is: of the first project, the first class."""
        return self.only or self.turns.first()[4].first()

    def head(self) -> Head:
        """Returns the key of its first job: project, class, job."""
        row = self.first()
        project = row.project
        return (
            project.committed,
            project.running,
            project.name,
            *_class_key(row),
            *job_key(row.first()),
        )

    def add(self, row: Row) -> None:
        """Puts a row in its place."""
        name = row.project.name
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Group(row.project)
            group.line.join(self.turns, group)
        group.rows[row.job_class.name] = row
        self._count()

    def drop(self, row: Row) -> None:
        """Takes a row out."""
        name = row.project.name
        rows = self.groups[name].rows
        del rows[row.job_class.name]
        if not rows:
            del self.groups[name]
            row.project.quit(self.turns)
        self._count()

    def _count(self) -> None:
        rows = [row for group in self.groups.values() for row in group.rows.values()]
        self.only = rows[0] if len(rows) == 1 else None


def open_stands(coop: Coop) -> list[Stand]:
    """Returns where a co-op's jobs stand that are of a shape which is not stuck."""
    return [
        place
        for place in coop.places.values()
        if isinstance(place, Stand) and place.sort.entry is not None
    ]


class Sort(Place):
    """The waiting jobs of one shape: the shape's place among those that are not stuck.

    Attributes:
        entry: see ``turns.Place``; None while it is stuck.
        shape: what decides which nodes may run them.
        jobs: how many there are.
        leading: of the co-op whose turn it was when its key was last asked for.
        turns: the co-ops that have such jobs.
        stands: by co-op.
        rows: by co-op, project and class.
    """

    __slots__ = ("_front", "entry", "jobs", "leading", "rows", "shape", "stands", "turns")

    def __init__(
        self, shape: Shape, key: Callable[[Stand], Key[Stand]], front: "Turns[Sort]"
    ) -> None:
        self.shape = shape
        self.entry: Key[Sort] | None = None
        self.jobs = 0
        self.leading: Stand | None = None
        self.turns = Turns(key, self._pushed)
        self.stands: dict[str, Stand] = {}
        self.rows: dict[tuple[str, str, str], Row] = {}
        self._front = front

    def key(self) -> "Key[Sort]":
        """Returns the key of the co-op whose turn it is."""
        tier, counter, running, name, self.leading = self.turns.first()
        return tier, counter, running, name, self

    def _pushed(self) -> None:
        if self.entry is not None:
            self._front.fell(self)


class Waiting:
    """All rows, and the shapes that are passed over.

    Attributes:
        front: the jobs of the shapes that are not stuck, by whose turn it is there.
        stuck: the others' shapes, in the order in which they were set aside; and whether only for
            want of time to look at them.
        models: the jobs of all shapes, by model and shape.
    """

    def __init__(self, key: Callable[[Stand], Key[Stand]]) -> None:
        self.front = Turns(Sort.key)
        self.stuck: dict[Shape, bool] = {}
        self.models: dict[str, dict[Shape, Sort]] = {}
        self._sorts: dict[Shape, Sort] = {}
        self._key = key

    def shapes(self) -> dict[Shape, int]:
        """Returns how many jobs of each shape wait."""
        return {shape: sort.jobs for shape, sort in self._sorts.items()}

    def jobs(self) -> list[Job]:
        """Returns the waiting jobs, in order of arrival."""
        rows = [row for sort in self._sorts.values() for row in sort.rows.values()]
        return sorted([job for row in rows for job in row], key=lambda job: job.serial)

    def heads(self) -> list[tuple[Job, int]]:
        """Returns the first job of each row, by arrival, and how many jobs the row has."""
        rows = [row for sort in self._sorts.values() for row in sort.rows.values()]
        return sorted([(row.first(), len(row)) for row in rows], key=lambda head: head[0].serial)

    def find(self, job: Job) -> Row | None:
        """Returns the row for a job, if any of its equals waits."""
        sort, facts = self._sorts.get(job.shape), job.facts
        if sort is None:
            return None
        return sort.rows.get((facts.coop, facts.project, facts.job_class))

    def stand(self, shape: Shape, coop: str) -> Stand | None:
        """Returns where jobs of a shape and a co-op stand, if any waits."""
        sort = self._sorts.get(shape)
        return None if sort is None else sort.stands.get(coop)

    def put(self, row: Row, job: Job) -> None:
        """Puts a job in a row that is there."""
        row.add(job)
        row.stand.sort.jobs += 1

    def put_first(self, job: Job, *, coop: Coop, project: Line, job_class: Line) -> Row:
        """Puts a job in a row of its own, the first of its kind there."""
        sort = self._sorts.get(job.shape) or self._new_sort(job.shape)
        stand = sort.stands.get(coop.name) or Stand(sort, coop)
        row = Row(stand, project, job_class, kind_of(job))
        self.put(row, job)
        stand.add(row)
        sort.rows[coop.name, project.name, job_class.name] = row
        if coop.name not in sort.stands:
            sort.stands[coop.name] = stand
            coop.join(sort.turns, stand)
        if sort.entry is None and sort.shape not in self.stuck:
            self.front.enter(sort)
        return row

    def _new_sort(self, shape: Shape) -> Sort:
        sort = Sort(shape, self._key, self.front)
        self._sorts[shape] = sort
        self.models.setdefault(shape.model, {})[shape] = sort
        return sort

    def take(self, row: Row, job: Job) -> None:
        """Takes a job out of its row, which goes when it is empty."""
        row.remove(job)
        row.stand.sort.jobs -= 1
        if not len(row):
            self._drop(row)

    def _drop(self, row: Row) -> None:
        stand, sort, coop = row.stand, row.stand.sort, row.coop
        stand.drop(row)
        del sort.rows[coop.name, row.project.name, row.job_class.name]
        if not stand.groups:
            del sort.stands[coop.name]
            coop.quit(sort.turns)
        if not sort.jobs:
            self._drop_sort(sort)

    def _drop_sort(self, sort: Sort) -> None:
        shape = sort.shape
        del self._sorts[shape]
        self.stuck.pop(shape, None)
        if sort.entry is not None:
            self.front.leave(sort)
        alike = self.models[shape.model]
        del alike[shape]
        if not alike:
            del self.models[shape.model]

    def stick(self, shape: Shape, *, late: bool = False) -> None:
        """Passes over a shape that fits no node for now, or that there is no time to look at."""
        sort = self._sorts.get(shape)
        if sort is not None and sort.entry is not None:
            self.front.leave(sort)
            self.stuck[shape] = late

    def unstick_late(self) -> None:
        """Looks at the shapes again that there was no time for."""
        for shape in [shape for shape, late in self.stuck.items() if late]:
            del self.stuck[shape]
            self.front.enter(self._sorts[shape])

    def unstick(self, model: str, may_fit: Callable[[Shape], bool]) -> None:
        """Looks at a model's stuck shapes again, after something opened for it."""
        for shape, sort in self.models.get(model, {}).items():
            if sort.entry is None and may_fit(shape):
                del self.stuck[shape]
                self.front.enter(sort)
