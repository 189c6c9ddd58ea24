"""Pages that are open while the scheduler restarts, with a real bus and a real browser."""

import contextlib
from pathlib import Path

import pytest
from playwright.async_api import Browser
from tests.integration.nats_support import running_pool
from tests.pages.support import visitors
from tests.pages.test_coop_page import CoopPool
from tests.ports import free_port
from tests.scheduler.pool_support import running_scheduler

pytestmark = [pytest.mark.engines, pytest.mark.needs("chromium|google-chrome")]


async def test_the_pool_now_lives_through_a_restart(tmp_path: Path, browser: Browser) -> None:
    """What the page shows is marked as old; then it is live again, and still signed in."""
    http = f"[http]\nport = {free_port()}\n"
    async with running_pool(tmp_path) as bus, contextlib.AsyncExitStack() as stack:
        async with running_scheduler(tmp_path, bus, http) as scheduler:
            guests = await stack.enter_async_context(visitors(browser, scheduler.gateway.url))
            visit = await CoopPool(scheduler, guests).open("coop_admin", lang="fr")
            await visit.go("#/")
            await visit.page.locator(".live").wait_for()
        await visit.page.get_by_text("Ce que vous voyez date de").wait_for()
        marked = await visit.page.locator(".live").count()
        async with running_scheduler(tmp_path, bus, http):
            await visit.page.locator(".live").wait_for()
            name = await visit.page.inner_text(".who")

    assert 0 == marked
    assert "Marie-Ève Tremblay" == name
