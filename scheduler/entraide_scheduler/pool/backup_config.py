"""Backup configuration: ``[backup]`` of ``pool.toml``.

Where backups are kept, for members; and the backup that the running pool makes each day by itself.
"""

import re

from msgspec import Struct

from entraide.types import UNKNOWN, ServerPlace
from entraide_scheduler.config import PlaceConfig

FOLDER = "backups"
KEEP_MAX = 366
NEW_DAILY = "03:00"  # of a pool that ``pool create`` makes
DAILY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class PoolBackup(Struct, frozen=True, forbid_unknown_fields=True):
    """Content of ``[backup]``.

    Attributes:
        zone, controlled_by, invented: the place of the backups, as in ``PlaceConfig``.
        daily: when the pool makes its backup each day, ``HH:MM`` in its time zone; "" for none.
        keep: number of daily backups that are kept; older ones are deleted.
        folder: where the daily backups go; relative to the pool's directory.
        passphrase_file: its first line seals them; relative to the pool's directory.
    """

    zone: str = UNKNOWN
    controlled_by: str = UNKNOWN
    invented: bool = False
    daily: str = ""
    keep: int = 7
    folder: str = FOLDER
    passphrase_file: str = "backup-passphrase"  # noqa: S105  (its name)

    @property
    def _place(self) -> PlaceConfig:
        return PlaceConfig(self.zone, self.controlled_by, self.invented)

    @property
    def place(self) -> ServerPlace:
        """The place in the vocabulary's type."""
        return self._place.place

    @property
    def is_known(self) -> bool:
        """Whether both the zone and the control are known."""
        return self._place.is_known

    @property
    def fault(self) -> str:
        """Name of the first field with an invalid value, or ""."""
        if self.daily and not DAILY.fullmatch(self.daily):
            return "daily"
        if not 1 <= self.keep <= KEEP_MAX:
            return "keep"
        for name in ("folder", "passphrase_file"):
            text = getattr(self, name)
            if not text or not text.isprintable():
                return name
        return self._place.fault
