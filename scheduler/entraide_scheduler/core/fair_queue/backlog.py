"""Backlog: the waiting jobs as queues of shape, co-op, project and class.

Inside a class queue jobs of lost runs go first, then the earlier deadline, then the earlier
arrival. The levels above are lazy heaps (``lazy_heap``) ordered by service counters. A blocked
shape has a queue, but takes no part in the order.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from math import inf
from typing import TypeAlias

from entraide_scheduler.core.fair_queue.counters import (
    BacklogKind,
    CoopCounter,
    CounterPath,
    ServiceCounter,
)
from entraide_scheduler.core.fair_queue.lazy_heap import HeapItem, HeapKey, LazyHeap
from entraide_scheduler.core.records import Job, OwnKind, Shape
from entraide_scheduler.core.rules import OwnSlots

JobKey: TypeAlias = tuple[bool, float, int, Job]

# A project's counter, running jobs and name; a class's counter and rank; then the job's key.
QueueHead: TypeAlias = tuple[float, int, str, float, int, bool, float, int, Job]


def reserved_tokens(job: Job) -> int:
    """Returns a job's prompt and longest answers, which count against its co-op's cap, tokens."""
    facts = job.facts
    return facts.input_tokens_max + job.output_tokens_max * max(1, facts.choices)


def job_key(job: Job) -> JobKey:
    """Returns the key that orders jobs in a class queue."""
    deadline_at = job.facts.deadline_at
    return not job.front, inf if deadline_at is None else deadline_at, job.serial, job


def kind_of(job: Job) -> BacklogKind:
    """Returns the kind of a job; a co-op without a waiting job of a kind is lifted for it."""
    return job.shape.model, job.facts.job_class, job.shape.data_class


class ClassQueue:
    """The waiting jobs of one shape, project and class, in order of service.

    Attributes:
        coop_queue: the queue that contains this one.
        coop, project, job_class: counters that its jobs are charged to.
        kind, shape: of its jobs.
    """

    __slots__ = ("_keys", "coop", "coop_queue", "job_class", "kind", "project", "shape")

    def __init__(
        self,
        coop_queue: "CoopQueue",
        project: ServiceCounter,
        job_class: ServiceCounter,
        kind: BacklogKind,
    ) -> None:
        self.coop_queue = coop_queue
        self.coop = coop_queue.coop
        self.project = project
        self.job_class = job_class
        self.kind = kind
        self.shape = coop_queue.shape_queue.shape
        self._keys: deque[JobKey] = deque()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Job]:
        return (key[3] for key in self._keys)

    def first(self) -> Job:
        """Returns the first job; the queue must not be empty."""
        return self._keys[0][3]

    def add(self, job: Job) -> None:
        """Inserts a job in order; most jobs are appended."""
        key, keys = job_key(job), self._keys
        if not keys or keys[-1] < key:
            keys.append(key)
        else:
            insort(keys, key)

    def remove(self, job: Job) -> None:
        """Removes a job; most are the first."""
        keys = self._keys
        if keys[0][3] is job:
            keys.popleft()
        else:
            del keys[bisect_left(keys, job_key(job))]

    def count_before(self, job: Job) -> int:
        """Returns the number of its jobs that are ahead of a job of the same class."""
        return bisect_left(self._keys, job_key(job))


class ProjectQueue(HeapItem):
    """The waiting jobs of one shape and project; item of its co-op queue's heap.

    Attributes:
        counter: the project's counter.
        entry: see ``lazy_heap.HeapItem``.
        class_queues: by class.
    """

    __slots__ = ("class_queues", "counter", "entry")

    def __init__(self, project: ServiceCounter) -> None:
        self.counter = project
        self.entry: HeapKey[ProjectQueue] | None = None
        self.class_queues: dict[str, ClassQueue] = {}

    def first_queue(self) -> ClassQueue:
        """Returns the queue of the class that is served next."""
        return min(self.class_queues.values(), key=_class_key)

    def key(self) -> "HeapKey[ProjectQueue]":
        """Returns the key that orders projects."""
        project = self.counter
        return 0, project.committed, project.running, project.name, self


def _class_key(queue: ClassQueue) -> tuple[float, int]:
    return queue.job_class.committed, queue.job_class.rank


class CoopQueue(HeapItem):
    """The waiting jobs of one shape and co-op; item of its shape queue's heap.

    Attributes:
        coop: the co-op's counter.
        entry: see ``lazy_heap.HeapItem``.
        shape_queue: the queue that contains this one.
        heap: the project queues, by project counter.
        project_queues: by project.
        only_queue: the class queue, if there is exactly one.
    """

    __slots__ = (
        "_own_kinds",
        "_version",
        "coop",
        "entry",
        "heap",
        "only_queue",
        "project_queues",
        "shape_queue",
    )

    def __init__(self, shape_queue: "ShapeQueue", coop: CoopCounter) -> None:
        self.shape_queue = shape_queue
        self.coop = coop
        self.entry: HeapKey[CoopQueue] | None = None
        self._own_kinds: tuple[tuple[OwnKind, OwnSlots], ...] = ()
        self._version = -1
        self.heap = LazyHeap(ProjectQueue.key)
        self.project_queues: dict[str, ProjectQueue] = {}
        self.only_queue: ClassQueue | None = None

    def is_owed(self) -> bool:
        """Tells whether its jobs are owed a turn: an own replica that could run them has a slot."""
        shape = self.shape_queue.shape
        own = self.coop.own.get(shape.model)
        if own is None:
            return False
        if self._version != own.version:
            self._own_kinds, self._version = own.kinds_for(shape), own.version
        orphans, batch = own.orphans, shape.batch
        return any(count.is_free(orphans, batch=batch) for _, count in self._own_kinds)

    def first(self) -> ClassQueue:
        """Returns the class queue that is served next: the first class of the first project."""
        return self.only_queue or self.heap.peek()[4].first_queue()

    def head(self) -> QueueHead:
        """Returns the key of its first job: project, class, job."""
        queue = self.first()
        project = queue.project
        return (
            project.committed,
            project.running,
            project.name,
            *_class_key(queue),
            *job_key(queue.first()),
        )

    def add(self, queue: ClassQueue) -> None:
        """Adds a class queue."""
        name = queue.project.name
        project_queue = self.project_queues.get(name)
        if project_queue is None:
            project_queue = self.project_queues[name] = ProjectQueue(queue.project)
            project_queue.counter.enter_heap(self.heap, project_queue)
        project_queue.class_queues[queue.job_class.name] = queue
        self._count()

    def drop(self, queue: ClassQueue) -> None:
        """Removes a class queue."""
        name = queue.project.name
        queues = self.project_queues[name].class_queues
        del queues[queue.job_class.name]
        if not queues:
            del self.project_queues[name]
            queue.project.leave_heap(self.heap)
        self._count()

    def _count(self) -> None:
        queues = [
            queue
            for project_queue in self.project_queues.values()
            for queue in project_queue.class_queues.values()
        ]
        self.only_queue = queues[0] if len(queues) == 1 else None


def open_coop_queues(coop: CoopCounter) -> list[CoopQueue]:
    """Returns a co-op's queues of shapes that are not blocked."""
    return [
        item
        for item in coop.heap_items.values()
        if isinstance(item, CoopQueue) and item.shape_queue.entry is not None
    ]


