"""Feeder: has the lines of batches run as kept jobs, some at a time.

A batch of 50,000 lines so takes ``WINDOW`` rows in the queue of kept jobs and in the core's, and no
more. A line is requested in the same transaction in which the batch's progress moves past it; its
kept job becomes its result in one transaction. After a crash the feeder goes on from there: a job
that the core knows is ignored, and one that is settled is not run again.

What the core refuses for now (a full queue, a quota, no machine) is requested again, under the
identifier of the next attempt. What has not ended at a batch's deadline ends then. The core is told
how much of each batch is left, so that the plan of greener hours counts it.

One feeder runs for a pool, in the gateway inside the scheduler.
"""

import asyncio
import contextlib
import time
from collections import Counter
from functools import partial
from typing import Any

import msgspec
import structlog
from msgspec import structs

from entraide.decoding import decode_msgpack
from entraide_scheduler.bus import BatchPlanner, SchedulerPort
from entraide_scheduler.gateway.batches.files import Files
from entraide_scheduler.gateway.batches.input_lines import (
    BatchLine,
    LineReader,
    check_line,
    read_custom_id,
)
from entraide_scheduler.gateway.batches.line_jobs import (
    JOB_CLASS,
    answer_tokens,
    build_line_facts,
    job_of_line,
    job_prefix,
    next_attempt,
    options_of,
    remaining_facts_of,
)
from entraide_scheduler.gateway.batches.line_listener import WindowListener
from entraide_scheduler.gateway.batches.outcome import (
    EXPIRED_CODES,
    Expected,
    make_outcome,
    read_expected,
)
from entraide_scheduler.gateway.batches.states import BATCH, UNENDED, BatchState
from entraide_scheduler.gateway.batches.validation import CheckedInput, InputCheck, LineFault
from entraide_scheduler.gateway.chat import PoolFields
from entraide_scheduler.gateway.jobs import FactsBuilder, KeptJobs, Sealer
from entraide_scheduler.gateway.refusals import Refused
from entraide_scheduler.line_window import PostponedLine, is_stated_anew
from entraide_scheduler.store import batch_results, batches, trusted_time
from entraide_scheduler.store.outage import StoreAway
from entraide_scheduler.store.rows import BatchProgress, BatchResultRow, BatchRow, KeptJobRow
from entraide_scheduler.store.space import StorageFull
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.writer import WhenFull

# Other gateways create and cancel batches in the store; a batch of theirs begins so much later.
# Measured, a poll takes 0.4 ms of CPU without batches and 1.8 ms with 100: 0.1 % of a core.
POLL_S = 2.0
SETTLE_POLL_S = 0.2
SETTLE_MAX_S = 60.0  # for the settlements of the last lines
ENDED_AT_ONCE = 500  # lines that get an error in one transaction
EXPECT_EVERY_S = 900.0
SLICE_LINES = 16  # read before other tasks have their turn

_encode = msgspec.msgpack.Encoder().encode


