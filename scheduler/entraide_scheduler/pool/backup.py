"""Backup: writes a pool's directory and store into one sealed file, while the pool runs.

The store is read in one transaction, so that all its tables are of one moment, and the files are
read within it. The file is complete or does not appear. Left out is what a pool makes anew or
fetches again: logs, weights, the bus's own directory, the files of processes.
"""

import contextlib
import fnmatch
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

import entraide
from entraide.errors import PoolError
from entraide.files import sync_directory, write_private
from entraide.types import UNKNOWN_PLACE, ServerPlace
from entraide_scheduler.config import INTERIM
from entraide_scheduler.erasure_list import BESIDE_BACKUPS, merge_into, read_list
from entraide_scheduler.erasure_list import FILE as ERASED_FILE
from entraide_scheduler.findings import STARTS_FILES
from entraide_scheduler.notifications import STATE_FILE as NOTIFY_STATE
from entraide_scheduler.pool.backup_config import FOLDER
from entraide_scheduler.pool.backup_records import FILE_BYTES_MAX, FILES_MAX, RecordWriter
from entraide_scheduler.pool.backup_verification import verify_backup
from entraide_scheduler.pool.config import PoolConfig, load_pool_config, scheduler_config
from entraide_scheduler.pool.restore import refused
from entraide_scheduler.pool.sealed_file import (
    FORMAT,
    MAGIC,
    SealedFault,
    SealedHead,
    SealedWriter,
)
from entraide_scheduler.store.database import database_url
from entraide_scheduler.store.dump import StoreView, open_view

RECORD_FILE = "last-backup.json"
DAILY_RECORD_FILE = "daily-backup.json"
MADE_ANEW = (
    "weights", "mirror", "logs", "nats", "versions", "upgrade", FOLDER, "pool.json",
    "scheduler.toml", "gateway-*.toml", f"{INTERIM}*.toml", "*.lock", RECORD_FILE,
    DAILY_RECORD_FILE, ERASED_FILE, STARTS_FILES, NOTIFY_STATE, ".*",
)  # fmt: skip


class BackupRecord(Struct, frozen=True):
    """The last backup of a pool, in ``last-backup.json`` of its directory.

    Attributes:
        at: when it was made, seconds since the epoch.
        file: path of the backup.
        place: where backups were kept then, as ``pool.toml`` said.
    """

    at: float
    file: str = ""
    place: ServerPlace = UNKNOWN_PLACE


class BackupSummary(Struct, frozen=True):
    """What a backup holds.

    Attributes:
        file: its path.
        bytes: its size.
        at: the moment of which its content is, seconds since the epoch.
        files: number of files of the pool's directory.
        rows: number of rows of the store.
        left_out: files that are too large, or beyond the number that a backup takes.
        place: where ``pool.toml`` says that backups are kept.
        deleted: the older daily backups that were deleted after it.
    """

    file: str
    bytes: int
    at: float
    files: int
    rows: int
    left_out: tuple[str, ...]
    place: ServerPlace = UNKNOWN_PLACE
    deleted: tuple[str, ...] = ()


def write_backup(
    state: Path, file: Path, passphrase: str, *, is_verified: bool = False
) -> BackupSummary:
    """Writes a backup of a pool, readable by its owner only. Blocks.

    Args:
        state: the pool's directory.
        file: path to write; an existing file is replaced at the end.
        passphrase: opens the backup again.
        is_verified: whether it is opened and read to its end before it has its name.

    Raises:
        PoolError: ``pool_absent``, ``config_refused``, ``backup_not_written``, an error of opening
            the store, or see ``verify_backup``.
    """
    config = load_pool_config(state)
    try:
        return _write(state, config, file, passphrase, is_verified=is_verified)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise _not_written(file, reason) from problem
    except SQLAlchemyError as problem:
        raise _not_written(file, str(problem).partition("\n")[0]) from problem


def record_backup(state: Path, summary: BackupSummary) -> None:
    """Writes ``last-backup.json``, and the list of erasures and revocations beside the backup.

    Raises:
        PoolError: ``backup_not_written``, or ``erasures_unreadable``.
    """
    own, beside = state / ERASED_FILE, Path(summary.file).parent / BESIDE_BACKUPS
    try:
        if own.exists():
            merge_into(beside, read_list(own))
    except OSError as problem:
        raise _not_written(beside, problem.strerror or str(problem)) from problem
    record = BackupRecord(summary.at, summary.file, summary.place)
    try:
        write_private(state / RECORD_FILE, msgspec.json.encode(record))
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise _not_written(state / RECORD_FILE, reason) from problem


def _write(
    state: Path, config: PoolConfig, file: Path, passphrase: str, *, is_verified: bool
) -> BackupSummary:
    url = scheduler_config(config, state, bus_url="").effective_store_url
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")  # made 0600
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as raw, open_view(url) as view:
            at = time.time()
            head = SealedHead(FORMAT, entraide.__version__, view.revision, at)
            sealed = SealedWriter(raw, passphrase, head)
            left_out, files, rows = _write_parts(state, url, view, RecordWriter(sealed.write))
            sealed.finish()
            raw.flush()
            os.fsync(raw.fileno())
        size = part.stat().st_size
        if is_verified:
            _check_same(part, verify_backup(part, passphrase), (files, rows))
        part.replace(file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        raise
    sync_directory(file.parent)
    return BackupSummary(str(file), size, at, files, rows, left_out, config.backup.place)


def _check_same(file: Path, read: tuple[int, int], written: tuple[int, int]) -> None:
    """Checks that a backup holds as many files and rows as were written.

    Raises:
        PoolError: ``backup_refused``.
    """
    if read != written:
        raise refused(file, SealedFault("damaged"))


def _write_parts(
    state: Path, url: str, view: StoreView, records: RecordWriter
) -> tuple[tuple[str, ...], int, int]:
    """Writes the files and the rows; returns the files left out and both numbers."""
    left_out, files = [], 0
    for path in find_files(state, url):
        name = path.relative_to(state).as_posix()
        with path.open("rb") as opened:
            if opened.read(len(MAGIC)) == MAGIC:
                continue  # an earlier backup
            if path.stat().st_size > FILE_BYTES_MAX or files == FILES_MAX:
                left_out.append(name)
                continue
            opened.seek(0)
            records.add_file(name, opened)
        files += 1
    rows = 0
    for batch in view.read_rows():
        records.add_rows(batch)
        rows += len(batch.rows)
    records.finish()
    return tuple(left_out), files, rows


def find_files(state: Path, url: str) -> Iterator[Path]:
    """Yields the files of a pool's directory that a backup takes, by name."""
    database = database_url(url)
    store = Path(database.database or "").resolve() if database.drivername == "sqlite" else None
    for path in sorted(state.rglob("*")):
        first = path.relative_to(state).parts[0]
        is_anew = any(fnmatch.fnmatch(first, pattern) for pattern in MADE_ANEW)
        is_store = (
            store is not None
            and path.parent.resolve() == store.parent
            and path.name in {store.name, f"{store.name}-wal", f"{store.name}-shm"}
        )
        if not is_anew and not is_store and path.is_file():
            yield path


def _not_written(file: Path, problem: str) -> PoolError:
    return PoolError(
        "backup_not_written",
        f"{file}: {problem}",
        values={"path": str(file), "problem": problem},
    )
