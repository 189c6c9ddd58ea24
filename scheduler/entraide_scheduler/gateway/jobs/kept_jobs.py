"""Kept jobs: requests and results are stored encrypted, and survive restarts.

Request and result are encrypted (``sealer``). A request is decrypted only after the core has placed
its job. Kept jobs run at the gateway inside the scheduler, whichever gateway accepted them.

A result is retained for ``keep_s`` after the end (24 hours by default), also after it was fetched,
so that a client can fetch it again.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from msgspec import Struct, structs

from entraide.decoding import decode_json
from entraide.types import Basis, JobKind, JobState, RequestFacts, account_of
from entraide.wire.messages import (
    AnswerReceived,
    JobEnded,
    JobPlaced,
    JobRefused,
    JobUpdate,
)
from entraide_scheduler.bus import SchedulerPort
from entraide_scheduler.gateway.answers import CompleteAnswer
from entraide_scheduler.gateway.jobs.facts_builder import FactsBuilder
from entraide_scheduler.gateway.jobs.options import KEPT_PREFIX, Caller, Submission
from entraide_scheduler.gateway.jobs.running_jobs import RunningJobs
from entraide_scheduler.gateway.jobs.sealer import Sealer
from entraide_scheduler.gateway.refusals import (
    ErrorReply,
    Refused,
    read_object,
    refused,
    show_value,
)
from entraide_scheduler.gateway.requests import (
    KEEP_MAX_S,
    AnswerEvent,
    ParsedRequest,
    make_format,
    openai,
)
from entraide_scheduler.store.answered import AnsweredRun
from entraide_scheduler.store.kept_jobs import list_waiting
from entraide_scheduler.store.rows import KeptJobRow
from entraide_scheduler.store.store import Store

KEEP_DEFAULT_S = 86_400.0
EXPIRE_EVERY_S = 60.0
PENDING_EVERY_S = 5.0
PENDING_AFTER_S = 5.0  # a submission that is on its way has arrived by then
CANCELLED = frozenset({"cancelled", "client_gone"})


class _Own(Struct):
    explain: bool | None = None


class _Request(Struct):
    entraide: _Own | None = None


class LineListener(Protocol):
    """Follows the kept jobs that are lines of batches."""

    def on_line_refused(self, message: JobRefused) -> bool:
        """Handles a refusal; returns whether the line is requested again later."""

    def on_line_ended(self, job: str) -> None:
        """Handles the end of a line, whose result is on disk."""


class KeptJobs:
    """Submits, runs, ends and expires kept jobs.

    Args:
        store: holds them.
        scheduler: decides.
        running_jobs: runs them.
        facts_builder: makes the core's facts of a request.
        sealer: encrypts requests and results.
        lines: follows the lines of batches; None in a gateway that has no feeder.
    """

    def __init__(
        self,
        *,
        store: Store,
        scheduler: SchedulerPort,
        running_jobs: RunningJobs,
        facts_builder: FactsBuilder,
        sealer: Sealer,
        lines: LineListener | None,
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._running_jobs = running_jobs
        self._facts_builder = facts_builder
        self._sealer = sealer
        self._lines = lines
        self._tasks: set[asyncio.Task[None]] = set()
        self._storing: dict[str, asyncio.Future[bool]] = {}  # writes of answers, by job
        self._log = structlog.get_logger("entraide.gateway")

    async def submit(self, caller: Caller, submission: Submission) -> KeptJobRow:
        """Stores a job and submits it; it is on disk on return.

        Raises:
            Refused: the request is invalid, or its idempotency key belongs to another request.
        """
        path, options = submission.path, submission.options
        body = _with_explain(submission.body) if options.explain else submission.body
        if not 0 <= submission.keep_s <= KEEP_MAX_S:
            raise refused(
                "invalid_request", param=options.names["keep_s"], fault="between", low=0,
                high=round(KEEP_MAX_S), found=show_value(submission.keep_s),
            )  # fmt: skip
        parsed = openai.parse_request(path, body)
        await self._facts_builder.wait_for_tables()
        facts = self._facts_builder.build_facts(parsed, caller, options, JobKind.KEPT)
        row = KeptJobRow(
            job=facts.job,
            coop=caller.coop,
            key=caller.key,
            model=parsed.model,
            job_class=facts.job_class,
            facts=facts,
            sealed_body=self._sealer.seal(facts.job, "request", body),
            path=path,
            submitted_at=time.time(),
            keep_s=submission.keep_s or KEEP_DEFAULT_S,
            idempotency=facts.idempotency,
        )
        job = await self._store.put_kept(row)
        if job == row.job:
            self._scheduler.submit(facts)
            return row
        earlier = await self._store.get_kept(job)
        # The request of a cancelled job is erased, and cannot be compared.
        known = self.unseal_request(earlier) or body if earlier is not None else b""
        is_same = earlier is not None and (path, body) == (earlier.path, known)
        if earlier is None or not is_same or _demands(facts) != _demands(earlier.facts):
            raise refused("idempotency_mismatch", job=job)
        return earlier

    def wait_for_storage(self, job: str) -> asyncio.Future[bool] | None:
        """Returns the future of the write of a job's answer; None if none is being written."""
        return self._storing.get(job)

    def unseal_request(self, row: KeptJobRow) -> bytes:
        """Returns the decrypted request of a kept job; nothing once the job was cancelled."""
        if not row.sealed_body:
            return b""
        return self._sealer.unseal(row.job, "request", row.sealed_body)

    def unseal_result(self, row: KeptJobRow) -> bytes:
        """Returns the decrypted answer of a kept job, or nothing."""
        if not row.sealed_result:
            return b""
        return self._sealer.unseal(row.job, "result", row.sealed_result)

    def asks_for_explanation(self, row: KeptJobRow) -> bool:
        """Whether the client asked for the explanation of a kept job."""
        fields = decode_json(self.unseal_request(row), type=_Request).entraide
        return fields is not None and bool(fields.explain)

    async def cancel(self, row: KeptJobRow) -> None:
        """Cancels a kept job, and erases its question."""
        await self._cancel(row)
        await self._store.overwrite_log()

    async def cancel_of(self, sender: str) -> None:
        """Cancels the kept jobs of a person or a key, but for the lines of batches."""
        for row in await self._store.list_pending_kept():
            if account_of(row.key) == sender and not row.batch:
                await self._cancel(row)

    async def _cancel(self, row: KeptJobRow) -> None:
        if not self._running_jobs.cancel(row.job, "cancelled"):
            self._scheduler.cancel(row.job, "cancelled")
        await self._write_end(row.job, JobState.CANCELLED, "cancelled")

    def end_line(self, job: str, code: str) -> asyncio.Future[bool]:
        """Cancels the job of a batch's line; resolves once its result, an error, is on disk."""
        if not self._running_jobs.cancel(job, code):
            self._scheduler.cancel(job, code)
        return self._write_end(job, JobState.CANCELLED, code)

    async def resubmit_pending(self) -> int:
        """Submits all unfinished jobs again; the core ignores a job that it knows.

        The lines of batches are left to their feeder.

        Returns:
            The number of unfinished jobs.
        """
        rows = await self._store.list_pending_kept()
        for row in rows:
            await self._submit_again(row)
        return len(rows)

    async def _submit_again(self, row: KeptJobRow) -> None:
        if await self._store.get_receipt(row.job) is not None:
            # Settled without a result: a second run would be charged twice.
            self._log.error("gateway.result_lost", job=row.job)
            await self._write_end(row.job, JobState.FAILED, "gateway_lost")
        elif not row.batch:
            self._scheduler.submit(row.facts)

    async def run_pending_check(self, is_known: Callable[[str], bool]) -> None:
        """Submits what another gateway stored and died before it was submitted.

        Args:
            is_known: whether the scheduler knows a job.
        """
        while True:
            await asyncio.sleep(PENDING_EVERY_S)
            try:
                await self._submit_unknown(is_known)
            except Exception:  # noqa: BLE001  (an error must not stop the next check)
                self._log.exception("gateway.pending_failed")

    async def _submit_unknown(self, is_known: Callable[[str], bool]) -> None:
        find = partial(list_waiting, submitted_before=time.time() - PENDING_AFTER_S)
        for job in await self._store.read(find):
            row = None if is_known(job) else await self._store.get_kept(job)
            if row is not None and not row.ended_at:
                self._log.warning("gateway.submission_lost", job=job)
                await self._submit_again(row)

    async def stop(self) -> None:
        """Cancels the tasks that start jobs, and waits for them."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def run_expiry(self) -> None:
        """Deletes expired jobs, once a minute."""
        while True:
            if await self._store.expire_kept(time.time()):
                await self._store.overwrite_log()
            await asyncio.sleep(EXPIRE_EVERY_S)

    def on_job_update(self, message: JobUpdate) -> bool:
        """Handles a message about a job that is not in memory; returns False if it is not kept."""
        if not message.job.startswith(KEPT_PREFIX):
            return False
        match message:
            case JobPlaced():
                self._spawn(message)
            case JobRefused():
                if self._lines is None or not self._lines.on_line_refused(message):
                    self._keep_failure(message.job, message.code, JobState.REFUSED)
            case JobEnded() if message.state is not JobState.COMPLETED:
                self._keep_failure(message.job, message.code or str(message.state))
        return True

    def _on_event(self, job: str, request: ParsedRequest, event: AnswerEvent) -> bool:
        """Stores the end of a job; the answer is not streamed."""
        match event:
            case CompleteAnswer():
                self._keep_result(job, request, event)
            case ErrorReply():
                self._keep_failure(job, event.code)
        return True

    def _keep_result(self, job: str, request: ParsedRequest, answer: CompleteAnswer) -> None:
        """Stores the result; the write is queued now, so before the job's settlement."""
        document = make_format(job, request, created_at=time.time()).write_document(answer)
        body = _in_one_line(document)
        run = AnsweredRun(job, answer.epoch, answer.node, answer.usage)
        written = self._storing[job] = self._write_end(
            job,
            JobState.COMPLETED,
            "",
            self._sealer.seal(job, "result", body),
            msgspec.json.encode(answer.receipt) if answer.receipt is not None else b"",
            run=run,
        )
        written.add_done_callback(partial(self._on_stored, run))

    def _on_stored(self, run: AnsweredRun, written: asyncio.Future[bool]) -> None:
        self._storing.pop(run.job, None)
        if not written.cancelled() and written.exception() is None:
            message = AnswerReceived(run.job, run.epoch, run.node, run.usage)
            self._scheduler.report_answer(message)

    def _keep_failure(self, job: str, code: str, state: JobState = JobState.FAILED) -> None:
        """Stores the error code of a failure."""
        self._write_end(job, JobState.CANCELLED if code in CANCELLED else state, code)

    def _write_end(
        self,
        job: str,
        state: JobState,
        code: str,
        sealed_result: bytes = b"",
        receipt_json: bytes = b"",
        *,
        run: AnsweredRun | None = None,
    ) -> asyncio.Future[bool]:
        written = self._store.end_kept(
            job,
            state=state,
            code=code,
            sealed_result=sealed_result,
            receipt_json=receipt_json,
            ended_at=time.time(),
            run=run,
        )
        written.add_done_callback(partial(self._on_written, job))
        return written

    def _on_written(self, job: str, future: asyncio.Future[bool]) -> None:
        if future.cancelled():
            return
        if (problem := future.exception()) is not None:
            self._log.error("gateway.end_not_kept", problem=repr(problem))
        elif self._lines is not None:
            self._lines.on_line_ended(job)

    def _spawn(self, placed: JobPlaced) -> None:
        task = asyncio.get_running_loop().create_task(self._run_placed(placed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_placed(self, placed: JobPlaced) -> None:
        """Decrypts the request of a job that was just placed, and starts its run."""
        row = await self._store.get_kept(placed.job)
        if row is None or row.state != "queued":
            self._scheduler.cancel(placed.job, "cancelled")
            return
        try:
            body = self.unseal_request(row)
            parsed = openai.parse_request(row.path, body)
        except InvalidTag:
            self._log.error("gateway.seal_broken", job=row.job)
            self._scheduler.cancel(row.job, "cancelled")
            await self._write_end(row.job, JobState.FAILED, "internal")
            return
        except Refused as problem:  # stored by a version that accepted more fields
            self._scheduler.cancel(row.job, problem.refusal.code)
            await self._write_end(row.job, JobState.FAILED, problem.refusal.code)
            return
        sink = partial(self._on_event, row.job, parsed)
        if not self._running_jobs.start_placed(row.facts, parsed, sink, placed):
            self._scheduler.abandon(row.job, placed.epoch, "gateway_lost")


def _with_explain(body: bytes) -> bytes:
    """Returns a request that asks for its explanation in its body, which is what is stored."""
    fields = read_object(body)
    own = fields.get("entraide")
    if own is None or isinstance(own, dict):
        fields["entraide"] = {"explain": True, **(own or {})}
    return msgspec.json.encode(fields)


def _in_one_line(document: bytes) -> bytes:
    """Returns JSON without line breaks, as a file of results needs it."""
    return msgspec.json.format(document, indent=-1) if b"\n" in document else document


def _demands(facts: RequestFacts) -> RequestFacts:
    """Returns what a request demands, without what differs when the same one is sent again.

    The language of its text is found by a table that may not be loaded the first time. Of the
    digests of its prompt it counts whether there are any: the store keeps that much.
    """
    is_stated = facts.language_basis is Basis.DECLARED
    has_digests = bool(facts.prefix_keys) or facts.warm is not None
    return structs.replace(
        facts, job="", gateway="", places=(), input_tokens_est=0, longest_input_est=0,
        prefix_keys=(), warm=() if has_digests else None,
        deadline_at=float(facts.deadline_at is not None), language_basis=Basis.DECLARED,
        language=facts.language if is_stated else "",
    )  # fmt: skip
