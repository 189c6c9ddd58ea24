"""Admission: decides whether a job may wait, and reserves its quotas.

Checks in a fixed order: the co-op, the places that the text passes, the deadline, room in the
queue, a node that can ever serve the job, the context, a reachable node, the quotas. Fails closed:
a job that no node can ever serve is refused with the reason. Input: a request's facts. Output: an
admitted ``Job``, or a ``Refuse`` command.
"""

from math import ceil

from msgspec import Struct, structs

from entraide.models import ALIASES, DIMENSIONS, EMBEDDINGS, EMBEDDINGS_ONLY, ENGINE_OPTIONS
from entraide.types import JobKind, JobState, RequestFacts
from entraide_scheduler.core import evaluation, explanations, leases, model_loading
from entraide_scheduler.core.accounting import RETRY_LEAST_S, Shortage
from entraide_scheduler.core.commands import Refuse
from entraide_scheduler.core.evaluation import NO_SHAPE, fit_context, round_context, shape_of
from entraide_scheduler.core.models import REACHABLE, has_exhausted_loads
from entraide_scheduler.core.placement import Prediction
from entraide_scheduler.core.policy import QuotaKind
from entraide_scheduler.core.records import (
    DeadlineKind,
    Job,
    Node,
    Quarantine,
    Shape,
    context_input_est,
)
from entraide_scheduler.core.rules import (
    CHAT,
    LENDS_NOTHING,
    MODEL_NOT_OPEN,
    LimitFilter,
    Rule,
    Values,
    find_place_fault,
)
from entraide_scheduler.core.state import State

LASTING = (LENDS_NOTHING.code, MODEL_NOT_OPEN.code)  # rules that another policy, or word, lifts
TRIED_MODELS = 16  # models that are tried when a request's own model is unknown
RETRY_NO_NODE_S = 10.0

# The field of a request that asks for a feature.
FIELD_OF_FEATURE = {
    CHAT: "model", DIMENSIONS: "dimensions", EMBEDDINGS: "model", "images": "messages",
    "schema": "response_format", "tools": "tools", **{name: name for name in ENGINE_OPTIONS},
}  # fmt: skip
RETRY_MOST_S = 30.0  # longest pause that a refused client is told, where a job is to end first


class Refusal(Struct, frozen=True):
    """Why a job is not admitted.

    Attributes:
        code, values: stable error code and the numbers in its sentence.
        retry_after_s: after which the same request may be admitted; None when never.
        excluded: the nodes and the rules that exclude them, where that is the reason.
    """

    code: str
    values: Values
    retry_after_s: float | None = None
    excluded: tuple[tuple[Node, Rule], ...] = ()


def admit(state: State, facts: RequestFacts) -> Job | None:
    """Returns the admitted job, not yet enqueued; None when it is refused or a duplicate.

    A kept job is requested again at each start of the pool, whose server may have moved: then the
    job ends if it must not pass there.
    """
    if state.job(facts.job) is not None:
        _check_places(state, facts)
        state.drop("duplicate", job=facts.job)
        return None
    asked, facts = facts, evaluation.with_policy_defaults(state, facts)
    model, alias = state.model_aliases.resolve(state.fleet, facts, state.now), ""
    if model not in ("", facts.model):
        alias, facts = facts.model, structs.replace(facts, model=model)
    job = Job(facts, JobState.QUEUED, state.arrivals, state.now, 0, 0, NO_SHAPE, alias=alias)
    job.exits = leases.suspected_replica(state, facts.account)
    job.alone = bool(job.exits)
    job.shape = shape_of(state, job)
    refusal = _check_job(state, job, asked)
    if refusal is not None:
        _refuse_job(state, job, refusal)
        return None
    state.arrivals += 1
    state.add_job(job)
    if facts.deadline_at is not None:
        state.deadlines.set(DeadlineKind.JOB_EXPIRY, facts.job, facts.deadline_at)
    return job


def _check_places(state: State, facts: RequestFacts) -> None:
    job = state.jobs.get(facts.job)
    if job is None or facts.places == job.facts.places:
        return
    job.facts = structs.replace(job.facts, places=facts.places)
    if lease := state.leases.get(facts.job):
        lease.terms = structs.replace(lease.terms, places=facts.places)
    if fault := find_place_fault(facts, job.facts):
        leases.stop_job(state, job, "fail", fault[0])


def refuse_key(state: State, facts: RequestFacts, quarantine: Quarantine) -> None:
    """Refuses a job of an API key in quarantine, without any other check."""
    if state.job(facts.job) is not None:
        state.drop("duplicate", job=facts.job)
        return
    job = Job(facts, JobState.QUEUED, state.arrivals, state.now, 0, 0, NO_SHAPE)
    values: Values = {"key": facts.account, "quarantine": quarantine.reason}
    _refuse_job(state, job, Refusal("key_quarantined", values))


