"""Content of a statement's page: its words, tables and figures. Pure.

The tables sum the lines of the statement by project and by machine; a single key, which may be one
person's, is not shown. A table has at most ``ROWS_MAX`` rows; the others are one row, so that each
table sums to its total. No field holds markup.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from zoneinfo import ZoneInfo

from msgspec import Struct

from entraide import i18n
from entraide.receipts import ReceiptKey
from entraide.statements import Amounts, Statement, UsageLine
from entraide.types import UNKNOWN_PLACE
from entraide_scheduler.books import amounts_of
from entraide_scheduler.statement_pdf.figures import (
    NAME_SHOWN_MAX_CHARS,
    TEXT_SHOWN_MAX_CHARS,
    Figures,
    make_figures,
    show_name,
)
from entraide_scheduler.store.breakdown import BreakdownRow

ROWS_MAX = 200
AMOUNT_COLUMNS = ("requests", "tokens", "energy", "direct", "lifecycle")


class PageTable(Struct, frozen=True):
    """A table: heads of its columns, how many columns are names, its rows and its last rows.

    Attributes:
        heads: of the columns.
        names: number of columns, from the left, that hold names; the others hold numbers.
        rows: the cells.
        totals: number of rows, from the end, that are totals.
        wide: the columns that take the width that is left.
    """

    heads: tuple[str, ...]
    names: int
    rows: tuple[tuple[str, ...], ...]
    totals: int = 0
    wide: tuple[int, ...] = (0,)


class PageSection(Struct, frozen=True):
    """A part of the page: its title, a table or none, paragraphs after it, and a command."""

    title: str
    table: PageTable | None
    paragraphs: tuple[str, ...] = ()
    command: str = ""


class StatementPage(Struct, frozen=True):
    """A statement as words and figures.

    Attributes:
        lang: ``fr`` or ``en``.
        title, subtitle: of the page.
        facts: what it is about, as names and values.
        sections: its parts.
        checks: labels of the lines at the end that the person who checks the statement fills in.
        footer: at the foot of each page.
        page: word before the number of a page; ``of`` stands before the number of pages.
    """

    lang: str
    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[PageSection, ...]
    checks: tuple[str, ...]
    footer: str
    page: str
    of: str


class PageSource(Struct, frozen=True):
    """What a page is made from.

    Attributes:
        statement: the month.
        breakdown: the same jobs by place, class and basis.
        pool: name of the pool.
        keys: of the pool's receipts, the present one first.
        is_open: whether the month is not over.
    """

    statement: Statement
    breakdown: tuple[BreakdownRow, ...]
    pool: str
    keys: tuple[ReceiptKey, ...]
    is_open: bool


def make_page(source: PageSource, lang: str) -> StatementPage:
    """Returns the page of a statement in a language, ``fr`` or ``en``."""
    statement = source.statement
    figures = make_figures(lang, (statement.given, statement.received, statement.own))
    zone = ZoneInfo(statement.timezone)
    coop = _coop_name(statement, statement.coop, TEXT_SHOWN_MAX_CHARS)
    month = figures.month(statement.start_at, zone)
    sections = (
        _exchange(statement, figures),
        _by_project(statement, figures),
        _by_machine(statement, figures),
        _given(statement, figures),
        _bases(source, figures),
        _corrections(statement, figures, zone),
        _method(lang),
        _keys(source.keys, figures, zone),
    )
    return StatementPage(
        lang=lang,
        title=_text("title", lang),
        subtitle=_text("subtitle", lang, coop=coop, month=month),
        facts=_facts(source, figures, zone),
        sections=tuple(section for section in sections if section is not None),
        checks=(_text("checked-by", lang), _text("checked-on", lang)),
        footer=_text(
            "footer",
            lang,
            coop=_coop_name(statement, statement.coop),
            month=month,
            pool=show_name(source.pool),
        ),
        page=_text("page", lang),
        of=_text("of", lang),
    )


def _coop_name(statement: Statement, coop: str, chars: int = NAME_SHOWN_MAX_CHARS) -> str:
    return show_name(statement.name_of(coop), chars)


def _text(code: str, lang: str, /, **values: i18n.Value) -> str:
    return i18n.text(f"pdf-{code}", lang, **values)


def _heads(figures: Figures, *codes: str) -> tuple[str, ...]:
    units: dict[str, i18n.Value] = {
        "energy_unit": figures.energy_unit,
        "carbon_unit": figures.carbon_unit,
    }
    return tuple(_text(f"col-{code}", figures.lang, **units) for code in codes)


def _facts(source: PageSource, figures: Figures, zone: ZoneInfo) -> tuple[tuple[str, str], ...]:
    statement, lang = source.statement, figures.lang
    last_at = statement.end_at - 1.0
    period = _text(
        "period",
        lang,
        begin=figures.moment(statement.start_at, zone),
        end=figures.moment(last_at, zone),
        timezone=statement.timezone,
    )
    state = _text("state-open" if source.is_open else "state-closed", lang)
    if statement.closed_at:
        closed = figures.moment(statement.closed_at, zone)
        state = _text(
            "state-signed",
            lang,
            closed=closed,
            root=show_name(statement.root, TEXT_SHOWN_MAX_CHARS),
        )
    named = _coop_name(statement, statement.coop, TEXT_SHOWN_MAX_CHARS)
    identifier = show_name(statement.coop, TEXT_SHOWN_MAX_CHARS)
    facts = [
        (
            _text("fact-coop", lang),
            named if named == identifier else f"{named} ({identifier})",
        ),
        (_text("fact-pool", lang), show_name(source.pool, TEXT_SHOWN_MAX_CHARS)),
        (_text("fact-place", lang), i18n.place_name(statement.place or UNKNOWN_PLACE, lang)),
        (_text("fact-month", lang), figures.month(statement.start_at, zone)),
        (_text("fact-period", lang), period),
        (_text("fact-state", lang), state),
    ]
    return tuple(facts)


def _exchange(statement: Statement, figures: Figures) -> PageSection:
    lang = figures.lang
    rows = [(_text("given", lang), statement.given)]
    rows += [
        (_text("given-to", lang, coop=_coop_name(statement, other.coop)), other.given)
        for other in statement.others
        if other.given.jobs
    ]
    rows += [(_text("received", lang), statement.received)]
    rows += [
        (
            _text("received-from", lang, coop=_coop_name(statement, other.coop)),
            other.received,
        )
        for other in statement.others
        if other.received.jobs
    ]
    rows += [(_text("own", lang), statement.own)]
    cells = [(what, *figures.amounts(amounts)) for what, amounts in rows]
    cells.append(_balance_row(statement, figures))
    heads = _heads(figures, "what", *AMOUNT_COLUMNS)
    table = PageTable(heads, 1, tuple(cells), totals=1)
    notes: tuple[str, ...] = (_text("balance-note", lang), _text("money", lang))
    if not (statement.given.jobs or statement.received.jobs or statement.own.jobs):
        notes = (_text("nothing", lang), *notes)
    return PageSection(_text("exchange", lang), table, notes)


def _balance_row(statement: Statement, figures: Figures) -> tuple[str, ...]:
    """Returns what was given, less what was received, with the corrections."""
    given, received, posted = statement.given, statement.received, statement.corrections
    return (
        _text("balance", figures.lang),
        "",
        figures.whole(given.tokens - received.tokens + sum(each.tokens for each in posted)),
        figures.energy(
            given.energy_wh - received.energy_wh + sum(each.energy_wh for each in posted)
        ),
        figures.carbon(
            given.direct_gco2e - received.direct_gco2e + sum(each.direct_gco2e for each in posted)
        ),
        "",
    )


def _sum_lines(
    lines: Iterable[UsageLine], key: Callable[[UsageLine], tuple[str, ...]]
) -> Mapping[tuple[str, ...], Amounts]:
    sums: dict[tuple[str, ...], Amounts] = {}
    for line in lines:
        sums[key(line)] = sums.get(key(line), Amounts()).plus(line.amounts)
    return sums


def _sums_table(
    sums: Mapping[tuple[str, ...], Amounts],
    heads: Sequence[str],
    figures: Figures,
    total: Amounts,
) -> PageTable:
    """Returns sums by name, largest use of energy first, with what is left and the total."""
    order = sorted(sums, key=lambda names: (-sums[names].energy_wh, names))
    rows = [
        (*_names(names, figures.lang), *figures.amounts(sums[names])) for names in order[:ROWS_MAX]
    ]
    blanks = [""] * (len(heads) - 1)
    if rest := order[ROWS_MAX:]:
        amounts = reduce(Amounts.plus, (sums[names] for names in rest), Amounts())
        label = _text("others", figures.lang, count=figures.whole(len(rest)))
        rows.append((label, *blanks, *figures.amounts(amounts)))
    rows.append((_text("total", figures.lang), *blanks, *figures.amounts(total)))
    columns = (*heads, *AMOUNT_COLUMNS)
    names = len(heads)
    return PageTable(
        _heads(figures, *columns), names, tuple(rows), totals=1, wide=tuple(range(names))
    )


def _names(names: tuple[str, ...], lang: str) -> list[str]:
    return [show_name(name) if name.strip() else _text("unnamed", lang) for name in names]


def _by_project(statement: Statement, figures: Figures) -> PageSection | None:
    if not statement.usage:
        return None
    sums = _sum_lines(statement.usage, lambda line: (line.project,))
    total = statement.received.plus(statement.own)
    table = _sums_table(sums, ("project",), figures, total)
    lang = figures.lang
    notes = () if statement.complete else (_text("incomplete", lang),)
    return PageSection(_text("by-project", lang), table, notes)


def _by_machine(statement: Statement, figures: Figures) -> PageSection | None:
    if not statement.usage:
        return None
    sums = _sum_lines(statement.usage, lambda line: (line.node, statement.name_of(line.coop)))
    total = statement.received.plus(statement.own)
    table = _sums_table(sums, ("machine", "coop"), figures, total)
    return PageSection(_text("by-machine", figures.lang), table)


def _given(statement: Statement, figures: Figures) -> PageSection | None:
    if not statement.lent:
        return None
    sums = _sum_lines(statement.lent, lambda line: (line.node, statement.name_of(line.coop)))
    table = _sums_table(sums, ("machine", "for"), figures, statement.given)
    return PageSection(_text("given-by-machine", figures.lang), table)


def _bases(source: PageSource, figures: Figures) -> PageSection | None:
    """Returns the co-op's own jobs by how their energy and their grams were obtained."""
    lang, coop = figures.lang, source.statement.coop
    sums: dict[tuple[str, str], Amounts] = {}
    for row in source.breakdown:
        if row.borrower == coop:
            names = i18n.word("basis", row.energy_basis, lang), carbon_basis(row, lang)
            sums[names] = sums.get(names, Amounts()).plus(amounts_of(row.totals))
    if not sums:
        return None
    total = source.statement.received.plus(source.statement.own)
    rows = [(*names, *figures.amounts(sums[names])) for names in sorted(sums)]
    rows.append((_text("total", lang), "", *figures.amounts(total)))
    heads = _heads(figures, "energy-basis", "carbon-basis", *AMOUNT_COLUMNS)
    return PageSection(_text("bases", lang), PageTable(heads, 2, tuple(rows), totals=1, wide=(1,)))


