"""Placement: selects the replica for one job by filter, prediction and pick.

1. Filter: the permanent and temporary filters of ``rules``, then the limits of the job.
2. Predict: time to first token, energy and carbon, by the replica's ``CostModel``.
3. Pick: among the replicas predicted to meet the latency objectives with the class's confidence,
   the least carbon, weighted by occupancy (``weighted_ug``); if none is, the fastest. Ties go to
   the least energy, then the earliest first token, then the first node name.

Quantities compared are physical: seconds, micrograms, microwatt-hours. ``scan`` evaluates every
replica and defines the result; ``vectorized`` computes the same result over columns for large
fleets, by the same formulas: those on a ``Number`` take both.

Inputs: replica views, a ``PlacementRequest``, the policy. Output: ``PlacementResult``.
"""

from collections.abc import Callable, Collection, Mapping
from heapq import nsmallest
from math import inf
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from entraide.types import Candidates
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.policy import Picker, Policy
from entraide_scheduler.core.prediction import (
    CostModel,
    Number,
    PlacementRequest,
    predict_carbon,
    predict_completion,
    predict_energy,
    predict_latency,
    upper_bounds,
)
from entraide_scheduler.core.records import Node
from entraide_scheduler.core.rules import (
    GREENER_LATER,
    RULE_BY_BIT,
    SAME_ENGINE,
    TRIED_BEFORE,
    Predicted,
    Rule,
    blocking_bits,
    limits_exceeded,
    masks_for,
)

TIME_WEIGHT = 2.0  # weight of r^2 against s^2 in ``weighted_ug``

# Reasons of a pick; ``WITH_ROOM``: a greener node is more occupied.
GREENEST, WITH_ROOM, AT_RISK = "greenest", "greenest_with_room", "fastest_at_risk"


class Prediction(Struct, gc=False):
    """Prediction for one job on one replica.

    Attributes:
        view: the replica.
        ttft_s, ttft_upper_s: time to the first token: mean, and bound at the class's confidence.
        energy_uwh, carbon_ug: marginal energy and emissions of the job.
        keeps: whether all latency objectives, counted from the request, are predicted to be met.
    """

    view: ReplicaView
    ttft_s: float
    ttft_upper_s: float
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
    excluded: list[tuple[Node, Rule]]
    counts: dict[str, int]
    least_ug: float


class Pick(Struct, frozen=True, gc=False):
    """The picked replica and the reason's code."""

    best: Prediction
    reason: str


def tokens_to_read(view: ReplicaView, request: PlacementRequest) -> int:
    """Returns the prompt tokens that are not expected in a replica's cache."""
    return request.input_tokens - request.cached.get(view.name, 0)


def predict(view: ReplicaView, request: PlacementRequest) -> Prediction:
    """Returns the prediction for a job on a replica."""
    cost, tokens = view.cost, request.input_tokens
    if request.cached:
        tokens = tokens_to_read(view, request)
    bounds = upper_bounds(cost, request.scale)
    ttft_s, upper_s, keeps = predict_latency(cost, request, tokens, bounds)
    return Prediction(
        view,
        ttft_s,
        upper_s,
        predict_energy(cost, request, tokens),
        predict_carbon(cost, request, tokens),
        keeps,
    )


def exceeded_limit(prediction: Prediction, request: PlacementRequest) -> Rule | None:
    """Returns the first limit that a prediction exceeds; None if none."""
    coop = prediction.view.coop
    is_own = coop == request.shape.coop
    predicted = Predicted(
        prediction.carbon_ug,
        lambda: prediction.energy_uwh,
        lambda: inf if is_own else request.lent_left_uwh.get(coop, inf),
    )
    for rule, is_exceeded in limits_exceeded(request, predicted):
        if is_exceeded:
            return rule
    return None


def scan(
    views: Collection[ReplicaView],
    permanent: list[tuple[Node, Rule]],
    request: PlacementRequest,
    policy: Policy,
) -> PlacementResult:
    """Evaluates every eligible replica for a job: the definition of the pick.

    Args:
        views: replicas of the nodes that pass the permanent filters, in order of node name.
        permanent: the other nodes, each with the first rule that excludes it.
        request: the job's requirements.
        policy: picker, headroom and tolerance.
    """
    fits: list[Prediction] = []
    excluded = list(permanent)
    max_g, shape, coop = request.max_g_per_kwh, request.shape, request.shape.coop
    alone, barred, limited = shape.alone != "", request.barred, request.limited
    own, others = masks_for(shape)
    for view in views:
        bits = view.blocked_bits & (own if view.coop == coop else others)
        if alone:
            bits = blocking_bits(view, shape)
        rule = RULE_BY_BIT[bits & -bits]
        if rule is None:
            if max_g is not None and view.cost.g_per_kwh > max_g.get(view.zone, 0.0):
                rule = GREENER_LATER
            elif barred and view.name in barred:
                rule = SAME_ENGINE
            else:
                predicted = predict(view, request)
                rule = exceeded_limit(predicted, request) if limited else None
                if rule is None:
                    fits.append(predicted)
                    continue
        excluded.append((view.node, rule))
    if request.avoid:
        fits = _prefer_untried(fits, request.avoid, excluded)
    counts: dict[str, int] = {}
    for _, rule in excluded:
        counts[rule.code] = counts.get(rule.code, 0) + 1
    if len(fits) > 1:  # objectives met first, then the least carbon; stable, so names break ties
        fits.sort(key=attrgetter("carbon_ug"))
        fits.sort(key=attrgetter("keeps"), reverse=True)
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
            promised_time_s(prediction.view.cost, request, prediction.ttft_s),
            prediction.view.name,
        ),
    )
    return greenest + [prediction for prediction in fastest if prediction.view.name not in listed]