def _check_job(state: State, job: Job, asked: RequestFacts) -> Refusal | None:
    facts = job.facts
    if facts.coop not in state.coops:
        return Refusal("unknown_coop", {"coop": facts.coop})
    if fault := find_place_fault(asked, facts):
        return Refusal(*fault)
    if facts.deadline_at is not None and facts.deadline_at <= state.now:
        return Refusal("deadline_passed", {"deadline_at": facts.deadline_at})
    if _queue_length(state, job) >= state.policy.limits.queued_per_coop:
        limit = state.policy.limits.queued_per_coop
        return Refusal("queue_full", {"limit": limit}, _retry_s(state, facts.model))
    if state.queue.shape_count(facts.coop) >= state.policy.limits.shapes_per_coop:
        limit = state.policy.limits.shapes_per_coop
        return Refusal("queue_shapes", {"limit": limit}, _retry_s(state, facts.model))
    if not state.fleet.offers(facts.model):
        return _unknown_model_refusal(state, facts)
    return _check_nodes(state, job) or _reserve_quotas(state, job)


def _queue_length(state: State, job: Job) -> int:
    """Returns how many jobs count against a job's limit; deferrable batch jobs count apart."""
    coop = job.facts.coop
    deferred = state.shift_planner.backlog.jobs(coop)
    if evaluation.batch_work_for(state, job) is not None:
        return deferred
    return state.queue.queue_length(coop) - deferred


def _unknown_model_refusal(state: State, facts: RequestFacts) -> Refusal:
    """Returns the refusal of an unknown model, or of an alias that no model fits."""
    fleet = state.fleet
    values: Values = {"model": facts.model}
    if facts.openness:
        values["asked_openness"] = facts.openness.value
    known = ", ".join(sorted({**fleet.contexts, **fleet.loadable_index.by_model}))
    if known:
        values["models"] = known
    if fitting := _models_that_admit(state, facts):
        values["fitting"] = ", ".join(fitting)
    if facts.model in ALIASES and facts.features:
        plain = structs.replace(facts, features=())
        if state.model_aliases.resolve(fleet, plain, state.now) not in ("", facts.model):
            return _feature_refusal(facts.model, tuple(sorted(facts.features)))
    if facts.model in ALIASES and state.model_aliases.entries:
        longest = state.model_aliases.longest_context(fleet, facts)
        is_length = 0 < longest <= context_input_est(facts)
        return _too_long(facts, longest) if is_length else Refusal("no_model_fits", values)
    if state.model_aliases.entries:
        values["aliases"] = ", ".join(ALIASES)
    entry = state.model_aliases.entries.get(facts.model)
    if entry is not None and not any(artefact.is_pinned for artefact in entry.artefacts):
        values["unpinned"] = 1
    return Refusal("unknown_model", values)


def _models_that_admit(state: State, facts: RequestFacts) -> list[str]:
    """Returns models for which the same request would be admitted now."""
    names = sorted({**state.fleet.contexts, **state.fleet.loadable_index.by_model})
    return [name for name in names[:TRIED_MODELS] if _would_admit(state, facts, name)]


def _would_admit(state: State, facts: RequestFacts, model: str) -> bool:
    facts = structs.replace(facts, model=model)
    job = Job(facts, JobState.QUEUED, state.arrivals, state.now, 0, 0, NO_SHAPE)
    job.shape = shape_of(state, job)
    if _queue_length(state, job) >= state.policy.limits.queued_per_coop:
        return False  # with another model's run time the job may count against the other limit
    if _check_nodes(state, job) is not None:
        return False
    job.output_tokens_max, amounts = _needed_amounts(state, job)
    has_quota = _find_shortage(state, facts, amounts) is None
    return has_quota and not _find_hopeless(state, job)


def _find_hopeless(state: State, job: Job) -> list[tuple[Prediction, Rule]]:
    """Returns all eligible replicas with their limits, if a limit excludes each permanently."""
    if not job.shape.limited:
        return []
    return evaluation.find_hopeless(state, job, evaluation.make_request(state, job, state.now))


