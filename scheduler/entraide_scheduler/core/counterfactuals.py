"""Counterfactuals: the node that one condition alone kept from a job.

An explanation names a node and a condition: "It could have gone to X if that machine had had a free
slot." The filter stops at the first rule that a node breaks. This module checks that the node
breaks no other one: rules, green hours, barred engines, nodes tried before, energy and carbon.

Inputs: the state, a job as a ``PlacementRequest``, and the excluded nodes, each with the first rule
    that it
breaks. Output: the first node that passes the check, or None. ``TRIES_MAX`` bounds how many nodes
are checked for one explanation. To lift a limit, the check repeats ``placement.beyond`` on a want
without it.
"""

from collections.abc import Iterable, Sequence
from heapq import nlargest, nsmallest
from math import inf

from msgspec import structs

from entraide.types import DataClass
from entraide_scheduler.core import carbon_shifting
from entraide_scheduler.core.cost_model import make_cost_model
from entraide_scheduler.core.placement import (
    GREENER_LATER,
    LEND_ENERGY_SPENT,
    LIMIT_RULES,
    OVER_CARBON_CAP,
    OVER_CARBON_QUOTA,
    OVER_ENERGY_QUOTA,
    TRIED_BEFORE,
    WITH_ROOM,
    Pick,
    PlacementResult,
    Prediction,
    exceeded_limit,
    predict,
    predict_carbon_ug,
)
from entraide_scheduler.core.placement_request import NO_TOKENS, PlacementRequest
from entraide_scheduler.core.records import Node, Shape
from entraide_scheduler.core.replica_index import ReplicaView
from entraide_scheduler.core.rules import (
    ALL_RULES,
    BATCH_SHARE_FULL,
    LOADABLE_RULES,
    NO_FREE_SLOT,
    NOT_EMPTY,
    PERMANENT_RULES,
    TEMPORARY_RULES,
    Rule,
    first_broken,
)
from entraide_scheduler.core.state import State

TRIES_MAX = 3  # nodes that are checked for one explanation

PROMISE_AT_RISK = "promise_at_risk"
LITTLE_ROOM = "little_room"

# What an absent model offers, and what a node that left would do, is unknown.
_UNKNOWN = ("model_not_loaded", "node_left")

# The rules that may be told, in the order of the filter: a node that a later rule excludes passes
# more rules, so it is checked first. ``same_engine`` and ``alone_limit`` are not among them:
# without an engine's exit the job would have ended where it first ran.
_RANK = {
    rule.code: rank
    for rank, rule in enumerate(
        (
            *(rule for rule in PERMANENT_RULES if rule not in LOADABLE_RULES),
            *reversed(LOADABLE_RULES),
            *TEMPORARY_RULES,
            GREENER_LATER,
            *LIMIT_RULES,
            TRIED_BEFORE,
        )
    )
    if rule.code not in _UNKNOWN
}


def nearest_exclusions(excluded: Iterable[tuple[Node, Rule]]) -> list[tuple[Node, Rule]]:
    """Returns the few excluded nodes to check, those that pass most rules first."""
    ranked = [pair for pair in excluded if pair[1].code in _RANK]
    return nlargest(TRIES_MAX, ranked, key=lambda pair: _RANK[pair[1].code])


def find_one_rule_away(
    state: State, request: PlacementRequest, excluded: Iterable[tuple[Node, Rule]]
) -> tuple[Node, Rule] | None:
    """Returns an excluded node that could run the job but for one rule; None if none is sure."""
    for node, rule in nearest_exclusions(excluded):
        if is_only_obstacle(state, request, node, rule):
            return node, rule
    return None


def is_only_obstacle(state: State, request: PlacementRequest, node: Node, rule: Rule) -> bool:
    """Tells whether nothing but a rule that a node breaks keeps a job from the node.

    False where that cannot be ranked.
    """
    if rule.code not in _RANK:
        return False
    if rule in LOADABLE_RULES:
        return _could_run_once_loaded(state, request, node)
    view = state.fleet.replica_index.view_of(request.shape.model, node.card.node)
    if view is None:
        return False
    shapes = _shapes_without(rule, node, request.shape)
    if not shapes or any(
        other is not rule and other.broken(node, shape) for shape in shapes for other in ALL_RULES
    ):
        return False
    return not _is_excluded_otherwise(
        _with_freed_slots(state, rule, view, request.at), without_rule(state, rule, request)
    )


def _with_freed_slots(state: State, rule: Rule, view: ReplicaView, at: float) -> ReplicaView:
    """Returns a replica as it would be with the room that a rule asks for.

    With fewer leases a job takes more energy, since fewer share a step, and may wake the machine.
    """
    load = view.load
    leases = load.leases
    match rule.code:
        case NO_FREE_SLOT.code:
            leases = view.replica.slots - 1
        case BATCH_SHARE_FULL.code:
            leases -= load.batch - load.batch_slots + 1
        case NOT_EMPTY.code:
            leases = 0
    return view if leases == load.leases else _with_leases(state, view, leases, at)