class ShapeQueue(HeapItem):
    """The waiting jobs of one shape; item of the heap of open shapes.

    Attributes:
        entry: see ``lazy_heap.HeapItem``; None while it is blocked.
        shape: the properties of its jobs that decide which nodes may run them.
        jobs: number of jobs.
        first_coop_queue: first item of ``heap`` when ``key`` was last called.
        heap: the co-op queues, by co-op counter.
        coop_queues: by co-op.
        class_queues: by co-op, project and class.
    """

    __slots__ = (
        "_open_shapes",
        "class_queues",
        "coop_queues",
        "entry",
        "first_coop_queue",
        "heap",
        "jobs",
        "shape",
    )

    def __init__(
        self,
        shape: Shape,
        key: Callable[[CoopQueue], HeapKey[CoopQueue]],
        open_shapes: "LazyHeap[ShapeQueue]",
    ) -> None:
        self.shape = shape
        self.entry: HeapKey[ShapeQueue] | None = None
        self.jobs = 0
        self.first_coop_queue: CoopQueue | None = None
        self.heap = LazyHeap(key, self._on_push)
        self.coop_queues: dict[str, CoopQueue] = {}
        self.class_queues: dict[tuple[str, str, str], ClassQueue] = {}
        self._open_shapes = open_shapes

    def key(self) -> "HeapKey[ShapeQueue]":
        """Returns the key of the co-op that is served next."""
        tier, counter, running, name, self.first_coop_queue = self.heap.peek()
        return tier, counter, running, name, self

    def _on_push(self) -> None:
        if self.entry is not None:
            self._open_shapes.decrease_key(self)


