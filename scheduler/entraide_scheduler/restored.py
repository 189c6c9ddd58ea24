"""Restored mark: ``restored.json``, which says that a pool's directory came from a backup.

The pool may have started again after its backup, so nodes may have seen higher epochs than those
that the backup's own count of starts would give. A restored scheduler therefore counts its starts
from the number of minutes since the epoch at the restore, which no pool reaches by starting.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.files import write_private
from entraide_scheduler.nats.keyfiles import read_private, unreadable_error

FILE = "restored.json"
MINUTE_S = 60.0


class RestoredMark(Struct, frozen=True):
    """Content of ``restored.json``.

    Attributes:
        at: when the backup was restored, seconds since the epoch.
        backup_at: the moment of the backup, likewise.
        version: version of Entraide that wrote the backup.
    """

    at: float
    backup_at: float = 0.0
    version: str = ""


def write_mark(state: Path, mark: RestoredMark) -> None:
    """Writes the mark of a directory."""
    write_private(state / FILE, msgspec.json.encode(mark))


def find_least_incarnation(state: Path) -> int:
    """Returns the lowest count of starts that a scheduler may go on from; 0 without a mark.

    Raises:
        PoolError: ``identity_unreadable`` or ``identity_file_open``: the mark cannot be read.
    """
    path = state / FILE
    if not path.exists():
        return 0
    try:
        mark = decode_json(read_private(path), type=RestoredMark)
    except msgspec.MsgspecError as problem:
        raise unreadable_error(path, "not a mark of a restore") from problem
    return max(0, int(mark.at / MINUTE_S))
