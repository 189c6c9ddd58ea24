"""Key files: reads files with secrets, and creates the directories that hold them.

A file that others may read is refused, not repaired, because its secret may already be known.
"""

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from entraide.errors import PoolError
from entraide.files import (
    PRIVATE_DIRECTORY_MODE,
    PRIVATE_UMASK,
    sync_directory,
    write_private,
)

SECRET_FILE_MAX_BYTES = 8 * 1024 * 1024


def read_private(path: Path) -> bytes:
    """Returns the content of a secret file.

    Raises:
        PoolError: ``identity_incomplete`` if it is missing, ``identity_file_open`` if its group
            or others have any right to it, ``identity_unreadable`` if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            mode = stat.S_IMODE(status.st_mode)
            if mode & PRIVATE_UMASK:
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
        raise unreadable_error(path, problem.strerror or str(problem)) from problem
    if len(data) > SECRET_FILE_MAX_BYTES:
        raise unreadable_error(path, "too large")
    return data


def unreadable_error(path: Path, why: str) -> PoolError:
    """Returns the error for a secret file that exists but cannot be used."""
    return PoolError(
        "identity_unreadable",
        f"{path} cannot be read: {why}.",
        values={"path": str(path), "why": why},
    )


def load_admin_key(home: Path) -> str:
    """Returns the operator's key in ``admin.key``; makes it at the first start.

    Raises:
        PoolError: see ``read_private``.
    """
    path = home / "admin.key"
    if not path.exists():
        write_private(path, f"ent_{secrets.token_urlsafe(24)}\n".encode())
    return read_private(path).decode().strip()


def make_private_home(path: Path) -> Path:
    """Creates a state directory with mode 0700, or sets that mode on an existing one; returns it.

    Raises:
        OSError: it cannot be created, or another account owns it.
    """
    path.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    if stat.S_IMODE(path.stat().st_mode) & PRIVATE_UMASK:
        path.chmod(PRIVATE_DIRECTORY_MODE)
    return path


def lock_home(home: Path, name: str) -> IO[bytes]:
    """Makes a state directory and locks it for this process, until the lock is closed.

    Raises:
        PoolError: ``already_running``: another process holds the lock.
    """
    lock = (make_private_home(home) / name).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        lock.close()
        raise PoolError(
            "already_running",
            f"Another process holds {lock.name}.",
            values={"path": str(home)},
        ) from problem
    return lock


def make_private_directory(path: Path, files: Mapping[str, bytes]) -> bool:
    """Creates a directory with all its secret files atomically.

    Returns:
        True if this call created it; False if it existed, and was left unchanged.
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
            if path.is_dir():  # another process was first: its identity is the pool's
                return False
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sync_directory(path.parent)
    return True
