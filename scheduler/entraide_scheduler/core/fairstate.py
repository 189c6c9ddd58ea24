"""Fair state: the fair queue as plain data for a snapshot, and back.

Only what cannot be made again from the waiting jobs and the running bills is written. The order of
turns depends on the counters alone, so a queue that was read goes on as the written one would.
"""

from collections.abc import Iterable

from msgspec import Struct

from entraide_scheduler.core.bills import Bill
from entraide_scheduler.core.fairline import FairQueue
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.turns import Crowd, Line


class LineState(Struct, frozen=True, array_like=True):
    """One line and those below it; see ``turns.Line``."""

    name: str
    committed: float
    lifts: dict[str, float]
    credit: float
    own_slots: int
    height: float
    inner: "list[LineState]"
    answers: int = 0


class QueueState(Struct, frozen=True, array_like=True):
    """The fair queue, without the jobs and the bills.

    Attributes:
        pool: the line that holds the co-ops' lines, in the order in which they came.
        floors: the highest counter at which a turn was taken, by model for which somebody waits.
        stuck: the shapes that are passed over.
    """

    pool: LineState
    floors: dict[str, float]
    stuck: list[Shape]


def dump(queue: FairQueue) -> QueueState:
    """Returns the queue as data."""
    floors = {model: queue.crowds[model].floor for model in sorted(queue.crowds)}
    return QueueState(_dump_line(queue.shares.pool), floors, list(queue.stuck))


def _dump_line(line: Line) -> LineState:
    return LineState(
        name=line.name,
        committed=line.committed,
        lifts={model: line.lifts[model] for model in sorted(line.lifts)},
        credit=line.credit,
        own_slots=line.own_slots,
        height=line.height,
        inner=[_dump_line(one) for one in line.inner.values()],
        answers=line.answers,
    )


def load(queue: FairQueue, state: QueueState, jobs: Iterable[Job], bills: Iterable[Bill]) -> None:
    """Fills a new queue, to which the policy was told, with what was written.

    Args:
        queue: without lines.
        state: as ``dump`` gave it.
        jobs: those that wait.
        bills: of the runs that are not over.
    """
    assert not queue.shares.pool.inner
    queue.shares.pool = _load_line(state.pool)
    queue.crowds = {model: Crowd(floor, model) for model, floor in state.floors.items()}
    queue.shares.weigh_all()
    for bill in bills:
        coop, project, _ = queue.shares.lines_of(bill)
        coop.running += 1
        project.running += 1
        coop.in_flight_tokens += bill.in_flight_tokens()
    for job in jobs:
        queue.place(job)
    for shape in state.stuck:
        queue.stick(shape)


def _load_line(state: LineState) -> Line:
    line = Line(state.name)
    line.committed, line.lifts = state.committed, dict(state.lifts)
    line.credit, line.own_slots = state.credit, state.own_slots
    line.height, line.answers = state.height, state.answers
    line.inner = {one.name: _load_line(one) for one in state.inner}
    return line
