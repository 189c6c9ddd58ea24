"""Fair state: the fair queue as plain data for a snapshot, and back.

Only what cannot be made again from the waiting jobs and the running bills is written. The order of
turns depends on the counters alone, so a queue that was read goes on as the written one would.
"""

from collections.abc import Iterable

from msgspec import Struct

from entraide_scheduler.core.bills import Bill
from entraide_scheduler.core.fairline import FairQueue
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.turns import Crowd, Level, Line


class LevelState(Struct, frozen=True, array_like=True):
    """One level of the fair queue.

    Attributes:
        height: the highest counter at which a turn was taken.
        lines: in the order in which they came.
    """

    height: float
    lines: "list[LineState]"


class LineState(Struct, frozen=True, array_like=True):
    """One line, and the level below it; see ``turns.Line``."""

    name: str
    committed: float
    lifts: dict[str, float]
    credit: float
    own_slots: int
    inner: LevelState | None


class QueueState(Struct, frozen=True, array_like=True):
    """The fair queue, without the jobs and the bills.

    Attributes:
        coops: the upper level, and those below it.
        floors: the highest counter at which a turn was taken, by model for which somebody waits.
        stuck: the shapes that are passed over.
    """

    coops: LevelState
    floors: dict[str, float]
    stuck: list[Shape]


def dump(queue: FairQueue) -> QueueState:
    """Returns the queue as data."""
    floors = {model: queue.crowds[model].floor for model in sorted(queue.crowds)}
    return QueueState(_dump_level(queue.coops), floors, list(queue.stuck))


def _dump_level(level: Level) -> LevelState:
    return LevelState(
        height=level.height,
        lines=[_dump_line(line) for line in level.lines.values()],
    )


def _dump_line(line: Line) -> LineState:
    return LineState(
        name=line.name,
        committed=line.committed,
        lifts={model: line.lifts[model] for model in sorted(line.lifts)},
        credit=line.credit,
        own_slots=line.own_slots,
        inner=_dump_level(line.inner) if line.inner.lines else None,
    )


def load(queue: FairQueue, state: QueueState, jobs: Iterable[Job], bills: Iterable[Bill]) -> None:
    """Fills a new queue, to which the policy was told, with what was written.

    Args:
        queue: without lines.
        state: as ``dump`` gave it.
        jobs: those that wait.
        bills: of the runs that are not over.
    """
    assert not queue.coops.lines
    _load_level(queue.coops, state.coops)
    queue.crowds = {model: Crowd(floor, model) for model, floor in state.floors.items()}
    queue.weigh_all()
    for bill in bills:
        coop = queue.coops.lines[bill.coop]
        coop.running += 1
        coop.inner.lines[bill.project].running += 1
        coop.in_flight_tokens += bill.in_flight_tokens()
    for job in jobs:
        queue.place(job)
    for shape in state.stuck:
        queue.stick(shape)


def _load_level(level: Level, state: LevelState) -> None:
    level.height = state.height
    for one in state.lines:
        line = level.lines[one.name] = Line(one.name)
        line.committed, line.lifts = one.committed, dict(one.lifts)
        line.credit, line.own_slots = one.credit, one.own_slots
        if one.inner is not None:
            _load_level(line.inner, one.inner)