def _with_leases(state: State, view: ReplicaView, leases: int, at: float) -> ReplicaView:
    """Returns a replica as it would be with another number of leases; changes nothing.

    What the other machines of its site draw stays as it is.
    """
    load = structs.replace(view.load, leases=leases)
    node = structs.replace(view.node, leases=view.node.leases + leases - view.load.leases)
    intensity = view.effective
    if node.energy is not None:
        intensity = state.fleet.replica_index.effective_at_site(node, node.energy, leases + 1, at)
    cost = make_cost_model(node, load, intensity, state.policy.carbon.basis)
    return structs.replace(view, node=node, load=load, effective=intensity, cost=cost)


def without_rule(state: State, rule: Rule, request: PlacementRequest) -> PlacementRequest:
    """Returns what the job would want if a rule of its own, or of its lender, were lifted.

    A deadline so close that no greener hour is left still leaves the longest run expected.
    """
    match rule.code:
        case GREENER_LATER.code:
            run_s = carbon_shifting.UPPER_RUNS * state.length_predictor.run_s(request.shape.model)
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


def _shapes_without(rule: Rule, node: Node, shape: Shape) -> list[Shape]:
    """Returns the shapes that a job may have once a rule about its data no longer excludes it."""
    classes: Sequence[DataClass] = (shape.data_class,)
    if rule.code == "data_class_own_coop":
        classes = (DataClass.INTERNAL, DataClass.PUBLIC)
    elif rule.code == "data_class_refused":
        classes = node.card.data_classes
    return [structs.replace(shape, data_class=data_class) for data_class in classes]


def _is_excluded_otherwise(view: ReplicaView, request: PlacementRequest) -> bool:
    """Tells whether anything but the rules of a node keeps a job from one of its replicas."""
    if view.name in request.barred or view.name in request.avoid:
        return True
    most = request.max_g_per_kwh
    if most is not None and view.cost.g_per_kwh > most.get(view.zone, 0.0):
        return True
    return request.limited and exceeded_limit(predict(view, request), request) is not None


def _could_run_once_loaded(state: State, request: PlacementRequest, node: Node) -> bool:
    """Tells whether a node that could load the model would take the job now, with the model.

    A replica that does not exist has no prediction, so limits cannot be checked.
    """
    shape, name = request.shape, node.card.node
    if request.limited or request.max_g_per_kwh is not None or shape.model in node.loads:
        return False
    if (
        name in request.barred
        or name in request.avoid
        or first_broken(node, shape, TEMPORARY_RULES) is not None
    ):
        return False
    slots = node.loadable[shape.model].slots
    return node.card.coop == shape.coop or state.fleet.replica_index.lend_slots(node, slots) > 0


# Greener nodes.


def find_greener(
    state: State, result: PlacementResult, pick: Pick, request: PlacementRequest
) -> tuple[Prediction, str] | None:
    """Returns a greener node than the one picked, with the only rule that kept it from the job.

    The greenest whose rule is the only obstacle, and which would then keep the promise as it is
    predicted. A node that fits, but would not keep the promised first word, has the rule
    ``promise_at_risk``; the greenest that keeps it, but weighs more for being full, has
    ``little_room``. Only fleets that are explained node by node are looked at.
    """
    views = state.fleet.replica_index.by_model.get(request.shape.model, {})
    if len(views) > state.policy.limits.explained_nodes:
        return None
    most_ug, with_room = pick.best.carbon_ug, pick.reason == WITH_ROOM
    candidates: list[tuple[float, ReplicaView, Rule | None]] = [
        (fit.carbon_ug, fit.view, None)
        for fit in result.fits
        if (with_room or not fit.keeps) and fit.carbon_ug < most_ug
    ]
    for node, rule in result.excluded:
        view = views.get(node.card.node)
        if view is not None and (carbon_ug := predict_carbon_ug(view, request)) < most_ug:
            candidates.append((carbon_ug, view, rule))
    for _, view, broken in nsmallest(TRIES_MAX, candidates, key=lambda entry: entry[0]):
        if broken is None:
            predicted = predict(view, request)
            code = _why_not_picked(predicted, request)
        else:
            freed = _with_freed_slots(state, broken, view, request.at)
            predicted = predict(freed, without_rule(state, broken, request))
            greener_then = predicted.keeps and predicted.carbon_ug < most_ug
            sure = greener_then and is_only_obstacle(state, request, view.node, broken)
            code = broken.code if sure else ""
        if code:
            return predicted, code
    return None


def _why_not_picked(predicted: Prediction, request: PlacementRequest) -> str:
    """Returns the code of all that kept a job from a greener node that fits; "" if more did."""
    if predicted.keeps:
        return LITTLE_ROOM
    # The condition names the first word where the class promises one, else the end.
    part = "completion_left_s" if request.objective.ttft_s is None else "ttft_left_s"
    view = predicted.view
    return PROMISE_AT_RISK if predict(view, structs.replace(request, **{part: inf})).keeps else ""


def missed_part(view: ReplicaView, request: PlacementRequest) -> str:
    """Returns which part of the promise a node that does not keep it would miss.

    Returns:
        ``passed`` if the promised moment is over, ``first_word`` or ``end`` if that part alone is
        missed, else ``several``.
    """
    if min(request.ttft_left_s, request.completion_left_s) <= 0.0:
        return "passed"
    if predict(view, structs.replace(request, ttft_left_s=inf)).keeps:
        return "first_word"
    if predict(view, structs.replace(request, completion_left_s=inf)).keeps:
        return "end"
    return "several"
