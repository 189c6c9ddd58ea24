"""Letters and new starts: an address opens a start once who reads its letters says so there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.scheduler.gateway_support import open_pool
from tests.scheduler.people_support import Answer, Browser, open_people, signed_in_too
from tests.scheduler.test_new_starts import (
    CLOSED,
    NAME,
    OPEN,
    Attack,
    begin,
    codes_of,
    send_all,
    view_of,
    way_of,
)
from tests.scheduler.test_signin_letters import Letters, config, link_in, mail_server
from tests.waiting import eventually

from entraide_scheduler import people as people_module
from entraide_scheduler.gateway import Settings

ADDRESS = "ada@example.coop"


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> Letters:
    """A mail server's letters, of which a person may ask for more than usual."""
    monkeypatch.setattr(people_module, "LETTERS_PER_PERSON_MAX", 9)
    return Letters()


async def ask_letter(letters: Letters, browser: Browser, email: str) -> str:
    """Asks for a letter; returns the token in it."""
    count = len(letters.received)
    await browser.call("POST", "/v1/signin/email", {"email": email})
    await eventually(lambda: len(letters.received) > count)
    assert email == letters.received[-1]["To"].addresses[0].addr_spec
    return link_in(letters.received[-1])


@asynccontextmanager
async def mailing(folder: Path, letters: Letters) -> AsyncIterator[Attack]:
    """Opens a pool that sends letters, with a person whose address an admin may change."""
    async with mail_server(letters) as port:
        settings = Settings(drain_s=0.0, smtp=config(port))
        async with open_pool(folder, settings=settings) as pool:
            yield await begin(pool, await open_people(pool), email=ADDRESS)


async def by_letter(letters: Letters, browser: Browser, email: str = ADDRESS) -> Answer:
    """Signs a browser in by a letter that it asks for."""
    return await browser.sign_in(await ask_letter(letters, browser, email))


async def confirm(browser: Browser, email: str = ADDRESS) -> Answer:
    """Says in a browser that an address is the person's own."""
    return await browser.call("POST", "/v1/session/email", {"email": email})


async def test_a_letter_to_the_persons_own_address_opens_what_was_before(
    tmp_path: Path, letters: Letters
) -> None:
    """Once the person has opened a letter to it in a session, and said there that it is the own
    one; until then, and to whoever changes it, a letter opens nothing. The confirmed address goes
    on opening when it is changed."""
    async with mailing(tmp_path, letters) as attack:
        pool = attack.pool
        old, other, spy, own = (Browser(pool) for _ in range(4))
        await old.sign_in(await attack.make_link())
        sent, first = await send_all(old), await view_of(old)
        unproven = await confirm(old)
        elsewhere = await by_letter(letters, other)
        in_new_start = await confirm(other)
        opened = await by_letter(letters, old)
        confirmed = await confirm(old)
        path = f"/v1/people/{attack.person.person}"
        await attack.maker.call("PATCH", path, {"email": "spy@example.coop"})
        by_spy = await by_letter(letters, spy, "spy@example.coop")
        back = await by_letter(letters, own)

        assert (ADDRESS, False) == (first["email_to_confirm"], first["email_proven"])
        assert (409, "email_unproven") == (unproven.status, unproven.code)
        assert ("email", "") == way_of(elsewhere.json)
        assert CLOSED == await codes_of(other, sent)
        assert CLOSED == {(in_new_start.status, in_new_start.code)}
        assert (None, True) == (opened.json["new_start"], opened.json["email_proven"])
        assert "" == confirmed.json["email_to_confirm"]
        assert ("email", NAME) == way_of(by_spy.json)
        assert CLOSED == await codes_of(spy, sent)
        assert (None, "spy@example.coop") == (
            back.json["new_start"],
            back.json["email_to_confirm"],
        )
        assert OPEN == await codes_of(own, sent)


async def test_a_letter_opens_to_the_browser_what_it_sent_in_its_new_start(
    tmp_path: Path, letters: Letters
) -> None:
    """The person's browser joins what it sent in the new start that it is in."""
    async with mailing(tmp_path, letters) as attack:
        old = Browser(attack.pool)
        await by_letter(letters, old)
        await confirm(old)
        before, ada = await send_all(old), await attack.enter()
        view, sent = await view_of(ada), await send_all(ada)
        await by_letter(letters, ada)

        assert view["new_start"]["by_email"] is True
        assert OPEN == await codes_of(ada, before) | await codes_of(ada, sent)
        assert OPEN == await codes_of(old, sent)


