"""Leases: a node's right to run a job, from the offer to the settlement (Gray and Cheriton, 1989).

A lease begins when a placement is offered, is renewed by each progress message, and ends when the
node reports, declines, is lost, or lets the lease expire. If a run is lost, its charges are
refunded and its job is placed again, on another node if possible, up to the policy's number of
attempts. If a job ends before its run, its lease keeps the slot until the node reports or the lease
expires. ``run_events`` maps the nodes' messages to these functions.
"""

from collections.abc import Collection

from msgspec import UNSET, UnsetType

from entraide.types import JobClass, JobState, NodeState, RequestFacts, Terms, Usage
from entraide.units import round_half_up
from entraide_scheduler.core import (
    evaluation,
    explanations,
    model_loading,
    newcomers,
    settlement,
)
from entraide_scheduler.core.accounting import (
    CARBON_MAX_UG,
    ENERGY_MAX_UWH,
    clamp_amount,
    cut_output,
)
from entraide_scheduler.core.commands import CancelRun, Place
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.leases import (
    backoff,
    engine_exits,
    feedback,
    late_answers,
    resumption,
)
from entraide_scheduler.core.leases.compared_models import (
    larger_model_terms,
    smallest_model_terms,
)
from entraide_scheduler.core.placement import Pick, PlacementResult
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import (
    DeadlineKind,
    ExpectedRun,
    Hold,
    Job,
    Lease,
    LeaseState,
    Node,
    RunCharge,
)
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.state import EPOCHS_PER_INCARNATION, State


def offer_lease(
    state: State,
    job: Job,
    result: PlacementResult,
    pick: Pick,
    request: PlacementRequest,
) -> None:
    """Offers a job to the node that placement picked."""
    facts, view = job.facts, pick.best.view
    job.step("place")
    job.epoch = max(job.epoch, state.incarnation * EPOCHS_PER_INCARNATION) + 1
    job.attempts += 1
    job.explanation = explanations.explain_placement(state, job, result, pick, request)
    expected = _predict_run(pick, request)
    input_tokens_max = facts.input_tokens_max + state.model_aliases.template_tokens_of(facts)
    reserved = input_tokens_max + job.output_tokens_max * max(1, facts.choices)
    charge = state.queue.start_run(
        job,
        input_tokens=expected.input_tokens,
        expected_tokens=round_half_up(request.produced_tokens),
        reserved_tokens=reserved,
    )
    state.shift_planner.remove_job(job)
    job.front, job.given_up = False, None
    state.end_resume_wait(facts.job)
    lease = _make_lease(state, job, pick, expected, charge)
    if lease.foreign:
        lease.lent_day = state.quotas.lent.reserve(view.coop, expected.energy_uwh)
    if state.fleet.loadable_index.nodes and not pick.best.keeps and view.load.leases:
        state.demand.record_missed(job.shape, state.now)
    if job.alone:
        evaluation.hold_replica(state, job, view)
    state.placements += 1
    view.load.turn = state.placements
    state.leases[facts.job] = lease
    state.fleet.replica_index.add_lease(lease, state.now)
    newcomers.count_prompt(state, facts, view.name)
    until = state.now + state.policy.timing.offer_timeout_s
    state.deadlines.set(DeadlineKind.LEASE_EXPIRY, facts.job, until)
    state.emit(
        Place(
            state.cause,
            facts.job,
            job.epoch,
            view.node.card.node,
            facts.gateway,
            job.output_tokens_max,
            lease.terms,
            job.explanation,
        )
    )


def _make_lease(
    state: State, job: Job, pick: Pick, expected: ExpectedRun, charge: RunCharge
) -> Lease:
    facts, view = job.facts, pick.best.view
    terms = _make_terms(state, job, pick)
    lease = Lease(
        terms,
        LeaseState.OFFERED,
        charge,
        expected,
        facts.job_class is JobClass.BATCH,
        view.coop != facts.coop,
        view.cost.start_s - view.node.card.rtt_s + expected.input_tokens * view.cost.input_s,
        facts.input_tokens_max + (terms.template_tokens or 0),
        job.output_tokens_max * max(1, facts.choices),
        holds=_reserve_quotas(state, job, expected),
        shape=job.shape if charge.own is None else None,
    )
    resumption.extend_limits(job, lease)
    return lease


def _reserve_quotas(state: State, job: Job, expected: ExpectedRun) -> tuple[Hold, ...]:
    energy_uwh, carbon_ug = expected.energy_uwh, expected.carbon_ug
    return state.quotas.reserve_at_placement(job.facts, energy_uwh, carbon_ug)


