"""Logs of a pool's processes are bounded while these run."""

import json
import sys
from pathlib import Path

import pytest
import structlog
from tests.waiting import eventually

from entraide_scheduler.supervision import children, log_files
from entraide_scheduler.supervision.children import Child, ChildSpec
from entraide_scheduler.supervision.log_files import rotate_log
from entraide_scheduler.supervision.logs import log_to_file

WRITER = """
import itertools, time
for number in itertools.count():
    print("x" * 99, number, flush=True)
    time.sleep(0.0005)
"""


async def test_the_log_of_a_running_child_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child writes on, in the emptied file, and the lines before are beside it."""
    monkeypatch.setattr(log_files, "LOG_BYTES_MAX", 10_000)
    monkeypatch.setattr(children, "LOG_CHECK_S", 0.02)
    log, before = tmp_path / "c.log", tmp_path / "c.log.1"
    child = Child(ChildSpec(name="c", argv=(sys.executable, "-c", WRITER), log=log))
    await child.start()
    firsts: set[str] = set()

    def has_rotated_twice() -> bool:
        if before.exists():
            firsts.add(before.read_text()[:200])
        return len(firsts) >= 3

    await eventually(has_rotated_twice)
    starts, pid = child.starts, child.pid
    await child.stop()

    assert (1, True) == (starts, pid is not None)
    assert not log.read_bytes().startswith(b"\0")


def test_a_log_is_moved_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short one stays; a long one is beside it; one that is not there is no fault."""
    monkeypatch.setattr(log_files, "LOG_BYTES_MAX", 10)
    log = tmp_path / "a.log"
    absent = rotate_log(log)
    log.write_text("court\n")
    short = rotate_log(log)
    log.write_text("bien trop long\n")
    long = rotate_log(log)

    assert (False, False, True) == (absent, short, long)
    assert ("", "bien trop long\n") == (log.read_text(), log.with_name("a.log.1").read_text())


def test_the_supervisors_own_log_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line is whole, and both files together hold the newest ones."""
    monkeypatch.setattr(log_files, "LOG_BYTES_MAX", 2_000)
    path = tmp_path / "logs" / "pool.log"
    try:
        log_to_file(path)
        log = structlog.get_logger("entraide.test")
        for number in range(200):
            log.info("test.line", number=number)
    finally:
        structlog.reset_defaults()
    lines = path.with_name("pool.log.1").read_text() + path.read_text()
    numbers = [json.loads(line)["number"] for line in lines.splitlines()]

    assert numbers == list(range(numbers[0], 200))
    assert max(each.stat().st_size for each in path.parent.iterdir()) < 2_500
