"""Use cases: what a client may do with batches; the feeder does the rest.

In: an authenticated caller, and a request's fields or the identifier of a batch. Out: the batch in
OpenAI's form. A batch of another co-op or person is reported as unknown.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from entraide.relative_time import Clock
from entraide.types import account_of
from entraide_scheduler.gateway.batches.files import KEEP_LEAST_S, KEEP_MOST_S, FileObject, Files
from entraide_scheduler.gateway.batches.line_jobs import JOB_CLASS
from entraide_scheduler.gateway.batches.results import BatchResults, ResultFile, parse_file_id
from entraide_scheduler.gateway.batches.states import BATCH, UNENDED, BatchState
from entraide_scheduler.gateway.batches.views import BatchList, BatchObject, describe_batch
from entraide_scheduler.gateway.batches.way import Way
from entraide_scheduler.gateway.chat import PoolFields
from entraide_scheduler.gateway.jobs import (
    BATCH_PREFIX,
    Caller,
    Options,
    Sealer,
    check_options,
    find_deadline,
    has_form,
    make_id,
    with_body_options,
)
from entraide_scheduler.gateway.refusals import clean_text, refused, show_value
from entraide_scheduler.gateway.requests import Endpoint
from entraide_scheduler.store import batches, trusted_time
from entraide_scheduler.store.rows import BatchRow
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.writer import WhenFull

WINDOW_S = 86_400.0
UNENDED_PER_COOP_MAX = 100
EXPIRE_EVERY_S = 60.0
METADATA_MAX = 16
CANCEL_WAIT_S, CANCEL_POLL_S = 30.0, 0.1
# Options that concern one request and not all of a batch.
PER_LINE = (
    "session",
    "explain",
    "resume_events",
    "reconnect_s",
    "waiting_events",
    "max_wait_s",
    "idempotency",
)

MetadataName = Annotated[str, Meta(max_length=64)]
MetadataValue = Annotated[str, Meta(max_length=512)]


class ExpiresAfter(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a batch's results are kept after its end."""

    seconds: Annotated[int, Meta(ge=KEEP_LEAST_S, le=KEEP_MOST_S)]
    anchor: Literal["created_at"] = "created_at"


class BatchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/batches``: requests from a file, answered until a deadline."""

    input_file_id: str
    endpoint: Endpoint
    completion_window: Literal["24h"]
    metadata: Annotated[dict[MetadataName, MetadataValue], Meta(max_length=METADATA_MAX)] | None = (
        None
    )
    output_expires_after: ExpiresAfter | None = None
    entraide: PoolFields | None = None


class Batches:
    """The batches of all co-ops.

    Attributes:
        results: reads the files of results.
        way: the places that files and batches pass here.
    """

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        files: Files,
        *,
        clock: Clock,
        on_change: Callable[[], None],
        way: Way,
    ) -> None:
        """Creates the use cases.

        Args:
            store: holds the batches.
            sealer: encrypts what clients sent.
            files: the files of requests.
            clock: the pool's, for sentences.
            on_change: called after a batch was changed.
            way: the places that files and batches pass here.
        """
        self._store = store
        self._sealer = sealer
        self._files = files
        self._clock = clock
        self._on_change = on_change
        self.way = way
        self.results = BatchResults(store, sealer)

    async def create(
        self, caller: Caller, request: BatchRequest, options: Options, lang: str
    ) -> BatchObject:
        """Creates a batch, which is then validated; it is on disk on return.

        Raises:
            Refused: the file is unknown, an option is invalid, a server on the way does not fit, or
                the co-op has too many batches.
        """
        now = await self._store.read(partial(trusted_time.correct, now=time.time()))
        options = _check_batch_options(options, request.entraide or PoolFields(), now)
        file = await self._files.find(caller, request.input_file_id)
        self.way.check(options, file.places)
        batch = make_id(BATCH_PREFIX, now)
        keep = request.output_expires_after
        row = BatchRow(
            batch=batch,
            coop=caller.coop,
            project=caller.project,
            key=caller.key,
            endpoint=request.endpoint,
            input_file=request.input_file_id,
            options=msgspec.msgpack.encode(_common_fields(options)),
            sealed_metadata=self._sealer.seal(
                batch, "metadata", msgspec.json.encode(request.metadata)
            ),
            lang=lang,
            created_at=now,
            deadline_at=find_deadline(options.deadline, now) or now + WINDOW_S,
            keep_s=float(keep.seconds if keep is not None else KEEP_MOST_S),
            places=self.way.encode_passed(file.places),
        )
        created = partial(
            batches.create_batch, row=row, unended_states=UNENDED, unended_max=UNENDED_PER_COOP_MAX
        )
        if not await self._store.write_new(created):
            raise refused("batches_full", limit=UNENDED_PER_COOP_MAX)
        self._on_change()
        return self._describe(row, lang)

    async def get(self, caller: Caller, batch: str, lang: str) -> BatchObject:
        """Returns a batch of the caller.

        Raises:
            Refused: ``unknown_batch``.
        """
        return self._describe(await self.find(caller, batch), lang)

    async def list_batches(self, caller: Caller, *, after: str, limit: int, lang: str) -> BatchList:
        """Returns a page of the caller's batches, newest first."""
        own = partial(batches.list_of_coop, coop=caller.coop, senders=caller.senders)
        listed = partial(own, after=after, limit=limit + 1)
        rows = await self._store.read(listed)
        page = [self._describe(row, lang) for row in rows[:limit]]
        first, last = (page[0].id, page[-1].id) if page else (None, None)
        return BatchList(page, first, last, has_more=len(rows) > limit)

    async def cancel(self, caller: Caller, batch: str, lang: str) -> BatchObject:
        """Begins to cancel a batch.

        Raises:
            Refused: ``unknown_batch``, or ``batch_ended``.
        """
        row = await self.find(caller, batch)
        if row.state != BatchState.CANCELLING and not await self.end(batch):
            raise refused("batch_ended", batch=batch)
        return await self.get(caller, batch, lang)

    async def end(self, batch: str) -> bool:
        """Begins to cancel a batch, whosever it is; returns False if it was ending or ended."""
        cancellable = [state for state in BatchState if BATCH.allows(state, "cancel")]
        cancel = partial(batches.cancel_batch, batch=batch, only_in=cancellable, now=time.time())
        if not await self._store.write(cancel):
            return False
        self._on_change()
        return True

    async def cancel_of(self, sender: str) -> None:
        """Cancels the batches of a person or a key; waits until they have ended, if not too long.

        The core then plans none of their lines any more.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_WAIT_S):
                while own := await self._list_unended(sender):
                    for batch in own:
                        await self.end(batch)
                    await asyncio.sleep(CANCEL_POLL_S)

    async def _list_unended(self, sender: str) -> list[str]:
        rows = await self._store.read(partial(batches.list_in, states=UNENDED))
        return [row.batch for row in rows if account_of(row.key) == sender]

    async def find(self, caller: Caller, batch: str) -> BatchRow:
        """Returns the row of a caller's batch.

        Raises:
            Refused: ``unknown_batch``.
        """
        if has_form(batch, BATCH_PREFIX):
            row = await self._store.read(lambda c: batches.get_batch(c, batch))
            if row is not None and caller.may_read(row.coop, row.key):
                return row
        raise refused("unknown_batch", batch=clean_text(batch))

    async def may_pass(self, section: str, name: str) -> bool:
        """Whether the texts of a job or a batch, by its section of an export, may pass here."""
        if section == "jobs":
            job = await self._store.get_kept(name)
            return job is None or self.way.fits_job(job.facts)
        batch = await self._store.read(partial(batches.get_batch, batch=name))
        return batch is None or self.way.fits(batch)

    def _describe(self, row: BatchRow, lang: str) -> BatchObject:
        sealer = self._sealer if self.way.fits(row) else None
        return describe_batch(row, sealer, lang, self._clock)

    # Files of results.

    async def find_results(self, caller: Caller, file: str) -> tuple[BatchRow, ResultFile] | None:
        """Returns the batch of a file of the caller's results; None for any other file."""
        parsed = parse_file_id(file)
        if parsed is None:
            return None
        row = await self._store.read(lambda c: batches.get_batch(c, parsed.batch))
        is_own = row is not None and caller.may_read(row.coop, row.key)
        return (row, parsed) if row is not None and is_own else None

    async def list_files(self, caller: Caller) -> list[FileObject]:
        """Returns the caller's files of results."""
        return await self.results.list_files(caller)

    async def delete_results(self, row: BatchRow, file: ResultFile) -> None:
        """Deletes a file of results.

        Raises:
            Refused: ``file_in_use``: the batch has not ended.
        """
        if row.state in UNENDED:
            raise refused("file_in_use", file=file.id)
        await self.results.delete(row, failed=file.failed)

    async def run_expiry(self) -> None:
        """Deletes batches and files after their time, once a minute."""
        while True:
            now = time.time()
            expire = partial(batches.expire_batches, now=now)
            expired = await self._store.write(expire, WhenFull.DROP)
            if any((expired, await self._files.expire(UNENDED))):
                await self._store.overwrite_log()
            await asyncio.sleep(EXPIRE_EVERY_S)


def _check_batch_options(options: Options, fields: PoolFields, now: float) -> Options:
    """Returns the options of a batch, from its headers and its body.

    Raises:
        Refused: ``invalid_request``: an option is invalid, contradicted, or one of a single line.
    """
    options = with_body_options(options, fields, now)
    for name in PER_LINE:
        if getattr(options, name) not in ("", None):
            raise refused("invalid_request", param=options.names[name], fault="per_line")
    if options.job_class not in ("", JOB_CLASS):
        raise refused(
            "invalid_request", param=options.names["job_class"], fault="not_one_of",
            choices=JOB_CLASS, found=show_value(options.job_class),
        )  # fmt: skip
    check_options(options, now)
    return options


def _common_fields(options: Options) -> PoolFields:
    """Returns what of a batch's options holds for each line; their deadline is the batch's."""
    words = {
        name: getattr(options, name) or None
        for name in (
            "data_class",
            "jurisdiction",
            "controlled_by",
            "task",
            "language",
            "openness",
            "prefix",
        )
    }
    return PoolFields(max_gco2e=options.max_gco2e, **words)
