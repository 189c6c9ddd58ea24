"""Settlement: ends jobs and books what their runs used.

Input: a lease and the usage that its node reported, or nothing where the node never reported; the
usage is then estimated and marked so. Output: ledger lines, quota bookings, the fair queue's
charge, the lender's credit, and a ``Settle`` command. Each run is settled exactly once. ``leases``
and ``node_lifecycle`` decide when a job ends.
"""

from msgspec import UNSET

from entraide.types import Basis, Explanation, JobState, Usage
from entraide.units import round_half_up
from entraide_scheduler.core import evaluation, newcomers
from entraide_scheduler.core.accounting import (
    UsageEstimate,
    UsageGrant,
    energy_limit_uwh,
    limit_usage,
    raise_to_shown,
)
from entraide_scheduler.core.commands import EndJob, EndStalledJob
from entraide_scheduler.core.fleet import MOST
from entraide_scheduler.core.policy import QuotaKind
from entraide_scheduler.core.records import DeadlineKind, Job, Lease
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.settlement.bookings import settle_run
from entraide_scheduler.core.settlement.protocol_violations import record_violation
from entraide_scheduler.core.settlement.resumed_jobs import (
    forget_unknown,
    settle_earlier,
    settle_runs,
)
from entraide_scheduler.core.state import State

# Every snapshot holds ended jobs, so few are kept; the shell's store keeps the rest.
ENDED_KEPT = 10_000  # ended jobs, whatever their age
GATEWAY_LOST = "gateway_lost"  # then nobody can say more than its last word
EXPLANATIONS_KEPT = 256  # of ended jobs


def end_job(
    state: State,
    job: Job,
    trigger: str,
    *,
    code: str,
    epoch: int = 0,
    values: Values | None = None,
) -> None:
    """Ends a job: notifies its gateway and returns its quota reservations."""
    _close_job(state, job, trigger, code)
    name, gateway = job.facts.job, job.facts.gateway
    state.emit(EndJob(state.cause, name, gateway, job.state, code, epoch, values or {}))


def _close_job(state: State, job: Job, trigger: str, code: str) -> None:
    """Ends a job, and returns its quota reservations."""
    facts = job.facts
    job.step(trigger)
    job.code, job.ended_at, job.given_up = code, state.now, None
    if job.earlier_runs and facts.job not in state.leases:
        if job.state is JobState.FAILED and code != GATEWAY_LOST:
            forget_unknown(job.earlier_runs)
        settle_earlier(state, job, job_state=job.state)
    state.quotas.settle(facts.coop, job.holds, {QuotaKind.REQUESTS: 1})
    job.holds = ()
    state.remove_job(job)
    if facts.job not in state.leases:
        evaluation.release_replica(state, facts.job)
    state.ended[facts.job] = job
    if job.explanation is not None:
        state.explained[facts.job] = None
    state.deadlines.clear(DeadlineKind.JOB_EXPIRY, facts.job)
    state.deadlines.clear(DeadlineKind.WAIT_LIMIT, facts.job)
    state.end_resume_wait(facts.job)


def end_waiting_job(
    state: State,
    job: Job,
    trigger: str,
    *,
    code: str,
    epoch: int = 0,
    values: Values | None = None,
) -> None:
    """Removes a job from the waiting jobs and ends it."""
    state.dequeue(job)
    end_job(state, job, trigger, code=code, epoch=epoch, values=values)


def end_stalled_job(
    state: State,
    job: Job,
    values: Values,
    *,
    code: str,
    retry_after_s: float | None,
    explanation: Explanation,
) -> None:
    """Ends a waiting job that no node would accept, and notifies its gateway of the reason."""
    state.dequeue(job)
    job.explanation = explanation
    _close_job(state, job, "fail", code)
    name, gateway = job.facts.job, job.facts.gateway
    end = EndStalledJob(
        state.cause, name, gateway, job.state, code, job.epoch, values, job.facts.coop,
        retry_after_s, explanation,
    )  # fmt: skip
    state.emit(end)