def _predict_run(pick: Pick, request: PlacementRequest) -> ExpectedRun:
    best = pick.best
    cost, node = best.view.cost, best.view.name
    queue_s = max(0.0, cost.free_at - request.at)
    load = best.view.load
    # The same fraction of the prompt tokens is left as of the prefill time.
    left = queue_s / load.reading_s if load.reading_s > queue_s else 1.0
    return ExpectedRun(
        best.ttft_s,
        queue_s,
        round_half_up(load.reading_tokens * left),
        cost.token_s,
        request.input_tokens - request.cached.get(node, 0),
        best.view.load.leases,
        clamp_amount(round_half_up(best.energy_uwh), ENERGY_MAX_UWH),
        clamp_amount(round_half_up(best.carbon_ug), CARBON_MAX_UG),
        load.reading * left,
    )


def _make_terms(state: State, job: Job, pick: Pick) -> Terms:
    facts, view = job.facts, pick.best.view
    card, replica, intensity = view.node.card, view.replica, view.effective
    return Terms(
        facts.job,
        job.epoch,
        facts.coop,
        view.name,
        view.coop,
        card.site,
        view.zone,
        replica.engine,
        facts.model,
        replica.revision,
        facts.job_class,
        state.classes[facts.job_class].ttft_s,
        intensity.direct_g_per_kwh,
        intensity.lifecycle_g_per_kwh,
        intensity.basis,
        intensity.surplus_basis,
        job.requested_at,
        state.now,
        state.policy.version,
        not pick.best.keeps,
        smallest_model_terms(state, job, view),
        card.controlled_by or UNSET,
        intensity.surplus_evidence or UNSET,
        facts.places or UNSET,
        card.node_key or UNSET,
        state.coops[view.coop].name or UNSET if view.coop in state.coops else UNSET,
        state.model_aliases.thinking_of(facts, job.output_tokens_max, replica) or UNSET,
        state.model_aliases.template_tokens_of(facts) or UNSET,
        larger_model_terms(state, job) or UNSET,
        _cached_token_part(state, facts),
    )


def _cached_token_part(state: State, facts: RequestFacts) -> float | UnsetType:
    prefix = state.policy.prefix
    return prefix.cached_token_part if prefix.enabled and facts.warm is not None else UNSET


def renew_lease(state: State, lease: Lease) -> None:
    """Renews a lease on a node's message; the first message accepts the lease."""
    if lease.state is LeaseState.OFFERED:
        lease.step("accept")
        state.jobs[lease.terms.job].step("accept")
    extend_lease(state, lease)


def extend_lease(state: State, lease: Lease) -> None:
    """Gives a lease its full duration from now."""
    until = state.now + state.policy.timing.lease_s
    state.deadlines.set(DeadlineKind.LEASE_EXPIRY, lease.terms.job, until)


def extend_offer(state: State, lease: Lease) -> None:
    """Gives an offer without an answer at least the time of an offer from now."""
    until = state.now + state.policy.timing.offer_timeout_s
    state.deadlines.set_no_earlier(DeadlineKind.LEASE_EXPIRY, lease.terms.job, until)


def release_lease(state: State, lease: Lease) -> None:
    """Ends a lease and offers its slot to waiting jobs."""
    lease.step("over")
    terms = lease.terms
    del state.leases[terms.job]
    state.deadlines.clear(DeadlineKind.LEASE_EXPIRY, terms.job)
    state.fleet.replica_index.remove_lease(lease, state.now)
    state.counters.end_run(lease.bill)
    state.blocked_jobs.mark_coop_due(terms.borrower)
    evaluation.release_replica(state, terms.job)
    view = state.fleet.replica_index.view_of(terms.model, terms.node)
    if view is not None:
        retry_model(state, view)


def retry_node(state: State, node: Node) -> None:
    """Unblocks the shapes that a node's replicas may now admit."""
    if state.exclusive_replicas:
        evaluation.retry_exclusive(state)
    for model in node.replicas:
        view = state.fleet.replica_index.view_of(model, node.card.node)
        if view is not None:
            retry_model(state, view)


def retry_model(state: State, view: ReplicaView) -> None:
    """Unblocks the shapes that a replica may now admit."""
    state.queue.unblock_shapes(
        view.replica.model,
        lambda shape: (
            state.fleet.may_admit(view, shape) and evaluation.may_start_now(state, shape, view)
        ),
    )


