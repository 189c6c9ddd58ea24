"""Relative time: a point in time in words, as a distance from another: "in about 3 h".

The writer of a sentence seldom knows the reader's clock, so a time is given as its distance from
the time of the decision. Where the reader's clock is known, the time of day is added. Each date
and each time of day that a person reads comes with its time zone.
"""

import datetime as dt
from collections.abc import Callable

from babel.dates import format_skeleton
from babel.dates import format_time as format_time_of_day

from entraide import i18n

# Converts seconds since the epoch to the reader's date and time of day.
Clock = Callable[[float], dt.datetime]

MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0
# Minutes and hours are used from one and a half of the unit on; days from two.
MINUTES_FROM_S, HOURS_FROM_S, DAYS_FROM_S = 90.0, 5_400.0, 172_800.0
NOW_WITHIN_S = 0.5


def format_duration(duration_s: float, lang: str) -> str:
    r"""Returns a duration in one unit, rounded.

    Hours are rounded to half an hour; days, minutes and seconds to whole ones.

    >>> [format_duration(duration_s, "fr") for duration_s in (42.3, 1_500, 9_100, 260_000)]
    ['42\xa0s', '25\xa0min', '2,5\xa0h', '3\xa0jours']
    """
    if duration_s >= DAYS_FROM_S:
        return i18n.text("time-days", lang, days=round(duration_s / DAY_S))
    if duration_s >= HOURS_FROM_S:
        return f"{i18n.decimal(round(duration_s / HOUR_S * 2) / 2, lang)}\u00a0h"
    if duration_s >= MINUTES_FROM_S:
        return f"{round(duration_s / MINUTE_S)}\u00a0min"
    return f"{max(1, round(duration_s))}\u00a0s"


def format_time(time: float, lang: str, *, at: float, clock: Clock | None = None) -> str:
    """Returns a point in time as its distance from another one.

    Args:
        time: the time to format, seconds since the epoch.
        lang: the reader's language.
        at: the time from which the distance is measured, seconds since the epoch.
        clock: the reader's clock; with it the time of day is added, and the day where the two
            times are on different days.
    """
    if abs(time - at) < NOW_WITHIN_S:
        return i18n.text("time-now", lang)
    code = "time-in" if time > at else "time-ago"
    distance = i18n.text(code, lang, span=format_duration(abs(time - at), lang))
    if clock is None:
        return distance
    time_of_day = format_clock_time(time, lang, clock)
    if clock(time).date() == clock(at).date():
        return i18n.text("time-clock", lang, when=distance, clock=time_of_day)
    day = format_day(time, lang, clock)
    return i18n.text("time-clock-day", lang, when=distance, day=day, clock=time_of_day)


def format_clock_time(time: float, lang: str, clock: Clock) -> str:
    """Returns the time of day on the reader's clock, ``14 h 05 HNE``, with no-break spaces.

    A clock without a time zone gives a time without one.
    """
    moment = clock(time)
    time_of_day = format_time_of_day(moment, "short", locale=f"{i18n.lang_of(lang)}_CA")
    return f"{time_of_day} {format_zone(moment, lang)}".strip().replace(" ", "\u00a0")


def format_zone(moment: dt.datetime, lang: str) -> str:
    """Returns the time zone of a moment as its readers abbreviate it; "" where it has none.

    >>> from zoneinfo import ZoneInfo
    >>> summer = dt.datetime(2026, 7, 1, tzinfo=ZoneInfo("America/Toronto"))
    >>> [format_zone(summer, lang) for lang in ("fr", "en")]
    ['HAE', 'EDT']
    """
    name = moment.tzname() or ""
    return f"UTC{name}" if name[:1] in ("+", "-") else i18n.word("time-zone", name, lang)


def format_moment(at: float, lang: str, zone: dt.tzinfo | None = None) -> str:
    """Returns a point in time as a date and a time of day with its zone.

    Args:
        at: seconds since the epoch.
        lang: the reader's language.
        zone: time zone; None for this machine's.

    >>> from zoneinfo import ZoneInfo
    >>> format_moment(1_772_391_900.0, "fr", ZoneInfo("America/Toronto"))
    '2026-03-01 14:05 HNE'
    """
    moment = dt.datetime.fromtimestamp(at, tz=dt.UTC).astimezone(zone)
    return f"{moment:%Y-%m-%d %H:%M} {format_zone(moment, lang)}"


def format_day(time: float, lang: str, clock: Clock) -> str:
    """Returns the day on the reader's clock, ``2 mars``; French writes ``1er`` for the first."""
    date = clock(time)
    text = str(format_skeleton("MMMMd", date, locale=f"{i18n.lang_of(lang)}_CA"))
    if i18n.lang_of(lang) == "fr" and date.day == 1:
        text = text.replace("1 ", "1er ", 1)
    return text.replace(" ", "\u00a0")
