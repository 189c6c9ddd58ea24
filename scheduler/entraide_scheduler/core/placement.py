"""Placement: the greenest node that keeps the promise. Filter, predict, pick.

Decides where one job would run best now. What is compared is in physical units: seconds, then
micrograms, then microwatt-hours, then the node's name. ``scan`` is the definition, a plain look at
every replica; ``vectorized`` gives the same for models that very many nodes serve. It changes
nothing and refuses to know whose turn it is.
"""

from collections.abc import Callable, Collection, Mapping
from heapq import nsmallest
from math import inf
from types import MappingProxyType

from msgspec import Struct

from entraide.types import Candidates
from entraide_scheduler.core.placement_request import PlacementRequest
from entraide_scheduler.core.policy import ClassTerms, Picker, Policy
from entraide_scheduler.core.records import Node
from entraide_scheduler.core.replica_index import ReplicaView, blocked_code
from entraide_scheduler.core.rules import TEMPORARY_RULES, Rule

# Rules that need the prediction, or what happened to this very job.
OVER_CARBON_CAP = Rule(
    "over_carbon_cap",
    lambda *_: False,
    lambda *_: {},
    waiting_helps=True,
)
OVER_CARBON_QUOTA = Rule("over_carbon_quota", lambda *_: False, lambda *_: {}, waiting_helps=True)
OVER_ENERGY_QUOTA = Rule("over_energy_quota", lambda *_: False, lambda *_: {}, waiting_helps=True)
LEND_ENERGY_SPENT = Rule(
    "lend_energy_spent",
    lambda *_: False,
    lambda node, _: {"coop": node.card.coop},
    waiting_helps=True,
)
GREENER_LATER = Rule(
    "greener_later", lambda *_: False, lambda node, _: {"zone": node.card.zone}, waiting_helps=True
)
SAME_ENGINE = Rule("same_engine", lambda *_: False, lambda *_: {}, waiting_helps=False)
ALONE_LIMIT = Rule("alone_limit", lambda *_: False, lambda *_: {}, waiting_helps=True)
TRIED_BEFORE = Rule("tried_before", lambda *_: False, lambda *_: {}, waiting_helps=False)

# What keeps a job from a node by a limit of its own, or of its lender's; another job of its shape
# may fit there.
LIMIT_RULES = (LEND_ENERGY_SPENT, OVER_CARBON_CAP, OVER_CARBON_QUOTA, OVER_ENERGY_QUOTA)

TIME_WEIGHT = 2.0  # of the time that is taken up, beside the slots, where little room is left

WITH_ROOM = "greenest_with_room"  # the reason of a pick that a fuller node loses by its fullness


class Prediction(Struct, gc=False):
    """What is expected of one job on one replica.

    Attributes:
        view: which.
        ttft_s, ttft_upper_s: from now to the first token, on average and with the asked confidence.
        completion_s: from now to the end, on average.
        energy_uwh, carbon_ug: what the job makes the machine use and emit more.
        keeps: whether the promise, counted from the request, is expected to be kept.
    """

    view: ReplicaView
    ttft_s: float
    ttft_upper_s: float
    completion_s: float
    energy_uwh: float
    carbon_ug: float
    keeps: bool


class PlacementResult(Struct, gc=False):
    """The nodes as seen for one job.

    Attributes:
        best: the one to take; None when none fits.
        fitting: how many nodes may run it.
        fits: those nodes, greenest first; of very many none.
        listed: those told one by one: all of them, or of very many the best by grams and the
            fastest; the one to take stands first.
        excluded: the others, each with the rule that excludes it; of very many one per rule.
        counts: how many nodes each rule excludes, by its code.
        least_ug: the least grams of those that keep the promise; infinite when none does.
    """

    best: Prediction | None
    fitting: int
    fits: list[Prediction]
    listed: Candidates
    excluded: list[tuple[Node, Rule]]
    counts: dict[str, int]
    least_ug: float


class Pick(Struct, frozen=True, gc=False):
    """The node picked, and why."""

    best: Prediction
    reason: str


def predict(view: ReplicaView, request: PlacementRequest) -> Prediction:
    """Returns what is expected of a job on a replica, by the formulas of ``CostModel``."""
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
    """Returns the grams that ``predict`` expects, and nothing else, micrograms."""
    cost = view.cost
    tokens = request.input_tokens
    if request.cached:
        tokens -= request.cached.get(view.name, 0)
    return cost.wake_ug + tokens * cost.input_ug + request.produced_tokens * cost.output_ug


