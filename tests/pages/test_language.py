"""The language of the pages in a real browser: a person's choice goes from browser to browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.pages.signed_in import UsedPool, used_pool

from entraide_scheduler.people import OPERATOR

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[UsedPool]:
    async with used_pool(tmp_path, browser) as opened:
        yield opened


async def test_a_persons_choice_is_kept_for_every_browser(used: UsedPool) -> None:
    """Switched in one browser, the page opens in the language in another, signed in there."""
    person = await used.people.add(OPERATOR, coop="gamma", name="Ada")
    first = await used.visitors.open(lang="fr")
    await first.go(await used.link_of(person.person))
    await first.page.locator("main button").click()
    await first.page.locator(".who").wait_for()
    async with first.page.expect_response("**/v1/session") as stored:
        await first.page.get_by_role("button", name="English").click()
    answer = await (await stored.value).json()
    second = await used.visitors.open(lang="fr")
    await second.go("")
    before = await second.page.evaluate("document.documentElement.lang")
    await second.go(await used.link_of(person.person))
    await second.page.locator("main button").click()
    await second.page.locator(".who").wait_for()
    signed_in = await second.page.evaluate("document.documentElement.lang")
    await second.page.evaluate("localStorage.clear()")
    await second.page.reload()
    await second.page.locator("html[lang=en]").wait_for()

    assert "en" == answer["person"]["lang"]
    assert ("fr", "en") == (before, signed_in)
    assert [] == first.errors + second.errors


async def test_the_language_of_an_address_goes_before_the_persons(used: UsedPool) -> None:
    """A link that names a language opens in it, and changes nothing of what the person chose."""
    visit = await used.enter(lang="fr")
    await visit.page.get_by_role("button", name="English").click()
    await visit.page.locator("html[lang=en]").wait_for()
    await visit.page.goto(f"{visit.url}/?lang=fr#/sessions")
    await visit.page.locator(".rows li").wait_for()
    named = await visit.page.inner_text("h1")
    view = await visit.page.evaluate("fetch('/v1/session').then(answer => answer.json())")

    assert "Mes sessions" == named
    assert "en" == view["person"]["lang"]
