"""Explain: builds the explanation of a decision from what was looked at.

Decides what is worth keeping: every node up to the policy's limit, above it the best by grams and
by latency, and for each rule a count and an example. Codes and numbers only; the sentences live
in the message catalogue.
"""

from collections.abc import Callable, Sequence
from math import ceil

from entraide.types import Candidates, Exclusion, Explanation
from entraide.units import g_from_ug, round_half_up, wh_from_uwh
from entraide_scheduler.core import counterfactuals, green
from entraide_scheduler.core.loading import serves
from entraide_scheduler.core.menu import THERE
from entraide_scheduler.core.placement import (
    GREENER_LATER,
    LEND_ENERGY_SPENT,
    LIMITS,
    OVER_CARBON_CAP,
    OVER_CARBON_QUOTA,
    Pick,
    Prediction,
    Survey,
    predict,
)
from entraide_scheduler.core.policy import Policy, QuotaKind
from entraide_scheduler.core.records import Job, Node, Shape
from entraide_scheduler.core.rules import Rule, Values
from entraide_scheduler.core.shelf import on_its_way
from entraide_scheduler.core.state import State
from entraide_scheduler.core.tables import OrderState
from entraide_scheduler.core.want import Want

Excluded = Sequence[tuple[Node, Rule]]
Told = Callable[[Node, Rule], Values]


def placed(state: State, job: Job, survey: Survey, pick: Pick, want: Want) -> Explanation:
    """Returns why a job is placed where it is."""
    return _explanation(
        job,
        survey,
        want,
        policy=state.policy,
        told=_teller(state, job, want),
        decision="placed",
        reason=pick.reason,
        values=_pick_values(state, job, survey, pick, want),
        pick=pick.best,
    )


def waiting(state: State, job: Job, survey: Survey, want: Want) -> Explanation:
    """Returns why a job waits, as things stand now; deferred is what waits for greener hours."""
    counts = survey.counts
    own, coops = state.queue.ahead(job)
    values: Values = {"ahead": own, "coops_ahead": coops}
    decision, reason = "waiting", ""
    coming = _coming(state, job.shape, want.at)
    held = state.queue.held(job)
    blocked = next((code for code in WAITS_FOR if code in counts), "")
    limit = next((code for code in LIMIT_REASONS if code in counts), "")
    if coming is not None:
        reason, values = coming
    elif GREENER_LATER.code in counts and not survey.fitting:
        decision, reason = "deferred", GREENER_LATER.code
        values = _greener_values(state, job, survey, want)
    elif survey.fitting and held is not None:
        reason = "at_cap"
        values |= {"in_flight_tokens": held.in_flight_tokens, "cap_tokens": held.cap_tokens}
    elif limit and not survey.fitting:
        reason = LIMIT_REASONS[limit]
        values |= _limit_values(state, job, survey, want, limit)
    elif blocked and not survey.fitting:
        reason = WAITS_FOR[blocked]
        values["nodes"] = counts[blocked]
        values |= _blocked_values(job, survey, blocked)
    elif not survey.fitting:
        reason = "no_node_live"
        values = commonest(survey.excluded, counts, job.shape, only_waiting=True)
    if reason in ("", "no_free_slot") and coops:
        reason = "fair_share_turn"
    elif not reason:
        reason = "turn_is_next"
    if reason in EXAMPLES and _is_told_node_by_node(state.policy, survey):
        examples = [pair for pair in survey.excluded if pair[1].code in EXAMPLES[reason]]
        values |= _could(state, want, examples)
    if job.alias:
        values["alias"], values["model"] = job.alias, job.facts.model
    return _explanation(
        job,
        survey,
        want,
        policy=state.policy,
        told=_teller(state, job, want),
        decision=decision,
        reason=reason,
        values=values,
        pick=None,
    )


def _coming(state: State, shape: Shape, at: float) -> tuple[str, Values] | None:
    """Returns what a job waits for whose model no node serves, but could; None for any other."""
    able = state.fleet.able(shape)
    if not able.comers or serves(able, shape.model):
        return None
    model = shape.model
    for node in able.comers:
        if node.state in THERE and on_its_way(node, model):
            card, order = node.card, node.orders.get(model)
            values: Values = {
                "model": model, "node": card.node, "coop": card.coop, "zone": card.zone
            }  # fmt: skip
            if order is not None and order.state is OrderState.MAKING_ROOM:
                return "model_making_room", values
            if order is not None and order.ready_at > at:
                values["ready_at"] = order.ready_at
            return "model_loading", values
    rests = [node.rests[model] for node in able.comers if model in node.rests]
    if len(rests) == len(able.comers) and all(rest.until > at for rest in rests):
        rest = min(rests, key=lambda one: one.until)
        return "model_resting", {"model": model, "failure": rest.code, "again_at": rest.until}
    return "model_waits", {"model": model, "nodes": len(able.comers)}


