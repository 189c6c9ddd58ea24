"""Daily backup: the backup that a running pool makes of itself.

In: the pool's directory and ``[backup]`` of its ``pool.toml``. Out: a sealed and verified file in
the folder of backups, and ``daily-backup.json``, which says what was made last and what has failed
since. A file has its name only once it was read to its end; older daily backups of the same pool
are deleted after that. One process makes one at a time: it locks the folder. A process that is
killed leaves a hidden file, which the next one deletes.
"""

import contextlib
import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, structs

from entraide.decoding import decode_json
from entraide.errors import EntraideError, PoolError
from entraide.files import sync_directory, write_private
from entraide.printable import printable
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nats.keyfiles import make_private_home
from entraide_scheduler.pool.backup import (
    DAILY_RECORD_FILE,
    BackupSummary,
    record_backup,
    write_backup,
)
from entraide_scheduler.pool.backup_schedule import last_due
from entraide_scheduler.pool.config import PoolConfig, load_pool_config
from entraide_scheduler.pool.passphrase import read_passphrase
from entraide_scheduler.store.closed_files import FOLDER as CLOSED_FOLDER
from entraide_scheduler.store.database import database_url

LOCK = ".daily-backup.lock"
SUFFIX = ".backup"
SPARE_BYTES = 200_000_000  # stays free for the store, which may be on the same disk
GROWTH = 1.5  # of a backup from one day to the next, at most
DETAIL_CHARS_MAX = 500


class DailyRecord(Struct, frozen=True):
    """Content of ``daily-backup.json``; moments are seconds since the epoch, 0 for none.

    Attributes:
        due_at: the moment at which the last backup that was made had been due.
        at: of the content of that backup.
        file, bytes: its path and its size.
        failed_at: when the last attempt failed; 0 after a success.
        fault: code of the error then, or ``ended``: the process ended without a word.
        detail: the error's own words.
    """

    due_at: float = 0.0
    at: float = 0.0
    file: str = ""
    bytes: int = 0
    failed_at: float = 0.0
    fault: str = ""
    detail: str = ""


def read_record(state: Path) -> DailyRecord:
    """Returns the record of a pool's directory; an empty one if there is none."""
    try:
        return decode_json((state / DAILY_RECORD_FILE).read_bytes(), type=DailyRecord)
    except (OSError, msgspec.MsgspecError):
        return DailyRecord()


def record_failure(state: Path, fault: str, detail: str, at: float) -> None:
    """Records that an attempt has failed; what was made before stays recorded."""
    record = structs.replace(
        read_record(state),
        failed_at=at,
        fault=fault,
        detail=printable(detail)[:DETAIL_CHARS_MAX],
    )
    with contextlib.suppress(OSError):  # a full disk has a finding of its own
        _write_record(state, record)


def is_due(config: PoolConfig, record: DailyRecord, now: float) -> bool:
    """Whether the backup of the last day has still to be made.

    A record of a later moment than the present one was made while the clock was ahead.
    """
    if not config.backup.daily:
        return False
    due_at = last_due(now, config.backup.daily, ZoneInfo(config.timezone))
    return not due_at <= record.due_at <= now


def read_daily_passphrase(state: Path, config: PoolConfig) -> str:
    """Returns the passphrase that seals the daily backups.

    Raises:
        PoolError: ``passphrase_unreadable`` or ``passphrase_short``.
    """
    return read_passphrase(str(state / config.backup.passphrase_file), config.lang, is_new=True)


def find_folder(state: Path, config: PoolConfig) -> Path:
    """Returns the folder of the daily backups, which may not exist yet."""
    return (state / config.backup.folder).absolute()


def measure_free(folder: Path) -> int:
    """Returns the bytes that are free where a folder is or will be.

    Raises:
        OSError: the disk does not answer.
    """
    present = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(present).free


def estimate_bytes(state: Path, config: PoolConfig, record: DailyRecord) -> int:
    """Returns the most that the next daily backup is likely to need.

    Before the first one that is the size of the store and of the closed months; the size of a
    store in PostgreSQL is not known here, and counts as none.
    """
    if record.bytes:
        return int(record.bytes * GROWTH)
    sizes = [path.stat().st_size for path in (state / CLOSED_FOLDER).glob("*")]
    store = Path(database_url(config.database or f"sqlite:///{state / 'store.db'}").database or "")
    sizes.append(store.stat().st_size if store.is_file() else 0)
    return sum(sizes)


