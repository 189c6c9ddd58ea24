"""Daily task: has the daily backup made while the scheduler runs, in a process of its own.

In: the pool's directory, whose ``pool.toml`` is read before each look, so that a change holds at
once. Out: ``entraide pool backup --if-due``. Only the scheduler with the term runs this task. A
backup that was due while the pool was off is made soon after its start; one that has failed is
tried again after ``RETRY_S``, and the record says why.
"""

import time
from pathlib import Path

import structlog

from entraide.errors import EntraideError
from entraide_scheduler.operations.bounded_child import ProcessLimits
from entraide_scheduler.operations.bounded_process import run_bounded
from entraide_scheduler.pool.config import FILE, load_pool_config
from entraide_scheduler.pool.daily_backup import (
    is_due,
    read_daily_passphrase,
    read_record,
    record_failure,
)
from entraide_scheduler.repeated_task import RepeatedTask
from entraide_scheduler.upgrade_trial import find_record

LOOK_S = 15.0
RETRY_S = 1_800.0
BUSY_S = 300.0  # until the next look where another process makes it
GIB = 1024**3
# The store's read transaction lasts as long as the child: it must not wait for idle time.
LIMITS = ProcessLimits(
    wall_s=6 * 3_600.0, cpu_s=3 * 3_600, memory_bytes=4 * GIB, is_idle=False, niceness=10
)


class DailyBackups:
    """Makes the daily backups of a pool until it is stopped; ``home`` is the pool's directory."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._retry_at = 0.0
        self._log = structlog.get_logger("entraide.backup")
        self._task = RepeatedTask(
            "daily-backup", self._look, every_s=LOOK_S, waits_first=True,
            failed=lambda: self._log.exception("backup.look_failed"),
        )  # fmt: skip

    def start(self) -> "DailyBackups":
        """Begins to look whether a backup is due; returns itself."""
        self._task.start()
        return self

    async def stop(self) -> None:
        """Ends it; a backup under way is given up, and leaves nothing that counts."""
        await self._task.stop()

    async def _look(self) -> None:
        home = self._home
        if not (home / FILE).is_file() or find_record(home).exists():
            return  # ``entraide up``, or the trial of an upgrade
        if time.monotonic() < self._retry_at:
            return
        try:
            config = load_pool_config(home)
            if not is_due(config, read_record(home), time.time()):
                return
            read_daily_passphrase(home, config)
        except EntraideError:
            return  # the findings say so
        began_at = time.time()
        finished = await run_bounded(
            ("pool", "backup", "--if-due", "--state", str(home)), LIMITS, lang=config.lang
        )
        try:
            config = load_pool_config(home)  # it may have changed meanwhile
        except EntraideError:
            return  # the findings say so
        record = read_record(home)
        if finished.status and record.failed_at < began_at:
            record_failure(home, "ended", finished.words or str(finished.status), time.time())
        if record.at >= began_at:
            self._log.info("backup.made", file=record.file, bytes=record.bytes)
        elif finished.status:
            self._retry_at = time.monotonic() + RETRY_S
            self._log.warning("backup.failed", status=finished.status, words=finished.words)
        else:  # it is there, or another process makes it
            self._retry_at = time.monotonic() + BUSY_S
            self._log.info("backup.not_due", words=finished.words)
