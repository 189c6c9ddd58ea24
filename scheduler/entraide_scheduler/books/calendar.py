"""Calendar: ends of quota periods and spans of months, in the pool's time zone."""

import datetime as dt
from zoneinfo import ZoneInfo

from entraide_scheduler.core.policy import Period

PERIODS = (Period.MINUTE, Period.DAY, Period.MONTH)


def period_end(period: Period, moment: float, zone: ZoneInfo) -> float:
    """Returns when the period that contains a moment ends, seconds since the epoch.

    Days and months begin at local midnight, so a day may last 23 or 25 hours.

    Raises:
        ValueError: the period is ``none``.
    """
    here = dt.datetime.fromtimestamp(moment, zone)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case Period.MINUTE:
            return float((int(moment) // 60 + 1) * 60)
        case Period.DAY:
            return (midnight + dt.timedelta(days=1)).timestamp()
        case Period.MONTH:
            next_month = midnight.replace(day=1) + dt.timedelta(days=32)
            return next_month.replace(day=1).timestamp()
        case _:
            raise ValueError(f"{period} has no end")


def month_span(month: str, zone: ZoneInfo) -> tuple[float, float]:
    """Returns when a month (``2026-11``) begins and ends, seconds since the epoch.

    Raises:
        ValueError: ``month`` has another form.
    """
    begin = dt.datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    return begin.timestamp(), period_end(Period.MONTH, begin.timestamp(), zone)


def month_of(now: float, zone: ZoneInfo) -> str:
    """Returns the month of a time, in seconds since the epoch, as ``2026-11``."""
    return dt.datetime.fromtimestamp(now, zone).strftime("%Y-%m")


def day_starts(start_at: float, end_at: float, zone: ZoneInfo) -> tuple[float, ...]:
    """Returns the starts of the days of a period, which begins and ends at local midnight."""
    starts = [start_at]
    while (following := period_end(Period.DAY, starts[-1], zone)) < end_at:
        starts.append(following)
    return tuple(starts)
