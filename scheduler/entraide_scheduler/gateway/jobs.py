"""Running jobs: from the desk's placements and the nodes' answers to whoever listens.

It decides which messages of a job still count, when an answer is whole, and when it is broken.
It knows nothing of HTTP, gRPC or the store: those listen. Until the first part of an answer has
been handed on, a job may be placed again as often as the core likes; after that it may not.

A job here goes through the phases of ``phases``; whatever is not in the table is not for us, and
is dropped and counted.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import structlog
from msgspec import Struct

from entraide.types import JobKind, JobState, Outcome, Receipt, RequestFacts, Terms, Usage
from entraide.wire.messages import (
    CancelRun,
    GatewayDown,
    JobEnded,
    JobPlaced,
    JobRefused,
    JobUpdate,
    KeyRevoked,
    LeaseExceeded,
    NodeOut,
    NodeRevoked,
    RunEnded,
    StartRun,
    Tokens,
)
from entraide_scheduler.core.carbon import receipt, settle
from entraide_scheduler.core.usage_limits import TOKEN_CODES
from entraide_scheduler.desk import Desk, NodeLine
from entraide_scheduler.gateway.answers import is_whole, with_usage
from entraide_scheduler.gateway.openai import Ask, forwarded
from entraide_scheduler.gateway.phases import STEPS, Phase
from entraide_scheduler.gateway.receipts import Signer
from entraide_scheduler.gateway.recent import Recent
from entraide_scheduler.gateway.refusals import Refusal
from entraide_scheduler.gateway.run_limits import RunLimits, last_chunk
from entraide_scheduler.gateway.sizes import Sizes
from entraide_scheduler.node_validation import check

JOBS_MAX = 20_000
COMPLETED_UNSEEN = "stream_broken"  # the core says that a job completed whose answer never came
VERDICT_TIMEOUT_S = 15.0  # between the two tellings of a job's end: the node's and the core's


class Answer(Struct, frozen=True):
    """A whole answer.

    Attributes:
        final: streamed: JSON of the chunk that bears ``finish_reason``.
        body: not streamed: JSON of the answer.
        usage: what it used.
        receipt: signed, not settled yet; None when none could be made.
    """

    final: bytes
    body: bytes
    usage: Usage
    receipt: Receipt | None


class Listener(Protocol):
    """Whoever wants the answer; called in the event loop, must not block."""

    def on_tokens(self, data: bytes) -> bool:
        """Takes server-sent events of a streamed answer; False when it can hold no more."""

    def on_answer(self, answer: Answer) -> None:
        """The answer is whole. Nothing comes after it."""

    def on_refusal(self, refusal: Refusal) -> None:
        """The job has failed, or was refused. Nothing comes after it."""


class Counts(Protocol):
    """What is counted on the way."""

    def dropped(self, what: str) -> None:
        """A message was not for us any more."""

    def placed(self, attempt: int) -> None:
        """A job was placed; ``attempt`` begins at 1."""

    def ended(self, state: str, answer: Answer | None) -> None:
        """A job ended."""

    def failed(self, what: str) -> None:
        """Something beside the answer could not be done."""


class Keeper(Protocol):
    """Whoever knows the jobs that are kept in the store."""

    def on_down(self, message: JobUpdate) -> bool:
        """Takes a message about a job that is not in memory; False when it is not a kept job."""


class RunningJob:
    """One job: who asked, what, where it runs, and how much of it was handed on."""

    __slots__ = (
        "ask", "attempts", "epoch", "facts", "limits", "listener", "node", "phase", "sent",
        "stream", "terms", "verdict",
    )  # fmt: skip

    def __init__(self, facts: RequestFacts, ask: Ask, listener: Listener) -> None:
        self.facts = facts
        self.ask = ask
        self.listener = listener
        self.stream = facts.stream
        self.phase = Phase.WAITING
        self.node = ""
        self.epoch = 0
        self.terms: Terms | None = None
        self.limits: RunLimits | None = None
        self.sent = 0
        self.attempts = 0
        self.verdict: asyncio.TimerHandle | None = None

    def step(self, trigger: str) -> bool:
        """Goes to the next phase, if the table has one."""
        phase = STEPS.get((self.phase, trigger))
        if phase is None:
            return False
        self.phase = phase
        return True


class RunningJobs:
    """The jobs of this gateway; the desk's sink."""

    def __init__(
        self,
        *,
        desk: Desk,
        line: NodeLine,
        signer: Signer,
        sizes: Sizes,
        counts: Counts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._desk = desk
        self._line = line
        self._signer = signer
        self._sizes = sizes
        self._counts = counts
        self._clock = clock
        self._jobs: dict[str, RunningJob] = {}
        self._keeper: Keeper | None = None
        self._one_closed = asyncio.Event()
        self.recent = Recent()
        self._log = structlog.get_logger("entraide.gateway")

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def live(self) -> int:
        """How many live jobs have not ended."""
        return sum(job.facts.kind is JobKind.LIVE for job in self._jobs.values())

    @property
    def has_room(self) -> bool:
        """Whether another job may be asked for."""
        return len(self._jobs) < JOBS_MAX

    def has(self, coop: str, idempotency: str) -> bool:
        """Whether a job of this co-op with this idempotency key has not ended."""
        return any(job.facts.idempotency == idempotency for job in self.of_coop(coop))

    async def drained(self) -> None:
        """Returns when no live job is left."""
        while self.live:
            self._one_closed.clear()
            await self._one_closed.wait()

    def keep_with(self, keeper: Keeper) -> None:
        """Names whoever knows the kept jobs."""
        self._keeper = keeper

    def get(self, job: str) -> RunningJob | None:
        """Returns a job that has not ended."""
        return self._jobs.get(job)

    def of_coop(self, coop: str) -> list[RunningJob]:
        """Returns a co-op's jobs that have not ended, newest first."""
        return [job for job in reversed(self._jobs.values()) if job.facts.coop == coop]

    def start(self, facts: RequestFacts, ask: Ask, listener: Listener) -> bool:
        """Asks for a job; its listener hears the rest. False when there are too many."""
        if len(self._jobs) >= JOBS_MAX or facts.job in self._jobs:
            return False
        self._jobs[facts.job] = RunningJob(facts, ask, listener)
        self._desk.submit(facts)
        return True

    def adopt(self, facts: RequestFacts, ask: Ask, listener: Listener, placed: JobPlaced) -> bool:
        """Takes up a kept job where the core has just placed it. False when there are too many."""
        if len(self._jobs) >= JOBS_MAX or facts.job in self._jobs:
            return False
        self._jobs[facts.job] = RunningJob(facts, ask, listener)
        self.on_down(placed)
        return True

    def cancel(self, job: str, reason: str) -> bool:
        """Ends a job from this side: its node stops at once, and its listener is told."""
        running = self._jobs.get(job)
        if running is None:
            return False
        self._stop(running)
        self._desk.cancel(job, reason)
        self._fail(running, Refusal(reason, job=job))
        return True

    def end_revoked(self, revoked: KeyRevoked | NodeRevoked) -> None:
        """Ends the live jobs of a revoked key, or the answers that a revoked node has begun."""
        for running in list(self._jobs.values()):
            if isinstance(revoked, KeyRevoked):
                if running.facts.key == revoked.key and running.facts.kind is JobKind.LIVE:
                    self.cancel(running.facts.job, "unauthorised")
            elif running.node == revoked.node and running.phase is Phase.ANSWERING:
                self._broken(running, "stream_broken")

    def close(self, code: str) -> None:
        """Ends every live job, for this gateway stops; kept jobs go on after its next start."""
        for running in list(self._jobs.values()):
            if running.facts.kind is JobKind.LIVE:
                self.cancel(running.facts.job, code)
            else:
                self._forget_verdict(running)
                del self._jobs[running.facts.job]

    # The desk calls these.

    def on_down(self, message: GatewayDown) -> None:
        """The scheduler placed, refused or ended a job."""
        if isinstance(message, KeyRevoked | NodeRevoked):
            self.end_revoked(message)
            return
        running = self._jobs.get(message.job)
        if running is None:
            self._orphan(message)
            return
        try:
            self._down(message, running)
        except Exception:  # noqa: BLE001  (one job must never take the others' ears with it)
            self._log.exception("gateway.job_failed", job=message.job)
            self._fail(running, Refusal("internal", job=message.job))

    def on_out(self, node: str, message: NodeOut) -> None:
        """A node sent part of an answer, or its end."""
        running = self._jobs.get(message.job)
        try:
            self._out(node, message, running)
        except Exception:  # noqa: BLE001  (as above)
            self._log.exception("gateway.job_failed", job=message.job)
            if running is not None:
                self._fail_here(running, "internal")

    def _out(self, node: str, message: NodeOut, running: RunningJob | None) -> None:
        if running is None or (running.node, running.epoch) != (node, message.epoch):
            self._counts.dropped("old_epoch" if running is not None else "unknown_job")
        elif check.fault(message := _clipped(message)):
            self._counts.dropped("out_of_bounds")
            self._reject(running)
        elif running.stream and message.first != running.sent:
            self._broken(running, "stream_broken")
        elif isinstance(message, Tokens):
            self._tokens(message, running)
        else:
            self._end(message, running)

    def _down(self, message: JobUpdate, running: RunningJob) -> None:
        match message:
            case JobPlaced():
                self._placed(message, running)
            case JobRefused():
                refusal = Refusal(message.code, message.values, message.retry_after_s, message.job)
                self._fail(running, refusal)
            case JobEnded():
                self._ended(message, running)

    def _orphan(self, message: JobUpdate) -> None:
        """A job that is not in memory: a kept one, or one that we ended first."""
        if self._keeper is not None and self._keeper.on_down(message):
            return
        if isinstance(message, JobPlaced):
            self._desk.cancel(message.job, "client_gone")

    def _placed(self, message: JobPlaced, running: RunningJob) -> None:
        if message.epoch <= running.epoch:
            self._counts.dropped("old_epoch")
            return
        if running.phase is Phase.ANSWERING:
            running.epoch = message.epoch
            self._broken(running, "stream_broken")
            return
        if running.node:  # one answer is enough, should the old node still be there
            self._stop(running)
        running.step("placed")
        self._forget_verdict(running)
        running.node, running.epoch, running.terms = message.node, message.epoch, message.terms
        running.limits = RunLimits.of(running.facts, message)
        running.attempts += 1
        self._counts.placed(running.attempts)
        model = message.terms.model
        body = forwarded(running.ask, message.output_tokens_max, model=model, stream=running.stream)
        run = StartRun(
            message.job,
            message.epoch,
            self._desk.gateway,
            running.ask.path,
            model,
            running.stream,
            body,
            own=message.terms.borrower == message.terms.lender,
        )
        self._line.run(message.node, run)

    def _tokens(self, message: Tokens, running: RunningJob) -> None:
        if not running.stream or running.limits is None:
            self._counts.dropped("unwanted_tokens")
            return
        excess = running.limits.excess(message)
        if excess:
            self._cut(running, running.limits, excess)
            return
        if not running.step("tokens"):
            self._counts.dropped("unwanted_tokens")
            return
        running.sent += message.n
        if not running.listener.on_tokens(message.data):
            self.cancel(running.facts.job, "client_too_slow")

    def _end(self, message: RunEnded, running: RunningJob) -> None:
        if message.outcome is not Outcome.COMPLETED:
            # The core decides whether it is placed again or over; either is told soon.
            self._await_verdict(running, message.code or "engine_failed")
            return
        limits = running.limits
        if limits is None or not is_whole(message, limits.size, stream=running.stream):
            self._reject(running)
            return
        usage, beyond = limits.believed(running.facts, message, self._clock())
        body = message.body if not beyond else with_usage(message.body, usage)
        if self._complete(running, message.final, body, usage) and TOKEN_CODES & {*beyond}:
            self._tell_excess(running, beyond[0], limits.answer_tokens_est(message))

    def _cut(self, running: RunningJob, limits: RunLimits, excess: str) -> None:
        """Ends a stream that brought more than was granted, as one that reached its length."""
        model = running.terms.model if running.terms is not None else running.ask.model
        final = last_chunk(running.facts, running.ask.path, model, self._clock())
        usage = limits.cut_usage(running.facts, self._clock())
        self._stop(running)
        if self._complete(running, final, b"", usage):
            self._tell_excess(running, excess, usage.output_tokens)

    def _tell_excess(self, running: RunningJob, reason: str, output_tokens: int) -> None:
        run = running.facts.job, running.epoch, running.node
        self._desk.exceeded(LeaseExceeded(*run, reason, output_tokens))

    def _complete(self, running: RunningJob, final: bytes, body: bytes, usage: Usage) -> bool:
        """Hands a whole answer on; False when the job is over already."""
        if running.terms is None or not running.step("whole"):
            return False
        answer = Answer(final, body, usage, self._receipt(running, running.terms, usage))
        self._remove(running)
        self._tell(running, partial(running.listener.on_answer, answer))
        self._follow_up(running, "completed", answer)
        return True

    def _receipt(self, running: RunningJob, terms: Terms, usage: Usage) -> Receipt | None:
        """Returns the receipt on an answer; an answer does not wait for one that cannot be made."""
        try:
            settlement = settle(terms, usage)
            note = receipt(terms, usage, settlement, settled=False, issued_at=self._clock())
            return self._signer.signed(note)
        except Exception:  # noqa: BLE001  (any: the client gets its answer all the same)
            self._log.exception("gateway.no_receipt", job=running.facts.job)
            self._counts.failed("receipt")
            return None

    def _ended(self, message: JobEnded, running: RunningJob) -> None:
        if message.state is JobState.COMPLETED:
            # Told on another road than the answer, which may still be on its way.
            self._await_verdict(running, COMPLETED_UNSEEN)
            return
        fallback = "cancelled" if message.state is JobState.CANCELLED else "internal"
        self._stop(running)
        self._fail(running, Refusal(message.code or fallback, message.values, job=message.job))

    # Endings.

    def _broken(self, running: RunningJob, code: str) -> None:
        self._desk.abandon(running.facts.job, running.epoch, code)
        self._fail_here(running, code)

    def _fail_here(self, running: RunningJob, code: str) -> None:
        self._stop(running)
        self._fail(running, Refusal(code, job=running.facts.job))

    def _stop(self, running: RunningJob) -> None:
        if running.node:
            self._line.cancel(running.node, CancelRun(running.facts.job, running.epoch))

    def _reject(self, running: RunningJob) -> None:
        """Drops an answer that cannot be used: its job runs again unless some was handed on."""
        if running.phase is Phase.RUNNING:
            self._await_verdict(running, "engine_failed")
            self._desk.abandon(running.facts.job, running.epoch, "answer_invalid")
        else:
            self._broken(running, "engine_failed")

    def _fail(self, running: RunningJob, refusal: Refusal) -> None:
        if running.step("failed"):
            self._remove(running)
            self._tell(running, partial(running.listener.on_refusal, refusal))
            self._follow_up(running, refusal.code, None)

    def _remove(self, running: RunningJob) -> None:
        running.phase = Phase.CLOSED
        self._forget_verdict(running)
        self._jobs.pop(running.facts.job, None)
        self._one_closed.set()

    def _tell(self, running: RunningJob, tell: Callable[[], None]) -> None:
        """Tells the listener how its job ended, before anything else that might fail."""
        try:
            tell()
        except Exception:  # noqa: BLE001  (one listener must not silence the others)
            self._log.exception("gateway.listener_failed", job=running.facts.job)
            self._counts.failed("listener")
            with contextlib.suppress(Exception):
                running.listener.on_refusal(Refusal("internal", job=running.facts.job))

    def _follow_up(self, running: RunningJob, state: str, answer: Answer | None) -> None:
        """Counts, remembers and learns from a job whose listener has been told."""
        try:
            self._counts.ended(state, answer)
            self.recent.add(running.facts, state, self._clock())
            if answer is not None and running.terms is not None:
                model, tokens = running.terms.model, answer.usage.input_tokens
                self._sizes.learn(running.ask, model, tokens)
        except Exception:  # noqa: BLE001  (the client has been answered)
            self._log.exception("gateway.follow_up_failed", job=running.facts.job)
            self._counts.failed("follow_up")

    def _await_verdict(self, running: RunningJob, code: str) -> None:
        if running.verdict is None:
            loop = asyncio.get_running_loop()
            running.verdict = loop.call_later(VERDICT_TIMEOUT_S, self._no_verdict, running, code)

    def _no_verdict(self, running: RunningJob, code: str) -> None:
        """The core has not said what follows on the end of a run.

        A job of which nothing was handed on may stand in line. The core is told that its run is
        over, for its node may have told the core something else.
        """
        if running.phase is Phase.RUNNING and code != COMPLETED_UNSEEN:
            running.verdict = None
            self._await_verdict(running, code)  # ended by a placement, which may come at once
            self._desk.abandon(running.facts.job, running.epoch, "answer_invalid")
            return
        self._log.warning("gateway.no_verdict", job=running.facts.job, code=code)
        self._desk.abandon(running.facts.job, running.epoch, "stream_broken")
        self._fail_here(running, code)

    def _forget_verdict(self, running: RunningJob) -> None:
        if running.verdict is not None:
            running.verdict.cancel()
            running.verdict = None


def _clipped(message: NodeOut) -> NodeOut:
    return check.with_clipped_usage(message) if isinstance(message, RunEnded) else message
