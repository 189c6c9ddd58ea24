"""Backup schedule: the moments at which a pool's daily backup is due.

In: the time of day, the pool's time zone and a moment. Out: a moment, seconds since the epoch. Each
day of the calendar has exactly one: a time that the clock leaves out in spring is as much later as
the clock moves, and of a time that comes twice in autumn the first one counts (PEP 495, fold 0).
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def due_on(day: date, daily: str, zone: ZoneInfo) -> float:
    """Returns the moment of a day's backup; ``daily`` is ``HH:MM``."""
    return datetime.combine(day, time.fromisoformat(daily), tzinfo=zone).timestamp()


def last_due(now: float, daily: str, zone: ZoneInfo) -> float:
    """Returns the last moment at or before ``now`` at which a backup was due."""
    today = datetime.fromtimestamp(now, zone).date()
    due_at = due_on(today, daily, zone)
    return due_at if due_at <= now else due_on(today - timedelta(days=1), daily, zone)
