"""Answers: what a node or a gateway says of a run, and what that does to the job.

A message counts only if its job, epoch and node are those of the lease; any other is dropped and
counted, and a node that still runs an old epoch is told to stop. Usage of an old epoch is
acknowledged, so that the node forgets it, and never billed.
"""

from entraide.errors import CODES
from entraide.types import JobKind, Outcome
from entraide_scheduler.core import (
    backoff,
    carbon_shifting,
    engine_exits,
    exclusive_retry,
    leases,
    protocol_violations,
    settlement,
)
from entraide_scheduler.core.amount_limits import clamp_amount
from entraide_scheduler.core.commands import AckUsage, CancelRun
from entraide_scheduler.core.events import (
    JobAbandoned,
    JobCancelled,
    RunAccepted,
    RunDeclined,
    RunExceeded,
    RunProgressed,
    RunReported,
)
from entraide_scheduler.core.records import Lease
from entraide_scheduler.core.state import State
from entraide_scheduler.core.state_machines import LeaseState

FULL_PAUSE_S = 1.0  # a node that declined as full is asked again after so long
RACE_CODES = ("full", "not_loaded")  # what a node may say that works
NOT_LOADED_PAUSE_S = 10.0  # its next hello tells sooner what it serves

# An owner who comes back is nobody's failure: so many such ends do not count as attempts.
OWNER_CODES = ("owner_returned", "draining", "own_only")
OWNER_ENDS_MAX = 32


def handle_accepted(state: State, event: RunAccepted) -> None:
    """The node took the run."""
    lease = _find_running_lease(state, event, "accepted")
    if lease is not None:
        leases.renew_lease(state, lease)


def handle_progressed(state: State, event: RunProgressed) -> None:
    """A sign of life: renews the lease and charges what was produced."""
    lease = _find_running_lease(state, event, "progressed")
    if lease is None:
        return
    leases.renew_lease(state, lease)
    produced = min(event.output_tokens, lease.output_tokens_max)
    if produced > lease.output_tokens:
        if lease.output_tokens == 0:
            state.fleet.replica_index.record_first_token(lease, state.now)
        state.queue.add_output(lease.bill, produced - lease.output_tokens)
        lease.output_tokens = produced


def _find_running_lease(
    state: State, event: RunAccepted | RunProgressed, what: str
) -> Lease | None:
    """Returns the lease of a sign of life; a run that should not live any more is stopped."""
    lease = _find_lease(state, event.job, event.epoch, event.node)
    if lease is not None and lease.state is not LeaseState.STOPPING:
        return lease
    if lease is None:
        state.drop(what, job=event.job, node=event.node)
    state.emit(CancelRun(state.cause, event.job, event.epoch, event.node))
    return None


def _find_lease(state: State, job: str, epoch: int, node: str) -> Lease | None:
    lease = state.leases.get(job)
    if lease is None or lease.terms.epoch != epoch or lease.terms.node != node:
        return None
    return lease


def handle_declined(state: State, event: RunDeclined) -> None:
    """The node did not take the run, or gave it back before its first token."""
    lease = _find_lease(state, event.job, event.epoch, event.node)
    if lease is None:
        state.drop("declined", job=event.job, node=event.node)
        return
    node, model = state.fleet.nodes[event.node], lease.terms.model
    if event.code == "draining":
        node.accepting, node.reason = False, event.code
        state.fleet.replica_index.update_node(node, state.now)
    elif event.code == "full":
        leases.pause_replica(state, node, model, reason=event.code, for_s=FULL_PAUSE_S)
    elif event.code == "not_loaded":
        leases.pause_replica(state, node, model, reason=event.code, for_s=NOT_LOADED_PAUSE_S)
    if lease.state is LeaseState.STOPPING:
        leases.close_lease(state, lease, None)
    elif _is_retryable(event.code):
        if event.code in RACE_CODES or event.code in OWNER_CODES:
            counts = _counts_as_attempt(state, lease, event.code)
        else:
            counts = backoff.record_failure(state, lease, event.code)
        leases.requeue_job(state, lease, "decline", avoid=True, counts=counts)
    else:
        leases.discard_run(state, lease, event.code, event.values)


def _is_retryable(code: str) -> bool:
    """Tells whether another run may go better; codes of ours that say no end the job."""
    return code not in CODES or CODES[code].retryable


def _counts_as_attempt(state: State, lease: Lease, code: str) -> bool:
    """Tells whether a lost run counts among the attempts that a job has."""
    ends = len(state.jobs[lease.terms.job].avoid)
    return code not in OWNER_CODES or ends >= OWNER_ENDS_MAX


def handle_reported(state: State, event: RunReported) -> None:
    """The node's usage report: the run is over."""
    lease = _find_lease(state, event.job, event.epoch, event.node)
    if lease is None:
        state.drop("reported", job=event.job, node=event.node)
    elif lease.state is LeaseState.STOPPING:
        leases.close_lease(state, lease, settlement.bounded_usage(state, lease, event.usage)[0])
    elif event.outcome is Outcome.COMPLETED:
        _complete_run(state, lease, event)
    else:
        _fail_run(state, lease, event)
    state.emit(AckUsage(state.cause, event.node, event.job, event.epoch))


