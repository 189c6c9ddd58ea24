"""Counterfactuals: nodes that exactly one condition keeps from a job.

An explanation names a node and a condition: "It could have gone to X if that machine had had a free
slot." Placement names the first reason that excludes a node. This module checks that no second one
does: filters, green hours, barred engines, nodes tried before, energy and carbon limits. To lift a
limit, the check evaluates ``placement.exceeded_limit`` for a request without that limit.

Inputs: the state, a ``PlacementRequest``, and the excluded nodes, each with the first reason.
Output: the first node that passes the check, or None. ``TRIES_MAX`` bounds the nodes that are
checked for one explanation.
"""

from collections.abc import Iterable, Sequence
from math import inf
from operator import itemgetter

from msgspec import structs

from entraide.types import DataClass
from entraide_scheduler.core import evaluation
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.placement import (
    WITH_ROOM,
    Pick,
    PlacementResult,
    Prediction,
    exceeded_limit,
    predict,
    tokens_to_read,
)
from entraide_scheduler.core.prediction import (
    NO_TOKENS,
    PlacementRequest,
    make_cost_model,
    predict_carbon,
)
from entraide_scheduler.core.records import Node, Shape
from entraide_scheduler.core.rules import (
    ALONE_LIMIT,
    BATCH_SHARE_FULL,
    DATA_CLASS_OWN_COOP,
    DATA_CLASS_REFUSED,
    GREENER_LATER,
    JOB_REASONS,
    LEND_ENERGY_SPENT,
    LOADABLE_REASONS,
    MODEL_NOT_LOADED,
    NO_FREE_SLOT,
    NODE_LEFT,
    NOT_EMPTY,
    OVER_CARBON_CAP,
    OVER_CARBON_QUOTA,
    OVER_ENERGY_QUOTA,
    PERMANENT_REASONS,
    SAME_ENGINE,
    TEMPORARY_REASONS,
    TRIED_BEFORE,
    Reason,
    bit_of,
    blocking_bits,
    permanent_reasons,
)
from entraide_scheduler.core.state import State

TRIES_MAX = 3  # nodes that are checked for one explanation

PROMISE_AT_RISK = "promise_at_risk"
LITTLE_ROOM = "little_room"

# Reasons that no explanation offers to lift. Behind an absent model or a node that left nothing can
# be checked; and if the engine had not exited, the job would have ended where it first ran.
NEVER_LIFTED = (MODEL_NOT_LOADED, NODE_LEFT, SAME_ENGINE, ALONE_LIMIT)

_PERMANENT_CODES = frozenset(reason.code for reason in PERMANENT_REASONS)

# By code, the order in which excluded nodes are checked, the highest first: a node that a later
# filter excludes passes more of them. One that could load the model passes the offer filters.
_RANK = {
    reason.code: rank
    for rank, reason in enumerate(
        (
            *(reason for reason in PERMANENT_REASONS if reason not in LOADABLE_REASONS),
            *reversed(LOADABLE_REASONS),
            *TEMPORARY_REASONS,
            *JOB_REASONS,
        )
    )
    if reason not in NEVER_LIFTED
}


def nearest_exclusions(excluded: Iterable[tuple[Node, Reason]]) -> list[tuple[Node, Reason]]:
    """Returns the at most ``TRIES_MAX`` excluded nodes to check, the most rules passed first."""
    ranked = [pair for pair in excluded if pair[1].code in _RANK]
    ranked.sort(key=lambda pair: _RANK[pair[1].code], reverse=True)
    return ranked[:TRIES_MAX]


def find_one_rule_away(
    state: State, request: PlacementRequest, excluded: Iterable[tuple[Node, Reason]]
) -> tuple[Node, Reason] | None:
    """Returns an excluded node and the only rule that it breaks; None if no check succeeds."""
    for node, reason in nearest_exclusions(excluded):
        if is_only_obstacle(state, request, node, reason):
            return node, reason
    return None


