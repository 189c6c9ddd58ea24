"""Sign-in at an identity provider, against a real one."""

import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Connection, update
from tests.scheduler.batch_support import jsonl, lines
from tests.scheduler.gateway_support import Pool, open_pool
from tests.scheduler.identity_provider import IdentityProvider, open_provider
from tests.scheduler.people_support import (
    AGENT,
    Answer,
    Browser,
    add_person,
    open_people,
    signed_in,
)
from tests.scheduler.test_own_alone import upload

from entraide.errors import EntraideError
from entraide_scheduler.config import OidcConfig
from entraide_scheduler.gateway import Settings
from entraide_scheduler.gateway.jobs import Sealer
from entraide_scheduler.gateway.signin import OidcProvider
from entraide_scheduler.gateway.signin.oidc import STATE_VALID_S
from entraide_scheduler.people import OPERATOR, People
from entraide_scheduler.store.owners import FIRST_START
from entraide_scheduler.store.person_rows import SigninEvidence
from entraide_scheduler.store.schema import people as people_table

START, CALLBACK = "/v1/oidc/start", "/v1/oidc/callback"


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with open_provider() as opened:
        yield opened


@pytest.fixture
async def pool(tmp_path: Path, provider: IdentityProvider) -> AsyncIterator[Pool]:
    config = OidcConfig(provider.url, "entraide", name="Compte")
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    config = OidcConfig(provider.url, "entraide", client_secret_file=str(secret), name="Compte")
    async with open_pool(tmp_path, settings=Settings(drain_s=0.0, oidc=config)) as opened:
        yield opened


@pytest.fixture
async def people(pool: Pool) -> People:
    return await open_people(pool)


class Visit:
    """A browser on its way to the provider and back."""

    def __init__(self, pool: Pool, provider: IdentityProvider) -> None:
        self.pool, self.provider = pool, provider
        self.kept = ""
        self.cookie = ""  # of a session that the browser has

    async def begin(self) -> str:
        """Goes to the provider; returns the address to which the pool sends."""
        answer = await self.ask(START)
        assert answer.status == 302
        self.kept = answer.headers["set-cookie"].partition(";")[0]
        return answer.headers["location"]

    async def sign_in(self, subject: str) -> Answer:
        """Signs in as somebody; returns the pool's answer to the return."""
        back = urlsplit(await self.provider.authorise(await self.begin(), subject))
        return await self.ask(f"{back.path}?{back.query}")

    async def ask(self, path: str) -> Answer:
        cookies = "; ".join(filter(None, (self.kept, self.cookie)))
        headers = {"cookie": cookies} if cookies else {}
        async with self.pool.session.get(path, headers=headers, allow_redirects=False) as answer:
            return Answer(answer, await answer.read())


async def who(pool: Pool, answer: Answer) -> str:
    """Returns who is signed in by a return's cookie."""
    browser = Browser(pool)
    cookies = answer.headers.getall("set-cookie")
    browser.cookie = next(each for each in cookies if each.startswith("entraide="))
    browser.cookie = browser.cookie.partition(";")[0].partition("=")[2]
    return str((await browser.call("GET", "/v1/session")).json["person"]["id"])


async def test_a_person_signs_in_by_a_verified_address_and_then_by_the_subject(
    pool: Pool, people: People, provider: IdentityProvider
) -> None:
    """At first the address finds the person; once the provider is known, it counts no more."""
    row = await add_person(people, email="ada@example.coop")
    other = await add_person(people, email="later@example.coop")
    await provider.put_user("ada-1", email="Ada@example.coop", email_verified=True)
    first = await Visit(pool, provider).sign_in("ada-1")
    await provider.put_user("ada-1", email="later@example.coop", email_verified=True)
    second = await Visit(pool, provider).sign_in("ada-1")
    ways = await Browser(pool).call("GET", "/v1/signin")

    assert (303, "/") == (first.status, first.headers["location"])
    assert [row.person] * 2 == [await who(pool, first), await who(pool, second)]
    assert other.person != row.person
    assert {"name": "Compte"} == ways.json["oidc"]


@pytest.mark.parametrize("case", ["unverified", "stranger", "disabled", "taken"])
async def test_whoever_is_not_among_the_people_is_refused(
    pool: Pool, people: People, provider: IdentityProvider, case: str
) -> None:
    """An address that nobody verified, of nobody, of somebody disabled, or of another subject."""
    row = await add_person(people, email=f"{case}@example.coop")
    address = "nobody@example.coop" if case == "stranger" else row.email
    await provider.put_user(case, email=address, email_verified=case != "unverified")
    if case == "disabled":
        await people.disable(OPERATOR, row.person)
    if case == "taken":
        await provider.put_user("first", email=row.email, email_verified=True)
        await Visit(pool, provider).sign_in("first")
    answer = await Visit(pool, provider).sign_in(case)

    assert 303 == answer.status
    assert "/#/entrer?fault=oidc_person_unknown" == answer.headers["location"]
    assert not any(each.startswith("entraide=") for each in answer.headers.getall("set-cookie"))


