"""Leases: a node's hold on a job, from the offer until it is over.

Decides how a lease begins, is renewed, expires and is lost. A job whose run is lost is placed
again, elsewhere if it can, as often as the policy allows; what was charged for the lost run is
given back. A lease whose job is over keeps its slot until the node has reported or its time is up.
It refuses to know what nodes say; ``answers`` does.
"""

from collections.abc import Collection
from typing import Protocol

from entraide.types import JobClass, JobState, NodeState, Terms, Usage
from entraide.units import round_half_up
from entraide_scheduler.core import alone, backoff, books, exits, explain, green, loading, teaching
from entraide_scheduler.core.amounts import CARBON_MAX_UG, ENERGY_MAX_UWH, bounded
from entraide_scheduler.core.bills import Bill
from entraide_scheduler.core.commands import CancelRun, Place
from entraide_scheduler.core.lanes import Lane, may_open
from entraide_scheduler.core.placement import Pick, Survey
from entraide_scheduler.core.records import Expected, Hold, Job, Lease, Node
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.shelf import is_leaving
from entraide_scheduler.core.smaller import smaller
from entraide_scheduler.core.state import EPOCHS_PER_INCARNATION, State
from entraide_scheduler.core.tables import LeaseState
from entraide_scheduler.core.want import Want


class Serve(Protocol):
    """How the fair queue begins a job's bill: out of the line, or at once."""

    def __call__(
        self, job: Job, *, input_tokens: int, expected_tokens: int, reserved_tokens: int
    ) -> Bill:
        """Begins the bill."""


def offer(state: State, job: Job, survey: Survey, pick: Pick, want: Want, *, serve: Serve) -> None:
    """Offers a job to the node picked for it."""
    facts, lane = job.facts, pick.best.lane
    job.step("place")
    job.epoch = max(job.epoch, state.incarnation * EPOCHS_PER_INCARNATION) + 1
    job.attempts += 1
    job.explanation = explain.placed(state, job, survey, pick, want)
    expected = _expected(pick, want)
    reserved = facts.input_tokens_max + job.output_tokens_max * max(1, facts.choices)
    bill = serve(
        job,
        input_tokens=expected.input_tokens,
        expected_tokens=round_half_up(want.produced_tokens),
        reserved_tokens=reserved,
    )
    job.front = False
    holds: tuple[Hold, ...] = ()
    if job.shape.limited:
        energy_uwh, carbon_ug = expected.energy_uwh, expected.carbon_ug
        holds = state.quotas.reserve_at_placement(facts, energy_uwh, carbon_ug)
    lease = Lease(
        _terms(state, job, pick),
        LeaseState.OFFERED,
        bill,
        expected,
        facts.job_class is JobClass.BATCH,
        lane.coop != facts.coop,
        lane.quote.start_s - lane.node.card.rtt_s + expected.input_tokens * lane.quote.input_s,
        facts.input_tokens_max,
        job.output_tokens_max * max(1, facts.choices),
        holds=holds,
        shape=job.shape if bill.own is None else None,
    )
    if lease.foreign:
        lease.lent_day = state.quotas.lent.promise(lane.coop, expected.energy_uwh)
    if state.fleet.shelf.nodes and not pick.best.keeps and lane.load.leases:
        state.demand.missed(job.shape, state.now)
    if job.alone:
        alone.hold(state, job, lane)
    state.placements += 1
    lane.load.turn = state.placements
    state.leases[facts.job] = lease
    state.fleet.lanes.hold(lease, state.now)
    state.deadlines.set("lease", facts.job, state.now + state.policy.timing.offer_timeout_s)
    state.ask(
        Place(
            state.cause,
            facts.job,
            job.epoch,
            lane.node.card.node,
            facts.gateway,
            job.output_tokens_max,
            lease.terms,
            job.explanation,
        )
    )


def _expected(pick: Pick, want: Want) -> Expected:
    best = pick.best
    quote, node = best.lane.quote, best.lane.name
    queue_s = max(0.0, quote.free_at - want.at)
    load = best.lane.load
    # Of the prompt that is being read a part is behind us, as of the seconds.
    left = queue_s / load.reading_s if load.reading_s > queue_s else 1.0
    return Expected(
        best.ttft_s,
        queue_s,
        round_half_up(load.reading_tokens * left),
        quote.token_s,
        want.input_tokens - want.cached.get(node, 0),
        best.lane.load.leases,
        bounded(round_half_up(best.energy_uwh), ENERGY_MAX_UWH),
        bounded(round_half_up(best.carbon_ug), CARBON_MAX_UG),
        load.reading * left,
    )


def _terms(state: State, job: Job, pick: Pick) -> Terms:
    facts, lane = job.facts, pick.best.lane
    card, replica, seen = lane.node.card, lane.replica, lane.effective
    return Terms(
        facts.job,
        job.epoch,
        facts.coop,
        lane.name,
        lane.coop,
        card.site,
        lane.zone,
        replica.engine,
        facts.model,
        replica.revision,
        facts.job_class,
        state.classes[facts.job_class].ttft_s,
        seen.direct_g_per_kwh,
        seen.lifecycle_g_per_kwh,
        seen.basis,
        seen.surplus_basis,
        job.requested_at,
        state.now,
        state.policy.version,
        not pick.best.keeps,
        smaller(state, job, lane),
    )


def renew(state: State, lease: Lease) -> None:
    """Takes a sign of life; the first one is the node's acceptance."""
    if lease.state is LeaseState.OFFERED:
        lease.step("accept")
        state.jobs[lease.terms.job].step("accept")
    state.deadlines.set("lease", lease.terms.job, state.now + state.policy.timing.lease_s)


