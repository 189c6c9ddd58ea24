"""A pool's files: only the account that runs the pool may read them, whatever its umask is."""

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler, write_config

from entraide_scheduler.nats.keyfiles import make_private_home


def open_to_others(folder: Path) -> list[str]:
    """Returns the files and folders that group or others may use, sockets and links left out."""
    return sorted(
        str(path.relative_to(folder))
        for path in [folder, *folder.rglob("*")]
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077
    )


def test_folder_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    """An operator's folder of mode 0755 is 0700 before anything is written into it."""
    home = tmp_path / "pool"
    home.mkdir(mode=0o755)
    home.chmod(0o755)

    assert 0o700 == stat.S_IMODE(make_private_home(home).stat().st_mode)


def test_missing_folder_is_made_private_under_any_umask(tmp_path: Path) -> None:
    """The folder is closed from its first moment."""
    before = os.umask(0)
    try:
        home = make_private_home(tmp_path / "a" / "pool")
    finally:
        os.umask(before)

    assert 0o700 == stat.S_IMODE(home.stat().st_mode)


async def test_scheduler_process_writes_for_its_own_account(tmp_path: Path, bus: NatsPool) -> None:
    """Started with umask 000, a scheduler leaves nothing that others may read."""
    home = tmp_path
    write_config(home, bus.url)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "entraide_scheduler", "run"),
        *("--config", str(home / "scheduler.toml")),
        stderr=asyncio.subprocess.PIPE,
        umask=0,
    )
    assert process.stderr is not None
    async for line in process.stderr:
        if b"scheduler.ready" in line:
            process.terminate()
    await process.wait()
    written = {"store.db", "store.db-wal", "store.db-shm", "scheduler.lock"}

    assert "store.db" in {path.name for path in home.iterdir()}
    assert [] == [name for name in open_to_others(home) if Path(name).name in written]


@pytest.mark.parametrize("job", ["🍁", "job-x", "job-" + "a" * 5_000, "kept-00%0d%0aX-Evil:%201"])
async def test_names_that_are_no_jobs_are_unknown(
    pool: RunningScheduler, job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job's path with an emoji, too long or with a line break: 404, no header of it, no
    traceback."""
    secret = await pool.operator.key("alpha")
    async with pool.session(secret) as session:
        answers = [
            await session.request(method, f"/v1/jobs/{job}{rest}")
            for method, rest in (
                ("GET", ""), ("DELETE", ""), ("GET", "/explanation"), ("GET", "/receipt"),
            )
        ]  # fmt: skip
    sentence = capsys.readouterr()

    assert [404] * 4 == [answer.status for answer in answers]
    assert all("x-request-id" not in answer.headers for answer in answers)
    assert "Traceback" not in sentence.out + sentence.err
