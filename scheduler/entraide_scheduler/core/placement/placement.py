"""Placement: selects the replica for one job by filter, prediction and pick.

1. Filter: the permanent and temporary filters of ``rules``, then the limits of the job.
2. Predict: time to first token, completion, energy and carbon, by the replica's ``CostModel``.
3. Pick: among the replicas predicted to meet the latency objectives with the class's confidence,
   the least carbon, weighted by occupancy (``weighted_ug``); if none is, the fastest. Ties go to
   the least energy, then the earliest first token, then the first node name.

Quantities compared are physical: seconds, micrograms, microwatt-hours. ``scan`` evaluates every
replica and defines the result; ``vectorized`` computes the same result over columns for large
fleets. Inputs: replica views, a ``PlacementRequest``, the policy. Output: ``PlacementResult``.
"""

from collections.abc import Callable, Collection, Mapping
from heapq import nsmallest
from math import inf
from types import MappingProxyType

from msgspec import Struct

from entraide.types import Candidates
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.policy import ClassTerms, Picker, Policy
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import Node
from entraide_scheduler.core.rules import (
    GREENER_LATER,
    LEND_ENERGY_SPENT,
    OVER_CARBON_CAP,
    OVER_CARBON_QUOTA,
    OVER_ENERGY_QUOTA,
    REASON_BY_BIT,
    SAME_ENGINE,
    TRIED_BEFORE,
    Reason,
    blocking_bits,
    masks_for,
)

TIME_WEIGHT = 2.0  # weight of r^2 against s^2 in ``weighted_ug``

WITH_ROOM = "greenest_with_room"  # reason of a pick where a greener node is more occupied


class Prediction(Struct, gc=False):
    """Prediction for one job on one replica.

    Attributes:
        view: the replica.
        ttft_s, ttft_upper_s: time to the first token: mean, and bound at the class's confidence.
        completion_s: mean time to the end.
        energy_uwh, carbon_ug: marginal energy and emissions of the job.
        keeps: whether all latency objectives, counted from the request, are predicted to be met.
    """

    view: ReplicaView
    ttft_s: float
    ttft_upper_s: float
    completion_s: float
    energy_uwh: float
    carbon_ug: float
    keeps: bool


class PlacementResult(Struct, gc=False):
    """All nodes, evaluated for one job.

    Attributes:
        best: the replica to pick; None when none fits.
        fitting: number of nodes that can run the job.
        fits: their predictions, greenest first; empty in large fleets.
        listed: candidates for the explanation, the pick first: all, or in large fleets the best
            by carbon and the fastest.
        excluded: the other nodes, each with its reason; in large fleets one node per reason.
        counts: number of nodes that each reason excludes, by its code.
        least_ug: least emissions among the replicas that meet the objectives; else infinite.
    """

    best: Prediction | None
    fitting: int
    fits: list[Prediction]
    listed: Candidates
    excluded: list[tuple[Node, Reason]]
    counts: dict[str, int]
    least_ug: float


class Pick(Struct, frozen=True, gc=False):
    """The picked replica and the reason's code."""

    best: Prediction
    reason: str


def predict(view: ReplicaView, request: PlacementRequest) -> Prediction:
    """Returns the prediction for a job on a replica, by the formulas of ``CostModel``."""
    cost = view.cost
    tokens = request.input_tokens
    if request.cached:
        tokens -= request.cached.get(view.name, 0)
    queued_s = cost.free_at - request.at
    excess = cost.ttft_excess
    if queued_s > 0.0:
        excess = cost.queued_excess
    else:
        queued_s = 0.0
    ttft_s = queued_s + cost.start_s + tokens * cost.input_s
    upper_s = ttft_s * (1.0 + excess * request.scale)
    tpot_upper_s = cost.token_s * (1.0 + cost.tpot_excess * request.scale)
    return Prediction(
        view,
        ttft_s,
        upper_s,
        ttft_s + request.output_tokens * cost.token_s,
        cost.wake_uwh + tokens * cost.input_uwh + request.produced_tokens * cost.output_uwh,
        cost.wake_ug + tokens * cost.input_ug + request.produced_tokens * cost.output_ug,
        upper_s <= request.ttft_left_s
        and tpot_upper_s <= request.tpot_s
        and upper_s + request.output_upper * tpot_upper_s <= request.completion_left_s,
    )


def predict_carbon_ug(view: ReplicaView, request: PlacementRequest) -> float:
    """Returns ``predict``'s emissions alone, micrograms."""
    cost = view.cost
    tokens = request.input_tokens
    if request.cached:
        tokens -= request.cached.get(view.name, 0)
    return cost.wake_ug + tokens * cost.input_ug + request.produced_tokens * cost.output_ug