def make_daily_backup(
    state: Path, *, if_due: bool = False, now: Callable[[], float] = time.time
) -> BackupSummary | None:
    """Makes the daily backup of a pool, verifies it, and deletes those that are too many. Blocks.

    Args:
        state: the pool's directory.
        if_due: whether nothing is done if the backup of the day is there or under way.
        now: the present moment.

    Returns:
        What was made; None if nothing was due.

    Raises:
        PoolError: ``pool_absent``, ``config_refused``, ``passphrase_unreadable``,
            ``passphrase_short``, ``backup_running``, ``backup_space``, or see ``write_backup``.
    """
    config = load_pool_config(state)
    folder = find_folder(state, config)
    try:
        lock = _lock(folder, may_make=folder.is_relative_to(state.absolute()))
    except PoolError as problem:
        if if_due and problem.code == "backup_running":
            return None
        record_failure(state, problem.code, str(problem), now())
        raise
    with lock:
        if if_due and not is_due(config, read_record(state), now()):
            return None
        try:
            return _make(state, config, folder, now())
        except EntraideError as problem:
            record_failure(state, problem.code, str(problem), now())
            raise


def _lock(folder: Path, *, may_make: bool) -> IO[bytes]:
    """Locks the folder; one elsewhere must be there, since its disk may not be mounted."""
    values = {"path": str(folder)}
    try:
        if may_make:
            make_private_home(folder)
        lock = (folder / LOCK).open("ab")
    except OSError as problem:
        values["problem"] = problem.strerror or str(problem)
        raise PoolError("backup_not_written", f"{folder}: {problem}", values=values) from problem
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        lock.close()
        raise PoolError("backup_running", str(problem), values=values) from problem
    return lock


def _make(state: Path, config: PoolConfig, folder: Path, now: float) -> BackupSummary:
    prefix = _prefix(state)
    for unfinished in folder.glob(f".{prefix}*"):
        unfinished.unlink(missing_ok=True)
    passphrase = read_daily_passphrase(state, config)
    _check_space(folder, estimate_bytes(state, config, read_record(state)))
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    file = folder / f"{prefix}{moment}{SUFFIX}"
    summary = write_backup(state, file, passphrase, is_verified=True)
    record_backup(state, summary)
    daily = config.backup.daily
    due_at = last_due(now, daily, ZoneInfo(config.timezone)) if daily else now
    _write_record(state, DailyRecord(due_at, summary.at, summary.file, summary.bytes))
    deleted = _delete_old(folder, prefix, file, config.backup.keep)
    return structs.replace(summary, deleted=deleted)


def _write_record(state: Path, record: DailyRecord) -> None:
    write_private(state / DAILY_RECORD_FILE, msgspec.json.encode(record))


def _prefix(state: Path) -> str:
    """Returns the begin of the names of this pool's files; a folder may serve several pools."""
    account = hashlib.sha256(PoolIdentity(state).account.encode()).hexdigest()[:8]
    return f"daily-{account}-"


def _check_space(folder: Path, needed: int) -> None:
    free = measure_free(folder)
    if free < needed + SPARE_BYTES:
        values: dict[str, str | float] = {
            "path": str(folder),
            "free_gb": round(free / 1e9, 1),
            "needed_gb": round((needed + SPARE_BYTES) / 1e9, 1),
        }
        raise PoolError("backup_space", f"{folder}: {free} of {needed} B", values=values)


def _delete_old(folder: Path, prefix: str, newest: Path, keep: int) -> tuple[str, ...]:
    """Deletes the oldest backups until ``keep`` are left; their names have the time in UTC."""
    others = sorted(set(folder.glob(f"{prefix}*{SUFFIX}")) - {newest}, reverse=True)
    deleted = []
    for path in others[keep - 1 :]:
        with contextlib.suppress(OSError):  # too little space is found before it is a problem
            path.unlink()
            deleted.append(str(path))
    sync_directory(folder)
    return tuple(deleted)
