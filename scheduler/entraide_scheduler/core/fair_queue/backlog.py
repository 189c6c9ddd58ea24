"""Backlog: the waiting jobs as queues of model, shape, co-op, project and class.

A class queue contains its jobs in order of service; a job that is blocked is counted, and takes no
turns. The levels above are lazy heaps (``lazy_heap``) ordered by service counters; only queues with
jobs that take turns are in them.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from entraide_scheduler.core.fair_queue.counters import CoopCounter, CounterPath
from entraide_scheduler.core.fair_queue.formulas import OWED, BacklogKind, job_key
from entraide_scheduler.core.fair_queue.lazy_heap import HeapItem, HeapKey, LazyHeap
from entraide_scheduler.core.fair_queue.sorted_keys import SortedKeys
from entraide_scheduler.core.records import Job, OwnKind, Shape
from entraide_scheduler.core.rules import OwnSlots

ClassName: TypeAlias = tuple[str, str, str]  # co-op, project, class

# A project's counter, running jobs and name; a class's counter and rank.
ClassKey: TypeAlias = tuple[float, int, str, float, int]

# The same, then the job's key.
QueueHead: TypeAlias = tuple[float, int, str, float, int, bool, float, int, Job]


class ClassQueue:
    """The waiting jobs of one shape, project and class, in order of service.

    Attributes:
        coop_queue: the queue that contains this one.
        coop, project, job_class: counters that its jobs are charged to.
        name: its co-op, project and class.
        kind: of its jobs.
        keys: of its jobs that take turns, in order.
        blocked: number of its other jobs.
    """

    __slots__ = ("blocked", "coop", "coop_queue", "job_class", "keys", "kind", "name", "project")

    def __init__(self, coop_queue: "CoopQueue", path: CounterPath, kind: BacklogKind) -> None:
        self.coop_queue = coop_queue
        self.coop, self.project, self.job_class = path
        self.name = self.coop.name, self.project.name, self.job_class.name
        self.kind = kind
        self.blocked = 0
        self.keys = SortedKeys()

    def __iter__(self) -> Iterator[Job]:
        return (key[3] for part in self.keys.parts for key in part)

    def first(self) -> Job:
        """Returns the first job that takes turns; there must be one."""
        return self.keys.parts[0][0][3]

    def key(self) -> ClassKey:
        """Returns the key that orders the class queues of a shape and co-op."""
        project, job_class = self.project, self.job_class
        return (
            project.committed, project.running, project.name, job_class.committed, job_class.rank,
        )  # fmt: skip

    def add(self, job: Job) -> None:
        """Inserts a job that takes turns."""
        begins = not self.keys.parts
        self.keys.add(job_key(job))
        if begins:
            self.coop_queue.open(self)

    def remove(self, job: Job) -> None:
        """Removes a job that takes turns; most are the first."""
        if self.first() is job:
            self.keys.remove_first()
        else:
            self.keys.remove(job_key(job))
        if not self.keys.parts:
            self.coop_queue.close(self)

    def count_before(self, job: Job) -> int:
        """Returns the number of its jobs that are ahead of a job of the same class."""
        return self.keys.count_before(job_key(job))


class CoopQueue(HeapItem):
    """The waiting jobs of one shape and co-op; item of its shape queue's heap.

    Attributes:
        coop: the co-op's counter.
        shape_queue: the queue that contains this one.
        queues: the class queues with jobs that take turns, by name.
        class_queues: number of class queues.
    """

    __slots__ = ("_own_kinds", "_version", "class_queues", "coop", "queues", "shape_queue")

    def __init__(self, shape_queue: "ShapeQueue", coop: CoopCounter) -> None:
        super().__init__()
        self.shape_queue = shape_queue
        self.coop = coop
        self.queues: dict[ClassName, ClassQueue] = {}
        self.class_queues = 0
        self._own_kinds: tuple[tuple[OwnKind, OwnSlots], ...] = ()
        self._version = -1

    def is_owed(self) -> bool:
        """Tells whether its jobs are owed a turn: an own replica that could run them has a slot."""
        shape = self.shape_queue.shape
        own = self.coop.own.get(shape.model)
        if own is None:
            return False
        if self._version != own.version:
            self._own_kinds, self._version = own.kinds_for(shape), own.version
        orphans, batch = own.orphans, shape.batch
        for _, count in self._own_kinds:  # noqa: SIM110  (called for each key; a generator takes longer)
            if count.is_free(orphans, batch=batch):
                return True
        return False

    def first(self) -> ClassQueue:
        """Returns the class queue that is served next: the first class of the first project."""
        queues = self.queues.values()
        return min(queues, key=ClassQueue.key) if len(queues) > 1 else next(iter(queues))

    def head(self) -> QueueHead:
        """Returns the key of its first job: project, class, job."""
        queue = self.first()
        return *queue.key(), *job_key(queue.first())

    def open(self, queue: ClassQueue) -> None:
        """Adds a class queue to the order of service."""
        self.queues[queue.name] = queue
        if len(self.queues) == 1:
            self.coop.coop_queues[self] = None
            self.shape_queue.heap.add(self)

    def close(self, queue: ClassQueue) -> None:
        """Removes a class queue from the order of service."""
        del self.queues[queue.name]
        if not self.queues:
            del self.coop.coop_queues[self]
            self.shape_queue.heap.remove(self)

    def lift(self, path: CounterPath) -> None:
        """Lifts a project and a class without waiting jobs to the lowest waiting counter.

        Without a waiting sibling, lifts them to the virtual time of their parent.
        """
        coop, project, job_class = path
        queues = self.queues.values()
        if not project.queues:
            lowest = min((queue.project.committed for queue in queues), default=coop.virtual_time)
            project.committed = max(project.committed, lowest)
        if not job_class.queues:
            siblings = (queue.job_class.committed for queue in queues if queue.project is project)
            lowest = min(siblings, default=project.virtual_time)
            job_class.committed = max(job_class.committed, lowest)


class ShapeQueue(HeapItem):
    """The waiting jobs of one shape; item of the heap of open shapes unless it is blocked.

    Attributes:
        shape: the properties of its jobs that decide which nodes may run them.
        heap: the co-op queues with jobs that take turns, by co-op counter.
        coop_queues: by co-op.
        class_queues: by co-op, project and class.
        is_stalled: whether no node would accept its jobs when that was examined last.
        is_unreachable: whether no reachable node served them, or could, at that time.
    """

    __slots__ = ("class_queues", "coop_queues", "heap", "is_stalled", "is_unreachable", "shape")

    def __init__(self, shape: Shape, key: Callable[[CoopQueue], HeapKey[CoopQueue]]) -> None:
        super().__init__()
        self.shape = shape
        self.heap = LazyHeap(key)
        self.coop_queues: dict[str, CoopQueue] = {}
        self.class_queues: dict[ClassName, ClassQueue] = {}
        self.is_stalled = self.is_unreachable = False

    @property
    def job_count(self) -> int:
        """Number of jobs of the shape."""
        return sum(len(queue.keys) + queue.blocked for queue in self.class_queues.values())

    def key(self) -> "HeapKey[ShapeQueue]":
        """Returns the key of the co-op that is served next, with its name."""
        return *self.heap.peek()[:4], self


def open_queues(coop: CoopCounter) -> list[CoopQueue]:
    """Returns a co-op's queues of shapes that are not blocked."""
    return [queue for queue in coop.coop_queues if queue.shape_queue.entry is not None]


