"""Moments: reads when something must have ended, as a person writes it."""

import datetime as dt
import re

from entraide import i18n
from entraide.cli.usage_errors import bad_value

SECONDS = {"min": 60, "h": 3_600, "d": 86_400, "j": 86_400}
_DURATION = re.compile(r"(\d{1,6}(?:[.,]\d{1,3})?)\s*(min|h|d|j)")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


def read_moment(text: str, lang: str, *, now: dt.datetime) -> dt.datetime:
    """Returns a moment, from a duration, a time of day, or a date in ISO 8601.

    Args:
        text: ``8h``, ``90min``, ``3d`` (or ``3j``) from now; ``18:00``, the next one;
            ``2026-12-01`` or ``2026-12-01T08:00``, in local time where it names no zone.
        lang: language of the error.
        now: the present moment, in local time.

    Raises:
        BadParameter: it is none of these.

    >>> now = dt.datetime(2026, 12, 1, 9, 30, tzinfo=dt.UTC)
    >>> [read_moment(text, "en", now=now).isoformat()[:16] for text in ("8h", "1.5d", "09:00")]
    ['2026-12-01T17:30', '2026-12-02T21:30', '2026-12-02T09:00']
    """
    text = text.strip()
    if duration := _DURATION.fullmatch(text):
        amount = float(duration[1].replace(",", "."))
        return now + dt.timedelta(seconds=amount * SECONDS[duration[2]])
    try:
        if clock := _CLOCK.fullmatch(text):
            moment = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
            return moment if moment > now else moment + dt.timedelta(days=1)
        moment = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise bad_value(i18n.text("cli-bad-moment", lang, text=text)) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)
