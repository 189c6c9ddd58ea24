"""Moments: how far away something is, in words.

It decides how a moment is told: as a distance from the one at which it was decided ("in about
3 h"), since who writes a sentence seldom knows the reader's clock. Where a reader's clock is known,
the time of day stands beside it. It refuses to know what happens then.
"""

import datetime as dt
from collections.abc import Callable

from babel.dates import format_skeleton, format_time

from entraide import i18n

# Turns seconds since the epoch into the reader's own date and time of day.
Clock = Callable[[float], dt.datetime]

MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0
# A larger unit is used from one and a half of it on; days from two.
MINUTES_FROM_S, HOURS_FROM_S, DAYS_FROM_S = 90.0, 5_400.0, 172_800.0
NOW_WITHIN_S = 0.5


def span(value_s: float, lang: str) -> str:
    r"""Returns a duration as a person would say it, to about a part in ten.

    >>> span(42.3, "fr"), span(1_500, "en"), span(9_100, "fr"), span(260_000, "fr")
    ('42\xa0s', '25\xa0min', '2,5\xa0h', '3\xa0jours')
    """
    if value_s >= DAYS_FROM_S:
        return i18n.text("time-days", lang, days=round(value_s / DAY_S))
    if value_s >= HOURS_FROM_S:
        return f"{i18n.decimal(round(value_s / HOUR_S * 2) / 2, lang)}\u00a0h"
    if value_s >= MINUTES_FROM_S:
        return f"{round(value_s / MINUTE_S)}\u00a0min"
    return f"{max(1, round(value_s))}\u00a0s"


def told(moment: float, lang: str, *, at: float, clock: Clock | None = None) -> str:
    """Returns when something is, seen from another moment.

    Args:
        moment: when it is, seconds since the epoch.
        lang: the reader's language.
        at: the moment from which it is seen, seconds since the epoch.
        clock: the reader's clock; with it the time of day is added, and the day if it is another.
    """
    if abs(moment - at) < NOW_WITHIN_S:
        return i18n.text("time-now", lang)
    code = "time-in" if moment > at else "time-ago"
    when = i18n.text(code, lang, span=span(abs(moment - at), lang))
    if clock is None:
        return when
    if clock(moment).date() == clock(at).date():
        return i18n.text("time-clock", lang, when=when, clock=clock_time(moment, lang, clock))
    return i18n.text(
        "time-clock-day",
        lang,
        when=when,
        day=clock_day(moment, lang, clock),
        clock=clock_time(moment, lang, clock),
    )


def clock_time(moment: float, lang: str, clock: Clock) -> str:
    """Returns the time of day on the reader's clock, ``14 h 05``, with spaces that do not break."""
    told_time = format_time(clock(moment), "short", locale=f"{i18n.lang_of(lang)}_CA")
    return str(told_time).replace(" ", "\u00a0")


def clock_day(moment: float, lang: str, clock: Clock) -> str:
    """Returns the day on the reader's clock, ``2 mars``; French says ``1er`` for the first."""
    day = clock(moment)
    written = str(format_skeleton("MMMMd", day, locale=f"{i18n.lang_of(lang)}_CA"))
    if i18n.lang_of(lang) == "fr" and day.day == 1:
        written = written.replace("1 ", "1er ", 1)
    return written.replace(" ", "\u00a0")