def lift_project_and_class(coop_queue: CoopQueue | None, path: CounterPath) -> None:
    """Lifts a project and a class without waiting jobs to the lowest waiting counter.

    Without a waiting sibling, lifts them to the virtual time of their parent.
    """
    coop, project, job_class = path
    if not project.queue_count:
        lowest = coop.virtual_time if coop_queue is None else coop_queue.heap.peek()[1]
        project.committed = max(project.committed, lowest)
    if not job_class.queue_count:
        project_queue = None if coop_queue is None else coop_queue.project_queues.get(project.name)
        queues = () if project_queue is None else project_queue.class_queues.values()
        lowest = min((queue.job_class.committed for queue in queues), default=project.virtual_time)
        job_class.committed = max(job_class.committed, lowest)


class BacklogEntry(HeapItem):
    """A co-op's item in a model backlog."""

    __slots__ = ("coop", "entry")

    def __init__(self, coop: CoopCounter) -> None:
        self.coop = coop
        self.entry: HeapKey[BacklogEntry] | None = None


class ModelBacklog:
    """The co-ops that wait for one model; it exists while there are any.

    Attributes:
        virtual_time: the highest counter at which a job of the model was served. A returning co-op
            is lifted to this value and not to the lowest waiting counter, because a co-op whose
            jobs fit no node for days would keep that value low for all others.
        heap: the waiting co-ops, by counter alone.
    """

    __slots__ = ("_model", "heap", "virtual_time")

    def __init__(self, virtual_time: float, model: str) -> None:
        self._model = model
        self.virtual_time = virtual_time
        self.heap = LazyHeap(self._key)

    def _key(self, entry: BacklogEntry) -> HeapKey[BacklogEntry]:
        coop = entry.coop
        return 0, coop.counter(self._model), coop.running, coop.name, entry

    def add_coop(self, coop: CoopCounter) -> None:
        """Adds a co-op, unless it is in the backlog already."""
        if self.heap not in coop.heap_items:
            coop.enter_heap(self.heap, BacklogEntry(coop))