class BatchFeeder:
    """Runs the batches of a pool."""

    def __init__(
        self,
        *,
        store: Store,
        scheduler: SchedulerPort,
        planner: BatchPlanner,
        lines: WindowListener,
        kept_jobs: KeptJobs,
        files: Files,
        facts_builder: FactsBuilder,
        sealer: Sealer,
    ) -> None:
        """Creates the feeder; ``run`` runs it."""
        self._store = store
        self._scheduler = scheduler
        self._planner = planner
        self._kept_jobs = kept_jobs
        self._files = files
        self._facts_builder = facts_builder
        self._sealer = sealer
        self._changed = lines.changed
        self._window = lines.window
        self._readers: dict[str, LineReader] = {}
        self._stated: dict[str, int] = {}  # lines left, as the core was told, by batch
        self._validation: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("entraide.batches")

    def wake(self) -> None:
        """Has the feeder look at the batches now, because one of them changed."""
        self._changed.set()

    async def run(self) -> None:
        """Requests what was requested before a restart, then runs the batches until cancelled."""
        try:
            await self._facts_builder.wait_for_tables()
            await self._request_pending()
            while True:
                self._changed.clear()
                settling = await self._advance_all()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SETTLE_POLL_S if settling else POLL_S):
                        await self._changed.wait()
        finally:
            if self._validation is not None:
                self._validation.cancel()

    async def _request_pending(self) -> None:
        """Requests the lines that had not ended; the core ignores a job that it knows."""
        for row in await self._store.list_pending_kept():
            if not row.batch:
                continue
            self._window.add(row.job, row.batch, row.coop)
            if self._planner.is_refused(row.job):
                self._window.postpone(row.coop, PostponedLine(row.job, "queue_full"))
            else:
                self._scheduler.submit(row.facts)

    async def _advance_all(self) -> bool:
        """Does what each batch needs now; returns whether settlements are awaited."""
        rows = await self._store.read(partial(batches.list_in, states=UNENDED))
        running = Counter(row.coop for row in rows if row.state == BatchState.IN_PROGRESS)
        for coop in running:
            await self._request_postponed(coop)
        for row in rows:
            try:
                await self._advance(row, running[row.coop])
            except (StorageFull, StoreAway):  # the next poll tries again
                self._readers.pop(row.batch, None)
            except Exception:  # noqa: BLE001  (an error in one batch must not stop the others)
                self._log.exception("batch.not_advanced", batch=row.batch)
                self._readers.pop(row.batch, None)
        return any(row.state == BatchState.FINALIZING for row in rows)

    async def _advance(self, row: BatchRow, batches_of_coop: int) -> None:
        match row.state:
            case BatchState.VALIDATING:
                self._begin_validation(row)
            case BatchState.IN_PROGRESS if await self._is_over(row):
                await self._end_lines(row, "batch_expired")
            case BatchState.IN_PROGRESS:
                await self._feed(row, batches_of_coop)
            case BatchState.CANCELLING:
                await self._end_lines(row, "batch_cancelled")
            case BatchState.FINALIZING:
                await self._finalize(row)

    async def _is_over(self, row: BatchRow) -> bool:
        """Whether the deadline has passed, also by the trusted time: an end is not undone."""
        now = time.time()
        if now < row.deadline_at:
            return False
        return await self._store.read(partial(trusted_time.limit, now=now)) >= row.deadline_at

    async def _read_now(self) -> float:
        """Returns the time, by the scheduler's clock if this one is far from it."""
        return await self._store.read(partial(trusted_time.correct, now=time.time()))

    # Validation.

    def _begin_validation(self, row: BatchRow) -> None:
        """Validates a batch in a task of its own, one batch at a time."""
        if self._validation is None or self._validation.done():
            self._validation = asyncio.get_running_loop().create_task(self._validate(row))

    async def _validate(self, row: BatchRow) -> None:
        current = await self._store.read(partial(batches.get_batch, batch=row.batch))
        if current is None or current.state != BatchState.VALIDATING:
            return  # the row was read before the validation that ended it
        try:
            models = frozenset(card.model for card in await self._scheduler.list_models())
            options = options_of(decode_msgpack(row.options, type=PoolFields))
            check = InputCheck(row, options, self._facts_builder, models)
            checked = await check.run(self._make_reader(row))
        except Exception:  # noqa: BLE001  (an unreadable file fails its batch only)
            self._log.exception("batch.not_validated", batch=row.batch)
            checked = CheckedInput((LineFault(0, "internal", {}),))
        now, faults = await self._read_now(), checked.faults
        if faults:
            sealed = self._sealer.seal(row.batch, "faults", msgspec.json.encode(faults))
            changes = {"ended_at": now, "expires_at": now + row.keep_s, "sealed_faults": sealed}
            await self._step(row, "refused", **changes)
        else:
            changes = {"started_at": now, "lines": checked.lines, "progress": checked.progress}
            validated = structs.replace(row, **changes)
            changes["expected"] = self._expect(validated, checked.lines)
            await self._step(row, "accepted", **changes)
        self._log.info("batch.validated", batch=row.batch, lines=checked.lines, faults=len(faults))

    # Lines.

    def _make_reader(self, row: BatchRow) -> LineReader:
        progress = row.progress
        return LineReader(
            partial(self._files.read_part, row.input_file),
            number=progress.line,
            part=progress.part,
            offset=progress.offset,
        )

    def _reader_of(self, row: BatchRow) -> LineReader:
        """Returns the reader of a batch, which goes on after the last line that was requested."""
        reader = self._readers.get(row.batch)
        if reader is None or reader.number != row.progress.line:
            reader = self._readers[row.batch] = self._make_reader(row)
        return reader

    async def _feed(self, row: BatchRow, batches_of_coop: int) -> None:
        """Requests more lines, if there is room; ends the batch after its last line."""
        left = row.lines - row.progress.requested
        count = self._window.count_refill(
            row.coop, row.batch, batches=batches_of_coop, left=left, at=time.monotonic()
        )
        if count and self._store.space.takes_kept_work():
            row = await self._request_lines(row, count)
            left = row.lines - row.progress.requested
        self._state_batch(row, left)
        await self._update_expected(row, left)
        if not left and row.completed + row.failed >= row.lines:
            await self._step(row, "ended", finalizing_at=await self._read_now())

    async def _request_lines(self, row: BatchRow, count: int) -> BatchRow:
        """Requests the next lines of a batch; returns its row afterwards."""
        reader = self._reader_of(row)
        options = options_of(decode_msgpack(row.options, type=PoolFields))
        jobs: list[KeptJobRow] = []
        results: list[BatchResultRow] = []
        for number in range(count):
            text = await reader.next_line()
            if text is None:
                results += self._make_missing(row, reader, count - number)
                break
            if not number % SLICE_LINES:
                await asyncio.sleep(0)
            name = msgspec.json.encode(read_custom_id(text))
            try:
                line = check_line(reader.number, text, row.endpoint)
                facts = build_line_facts(self._facts_builder, row, line, options)
            except Refused as problem:  # it was accepted before: by an older version, or in time
                results.append(self._make_error(row, reader.number, name, problem.refusal.code))
                continue
            jobs.append(self._make_job(row, line, facts.job, name, facts))
        progress = structs.replace(
            _progress_after(row, reader, count),
            input_tokens=max(
                0, row.progress.input_tokens - sum(job.facts.input_tokens_est for job in jobs)
            ),
            output_tokens=max(
                0, row.progress.output_tokens - sum(answer_tokens(job.facts) for job in jobs)
            ),
        )
        if not await self._move(row, progress=progress, jobs=jobs, results=results):
            return row
        for job in jobs:
            self._window.add(job.job, job.batch, job.coop)
        for job in jobs:
            self._submit(job)
        return structs.replace(row, progress=progress, failed=row.failed + len(results))

    def _make_job(
        self, row: BatchRow, line: BatchLine, job: str, name: bytes, facts: Any
    ) -> KeptJobRow:
        return KeptJobRow(
            job=job,
            coop=row.coop,
            key=row.key,
            model=facts.model,
            job_class=JOB_CLASS,
            facts=facts,
            sealed_body=self._sealer.seal(job, "request", line.body),
            path=row.endpoint,
            submitted_at=time.time(),
            keep_s=0.0,
            batch=row.batch,
            line=line.number,
            sealed_name=self._seal_name(row.batch, line.number, name),
        )

    def _make_error(self, row: BatchRow, number: int, name: bytes, code: str) -> BatchResultRow:
        sealed_name = self._seal_name(row.batch, number, name)
        return BatchResultRow(row.batch, number, job_of_line(row.batch, number), code, sealed_name)

    def _make_missing(self, row: BatchRow, reader: LineReader, count: int) -> list[BatchResultRow]:
        """Returns errors for the lines that the file no longer has, so that the batch can end."""
        self._log.error("batch.lines_missing", batch=row.batch, lines=count)
        name = msgspec.json.encode("")
        numbers = range(reader.number + 1, reader.number + 1 + count)
        reader.number += count
        self.wake()  # no job of these lines does it
        return [self._make_error(row, number, name, "internal") for number in numbers]

    def _seal_name(self, batch: str, number: int, name: bytes) -> bytes:
        return self._sealer.seal(batch, f"name/{number}", name)

    def _submit(self, row: KeptJobRow) -> None:
        """Submits a job; during its co-op's pause, later."""
        if self._window.is_paused(row.coop, time.monotonic()):
            self._window.postpone(row.coop, PostponedLine(row.job))
        else:
            self._scheduler.submit(row.facts)

    async def _request_postponed(self, coop: str) -> None:
        """Requests the lines of a co-op again that the core refused for a time that is over."""
        while (line := self._window.take_postponed(coop, time.monotonic())) is not None:
            row = await self._store.get_kept(line.job)
            if row is None or row.ended_at:
                self._window.remove(line.job)
                continue
            if line.code:
                row = await self._replace_job(row, line.code)
            if row is not None:
                self._scheduler.submit(row.facts)

    async def _replace_job(self, row: KeptJobRow, code: str) -> KeptJobRow | None:
        """Gives a line whose job was refused its next identifier; None if it has ended."""
        job = next_attempt(row.job)
        if job is None:
            self._kept_jobs.end_line(row.job, code)
            return None
        body = self._kept_jobs.unseal_request(row)
        new = structs.replace(
            row,
            job=job,
            facts=structs.replace(row.facts, job=job),
            sealed_body=self._sealer.seal(job, "request", body),
        )
        self._window.remove(row.job)
        replace = partial(batches.replace_job, job=row.job, row=new)
        if not await self._store.write(replace, WhenFull.WAIT):
            return None
        self._window.add(job, row.batch, row.coop)
        return new

    def _expect(self, row: BatchRow, left: int) -> bytes:
        """Returns what is expected of a batch now, encoded; what was known if that is unknown."""
        facts = remaining_facts_of(row, left)
        expectation = None if facts is None else self._planner.expect_batch(facts, left)
        if expectation is None:
            return row.expected
        known = read_expected(row.expected)
        first = expectation if known is None else known.first
        return _encode(Expected(time.time(), expectation, first))

    async def _update_expected(self, row: BatchRow, left: int) -> None:
        """Asks again, each quarter of an hour, when the rest of a batch is expected to run."""
        known = read_expected(row.expected)
        if left and (known is None or time.time() >= known.at + EXPECT_EVERY_S):
            expected = self._expect(row, left)
            if expected != row.expected:
                await self._store.write(
                    lambda c: batches.change_batch(c, row.batch, (row.state,), expected=expected)
                )

    def _state_batch(self, row: BatchRow, left: int) -> None:
        """Tells the core how much of a batch is left, if that has changed enough."""
        facts = remaining_facts_of(row, left)
        if facts is not None and is_stated_anew(self._stated.get(row.batch), left, row.lines):
            self._stated[row.batch] = left
            self._planner.state_batch(facts, left)

    # Endings.

    async def _end_lines(self, row: BatchRow, code: str) -> None:
        """Ends every line of a batch that has not ended, then the batch."""
        self._state_batch(row, 0)
        ends = [self._kept_jobs.end_line(job, code) for job in self._window.jobs_of(row.batch)]
        await asyncio.gather(*ends)
        while (left := row.lines - row.progress.requested) > 0:
            row = await self._skip_lines(row, min(left, ENDED_AT_ONCE), code)
        now = await self._read_now()
        if row.state == BatchState.CANCELLING:
            await self._end_batch(row, "ended", now)
        else:
            await self._step(row, "ended", finalizing_at=now)

    async def _skip_lines(self, row: BatchRow, count: int, code: str) -> BatchRow:
        """Gives the next lines of a batch an error in place of a job; returns its row then."""
        reader = self._reader_of(row)
        results: list[BatchResultRow] = []
        for number in range(count):
            text = await reader.next_line()
            if text is None:
                results += self._make_missing(row, reader, count - number)
                break
            name = msgspec.json.encode(read_custom_id(text))
            results.append(self._make_error(row, reader.number, name, code))
        progress = _progress_after(row, reader, count)
        await self._move(row, progress=progress, results=results)
        return structs.replace(row, progress=progress)

    async def _finalize(self, row: BatchRow) -> None:
        """Ends a batch once its last lines are settled."""
        now = await self._read_now()
        used = await self._store.read(
            partial(batches.sum_settled, job_prefix=job_prefix(row.batch))
        )
        if used.jobs < row.completed and now < row.finalizing_at + SETTLE_MAX_S:
            return
        groups = await self._store.read(partial(batch_results.group_results, batch=row.batch))
        is_late = any(group.code in EXPIRED_CODES for group in groups)
        await self._end_batch(row, "settled_late" if is_late else "settled", now)

    async def _end_batch(self, row: BatchRow, event: str, now: float) -> None:
        """Ends a batch, with what it used."""
        used = await self._store.read(
            partial(batches.sum_settled, job_prefix=job_prefix(row.batch))
        )
        tokens = await self._store.read(
            partial(batches.sum_tokens, job_prefix=job_prefix(row.batch))
        )
        outcome = _encode(make_outcome(used, tokens, row.expected))
        await self._step(row, event, ended_at=now, expires_at=now + row.keep_s, outcome=outcome)
        self._readers.pop(row.batch, None)
        self._stated.pop(row.batch, None)
        self._log.info("batch.ended", batch=row.batch, lines=row.lines)

    async def _step(self, row: BatchRow, event: str, **changes: Any) -> None:
        """Applies an event of the table ``BATCH``, unless the batch's state changed meanwhile."""
        state = BATCH.step(BatchState(row.state), event, subject=row.batch)
        changes = {"state": state.value, **changes}
        await self._store.write(
            lambda c: batches.change_batch(c, row.batch, (row.state,), **changes)
        )
        self.wake()

    async def _move(self, row: BatchRow, **changes: Any) -> bool:
        """Moves a batch's progress; returns False if the batch's state changed meanwhile."""
        is_moved = await self._store.write(
            lambda c: batches.request_lines(c, row.batch, only_in=(row.state,), **changes)
        )
        if not is_moved:
            self._readers.pop(row.batch, None)
            self.wake()
        return is_moved


def _progress_after(row: BatchRow, reader: LineReader, count: int) -> BatchProgress:
    """Returns a batch's progress after lines were read."""
    return structs.replace(
        row.progress,
        line=reader.number,
        part=reader.part,
        offset=reader.offset,
        requested=row.progress.requested + count,
    )
