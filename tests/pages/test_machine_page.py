"""A co-op's machines in a real browser: state, terms and figures, read only, for who may see."""

import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec import Struct
from msgspec.structs import replace
from playwright.async_api import Browser
from tests.pages.support import VIEWS, Visit, Visitors, visitors
from tests.scheduler.gateway_support import Pool, card, open_pool
from tests.scheduler.people_support import add_person, open_people
from tests.scheduler.rows import settle_row
from tests.scheduler.test_oidc import bind_address
from tests.scheduler.test_own_machines import TERMS
from tests.scheduler.test_pool_view import change
from tests.scheduler.test_signin_letters import Letters, config, mail_server
from tests.waiting import until_read

from entraide_scheduler.gateway import Settings
from entraide_scheduler.notifications import READERS_MAX
from entraide_scheduler.people import OPERATOR, People
from entraide_scheduler.store import people as table
from entraide_scheduler.store.person_rows import PersonRow

pytestmark = [pytest.mark.engines, pytest.mark.needs("chromium|google-chrome")]

DESK, ATTIC = "bureau-du-haut", "<i>grenier</i>"


class MachinePool(Struct):
    """A pool with machines of alpha, its people, and browsers to visit it."""

    pool: Pool
    people: People
    visitors: Visitors

    async def open(self, role: str, **options: Any) -> Visit:
        """The page for somebody of alpha who has just signed in."""
        return await self.enter(await add_person(self.people, role=role), **options)

    async def enter(self, person: PersonRow, **options: Any) -> Visit:
        """The page for a person who has just signed in."""
        visit = await self.visitors.open(**options)
        link = await self.people.make_link(OPERATOR, person.person)
        await visit.go(f"#/entrer/{link.token}")
        await visit.page.locator("main button").click()
        await visit.page.locator(".who").wait_for()
        return visit


@pytest_asyncio.fixture(loop_scope="session")
async def lent(tmp_path: Path, browser: Browser) -> AsyncIterator[MachinePool]:
    joined = (
        replace(card(DESK), coop="alpha", terms=TERMS),
        replace(card(ATTIC), coop="alpha"),
        card("of-beta"),
    )
    async with (
        open_pool(tmp_path, joined=joined) as pool,
        visitors(browser, pool.gateway.url) as guests,
    ):
        change(pool, DESK, accepting=False, reason="owner_busy")
        for number in range(3):
            row = settle_row(f"job-{number}", borrower="beta", lender="alpha", at=time.time())
            await pool.store.write_settlement(replace(row, terms=replace(row.terms, node=DESK)))
        yield MachinePool(pool, await open_people(pool), guests)


@pytest.mark.parametrize(("lang", "size"), VIEWS)
async def test_an_admin_reads_the_machines(
    lent: MachinePool, lang: str, size: tuple[int, int]
) -> None:
    """State with its reason, hours, caps, and what each gave are in words; axe finds no flaw."""
    scheme = "dark" if lang == "en" else "light"
    visit = await lent.open("coop_admin", lang=lang, size=size, scheme=scheme)
    await visit.page.locator("nav a[href='#/machine']").click()
    desk = visit.page.get_by_role("article", name=DESK)
    await desk.wait_for()
    text = await desk.inner_text()
    other = await visit.page.get_by_role("article", name=ATTIC).inner_text()
    whole = await visit.page.inner_text("main")
    flaws = await visit.flaws()
    await visit.picture("machine")

    assert [] == flaws + visit.errors + visit.foreign
    for word in {
        "fr": (
            "Ne prend pas de travail\u00a0: utilisation par le propriétaire.",
            "du lundi au vendredi, de 18\u00a0h à 8\u00a0h\u00a0; le samedi et le dimanche",
            "au plus 60\u00a0W", "Québec", "Requêtes\t3\t3", "0,096\u00a0Wh",
        ),
        "en": (
            "Takes no work: the owner of the machine is using it.", "Monday to Friday",
            "at most 60\u00a0W", "Quebec", "Requests\t3\t3", "0.096\u00a0Wh",
        ),
    }[lang]:  # fmt: skip
        assert word in text
    assert {
        "fr": "n’indique au parc ni ses heures ni ses limites",
        "en": "does not tell the pool its hours and limits",
    }[lang] in other
    assert "of-beta" not in whole


async def test_nothing_can_be_changed_there(lent: MachinePool) -> None:
    """The page has no form and no button, and asks the pool with GET only."""
    visit = await lent.open("auditor", lang="en")
    methods: list[str] = []
    visit.page.on("request", lambda request: methods.append(request.method))
    await visit.go("#/machine")
    await visit.page.get_by_role("article", name=DESK).wait_for()

    assert 0 == await visit.page.locator("main form, main button, main input").count()
    assert {"GET"} == set(methods)


async def test_a_person_is_not_shown_them(lent: MachinePool) -> None:
    """The menu has no entry; a person who types the address reads why there is nothing."""
    visit = await lent.open("person", lang="en")
    await visit.go("#/machine")
    await visit.page.get_by_text("Your role does not allow this").wait_for()

    assert 0 == await visit.page.locator("nav a[href='#/machine']").count()
    assert 0 == await visit.page.locator("article").count()


async def test_an_admin_asks_for_letters_about_the_machines(
    tmp_path: Path, browser: Browser
) -> None:
    """Before the address is confirmed a line says what is missing; then there is a box, whose
    choice is kept and can be taken back."""
    async with mail_server(Letters()) as port:
        joined, settings = (replace(card(DESK), coop="alpha"),), Settings(smtp=config(port))
        async with (
            open_pool(tmp_path, joined=joined, settings=settings) as pool,
            visitors(browser, pool.gateway.url) as guests,
        ):
            lent = MachinePool(pool, await open_people(pool), guests)
            person = await add_person(lent.people, role="coop_admin", email="ada@alpha.coop")
            visit = await lent.enter(person, lang="en")
            box = visit.page.get_by_role("checkbox", name="Write to me")
            readers = partial(
                pool.store.read, partial(table.list_machine_readers, most=READERS_MAX)
            )
            await visit.go("#/machine")
            await visit.page.get_by_text("confirm your address").wait_for()
            missing = await box.count()
            bind = partial(bind_address, person=person.person, email=person.email)
            await pool.store.write(bind)
            pool.gateway.signin.sessions.clear_cache()
            await visit.page.reload()
            await box.check()
            (reader,) = await until_read(readers, len)
            await visit.page.reload()
            await box.wait_for()
            kept, flaws = await box.is_checked(), await visit.flaws()
            await visit.picture("machine-mail")
            await box.uncheck()
            await until_read(readers, lambda rows: not rows)

    assert (0, True) == (missing, kept)
    assert person.person == reader.person
    assert [] == flaws + visit.errors + visit.foreign
