"""Placement: selects the replica for one job by filter, prediction and pick.

1. Filter: the permanent and temporary filters of ``rules``, then the limits of the job.
2. Predict: time to first token, energy and carbon, by the replica's ``CostModel``.
3. Pick, among the replicas predicted to meet the latency objectives with the class's confidence,
   or with less where the risk is worth its grams (``accept_risks``): of the replicas of each
   intensity the one with the least emissions, weighted by occupancy (``weighted``), and of these
   the one with the least in a full batch (``least_shared``). If none meets the objectives, the
   fastest; of those nearly as fast the one with the least emissions, if the job is late anyway
   (``is_late``). Ties go to the least energy, the earliest first token, the first node name.

Quantities compared are physical: seconds, micrograms, microwatt-hours. ``scan`` evaluates every
replica and defines the result; ``vectorized`` computes the same result over columns for large
fleets, by the same formulas: those on a ``Number`` take both.

Inputs: replica views, a ``PlacementRequest``, the policy. Output: ``PlacementResult``.
"""

from collections.abc import Callable, Collection, Mapping
from heapq import nsmallest
from itertools import islice
from math import inf
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from entraide.types import Candidates
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.policy import Carbon, ClassTerms, Picker, Policy
from entraide_scheduler.core.prediction import (
    CostModel,
    Number,
    PlacementRequest,
    late_risk,
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

TIME_WEIGHT = 2.0  # weight of r^2 against s^2 in ``weighted``
INTENSITIES_MAX = 8  # distinct intensities that a pick compares, of the least emissions
SHARED_MORE = 1.4  # multiple of the least emissions now that less in a full batch may take
NEARLY_FASTEST = 1.1  # multiple of the shortest promised time that late work may take

# Reasons of a pick; ``WITH_ROOM``: a greener node is more occupied.
GREENEST, WITH_ROOM, AT_RISK = "greenest", "greenest_with_room", "fastest_at_risk"


class Prediction(Struct, gc=False):
    """Prediction for one job on one replica.

    Attributes:
        view: the replica.
        ttft_s, ttft_upper_s: time to the first token: mean, and bound at the class's confidence.
        energy_uwh, carbon_ug: marginal energy and emissions of the job.
        keeps_rest: whether the latency objectives, counted from the request, are predicted to be
            met, but for that of the first token.
        keeps: whether all are, at the confidence or at a risk worth its grams.
    """

    view: ReplicaView
    ttft_s: float
    ttft_upper_s: float
    energy_uwh: float
    carbon_ug: float
    keeps_rest: bool
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
    ttft_s, upper_s, keeps_rest, keeps = predict_latency(cost, request, tokens, bounds)
    return Prediction(
        view,
        ttft_s,
        upper_s,
        predict_energy(cost, request, tokens),
        predict_carbon(cost, request, tokens),
        keeps_rest,
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
        rule = RULE_BY_BIT[bits & -bits] if bits else None
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
    if policy.picker is Picker.GREENEST and request.ttft_left_s != inf:
        accept_risks(fits, request, policy.carbon.late_weight)
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

    By the default picker: of the predictions that meet the objectives, of each intensity the
    roomiest; of these the one of ``least_shared``. If none meets the objectives, see ``best_late``.
    The other pickers are baselines for comparisons.

    Args:
        fits: predictions, those that meet the objectives first, then by carbon.
        request: the job's requirements.
        policy: picker, headroom and tolerance.
    """
    if not fits:
        return None
    if policy.picker is not Picker.GREENEST:
        return min(fits, key=PICKERS[policy.picker](policy, request))
    groups: dict[float, list[Prediction]] = {}
    for prediction in fits:
        if prediction.keeps:
            groups.setdefault(prediction.view.cost.g_per_kwh, []).append(prediction)
    if not groups:
        return best_late(fits, request)
    within, most_ug = max(SHARED_MORE, 1.0 + policy.carbon.tolerance), inf
    best: list[Prediction] = []
    for group in islice(groups.values(), INTENSITIES_MAX):
        if group[0].carbon_ug > most_ug or most_ug == 0.0:
            break
        best.append(roomiest(group, request, policy.carbon))
        most_ug = min(most_ug, best[-1].carbon_ug * within)
    near = [each for each in best if each.carbon_ug <= most_ug]
    return least_shared(near, request, policy.carbon.tolerance)


def least_shared(near: list[Prediction], request: PlacementRequest, tolerance: float) -> Prediction:
    """Returns the prediction of the least emissions in a full batch, by the nodes' cards.

    A busy node takes little for one more job, and for the next: on a dirtier grid it would never
    end. Within the tolerance the least energy in a full batch decides, then these emissions.
    """
    if len(near) == 1:
        return near[0]
    rows = [
        (uwh, uwh * each.view.cost.g_per_kwh, *least_energy_first(each), each)
        for uwh, each in ((full_batch_uwh(each.view, request), each) for each in near)
    ]
    most = min(emitted for _, emitted, *_ in rows) * (1.0 + tolerance)
    return min(row for row in rows if row[1] <= most)[-1]


def full_batch_uwh(view: ReplicaView, request: PlacementRequest) -> float:
    """Returns the energy of a job in a full batch by the node's card, microwatt-hours."""
    input_uwh = tokens_to_read(view, request) * view.typical_input_uwh
    return input_uwh + request.produced_tokens * view.typical_output_uwh


def roomiest(group: list[Prediction], request: PlacementRequest, terms: Carbon) -> Prediction:
    """Returns the prediction to pick among those of one intensity.

    Where their power emits nothing, energy is weighted in place of emissions.
    """
    if len(group) == 1:
        return group[0]
    emits = group[0].view.cost.g_per_kwh > 0.0
    weights = [
        weighted(
            each.carbon_ug if emits else each.energy_uwh,
            each.ttft_upper_s,
            each.view.cost.full_part,
            request,
            terms.headroom,
        )
        for each in group
    ]
    most = min(weights) * (1.0 + terms.tolerance)
    least = [each for each, weight in zip(group, weights, strict=True) if weight <= most]
    return min(least, key=least_recent_first if request.begins else least_energy_first)


def weighted(
    amount: Number,
    upper_s: Number,
    full_part: Number,
    request: PlacementRequest,
    headroom: float,
) -> Number:
    """Returns predicted emissions or energy, weighted by the replica's occupancy.

    ``amount * (1 + headroom * (2 r^2 + s^2))``, with r the upper time to the first token as a
    fraction of the time left for it, and s the occupied fraction of the slots. So load spreads over
    replicas of one intensity before one is full. A replica of a cleaner grid is filled up to the
    objective before one of the next: a slot that is kept free there saves no grams until a later
    job takes it. Time has the greater weight: prefill capacity that stays idle while prompts queue
    elsewhere is lost.
    """
    r, s = upper_s / request.ttft_left_s, full_part
    return amount * (1.0 + headroom * (TIME_WEIGHT * r * r + s * s))


def least_energy_first(prediction: Prediction) -> tuple[float, float, str]:
    """Returns the sort key among equal emissions: energy, first token, name."""
    return prediction.energy_uwh, prediction.ttft_s, prediction.view.name


def least_recent_first(prediction: Prediction) -> tuple[int, str]:
    """Returns the sort key of a new conversation among equal emissions: last placement, name."""
    return prediction.view.load.turn, prediction.view.name


def accept_risks(fits: list[Prediction], request: PlacementRequest, late_weight: float) -> None:
    """Counts a prediction as meeting the objectives whose risk of a late first token is worth it.

    Its likely time must be in time, and its emissions must be below the least of those that meet
    the objectives with the class's confidence.
    """
    kept_ug, left_s = [each.carbon_ug for each in fits if each.keeps], request.ttft_left_s
    if not 0 < len(kept_ug) < len(fits):
        return  # none avoids the risk, or all do
    least_ug = min(kept_ug)
    for each in fits:
        is_risky = not each.keeps and each.keeps_rest
        if is_risky and each.carbon_ug < least_ug and each.ttft_s <= left_s:
            risk = late_risk(each.ttft_s, each.ttft_upper_s, left_s, request.scale)
            each.keeps = is_worth_risk(each.carbon_ug, risk, least_ug, late_weight)


def is_worth_risk(carbon_ug: Any, risk: Any, least_ug: float, late_weight: float) -> Any:
    """Tells whether the emissions saved are worth the risk of a late first token.

    A late first token counts ``late_weight`` times the least emissions that avoid the risk.
    """
    return carbon_ug + late_weight * risk * least_ug <= least_ug


def best_late(fits: list[Prediction], request: PlacementRequest) -> Prediction:
    """Returns the prediction to pick where none meets the objectives.

    The fastest; if the job is late even there, of those that take at most a tenth longer and meet
    what it meets the least carbon, then the fastest, then the first name.
    """
    left_s = request.ttft_left_s
    times_s = [promised_time_s(each.view.cost, request, each.ttft_s) for each in fits]
    fastest = min(
        zip(times_s, fits, strict=True),
        key=lambda pair: (pair[0], pair[1].carbon_ug, pair[1].view.name),
    )[1]
    most_s = min(times_s) * (NEARLY_FASTEST if is_late(fastest, request) else 1.0)
    near = [
        (each.carbon_ug, time_s, each.view.name, each)
        for time_s, each in zip(times_s, fits, strict=True)
        if time_s <= most_s
        and each.keeps_rest >= fastest.keeps_rest
        and (each.ttft_s <= left_s) >= (fastest.ttft_s <= left_s)
    ]
    return min(near)[-1]


def is_late(fastest: Prediction, request: PlacementRequest) -> bool:
    """Tells whether the likely first token or end of a job is too late on the fastest replica."""
    end_s = predict_completion(fastest.view.cost, request, fastest.ttft_s)
    return fastest.ttft_s > request.ttft_left_s or end_s > request.completion_left_s


def promised_time_s(cost: CostModel[Number], request: PlacementRequest, ttft_s: Number) -> Number:
    """Returns the time that a class promises: to the first token, else to the end, seconds."""
    return predict_completion(cost, request, ttft_s) if promises_end(request.objective) else ttft_s


def promises_end(objective: ClassTerms) -> bool:
    """Tells whether a class promises the end of an answer in place of its first token."""
    return objective.ttft_s is None and objective.completion_s is not None


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
