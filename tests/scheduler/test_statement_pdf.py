"""A statement as PDF: the figures of the JSON, French typography, names as text, same bytes."""

import asyncio
import io
import re
import time
from collections.abc import AsyncIterator
from functools import reduce
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from pypdf import PdfReader
from tests.scheduler.gateway_support import KEY_A, Pool, open_pool
from tests.scheduler.rows import settle_row

from entraide.decoding import decode_json
from entraide.statements import Amounts, PostedCorrection, Statement, UsageLine
from entraide.types import Basis
from entraide_scheduler.books import month_span
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_scheduler.statement_pdf import render
from entraide_scheduler.statement_pdf.content import PageSource, make_page
from entraide_scheduler.statement_pdf.figures import SHOWN_RANGES, make_figures, show_name
from entraide_scheduler.store.rows import CorrectionRow, PolicyRow

MONTH = "2026-10"
TORONTO = ZoneInfo("America/Toronto")
HOSTILE = (
    '#panic("x")', "*gras* $x$ @ref <lien> [z] \\", '=HYPERLINK("http://x")', "中文 \u202egnp",
    "a" * 200, "",
)  # fmt: skip
HIGH_SIGN = re.compile(r"[^\u00a0\u202f][;!?»]|[^\u00a0\u202f]:(?=\s)")
PDF = {"accept": "application/pdf"}


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    """A pool in whose books October has jobs of alpha, given and received, and a correction."""
    async with open_pool(tmp_path) as opened:
        start_at, _ = month_span(MONTH, TORONTO)
        for number, project in enumerate((*HOSTILE, "site web", "paie")):
            await settle(opened, f"used-{number}", start_at + 9_000.0 * number, project=project)
        await settle(opened, "own", start_at + 500.0, lender="alpha", node="maison")
        await settle(opened, "given", start_at + 700.0, borrower="beta", lender="alpha")
        entries = (Entry("beta", "tokens", 9), Entry("alpha", "tokens", -9))
        await opened.store.write_correction(
            CorrectionRow("c-1", "compteur faux", start_at + 60.0, entries)
        )
        yield opened


async def settle(
    pool: Pool, name: str, at: float, *, borrower: str = "alpha", lender: str = "beta",
    project: str = "", **terms: Any,
) -> None:  # fmt: skip
    used = {"output_tokens": 4_321, "energy_decode_uwh": 1_234_567_890}
    row = settle_row(name, borrower=borrower, lender=lender, at=at, **used)
    changed = replace(row.terms, intensity_basis=Basis.MEASURED, **terms)
    await pool.store.write_settlement(replace(row, terms=changed, key="k1", project=project))


async def get(pool: Pool, lang: str = "fr", query: str = "", **headers: str) -> tuple[int, bytes]:
    sent = {"authorization": f"Bearer {KEY_A}", "accept-language": lang, **headers}
    path = f"/v1/statement?month={MONTH}{query}"
    async with pool.session.get(path, headers=sent) as answer:
        return answer.status, await answer.read()


async def statement_of(pool: Pool) -> Statement:
    return decode_json((await get(pool))[1], type=Statement)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def row_of(text: str, *, begins: str) -> list[str]:
    """Returns the figures of the first row that begins with some words."""
    line = next(each for each in text.splitlines() if each.startswith(begins))
    return line.removeprefix(begins).strip(" ").split(" ")


@pytest.mark.parametrize("lang", ["fr", "en"])
async def test_figures_are_those_of_the_json(pool: Pool, lang: str) -> None:
    """Each total, and each project's and machine's sum, stands on the page as in the JSON."""
    statement = await statement_of(pool)
    status, pdf = await get(pool, lang, **PDF)
    text = text_of(pdf)
    totals = (statement.given, statement.received, statement.own)
    figures = make_figures(lang, totals)
    words = {
        "fr": ("Donné à d’autres coopératives", "Reçu d’autres coopératives",
               "Sur ses propres machines"),
        "en": ("Given to other co-ops", "Received from other co-ops", "On its own machines"),
    }[lang]  # fmt: skip
    by_project: dict[str, Amounts] = {}
    for line in statement.usage:
        by_project[line.project] = by_project.get(line.project, Amounts()).plus(line.amounts)

    assert 200 == status
    for name, amounts in zip(words, totals, strict=True):
        assert figures.amounts(amounts) == row_of(text, begins=name)
    for project in ("site web", "paie"):
        assert figures.amounts(by_project[project]) == row_of(text, begins=project)
    used = statement.received.plus(statement.own)
    total_rows = [line for line in text.splitlines() if line.startswith("Total ")]
    assert figures.amounts(used) == total_rows[0].split(" ")[1:]
    assert 3 == sum(figures.amounts(used) == row.split(" ")[1:] for row in total_rows)
    assert figures.amounts(statement.given) == total_rows[2].split(" ")[1:]


