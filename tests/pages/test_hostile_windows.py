"""Hostile text in the reasons of a policy, which come back from the pool."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page
from tests.browser import NEEDS
from tests.pages.hostile_support import BARE, HUGE, Hostile, harm, hostile, hostile_pool
from tests.pages.test_hostile_fields import check_policy

pytestmark = [
    pytest.mark.engines, pytest.mark.needs(NEEDS), pytest.mark.timeout(300)
]  # fmt: skip


@pytest.fixture
async def used(tmp_path: Path) -> AsyncIterator[Hostile]:
    async with hostile_pool(tmp_path) as opened:
        yield opened


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


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
