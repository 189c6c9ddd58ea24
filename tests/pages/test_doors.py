"""Every door to the pool's pages in a real browser, with a real identity provider and mail server.

Each attempt ends inside, or in a plain sentence in the reader's language that says what to do.
"""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.pages.signed_in import UsedPool, used_pool
from tests.pages.support import PHONE, Visit
from tests.scheduler.identity_provider import IdentityProvider, open_provider
from tests.scheduler.people_support import add_person
from tests.scheduler.test_signin_letters import Letters, config, link_in, mail_server
from tests.waiting import eventually

from entraide_scheduler.config import OidcConfig
from entraide_scheduler.gateway import Settings
from entraide_scheduler.gateway.signin.signin_routes import LETTERS_MAX, REFUSED_MAX
from entraide_scheduler.people import LINK_LEAST_S, OPERATOR, People

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]

LANGUAGES = ("fr", "en")
ACCOUNT = "Compte du Nord"
NOBODY_LISTENS = "http://localhost:9"
BUTTON = {"fr": "Entrer", "en": "Sign in"}
BY_ACCOUNT = {"fr": f"Entrer avec {ACCOUNT}", "en": f"Sign in with {ACCOUNT}"}
SEND = {"fr": "M’envoyer un lien", "en": "Send me a link"}
SENT = {"fr": "Si cette adresse est connue du parc", "en": "If the pool knows this address"}
TOO_MANY = {"fr": "Réessayez dans une minute", "en": "Try again in a minute"}