async def test_who_has_the_letter_and_who_has_the_session_must_be_one(
    tmp_path: Path, letters: Letters
) -> None:
    """Three tricks with letters: the admin passes one on that came to an address of the admin's;
    changes the address while a letter is under way; and names the person's address in a session
    that the admin began first. None opens what the person sends."""
    async with mailing(tmp_path, letters) as attack:
        pool, path = attack.pool, f"/v1/people/{attack.person.person}"
        planted, ada, spy = Browser(pool), Browser(pool), Browser(pool)
        await planted.sign_in(await attack.make_link())
        named = await confirm(planted)
        await by_letter(letters, ada)
        await ada.call("DELETE", "/v1/session/earlier")
        token = await ask_letter(letters, ada, ADDRESS)
        await attack.maker.call("PATCH", path, {"email": "spy@example.coop"})
        await ada.sign_in(token)
        passed_on = await ask_letter(letters, spy, "spy@example.coop")
        fooled = await ada.sign_in(passed_on)
        sent = await send_all(ada)
        by_spy = await by_letter(letters, spy, "spy@example.coop")

        assert (409, "email_unproven") == (named.status, named.code)
        assert ("spy@example.coop", True) == (
            fooled.json["email_to_confirm"],
            fooled.json["email_proven"],
        )
        assert ("email", NAME) == way_of(by_spy.json)
        assert CLOSED == await codes_of(spy, sent)


async def by_first_link(attack: Attack, _letters: Letters) -> Browser:
    """The admin uses the first link of a person."""
    return await attack.enter()


async def after_erasing(attack: Attack, letters: Letters) -> Browser:
    """The admin's new start erases what a person had confirmed in a start of her own."""
    own = Browser(attack.pool)
    await by_letter(letters, own)
    assert "" == (await confirm(own)).json["email_to_confirm"]
    spy = await attack.enter()
    assert (await spy.call("DELETE", "/v1/session/earlier")).json["new_start"] is None
    return spy


@pytest.mark.parametrize("come_first", [by_first_link, after_erasing])
async def test_a_click_in_the_session_of_an_admins_link_draws_no_letter_into_it(
    tmp_path: Path, letters: Letters, come_first: Callable[[Attack, Letters], Awaitable[Browser]]
) -> None:
    """The admin says there that the person's address is the own one: her next letter begins a start
    of her own, which names the admin, and he reads nothing that she sends, nor in his export. She
    begins empty, confirms, and from then on her letters lead to her start alone."""
    async with mailing(tmp_path, letters) as attack:
        spy, bea, again = (
            await come_first(attack, letters),
            Browser(attack.pool),
            Browser(attack.pool),
        )
        claimed = await confirm(spy)
        entered = await by_letter(letters, bea)
        sent = await send_all(bea)
        exported = (await spy.call("GET", "/v1/session/export")).body.decode()
        closed = await codes_of(spy, sent)
        await bea.call("DELETE", "/v1/session/earlier")
        await confirm(bea)
        late = await attack.enter()
        claimed_late = await confirm(late)
        back = await by_letter(letters, again)

        assert (409, "email_unproven") == (claimed.status, claimed.code)
        assert ("email", NAME) == (
            entered.json["new_start"]["way"],
            entered.json["new_start"]["earlier_by"],
        )
        assert CLOSED == closed
        assert (False, False) == (sent["job"] in exported, sent["file"] in exported)
        assert "not_signed_in" == (await spy.call("GET", "/v1/session")).code
        assert CLOSED == {(claimed_late.status, claimed_late.code)} | await codes_of(late, sent)
        assert back.json["new_start"] is None
        assert OPEN == await codes_of(again, sent)


async def test_an_address_is_confirmed_in_the_session_that_its_letter_began(
    tmp_path: Path, letters: Letters
) -> None:
    """Another session of the same start may not say it, though a letter was opened beside it; once
    the person says it, the start's sessions that no letter began have ended."""
    async with mailing(tmp_path, letters) as attack:
        ada = await attack.enter()
        beside = await signed_in_too(ada)
        await by_letter(letters, ada)
        claimed, proven = await confirm(beside), (await view_of(beside))["email_proven"]
        own = await signed_in_too(ada)
        confirmed = await confirm(ada)
        heard = {(await each.call("GET", "/v1/session")).code for each in (beside, own)}

        assert (409, "email_unproven", False) == (claimed.status, claimed.code, proven)
        assert "" == confirmed.json["email_to_confirm"]
        assert {"not_signed_in"} == heard
