"""Render: sets a statement's page with Typst, as an accessible PDF (PDF/UA-1).

The template is ``statement.typ``; the page reaches it as one JSON text. Only the fonts inside Typst
are used and the date is the month's end, so that the same page gives the same bytes.
"""

from importlib.resources import files

import msgspec

from entraide.errors import error_for
from entraide_scheduler.statement_pdf.content import StatementPage

try:
    import typst
except ImportError:  # no wheel for this platform, or left out on purpose
    typst = None  # type: ignore[assignment]

TEMPLATE = "statement.typ"
PDF_KIND = "application/pdf"


def render_pdf(page: StatementPage, *, dated_at: float) -> bytes:
    """Returns a page as PDF.

    Args:
        page: its words and figures.
        dated_at: date in the file, seconds since the epoch.

    Raises:
        PoolError: ``pdf_unavailable``: Typst is not installed.
    """
    if typst is None:
        raise error_for("pdf_unavailable", "")
    template = (files("entraide_scheduler.statement_pdf") / TEMPLATE).read_bytes()
    compiler = typst.Compiler(template, ignore_system_fonts=True)
    made = compiler.compile(
        format="pdf",
        sys_inputs={"data": msgspec.json.encode(page).decode()},
        pdf_standards=["ua-1"],
        timestamp=int(dated_at),
    )
    assert isinstance(made, bytes), "one document"
    return made
