"""Files that co-ops sent, in sealed parts: queries as functions on a connection.

A file is created empty, takes its parts in order, and is complete after the last one. A file that
is incomplete for ``UPLOAD_MAX_S`` is deleted, because its upload broke off.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func, insert, or_, select, update

from entraide_scheduler.store import trusted_time
from entraide_scheduler.store.erasure_notes import note
from entraide_scheduler.store.owners import is_owned
from entraide_scheduler.store.rows import FileRow
from entraide_scheduler.store.schema import batches, file_parts, files

UPLOAD_MAX_S = 4 * 3_600.0
_COLUMNS = tuple(files.c[name] for name in FileRow.__struct_fields__)


class SealedPart(NamedTuple):
    """A part of a file: its number from 0, its encrypted bytes, and their size unencrypted."""

    number: int
    sealed: bytes
    size: int


class StoredAmount(NamedTuple):
    """How many files a co-op has, and their bytes."""

    files: int
    bytes: int


def create_file(connection: Connection, row: FileRow, files_max: int) -> bool:
    """Adds a file without content; returns False if the co-op has ``files_max`` already."""
    if measure_files(connection, row.coop).files >= files_max:
        return False
    connection.execute(insert(files).values(**msgspec.structs.asdict(row)))
    return True


def measure_files(connection: Connection, coop: str) -> StoredAmount:
    """Returns how much a co-op has stored, incomplete files included."""
    query = select(func.count(), func.coalesce(func.sum(files.c.bytes), 0))
    count, size = connection.execute(query.where(files.c.coop == coop)).one()
    return StoredAmount(count, int(size))


def add_part(
    connection: Connection, file: str, coop: str, part: SealedPart, coop_bytes_max: int
) -> bool:
    """Adds a part to an incomplete file.

    Returns:
        False if the co-op's files would be too large, or if the file is gone.
    """
    if measure_files(connection, coop).bytes + part.size > coop_bytes_max:
        return False
    grown = update(files).where(files.c.file == file).values(bytes=files.c.bytes + part.size)
    if not connection.execute(grown).rowcount:
        return False
    connection.execute(insert(file_parts).values(file=file, number=part.number, sealed=part.sealed))
    return True


def complete_file(connection: Connection, row: FileRow) -> None:
    """Marks a file as complete, with what was known only after its content."""
    values = {"purpose": row.purpose, "expires_at": row.expires_at, "complete": True}
    values["sealed_name"] = row.sealed_name
    connection.execute(update(files).where(files.c.file == row.file).values(**values))


def get_file(connection: Connection, file: str) -> FileRow | None:
    """Returns a complete file."""
    query = select(*_COLUMNS).where((files.c.file == file) & files.c.complete)
    row = connection.execute(query).first()
    return FileRow(*row) if row else None


def list_files(
    connection: Connection, coop: str, senders: Sequence[str] = ()
) -> tuple[FileRow, ...]:
    """Returns the complete files of a co-op's keys, or of a person, newest first.

    Their number is bounded at their creation.
    """
    own = (files.c.coop == coop) & is_owned(files.c.key, senders)
    query = select(*_COLUMNS).where(own & files.c.complete)
    ordered = query.order_by(files.c.created_at.desc(), files.c.file.desc())
    return tuple(FileRow(*row) for row in connection.execute(ordered))


def read_part(connection: Connection, file: str, number: int) -> bytes | None:
    """Returns a part of a file, encrypted; None after the last one."""
    query = select(file_parts.c.sealed)
    return connection.execute(
        query.where((file_parts.c.file == file) & (file_parts.c.number == number))
    ).scalar()


def delete_file(connection: Connection, file: str, unless_in: Sequence[str] = ()) -> bool:
    """Deletes a file and its parts; returns False if a batch in one of some states reads it."""
    if unless_in:
        used = (batches.c.input_file == file) & batches.c.state.in_(unless_in)
        if connection.execute(select(batches.c.batch).where(used).limit(1)).first():
            return False
    connection.execute(delete(file_parts).where(file_parts.c.file == file))
    connection.execute(delete(files).where(files.c.file == file))
    return True


def erase_file(connection: Connection, file: str, unless_in: Sequence[str], now: float) -> bool:
    """Deletes a file as ``delete_file`` does, also again after a restore."""
    is_deleted = delete_file(connection, file, unless_in)
    if is_deleted:
        note(connection, file, now)
    return is_deleted


def expire_files(connection: Connection, now: float, unless_in: Sequence[str]) -> int:
    """Deletes files after their time, and uploads that broke off; returns their number.

    Args:
        connection: of the writer.
        now: seconds since the epoch.
        unless_in: states of batches whose input stays.
    """
    now = trusted_time.limit(connection, now)
    used = select(batches.c.input_file).where(batches.c.state.in_(unless_in))
    broken = ~files.c.complete & (files.c.created_at <= now - UPLOAD_MAX_S)
    over = or_(broken, files.c.complete & (files.c.expires_at <= now))
    query = select(files.c.file).where(over & files.c.file.not_in(used))
    expired = [file for (file,) in connection.execute(query)]
    for file in expired:
        delete_file(connection, file)
    return len(expired)