def pause_replica(state: State, node: Node, model: str, *, reason: str, for_s: float) -> None:
    """Pauses a replica for ``for_s`` seconds; the node's next hello ends the pause earlier."""
    if model in node.loads:
        node.loads[model].paused_until = state.now + for_s
        state.fleet.pause_replica(node, model, reason, state.now)
        _schedule_pause_end(state, node)


def _schedule_pause_end(state: State, node: Node) -> None:
    """Sets the deadline of the first pause of a node's replicas to end."""
    ends = [load.paused_until for load in node.loads.values() if load.paused]
    until = min((end for end in ends if end > state.now), default=None)
    if until is not None:
        state.deadlines.set(DeadlineKind.PAUSE_END, node.card.node, until)


def end_pause(state: State, name: str) -> None:
    """Ends the pauses of a node's replicas that are due."""
    node = state.fleet.nodes.get(name)
    if node is not None:
        state.fleet.end_pauses(node, state.now)
        _schedule_pause_end(state, node)


def end_backoff(state: State, name: str) -> None:
    """Ends the due back-offs of a node's replicas."""
    node = state.fleet.nodes.get(name)
    if node is not None:
        backoff.end_due_backoffs(state, node)


def void_lease(state: State, lease: Lease) -> None:
    """Ends a lease whose run is not used: refunds its charge and releases its reservations."""
    release_lease(state, lease)
    settlement.void_run(state, lease)


# How a lease ends.


def requeue_job(
    state: State,
    lease: Lease,
    trigger: str,
    *,
    avoid: bool,
    counts: bool = True,
    code: str = "",
    delivered: bool | None = False,
    usage: Usage | None = None,
) -> None:
    """Ends a lease and enqueues its job at the front, or fails the job after too many attempts.

    If the client of a resumable answer has output of the run, the run is kept for the settlement
    and the job waits for a node that can continue the answer; without one it ends.

    Args:
        state: the core's.
        lease: of a job that has not ended.
        trigger: transition of ``state_machines.JOB``.
        avoid: whether the next placement prefers other nodes.
        counts: whether this placement counts as an attempt; not if the scheduler or a gateway
            caused the loss.
        code: stable code of why the run ended.
        delivered: whether the client has output of the run; None if that is not known.
        usage: as the node reported it, or None.
    """
    job = state.jobs[lease.terms.job]
    if resumption.has_output(job, delivered=delivered):
        run = resumption.make_earlier_run(state, lease, code, usage)
        release_lease(state, lease)
        job.earlier_runs = (*job.earlier_runs, run)
        is_certain = delivered is True or lease.output_tokens > 0
        resumption.pin_revision(state, job, is_certain=is_certain)
    else:
        void_lease(state, lease)
        late_answers.note_refunded(job, lease, code, usage)
    job.step(trigger)
    if avoid:
        job.avoid = (*job.avoid, lease.terms.node)
    if not counts:
        job.attempts -= 1
    if job.revision and not resumption.can_continue(state, job):
        _fail_waiting(state, job, lease, resumption.STREAM_BROKEN, {})
    elif job.attempts >= state.policy.limits.attempts:
        values: Values = {} if job.revision else {"attempts": job.attempts}
        broken = resumption.STREAM_BROKEN if job.revision else "too_many_attempts"
        _fail_waiting(state, job, lease, broken, values)
        backoff.forgive_replicas(state, job)
    else:
        _enqueue_again(state, job)


def _fail_waiting(state: State, job: Job, lease: Lease, code: str, values: Values) -> None:
    """Fails a job that was not enqueued again after its lease ended."""
    settlement.end_job(state, job, "fail", code=code, epoch=lease.terms.epoch, values=values)


def _enqueue_again(state: State, job: Job) -> None:
    job.front, job.shape = True, evaluation.shape_of(state, job)
    state.enqueue(job)
    if job.revision:
        resumption.begin_wait(state, job)  # no model is loaded for it: that takes longer
        return
    model_loading.request_plan(state, job)
    if not model_loading.is_reachable(state, job.shape):
        state.changes.aliases = True
        state.changes.servable[job.shape.model] = None


def stop_job(state: State, job: Job, trigger: str, code: str) -> None:
    """Ends a job that waits or runs; its run, if any, is settled when the node reports."""
    lease = state.leases.get(job.facts.job)
    if lease is None:
        settlement.end_waiting_job(state, job, trigger, code=code)
        return
    lease.step("stop")
    lease.holds = (*lease.holds, *settlement.take_tokens(job))
    lease.earlier_runs, job.earlier_runs = job.earlier_runs, ()
    cancel_run(state, lease)
    settlement.end_job(state, job, trigger, code=code, epoch=lease.terms.epoch)
    lease.job_state = job.state
    extend_lease(state, lease)


