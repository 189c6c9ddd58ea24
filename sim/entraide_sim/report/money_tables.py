"""Money tables: what a fleet costs a year, what offers would cost, and energy and emissions.

One variant is a table of names and values; several are a row each.
"""

from collections.abc import Callable

from entraide.i18n import text
from entraide_sim.report import formatting, measures, question_answers
from entraide_sim.report.context import ReportInput, Row, TextTable
from entraide_sim.report.measures import FormatValue, measured_text, money_measure
from entraide_sim.runs import SeededResult
from entraide_sim.scenario import OfferCost, RunResult

MONEY_FIELDS = (
    "purchase_price_cad",
    "capital_cad",
    "maintenance_cad",
    "energy_cad",
    "idle_energy_cad",
    "total_cad",
    "total_cad_per_person",
    "sunk_capital_cad",
)


def money_tables(report: ReportInput, lang: str) -> list[TextTable]:
    """Returns the tables of money and emissions, without items that are unknown or 0 in all."""
    tables = []
    if all(result.money is not None for result in report.results):
        columns: list[_Column] = [
            (text(f"sim-report-money-{field}", lang), money_measure(field), formatting.format_money)
            for field in MONEY_FIELDS
        ]
        tables.append(_variant_table(report, "money", columns, lang))
        tables += _offer_tables(report, lang)
    if all(result.footprint is not None for result in report.results):
        tables.append(_variant_table(report, "footprint", _footprint_columns(lang), lang))
    return tables


_Column = tuple[str, Callable[[RunResult], float | None], FormatValue]


def _variant_table(report: ReportInput, name: str, columns: list[_Column], lang: str) -> TextTable:
    title, note = text(f"sim-report-{name}", lang), text(f"sim-report-{name}.note", lang)
    known = [
        column
        for column in columns
        if any(any(variant.values(column[1]) or ()) for variant in report.variants)
    ]
    if len(report.variants) == 1:
        header = (text("sim-report-col-item", lang), text("sim-report-col-amount", lang))
        rows = tuple((column[0], _cell(report.variants[0], column, lang)) for column in known)
        return TextTable(title, note, header, rows)
    return TextTable(
        title,
        note,
        (text("sim-report-col-what", lang), *(column[0] for column in known)),
        tuple(
            (
                formatting.result_name(variant.mean, lang),
                *(_cell(variant, column, lang) for column in known),
            )
            for variant in report.variants
        ),
        report.lead,
    )


def _cell(variant: SeededResult, column: _Column, lang: str) -> str:
    _, measure, shown = column
    return measured_text(variant, measure, shown, lang)


def _offer_tables(report: ReportInput, lang: str) -> list[TextTable]:
    """Returns the priced offers for the use of the recommended variant."""
    money = report.leader.mean.money
    if money is None or not (money.cloud or money.subscriptions):
        return []

    def row(offer: OfferCost, kind: str) -> Row:
        return (
            offer.name,
            text(f"sim-report-offer-{kind}", lang),
            formatting.format_money(offer.cad_per_year, lang),
            question_answers.payback_text(money, offer, lang),
            text(
                "sim-report-offer-source",
                lang,
                date=formatting.format_day(offer.as_of, lang),
                source=offer.source,
                shipped="yes" if offer.shipped else "no",
            ),
        )

    rows = [
        row(offer, kind)
        for kind, offers in (("cloud", money.cloud), ("subscription", money.subscriptions))
        for offer in offers
        if offer.cad_per_year is not None
    ]
    header = tuple(
        text(f"sim-report-col-{key}", lang)
        for key in ("offer", "offer_kind", "per_year", "payback", "price_source")
    )
    title = text("sim-report-offers", lang)
    return [TextTable(title, text("sim-report-offers.note", lang), header, tuple(rows))]


def _footprint_columns(lang: str) -> list[_Column]:
    columns: list[tuple[str, Callable[[RunResult], float | None], FormatValue]] = [
        ("energy", measures.energy_wh_per_year, formatting.format_energy),
        ("idle", measures.footprint_per_year("idle_wh"), formatting.format_energy),
        ("direct", measures.carbon_g_per_year, formatting.format_carbon),
        ("lifecycle", measures.lifecycle_g_per_year, formatting.format_carbon),
        ("made", measures.footprint_per_year("embodied_g"), formatting.format_carbon),
    ]
    return [
        (text(f"sim-report-footprint-{key}", lang), measure, shown)
        for key, measure, shown in columns
    ]
