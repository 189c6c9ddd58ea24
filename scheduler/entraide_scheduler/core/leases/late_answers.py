"""Late answers: a job waits since the core gave its run up, and the whole answer came all the same.

A machine that was silent may have sent all of it; its gateway took it, since no other run had begun
there, and says so (``usage_reports``). The job is completed and billed by that run, which is its
last. Once it has another run, the report of the run given up takes the place of the estimate of
what that run used, as long as the job has not ended: its gateway may have taken the whole answer
and have no use for the other run. Once the gateway cannot use the answer, the run given up counts
for nothing more.
"""

from entraide.types import JobState, Usage
from entraide_scheduler.core import settlement
from entraide_scheduler.core.accounting import cut_output
from entraide_scheduler.core.leases.backoff import NO_ANSWER
from entraide_scheduler.core.leases.resumption import NODE_LOST, NODE_RESTARTED
from entraide_scheduler.core.records import Job, Lease
from entraide_scheduler.core.state import State

GIVEN_UP_CODES = (NODE_LOST, NO_ANSWER, NODE_RESTARTED)  # without a word of the node


def note_refunded(job: Job, lease: Lease, code: str, usage: Usage | None) -> None:
    """Notes a run that was refunded, if the core has given it up; otherwise that there is none."""
    job.given_up = lease if usage is None and code in GIVEN_UP_CODES else None


def find_run(state: State, name: str, epoch: int, node: str) -> Lease | None:
    """Returns the lease of a waiting job's last run if it is this one and was given up."""
    job = state.jobs.get(name)
    if job is None or name in state.leases or job.epoch != epoch:
        return None
    lease = job.given_up
    if lease is None and job.earlier_runs:
        last = job.earlier_runs[-1]
        is_given_up = not last.is_reported and last.code in GIVEN_UP_CODES
        lease = last.lease if is_given_up else None
    is_this = lease is not None and (lease.terms.epoch, lease.terms.node) == (epoch, node)
    return lease if is_this else None


def note_usage(state: State, name: str, epoch: int, node: str, usage: Usage) -> None:
    """Notes what a run given up has used, in the place of an estimate, for a job with another run.

    Of its output counts what the client has, as before.
    """
    holder = state.jobs.get(name) or state.leases.get(name)
    for run in () if holder is None else holder.earlier_runs:
        terms = run.lease.terms
        is_estimated = not run.is_reported and run.code in GIVEN_UP_CODES
        if is_estimated and (terms.epoch, terms.node) == (epoch, node):
            exact, _ = settlement.bounded_usage(state, run.lease, usage)
            run.usage = cut_output(exact, run.usage.output_tokens)


def complete_job(state: State, lease: Lease, usage: Usage) -> None:
    """Completes a waiting job by the run of a lease that ``find_run`` has returned."""
    job = state.jobs[lease.terms.job]
    if lease is job.given_up:
        _reserve_again(state, job, lease)
    else:
        job.earlier_runs = job.earlier_runs[:-1]
    lease.holds = (*lease.holds, *settlement.take_tokens(job))
    lease.earlier_runs, job.earlier_runs = job.earlier_runs, ()
    usage, _ = settlement.bounded_usage(state, lease, usage)
    settlement.settle(state, lease, usage, job_state=JobState.COMPLETED)
    settlement.end_waiting_job(state, job, "complete", code="", epoch=lease.terms.epoch)


def _reserve_again(state: State, job: Job, lease: Lease) -> None:
    """Reserves what was released as the run was refunded; its settlement is by that."""
    expected = lease.expected
    lease.holds = state.quotas.reserve_at_placement(
        job.facts, expected.energy_uwh, expected.carbon_ug
    )
    if lease.foreign:
        lease.lent_day = state.quotas.lent.reserve(lease.terms.lender, expected.energy_uwh)


def forget_run(state: State, name: str, epoch: int, code: str) -> None:
    """Notes that the gateway of a waiting job cannot use the answer of its last run."""
    job = state.jobs.get(name)
    if job is None or job.epoch != epoch:
        return
    job.given_up = None
    if job.earlier_runs and job.earlier_runs[-1].lease.terms.epoch == epoch:
        job.earlier_runs[-1].code = code
