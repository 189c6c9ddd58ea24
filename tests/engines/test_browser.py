"""The browser of the tests of pages: it sees what a test then relies on."""

from pathlib import Path

import pytest
from tests.browser import NEEDS, PHONE, chromium, visit

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]

PAGE = """<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>Essai</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="script-src 'none'"></head>
<body><main><h1>Essai</h1><p style="width: 500px"><input name="unnamed" style="height: 24px"></p>
<button id="last" style="height: 24px">Fin</button></main>
<script>document.title = "run"</script></body></html>"""


async def test_the_browser_reports_what_is_wrong_with_a_page(tmp_path: Path) -> None:
    """A field without a label, a width beyond the window and a blocked script are all reported."""
    (tmp_path / "page.html").write_text(PAGE, "utf-8")
    async with (
        chromium() as browser,
        visit(browser, (tmp_path / "page.html").as_uri(), width=PHONE) as opened,
    ):
        findings = await opened.accessibility_findings()
        await opened.tab_to("last")
        title, overflow_px = await opened.page.title(), await opened.overflow_px()

    assert ["label"] == [finding.partition(":")[0] for finding in findings]
    assert "Essai" == title
    assert overflow_px > 0
    assert 1 == len(opened.complaints)
    assert "script-src" in opened.complaints[0]
    assert [(tmp_path / "page.html").as_uri()] == opened.requested
