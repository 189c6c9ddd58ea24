"""The backup that a pool makes each day by itself: when, how many, and what failures leave."""

import fcntl
import multiprocessing
import os
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs
from tests.cases import all_cases
from tests.pool.support import pool_config
from tests.waiting import eventually

from entraide.errors import PoolError
from entraide_scheduler.operations.bounded_process import Finished
from entraide_scheduler.pool import daily_backup, daily_task, sealed_file
from entraide_scheduler.pool.backup import BackupSummary, write_backup
from entraide_scheduler.pool.backup_check import check_daily
from entraide_scheduler.pool.backup_config import PoolBackup
from entraide_scheduler.pool.backup_schedule import last_due
from entraide_scheduler.pool.backup_verification import verify_backup
from entraide_scheduler.pool.config import load_pool_config
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.daily_backup import (
    DailyRecord,
    is_due,
    make_daily_backup,
    read_record,
)

PASSPHRASE = "quatre mots bien choisis"
TORONTO = ZoneInfo("America/Toronto")
DAY_S = 86_400.0


@pytest.fixture(autouse=True)
def cheap_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key's derivation costs little in these tests."""
    monkeypatch.setattr(sealed_file, "SCRYPT_N", 2**10)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A pool that does not run, with a daily backup and its passphrase."""
    state = tmp_path / "pool"
    create_pool(state, pool_config(backup=PoolBackup(daily="03:00", keep=2)))
    (state / "backup-passphrase").write_text(PASSPHRASE)
    return state


def files_of(state: Path) -> list[str]:
    """Names in the folder of backups, but for the lock."""
    names = (path.name for path in (state / "backups").iterdir())
    return sorted(set(names) - {daily_backup.LOCK})


def codes(state: Path) -> list[str]:
    """Codes of what is wrong with the daily backup."""
    return [each.code for each in check_daily(state, load_pool_config(state))]


def make_at(state: Path, at: float) -> BackupSummary:
    """Makes the daily backup at a moment."""
    made = make_daily_backup(state, now=lambda: at)
    assert made is not None
    return made


def moment(text: str) -> float:
    """A moment of Toronto."""
    return datetime.fromisoformat(text).replace(tzinfo=TORONTO).timestamp()


MOMENTS = {
    "after the time of day": ("2026-12-02T03:00:00", "03:00", "2026-12-02T08:00:00+00:00"),
    "before it": ("2026-12-02T02:59:59", "03:00", "2026-12-01T08:00:00+00:00"),
    "a time that spring leaves out": ("2026-03-08T12:00", "02:30", "2026-03-08T07:30:00+00:00"),
    "a time that comes twice": ("2026-11-01T12:00", "01:30", "2026-11-01T05:30:00+00:00"),
}


@all_cases(("now", "daily", "expected"), MOMENTS.values(), MOMENTS)
def test_each_day_has_one_moment(now: str, daily: str, expected: str) -> None:
    """In the pool's time zone, on the days of a change of the clock, too."""
    due_at = last_due(moment(now), daily, TORONTO)

    assert datetime.fromisoformat(expected).timestamp() == due_at


def test_a_year_has_one_backup_a_day() -> None:
    """Looks each quarter of an hour find each day's moment once, in order."""
    began = moment("2026-01-01T12:00")
    looks = (began + 900.0 * number for number in range(365 * 96))
    moments = sorted({last_due(now, "02:30", TORONTO) for now in looks})
    days = [datetime.fromtimestamp(at, TORONTO).date() for at in moments]

    assert len(days) == len(set(days)) == 366


def test_a_record_of_the_future_does_not_keep_backups_away(state: Path) -> None:
    """A clock that was ahead and is right again: the backup is due."""
    config, now = load_pool_config(state), time.time()

    assert is_due(config, DailyRecord(due_at=now + 40 * DAY_S), now)
    assert is_due(config, DailyRecord(), now)  # the pool was off, or is new
    assert not is_due(config, DailyRecord(due_at=last_due(now, "03:00", TORONTO)), now)


def test_old_ones_go_after_a_newer_one_was_verified(state: Path) -> None:
    """``keep`` of this pool stay, readable to the end; other files of the folder stay, too."""
    (state / "backups").mkdir(mode=0o700)
    (state / "backups" / "daily-00000000-20200101T000000Z.backup").write_text("of another pool")
    began = time.time()
    made = [make_at(state, began + day * DAY_S) for day in range(4)]
    again = make_daily_backup(state, if_due=True, now=lambda: began + 3 * DAY_S)
    left = [each.file for each in made if Path(each.file).exists()]

    assert [each.file for each in made][2:] == left
    assert 3 == len(files_of(state))
    assert again is None
    assert all(verify_backup(Path(file), PASSPHRASE)[0] for file in left)
    assert [] == codes(state)


