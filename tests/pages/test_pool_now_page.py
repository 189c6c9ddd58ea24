"""The pool now in a real browser: what members read, how it changes, what it says when old."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.pages.signed_in import UsedPool, used_pool
from tests.pages.support import LOOKS
from tests.scheduler.gateway_support import MODEL, ask, card
from tests.waiting import eventually

from entraide.types import Basis, DataClass, EnergyStatus, JobClass, JobKind, RequestFacts
from entraide_scheduler.core import events as e

pytestmark = [pytest.mark.engines, pytest.mark.needs("chromium|google-chrome")]

HOUR_S = 3_600.0
JOINED = (
    card("atelier-1"), card("atelier-2"), card("bureau-du-haut"), card("serre", "CA-ON"),
    card("quai-7", "CA-NB"),
)  # fmt: skip


def change(used: UsedPool, node: str, **fields: Any) -> None:
    values: dict[str, Any] = {"accepting": True, "reason": "", "energy": None, **fields}
    used.pool.driver.feed(e.NodeChanged(*e.UNNUMBERED, node=node, **values))


def forecast(used: UsedPool, zone: str, *values: float) -> None:
    """States the intensity of a zone now, and of the next hours."""
    now = used.pool.driver.now()
    used.pool.driver.feed(
        e.ForecastIssued(
            *e.UNNUMBERED,
            zone=zone,
            issued_at=now,
            start_at=now // HOUR_S * HOUR_S,
            direct_g_per_kwh=values,
            lifecycle_g_per_kwh=values,
        )
    )
    used.pool.driver.feed(
        e.IntensityChanged(
            *e.UNNUMBERED,
            zone=zone,
            direct_g_per_kwh=values[0],
            lifecycle_g_per_kwh=values[0],
            basis="measured",
            valid_until=4e9,
        )
    )


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[UsedPool]:
    async with used_pool(tmp_path, browser, joined=JOINED) as opened:
        now = opened.pool.driver.now()
        forecast(opened, "CA-ON", *(38.0 + (hour * 7) % 31 for hour in range(48)))
        forecast(opened, "CA-QC", *(1.3 + 0.2 * ((hour + 3) % 8) for hour in range(48)))
        change(opened, "serre", energy=EnergyStatus(347.0, Basis.MEASURED, "meter", now, 4e9))
        change(opened, "bureau-du-haut", accepting=False, reason="owner_busy")
        change(opened, "quai-7", accepting=False, reason="engine_down")
        facts = RequestFacts(
            "batch-1", "alpha", "main", "key-alpha", "main", JobKind.KEPT, JobClass.BATCH,
            DataClass.INTERNAL, "CA", MODEL, 10, 20, deadline_at=now + 12 * HOUR_S,
        )  # fmt: skip
        opened.pool.driver.feed(e.BatchStated(*e.UNNUMBERED, facts=facts, lines=7))
        yield opened


@pytest.mark.parametrize(("lang", "size", "scheme"), LOOKS)
async def test_a_member_reads_the_pool(
    used: UsedPool, lang: str, size: tuple[int, int], scheme: str
) -> None:
    """Provinces, hours, sites, machines, green and what waits are in words; axe finds no flaw."""
    asked = [asyncio.ensure_future(used.pool.send(ask("SECRET-WORD"))) for _ in range(15)]
    await eventually(lambda: used.pool.driver.core.queue_lengths().get("alpha") == 3)
    visit = await used.enter(lang=lang, size=size, scheme=scheme)
    await visit.go("#/")
    await visit.page.locator(".waiting li").first.wait_for()
    await visit.page.locator(".bars").first.wait_for()
    text = await visit.page.inner_text("main")
    flaws = await visit.flaws()
    await visit.picture(f"pool-now-{scheme}")
    for request in asked:
        request.cancel()
    await asyncio.gather(*asked, return_exceptions=True)

    assert [] == flaws
    assert [] == visit.errors
    assert [] == visit.foreign
    for word in {
        "fr": (
            "Québec",
            "Nouveau-Brunswick",
            "serre-site",
            "prévision publiée",
            "Une place libre.",
        ),
        "en": ("Quebec", "New Brunswick", "serre-site", "published forecast", "For a free slot."),
    }[lang]:
        assert word in text
    assert "SECRET-WORD" not in text


async def test_a_change_is_shown_without_a_reload(used: UsedPool) -> None:
    """A machine that stops taking work says so on the page that is open."""
    visit = await used.enter(lang="en")
    await visit.go("#/")
    line = visit.page.locator(".machines li", has_text="atelier-1")
    await line.get_by_text("Ready").wait_for()
    change(used, "atelier-1", accepting=False, reason="engine_down")

    await line.get_by_text("its engine is down").wait_for()


async def test_old_data_is_marked_until_the_pool_answers_again(
    used: UsedPool, tmp_path: Path
) -> None:
    """While the gateway is away the page keeps what it has and says so; then it is live again."""
    visit = await used.enter(lang="fr")
    await visit.go("#/")
    await visit.page.locator(".live").wait_for()
    await visit.page.route("**/v1/pool*", lambda route: route.abort())
    await visit.page.route("**/v1/pool/events*", lambda route: route.abort())
    await used.pool.gateway._pool_events.stop()
    await visit.page.get_by_text("Ce que vous voyez date de").wait_for()
    kept = await visit.page.inner_text("main")
    marked = await visit.page.locator(".live").count()
    await visit.page.unroute_all()
    await visit.page.locator(".live").wait_for()

    assert "atelier-1" in kept
    assert 0 == marked
