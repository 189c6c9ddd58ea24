"""Leases: a node's hold on a job, from the offer until it is over.

Decides how a lease begins, is renewed, expires and is lost. A job whose run is lost is placed
again, elsewhere if it can, as often as the policy allows; what was charged for the lost run is
given back. A lease whose job is over keeps its slot until the node has reported or its time is up.
It refuses to know what nodes say; ``answers`` does.
"""

from entraide.types import JobState, NodeState, Terms, Usage
from entraide_scheduler.core import books, explain
from entraide_scheduler.core.commands import CancelRun, Place
from entraide_scheduler.core.placement import Pick, Survey, uncached_tokens
from entraide_scheduler.core.records import Job, Lease, Load, Node
from entraide_scheduler.core.rules import Values, first_broken
from entraide_scheduler.core.state import EPOCHS_PER_INCARNATION, State
from entraide_scheduler.core.tables import LeaseState


def offer(state: State, job: Job, survey: Survey, pick: Pick) -> None:
    """Offers a job to the node picked for it."""
    facts, node = job.facts, pick.best.node
    job.step("place")
    job.epoch = max(job.epoch, state.incarnation * EPOCHS_PER_INCARNATION) + 1
    job.attempts += 1
    job.explanation = explain.placed(state, job, survey, pick)
    state.queue.serve(job)
    job.front = False
    lease = Lease(
        terms=_terms(state, job, pick),
        state=LeaseState.OFFERED,
        coop=facts.coop,
        project=facts.project,
        input_tokens=uncached_tokens(job, node),
        input_tokens_max=facts.input_tokens_max,
        output_tokens_max=job.output_tokens_max * max(1, facts.choices),
    )
    charge(state, lease, state.policy.charge.input_weight * lease.input_tokens)
    state.leases[facts.job] = lease
    state.fleet.hold(lease)
    state.deadlines.set("lease", facts.job, state.now + state.policy.timing.offer_timeout_s)
    state.ask(
        Place(
            state.cause,
            facts.job,
            job.epoch,
            node.card.node,
            facts.gateway,
            job.output_tokens_max,
            lease.terms,
            job.explanation,
        )
    )


def _terms(state: State, job: Job, pick: Pick) -> Terms:
    facts, best = job.facts, pick.best
    card, replica = best.node.card, best.node.replicas[job.facts.model]
    return Terms(
        job=facts.job,
        epoch=job.epoch,
        borrower=facts.coop,
        node=card.node,
        lender=card.coop,
        site=card.site,
        zone=card.zone,
        engine=replica.engine,
        model=facts.model,
        revision=replica.revision,
        job_class=facts.job_class,
        objective_ttft_s=state.classes[facts.job_class].ttft_s,
        intensity_direct_g_per_kwh=best.effective.direct_g_per_kwh,
        intensity_lifecycle_g_per_kwh=best.effective.lifecycle_g_per_kwh,
        intensity_basis=best.effective.basis,
        surplus_basis=best.effective.surplus_basis,
        requested_at=job.requested_at,
        placed_at=state.now,
        policy_version=state.policy.version,
        at_risk=not best.keeps,
    )


def charge(state: State, lease: Lease, virtual_tokens: float) -> None:
    """Charges a lease's co-op and project for what it is served."""
    lease.charged += virtual_tokens
    state.queue.charge(lease.coop, lease.project, virtual_tokens)


def renew(state: State, lease: Lease) -> None:
    """Takes a sign of life; the first one is the node's acceptance."""
    if lease.state is LeaseState.OFFERED:
        lease.step("accept")
        state.jobs[lease.terms.job].step("accept")
    state.deadlines.set("lease", lease.terms.job, state.now + state.policy.timing.lease_s)


def over(state: State, lease: Lease) -> None:
    """Takes a lease off its node, which may then have room for others."""
    lease.step("over")
    del state.leases[lease.terms.job]
    state.deadlines.clear("lease", lease.terms.job)
    state.fleet.release(lease)
    state.queue.leave(lease.coop, lease.project)
    opened(state, state.fleet.nodes[lease.terms.node])


def opened(state: State, node: Node) -> None:
    """Looks again at the shapes that were stuck, now that a node may have room."""
    state.queue.unstick(
        lambda shape: shape.max_carbon_ug is not None or first_broken(node, shape) is None
    )


def pause(state: State, node: Node, model: str, *, reason: str, for_s: float) -> None:
    """Gives a replica nothing for a while; a hello ends the pause."""
    node.loads.setdefault(model, Load()).paused = reason
    state.deadlines.set("pause", node.card.node, state.now + for_s)


