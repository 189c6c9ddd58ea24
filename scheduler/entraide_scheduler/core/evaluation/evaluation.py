"""Evaluation: makes a job's placement request and evaluates all nodes for it.

Inputs: the state, a job and the time. Outputs: a ``PlacementRequest`` and a ``PlacementResult``.
Small fleets are scanned replica by replica (``placement``), large ones over columns
(``vectorized``). The module changes no state.
"""

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

from msgspec import structs

from entraide.types import DataClass
from entraide_scheduler.core.evaluation import carbon_shifting, exclusive_retry
from entraide_scheduler.core.placement import PlacementResult, scan, scan_columns
from entraide_scheduler.core.policy import Picker
from entraide_scheduler.core.prediction import NO_TOKENS, PlacementRequest
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.rules import (
    ALONE_LIMIT,
    first_broken_rule,
    masks_for,
    own_requester,
)
from entraide_scheduler.core.state import State

NOTHING: Mapping[str, int] = MappingProxyType({})


def make_request(state: State, job: Job, at: float) -> PlacementRequest:
    """Returns the requirements and limits of a job at a time, seconds since the epoch."""
    facts, shape = job.facts, job.shape
    objective = state.classes[facts.job_class]
    waited_s = at - job.requested_at
    answered = answered_tokens(job) if job.earlier_runs else 0
    most = max(1, job.output_tokens_max - answered) if answered else job.output_tokens_max
    output_tokens = state.length_predictor.output_tokens(facts.coop, facts.model, at_most=most)
    ttft_left_s = inf if objective.ttft_s is None else objective.ttft_s - waited_s
    if job.earlier_runs and ttft_left_s != inf:
        ttft_left_s = -inf  # its first token has come
    completion_left_s = inf if objective.completion_s is None else objective.completion_s - waited_s
    if facts.deadline_at is not None and (
        objective.green_hours or facts.deadline_at - at < completion_left_s
    ):
        completion_left_s = facts.deadline_at - at
    produced = output_tokens * max(1, facts.choices)
    output_upper = output_tokens
    if completion_left_s != inf:
        output_upper = state.length_predictor.output_tokens_upper(
            facts.coop, facts.model, objective.confidence, at_most=most
        )
    energy_left_uwh, carbon_left_ug = inf, inf
    if shape.limited:
        energy, carbon = state.quotas.energy_and_carbon_left(facts)
        energy_left_uwh = inf if energy is None else float(energy)
        carbon_left_ug = inf if carbon is None else float(carbon)
    cached = dict(facts.warm) if facts.warm else NOTHING
    lent_left_uwh = state.quotas.lent.left_uwh if shape.limited else NO_TOKENS
    request = PlacementRequest(
        at,
        shape,
        objective,
        facts.input_tokens_est + answered,
        output_tokens,
        output_upper,
        produced,
        state.scales[facts.job_class],
        ttft_left_s,
        inf if objective.tpot_s is None or facts.embeds else objective.tpot_s,
        completion_left_s,
        limited=shape.limited,
        carbon_cap_ug=inf if facts.max_carbon_ug is None else float(facts.max_carbon_ug),
        carbon_left_ug=carbon_left_ug,
        energy_left_uwh=energy_left_uwh,
        lent_left_uwh=lent_left_uwh,
        max_g_per_kwh=carbon_shifting.max_g_per_kwh(
            state, job, at, (facts.input_tokens_est, produced)
        ),
        cached=cached,
        avoid=(*job.avoid, *_other_engines(state, job)) if job.revision else job.avoid,
        lent_limit_uwh=state.quotas.lent.limit_uwh if shape.limited else NO_TOKENS,
        latest_start_hour=0
        if job.wait is None
        else carbon_shifting.latest_start(state, shape, job.wait, at),
        begins=not cached and (bool(facts.session) or facts.warm is not None),
    )
    if not shape.alone:
        return request
    return structs.replace(request, barred=exclusive_retry.excluded_nodes(state, job, request))


def answered_tokens(job: Job) -> int:
    """Returns how many output tokens of a job's answer the client has, as far as known."""
    return sum(run.output_tokens for run in job.earlier_runs)


def _other_engines(state: State, job: Job) -> tuple[str, ...]:
    """Returns the nodes whose engine has another name than that of the run that is continued."""
    if not job.earlier_runs:
        return ()
    engine = _engine_name(job.earlier_runs[-1].lease.terms.engine)
    views = state.fleet.eligible_nodes(job.shape).views
    return tuple(view.name for view in views if _engine_name(view.replica.engine) != engine)


def _engine_name(engine: str) -> str:
    """Returns the name of an engine without its version."""
    return engine.partition("/")[0]


def count_ahead(state: State, job: Job) -> tuple[int, int]:
    """Returns how many jobs of its project and class, and co-ops, a waiting job has before it.

    Before a job with restricted data are only those that may take a machine of its own co-op.
    """
    if job.facts.data_class is not DataClass.RESTRICTED:
        return state.queue.count_ahead(job, lambda _coop, _shape: True)
    nodes = [view.node for view in state.fleet.eligible_nodes(job.shape).views]
    serves = state.fleet.replica_index.serves_coop

    def competes(coop: str, shape: Shape) -> bool:
        return shape == job.shape or any(
            first_broken_rule(node, shape) is None and serves(node, coop, shape) for node in nodes
        )

    return state.queue.count_ahead(job, competes)


def may_fit(state: State, job: Job) -> bool:
    """Tells whether a search could find a node; False if every replica is blocked for the job."""
    return shape_may_fit(state, job.shape)


def shape_may_fit(state: State, shape: Shape) -> bool:
    """Tells whether a search could find a node for a job of a shape.

    In small fleets, and if limits of the job or its lenders apply, each replica counts as one of
    the job's own co-op, since the fewest filters affect those.
    """
    eligible = state.fleet.eligible_nodes(shape)
    if shape.alone:
        return True
    index, requester = state.fleet.eligibility, own_requester(shape)
    if not index.has_columns():
        own, _ = masks_for(shape)
        return any(not view.blocked_bits & own for view in eligible.views)
    if not (eligible.views and index.is_any_open(shape.model, requester)):
        return False
    columns = eligible.columns
    return columns is not None and (shape.limited or columns.any_open(requester))


def evaluate_nodes(state: State, job: Job, request: PlacementRequest) -> PlacementResult:
    """Returns which nodes can run a job, the one to pick, and why the others are excluded."""
    eligible = state.fleet.eligible_nodes(job.shape)
    if job.shape.alone and not exclusive_retry.may_hold_replica(state, job):
        limited = [(view.node, ALONE_LIMIT) for view in eligible.views]
        return scan([], [*eligible.excluded, *limited], request, state.policy)
    columns = eligible.columns
    if columns is not None and state.policy.picker is Picker.GREENEST:
        return scan_columns(eligible, columns, request, state.policy)
    return scan(eligible.views, eligible.excluded, request, state.policy)
