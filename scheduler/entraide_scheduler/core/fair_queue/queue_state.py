"""Fair queue state: the fair queue as plain data for a snapshot, and back.

Only what cannot be derived from the waiting jobs and the running charges is written. The order of
service depends on the counters alone, so a restored queue continues like the original.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import astuple

from entraide_scheduler.core.fair_queue.blocked_jobs import BlockedState
from entraide_scheduler.core.fair_queue.counters import CoopCounter, ServiceCounter
from entraide_scheduler.core.fair_queue.queue import FairQueue
from entraide_scheduler.core.records import Job, RunCharge, Shape


class CounterState(Struct, frozen=True, array_like=True):
    """A project's or class's counter and its children; see ``counters.ServiceCounter``."""

    name: str
    committed: float
    height: float
    inner: "list[CounterState]"


class CoopCounterState(Struct, frozen=True, array_like=True):
    """A co-op's counter and its children; see ``counters.CoopCounter``."""

    name: str
    committed: float
    height: float
    inner: list[CounterState]
    lifts: dict[str, float]
    credit: float
    answers: int


class QueueState(Struct, frozen=True, array_like=True):
    """The fair queue, without the jobs and the charges.

    Attributes:
        coops: counters of co-ops, in order of creation.
        height: ``ServiceCounters.virtual_time``.
        floors: ``ModelBacklog.virtual_time`` of each model with waiting jobs.
        stuck: blocked shapes.
        late: blocked shapes for which no search was made.
        blocked: blocked jobs.
        stalled, unreachable: shapes with ``ShapeQueue.is_stalled``, ``is_unreachable``.
    """

    coops: list[CoopCounterState]
    height: float
    floors: dict[str, float]
    stuck: list[Shape]
    late: list[Shape]
    blocked: BlockedState
    stalled: list[Shape] = []
    unreachable: list[Shape] = []


def dump(queue: FairQueue) -> QueueState:
    """Returns the queue as data."""
    floors = {model: queue.backlogs[model].virtual_time for model in sorted(queue.backlogs)}
    coops = [_dump_coop(coop) for coop in queue.counters.coops.values()]
    shapes = queue.shape_queues_of(queue.backlogs)
    return QueueState(
        coops,
        queue.counters.virtual_time,
        floors,
        list(queue.blocked_shapes),
        list(queue.unexamined_shapes),
        queue.blocked.dump(),
        sorted((each.shape for each in shapes if each.is_stalled), key=astuple),
        sorted((each.shape for each in shapes if each.is_unreachable), key=astuple),
    )


def _dump_coop(coop: CoopCounter) -> CoopCounterState:
    return CoopCounterState(
        name=coop.name,
        committed=coop.committed,
        height=coop.virtual_time,
        inner=[_dump_counter(project) for project in coop.children.values()],
        lifts={model: coop.lifts[model] for model in sorted(coop.lifts)},
        credit=coop.credit,
        answers=coop.answers,
    )


def _dump_counter(counter: ServiceCounter) -> CounterState:
    inner = [_dump_counter(child) for child in counter.children.values()]
    return CounterState(counter.name, counter.committed, counter.virtual_time, inner)


def load(
    queue: FairQueue,
    state: QueueState,
    jobs: Iterable[Job],
    runs: Iterable[tuple[RunCharge, Shape | None]],
) -> None:
    """Restores a new queue, to which the policy has been applied.

    Args:
        queue: a queue without counters.
        state: result of ``dump``.
        jobs: the waiting jobs.
        runs: charge of each run in order of start, with its shape where the run is not booked.
    """
    assert not queue.counters.coops
    queue.counters.coops = {coop.name: _load_coop(coop) for coop in state.coops}
    queue.counters.virtual_time = state.height
    for model, floor in state.floors.items():
        queue.add_backlog(model, floor)
    queue.counters.update_weights()
    for charge, shape in runs:
        queue.counters.count_run(charge, queue.counters.counters_of(charge), shape)
    _load_jobs(queue, state, list(jobs))


def _load_jobs(queue: FairQueue, state: QueueState, jobs: list[Job]) -> None:
    is_due: dict[str, bool] = {}
    for _, _, due_names, checked_names in state.blocked.lists:
        is_due |= dict.fromkeys(due_names, True) | dict.fromkeys(checked_names, False)
    by_name = {job.facts.job: job for job in jobs}
    for job in jobs:
        if job.facts.job not in is_due:
            queue.restore(job)
    for name, due in is_due.items():
        queue.restore_blocked(by_name[name], due=due)
    queue.blocked.order(state.blocked)
    late = set(state.late)
    for shape in state.stuck:
        queue.block_shape(shape, late=shape in late)
    stalled, unreachable = set(state.stalled), set(state.unreachable)
    for shape_queue in queue.shape_queues_of(queue.backlogs):
        shape_queue.is_stalled = shape_queue.shape in stalled
        shape_queue.is_unreachable = shape_queue.shape in unreachable


def _load_coop(state: CoopCounterState) -> CoopCounter:
    coop = CoopCounter(state.name)
    _fill_counter(coop, state)
    coop.lifts = dict(state.lifts)
    coop.credit, coop.answers = state.credit, state.answers
    return coop


def _load_counter(state: CounterState) -> ServiceCounter:
    counter = ServiceCounter(state.name)
    _fill_counter(counter, state)
    return counter


def _fill_counter(counter: ServiceCounter, state: CoopCounterState | CounterState) -> None:
    counter.committed, counter.virtual_time = state.committed, state.height
    counter.children = {child.name: _load_counter(child) for child in state.inner}