async def test_a_reply_that_was_not_asked_for_is_refused(
    pool: Pool, people: People, provider: IdentityProvider
) -> None:
    """Without the browser's cookie, with another's, with another state, and a second time."""
    row = await add_person(people, email="ada@example.coop")
    await provider.put_user("ada-2", email=row.email, email_verified=True)
    mine, theirs = Visit(pool, provider), Visit(pool, provider)
    back = urlsplit(await provider.authorise(await mine.begin(), "ada-2"))
    await theirs.begin()
    path = f"{back.path}?{back.query}"
    code = parse_qs(back.query)["code"][0]
    nobody = Visit(pool, provider)
    forged = Visit(pool, provider)
    forged.kept = mine.kept[:-4] + "AAAA"
    refused = [
        await nobody.ask(path),
        await theirs.ask(path),
        await forged.ask(path),
        await mine.ask(f"{CALLBACK}?code={code}&state=other"),
        await mine.ask(f"{CALLBACK}?error=access_denied"),
        await mine.ask(f"{path}&iss=https://evil.example"),
    ]
    accepted = await mine.ask(path)
    again = await mine.ask(path)

    assert {"/#/entrer?fault=oidc_refused"} == {each.headers["location"] for each in refused}
    assert "/" == accepted.headers["location"]
    assert "/#/entrer?fault=oidc_refused" == again.headers["location"]


async def test_the_provider_is_asked_with_pkce_state_and_nonce(
    pool: Pool, provider: IdentityProvider
) -> None:
    """Each sign-in has its own; the cookie that keeps them cannot be read."""
    first, second = Visit(pool, provider), Visit(pool, provider)
    queries = [parse_qs(urlsplit(await each.begin()).query) for each in (first, second)]

    assert "S256" == queries[0]["code_challenge_method"][0]
    assert f"{pool.gateway.url}{CALLBACK}" == queries[0]["redirect_uri"][0]
    for name in ("state", "nonce", "code_challenge"):
        assert queries[0][name] != queries[1][name]
        assert queries[0][name][0] not in first.kept


def opened(provider: IdentityProvider, at: float = 0.0) -> OidcProvider:
    """A client of the provider, whose clock is ahead."""
    config = OidcConfig(provider.url, "entraide")
    return OidcProvider(
        config, Sealer(bytes(32)), lambda: "http://127.0.0.1", now=lambda: time.time() + at
    )


async def test_a_token_for_another_sign_in_or_another_pool_is_refused(
    provider: IdentityProvider,
) -> None:
    """The nonce and the audience of a valid token are not ours; an old state is over."""
    await provider.put_user("ada-3", email="a@example.coop", email_verified=True)
    ours, later = opened(provider), opened(provider, STATE_VALID_S + 1.0)
    address, kept = await ours.begin()
    query = parse_qs(urlsplit(await provider.authorise(address, "ada-3")).query)
    reply = {name: values[0] for name, values in query.items()}
    with pytest.raises(EntraideError, match="oidc_refused"):
        await later.finish(reply, kept)
    swapped = address.replace("nonce=", "nonce=x")
    query = parse_qs(urlsplit(await provider.authorise(swapped, "ada-3")).query)
    with pytest.raises(EntraideError, match="oidc_refused"):
        await ours.finish({name: values[0] for name, values in query.items()}, kept)


async def test_a_provider_that_is_gone_or_is_another_is_said(provider: IdentityProvider) -> None:
    """The address does not answer, or answers as another issuer."""
    for issuer in ("http://localhost:9", f"{provider.url}/"):
        config = OidcConfig(issuer, "entraide")
        gone = OidcProvider(config, Sealer(bytes(32)), lambda: "http://127.0.0.1")
        with pytest.raises(EntraideError, match="oidc_unreachable"):
            await gone.begin()


async def test_without_a_provider_the_paths_are_unknown(tmp_path: Path) -> None:
    """No provider is configured: the browser hears that there is no such page."""
    async with open_pool(tmp_path) as pool:
        codes = [(await Browser(pool).call("GET", path)).code for path in (START, CALLBACK)]

        assert ["unknown_path", "unknown_path"] == codes


