"""Scratch folder of a self-test, removed at its end.

A run that was killed cannot remove its folder; the next one does. A folder is in use as long as the
lock inside it is held, which the system releases with the process.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "entraide-selftest-"
LOCK = "lock"


@contextmanager
def open_scratch() -> Iterator[Path]:
    """Makes the folder, and removes those of this account that killed runs left."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _was_left(path):
            shutil.rmtree(path, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX) as name,
        (Path(name) / LOCK).open("wb") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(name)


def _was_left(folder: Path) -> bool:
    """Whether a folder is one of this account, and no process holds its lock."""
    try:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return False
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