# What a waiting job waits for, by the rule that keeps it from a node; the first counts.
WAITS_FOR = {
    "no_free_slot": "no_free_slot",
    "resting": "resting",
    "probing": "resting",
    "reserved": "no_free_slot",
    "not_empty": "must_run_alone",
    "alone_limit": "must_run_alone",
    "same_engine": "must_run_alone",
    "batch_share_full": "batch_share_full",
    "own_only": "lend_limit",
    "lend_limit": "lend_limit",
}

# The same where an open node is kept from the job by a limit on this very job.
LIMIT_REASONS = {
    "over_carbon_cap": "carbon_cap",
    "over_energy_quota": "quota_energy",
    "over_carbon_quota": "quota_carbon",
    "lend_energy_spent": "lend_energy",
}


# The rules by which a node may be the example of where a waiting job can start.
EXAMPLES = {
    "no_free_slot": ("no_free_slot",),
    "batch_share_full": ("batch_share_full",),
    "no_node_live": ("node_suspect", "node_lost", "not_accepting"),
}


def _blocked_values(job: Job, survey: Survey, blocked: str) -> Values:
    node, rule = next(found for found in survey.excluded if found[1].code == blocked)
    return rule.values(node, job.shape)


def _limit_values(state: State, job: Job, survey: Survey, want: Want, code: str) -> Values:
    """Returns the least that the job would take on a node that the limit keeps from it."""
    lanes = state.fleet.lanes
    if code == LEND_ENERGY_SPENT.code:
        node = next(node for node, rule in survey.excluded if rule is LEND_ENERGY_SPENT)
        return _teller(state, job, want)(node, LEND_ENERGY_SPENT)
    found = [
        predict(lane, want)
        for node, rule in survey.excluded
        if rule.code == code and (lane := lanes.lane(want.shape.model, node.card.node)) is not None
    ]
    if code == "over_carbon_cap":
        least_ug = min(one.carbon_ug for one in found)
        return {
            "carbon_g": g_from_ug(round_half_up(least_ug)),
            "max_carbon_ug": job.facts.max_carbon_ug or 0,
        }
    if code == "over_energy_quota":
        amounts = {QuotaKind.ENERGY_WH: ceil(min(one.energy_uwh for one in found))}
    else:
        amounts = {QuotaKind.CARBON_G: ceil(min(one.carbon_ug for one in found))}
    short = state.quotas.shortage(job.facts, amounts)
    assert short is not None, "a quota that suffices excluded a node"
    values: Values = {"left": short.left, "needed": short.needed}
    if short.never:
        values["beyond_whole"] = 1
    if short.quota.project:
        values["project"] = short.quota.project
    if short.quota.key:
        values["key"] = short.quota.key
    if short.ends_at is not None:
        values["ends_at"] = short.ends_at
    return values


def _tokens(want: Want) -> tuple[float, float]:
    return want.input_tokens, want.produced_tokens


def _greener_values(state: State, job: Job, survey: Survey, want: Want) -> Values:
    lanes = state.fleet.lanes.of.get(want.shape.model, {})
    dear = [lanes[node.card.node] for node, rule in survey.excluded if rule is GREENER_LATER]
    return green.values(state, job, dear, want.at, _tokens(want))


def _teller(state: State, job: Job, want: Want) -> Told:
    """Returns what tells the numbers behind a rule, those that need the prediction too."""

    def told(node: Node, rule: Rule) -> Values:
        values = rule.values(node, want.shape)
        lane = state.fleet.lanes.lane(want.shape.model, node.card.node)
        if rule is GREENER_LATER:
            there = () if lane is None else (lane,)
            return values | green.values(state, job, there, want.at, _tokens(want))
        if rule in LIMITS and lane is not None:
            return values | _short(state, rule, predict(lane, want), want)
        return values

    return told


def _short(state: State, rule: Rule, found: Prediction, want: Want) -> Values:
    """Returns what is left of a limit, and what the job would take of it."""
    if rule is OVER_CARBON_CAP:
        return {
            "carbon_g": g_from_ug(round_half_up(found.carbon_ug)),
            "max_carbon_ug": round_half_up(want.carbon_cap_ug),
        }
    if rule is OVER_CARBON_QUOTA:
        return {
            "left_g": g_from_ug(round_half_up(max(0.0, want.carbon_left_ug))),
            "needed_g": g_from_ug(round_half_up(found.carbon_ug)),
        }
    values: Values = {"needed_wh": wh_from_uwh(round_half_up(found.energy_uwh))}
    left_uwh = want.energy_left_uwh
    if rule is LEND_ENERGY_SPENT:
        lender = found.lane.coop
        left_uwh = want.lent_left_uwh[lender]
        values["limit_wh"] = wh_from_uwh(state.quotas.lent.most_uwh[lender])
    return values | {"left_wh": wh_from_uwh(round_half_up(max(0.0, left_uwh)))}


