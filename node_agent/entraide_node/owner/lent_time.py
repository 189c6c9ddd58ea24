"""Lent time: how long the machine took jobs, by day on its own clock.

The pool's books hold jobs, and not the time in which a machine stood ready for them; so the agent
counts that time itself, and keeps it in the node's folder. It is sent to nobody.
"""

import datetime as dt
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.files import write_atomically

LENT_NAME = "lent.json"
DAYS_MAX = 62  # this month and the one before
STEP_MAX_S = 10.0  # a longer step is a machine that slept
SAVE_EVERY_S = 60.0
DAY_MAX_S = 90_000.0  # the day on which summer time ends


class LentTime(Struct, frozen=True):
    """Time in which the machine took jobs, today and this month, seconds."""

    today_s: float = 0.0
    month_s: float = 0.0


class LentTimeCounter:
    """Counts the time in which the node takes jobs."""

    def __init__(self, folder: Path) -> None:
        """Continues the count that the folder has."""
        self._path = folder / LENT_NAME
        self._days = _read_days(folder)
        self._last_at: float | None = None  # time of the last note, while jobs were taken
        self._saved_at = 0.0
        self._log = structlog.get_logger("entraide.node")

    def note(self, now: float, *, takes_jobs: bool) -> None:
        """Counts the time since the last note, if the node took jobs then and does now.

        Args:
            now: seconds since the epoch.
            takes_jobs: whether the node takes jobs.
        """
        if takes_jobs and self._last_at is not None:
            step_s = now - self._last_at
            if 0.0 < step_s <= STEP_MAX_S:
                day = dt.datetime.fromtimestamp(now).date().isoformat()  # noqa: DTZ006  (the machine's own clock)
                self._days[day] = self._days.get(day, 0.0) + step_s
        self._last_at = now if takes_jobs else None
        if abs(now - self._saved_at) >= SAVE_EVERY_S:
            self.save(now)

    def save(self, now: float) -> None:
        """Writes the count, without days that are too old."""
        self._saved_at = now
        self._days = dict(sorted(self._days.items())[-DAYS_MAX:])
        try:
            write_atomically(self._path, msgspec.json.encode(self._days))
        except OSError as problem:  # a full disk must not stop the node
            self._log.warning("node.lent_time_write_failed", problem=str(problem))


def read_lent_time(folder: Path, *, now: float) -> LentTime:
    """Returns the time in which the node took jobs, as last saved.

    Args:
        folder: of the node.
        now: seconds since the epoch.
    """
    today = dt.datetime.fromtimestamp(now).date().isoformat()  # noqa: DTZ006  (as above)
    month = today[:7]
    days = _read_days(folder)
    return LentTime(
        days.get(today, 0.0), sum(time_s for day, time_s in days.items() if day[:7] == month)
    )


def _read_days(folder: Path) -> dict[str, float]:
    try:
        days = decode_json((folder / LENT_NAME).read_bytes(), type=dict[str, float])
    except (OSError, msgspec.MsgspecError):
        return {}
    return {day: time_s for day, time_s in days.items() if 0.0 <= time_s <= DAY_MAX_S}
