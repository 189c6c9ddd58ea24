"""Fair queue: decides which waiting job is served next, by weighted virtual token counters.

Method: Sheng et al., "Fairness in serving large language models" (VTC), OSDI 2024. A counter grows
by the virtual tokens served, divided by its weight; the waiting co-op with the lowest counter is
next, then its lowest project, then that project's lowest class. When its jobs begin to wait, a
counter is lifted to the virtual time (the highest counter served yet), so that idle time earns no
service. Additions to VTC:
- *Expected lengths*: dispatch charges the expected answer; the run's progress corrects it.
- *Owed turn*: a job goes first while a free slot of its co-op's own nodes can run it.
- *Cap*: a co-op whose tokens in flight would exceed the cap goes last.
- *Head start*: a co-op's counter may be lifted to a bounded amount below the virtual time.

Input: jobs, charges, blocked shapes. Output: the next job. ``docs/concepts/fairness.md`` proves the
bound.
"""

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import astuple

from entraide_scheduler.core.fair_queue.backlog import (
    ClassQueue,
    CoopQueue,
    ModelBacklog,
    ShapeQueue,
    first_class_queue,
    open_queues,
)
from entraide_scheduler.core.fair_queue.blocked_jobs import BlockedJobs
from entraide_scheduler.core.fair_queue.counters import NEVER, CoopCounter, ServiceCounters
from entraide_scheduler.core.fair_queue.formulas import (
    CAPPED,
    NORMAL,
    OWED,
    CapReached,
    fits_cap,
    head_start,
    kind_of,
    reserved_tokens,
)
from entraide_scheduler.core.fair_queue.lazy_heap import HeapKey, LazyHeap
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Job, OwnKind, RunCharge, Shape

SHAPES_PER_EVENT = 512  # shapes of a model that are examined as one of its nodes changes


