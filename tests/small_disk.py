"""A small file system in memory that tests fill and empty; needs root on Linux."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DISK_BYTES = 24 * 1024 * 1024
FILL_LEAST = 4_096


class SmallDisk:
    """A file system of some MiB in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, *, left: int = 0) -> None:
        """Fills the disk but for some bytes, however much others write meanwhile."""
        with self._filler.open("ab") as file, contextlib.suppress(OSError):
            while (free := self._free_bytes() - left) > 0:
                block = max(FILL_LEAST, free // 2)
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, block)

    def _free_bytes(self) -> int:
        facts = os.statvfs(self.folder)
        return facts.f_bavail * facts.f_frsize

    def empty(self) -> None:
        """Makes space again."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mounts a small disk on a new folder; skips the test where that is not possible."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux, to mount a small disk")
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