def test_a_challenge_is_that_of_the_standard() -> None:
    """The example of RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    digest = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    from entraide_scheduler.gateway.signin.oidc import challenge_of

    assert "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" == digest == challenge_of(verifier)


async def browser_of(pool: Pool, answer: Answer) -> Browser:
    """Returns a browser with the cookie of a return."""
    browser = Browser(pool)
    cookies = answer.headers.getall("set-cookie")
    cookie = next(each for each in cookies if each.startswith("entraide="))
    browser.cookie = cookie.partition(";")[0].partition("=")[2]
    browser.csrf = (await browser.call("GET", "/v1/session")).json["csrf"]
    return browser


def bind_address(connection: Connection, person: str, email: str) -> None:
    """Binds an address to a person's first start, as test_new_start_letters.py does."""
    changes = {"confirmed_email": email, "confirmed_start": FIRST_START}
    connection.execute(update(people_table).where(people_table.c.person == person).values(changes))


async def file_of(browser: Browser) -> str:
    """Sends a file; returns its path."""
    return f"/v1/files/{await upload(browser, jsonl(*lines(1)))}"


async def test_a_session_at_the_provider_is_the_persons_own(
    pool: Pool, people: People, provider: IdentityProvider
) -> None:
    """What was sent before stays closed to a link of somebody else, and is open at the provider."""
    row = await add_person(people, email="own@example.coop")
    await provider.put_user("own", email=row.email, email_verified=True)
    path = await file_of(await browser_of(pool, await Visit(pool, provider).sign_in("own")))
    by_link = await signed_in(pool, people, row)
    again = await browser_of(pool, await Visit(pool, provider).sign_in("own"))

    assert "session_new_start" == (await by_link.call("GET", path)).code
    assert 200 == (await again.call("GET", path)).status
    assert (await again.call("GET", "/v1/session")).json["new_start"] is None


@pytest.mark.parametrize("case", ["unconfirmed", "changed", "confirmed"])
async def test_a_first_sign_in_at_the_provider_counts_by_an_address_that_the_person_confirmed(
    pool: Pool, people: People, provider: IdentityProvider, case: str
) -> None:
    """Who wrote or changed the address signs in at the provider with it: a new start, and so is
    each later sign-in of that account; a confirmed address opens what was before."""
    row = await add_person(people, email=f"{case}@example.coop")
    ada = await signed_in(pool, people, row)
    path = await file_of(ada)
    if case != "unconfirmed":
        bind = partial(bind_address, person=row.person, email=row.email)
        await pool.store.write(bind)
    if case == "changed":
        row = await people.change(OPERATOR, row.person, email="spy@example.coop")
    await provider.put_user(case, email=row.email, email_verified=True)
    heard = set()
    for _ in range(2):
        browser = await browser_of(pool, await Visit(pool, provider).sign_in(case))
        heard.add((await browser.call("GET", path)).code)
        start = (await browser.call("GET", "/v1/session")).json["new_start"]
        heard.add(start and start["way"])

    assert ({"", None} if case == "confirmed" else {"session_new_start", "oidc"}) == heard


async def test_an_account_of_a_changed_address_gives_way_to_the_persons_own(
    pool: Pool, people: People, provider: IdentityProvider
) -> None:
    """Somebody signs in at the provider with an address that an admin has put in the place of the
    confirmed one; once that is back, the person's own account signs in, and the other no longer."""
    row = await add_person(people, email="ada-own@example.coop")
    path = await file_of(await signed_in(pool, people, row))
    await pool.store.write(partial(bind_address, person=row.person, email=row.email))
    await people.change(OPERATOR, row.person, email="spy-own@example.coop")
    for name in ("spy", "ada"):
        await provider.put_user(
            f"{name}-own", email=f"{name}-own@example.coop", email_verified=True
        )
    spy = await Visit(pool, provider).sign_in("spy-own")
    early = await Visit(pool, provider).sign_in("ada-own")
    await people.change(OPERATOR, row.person, email=row.email)
    ada = await browser_of(pool, await Visit(pool, provider).sign_in("ada-own"))
    late = await Visit(pool, provider).sign_in("spy-own")

    refused = "/#/entrer?fault=oidc_person_unknown"
    assert ("/", refused) == (spy.headers["location"], early.headers["location"])
    assert 200 == (await ada.call("GET", path)).status
    assert refused == late.headers["location"]


