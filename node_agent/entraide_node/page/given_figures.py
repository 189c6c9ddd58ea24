"""Given figures: what the machine gave, as figures for the page.

Input: the pool's statement and the time in which the machine took jobs. Output: names and values in
the reader's language, without HTML.
"""

from collections.abc import Sequence

from msgspec import Struct

from entraide import i18n
from entraide.printable import shortened
from entraide.statements import Amounts, NodeStatement
from entraide_node.given import SHARES_SHOWN_MAX
from entraide_node.owner.lent_time import LentTime

HOUR_S = 3_600.0
NAME_CHARS_MAX = 80


class Figure(Struct, frozen=True):
    """A figure: its name, and its value with the unit."""

    name: str
    value: str


class CoopLine(Struct, frozen=True):
    """What one co-op received this month; ``own`` if it is the machine's."""

    coop: str
    own: bool
    figures: Sequence[Figure]


class GivenFigures(Struct, frozen=True):
    """What the machine gave today and this month, and the month by co-op."""

    today: Sequence[Figure]
    month: Sequence[Figure]
    coops: Sequence[CoopLine]


def make_given_figures(
    statement: NodeStatement, lent: LentTime, *, tariff: float, lang: str
) -> GivenFigures:
    """Returns what the machine gave.

    Args:
        statement: of the pool's books.
        lent: time in which the machine took jobs.
        tariff: price of its electricity, CAD/kWh; 0 if unknown.
        lang: the reader's language.
    """
    return GivenFigures(
        today=_figures(statement.today, lang, tariff=tariff, lent_s=lent.today_s),
        month=_figures(statement.this_month, lang, tariff=tariff, lent_s=lent.month_s),
        coops=[
            CoopLine(
                shortened(statement.name_of(share.coop), NAME_CHARS_MAX),
                share.coop == statement.coop,
                _figures(share.month, lang),
            )
            for share in statement.shares[:SHARES_SHOWN_MAX]
        ],
    )


def _figures(
    amounts: Amounts, lang: str, *, tariff: float = 0.0, lent_s: float | None = None
) -> list[Figure]:
    values = {
        "jobs": i18n.decimal(amounts.jobs, lang),
        "tokens": i18n.decimal(amounts.tokens, lang),
        "energy": f"{i18n.decimal(amounts.energy_wh, lang)}\u00a0Wh",
        "carbon": f"{i18n.decimal(amounts.direct_gco2e, lang)}\u00a0g\u00a0CO2e",
    }
    if lent_s is not None:
        values["hours"] = f"{i18n.decimal(round(lent_s / HOUR_S, 1), lang)}\u00a0h"
    if tariff:
        cents = amounts.energy_wh / 1_000 * tariff * 100
        values["cost"] = f"{i18n.decimal(cents, lang)}\u00a0¢"
    return [Figure(i18n.text(f"page-given-{code}", lang), value) for code, value in values.items()]
