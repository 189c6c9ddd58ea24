"""Fair state: the fair queue as plain data for a snapshot, and back.

Only what cannot be made again from the waiting jobs and the running bills is written. The order of
turns depends on the counters alone, so a queue that was read goes on as the written one would.
"""

from collections.abc import Iterable

from msgspec import Struct

from entraide_scheduler.core.backlog import ModelBacklog
from entraide_scheduler.core.blocked_jobs import BlockedState
from entraide_scheduler.core.charges import RunCharge
from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.service_counters import CoopCounter, ServiceCounter


class CounterState(Struct, frozen=True, array_like=True):
    """A project's or a class's line and those below it; see ``lazy_heap.ServiceCounter``."""

    name: str
    committed: float
    height: float
    inner: "list[CounterState]"


class CoopCounterState(Struct, frozen=True, array_like=True):
    """A co-op's line and those below it; see ``lazy_heap.CoopCounter``.

    Slots of its own nodes are counted anew from the nodes; ``own_slots`` says nothing any more.
    """

    name: str
    committed: float
    height: float
    inner: list[CounterState]
    lifts: dict[str, float]
    credit: float
    own_slots: int
    answers: int


class QueueState(Struct, frozen=True, array_like=True):
    """The fair queue, without the jobs and the bills.

    Attributes:
        coops: their lines, in the order in which they came.
        height: see ``service_counters.ServiceCounters``.
        floors: the highest counter at which a turn was taken, by model for which somebody waits.
        blocked: the shapes that are passed over.
        late: those of them that there was no time to look at.
        blocked: the jobs that take no turns; None in a snapshot of before there were any, whose
            shapes are not those of today.
    """

    coops: list[CoopCounterState]
    height: float
    floors: dict[str, float]
    stuck: list[Shape]
    late: list[Shape] = []
    blocked: BlockedState | None = None


def dump(queue: FairQueue) -> QueueState:
    """Returns the queue as data."""
    floors = {model: queue.backlogs[model].virtual_time for model in sorted(queue.backlogs)}
    coops = [_dump_coop(coop) for coop in queue.counters.coops.values()]
    return QueueState(
        coops,
        queue.counters.virtual_time,
        floors,
        list(queue.blocked_shapes),
        list(queue.unexamined_shapes),
        queue.blocked.dump(),
    )


def _dump_coop(coop: CoopCounter) -> CoopCounterState:
    return CoopCounterState(
        name=coop.name,
        committed=coop.committed,
        height=coop.virtual_time,
        inner=[_dump_counter(project) for project in coop.children.values()],
        lifts={model: coop.lifts[model] for model in sorted(coop.lifts)},
        credit=coop.credit,
        own_slots=0,
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
    """Fills a new queue, to which the policy was told, with what was written.

    Args:
        queue: without lines.
        state: as ``dump`` gave it.
        jobs: those that wait.
        runs: those that are not over, in the order in which they began: the charge, and the shape
            where the run is not booked.
    """
    assert not queue.counters.coops
    queue.counters.coops = {coop.name: _load_coop(coop) for coop in state.coops}
    queue.counters.virtual_time = state.height
    queue.backlogs = {model: ModelBacklog(floor, model) for model, floor in state.floors.items()}
    queue.counters.update_weights()
    for charge, shape in runs:
        queue.counters.count_run(charge, queue.counters.counters_of(charge), shape)
    _load_jobs(queue, state, list(jobs))


def _load_jobs(queue: FairQueue, state: QueueState, jobs: list[Job]) -> None:
    blocked = state.blocked or BlockedState([], [])
    is_due: dict[str, bool] = {}
    for _, _, due_names, checked_names in blocked.lists:
        is_due |= dict.fromkeys(due_names, True) | dict.fromkeys(checked_names, False)
    by_name = {job.facts.job: job for job in jobs}
    for job in jobs:
        if job.facts.job not in is_due:
            queue.restore(job)
    for name, due in is_due.items():
        queue.restore_blocked(by_name[name], due=due)
    queue.blocked.order(blocked)
    late = set(state.late)
    for shape in state.stuck:
        queue.block_shape(shape, late=shape in late)


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
