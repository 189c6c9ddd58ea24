"""Formatting: numbers, names and times of a report, in French or English.

Three significant digits, a unit that keeps the number between 1 and 1,000, and never "100 %" for
less than the whole. Babel supplies the signs and spaces of each language.
"""

import datetime as dt
from collections.abc import Iterable
from fnmatch import fnmatchcase
from math import floor

from babel.dates import format_date, get_timezone
from babel.lists import format_list
from babel.numbers import format_currency, format_percent
from babel.units import format_unit

from entraide import i18n
from entraide.i18n import text
from entraide_sim.fleet import display_names
from entraide_sim.grid import DAY_H
from entraide_sim.scenario import LABEL_SEPARATOR, GroupUsage, RunResult

NBSP = "\u00a0"
MONTHS = 12
MICROWAVE_W = 1_000.0  # power of a microwave oven, for comparison
DASH = "–"
WHOLE_DOLLARS_MIN = 10.0


def babel_locale(lang: str) -> str:
    """Returns Babel's locale of a language in Canada."""
    return f"{i18n.lang_of(lang)}_CA"


def format_number(value: float | None, lang: str) -> str:
    """Returns a number to three significant digits; a dash for none."""
    return DASH if value is None else i18n.decimal(value, lang)


def format_count(value: int, lang: str) -> str:
    """Returns an integer with all its digits."""
    return i18n.decimal(float(value), lang)


def _format_scaled(
    value: float | None, steps: tuple[tuple[float, str], ...], lang: str, *, like: float = 0.0
) -> str:
    """Returns a value in the unit that suits it, or the larger value that stands beside it."""
    if value is None:
        return DASH
    size, unit = next((s for s in steps if max(abs(value), abs(like)) >= s[0]), steps[-1])
    return f"{i18n.decimal(value / size if size else value, lang)}{NBSP}{unit}"


def format_energy(value_wh: float | None, lang: str, *, like: float = 0.0) -> str:
    """Returns an energy in Wh, kWh or MWh; in a table, in the unit of its largest, ``like``."""
    return _format_scaled(value_wh, ((1e6, "MWh"), (1e3, "kWh"), (0, "Wh")), lang, like=like)


def format_carbon(value_g: float | None, lang: str, *, like: float = 0.0) -> str:
    """Returns emissions in g, kg or t of CO2e; beside others, in the unit of the largest."""
    steps = ((1e6, f"t{NBSP}CO2e"), (1e3, f"kg{NBSP}CO2e"), (0, f"g{NBSP}CO2e"))
    return _format_scaled(value_g, steps, lang, like=like)


def format_grams(value_g: float | None, lang: str) -> str:
    """Returns emissions in g of CO2e."""
    return _format_scaled(value_g, ((0, f"g{NBSP}CO2e"),), lang)


def format_seconds(value_s: float | None, lang: str) -> str:
    """Returns a duration in seconds, minutes or hours."""
    if value_s is not None and value_s < 120:
        return f"{i18n.decimal(value_s, lang)}{NBSP}s"
    return _format_scaled(value_s, ((7_200.0, "h"), (60.0, "min")), lang)


def format_tick(value_s: float, lang: str) -> str:
    """Returns a duration for an axis: ``1 min``, never ``60 s``."""
    return _format_scaled(value_s, ((3_600.0, "h"), (60.0, "min"), (0, "s")), lang)


def format_money(value_cad: float | None, lang: str) -> str:
    """Returns Canadian dollars: no cents from 1,000 on, parts of a cent below 10 cents."""
    if value_cad is None:
        return DASH
    size = abs(value_cad)
    digits = "0" if size >= 1_000 else "0.00" if size >= 0.1 or size == 0 else "0.00##"
    form = f"#,##{digits}{NBSP}¤" if i18n.lang_of(lang) == "fr" else f"¤#,##{digits}"
    return format_currency(value_cad, "CAD", form, babel_locale(lang), currency_digits=False)


def format_dollars(value_cad: float | None, lang: str) -> str:
    """Returns Canadian dollars a year: no cents from 10 dollars on."""
    whole = value_cad is not None and abs(value_cad) >= WHOLE_DOLLARS_MIN
    if not whole or value_cad is None:
        return format_money(value_cad, lang)
    form = f"#,##0{NBSP}¤" if i18n.lang_of(lang) == "fr" else "¤#,##0"
    return format_currency(value_cad, "CAD", form, babel_locale(lang), currency_digits=False)


def format_percentage(value: float | None, lang: str) -> str:
    r"""Returns a part in percent; only the whole is 100 %, only nothing is 0 %.

    >>> [format_percentage(value, "fr") for value in (0.9996, 1.0, 0.52, 0.0002, None)]
    ['99,9\xa0%', '100\xa0%', '52\xa0%', '0,1\xa0%', '–']
    """
    if value is None:
        return DASH
    if 0.99 < value < 1:
        value = min(floor(value * 1_000) / 1_000, 0.999)
    elif 0 < value < 0.001:
        value = 0.001
    digits = "0.#" if value < 0.1 or value > 0.99 else "0"
    sign = f"{NBSP}%" if i18n.lang_of(lang) == "fr" else "%"
    return format_percent(value, format=f"{digits}{sign}", locale=babel_locale(lang))


def format_points(value: float | None, lang: str) -> str:
    """Returns a difference of two parts in percentage points."""
    if value is None:
        return DASH
    return f"{i18n.decimal(round(value * 100.0, 1), lang)}{NBSP}points"