def unreachable_reason(state: State, shape: Shape) -> tuple[str, Values, float]:
    """Returns why no reachable node serves a shape: code, values and seconds until a retry."""
    eligible = state.fleet.eligible_nodes(shape)
    is_empty = not eligible.views and not eligible.could_load
    if is_empty and not eligible.counts.keys().isdisjoint(LASTING):
        values = explanations.most_common_rule(eligible.excluded, eligible.counts, shape)
        return "no_node_serves", values, RETRY_NO_NODE_S
    backoffs = [
        node.rests[shape.model]
        for node in eligible.could_load
        if node.state in REACHABLE and has_exhausted_loads(node, shape.model, state.now)
    ]
    if not backoffs:
        return "no_node_live", {"model": shape.model}, RETRY_NO_NODE_S
    first = min(backoffs, key=lambda backoff: backoff.until)
    values = {"model": shape.model, "failure": first.code}
    return "model_failed", values, max(RETRY_LEAST_S, first.until - state.now)


def _check_nodes(state: State, job: Job) -> Refusal | None:
    """Checks that a node can serve a job, and sets the context that the job needs."""
    eligible = state.fleet.eligible_nodes(job.shape)
    facts = job.facts
    if not eligible.views and not eligible.could_load:
        if missing := _unsupported_features(state, job.shape, eligible.excluded):
            refusal = _feature_refusal(facts.model, missing, tuple(eligible.excluded))
            refusal.values.update(_nearest_node(state, job, eligible.excluded))
            return refusal
        values = explanations.most_common_rule(eligible.excluded, eligible.counts, job.shape)
        values |= _nearest_node(state, job, eligible.excluded)
        return Refusal("no_node_serves", values, excluded=tuple(eligible.excluded))
    context_tokens = fit_context(state, job)
    if context_input_est(facts) >= context_tokens:
        return _too_long(facts, context_tokens)
    if not model_loading.is_reachable(state, job.shape):
        return Refusal(*unreachable_reason(state, job.shape))
    job.context_tokens = context_tokens
    return None


def _too_long(facts: RequestFacts, context_tokens: int) -> Refusal:
    values: Values = {"input_tokens": context_input_est(facts), "context_tokens": context_tokens}
    return Refusal("context_length_exceeded", values)


def _unsupported_features(
    state: State, shape: Shape, excluded: list[tuple[Node, Rule]]
) -> tuple[str, ...]:
    """Returns the features of a shape that no node of the pool offers; chat may be one."""
    if EMBEDDINGS not in shape.features and any(
        _embeds_only(node, shape.model) for node, _ in excluded
    ):
        return (CHAT,)
    # An embedding model serves no shape without this feature, so it stands beside each other one.
    common = (EMBEDDINGS,) if EMBEDDINGS in shape.features else ()
    if not shape.features or not (
        _is_served(state, structs.replace(shape, features=()))
        or (common and _is_served(state, structs.replace(shape, features=common)))
    ):
        return ()
    single = [
        (name, structs.replace(shape, features=tuple(sorted({name, *common}))))
        for name in shape.features
    ]
    missing = tuple(name for name, part in single if not _is_served(state, part))
    return missing or shape.features  # each feature has a node, but no node has all


def _embeds_only(node: Node, model: str) -> bool:
    offer = node.replicas.get(model) or node.loadable.get(model)
    return offer is not None and EMBEDDINGS_ONLY in offer.features


def _is_served(state: State, shape: Shape) -> bool:
    eligible = state.fleet.eligible_nodes(shape)
    return bool(eligible.views or eligible.could_load)


def _feature_refusal(
    model: str, features: tuple[str, ...], excluded: tuple[tuple[Node, Rule], ...] = ()
) -> Refusal:
    values: Values = {
        "model": model,
        "features": ", ".join(features),
        "param": FIELD_OF_FEATURE.get(features[0], "messages"),
    }
    return Refusal("feature_unsupported", values, excluded=excluded)


def _nearest_node(state: State, job: Job, excluded: list[tuple[Node, Rule]]) -> Values:
    """Returns the node that only one rule keeps from running a refused job now, if there is one.

    Returns nothing for a job with limits of energy or carbon or that may be deferred, since these
    are decided at placement.
    """
    few = len(excluded) <= state.policy.limits.explained_nodes
    if not few or job.shape.limited or evaluation.batch_work_for(state, job) is not None:
        return {}
    facts, request = job.facts, evaluation.make_request(state, job, state.now)
    for node, rule in explanations.nearest_exclusions(excluded):
        if not explanations.is_only_obstacle(state, request, node, rule):
            continue
        job.context_tokens = node.replicas[facts.model].context_tokens
        fits = context_input_est(facts) < job.context_tokens
        if fits and _find_shortage(state, facts, _needed_amounts(state, job)[1]) is None:
            return {"could_node": node.card.node}
    return {}


