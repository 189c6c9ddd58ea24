"""Explain: builds the explanation of a decision.

Inputs: a job's ``PlacementResult`` and ``PlacementRequest``, and the state. Output: an
``Explanation`` of codes and values; the message catalogue holds the sentences. Up to the policy's
``explained_nodes`` it lists every node; above that, the best nodes by carbon and by latency, and a
count and one example for each rule.
"""

from collections.abc import Callable, Iterable, Sequence
from math import ceil, inf

from msgspec.structs import replace

from entraide.thinking import Thinking
from entraide.types import Candidates, Exclusion, Explanation
from entraide.units import g_from_ug, round_half_up, wh_from_uwh
from entraide_scheduler.core import evaluation
from entraide_scheduler.core.carbon import surplus_w, undocumented_w
from entraide_scheduler.core.explanations import counterfactuals
from entraide_scheduler.core.explanations.alias_values import alias_values
from entraide_scheduler.core.explanations.warm_values import warm_values
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.model_loading import is_served
from entraide_scheduler.core.models import REACHABLE
from entraide_scheduler.core.placement import (
    AT_RISK,
    GREENEST,
    WITH_ROOM,
    Pick,
    PlacementResult,
    Prediction,
    predict,
    promises_end,
)
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import Job, ModelLoadState, Node, Shape, is_loading
from entraide_scheduler.core.rules import (
    GREENER_LATER,
    JOB_RULES,
    LIMIT_RULES,
    REPLICA_RULES,
    LimitFilter,
    Rule,
    Values,
)
from entraide_scheduler.core.state import State

Excluded = Sequence[tuple[Node, Rule]]
ValuesGetter = Callable[[Node, Rule], Values]


def explain_placement(
    state: State, job: Job, result: PlacementResult, pick: Pick, request: PlacementRequest
) -> Explanation:
    """Returns why a job is placed on the picked node.

    An answer that has begun has had its first word: only what is promised of the rest can be
    missed, though the machine whose next word comes soonest may be picked by the old promise.
    """
    if job.earlier_runs:
        request = replace(request, ttft_left_s=inf)
        keeps = [_keeps_promise(state, request, node) for node in result.listed.node]
        result.listed = replace(result.listed, keeps_promise=keeps)
        if pick.reason == AT_RISK and keeps[0]:
            pick = Pick(pick.best, FASTEST_TO_RESUME)
    return _explanation(
        job,
        result,
        request,
        policy=state.policy,
        values_of=_values_getter(state, job, request),
        decision="placed",
        reason=pick.reason,
        values=_pick_values(state, job, result, pick, request),
        pick=pick.best,
    )


FASTEST_TO_RESUME = "fastest_to_resume"  # reason of a pick that continues an answer


def _keeps_promise(state: State, request: PlacementRequest, node: str) -> bool:
    view = state.fleet.replica_index.view_of(request.shape.model, node)
    return view is not None and predict(view, request).keeps


def explain_wait(
    state: State,
    job: Job,
    result: PlacementResult,
    request: PlacementRequest,
    exceeded: Excluded = (),
) -> Explanation:
    """Returns why a job waits now; a job that waits for a greener hour is ``deferred``.

    Args:
        state: the core's state.
        job: the waiting job.
        result: of its evaluation.
        request: what was evaluated.
        exceeded: nodes on which the job would exceed a limit, full ones too, each with that limit.
    """
    counts = result.counts
    jobs_ahead, coops_ahead = evaluation.count_ahead(state, job)
    values: Values = {"ahead": jobs_ahead, "coops_ahead": coops_ahead}
    decision, reason = "waiting", ""
    load_wait = _model_load_wait(state, job.shape, request.at)
    cap = state.queue.cap_reached(job)
    temporary = next((rule for rule in WAITING_RULES if rule.code in counts), None)
    limits = {*counts, *(rule.code for _, rule in exceeded)}
    limit = next((rule for rule in WAITING_LIMITS if rule.code in limits), None)
    if load_wait is not None:
        reason, values = load_wait
    elif GREENER_LATER.code in counts and not result.fitting:
        decision, reason = "deferred", GREENER_LATER.code
        values = _greener_values(state, job, result, request)
    elif result.fitting and cap is not None:
        reason = "at_cap"
        values |= {"in_flight_tokens": cap.in_flight_tokens, "cap_tokens": cap.cap_tokens}
    elif limit is not None and not result.fitting:
        reason = wait_reason(limit)
        nodes = [node for node, rule in (*result.excluded, *exceeded) if rule is limit]
        values |= _limit_values(state, job, request, limit, nodes)
    elif temporary is not None and not result.fitting:
        reason = wait_reason(temporary)
        values["nodes"] = counts[temporary.code]
        values |= temporary.values(_first_node(result, temporary), job.shape)
    elif not result.fitting:
        reason = NO_NODE_LIVE
        values = most_common_rule(result.excluded, counts, job.shape, only_waiting=True)
    if reason in ("", "no_free_slot") and coops_ahead:
        reason = "fair_share_turn"
    elif not reason:
        reason = "turn_is_next"
    examples = [pair for pair in result.excluded if _may_name(pair[1], reason)]
    if examples and _is_listed_per_node(state.policy, result):
        values |= _one_rule_away_values(state, request, examples)
    if job.alias:
        values |= alias_values(state, job)
    return _explanation(
        job,
        result,
        request,
        policy=state.policy,
        values_of=_values_getter(state, job, request),
        decision=decision,
        reason=reason,
        values=values,
        pick=None,
    )


