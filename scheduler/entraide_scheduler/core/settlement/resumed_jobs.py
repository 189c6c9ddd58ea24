"""Resumed jobs: settles all runs of a job whose answer was resumed, when the job ends.

Input: the earlier runs and, if the answer ended with a run, that run. Output: bookings of each run
by its own terms, and one ``SettleResumed``. Each run is settled once, since the job ends once. If
the answer failed, an earlier run counts only if its node reported it and its gateway has said what
the client has of it; the text of one that does not
count is no part of the prompt of the runs after it.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from entraide.types import JobState, Usage
from entraide_scheduler.core.accounting import DeliveredRun, bill_resumed
from entraide_scheduler.core.carbon import settle_resumed
from entraide_scheduler.core.commands import SettledRun, SettleResumed
from entraide_scheduler.core.records import EarlierRun, Job, Lease
from entraide_scheduler.core.settlement.bookings import (
    book_run,
    settle_run,
    take_tokens,
    void_run,
)
from entraide_scheduler.core.state import State


def settle_runs(
    state: State,
    earlier: Sequence[EarlierRun],
    last: tuple[Lease, Usage],
    *,
    job_state: JobState,
) -> None:
    """Settles a job's runs.

    Args:
        state: the core's.
        earlier: the runs before the last, oldest first.
        last: lease of the run that ended the job, with the job's holds of tokens, and its usage.
        job_state: final state of the job.
    """
    billed, runs, text_tokens = _billed_runs(state, earlier, job_state)
    lease, usage = last
    usage = _without_text(usage, text_tokens)
    if not billed:
        settle_run(state, lease, usage, job_state=job_state)
        return
    ends = [(run.lease, run.code) for run in billed]
    _settle(state, [*ends, (lease, "")], bill_resumed(runs, usage), job_state)


def settle_earlier(state: State, holder: Job | Lease, *, job_state: JobState) -> None:
    """Settles the earlier runs of a job that ends without a further run to settle.

    Args:
        state: the core's.
        holder: the job; or the lease, not used, that was to continue its answer.
        job_state: final state of the job.
    """
    earlier, holder.earlier_runs = holder.earlier_runs, ()
    billed, runs, _ = _billed_runs(state, earlier, job_state)
    if billed:
        billed[-1].lease.holds = (*billed[-1].lease.holds, *take_tokens(holder))
        usages = bill_resumed(runs, None)
        _settle(state, [(run.lease, run.code) for run in billed], usages, job_state)


def forget_unknown(earlier: Sequence[EarlierRun]) -> None:
    """Bills nothing of the runs of a broken answer of which no gateway has said what came."""
    for run in earlier:
        if run.delivered_tokens is None:
            run.delivered_tokens = 0


def _billed_runs(
    state: State, earlier: Sequence[EarlierRun], job_state: JobState
) -> tuple[list[EarlierRun], list[DeliveredRun], int]:
    """Returns the runs to bill, what they delivered, and the tokens of those that are not used."""
    billed: list[EarlierRun] = []
    runs: list[DeliveredRun] = []
    text_tokens = 0
    for run in earlier:
        if run.output_tokens and (run.is_reported or job_state is not JobState.FAILED):
            billed.append(run)
            runs.append(DeliveredRun(_without_text(run.usage, text_tokens), run.output_tokens))
        else:
            void_run(state, run.lease)
            text_tokens += run.output_tokens
    return billed, runs, text_tokens


def _without_text(usage: Usage, text_tokens: int) -> Usage:
    """Returns the usage of a run without the earlier answer's text that it has read."""
    prompt = max(0, usage.input_tokens - text_tokens)
    cached = min(prompt, usage.cached_tokens)
    return replace(usage, input_tokens=prompt, cached_tokens=cached)


def _settle(
    state: State, ends: list[tuple[Lease, str]], usages: Sequence[Usage], job_state: JobState
) -> None:
    """Books each run and emits the settlement; ``ends`` has the leases and why they ended."""
    tokens = sum(
        lease.terms.count_tokens(usage) for (lease, _), usage in zip(ends, usages, strict=True)
    )
    settled = settle_resumed(
        [(lease.terms, usage, code) for (lease, code), usage in zip(ends, usages, strict=True)]
    )
    runs = tuple(
        SettledRun(
            run.terms,
            run.usage,
            run.settlement,
            run.code,
            book_run(state, lease, run.usage, run.settlement, tokens=tokens),
        )
        for (lease, _), run in zip(ends, settled, strict=True)
    )
    state.emit(SettleResumed(state.cause, ends[0][0].terms.job, runs, job_state))
