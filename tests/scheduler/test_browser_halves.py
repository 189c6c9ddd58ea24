"""The pool's half of a browser's key: who is given it, and what destroys it."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.scheduler.gateway_support import Pool, open_pool
from tests.scheduler.people_support import (
    AGENT,
    Browser,
    add_person,
    open_people,
    signed_in,
    signed_in_too,
)

from entraide_scheduler.people import OPERATOR, People
from entraide_scheduler.store import browser_halves as table
from entraide_scheduler.store import erasures
from entraide_scheduler.store import people as store_people
from entraide_scheduler.store.owners import FIRST_START
from entraide_scheduler.store.person_rows import PersonRow, SigninEvidence, SigninWay
from entraide_scheduler.store.schema import browser_halves, signin_sessions

OWN, OTHER = "0" * 32, "1" * 32
PATH = "/v1/session/browser"


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


@pytest.fixture
async def people(pool: Pool) -> People:
    return await open_people(pool)


async def claim(browser: Browser, name: str = OWN) -> tuple[bytes, bool]:
    """Returns the half that a browser is given, and whether it is new."""
    answer = await browser.call("POST", PATH, {"browser": name})
    assert answer.status == 200, answer.body
    assert answer.headers["cache-control"] == "no-store"
    return base64.b64decode(answer.json["half"]), answer.json["is_new"]


async def kept(pool: Pool) -> list[bytes]:
    """Returns the halves that the store has."""
    return await pool.store.read(lambda c: list(c.execute(select(browser_halves.c.half)).scalars()))


def files_with(folder: Path, word: bytes) -> list[str]:
    """Returns the files in which a word is."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in paths if word in path.read_bytes()]


async def expire(pool: Pool) -> None:
    """Lets all sessions expire by themselves."""
    stale = signin_sessions.update().values(expires_at=1.0)
    await pool.store.write(lambda c: c.execute(stale))
    pool.gateway.signin.sessions.clear_cache()


async def come_back(pool: Pool, person: PersonRow) -> Browser:
    """Signs a person in in the first start, as by a letter, without an earlier cookie."""
    browser, sessions = Browser(pool), pool.gateway.signin.sessions
    evidence = SigninEvidence(SigninWay.LINK.value, FIRST_START)
    browser.cookie, _ = await sessions.start(person, evidence, AGENT)
    browser.csrf = (await browser.call("GET", "/v1/session")).json["csrf"]
    return browser


async def test_a_session_of_the_browser_and_start_has_the_same_half(
    pool: Pool, people: People
) -> None:
    """Again, after another sign-in in this browser, and after the session has expired; another
    browser, another person and a key have none of it."""
    ada, eve = await add_person(people), await add_person(people, name="Eve")
    browser = await signed_in(pool, people, ada)
    half, is_new = await claim(browser)
    again = await claim(browser)
    assert (await browser.sign_in((await people.make_link(OPERATOR, ada.person)).token)).status
    replaced = await claim(browser)
    beside = await claim(await signed_in_too(browser), OTHER)
    stranger = await claim(await signed_in(pool, people, eve))
    unproven = await browser.call("POST", PATH, {"browser": OWN}, csrf="")
    wrong = await browser.call("POST", PATH, {"browser": "../" + "0" * 29})

    assert is_new
    assert len(half) == table.HALF_BYTES
    assert [(half, False)] * 2 == [again, replaced]
    assert 3 == len({half, beside[0], stranger[0]})
    assert ["csrf_refused", "invalid_request"] == [unproven.code, wrong.code]


async def test_a_session_that_expired_is_followed_by_one_of_its_start_only(
    pool: Pool, people: People
) -> None:
    """Who comes back by what is the person's own has the half; somebody else's link destroys it."""
    ada = await add_person(people)
    half, _ = await claim(await signed_in(pool, people, ada))
    await expire(pool)
    claimed = await claim(await come_back(pool, ada))
    await expire(pool)
    entered = await signed_in(pool, people, ada)
    left = await kept(pool)

    assert (half, False) == claimed
    assert [] == left
    assert (await claim(entered))[1]