# How a sign-in at the provider fails: its reason and the remedy, in both languages.
PROVIDER_FAULTS = {
    "denied": {"fr": ("annulée", "Recommencez"), "en": ("cancelled", "Try again")},
    "stranger": {"fr": ("personne dans le parc", "Demandez"), "en": ("nobody in the pool", "Ask")},
    "unverified": {"fr": ("vérifiée", "Demandez"), "en": ("verified", "Ask")},
    "disabled": {"fr": ("accès a été retiré", "Demandez"), "en": ("no longer sign in", "Ask")},
    "gone": {"fr": ("ne répond pas", "entrez par un lien"), "en": ("does not answer", "a link")},
}
LINK_FAULTS = {
    "used": {"fr": ("déjà servi", "Demandez"), "en": ("already been used", "Ask")},
    "expired": {"fr": ("expiré", "Demandez"), "en": ("expired", "Ask")},
    "unknown": {"fr": ("inconnu", "Demandez"), "en": ("unknown", "Ask")},
    "cut": {"fr": ("coupé", "demandez-en un nouveau"), "en": ("cut", "ask the person")},
    "disabled": {"fr": ("retiré", "Demandez"), "en": ("withdrawn", "Ask")},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with open_provider() as opened:
        yield opened


@pytest.fixture
def letters() -> Letters:
    return Letters()


@asynccontextmanager
async def opened_doors(
    folder: Path, issuer: str, letters: Letters, browser: Browser
) -> AsyncIterator[UsedPool]:
    """A pool with an identity provider and a mail server."""
    secret = folder / "secret"
    secret.write_text("hush\n")
    account = OidcConfig(issuer, "entraide", client_secret_file=str(secret), name=ACCOUNT)
    async with mail_server(letters) as port:
        settings = Settings(drain_s=0.0, pool="Parc du Nord", oidc=account, smtp=config(port))
        async with used_pool(folder, browser, settings=settings) as used:
            yield used


@pytest_asyncio.fixture(loop_scope="session")
async def used(
    tmp_path: Path, provider: IdentityProvider, letters: Letters, browser: Browser
) -> AsyncIterator[UsedPool]:
    async with opened_doors(tmp_path, provider.url, letters, browser) as opened:
        yield opened


async def at_the_provider(visit: Visit, lang: str) -> None:
    """Presses the button of the co-ops' own accounts; returns on the provider's page."""
    await visit.go("#/entrer")
    await visit.page.get_by_role("link", name=BY_ACCOUNT[lang]).click()
    await visit.page.get_by_placeholder("sub").wait_for()


async def pressed(visit: Visit, fragment: str) -> str:
    """Opens a link and presses its button; returns the page's complaint."""
    await visit.go(fragment)
    await visit.page.locator("main button.large").click()
    await visit.page.locator(".notice.bad").wait_for()
    return await visit.page.inner_text(".notice.bad")


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_the_co_ops_own_account_signs_in(
    used: UsedPool, provider: IdentityProvider, lang: str
) -> None:
    """The button leads to the provider's page, and from there into the pool, without a key."""
    await add_person(used.people, name="Ida Roy", email=f"ida-{lang}@example.coop")
    await provider.put_user(f"ida-{lang}", email=f"ida-{lang}@example.coop", email_verified=True)
    visit = await used.visitors.open(lang=lang)
    await visit.go("#/entrer")
    await visit.page.get_by_role("link", name=BY_ACCOUNT[lang]).wait_for()
    flaws = await visit.flaws()
    await visit.picture("door")
    await at_the_provider(visit, lang)
    await visit.page.get_by_placeholder("sub").fill(f"ida-{lang}")
    await visit.page.get_by_role("button", name="Authorize").click()
    name = await visit.page.locator(".who").inner_text()
    (cookie,) = await visit.page.context.cookies(used.pool.gateway.url)

    assert [] == flaws
    assert "Ida Roy" == name
    assert cookie.get("httpOnly")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("case", [case for case in PROVIDER_FAULTS if case != "gone"])
async def test_a_failure_at_the_provider_is_a_sentence(
    used: UsedPool, provider: IdentityProvider, case: str, lang: str
) -> None:
    """Cancelled there, unknown here, not verified, no longer allowed: the door stays open."""
    address = f"{case}-{lang}@example.coop"
    known = await add_person(used.people, email=address)
    if case == "disabled":
        await used.people.disable(OPERATOR, known.person)
    claimed = "nobody@example.coop" if case == "stranger" else address
    await provider.put_user(address, email=claimed, email_verified=case != "unverified")
    visit = await used.visitors.open(lang=lang)
    await at_the_provider(visit, lang)
    if case == "denied":
        await visit.page.get_by_role("button", name="Deny").click()
    else:
        await visit.page.get_by_placeholder("sub").fill(address)
        await visit.page.get_by_role("button", name="Authorize").click()
    await fault_is_said(visit, case, lang)


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_a_provider_that_is_gone_is_a_sentence(
    tmp_path: Path, letters: Letters, browser: Browser, lang: str
) -> None:
    """Nothing listens at the provider's address: the person enters by a link."""
    async with opened_doors(tmp_path, NOBODY_LISTENS, letters, browser) as used:
        visit = await used.visitors.open(lang=lang, size=PHONE)
        await visit.go("#/entrer")
        await visit.page.get_by_role("link", name=BY_ACCOUNT[lang]).click()
        await fault_is_said(visit, "gone", lang)


async def fault_is_said(visit: Visit, case: str, lang: str) -> None:
    """The page says what happened and what to do, names the account, and has the doors."""
    said = await visit.page.locator(".notice.bad").inner_text()
    heading = await visit.page.inner_text("h1")
    doors = await visit.page.get_by_role("link", name=BY_ACCOUNT[lang]).count()
    flaws = await visit.flaws()
    await visit.picture(f"door-account-{case}")

    assert (BUTTON[lang], 1) == (heading, doors)
    assert [] == [words for words in PROVIDER_FAULTS[case][lang] if words not in said]
    assert ACCOUNT in said
    assert [] == flaws
    assert not any("entraide" in each["name"] for each in await visit.page.context.cookies())


async def test_a_made_up_fault_says_nothing_of_its_own(used: UsedPool) -> None:
    """What somebody writes into the address does not come onto the page."""
    visit = await used.visitors.open()
    await visit.go("#/entrer?fault=%3Cb%3EAppelez%20le%20555-0100")
    said = await visit.page.locator(".notice.bad").inner_text()

    assert "Recommencez" in said
    assert "555" not in await visit.page.inner_text("body")


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_a_link_by_e_mail_signs_in_though_a_scanner_has_opened_it(
    used: UsedPool, letters: Letters, lang: str
) -> None:
    """The page says the same for any address; a scanner that opens the link uses nothing."""
    await add_person(used.people, name="Zoé Côté", email="zoe@example.coop", lang=lang)
    visit = await used.visitors.open(lang=lang)
    said = []
    for address in ("nobody@example.coop", "Zoe@Example.coop"):
        await visit.go("#/entrer")
        await visit.page.reload()
        await visit.page.fill("#email", address)
        await visit.page.get_by_role("button", name=SEND[lang]).click()
        await visit.page.locator("form .notice").wait_for()
        said.append(await visit.page.inner_text("form .notice"))
    await visit.picture("door-email")
    flaws = await visit.flaws()
    await eventually(lambda: letters.received)
    (letter,) = letters.received
    fragment = f"#/entrer/{link_in(letter)}"
    async with used.pool.session.get(f"/{fragment}") as looked:
        looked_at = str(looked.real_url)
    scanner = await used.visitors.open(lang=lang)
    await scanner.go(fragment)
    await visit.go(fragment)
    await visit.page.locator("main button.large").click()
    await visit.page.locator(".who").wait_for()

    assert {True} == {SENT[lang] in each for each in said}
    assert said[0] == said[1]
    assert [] == flaws + scanner.errors
    assert not await scanner.page.context.cookies()
    assert not any(
        link_in(letter) in url.partition("#")[0] for url in [looked_at, *visit.requested]
    )


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("case", LINK_FAULTS)
async def test_a_link_that_does_not_work_says_why_and_shows_the_other_doors(
    used: UsedPool, case: str, lang: str
) -> None:
    """Used, expired, unknown, cut, or of somebody who may no longer sign in."""
    person = (await add_person(used.people, email="ada@example.coop")).person
    long_ago = time.time() - 2 * LINK_LEAST_S
    makers = {"expired": People(used.pool.store, lambda _: None, now=lambda: long_ago)}
    made = await makers.get(case, used.people).make_link(OPERATOR, person, LINK_LEAST_S)
    fragment = f"#/entrer/{made.token}"
    if case == "used":
        first = await used.visitors.open()
        await first.go(fragment)
        await first.page.locator("main button.large").click()
        await first.page.locator(".who").wait_for()
    elif case == "unknown":
        fragment = f"#/entrer/{'o' * len(made.token)}"
    elif case == "cut":
        fragment = fragment[:-1]
    elif case == "disabled":
        await used.people.disable(OPERATOR, person)
    visit = await used.visitors.open(lang=lang)
    said = await pressed(visit, fragment)
    await visit.page.get_by_role("link", name=BY_ACCOUNT[lang]).wait_for()
    await visit.picture(f"door-link-{case}")

    assert [] == [words for words in LINK_FAULTS[case][lang] if words not in said]
    assert [] == await visit.flaws()
    assert 0 == await visit.page.locator("main button.large").count()
    assert 1 == await visit.page.locator("#email").count()


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_too_many_attempts_are_told_to_wait_and_use_no_link(
    used: UsedPool, lang: str
) -> None:
    """A good link of the same address waits a minute, its button stays, and it still works."""
    good = await used.link()
    for _ in range(REFUSED_MAX + 1):
        async with used.pool.session.post("/v1/session", json={"token": "wrong"}) as answer:
            await answer.read()
    visit = await used.visitors.open(lang=lang)
    said = await pressed(visit, good)
    await visit.picture("door-too-many")
    buttons = await visit.page.locator("main button.large:enabled").count()
    flaws = await visit.flaws()
    elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with aiohttp.ClientSession(connector=elsewhere) as session:
        token = {"token": good.rpartition("/")[2]}
        answer = await session.post(f"{used.pool.gateway.url}/v1/session", json=token)

    assert TOO_MANY[lang] in said
    assert 1 == buttons
    assert [] == flaws
    assert 200 == answer.status


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_too_many_letters_are_told_to_wait(used: UsedPool, lang: str) -> None:
    """The form stays filled, so that it can be sent again."""
    visit = await used.visitors.open(lang=lang)
    await visit.go("#/entrer")
    await visit.page.fill("#email", "ida@example.coop")
    for _ in range(LETTERS_MAX):
        async with used.pool.session.post("/v1/signin/email", json={"email": "x@y.coop"}) as answer:
            assert 202 == answer.status
    await visit.page.get_by_role("button", name=SEND[lang]).click()
    await visit.page.locator("form .notice.bad").wait_for()
    said = await visit.page.inner_text("form .notice.bad")
    await visit.picture("door-too-many-letters")

    assert TOO_MANY[lang] in said
    assert "ida@example.coop" == await visit.page.input_value("#email")
