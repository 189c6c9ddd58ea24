"""A new start in a real browser: what its page says, and the ways out of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.pages.signed_in import UsedPool, used_pool
from tests.pages.support import VIEWS, Visit
from tests.scheduler.gateway_support import ask
from tests.scheduler.people_support import add_person

from entraide_scheduler.config import OidcConfig, SmtpConfig
from entraide_scheduler.gateway import Settings
from entraide_scheduler.people import OPERATOR, as_actor

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]

ADMIN, EMAIL = "Robin Gagné", "zoe@example.coop"
CALL = """async ([method, path, body]) => {
    const csrf = (await (await fetch("/v1/session")).json()).csrf;
    const headers = { "X-Entraide-Csrf": csrf };
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    return [answer.status, await answer.json()];
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[UsedPool]:
    smtp = SmtpConfig("127.0.0.1", "parc@example.coop", security="none", port=9)
    async with used_pool(tmp_path, browser, settings=Settings(drain_s=0.0, smtp=smtp)) as opened:
        yield opened


class Colleagues:
    """A person with a kept answer, and a browser in which an admin has signed in as the person."""

    def __init__(self, ada: Visit, spy: Visit, path: str) -> None:
        self.ada, self.spy, self.path = ada, spy, path

    async def reads(self, visit: Visit) -> tuple[int, str]:
        """Returns how a page's request for the answer is answered."""
        status, said = await visit.page.evaluate(CALL, ["GET", self.path, None])
        return status, said.get("error", {}).get("code", "")


async def meet(
    used: UsedPool, lang: str = "fr", size: tuple[int, int] = (1_280, 800)
) -> Colleagues:
    """Lets a person keep an answer; then the admin makes a link, and signs in with it."""
    ada = await used.enter("Ada", lang=lang, size=size)
    _, kept = await ada.page.evaluate(CALL, ["POST", "/v1/jobs", {"request": ask("Secret")}])
    (await used.pool.placed()).finish()
    (person,) = await used.people.list_people(OPERATOR, "gamma")
    admin = await add_person(used.people, coop="gamma", name=ADMIN, role="coop_admin")
    made = await used.people.make_link(as_actor(admin), person.person)
    spy = await used.visitors.open(lang=lang, size=size)
    await spy.go(f"#/entrer/{made.token}")
    await spy.page.locator("main button").click()
    await spy.page.locator(".who").wait_for()
    return Colleagues(ada, spy, f"/v1/jobs/{kept['id']}")


@pytest.mark.parametrize(("lang", "size"), VIEWS)
async def test_who_comes_by_an_admins_link_reads_nothing_and_is_told_whose_it_was(
    used: UsedPool, lang: str, size: tuple[int, int]
) -> None:
    """Every view says it; the page of sessions has the ways out, and the person's own page names
    the admin beside the new session."""
    both = await meet(used, lang, size)
    spy, ada = both.spy, both.ada
    notice = await spy.page.inner_text("aside.notice")
    await spy.picture("new-start-chat", full=False)
    closed, open_to_ada = await both.reads(spy), await both.reads(ada)
    await spy.go("#/sessions")
    await spy.page.locator("#new-start").wait_for()
    await spy.page.locator(".rows li").wait_for()
    rows = await spy.page.locator(".rows li").count()
    flaws = await spy.flaws()
    await spy.picture("new-start")
    await ada.go("#/sessions")
    await ada.page.locator(".rows li").nth(1).wait_for()
    listing = await ada.page.inner_text(".rows")
    flaws += await ada.flaws()

    assert ADMIN in notice
    assert (403, "session_new_start") == closed
    assert (200, "") == open_to_ada
    assert 1 == rows
    assert ADMIN in listing
    assert [] == flaws + spy.errors + ada.errors + spy.foreign
    assert 0 == await ada.page.locator("#new-start").count()


async def test_the_older_session_agrees_to_what_the_new_one_asks(used: UsedPool) -> None:
    """Both browsers take part; then the new session is no new start, and reads the answer."""
    both = await meet(used)
    spy, ada = both.spy.page, both.ada.page
    await both.spy.go("#/sessions")
    await spy.get_by_role("button", name="Demander l’ouverture").click()
    await spy.get_by_role("button", name="C’est fait").wait_for()
    await both.ada.go("#/sessions")
    await ada.get_by_text("N’acceptez que si").wait_for()
    await both.ada.picture("new-start-asks")
    flaws = await both.ada.flaws()
    await ada.get_by_role("button", name="Ouvrir à cette session").click()
    await ada.get_by_text("N’acceptez que si").wait_for(state="detached")
    await spy.get_by_role("button", name="C’est fait").click()
    await spy.locator("#new-start").wait_for(state="detached")
    await spy.locator(".rows li").nth(1).wait_for()

    assert (200, "") == await both.reads(both.spy)
    assert [] == flaws + both.spy.errors + both.ada.errors


async def test_a_person_begins_empty_after_a_second_question(used: UsedPool) -> None:
    """One press asks again, the second erases: the answer is gone, and the older session ends."""
    both = await meet(used)
    await both.spy.go("#/sessions")
    page = both.spy.page
    await page.get_by_role("button", name="Effacer et repartir à vide").click()
    await page.locator(".confirm .danger").click()
    await page.locator("#new-start").wait_for(state="detached")
    await both.ada.page.reload()
    await both.ada.go("#/sessions")

    assert 404 == (await both.reads(both.spy))[0]
    assert "Il faut entrer d’abord" == await both.ada.page.inner_text("h1")
    assert [] == await both.spy.flaws() + both.spy.errors


async def test_the_page_has_a_person_confirm_the_own_address(used: UsedPool) -> None:
    """Somebody else wrote it: a letter is asked for and opened in the same browser, one press
    confirms the address, and the question does not come again."""
    visit = await used.visitors.open()
    await visit.go(await used.link("Zoé", email=EMAIL))
    await visit.page.locator("main button").click()
    notice = visit.page.locator("aside.notice")
    wanted = await notice.inner_text()
    flaws = await visit.flaws()
    await visit.picture("address-unproven", full=False)
    await notice.get_by_role("button", name="M’envoyer un lien").click()
    await notice.get_by_text("un lien y arrive").wait_for()
    (person,) = await used.people.list_people(OPERATOR, "gamma")
    await visit.go(f"#/entrer/{(await used.people.make_letter(person, EMAIL)).token}")
    await visit.page.locator("main button").click()
    await notice.get_by_role("button", name="C’est la mienne").wait_for()
    flaws += await visit.flaws()
    await visit.picture("address", full=False)
    await notice.get_by_role("button").click()
    await notice.wait_for(state="detached")
    await visit.page.reload()
    await visit.page.locator(".who").wait_for()

    assert EMAIL in wanted
    assert [] == flaws + visit.errors
    assert 0 == await notice.count()


@pytest.mark.parametrize(
    ("lang", "by_account"), [("fr", "par le compte de votre organisation"), ("en", "account")]
)
async def test_without_a_mail_server_the_page_names_the_way_that_there_is(
    tmp_path: Path, browser: Browser, lang: str, by_account: str
) -> None:
    """Where only an identity provider shows an address, no letter is spoken of; and a new start
    is not sent to the provider with an account that would begin one more."""
    oidc = OidcConfig("http://127.0.0.1:9", "entraide", name="Compte")
    async with used_pool(tmp_path, browser, settings=Settings(drain_s=0.0, oidc=oidc)) as used:
        person = await add_person(used.people, coop="gamma", name="Ada", email=EMAIL)
        ada, new = [await used.visitors.open(lang=lang) for _ in range(2)]
        for visit in (ada, new):
            await visit.go(await used.link_of(person.person))
            await visit.page.locator("main button").click()
            await visit.page.locator(".who").wait_for()
        notice = ada.page.locator(".notice.above")
        await notice.get_by_role("link", name="Compte").wait_for()
        said = await notice.inner_text()
        await new.go("#/sessions")
        await new.page.get_by_role("heading", level=3).first.wait_for()
        await new.settled()
        offered = await new.page.locator("main a[href='/v1/oidc/start']").count()

        assert (True, True, 0) == (EMAIL in said, by_account in said, offered)
        assert [] == [word for word in ("lien", "link") if word in said.lower()]
