"""Export: writes a pool's journal from its store into one file, whether or not the pool runs.

A recording begins at the oldest retained snapshot, or at the last one before a given time, and
never before the snapshots of the newest version of Entraide, or those since the pool's clock was
set back. The store is only read.
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
from entraide_scheduler.core.recording import RecordedEvent, RecordingHead, encode_recording
from entraide_scheduler.driver.journal import DriverSnapshot
from entraide_scheduler.store import journal
from entraide_scheduler.store.database import check_current, database_url, make_engines
from entraide_scheduler.store.journal import JournalRow, SnapshotKey

COMPRESS_LEVEL = 6


class ExportSummary(Struct, frozen=True):
    """Summary of a recording.

    Attributes:
        file: path.
        version: version of Entraide that made the decisions.
        events: number of events after the snapshot.
        start_at: time of the snapshot, seconds since the epoch.
        bytes: size of the file.
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
        file: path to write; an existing file is replaced.
        since: seconds since the epoch; the recording begins at the last snapshot before.

    Raises:
        PoolError: ``journal_absent``: there is no store, or it has no snapshot; or an error of
            opening a store.
    """
    parsed = database_url(url)
    if parsed.drivername == "sqlite" and not Path(parsed.database or "").is_file():
        raise _absent_error(str(parsed.database))
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
        head = RecordingHead(frame.version, frame.core, frame.event_id, frame.at, frame.digest)
        counted = _CountingRows(journal.read_events_after(connection, seq))
        part = file.with_name(f"{file.name}.part")
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        # Without a name and a time in the header, the same journal gives the same bytes.
        with (
            os.fdopen(opened, "wb") as raw,
            gzip.GzipFile("", "wb", COMPRESS_LEVEL, raw, mtime=0) as packed,
        ):
            for block in encode_recording(head, counted):
                packed.write(block)
        part.replace(file)
    size = file.stat().st_size
    return ExportSummary(str(file), frame.version, counted.lines, frame.at, size)


def _first_snapshot(connection: Connection, since: float) -> tuple[DriverSnapshot, int]:
    """Returns the snapshot with which the recording begins, and its sequence number."""
    undigested = journal.last_undigested_seq(connection)
    rows = [row for row in journal.list_snapshots(connection) if row.seq >= undigested]
    if not rows:
        raise _absent_error("")
    newest = _read_snapshot(connection, rows[-1])
    earlier = [number for number, row in enumerate(rows) if row.at <= since]
    for row in rows[earlier[-1] if earlier else 0 : -1]:
        frame = _read_snapshot(connection, row)
        made_alike = (frame.version, frame.clock_settings)
        if made_alike == (newest.version, newest.clock_settings):
            return frame, row.seq
    return newest, rows[-1].seq


def _read_snapshot(connection: Connection, row: SnapshotKey) -> DriverSnapshot:
    return decode_msgpack(journal.read_snapshot(connection, row.seq), type=DriverSnapshot)


class _CountingRows:
    """Iterates over rows as lines of a recording, and counts them."""

    def __init__(self, rows: Iterable[JournalRow]) -> None:
        self._rows = rows
        self.lines = 0

    def __iter__(self) -> Iterator[RecordedEvent]:
        for row in self._rows:
            self.lines += 1
            yield RecordedEvent(row.event, row.digest)


def _absent_error(path: str) -> PoolError:
    return PoolError(
        "journal_absent",
        f"There is no journal to export {path}",
        values={"path": path} if path else {},
    )
