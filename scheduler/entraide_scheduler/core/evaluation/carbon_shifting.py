"""Carbon shifting: the highest intensity at which a waiting batch job may start now.

Collects the inputs of ``shift_planner``: the waiting work of the same model and, by zone, the slots
that batch work may hold and the energy of a token. The plan contains no current node intensities:
placement compares each node's intensity, its site's remaining surplus included, with the limit and
excludes a node above the limit by the rule ``greener_later``.

Inputs: the state and a job or a shape. Output: a limit in gCO2e/kWh for each zone, and the values
of the explanation.
"""

from collections.abc import Iterable

from entraide.types import NodeState, RequestFacts
from entraide_scheduler.core.carbon import (
    HOUR_S,
    STEP_S,
    GreenerHour,
    Signal,
    StartLimit,
    ZoneCapacity,
    batch_work_of,
)
from entraide_scheduler.core.events import ForecastIssued, IntensityChanged
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.records import BatchWork, DeadlineKind, Job, Shape
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.state import State

UPPER_RUNS = 3.0  # a run's upper time, as a multiple of the mean
PER_TOKEN = (0.0, 1.0)  # prompt and answer tokens of a shape, whose jobs are not known here


def batch_work_for(state: State, job: Job) -> BatchWork | None:
    """Returns what a job adds to the waiting work; None if its class or its deadline forbids it."""
    return deferrable_work(state, job.facts, job.requested_at)


def deferrable_work(state: State, facts: RequestFacts, requested_at: float) -> BatchWork | None:
    """Returns the work of a job with such facts; None if its class or its deadline forbids to wait.

    A deadline that the client names replaces the class's promise, which may be earlier.
    """
    terms = state.classes[facts.job_class]
    if not terms.green_hours:
        return None
    deadline_at = facts.deadline_at
    if deadline_at is None and terms.completion_s is not None:
        deadline_at = requested_at + terms.completion_s
    if deadline_at is None:
        return None
    run_s = state.length_predictor.run_s(facts.model)
    wait = batch_work_of(deadline_at, upper_s=UPPER_RUNS * run_s, run_s=run_s)
    return wait if wait.hour * HOUR_S > state.now + STEP_S else None


def max_g_per_kwh(
    state: State, job: Job, at: float, tokens: tuple[float, float]
) -> dict[str, float] | None:
    """Returns by zone the highest intensity at which a job may start now; None for no limit.

    Args:
        state: the core's.
        job: the waiting job.
        at: now, seconds since the epoch.
        tokens: of its prompt, and expected of its answers.
    """
    if job.wait is None:
        return None
    return _start_limit(state, job.shape, job.wait.hour, at, tokens).max_g_per_kwh


def may_start_now(state: State, shape: Shape, view: ReplicaView) -> bool:
    """Tells whether the shift plan lets a shape's jobs start on a replica now."""
    if not shape.green_h:
        return True
    limit = _start_limit(state, shape, shape.green_h, state.now, PER_TOKEN)
    return limit.allows(view.zone, view.cost.g_per_kwh)


def schedule_greener_retry(state: State) -> None:
    """Schedules the next placement attempt of deferred jobs, at the next quarter of an hour."""
    at = float((int(state.now) // STEP_S + 1) * STEP_S)
    state.deadlines.set(DeadlineKind.GREENER_HOUR, "", at)


def handle_greener_hour(state: State, _: str) -> None:
    """Handles the end of a quarter of an hour: deferred jobs are tried again."""
    retry_deferred(state)


def handle_intensity(state: State, event: IntensityChanged) -> None:
    """Handles a new intensity of a zone."""
    state.shift_planner.forecast.record_intensity(event)


def handle_forecast(state: State, event: ForecastIssued) -> None:
    """Handles a new forecast of a zone: deferred jobs are tried again."""
    state.shift_planner.forecast.record_forecast(event)
    retry_deferred(state)


def retry_deferred(state: State) -> None:
    """Tries the deferred jobs again: their start limits may have changed."""
    state.queue.unblock_all_shapes(lambda shape: bool(shape.green_h))
    state.blocked_jobs.mark_all_due()


def shifting_values(
    state: State, job: Job, views: Iterable[ReplicaView], at: float, tokens: tuple[float, float]
) -> Values:
    """Returns the values of the explanation ``greener_later``.

    Args:
        state: the core's.
        job: the waiting job.
        views: replicas where it could start now; the values name the one of least intensity.
        at: now, seconds since the epoch.
        tokens: of its prompt, and expected of its answers.
    """
    hour = job.shape.green_h if job.wait is None else job.wait.hour
    values: Values = {"latest_start_at": float(hour * HOUR_S)}
    view = min(views, key=lambda view: (view.cost.g_per_kwh, view.name), default=None)
    if view is not None:
        values |= {"zone": view.zone, "now_g_per_kwh": view.cost.g_per_kwh}
    later = _start_limit(state, job.shape, hour, at, tokens).later
    return values if later is None else values | _greener_hour_values(state, later)


def _greener_hour_values(state: State, later: GreenerHour) -> Values:
    values: Values = {
        "then_zone": later.zone,
        "then_g_per_kwh": later.g_per_kwh,
        "then_at": float(later.hour * HOUR_S),
        "signal": later.signal.value,
    }
    issued_at = state.shift_planner.forecast.issued_at(later.zone)
    if later.signal is Signal.FORECAST and issued_at is not None:
        values["issued_at"] = issued_at
    return values


def _start_limit(
    state: State, shape: Shape, hour: int, at: float, tokens: tuple[float, float]
) -> StartLimit:
    return state.shift_planner.start_limit(
        shape,
        hour,
        at=at,
        terms=state.policy.deferral,
        tokens=tokens,
        version=state.fleet.replica_index.version,
        capacities=lambda: zone_capacities(state, shape),
    )


def zone_capacities(state: State, shape: Shape) -> tuple[ZoneCapacity, ...]:
    """Returns the slots that a shape's work may hold, by zone.

    The energy of a token comes from the nodes' cards, at a full batch: the learned energy changes
    with every run, and would change the plan each time.
    """
    slots: dict[str, int] = {}
    input_uwh: dict[str, float] = {}
    output_uwh: dict[str, float] = {}
    for view in state.fleet.eligible_nodes(shape).views:
        if view.node.state is not NodeState.LIVE or not view.node.accepting:
            continue
        zone, batch = view.zone, view.load.batch_slots
        slots[zone] = slots.get(zone, 0) + batch
        input_uwh[zone] = input_uwh.get(zone, 0.0) + batch * view.typical_input_uwh
        output_uwh[zone] = output_uwh.get(zone, 0.0) + batch * view.typical_output_uwh
    return tuple(
        ZoneCapacity(
            zone, float(slots[zone]), input_uwh[zone] / slots[zone], output_uwh[zone] / slots[zone]
        )
        for zone in sorted(slots)
    )