def exceeded_limit(predicted: Prediction, request: PlacementRequest) -> Reason | None:
    """Returns the first limit that a prediction exceeds: of lender, job or quota; None if none."""
    if request.lent_left_uwh and predicted.view.coop != request.shape.coop:
        left_uwh = request.lent_left_uwh.get(predicted.view.coop, inf)
        if left_uwh <= 0 or predicted.energy_uwh > left_uwh:
            return LEND_ENERGY_SPENT
    if predicted.carbon_ug > request.carbon_cap_ug:
        return OVER_CARBON_CAP
    if predicted.carbon_ug > request.carbon_left_ug:
        return OVER_CARBON_QUOTA
    if predicted.energy_uwh > request.energy_left_uwh:
        return OVER_ENERGY_QUOTA
    return None


def scan(
    views: Collection[ReplicaView],
    permanent: list[tuple[Node, Reason]],
    request: PlacementRequest,
    policy: Policy,
) -> PlacementResult:
    """Evaluates every eligible replica for a job: the definition of the pick.

    Args:
        views: replicas of the nodes that pass the permanent filters, in order of node name.
        permanent: the other nodes, each with the first reason that excludes it.
        request: the job's requirements.
        policy: picker, headroom and tolerance.
    """
    fits: list[Prediction] = []
    excluded = list(permanent)
    max_g, shape, coop = request.max_g_per_kwh, request.shape, request.shape.coop
    own, others = masks_for(shape)
    for view in views:
        bits = view.blocked_bits & (own if view.coop == coop else others)
        if shape.alone:
            bits = blocking_bits(view, shape)
        reason = REASON_BY_BIT[bits & -bits]
        if reason is None and max_g is not None and view.cost.g_per_kwh > max_g.get(view.zone, 0.0):
            reason = GREENER_LATER
        if reason is None and view.name in request.barred:
            reason = SAME_ENGINE
        if reason is None:
            predicted = predict(view, request)
            reason = exceeded_limit(predicted, request) if request.limited else None
            if reason is None:
                fits.append(predicted)
                continue
        excluded.append((view.node, reason))
    if request.avoid:
        fits = _prefer_untried(fits, request.avoid, excluded)
    counts: dict[str, int] = {}
    for _, reason in excluded:
        counts[reason.code] = counts.get(reason.code, 0) + 1
    if len(fits) > 1:
        fits.sort(key=greenest_first)
    best = best_of(fits, request, policy)
    listed = (
        fits
        if len(views) + len(permanent) <= policy.limits.explained_nodes
        else shortlist(fits, request, policy.limits.explained_best)
    )
    least_ug = fits[0].carbon_ug if fits and fits[0].keeps else inf
    return PlacementResult(
        best, len(fits), fits, as_candidates(listed, best), excluded, counts, least_ug
    )


def shortlist(fits: list[Prediction], request: PlacementRequest, most: int) -> list[Prediction]:
    """Returns the best by carbon, then the fastest of the others.

    Args:
        fits: predictions, greenest first.
        request: the job's requirements.
        most: greatest number of each.
    """
    greenest = fits[:most]
    listed = {prediction.view.name for prediction in greenest}
    fastest = nsmallest(
        most,
        fits,
        key=lambda prediction: (
            promised_time_s(prediction, request.objective),
            prediction.view.name,
        ),
    )
    return greenest + [prediction for prediction in fastest if prediction.view.name not in listed]


def as_candidates(listed: list[Prediction], best: Prediction | None) -> Candidates:
    """Returns predictions as an explanation stores them, the pick first."""
    if best is not None and listed and listed[0] is not best:
        listed = [best, *[prediction for prediction in listed if prediction is not best]]
    views = [prediction.view for prediction in listed]
    return Candidates(
        [view.name for view in views],
        [view.coop for view in views],
        [view.zone for view in views],
        [prediction.ttft_s for prediction in listed],
        [view.cost.token_s for view in views],
        [int(prediction.energy_uwh + 0.5) for prediction in listed],
        [int(prediction.carbon_ug + 0.5) for prediction in listed],
        [view.effective.direct_g_per_kwh for view in views],
        [view.effective.basis for view in views],
        [view.effective.surplus_w for view in views],
        [prediction.keeps for prediction in listed],
        [prediction.ttft_upper_s for prediction in listed],
    )


def _prefer_untried(
    fits: list[Prediction], avoid: tuple[str, ...], excluded: list[tuple[Node, Reason]]
) -> list[Prediction]:
    others = [prediction for prediction in fits if prediction.view.name not in avoid]
    if not others or len(others) == len(fits):
        return fits
    excluded.extend(
        (prediction.view.node, TRIED_BEFORE) for prediction in fits if prediction.view.name in avoid
    )
    return others


# The pick.

SortKey = Callable[[Prediction], tuple[float | int | str, ...]]


