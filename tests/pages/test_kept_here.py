"""Conversations that a browser keeps by itself, in a real profile on disk."""

import base64
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Response
from tests.browser import CHROMIUM, FLAGS, NEEDS
from tests.pages.signed_in import UsedPool, used_pool
from tests.pages.support import WAIT_MS, Visit

from entraide_scheduler.people import OPERATOR

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]

QUESTION, ANSWER, NAME = "Le secret de la serre", "Des tomates", "Potager d’été"
WORDS = ("serre", "tomates", "Potager", "basilic")


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[UsedPool]:
    async with used_pool(tmp_path, browser) as opened:
        yield opened


async def enter(used: UsedPool, visit: Visit, person: str, *, is_own: bool) -> None:
    """Signs a person in by a link, says whose computer it is, and opens the chat."""
    await visit.go(await used.link_of(person))
    if is_own:
        await visit.page.get_by_label("Cet ordinateur est le mien").check()
    await visit.page.locator("main button").click()
    await visit.page.locator("#where-kept").wait_for()
    await visit.page.locator("#model option").first.wait_for(state="attached")


async def sign_out(visit: Visit) -> None:
    await visit.go("#/sessions")
    await visit.page.get_by_role("button", name="Sortir").click()
    await visit.page.locator(".top .button").wait_for()


def holders(folder: Path, words: list[bytes]) -> list[str]:
    """The files of a profile in which one of the words is, in UTF-8 or UTF-16."""
    return [
        f"{path.relative_to(folder)}: {word!r}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for raw in [path.read_bytes()]
        for word in words
        if word in raw
    ]


async def test_it_is_there_after_a_reload_and_in_no_file_after_the_sign_out(
    used: UsedPool, browser: Browser, tmp_path: Path
) -> None:
    """Found by search, with its new name; the profile has neither a word of it nor the pool's half,
    nor has a copy of before the sign-out; the next one to sign in begins with none."""
    ada = await used.people.add(OPERATOR, coop="gamma", name="Ada")
    profile = tmp_path / "profile"
    context = await browser.browser_type.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=list(FLAGS), locale="fr-CA"
    )
    context.set_default_timeout(WAIT_MS)
    halves: list[bytes] = []

    async def note(response: Response) -> None:
        if response.url.endswith("/v1/session/browser"):
            halves.append(base64.b64decode(json.loads(await response.text())["half"]))

    try:
        visit = Visit(await context.new_page(), used.pool.gateway.url.rstrip("/"))
        visit.page.on("response", note)
        await enter(used, visit, ada.person, is_own=True)
        await used.answered(visit, QUESTION, ANSWER)
        visit.page.once("dialog", lambda dialog: dialog.accept(NAME))
        await visit.page.locator(".here").get_by_role("button", name="Renommer").click()
        await visit.page.locator(".here").get_by_text(NAME).wait_for()
        await visit.page.reload()
        await visit.page.locator(".messages").get_by_text(ANSWER).wait_for()
        await visit.page.fill("#search-conversations", "TOMATES secret")
        shown = await visit.page.inner_text(".here")
        flaws = await visit.flaws()
        await visit.page.fill("#search-conversations", "basilic")
        await visit.page.get_by_text("Aucune ne contient").wait_for()
        copied = tmp_path / "copied"
        shutil.copytree(profile, copied, ignore=shutil.ignore_patterns("Singleton*"))
        await sign_out(visit)
        await enter(used, visit, ada.person, is_own=True)
        text = await visit.page.inner_text("main")
    finally:
        await context.close()
    raw = [word.encode(coding) for word in WORDS for coding in ("utf-8", "utf-16-le")]
    secrets = halves + [base64.b64encode(half) for half in halves]

    assert [] == flaws + visit.errors
    assert NAME in shown
    assert halves[0] == halves[1] != halves[2]
    assert not any(word in text for word in WORDS)
    for folder in (copied, profile):
        assert [] == holders(folder, raw + secrets)
        assert [] != holders(folder, [b"entraide-here-"])


async def test_nothing_is_kept_on_a_computer_that_is_not_the_persons_own(used: UsedPool) -> None:
    """Which is so until somebody says otherwise; a reload then has none of it, as the line says."""
    ada = await used.people.add(OPERATOR, coop="gamma", name="Ada")
    visit = await used.visitors.open()
    await enter(used, visit, ada.person, is_own=False)
    await used.answered(visit, QUESTION, ANSWER)
    line = await visit.page.inner_text("#where-kept")
    visit.page.once("dialog", lambda dialog: dialog.accept())
    await visit.page.reload()
    await visit.page.locator("#where-kept").wait_for()

    assert "Rien n’est gardé" in line
    assert "serre" not in await visit.page.inner_text("main")
    assert [] == await visit.page.evaluate("indexedDB.databases()")


async def test_what_was_kept_is_gone_once_the_session_is_ended_elsewhere(used: UsedPool) -> None:
    """The next sign-in says that it cannot be read any more; nothing stays in the list."""
    ada = await used.people.add(OPERATOR, coop="gamma", name="Ada")
    visit = await used.visitors.open()
    await enter(used, visit, ada.person, is_own=True)
    await used.answered(visit, QUESTION, ANSWER)
    await used.people.change(OPERATOR, ada.person, role="coop_admin")
    await visit.page.goto("about:blank")
    await enter(used, visit, ada.person, is_own=True)
    line = await visit.page.inner_text("#where-kept")

    assert "ne peuvent plus être lues" in line
    assert 0 == await visit.page.locator(".here li").count()
