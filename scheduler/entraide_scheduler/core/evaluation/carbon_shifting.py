"""Carbon shifting: the highest intensity at which a waiting batch job may start now.

Collects the inputs of ``shift_planner``: the waiting work of the same model, how long it runs, and
the slots that batch work may hold (``expected_slots``). The plan contains no current intensities:
placement compares each node's intensity, its site's remaining surplus included, with the limit and
excludes a node above the limit by the rule ``greener_later``.

Inputs: the state and a job or a shape. Output: a limit in gCO2e/kWh for each zone, and the values
of the explanation.
"""

from collections.abc import Iterable

from entraide.types import RequestFacts
from entraide_scheduler.core.carbon import (
    HOUR_S,
    STEP_S,
    BatchSlots,
    GreenerHour,
    RunLengths,
    Signal,
    StartLimit,
    latest_start_hour,
    run_lengths_of,
)
from entraide_scheduler.core.evaluation.expected_slots import find_batch_slots
from entraide_scheduler.core.events import ForecastIssued, IntensityChanged
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import BatchWork, DeadlineKind, Job, Shape
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.state import State

CAPACITY_RETRY_S = 1.0  # until deferred jobs are tried again after what their plan counts changed
PER_TOKEN = (0.0, 1.0)  # prompt and answer tokens of a shape, whose jobs are not known here


def batch_work_for(state: State, job: Job) -> BatchWork | None:
    """Returns what a job adds to the waiting work; None if its class or its deadline forbids it."""
    work = deferrable_work(state, job.facts, job.requested_at)
    if work is None or not state.fleet.offers(job.facts.model):
        return work
    hour = latest_start(state, job.shape, work, state.now)
    return work if hour * HOUR_S > state.now + STEP_S else None


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
    if int(deadline_at) // HOUR_S * HOUR_S <= state.now + STEP_S:
        return None
    most = facts.output_tokens_max or state.policy.limits.output_tokens_default
    return BatchWork(
        int(deadline_at) // STEP_S, 1, facts.input_tokens_est, 0 if facts.embeds else most
    )


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
    hour = latest_start(state, job.shape, job.wait, at)
    return _start_limit(state, job.shape, hour, at, tokens).max_g_per_kwh


def max_g_with(
    state: State, request: PlacementRequest, shape: Shape, view: ReplicaView
) -> dict[str, float] | None:
    """Returns the highest intensities by zone at which a job could start with another plan.

    Args:
        state: the core's.
        request: of the job, which may wait.
        shape: the one that it would have.
        view: a replica that would take the shape's work, too.
    """
    slots = find_batch_slots(state, shape, request.at, also=view)
    limit = state.shift_planner.start_limit_with(
        slots,
        request.shape.model,
        request.latest_start_hour,
        at=request.at,
        terms=state.policy.deferral,
        tokens=(request.input_tokens, request.produced_tokens),
        lengths=run_lengths_of(state.length_predictor, request.shape.model, slots.times),
    )
    return limit.max_g_per_kwh


def may_start_now(state: State, shape: Shape, view: ReplicaView) -> bool:
    """Tells whether the shift plan lets a shape's jobs start on a replica now."""
    if not shape.green_h:
        return True
    limit = _start_limit(state, shape, shape.green_h, state.now, PER_TOKEN)
    return limit.allows(view.zone, view.cost.g_per_kwh)


def schedule_greener_retry(state: State) -> None:
    """Schedules the next placement attempt of deferred jobs, at the next quarter of an hour."""
    at = float((int(state.now) // STEP_S + 1) * STEP_S)
    state.deadlines.set_no_later(DeadlineKind.GREENER_HOUR, "", at)


def follow_capacity(state: State) -> None:
    """Schedules an attempt of deferred jobs soon, after what their plan counts changed.

    Their hours are planned by the slots of the nodes that accept work, by the usual hours of all,
    and by the run lengths known. Many such changes in a short time lead to one attempt.
    """
    if state.shift_planner.backlog:
        at = state.now + CAPACITY_RETRY_S
        state.deadlines.set_no_later(DeadlineKind.GREENER_HOUR, "", at)


def handle_greener_hour(state: State, _: str) -> None:
    """Handles the time at which start limits may have changed: deferred jobs are tried again."""
    retry_deferred(state)


def handle_intensity(state: State, event: IntensityChanged) -> None:
    """Handles a new intensity of a zone."""
    state.shift_planner.forecast.record_intensity(event)
    _mark_blocked_due(state)


def handle_forecast(state: State, event: ForecastIssued) -> None:
    """Handles a new forecast of a zone: deferred jobs are tried again."""
    state.shift_planner.forecast.record_forecast(event)
    retry_deferred(state)


def retry_deferred(state: State) -> None:
    """Tries the deferred jobs again: their start limits may have changed."""
    state.queue.unblock_all_shapes(lambda shape: bool(shape.green_h))
    _mark_blocked_due(state)


def _mark_blocked_due(state: State) -> None:
    """Makes the blocked jobs due of those models whose jobs wait for greener hours."""
    for model in state.blocked_jobs.models:
        if state.shift_planner.backlog.has_work(model):
            state.blocked_jobs.mark_model_due(model)


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
    hour = job.shape.green_h
    if job.wait is not None:
        hour = latest_start(state, job.shape, job.wait, at)
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
    slots, lengths = slots_and_lengths(state, shape, at)
    return state.shift_planner.start_limit(
        shape.model,
        hour,
        at=at,
        terms=state.policy.deferral,
        tokens=tokens,
        slots=slots,
        lengths=lengths,
    )


def latest_start(state: State, shape: Shape, work: BatchWork, at: float) -> int:
    """Returns the hour in which a line must start at the latest, by the run lengths known now."""
    _, lengths = slots_and_lengths(state, shape, at)
    return latest_start_hour(work.due * STEP_S, lengths.upper_line_s(work))


def slots_and_lengths(state: State, shape: Shape, at: float) -> tuple[BatchSlots, RunLengths]:
    """Returns the slots that a shape's work may hold, and how long its jobs run on them."""
    slots = state.shift_planner.batch_slots(
        shape,
        at=at,
        version=state.fleet.replica_index.version,
        find=lambda: find_batch_slots(state, shape, at),
    )
    return slots, run_lengths_of(state.length_predictor, shape.model, slots.times)
