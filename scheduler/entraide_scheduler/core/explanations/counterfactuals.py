"""Counterfactuals: nodes that exactly one condition keeps from a job.

An explanation names a node and a condition: "It could have gone to X if that machine had had a free
slot." Placement names the first rule that excludes a node. This module checks that no second one
does: filters, green hours, barred engines, nodes tried before, energy and carbon limits. To lift a
limit, the check evaluates ``placement.exceeded_limit`` for a request without that limit.

Inputs: the state, a ``PlacementRequest``, and the excluded nodes, each with the first rule that
excludes it. Output: the first node that passes the check, or None. ``TRIES_MAX`` bounds the nodes
that are checked for one explanation.
"""

from collections.abc import Iterable
from math import inf
from operator import itemgetter

from msgspec import structs

from entraide.types import NodeState
from entraide_scheduler.core import evaluation
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.placement import (
    WITH_ROOM,
    Pick,
    PlacementResult,
    Prediction,
    exceeded_limit,
    full_batch_uwh,
    predict,
    tokens_to_read,
)
from entraide_scheduler.core.prediction import (
    PlacementRequest,
    make_cost_model,
    predict_carbon,
)
from entraide_scheduler.core.records import Node, Shape
from entraide_scheduler.core.rules import (
    GREENER_LATER,
    JOB_RULES,
    LOADABLE_RULES,
    PERMANENT_RULES,
    REPLICA_RULES,
    Change,
    Rule,
    bit_of,
    blocking_bits,
    broken_rules,
)
from entraide_scheduler.core.state import State

TRIES_MAX = 3  # nodes that are checked for one explanation

PROMISE_AT_RISK = "promise_at_risk"  # the first token, or the end where only that is promised
STREAM_AT_RISK = "stream_at_risk"  # the time of each further token
END_AT_RISK = "end_at_risk"  # the end, beside a promised first token
LITTLE_ROOM = "little_room"
SHARED_NOW = "shared_now"
RESUMES_LATER = "resumes_later"

_PERMANENT_CODES = frozenset(rule.code for rule in PERMANENT_RULES)

# By code, the order in which excluded nodes are checked, the highest first: a node that a later
# rule excludes passes more of them. One that could load the model passes the rules on offers.
_RANK = {
    rule.code: rank
    for rank, rule in enumerate(
        (
            *(rule for rule in PERMANENT_RULES if rule not in LOADABLE_RULES),
            *reversed(LOADABLE_RULES),
            *REPLICA_RULES,
            *JOB_RULES,
        )
    )
    if rule.lifted is not None
}


def nearest_exclusions(excluded: Iterable[tuple[Node, Rule]]) -> list[tuple[Node, Rule]]:
    """Returns the at most ``TRIES_MAX`` excluded nodes to check, the most rules passed first."""
    ranked = [pair for pair in excluded if pair[1].code in _RANK]
    ranked.sort(key=lambda pair: _RANK[pair[1].code], reverse=True)
    return ranked[:TRIES_MAX]


def find_one_rule_away(
    state: State, request: PlacementRequest, excluded: Iterable[tuple[Node, Rule]]
) -> tuple[Node, Rule] | None:
    """Returns an excluded node and the only rule that it breaks; None if no check succeeds."""
    for node, rule in nearest_exclusions(excluded):
        if is_only_obstacle(state, request, node, rule):
            return node, rule
    return None


def is_only_obstacle(state: State, request: PlacementRequest, node: Node, rule: Rule) -> bool:
    """Tells whether a rule alone excludes a node; False where that cannot be known."""
    if rule in LOADABLE_RULES:
        return _could_run_once_loaded(state, request, node)
    view = state.fleet.replica_index.view_of(request.shape.model, node.card.node)
    change = None if view is None else _change_without(rule, view, request.shape)
    if view is None or change is None or not _passes_others(view, request.shape, rule, change):
        return False
    return not _is_excluded_otherwise(*_without(state, rule, change, view, request))


def _change_without(rule: Rule, view: ReplicaView, shape: Shape) -> Change | None:
    """Returns what would differ without a rule; None where no explanation offers that."""
    return None if rule.lifted is None else rule.lifted(view.node, shape)


