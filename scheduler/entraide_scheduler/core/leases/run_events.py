"""Run events: handles what nodes and gateways report about runs.

Input: accepts, declines, progress, usage reports, and jobs that gateways abandon or clients cancel.
Output: changes of leases and jobs. A message counts only if its job, epoch and node are those of
the lease (a fencing token). Any other message is dropped and counted, and a node that still runs an
old epoch is told to stop. Usage of an old epoch is acknowledged, so that the node deletes it, but
never billed, unless it is that of a late answer (``late_answers``).
"""

from entraide.errors import CODES
from entraide.types import JobKind, Outcome
from entraide_scheduler.core import evaluation, newcomers, settlement
from entraide_scheduler.core.accounting import clamp_amount
from entraide_scheduler.core.commands import AckUsage, CancelRun
from entraide_scheduler.core.events import (
    JobAbandoned,
    JobCancelled,
    NodeBeat,
    RunAccepted,
    RunDeclined,
    RunExceeded,
    RunProgressed,
    RunReported,
)
from entraide_scheduler.core.leases import (
    backoff,
    engine_exits,
    late_answers,
    leases,
    resumption,
)
from entraide_scheduler.core.records import Lease, LeaseState
from entraide_scheduler.core.state import State

# Codes of a gateway about a resumable answer.
ANSWER_BROKEN = "answer_broken"  # parts are missing
ANSWER_COMPLETE = "answer_complete"  # the client has all of it but its end

FULL = "full"
FULL_PAUSE_S = 1.0  # of a replica that declined as full
RACE_CODES = (FULL, "not_loaded")  # declines of a node that works
STOPS_PER_BEAT = 16  # a node that lists more unknown runs is told the others at its next beats
NOT_LOADED_PAUSE_S = 10.0  # ends earlier with the node's next hello

# Neither an owner's return is a failure, nor a slot that is still taken by a run which the core has
# given up: up to ``UNCOUNTED_ENDS_MAX`` such ends of a job do not count as attempts.
OWNER_CODES = ("owner_terms", "draining", "own_only")
UNCOUNTED_CODES = (FULL, *OWNER_CODES)
UNCOUNTED_ENDS_MAX = 32


def handle_accepted(state: State, event: RunAccepted) -> None:
    """Handles a node's acceptance of a run."""
    lease = _find_running_lease(state, event, "accepted")
    if lease is not None:
        leases.renew_lease(state, lease)


def handle_progressed(state: State, event: RunProgressed) -> None:
    """Handles progress: renews the lease and charges the new output tokens."""
    lease = _find_running_lease(state, event, "progressed")
    if lease is not None:
        _add_progress(state, lease, event.output_tokens)


def record_progress(state: State, event: NodeBeat) -> None:
    """Handles the runs of a heartbeat; stops those without a lease, ``STOPS_PER_BEAT`` at most."""
    stops = STOPS_PER_BEAT
    for job, epoch, output_tokens in event.runs:
        lease = _find_lease(state, job, epoch, event.node)
        if lease is not None and lease.state is not LeaseState.STOPPING:
            _add_progress(state, lease, output_tokens)
        elif stops > 0:
            stops -= 1
            if lease is None:
                state.drop("progressed", job=job, node=event.node)
            state.emit(CancelRun(state.cause, job, epoch, event.node))


def _add_progress(state: State, lease: Lease, output_tokens: int) -> None:
    """Renews a lease and charges the new output tokens."""
    leases.renew_lease(state, lease)
    produced = min(output_tokens, lease.output_tokens_max)
    if produced > lease.output_tokens:
        if lease.output_tokens == 0:
            state.fleet.replica_index.record_first_token(lease, state.now)
            backoff.record_first_token(state, lease)
        state.counters.add_output(lease.bill, produced - lease.output_tokens)
        lease.output_tokens = produced