def test_a_backup_that_cannot_be_read_again_counts_as_none(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets no name, nothing is deleted, doctor and page say so; the next success ends that."""
    began = time.time()
    kept = [make_at(state, began + day) for day in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(daily_backup, "write_backup", _write_damaged)
        with pytest.raises(PoolError):
            make_daily_backup(state, now=lambda: began + 5.0)
    failed, fault = codes(state), read_record(state).fault
    make_daily_backup(state, now=lambda: began + 6.0)

    assert "backup_refused" == fault
    assert ["backup-failed"] == failed
    assert Path(kept[1].file).exists()
    assert [] == codes(state)


def _write_damaged(state: Path, file: Path, passphrase: str, *, is_verified: bool) -> BackupSummary:
    """Writes a backup of which a byte changes on the disk before it is read again."""

    def damage(part: Path, words: str) -> tuple[int, int]:
        data = bytearray(part.read_bytes())
        data[-20] ^= 1
        part.write_bytes(data)
        return verify_backup(part, words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("entraide_scheduler.pool.backup.verify_backup", damage)
        return write_backup(state, file, passphrase, is_verified=is_verified)


def _killed_while_verifying(state: Path) -> None:
    """Ends this process as kill -9 does, with the file written and not yet named."""

    def die(_part: Path, _words: str) -> tuple[int, int]:
        os.kill(os.getpid(), 9)
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("entraide_scheduler.pool.backup.verify_backup", die)
        make_daily_backup(state)


def test_a_killed_process_leaves_nothing_half(state: Path) -> None:
    """No file has a name, the backup stays due, and the next one clears up."""
    child = multiprocessing.get_context("fork").Process(
        target=_killed_while_verifying, args=(state,)
    )
    child.start()
    child.join()
    left = files_of(state)
    made = make_daily_backup(state, if_due=True)

    assert -9 == child.exitcode
    assert [True] == [name.startswith(".daily-") for name in left]
    assert made is not None
    assert [Path(made.file).name] == files_of(state)


def test_one_process_at_a_time(state: Path) -> None:
    """While another process makes it, ``--if-due`` does nothing, and a person is told."""
    make_daily_backup(state)
    with (state / "backups" / daily_backup.LOCK).open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        at = time.time() + DAY_S
        skipped = make_daily_backup(state, if_due=True, now=lambda: at)
        with pytest.raises(PoolError) as refused:
            make_daily_backup(state, now=lambda: at)

    assert skipped is None
    assert "backup_running" == refused.value.code
    assert 1 == len(files_of(state))


def test_what_will_keep_the_next_one_away_is_told_before(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No passphrase, a disk that is nearly full, and one that is not mounted."""
    (state / "backup-passphrase").rename(tmp_path / "words")
    unsealed = codes(state)
    (tmp_path / "words").rename(state / "backup-passphrase")
    before = make_daily_backup(state)
    assert before is not None
    monkeypatch.setattr(daily_backup, "SPARE_BYTES", daily_backup.measure_free(state))
    monkeypatch.setattr("entraide_scheduler.pool.backup_check.SPARE_BYTES", 2**60)
    full = codes(state)
    with pytest.raises(PoolError) as refused:
        make_daily_backup(state)
    monkeypatch.undo()
    (state / "pool.toml").write_text(
        (state / "pool.toml").read_text().replace('"backups"', f'"{tmp_path}/usb/parc"')
    )
    with pytest.raises(PoolError) as unmounted:
        make_daily_backup(state)

    assert ["backup-passphrase"] == unsealed
    assert ["backup-space"] == full
    assert "backup_space" == refused.value.code
    assert Path(before.file).exists()
    assert "backup_not_written" == unmounted.value.code
    assert not (tmp_path / "usb").exists()


async def test_the_scheduler_has_a_missed_one_made(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Soon after the start of a pool that was off at its time, by a process of its own."""
    monkeypatch.setattr(daily_task, "LOOK_S", 0.01)
    task = daily_task.DailyBackups(state)
    task.start()
    await eventually(lambda: read_record(state).at > 0.0)
    await task.stop()

    assert verify_backup(Path(read_record(state).file), PASSPHRASE)[0] > 0
    assert not is_due(load_pool_config(state), read_record(state), time.time())


@pytest.mark.parametrize("is_changed", [False, True])
async def test_a_backup_that_is_there_already_is_no_failure(
    state: Path, monkeypatch: pytest.MonkeyPatch, is_changed: bool
) -> None:
    """The settings were changed meanwhile, or another process makes it."""

    async def look(*_: object, **__: object) -> Finished:
        if is_changed:
            settings = (state / "pool.toml").read_text("utf-8")
            (state / "pool.toml").write_text(settings.replace('"03:00"', '""'), "utf-8")
        return Finished(0, "La sauvegarde du jour est déjà faite, ou en cours.", "")

    monkeypatch.setattr(daily_task, "run_bounded", look)
    with capture_logs() as logs:
        await daily_task.DailyBackups(state)._look()

    assert [("backup.not_due", "info")] == [(each["event"], each["log_level"]) for each in logs]
    assert not read_record(state).fault