def over(state: State, lease: Lease) -> None:
    """Takes a lease off its node, which may then have room for others."""
    lease.step("over")
    terms = lease.terms
    del state.leases[terms.job]
    state.deadlines.clear("lease", terms.job)
    state.fleet.lanes.release(lease, state.now)
    state.queue.leave(lease.bill)
    state.queue.blocked.recall_coop(terms.borrower)
    alone.free(state, terms.job)
    lane = state.fleet.lanes.lane(terms.model, terms.node)
    if lane is not None:
        lane_opened(state, lane)


def opened(state: State, node: Node) -> None:
    """Looks again at the shapes that were stuck, now that a node may have room."""
    if state.alone:
        alone.look_again(state)
    for model in node.replicas:
        lane = state.fleet.lanes.lane(model, node.card.node)
        if lane is not None:
            lane_opened(state, lane)


def lane_opened(state: State, lane: Lane) -> None:
    """Looks again at the shapes that wait for a replica's model."""
    state.queue.unstick(
        lane.replica.model,
        lambda shape: may_open(lane, shape) and green.may_start(state, shape, lane),
    )


def pause(state: State, node: Node, model: str, *, reason: str, for_s: float) -> None:
    """Gives a replica nothing for a while; a hello ends the pause."""
    load = node.loads.get(model)
    if load is not None:
        load.paused = reason
        state.fleet.lanes.changed(node, state.now)
        state.deadlines.set("pause", node.card.node, state.now + for_s)


def unpause(state: State, name: str) -> None:
    """The pause of a node's replicas is over."""
    node = state.fleet.nodes.get(name)
    if node is not None:
        for model, load in node.loads.items():
            if not is_leaving(node, model):
                load.paused = ""
        state.fleet.lanes.changed(node, state.now)
        opened(state, node)


def rested(state: State, name: str) -> None:
    """The rest of a node's replicas whose runs failed is over."""
    node = state.fleet.nodes.get(name)
    if node is not None:
        backoff.rested(state, node)
        opened(state, node)


def void(state: State, lease: Lease) -> None:
    """Ends a lease that comes to nothing: what was charged and reserved for it goes back."""
    over(state, lease)
    state.queue.refund(lease.bill)
    state.quotas.settle(lease.terms.borrower, lease.holds, {})
    if lease.foreign:
        books.settle_lent(state, lease, 0)


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
    void(state, lease)
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
        for node in backoff.forgive(state, job):
            opened(state, node)
        return
    job.front = True
    green.enter(state, job)
    state.queue.add(job)
    loading.await_model(state, job)


def stop(state: State, lease: Lease, trigger: str, code: str) -> None:
    """Ends the job of a lease now; the run is stopped, and settled when the node reports."""
    terms = lease.terms
    job = state.jobs[terms.job]
    lease.step("stop")
    lease.holds = (*lease.holds, *books.take_tokens(job))
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
    if usage is not None and _used(usage):
        over(state, lease)
        books.settle(state, lease, usage, job_state=lease.job_state)
    else:
        void(state, lease)


def _used(usage: Usage) -> bool:
    energy_uwh = usage.energy_prefill_uwh + usage.energy_decode_uwh
    return usage.input_tokens + usage.output_tokens + energy_uwh > 0


def finish(
    state: State, lease: Lease, usage: Usage, *, failed_with: str = "", teaches: bool = False
) -> None:
    """Ends a job with its run, and settles it.

    Args:
        state: the core's.
        lease: active.
        usage: what the run used.
        failed_with: error code of a run that failed after its client saw some of it.
        teaches: whether the pool may learn from it, which completed.
    """
    job = state.jobs[lease.terms.job]
    if teaches:
        teaching.learn(state, job, lease, usage)
        backoff.completed(state, job, lease)
        if job.alone:
            exits.note_alone(state, job)
    over(state, lease)
    lease.holds = (*lease.holds, *books.take_tokens(job))
    job_state = JobState.FAILED if failed_with else JobState.COMPLETED
    books.settle(state, lease, usage, job_state=job_state)
    trigger = "fail" if failed_with else "complete"
    books.end(state, job, trigger, code=failed_with, epoch=lease.terms.epoch)


def discard(state: State, lease: Lease, code: str, values: Values) -> None:
    """Ends a job as failed with a run that is not billed."""
    job = state.jobs[lease.terms.job]
    void(state, lease)
    books.end(state, job, "fail", code=code, epoch=lease.terms.epoch, values=values)


def expire(state: State, name: str) -> None:
    """A lease's time is up: the node did not answer, or showed no more sign of life."""
    lease = state.leases[name]
    if lease.state is LeaseState.STOPPING:
        close(state, lease, None)
        return
    terms = lease.terms
    state.ask(CancelRun(state.cause, terms.job, terms.epoch, terms.node))
    counts = backoff.failed(state, lease, backoff.NO_ANSWER)
    again(state, lease, "expire", avoid=True, counts=counts)


def lose(state: State, node: Node, *, but: Collection[tuple[str, int]] = ()) -> None:
    """Ends the leases of a node that is lost, has left, or has restarted.

    Args:
        state: the core's.
        node: which.
        but: runs, by job and epoch, that it still holds or will report.
    """
    for lease in [held for held in state.leases.values() if held.terms.node == node.card.node]:
        if (lease.terms.job, lease.terms.epoch) in but:
            continue
        if lease.state is LeaseState.STOPPING:
            close(state, lease, None)
            continue
        if node.state is NodeState.LOST:
            terms = lease.terms
            state.ask(CancelRun(state.cause, terms.job, terms.epoch, terms.node))
        again(state, lease, "lose", avoid=True)
    if state.alone:
        alone.look_again(state)
