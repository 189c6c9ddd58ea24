"""Pool API: the use cases of the pool, which the HTTP and gRPC codecs translate into messages.

In: an authenticated caller and, for a new job, a ``Submission``. Out: events of an answer, or what
the pool knows about a job. A job of another co-op or person is reported as unknown.
"""

import time
from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

import msgspec

from entraide.statements import Statement
from entraide.types import Explanation, JobKind, Receipt, ServerPlace
from entraide_scheduler.books import make_statement
from entraide_scheduler.bus import SchedulerPort
from entraide_scheduler.core.rules import find_place_fault
from entraide_scheduler.gateway.answers import add_explanation
from entraide_scheduler.gateway.api.explained_answers import ExplainedAnswers
from entraide_scheduler.gateway.api.prepared_job import JobDetails, PreparedJob
from entraide_scheduler.gateway.jobs import (
    KEPT_PREFIX,
    Caller,
    Encoder,
    FactsBuilder,
    JobStatus,
    KeptJobs,
    Options,
    Owner,
    ReceiptSigner,
    ReconnectableStream,
    ReconnectableStreams,
    RepeatableAnswers,
    RunningJobs,
    Submission,
    ended_job_status,
    is_job_id,
    kept_job_status,
    running_job_status,
)
from entraide_scheduler.gateway.refusals import (
    ErrorReply,
    Refused,
    clean_text,
    read_object,
    refused,
)
from entraide_scheduler.gateway.requests import AnswerSink, openai
from entraide_scheduler.gateway.views import (
    CoopMonth,
    MachineBooks,
    explanation_for,
    read_machines,
    read_month,
)
from entraide_scheduler.people import READERS_OF_ALL
from entraide_scheduler.store import erasures
from entraide_scheduler.store.owners import person_of
from entraide_scheduler.store.person_rows import Role
from entraide_scheduler.store.rows import KeptJobRow
from entraide_scheduler.store.store import Store

# A machine often stands at one colleague's desk: its hours and its work are not for everybody.
MACHINE_READERS = READERS_OF_ALL | {Role.COOP_ADMIN}
LAST_EVENT_ID = "Last-Event-ID"  # the header by which a client says what it has of a stream
LIST_DEFAULT = 50
JOBS_MAX = 1_000
QUEUE_FULL_RETRY_S = 1.0