def carbon_basis(row: BreakdownRow, lang: str) -> str:
    """Returns how grams were obtained: from a site's surplus, or from the grid."""
    if row.surplus_basis:
        return i18n.text(f"receipt-surplus-{row.surplus_basis}", lang)
    return i18n.text(f"receipt-grid-{row.intensity_basis or 'default'}", lang)


def _corrections(statement: Statement, figures: Figures, zone: ZoneInfo) -> PageSection:
    lang = figures.lang
    if not statement.corrections:
        return PageSection(_text("corrections", lang), None, (_text("no-corrections", lang),))
    rows = [
        (
            show_name(each.correction),
            figures.moment(each.posted_at, zone),
            _coop_name(statement, each.coop),
            show_name(each.reason, TEXT_SHOWN_MAX_CHARS),
            figures.whole(each.tokens),
            figures.energy(each.energy_wh),
            figures.carbon(each.direct_gco2e),
        )
        for each in statement.corrections[:ROWS_MAX]
    ]
    codes = ("correction", "date", "coop", "reason", "tokens", "energy", "direct")
    notes = [_text("corrections-note", lang)]
    if left := len(statement.corrections) - len(rows):
        notes.append(_text("corrections-left", lang, count=figures.whole(left)))
    table = PageTable(_heads(figures, *codes), 4, tuple(rows), wide=(3,))
    return PageSection(_text("corrections", lang), table, tuple(notes))


def _method(lang: str) -> PageSection:
    codes = ("method-figures", "method-energy", "method-grams", "method-rounding")
    return PageSection(_text("method", lang), None, tuple(_text(code, lang) for code in codes))


def _keys(keys: Sequence[ReceiptKey], figures: Figures, zone: ZoneInfo) -> PageSection:
    lang = figures.lang
    rows = tuple(
        (
            key.id,
            key.ed25519,
            figures.moment(key.since, zone) if key.since else "—",
            figures.moment(key.until, zone) if key.until else _text("key-in-use", lang),
        )
        for key in keys
    )
    table = PageTable(_heads(figures, "key", "public-key", "since", "until"), 4, rows, wide=(1,))
    return PageSection(
        _text("keys", lang), table, (_text("keys-note", lang),), command=_text("keys-command", lang)
    )
