"""Upgrade trial: whether an upgrade tries this version out, and what is refused until it is over.

``DIR/upgrade/trial.json`` exists while ``pool upgrade`` tries a version out; ``pool.trial`` writes
it. If the trial fails, the store of before comes back, and kept work that was accepted meanwhile
would be lost, and machines that joined. Therefore both are refused, and sent again. Live requests
go on.
"""

from pathlib import Path

from entraide.errors import PoolError

FOLDER = "upgrade"
RECORD = "trial.json"
BACKUP = "before.backup"
COPY = "before"  # a folder
RETRY_AFTER_S = 10.0  # a trial takes seconds, as a rule


def find_record(state: Path) -> Path:
    """Returns the path of the record of a trial; ``state`` is the pool's directory."""
    return state / FOLDER / RECORD


def refuse_during_trial(state: Path) -> None:
    """Refuses new kept work and new machines during a trial; ``state`` is the pool's directory.

    Raises:
        PoolError: ``upgrade_trial``, with the time after which to repeat the request.
    """
    if find_record(state).exists():
        message = "An upgrade tries a version of this pool."
        raise PoolError("upgrade_trial", message, retry_after_s=RETRY_AFTER_S)


def delete_old_backup(state: Path) -> None:
    """Deletes the backup of the last upgrade, unless its trial goes on."""
    if not find_record(state).exists():
        (state / FOLDER / BACKUP).unlink(missing_ok=True)