class PoolApi:
    """The use cases of one gateway.

    Attributes:
        stopping: whether new jobs are refused because the gateway stops.
    """

    def __init__(
        self,
        *,
        store: Store,
        scheduler: SchedulerPort,
        facts_builder: FactsBuilder,
        running_jobs: RunningJobs,
        kept_jobs: KeptJobs,
        signer: ReceiptSigner,
        timezone: str,
        streams: ReconnectableStreams,
        repeats: RepeatableAnswers,
        find_places: Callable[[], tuple[ServerPlace, ...]],
    ) -> None:
        self._find_places = find_places
        self._store = store
        self._scheduler = scheduler
        self._facts_builder = facts_builder
        self._running_jobs = running_jobs
        self._kept_jobs = kept_jobs
        self._signer = signer
        self._streams = streams
        self._repeats = repeats
        self._zone = ZoneInfo(timezone)
        self._explained_answers = ExplainedAnswers(scheduler)
        self.stopping = False

    @property
    def running_count(self) -> int:
        """Number of jobs that have not ended."""
        return len(self._running_jobs)

    @property
    def held_bytes(self) -> int:
        """Memory of the events of answers for which clients may come back."""
        return self._streams.held_bytes + self._repeats.held_bytes

    async def wait_for_tables(self) -> None:
        """Waits while this gateway, which has just started, loads what ``prepare`` uses."""
        await self._facts_builder.wait_for_tables()

    def prepare(self, caller: Caller, submission: Submission) -> PreparedJob:
        """Reads a request for a live job, which ``stream`` or ``stream_reconnectably`` starts.

        Raises:
            Refused: the request is invalid, or the pool takes no new job.
            StoreAway: the database does not answer.
        """
        self._check_accepting()
        self._store.outage.check()
        if not self._store.space.takes_live_work():
            raise refused("storage_full")
        parsed = openai.parse_request(submission.path, submission.body)
        facts = self._facts_builder.build_live_facts(parsed, caller, submission)
        return PreparedJob(caller, facts, parsed, submission)

    def stream(self, prepared: PreparedJob, sink: AnswerSink) -> str:
        """Starts a live job, whose events the sink receives; returns the job's identifier.

        A request that repeats another one gets the events of that one's job.

        Raises:
            Refused: its idempotency key is in use, or too many jobs run.
        """
        earlier = self._repeats.find(prepared.facts)
        if earlier is None:
            self._start(prepared, sink, is_held=True)
            return prepared.facts.job
        if not earlier.is_held:
            raise refused("answer_not_held", job=earlier.job)
        earlier.attach(sink)
        return earlier.job

    def _start(self, prepared: PreparedJob, sink: AnswerSink, *, is_held: bool) -> None:
        caller, facts, submission = prepared.caller, prepared.facts, prepared.submission
        running = self._running_jobs.find_repeated(facts)
        if running is not None:
            raise self._repeats.refusal(facts, running.facts)
        repeatable = self._repeats.open(facts, caller, is_held=is_held)
        if repeatable is not None:
            repeatable.attach(sink)
        events = repeatable or sink
        if prepared.find_option("explain"):
            events = self._explained_answers.make_sink(caller, events)
        started = self._running_jobs.start(
            facts,
            prepared.request,
            events,
            began_at=submission.began_at,
            signin_session=caller.signin_session,
            resume_events=bool(prepared.find_option("resume_events")),
            waiting_events=bool(prepared.find_option("waiting_events")),
        )
        if not started:
            if repeatable is not None:
                self._repeats.forget(repeatable)
            raise Refused(ErrorReply("queue_full", retry_after_s=QUEUE_FULL_RETRY_S))

    def stream_reconnectably(self, prepared: PreparedJob, encoder: Encoder) -> ReconnectableStream:
        """Starts a live job whose client may come back; see ``stream``."""
        owner = Owner(prepared.caller.coop, prepared.caller.key)
        earlier = self._repeats.find(prepared.facts)
        if earlier is not None:
            known = self._streams.get(earlier.job, owner)
            if known is None or known.log.first:
                raise refused("answer_not_held", job=earlier.job)
            return known
        job, reconnect_s = prepared.facts.job, prepared.reconnect_s
        stream = self._streams.open(job, owner, encoder, reconnect_s=reconnect_s)
        try:
            self._start(prepared, stream, is_held=False)
        except Refused:
            self._streams.forget(stream)
            raise
        return stream

    def reconnect(
        self, caller: Caller, job: str, start: int, encoder: type[Encoder]
    ) -> ReconnectableStream:
        """Returns the stream of a client that comes back.

        Args:
            caller: who comes back: the key or the person that sent the request.
            job: the job.
            start: number of the first event to read.
            encoder: what writes the events in the client's protocol.

        Raises:
            Refused: ``unknown_job``, ``session_new_start``, ``stream_not_kept``,
                ``result_expired``, the code of a job that failed, or ``invalid_request`` if the
                event before ``start`` was never sent.
        """
        _check_job_id(job)
        own = (self._streams.get(job, Owner(caller.coop, each)) for each in caller.readable)
        stream = next((each for each in own if each is not None), None)
        if stream is None:
            raise self._refuse_reconnection(caller, job)
        if not isinstance(stream.encoder, encoder):
            raise refused("stream_not_kept", job=job)
        if start > len(stream.log):
            raise refused(
                "invalid_request", param=LAST_EVENT_ID, fault="unsent_event", number=start - 1,
                sent=len(stream.log), job=job,
            )  # fmt: skip
        if start < stream.log.first:
            raise refused("result_expired", job=job)
        return stream

    def _refuse_reconnection(self, caller: Caller, job: str) -> Refused:
        """Returns why there is no stream to come back to."""
        running, ended = self._running_jobs.get(job), self._running_jobs.recent.get(job)
        facts = running.facts if running is not None else ended.facts if ended is not None else None
        if (
            facts is None
            or not caller.may_read(facts.coop, facts.key)
            or facts.key not in caller.readable
        ):
            return refused("unknown_job", job=job)
        if ended is None:
            return refused("stream_not_kept", job=job)
        return refused(ended.code or "result_expired", job=job)

    def count_tokens(self, caller: Caller, body: bytes) -> int:
        """Returns the estimated prompt tokens of a request for ``/v1/messages``.

        The estimate is the one by which the request would be placed: it is learned from the
        engines' counts, and no engine is asked.

        Raises:
            Refused: the request is invalid.
        """
        whole = msgspec.json.encode({**read_object(body), "max_tokens": 1})
        parsed = openai.parse_request(openai.MESSAGES, whole)
        facts = self._facts_builder.build_facts(parsed, caller, Options(), JobKind.LIVE)
        return facts.input_tokens_est

    async def wait_until_drained(self) -> None:
        """Waits until every live job has ended and its answer was passed on."""
        await self._running_jobs.wait_until_drained()
        await self._explained_answers.wait_until_sent()

    def end_stream(self, job: str, sink: AnswerSink) -> None:
        """Handles that a live job's client has left; without another chance it is cancelled."""
        repeatable = self._repeats.get(job)
        if repeatable is not None:
            repeatable.detach(sink)
        else:
            self._running_jobs.cancel(job, "client_gone")

    async def submit(self, caller: Caller, submission: Submission, langs: str) -> JobDetails:
        """Submits a kept job; it is on disk on return.

        Raises:
            Refused: the request is invalid, or its idempotency key belongs to another request.
        """
        self._check_accepting()
        row = await self._kept_jobs.submit(caller, submission)
        return await self.get(caller, row.job, langs)

    async def get(self, caller: Caller, job: str, langs: str, *, reads: bool = True) -> JobDetails:
        """Returns a job of the caller, a kept one with its answer if ``reads``.

        Raises:
            Refused: ``unknown_job``.
        """
        _check_job_id(job)
        running = self._running_jobs.get(job)
        if job.startswith(KEPT_PREFIX):
            row = await self._store.get_kept(job)
            if row is not None and caller.may_read(row.coop, row.key):
                result = await self._read_result(caller, row) if reads else b""
                return JobDetails(kept_job_status(row, running, langs, result), row, result)
        elif running is not None and caller.may_read(running.facts.coop, running.facts.key):
            return JobDetails(running_job_status(running))
        else:
            ended = self._running_jobs.recent.get(job)
            if ended is not None and caller.may_read(ended.facts.coop, ended.facts.key):
                return JobDetails(
                    ended_job_status(ended, langs, await self._settled_receipt(caller, job))
                )
        raise refused("unknown_job", job=job)

    async def list_jobs(self, caller: Caller, limit: int, langs: str) -> list[JobStatus]:
        """Returns the caller's live, kept and recently ended jobs, newest first."""
        limit_jobs = min(limit or LIST_DEFAULT, JOBS_MAX)
        rows = await self._store.list_kept(caller.coop, limit_jobs, caller.senders)
        live_jobs = [job for job in self._running_jobs.list_of(caller) if job.facts.kind == "live"]
        views = [running_job_status(job) for job in live_jobs[:limit_jobs]]
        views += [kept_job_status(row, self._running_jobs.get(row.job), langs) for row in rows]
        views += [ended_job_status(job, langs) for job in self._running_jobs.recent.list_of(caller)]
        views.sort(key=lambda view: view.id.partition("-")[2], reverse=True)
        return views[:limit_jobs]

    async def cancel(self, caller: Caller, job: str, langs: str) -> JobStatus:
        """Cancels a job.

        Raises:
            Refused: ``unknown_job``, or ``job_ended``.
        """
        details = await self.get(caller, job, langs, reads=False)
        if details.view.ended_at:
            raise refused("job_ended", job=job)
        if details.row is not None:
            await self._kept_jobs.cancel(details.row)
        else:
            self._running_jobs.cancel(job, "cancelled")
        return (await self.get(caller, job, langs, reads=False)).view

    async def erase(self, caller: Caller, job: str, langs: str) -> JobStatus:
        """Erases the request and the answer of a kept job, which is cancelled if it has not ended.

        Of a live job, no text is stored: it is cancelled, and its answer is no longer held.

        Raises:
            Refused: ``unknown_job``; ``job_ended``: nothing is held of a live job that has ended.
        """
        details = await self.get(caller, job, langs, reads=False)
        row, held = details.row, self._repeats.get(job)
        if held is not None and held.has_ended:
            self._repeats.forget(held)
            return details.view
        if row is None or not row.ended_at:
            view = await self.cancel(caller, job, langs)
        else:
            view = kept_job_status(row, None, langs)
        if row is not None:
            await self._store.write(partial(erasures.erase_job, job=job, now=time.time()))
            await self._store.overwrite_log()
        return view

    async def explain(self, caller: Caller, job: str) -> Explanation:
        """Returns the explanation of a job, without what only a machine's own co-op may know.

        Raises:
            Refused: ``unknown_job``.
        """
        _check_job_id(job)
        reply = await self._scheduler.explain(job, caller.coop, caller.person)
        explanation = reply.explanation
        if explanation is None or not caller.may_read(caller.coop, reply.sender):
            raise refused("unknown_job", job=job)
        return explanation_for(caller, explanation)

    async def get_receipt(self, caller: Caller, job: str, langs: str) -> Receipt:
        """Returns the settled receipt of a job.

        Raises:
            Refused: ``unknown_job``, or ``not_ready`` if the job is not settled yet.
        """
        _check_job_id(job)
        receipt = await self._settled_receipt(caller, job)
        if receipt is not None:
            return receipt
        await self.get(caller, job, langs)  # raises if there is no such job
        raise refused("not_ready", job=job)

    async def get_statement(self, caller: Caller, month: str, coop: str) -> Statement:
        """Returns the statement of the caller's co-op; the operator and auditors read every one.

        Args:
            caller: who asks.
            month: ``2026-11``; "" for the present one.
            coop: the co-op that the caller names, or "".

        Raises:
            Refused: ``statement_of_another``, ``role_refused`` or ``invalid_request``.
        """
        _check_books(caller)
        if coop not in ("", caller.coop) and caller.role not in READERS_OF_ALL:
            name = (await self._store.get_coop_names()).get(coop, "")
            raise refused("statement_of_another", coop=clean_text(coop), coop_name=name)
        try:
            return await make_statement(
                self._store,
                coop or caller.coop,
                month,
                zone=self._zone,
                now=time.time(),
                place=self._find_places()[0],
            )
        except (ValueError, OverflowError):
            raise _wrong_month(month) from None

    async def read_month(self, caller: Caller, month: str) -> CoopMonth:
        """Returns what the books say of a month of the caller's co-op; ``month`` as above.

        Raises:
            Refused: ``invalid_request``.
        """
        try:
            return await read_month(
                self._store, caller.coop, month, zone=self._zone, now=time.time()
            )
        except (ValueError, OverflowError):
            raise _wrong_month(month) from None

    async def read_machines(self, caller: Caller, coop: str) -> MachineBooks:
        """Returns what the books say of the machines of the caller's co-op.

        Args:
            caller: who asks; the operator and auditors read those of every co-op.
            coop: the co-op that the caller names, or "".

        Raises:
            Refused: ``role_refused``.
        """
        is_other = coop not in ("", caller.coop)
        if caller.role not in (READERS_OF_ALL if is_other else MACHINE_READERS):
            raise refused("role_refused")
        return await read_machines(
            self._store, coop or caller.coop, zone=self._zone, now=time.time()
        )

    async def _read_result(self, caller: Caller, row: KeptJobRow) -> bytes:
        """Returns the answer of a kept job, with its explanation if the client asked for it.

        Raises:
            Refused: ``place_unknown``, ``place_outside``: it must not pass this gateway.
        """
        way = msgspec.structs.replace(row.facts, places=self._find_places())
        if fault := find_place_fault(way, way):
            raise Refused(ErrorReply(*fault, job=row.job))
        result = self._kept_jobs.unseal_result(row)
        if result and self._kept_jobs.asks_for_explanation(row):
            reply = await self._scheduler.explain(row.job, row.coop, person_of(row.key))
            explanation = reply.explanation
            if explanation is not None:
                return add_explanation(result, explanation_for(caller, explanation))
        return result

    async def _settled_receipt(self, caller: Caller, job: str) -> Receipt | None:
        settled = await self._store.get_receipt(job)
        if settled is None or not caller.may_read(settled.coop, settled.key):
            return None
        return settled.receipt if settled.receipt.signature else self._signer.sign(settled.receipt)

    def _check_accepting(self) -> None:
        if self.stopping:
            raise refused("shutting_down")


def _wrong_month(month: str) -> Refused:
    return refused(
        "invalid_request",
        param="month",
        fault="wrong_form",
        form="2026-11",
        found=clean_text(month),
    )


def _check_books(caller: Caller) -> None:
    """Refuses a person without a role in the co-op: a statement's lines may be one colleague's."""
    if caller.role == Role.PERSON:
        raise refused("role_refused")


def _check_job_id(job: str) -> None:
    """Refuses a malformed identifier before it reaches the store or a header."""
    if not is_job_id(job):
        raise Refused(ErrorReply("unknown_job", {"job": clean_text(job)}))