def is_only_obstacle(state: State, request: PlacementRequest, node: Node, reason: Reason) -> bool:
    """Tells whether a reason alone excludes a node; False where that cannot be known."""
    if reason in LOADABLE_REASONS:
        return _could_run_once_loaded(state, request, node)
    view = state.fleet.replica_index.view_of(request.shape.model, node.card.node)
    if view is None or not _passes_other_filters(view, request.shape, reason):
        return False
    return not _is_excluded_otherwise(*_without(state, reason, view, request))


def _passes_other_filters(view: ReplicaView, shape: Shape, reason: Reason) -> bool:
    """Tells whether no filter but the first one that excludes a replica does; False if unknown."""
    if reason.code not in _RANK:
        return False
    if reason.code in _PERMANENT_CODES:  # else the node has passed the permanent filters
        shapes = _shapes_without(reason, view.node, shape)
        others = (other for shape in shapes for other in permanent_reasons(view.node, shape))
        if not shapes or any(other is not reason for other in others):
            return False
    return not blocking_bits(view, shape) & ~bit_of(reason)


def _without(
    state: State, reason: Reason, view: ReplicaView, request: PlacementRequest
) -> tuple[ReplicaView, PlacementRequest]:
    """Returns a replica and a job's request as they would be without what a rule found."""
    if bit_of(reason):
        return _with_freed_slots(state, reason, view, request.at), request
    return view, without_reason(state, reason, request)


def _with_freed_slots(state: State, reason: Reason, view: ReplicaView, at: float) -> ReplicaView:
    """Returns a replica as it would be with the free slots that a rule requires.

    With fewer leases a job takes more energy: fewer sequences share a decode step, and the job may
    have to wake the machine.
    """
    load = view.load
    leases = load.leases
    match reason.code:
        case NO_FREE_SLOT.code:
            leases = view.replica.slots - 1
        case BATCH_SHARE_FULL.code:
            leases -= load.batch - load.batch_slots + 1
        case NOT_EMPTY.code:
            leases = 0
    return view if leases == load.leases else _with_leases(state, view, leases, at)


def _with_leases(state: State, view: ReplicaView, leases: int, at: float) -> ReplicaView:
    """Returns a copy of a replica with another number of leases.

    The power of the site's other machines stays the same.
    """
    load = structs.replace(view.load, leases=leases)
    node = structs.replace(view.node, leases=view.node.leases + leases - view.load.leases)
    intensity = view.effective
    if node.energy is not None:
        intensity = state.fleet.replica_index.effective_at_site(node, node.energy, leases + 1, at)
    cost = make_cost_model(node, load, intensity, state.policy.carbon.basis)
    return structs.replace(view, node=node, load=load, effective=intensity, cost=cost)


def without_reason(state: State, reason: Reason, request: PlacementRequest) -> PlacementRequest:
    """Returns a job's request without the limit behind a rule.

    Without ``greener_later``, the time left is at most the run's expected upper time, so that the
    node must keep the deadline even where the job could have started later.
    """
    match reason.code:
        case GREENER_LATER.code:
            run_s = evaluation.UPPER_RUNS * state.length_predictor.run_s(request.shape.model)
            left_s = min(request.completion_left_s, run_s)
            return structs.replace(request, max_g_per_kwh=None, completion_left_s=left_s)
        case OVER_CARBON_CAP.code:
            return structs.replace(request, carbon_cap_ug=inf)
        case OVER_CARBON_QUOTA.code:
            return structs.replace(request, carbon_left_ug=inf)
        case OVER_ENERGY_QUOTA.code:
            return structs.replace(request, energy_left_uwh=inf)
        case LEND_ENERGY_SPENT.code:
            return structs.replace(request, lent_left_uwh=NO_TOKENS)
        case TRIED_BEFORE.code:
            return structs.replace(request, avoid=())
    return request


def _shapes_without(reason: Reason, node: Node, shape: Shape) -> list[Shape]:
    """Returns the shapes with the data classes that a rule about data would have allowed."""
    classes: Sequence[DataClass] = (shape.data_class,)
    if reason.code == DATA_CLASS_OWN_COOP.code:
        classes = (DataClass.INTERNAL, DataClass.PUBLIC)
    elif reason.code == DATA_CLASS_REFUSED.code:
        classes = node.card.data_classes
    return [structs.replace(shape, data_class=data_class) for data_class in classes]


