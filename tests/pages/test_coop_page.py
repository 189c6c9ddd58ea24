"""My co-op in a real browser: its figures for all its people, and what only its admin changes."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec import Struct
from msgspec.structs import replace
from playwright.async_api import Browser
from tests.integration.nats_support import running_pool
from tests.pages.support import PHONE, VIEWS, WIDE, Visit, Visitors, visitors
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.scheduler.rows import settle_row

from entraide.types import Promise
from entraide.v1 import admin_pb2
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import CoopTerms, Period, Policy, Quota, QuotaKind

pytestmark = [pytest.mark.engines, pytest.mark.needs("chromium|google-chrome")]

QUOTAS = (Quota(QuotaKind.TOKENS, 50_000, Period.MONTH), Quota(QuotaKind.JOBS_IN_FLIGHT, 8))


class CoopPool(Struct):
    """A pool with a scheduler of its own, and browsers to visit it."""

    scheduler: RunningScheduler
    visitors: Visitors

    async def open(self, role: str, **options: Any) -> Visit:
        """The page of the co-op alpha, for somebody who has just signed in."""
        visit = await self.visitors.open(**options)
        await visit.go(await self.link(role))
        await self.sign_in(visit)
        await visit.go("#/coop")
        await visit.page.locator("#machines").wait_for()
        return visit

    async def link(self, role: str) -> str:
        operator = self.scheduler.operator
        person = admin_pb2.AddPersonRequest(coop="alpha", name="Marie-Ève Tremblay", role=role)
        added = await operator.ask("AddPerson", person)
        made = await operator.ask(
            "MakeSigninLink", admin_pb2.MakeSigninLinkRequest(person=added.person)
        )
        return "#" + str(made.link).partition("#")[2]

    async def sign_in(self, visit: Visit) -> None:
        await visit.page.locator("main button").click()
        await visit.page.locator(".who").wait_for()


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[CoopPool]:
    async with (
        running_pool(tmp_path) as bus,
        running_scheduler(tmp_path, bus) as scheduler,
        visitors(browser, scheduler.gateway.url) as guests,
    ):
        coops = (CoopTerms("alpha", quotas=QUOTAS), CoopTerms("beta"))
        scheduler.driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=Policy("v2", coops)))
        store = scheduler.service.parts.store
        for number, promise in enumerate((Promise.KEPT, Promise.KEPT, Promise.MISSED)):
            row = settle_row(f"job-{number}", at=time.time())
            kept = replace(row.settlement, promise=promise)
            await store.write_settlement(replace(row, settlement=kept))
        for number in range(2):
            row = settle_row(f"lent-{number}", borrower="beta", lender="alpha", at=time.time())
            await store.write_settlement(row)
        yield CoopPool(scheduler, guests)


@pytest.mark.parametrize(("lang", "size"), VIEWS)
async def test_an_admin_reads_the_figures(used: CoopPool, lang: str, size: tuple[int, int]) -> None:
    """Month, quotas, grams, promises, weight and people are in words; axe finds no flaw."""
    scheme = "dark" if lang == "en" else "light"
    visit = await used.open("coop_admin", lang=lang, size=size, scheme=scheme)
    await visit.page.locator("#projects").wait_for()
    text = await visit.page.inner_text("main")
    flaws = await visit.flaws()
    await visit.picture("coop")

    assert [] == flaws + visit.errors + visit.foreign
    for word in {
        "fr": ("Donné et reçu", "Québec", "Tenue 2 fois sur 3", "50\u00a0000 jetons par mois"),
        "en": ("Given and received", "Quebec", "Kept 2 times out of 3", "50,000 tokens per month"),
    }[lang]:
        assert word in text


async def test_an_auditor_sees_figures_only(used: CoopPool) -> None:
    """Without the role there are no people, keys or projects, and none are asked for."""
    visit = await used.open("auditor", lang="en")

    assert 0 == await visit.page.locator("#people, #keys, #projects, form").count()
    assert [] == [url for url in visit.requested if "/v1/people" in url or "/v1/admin" in url]


async def test_people_read_the_name_of_their_coop(used: CoopPool) -> None:
    """The co-op's name stands on its page and on that of the sessions, as text and never markup."""
    named = admin_pb2.Coop(coop="alpha", name="Les <b>Abeilles</b>")
    await used.scheduler.operator.ask("SetCoop", named)
    visit = await used.open("auditor", lang="fr")
    heading = await visit.page.inner_text("main h1")
    await visit.go("#/sessions")
    who = await visit.page.get_by_text("de la coopérative").inner_text()

    assert "Les <b>Abeilles</b>" == heading
    assert "Les <b>Abeilles</b>" in who
    assert [] == visit.errors


