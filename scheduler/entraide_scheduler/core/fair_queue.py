"""Fair queue: whose turn it is, by virtual tokens on three levels: co-op, project, class.

Weighted virtual token counters (VTC, Sheng et al., OSDI 2024): a line's counter grows by what it
is served over its weight, and the waiting line with the least goes first. Ours commit the answer
that is expected at dispatch and correct it as it comes; a job that its co-op's own nodes could
run now goes first (``own_capacity``), and a co-op at its cap goes last.
``docs/concepts/fairness.md`` proves what follows. It refuses to know nodes, and asks its caller
which shapes are blocked.
"""

from collections.abc import Callable

from entraide_scheduler.core.backlog import (
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
from entraide_scheduler.core.blocked_jobs import BlockedJobs, BlockedQueue
from entraide_scheduler.core.charges import RunCharge
from entraide_scheduler.core.lazy_heap import HeapKey
from entraide_scheduler.core.own_capacity import OwnSlotsChange
from entraide_scheduler.core.own_kinds import OwnKind
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.service_counters import (
    NEVER,
    CapReached,
    CoopCounter,
    CounterPath,
    ServiceCounters,
)

OWED, NORMAL, CAPPED = range(3)  # tiers of co-ops: each goes before the next, whatever it had

ENTRIES_FOR_ONE_SHAPE = 2  # heap items of a co-op that waits for one shape: shape and model


class FairQueue:
    """All jobs that wait, and what each co-op, project and class was served.

    Attributes:
        counters: what each was served.
        backlogs: the co-ops that wait, by model.
        blocked: the waiting jobs that take no turns, for a limit of their own.
    """

    def __init__(self) -> None:
        self.counters = ServiceCounters()
        self.backlogs: dict[str, ModelBacklog] = {}
        self.blocked = BlockedJobs()
        self._backlog = Backlog(self._coop_key)
        self._next_turn: tuple[Job, ClassQueue, int] | None = None
        self._largest_tokens = 0

    # What the members agreed.

    def apply_policy(self, policy: Policy) -> None:
        """Takes the members' terms; every shape is looked at again."""
        self.counters.apply_policy(policy)
        self.unblock_all_shapes(lambda _: True)

    def add_own_slots(self, *deltas: OwnSlotsChange) -> None:
        """Takes in that co-ops' own nodes have more or fewer slots of some kinds."""
        self.counters.add_own_slots(deltas)

    def set_credit(self, coop: str, factor: float) -> None:
        """Says what a co-op's gifts add to its weight: shares x (1 + factor)."""
        counter = self.counters.coop_counter(coop)
        counter.credit = factor
        self.counters.update_weight(counter)

    # Waiting.

    def add(self, job: Job) -> None:
        """Puts a job in line; lines that had none of its kind waiting are lifted."""
        self._enqueue(job, lift=True)

    def restore(self, job: Job) -> None:
        """Puts a job in line that waited already: a restored or reshaped one lifts nobody."""
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
        """Notes one more row of these lines; those that were away are lifted."""
        coop, project, job_class = path
        kind, model = kind_of(job), job.shape.model
        model_backlog = self.backlogs.get(model)
        if model_backlog is None:
            model_backlog = self.backlogs[model] = ModelBacklog(self.counters.virtual_time, model)
        away = coop.add_queue(kind, job.shape)
        if lift:
            self.counters.update_heaps()
            if away:
                coop.lift_to(model, model_backlog.virtual_time - self.counters.head_start(coop))
            lift_project_and_class(self._backlog.coop_queue(job.shape, coop.name), path)
        project.queue_count += 1
        job_class.queue_count += 1
        model_backlog.add_coop(coop)

    def remove(self, job: Job) -> None:
        """Takes a job out of the line."""
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
        """Takes a waiting job out of the turns: a limit of its own keeps it from the nodes."""
        self._next_turn = None
        queue = self._queue_of(job)
        self._add_blocked(job, due=False)
        self._dequeue(queue, job)

    def restore_blocked(self, job: Job, *, due: bool) -> None:
        """Puts a job in line that waited already, and was blocked."""
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
        """Lets a blocked job take its turn again, in the place that it has in its row."""
        self.restore(job)
        self._remove_blocked(job)

    def _remove_blocked(self, job: Job) -> None:
        queue = self.blocked.remove(job)
        queue.coop.queued -= 1
        if not queue.jobs:
            self._remove_queue(queue)

    def reorder(self, shape_of: Callable[[Job], Shape]) -> None:
        """Puts every waiting job in place again, after a change of shapes.

        None is blocked or blocked then.

        Args:
            shape_of: a job's shape from now on; of the same model.
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
        """Returns of how many shapes a co-op's waiting jobs are."""
        counter = self.counters.coops.get(coop)
        return 0 if counter is None else len(counter.queues_by_shape)

    @property
    def shapes(self) -> dict[Shape, int]:
        """How many jobs of each shape wait."""
        shapes = self._backlog.shapes()
        for queue in self.blocked.queues():
            shapes[queue.shape] = shapes.get(queue.shape, 0) + queue.jobs
        return shapes

    @property
    def blocked_shapes(self) -> tuple[Shape, ...]:
        """The shapes that are passed over, in the order in which they were set aside."""
        return tuple(self._backlog.blocked_shapes)

    @property
    def unexamined_shapes(self) -> tuple[Shape, ...]:
        """Those of them that there was no time to look at."""
        return tuple(shape for shape, late in self._backlog.blocked_shapes.items() if late)

    def block_shape(self, shape: Shape, *, late: bool = False) -> None:
        """Passes over a shape that fits no node for now, or that there is no time to look at."""
        self._backlog.block(shape, late=late)

    def unblock_unexamined(self) -> None:
        """Looks at the shapes again that there was no time for."""
        self._backlog.unblock_unexamined()

    def unblock_shapes(self, model: str, may_fit: Callable[[Shape], bool]) -> None:
        """Looks at a model's blocked shapes again, after something opened for it."""
        self._backlog.unblock(model, may_fit)

    def unblock_all_shapes(self, may_fit: Callable[[Shape], bool]) -> None:
        """Looks at all blocked shapes again."""
        for model in self._backlog.by_model:
            self._backlog.unblock(model, may_fit)

    # Turns.

    def next_job(self) -> Job | None:
        """Returns the job whose turn it is among those whose shape is not blocked."""
        if not len(self._backlog.open_shapes):
            return None
        self.counters.update_heaps()
        capped: list[CoopCounter] = []
        while True:
            key = self._backlog.open_shapes.peek()
            queue = self._first_queue(key)
            job = queue.first()
            if key[0] != NORMAL or self._fits_cap(queue.coop, job):
                break
            # A smaller job of another shape stands here, behind one that must wait for the cap.
            queue.coop.held_back_at += (key[1],)
            capped.append(queue.coop)
        for coop in capped:
            coop.held_back_at = ()
            self.counters.mark_coop_lower(coop)
        self._next_turn = job, queue, key[0]
        return job

    def _first_queue(self, key: HeapKey[ShapeQueue]) -> ClassQueue:
        """Returns a co-op's first row over all open shapes of which its turn is the same.

        The same is its counter, and whether the turn is owed to it.
        """
        coop_queue = key[4].first_coop_queue
        assert coop_queue is not None
        coop = coop_queue.coop
        if len(coop.heap_items) == ENTRIES_FOR_ONE_SHAPE:
            return coop_queue.first()
        coop_queues = [
            coop_queue
            for coop_queue in open_coop_queues(coop)
            if coop.counter(coop_queue.shape_queue.shape.model) == key[1]
            and (key[0] != OWED or coop_queue.is_owed())
        ]
        return min(coop_queues, key=CoopQueue.head).first()

    def first_owed_on(self, coop: str, kind: OwnKind, *, before: Job) -> Job | None:
        """Returns a co-op's first job that is owed a slot of a kind of its own replicas.

        Such a job goes before one of another co-op on a replica of that kind: else what is owed
        to both could be given to the other one there, again and again.

        Args:
            coop: whose replica it is.
            kind: of the replica.
            before: the job that would be placed there, of another co-op.
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
        """Returns what decides a co-op's turn for jobs of a shape."""
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
        """Returns what holds a waiting job back while other co-ops wait, if its cap does."""
        coop, terms = self.counters.coop_counter(job.facts.coop), self.counters.terms
        own = coop.own.get(job.shape.model) if terms.own_nodes else None
        if (own is not None and own.is_owed(job.shape)) or self._fits_cap(coop, job):
            return None
        return CapReached(coop.in_flight_tokens, terms.cap_tokens)

    def count_ahead(self, job: Job) -> tuple[int, int]:
        """Returns what goes before a waiting job, as things stand.

        Returns:
            Jobs of its project and class, and other co-ops that wait for its model; none of a
            blocked job, which waits for no turn.
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

    # What is served.

    def start_run(
        self, job: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> RunCharge:
        """Takes a job out of the line because a node was found for it, and begins its bill.

        Args:
            job: one that waits; ``next`` need not have named it.
            input_tokens: of its prompt, those that no cache holds.
            expected_tokens: of its answers, at most the longest.
            reserved_tokens: prompt and longest answers; they count in flight.
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
        """Notes where turns are taken: those who come back will be lifted there.

        The counter of a co-op that goes before its turn says nothing of that; then the least of
        those that wait does.

        Args:
            queue: the queue whose first job is served.
            tier: in which it was its turn, if it was.
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
        """Tells whether a job of a model that comes now would be the only one to look at."""
        return model not in self.backlogs and not len(self._backlog.open_shapes)

    def start_run_at_once(
        self, job: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> RunCharge:
        """Begins the bill of a job that never waited, where nobody waits for its model.

        The same as ``add``, ``next`` and ``serve`` come to then: its lines are lifted to where
        turns are taken, and turns are taken there.
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

    def add_output(self, charge: RunCharge, tokens_more: int) -> None:
        """Notes tokens that a run has produced; what was expected is committed already."""
        self.counters.add_output(charge, tokens_more)

    def end_run(self, charge: RunCharge) -> None:
        """Notes that a run is over: nothing of it is expected or in flight any more."""
        self.counters.end_run(charge)

    def correct_charge(self, charge: RunCharge, *, input_tokens: int, output_tokens: int) -> None:
        """Sets what a run that is over is charged to what the engine counted."""
        self.counters.correct_charge(charge, input_tokens=input_tokens, output_tokens=output_tokens)

    def refund(self, charge: RunCharge) -> None:
        """Gives back what was charged for a run that is over and came to nothing."""
        self.counters.correct_charge(charge, input_tokens=0, output_tokens=0)


def _arrival(head: tuple[Job, int]) -> int:
    return head[0].serial
