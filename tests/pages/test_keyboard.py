"""The keyboard alone, on every view: each control is reached and seen, and nothing keeps the focus.

What each view then does by keys is tested beside the view; here are the ways through all of them.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from tests.browser import NEEDS, visit
from tests.pages.signed_in import UsedPool, finish, used_pool
from tests.pages.support import PHONE, WIDE, Visit
from tests.pages.test_operator_page import Operated, operated

from entraide_node.config import NodeConfig
from entraide_node.page.server import OwnerPage

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS), pytest.mark.timeout(300)]

STOPS_MAX = 250
PARTS = ("", "/machines", "/cooperatives", "/modeles", "/reseau", "/politique", "/simulation")
VIEWS = ("#/", "#/sessions", "#/coop", "#/entrer", *(f"#/exploitation{part}" for part in PARTS))

# Gives each control that a reader with a pointer can use a number, and names it.
NUMBER = """() => [...document.querySelectorAll(
        'a[href], button, input, select, textarea, summary, [tabindex="0"]')]
    .filter(each => !each.disabled && each.tabIndex >= 0 && each.checkVisibility())
    .filter(each => each.type !== 'radio' || each.checked)
    .map((each, place) => {
        each.dataset.stop = place;
        return each.getAttribute('aria-label') || each.labels?.[0]?.textContent.trim()
            || each.textContent.trim() || each.id;
    })"""
# What has the focus: its number, whether it is in the window, uncovered, and marked as such.
FOCUSED = """() => {
    const focused = document.activeElement, box = focused.getBoundingClientRect();
    const style = getComputedStyle(focused);
    const x = box.x + Math.min(box.width, innerWidth - box.x) / 2;
    const y = Math.max(box.y, 0) + (Math.min(box.bottom, innerHeight) - Math.max(box.y, 0)) / 2;
    const top = document.elementFromPoint(x, y);
    const covered = !top || !(focused.contains(top) || top.contains(focused)
        || [...focused.labels || []].some(label => label.contains(top)));
    return {
        stop: focused === document.body ? null : Number(focused.dataset.stop ?? -1),
        name: focused.outerHTML.slice(0, 120),
        seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && !covered,
    };
}"""


async def walk(page: Page) -> list[str]:
    """Tabs once round the page; returns what was not reached, was not seen or kept the focus."""
    names = await page.evaluate(NUMBER)
    reached: list[int] = []
    wrong: list[str] = []
    for _ in range(STOPS_MAX):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(FOCUSED)
        if focused["stop"] is None or focused["stop"] in reached[:1]:
            break
        if focused["stop"] in reached[-1:]:
            return [*wrong, f"keeps the focus: {focused['name']}"]
        reached.append(focused["stop"])
        if not focused["seen"]:
            wrong.append(f"not seen: {focused['name']}")
    missed = [name for place, name in enumerate(names) if place not in reached]
    backwards = [stop for stop in reached if stop >= 0]
    return [
        *wrong,
        *(f"not reached: {name}" for name in missed),
        *(["another order than the page's"] if backwards != sorted(backwards) else []),
    ]


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[Operated]:
    async with operated(tmp_path, browser) as opened:
        yield opened


@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_each_control_of_each_view_is_reached_and_seen(
    used: Operated, size: tuple[int, int]
) -> None:
    """Tab goes through the controls of every view in their order, each seen, and out again."""
    await used.approve_by_hand()
    await used.join("serre", "CA-ON")
    stranger, operator = await used.visitors.open(size=size), await used.enter(size=size)
    wrong: list[str] = []
    for opened, route in [(stranger, "#/"), (stranger, "#/entrer"), (stranger, "#/chat")] + [
        (operator, view) for view in VIEWS
    ]:
        await opened.anew(route)  # Tab begins at the start of the page
        await opened.page.locator("main :is(h1, h2)").first.wait_for()
        await opened.settled()
        await opened.page.evaluate(
            "document.querySelectorAll('main [aria-expanded=false]').forEach(it => it.click())"
        )
        wrong += [f"{route} {what}" for what in await walk(opened.page)]

    assert [] == wrong


@pytest_asyncio.fixture(loop_scope="session")
async def chatting(tmp_path: Path, browser: Browser) -> AsyncIterator[UsedPool]:
    async with used_pool(tmp_path, browser) as opened:
        yield opened


async def press(opened: Visit, name: str, key: str = "Enter") -> None:
    """Tabs to a control by its name, and presses a key there."""
    await opened.tab_to(name)
    await opened.page.keyboard.press(key)


async def test_the_chat_is_used_by_keys_alone(chatting: UsedPool) -> None:
    """Attach, choose a class, ask, stop, edit, ask again: the focus is never lost."""
    opened = await chatting.chat(lang="fr")
    page = opened.page
    await page.reload()
    await page.locator("#model option").first.wait_for(state="attached")
    await page.keyboard.press("Tab")
    skip = await opened.focused()
    await page.keyboard.press("Enter")
    skipped_to = await page.evaluate("document.activeElement.localName")
    async with page.expect_file_chooser() as choosing:
        await press(opened, "Joindre")
    await (await choosing.value).set_files(
        [{"name": "note.txt", "mimeType": "text/plain", "buffer": b"Une note"}]
    )
    await page.locator(".attachments li").wait_for()
    await press(opened, "data-class", "ArrowUp")
    chosen = await page.input_value("#data-class")
    await press(opened, "data-class", "ArrowDown")
    await opened.tab_to("question")
    await page.keyboard.type("Une longue histoire")
    await page.keyboard.press("Enter")
    run = await chatting.pool.placed()
    run.accept()
    run.tokens("Il était")
    await page.locator(".answer-text").wait_for()
    await press(opened, "Arrêter")
    await chatting.pool.cancelled()
    await page.get_by_text("Arrêtée à votre demande").wait_for()
    after_stop = await opened.focused()
    await press(opened, "Modifier")
    editing = await opened.focused()
    await page.keyboard.press("Escape")
    left = await opened.focused()
    await page.keyboard.press("Enter")
    await page.keyboard.type(" et une fin")
    await press(opened, "Redemander")
    run = await chatting.pool.placed()
    after_again = await opened.focused()
    run.accept()
    finish(run, "Fin")
    await page.locator(".receipt-line button").wait_for()

    assert ("Aller au contenu", "main") == (skip, skipped_to)
    assert "restricted" == chosen
    assert "et une fin" in run.body["messages"][-1]["content"]
    assert ("question", "edited", "Modifier") == (after_stop, editing, left)
    assert "question" == after_again
    assert [] == opened.errors


async def test_the_co_op_and_the_sessions_are_used_by_keys_alone(used: Operated) -> None:
    """A person is invited and a session ended; what closes gives the focus back."""
    opened = await used.enter("coop_admin", lang="fr")
    page = opened.page
    await opened.go("#/coop")
    await page.locator("#projects").wait_for()
    await opened.tab_to("name")
    await page.keyboard.type("Zoé")
    await press(opened, "Inviter")
    await page.locator("#once").wait_for()
    once = await opened.focused()
    await press(opened, "C’est fait")
    after_once = await opened.focused()
    await opened.go("#/sessions")
    await page.locator(".rows li").wait_for()
    await press(opened, "Sortir")
    await page.locator(".top .button").wait_for()

    assert ("once", "name") == (once, after_once)
    assert [] == opened.errors


PLACE = """() => {
    const focused = document.activeElement;
    return focused.matches('li') ? focused.querySelector('bdi').textContent : focused.id;
}"""


async def test_the_focus_stays_near_a_button_that_goes_away(used: Operated) -> None:
    """After a line leaves the list its heading has the focus; after a button leaves, its line."""
    await used.approve_by_hand()
    for name in ("serre", "grange", "moulin"):
        await used.join(name, "CA-ON")
    opened = await used.enter(lang="fr")
    page = opened.page
    await opened.go("#/exploitation")
    await page.locator(".finding.node-waiting").nth(2).wait_for()
    places = []
    await press_named(page, "Approuver serre")
    await page.locator(".finding.node-waiting", has_text="serre").wait_for(state="detached")
    places.append(await page.evaluate(PLACE))
    await press_named(page, "Révoquer grange")
    await press_named(page, "Révoquer")
    await page.locator(".finding.node-waiting", has_text="grange").wait_for(state="detached")
    places.append(await page.evaluate(PLACE))
    await opened.go("#/exploitation/machines")
    await press_named(page, "Approuver moulin")
    await page.locator("main button", has_text="Approuver").nth(1).wait_for(state="detached")
    places.append(await page.evaluate(PLACE))
    await page.keyboard.press("Tab")
    next_stop = await page.evaluate("document.activeElement.getAttribute('aria-label')")

    assert ["op-work", "op-work", "moulin"] == places
    assert "Attester moulin" == next_stop
    assert [] == opened.errors


async def press_named(page: Page, name: str) -> None:
    """Tabs to the button that a reader by ear knows by this name, and presses Enter there."""
    heard = "(e => e.getAttribute('aria-label') || e.textContent.trim())(document.activeElement)"
    await page.get_by_role("button", name=name, exact=True).wait_for()
    for _ in range(STOPS_MAX):
        if await page.evaluate(heard) == name:
            await page.keyboard.press("Enter")
            return
        await page.keyboard.press("Tab")
    msg = f"Tab does not reach {name!r}"
    raise AssertionError(msg)


@pytest.mark.parametrize("width", [1_280, 390])
async def test_each_control_of_the_owners_page_is_reached_and_seen(
    tmp_path: Path, browser: Browser, width: int
) -> None:
    """The same way through the page of a machine's owner, all of it opened out."""
    config = NodeConfig(
        node="mini", coop="boreale", zone="CA-QC", nats_urls=(), dir=str(tmp_path), lang="fr"
    )
    owner = OwnerPage(config)
    await owner.open()
    try:
        async with visit(browser, owner.url, width=width) as opened:
            for summary in await opened.page.locator("summary").all():
                await summary.click()
            await opened.page.reload()
            wrong = await walk(opened.page)
    finally:
        await owner.close()

    assert [] == wrong
