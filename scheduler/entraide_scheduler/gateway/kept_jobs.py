"""Kept jobs: request and result live in the store, sealed, and survive whoever runs them.

It decides how they are sealed (ChaCha20-Poly1305, a fresh nonce each, bound to the job and to what
it is), when they are asked for again, and how they end. A body is in memory only while its job
runs: the core places, then the body is read. They run at the gateway inside the scheduler,
whichever gateway took them.

A result stays until it expires (``keep_s`` after the end, 24 hours unless asked), also after its
owner has fetched it, so that an answer that got lost on the way can be fetched again.
"""

import asyncio
import os
import time

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from entraide.types import JobKind, JobState
from entraide.wire.messages import JobEnded, JobPlaced, JobRefused, JobUpdate
from entraide_scheduler.gateway import openai
from entraide_scheduler.gateway.answer_listener import CompleteAnswer
from entraide_scheduler.gateway.answer_writers import add_receipt
from entraide_scheduler.gateway.field_faults import show_value
from entraide_scheduler.gateway.fields import KEEP_MAX_S
from entraide_scheduler.gateway.options import KEPT_PREFIX, Caller, FactsBuilder, Options
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, refused
from entraide_scheduler.gateway.running_jobs import RunningJobs
from entraide_scheduler.scheduler_port import SchedulerPort
from entraide_scheduler.store.rows import KeptJobRow
from entraide_scheduler.store.store import Store

KEEP_DEFAULT_S = 86_400.0
NONCE_BYTES = 12
EXPIRE_EVERY_S = 60.0
CANCELLED = frozenset({"cancelled", "client_gone"})


class Sealer:
    """Seals what is kept, with the pool's sealing key (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)

    def seal(self, job: str, what: str, data: bytes) -> bytes:
        """Returns data sealed, for one job and one purpose."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, f"{job}/{what}".encode())

    def unseal(self, job: str, what: str, sealed: bytes) -> bytes:
        """Returns sealed data in the clear.

        Raises:
            InvalidTag: it was altered, or sealed for something else or with another key.
        """
        nonce, data = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        return self._cipher.decrypt(nonce, data, f"{job}/{what}".encode())


class KeptJobListener:
    """Writes the end of one kept job into the store."""

    def __init__(self, kept: "KeptJobs", job: str) -> None:
        self._kept = kept
        self._job = job

    def on_tokens(self, data: bytes) -> bool:  # noqa: ARG002  (a kept job is not streamed)
        """Takes nothing: the answer comes in one piece."""
        return True

    def on_answer(self, answer: CompleteAnswer) -> None:
        """Seals the result and keeps it."""
        self._kept.keep_result(self._job, answer)

    def on_error(self, refusal: ErrorReply) -> None:
        """Keeps the reason of the failure."""
        self._kept.keep_failure(self._job, refusal.code)


