"""Running job: the state of one job at its gateway."""

import asyncio
import time
from collections.abc import Iterable

from msgspec import structs

from entraide.models import UNKNOWN_MODEL
from entraide.types import RequestFacts, Terms
from entraide.wire.cards import EarlierRun, JobWait
from entraide.wire.messages import JobPlaced, JobRefused, StartRun, Tokens
from entraide.wire.subjects import is_key
from entraide_scheduler.gateway.answers import AnswerPart
from entraide_scheduler.gateway.jobs.partitions import Asker, Partitions
from entraide_scheduler.gateway.jobs.phases import GATEWAY_JOB, JobPhase
from entraide_scheduler.gateway.jobs.resumption import EmittedAnswer, continue_run
from entraide_scheduler.gateway.jobs.run_limits import RunLimits
from entraide_scheduler.gateway.jobs.wait_notice import WaitNotice
from entraide_scheduler.gateway.refusals import ErrorReply
from entraide_scheduler.gateway.requests import AnswerSink, ParsedRequest, encode_for_engine


def list_sent(jobs: "Iterable[RunningJob]") -> list[tuple[str, int, int]]:
    """Returns the runs of which clients have something: job, epoch and output tokens."""
    return [(*job.run[:2], job.run_tokens) for job in jobs if job.run_tokens]


class RunningJob:
    """State of one job: request, sink, placement, and tokens forwarded so far."""

    __slots__ = (
        "attempts", "began_at", "earlier", "emitted", "end_waiters", "epoch", "facts", "is_whole",
        "limits", "node", "node_key", "outcome_timer", "phase", "position", "request",
        "resume_events", "sent_by_epoch", "sent_tokens", "signin_session", "sink", "stream",
        "terms", "waits",
    )  # fmt: skip

    def __init__(
        self, facts: RequestFacts, parsed: ParsedRequest, sink: AnswerSink, began_at: float
    ) -> None:
        self.signin_session = ""  # in which a person sent it
        self.resume_events = False  # whether the sink is told where the answer goes on
        self.waits: WaitNotice | None = None  # tells the sink why it waits, if that was asked for
        self.facts = facts
        self.request = parsed
        self.sink = sink
        self.began_at = began_at  # on the monotonic clock, seconds
        self.stream = facts.stream
        self.phase = JobPhase.WAITING
        self.node = self.node_key = ""
        self.epoch = 0
        self.position = 0  # of the placement in the journal
        self.is_whole = False  # the answer is here, and waits for the journal
        self.terms: Terms | None = None
        self.limits: RunLimits | None = None
        self.sent_tokens = 0
        self.emitted = EmittedAnswer() if facts.resumable else None
        self.earlier: tuple[EarlierRun, ...] = ()  # runs that were lost in mid-answer
        self.sent_by_epoch: dict[int, int] = {}  # forwarded tokens of each run
        self.attempts = 0
        self.outcome_timer: asyncio.TimerHandle | None = None
        self.end_waiters: list[asyncio.Future[None]] = []

    def step(self, event: str) -> None:
        """Applies an event of ``GATEWAY_JOB``; raises ``IllegalTransition`` on any other."""
        self.phase = GATEWAY_JOB.step(self.phase, event, subject=self.facts.job)

    def resolve_waiters(self) -> None:
        """Tells those who wait for the end of the run."""
        for ended in self.end_waiters:
            if not ended.done():
                ended.set_result(None)
        self.end_waiters.clear()

    def note_wait(self, wait: JobWait) -> None:
        """Notes why the job waits; its client is told if it asked for that."""
        if self.waits is not None and self.phase is not JobPhase.ANSWERING:
            self.waits.note(wait)

    def end_wait(self, *, placed: bool) -> None:
        """Handles that the job waits no longer: it was placed, or has ended."""
        if self.waits is not None:
            self.waits.end(placed=placed and self.phase is not JobPhase.ANSWERING)

    def place(self, placed: JobPlaced, key: str) -> None:
        """Takes over a placement; from now on only messages of the node with this key count."""
        self.node, self.node_key, self.epoch = placed.node, key, placed.epoch
        self.terms = placed.terms

    @property
    def run(self) -> tuple[str, int, str]:
        """Job, epoch and node of its run."""
        return self.facts.job, self.epoch, self.node

    @property
    def run_tokens(self) -> int:
        """Output tokens of its run that were forwarded."""
        return (
            self.sent_by_epoch.get(self.epoch, 0) if self.emitted is not None else self.sent_tokens
        )

    @property
    def may_resume(self) -> bool:
        """Whether a part was forwarded that another run may continue."""
        return self.emitted is not None and self.phase is JobPhase.ANSWERING

    def has_all_of(self, placed: JobPlaced) -> bool:
        """Whether the earlier runs had sent all granted tokens, so that only the end is missing."""
        is_known = any(self.sent_by_epoch.get(run.terms.epoch, 0) for run in placed.earlier)
        return self.may_resume and is_known and self.sent_tokens >= placed.output_tokens_max

    def forward(self, message: Tokens) -> bool:
        """Passes a part to the sink; returns False if its client reads too slowly."""
        part = AnswerPart(self.sent_tokens, message.data)
        self.sent_tokens += message.n
        if self.emitted is not None:
            self.emitted.add(message.data)
            self.sent_by_epoch[self.epoch] = self.sent_by_epoch.get(self.epoch, 0) + message.n
        return self.sink(part)

    def read_refusal(self, refused: JobRefused) -> ErrorReply:
        """Returns a refusal for the client, with the name by which the client asked for a model."""
        values = dict(refused.values)
        if values.get("model") == UNKNOWN_MODEL:
            values["model"] = self.facts.model
        job = str(values.pop("earlier", refused.job))  # whose answer this one would have repeated
        return ErrorReply(refused.code, values, refused.retry_after_s, job, refused.quotas)

    def make_run(self, placed: JobPlaced, gateway: str, partitions: Partitions) -> StartRun | None:
        """Returns the run of a placement; None if it cannot continue what was forwarded.

        Args:
            placed: the placement.
            gateway: identifier of this gateway.
            partitions: of the pool.
        """
        run, node_key = self._make_run(placed, gateway), placed.terms.node_key
        if run is None or placed.prefix_keep_s <= 0 or not is_key(node_key):
            return run
        request = self.request
        asker = Asker(self.facts.coop, self.facts.key, request.user, request.cache_key)
        return structs.replace(
            run,
            partition=partitions.make_partition(node_key, asker, time.time()),
            prefix_keep_s=placed.prefix_keep_s,
        )

    def _make_run(self, placed: JobPlaced, gateway: str) -> StartRun | None:
        request, terms = self.request, placed.terms
        if self.phase is JobPhase.ANSWERING:
            if self.emitted is None or self.terms is None or not placed.earlier:
                return None
            return continue_run(
                request,
                self.emitted,
                self.terms,
                placed,
                sent_tokens=self.sent_tokens,
                gateway=gateway,
            )
        return StartRun(
            placed.job,
            placed.epoch,
            gateway,
            request.path,
            terms.model,
            self.stream,
            encode_for_engine(
                request,
                placed.output_tokens_max,
                model=terms.model,
                stream=self.stream,
                how=terms.thinking,
            ),
            own=terms.borrower == terms.lender,
            joins=True,
        )
