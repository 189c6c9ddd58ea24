"""Files that hold secrets: written whole or not at all, and readable by their owner alone.

It knows nothing of what the secrets are for. A file that others may read is refused, never
silently repaired: whoever opened it may already have been read.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from entraide.errors import PoolError

PRIVATE_FILE_MODE = 0o600
PRIVATE_DIRECTORY_MODE = 0o700
PRIVATE_UMASK = 0o077  # what a daemon writes is for its own account
SECRET_FILE_MAX_BYTES = 8 * 1024 * 1024


def read_private(path: Path) -> bytes:
    """Returns the content of a secret file.

    Raises:
        PoolError: ``identity_incomplete`` when it is missing, ``identity_file_open`` when its
            group or others have any right to it, ``identity_unreadable`` when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            mode = stat.S_IMODE(status.st_mode)
            if mode & 0o077:
                raise PoolError(
                    "identity_file_open",
                    f"{path} may be read by others (mode {mode:04o}); it must be 0600.",
                    values={"path": str(path), "mode": f"{mode:04o}"},
                )
            data = file.read(SECRET_FILE_MAX_BYTES + 1)
    except FileNotFoundError:
        raise PoolError(
            "identity_incomplete",
            f"{path} is missing: restore the pool's identity from its backup.",
            values={"path": str(path)},
        ) from None
    except OSError as problem:
        raise unreadable(path, problem.strerror or str(problem)) from problem
    if len(data) > SECRET_FILE_MAX_BYTES:
        raise unreadable(path, "too large")
    return data


def unreadable(path: Path, why: str) -> PoolError:
    """Makes the error for a secret file that is there but cannot be understood."""
    return PoolError(
        "identity_unreadable",
        f"{path} cannot be read: {why}.",
        values={"path": str(path), "why": why},
    )


def write_private(path: Path, data: bytes) -> None:
    """Replaces a secret file in one step; after a crash it holds the old or the new content."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # made 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_directory(path.parent)


def private_home(path: Path) -> Path:
    """Makes a state folder that only its owner may enter, or closes one that is there; returns it.

    Raises:
        OSError: it cannot be made, or it is another account's.
    """
    path.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    if stat.S_IMODE(path.stat().st_mode) & PRIVATE_UMASK:
        path.chmod(PRIVATE_DIRECTORY_MODE)
    return path


def make_private_directory(path: Path, files: Mapping[str, bytes]) -> bool:
    """Makes a directory with all its secret files in one step.

    Returns:
        Whether this call made it; False when it was there already, left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return False
    draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))  # made 0700
    try:
        for name, data in files.items():
            write_private(draft / name, data)
        try:
            draft.rename(path)
        except OSError:
            if path.is_dir():  # another process was faster: its identity is the pool's
                return False
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _sync_directory(path.parent)
    return True


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