def exceeded_limit(predicted: Prediction, request: PlacementRequest) -> Rule | None:
    """Returns the rule that a prediction breaks: a lender's limit, a cap, a quota; None if none."""
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
    permanent: list[tuple[Node, Rule]],
    request: PlacementRequest,
    policy: Policy,
) -> PlacementResult:
    """Looks at every replica that may ever serve a job: the definition of what is picked.

    Args:
        views: of the nodes that pass the permanent rules, in order of name.
        permanent: the other nodes, and the rule that each breaks.
        request: the job.
        policy: how one of them is picked.
    """
    fits: list[Prediction] = []
    excluded = list(permanent)
    green, coop, batch = request.max_g_per_kwh, request.shape.coop, 2 * request.shape.batch
    for view in views:
        if request.shape.alone:
            code = blocked_code(view, request.shape)
        else:
            code = view.blocked_by[batch if view.coop == coop else batch + 1]
        rule = TEMPORARY_RULES[code - 1] if code else None
        if rule is None and green is not None and view.cost.g_per_kwh > green.get(view.zone, 0.0):
            rule = GREENER_LATER
        if rule is None and view.name in request.barred:
            rule = SAME_ENGINE
        if rule is None:
            predicted = predict(view, request)
            rule = exceeded_limit(predicted, request) if request.limited else None
            if rule is None:
                fits.append(predicted)
                continue
        excluded.append((view.node, rule))
    if request.avoid:
        fits = _prefer_untried(fits, request.avoid, excluded)
    counts: dict[str, int] = {}
    for _, rule in excluded:
        counts[rule.code] = counts.get(rule.code, 0) + 1
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
    """Returns the best by grams, then the fastest not among them.

    Args:
        fits: greenest first.
        request: the job.
        most: so many of each at most.
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
    """Returns predictions as they are kept, the one to take first."""
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
    """Returns the one to take; None when there is none.

    Among those that keep the promise the least grams, weighted by the room that is left there;
    within the policy's tolerance of the least, which count as equal, the least energy, then the
    first token soonest, then the node's name.
    When none keeps it, the fastest. The other pickers are there to be compared with.
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
    equal = [prediction for prediction, ug in zip(keeping, weighted, strict=True) if ug <= most_ug]
    return equal[0] if len(equal) == 1 else min(equal, key=least_energy_first)


def weighted_ug(prediction: Prediction, request: PlacementRequest, headroom: float) -> float:
    """Returns the grams of one that keeps the promise, dearer the less room it leaves there.

    With r the part of the time left to the first token that is taken up, and s the part of the
    slots that is taken, grams count ``1 + headroom (2 r^2 + s^2)`` times. So what is alike in grams
    is spread before it is full, and a burst finds room on green machines; a grid that is cleaner by
    more than that is still filled to the promise. Time counts twice: while prompts stand in line
    at one machine, others read none, and that is not made up for when all are full.
    """
    late = prediction.ttft_upper_s / request.ttft_left_s
    full = prediction.view.cost.full_part
    return prediction.carbon_ug * (1.0 + headroom * (TIME_WEIGHT * late * late + full * full))


def least_energy_first(prediction: Prediction) -> tuple[float, float, str]:
    """Sort key among equal grams: energy, first token, name."""
    return prediction.energy_uwh, prediction.ttft_s, prediction.view.name


def promised_time_s(prediction: Prediction, objective: ClassTerms) -> float:
    """Returns the time that a class promises: to the first token, or else to the end."""
    promised_end = objective.ttft_s is None and objective.completion_s is not None
    return prediction.completion_s if promised_end else prediction.ttft_s


def fastest_first(objective: ClassTerms) -> SortKey:
    """Returns the sort key by what the class promises, then grams, then name."""
    return lambda prediction: (
        promised_time_s(prediction, objective),
        prediction.carbon_ug,
        prediction.view.name,
    )


def greenest_first(prediction: Prediction) -> tuple[bool, float, str]:
    """Sort key of candidates: promise kept, grams, name."""
    return not prediction.keeps, prediction.carbon_ug, prediction.view.name


def _weighted(policy: Policy) -> SortKey:
    weights = policy.weights

    def key(prediction: Prediction) -> tuple[float, str]:
        grams, hours = prediction.carbon_ug / 1e6, prediction.energy_uwh / 1e6
        total = (
            weights.per_g * grams + weights.per_s * prediction.completion_s + weights.per_wh * hours
        )
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
    """Returns the node to take, and why; None when none fits."""
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
