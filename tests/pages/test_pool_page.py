"""The first view in a real browser: what it shows, that everybody can read it, what it loads."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.pages.support import LOOKS, Visitors, visitors
from tests.scheduler.gateway_support import Pool, card, open_pool

from entraide_scheduler.core import events as e

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]

FIRST_VIEW_BYTES = 100_000
WHO_IS_THERE = ("atelier", "bureau-du-haut", "serre", "quai-7", "Brunswick", "petit", "gamma")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    machines = (
        card("atelier-1"), card("atelier-2"), card("bureau-du-haut"), card("serre", "CA-ON"),
        card("quai-7", "CA-NB"),
    )  # fmt: skip
    async with open_pool(tmp_path, joined=machines) as opened:
        opened.driver.feed(e.NodeLeft(*e.UNNUMBERED, node="quai-7", reason="goodbye"))
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def guests(pool: Pool, browser: Browser) -> AsyncIterator[Visitors]:
    async with visitors(browser, pool.gateway.url) as opened:
        yield opened


@pytest.mark.parametrize(("lang", "size", "scheme"), LOOKS)
async def test_a_stranger_reads_what_the_pool_is_and_not_who_is_there(
    guests: Visitors, lang: str, size: tuple[int, int], scheme: str
) -> None:
    """The first view leads to the sign-in and names nobody; axe-core finds no flaw."""
    visit = await guests.open(lang=lang, size=size, scheme=scheme)
    await visit.go("")
    await visit.page.wait_for_selector(".opening .button")
    text = await visit.page.inner_text("body")
    flaws = await visit.flaws()
    await visit.picture(f"pool-{scheme}")

    assert [] == flaws
    assert [] == visit.errors
    assert [] == visit.foreign
    assert {"fr": "connectez-vous", "en": "sign in"}[lang] in text
    assert [] == [word for word in WHO_IS_THERE if word in text]


async def test_first_view_is_small(guests: Visitors) -> None:
    """All that the first view fetches is less than 100 KB, compressed."""
    visit = await guests.open()
    session = await visit.page.context.new_cdp_session(visit.page)
    await session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    await visit.go("")
    await visit.page.wait_for_selector(".opening .button")

    assert len(sizes) >= 4
    assert FIRST_VIEW_BYTES > sum(sizes)


async def test_language_is_switched_and_kept(guests: Visitors) -> None:
    """The switch changes every sentence at once; the browser remembers the choice."""
    visit = await guests.open(lang="fr")
    await visit.go("")
    await visit.page.get_by_role("button", name="English").click()
    switched = await visit.page.inner_text("h1")
    await visit.page.reload()
    kept = await visit.page.inner_text("h1")

    assert "Our machines, shared" == switched == kept
    assert "en" == await visit.page.evaluate("document.documentElement.lang")


async def test_keyboard_alone_reaches_the_content(guests: Visitors) -> None:
    """The first stop of the keyboard leads past the menu; each stop is seen."""
    visit = await guests.open(lang="fr")
    await visit.go("")
    await visit.page.keyboard.press("Tab")
    skip = visit.page.get_by_text("Aller au contenu")
    box = await skip.bounding_box()
    await visit.page.keyboard.press("Enter")
    focused = await visit.page.evaluate("document.activeElement.tagName")

    assert box is not None
    assert 0 <= box["y"]
    assert "MAIN" == focused


async def test_page_says_that_the_pool_is_silent(guests: Visitors) -> None:
    """When the pool stops answering, the page says so, and since when."""
    visit = await guests.open(lang="fr")
    await visit.go("")
    await visit.page.wait_for_selector(".opening .button")
    await visit.page.route("**/status.json", lambda route: route.abort())
    notice = visit.page.get_by_text("Le parc ne répond pas")
    await notice.wait_for()

    assert "Dernières nouvelles" in await notice.inner_text()
