"""Feasibility: whether a limit keeps a job from all nodes permanently, so that waiting is useless.

The limits are the job's cap on grams, its quotas of energy and carbon, and the energy that a co-op
lends in a day. A node is excluded permanently if the job would exceed a limit even under the best
conditions that the pool expects: on a machine that is awake, in a full batch, or alone if it must
be, at the least intensity that its zone has now or is expected to have before the job's deadline,
with nothing used of quotas and lent energy. Own power may supply all of a site that has reported
some.

Input: the state, a job and its request. Output: the nodes with their limits.
"""

from collections.abc import Iterable, Iterator
from math import ceil, inf

from msgspec import structs

from entraide_scheduler.core.carbon import HOUR_S
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.placement import Prediction, exceeded_limit, tokens_to_read
from entraide_scheduler.core.policy import IntensityBasis, QuotaKind
from entraide_scheduler.core.prediction import (
    PlacementRequest,
    make_best_cost_model,
    predict_carbon,
    predict_energy,
)
from entraide_scheduler.core.records import Job
from entraide_scheduler.core.rules import Rule
from entraide_scheduler.core.state import State


def find_hopeless(
    state: State, job: Job, request: PlacementRequest
) -> list[tuple[Prediction, Rule]]:
    """Returns all eligible replicas, each with the limit that excludes it permanently.

    Empty if a replica may take the job some day, or a node could load its model: what the job would
    take there is unknown. ``Job.output_tokens_max`` is set, and the job's shape is limited.
    """
    eligible = state.fleet.eligible_nodes(job.shape)
    if eligible.could_load:
        return []
    hopeless: list[tuple[Prediction, Rule]] = []
    for predicted, rule in predict_best(state, job, request, eligible.views):
        if rule is None:
            return []
        hopeless.append((predicted, rule))
    return hopeless


def predict_best(
    state: State, job: Job, request: PlacementRequest, views: Iterable[ReplicaView]
) -> Iterator[tuple[Prediction, Rule | None]]:
    """Yields for each replica what a job takes at best, and the limit that it exceeds even then."""
    request = _with_whole_quotas(state, job, request)
    least_by_zone: dict[str, float] = {}
    for view in views:
        zone = view.zone
        if zone not in least_by_zone:
            least_by_zone[zone] = _least_grid_intensity(state, zone, job.facts.deadline_at)
        predicted = _predict_best(state, view, request, least_by_zone[zone])
        yield predicted, exceeded_limit(predicted, request)


def _with_whole_quotas(state: State, job: Job, request: PlacementRequest) -> PlacementRequest:
    energy_uwh = state.quotas.whole(job.facts, QuotaKind.ENERGY_WH)
    carbon_ug = state.quotas.whole(job.facts, QuotaKind.CARBON_G)
    return structs.replace(
        request,
        energy_left_uwh=inf if energy_uwh is None else float(energy_uwh),
        carbon_left_ug=inf if carbon_ug is None else float(carbon_ug),
        lent_left_uwh=state.quotas.lent.limit_uwh,
    )


def _least_grid_intensity(state: State, zone: str, deadline_at: float | None) -> float:
    """Returns the least intensity that a zone is expected to have, g/kWh; 0 if unknown."""
    if zone not in state.fleet.replica_index.grid:
        return 0.0
    curve = state.shift_planner.forecast.curve(zone, at=state.now)
    hours = len(curve)
    if deadline_at is not None:
        hours = ceil((deadline_at - state.now) / HOUR_S) + 1
    return min((hour.g_per_kwh for hour in curve[:hours] if hour is not None), default=inf)


def _predict_best(
    state: State, view: ReplicaView, request: PlacementRequest, grid_g_per_kwh: float
) -> Prediction:
    """Returns the prediction for a job on a replica under the best conditions."""
    g_per_kwh = min(view.cost.g_per_kwh, grid_g_per_kwh)
    if view.node.energy is not None:
        carbon = state.policy.carbon
        is_direct = carbon.basis is IntensityBasis.DIRECT
        own = carbon.own_direct_g_per_kwh if is_direct else carbon.own_lifecycle_g_per_kwh
        g_per_kwh = min(g_per_kwh, own)
    batch = 1 if request.shape.alone else view.load.pace.slots
    cost = make_best_cost_model(view.cost, view.load.pace, g_per_kwh, batch)
    tokens = tokens_to_read(view, request)
    energy_uwh = predict_energy(cost, request, tokens)
    return Prediction(view, 0.0, 0.0, energy_uwh, predict_carbon(cost, request, tokens), True, True)