class KeptJobs:
    """The kept jobs, as their owners and the core see them."""

    def __init__(
        self,
        *,
        store: Store,
        scheduler: SchedulerPort,
        running_jobs: RunningJobs,
        facts_builder: FactsBuilder,
        sealer: Sealer,
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._running = running_jobs
        self._facts_builder = facts_builder
        self._sealer = sealer
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("entraide.gateway")

    async def submit(
        self, caller: Caller, path: str, body: bytes, options: Options, keep_s: float
    ) -> KeptJobRow:
        """Keeps a job, then asks for it; it is in the store when this returns.

        Raises:
            Refused: the request is not well formed, or its idempotency key was used for another.
        """
        if not 0 <= keep_s <= KEEP_MAX_S:
            raise refused(
                "invalid_request", param=options.names["keep_s"], fault="between", low=0,
                high=round(KEEP_MAX_S), found=show_value(keep_s),
            )  # fmt: skip
        ask = openai.parse_request(path, body)
        facts = self._facts_builder.build_facts(ask, caller, options, JobKind.KEPT)
        row = KeptJobRow(
            job=facts.job,
            coop=caller.coop,
            key=caller.key,
            model=ask.model,
            job_class=facts.job_class,
            facts=facts,
            sealed_body=self._sealer.seal(facts.job, "request", body),
            path=path,
            submitted_at=time.time(),
            keep_s=keep_s or KEEP_DEFAULT_S,
            idempotency=facts.idempotency,
        )
        job = await self._store.put_kept(row)
        if job == row.job:
            self._scheduler.submit(facts)
            return row
        earlier = await self._store.get_kept(job)
        if earlier is None or (path, body) != (earlier.path, self.unseal_request(earlier)):
            raise refused("already_exists", job=job, name="Idempotency-Key")
        return earlier

    def unseal_request(self, row: KeptJobRow) -> bytes:
        """Returns the request of a kept job in the clear."""
        return self._sealer.unseal(row.job, "request", row.sealed_body)

    def unseal_result(self, row: KeptJobRow) -> bytes:
        """Returns the answer of a kept job in the clear, or nothing."""
        if not row.sealed_result:
            return b""
        return self._sealer.unseal(row.job, "result", row.sealed_result)

    async def cancel(self, row: KeptJobRow) -> None:
        """Ends a kept job, wherever it runs."""
        if not self._running.cancel(row.job, "cancelled"):
            self._scheduler.cancel(row.job, "cancelled")
        await self._end_job(row.job, JobState.CANCELLED, "cancelled")

    async def resubmit_pending(self) -> int:
        """Asks again for all that had not ended; the core takes a job that it knows for one.

        Returns:
            How many.
        """
        rows = await self._store.list_pending_kept()
        for row in rows:
            if await self._store.get_receipt(row.job) is not None:
                # Settled, yet without its result: it must not run, and be billed, twice.
                self._log.error("gateway.result_lost", job=row.job)
                await self._end_job(row.job, JobState.FAILED, "gateway_lost")
            else:
                self._scheduler.submit(row.facts)
        return len(rows)

    async def stop(self) -> None:
        """Waits until what was being read or run is let go."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def run_expiry(self) -> None:
        """Forgets ended jobs whose time is over, once a minute."""
        while True:
            await self._store.expire_kept(time.time())
            await asyncio.sleep(EXPIRE_EVERY_S)

    def on_scheduler_message(self, message: JobUpdate) -> bool:
        """Takes a message about a kept job that is not in memory."""
        if not message.job.startswith(KEPT_PREFIX):
            return False
        match message:
            case JobPlaced():
                self._spawn(message)
            case JobRefused():
                self.keep_failure(message.job, message.code, JobState.REFUSED)
            case JobEnded() if message.state is not JobState.COMPLETED:
                self.keep_failure(message.job, message.code or str(message.state))
        return True

    def keep_result(self, job: str, answer: CompleteAnswer) -> None:
        """Keeps the result. It is asked for at once, so before the books of the same job."""
        body = add_receipt(answer.body, answer.receipt)
        self._write_end(
            job,
            JobState.COMPLETED,
            "",
            self._sealer.seal(job, "result", body),
            msgspec.json.encode(answer.receipt) if answer.receipt is not None else b"",
        )

    def keep_failure(self, job: str, code: str, state: JobState = JobState.FAILED) -> None:
        """Keeps the reason of a failure."""
        self._write_end(job, JobState.CANCELLED if code in CANCELLED else state, code)

    async def _end_job(self, job: str, state: JobState, code: str) -> None:
        await self._write_end(job, state, code)

    def _write_end(
        self,
        job: str,
        state: JobState,
        code: str,
        sealed_result: bytes = b"",
        receipt_json: bytes = b"",
    ) -> asyncio.Future[bool]:
        written = self._store.end_kept(
            job,
            state=state,
            code=code,
            sealed_result=sealed_result,
            receipt_json=receipt_json,
            ended_at=time.time(),
        )
        written.add_done_callback(self._on_written)
        return written

    def _on_written(self, future: asyncio.Future[bool]) -> None:
        if not future.cancelled() and (problem := future.exception()) is not None:
            self._log.error("gateway.end_not_kept", problem=repr(problem))

    def _spawn(self, placed: JobPlaced) -> None:
        task = asyncio.get_running_loop().create_task(self._run_placed(placed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_placed(self, placed: JobPlaced) -> None:
        """Reads the body of a job that was just placed, and runs it there."""
        row = await self._store.get_kept(placed.job)
        if row is None or row.state != "queued":
            self._scheduler.cancel(placed.job, "cancelled")
            return
        try:
            body = self.unseal_request(row)
            ask = openai.parse_request(row.path, body)
        except InvalidTag:
            self._log.error("gateway.seal_broken", job=row.job)
            self._scheduler.cancel(row.job, "cancelled")
            await self._end_job(row.job, JobState.FAILED, "internal")
            return
        except Refused as problem:  # kept by a version that took more fields than this one
            self._scheduler.cancel(row.job, problem.refusal.code)
            await self._end_job(row.job, JobState.FAILED, problem.refusal.code)
            return
        listener = KeptJobListener(self, row.job)
        if not self._running.start_placed(row.facts, ask, listener, placed):
            self._scheduler.abandon(row.job, placed.epoch, "gateway_lost")