def unpause(state: State, name: str) -> None:
    """The pause of a node's replicas is over."""
    node = state.fleet.nodes.get(name)
    if node is not None:
        for load in node.loads.values():
            load.paused = ""
        opened(state, node)


# Ends of a lease.


def again(state: State, lease: Lease, trigger: str, *, avoid: bool, counts: bool = True) -> None:
    """Ends a lease and puts its job in line again, in front, unless it was tried too often.

    Args:
        state: the core's.
        lease: of a job that is not over.
        trigger: step of ``tables.JOB``.
        avoid: whether other nodes go first the next time.
        counts: whether this placement counts as an attempt (not when a scheduler or a gateway
            is to blame).
    """
    job = state.jobs[lease.terms.job]
    charge(state, lease, -lease.charged)
    over(state, lease)
    job.step(trigger)
    if avoid:
        job.avoid = (*job.avoid, lease.terms.node)
    if not counts:
        job.attempts -= 1
    if job.attempts >= state.policy.limits.attempts:
        values: Values = {"attempts": job.attempts}
        books.end(
            state, job, "fail", code="too_many_attempts", epoch=lease.terms.epoch, values=values
        )
        return
    job.front = True
    state.queue.add(job)


def stop(state: State, lease: Lease, trigger: str, code: str) -> None:
    """Ends the job of a lease now; the run is stopped, and settled when the node reports."""
    terms = lease.terms
    job = state.jobs[terms.job]
    lease.step("stop")
    lease.holds = books.take_tokens(job)
    state.ask(CancelRun(state.cause, terms.job, terms.epoch, terms.node))
    books.end(state, job, trigger, code=code, epoch=terms.epoch)
    lease.job_state = job.state
    state.deadlines.set("lease", terms.job, state.now + state.policy.timing.lease_s)


def close(state: State, lease: Lease, usage: Usage | None) -> None:
    """Settles a lease whose job is over: by the node's report, or by what is known without.

    A run of which nothing is known to have been used is not billed.
    """
    if usage is None and lease.output_tokens:
        usage = books.estimate(state, lease)
    over(state, lease)
    if usage is not None and _used(usage):
        books.settle(state, lease, usage, job_state=lease.job_state)
        return
    charge(state, lease, -lease.charged)
    state.quotas.settle(lease.coop, lease.holds, {})


def _used(usage: Usage) -> bool:
    energy_uwh = usage.energy_prefill_uwh + usage.energy_decode_uwh
    return usage.input_tokens + usage.output_tokens + energy_uwh > 0


def finish(state: State, lease: Lease, usage: Usage, *, failed_with: str = "") -> None:
    """Ends a job with its run, and settles it.

    Args:
        state: the core's.
        lease: active.
        usage: what the run used.
        failed_with: error code of a run that failed after its client saw some of it.
    """
    job = state.jobs[lease.terms.job]
    over(state, lease)
    lease.holds = books.take_tokens(job)
    job_state = JobState.FAILED if failed_with else JobState.COMPLETED
    books.settle(state, lease, usage, job_state=job_state)
    trigger = "fail" if failed_with else "complete"
    books.end(state, job, trigger, code=failed_with, epoch=lease.terms.epoch)


def discard(state: State, lease: Lease, code: str, values: Values) -> None:
    """Ends a job as failed with a run that is not billed."""
    job = state.jobs[lease.terms.job]
    charge(state, lease, -lease.charged)
    over(state, lease)
    books.end(state, job, "fail", code=code, epoch=lease.terms.epoch, values=values)


def expire(state: State, name: str) -> None:
    """A lease's time is up: the node did not answer, or showed no more sign of life."""
    lease = state.leases[name]
    if lease.state is LeaseState.STOPPING:
        close(state, lease, None)
        return
    terms = lease.terms
    state.ask(CancelRun(state.cause, terms.job, terms.epoch, terms.node))
    node = state.fleet.nodes[terms.node]
    timing = state.policy.timing
    pause(state, node, terms.model, reason="no_answer", for_s=timing.offer_timeout_s)
    again(state, lease, "expire", avoid=True)


def lose(state: State, node: Node) -> None:
    """Ends all leases of a node that is lost or has left."""
    for lease in [held for held in state.leases.values() if held.terms.node == node.card.node]:
        if lease.state is LeaseState.STOPPING:
            close(state, lease, None)
            continue
        if node.state is NodeState.LOST:
            terms = lease.terms
            state.ask(CancelRun(state.cause, terms.job, terms.epoch, terms.node))
        again(state, lease, "lose", avoid=True)