def as_candidates(listed: list[Prediction], best: Prediction | None) -> Candidates:
    """Returns predictions as an explanation stores them, the pick first."""
    if best is not None and listed and listed[0] is not best:
        listed = [best, *[prediction for prediction in listed if prediction is not best]]
    rows: list[tuple[Any, ...]] = []
    for prediction in listed:
        view, intensity = prediction.view, prediction.view.effective
        rows.append(
            (
                view.name,
                view.coop,
                view.zone,
                prediction.ttft_s,
                view.cost.token_s,
                int(prediction.energy_uwh + 0.5),
                int(prediction.carbon_ug + 0.5),
                intensity.direct_g_per_kwh,
                intensity.basis,
                intensity.surplus_w,
                prediction.keeps,
                prediction.ttft_upper_s,
            )
        )
    return Candidates(*map(list, zip(*rows, strict=True)))


def _prefer_untried(
    fits: list[Prediction], avoid: tuple[str, ...], excluded: list[tuple[Node, Rule]]
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
        return min(fits, key=PICKERS[policy.picker](policy, request))
    keeping = [prediction for prediction in fits if prediction.keeps]
    if not keeping:
        return min(fits, key=fastest_first(request))
    headroom = policy.carbon.headroom
    weighted = [
        weighted_ug(fit.carbon_ug, fit.ttft_upper_s, fit.view.cost.full_part, request, headroom)
        for fit in keeping
    ]
    most_ug = min(weighted) * (1.0 + policy.carbon.tolerance)
    least = [prediction for prediction, ug in zip(keeping, weighted, strict=True) if ug <= most_ug]
    return least[0] if len(least) == 1 else min(least, key=least_energy_first)


def weighted_ug(
    carbon_ug: Number,
    upper_s: Number,
    full_part: Number,
    request: PlacementRequest,
    headroom: float,
) -> Number:
    """Returns predicted emissions, weighted by the replica's occupancy, micrograms.

    ``carbon_ug * (1 + headroom * (2 r^2 + s^2))``, with r the upper time to the first token as a
    fraction of the time left for it, and s the occupied fraction of the slots. So load spreads over
    replicas of similar emissions before one is full, and a burst finds slots on green machines. A
    replica that is cleaner by more than the weight is still filled up to the objective. Time has
    the greater weight: prefill capacity that stays idle while prompts queue elsewhere is lost.
    """
    r, s = upper_s / request.ttft_left_s, full_part
    return carbon_ug * (1.0 + headroom * (TIME_WEIGHT * r * r + s * s))


def least_energy_first(prediction: Prediction) -> tuple[float, float, str]:
    """Returns the sort key among equal emissions: energy, first token, name."""
    return prediction.energy_uwh, prediction.ttft_s, prediction.view.name


def promised_time_s(cost: CostModel[Number], request: PlacementRequest, ttft_s: Number) -> Number:
    """Returns the time that a class promises: to the first token, else to the end, seconds."""
    objective = request.objective
    promises_end = objective.ttft_s is None and objective.completion_s is not None
    return predict_completion(cost, request, ttft_s) if promises_end else ttft_s


def fastest_first(request: PlacementRequest) -> SortKey:
    """Returns the sort key function: promised time, carbon, name."""
    return lambda prediction: (
        promised_time_s(prediction.view.cost, request, prediction.ttft_s),
        prediction.carbon_ug,
        prediction.view.name,
    )


def _weighted(policy: Policy, request: PlacementRequest) -> SortKey:
    weights = policy.weights

    def key(prediction: Prediction) -> tuple[float, str]:
        grams, energy_wh = prediction.carbon_ug / 1e6, prediction.energy_uwh / 1e6
        time = weights.per_s * predict_completion(prediction.view.cost, request, prediction.ttft_s)
        total = weights.per_g * grams + time + weights.per_wh * energy_wh
        return total, prediction.view.name

    return key


PICKERS: Mapping[Picker, Callable[[Policy, PlacementRequest], SortKey]] = MappingProxyType(
    {
        Picker.WEIGHTED: _weighted,
        Picker.FASTEST: lambda *_: lambda prediction: (prediction.ttft_s, prediction.view.name),
        Picker.LEAST_LOADED: lambda *_: (
            lambda prediction: (
                prediction.view.load.leases / prediction.view.replica.slots,
                prediction.view.load.turn,
                prediction.view.name,
            )
        ),
        Picker.ROUND_ROBIN: lambda *_: (
            lambda prediction: (prediction.view.load.turn, prediction.view.name)
        ),
        Picker.GREEDY_GREEN: lambda *_: (
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
        return Pick(best, AT_RISK)
    if result.fitting == 1:
        return Pick(best, "only_one")
    greenest = best.carbon_ug <= result.least_ug * (1.0 + policy.carbon.tolerance)
    return Pick(best, GREENEST if greenest else WITH_ROOM)