def _model_load_wait(state: State, shape: Shape, at: float) -> tuple[str, Values] | None:
    """Returns why a job waits for its model to be loaded; None where its model is served."""
    eligible = state.fleet.eligible_nodes(shape)
    if not eligible.could_load or is_served(eligible, shape.model):
        return None
    model = shape.model
    for node in eligible.could_load:
        if node.state in REACHABLE and is_loading(node, model):
            card, order = node.card, node.orders.get(model)
            values: Values = {
                "model": model, "node": card.node, "coop": card.coop, "zone": card.zone
            }  # fmt: skip
            if order is not None and order.state is ModelLoadState.MAKING_ROOM:
                return "model_making_room", values
            if order is not None and order.ready_at > at:
                values["ready_at"] = order.ready_at
            return "model_loading", values
    backoffs = [node.rests[model] for node in eligible.could_load if model in node.rests]
    if len(backoffs) == len(eligible.could_load):
        first = min(backoffs, key=lambda backoff: backoff.until)
        if first.until > at:
            return "model_resting", {"model": model, "failure": first.code, "again_at": first.until}
    return "model_waits", {"model": model, "nodes": len(eligible.could_load)}


NO_NODE_LIVE = "no_node_live"  # reason of waiting where no rule has one


def _ranked(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Returns the rules with a reason of waiting, in the order in which they count."""
    ranks = {rule: rule.wait.rank for rule in rules if rule.wait is not None}
    return tuple(sorted(ranks, key=lambda rule: ranks[rule]))


# A limit counts first: it excludes a node with a free slot.
WAITING_LIMITS = _ranked(LIMIT_RULES)
WAITING_RULES = _ranked(rule for rule in (*REPLICA_RULES, *JOB_RULES) if rule not in LIMIT_RULES)

# Rules whose sentence names what is predicted for the job, or for its hours.
PREDICTED_RULES = (GREENER_LATER, *LIMIT_RULES)


def wait_reason(rule: Rule) -> str:
    """Returns the reason of a job that waits because of a rule."""
    return NO_NODE_LIVE if rule.wait is None else rule.wait.reason


def _may_name(rule: Rule, reason: str) -> bool:
    """Tells whether a node that a rule excludes may be named where a waiting job could start."""
    return rule.names_node and wait_reason(rule) == reason


def _first_node(result: PlacementResult, rule: Rule) -> Node:
    return next(node for node, broken in result.excluded if broken is rule)


def _limit_values(
    state: State, job: Job, request: PlacementRequest, limit: Rule, nodes: Sequence[Node]
) -> Values:
    """Returns what a job needs and has left, where it needs least of what a limit bounds."""
    bound = limit.filter
    if not isinstance(bound, LimitFilter) or bound.amount is None:
        return _values_getter(state, job, request)(nodes[0], limit)
    views = state.fleet.replica_index
    predictions = [
        predict(view, request)
        for node in nodes
        if (view := views.view_of(request.shape.model, node.card.node)) is not None
    ]
    amounts = [bound.amount(each.carbon_ug, each.energy_uwh) for each in predictions]
    least = amounts.index(min(amounts))
    if bound.quota is None:
        nearest = predictions[least]
        return bound.shortage(request, nearest.carbon_ug, nearest.energy_uwh, nearest.view.coop)
    shortage = state.quotas.shortage(job.facts, {bound.quota: ceil(amounts[least])})
    assert shortage is not None, "a quota that suffices excluded a node"
    values: Values = {"left": shortage.left, "needed": shortage.needed}
    if shortage.never:
        values["beyond_whole"] = 1
    if shortage.quota.project:
        values["project"] = shortage.quota.project
    if shortage.quota.key:
        values["key"] = shortage.quota.key
    if shortage.ends_at is not None:
        values["ends_at"] = shortage.ends_at
    return values


def _token_counts(request: PlacementRequest) -> tuple[float, float]:
    return request.input_tokens, request.produced_tokens


def _greener_values(
    state: State, job: Job, result: PlacementResult, request: PlacementRequest
) -> Values:
    views = state.fleet.replica_index.by_model.get(request.shape.model, {})
    excluded = [views[node.card.node] for node, rule in result.excluded if rule is GREENER_LATER]
    counts = _token_counts(request)
    return evaluation.shifting_values(state, job, excluded, request.at, counts)


def _values_getter(state: State, job: Job, request: PlacementRequest) -> ValuesGetter:
    """Returns a function that gives the values of a rule's sentence, predictions included."""

    def values_of(node: Node, rule: Rule) -> Values:
        values = rule.values(node, request.shape)
        if rule not in PREDICTED_RULES:
            return values
        view = state.fleet.replica_index.view_of(request.shape.model, node.card.node)
        if rule is GREENER_LATER:
            excluded = () if view is None else (view,)
            return values | evaluation.shifting_values(
                state, job, excluded, request.at, _token_counts(request)
            )
        if view is None or not isinstance(rule.filter, LimitFilter):
            return values
        predicted = predict(view, request)
        return values | rule.filter.shortage(
            request, predicted.carbon_ug, predicted.energy_uwh, view.coop
        )

    return values_of


def explain_refusal(
    job: Job,
    *,
    code: str,
    values: Values,
    excluded: Excluded,
    policy: Policy,
    at: float,
    waiting_helps: bool,
) -> Explanation:
    """Returns why a job was not admitted; no rule then helps more by waiting than the refusal."""
    exclusions = _exclusions(
        excluded, policy.limits.explained_nodes, lambda node, rule: rule.values(node, job.shape)
    )
    return Explanation(
        job=job.facts.job,
        at=at,
        policy_version=policy.version,
        decision="refused",
        reason=code,
        values=values,
        epoch=0,
        node="",
        candidates=Candidates(),
        excluded=tuple(
            replace(each, waiting_helps=each.waiting_helps and waiting_helps) for each in exclusions
        ),
        excluded_counts=count_by_rule(excluded),
        waiting_helps=waiting_helps,
        objective_ttft_s=None,
    )


def count_by_rule(excluded: Excluded) -> dict[str, int]:
    """Returns how many nodes each rule excluded, by its code."""
    counts: dict[str, int] = {}
    for _, rule in excluded:
        counts[rule.code] = counts.get(rule.code, 0) + 1
    return counts


def most_common_rule(
    excluded: Excluded, counts: dict[str, int], shape: Shape, *, only_waiting: bool = False
) -> Values:
    """Returns the rule that excludes most nodes (the first of equals) and one node's values."""
    candidates = [(node, rule) for node, rule in excluded if rule.waiting_helps or not only_waiting]
    if not candidates:
        return {} if not only_waiting else most_common_rule(excluded, counts, shape)
    code = max((rule.code for _, rule in candidates), key=lambda name: counts[name])
    node, rule = next(pair for pair in candidates if pair[1].code == code)
    return {"rule": code, "nodes": counts[code], **rule.values(node, shape)}


def _explanation(
    job: Job,
    result: PlacementResult,
    request: PlacementRequest,
    *,
    policy: Policy,
    values_of: ValuesGetter,
    decision: str,
    reason: str,
    values: Values,
    pick: Prediction | None,
) -> Explanation:
    per_node = _is_listed_per_node(policy, result)
    return Explanation(
        job=job.facts.job,
        at=request.at,
        policy_version=policy.version,
        decision=decision,
        reason=reason,
        values=values,
        epoch=job.epoch if pick is not None else 0,
        node="" if pick is None else pick.view.name,
        candidates=result.listed,
        excluded=_exclusions(
            result.excluded, policy.limits.explained_nodes if per_node else 0, values_of
        ),
        excluded_counts=result.counts,
        waiting_helps=bool(result.fitting)
        or any(rule.waiting_helps for _, rule in result.excluded),
        objective_ttft_s=None if job.earlier_runs else request.objective.ttft_s,
    )


def _exclusions(excluded: Excluded, most: int, values_of: ValuesGetter) -> tuple[Exclusion, ...]:
    """Returns all exclusions if they are at most ``most``, else one example of each rule."""
    if len(excluded) > most:
        firsts: dict[str, tuple[Node, Rule]] = {}
        for node, rule in excluded:
            firsts.setdefault(rule.code, (node, rule))
        excluded = list(firsts.values())
    return tuple(
        [
            Exclusion(
                node.card.node,
                node.card.coop,
                node.card.zone,
                rule.code,
                values_of(node, rule),
                rule.waiting_helps,
            )
            for node, rule in excluded
        ]
    )


def _pick_values(
    state: State, job: Job, result: PlacementResult, pick: Pick, request: PlacementRequest
) -> Values:
    best = pick.best
    card, intensity = best.view.node.card, best.view.effective
    values: Values = {
        "node": card.node,
        "coop": card.coop,
        "zone": card.zone,
        "carbon_g": g_from_ug(round_half_up(best.carbon_ug)),
        "energy_wh": wh_from_uwh(round_half_up(best.energy_uwh)),
        "intensity_g_per_kwh": intensity.direct_g_per_kwh,
        "ttft_s": best.ttft_s,
        "ttft_upper_s": best.ttft_upper_s,
        "confidence": request.objective.confidence,
    }
    if card.controlled_by:
        values["controlled_by"] = card.controlled_by.value
    if intensity.surplus_basis is not None:
        values["surplus_w"] = intensity.surplus_w
    if intensity.surplus_evidence:
        values["surplus_evidence"] = intensity.surplus_evidence.value
    values |= _undocumented_values(state, best.view.node, request.at)
    if request.cached:
        values |= warm_values(state, best.view, request)
    if job.alias:
        values |= alias_values(state, job)
    thinking = state.model_aliases.thinking_kind_of(job.facts, best.view.replica)
    if thinking is Thinking.ALWAYS:
        values["always_thinks"], values["model"] = 1, job.facts.model
    if pick.reason == AT_RISK:
        values["late_for"] = counterfactuals.missed_part(best.view, request)
    listed = result.listed
    if pick.reason in (AT_RISK, FASTEST_TO_RESUME) and not _is_fastest(listed, request):
        values["speed"] = "nearly"
    if request.ttft_left_s != inf and not all(listed.keeps_promise):
        values["promise_left_s"] = request.ttft_left_s
    if len(listed) > 1:
        values["next_node"], values["next_coop"] = listed.node[1], listed.coop[1]
        values["next_zone"], values["next_ttft_s"] = listed.zone[1], listed.ttft_s[1]
        values["next_carbon_g"] = g_from_ug(listed.carbon_ug[1])
    return values | _greener_node_values(state, result, pick, request)


def _is_fastest(listed: Candidates, request: PlacementRequest) -> bool:
    """Tells whether no candidate has a shorter promised time than the first, the pick."""
    tokens = request.output_tokens if promises_end(request.objective) else 0.0
    times_s = [
        ttft_s + tokens * tpot_s
        for ttft_s, tpot_s in zip(listed.ttft_s, listed.tpot_s, strict=True)
    ]
    return times_s[0] <= min(times_s)


def _greener_node_values(
    state: State, result: PlacementResult, pick: Pick, request: PlacementRequest
) -> Values:
    """Returns which greener machine one condition excluded, and which is the greenest of all."""
    values: Values = {}
    if pick.reason == FASTEST_TO_RESUME:
        return values
    greener = counterfactuals.list_greener(state, result, pick, request)
    checked = counterfactuals.find_greener(state, greener, pick, request)
    if checked is not None:
        predicted, code = checked
        view = predicted.view
        values["greener_node"], values["greener_coop"] = view.name, view.coop
        values["greener_zone"], values["greener_ttft_s"] = view.zone, predicted.ttft_s
        values["greener_carbon_g"] = g_from_ug(round_half_up(predicted.carbon_ug))
        values["greener_rule"], values["could_node"] = code, view.name
    elif len(result.listed) == 1 and _is_listed_per_node(state.policy, result):
        values |= _one_rule_away_values(state, request, result.excluded)
    if pick.reason in (GREENEST, WITH_ROOM):
        obstacle = counterfactuals.find_obstacle(state, greener, pick, request)
        if obstacle is not None and obstacle[0].name != values.get("greener_node"):
            values |= _obstacle_values(*obstacle)
    return values


def _obstacle_values(view: ReplicaView, carbon_ug: float, code: str) -> Values:
    """Returns the machine that would emit least of all, and its obstacle."""
    return {
        "obstacle_node": view.name,
        "obstacle_coop": view.coop,
        "obstacle_zone": view.zone,
        "obstacle_carbon_g": g_from_ug(round_half_up(carbon_ug)),
        "obstacle_rule": code,
    }


def _undocumented_values(state: State, node: Node, at: float) -> Values:
    """Returns the surplus that counts in part for lack of evidence, and what of it counts."""
    evidence, vouched = state.policy.evidence, node.card.surplus_evidence
    reported_w = undocumented_w(node.energy, at, evidence, vouched)
    if not reported_w:
        return {}
    counted_w = surplus_w(node.energy, at, evidence, vouched)
    return {"undocumented_w": reported_w, "counted_w": counted_w}


def _one_rule_away_values(state: State, request: PlacementRequest, excluded: Excluded) -> Values:
    """Returns the node that exactly one rule excludes, if a check finds one."""
    checked = counterfactuals.find_one_rule_away(state, request, excluded)
    return {} if checked is None else {"could_node": checked[0].card.node}


def _is_listed_per_node(policy: Policy, result: PlacementResult) -> bool:
    return result.fitting + sum(result.counts.values()) <= policy.limits.explained_nodes