def settle(state: State, lease: Lease, usage: Usage, *, job_state: JobState) -> None:
    """Settles the run that ended a job, with the job's earlier runs."""
    if lease.earlier_runs:
        earlier, lease.earlier_runs = lease.earlier_runs, ()
        settle_runs(state, earlier, (lease, usage), job_state=job_state)
    else:
        settle_run(state, lease, usage, job_state=job_state)


def bounded_usage(state: State, lease: Lease, usage: Usage) -> tuple[Usage, bool]:
    """Returns the usage to bill for a report, and whether the report stayed within its lease.

    A report with negative counts or with times that are not numbers is replaced by the pool's own
    estimate. Usage beyond the lease is recorded as a violation of the node. Fewer output tokens
    than the run's progress had shown are no violation: the tokens of an engine that reports no
    count while it runs are counted by its events, and several events may carry one token. The
    shown tokens are billed.
    """
    if not _is_sound(usage):
        newcomers.note_fault(state, lease.terms.node)
        return estimate_usage(state, lease), False
    expected = UsageEstimate(lease.expected.input_tokens, lease.answer_tokens_est)
    usage, codes = limit_usage(usage, grant_of(state, lease), expected)
    for code in codes:
        record_violation(state, lease.terms.node, code)
    return raise_to_shown(usage, lease.output_tokens), not codes


def grant_of(state: State, lease: Lease) -> UsageGrant:
    """Returns the upper bound of what a run can have used by now."""
    peak_w = state.fleet.nodes[lease.terms.node].peak_w
    energy_uwh = energy_limit_uwh(peak_w, state.now - lease.terms.placed_at)
    may_reuse = lease.terms.cached_token_part is not UNSET
    return UsageGrant(lease.input_tokens_max, lease.output_tokens_max, energy_uwh, may_reuse)


def _is_sound(usage: Usage) -> bool:
    counts = (
        usage.input_tokens,
        usage.cached_tokens,
        usage.output_tokens,
        usage.energy_prefill_uwh,
        usage.energy_decode_uwh,
        usage.reasoning_tokens,
    )
    if min(counts) < 0 or usage.cached_tokens > usage.input_tokens:
        return False
    return 0.0 <= usage.ttft_s < MOST and 0.0 <= usage.run_s < MOST


def estimate_usage(state: State, lease: Lease) -> Usage:
    """Returns a run's usage, estimated by its progress and its node's rates, within its lease."""
    node = state.fleet.nodes[lease.terms.node]
    replica = node.replicas.get(lease.terms.model)
    energy_prefill_uwh = energy_decode_uwh = 0
    if replica is not None:
        model = node.loads[lease.terms.model].pace
        energy_prefill_uwh = round_half_up(
            lease.expected.input_tokens * model.prefill_uwh_per_token
        )
        energy_decode_uwh = round_half_up(lease.output_tokens * (model.step_uwh + model.token_uwh))
    estimate = Usage(
        input_tokens=lease.expected.input_tokens,
        cached_tokens=0,
        output_tokens=lease.output_tokens,
        counted=Basis.ESTIMATED,
        energy_prefill_uwh=energy_prefill_uwh,
        energy_decode_uwh=energy_decode_uwh,
        energy_basis=Basis.ESTIMATED,
        ttft_s=0.0,
        run_s=state.now - lease.terms.placed_at,
    )
    return limit_usage(estimate, grant_of(state, lease), UsageEstimate())[0]


def forget_old_jobs(state: State) -> None:
    """Removes ended jobs older than ``job_kept_s``, oldest first, and the oldest explanations."""
    kept_s = state.policy.timing.job_kept_s
    while state.ended:
        oldest = next(iter(state.ended.values()))
        if oldest.ended_at + kept_s > state.now and len(state.ended) <= ENDED_KEPT:
            break
        del state.ended[oldest.facts.job]
        state.explained.pop(oldest.facts.job, None)
    while len(state.explained) > EXPLANATIONS_KEPT:
        name = next(iter(state.explained))
        del state.explained[name]
        if name in state.ended:
            state.ended[name].explanation = None