def _complete_run(state: State, lease: Lease, event: RunReported) -> None:
    leases.renew_lease(state, lease)  # its acceptance may have been lost
    usage, teaches = settlement.bounded_usage(state, lease, event.usage)
    leases.finish_job(state, lease, usage, teaches=teaches)


def handle_exceeded(state: State, event: RunExceeded) -> None:
    """A gateway got more of a run than was granted: its job ends well, by the pool's estimate."""
    lease = _find_lease(state, event.job, event.epoch, event.node)
    if lease is None:
        state.drop("exceeded", job=event.job, node=event.node)
        return
    protocol_violations.record_violation(state, event.node, event.reason)
    lease.answer_tokens_est = lease.output_tokens = clamp_amount(
        event.output_tokens, lease.output_tokens_max
    )
    if lease.state is not LeaseState.STOPPING:
        state.emit(CancelRun(state.cause, event.job, event.epoch, event.node))
        leases.renew_lease(state, lease)
        leases.finish_job(state, lease, settlement.estimate_usage(state, lease), teaches=False)


def _fail_run(state: State, lease: Lease, event: RunReported) -> None:
    """A run that failed is placed again unless its client has seen some of it."""
    facts = state.jobs[event.job].facts
    code = event.code or "engine_failed"
    if code == engine_exits.ENGINE_EXITED:
        _handle_engine_exit(state, lease, event)
        return
    counts = _counts_as_attempt(state, lease, code)
    if _is_retryable(code) and code not in OWNER_CODES:
        counts = backoff.record_failure(state, lease, code)
    if event.delivered and facts.stream and facts.kind is JobKind.LIVE:
        usage, _ = settlement.bounded_usage(state, lease, event.usage)
        leases.finish_job(state, lease, usage, failed_with=code)
    elif _is_retryable(code):
        leases.requeue_job(state, lease, "lose", avoid=True, counts=counts)
    else:
        leases.discard_run(state, lease, code, {})


def _handle_engine_exit(state: State, lease: Lease, event: RunReported) -> None:
    """An engine exited during a run: its job is tried once more alone, or is refused.

    A run that had the engine to itself ended it; one of several may have been there by chance.
    """
    job, terms = state.jobs[event.job], lease.terms
    delivered = event.delivered and job.facts.stream and job.facts.kind is JobKind.LIVE
    code = engine_exits.ENGINE_EXITED
    if job.alone:
        code = engine_exits.ENDS_ENGINE
        engine_exits.record_refusal(state, job)
        for node in backoff.forgive_replicas(state, job):
            leases.retry_node(state, node)
    else:
        before = job.failed_on
        backoff.record_failure(state, lease, code)
        if event.beside:
            job.failed_on = before  # it says nothing of the replica whether this job completes
        if delivered:
            engine_exits.record_broken_stream(state, job, terms.node, terms.lender)
    if delivered:
        leases.finish_job(
            state, lease, settlement.bounded_usage(state, lease, event.usage)[0], failed_with=code
        )
    elif job.alone:
        leases.discard_run(state, lease, code, {})
    else:
        exclusive_retry.require_exclusive(job, terms.node, terms.lender)
        leases.requeue_job(state, lease, "lose", avoid=True, counts=False)


def handle_abandoned(state: State, event: JobAbandoned) -> None:
    """The gateway cannot go on with a placement.

    A kept job whose gateway was lost, and a job whose answer could not be used before any of it
    was handed on, run again.
    """
    lease = state.leases.get(event.job)
    job = state.jobs.get(event.job)
    if lease is None or job is None or lease.terms.epoch != event.epoch:
        state.drop("abandoned", job=event.job)
        return
    terms = lease.terms
    if event.code == protocol_violations.ANSWER_INVALID:
        protocol_violations.record_violation(state, terms.node, event.code)
    state.emit(CancelRun(state.cause, terms.job, terms.epoch, terms.node))
    if job.facts.kind is JobKind.KEPT and event.code == "gateway_lost":
        leases.requeue_job(state, lease, "lose", avoid=False)
    elif (
        event.code == protocol_violations.ANSWER_INVALID and lease.state is not LeaseState.STOPPING
    ):
        counts = backoff.record_failure(state, lease, event.code)
        leases.requeue_job(state, lease, "lose", avoid=True, counts=counts)
    else:
        leases.discard_run(state, lease, event.code, {})


def handle_cancelled(state: State, event: JobCancelled) -> None:
    """Its owner, or the lack of one, cancels a job."""
    job = state.jobs.get(event.job)
    lease = state.leases.get(event.job)
    if job is None:
        state.drop("cancelled", job=event.job)
    elif lease is not None:
        leases.stop_job(state, lease, "cancel", event.reason)
    else:
        carbon_shifting.remove_waiting(state, job)
        state.queue.remove(job)
        settlement.end_job(state, job, "cancel", code=event.reason)