def cancel_run(state: State, lease: Lease) -> None:
    """Tells a lease's node to stop the run."""
    terms = lease.terms
    state.emit(CancelRun(state.cause, terms.job, terms.epoch, terms.node))


def close_lease(state: State, lease: Lease, usage: Usage | None) -> None:
    """Settles a lease whose job has ended: by the node's usage, else by the pool's estimate.

    A run without any known usage is not billed. If its gateway was lost, what its client has is.
    """
    if usage is None and lease.output_tokens:
        usage = settlement.estimate_usage(state, lease)
    if usage is not None and lease.delivered_tokens is not None:
        usage = cut_output(usage, lease.delivered_tokens) if lease.delivered_tokens else None
    if usage is not None and _has_usage(usage):
        release_lease(state, lease)
        settlement.settle(state, lease, usage, job_state=lease.job_state)
    else:
        settlement.settle_earlier(state, lease, job_state=lease.job_state)
        void_lease(state, lease)


def _has_usage(usage: Usage) -> bool:
    energy_uwh = usage.energy_prefill_uwh + usage.energy_decode_uwh
    return usage.input_tokens + usage.output_tokens + energy_uwh > 0


def finish_job(
    state: State,
    lease: Lease,
    usage: Usage,
    *,
    failed_with: str = "",
    updates_predictors: bool = False,
) -> None:
    """Ends a job with its run, and settles it.

    Args:
        state: the core's.
        lease: active.
        usage: what the run used.
        failed_with: error code of a run that failed after its client received output; else "".
        updates_predictors: whether the run completed and its usage is plausible.
    """
    job = state.jobs[lease.terms.job]
    if updates_predictors:
        if not job.earlier_runs:
            feedback.learn_from_run(state, job, lease, usage)
        backoff.record_completion(state, job, lease)
        if job.alone:
            engine_exits.clear_suspicion(state, job)
    release_lease(state, lease)
    lease.holds = (*lease.holds, *settlement.take_tokens(job))
    lease.earlier_runs, job.earlier_runs = job.earlier_runs, ()
    job_state = JobState.FAILED if failed_with else JobState.COMPLETED
    settlement.settle(state, lease, usage, job_state=job_state)
    trigger = "fail" if failed_with else "complete"
    settlement.end_job(state, job, trigger, code=failed_with, epoch=lease.terms.epoch)


def complete_answered(state: State, lease: Lease) -> None:
    """Completes a job whose earlier runs had delivered all of its answer but the end."""
    job = state.jobs[lease.terms.job]
    renew_lease(state, lease)
    void_lease(state, lease)
    settlement.end_job(state, job, "complete", code="", epoch=lease.terms.epoch)


def discard_run(state: State, lease: Lease, code: str, values: Values) -> None:
    """Fails a job and does not bill its run."""
    job = state.jobs[lease.terms.job]
    void_lease(state, lease)
    settlement.end_job(state, job, "fail", code=code, epoch=lease.terms.epoch, values=values)


def expire_lease(state: State, name: str) -> None:
    """Handles an expired lease: its node did not answer, or sent no more progress."""
    lease = state.leases[name]
    if lease.state is LeaseState.STOPPING:
        close_lease(state, lease, None)
        return
    cancel_run(state, lease)
    code = backoff.NO_ANSWER
    counts = backoff.record_failure(state, lease, code)
    requeue_job(state, lease, "expire", avoid=True, counts=counts, code=code, delivered=None)


def end_node_leases(state: State, node: Node, *, held: Collection[tuple[str, int]] = ()) -> None:
    """Ends the leases of a node that is silent, has left, or has restarted.

    Args:
        state: the core's.
        node: the node.
        held: runs (job, epoch) that the node still holds or will report.
    """
    for lease in [lease for lease in state.leases.values() if lease.terms.node == node.card.node]:
        if (lease.terms.job, lease.terms.epoch) in held:
            continue
        if lease.state is LeaseState.STOPPING:
            close_lease(state, lease, None)
            continue
        if node.state in (NodeState.SUSPECT, NodeState.LOST):
            cancel_run(state, lease)
        code = resumption.end_code(node.state)
        requeue_job(state, lease, "lose", avoid=True, code=code, delivered=None)
    if state.exclusive_replicas:
        evaluation.retry_exclusive(state)