def _is_excluded_otherwise(view: ReplicaView, request: PlacementRequest) -> bool:
    """Tells whether the request itself excludes a replica: barred, tried, intensity or limit."""
    if view.name in request.barred or view.name in request.avoid:
        return True
    most = request.max_g_per_kwh
    if most is not None and view.cost.g_per_kwh > most.get(view.zone, 0.0):
        return True
    return request.limited and exceeded_limit(predict(view, request), request) is not None


def _could_run_once_loaded(state: State, request: PlacementRequest, node: Node) -> bool:
    """Tells whether a node would accept the job now if it had loaded the model.

    A replica that does not exist has no prediction. So the result is False for a job with limits.
    """
    shape, name = request.shape, node.card.node
    if request.limited or request.max_g_per_kwh is not None or shape.model in node.loads:
        return False
    if name in request.barred or name in request.avoid:
        return False
    loaded = state.fleet.replica_index.once_loaded(node, node.loadable[shape.model])
    return not blocking_bits(loaded, shape)


# Greener nodes.


def find_greener(
    state: State, result: PlacementResult, pick: Pick, request: PlacementRequest
) -> tuple[Prediction, str] | None:
    """Returns the greenest node with less carbon than the one picked, and what excluded it.

    The node must have one obstacle only, and must be predicted to meet the objectives without it.
    The obstacle is a rule's code, ``promise_at_risk`` for a node that fits but would miss the
    promised first token (or end), or ``little_room`` for a node that lost by its occupancy. None
    in fleets that are too large to be explained node by node.
    """
    views = state.fleet.replica_index.by_model.get(request.shape.model, {})
    if len(views) > state.policy.limits.explained_nodes:
        return None
    most_ug, with_room = pick.best.carbon_ug, pick.reason == WITH_ROOM
    candidates: list[tuple[float, ReplicaView, Reason | None]] = [
        (fit.carbon_ug, fit.view, None)
        for fit in result.fits
        if (with_room or not fit.keeps) and fit.carbon_ug < most_ug
    ]
    for node, reason in result.excluded:
        view = views.get(node.card.node)
        if view is None:
            continue
        carbon_ug = predict_carbon(view.cost, request, tokens_to_read(view, request))
        if carbon_ug < most_ug:
            candidates.append((carbon_ug, view, reason))
    for _, view, broken in sorted(candidates, key=itemgetter(0))[:TRIES_MAX]:
        if broken is None:
            predicted = predict(view, request)
            code = _why_not_picked(predicted, request)
            if code:
                return predicted, code
        elif _passes_other_filters(view, request.shape, broken):
            freed, lifted = _without(state, broken, view, request)
            predicted = predict(freed, lifted)
            is_greener = predicted.keeps and predicted.carbon_ug < most_ug
            if is_greener and not _is_excluded_otherwise(freed, lifted):
                return predicted, broken.code
    return None


def _why_not_picked(predicted: Prediction, request: PlacementRequest) -> str:
    """Returns why a greener node that fits was not picked; "" for more than one reason."""
    if predicted.keeps:
        return LITTLE_ROOM
    # The condition names the first token where the class promises one, else the end.
    part = "completion_left_s" if request.objective.ttft_s is None else "ttft_left_s"
    view = predicted.view
    return PROMISE_AT_RISK if predict(view, structs.replace(request, **{part: inf})).keeps else ""


def missed_part(view: ReplicaView, request: PlacementRequest) -> str:
    """Returns which objective a node is predicted to miss.

    Returns:
        ``passed`` if the promised time is over, ``first_word`` or ``end`` if only that objective
        is missed, else ``several``.
    """
    if min(request.ttft_left_s, request.completion_left_s) <= 0.0:
        return "passed"
    if predict(view, structs.replace(request, ttft_left_s=inf)).keeps:
        return "first_word"
    if predict(view, structs.replace(request, completion_left_s=inf)).keeps:
        return "end"
    return "several"
