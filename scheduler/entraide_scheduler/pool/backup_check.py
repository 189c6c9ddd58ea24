"""Backup check: what doctor and running pool say about a pool's backups.

In: the pool's directory and its configuration. Out: findings on the age of the last backup, and on
the daily one: what it failed of, and what will keep the next one from being made.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from entraide.errors import EntraideError
from entraide.relative_time import format_moment
from entraide_scheduler.findings import Finding, Value, finding, passed
from entraide_scheduler.pool import facts
from entraide_scheduler.pool.config import PoolConfig
from entraide_scheduler.pool.daily_backup import (
    SPARE_BYTES,
    estimate_bytes,
    find_folder,
    measure_free,
    read_daily_passphrase,
    read_record,
)

AGE_MAX_S = 7 * facts.DAY_S
DAILY_AGE_MAX_S = 2 * facts.DAY_S
SPACE_BACKUPS = 3  # so many must fit before the disk is called full


def check_backup(state: Path, config: PoolConfig) -> Finding:
    """Checks the age of the last backup."""
    record = facts.read_last_backup(state)
    if record is None:
        return finding("backup-none", path=str(state), **_daily_values(state, config))
    age_s = time.time() - record.at
    values: dict[str, Value] = {"days": int(age_s / facts.DAY_S), "path": str(state)}
    is_old = age_s > (DAILY_AGE_MAX_S if config.backup.daily else AGE_MAX_S)
    return finding("backup-old", **values) if is_old else passed("backup-ok", **values)


def _daily_values(state: Path, config: PoolConfig) -> dict[str, Value]:
    """Returns which step the daily backup waits for: its passphrase, or its first time."""
    daily, file = config.backup.daily, str(state / config.backup.passphrase_file)
    step = "none"
    if daily:
        try:
            read_daily_passphrase(state, config)
            step = "first"
        except EntraideError:
            step = "passphrase"
    return {"step": step, "daily": daily, "file": file}


def check_daily(state: Path, config: PoolConfig) -> Iterator[Finding]:
    """Checks the daily backup, if the pool makes one."""
    if not config.backup.daily:
        return
    record = read_record(state)
    folder = find_folder(state, config)
    values: dict[str, Value] = {"path": str(state), "folder": str(folder)}
    try:
        read_daily_passphrase(state, config)
    except EntraideError:
        file = str(state / config.backup.passphrase_file)
        yield finding("backup-passphrase", daily=config.backup.daily, file=file, **values)
    else:
        if record.failed_at:
            zone = ZoneInfo(config.timezone)
            moment = format_moment(record.failed_at, config.lang, zone)
            failed = {"moment": moment, "reason": record.fault, "detail": record.detail}
            yield finding("backup-failed", **failed, **values)
    try:
        free = measure_free(folder)
        needed = SPACE_BACKUPS * estimate_bytes(state, config, record) + SPARE_BYTES
    except (OSError, EntraideError):
        return  # the attempt says why
    if free < needed:
        sizes = {"free_gb": round(free / 1e9, 1), "needed_gb": round(needed / 1e9, 1)}
        yield finding("backup-space", **sizes, **values)
