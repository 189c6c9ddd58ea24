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

from collections.abc import Callable

from entraide_scheduler.core.fair_queue.backlog import (
    Backlog,
    ClassQueue,
    CoopQueue,
    ModelBacklog,
    ShapeQueue,
    kind_of,
    lift_project_and_class,
    open_coop_queues,
    reserved_tokens,
)
from entraide_scheduler.core.fair_queue.blocked_jobs import BlockedJobs, BlockedQueue
from entraide_scheduler.core.fair_queue.counters import (
    NEVER,
    CapReached,
    CoopCounter,
    CounterPath,
    ServiceCounters,
)
from entraide_scheduler.core.fair_queue.lazy_heap import HeapKey
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Job, OwnKind, RunCharge, Shape

OWED, NORMAL, CAPPED = range(3)  # tiers of co-ops; a lower tier is served first

ENTRIES_FOR_ONE_SHAPE = 2  # heap items of a co-op that waits for one shape: shape and model


class FairQueue:
    """All waiting jobs, and the service counters of co-ops, projects and classes.

    Attributes:
        counters: service of each co-op, project and class.
        backlogs: the waiting co-ops, by model.
        blocked: waiting jobs that take no turns because a limit of their own excludes every node.
    """

    def __init__(self) -> None:
        self.counters = ServiceCounters()
        self.backlogs: dict[str, ModelBacklog] = {}
        self.blocked = BlockedJobs()
        self._backlog = Backlog(self._coop_key)
        self._next_turn: tuple[Job, ClassQueue, int] | None = None
        self._largest_tokens = 0

    def apply_policy(self, policy: Policy) -> None:
        """Applies a policy and unblocks every shape."""
        self.counters.apply_policy(policy)
        self.unblock_all_shapes(lambda _: True)

    # Waiting.

    def add(self, job: Job) -> None:
        """Enqueues a job; lifts the counters of its path for which no job waited."""
        self._enqueue(job, lift=True)

    def restore(self, job: Job) -> None:
        """Enqueues a job that waited before, restored or reshaped; lifts no counter."""
        self._enqueue(job, lift=False)

    def _enqueue(self, job: Job, *, lift: bool) -> None:
        self._next_turn = None
        queue = self._backlog.find_queue(job)
        if queue is None:
            path = self.counters.counters_for(job.facts)
            self._add_queue(job, path, lift=lift)
            coop, project, job_class = path
            queue = self._backlog.add_first(job, coop=coop, project=project, job_class=job_class)
        else:
            self._backlog.add(queue, job)
        coop = queue.coop
        coop.queued += 1
        self._largest_tokens = max(self._largest_tokens, reserved_tokens(job))
        if coop.needs_tokens != NEVER:
            self.counters.mark_coop_lower(coop)

    def _add_queue(self, job: Job, path: CounterPath, *, lift: bool) -> None:
        """Counts one more queue on a path; lifts those of its counters that had no queue."""
        coop, project, job_class = path
        kind, model = kind_of(job), job.shape.model
        model_backlog = self.backlogs.get(model)
        if model_backlog is None:
            model_backlog = self.backlogs[model] = ModelBacklog(self.counters.virtual_time, model)
        is_first = coop.add_queue(kind, job.shape)
        if lift:
            self.counters.update_heaps()
            if is_first:
                coop.lift_to(model, model_backlog.virtual_time - self.counters.head_start(coop))
            lift_project_and_class(self._backlog.coop_queue(job.shape, coop.name), path)
        project.queue_count += 1
        job_class.queue_count += 1
        model_backlog.add_coop(coop)

    def remove(self, job: Job) -> None:
        """Removes a waiting job."""
        self._next_turn = None
        if job in self.blocked:
            self._remove_blocked(job)
        else:
            self._dequeue(self._queue_of(job), job)

    def _queue_of(self, job: Job) -> ClassQueue:
        queue = self._backlog.find_queue(job)
        assert queue is not None, f"{job.facts.job} does not wait"
        return queue

    def _dequeue(self, queue: ClassQueue, job: Job) -> None:
        self._backlog.remove(queue, job)
        coop = queue.coop
        coop.queued -= 1
        if not len(queue):
            self._remove_queue(queue)
        if coop.needs_tokens != NEVER:
            self.counters.mark_coop_lower(coop)

    def _remove_queue(self, queue: ClassQueue | BlockedQueue) -> None:
        queue.project.queue_count -= 1
        queue.job_class.queue_count -= 1
        if queue.coop.remove_queue(queue.kind, queue.shape):
            model = queue.kind[0]
            model_backlog = self.backlogs[model]
            queue.coop.leave_heap(model_backlog.heap)
            if not len(model_backlog.heap):
                del self.backlogs[model]

    def block_job(self, job: Job) -> None:
        """Blocks a waiting job that a limit of its own keeps from every open node."""
        self._next_turn = None
        queue = self._queue_of(job)
        self._add_blocked(job, due=False)
        self._dequeue(queue, job)

    def restore_blocked(self, job: Job, *, due: bool) -> None:
        """Adds a job that was blocked before, when a snapshot is restored."""
        self._next_turn = None
        self._add_blocked(job, due=due)

    def _add_blocked(self, job: Job, *, due: bool) -> None:
        path = self.counters.counters_for(job.facts)
        queue = self.blocked.queue_of(job)
        if queue is None:
            self._add_queue(job, path, lift=False)
            self.blocked.add_queue(job, BlockedQueue(path, kind=kind_of(job), shape=job.shape))
        self.blocked.add(job, due=due)
        path[0].queued += 1

    def unblock_job(self, job: Job) -> None:
        """Unblocks a job; it returns to its former position in its class queue."""
        self.restore(job)
        self._remove_blocked(job)

    def _remove_blocked(self, job: Job) -> None:
        queue = self.blocked.remove(job)
        queue.coop.queued -= 1
        if not queue.jobs:
            self._remove_queue(queue)

    def reorder(self, shape_of: Callable[[Job], Shape]) -> None:
        """Rebuilds the queue after a change of shapes; unblocks all jobs and shapes.

        Args:
            shape_of: returns a job's new shape, which must have the same model.
        """
        jobs = self.jobs()
        self._backlog = Backlog(self._coop_key)
        self.blocked.clear()
        self.backlogs = {
            model: ModelBacklog(model_backlog.virtual_time, model)
            for model, model_backlog in self.backlogs.items()
        }
        for coop in self.counters.coops.values():
            coop.clear_waiting()
        for job in jobs:
            job.shape = shape_of(job)
            self.restore(job)

    def jobs(self) -> list[Job]:
        """Returns the waiting jobs, in order of arrival."""
        if not self.blocked:
            return self._backlog.jobs()
        return sorted([*self._backlog.jobs(), *self.blocked.jobs()], key=lambda job: job.serial)

    def heads(self) -> list[tuple[Job, int]]:
        """Returns each class queue's first job and number of jobs, by arrival."""
        heads = self._backlog.heads()
        return heads if not self.blocked else sorted([*heads, *self.blocked.heads()], key=_arrival)

    def queue_length(self, coop: str) -> int:
        """Returns how many jobs of a co-op wait."""
        counter = self.counters.coops.get(coop)
        return 0 if counter is None else counter.queued

    def shape_count(self, coop: str) -> int:
        """Returns the number of different shapes of a co-op's waiting jobs."""
        counter = self.counters.coops.get(coop)
        return 0 if counter is None else len(counter.queues_by_shape)

    @property
    def shapes(self) -> dict[Shape, int]:
        """The number of waiting jobs of each shape."""
        shapes = self._backlog.shapes()
        for queue in self.blocked.queues():
            shapes[queue.shape] = shapes.get(queue.shape, 0) + queue.jobs
        return shapes

    @property
    def blocked_shapes(self) -> tuple[Shape, ...]:
        """The blocked shapes, in the order in which they were blocked."""
        return tuple(self._backlog.blocked_shapes)

    @property
    def unexamined_shapes(self) -> tuple[Shape, ...]:
        """The blocked shapes for which no search was made, to bound the work of an event."""
        return tuple(shape for shape, late in self._backlog.blocked_shapes.items() if late)

    def block_shape(self, shape: Shape, *, late: bool = False) -> None:
        """Blocks a shape that fits no node now; ``late`` means that no search was made."""
        self._backlog.block(shape, late=late)

    def unblock_unexamined(self) -> None:
        """Unblocks the shapes for which no search was made."""
        self._backlog.unblock_unexamined()

    def unblock_shapes(self, model: str, may_fit: Callable[[Shape], bool]) -> None:
        """Unblocks those shapes of a model that may fit a replica now."""
        self._backlog.unblock(model, may_fit)

    def unblock_all_shapes(self, may_fit: Callable[[Shape], bool]) -> None:
        """Unblocks those shapes of all models that may fit a replica now."""
        for model in self._backlog.by_model:
            self._backlog.unblock(model, may_fit)

    # Turns.

    def next_job(self) -> Job | None:
        """Returns the next job among those whose shape is not blocked; None when there is none."""
        if not len(self._backlog.open_shapes):
            return None
        self.counters.update_heaps()
        capped: list[CoopCounter] = []
        while True:
            key = self._backlog.open_shapes.peek()
            tier, counter, *_ = key
            queue = self._first_queue(key)
            job = queue.first()
            if tier != NORMAL or self._fits_cap(queue.coop, job):
                break
            # The co-op's first job is of another shape than the key's, and exceeds the cap.
            queue.coop.held_back_at += (counter,)
            capped.append(queue.coop)
        for coop in capped:
            coop.held_back_at = ()
            self.counters.mark_coop_lower(coop)
        self._next_turn = job, queue, tier
        return job

    def _first_queue(self, key: HeapKey[ShapeQueue]) -> ClassQueue:
        """Returns the co-op's first class queue over all its open shapes that are next.

        With the key's shape, those shapes are next for which the co-op has the same counter and, in
        the tier ``OWED``, an owed turn.
        """
        tier, turn_counter, _, _, shape_queue = key
        coop_queue = shape_queue.first_coop_queue
        assert coop_queue is not None
        coop = coop_queue.coop
        if len(coop.heap_items) == ENTRIES_FOR_ONE_SHAPE:
            return coop_queue.first()
        coop_queues = [
            coop_queue
            for coop_queue in open_coop_queues(coop)
            if coop.counter(coop_queue.shape_queue.shape.model) == turn_counter
            and (tier != OWED or coop_queue.is_owed())
        ]
        return min(coop_queues, key=CoopQueue.head).first()

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
            for coop_queue in open_coop_queues(counter)
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
        if counter not in coop.held_back_at and self._fits_cap(coop, job):
            return NORMAL
        coop.needs_tokens = min(coop.needs_tokens, reserved_tokens(job))
        return CAPPED

    def _fits_cap(self, coop: CoopCounter, job: Job) -> bool:
        in_flight_tokens, cap_tokens = coop.in_flight_tokens, self.counters.terms.cap_tokens
        return not in_flight_tokens or in_flight_tokens + reserved_tokens(job) <= cap_tokens

    def cap_reached(self, job: Job) -> CapReached | None:
        """Returns the co-op's cap if it holds a job back while other co-ops wait; else None."""
        coop, terms = self.counters.coop_counter(job.facts.coop), self.counters.terms
        own = coop.own.get(job.shape.model) if terms.own_nodes else None
        if (own is not None and own.is_owed(job.shape)) or self._fits_cap(coop, job):
            return None
        return CapReached(coop.in_flight_tokens, terms.cap_tokens)

    def count_ahead(self, job: Job) -> tuple[int, int]:
        """Counts the jobs and co-ops that are ahead of a waiting job now.

        Returns:
            The number of jobs of the same project and class, and of other co-ops that wait for the
            model; both are 0 for a blocked job, which takes no turns.
        """
        if job in self.blocked:
            return 0, 0
        self.counters.update_heaps()
        queue = self._queue_of(job)
        coop_queues = [
            coop_queue
            for shape_queue in self._backlog.by_model[job.shape.model].values()
            for coop_queue in shape_queue.coop_queues.values()
        ]
        keys = [(coop_queue.coop, self._coop_key(coop_queue)) for coop_queue in coop_queues]
        own_key = min(key for coop, key in keys if coop is queue.coop)
        coops_ahead = {coop.name for coop, key in keys if key < own_key}
        path = queue.coop.name, queue.project.name, queue.job_class.name
        own_jobs = sum(
            shape_queue.class_queues[path].count_before(job)
            for shape_queues in self._backlog.by_model.values()
            for shape_queue in shape_queues.values()
            if path in shape_queue.class_queues
        )
        return own_jobs, len(coops_ahead - {queue.coop.name})

    # Service.

    def start_run(
        self, job: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> RunCharge:
        """Dequeues a job that has been placed, and begins its charge.

        Args:
            job: a waiting job, not necessarily the one that ``next_job`` returned.
            input_tokens: prompt tokens that no cache holds.
            expected_tokens: expected tokens of the answers.
            reserved_tokens: prompt and longest answers, which count as in flight.
        """
        turn = self._next_turn
        if turn is not None and turn[0] is job:
            _, queue, tier = turn
            self._advance_virtual_time(queue, tier)
        else:
            queue = self._queue_of(job)
            self._advance_virtual_time(queue, None)
        self._next_turn = None
        self._dequeue(queue, job)
        return self.counters.begin_charge(
            (queue.coop, queue.project, queue.job_class),
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
            counters.update_heaps()
            counter = model_backlog.heap.peek()[1]
        else:
            counter = queue.coop.counter(model)
        model_backlog.virtual_time = max(model_backlog.virtual_time, counter)
        counters.virtual_time = max(counters.virtual_time, counter)
        if tier is not None:
            coop, project = queue.coop, queue.project
            coop.virtual_time = max(coop.virtual_time, project.committed)
            project.virtual_time = max(project.virtual_time, queue.job_class.committed)

    def is_idle_for(self, model: str) -> bool:
        """Tells whether a job of a model that arrives now would be the only candidate."""
        return model not in self.backlogs and not len(self._backlog.open_shapes)

    def start_run_at_once(
        self, job: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> RunCharge:
        """Begins the charge of a job that never waited, while ``is_idle_for`` holds for its model.

        Equivalent to ``add``, ``next_job`` and ``start_run``: lifts the counters of its path to
        the virtual times and advances these.
        """
        path = self.counters.counters_for(job.facts)
        coop, project, job_class = path
        counters, model = self.counters, job.facts.model
        if not coop.waits_for(kind_of(job)):
            coop.lift_to(model, counters.virtual_time - counters.head_start(coop))
        lift_project_and_class(None, path)
        counters.virtual_time = max(counters.virtual_time, coop.counter(model))
        coop.virtual_time = max(coop.virtual_time, project.committed)
        project.virtual_time = max(project.virtual_time, job_class.committed)
        self._largest_tokens = max(self._largest_tokens, reserved_tokens)
        return self.counters.begin_charge(
            path,
            shape=job.shape,
            input_tokens=input_tokens,
            expected_tokens=expected_tokens,
            reserved_tokens=reserved_tokens,
        )


def _arrival(head: tuple[Job, int]) -> int:
    return head[0].serial
