"""An answer that goes on at a second machine, on the chat page: said in one quiet line."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.pages.signed_in import finish, used_pool
from tests.scheduler.gateway_support import card

from entraide.types import Outcome

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]

SAID = {
    "fr": (
        "La première machine s’est arrêtée",
        "commencée par n1",
        "Puis les conditions de son propriétaire",
    ),
    "en": ("The first machine stopped", "begun by n1", "Then its owner"),
}


@pytest.mark.parametrize("lang", SAID)
async def test_the_page_says_that_another_machine_went_on(
    tmp_path: Path, lang: str, browser: Browser
) -> None:
    """One line in the answer; both machines below it and in the receipt."""
    joined = [
        replace(made, replicas=(replace(made.replicas[0], features=("resume",)),))
        for made in (card("n1"), card("n2", "CA-ON"))
    ]
    async with used_pool(tmp_path, browser, joined=tuple(joined)) as used:
        visit = await used.chat("Ada", lang=lang)
        first = await used.asked(visit, "Qui décide ?")
        first.tokens("Les", " membres")
        await visit.page.get_by_text("Les membres", exact=True).wait_for()
        first.report(Outcome.FAILED, "owner_terms", delivered=True)
        second = await used.pool.placed()
        second.accept()
        second.sent = first.sent
        finish(second, " décident.")
        line = visit.page.locator(".receipt-line button")
        await line.wait_for()
        await visit.page.get_by_text("Les membres décident.").wait_for()
        answer = await visit.page.locator(".answer").inner_text()
        below = await line.inner_text()
        flaws = await visit.flaws()
        await visit.picture("chat-resumed")
        await line.click()
        dialog = visit.page.locator("dialog")
        await dialog.get_by_text("n1").first.wait_for()
        receipt = await dialog.inner_text()

        quiet, begun, why = SAID[lang]
        assert ["n1", "n2"] == [first.node, second.node]
        assert quiet in answer
        assert begun in below
        assert why in receipt
        assert [] == flaws + visit.errors + visit.foreign
