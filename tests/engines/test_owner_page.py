"""The owner's page of a real pool's machine in a real browser: read, paused, changed by keys."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.browser import NEEDS, PHONE, WIDE, Visit, visit
from tests.integration.local_pool import RunningPool, up
from tests.node.owner_terms import FULL_TERMS

from entraide_node.config import CONFIG_NAME, load_config
from entraide_node.core.owner_terms import OwnerTerms, PresencePolicy, ResourceCaps, WeeklyHours
from entraide_node.owner import terms_file
from entraide_node.owner.terms_file import TERMS_NAME
from entraide_node.page.server import OwnerPage

NODE = "node-2"  # the greenest: it has sun of its own, so requests go to it
SHOTS = os.environ.get("ENTRAIDE_SHOTS", "")  # a folder that gets the screenshots
# Works at any hour, whatever the machine of the test does.
WILLING = OwnerTerms(
    present=PresencePolicy.ALL, on_battery=True, temperature_max_c=0.0, load_max_percent=0.0,
    memory_free_min_gb=0.0, settle_s=0.0, give_back_s=1.0,
)  # fmt: skip

Lang = Literal["fr-CA", "en-CA"]
Scheme = Literal["light", "dark"]

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300), pytest.mark.needs(NEEDS)]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool of three real nodes, which has answered three requests."""
    pool = up(tmp_path_factory.mktemp("pool"), "--nodes", "3")
    try:
        for number in range(3):
            status, _, _ = pool.chat(f"Say {number}.", headers={"X-Entraide-Max-Gco2e": "0"})
            assert 200 == status
        yield pool
    finally:
        pool.entraide("down")


@pytest.fixture
def folder(pool: RunningPool) -> Iterator[Path]:
    """The folder of a node whose owner lets it work, also after the test."""
    folder = pool.state / "nodes" / NODE
    terms_file.write_terms(folder, WILLING)
    yield folder
    (folder / TERMS_NAME).unlink()


@pytest_asyncio.fixture(loop_scope="session")
async def page(folder: Path) -> AsyncIterator[OwnerPage]:
    """The page of that node."""
    page = OwnerPage(load_config(folder / CONFIG_NAME))
    await page.open()
    yield page
    await page.close()


def reason(pool: RunningPool) -> str:
    """Why the node takes no work, as the pool knows it."""
    return str(next(node for node in pool.nodes() if node["node"] == NODE)["reason"])


async def look(opened: Visit, name: str) -> list[str]:
    """Returns all that is wrong with a page as it stands; keeps a screenshot if one is wanted."""
    if SHOTS:
        await opened.page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
    overflow_px = await opened.overflow_px()
    return [
        *await opened.accessibility_findings(),
        # The browser notes the status of a refused form as an error of the network.
        *(complaint for complaint in opened.complaints if "status of 422" not in complaint),
        *([f"{overflow_px} px too wide"] if overflow_px > 0 else []),
    ]


@pytest.mark.parametrize(
    ("lang", "width", "scheme"),
    [
        ("fr-CA", WIDE, "light"),
        ("fr-CA", PHONE, "dark"),
        ("en-CA", WIDE, "dark"),
        ("en-CA", PHONE, "light"),
    ],
)
async def test_the_page_is_whole_and_accessible(
    page: OwnerPage, browser: Browser, folder: Path, *, lang: Lang, width: int, scheme: Scheme
) -> None:
    """In each language and scheme at each width: as it opens, opened out, and with errors shown."""
    terms_file.write_terms(folder, FULL_TERMS)
    name = f"{lang[:2]}-{width}-{scheme}"
    async with visit(browser, page.url, lang=lang, width=width, scheme=scheme) as opened:
        wrong = await look(opened, name)
        for summary in await opened.page.locator("summary").all():
            await summary.click()
        wrong += await look(opened, f"{name}-opened")
        await opened.page.locator("[name=idle_min]").fill("long")
        await opened.page.locator("[name='caps_idle.power_w']").fill("-5")
        for day in (5, 6):
            await opened.page.locator(f"[name=row-1-days][value='{day}']").uncheck()
        async with opened.page.expect_navigation():  # until the new page has its style sheet
            await opened.page.locator(".save").click()
        wrong += await look(opened, f"{name}-refused")
        html_lang = await opened.page.locator("html").get_attribute("lang")
        errors = await opened.page.locator(".error").all_inner_texts()
        focused = await opened.focused()
        kept = await opened.page.locator("[name=idle_min]").input_value()
        ground = await opened.page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert [] == wrong
    assert (lang[:2], 3, "row-1-days", "long") == (html_lang, len(errors), focused, kept)
    assert ("rgb(18, 23, 19)" if scheme == "dark" else "rgb(249, 247, 241)") == ground
    assert [] == [url for url in opened.requested if not url.startswith(page.url)]
    assert FULL_TERMS == terms_file.read_terms(folder)


