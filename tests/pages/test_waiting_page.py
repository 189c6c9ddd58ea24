"""The chat page says why a question waits, and in true words what became of one that did not."""

from pathlib import Path

import pytest
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.pages.signed_in import UsedPool, finish, used_pool
from tests.pages.test_lost_connection import used_over
from tests.waiting import eventually

from entraide.wire.cards import JobWait
from entraide.wire.messages import JobsWaiting
from entraide_scheduler.core import events as e

# The limit is longer than all guards together, so that a failing test still closes its browsers.
pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS), pytest.mark.timeout(400)]

PAUSED = {"fr": "toutes les machines possibles sont en pause", "en": "machines are paused"}
READING = {"fr": "Une machine lit votre question.", "en": "A machine is reading your question."}
AWAY = "The pool cannot be reached: your question did not get there."


def set_accepting(used: UsedPool, *, accepting: bool) -> None:
    """The owners of all machines pause them, or no longer."""
    for view in used.pool.driver.core.nodes():
        reason = "" if accepting else "paused"
        used.pool.driver.feed(e.NodeChanged(*e.UNNUMBERED, view.card.node, accepting, reason, None))


async def tell_waits(used: UsedPool) -> None:
    """Tells the gateway once why its jobs wait, as the scheduler does each second."""
    driver = used.pool.driver
    await eventually(lambda: driver.list_waits(0)[1])
    views, _ = driver.list_waits(0)
    waits = [JobWait(view.job, view.reason, view.position, view.retry_after_s) for view in views]
    used.pool.gateway.on_scheduler_message(JobsWaiting(tuple(waits)))


@pytest.mark.parametrize("lang", ["fr", "en"])
async def test_the_page_says_why_a_question_waits_and_when_a_machine_has_it(
    tmp_path: Path, browser: Browser, lang: str
) -> None:
    """While all machines are paused the page does not say that one reads the question."""
    async with used_pool(tmp_path, browser) as used:
        set_accepting(used, accepting=False)
        visit = await used.chat("Ada", lang=lang)
        await visit.page.fill("#question", "Qui décide ?")
        await visit.page.keyboard.press("Enter")
        answer = visit.page.locator(".answer")
        await answer.wait_for()
        before = await answer.inner_text()
        await tell_waits(used)
        await answer.get_by_text(PAUSED[lang]).wait_for()
        flaws = await visit.flaws()
        await visit.picture(f"chat-waiting-{lang}", full=False)
        set_accepting(used, accepting=True)
        run = await used.pool.placed()
        await answer.get_by_text(READING[lang]).wait_for()
        run.accept()
        finish(run, "Les membres.")
        await visit.page.locator(".receipt-line").wait_for()
        after = await answer.inner_text()

        assert ([], False, False) == (flaws, READING[lang] in before, READING[lang] in after)


async def test_a_pool_that_is_away_did_not_get_the_question(
    tmp_path: Path, browser: Browser
) -> None:
    """The page says that the question did not arrive; asked again, it is answered."""
    async with used_over(tmp_path, browser) as (used, proxy):
        visit = await used.chat("Ada", lang="en")
        proxy.is_closed = True
        proxy.cut()
        await visit.page.fill("#question", "Who decides?")
        await visit.page.keyboard.press("Enter")
        await visit.page.get_by_text(AWAY).wait_for()
        proxy.is_closed = False
        await visit.page.get_by_role("button", name="Ask again").click()
        run = await used.pool.placed()
        run.accept()
        finish(run, "The members.")
        await visit.page.locator(".receipt-line").wait_for()

        assert AWAY not in await visit.page.locator(".answer").inner_text()


async def test_continue_keeps_what_came_of_a_lost_answer(tmp_path: Path, browser: Browser) -> None:
    """Where the pool has lost an answer, what came stays, and the model is asked to go on."""
    async with used_over(tmp_path, browser) as (used, proxy):
        visit = await used.chat("Ada", lang="en")
        run = await used.asked(visit, "Who decides?")
        run.tokens("The", " members")
        await visit.page.get_by_text("The members", exact=True).wait_for()
        gateway = used.pool.gateway
        gateway._streams.forget(gateway._streams._streams[run.run.job])
        gateway._running_jobs.cancel(run.run.job, "client_gone")
        proxy.cut()
        await visit.page.get_by_text("The pool has lost this answer").wait_for(timeout=120_000)
        await visit.page.get_by_role("button", name="Continue").click()
        going_on = await used.pool.placed()
        going_on.accept()
        finish(going_on, " decide.")
        await visit.page.locator(".receipt-line").wait_for()
        texts = await visit.page.locator(".answer").all_inner_texts()

        assert b"The members" in bytes(going_on.run.body)
        assert ("The members" in texts[0], "decide." in texts[-1]) == (True, True)
