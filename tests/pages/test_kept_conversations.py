"""Kept conversations in a real browser: encrypted there, and opened by one person."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.pages.signed_in import UsedPool, used_pool
from tests.pages.support import PHONE, WIDE, Visit

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]

PHRASE, OTHER = "quatre mots et demi", "une autre phrase"
# All that the browser's databases hold, as text.
STORED = """async () => {
  let all = "";
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise(done => {
      const asked = indexedDB.open(name);
      asked.onsuccess = () => done(asked.result);
    });
    for (const store of database.objectStoreNames) {
      const rows = await new Promise(done => {
        const asked = database.transaction(store).objectStore(store).getAll();
        asked.onsuccess = () => done(asked.result);
      });
      for (const row of rows) for (const value of Object.values(row))
        all += value instanceof Uint8Array ? new TextDecoder().decode(value)
          : JSON.stringify(value);
    }
    database.close();
  }
  return all + JSON.stringify(localStorage) + JSON.stringify(sessionStorage);
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[UsedPool]:
    async with used_pool(tmp_path, browser) as opened:
        yield opened


async def keep(visit: Visit) -> str:
    """Keeps the open conversation under a new phrase; returns the recovery code."""
    await visit.page.get_by_role("button", name="Garder cette conversation").click()
    await visit.page.fill("#phrase", PHRASE)
    await visit.page.fill("#again", PHRASE)
    await visit.page.keyboard.press("Enter")
    code = visit.page.locator("dialog .code")
    await code.wait_for()
    written = await code.inner_text()
    await visit.page.get_by_role("button", name="Je l’ai noté").click()
    await visit.page.locator(".kept li").wait_for()
    return written


async def reopen(visit: Visit) -> None:
    """Loads the page anew and asks for the kept conversations."""
    visit.page.once("dialog", lambda dialog: dialog.accept())
    await visit.page.reload()
    await visit.page.get_by_role("button", name="Ouvrir mes conversations gardées").click()
    await visit.page.locator("dialog #phrase").wait_for()


async def test_a_kept_conversation_is_read_with_the_phrase_only(used: UsedPool) -> None:
    """After a new start the phrase alone opens it; the browser's store has no word of it."""
    visit = await used.chat()
    await used.answered(visit, "Le secret de la serre", "Des tomates")
    await keep(visit)
    await used.answered(visit, "Et encore", "Du basilic")
    await visit.page.get_by_text("Du basilic").wait_for()
    stored = await visit.page.evaluate(STORED)
    await reopen(visit)
    await visit.page.fill("#phrase", OTHER)
    await visit.page.keyboard.press("Enter")
    await visit.page.get_by_text("Cela n’ouvre rien").wait_for()
    await visit.page.fill("#phrase", PHRASE)
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".kept .link").click()
    text = await visit.page.inner_text(".messages")

    assert "wrapped" not in text
    assert len(stored) > 500
    assert not any(word in stored for word in ("secret", "tomates", "basilic", "serre", PHRASE))
    assert all(word in text for word in ("Le secret de la serre", "Des tomates", "Du basilic"))


async def test_the_recovery_code_sets_a_new_phrase(used: UsedPool) -> None:
    """Whoever has forgotten the phrase opens everything with the code, as it was written down."""
    visit = await used.chat()
    await used.answered(visit, "Le secret de la serre", "Des tomates")
    code = await keep(visit)
    await reopen(visit)
    await visit.page.get_by_role("button", name="Phrase de passe oubliée").click()
    await visit.page.fill("#code", code.lower().replace("-", " "))
    await visit.page.fill("#phrase", OTHER)
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".kept .link").wait_for()
    await reopen(visit)
    await visit.page.fill("#phrase", OTHER)
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".kept .link").click()

    assert "Des tomates" in await visit.page.inner_text(".messages")


async def test_another_person_in_the_same_browser_sees_nothing(used: UsedPool) -> None:
    """After signing out and in as somebody else, neither the open nor the kept ones are there."""
    visit = await used.chat("Ada")
    await used.answered(visit, "Le secret de la serre", "Des tomates")
    await keep(visit)
    await visit.go("#/sessions")
    await visit.page.get_by_role("button", name="Sortir").click()
    await visit.page.locator(".top .button").wait_for()
    await visit.go(await used.link("Eve", "alpha"))
    await visit.page.locator("main button").click()
    await visit.page.locator(".who").wait_for()
    await visit.go("#/chat")
    await visit.page.locator("#question").wait_for()
    text = await visit.page.inner_text("main")
    await visit.page.get_by_role("button", name="Ouvrir mes conversations gardées").click()
    await visit.page.get_by_role("heading", name="Garder des conversations").wait_for()

    assert "serre" not in text


@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_keeping_is_for_everybody(used: UsedPool, size: tuple[int, int]) -> None:
    """Its windows have no flaw by axe-core, and say what they protect from and what not."""
    visit = await used.chat(size=size)
    await used.answered(visit, "Bonjour", "Salut")
    await visit.page.get_by_role("button", name="Garder cette conversation").click()
    await visit.page.fill("#phrase", PHRASE)
    await visit.page.fill("#again", OTHER)
    flaws = await visit.flaws()
    said = await visit.page.inner_text("dialog")
    await visit.picture("keep-create", full=False)
    await visit.page.fill("#again", PHRASE)
    await visit.page.keyboard.press("Enter")
    await visit.page.locator("dialog .code").wait_for()
    flaws += await visit.flaws()
    await visit.picture("keep-code", full=False)
    await visit.page.get_by_role("button", name="Je l’ai noté").click()
    await visit.page.locator(".kept li").wait_for()
    flaws += await visit.flaws()
    await visit.picture("keep-kept", full=False)

    assert [] == flaws + visit.errors
    assert "Les deux phrases diffèrent" in said
    assert "ce que l’exploitant du parc peut faire" in said
