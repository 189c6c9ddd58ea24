"""Running jobs: the state of each job at its gateway, from submission to answer or failure.

In: placements, refusals and ends from the scheduler; parts and ends of answers from nodes. Out:
runs and cancellations to nodes, and the events of each job's answer to its sink (see
``answer_events``). A job may be placed again until the first part of its answer was forwarded;
after that, its next run continues the answer (see ``resumption``), or a lost node ends it.

Each job follows the transitions of ``phases``; a message without a transition is dropped and
counted.
"""

import asyncio
import contextlib
import time
from functools import partial

import structlog
from msgspec import structs

from entraide.types import JobKind, JobState, Outcome, Receipt, RequestFacts, Terms, Usage
from entraide.wire.messages import (
    AnswerReceived,
    AnswerResumed,
    CancelRun,
    JobEnded,
    JobPlaced,
    JobRefused,
    JobsWaiting,
    JobUpdate,
    KeyRevoked,
    LeaseExceeded,
    NodeOut,
    Revocation,
    RunEnded,
    SigninEnded,
    Tokens,
)
from entraide.wire.subjects import is_key
from entraide_scheduler.bus import NodeChannel, SchedulerPort
from entraide_scheduler.core.accounting import TOKEN_CODES
from entraide_scheduler.core.policy import RESUME_MAX_S
from entraide_scheduler.gateway.answers import CompleteAnswer
from entraide_scheduler.gateway.embeddings import is_valid_answer, replace_usage
from entraide_scheduler.gateway.jobs.metrics import Metrics
from entraide_scheduler.gateway.jobs.options import Caller
from entraide_scheduler.gateway.jobs.partitions import Partitions
from entraide_scheduler.gateway.jobs.phases import GATEWAY_JOB, JobPhase
from entraide_scheduler.gateway.jobs.receipts import ReceiptSigner
from entraide_scheduler.gateway.jobs.recent_jobs import RecentJobs
from entraide_scheduler.gateway.jobs.resumption import delivered_runs, state_receipt
from entraide_scheduler.gateway.jobs.run_limits import RunLimits, last_chunk
from entraide_scheduler.gateway.jobs.running_job import RunningJob
from entraide_scheduler.gateway.jobs.token_estimator import TokenEstimator
from entraide_scheduler.gateway.jobs.wait_notice import WaitNotice
from entraide_scheduler.gateway.refusals import ErrorReply, rename_param
from entraide_scheduler.gateway.requests import (
    NAMES,
    AnswerPlaced,
    AnswerSink,
    AnswerStarted,
    ParsedRequest,
    make_seam,
)
from entraide_scheduler.node_validation import check

JOBS_MAX = 20_000
BROKEN = "stream_broken"
COMPLETED_UNSEEN = BROKEN  # the core reports completion, but no answer arrived
CORE_OUTCOME_TIMEOUT_S = 15.0  # maximum time between the node's and the core's report of an end
RESUME_TIMEOUT_S = RESUME_MAX_S + CORE_OUTCOME_TIMEOUT_S  # where ``resume_s`` may come between