class Backlog:
    """All waiting jobs that take turns, and the blocked shapes.

    Attributes:
        open_shapes: queues of the shapes that are not blocked, by their first co-op's key.
        blocked_shapes: blocked shapes in the order of blocking; True if no search was made.
        by_model: queues of all shapes, by model and shape.
    """

    def __init__(self, key: Callable[[CoopQueue], HeapKey[CoopQueue]]) -> None:
        self.open_shapes = LazyHeap(ShapeQueue.key)
        self.blocked_shapes: dict[Shape, bool] = {}
        self.by_model: dict[str, dict[Shape, ShapeQueue]] = {}
        self._shape_queues: dict[Shape, ShapeQueue] = {}
        self._key = key

    def shapes(self) -> dict[Shape, int]:
        """Returns the number of waiting jobs of each shape."""
        return {shape: shape_queue.jobs for shape, shape_queue in self._shape_queues.items()}

    def jobs(self) -> list[Job]:
        """Returns the waiting jobs, in order of arrival."""
        queues = [
            queue
            for shape_queue in self._shape_queues.values()
            for queue in shape_queue.class_queues.values()
        ]
        return sorted([job for queue in queues for job in queue], key=lambda job: job.serial)

    def heads(self) -> list[tuple[Job, int]]:
        """Returns each class queue's first job and number of jobs, by arrival."""
        queues = [
            queue
            for shape_queue in self._shape_queues.values()
            for queue in shape_queue.class_queues.values()
        ]
        return sorted(
            [(queue.first(), len(queue)) for queue in queues], key=lambda head: head[0].serial
        )

    def find_queue(self, job: Job) -> ClassQueue | None:
        """Returns the class queue for a job; None if no such job waits."""
        shape_queue, facts = self._shape_queues.get(job.shape), job.facts
        if shape_queue is None:
            return None
        return shape_queue.class_queues.get((facts.coop, facts.project, facts.job_class))

    def coop_queue(self, shape: Shape, coop: str) -> CoopQueue | None:
        """Returns the queue of a shape and a co-op; None if no such job waits."""
        shape_queue = self._shape_queues.get(shape)
        return None if shape_queue is None else shape_queue.coop_queues.get(coop)

    def add(self, queue: ClassQueue, job: Job) -> None:
        """Adds a job to an existing class queue."""
        queue.add(job)
        queue.coop_queue.shape_queue.jobs += 1

    def add_first(
        self, job: Job, *, coop: CoopCounter, project: ServiceCounter, job_class: ServiceCounter
    ) -> ClassQueue:
        """Adds a job to a new class queue."""
        shape_queue = self._shape_queues.get(job.shape) or self._new_shape_queue(job.shape)
        coop_queue = shape_queue.coop_queues.get(coop.name) or CoopQueue(shape_queue, coop)
        queue = ClassQueue(coop_queue, project, job_class, kind_of(job))
        self.add(queue, job)
        coop_queue.add(queue)
        shape_queue.class_queues[coop.name, project.name, job_class.name] = queue
        if coop.name not in shape_queue.coop_queues:
            shape_queue.coop_queues[coop.name] = coop_queue
            coop.enter_heap(shape_queue.heap, coop_queue)
        if shape_queue.entry is None and shape_queue.shape not in self.blocked_shapes:
            self.open_shapes.add(shape_queue)
        return queue

    def _new_shape_queue(self, shape: Shape) -> ShapeQueue:
        shape_queue = ShapeQueue(shape, self._key, self.open_shapes)
        self._shape_queues[shape] = shape_queue
        self.by_model.setdefault(shape.model, {})[shape] = shape_queue
        return shape_queue

    def remove(self, queue: ClassQueue, job: Job) -> None:
        """Removes a job from its class queue; drops an empty queue."""
        queue.remove(job)
        queue.coop_queue.shape_queue.jobs -= 1
        if not len(queue):
            self._drop_queue(queue)

    def _drop_queue(self, queue: ClassQueue) -> None:
        coop_queue, shape_queue, coop = queue.coop_queue, queue.coop_queue.shape_queue, queue.coop
        coop_queue.drop(queue)
        del shape_queue.class_queues[coop.name, queue.project.name, queue.job_class.name]
        if not coop_queue.project_queues:
            del shape_queue.coop_queues[coop.name]
            coop.leave_heap(shape_queue.heap)
        if not shape_queue.jobs:
            self._drop_shape_queue(shape_queue)

    def _drop_shape_queue(self, shape_queue: ShapeQueue) -> None:
        shape = shape_queue.shape
        del self._shape_queues[shape]
        self.blocked_shapes.pop(shape, None)
        if shape_queue.entry is not None:
            self.open_shapes.remove(shape_queue)
        shape_queues = self.by_model[shape.model]
        del shape_queues[shape]
        if not shape_queues:
            del self.by_model[shape.model]

    def block(self, shape: Shape, *, late: bool = False) -> None:
        """Blocks a shape that fits no node now; ``late`` means that no search was made."""
        shape_queue = self._shape_queues.get(shape)
        if shape_queue is not None and shape_queue.entry is not None:
            self.open_shapes.remove(shape_queue)
            self.blocked_shapes[shape] = late

    def unblock_unexamined(self) -> None:
        """Unblocks the shapes for which no search was made."""
        for shape in [shape for shape, late in self.blocked_shapes.items() if late]:
            del self.blocked_shapes[shape]
            self.open_shapes.add(self._shape_queues[shape])

    def unblock(self, model: str, may_fit: Callable[[Shape], bool]) -> None:
        """Unblocks those shapes of a model that may fit a replica now."""
        for shape, shape_queue in self.by_model.get(model, {}).items():
            if shape_queue.entry is None and may_fit(shape):
                del self.blocked_shapes[shape]
                self.open_shapes.add(shape_queue)
