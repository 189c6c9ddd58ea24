"""Bookings: what one run changes in the ledger, the quotas, the fair queue and the credit.

Input: a lease and what its run is billed for. Output: changed books, and the entries of the ledger.
"""

from entraide.types import JobState, Settlement, Usage
from entraide_scheduler.core import accounting, carbon
from entraide_scheduler.core.commands import Entry, Settle
from entraide_scheduler.core.policy import QuotaKind
from entraide_scheduler.core.records import Hold, Job, Lease
from entraide_scheduler.core.state import State


def take_tokens(holder: Job | Lease) -> tuple[Hold, ...]:
    """Removes and returns a job's reservations of tokens; its last run is settled with them."""
    tokens = tuple(hold for hold in holder.holds if hold.kind is QuotaKind.TOKENS)
    holder.holds = tuple(hold for hold in holder.holds if hold.kind is not QuotaKind.TOKENS)
    return tokens


def settle_run(state: State, lease: Lease, usage: Usage, *, job_state: JobState) -> None:
    """Settles the only run of a job, by the holds of its lease."""
    terms = lease.terms
    settlement = carbon.settle(terms, usage)
    tokens = terms.count_tokens(usage)
    lines = book_run(state, lease, usage, settlement, tokens=tokens)
    state.emit(Settle(state.cause, terms.job, terms, usage, settlement, job_state, lines))


def book_run(
    state: State, lease: Lease, usage: Usage, settlement: Settlement, *, tokens: int
) -> tuple[Entry, ...]:
    """Books a run in the ledger, the quotas and the fair queue; returns the ledger's entries.

    Args:
        state: the core's.
        lease: over; its holds are settled.
        usage: what the run is billed for.
        settlement: of the run.
        tokens: tokens of the whole job, which count where the lease holds a quota of tokens.
    """
    terms = lease.terms
    lines = state.ledger.book(accounting.entries(terms, usage, settlement))
    state.quotas.settle(
        terms.borrower,
        lease.holds,
        {
            QuotaKind.TOKENS: tokens,
            QuotaKind.ENERGY_WH: settlement.energy_uwh,
            QuotaKind.CARBON_G: settlement.carbon_direct_ug,
        },
    )
    saved = usage.input_tokens - terms.count_input(usage)
    read = min(usage.input_tokens, lease.input_tokens_max) - saved
    output = min(usage.output_tokens, lease.output_tokens_max)
    state.counters.correct_charge(lease.bill, input_tokens=max(0, read), output_tokens=output)
    if lease.foreign:
        add_credit(state, terms.lender, lease.bill.charged())
        settle_lent(state, lease, settlement.energy_uwh)
    return lines


def void_run(state: State, lease: Lease) -> None:
    """Refunds the charge of a run that is not used, and releases the holds of its lease."""
    state.counters.correct_charge(lease.bill, input_tokens=0, output_tokens=0)
    state.quotas.settle(lease.terms.borrower, lease.holds, {})
    if lease.foreign:
        settle_lent(state, lease, 0)


def add_credit(state: State, lender: str, virtual_tokens: float) -> None:
    """Adds what other co-ops were charged on a lender's nodes to the lender's credit."""
    credit = state.policy.fair_share.credit
    state.credits.add_gift(lender, virtual_tokens, state.now, credit)
    state.counters.set_credit(lender, state.credits.factor(lender, state.now, credit))


def refresh_credits(state: State) -> None:
    """Updates every co-op's weight by its credit, which decays while the co-op gives nothing."""
    credit = state.policy.fair_share.credit
    for lender in state.credits.gifts:
        state.counters.set_credit(lender, state.credits.factor(lender, state.now, credit))


def settle_lent(state: State, lease: Lease, used_uwh: int) -> None:
    """Replaces a run's predicted lent energy by the energy it used; the rest can be lent again."""
    lender, reserved_uwh = lease.terms.lender, lease.expected.energy_uwh
    if state.quotas.lent.settle(
        lender, lease.lent_day, reserved_uwh=reserved_uwh, used_uwh=used_uwh
    ):
        state.blocked_jobs.mark_all_due()