def best_of(fits: list[Prediction], request: PlacementRequest, policy: Policy) -> Prediction | None:
    """Returns the prediction to pick; None when there is none.

    By the default picker: among the predictions that meet the objectives, those within the
    policy's tolerance of the least weighted emissions; of these the least energy, then the
    earliest first token, then the first name. If none meets the objectives, the fastest. The other
    pickers are baselines for comparisons.
    """
    if not fits:
        return None
    if policy.picker is not Picker.GREENEST:
        return min(fits, key=PICKERS[policy.picker](policy))
    keeping = [prediction for prediction in fits if prediction.keeps]
    if not keeping:
        return min(fits, key=fastest_first(request.objective))
    headroom = policy.carbon.headroom
    weighted = [weighted_ug(prediction, request, headroom) for prediction in keeping]
    most_ug = min(weighted) * (1.0 + policy.carbon.tolerance)
    least = [prediction for prediction, ug in zip(keeping, weighted, strict=True) if ug <= most_ug]
    return least[0] if len(least) == 1 else min(least, key=least_energy_first)


def weighted_ug(prediction: Prediction, request: PlacementRequest, headroom: float) -> float:
    """Returns a prediction's emissions, weighted by the replica's occupancy, micrograms.

    ``carbon_ug * (1 + headroom * (2 r^2 + s^2))``, with r the upper time to the first token as a
    fraction of the time left for it, and s the occupied fraction of the slots. So load spreads over
    replicas of similar emissions before one is full, and a burst finds slots on green machines. A
    replica that is cleaner by more than the weight is still filled up to the objective. Time has
    the greater weight: prefill capacity that stays idle while prompts queue elsewhere is lost.
    """
    r, s = prediction.ttft_upper_s / request.ttft_left_s, prediction.view.cost.full_part
    return prediction.carbon_ug * (1.0 + headroom * (TIME_WEIGHT * r * r + s * s))


def least_energy_first(prediction: Prediction) -> tuple[float, float, str]:
    """Returns the sort key among equal emissions: energy, first token, name."""
    return prediction.energy_uwh, prediction.ttft_s, prediction.view.name


def promised_time_s(prediction: Prediction, objective: ClassTerms) -> float:
    """Returns the time that a class promises: to the first token, else to the end, seconds."""
    promises_end = objective.ttft_s is None and objective.completion_s is not None
    return prediction.completion_s if promises_end else prediction.ttft_s


def fastest_first(objective: ClassTerms) -> SortKey:
    """Returns the sort key function: promised time, carbon, name."""
    return lambda prediction: (
        promised_time_s(prediction, objective),
        prediction.carbon_ug,
        prediction.view.name,
    )


def greenest_first(prediction: Prediction) -> tuple[bool, float, str]:
    """Returns the sort key of candidates: objectives met first, carbon, name."""
    return not prediction.keeps, prediction.carbon_ug, prediction.view.name


def _weighted(policy: Policy) -> SortKey:
    weights = policy.weights

    def key(prediction: Prediction) -> tuple[float, str]:
        grams, energy_wh = prediction.carbon_ug / 1e6, prediction.energy_uwh / 1e6
        time = weights.per_s * prediction.completion_s
        total = weights.per_g * grams + time + weights.per_wh * energy_wh
        return total, prediction.view.name

    return key


PICKERS: Mapping[Picker, Callable[[Policy], SortKey]] = MappingProxyType(
    {
        Picker.WEIGHTED: _weighted,
        Picker.FASTEST: lambda _: lambda prediction: (prediction.ttft_s, prediction.view.name),
        Picker.LEAST_LOADED: lambda _: (
            lambda prediction: (
                prediction.view.load.leases / prediction.view.replica.slots,
                prediction.view.load.turn,
                prediction.view.name,
            )
        ),
        Picker.ROUND_ROBIN: lambda _: (
            lambda prediction: (prediction.view.load.turn, prediction.view.name)
        ),
        Picker.GREEDY_GREEN: lambda _: (
            lambda prediction: (
                prediction.view.effective.direct_g_per_kwh,
                prediction.view.load.leases / prediction.view.replica.slots,
                prediction.view.name,
            )
        ),
    }
)


def pick(result: PlacementResult, policy: Policy) -> Pick | None:
    """Returns the pick and its reason; None when no node fits."""
    best = result.best
    if best is None:
        return None
    if policy.picker is not Picker.GREENEST:
        return Pick(best, policy.picker.value)
    if not best.keeps:
        return Pick(best, "fastest_at_risk")
    if result.fitting == 1:
        return Pick(best, "only_one")
    greenest = best.carbon_ug <= result.least_ug * (1.0 + policy.carbon.tolerance)
    return Pick(best, "greenest" if greenest else WITH_ROOM)