def _passes_others(view: ReplicaView, shape: Shape, rule: Rule, change: Change) -> bool:
    """Tells whether no filter but the first one that excludes a replica does."""
    if rule.code in _PERMANENT_CODES:  # else the node has passed the permanent rules
        shapes = [shape]
        if change.shapes is not None:
            shapes = [structs.replace(shape, **fields) for fields in change.shapes]
        others = (other for each in shapes for other in broken_rules(view.node, each))
        if not shapes or any(other is not rule for other in others):
            return False
    return not blocking_bits(view, shape) & ~bit_of(rule)


def _without(
    state: State, rule: Rule, change: Change, view: ReplicaView, request: PlacementRequest
) -> tuple[ReplicaView, PlacementRequest]:
    """Returns a replica and a job's request as they would be without what a rule excluded."""
    leases = change.load.get("leases", view.load.leases)
    if leases != view.load.leases:
        view = _with_leases(state, view, leases, request.at)
    return view, _without_limit(state, rule, change, _with_plan(state, change, view, request))


def _with_leases(state: State, view: ReplicaView, leases: int, at: float) -> ReplicaView:
    """Returns a copy of a replica with another number of leases.

    With fewer leases a job takes more energy: fewer sequences share a decode step, and the job may
    have to wake the machine. The power of the site's other machines stays the same.
    """
    load = structs.replace(view.load, leases=leases)
    node = structs.replace(view.node, leases=view.node.leases + leases - view.load.leases)
    intensity = view.effective
    if node.energy is not None:
        intensity = state.fleet.replica_index.effective_at_site(node, node.energy, leases + 1, at)
    cost = make_cost_model(node, load, intensity, state.policy.carbon.basis)
    return structs.replace(view, node=node, load=load, effective=intensity, cost=cost)


def _with_plan(
    state: State, change: Change, view: ReplicaView, request: PlacementRequest
) -> PlacementRequest:
    """Returns a job's request with the plan of greener hours that it would have without a rule.

    The plan counts the slots of the nodes that may run the job and accept work. With one more, a
    greener hour may come early enough.
    """
    node = view.node
    is_counted = node.state is NodeState.LIVE and node.accepting and not node.quarantine
    if not request.latest_start_hour or (is_counted and change.shapes is None):
        return request
    shape = structs.replace(request.shape, **change.shapes[0]) if change.shapes else request.shape
    max_g_per_kwh = evaluation.max_g_with(state, request, shape, view)
    return structs.replace(request, max_g_per_kwh=max_g_per_kwh)


