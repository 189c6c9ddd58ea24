"""Books: how a job ends and what it comes to.

Decides what of a quota goes back, what is charged in the end and which lines the ledger gets. A
run that never reports is settled by what is known, marked estimated. It refuses to know why a job
ends; ``leases`` and ``node_lifecycle`` do.
"""

from entraide.types import Basis, JobState, Usage
from entraide.units import round_half_up
from entraide_scheduler.core import carbon, exclusive_retry, ledger
from entraide_scheduler.core.commands import EndJob, Settle
from entraide_scheduler.core.fleet import MOST
from entraide_scheduler.core.policy import QuotaKind
from entraide_scheduler.core.protocol_violations import record_violation
from entraide_scheduler.core.records import Hold, Job, Lease
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.state import State
from entraide_scheduler.core.usage_limits import (
    UsageEstimate,
    UsageGrant,
    energy_limit_uwh,
    limit_usage,
    no_less_than_shown,
)

# A snapshot holds them, so they are few: the shell's store keeps what people ask for later.
ENDED_KEPT = 10_000  # ended jobs, however young
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
    """Ends a job: tells its gateway and gives back what it still holds of the quotas."""
    facts = job.facts
    job.step(trigger)
    job.code, job.ended_at = code, state.now
    state.quotas.settle(facts.coop, job.holds, {QuotaKind.REQUESTS: 1})
    job.holds = ()
    del state.jobs[facts.job]
    if facts.job not in state.leases:
        exclusive_retry.release_replica(state, facts.job)
    state.ended[facts.job] = job
    if job.explanation is not None:
        state.explained[facts.job] = None
    state.deadlines.clear("job", facts.job)
    state.emit(EndJob(state.cause, facts.job, facts.gateway, job.state, code, epoch, values or {}))


def take_tokens(job: Job) -> tuple[Hold, ...]:
    """Takes a job's hold on tokens from it, for its run to be settled with."""
    tokens = tuple(hold for hold in job.holds if hold.kind is QuotaKind.TOKENS)
    job.holds = tuple(hold for hold in job.holds if hold.kind is not QuotaKind.TOKENS)
    return tokens


def settle(state: State, lease: Lease, usage: Usage, *, job_state: JobState) -> None:
    """Writes the books of one run: ledger, quota, fair share; the lease brings the hold."""
    terms = lease.terms
    settlement = carbon.settle(terms, usage)
    lines = state.ledger.clamp_to_limits(ledger.entries(terms, usage, settlement))
    state.ledger.post(lines)
    state.quotas.settle(
        terms.borrower,
        lease.holds,
        {
            QuotaKind.TOKENS: usage.input_tokens + usage.output_tokens,
            QuotaKind.ENERGY_WH: settlement.energy_uwh,
            QuotaKind.CARBON_G: settlement.carbon_direct_ug,
        },
    )
    uncached = min(usage.input_tokens, lease.input_tokens_max) - usage.cached_tokens
    output = min(usage.output_tokens, lease.output_tokens_max)
    state.queue.correct_charge(lease.bill, input_tokens=max(0, uncached), output_tokens=output)
    if lease.foreign:
        add_credit(state, terms.lender, lease.bill.charged())
        settle_lent(state, lease, settlement.energy_uwh)
    state.emit(Settle(state.cause, terms.job, terms, usage, settlement, job_state, lines))


def add_credit(state: State, lender: str, virtual_tokens: float) -> None:
    """Counts what other co-ops were billed for on a co-op's nodes towards its credit."""
    credit = state.policy.fair_share.credit
    state.credits.add_gift(lender, virtual_tokens, state.now, credit)
    state.queue.set_credit(lender, state.credits.factor(lender, state.now, credit))


def refresh_credits(state: State) -> None:
    """Lets each co-op's credit count as it stands now: it fades while nothing is given."""
    credit = state.policy.fair_share.credit
    for lender in state.credits.gifts:
        state.queue.set_credit(lender, state.credits.factor(lender, state.now, credit))


def settle_lent(state: State, lease: Lease, used_uwh: int) -> None:
    """Replaces what a lender promised for a run by what it used; what was left over is lent on."""
    lender, promised_uwh = lease.terms.lender, lease.expected.energy_uwh
    if state.quotas.lent.settle(
        lender, lease.lent_day, promised_uwh=promised_uwh, used_uwh=used_uwh
    ):
        state.queue.blocked.recall_all()


def bounded_usage(state: State, lease: Lease, usage: Usage) -> tuple[Usage, bool]:
    """Returns what is billed of a report, and whether it stayed within its lease.

    Counts below zero, or times that are no numbers, would turn the books around: the pool's own
    estimate takes their place. What is beyond the lease marks the node. Fewer output tokens than
    the run's progress had shown mark nobody: an engine that tells no count while it runs is counted
    by its events, and may send several for one token. The shown tokens are billed.
    """
    if not _is_sound(usage):
        return estimate_usage(state, lease), False
    expected = UsageEstimate(lease.expected.input_tokens, lease.answer_tokens_est)
    usage, codes = limit_usage(usage, grant_of(state, lease), expected)
    for code in codes:
        record_violation(state, lease.terms.node, code)
    return no_less_than_shown(usage, lease.output_tokens), not codes


def grant_of(state: State, lease: Lease) -> UsageGrant:
    """Returns the most that a run may have used by now."""
    peak_w = state.fleet.nodes[lease.terms.node].peak_w
    energy_uwh = energy_limit_uwh(peak_w, state.now - lease.terms.placed_at)
    return UsageGrant(lease.input_tokens_max, lease.output_tokens_max, energy_uwh)


def _is_sound(usage: Usage) -> bool:
    counts = (
        usage.input_tokens,
        usage.cached_tokens,
        usage.output_tokens,
        usage.energy_prefill_uwh,
        usage.energy_decode_uwh,
    )
    if min(counts) < 0 or usage.cached_tokens > usage.input_tokens:
        return False
    return 0.0 <= usage.ttft_s < MOST and 0.0 <= usage.run_s < MOST


def estimate_usage(state: State, lease: Lease) -> Usage:
    """Returns what a run has used by its progress and its node's rates, within its lease."""
    node = state.fleet.nodes[lease.terms.node]
    replica = node.replicas.get(lease.terms.model)
    energy_prefill_uwh = energy_decode_uwh = 0
    if replica is not None:
        pace = node.loads[lease.terms.model].pace
        energy_prefill_uwh = round_half_up(lease.expected.input_tokens * pace.prefill_uwh_per_token)
        energy_decode_uwh = round_half_up(lease.output_tokens * (pace.step_uwh + pace.token_uwh))
    known = Usage(
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
    return limit_usage(known, grant_of(state, lease), UsageEstimate())[0]


def forget_old_jobs(state: State) -> None:
    """Forgets ended jobs that were kept long enough, oldest first, and old explanations."""
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
