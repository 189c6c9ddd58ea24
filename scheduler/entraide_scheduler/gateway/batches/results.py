"""Results: the answers and the errors of a batch's lines, as two files in OpenAI's form.

The files are not stored: each line is made from its result when it is read, in the order in which
the lines ended, also while the batch runs. A file's size is computed from the sizes of the results.
"""

import time
from collections.abc import AsyncIterator, Iterable
from functools import partial

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from sqlalchemy import Connection

from entraide_scheduler.gateway.batches.files import FileObject
from entraide_scheduler.gateway.batches.outcome import EXPIRED_CODES
from entraide_scheduler.gateway.jobs import (
    BATCH_PREFIX,
    FILE_PREFIX,
    KEPT_PREFIX,
    SEAL_BYTES,
    Caller,
    Sealer,
    has_form,
)
from entraide_scheduler.gateway.refusals import ErrorReply, refusals, refused
from entraide_scheduler.store import batch_results, batches
from entraide_scheduler.store.batch_results import ResultGroup
from entraide_scheduler.store.erasure_notes import note
from entraide_scheduler.store.rows import BatchResultRow, BatchRow
from entraide_scheduler.store.store import Store

PURPOSE = "batch_output"
ANSWERS, ERRORS = "-output", "-errors"  # ends of the files' identifiers
RESULTS_AT_ONCE = 64
LIST_MAX = 10_000
REQUEST_PREFIX = "batch_req_"


class LineResponse(Struct, frozen=True):
    """The reply to a line, as its endpoint would have given it."""

    status_code: int
    request_id: str
    body: Raw


class LineError(Struct, frozen=True):
    """Why a line got no reply."""

    code: str
    message: str
    message_fr: str | UnsetType = UNSET


class ResultLine(Struct, frozen=True):
    """A line of a file of results; ``custom_id`` joins it to its request."""

    id: str
    custom_id: Raw
    response: LineResponse | None
    error: LineError | None


class ResultFile(Struct, frozen=True):
    """A file of results: its batch, and whether it is that of the errors."""

    batch: str
    failed: bool

    @property
    def id(self) -> str:
        """The identifier of the file."""
        return make_file_id(self.batch, failed=self.failed)


def make_file_id(batch: str, *, failed: bool) -> str:
    """Returns the identifier of a batch's file of answers, or of errors."""
    return FILE_PREFIX + batch.removeprefix(BATCH_PREFIX) + (ERRORS if failed else ANSWERS)


def parse_file_id(file: str) -> ResultFile | None:
    """Returns the file of results that an identifier names; None if it has another form.

    >>> parse_file_id(make_file_id("batch_0123456789abcdef012345", failed=True)).batch
    'batch_0123456789abcdef012345'
    """
    for end in (ANSWERS, ERRORS):
        name = file.removesuffix(end)
        if name != file and has_form(name, FILE_PREFIX):
            return ResultFile(BATCH_PREFIX + name.removeprefix(FILE_PREFIX), end == ERRORS)
    return None


def describe_file(row: BatchRow, groups: Iterable[ResultGroup], *, failed: bool) -> FileObject:
    """Returns a file of results in OpenAI's form.

    Args:
        row: the batch.
        groups: its results, by error code.
        failed: whether the file is that of the errors.
    """
    size = sum(_group_bytes(row, group) for group in groups if bool(group.code) is failed)
    return FileObject(
        id=make_file_id(row.batch, failed=failed),
        bytes=size,
        created_at=int(row.started_at or row.created_at),
        expires_at=int(row.expires_at or row.deadline_at + row.keep_s),
        filename=f"{row.batch}{ERRORS if failed else ANSWERS}.jsonl",
        purpose=PURPOSE,
    )


def _group_bytes(row: BatchRow, group: ResultGroup) -> int:
    """Returns the size of the lines of results with one error code."""
    sealed = (group.name_bytes - group.results * SEAL_BYTES) + (
        0 if group.code else group.result_bytes - group.results * SEAL_BYTES
    )
    job = KEPT_PREFIX + row.batch.removeprefix(BATCH_PREFIX) + "0" * 8
    empty = render_line(row, job, group.code, name=b"", answer=b"")
    return sealed + group.results * len(empty)


def render_line(row: BatchRow, job: str, code: str, *, name: bytes, answer: bytes) -> bytes:
    """Returns the line of a result.

    Args:
        row: the batch.
        job: identifier of the job that ran the line, or would have.
        code: stable error code; "" for an answer.
        name: the ``custom_id``, as JSON.
        answer: the answer, as JSON; empty for an error.
    """
    response: LineResponse | None = None
    error: LineError | None = None
    if code in EXPIRED_CODES or code == "batch_cancelled":
        code = "batch_expired" if code in EXPIRED_CODES else code
        error = LineError(code, **refusals.error_messages(ErrorReply(code), row.lang))
    elif code:
        refusal = ErrorReply(code, job=job)
        body = Raw(refusals.error_body(refusal, row.lang))
        response = LineResponse(refusals.http_status(refusal), job, body)
    else:
        response = LineResponse(200, job, Raw(answer))
    line = ResultLine(REQUEST_PREFIX + job.removeprefix(KEPT_PREFIX), Raw(name), response, error)
    return msgspec.json.encode(line) + b"\n"


class BatchResults:
    """Reads the files of results."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    async def describe(self, row: BatchRow, *, failed: bool) -> FileObject:
        """Returns a file of results in OpenAI's form.

        Raises:
            Refused: ``unknown_file``: there is no such result, or no longer.
        """
        groups = await self._store.read(partial(batch_results.group_results, batch=row.batch))
        if not any(bool(group.code) is failed for group in groups):
            raise refused("unknown_file", file=make_file_id(row.batch, failed=failed))
        return describe_file(row, groups, failed=failed)

    async def list_files(self, caller: Caller) -> list[FileObject]:
        """Returns the files of results of the caller's batches."""
        coop = caller.coop
        groups = await self._store.read(partial(batch_results.group_results_of, coop=coop))
        own = partial(batches.list_of_coop, coop=coop, senders=caller.senders, limit=LIST_MAX)
        rows = await self._store.read(own)
        return [
            describe_file(row, groups[row.batch], failed=failed)
            for row in rows
            for failed in (False, True)
            if any(bool(group.code) is failed for group in groups.get(row.batch, ()))
        ]

    async def read(self, row: BatchRow, *, failed: bool) -> AsyncIterator[bytes]:
        """Yields the content of a file of results, some lines at a time.

        Raises:
            InvalidTag: the store was altered.
        """
        position = 0
        while True:
            listed = partial(
                batch_results.list_results, batch=row.batch, failed=failed, after=position,
                limit=RESULTS_AT_ONCE,
            )  # fmt: skip
            results = await self._store.read(listed)
            if not results:
                return
            yield b"".join(self._render(row, result) for result in results)
            position = results[-1].position

    async def delete(self, row: BatchRow, *, failed: bool) -> None:
        """Deletes the results in a file."""
        file, now = make_file_id(row.batch, failed=failed), time.time()

        def erase(connection: Connection) -> None:
            batch_results.delete_results(connection, row.batch, failed=failed)
            note(connection, file, now)

        await self._store.write(erase)
        await self._store.overwrite_log()

    def _render(self, row: BatchRow, result: BatchResultRow) -> bytes:
        name = self._sealer.unseal(row.batch, f"name/{result.line}", result.sealed_name)
        answer = b""
        if not result.code:
            answer = self._sealer.unseal(result.job, "result", result.sealed_result)
        return render_line(row, result.job, result.code, name=name, answer=answer)
