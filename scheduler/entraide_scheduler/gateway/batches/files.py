"""Files: what a co-op sends for its batches, stored in sealed parts.

In: an upload's bytes as they arrive, or the identifier of a file. Out: OpenAI's file object, or the
content in pieces. No more than a part of a file is in memory. Files are in the store, so that all
gateways of the pool have them; they are deleted after their time.
"""

import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Literal

from msgspec import Meta, Struct, field, structs

from entraide_scheduler.config import FILE_MAX_BYTES
from entraide_scheduler.gateway.http import FILE_FIELD, BodyStream, UploadForm
from entraide_scheduler.gateway.jobs import FILE_PREFIX, Caller, Sealer, has_form, make_id
from entraide_scheduler.gateway.refusals import clean_text, refused, show_value
from entraide_scheduler.store import files as table
from entraide_scheduler.store import trusted_time
from entraide_scheduler.store.files import SealedPart
from entraide_scheduler.store.rows import FileRow
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.writer import WhenFull

PURPOSE = "batch"
PART_BYTES = 1024 * 1024
ORDERS = ("asc", "desc")  # of a list, by time
FILES_PER_COOP_MAX = 1_000
KEEP_LEAST_S, KEEP_MOST_S = 3_600, 30 * 86_400
BYTES_PER_MB = 1_000_000
ANCHOR_FIELD, SECONDS_FIELD = "expires_after[anchor]", "expires_after[seconds]"
ANCHOR = "created_at"
SECONDS_DIGITS_MAX = 9


class FileObject(Struct, frozen=True):
    """A file in OpenAI's form; times are whole seconds since the epoch."""

    id: str
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    object: str = "file"
    status: str = "processed"


class FileList(Struct, frozen=True):
    """A page of files; the next page begins after ``last_id``."""

    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
    object: str = "list"


class FileDeletion(Struct, frozen=True):
    """The reply to a deletion."""

    id: str
    deleted: bool = True
    object: str = "file"


class FileForm(Struct, frozen=True):
    """The form of an upload; ``expires_after`` is for how long the file is kept."""

    file: bytes
    purpose: Literal["batch"]
    expires_after_anchor: Literal["created_at"] | None = field(default=None, name=ANCHOR_FIELD)
    expires_after_seconds: Annotated[int, Meta(ge=KEEP_LEAST_S, le=KEEP_MOST_S)] | None = field(
        default=None, name=SECONDS_FIELD
    )


