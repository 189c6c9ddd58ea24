"""Lent words: an owner's hours and caps in sentences, in French and English. Pure."""

import datetime as dt

from babel.dates import format_time, get_day_names
from babel.lists import format_list
from babel.numbers import format_decimal

from entraide import i18n
from entraide.lent_terms import LentCaps, LentHours, LentTerms
from entraide.types import Lending

DAY_MIN = 1_440
RANGE_MIN = 3  # days in a row that are written as a range
NBSP = "\u00a0"


def terms_sentences(terms: LentTerms | None, lang: str) -> tuple[str, ...]:
    """Returns what an owner tells of the terms: hours, and caps with and without the owner."""
    if terms is None:
        return (i18n.text("lent-untold", lang),)
    return (_hours(terms.hours, lang), _idle(terms.caps_idle, lang), _present(terms, lang))


def _hours(hours: tuple[LentHours, ...], lang: str) -> str:
    if not hours:
        return i18n.text("lent-always", lang)
    semicolon = f"{NBSP}; " if lang == "fr" else "; "
    spans = semicolon.join(_span(span, lang) for span in hours if span.days)
    return i18n.text("lent-hours", lang, hours=spans).replace("..", ".")  # as after "8:00 a.m."


def _span(span: LentHours, lang: str) -> str:
    """Returns a time range: ``Monday to Friday, 6:00 p.m. to 8:00 a.m.``."""
    days = _days(sorted(set(span.days)), lang)
    if (span.begin_min, span.end_min) in ((0, DAY_MIN), (0, 0)):
        return i18n.text("lent-whole-day", lang, days=days)
    begin, end = _time(span.begin_min, lang), _time(span.end_min, lang)
    return i18n.text("lent-span", lang, days=days, begin=begin, end=end)


def _days(days: list[int], lang: str) -> str:
    names = get_day_names("wide", locale=f"{lang}_CA")
    if len(days) == len(names):
        return i18n.text("lent-every-day", lang)
    in_a_row = len(days) >= RANGE_MIN and days[-1] - days[0] == len(days) - 1
    if in_a_row:
        return i18n.text("lent-days", lang, first=names[days[0]], last=names[days[-1]])
    listed = [i18n.text("lent-day", lang, day=names[day]) for day in days]
    return str(format_list(listed, locale=f"{lang}_CA"))


def _time(minute: int, lang: str) -> str:
    if minute % DAY_MIN == 0:
        return i18n.text("lent-midnight", lang)
    hour, minute = divmod(minute, 60)
    if lang == "fr":
        return f"{hour}{NBSP}h{NBSP}{minute:02}" if minute else f"{hour}{NBSP}h"
    return str(format_time(dt.time(hour, minute), "short", locale="en_CA"))


def _idle(caps: LentCaps, lang: str) -> str:
    return i18n.text("lent-idle", lang, caps=_caps(caps, lang))


def _present(terms: LentTerms, lang: str) -> str:
    if terms.present is None:
        return i18n.text("lent-present-nothing", lang)
    code = "lent-present-own" if terms.present is Lending.OWN_ONLY else "lent-present"
    return i18n.text(code, lang, caps=_caps(terms.caps_present, lang))


def _caps(caps: LentCaps, lang: str) -> str:
    parts = []
    if caps.memory_gb > 0.0:
        parts.append(i18n.text("lent-memory", lang, memory=_number(caps.memory_gb, lang)))
    if caps.power_w > 0.0:
        parts.append(i18n.text("lent-power", lang, power=_number(caps.power_w, lang)))
    if not parts:
        return i18n.text("lent-no-caps", lang)
    return str(format_list(parts, locale=f"{lang}_CA"))


def _number(value: float, lang: str) -> str:
    return str(format_decimal(value, format="#,##0.#", locale=f"{lang}_CA"))
