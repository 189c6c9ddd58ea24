"""Figures: numbers, dates and names of a statement's page, as the language writes them. Pure.

French groups thousands by a narrow no-break space (U+202F) and writes 1 234,5; a negative number
has a minus sign (U+2212). A name holds only characters that the page's font has: PDF/UA forbids a
page that shows others, so they are written as ``[U+4E2D]``. Names are data and never markup.
"""

import datetime as dt
import unicodedata
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal
from msgspec import Struct

from entraide.statements import Amounts

NAME_SHOWN_MAX_CHARS = 80
TEXT_SHOWN_MAX_CHARS = 240  # of the co-op's own name, and of a correction's reason
BREAK_EVERY_CHARS = 16  # a name without spaces may break there
BREAK = "\u200b"
NARROW_SPACE = "\u202f"
MINUS = "\u2212"
# Decimals of all amounts of a page, by the largest: above so much, so many.
DECIMALS = ((1_000.0, 1), (1.0, 3), (0.0, 6))
KILO_FROM = 100_000.0  # from here on kWh and kg, with three decimals

# Characters that Libertinus Serif has, first and last of each range.
SHOWN_RANGES = (
    (0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x24F), (0x391, 0x3A1), (0x3A3, 0x3CE), (0x400, 0x45F),
    (0x1E00, 0x1EFF), (0x2010, 0x2027), (0x202F, 0x203A), (0x2082, 0x2082), (0x20AC, 0x20AC),
    (0x2190, 0x2193), (0x2212, 0x2212),
)  # fmt: skip


class Figures(Struct, frozen=True):
    """How the numbers of one page are written.

    Attributes:
        lang: ``fr`` or ``en``.
        energy_unit, carbon_unit: ``Wh`` or ``kWh``, ``g`` or ``kg``.
        energy_decimals, carbon_decimals: in these units.
    """

    lang: str
    energy_unit: str
    carbon_unit: str
    energy_decimals: int
    carbon_decimals: int

    def whole(self, value: int) -> str:
        """Returns a whole number."""
        return self._format(value, "#,##0")

    def energy(self, value_wh: float) -> str:
        """Returns watt-hours in the page's unit, without the unit."""
        return self._amount(value_wh, self.energy_unit, self.energy_decimals)

    def carbon(self, value_g: float) -> str:
        """Returns grams in the page's unit, without the unit."""
        return self._amount(value_g, self.carbon_unit, self.carbon_decimals)

    def amounts(self, amounts: Amounts) -> list[str]:
        """Returns jobs, tokens, watt-hours, and grams of direct and life-cycle emissions."""
        return [
            self.whole(amounts.jobs),
            self.whole(amounts.tokens),
            self.energy(amounts.energy_wh),
            self.carbon(amounts.direct_gco2e),
            self.carbon(amounts.lifecycle_gco2e),
        ]

    def date(self, day: dt.date) -> str:
        """Returns a date in words: ``1er novembre 2026``, ``November 1, 2026``."""
        text = str(format_date(day, "long", locale=f"{self.lang}_CA"))
        if self.lang == "fr":
            text = text.replace("1 ", "1er ", 1) if day.day == 1 else text
        return text.replace(" ", "\u00a0")

    def moment(self, at: float, zone: ZoneInfo) -> str:
        """Returns the date of a time in a zone."""
        return self.date(dt.datetime.fromtimestamp(at, zone).date())

    def month(self, at: float, zone: ZoneInfo) -> str:
        """Returns the month of a time in a zone, in words: ``novembre 2026``."""
        day = dt.datetime.fromtimestamp(at, zone).date()
        text = str(format_date(day, "LLLL y", locale=f"{self.lang}_CA"))
        return text.replace(" ", "\u00a0")

    def _amount(self, value: float, unit: str, decimals: int) -> str:
        scaled = value / 1_000.0 if unit.startswith("k") else value
        return self._format(scaled, "#,##0." + "0" * decimals if decimals else "#,##0")

    def _format(self, value: float, pattern: str) -> str:
        text = str(format_decimal(value, format=pattern, locale=f"{self.lang}_CA"))
        return text.replace("\u00a0", NARROW_SPACE).replace("-", MINUS)


def make_figures(lang: str, totals: Iterable[Amounts]) -> Figures:
    """Returns how a page writes its numbers: small amounts with more decimals, all in one way."""
    parts = list(totals)
    energy_wh = max((part.energy_wh for part in parts), default=0.0)
    carbon_g = max((part.direct_gco2e for part in parts), default=0.0)
    return Figures(
        lang,
        "kWh" if energy_wh >= KILO_FROM else "Wh",
        "kg" if carbon_g >= KILO_FROM else "g",
        _decimals(energy_wh),
        _decimals(carbon_g),
    )


def _decimals(largest: float) -> int:
    if largest >= KILO_FROM:
        return 3
    return next((count for limit, count in DECIMALS if largest > limit), 0)


def show_name(name: str, chars: int = NAME_SHOWN_MAX_CHARS) -> str:
    r"""Returns a name with the characters that the page can show, shortened to ``chars``.

    >>> show_name("paie\u202e 中")
    'paie[U+202E] [U+4E2D]'
    """
    composed = unicodedata.normalize("NFC", name)
    shown = composed[:chars]
    text = "".join(each if _is_shown(each) else f"[U+{ord(each):04X}]" for each in shown)
    if len(composed) > chars:
        text += "…"
    return " ".join(_with_breaks(word) for word in text.split(" "))


def _with_breaks(word: str) -> str:
    """Returns a word that may break after its hyphens, and where a part of it is long."""
    if "-" in word:
        return "-".join(_with_breaks(part) for part in word.split("-"))
    parts = range(0, len(word), BREAK_EVERY_CHARS)
    return BREAK.join(word[at : at + BREAK_EVERY_CHARS] for at in parts)


def _is_shown(character: str) -> bool:
    code = ord(character)
    return any(first <= code <= last for first, last in SHOWN_RANGES)
