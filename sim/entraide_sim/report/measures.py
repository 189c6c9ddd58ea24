"""Measures: values of a variant over its seeds, with their 95 % intervals, as text.

A difference that may be noise is never shown as a difference: its paired interval contains zero.
"""

import re
from collections.abc import Callable
from math import ceil, isfinite

from babel.numbers import get_decimal_symbol, parse_decimal

from entraide import i18n
from entraide_sim.money import YEAR_H
from entraide_sim.report import formatting, report_data
from entraide_sim.runs import Measure, SeededResult, summary_value
from entraide_sim.scenario import RunResult
from entraide_sim.seed_statistics import Interval

SAME_PART = 0.005  # relative change below which values of one seed count as equal
INTERVAL_PART_MIN = 0.001  # narrower intervals, as parts of the mean, are not shown

FormatValue = Callable[[float | None, str], str]


def measured_text(variant: SeededResult, measure: Measure, shown: FormatValue, lang: str) -> str:
    """Returns the mean of a measure with half the width of its interval: ``11.8 g ± 0.4``."""
    return format_interval(variant.interval(measure), shown, lang)


def format_interval(of: Interval | None, shown: FormatValue, lang: str) -> str:
    """Returns a mean with half the width of its interval: ``11.8 g CO2e ± 0.4``.

    Args:
        of: the interval; None for a dash. An unbounded one is shown as its mean.
        shown: formats a value with its unit, which is not repeated.
        lang: of the reader.
    """
    if of is None:
        return formatting.DASH
    mean = shown(of.mean, lang)
    half = (of.high - of.low) / 2.0
    if not isfinite(half) or half <= INTERVAL_PART_MIN * abs(of.mean):
        return mean
    return f"{mean}{formatting.NBSP}±{formatting.NBSP}{_width_text(mean, of.mean, half, lang)}"


def _width_text(shown: str, value: float, half: float, lang: str) -> str:
    """Returns half a width in the unit of a formatted value, with no more decimals.

    Two significant digits; what is narrower than the last decimal is rounded up to it.
    """
    digits = re.search(r"\d[\d\u00a0\u202f.,]*", shown)
    assert digits is not None
    locale = formatting.babel_locale(lang)
    number = float(parse_decimal(digits[0].rstrip("\u00a0\u202f.,"), locale=locale))
    if not number:
        return i18n.decimal(half, lang)
    width = float(f"{half * number / abs(value):.1e}")
    point = get_decimal_symbol(locale)
    decimals = len(digits[0].rstrip("\u00a0\u202f").partition(point)[2])
    decimals = max(1, decimals)
    step = 10.0**-decimals
    return i18n.decimal(round(max(step, ceil(width / step - 1e-9) * step), decimals), lang)


def negated(of: Interval) -> Interval:
    """Returns the interval of the opposite value."""
    return Interval(-of.mean, -of.high, -of.low)


def scaled(of: Interval, factor: float) -> Interval:
    """Returns the interval of a value times a positive constant."""
    return Interval(of.mean * factor, of.low * factor, of.high * factor)


def change_sign(variant: SeededResult, base: SeededResult, measure: Measure) -> int | None:
    """Returns whether a measure is less (-1), more (1) or the same (0) as the base's.

    With several seeds, the same is a difference whose interval contains zero; with one seed, one
    of at most ``SAME_PART``. None if a seed has no value.
    """
    difference, mean = variant.difference(base, measure), base.interval(measure)
    if difference is None or mean is None:
        return None
    if len(variant.seeds) > 1:
        same = difference.low <= 0.0 <= difference.high
    else:
        same = abs(difference.mean) <= SAME_PART * abs(mean.mean)
    return 0 if same else -1 if difference.mean < 0.0 else 1


def leaders(variants: tuple[SeededResult, ...], measure: Measure) -> tuple[int, ...]:
    """Returns the index of the variant with the least value, then those that may be as good.

    Empty if no variant has a value.
    """
    means = {
        number: of.mean
        for number, variant in enumerate(variants)
        if (of := variant.interval(measure)) is not None
    }
    if not means:
        return ()
    best = min(means, key=lambda number: (means[number], number))
    ties = (
        number
        for number in means
        if number != best and change_sign(variants[number], variants[best], measure) == 0
    )
    return (best, *ties)


# Measures of a year.


def carbon_g_per_year(result: RunResult) -> float:
    """Returns the emissions of a year like the run, grams."""
    return (
        (summary_value(result.summary, "carbon_g") or 0.0)
        * YEAR_H
        / report_data.demand_hours(result)
    )


def energy_wh_per_year(result: RunResult) -> float:
    """Returns the energy of a year like the run, Wh."""
    return (
        (summary_value(result.summary, "energy_wh") or 0.0)
        * YEAR_H
        / report_data.demand_hours(result)
    )


def footprint_per_year(field: str) -> Callable[[RunResult], float | None]:
    """Returns the measure of a field of a result's footprint, for a year like the run."""

    def measure(result: RunResult) -> float | None:
        if result.footprint is None:
            return None
        value = float(getattr(result.footprint, field))
        return value * YEAR_H / report_data.demand_hours(result)

    return measure


def lifecycle_g_per_year(result: RunResult) -> float | None:
    """Returns the life-cycle emissions of a year like the run, grams; None if not known."""
    return footprint_per_year("carbon_lifecycle_g")(result)


def energy_wh_per_answer(result: RunResult) -> float | None:
    """Returns the energy of a completed answer, Wh; None without any."""
    completed = summary_value(result.summary, "completed")
    return (summary_value(result.summary, "energy_wh") or 0.0) / completed if completed else None


def money_measure(field: str) -> Callable[[RunResult], float | None]:
    """Returns the measure of a field of a result's money."""

    def measure(result: RunResult) -> float | None:
        value = None if result.money is None else getattr(result.money, field)
        return None if value is None else float(value)

    return measure
