"""Folder of a release: ``metadata/`` and ``targets/VERSION/``, read as if from a server."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface

METADATA = "metadata"
TARGETS = "targets"
PIECE_BYTES = 1024 * 1024
ABSENT = 404  # the status by which the library knows that there is no such file


class FolderFetcher(FetcherInterface):
    """Reads the files of a release from a folder. A file that is no regular one is absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        if not self._folder.is_dir():  # a name that was mistyped is no changed release
            raise DownloadError(f"{os.strerror(errno.ENOENT)}: {self._folder}")
        return _read(self._folder / url)


def _read(path: Path) -> Iterator[bytes]:
    try:
        # A pipe without a writer is not awaited.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise DownloadHTTPError(str(path), ABSENT) from problem
    except OSError as problem:
        raise DownloadError(str(problem)) from problem
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise DownloadHTTPError(str(path), ABSENT)
        while piece := file.read(PIECE_BYTES):
            yield piece