class RunningJobs:
    """The unfinished jobs of this gateway."""

    def __init__(
        self,
        *,
        scheduler: SchedulerPort,
        nodes: NodeChannel,
        signer: ReceiptSigner,
        token_estimator: TokenEstimator,
        partitions: Partitions,
        counters: Metrics,
    ) -> None:
        self._scheduler = scheduler
        self._nodes = nodes
        self._signer = signer
        self._token_estimator = token_estimator
        self._partitions = partitions
        self._counters = counters
        self._jobs: dict[str, RunningJob] = {}
        self._job_closed = asyncio.Event()
        self.recent = RecentJobs()
        self._log = structlog.get_logger("entraide.gateway")

    def __len__(self) -> int:
        return len(self._jobs)

    def list_live(self) -> list[RunningJob]:
        """Returns the live jobs that have not ended."""
        return [job for job in self._jobs.values() if job.facts.kind is JobKind.LIVE]

    def find_repeated(self, facts: RequestFacts) -> RunningJob | None:
        """Returns the sender's live job with the idempotency key of a request, or None."""
        for job in self.list_live() if facts.idempotency else ():
            if job.facts.idempotency_key == facts.idempotency_key and job.facts.key == facts.key:
                return job
        return None

    async def wait_until_drained(self) -> None:
        """Waits until no live job is left."""
        while self.list_live():
            self._job_closed.clear()
            await self._job_closed.wait()

    def get(self, job: str) -> RunningJob | None:
        """Returns a job that has not ended, or None."""
        return self._jobs.get(job)

    def list_of(self, caller: Caller) -> list[RunningJob]:
        """Returns the caller's jobs that have not ended, newest first."""
        return [
            job
            for job in reversed(self._jobs.values())
            if caller.owns(job.facts.coop, job.facts.key)
        ]

    def start(
        self,
        facts: RequestFacts,
        parsed: ParsedRequest,
        sink: AnswerSink,
        *,
        began_at: float,
        signin_session: str = "",
        resume_events: bool = False,
        waiting_events: bool = False,
    ) -> bool:
        """Submits a job; its sink receives the answer. Returns False if there are too many."""
        if not self._add(facts, parsed, sink, began_at):
            return False
        running = self._jobs[facts.job]
        running.signin_session, running.resume_events = signin_session, resume_events
        running.waits = WaitNotice(sink, began_at) if waiting_events else None
        self._scheduler.submit(facts)
        return True

    def on_waits(self, message: JobsWaiting) -> None:
        """Handles why jobs wait; the clients that asked for it are told."""
        for wait in message.waits:
            if (running := self._jobs.get(wait.job)) is not None:
                running.note_wait(wait)

    def start_placed(
        self, facts: RequestFacts, parsed: ParsedRequest, sink: AnswerSink, placed: JobPlaced
    ) -> bool:
        """Starts a kept job that was just placed, perhaps again. Returns False if too many run."""
        is_here = facts.job in self._jobs or self._add(facts, parsed, sink, time.monotonic())
        return is_here and self.on_job_update(placed)

    def _add(
        self, facts: RequestFacts, parsed: ParsedRequest, sink: AnswerSink, began_at: float
    ) -> bool:
        if len(self._jobs) >= JOBS_MAX or facts.job in self._jobs:
            return False
        self._jobs[facts.job] = RunningJob(facts, parsed, sink, began_at)
        sink(AnswerStarted(facts.job, parsed, time.time()))
        return True

    def wait_for_result(self, job: str, epoch: int) -> asyncio.Future[None] | None:
        """Returns a future that resolves when a run has ended here; None if it is not here."""
        running = self._jobs.get(job)
        if running is None or running.epoch != epoch:
            return None
        if running.is_whole and running.facts.kind is JobKind.LIVE:
            return None  # the answer waits for the journal only
        ended = asyncio.get_running_loop().create_future()
        running.end_waiters.append(ended)
        return ended

    def cancel(self, job: str, reason: str) -> bool:
        """Cancels a job at its node and at the scheduler, and ends its answer."""
        running = self._jobs.get(job)
        if running is None:
            return False
        self._cancel_run(running)
        self._scheduler.cancel(job, reason)
        self._fail(running, ErrorReply(reason, job=job))
        return True

    def end_revoked(self, revoked: Revocation) -> None:
        """Ends the live jobs of a key or a sign-in, or the partial answers of a revoked node."""
        for running in list(self._jobs.values()):
            if isinstance(revoked, KeyRevoked):
                if running.facts.key == revoked.key and running.facts.kind is JobKind.LIVE:
                    self.cancel(running.facts.job, "unauthorised")
            elif isinstance(revoked, SigninEnded):
                is_theirs = running.facts.account == revoked.person and (
                    revoked.session in ("", running.signin_session)
                )
                if is_theirs and running.facts.kind is JobKind.LIVE:
                    self.cancel(running.facts.job, "not_signed_in")
            elif running.node == revoked.node and running.phase is JobPhase.ANSWERING:
                self._break_answer(running, BROKEN, "answer_broken")

    def end_all(self, code: str) -> None:
        """Ends every live job because the gateway stops; kept jobs continue at the next start."""
        for running in list(self._jobs.values()):
            if running.facts.kind is JobKind.LIVE:
                self.cancel(running.facts.job, code)
            else:
                self._cancel_outcome_timer(running)
                running.end_waiters.clear()  # without its answer, the run must not be settled
                del self._jobs[running.facts.job]

    # The gateway calls these, for messages of the scheduler and of nodes.

    def on_job_update(self, message: JobUpdate) -> bool:
        """Handles a job's placement, refusal or end; returns False if the job is not here."""
        running = self._jobs.get(message.job)
        if running is None:
            return False
        try:
            self._handle_job_update(message, running)
        except Exception:  # noqa: BLE001  (an error in one job must not affect the others)
            self._log.exception("gateway.job_failed", job=message.job)
            self._fail(running, ErrorReply("internal", job=message.job))
        return True

    def on_node_message(self, key: str, message: NodeOut) -> None:
        """Handles a part of an answer, or its end, from the node with a public key."""
        running = self._jobs.get(message.job)
        try:
            self._handle_node_message(key, message, running)
        except Exception:  # noqa: BLE001  (as above)
            self._log.exception("gateway.job_failed", job=message.job)
            if running is not None:
                self._stop_and_fail(running, "internal")

    def _handle_node_message(self, key: str, message: NodeOut, running: RunningJob | None) -> None:
        if running is None or running.epoch != message.epoch or running.node_key != key:
            self._counters.count_dropped("old_epoch" if running is not None else "unknown_job")
            return
        if isinstance(message, RunEnded):
            message = check.clip_message_usage(message)
        if check.find_fault(message):
            self._counters.count_dropped("out_of_bounds")
            self._reject_answer(running)
        elif running.stream and message.first != running.sent_tokens:
            self._break_answer(running, BROKEN, "answer_broken")
        elif isinstance(message, Tokens):
            self._handle_tokens(message, running)
        else:
            self._handle_end(message, running)

    def _handle_job_update(self, message: JobUpdate, running: RunningJob) -> None:
        match message:
            case JobPlaced():
                self._handle_placement(message, running)
            case JobRefused():
                refusal = running.read_refusal(message)
                self._fail(running, rename_param(refusal, NAMES[running.request.endpoint]))
            case JobEnded():
                self._handle_core_end(message, running)

    def _handle_placement(self, message: JobPlaced, running: RunningJob) -> None:
        if message.epoch <= running.epoch:
            self._counters.count_dropped("old_epoch")
            return
        if running.has_all_of(message):
            self._complete_sent(message, running)
            return
        run = running.make_run(message, self._scheduler.gateway, self._partitions)
        key = message.terms.node_key
        if message.earlier:
            self._report_delivered(message, running)
        if run is None or not is_key(key):  # a node of which only a name is known gets no text
            running.epoch = message.epoch
            self._abandon(running, BROKEN)
            return
        if running.node_key:  # the former node may still be running the job
            self._cancel_run(running)
        running.step("placed")
        running.sink(AnswerPlaced(message.quotas))
        running.end_wait(placed=True)
        self._cancel_outcome_timer(running)
        running.resolve_waiters()  # the former run has no answer any more
        if run.resume is not None and running.terms is not None and running.resume_events:
            running.sink(make_seam(run.resume, running.terms, message))
        running.place(message, key)
        running.position, running.is_whole = self._scheduler.journal_position, False
        running.limits = RunLimits.from_placement(
            running.facts, message, inputs=running.request.inputs, sent_tokens=running.sent_tokens
        )
        running.attempts += 1
        self._counters.count_placement(running.attempts, is_resumed=run.resume is not None)
        self._nodes.run(key, run)

    def _report_delivered(self, message: JobPlaced, running: RunningJob) -> None:
        running.earlier = message.earlier
        delivered = delivered_runs(message.earlier, running.sent_by_epoch)
        self._scheduler.report_resumed(AnswerResumed(message.job, message.epoch, delivered))

    def _complete_sent(self, message: JobPlaced, running: RunningJob) -> None:
        """Ends an answer of which only the end was lost: it had reached its length."""
        running.epoch, running.terms = message.epoch, message.terms
        self._report_delivered(message, running)
        self._scheduler.abandon(message.job, message.epoch, "answer_complete")
        model = message.terms.model
        final = last_chunk(running.facts, running.request.path, model, time.time())
        self._finish(running, final, b"", None)

    def _handle_tokens(self, message: Tokens, running: RunningJob) -> None:
        if not running.stream or running.limits is None:
            self._counters.count_dropped("unwanted_tokens")
            return
        excess = running.limits.count_part(message)
        if excess:
            self._end_at_limit(running, running.limits, excess)
            return
        if running.phase is not JobPhase.ANSWERING:
            running.step("tokens")
            self._counters.observe_ttft(time.monotonic() - running.began_at)
        if not running.forward(message):
            self.cancel(running.facts.job, "client_too_slow")

    def _handle_end(self, message: RunEnded, running: RunningJob) -> None:
        if message.outcome is not Outcome.COMPLETED:
            # The core decides whether the job is placed again or ends, and sends either soon.
            self._await_core_outcome(running, message.code or "engine_failed")
            return
        limits, inputs = running.limits, running.request.inputs
        if limits is None or not is_valid_answer(
            message, limits.bytes_max, stream=running.stream, inputs=inputs
        ):
            self._reject_answer(running)
            return
        go_on = partial(self.on_node_message, running.node_key, message)
        if self._scheduler.defer_until_written(running.position, go_on):
            running.is_whole = True
            if running.facts.kind is JobKind.LIVE:
                running.resolve_waiters()
            return  # after a crash, the pool would not know of what the client has received
        usage, exceeded = limits.limit_usage(running.facts, message, time.time())
        body = message.body if not exceeded else replace_usage(message.body, usage)
        if not self._finish(running, message.final, body, usage):
            return
        if TOKEN_CODES & {*exceeded}:
            self._report_excess(running, exceeded[0], limits.estimate_answer_tokens(message))
        elif running.facts.kind is JobKind.LIVE:
            delivered = delivered_runs(running.earlier, running.sent_by_epoch)
            self._scheduler.report_answer(AnswerReceived(*running.run, message.usage, delivered))

    def _end_at_limit(self, running: RunningJob, limits: RunLimits, excess: str) -> None:
        """Ends a stream that exceeds its grant, with ``finish_reason`` ``length``."""
        model = running.terms.model if running.terms is not None else running.request.model
        final = last_chunk(running.facts, running.request.path, model, time.time())
        usage = limits.estimate_cut_usage(running.facts, time.time())
        self._cancel_run(running)
        if self._finish(running, final, b"", usage):
            self._report_excess(running, excess, usage.output_tokens)

    def _report_excess(self, running: RunningJob, reason: str, output_tokens: int) -> None:
        self._scheduler.report_excess(LeaseExceeded(*running.run, reason, output_tokens))

    def _finish(self, running: RunningJob, final: bytes, body: bytes, usage: Usage | None) -> bool:
        """Passes a complete answer to the sink; returns False if the job has ended already."""
        if running.terms is None or not GATEWAY_JOB.allows(running.phase, "whole"):
            return False
        running.step("whole")
        receipt, total = self._make_receipt(running, running.terms, usage)
        lease = (running.epoch, running.node)
        answer = CompleteAnswer(final, body, total, receipt, None, *lease)
        self._close_job(running, answer)
        self._record_end(running, "completed", answer)
        return True

    def _make_receipt(
        self, running: RunningJob, terms: Terms, usage: Usage | None
    ) -> tuple[Receipt | None, Usage]:
        """Returns the receipt of an answer, or None if it cannot be made, and its whole usage."""
        try:
            unsigned, total = state_receipt(
                running.earlier, running.sent_by_epoch, terms, usage, at=time.time()
            )
            return self._signer.sign(unsigned), total
        except Exception:  # noqa: BLE001  (the client gets its answer without a receipt)
            self._log.exception("gateway.no_receipt", job=running.facts.job)
            self._counters.count_failure("receipt")
            return None, usage or running.earlier[-1].usage

    def _handle_core_end(self, message: JobEnded, running: RunningJob) -> None:
        if message.state is JobState.COMPLETED:
            if not running.is_whole:  # the answer comes from the node, perhaps later
                self._await_core_outcome(running, COMPLETED_UNSEEN, CORE_OUTCOME_TIMEOUT_S)
            return
        code = message.code or ("cancelled" if message.state is JobState.CANCELLED else "internal")
        self._cancel_run(running)
        self._fail(running, ErrorReply(code, message.values, message.retry_after_s, message.job))

    # Endings.

    def _abandon(self, running: RunningJob, code: str) -> None:
        self._scheduler.abandon(running.facts.job, running.epoch, code)
        self._stop_and_fail(running, code)

    def _stop_and_fail(self, running: RunningJob, code: str) -> None:
        self._cancel_run(running)
        self._fail(running, ErrorReply(code, job=running.facts.job))

    def _cancel_run(self, running: RunningJob) -> None:
        if running.node_key:
            self._nodes.cancel(running.node_key, CancelRun(running.facts.job, running.epoch))

    def _reject_answer(self, running: RunningJob) -> None:
        """Drops an invalid answer: the job runs again, unless a part was forwarded already."""
        if running.phase is JobPhase.RUNNING:
            self._await_core_outcome(running, "engine_failed")
            self._scheduler.abandon(running.facts.job, running.epoch, "answer_invalid")
        else:
            self._break_answer(running, "engine_failed", "answer_invalid")

    def _break_answer(self, running: RunningJob, code: str, resumed_code: str) -> None:
        """Stops a run whose answer cannot be used from here on; ends it unless it may resume.

        Args:
            running: the job, of which a part was forwarded, or none.
            code: with which the answer ends.
            resumed_code: why the scheduler is to place the job again.
        """
        if not running.may_resume:
            self._abandon(running, code)
            return
        self._cancel_run(running)
        running.node = running.node_key = ""  # none of this run's messages counts any more
        self._await_core_outcome(running, code)
        self._scheduler.abandon(running.facts.job, running.epoch, resumed_code)

    def _fail(self, running: RunningJob, refusal: ErrorReply) -> None:
        if GATEWAY_JOB.allows(running.phase, "failed"):
            running.step("failed")
            if running.request.inputs and refusal.code == "context_length_exceeded":
                values = {**refusal.values, "inputs": running.request.inputs}
                refusal = structs.replace(refusal, values=values)
            self._close_job(running, refusal)
            self._record_end(running, refusal.code, None)

    def _close_job(self, running: RunningJob, last: CompleteAnswer | ErrorReply) -> None:
        """Removes a job, and passes its last event on before any other step that might fail."""
        self._cancel_outcome_timer(running)
        running.end_wait(placed=False)
        self._jobs.pop(running.facts.job, None)
        self._job_closed.set()
        try:
            running.sink(last)
        except Exception:  # noqa: BLE001  (an error in one sink must not affect the others)
            self._log.exception("gateway.sink_failed", job=running.facts.job)
            self._counters.count_failure("listener")
            with contextlib.suppress(Exception):
                running.sink(ErrorReply("internal", job=running.facts.job))
        running.resolve_waiters()

    def _record_end(self, running: RunningJob, state: str, answer: CompleteAnswer | None) -> None:
        """Counts and records an ended job, and updates the token estimator."""
        try:
            self._counters.count_end(state, answer)
            self.recent.add(running.facts, state, time.time())
            if answer is not None and running.terms is not None:
                model, tokens = running.terms.model, answer.usage.input_tokens
                self._token_estimator.add_count(running.request, model, tokens)
        except Exception:  # noqa: BLE001  (the client has been answered)
            self._log.exception("gateway.follow_up_failed", job=running.facts.job)
            self._counters.count_failure("follow_up")

    def _await_core_outcome(self, running: RunningJob, code: str, within_s: float = 0.0) -> None:
        if running.outcome_timer is None:
            usual_s = RESUME_TIMEOUT_S if running.may_resume else CORE_OUTCOME_TIMEOUT_S
            act = partial(self._on_outcome_timeout, running, code)
            running.outcome_timer = asyncio.get_running_loop().call_later(within_s or usual_s, act)

    def _on_outcome_timeout(self, running: RunningJob, code: str) -> None:
        """Handles a missing report of the core about the end of a run.

        A job of which nothing was forwarded may be queued again. The core is told that its run has
        ended, because the node may have reported otherwise.
        """
        if running.phase is JobPhase.RUNNING and code != COMPLETED_UNSEEN:
            running.outcome_timer = None
            self._await_core_outcome(running, code)  # until a placement, which may follow at once
            self._scheduler.abandon(running.facts.job, running.epoch, "answer_invalid")
            return
        self._log.warning("gateway.no_core_outcome", job=running.facts.job, code=code)
        self._scheduler.abandon(running.facts.job, running.epoch, BROKEN)
        self._stop_and_fail(running, code)

    def _cancel_outcome_timer(self, running: RunningJob) -> None:
        if running.outcome_timer is not None:
            running.outcome_timer.cancel()
            running.outcome_timer = None