async def test_french_is_written_as_french_is(pool: Pool) -> None:
    """Narrow spaces group thousands, a comma begins decimals, high signs keep their space."""
    text = text_of((await get(pool, "fr", **PDF))[1])
    english = text_of((await get(pool, "en", **PDF))[1])

    assert "9\u202f876,6" in text  # 8 jobs of 1 234.6 Wh received
    assert "9,876.6" in english
    assert "du 1er\u00a0octobre\u00a02026 au 31\u00a0octobre\u00a02026" in text
    assert "October\u00a01,\u00a02026" in english
    assert [] == re.findall(
        r"[^\s\u00a0\u202f][;!?»]|[^\u00a0\u202f]:(?=\s)", text.replace("\n", " ")
    )


@pytest.mark.parametrize(
    ("lang", "heads", "total"),
    [
        ("fr", ("Énergie (kWh)", "Direct (kg\u00a0CO2e)"), "18\u202f518,518 1\u202f234,560"),
        ("en", ("Energy (kWh)", "Direct (kg\u00a0CO2e)"), "18,518.518 1,234.560"),
    ],
)
async def test_a_large_month_is_in_kilowatt_hours_on_several_pages(
    lang: str, heads: tuple[str, ...], total: str
) -> None:
    """Heads name the unit and stand on each page, names and reason are whole, totals the books'."""
    coop = "Fédération des coopératives d’alimentation et d’agriculture de l’Est du Québec"
    each = Amounts(3, 1_000, 185_185.18, 12_345.6, 98_765.4)
    lines = tuple(
        UsageLine("2026-10-05", "k1", f"projet {number:03} du comité", "m", "atelier", coop, each)
        for number in range(100)
    )
    start_at, end_at = month_span(MONTH, TORONTO)
    own = reduce(Amounts.plus, (line.amounts for line in lines))
    posted = PostedCorrection("c-1", "compteur faux, " * 12 + "fin", "beta", 0, 0.0, 0.0, start_at)
    statement = Statement(
        coop, MONTH, TORONTO.key, start_at, end_at, Amounts(), Amounts(), own, (), (posted,),
        lines, (), True,
    )  # fmt: skip
    source = PageSource(statement, (), "Parc", (), is_open=False)
    pdf = render.render_pdf(make_page(source, lang), dated_at=end_at)
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]
    text = "\n".join(pages)
    of_projects = [page for page in pages if "projet 0" in page]

    assert 3 <= len(pages)
    assert 2 <= len(of_projects)
    assert all(head in page for page in of_projects for head in heads)
    assert total in text
    assert f"{len(pages)}" == text.rstrip().split()[-1]
    assert coop in text.replace("\u200b", "").replace("\n", " ")
    assert "fin" in text.split()


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_closed_month_names_the_root_of_its_file(lang: str) -> None:
    """The statement names it, so that a reader of the file can compare."""
    start_at, end_at = month_span(MONTH, TORONTO)
    nothing = (Amounts(), Amounts(), Amounts(), (), (), (), (), True)
    statement = Statement(
        "alpha", MONTH, TORONTO.key, start_at, end_at, *nothing, closed_at=end_at, root="5d" * 32
    )
    page = make_page(PageSource(statement, (), "Parc", (), is_open=False), lang)
    text = text_of(render.render_pdf(page, dated_at=end_at))

    assert "5d" * 32 in re.sub(r"\s|\u200b", "", text)


@pytest.mark.parametrize(
    ("lang", "words"), [("fr", "n’ont traité aucune requête"), ("en", "ran no request")]
)
async def test_an_empty_month_says_so(lang: str, words: str) -> None:
    """Zeros have no decimals, and a sentence says that nothing was given or used."""
    start_at, end_at = month_span(MONTH, TORONTO)
    nothing = (Amounts(), Amounts(), Amounts(), (), (), (), (), True)
    statement = Statement("alpha", MONTH, TORONTO.key, start_at, end_at, *nothing)
    source = PageSource(statement, (), "Parc", (), is_open=False)
    text = text_of(render.render_pdf(make_page(source, lang), dated_at=end_at))

    assert words in text.replace("\n", " ")
    assert "0,0" not in text
    assert "0.0" not in text


