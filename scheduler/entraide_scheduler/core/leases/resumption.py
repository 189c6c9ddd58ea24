"""Resumption: which lost runs are continued elsewhere, and where.

A resumable answer of which the client has a part is continued by another run, from the text that
the client has, so it needs the same revision of the model. The lost run's lease ends, but its
charge and holds are kept for the settlement (``EarlierRun``). Its job goes before all turns
(``dispatch``); if no node can take it within ``resume_s``, it ends with ``STREAM_BROKEN``.

The core learns of output by progress, once a second; what it does not know yet, the gateway tells
it with the next placement, or while the job waits for one (``AnswerResumed``).
"""

from msgspec.structs import replace

from entraide.types import JobKind, NodeState, Usage
from entraide_scheduler.core import evaluation, settlement
from entraide_scheduler.core.accounting import clamp_amount
from entraide_scheduler.core.events import AnswerResumed
from entraide_scheduler.core.leases.backoff import NO_ANSWER
from entraide_scheduler.core.models import REACHABLE
from entraide_scheduler.core.records import DeadlineKind, EarlierRun, Job, Lease
from entraide_scheduler.core.state import State

STREAM_BROKEN = "stream_broken"
ENGINE_DOWN = "engine_down"  # a node's code why it accepts no work
UNKNOWN_REVISION = "unknown"  # of a replica whose weights the pool cannot tell

# Why a run ended that its node did not end itself.
NODE_LOST = "node_lost"
NODE_LEFT = "node_left"
NODE_RESTARTED = "node_restarted"
LOST_CODES = (NODE_LOST, NO_ANSWER)  # the node may have the run still


def has_output(job: Job, *, delivered: bool | None) -> bool:
    """Tells whether the client of a resumable job may have output of a run that is lost.

    Args:
        job: of the run.
        delivered: whether output was sent, as the node or the gateway says; None if neither does:
            also a node that has not accepted the run yet may have sent some, since it tells the
            scheduler of a run later than it sends text.
    """
    facts = job.facts
    if not (facts.resumable and facts.stream) or facts.kind is not JobKind.LIVE:
        return False
    return delivered is not False


def make_earlier_run(state: State, lease: Lease, code: str, usage: Usage | None) -> EarlierRun:
    """Returns the record of a lost run; without a report, its usage is estimated.

    The time of its first token is then that of the first progress.
    """
    if usage is not None:
        bounded = settlement.bounded_usage(state, lease, usage)[0]
        return EarlierRun(lease, bounded, code, True, lease.delivered_tokens)
    estimate = settlement.estimate_usage(state, lease)
    if lease.first_at:
        estimate = replace(estimate, ttft_s=lease.first_at - lease.terms.placed_at)
    return EarlierRun(lease, estimate, code, False)


def pin_revision(state: State, job: Job, *, is_certain: bool) -> None:
    """Keeps other revisions than the last run's from a job.

    If it is not certain that the client has output, only where a node can continue the answer.
    """
    before, job.wait = job.revision, None
    job.revision = job.earlier_runs[-1].lease.terms.revision
    if not is_certain and not before and not can_continue(state, job):
        job.revision = ""


def can_continue(state: State, job: Job) -> bool:
    """Tells whether a node can continue a job's answer that accepts work, or soon does again.

    An agent starts an engine that has ended again at once: that is worth the wait.
    """
    shape = evaluation.shape_of(state, job)
    return job.revision != UNKNOWN_REVISION and any(
        view.node.state in REACHABLE
        and (view.node.accepting or view.node.reason == ENGINE_DOWN)
        and state.fleet.replica_index.serves_coop(view.node, job.facts.coop)
        for view in state.fleet.eligible_nodes(shape).views
    )


def begin_wait(state: State, job: Job) -> None:
    """Begins the limited wait of a job for a node that continues its answer."""
    until = state.now + state.policy.timing.resume_s
    state.deadlines.set(DeadlineKind.RESUME_EXPIRY, job.facts.job, until)
    state.begun_answers[job.facts.job] = job


def expire_wait(state: State, name: str) -> None:
    """Ends a job whose answer no node has continued in time."""
    job = state.jobs[name]
    if name not in state.leases:
        settlement.end_waiting_job(state, job, "fail", code=STREAM_BROKEN, epoch=job.epoch)


def extend_limits(job: Job, lease: Lease) -> None:
    """Widens the limits of a run that continues an answer: it reads the answer, too."""
    if job.earlier_runs:
        lease.input_tokens_max += job.output_tokens_max
        _set_remaining(job, lease)


def _set_remaining(job: Job, lease: Lease) -> None:
    answered = evaluation.answered_tokens(job)
    lease.output_tokens_max = max(1, job.output_tokens_max - answered)


def handle_resumed(state: State, event: AnswerResumed) -> None:
    """Handles what the client has of the earlier runs of an answer, as its gateway says.

    It may say so of a run, too, just before that run's report is handled.
    """
    job, lease = state.jobs.get(event.job), state.leases.get(event.job)
    holder = job or lease
    delivered = dict(event.delivered)
    own = delivered.get(event.epoch)
    if lease is not None and lease.terms.epoch == event.epoch and own is not None:
        lease.delivered_tokens = clamp_amount(own, lease.output_tokens_max)
        return
    if holder is None or not holder.earlier_runs:
        state.drop("resumed", job=event.job)
        return
    for run in holder.earlier_runs:
        tokens = delivered.get(run.lease.terms.epoch)
        if tokens is not None:
            run.delivered_tokens = clamp_amount(tokens, run.lease.output_tokens_max)
    if job is not None and lease is not None and lease.terms.epoch == event.epoch:
        _set_remaining(job, lease)


def note_sent(job: Job, lease: Lease | None, sent: tuple[int, int], *, since: int) -> None:
    """Notes what the client has of a job's runs, by the last word of its gateway, which is lost.

    The gateway speaks of its newest run; of those before it, it has spoken as that was placed
    (``handle_resumed``). Of a run that is newer, it had sent nothing.

    Args:
        job: not ended.
        lease: of its run, if it has one.
        sent: epoch of the run, and output tokens sent of it.
        since: epoch after which every word has been heard.
    """
    last, tokens = sent
    unknown = [run for run in job.earlier_runs if run.delivered_tokens is None]
    runs: list[tuple[EarlierRun | Lease, Lease]] = [(run, run.lease) for run in unknown]
    if lease is not None:
        runs.append((lease, lease))
    for run, run_lease in runs:
        epoch = run_lease.terms.epoch
        if epoch == last:
            run.delivered_tokens = clamp_amount(tokens, run_lease.output_tokens_max)
        elif epoch > max(last, since):
            run.delivered_tokens = 0


def note_false_alarm(state: State, name: str, epoch: int, node: str) -> None:
    """Counts a node that still has a run after the core gave it up, once for each run."""
    holder = state.jobs.get(name) or state.leases.get(name)
    for run in () if holder is None else holder.earlier_runs:
        terms = run.lease.terms
        is_lost = run.code in LOST_CODES and not run.is_false_alarm
        if is_lost and (terms.epoch, terms.node) == (epoch, node):
            run.is_false_alarm = True
            state.drop("false_alarm", job=name, node=node)


def end_code(state: NodeState) -> str:
    """Returns the code of why a node's runs ended, by the node's state."""
    if state is NodeState.LOST:
        return NODE_LOST
    return NODE_LEFT if state is NodeState.LEFT else NODE_RESTARTED