class FairQueue:
    """All waiting jobs, and the service counters of co-ops, projects and classes.

    Attributes:
        counters: service of each co-op, project and class.
        backlogs: the waiting jobs, by model.
        blocked: waiting jobs that take no turns because a limit of their own excludes every node.
        open_shapes: the shapes of jobs that take turns, except the blocked ones, the next first.
    """

    def __init__(self) -> None:
        self.counters = ServiceCounters()
        self.backlogs: dict[str, ModelBacklog] = {}
        self.blocked = BlockedJobs()
        self.open_shapes = LazyHeap(ShapeQueue.key)
        self._blocked_shapes: dict[Shape, bool] = {}  # True if no search was made
        self._next_turn: tuple[Job, ClassQueue, int] | None = None
        self._largest_tokens = 0

    def apply_policy(self, policy: Policy) -> None:
        """Applies a policy and unblocks every shape."""
        self.counters.apply_policy(policy)
        self.unblock_all_shapes(lambda _: True)

    def add(self, job: Job) -> None:
        """Enqueues a job; lifts the counters of its path for which no job waited."""
        self._enqueue(job, lift=True)

    def restore(self, job: Job) -> None:
        """Enqueues a job that waited before, restored or reshaped; lifts no counter."""
        self._enqueue(job, lift=False)

    def restore_blocked(self, job: Job, *, due: bool) -> None:
        """Adds a job that was blocked before, when a snapshot is restored."""
        self._block(self._count_queued(job, lift=False), job, due=due)

    def remove(self, job: Job) -> None:
        """Removes a waiting job."""
        queue = self._queue_of(job)
        if job in self.blocked:
            self._unblock(queue, job)
        else:
            self._end_turns(queue, job)
        self._count_gone(queue)

    def block_job(self, job: Job) -> None:
        """Blocks a waiting job that a limit of its own keeps from every open node."""
        queue = self._queue_of(job)
        self._end_turns(queue, job)
        self._block(queue, job, due=False)

    def unblock_job(self, job: Job) -> None:
        """Unblocks a job; it returns to its former position in its class queue."""
        queue = self._queue_of(job)
        self._unblock(queue, job)
        self._begin_turns(queue, job)

    def _enqueue(self, job: Job, *, lift: bool) -> None:
        self._begin_turns(self._count_queued(job, lift=lift), job)

    def _find_queue(self, job: Job) -> ClassQueue | None:
        backlog = self.backlogs.get(job.shape.model)
        return None if backlog is None else backlog.find_queue(job)

    def _queue_of(self, job: Job) -> ClassQueue:
        queue = self._find_queue(job)
        assert queue is not None, f"{job.facts.job} does not wait"
        return queue

    def _new_queue(self, job: Job, *, lift: bool) -> ClassQueue:
        """Returns a new class queue for a job; lifts those of its counters that had no queue."""
        counters, model, kind = self.counters, job.shape.model, kind_of(job)
        path = coop, _, _ = counters.counters_for(job.facts)
        backlog = self.backlogs.get(model) or self.add_backlog(model, counters.virtual_time)
        coop_queue = backlog.coop_queue(job.shape, coop)
        if lift:
            if kind not in coop.kinds:
                head_start_tokens = head_start(coop, counters.terms, counters.charge)
                coop.lift_to(model, backlog.virtual_time - head_start_tokens)
            coop_queue.lift(path)
        queue = ClassQueue(coop_queue, path, kind)
        backlog.add_queue(queue)
        return queue

    def add_backlog(self, model: str, virtual_time: float) -> ModelBacklog:
        """Adds the backlog of a model, for which no job waits yet."""
        backlog = self.backlogs[model] = ModelBacklog(model, virtual_time, self._coop_key)
        return backlog

    def _count_queued(self, job: Job, *, lift: bool) -> ClassQueue:
        """Counts a job that begins to wait; returns its class queue."""
        queue = self._find_queue(job)
        if queue is None:
            queue = self._new_queue(job, lift=lift)
        queue.coop.queued += 1
        return queue

    def _count_gone(self, queue: ClassQueue) -> None:
        """Counts a job that waits no more; drops a queue without jobs."""
        queue.coop.queued -= 1
        if not (queue.keys.parts or queue.blocked):
            model = queue.kind[0]
            backlog = self.backlogs[model]
            backlog.drop_queue(queue)
            if not backlog.shape_queues:
                del self.backlogs[model]

    def _begin_turns(self, queue: ClassQueue, job: Job) -> None:
        self._next_turn = None
        self._largest_tokens = max(self._largest_tokens, reserved_tokens(job))
        begins = not queue.keys.parts
        queue.add(job)
        if begins:
            shape_queue = queue.coop_queue.shape_queue
            if shape_queue.entry is not None:
                self.open_shapes.decrease_key(shape_queue)
            elif shape_queue.shape not in self._blocked_shapes:
                self.open_shapes.add(shape_queue)
        if queue.coop.needs_tokens != NEVER:
            self.counters.mark_coop_lower(queue.coop)

    def _end_turns(self, queue: ClassQueue, job: Job) -> None:
        self._next_turn = None
        queue.remove(job)
        shape_queue = queue.coop_queue.shape_queue
        if not queue.keys.parts and not len(shape_queue.heap):
            if shape_queue.entry is not None:
                self.open_shapes.remove(shape_queue)
            else:
                del self._blocked_shapes[shape_queue.shape]
        if queue.coop.needs_tokens != NEVER:
            self.counters.mark_coop_lower(queue.coop)

    def _block(self, queue: ClassQueue, job: Job, *, due: bool) -> None:
        queue.blocked += 1
        self.blocked.add(job, due=due)

    def _unblock(self, queue: ClassQueue, job: Job) -> None:
        queue.blocked -= 1
        self.blocked.remove(job)

    def reshape(self, job: Job, shape: Shape) -> None:
        """Moves a waiting job to another shape of the same model; it takes turns again."""
        queue = self._queue_of(job)
        if job in self.blocked:
            self._unblock(queue, job)
        else:
            self._end_turns(queue, job)
        job.shape = shape
        new_queue = self._count_queued(job, lift=False)
        self._count_gone(queue)
        self._begin_turns(new_queue, job)

    def _class_queues(self) -> Iterator[ClassQueue]:
        for shape_queue in self.shape_queues_of(self.backlogs):
            yield from shape_queue.class_queues.values()

    def jobs(self) -> list[Job]:
        """Returns the waiting jobs, in order of arrival."""
        jobs = [job for queue in self._class_queues() for job in queue]
        return sorted([*jobs, *self.blocked.jobs()], key=lambda job: job.serial)

    def takes_turns(self, job: Job) -> bool:
        """Tells whether neither a waiting job nor its shape is blocked."""
        return job.shape not in self._blocked_shapes and job not in self.blocked

    def heads(self) -> list[tuple[Job, int]]:
        """Returns each class queue's first job and number of jobs, by arrival.

        The jobs that are blocked count apart.
        """
        heads = [(queue.first(), len(queue.keys)) for queue in self._class_queues() if queue.keys]
        return sorted([*heads, *self.blocked.heads()], key=lambda head: head[0].serial)

    def queue_length(self, coop: str) -> int:
        """Returns how many jobs of a co-op wait."""
        return self.counters.coops[coop].queued if coop in self.counters.coops else 0

    def shape_count(self, coop: str) -> int:
        """Returns the number of different shapes of a co-op's waiting jobs."""
        return self.counters.coops[coop].shape_count if coop in self.counters.coops else 0

    # Shapes.

    def shape_queues_of(self, models: Iterable[str]) -> list[ShapeQueue]:
        """Returns the queues of some models' shapes."""
        backlogs = [self.backlogs[model] for model in models if model in self.backlogs]
        return [queue for backlog in backlogs for queue in backlog.shape_queues.values()]

    def find_shape_queue(self, shape: Shape) -> ShapeQueue | None:
        """Returns the queue of a shape; None if no job of this shape waits."""
        backlog = self.backlogs.get(shape.model)
        return None if backlog is None else backlog.shape_queues.get(shape)

    def jobs_in(self, shape_queues: Iterable[ShapeQueue]) -> list[Job]:
        """Returns the jobs of some shapes, in order of arrival."""
        jobs: list[Job] = []
        for each in shape_queues:
            jobs += [job for queue in each.class_queues.values() for job in queue]
            if any(queue.blocked for queue in each.class_queues.values()):
                blocked = self.blocked.jobs_of(each.shape.model)
                jobs += [job for job in blocked if job.shape == each.shape]
        return sorted(jobs, key=lambda job: job.serial)

    @property
    def shapes(self) -> list[Shape]:
        """The shapes of the waiting jobs."""
        return [shape_queue.shape for shape_queue in self.shape_queues_of(self.backlogs)]

    @property
    def blocked_shapes(self) -> tuple[Shape, ...]:
        """The blocked shapes, in the order in which they were blocked."""
        return tuple(self._blocked_shapes)

    @property
    def unexamined_shapes(self) -> tuple[Shape, ...]:
        """The blocked shapes for which no search was made, to bound the work of an event."""
        return tuple(shape for shape, late in self._blocked_shapes.items() if late)

    def block_shape(self, shape: Shape, *, late: bool = False) -> None:
        """Blocks a shape that fits no node now; ``late``: the event did not examine it."""
        backlog = self.backlogs.get(shape.model)
        shape_queue = None if backlog is None else backlog.shape_queues.get(shape)
        if shape_queue is not None and shape_queue.entry is not None:
            self.open_shapes.remove(shape_queue)
            self._blocked_shapes[shape] = late

    def block_open_shapes(self) -> None:
        """Blocks all shapes that are not blocked, without a search."""
        for shape in sorted(self.shapes, key=astuple):
            self.block_shape(shape, late=True)

    def block_unfit(self, model: str, may_fit: Callable[[Shape], bool]) -> None:
        """Blocks all shapes of a model that fit no node now, unless they are too many."""
        backlog = self.backlogs.get(model)
        if backlog is not None and len(backlog.shape_queues) <= SHAPES_PER_EVENT:
            queues = [queue for queue in backlog.shape_queues.values() if queue.entry is not None]
            unfit = [queue.shape for queue in queues if not may_fit(queue.shape)]
            for shape in sorted(unfit, key=astuple):  # in the same order after a restore
                self.block_shape(shape)

    def unblock_unexamined(self) -> None:
        """Unblocks ``SHAPES_PER_EVENT`` of the shapes that were not examined, the oldest first."""
        for shape in self.unexamined_shapes[:SHAPES_PER_EVENT]:
            self._unblock_shape(self.backlogs[shape.model].shape_queues[shape])

    def unblock_shapes(self, model: str, may_fit: Callable[[Shape], bool]) -> None:
        """Unblocks those shapes of a model that may fit a replica now.

        At most ``SHAPES_PER_EVENT`` are examined; the others count as not examined.
        """
        backlog = self.backlogs.get(model)
        if backlog is None or not self._blocked_shapes:
            return
        queues = list(backlog.shape_queues.values())
        if len(queues) > SHAPES_PER_EVENT:
            blocked = [shape for shape in self._blocked_shapes if shape.model == model]
            blocked.sort(key=astuple)
            self._blocked_shapes.update(dict.fromkeys(blocked[SHAPES_PER_EVENT:], True))
            queues = [backlog.shape_queues[shape] for shape in blocked[:SHAPES_PER_EVENT]]
        for queue in queues:
            if queue.entry is None and len(queue.heap) and may_fit(queue.shape):
                self._unblock_shape(queue)

    def unblock_all_shapes(self, may_fit: Callable[[Shape], bool]) -> None:
        """Unblocks those shapes of all models that may fit a replica now."""
        for model in self.backlogs:
            self.unblock_shapes(model, may_fit)

    def _unblock_shape(self, shape_queue: ShapeQueue) -> None:
        del self._blocked_shapes[shape_queue.shape]
        self.open_shapes.add(shape_queue)

    # Turns.

    def next_job(self) -> Job | None:
        """Returns the next job among those whose shape is not blocked; None when there is none."""
        if not self.open_shapes:
            return None
        self._update_heaps()
        capped: list[CoopCounter] = []
        while True:
            key = self.open_shapes.peek()
            tier, counter, *_ = key
            queue = first_class_queue(key)
            job = queue.first()
            if tier != NORMAL or fits_cap(queue.coop, job, self.counters.terms.cap_tokens):
                break
            # The co-op's first job is of another shape than the key's, and exceeds the cap.
            queue.coop.held_back_at += (counter,)
            capped.append(queue.coop)
        for coop in capped:
            coop.held_back_at = ()
            self.counters.mark_coop_lower(coop)
        self._next_turn = job, queue, tier
        return job

    def _update_heaps(self) -> None:
        """Applies the decreased keys of co-ops to the heaps."""
        lowered = self.counters.lowered_coops
        for coop in lowered:
            coop.is_lower = False
            coop.needs_tokens = NEVER
            for coop_queue in coop.coop_queues:
                shape_queue = coop_queue.shape_queue
                has_fallen = shape_queue.heap.decrease_key(coop_queue)
                if has_fallen and shape_queue.entry is not None:
                    self.open_shapes.decrease_key(shape_queue)
            for model, entry in coop.entries.items():
                self.backlogs[model].heap.decrease_key(entry)
        lowered.clear()

    def first_owed_on(self, coop: str, kind: OwnKind, *, before: Job) -> Job | None:
        """Returns a co-op's first job that is owed a slot of one of its own kinds of replica.

        On the co-op's own replica this job goes before another co-op's job. Without this rule, the
        other co-op could take the replica again and again where both are owed a turn.

        Args:
            coop: owner of the replica.
            kind: kind of the replica.
            before: another co-op's job, which would be placed on the replica.
        """
        counter = self.counters.coops.get(coop)
        if counter is None or not counter.queued or coop == before.facts.coop:
            return None
        own = counter.own.get(kind.model)
        if own is None or not self.counters.terms.own_nodes:
            return None
        owed = [
            coop_queue
            for coop_queue in open_queues(counter)
            if own.has_free(kind, coop_queue.shape_queue.shape)
        ]
        if not owed:
            return None
        queue = min(owed, key=CoopQueue.head).first()
        self._next_turn = queue.first(), queue, OWED
        return queue.first()

    def _coop_key(self, coop_queue: CoopQueue) -> HeapKey[CoopQueue]:
        """Returns the key that orders co-ops for jobs of one shape."""
        coop = coop_queue.coop
        counter = coop.counter(coop_queue.shape_queue.shape.model)
        if coop.own and self.counters.terms.own_nodes and coop_queue.is_owed():
            tier = OWED
        elif coop.in_flight_tokens + self._largest_tokens <= self.counters.terms.cap_tokens:
            tier = NORMAL
        else:
            tier = self._tier_at_cap(coop_queue, counter)
        return tier, counter, coop.running, coop.name, coop_queue

    def _tier_at_cap(self, coop_queue: CoopQueue, counter: float) -> int:
        coop, job = coop_queue.coop, coop_queue.first().first()
        if counter not in coop.held_back_at and fits_cap(coop, job, self.counters.terms.cap_tokens):
            return NORMAL
        coop.needs_tokens = min(coop.needs_tokens, reserved_tokens(job))
        return CAPPED

    def cap_reached(self, job: Job) -> CapReached | None:
        """Returns the co-op's cap if it holds a job back while other co-ops wait; else None."""
        coop, terms = self.counters.coop_counter(job.facts.coop), self.counters.terms
        own = coop.own.get(job.shape.model) if terms.own_nodes else None
        if (own is not None and own.is_owed(job.shape)) or fits_cap(coop, job, terms.cap_tokens):
            return None
        return CapReached(coop.in_flight_tokens, terms.cap_tokens)

    def count_ahead(self, job: Job, competes: Callable[[str, Shape], bool]) -> tuple[int, int]:
        """Counts the jobs and co-ops that are ahead of a waiting job now, 0 of a blocked job.

        Those queues count for whose co-op and shape ``competes`` holds.

        Returns:
            The number of jobs of the same project and class, and of other co-ops.
        """
        if job in self.blocked:
            return 0, 0
        self._update_heaps()
        queue = self._queue_of(job)
        keys = [
            (coop_queue.coop, self._coop_key(coop_queue))
            for shape_queue in self.backlogs[job.shape.model].shape_queues.values()
            for coop_queue in shape_queue.coop_queues.values()
            if coop_queue.queues and competes(coop_queue.coop.name, shape_queue.shape)
        ]
        own_key = min(key for coop, key in keys if coop is queue.coop)
        coops_ahead = {coop.name for coop, key in keys if key < own_key}
        name = queue.name
        own_jobs = sum(
            shape_queue.class_queues[name].count_before(job)
            for shape_queue in self.shape_queues_of(self.backlogs)
            if name in shape_queue.class_queues and competes(queue.coop.name, shape_queue.shape)
        )
        return own_jobs, len(coops_ahead - {queue.coop.name})

    # Service.

    def start_run(
        self, job: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> RunCharge:
        """Dequeues a job that has been placed, and begins its charge.

        Args:
            job: a waiting job, not necessarily the one that ``next_job`` returned; or one that
                has just arrived, while ``is_idle_for`` holds for its model.
            input_tokens: prompt tokens that no cache holds.
            expected_tokens: expected tokens of the answers.
            reserved_tokens: prompt and longest answers, which count as in flight.
        """
        turn, self._next_turn = self._next_turn, None
        if job.shape.model not in self.backlogs:
            path = self.counters.start_at_once(job.facts)
        else:
            _, queue, tier = turn if turn and turn[0] is job else (job, self._queue_of(job), None)
            path = queue.coop, queue.project, queue.job_class
            self._advance_virtual_time(queue, tier)
            self._end_turns(queue, job)
            self._count_gone(queue)
        return self.counters.begin_charge(
            path,
            shape=job.shape,
            input_tokens=input_tokens,
            expected_tokens=expected_tokens,
            reserved_tokens=reserved_tokens,
        )

    def _advance_virtual_time(self, queue: ClassQueue, tier: int | None) -> None:
        """Raises the virtual times to the counter of the turn that is taken.

        When a co-op is served out of order, use the lowest counter among the waiting co-ops.

        Args:
            queue: the queue whose first job is served.
            tier: tier of the turn; None when the job is served out of order.
        """
        model, counters = queue.kind[0], self.counters
        model_backlog = self.backlogs[model]
        if tier is None or tier == OWED:
            self._update_heaps()
            counter = model_backlog.heap.peek()[1]
        else:
            counter = queue.coop.counter(model)
        model_backlog.virtual_time = max(model_backlog.virtual_time, counter)
        counters.virtual_time = max(counters.virtual_time, counter)
        if tier is not None:
            queue.coop.advance(queue.project, queue.job_class)

    def is_idle_for(self, model: str) -> bool:
        """Tells whether a job of a model that arrives now would be the only candidate."""
        return model not in self.backlogs and not self.open_shapes
