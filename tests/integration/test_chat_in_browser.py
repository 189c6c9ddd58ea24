"""Two people of two co-ops at the pages of a real pool, with real engines, each in a browser."""

import asyncio

import pytest
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.integration.local_pool import RunningPool
from tests.pages.support import Visit, Visitors, visitors

from entraide_scheduler.up.people import list_signin_links

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS), pytest.mark.timeout(400)]

TURNS = 5
QUESTIONS = ("Bonjour", "Qui es-tu ?", "Et ensuite ?", "Pourquoi ?", "Merci")
ANSWER_MS = 90_000.0


async def enter(guests: Visitors, pool: RunningPool, coop: str, name: str) -> Visit:
    """A page on which a new person has signed in by the link that the operator's command gives."""
    made = await asyncio.to_thread(pool.entraide, "people", "add", coop, name, "--json")
    visit = await guests.open(lang="fr")
    await visit.go(f"#/{made['link'].partition('#/')[2]}")
    await visit.page.locator("main button").click()
    await visit.page.locator("#model option").first.wait_for(state="attached")
    return visit


async def test_two_people_of_two_coops_talk_at_once(pool: RunningPool, browser: Browser) -> None:
    """Five turns each, at the same time, without an error; each sees the own conversation only."""
    async with visitors(browser, pool.file.http) as guests:
        people = [
            await enter(guests, pool, "boreale", "Ada"),
            await enter(guests, pool, "prairie", "Eve"),
        ]
        for visit in people:
            await visit.answers_are_short()
        for turn in range(TURNS):
            for visit in people:
                await visit.page.fill("#question", QUESTIONS[turn])
                await visit.page.keyboard.press("Enter")
            for visit in people:
                line = visit.page.locator(".receipt-line").nth(turn)
                await line.wait_for(timeout=ANSWER_MS)
        lines = [await visit.page.locator(".receipt-line").all_inner_texts() for visit in people]
        counts = [await visit.page.locator(".messages > li").count() for visit in people]
        wrong = [text for visit in people for text in visit.errors + visit.foreign]
        notices = [await visit.page.locator(".notice.bad").count() for visit in people]

    assert [TURNS, TURNS] == [len(each) for each in lines]
    assert [2 * TURNS, 2 * TURNS] == counts
    assert [0, 0] == notices
    assert [] == wrong


async def test_stop_frees_the_machine(pool: RunningPool, browser: Browser) -> None:
    """After the button no request runs any more in the whole pool."""

    def running() -> int:
        return int(pool.http("/status.json")[2]["running"])

    async with visitors(browser, pool.file.http) as guests:
        visit = await enter(guests, pool, "boreale", "Ida")
        await visit.page.fill("#question", "Write a long story about a cat.")
        await visit.page.keyboard.press("Enter")
        await visit.page.locator(".answer-text").wait_for(timeout=ANSWER_MS)
        await visit.page.get_by_role("button", name="Arrêter").click()
        await visit.page.get_by_text("Arrêtée à votre demande").wait_for()
        await asyncio.to_thread(pool.until, lambda: running() == 0, "the pool is idle again")
        ended = await visit.page.evaluate("fetch('/v1/jobs').then(answer => answer.json())")

    assert "cancelled" == ended["data"][0]["state"]


@pytest.mark.parametrize(
    ("lang", "other", "words"), [("fr", "en", "est un jouet"), ("en", "fr", "is a toy")]
)
async def test_a_demonstrations_link_opens_in_the_browsers_language_and_calls_its_model_a_toy(
    pool: RunningPool, browser: Browser, lang: str, other: str, words: str
) -> None:
    """The links that `entraide up` prints in one language open in the browser's other one."""
    printed = await asyncio.to_thread(list_signin_links, pool.file, other)
    async with visitors(browser, pool.file.http) as guests:
        visit = await guests.open(lang=lang)
        await visit.go(f"#/{printed[-1].partition('#/')[2]}")
        await visit.page.locator("main button").click()
        await visit.page.locator(".who").wait_for()
        await visit.go("#/chat")
        note = await visit.page.locator(".toy").inner_text()
        shown = await visit.page.evaluate("document.documentElement.lang")
        wrong = visit.errors + visit.foreign

    assert (lang, True, []) == (shown, words in note, wrong)