def format_span(hours: float, lang: str) -> str:
    """Returns a duration in hours, or in days from 2 days on."""
    days = hours / DAY_H
    unit, size = ("duration-day", days) if days >= 2 else ("duration-hour", hours)
    return format_unit(round(size, 1), unit, "long", locale=babel_locale(lang)).replace(" ", NBSP)


def format_years(years: float, lang: str) -> str:
    """Returns a duration in years, or in months below two years."""
    unit, size = ("duration-year", years) if years >= 2 else ("duration-month", years * MONTHS)
    shown = round(size, 1) if unit == "duration-year" else max(1, round(size))
    return format_unit(shown, unit, "long", locale=babel_locale(lang)).replace(" ", NBSP)


def local_time(at: float, timezone: str) -> dt.datetime:
    """Returns a moment in the local time of a time zone."""
    return dt.datetime.fromtimestamp(at, dt.UTC).astimezone(get_timezone(timezone))


def format_date_of(at: float, timezone: str, lang: str) -> str:
    """Returns the date of a moment: ``14 janvier 2026``."""
    return format_date(local_time(at, timezone), "long", locale=babel_locale(lang))


def format_day(iso: str, lang: str) -> str:
    """Returns the date of a day: ``2026-09-22`` as ``22 septembre 2026``."""
    return format_date(dt.date.fromisoformat(iso), "long", locale=babel_locale(lang))


def format_hour(of_day: int, lang: str) -> str:
    """Returns an hour of the day: ``7 h``, ``7:00``."""
    return f"{of_day}{NBSP}h" if i18n.lang_of(lang) == "fr" else f"{of_day}:00"


def join_list(items: Iterable[str], lang: str) -> str:
    """Returns items as a list in a sentence: ``a, b et c``."""
    return format_list(list(items), locale=babel_locale(lang))


def join_clauses(items: Iterable[str], lang: str) -> str:
    """Joins clauses with semicolons: ``a ; b``."""
    return f"{NBSP if i18n.lang_of(lang) == 'fr' else ''}; ".join(items)


def scenario_title(result: RunResult, lang: str) -> str:
    """Returns a scenario's title, else its name."""
    return result.title.get(i18n.lang_of(lang)) or result.scenario


def result_name(result: RunResult, lang: str) -> str:
    """Returns the label of a result, translated where possible."""
    parts = (result.label or result.picker).split(LABEL_SEPARATOR)
    return LABEL_SEPARATOR.join(_label_part_name(result, label_part, lang) for label_part in parts)


def _label_part_name(result: RunResult, label: str, lang: str) -> str:
    titled = result.names.get(label, {}).get(i18n.lang_of(lang))
    if titled:
        return titled
    return picker_name(label, lang)


def picker_name(picker: str, lang: str) -> str:
    """Returns a picker in words, or another text as it is."""
    code = f"sim-picker-{picker}"
    return text(code, lang) if i18n.has_message(code) else picker


def part_name(result: RunResult, kind: str, name: str, lang: str) -> str:
    """Returns what people call a part of a result's scenario: ``display_names.display_name``."""
    return display_names.display_name(result.titles, kind, name, lang)


def machine_name(result: RunResult, line: GroupUsage, lang: str) -> str:
    """Returns what people call a group of machines, or its device where there is no scenario."""
    if line.group in result.titles.get("group", {}):
        return part_name(result, "group", line.group, lang)
    return display_names.device_name(line.name or line.device, lang)


def owner_text(result: RunResult, pattern: str, lang: str) -> str:
    """Returns the owner of machines: a co-op, or the number of co-ops that match a pattern."""
    if "*" not in pattern:
        return part_name(result, "coop", pattern, lang)
    count = sum(fnmatchcase(coop.coop, pattern) for coop in result.coops)
    return text("sim-report-coops", lang, count=count)


def format_moment(at: float, timezone: str, lang: str) -> str:
    """Returns the day of the week and the time of a moment: ``mardi 7 janvier, 11 h 00``."""
    local = local_time(at, timezone)
    form = "EEEE d MMMM" if i18n.lang_of(lang) == "fr" else "EEEE, MMMM d"
    clock = f"{local.hour}{NBSP}h{NBSP}{local.minute:02}"
    if i18n.lang_of(lang) != "fr":
        clock = f"{local.hour}:{local.minute:02}"
    return f"{format_date(local, form, locale=babel_locale(lang))}, {clock}"


def measure_name(key: str, lang: str) -> str:
    """Returns a key of the summary in words, or the key if it has no name."""
    code = f"sim-measure-{key.strip().replace('.', '-')}"
    return text(code, lang) if i18n.has_message(code) else key


def format_goal(typed: str, lang: str) -> str:
    """Returns a goal (``ttft_s.p95<=2``) in words if its key has a name."""
    for sign, shown in (("<=", "≤"), (">=", "≥"), ("<", "<"), (">", ">"), ("=", "=")):
        key, separator, bound = typed.partition(sign)
        name = measure_name(key, lang)
        if separator and name != key:
            try:
                limit = i18n.decimal(float(bound), lang)
            except ValueError:
                limit = bound.strip()
            return f"{name} {shown}{NBSP}{limit}"
    return typed


def microwave_time(value_wh: float, lang: str) -> str:
    """Returns how long a microwave oven would run on an energy, to the second."""
    value_s = value_wh * 3_600.0 / MICROWAVE_W
    if 0.0 < value_s < 1.0:
        return text("sim-report-under", lang, limit=format_seconds(1.0, lang))
    return format_seconds(float(round(value_s)) if value_s < 120 else value_s, lang)