class Files:
    """The files of all co-ops."""

    def __init__(self, store: Store, sealer: Sealer, *, mb_per_coop: int) -> None:
        """Creates the use cases; a co-op stores at most ``mb_per_coop`` MB (10^6 bytes)."""
        self._store = store
        self._sealer = sealer
        self._coop_bytes_max = mb_per_coop * BYTES_PER_MB

    async def upload(
        self, caller: Caller, content_type: str, body: BodyStream, passed: bytes = b""
    ) -> FileObject:
        """Stores the file of an uploaded form; it is on disk on return.

        Args:
            caller: who sends it.
            content_type: of the form.
            body: the form.
            passed: encoded places of the gateways elsewhere that it passes.

        Raises:
            Refused: the form is invalid or broken off, or the file or the co-op's files too large.
        """
        now = await self._store.read(partial(trusted_time.correct, now=time.time()))
        form = UploadForm(content_type)
        row = FileRow(
            file=make_id(FILE_PREFIX, now),
            coop=caller.coop,
            project=caller.project,
            key=caller.key,
            purpose=PURPOSE,
            sealed_name=b"",
            places=passed,
            created_at=now,
            expires_at=now + KEEP_MOST_S,
        )
        if not await self._store.write_new(lambda c: table.create_file(c, row, FILES_PER_COOP_MAX)):
            raise refused("files_full", limit=FILES_PER_COOP_MAX)
        try:
            size = await self._store_content(row, form, body)
            form.finish()
            if not size:
                raise refused("invalid_request", param=FILE_FIELD, fault="empty")
            row = structs.replace(
                row,
                bytes=size,
                complete=True,
                expires_at=now + _read_keep_s(form.fields),
                sealed_name=self._sealer.seal(row.file, "name", (form.file_name or "").encode()),
            )
            _check_purpose(form.fields)
            await self._store.write(lambda c: table.complete_file(c, row))
        except BaseException:
            self._store.write(lambda c: table.delete_file(c, row.file), WhenFull.DROP)
            raise
        return self._describe(row)

    async def get(self, caller: Caller, file: str) -> FileObject:
        """Returns a file of the caller.

        Raises:
            Refused: ``unknown_file``.
        """
        return self._describe(await self.find(caller, file))

    async def list_files(self, caller: Caller) -> list[FileObject]:
        """Returns the caller's files, newest first."""
        rows = await self._store.read(lambda c: table.list_files(c, caller.coop, caller.senders))
        return [self._describe(row) for row in rows]

    async def delete(self, caller: Caller, file: str, unless_in: tuple[str, ...]) -> None:
        """Deletes a file.

        Raises:
            Refused: ``unknown_file``, or ``file_in_use`` by a batch in one of some states.
        """
        await self.find(caller, file)
        erase = partial(table.erase_file, file=file, unless_in=unless_in, now=time.time())
        if not await self._store.write(erase):
            raise refused("file_in_use", file=file)
        await self._store.overwrite_log()

    async def expire(self, unless_in: tuple[str, ...]) -> int:
        """Deletes files after their time, except the input of batches in some states.

        Returns:
            The number of files.
        """
        return await self._store.write(
            lambda c: table.expire_files(c, time.time(), unless_in), WhenFull.DROP
        )

    async def find(self, caller: Caller, file: str) -> FileRow:
        """Returns the row of a caller's file.

        Raises:
            Refused: ``unknown_file``.
        """
        if has_form(file, FILE_PREFIX):
            row = await self._store.read(lambda c: table.get_file(c, file))
            if row is not None and caller.may_read(row.coop, row.key):
                return row
        raise refused("unknown_file", file=clean_text(file))

    async def read(self, file: str, first_part: int = 0) -> AsyncIterator[bytes]:
        """Yields the content of a file, part by part, from a part on."""
        number = first_part
        while (part := await self.read_part(file, number)) is not None:
            yield part
            number += 1

    async def read_part(self, file: str, number: int) -> bytes | None:
        """Returns one part of a file's content; None after the last.

        Raises:
            InvalidTag: the store was altered.
        """
        sealed = await self._store.read(lambda c: table.read_part(c, file, number))
        return None if sealed is None else self._sealer.unseal(file, f"part/{number}", sealed)

    async def _store_content(self, row: FileRow, form: UploadForm, body: BodyStream) -> int:
        """Stores the content part by part as it arrives; returns its size in bytes."""
        rest, number, size = bytearray(), 0, 0
        while data := await body.read():
            content = form.feed(data)
            rest += content
            size += len(content)
            if size > FILE_MAX_BYTES:
                raise refused("body_too_large", limit_bytes=FILE_MAX_BYTES)
            while len(rest) >= PART_BYTES:
                await self._store_part(row, number, bytes(rest[:PART_BYTES]))
                del rest[:PART_BYTES]
                number += 1
        if rest:
            await self._store_part(row, number, bytes(rest))
        return size

    async def _store_part(self, row: FileRow, number: int, content: bytes) -> None:
        sealed = self._sealer.seal(row.file, f"part/{number}", content)
        part = SealedPart(number, sealed, len(content))
        if not await self._store.write_new(
            lambda c: table.add_part(c, row.file, row.coop, part, self._coop_bytes_max)
        ):
            raise refused("files_full", limit_mb=self._coop_bytes_max // BYTES_PER_MB)

    def _describe(self, row: FileRow) -> FileObject:
        return FileObject(
            id=row.file,
            bytes=row.bytes,
            created_at=int(row.created_at),
            expires_at=int(row.expires_at),
            filename=self._sealer.unseal(row.file, "name", row.sealed_name).decode(),
            purpose=row.purpose,
        )


def _check_purpose(fields: dict[str, str]) -> None:
    if "purpose" not in fields:
        raise refused("invalid_request", param="purpose", fault="missing")
    if fields["purpose"] != PURPOSE:
        raise refused(
            "invalid_request", param="purpose", fault="not_one_of", choices=PURPOSE,
            found=show_value(fields["purpose"]),
        )  # fmt: skip


def _read_keep_s(fields: dict[str, str]) -> float:
    """Returns how long a file is kept, seconds."""
    anchor, seconds = fields.get(ANCHOR_FIELD, ANCHOR), fields.get(SECONDS_FIELD)
    if anchor != ANCHOR:
        raise refused(
            "invalid_request", param=ANCHOR_FIELD, fault="not_one_of", choices=ANCHOR,
            found=show_value(anchor),
        )  # fmt: skip
    if seconds is None:
        return KEEP_MOST_S
    is_number = seconds.isascii() and seconds.isdigit() and len(seconds) <= SECONDS_DIGITS_MAX
    if not is_number or not KEEP_LEAST_S <= int(seconds) <= KEEP_MOST_S:
        raise refused(
            "invalid_request", param=SECONDS_FIELD, fault="between", low=KEEP_LEAST_S,
            high=KEEP_MOST_S, found=show_value(seconds),
        )  # fmt: skip
    return float(seconds)