def first_class_queue(key: HeapKey[ShapeQueue]) -> ClassQueue:
    """Returns a co-op's first class queue over all its open shapes that are next.

    With the key's shape, those shapes are next for which the co-op has the same counter and, in
    the tier ``OWED``, an owed turn.
    """
    tier, turn_counter, _, name, shape_queue = key
    coop_queue = shape_queue.coop_queues[name]
    coop = coop_queue.coop
    if len(coop.coop_queues) == 1:
        return coop_queue.first()
    coop_queues = [
        coop_queue
        for coop_queue in open_queues(coop)
        if coop.counter(coop_queue.shape_queue.shape.model) == turn_counter
        and (tier != OWED or coop_queue.is_owed())
    ]
    return min(coop_queues, key=CoopQueue.head).first()


class BacklogEntry(HeapItem):
    """A co-op's item in a model backlog.

    Attributes:
        coop: the co-op's counter.
        model: the backlog's model.
        class_queues: number of its class queues in the backlog.
    """

    __slots__ = ("class_queues", "coop", "model")

    def __init__(self, coop: CoopCounter, model: str) -> None:
        super().__init__()
        self.coop = coop
        self.model = model
        self.class_queues = 0

    def key(self) -> "HeapKey[BacklogEntry]":
        """Returns the key that orders co-ops by their counter alone."""
        coop = self.coop
        return 0, coop.counter(self.model), coop.running, coop.name, self


