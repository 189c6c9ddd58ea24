"""Numbers, units and dates in answers, as French of Québec and English write them.

Input: plain text and its language. Output: numbers with their units, or dates. French has a comma
before decimals and spaces between thousands (``1 234,5``), English a point and commas
(``1,234.5``); a form that can be read in one way only is read in either language.
"""

import re
from datetime import date
from types import MappingProxyType

from msgspec import Struct

from entraide.evaluation.normalisation import unaccented

_NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>(?<![\w)] )(?<!\w)-)?(?:(?P<currency>[$€£]) ?)?"
    r"(?P<digits>\d{1,3}(?:[ ']\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*)"
    r"(?: ?(?P<unit>[%$¢€£°]|[^\W\d_]+(?!['\w-])))?"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
UNGROUPED_BELOW = 10_000  # numbers of four digits have no space or comma
UNITS = MappingProxyType(
    {
        form: unit
        for unit, forms in {
            "$": "$ dollar dollars cad",
            "¢": "¢ cent cents",
            "€": "€ eur euro euros",
            "£": "£ gbp",
            "usd": "usd",
            "%": "% pourcent percent",
            "km": "km kilometre kilometres kilometer kilometers",
            "m": "m metre metres meter meters",
            "cm": "cm centimetre centimetres centimeter centimeters",
            "mm": "mm millimetre millimetres millimeter millimeters",
            "kg": "kg kilo kilos kilogramme kilogrammes kilogram kilograms",
            "g": "g gramme grammes gram grams",
            "l": "l litre litres liter liters",
            "ml": "ml millilitre millilitres milliliter milliliters",
            "h": "h heure heures hour hours",
            "min": "min minute minutes",
            "s": "s seconde secondes second seconds",
            "d": "jour jours day days",
            "week": "semaine semaines week weeks",
            "month": "mois month months",
            "year": "an ans annee annees year years",
            "kwh": "kwh kilowattheure kilowattheures",
            "wh": "wh",
        }.items()
        for form in forms.split()
    }
)
MONTH_NAMES = MappingProxyType(
    {
        "fr": "janvier février mars avril mai juin "
        "juillet août septembre octobre novembre décembre",
        "en": "January February March April May June "
        "July August September October November December",
    }
)
_SHORT = (
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "jan fev mar avr mai juin juil aout sept",
)
MONTHS = MappingProxyType(
    {
        unaccented(name): number
        for names in (*MONTH_NAMES.values(), *_SHORT)
        for number, name in enumerate(names.split(), 1)
    }
)
_MONTH = rf"(?P<m>{'|'.join(sorted(MONTHS, key=len, reverse=True))})\b\.?"
_DAY, _YEAR = r"(?<!\d)(?P<d>\d{1,2})", r"(?P<y>\d{4})"
_DATES = (
    re.compile(rf"(?<!\d){_YEAR}[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})(?!\d)"),
    re.compile(rf"{_DAY}[-/.](?P<m>\d{{1,2}})[-/.]{_YEAR}(?!\d)"),
    re.compile(rf"{_DAY}(?:er|st|nd|rd|th)? (?:of )?{_MONTH},?(?: {_YEAR}\b)?"),
    re.compile(rf"\b{_MONTH} (?:the )?{_DAY}(?:st|nd|rd|th)?(?!\d)(?:,? {_YEAR}\b)?"),
)


class Quantity(Struct, frozen=True):
    """A number with its unit; "" for none that is known."""

    value: float
    unit: str = ""


def find_quantities(text: str, language: str) -> list[Quantity]:
    """Returns the numbers of a plain text with their units, in order."""
    return [
        Quantity(
            _read_number(match["digits"], language) * (-1 if match["sign"] else 1),
            UNITS.get(unaccented(match["currency"] or match["unit"] or ""), ""),
        )
        for match in _NUMBER.finditer(text)
    ]


def _read_number(digits: str, language: str) -> float:
    digits = digits.replace(" ", "").replace("'", "")
    commas, points = digits.count(","), digits.count(".")
    if commas and points:
        decimal = max(",.", key=digits.rfind)
        digits = digits.replace("." if decimal == "," else ",", "")
    elif commas > 1 or (commas and language == "en" and _THOUSANDS.fullmatch(digits)):
        digits = digits.replace(",", "")
    elif points > 1:
        digits = digits.replace(".", "")
    digits = digits.replace(",", ".")
    return float(digits) if digits.count(".") <= 1 else float("nan")


def find_dates(text: str, language: str) -> list[set[date]]:
    """Returns the dates of a plain text, each with its possible readings; year 1 if none is named.

    In English, ``03/04/2026`` has two readings.
    """
    text = unaccented(text)
    dates = []
    for pattern in _DATES:
        for match in pattern.finditer(text):
            day, year = int(match["d"]), int(match["y"] or 1)
            month = MONTHS.get(match["m"]) or int(match["m"])
            readings = {_date(year, month, day)}
            if language == "en" and match["m"].isdigit() and not match[0].startswith(match["y"]):
                readings.add(_date(year, day, month))
            dates.append({reading for reading in readings if reading is not None})
    return dates


def without_dates(text: str) -> str:
    """Returns a plain text, unaccented and in small letters, without its dates."""
    text = unaccented(text)
    for pattern in _DATES:
        text = pattern.sub(" ", text)
    return text


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def format_number(value: float, language: str, *, decimals_min: int = 0) -> str:
    """Returns a number as the language writes it, with two decimals at most."""
    grouping = "," if abs(value) >= UNGROUPED_BELOW else ""
    whole, _, decimals = f"{value:{grouping}.2f}".partition(".")
    decimals = decimals.rstrip("0").ljust(decimals_min, "0")
    if language == "fr":
        whole = whole.replace(",", "\u202f")
    return f"{whole}{',' if language == 'fr' else '.'}{decimals}" if decimals else whole


def format_date(value: date, language: str) -> str:
    """Returns a date as the language writes it in a sentence."""
    month = MONTH_NAMES[language].split()[value.month - 1]
    if language == "en":
        return f"{month} {value.day}, {value.year}"
    return f"{'1er' if value.day == 1 else value.day} {month} {value.year}"