async def test_nothing_covers_what_has_the_focus(page: OwnerPage, browser: Browser) -> None:
    """On a phone, the bar that saves stays in sight, and never over the field with the focus."""
    covered, passed = [], []
    async with visit(browser, page.url, lang="en-CA", width=PHONE) as opened:
        while "Save" not in passed:
            await opened.page.keyboard.press("Tab")
            passed.append(await opened.focused())
            if await opened.is_focus_covered():
                covered.append(passed[-1])

    assert [] == covered
    assert len(passed) > 15


async def test_an_owner_reads_what_the_machine_gave_and_pauses_it(
    pool: RunningPool, page: OwnerPage, browser: Browser
) -> None:
    """The figures are those of the pool's books; the button pauses the agent, and resumes it."""
    await asyncio.to_thread(pool.until, lambda: reason(pool) == "", f"{NODE} works")
    async with visit(browser, page.url, lang="en-CA", scripts=False) as opened:
        today = await opened.page.locator(".tile").first.inner_text()
        for_whom = await opened.page.locator("tbody tr").all_inner_texts()
        ready = await opened.page.locator(".badge").inner_text()
        await opened.page.get_by_role("button", name="Pause").click()
        paused = await opened.page.locator(".first").inner_text()
        await asyncio.to_thread(pool.until, lambda: reason(pool) == "paused", "it is paused")
        await opened.page.get_by_role("button", name="Resume").click()
        resumed = await opened.page.locator(".badge").inner_text()

    assert ["Today", "Requests", "3"] == today.split()[:3]
    assert [] == for_whom  # of today, the co-ops are not told
    assert "Hours open to the pool" in today
    assert {ready, resumed} <= {"Ready", "Working"}  # what the pool asked may still run
    assert f"{NODE} is paused: it takes no requests until you resume it." == paused


async def test_an_owner_changes_the_hours_by_keyboard_alone(
    pool: RunningPool, page: OwnerPage, browser: Browser, folder: Path
) -> None:
    """Without a pointer, hours of another day are chosen and saved; the pool sees it go."""
    day = (time.localtime().tm_wday + 3) % 7
    async with visit(browser, page.url, lang="fr-CA") as opened:
        keyboard = opened.page.keyboard
        await opened.tab_to("hours_mode")
        await keyboard.press("ArrowDown")
        await opened.tab_to("row-0-days")
        for _ in range(day):
            await keyboard.press("Tab")
        await keyboard.press("Space")
        for end, typed in (("from", "0600p"), ("to", "0800a")):
            await opened.tab_to(f"row-0-{end}")
            await keyboard.type(typed)
        begin = await opened.page.locator("[name=row-0-from]").input_value()
        await opened.tab_to("Enregistrer")
        await keyboard.press("Enter")
        await opened.page.wait_for_url("**saved=1*")
        said = await opened.page.locator(".notice").all_inner_texts()
        state = await opened.page.locator(".first").inner_text()
        await asyncio.to_thread(pool.until, lambda: reason(pool) == "outside_hours", "it is told")
        wrong = await look(opened, "fr-saved")
    terms = terms_file.read_terms(folder)

    assert isinstance(terms, OwnerTerms)
    assert (WeeklyHours((day,), int(begin[:2]) * 60, 480),) == terms.hours
    assert WILLING.caps_idle == terms.caps_idle == ResourceCaps()
    assert 1 == len(said)
    assert "Quand elle peut travailler\u00a0:" in said[0]
    assert "(avant\u00a0: À toute heure)" in said[0]
    assert f"{NODE} ne travaille pas" in state
    assert [] == wrong