@pytest.mark.parametrize("case", ["first", "erased"])
async def test_a_click_in_the_session_of_an_admins_link_draws_no_sign_in_at_the_provider_into_it(
    pool: Pool, people: People, provider: IdentityProvider, case: str
) -> None:
    """Whoever made a link used it first, or erased what was before, and says that the address is
    the own one: the person's sign-ins at the provider share a start that this session cannot
    read."""
    row = await add_person(people, email=f"{case}@example.coop")
    await provider.put_user(case, email=row.email, email_verified=True)
    claim = partial(
        Browser.call, method="POST", path="/v1/session/email", body={"email": row.email}
    )
    if case == "erased":
        for _ in range(2):  # not the first sign-in alone proves the address
            own = await browser_of(pool, await Visit(pool, provider).sign_in(case))
            assert "" == (await claim(own)).json["email_to_confirm"]
    spy = await signed_in(pool, people, row)
    await spy.call("DELETE", "/v1/session/earlier")
    claimed = await claim(spy)
    ada, again = [
        await browser_of(pool, await Visit(pool, provider).sign_in(case)) for _ in range(2)
    ]
    path = await file_of(ada)

    assert "email_unproven" == claimed.code
    assert "oidc" == (await ada.call("GET", "/v1/session")).json["new_start"]["way"]
    assert "session_new_start" == (await spy.call("GET", path)).code
    assert 200 == (await again.call("GET", path)).status


async def test_an_account_is_bound_to_no_session_that_the_browser_had(
    pool: Pool, people: People, provider: IdentityProvider
) -> None:
    """In the browser of an open session it goes on with that, whose other sessions end; elsewhere
    it opens what was before only once the person has confirmed the address there."""
    row = await add_person(people, email="beside@example.coop")
    await provider.put_user("beside", email=row.email, email_verified=True)
    ada = await signed_in(pool, people, row)
    path = await file_of(ada)
    spy, sessions = Browser(pool), pool.gateway.signin.sessions
    present = await sessions.find(ada.cookie)
    spy.cookie, _ = await sessions.start(row, SigninEvidence("link"), AGENT, present)
    visit = Visit(pool, provider)
    visit.cookie = f"entraide={ada.cookie}"
    beside = await browser_of(pool, await visit.sign_in("beside"))
    spied = (await spy.call("GET", path)).code
    elsewhere = await browser_of(pool, await Visit(pool, provider).sign_in("beside"))
    closed = (await elsewhere.call("GET", path)).code
    mine = await beside.call("GET", path)
    await beside.call("POST", "/v1/session/email", {"email": row.email})

    assert 200 == mine.status
    assert "not_signed_in" == spied
    assert "session_new_start" == closed
    assert (await beside.call("GET", "/v1/session")).json["email_to_confirm"] == ""


async def test_an_account_does_not_go_on_with_a_session_of_somebody_elses_link(
    pool: Pool, people: People, provider: IdentityProvider
) -> None:
    """Who made a link used it in the person's browser: the account's session is another start,
    and so is each later one of that account."""
    row = await add_person(people, email="planted@example.coop")
    await provider.put_user("planted", email=row.email, email_verified=True)
    await signed_in(pool, people, row)
    planted = await signed_in(pool, people, row)
    sent = await file_of(planted)
    visit = Visit(pool, provider)
    visit.cookie = f"entraide={planted.cookie}"
    account = await browser_of(pool, await visit.sign_in("planted"))
    later = await browser_of(pool, await Visit(pool, provider).sign_in("planted"))
    path = await file_of(account)

    assert "session_new_start" == (await account.call("GET", sent)).code
    assert 200 == (await later.call("GET", path)).status


@pytest.mark.parametrize("case", ["unbound", "bound", "confirmed", "bound to another start"])
async def test_a_new_start_offers_the_provider_to_an_account_that_opens_what_was_before(
    pool: Pool, people: People, provider: IdentityProvider, case: str
) -> None:
    """An account that signs in there first would begin one more start beside this one: the page
    offers the provider only if its sign-in opens the earlier things, and then it does."""
    row = await add_person(people, email="offered@example.coop")
    await provider.put_user("offered", email=row.email, email_verified=True)
    if case == "bound":
        earlier = await browser_of(pool, await Visit(pool, provider).sign_in("offered"))
    else:
        earlier = await signed_in(pool, people, row)
    path = await file_of(earlier)
    if case == "confirmed":
        await pool.store.write(partial(bind_address, person=row.person, email=row.email))
    if case == "bound to another start":
        await Visit(pool, provider).sign_in("offered")
    new = await signed_in(pool, people, row)
    offered = (await new.call("GET", "/v1/session")).json["new_start"]["by_oidc"]
    visit = Visit(pool, provider)
    visit.cookie = f"entraide={new.cookie}"
    account = await browser_of(pool, await visit.sign_in("offered"))

    assert (case in ("bound", "confirmed")) == offered
    assert offered == (200 == (await account.call("GET", path)).status)
