"""Export: a pool's journal as one file, read from its store while the pool runs or stands still.

Decides where a recording begins: at the oldest snapshot that is kept, or the one before a moment
that was asked for, and not before the version that decides now. Nothing in the store is changed.
"""

import gzip
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from entraide.decoding import decode_msgpack
from entraide.errors import PoolError
from entraide_scheduler.core.recording import Head, Line, written
from entraide_scheduler.journal import DriverSnapshot
from entraide_scheduler.store import journal
from entraide_scheduler.store.database import check_current, database_url, make_engines
from entraide_scheduler.store.journal import JournalRow, SnapshotKey

COMPRESS_LEVEL = 6


class ExportSummary(Struct, frozen=True):
    """What a recording holds.

    Attributes:
        file: where it is.
        version: of Entraide, whose decisions it has.
        events: how many follow its snapshot.
        start_at: when its snapshot was taken, seconds since the epoch.
        bytes: its size.
    """

    file: str
    version: str
    events: int
    start_at: float
    bytes: int


def write_recording(url: str, file: Path, *, since: float = 0.0) -> ExportSummary:
    """Writes a recording, readable by its owner only.

    Args:
        url: of the store.
        file: to write; one that is there is replaced.
        since: the recording begins at the last snapshot before that, seconds since the epoch.

    Raises:
        PoolError: ``journal_absent``: there is no store, or nothing in it to replay; or what
            opening a store raises.
    """
    parsed = database_url(url)
    if parsed.drivername == "sqlite" and not Path(parsed.database or "").is_file():
        raise _absent(str(parsed.database))
    engines = make_engines(parsed)
    try:
        return _write_recording(engines[1], file, since)
    except SQLAlchemyError as problem:
        raise PoolError(
            "journal_unreadable",
            f"The journal cannot be read: {problem!r}",
            values={"event": 0, "detail": str(problem).partition("\n")[0]},
        ) from problem
    finally:
        for engine in engines:
            engine.dispose()


def _write_recording(engine: Engine, file: Path, since: float) -> ExportSummary:
    with engine.connect() as connection:
        check_current(connection)
        frame, seq = _first_snapshot(connection, since)
        head = Head(frame.version, frame.core, frame.event_id, frame.at, frame.digest)
        counted = _CountingRows(journal.read_events_after(connection, seq))
        part = file.with_name(f"{file.name}.part")
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        # Neither a name nor a moment in it: the same journal gives the same bytes.
        with (
            os.fdopen(opened, "wb") as raw,
            gzip.GzipFile("", "wb", COMPRESS_LEVEL, raw, mtime=0) as packed,
        ):
            for block in written(head, counted):
                packed.write(block)
        part.replace(file)
    size = file.stat().st_size
    return ExportSummary(str(file), frame.version, counted.lines, frame.at, size)


def _first_snapshot(connection: Connection, since: float) -> tuple[DriverSnapshot, int]:
    """Returns the snapshot to begin at, and its number."""
    undigested = journal.last_undigested_seq(connection)
    rows = [row for row in journal.list_snapshots(connection) if row.seq >= undigested]
    if not rows:
        raise _absent("")
    newest = _read_snapshot(connection, rows[-1])
    earlier = [number for number, row in enumerate(rows) if row.at <= since]
    for row in rows[earlier[-1] if earlier else 0 : -1]:
        frame = _read_snapshot(connection, row)
        if frame.version == newest.version:
            return frame, row.seq
    return newest, rows[-1].seq


def _read_snapshot(connection: Connection, row: SnapshotKey) -> DriverSnapshot:
    return decode_msgpack(journal.read_snapshot(connection, row.seq), type=DriverSnapshot)


class _CountingRows:
    """Lines of rows, counted as they go by."""

    def __init__(self, rows: Iterable[JournalRow]) -> None:
        self._rows = rows
        self.lines = 0

    def __iter__(self) -> Iterator[Line]:
        for row in self._rows:
            self.lines += 1
            yield Line(row.event, row.digest)


def _absent(path: str) -> PoolError:
    return PoolError(
        "journal_absent",
        f"There is no journal to export {path}",
        values={"path": path} if path else {},
    )
