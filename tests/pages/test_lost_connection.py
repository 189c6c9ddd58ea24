"""A chat whose connection is lost: the page comes back to its answer without a click."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.cutting_proxy import Cut, CuttingProxy, cutting_proxy
from tests.pages.signed_in import UsedPool, finish, used_pool
from tests.pages.support import visitors
from tests.waiting import eventually

# The limit is longer than all guards together, so that a failing test still closes its browsers.
pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS), pytest.mark.timeout(400)]

LOST = {"fr": "La connexion est coupée", "en": "The connection was lost"}
BROKEN = "The pool has lost this answer"


@contextlib.asynccontextmanager
async def used_over(folder: Path, browser: Browser) -> AsyncIterator[tuple[UsedPool, CuttingProxy]]:
    """A pool that browsers reach over a proxy."""
    async with (
        used_pool(folder, browser) as used,
        cutting_proxy(used.pool.gateway.port) as proxy,
        visitors(browser, proxy.url) as guests,
    ):
        yield UsedPool(used.pool, used.people, guests), proxy


@pytest.mark.parametrize(("lang", "how"), [("fr", Cut.RESET), ("en", Cut.SILENT)])
async def test_the_answer_goes_on_by_itself(
    tmp_path: Path, browser: Browser, lang: str, how: Cut
) -> None:
    """Meanwhile one line says what happens; each word is there once, with the receipt."""
    async with used_over(tmp_path, browser) as (used, proxy):
        visit = await used.chat("Ada", lang=lang)
        run = await used.asked(visit, "Qui décide ?")
        run.tokens("Les", " membres")
        await visit.page.get_by_text("Les membres", exact=True).wait_for()
        proxy.is_closed = True
        proxy.cut(how)
        line = visit.page.get_by_text(LOST[lang])
        await line.wait_for(timeout=120_000)
        await visit.picture(f"chat-reconnecting-{how}")
        finish(run, " décident", " ensemble.")
        proxy.is_closed = False
        await visit.page.locator(".receipt-line button").wait_for(timeout=120_000)
        answer = await visit.page.locator(".answer").inner_text()
        lines = await line.count()
        await visit.picture(f"chat-reconnected-{how}")

        assert "Les membres décident ensemble." in answer
        assert (1, 0) == (answer.count("membres"), lines)


async def test_stop_ends_the_job(tmp_path: Path, browser: Browser) -> None:
    """The page says to the pool that nobody comes back."""
    async with used_over(tmp_path, browser) as (used, _):
        visit = await used.chat("Ada", lang="en")
        run = await used.asked(visit, "Who decides?")
        run.tokens("The", " members")
        await visit.page.get_by_text("The members", exact=True).wait_for()
        await visit.page.get_by_role("button", name="Stop").click()
        cancelled = await asyncio.wait_for(used.pool.cancelled(), 120)
        recent = used.pool.gateway._running_jobs.recent
        await eventually(lambda: recent.get(run.run.job))
        ended = recent.get(run.run.job)

        assert run.run.job == cancelled.job
        assert (ended is not None and ended.code) == "cancelled"
        assert [] == visit.errors


LEAVE = {
    "reload": lambda page: page.reload(),
    "close": lambda page: page.close(run_before_unload=True),
}


@pytest.mark.parametrize("how", LEAVE)
async def test_leaving_the_page_ends_the_job(tmp_path: Path, browser: Browser, how: str) -> None:
    """A page that is closed or loaded anew never comes back, so that nothing waits for it."""
    async with used_over(tmp_path, browser) as (used, _):
        visit = await used.chat("Ada", lang="en")
        run = await used.asked(visit, "Who decides?")
        run.tokens("The", " members")
        await visit.page.get_by_text("The members", exact=True).wait_for()
        await LEAVE[how](visit.page)
        cancelled = await asyncio.wait_for(used.pool.cancelled(), 120)
        recent = used.pool.gateway._running_jobs.recent
        await eventually(lambda: recent.get(run.run.job))
        ended = recent.get(run.run.job)

        assert run.run.job == cancelled.job
        assert (ended is not None and ended.code) == "cancelled"  # no wait for a client


async def test_a_gateway_that_forgot_the_answer(tmp_path: Path, browser: Browser) -> None:
    """What came is kept, and one sentence says that the rest does not come."""
    async with used_over(tmp_path, browser) as (used, proxy):
        visit = await used.chat("Ada", lang="en")
        run = await used.asked(visit, "Who decides?")
        run.tokens("The", " members")
        await visit.page.get_by_text("The members", exact=True).wait_for()
        gateway = used.pool.gateway
        gateway._streams.forget(gateway._streams._streams[run.run.job])
        gateway._running_jobs.cancel(run.run.job, "client_gone")
        proxy.cut()
        await visit.page.get_by_text(BROKEN).wait_for(timeout=120_000)
        answer = await visit.page.locator(".answer").inner_text()

        assert "The members" in answer
        assert LOST["en"] not in answer