def _find_running_lease(
    state: State, event: RunAccepted | RunProgressed, what: str
) -> Lease | None:
    """Returns a message's lease; if the run has no active lease, stops it and returns None."""
    lease = _find_lease(state, event.job, event.epoch, event.node)
    if lease is not None and lease.state is not LeaseState.STOPPING:
        return lease
    if lease is None:
        state.drop(what, job=event.job, node=event.node)
        resumption.note_false_alarm(state, event.job, event.epoch, event.node)
    state.emit(CancelRun(state.cause, event.job, event.epoch, event.node))
    return None


def _find_lease(state: State, job: str, epoch: int, node: str) -> Lease | None:
    lease = state.leases.get(job)
    if lease is None or lease.terms.epoch != epoch or lease.terms.node != node:
        return None
    return lease


def handle_declined(state: State, event: RunDeclined) -> None:
    """Handles a run that the node declined, or returned before its first token."""
    lease = _find_lease(state, event.job, event.epoch, event.node)
    if lease is None:
        state.drop("declined", job=event.job, node=event.node)
        return
    node, model = state.fleet.nodes[event.node], lease.terms.model
    if event.code == "draining":
        state.fleet.stop_accepting(node, event.code, state.now)
    elif event.code == FULL:
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
    """Tells whether the job may run again; unknown codes are retryable."""
    return code not in CODES or CODES[code].retryable


def _counts_as_attempt(state: State, lease: Lease, code: str) -> bool:
    """Tells whether a lost run counts as an attempt of its job."""
    ends = len(state.jobs[lease.terms.job].avoid)
    return code not in UNCOUNTED_CODES or ends >= UNCOUNTED_ENDS_MAX


def handle_reported(state: State, event: RunReported) -> None:
    """Handles a node's usage report, which ends the run."""
    run = event.job, event.epoch, event.node
    lease = _find_lease(state, *run)
    if lease is None:
        late = late_answers.find_run(state, *run)
        resumption.note_false_alarm(state, *run)
        if late is not None and event.outcome is Outcome.COMPLETED:
            late_answers.complete_job(state, late, event.usage)
        else:
            state.drop("reported", job=event.job, node=event.node)
            if event.outcome is Outcome.COMPLETED:
                late_answers.note_usage(state, *run, event.usage)
    elif lease.state is LeaseState.STOPPING:
        leases.close_lease(state, lease, settlement.bounded_usage(state, lease, event.usage)[0])
    elif event.outcome is Outcome.COMPLETED:
        _complete_run(state, lease, event)
    else:
        _fail_run(state, lease, event)
    state.emit(AckUsage(state.cause, event.node, event.job, event.epoch))


def _complete_run(state: State, lease: Lease, event: RunReported) -> None:
    leases.renew_lease(state, lease)  # the acceptance message may have been lost
    usage, is_plausible = settlement.bounded_usage(state, lease, event.usage)
    leases.finish_job(state, lease, usage, updates_predictors=is_plausible)
    if is_plausible:
        newcomers.note_run_ended(state, lease)


def handle_exceeded(state: State, event: RunExceeded) -> None:
    """Completes a job whose run exceeded its grant, and settles it by the pool's estimate."""
    lease = _find_lease(state, event.job, event.epoch, event.node)
    if lease is None:
        state.drop("exceeded", job=event.job, node=event.node)
        return
    settlement.record_violation(state, event.node, event.reason)
    lease.answer_tokens_est = lease.output_tokens = clamp_amount(
        event.output_tokens, lease.output_tokens_max
    )
    if lease.state is not LeaseState.STOPPING:
        leases.cancel_run(state, lease)
        leases.renew_lease(state, lease)
        leases.finish_job(
            state, lease, settlement.estimate_usage(state, lease), updates_predictors=False
        )


