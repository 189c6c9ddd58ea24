"""Restored mark: ``restored.json``, which says that a pool's directory came from a backup.

The pool may have started again after its backup, so nodes may have seen higher epochs than those
that the backup's own count of starts would give. A restored scheduler therefore counts its starts
from the number of minutes since the epoch at the restore, which no pool reaches by starting.

What happened between backup and restore is lost: an invitation may have been used, a name given.
Invitations of before are refused therefore, and new names of nodes carry the moment of the restore.
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
        joined_until: until when machines may have joined of which the store knows nothing,
            likewise; 0 for never. A refused upgrade, which goes back, has let none join.
    """

    at: float
    backup_at: float = 0.0
    version: str = ""
    joined_until: float = 0.0

    @property
    def least_incarnation(self) -> int:
        """The lowest count of starts that a scheduler may go on from."""
        return max(0, int(self.at / MINUTE_S))


def write_mark(state: Path, mark: RestoredMark) -> None:
    """Writes the mark of a directory."""
    write_private(state / FILE, msgspec.json.encode(mark))


def read_mark(state: Path) -> RestoredMark:
    """Returns the mark of a directory; an empty one if it came from no backup.

    Raises:
        PoolError: ``identity_unreadable`` or ``identity_file_open``: the mark cannot be read.
    """
    path = state / FILE
    if not path.exists():
        return RestoredMark(0.0)
    try:
        return decode_json(read_private(path), type=RestoredMark)
    except msgspec.MsgspecError as problem:
        raise unreadable_error(path, "not a mark of a restore") from problem
