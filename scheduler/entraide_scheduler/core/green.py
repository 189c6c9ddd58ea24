"""Green hours: where a waiting batch job may start now, and what it waits for.

Decides what the pure plan of ``deferral`` is told: the work that waits, by groups of jobs that fit
the same nodes, and the slots that batch work may hold, by zone, or by site where it has generation
of its own. It refuses to know turns and picks: a place where a job should not start yet is one more
rule that excludes its nodes.
"""

from entraide.types import NodeState
from entraide_scheduler.core.backlog import Wait, wait_of
from entraide_scheduler.core.deferral import STEP_S, Cell, Scene, Supply, Verdict
from entraide_scheduler.core.events import ForecastIssued, IntensityChanged
from entraide_scheduler.core.lanes import Lane
from entraide_scheduler.core.outlook import HOUR_S, Signal
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.state import State

UPPER_RUNS = 3.0  # a run seldom takes so many times what it takes on average


def wait_for(state: State, job: Job) -> Wait | None:
    """Returns what a job adds to the waiting work; None when it may not, or need not, wait."""
    facts = job.facts
    terms = state.classes[facts.job_class]
    if not terms.green_hours:
        return None
    deadline_at = facts.deadline_at
    if terms.completion_s is not None:
        promised_at = job.requested_at + terms.completion_s
        deadline_at = promised_at if deadline_at is None else min(deadline_at, promised_at)
    if deadline_at is None:
        return None
    run_s = state.habits.run_s(facts.model)
    wait = wait_of(deadline_at, upper_s=UPPER_RUNS * run_s, run_s=run_s)
    return wait if wait.hour * HOUR_S > state.now + STEP_S else None


def group(shape: Shape) -> str:
    """Returns the name of the jobs that fit the same nodes, whatever their hour."""
    return "|".join(
        (
            shape.model,
            ",".join(shape.features),
            shape.jurisdiction,
            shape.data_class.value,
            shape.coop,
            str(shape.context_tokens),
            "limited" if shape.limited else "",
        )
    )


def enter(state: State, job: Job) -> None:
    """Counts a job that begins to wait."""
    if job.wait is not None:
        state.green.add(group(job.shape), job.wait)


def leave(state: State, job: Job) -> None:
    """Counts a job that waits no longer."""
    if job.wait is not None:
        state.green.remove(group(job.shape), job.wait)


def places(state: State, shape: Shape, at: float) -> frozenset[str]:
    """Returns the zones and sites where a shape's jobs may start now."""
    return frozenset(_verdict(state, shape, at).names)


def may_start(state: State, shape: Shape, lane: Lane) -> bool:
    """Tells whether a shape may start on a lane now, as far as green hours go."""
    return not shape.green_h or lane.place in _verdict(state, shape, state.now).names


def wait(state: State, shape: Shape) -> None:
    """Sees to it that a shape which waits for greener hours is looked at again."""
    state.deadlines.set("green", "", _verdict(state, shape, state.now).wake_at)


def due(state: State, _: str) -> None:
    """A quarter of an hour has passed."""
    _look_again(state)


def observed(state: State, event: IntensityChanged) -> None:
    """A zone's intensity was told."""
    state.green.outlook.observe(event)


def forecast(state: State, event: ForecastIssued) -> None:
    """A zone's forecast was issued."""
    state.green.outlook.issue(event)
    _look_again(state)


def _look_again(state: State) -> None:
    state.queue.unstick_all(lambda shape: bool(shape.green_h))
    state.queue.blocked.recall_all()


def values(state: State, shape: Shape, at: float) -> Values:
    """Returns the numbers behind waiting for a greener hour."""
    verdict = _verdict(state, shape, at)
    told: Values = {"latest_start_at": float(shape.green_h * HOUR_S)}
    if verdict.present is not None:
        told["zone"] = verdict.present.zone
        told["now_g_per_kwh"] = verdict.present.g_per_kwh
    if verdict.later is not None:
        told |= _later(state, verdict.later)
    return told


def _later(state: State, cell: Cell) -> Values:
    told: Values = {
        "then_zone": cell.zone,
        "then_g_per_kwh": cell.g_per_kwh,
        "then_at": float(cell.hour * HOUR_S),
        "signal": (cell.signal or Signal.DEFAULT).value,
    }
    issued_at = state.green.outlook.issued_at(cell.zone)
    if cell.signal is Signal.FORECAST and issued_at is not None:
        told["issued_at"] = issued_at
    return told


def _verdict(state: State, shape: Shape, at: float) -> Verdict:
    return state.green.verdict(
        group(shape),
        Wait(shape.green_h, 1),
        at=at,
        terms=state.policy.deferral,
        version=state.fleet.lanes.version * 4_096 + state.green.backlog.groups(),
        scene=lambda: _scene(state, shape),
    )


def _scene(state: State, shape: Shape) -> Scene:
    """Returns the slots that a shape's work may hold, and the groups that share them.

    What a unit of work takes is reckoned by the cards, at a full batch: what is learned changes
    with every run, and a plan must not.
    """
    slots: dict[str, int] = {}
    energy: dict[str, float] = {}
    first: dict[str, Lane] = {}
    for lane in state.fleet.able(shape).lanes:
        if lane.node.state is not NodeState.LIVE or not lane.node.accepting:
            continue
        place, batch = lane.place, lane.load.batch_slots
        first.setdefault(place, lane)
        slots[place] = slots.get(place, 0) + batch
        energy[place] = energy.get(place, 0.0) + batch * lane.typical_uwh
    supplies = tuple(
        Supply(
            place,
            lane.node.card.zone,
            float(slots[place]),
            energy[place] / slots[place] / 1e6,
            None if place == lane.node.card.zone else lane.effective.direct_g_per_kwh,
        )
        for place, lane in first.items()
    )
    mine, model = group(shape), shape.model + "|"
    rivals = tuple(
        (name, 1.0)
        for name in state.green.backlog.names()
        if name != mine and name.startswith(model)
    )
    return Scene(supplies, rivals)
