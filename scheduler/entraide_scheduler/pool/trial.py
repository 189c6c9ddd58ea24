"""Trial: the record of an upgrade's trial, by which a pool goes back if the upgrade was killed.

``DIR/upgrade/trial.json`` exists from before a trial until the pool has one version again. If an
upgrade ends without that, the next ``pool run`` goes back: it goes on in the environment of before,
and puts files and store of before back.
"""

import shutil
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

import entraide
from entraide.decoding import decode_json
from entraide.errors import PoolError
from entraide.files import write_private
from entraide_scheduler.nats.keyfiles import load_admin_key, lock_home
from entraide_scheduler.pool.restore import put_back
from entraide_scheduler.pool.undo_copy import delete_copy, put_copy_back
from entraide_scheduler.pool.versions import (
    FOLDER as VERSIONS,
)
from entraide_scheduler.pool.versions import (
    UPGRADE_LOCK,
    enter_current,
    set_current,
)
from entraide_scheduler.upgrade_trial import BACKUP, FOLDER, find_record

POOL_LOCK = "pool.lock"
STOP_TIMEOUT_S = 120.0
POLL_S = 0.1


class Undo(StrEnum):
    """What goes back to a pool whose trial is undone."""

    NOTHING = "nothing"  # the other version has not run yet
    COPY = "copy"
    BACKUP = "backup"


class UpgradeTrial(Struct, frozen=True):
    """The environments of a trial, as names in ``DIR/versions``, and how it is undone.

    Attributes:
        environment: of the new version.
        previous: of the version before; "" for that of the command.
        undo: what goes back to the pool.
    """

    environment: str
    previous: str = ""
    undo: Undo = Undo.BACKUP


def begin_trial(
    state: Path, environment: Path, previous: Path | None, undo: Undo = Undo.BACKUP
) -> None:
    """Records that a trial begins; what ``undo`` names is on disk."""
    trial = UpgradeTrial(environment.name, previous.name if previous is not None else "", undo)
    write_private(find_record(state), msgspec.json.encode(trial))


def end_trial(state: Path) -> None:
    """Records that the pool has one version again."""
    find_record(state).unlink(missing_ok=True)
    delete_copy(state)


def read_trial(state: Path) -> UpgradeTrial | None:
    """Returns the trial that has not ended; None without one."""
    try:
        trial = decode_json(find_record(state).read_bytes(), type=UpgradeTrial)
    except (OSError, msgspec.MsgspecError):
        return None
    return UpgradeTrial(Path(trial.environment).name, Path(trial.previous).name, trial.undo)


def go_back(state: Path, trial: UpgradeTrial) -> None:
    """Puts environment, files and store of before back. No scheduler may run.

    Raises:
        PoolError: as ``put_back``.
    """
    set_current(state, state / VERSIONS / trial.previous if trial.previous else None)
    if trial.undo is Undo.COPY:
        put_copy_back(state)
    elif trial.undo is Undo.BACKUP:
        put_back(state / FOLDER / BACKUP, load_admin_key(state), state)
    if trial.environment:
        shutil.rmtree(state / VERSIONS / trial.environment, ignore_errors=True)
    end_trial(state)


def end_interrupted_trial(state: Path, report: Callable[..., None]) -> None:
    """Goes back if an upgrade was killed during its trial; else does nothing.

    Args:
        state: the pool's directory.
        report: called with ``upgrade-interrupted`` and ``version`` before it goes back.

    Raises:
        PoolError: ``upgrade_not_stopped``: the trial still runs; or as ``put_back``.
    """
    trial = read_trial(state)
    if trial is None:
        return
    try:
        lock = lock_home(state, UPGRADE_LOCK)
    except PoolError:  # the upgrade goes on; this is its trial
        return
    with lock:
        trial = read_trial(state)
        if trial is None:
            return
        # The version of before reads its own backup; where this is another one, it goes on there.
        set_current(state, state / VERSIONS / trial.previous if trial.previous else None)
        enter_current(state)
        wait_until_stopped(state, pid=0, timeout_s=STOP_TIMEOUT_S)
        report("upgrade-interrupted", version=entraide.__version__)
        go_back(state, trial)


def wait_until_stopped(state: Path, *, pid: int, timeout_s: float) -> None:
    """Waits until no process runs the pool.

    Raises:
        PoolError: ``upgrade_not_stopped``: a process holds the directory after the time limit.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            lock_home(state, POOL_LOCK).close()
        except PoolError as problem:
            if time.monotonic() > deadline:
                values: dict[str, str | int | float] = {"path": str(state), "pid": pid}
                raise PoolError("upgrade_not_stopped", str(problem), values=values) from problem
            time.sleep(POLL_S)
        else:
            return
