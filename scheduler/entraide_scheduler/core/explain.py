"""Explain: builds the explanation of a decision from what was looked at.

Decides what is worth keeping: every node up to the policy's limit, above it the best by grams and
by latency, and for each rule a count and an example. Codes and numbers only; the sentences live
in the message catalogue.
"""

from collections.abc import Sequence
from heapq import nsmallest

from entraide.types import Candidate, Exclusion, Explanation, NodeState
from entraide.units import g_from_ug
from entraide_scheduler.core.placement import (
    Pick,
    Prediction,
    Predictor,
    Survey,
    fastest_first,
    greenest_first,
)
from entraide_scheduler.core.policy import ClassTerms, Policy
from entraide_scheduler.core.records import Job, Node, Shape
from entraide_scheduler.core.rules import Rule, Values
from entraide_scheduler.core.state import State

Excluded = Sequence[tuple[Node, Rule]]


def placed(state: State, job: Job, survey: Survey, pick: Pick) -> Explanation:
    """Returns why a job is placed where it is."""
    objective = state.classes[job.facts.job_class]
    return _explanation(
        job,
        survey,
        policy=state.policy,
        objective=objective,
        at=state.now,
        decision="placed",
        reason=pick.reason,
        values=_pick_values(state, job, survey, pick),
        pick=pick.best,
    )


def waiting(state: State, job: Job, survey: Survey, at: float) -> Explanation:
    """Returns why a job waits, as things stand now."""
    own, coops = state.queue.ahead(job)
    counts = counted(survey.excluded)
    values: Values = {"ahead": own, "coops_ahead": coops}
    if not survey.fits and "no_free_slot" not in counts:
        reason = "no_node_live"
        values = commonest(survey.excluded, job.shape, only_waiting=True)
    elif coops:
        reason = "fair_share_turn"
    else:
        reason = "no_free_slot"
        values["nodes"] = counts.get("no_free_slot", 0)
    return _explanation(
        job,
        survey,
        policy=state.policy,
        objective=state.classes[job.facts.job_class],
        at=at,
        decision="waiting",
        reason=reason,
        values=values,
        pick=None,
    )


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
        candidates=(),
        excluded=_exclusions(excluded, job.shape, policy.limits.explained_nodes),
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


def commonest(excluded: Excluded, shape: Shape, *, only_waiting: bool = False) -> Values:
    """Returns the rule that excluded most nodes (the first of equals), with one node's values."""
    looked_at = [(node, rule) for node, rule in excluded if rule.waiting_helps or not only_waiting]
    if not looked_at:
        return {} if not only_waiting else commonest(excluded, shape)
    counts = counted(looked_at)
    code = max(counts, key=lambda name: counts[name])
    node, rule = next(found for found in looked_at if found[1].code == code)
    return {"rule": code, "nodes": counts[code], **rule.values(node, shape)}


def _explanation(
    job: Job,
    survey: Survey,
    *,
    policy: Policy,
    objective: ClassTerms,
    at: float,
    decision: str,
    reason: str,
    values: Values,
    pick: Prediction | None,
) -> Explanation:
    limits = policy.limits
    fits = survey.fits
    few = len(fits) + len(survey.excluded) <= limits.explained_nodes
    listed = _listed(fits, objective, len(fits) if few else limits.explained_best, pick)
    most = limits.explained_nodes if few else 0
    return Explanation(
        job=job.facts.job,
        at=at,
        policy_version=policy.version,
        decision=decision,
        reason=reason,
        values=values,
        epoch=job.epoch if pick is not None else 0,
        node="" if pick is None else pick.node.card.node,
        candidates=tuple(_candidate(predicted) for predicted in listed),
        excluded=_exclusions(survey.excluded, job.shape, most),
        excluded_counts=counted(survey.excluded),
        waiting_helps=bool(fits) or any(rule.waiting_helps for _, rule in survey.excluded),
        objective_ttft_s=objective.ttft_s,
    )