def _without_limit(
    state: State, rule: Rule, change: Change, request: PlacementRequest
) -> PlacementRequest:
    """Returns a job's request without the limit behind a rule.

    Without ``greener_later``, the time left is at most the run's expected upper time, so that the
    node must keep the deadline even where the job could have started later.
    """
    if rule is GREENER_LATER:
        _, lengths = evaluation.slots_and_lengths(state, request.shape, request.at)
        run_s = lengths.upper_s(request.input_tokens, request.output_upper)
        left_s = min(request.completion_left_s, run_s)
        request = structs.replace(request, completion_left_s=left_s)
    return structs.replace(request, **change.request) if change.request else request


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

    A replica that does not exist has no prediction, and no part in the plan of greener hours. So
    the result is False for a job with limits, or that may wait.
    """
    shape, name = request.shape, node.card.node
    if request.limited or request.latest_start_hour or shape.model in node.loads:
        return False
    if name in request.barred or name in request.avoid:
        return False
    loaded = state.fleet.replica_index.once_loaded(node, node.loadable[shape.model])
    return not blocking_bits(loaded, shape)


# Greener nodes.


# A replica that would emit less than the one picked: micrograms, the replica, and the rule that
# excludes it; None for one that fits.
Greener = tuple[float, ReplicaView, Rule | None]


def list_greener(
    state: State, result: PlacementResult, pick: Pick, request: PlacementRequest
) -> list[Greener]:
    """Returns the replicas that would emit less than the one picked, the greenest first."""
    most_ug, with_room = pick.best.carbon_ug, pick.reason == WITH_ROOM
    greener: list[Greener] = [
        (fit.carbon_ug, fit.view, None)
        for fit in result.fits
        if fit.carbon_ug < most_ug and (with_room or not fit.keeps)
    ]
    views = state.fleet.replica_index.by_model.get(request.shape.model, {})
    for node, rule in result.excluded:
        view = views.get(node.card.node)
        if view is not None:
            carbon_ug = predict_carbon(view.cost, request, tokens_to_read(view, request))
            if carbon_ug < most_ug:
                greener.append((carbon_ug, view, rule))
    greener.sort(key=itemgetter(0))  # stable: of equals those that fit are first
    return greener


def find_greener(
    state: State, greener: list[Greener], pick: Pick, request: PlacementRequest
) -> tuple[Prediction, str] | None:
    """Returns the greenest node with less carbon than the one picked, and what excluded it.

    The node must have one obstacle only, and must be predicted to meet the objectives without it.
    The obstacle is a rule's code, one of the codes above for a node that fits but would miss a part
    of the promise, ``little_room`` for a node that lost by its occupancy, or ``shared_now`` for one
    that would emit more in a full batch. None in fleets that are too large to be explained node by
    node.
    """
    views = state.fleet.replica_index.by_model.get(request.shape.model, {})
    if len(views) > state.policy.limits.explained_nodes:
        return None
    for _, view, broken in greener[:TRIES_MAX]:
        if broken is None:
            predicted = predict(view, request)
            code = _why_not_picked(predicted, request, pick)
            if code:
                return predicted, code
            continue
        change = _change_without(broken, view, request.shape)
        if change is not None and _passes_others(view, request.shape, broken, change):
            freed, lifted = _without(state, broken, change, view, request)
            predicted = predict(freed, lifted)
            is_greener = predicted.keeps and predicted.carbon_ug < pick.best.carbon_ug
            if is_greener and not _is_excluded_otherwise(freed, lifted):
                return predicted, broken.code
    return None


def find_obstacle(
    state: State, greener: list[Greener], pick: Pick, request: PlacementRequest
) -> tuple[ReplicaView, float, str] | None:
    """Returns the machine that would emit least of all, and what kept the job from it.

    However many obstacles it has, the first is named. None where no machine that serves the model
    would emit less than the one picked, by more than the policy's tolerance.

    Returns:
        The replica, its predicted micrograms, and the obstacle as of ``find_greener``.
    """
    if not greener:
        return None
    carbon_ug, view, rule = greener[0]
    if carbon_ug * (1.0 + state.policy.carbon.tolerance) >= pick.best.carbon_ug:
        return None
    if rule is not None:
        return view, carbon_ug, rule.code
    why = _why_not_picked(predict(view, request), request, pick)
    return view, carbon_ug, why or PROMISE_AT_RISK


def _why_not_picked(predicted: Prediction, request: PlacementRequest, pick: Pick) -> str:
    """Returns why a greener node that fits was not picked; "" for more than one reason.

    Unless the pick is one with room, it was not expected to keep the promise. If it is now, the
    request is of an answer that has begun, whose promised first word no longer counts.
    """
    if predicted.keeps:
        if pick.reason != WITH_ROOM:
            return RESUMES_LATER
        full_ug, picked_ug = (
            full_batch_uwh(view, request) * view.cost.g_per_kwh
            for view in (predicted.view, pick.best.view)
        )
        return SHARED_NOW if full_ug > picked_ug else LITTLE_ROOM
    end = END_AT_RISK if request.objective.ttft_s is not None else PROMISE_AT_RISK
    parts = {"ttft_left_s": PROMISE_AT_RISK, "tpot_s": STREAM_AT_RISK, "completion_left_s": end}
    for part, code in parts.items():
        if predict(predicted.view, structs.replace(request, **{part: inf})).keeps:
            return code
    return ""


def missed_part(view: ReplicaView, request: PlacementRequest) -> str:
    """Returns which objective a node is predicted to miss.

    Returns:
        ``passed`` if the promised time is over; ``first_word``, ``stream`` (the time of each
        further token) or ``end`` if only that objective is missed; else ``several``.
    """
    if min(request.ttft_left_s, request.completion_left_s) <= 0.0:
        return "passed"
    parts = {"first_word": "ttft_left_s", "stream": "tpot_s", "end": "completion_left_s"}
    for part, name in parts.items():
        if predict(view, structs.replace(request, **{name: inf})).keeps:
            return part
    return "several"
