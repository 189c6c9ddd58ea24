"""A small file system in memory that tests fill and empty; needs root on Linux.

A test that is killed leaves no file system mounted: this process has mounts of its own, which end
with it and with what it started.
"""

import contextlib
import ctypes
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DISK_BYTES = 24 * 1024 * 1024
FILL_LEAST = 4_096
CLONE_NEWNS = 0x20000


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
    try:
        mount_memory(folder, size=str(DISK_BYTES))
    except (OSError, subprocess.CalledProcessError) as problem:
        pytest.skip(f"no file system can be mounted here: {problem}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount_memory(folder: Path, *, size: str) -> None:
    """Mounts a file system in memory, which this process and those that it starts see.

    Raises:
        OSError: this process may not have mounts of its own.
        subprocess.CalledProcessError: the file system could not be mounted.
    """
    _enter_own_mounts()
    options = ["-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True)


@functools.cache
def _enter_own_mounts() -> None:
    """Moves this thread, and all that it starts, to a namespace of mounts of its own."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "no mounts of its own for this process")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