def _fail_run(state: State, lease: Lease, event: RunReported) -> None:
    """Places a failed run's job again, unless its client has received output."""
    facts = state.jobs[event.job].facts
    code = event.code or "engine_failed"
    if code == engine_exits.ENGINE_EXITED:
        _handle_engine_exit(state, lease, event)
        return
    counts = _counts_as_attempt(state, lease, code)
    if _is_retryable(code) and code not in OWNER_CODES:
        counts = backoff.record_failure(state, lease, code)
    resumes = facts.resumable and _is_retryable(code)
    if event.delivered and facts.stream and facts.kind is JobKind.LIVE and not resumes:
        usage, _ = settlement.bounded_usage(state, lease, event.usage)
        leases.finish_job(state, lease, usage, failed_with=code)
    elif _is_retryable(code):
        leases.requeue_job(
            state,
            lease,
            "lose",
            avoid=True,
            counts=counts,
            code=code,
            delivered=event.delivered,
            usage=event.usage,
        )
    else:
        leases.discard_run(state, lease, code, {})


def _handle_engine_exit(state: State, lease: Lease, event: RunReported) -> None:
    """Handles an engine exit during a run: the job runs once more alone, or is refused.

    A resumable answer is continued alone. If the run had the engine to itself, the run caused the
    exit; otherwise the cause is unknown.
    """
    job, terms = state.jobs[event.job], lease.terms
    delivered = event.delivered and job.facts.stream and job.facts.kind is JobKind.LIVE
    code = engine_exits.ENGINE_EXITED
    if job.alone:
        code = engine_exits.ENDS_ENGINE
        engine_exits.record_refusal(state, job)
        backoff.forgive_replicas(state, job)
    else:
        before = job.failed_on
        backoff.record_failure(state, lease, code)
        if event.beside:
            job.failed_on = before  # another run may have caused the exit
        if delivered and not job.facts.resumable:
            engine_exits.record_broken_stream(state, job, terms.node, terms.lender)
    if delivered and (job.alone or not job.facts.resumable):
        leases.finish_job(
            state, lease, settlement.bounded_usage(state, lease, event.usage)[0], failed_with=code
        )
    elif job.alone:
        leases.discard_run(state, lease, code, {})
    else:
        evaluation.require_exclusive(job, terms.node, terms.lender)
        leases.requeue_job(
            state,
            lease,
            "lose",
            avoid=True,
            counts=False,
            code=code,
            delivered=event.delivered,
            usage=event.usage,
        )


def handle_abandoned(state: State, event: JobAbandoned) -> None:
    """Handles a placement that its gateway cannot use.

    A kept job whose gateway was lost runs again, and so does a job whose answer was invalid before
    any of it was delivered, or the end of an answer that is not streamed is lost. An answer that is
    resumable is resumed. Any other job fails.
    """
    lease = state.leases.get(event.job)
    job = state.jobs.get(event.job)
    if lease is None or job is None or lease.terms.epoch != event.epoch:
        state.drop("abandoned", job=event.job)
        late_answers.forget_run(state, event.job, event.epoch, event.code)
        return
    if event.code == settlement.ANSWER_INVALID:
        settlement.record_violation(state, lease.terms.node, event.code)
    leases.cancel_run(state, lease)
    if job.facts.kind is JobKind.KEPT and event.code == "gateway_lost":
        leases.requeue_job(state, lease, "lose", avoid=False)
    elif event.code == settlement.ANSWER_INVALID and lease.state is not LeaseState.STOPPING:
        counts = backoff.record_failure(state, lease, event.code)
        leases.requeue_job(
            state, lease, "lose", avoid=True, counts=counts, code=event.code, delivered=None
        )
    elif event.code == ANSWER_COMPLETE and job.earlier_runs:
        leases.complete_answered(state, lease)
    elif event.code == ANSWER_BROKEN and (job.facts.resumable or not job.facts.stream):
        leases.requeue_job(
            state, lease, "lose", avoid=True, code=event.code, delivered=job.facts.stream
        )
    elif event.code == ANSWER_BROKEN:
        leases.discard_run(state, lease, resumption.STREAM_BROKEN, {})
    else:
        leases.discard_run(state, lease, event.code, {})


def handle_cancelled(state: State, event: JobCancelled) -> None:
    """Handles a job that its owner cancelled or whose client disconnected."""
    job = state.jobs.get(event.job)
    if job is None:
        state.drop("cancelled", job=event.job)
    else:
        leases.stop_job(state, job, "cancel", event.reason)
