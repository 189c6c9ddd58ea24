"""Hostile text in fields that appear one after the other: the chat's windows, reasons of a policy.

Passphrases and recovery codes stay in the browser; reasons come back from the pool.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from tests.browser import NEEDS
from tests.pages.hostile_support import BARE, HUGE, Hostile, fields_of, harm, hostile, hostile_pool
from tests.pages.support import Visit
from tests.pages.test_hostile_fields import CHAT_FIELDS, check_policy

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS), pytest.mark.timeout(300)]

PHRASE = hostile("phrase")
LONG = "x" * 20_000


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[Hostile]:
    async with hostile_pool(tmp_path, browser) as opened:
        yield opened


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def open_window(visit: Visit) -> None:
    """Loads the chat anew and opens the window of kept conversations."""
    await visit.anew("#/chat")
    await press(visit.page, "Ouvrir mes conversations gardées")
    await visit.page.locator("dialog #phrase").wait_for()


async def refused(page: Page, button: str, **written: str) -> str:
    """Fills the window's fields and sends them; returns why that opens nothing."""
    for field, text in written.items():
        await page.fill(f"#{field}", text)
    await press(page, button)
    await page.get_by_text("Cela n’ouvre rien").wait_for()
    return await page.inner_text("dialog")


async def test_the_chats_windows_take_any_phrase_and_code(used: Hostile) -> None:
    """Markup is a good passphrase; as another phrase or a code, it opens nothing and is hidden."""
    visit = await used.enter()
    page = visit.page
    await page.evaluate("localStorage.setItem('entraide.own-computer', '1')")
    await open_window(visit)
    shown = await fields_of(visit)
    await page.fill("#phrase", PHRASE)
    await page.fill("#again", PHRASE)
    await press(page, "Créer")
    await press(page, "Je l’ai noté")
    await open_window(visit)
    shown |= await fields_of(visit)
    said = [await refused(page, "Ouvrir", phrase=text) for text in (hostile("other"), HUGE)]
    await page.fill("#phrase", PHRASE)
    await press(page, "Ouvrir")
    await page.locator("dialog").wait_for(state="detached")
    await open_window(visit)
    await press(page, "Phrase de passe oubliée")
    shown |= await fields_of(visit)
    said += [
        await refused(page, "Changer la phrase de passe", code=text, phrase=PHRASE)
        for text in (hostile("code"), HUGE)
    ]
    await page.keyboard.press("Escape")
    await page.fill("#question", hostile("question"))
    await page.keyboard.press("Enter")
    for text in (hostile("edited"), LONG):
        stop = page.get_by_role("button", name="Arrêter", exact=True)
        await stop.or_(page.locator(".answer .notice")).first.wait_for()
        if await stop.count():
            await stop.click()
        await page.locator(".answer .notice").first.wait_for()
        await press(page, "Modifier")
        await page.locator("#search-conversations").wait_for()  # as it is kept here
        shown |= await fields_of(visit)
        await page.fill("#edited", text)
        await page.locator("form.editing [type=submit]").click()
        await page.locator(".question-text", has_text=text[:100]).wait_for()

    assert CHAT_FIELDS == shown
    assert not any("beacon" in sentence for sentence in said)
    assert [] == await harm(visit)


async def answered(page: Page, reason: str) -> None:
    """Waits until a reason is refused for its length, or stands beside its version."""
    if reason is HUGE:
        await page.locator("main .notice.bad").first.wait_for()
    else:
        await page.locator(".rows bdi", has_text=reason).first.wait_for()


async def test_reasons_of_a_policy_stay_text(used: Hostile) -> None:
    """A reason with markup is kept and shown; one of a megabyte is refused, and nothing is lost."""
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/politique")
    await check_policy(page)
    said, reordering = [], []
    for text in (HUGE, hostile("applied")):
        await page.get_by_label("Raison", exact=True).fill(text)
        await press(page, "Appliquer")
        await answered(page, text)
        said.append(await page.inner_text("main"))
        reordering += await page.evaluate(BARE)
    for text in (HUGE, hostile("rolled")):
        await page.get_by_label("Raison d’un retour").fill(text)
        await press(page, "Revenir à 1")
        reordering += await page.evaluate(BARE)
        await page.locator("dialog .danger").click()
        await answered(page, text)
        said.append(await page.inner_text("main"))
        reordering += await page.evaluate(BARE)

    assert [] == await harm(visit)
    assert [] == reordering
    assert hostile("applied") in said[1]
    assert hostile("rolled") in said[3]
    assert max(map(len, said)) < 20_000