async def test_an_admin_invites_by_a_link_that_signs_in(used: CoopPool) -> None:
    """The link is shown once, with the focus on it, and opens the pool to the new person."""
    visit = await used.open("coop_admin", lang="fr")
    await visit.page.get_by_label("Nom").fill("<b>Zoé</b>")
    await visit.page.keyboard.press("Enter")
    await visit.page.locator("#once").wait_for()
    link = await visit.page.input_value("#once")
    flaws = await visit.flaws()
    await visit.picture("coop-link")
    await visit.page.get_by_role("button", name="C’est fait").click()
    shown_again = await visit.page.locator("#once").count()
    guest = await used.visitors.open(lang="fr")
    await guest.go("#" + link.partition("#")[2])
    await used.sign_in(guest)

    assert [] == flaws + visit.errors
    assert "<b>Zoé</b>" == await guest.page.inner_text(".who")
    assert 0 == shown_again


async def test_an_admin_makes_and_revokes_a_key(used: CoopPool) -> None:
    """A new key opens the API until it is revoked, which is asked for twice."""
    visit = await used.open("coop_admin", lang="en")
    await visit.page.get_by_label("Label").fill("newsletter")
    await visit.page.get_by_role("button", name="Create", exact=True).click()
    await visit.page.locator("#once").wait_for()
    key = await visit.page.input_value("#once")
    async with used.scheduler.session(key) as session, session.get("/v1/models") as answer:
        before = answer.status
    await visit.page.get_by_role("button", name="Revoke newsletter").click()
    await visit.page.get_by_role("button", name="No", exact=True).click()
    focused = await visit.focused()
    await visit.page.keyboard.press("Enter")
    await visit.page.get_by_role("button", name="Revoke: yes").click()
    await visit.page.get_by_text("revoked", exact=True).wait_for()
    async with used.scheduler.session(key) as session, session.get("/v1/models") as answer:
        after = answer.status

    assert "Revoke" == focused
    assert (200, 401) == (before, after)


@pytest.mark.parametrize(("lang", "size"), [("fr", WIDE), ("en", PHONE)])
async def test_a_person_reads_the_totals_only(
    used: CoopPool, lang: str, size: tuple[int, int]
) -> None:
    """Quotas, month, grams, promises and weight; no machine, statement, person, key or project."""
    visit = await used.visitors.open(lang=lang, size=size)
    await visit.go(await used.link("person"))
    await used.sign_in(visit)
    await visit.page.locator("nav a[href='#/coop']").click()
    await visit.page.locator("#weight").wait_for()
    text = await visit.page.inner_text("main")
    flaws = await visit.flaws()
    await visit.picture("coop-person")

    assert [] == flaws + visit.errors
    assert 0 == await visit.page.locator("#machines, #statement, #people, #keys, form").count()
    for word in {
        "fr": ("Donné et reçu", "Tenue 2 fois sur 3", "50\u00a0000 jetons par mois", "collègue"),
        "en": ("Given and received", "Kept 2 times out of 3", "50,000 tokens per month"),
    }[lang]:
        assert word in text


@pytest.mark.parametrize(
    ("button", "begins"),
    [
        ("Document (PDF)", b"%PDF-"),
        ("Spreadsheet (CSV)", b"kind,day,"),
        ("Data (JSON)", b'{"coop":"alpha"'),
    ],
)
async def test_the_statement_is_downloaded(used: CoopPool, button: str, begins: bytes) -> None:
    """The file bears co-op and month in its name, and holds the statement."""
    visit = await used.open("auditor", lang="en")
    async with visit.page.expect_download() as started:
        await visit.page.get_by_role("button", name=button).click()
    download = await started.value
    held = await asyncio.to_thread(Path(await download.path()).read_bytes)

    assert download.suggested_filename.startswith("alpha-20")
    assert held.startswith(begins)