def _reserve_quotas(state: State, job: Job) -> Refusal | None:
    """Sets the output limit and reserves quotas; ``job.context_tokens`` is the largest yet."""
    facts, largest = job.facts, job.context_tokens
    output_tokens, amounts = _needed_amounts(state, job)
    shortage = _find_shortage(state, facts, amounts)
    if shortage is not None:
        return _quota_refusal(state, facts, shortage)
    job.output_tokens_max = output_tokens
    if hopeless := _find_hopeless(state, job):
        return _limit_refusal(state, job, hopeless)
    # Like engines, cut an answer off at the end of the largest context.
    job.context_tokens = min(largest, context_input_est(facts) + output_tokens)
    job.wait = evaluation.batch_work_for(state, job)
    if job.wait is not None or round_context(state, job) != job.shape.context_tokens:
        job.shape = shape_of(state, job)
    job.holds = state.quotas.reserve(facts, amounts)
    return None


def _needed_amounts(state: State, job: Job) -> tuple[int, dict[QuotaKind, int]]:
    """Returns a job's output limit in tokens, and the amounts that it needs of quotas.

    A job has an output token at least, unless it asks for embeddings.
    """
    facts, largest = job.facts, job.context_tokens
    choices = max(1, facts.choices)
    output_tokens = facts.output_tokens_max
    if output_tokens is None:
        output_tokens = min(
            state.policy.limits.output_tokens_default, largest - facts.input_tokens_est
        )
        left = state.quotas.tokens_left(facts)
        if left is not None:
            output_tokens = min(output_tokens, (left - facts.input_tokens_max) // choices)
    output_tokens = 0 if facts.embeds else max(1, output_tokens)
    return output_tokens, {
        QuotaKind.TOKENS: facts.input_tokens_max + output_tokens * choices,
        QuotaKind.REQUESTS: 1,
        QuotaKind.JOBS_IN_FLIGHT: 1,
    }


def _find_shortage(
    state: State, facts: RequestFacts, amounts: dict[QuotaKind, int]
) -> Shortage | None:
    shortage = state.quotas.shortage(facts, amounts)
    if shortage is None and facts.kind is JobKind.LIVE:
        shortage = state.quotas.exhausted(facts)  # a kept job waits for the next period instead
    return shortage


def _quota_refusal(state: State, facts: RequestFacts, shortage: Shortage) -> Refusal:
    retry_after_s = shortage.retry_after_s(state.now)
    if shortage.quota.kind is QuotaKind.JOBS_IN_FLIGHT and not shortage.never:
        retry_after_s = _retry_s(state, facts.model)
    return Refusal(shortage.code, shortage.values, retry_after_s)


def _limit_refusal(state: State, job: Job, hopeless: list[tuple[Prediction, Rule]]) -> Refusal:
    """Returns the refusal of a job whose limits exclude all nodes permanently."""
    rules = {rule for _, rule in hopeless}
    bound = next(iter(rules)).filter
    if len(rules) == 1 and isinstance(bound, LimitFilter) and bound.quota and bound.amount:
        least = min(bound.amount(each.carbon_ug, each.energy_uwh) for each, _ in hopeless)
        shortage = state.quotas.beyond_whole(job.facts, {bound.quota: ceil(least)})
        assert shortage is not None, "a whole quota that suffices excluded all nodes"
        return _quota_refusal(state, job.facts, shortage)
    excluded = tuple((predicted.view.node, rule) for predicted, rule in hopeless)
    counts = explanations.count_by_rule(excluded)
    values = explanations.most_common_rule(list(excluded), counts, job.shape)
    nearest, rule = min(
        (pair for pair in hopeless if pair[1].code == values["rule"]),
        key=lambda pair: pair[0].carbon_ug,
    )
    if isinstance(rule.filter, LimitFilter):
        request = evaluation.make_request(state, job, state.now)
        values |= rule.filter.shortage(
            request, nearest.carbon_ug, nearest.energy_uwh, nearest.view.coop
        )
    return Refusal("no_node_serves", values, excluded=excluded)


def _retry_s(state: State, model: str) -> float:
    """Returns the expected run time of a model's job, within bounds, seconds."""
    return max(RETRY_LEAST_S, min(RETRY_MOST_S, state.length_predictor.run_s(model)))


def _refuse_job(state: State, job: Job, refusal: Refusal) -> None:
    facts = job.facts
    explanation = explanations.explain_refusal(
        job,
        code=refusal.code,
        values=refusal.values,
        excluded=refusal.excluded,
        policy=state.policy,
        at=state.now,
        waiting_helps=refusal.retry_after_s is not None,
    )
    job.state, job.code = JobState.REFUSED, refusal.code
    job.ended_at, job.explanation = state.now, explanation
    state.ended[facts.job] = job
    state.explained[facts.job] = None
    state.emit(
        Refuse(
            state.cause,
            facts.job,
            facts.gateway,
            refusal.code,
            refusal.values,
            refusal.retry_after_s,
            explanation,
        )
    )