async def sign_out(pool: Pool, people: People, ada: PersonRow, browser: Browser) -> None:
    await browser.call("DELETE", "/v1/session")


async def end_elsewhere(pool: Pool, people: People, ada: PersonRow, browser: Browser) -> None:
    session = (await browser.call("GET", "/v1/session")).json["session"]
    await (await signed_in_too(browser)).call("DELETE", f"/v1/sessions/{session}")


async def disable(pool: Pool, people: People, ada: PersonRow, browser: Browser) -> None:
    await people.disable(OPERATOR, ada.person)


async def forget(pool: Pool, people: People, ada: PersonRow, browser: Browser) -> None:
    await pool.store.write(lambda c: erasures.erase_person(c, ada.person, 2.0))


async def change_role(pool: Pool, people: People, ada: PersonRow, browser: Browser) -> None:
    await people.change(OPERATOR, ada.person, role="coop_admin")


async def enter_as_another(pool: Pool, people: People, ada: PersonRow, browser: Browser) -> None:
    eve = await add_person(people, name="Eve")
    await browser.sign_in((await people.make_link(OPERATOR, eve.person)).token)


async def begin_empty(pool: Pool, people: People, ada: PersonRow, browser: Browser) -> None:
    entered = await signed_in(pool, people, ada)
    assert 1 == len(await kept(pool))  # the open session of another start keeps its own
    await entered.call("DELETE", "/v1/session/earlier")


async def wait_long(pool: Pool, people: People, ada: PersonRow, browser: Browser) -> None:
    used = browser_halves.update().values(used_at=1.0)
    await pool.store.write(lambda c: c.execute(used))
    await pool.store.write(lambda c: store_people.expire_signins(c, table.UNUSED_KEEP_S + 2.0))


End = Callable[[Pool, People, PersonRow, Browser], Awaitable[None]]


@pytest.mark.parametrize(
    "end",
    [
        sign_out, end_elsewhere, disable, forget, change_role, enter_as_another, begin_empty,
        wait_long,
    ],
)  # fmt: skip
async def test_the_half_is_destroyed(end: End, pool: Pool, people: People, tmp_path: Path) -> None:
    """By each end of a session, at once; and not one of its bytes stays in the store's files."""
    ada = await add_person(people)
    browser = await signed_in(pool, people, ada)
    half, _ = await claim(browser)
    await end(pool, people, ada, browser)
    left = await kept(pool)
    await pool.store.overwrite_log()
    holding = await asyncio.to_thread(files_with, tmp_path, half)

    assert [] == left
    assert [] == holding
    assert [] != await asyncio.to_thread(files_with, tmp_path, b"SQLite format 3")


async def test_a_session_that_has_ended_makes_no_half(pool: Pool, people: People) -> None:
    """Not even one whose end a gateway has yet to hear of."""
    browser = await signed_in(pool, people, await add_person(people))
    signed = await pool.gateway.signin.sessions.find(browser.cookie)
    await browser.call("DELETE", "/v1/session")
    made = await pool.store.write(
        lambda c: table.claim_half(c, signed.session, OWN, os.urandom(32), 1.0)
    )

    assert made is None
    assert [] == await kept(pool)


async def test_a_person_has_a_bounded_number_of_halves(pool: Pool, people: People) -> None:
    """One of each session; above the limit, that which was used longest ago is deleted."""
    browser = await signed_in(pool, people, await add_person(people))
    await claim(browser)
    await claim(browser, OTHER)
    of_session = await kept(pool)
    rows = [
        {"person": "p", "browser": f"{n}", "session": f"s{n}", "start": "1", "half": b"x",
         "used_at": float(n)}
        for n in range(table.HALVES_PER_PERSON_MAX + 5)
    ]  # fmt: skip
    signed = await pool.gateway.signin.sessions.find(browser.cookie)
    person = signed.person.person
    await pool.store.write(
        lambda c: table.replace_halves(c, [{**row, "person": person} for row in rows])
    )
    await claim(browser)

    assert 1 == len(of_session)
    assert table.HALVES_PER_PERSON_MAX == len(await kept(pool))
