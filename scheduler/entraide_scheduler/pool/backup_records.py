"""Backup records: the content of a backup, as a stream of MessagePack records.

First the files of the pool's directory, then the rows of the store, then the end with the number
and the SHA-256 of each part. A record is its length (4 bytes) and its MessagePack.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, TypeAlias

import msgspec
from msgspec import Struct

from entraide.decoding import MsgpackDecoder
from entraide_scheduler.pool.sealed_file import SealedFault
from entraide_scheduler.store.dump import TableRows

RECORD_BYTES_MAX = 256 * 1024 * 1024
FILE_BYTES_MAX = 64 * 1024**3
PART_BYTES = 16 * 1024 * 1024
FILES_MAX = 10_000
PATH_CHARS_MAX = 512

_LENGTH = struct.Struct(">I")


class FileRecord(Struct, frozen=True, array_like=True, tag="file"):
    """A part of a file; its parts follow each other.

    Attributes:
        path: in the pool's directory, with ``/`` between.
        content: of the part.
        offset: where it begins in the file, bytes.
    """

    path: str
    content: bytes
    offset: int = 0


class RowsRecord(Struct, frozen=True, array_like=True, tag="rows"):
    """Rows of one table, as ``TableRows``."""

    table: str
    columns: tuple[str, ...]
    rows: list[list[Any]]


class EndRecord(Struct, frozen=True, array_like=True, tag="end"):
    """The end.

    Attributes:
        files: SHA-256 of each file's content, by path.
        tables: of each table, the number of rows and the SHA-256 over its records.
    """

    files: dict[str, str]
    tables: dict[str, tuple[int, str]]


Record: TypeAlias = FileRecord | RowsRecord | EndRecord

_encoder = msgspec.msgpack.Encoder()
_decoder: MsgpackDecoder[Record] = MsgpackDecoder(Record)


class PartDigests:
    """Counts and digests of the parts of a backup, computed while they pass."""

    def __init__(self) -> None:
        self._files: dict[str, Any] = {}
        self._rows: dict[str, int] = {}
        self._tables: dict[str, Any] = {}

    def add(self, record: Record, packed: bytes) -> None:
        """Adds a record and its bytes."""
        if isinstance(record, FileRecord):
            self._files.setdefault(record.path, hashlib.sha256()).update(record.content)
        elif isinstance(record, RowsRecord):
            table = record.table
            self._rows[table] = self._rows.get(table, 0) + len(record.rows)
            self._tables.setdefault(table, hashlib.sha256()).update(packed)

    def end(self) -> EndRecord:
        """Returns the end of a backup with these parts."""
        tables = {
            table: (self._rows[table], digest.hexdigest()) for table, digest in self._tables.items()
        }
        files = {path: digest.hexdigest() for path, digest in self._files.items()}
        return EndRecord(files, tables)


class RecordWriter:
    """Writes records to a stream."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._digests = PartDigests()

    def add_file(self, path: str, file: BinaryIO) -> None:
        """Writes a file, in parts."""
        offset = 0
        while (content := file.read(PART_BYTES)) or not offset:
            self._add(FileRecord(path, content, offset))
            offset += len(content)
            if not content:
                return

    def add_rows(self, batch: TableRows) -> None:
        """Writes rows of a table."""
        self._add(RowsRecord(batch.table, batch.columns, batch.rows))

    def finish(self) -> EndRecord:
        """Writes the end and returns it."""
        end = self._digests.end()
        self._add(end)
        return end

    def _add(self, record: Record) -> None:
        packed = _encoder.encode(record)
        assert len(packed) <= RECORD_BYTES_MAX, "a row exceeds the longest record"
        self._digests.add(record, packed)
        self._write(_LENGTH.pack(len(packed)) + packed)


def read_records(read: Callable[[int], bytes]) -> Iterator[FileRecord | RowsRecord]:
    """Yields the files and rows of a backup, and checks its end.

    Args:
        read: returns exactly so many bytes.

    Raises:
        SealedFault: ``damaged``.
    """
    digests, files, end = PartDigests(), 0, ("", 0)
    while True:
        (size,) = _LENGTH.unpack(read(_LENGTH.size))
        if size > RECORD_BYTES_MAX:
            raise SealedFault("damaged")
        packed = read(size)
        try:
            record = _decoder.decode(packed)
        except msgspec.MsgspecError:
            raise SealedFault("damaged") from None
        if isinstance(record, EndRecord):
            if record != digests.end():
                raise SealedFault("damaged")
            return
        if isinstance(record, FileRecord):
            is_next = (record.path, record.offset) == end
            files += not is_next
            if files > FILES_MAX or not (is_next or record.offset == 0):
                raise SealedFault("damaged")
            if not _is_inside(record.path):
                raise SealedFault("damaged")
            end = record.path, record.offset + len(record.content)
        digests.add(record, packed)
        yield record


def _is_inside(path: str) -> bool:
    """Whether a path stays in the directory to which it is relative."""
    parts = PurePosixPath(path).parts
    return (
        0 < len(path) <= PATH_CHARS_MAX
        and bool(parts)
        and not path.startswith("/")
        and ".." not in parts
        and "\0" not in path
    )