class ModelBacklog:
    """All jobs that wait for one model; it exists while there are any.

    Attributes:
        model: of its jobs.
        virtual_time: the highest counter at which a job of the model was served. A returning co-op
            is lifted to this value and not to the lowest waiting counter, because a co-op whose
            jobs fit no node for days would keep that value low for all others.
        heap: the waiting co-ops, by counter alone.
        shape_queues: by shape.
    """

    __slots__ = ("_coop_key", "heap", "model", "shape_queues", "virtual_time")

    def __init__(
        self, model: str, virtual_time: float, coop_key: Callable[[CoopQueue], HeapKey[CoopQueue]]
    ) -> None:
        self.model = model
        self.virtual_time = virtual_time
        self.heap = LazyHeap(BacklogEntry.key)
        self.shape_queues: dict[Shape, ShapeQueue] = {}
        self._coop_key = coop_key

    def find_queue(self, job: Job) -> ClassQueue | None:
        """Returns the class queue for a job; None if no such job waits."""
        shape_queue, facts = self.shape_queues.get(job.shape), job.facts
        if shape_queue is None:
            return None
        return shape_queue.class_queues.get((facts.coop, facts.project, facts.job_class))

    def coop_queue(self, shape: Shape, coop: CoopCounter) -> CoopQueue:
        """Returns the queue of a shape and co-op; makes a missing one."""
        shape_queue = self.shape_queues.get(shape)
        if shape_queue is None:
            shape_queue = ShapeQueue(shape, self._coop_key)
            self.shape_queues[shape] = shape_queue
        coop_queue = shape_queue.coop_queues.get(coop.name)
        if coop_queue is None:
            coop_queue = shape_queue.coop_queues[coop.name] = CoopQueue(shape_queue, coop)
            coop.shape_count += 1
        return coop_queue

    def add_queue(self, queue: ClassQueue) -> None:
        """Adds a class queue."""
        coop, coop_queue = queue.coop, queue.coop_queue
        queue.project.queues += 1
        queue.job_class.queues += 1
        coop_queue.class_queues += 1
        coop_queue.shape_queue.class_queues[queue.name] = queue
        coop.kinds[queue.kind] = coop.kinds.get(queue.kind, 0) + 1
        entry = coop.entries.get(self.model)
        if entry is None:
            entry = coop.entries[self.model] = BacklogEntry(coop, self.model)
            self.heap.add(entry)
        entry.class_queues += 1

    def drop_queue(self, queue: ClassQueue) -> None:
        """Drops an empty class queue, and the queues that only contain this one."""
        coop, coop_queue, shape_queue = queue.coop, queue.coop_queue, queue.coop_queue.shape_queue
        queue.project.queues -= 1
        queue.job_class.queues -= 1
        del shape_queue.class_queues[queue.name]
        coop_queue.class_queues -= 1
        if not coop_queue.class_queues:
            del shape_queue.coop_queues[coop.name]
            coop.shape_count -= 1
        if not shape_queue.coop_queues:
            del self.shape_queues[shape_queue.shape]
        coop.kinds[queue.kind] -= 1
        if not coop.kinds[queue.kind]:
            del coop.kinds[queue.kind]
        entry = coop.entries[self.model]
        entry.class_queues -= 1
        if not entry.class_queues:
            del coop.entries[self.model]
            self.heap.remove(entry)