def refused(
    job: Job,
    *,
    code: str,
    values: Values,
    excluded: Excluded,
    policy: Policy,
    at: float,
    waiting_helps: bool,
) -> Explanation:
    """Returns why a job was not admitted."""
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
        excluded=_exclusions(
            excluded,
            policy.limits.explained_nodes,
            lambda node, rule: rule.values(node, job.shape),
        ),
        excluded_counts=counted(excluded),
        waiting_helps=waiting_helps,
        objective_ttft_s=None,
    )


def counted(excluded: Excluded) -> dict[str, int]:
    """Returns how many nodes each rule excluded, by its code."""
    counts: dict[str, int] = {}
    for _, rule in excluded:
        counts[rule.code] = counts.get(rule.code, 0) + 1
    return counts


def commonest(
    excluded: Excluded, counts: dict[str, int], shape: Shape, *, only_waiting: bool = False
) -> Values:
    """Returns the rule that excluded most nodes (the first of equals), with one node's values."""
    looked_at = [(node, rule) for node, rule in excluded if rule.waiting_helps or not only_waiting]
    if not looked_at:
        return {} if not only_waiting else commonest(excluded, counts, shape)
    code = max((rule.code for _, rule in looked_at), key=lambda name: counts[name])
    node, rule = next(found for found in looked_at if found[1].code == code)
    return {"rule": code, "nodes": counts[code], **rule.values(node, shape)}


def _explanation(
    job: Job,
    survey: Survey,
    want: Want,
    *,
    policy: Policy,
    told: Told,
    decision: str,
    reason: str,
    values: Values,
    pick: Prediction | None,
) -> Explanation:
    few = _is_told_node_by_node(policy, survey)
    return Explanation(
        job=job.facts.job,
        at=want.at,
        policy_version=policy.version,
        decision=decision,
        reason=reason,
        values=values,
        epoch=job.epoch if pick is not None else 0,
        node="" if pick is None else pick.lane.name,
        candidates=survey.listed,
        excluded=_exclusions(survey.excluded, policy.limits.explained_nodes if few else 0, told),
        excluded_counts=survey.counts,
        waiting_helps=bool(survey.fitting)
        or any(rule.waiting_helps for _, rule in survey.excluded),
        objective_ttft_s=want.objective.ttft_s,
    )


def _exclusions(excluded: Excluded, most: int, told: Told) -> tuple[Exclusion, ...]:
    """Returns all exclusions up to ``most``; beyond it one example of each rule."""
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
                told(node, rule),
                rule.waiting_helps,
            )
            for node, rule in excluded
        ]
    )


def _pick_values(state: State, job: Job, survey: Survey, pick: Pick, want: Want) -> Values:
    best = pick.best
    card, seen = best.lane.node.card, best.lane.effective
    values: Values = {
        "node": card.node,
        "coop": card.coop,
        "zone": card.zone,
        "carbon_g": g_from_ug(round_half_up(best.carbon_ug)),
        "energy_wh": wh_from_uwh(round_half_up(best.energy_uwh)),
        "intensity_g_per_kwh": seen.direct_g_per_kwh,
        "ttft_s": best.ttft_s,
        "ttft_upper_s": best.ttft_upper_s,
        "confidence": want.objective.confidence,
    }
    if seen.surplus_basis is not None:
        values["surplus_w"] = seen.surplus_w
    if want.cached.get(card.node):
        values["cached_tokens"] = want.cached[card.node]
    if job.alias:
        values["alias"], values["model"] = job.alias, job.facts.model
    if pick.reason == "fastest_at_risk":
        values["late_for"] = counterfactuals.late_for(best.lane, want)
    listed = survey.listed
    if len(listed) > 1:
        values["next_node"], values["next_coop"] = listed.node[1], listed.coop[1]
        values["next_zone"], values["next_ttft_s"] = listed.zone[1], listed.ttft_s[1]
        values["next_carbon_g"] = g_from_ug(listed.carbon_ug[1])
    greener = counterfactuals.greener(state, survey, pick, want)
    if greener is not None:
        predicted, code = greener
        lane = predicted.lane
        values["greener_node"], values["greener_coop"] = lane.name, lane.coop
        values["greener_zone"], values["greener_ttft_s"] = lane.zone, predicted.ttft_s
        values["greener_carbon_g"] = g_from_ug(round_half_up(predicted.carbon_ug))
        values["greener_rule"], values["could_node"] = code, lane.name
    elif len(listed) == 1 and _is_told_node_by_node(state.policy, survey):
        values |= _could(state, want, survey.excluded)
    return values


def _could(state: State, want: Want, excluded: Excluded) -> Values:
    """Returns the node that one rule alone keeps from a job, if a checked one is."""
    checked = counterfactuals.one_rule_away(state, want, excluded)
    return {} if checked is None else {"could_node": checked[0].card.node}


def _is_told_node_by_node(policy: Policy, survey: Survey) -> bool:
    return survey.fitting + sum(survey.counts.values()) <= policy.limits.explained_nodes