def _listed(
    fits: list[Prediction], objective: ClassTerms, most: int, pick: Prediction | None
) -> list[Prediction]:
    """Returns the best by grams, then the fastest not among them; the pick first of all."""
    found = nsmallest(most, fits, key=greenest_first)
    if len(found) < len(fits):
        names = {predicted.node.card.node for predicted in found}
        fastest = nsmallest(most, fits, key=lambda predicted: fastest_first(predicted, objective))
        found += [predicted for predicted in fastest if predicted.node.card.node not in names]
    if pick is not None:
        found = [pick, *(predicted for predicted in found if predicted is not pick)]
    return found


def _candidate(predicted: Prediction) -> Candidate:
    card = predicted.node.card
    return Candidate(
        node=card.node,
        coop=card.coop,
        zone=card.zone,
        ttft_s=predicted.ttft_s,
        tpot_s=predicted.tpot_s,
        energy_uwh=predicted.energy_uwh,
        carbon_ug=predicted.carbon_ug,
        intensity_g_per_kwh=predicted.effective.direct_g_per_kwh,
        intensity_basis=predicted.effective.basis,
        surplus_w=predicted.effective.surplus_w,
        keeps_promise=predicted.keeps,
    )


def _exclusions(excluded: Excluded, shape: Shape, most: int) -> tuple[Exclusion, ...]:
    """Returns all exclusions up to ``most``; beyond it one example of each rule."""
    if len(excluded) > most:
        firsts: dict[str, tuple[Node, Rule]] = {}
        for node, rule in excluded:
            firsts.setdefault(rule.code, (node, rule))
        excluded = list(firsts.values())
    return tuple(
        Exclusion(
            node=node.card.node,
            coop=node.card.coop,
            zone=node.card.zone,
            rule=rule.code,
            values=rule.values(node, shape),
            waiting_helps=rule.waiting_helps,
        )
        for node, rule in excluded
    )


def _pick_values(state: State, job: Job, survey: Survey, pick: Pick) -> Values:
    best = pick.best
    values: Values = {
        "node": best.node.card.node,
        "coop": best.node.card.coop,
        "zone": best.node.card.zone,
        "carbon_g": g_from_ug(best.carbon_ug),
        "ttft_s": best.ttft_s,
    }
    if pick.next_best is not None:
        values |= _of_node("next", pick.next_best)
    greener = _greener(state, job, survey, best)
    if greener is not None:
        predicted, code = greener
        values |= _of_node("greener", predicted)
        values["greener_rule"] = code
    return values


def _of_node(prefix: str, predicted: Prediction) -> Values:
    card = predicted.node.card
    return {
        f"{prefix}_node": card.node,
        f"{prefix}_coop": card.coop,
        f"{prefix}_zone": card.zone,
        f"{prefix}_carbon_g": g_from_ug(predicted.carbon_ug),
        f"{prefix}_ttft_s": predicted.ttft_s,
    }


def _greener(
    state: State, job: Job, survey: Survey, best: Prediction
) -> tuple[Prediction, str] | None:
    """Returns the greenest node that was not taken although it is greener, and why not.

    Looked for in fleets that are explained node by node only. A node whose own promise would not
    be kept counts too: its rule is ``promise_at_risk``.
    """
    if len(survey.fits) + len(survey.excluded) > state.policy.limits.explained_nodes:
        return None
    predict = Predictor(state, job, state.now)
    found = [(predicted, "promise_at_risk") for predicted in survey.fits if not predicted.keeps]
    for node, rule in survey.excluded:
        if job.facts.model in node.replicas and node.state is not NodeState.LEFT:
            found.append((predict(node), rule.code))
    found = [(predicted, code) for predicted, code in found if predicted.carbon_ug < best.carbon_ug]
    return min(found, key=lambda pair: greenest_first(pair[0])) if found else None
