"""Signing in and out in a real browser: the link's button, clear refusals, sessions that end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.pages.signed_in import UsedPool, used_pool
from tests.pages.support import VIEWS

from entraide_scheduler.people import OPERATOR

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[UsedPool]:
    async with used_pool(tmp_path, browser) as opened:
        yield opened


@pytest.mark.parametrize(("lang", "size"), VIEWS)
async def test_the_keyboard_alone_signs_in_and_out(
    used: UsedPool, lang: str, size: tuple[int, int]
) -> None:
    """From the link to the list of sessions and out again with Tab and Enter; axe finds nothing."""
    enter, leave = {"fr": ("Entrer", "Sortir"), "en": ("Sign in", "Sign out")}[lang]
    visit = await used.visitors.open(lang=lang, size=size)
    await visit.go(await used.link("Marie-Ève Tremblay"))
    flaws = await visit.flaws()
    await visit.picture("signin-link")
    await visit.tab_to(enter)
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".who").wait_for()
    address = visit.page.url
    await visit.tab_to("Marie-Ève Tremblay")
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".rows li").wait_for()
    flaws += await visit.flaws()
    await visit.picture("sessions")
    await visit.tab_to(leave)
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".top .button").wait_for()

    assert [] == flaws + visit.errors + visit.foreign
    assert address.endswith("#/chat")
    assert not await visit.page.context.cookies()


async def test_opening_a_link_does_not_use_it(used: UsedPool) -> None:
    """A program that looks at the link in a message changes nothing; the token reaches no log."""
    fragment = await used.link()
    looking, person = await used.visitors.open(), await used.visitors.open()
    await looking.go(fragment)
    await person.go(fragment)
    await person.page.get_by_role("button", name="Entrer", exact=True).click()
    await person.page.locator(".who").wait_for()
    token = fragment.rpartition("/")[2]

    assert not await looking.page.context.cookies()
    assert not any(token in url.partition("#")[0] for url in looking.requested + person.requested)


@pytest.mark.parametrize("lang", ["fr", "en"])
async def test_a_link_that_is_over_says_so_and_what_to_do(used: UsedPool, lang: str) -> None:
    """A used link and an unknown one have a sentence each; the button makes way for advice."""
    fragment = await used.link()
    said = []
    for name, tried in (("used", fragment), ("unknown", "#/entrer/nothing")):
        if name == "used":
            first = await used.visitors.open()
            await first.go(fragment)
            await first.page.locator("main button").click()
            await first.page.locator(".who").wait_for()
        visit = await used.visitors.open(lang=lang)
        await visit.go(tried)
        await visit.page.locator("main button").click()
        await visit.page.locator(".notice.bad").wait_for()
        said.append(await visit.page.inner_text(".notice.bad"))
        await visit.picture(f"signin-{name}")

        assert [] == await visit.flaws()
        assert 0 == await visit.page.locator("main button").count()

    assert 2 == len(set(said))


async def test_a_session_is_ended_from_another_browser(used: UsedPool) -> None:
    """The list shows both browsers; ending one signs it out, and its page says so."""
    first = await used.enter("Ada")
    (person,) = await used.people.list_people(OPERATOR, "gamma")
    second = await used.visitors.open()
    await second.go(await used.link_of(person.person))
    await second.page.locator("main button").click()
    await second.page.locator(".who").wait_for()
    await first.go("#/sessions")
    await first.page.locator(".rows li").nth(1).wait_for()
    await first.page.get_by_role("button", name="Terminer").click()
    await first.page.locator(".rows li").nth(1).wait_for(state="detached")
    await second.page.reload()
    await second.go("#/chat")

    assert "Il faut entrer d’abord" == await second.page.inner_text("h1")


async def test_a_stranger_is_led_to_the_door(used: UsedPool) -> None:
    """A view for members asks a stranger to sign in, and the door says how without more buttons."""
    visit = await used.visitors.open()
    await visit.go("#/sessions")
    await visit.page.get_by_role("heading", name="Il faut entrer d’abord").wait_for()
    await visit.page.locator("main .button").click()
    await visit.page.get_by_text("ouvrez le lien").wait_for()
    await visit.picture("signin-door")

    assert [] == await visit.flaws()
    assert 0 == await visit.page.locator("main button").count()