async def test_names_are_text_and_never_markup(pool: Pool) -> None:
    """Projects that look like code, formulas or other scripts change nothing but their row."""
    _, pdf = await get(pool, **PDF)
    text = text_of(pdf)

    assert '#panic("x")' in text
    assert "*gras* $x$ @ref <lien> [z] \\" in text.replace("\u200b", "")
    assert "[U+4E2D][U+6587]" in text.replace("\u200b", "").replace("\n", "")
    assert "[U+202E]" in text.replace("\u200b", "").replace("\n", "")
    assert "\u202e" not in text
    assert "(aucun)" in text
    assert b"/URI" not in pdf
    assert b"/JavaScript" not in pdf


async def test_page_has_the_names_of_coops(pool: Pool) -> None:
    """Co-ops have their names in the tables, as text; the facts have the identifier beside it."""
    coops = (CoopTerms("alpha", name="Les *Abeilles*"), CoopTerms("beta", name="Le Soleil"))
    row = PolicyRow("v2", 1.0, "", "")
    await asyncio.wrap_future(pool.store.put_policy(Policy("v2", coops), row))
    names = (await statement_of(pool)).coop_names
    text = text_of((await get(pool, **PDF))[1])

    assert {"alpha": "Les *Abeilles*", "beta": "Le Soleil"} == names
    assert "Les *Abeilles* (alpha)" in text
    assert "Le Soleil" in text
    assert "beta" not in text


async def test_page_shows_no_single_key(pool: Pool) -> None:
    """A key may be one person's: sums are by project and machine."""
    text = text_of((await get(pool, **PDF))[1])

    assert "k1" not in text.split()


async def test_same_statement_gives_the_same_bytes(pool: Pool) -> None:
    """A file that is made twice is the same file, tagged for readers of the screen."""
    first, second = (await get(pool, **PDF))[1], (await get(pool, **PDF))[1]
    document = PdfReader(io.BytesIO(first)).trailer["/Root"]

    assert first == second
    assert first.startswith(b"%PDF-")
    assert b"pdfuaid" in document["/Metadata"].get_object().get_data()
    assert ("fr-CA", True) == (document["/Lang"], document["/MarkInfo"]["/Marked"])


async def test_page_says_what_it_is_about(pool: Pool) -> None:
    """Pool, co-op, correction, bases and the key of signature stand on the page."""
    text = text_of((await get(pool, "en", **PDF))[1])
    key = pool.gateway._api._signer.public_key

    assert row_of(text, begins="Co-op") == ["alpha"]
    assert "The month is over." in text
    assert "compteur faux" in text
    assert "grid, measured" in text
    assert key.id in text
    assert key.ed25519 in text
    assert "hold no prices" in text


async def test_open_month_says_so(pool: Pool) -> None:
    """A month that is not over is no final statement."""
    statement = await statement_of(pool)
    source = PageSource(statement, (), "p", (), is_open=statement.end_at > time.time() - 4e9)
    facts = dict(make_page(source, "en").facts)

    assert facts["State of the books"].startswith("The month is not over")


async def test_others_are_refused(pool: Pool) -> None:
    """Another co-op's statement and a month that is none are refused as in JSON."""
    other = await get(pool, query="&coop=beta", **PDF)

    assert 403 == other[0]
    assert b"statement_of_another" in other[1]


@pytest.mark.parametrize(("lang", "words"), [("fr", "ne peut pas faire de PDF"), ("en", "typst")])
async def test_pool_without_typst_says_what_to_do(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, lang: str, words: str
) -> None:
    """Where there is no wheel, the error names the package, and JSON and CSV remain."""
    monkeypatch.setattr(render, "typst", None)
    status, body = await get(pool, lang, **PDF)

    assert (501, True) == (status, words in body.decode())
    assert 200 == (await get(pool))[0]


async def test_font_has_every_character_that_is_shown(pool: Pool) -> None:
    """Names keep each character of these ranges, and the page can show them all."""
    source = PageSource(await statement_of(pool), (), "p", (), is_open=False)
    page = make_page(source, "fr")
    characters = "".join(
        chr(code) for first, last in SHOWN_RANGES for code in range(first, last + 1)
    )

    assert render.render_pdf(replace(page, footer=characters), dated_at=0.0)


@pytest.mark.parametrize("name", ["é" * 300, "e\u0301te\u0301", "\x00\x1b[31m", "\ud800", "😀"])
def test_any_name_becomes_short_text(name: str) -> None:
    """No name is long, and none has a character that the page cannot show."""
    shown = show_name(name).replace("\u200b", "")

    assert len(shown) <= 80 * len("[U+10FFFF]") + 1
    assert all(any(a <= ord(each) <= b for a, b in SHOWN_RANGES) for each in shown)
