"""Undo copy: a pool's files and its SQLite database as they were when a trial began.

``DIR/upgrade/before`` has them while the trial goes on: ``files``, and ``store.db`` as a copy of
the database file, which takes seconds where a sealed backup takes minutes. It is as secret as the
pool's directory, lies in it, and is deleted with the trial. The files of closed months are left
out: no version changes them.
"""

import math
import shutil
import tempfile
import time
from pathlib import Path

import entraide
from entraide.errors import PoolError
from entraide.files import PRIVATE_DIRECTORY_MODE, sync_directory, sync_file
from entraide_scheduler.pool.backup import find_files
from entraide_scheduler.pool.restore import put_in_place
from entraide_scheduler.restored import RestoredMark, read_mark
from entraide_scheduler.store.closed_files import FOLDER as CLOSED
from entraide_scheduler.store.dump import copy_sqlite, fill_store, open_view
from entraide_scheduler.upgrade_trial import COPY, FOLDER

STORE, FILES = "store.db", "files"
FILES_MB = 50  # for all other files, and for what the pool writes meanwhile


def check_space(state: Path) -> None:
    """Checks that the disk has room for the copy.

    Raises:
        PoolError: ``upgrade_no_space``.
    """
    store = state / STORE
    logs = sum(each.stat().st_size for each in state.glob(f"{STORE}-wal"))
    needed_mb = math.ceil((store.stat().st_size + logs) / 1e6) + FILES_MB
    free_mb = math.floor(shutil.disk_usage(state).free / 1e6)
    if free_mb < needed_mb:
        values: dict[str, str | int | float] = {"path": str(state), "free_mb": free_mb}
        values["needed_mb"] = needed_mb
        raise PoolError("upgrade_no_space", f"{state}: {free_mb} < {needed_mb} MB", values=values)


def make_copy(state: Path) -> None:
    """Copies files and database of a pool whose scheduler does not run. Blocks.

    Raises:
        OSError: a file cannot be read or written.
        sqlite3.Error: likewise the database.
    """
    delete_copy(state)
    folder = state / FOLDER / COPY
    (folder / FILES).mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True)
    for path in find_files(state, f"sqlite:///{state / STORE}"):
        name = path.relative_to(state)
        if name.parts[0] != CLOSED:
            target = folder / FILES / name
            target.parent.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
            shutil.copy2(path, target)
            sync_file(target)
    copy_sqlite(state / STORE, folder / STORE)
    sync_directory(folder)


def put_copy_back(state: Path) -> None:
    """Puts the copy in the place of the pool's own files and rows, as ``restore.put_back`` does.

    Raises:
        PoolError: as ``put_back``; the store is then unchanged.
    """
    folder = state / FOLDER / COPY
    with (
        tempfile.TemporaryDirectory(dir=state, prefix=".put-back-") as made,
        open_view(f"sqlite:///{folder / STORE}") as view,
    ):
        draft = Path(made)
        shutil.copytree(folder / FILES, draft, dirs_exist_ok=True)
        at = (folder / STORE).stat().st_mtime
        mark = RestoredMark(time.time(), at, entraide.__version__, read_mark(draft).joined_until)
        put_in_place(state, draft, mark, lambda c: fill_store(c, view.revision, view.read_rows()))


def delete_copy(state: Path) -> None:
    """Deletes the copy, if there is one."""
    shutil.rmtree(state / FOLDER / COPY, ignore_errors=True)
