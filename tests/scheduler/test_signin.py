"""Sign-in: one-time links, sessions in cookies, their end, and what each role may do."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.scheduler.gateway_support import CHAT, KEY_A, Pool, ask, open_pool
from tests.scheduler.people_support import (
    Browser,
    add_person,
    open_people,
    signed_in,
    signed_in_too,
)
from tests.waiting import eventually

from entraide.errors import EntraideError
from entraide_scheduler.gateway.signin.sessions import IDLE_S, LIFETIME_S
from entraide_scheduler.people import LINK_LEAST_S, OPERATOR, People, as_actor
from entraide_scheduler.store import people as table
from entraide_scheduler.store.person_rows import SigninEvidence, SigninWay
from entraide_scheduler.store.rows import KeyRow

BY_LINK = SigninEvidence(SigninWay.LINK.value)


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


@pytest.fixture
async def people(pool: Pool) -> People:
    return await open_people(pool)


async def test_a_link_signs_in_once_and_sets_a_cookie_that_no_script_reads(
    pool: Pool, people: People
) -> None:
    """A person opens the link: the page gets who it is; the same link again is refused."""
    row = await add_person(people, email="Ada@Example.coop", lang="fr")
    token = (await people.make_link(OPERATOR, row.person)).token
    first, second = Browser(pool), Browser(pool)
    answer = await first.sign_in(token)
    view = (await first.call("GET", "/v1/session")).json
    again = await second.sign_in(token)
    cookie = answer.headers["set-cookie"]

    assert "ada@example.coop" == view["person"]["email"]
    assert row.person == view["person"]["id"]
    assert ("entraide", first.csrf) == (view["pool"], view["csrf"])
    assert "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax" == cookie.partition("; ")[2]
    assert "no-store" == answer.headers["cache-control"]
    assert (401, "signin_link_used") == (again.status, again.code)


@pytest.mark.parametrize(
    ("case", "code"), [("unknown", "signin_link_unknown"), ("expired", "signin_link_expired")]
)
async def test_a_link_that_is_unknown_or_expired_is_refused(
    pool: Pool, case: str, code: str
) -> None:
    """The clock of the links is a day ahead: a link of ten minutes has expired."""
    people = await open_people(pool)
    row = await add_person(people)
    late = People(pool.store, lambda _ended: None, now=lambda: time.time() - 86_400.0)
    token = (await late.make_link(OPERATOR, row.person, LINK_LEAST_S)).token
    answer = await Browser(pool).sign_in("x" * 32 if case == "unknown" else token)

    assert (401, code) == (answer.status, answer.code)


async def test_a_link_that_is_cut_is_called_cut(pool: Pool, people: People) -> None:
    """A link without its end is told from one that is unknown, and the whole one still works."""
    token = (await people.make_link(OPERATOR, (await add_person(people)).person)).token
    cut = await Browser(pool).sign_in(token[:-3])
    whole = await Browser(pool).sign_in(token)

    assert (401, "signin_link_unknown") == (cut.status, cut.code)
    assert "its end is missing" in cut.json["error"]["message"]
    assert 200 == whole.status


async def test_links_of_a_disabled_person_and_of_unknown_length_are_refused(
    pool: Pool, people: People
) -> None:
    """Disabling withdraws the links that were sent; no new one is made."""
    row = await add_person(people)
    token = (await people.make_link(OPERATOR, row.person)).token
    await people.disable(OPERATOR, row.person)
    answer = await Browser(pool).sign_in(token)
    with pytest.raises(EntraideError) as refused:
        await people.make_link(OPERATOR, row.person)
    long = await Browser(pool).sign_in("x" * 10_000)

    assert "signin_link_unknown" == answer.code
    assert "person_disabled" == refused.value.code
    assert long.code in ("signin_link_unknown", "body_too_large")


async def test_attempts_with_wrong_links_are_limited_by_address(pool: Pool, people: People) -> None:
    """After ten wrong links from one address, an eleventh is refused without being looked at."""
    row = await add_person(people)
    codes = [(await Browser(pool).sign_in(f"wrong-{number}")).code for number in range(10)]
    answer = await Browser(pool).sign_in((await people.make_link(OPERATOR, row.person)).token)

    assert {"signin_link_unknown"} == set(codes)
    assert (429, "too_many_signins") == (answer.status, answer.code)
    assert int(answer.headers["retry-after"]) > 0


async def test_a_session_that_was_planted_is_not_kept(pool: Pool, people: People) -> None:
    """Whoever signs in with a cookie already set gets a new one, and the earlier session ends."""
    mallory = await signed_in(pool, people, await add_person(people, "beta"))
    victim = Browser(pool)
    victim.cookie = mallory.cookie
    row = await add_person(people, email="v@example.coop")
    await victim.sign_in((await people.make_link(OPERATOR, row.person)).token)
    still = await mallory.call("GET", "/v1/session")

    assert mallory.cookie != victim.cookie
    assert row.person == (await victim.call("GET", "/v1/session")).json["person"]["id"]
    assert "not_signed_in" == still.code


async def test_a_forged_cookie_is_refused(pool: Pool, people: People) -> None:
    """Neither another secret nor a session's public identifier opens a session."""
    browser = await signed_in(pool, people, await add_person(people))
    session = (await browser.call("GET", "/v1/session")).json["session"]
    codes = []
    for cookie in (session, browser.cookie[:-1], browser.cookie + "x", "' OR 1=1 --", "é" * 20):
        forged = Browser(pool)
        forged.cookie = cookie
        codes.append((await forged.call("GET", "/v1/session")).code)

    assert {"not_signed_in"} == set(codes)


async def test_an_idle_session_ends_and_none_outlives_its_lifetime(
    pool: Pool, people: People
) -> None:
    """A use moves the end of a session to 12 hours later, and never past 30 days."""
    row = await add_person(people)
    sessions = pool.gateway.signin.sessions
    now = time.time()
    secret, begun = await sessions.start(row, BY_LINK, "")
    made_at = now - LIFETIME_S + 60.0
    await pool.store.write(
        lambda c: table.renew_session(
            c, begun.session.session, seen_at=now - 100.0, expires_at=now + 5.0
        )
    )
    sessions.clear_cache()
    renewed = (await sessions.find(secret)).session
    old = table.SigninSessionRow("session-old", row.person, made_at, now - 70.0, now + 5.0, "")
    await pool.store.write(lambda c: table.add_session(c, table_hash("old"), old))
    last = (await sessions.find("old")).session
    over = table.SigninSessionRow("session-over", row.person, 1.0, 2.0, now - 1.0, "")
    await pool.store.write(lambda c: table.add_session(c, table_hash("over"), over))

    assert renewed.expires_at >= now + IDLE_S
    assert made_at + LIFETIME_S == last.expires_at
    with pytest.raises(Exception, match="not_signed_in"):
        await sessions.find("over")


def table_hash(secret: str) -> str:
    from entraide_scheduler.people import hash_secret

    return hash_secret(secret)


CHANGES = (
    ("POST", CHAT), ("POST", "/v1/jobs"), ("PATCH", "/v1/session"), ("DELETE", "/v1/session"),
    ("POST", "/v1/people"), ("POST", "/v1/batches"), ("POST", "/v1/files"),
    ("DELETE", "/v1/files/file-0123456789abcdef012345"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_a_request_that_another_page_makes_is_refused(
    pool: Pool, people: People, method: str, path: str
) -> None:
    """With the cookie alone, with another's token, or from another origin nothing is done."""
    browser = await signed_in(pool, people, await add_person(people))
    other = await signed_in(pool, people, await add_person(people, "beta", email="o@example.coop"))
    own = f"http://127.0.0.1:{pool.gateway.port}"
    answers = [
        await browser.call(method, path, {}, csrf=""),
        await browser.call(method, path, {}, csrf=other.csrf),
        await browser.call(method, path, {}, origin="https://evil.example"),
        await browser.call(method, path, {}, origin="null"),
        await browser.call(method, path, {}, sec_fetch_site="cross-site"),
        await browser.call(method, path, {}, sec_fetch_site="same-site", origin=own),
    ]
    view = await browser.call("GET", "/v1/session")
    allowed = await browser.call(method, path, {}, sec_fetch_site="same-origin", origin=own)

    assert {(403, "csrf_refused")} == {(answer.status, answer.code) for answer in answers}
    assert 200 == view.status
    assert "csrf_refused" != allowed.code


async def test_another_page_can_neither_sign_a_browser_in_nor_have_letters_sent(
    pool: Pool, people: People
) -> None:
    """A form of another site posts to the two paths that need no session."""
    row = await add_person(people)
    token = (await people.make_link(OPERATOR, row.person)).token
    foreign = {"origin": "https://evil.example", "sec_fetch_site": "cross-site"}
    answers = [
        await Browser(pool).call("POST", "/v1/session", {"token": token}, **foreign),
        await Browser(pool).call("POST", "/v1/signin/email", {"email": "a@b.coop"}, **foreign),
    ]

    assert ["csrf_refused", "csrf_refused"] == [answer.code for answer in answers]
    assert 200 == (await Browser(pool).sign_in(token)).status


async def test_a_person_sees_and_ends_own_sessions_only(pool: Pool, people: People) -> None:
    """Two browsers of one person; another person can end neither."""
    row = await add_person(people)
    first = await signed_in(pool, people, row)
    second = await signed_in_too(first)
    other = await signed_in(pool, people, await add_person(people, email="o@example.coop"))
    listed = (await first.call("GET", "/v1/sessions")).json["data"]
    theirs = next(each["session"] for each in listed if not each["current"])
    refused = await other.call("DELETE", f"/v1/sessions/{theirs}")
    alive = (await second.call("GET", "/v1/session")).status
    ended = await first.call("DELETE", f"/v1/sessions/{theirs}")
    gone = await second.call("GET", "/v1/session")

    assert ["Firefox, Linux"] * 2 == [each["device"] for each in listed]
    assert (404, "unknown_session") == (refused.status, refused.code)
    assert (200, 200) == (alive, ended.status)
    assert (401, "not_signed_in") == (gone.status, gone.code)
    assert 200 == (await first.call("GET", "/v1/session")).status


@pytest.mark.parametrize("how", ["sign_out", "end_session", "disable"])
async def test_the_end_of_a_session_ends_its_streams_and_no_others(
    pool: Pool, people: People, how: str
) -> None:
    """Signing out, ending the session elsewhere or disabling the person stops the answer."""
    row = await add_person(people)
    browser = await signed_in(pool, people, row)
    elsewhere = await signed_in_too(browser)
    stream = asyncio.ensure_future(
        browser.call("POST", CHAT, ask(stream=True), sec_fetch_site="same-origin")
    )
    run = await pool.placed()
    run.accept()
    run.tokens("Bon")
    by_key = asyncio.ensure_future(pool.send(ask(stream=True), key=KEY_A).__aenter__())
    other = await pool.placed()
    other.finish()
    if how == "sign_out":
        await browser.call("DELETE", "/v1/session")
    elif how == "end_session":
        session = (await browser.call("GET", "/v1/session")).json["session"]
        await elsewhere.call("DELETE", f"/v1/sessions/{session}")
    else:
        await people.disable(OPERATOR, row.person)
    answer = await stream
    stopped = await pool.cancelled()
    text = await (await by_key).text()

    assert b"not_signed_in" in answer.body
    assert run.run.job == stopped.job
    assert "not_signed_in" not in text
    assert "not_signed_in" == (await browser.call("GET", "/v1/session")).code
    expected = 401 if how == "disable" else 200
    assert expected == (await elsewhere.call("GET", "/v1/session")).status


async def test_what_a_page_listens_to_ends_with_the_session(pool: Pool, people: People) -> None:
    """The pool's changes stop with a reason; those for a key go on."""
    browser = await signed_in(pool, people, await add_person(people))
    headers = browser.headers("")
    async with pool.session.get("/v1/pool/events", headers=headers) as events:
        first = await events.content.readline()
        await browser.call("DELETE", "/v1/session")
        rest = await events.content.read()

    assert b"event: pool\n" == first
    assert b"not_signed_in" in rest
    assert 200 == (await pool.call("GET", "/v1/pool"))[0]


async def test_a_session_that_ends_while_it_is_looked_up_is_not_kept(
    pool: Pool, people: People
) -> None:
    """The store says that a session is open, and it ends before the reply is cached."""
    row = await add_person(people)
    sessions = pool.gateway.signin.sessions
    secret, begun = await sessions.start(row, BY_LINK, "")
    read, went = pool.store.read, 0

    async def read_late(question: object) -> object:
        nonlocal went
        reply = await read(question)  # type: ignore[arg-type]
        went += 1
        if went == 1:
            await sessions.end(row.person, begun.session.session)
        return reply

    pool.store.read = read_late  # type: ignore[method-assign,assignment]
    with pytest.raises(Exception, match="not_signed_in"):
        await sessions.find(secret)


async def test_a_person_chooses_language_and_a_project_of_the_co_op(
    pool: Pool, people: People
) -> None:
    """The language is kept; a project that the co-op does not have is refused."""
    browser = await signed_in(pool, people, await add_person(people))
    chosen = await browser.call("PATCH", "/v1/session", {"lang": "en", "project": "main"})
    refused = await browser.call("PATCH", "/v1/session", {"project": "elsewhere"})
    role = await browser.call("PATCH", "/v1/session", {"role": "operator"})
    await pool.store.create_key(KeyRow("key-other", "alpha", "fusion secrète", "alpha"), "0" * 64)
    again = await browser.call("PATCH", "/v1/session", {"project": "elsewhere"})

    assert ("en", "main") == (chosen.json["person"]["lang"], chosen.json["person"]["project"])
    assert (400, "project") == (refused.status, refused.json["error"]["param"])
    assert (400, "role") == (role.status, role.json["error"]["param"])
    assert "fusion" not in again.body.decode()


async def test_use_counts_on_the_persons_project_and_shows_no_person(
    pool: Pool, people: People
) -> None:
    """Two people of a project are one line of the statement; a person reads no statement."""
    rows = [await add_person(people, email=f"{n}@example.coop", project="main") for n in "ab"]
    for row in rows:
        browser = await signed_in(pool, people, row)
        asked = asyncio.ensure_future(browser.call("POST", CHAT, ask()))
        (await pool.placed()).finish()
        await asked
    refused = await browser.call("GET", "/v1/statement")
    await eventually(lambda: pool.driver.core.job(refused.code) is None)
    while await pool.store.count_settled() < 2:
        await pool.store.committed()
    _, statement = await pool.call("GET", "/v1/statement")

    assert (403, "role_refused") == (refused.status, refused.code)
    assert [("people", "main", 2)] == [
        (line["key"], line["project"], line["amounts"]["jobs"]) for line in statement["usage"]
    ]


# Roles.

ESCALATIONS = (
    ({"role": "operator"}, "own"), ({"role": "auditor"}, "own"), ({"name": "X"}, "operator"),
    ({"enabled": False}, "operator"), ({"name": "X"}, "auditor"), ({"name": "X"}, "beta"),
)  # fmt: skip


@pytest.mark.parametrize(("changes", "whom"), ESCALATIONS)
async def test_a_co_op_admin_gives_no_role_above_the_own_and_changes_nobody_above(
    pool: Pool, people: People, changes: dict[str, object], whom: str
) -> None:
    """Nor is a link made for an operator of the same co-op, or for somebody of another."""
    admin_row = await add_person(people, role="coop_admin")
    targets = {
        "own": admin_row,
        "operator": await add_person(people, role="operator"),
        "auditor": await add_person(people, role="auditor"),
        "beta": await add_person(people, "beta"),
    }
    admin = await signed_in(pool, people, admin_row)
    path = f"/v1/people/{targets[whom].person}"
    changed = await admin.call("PATCH", path, changes)
    others = whom != "own"
    link = await admin.call("POST", f"{path}/link", {}) if others else changed
    gone = await admin.call("DELETE", path) if others else changed
    added = await admin.call("POST", "/v1/people", {"name": "X", "role": "operator"})
    elsewhere = await admin.call("POST", "/v1/people", {"name": "X", "coop": "beta"})
    expected = "unknown_person" if whom == "beta" else "role_refused"

    assert {expected} == {changed.code, link.code, gone.code}
    assert {"role_refused"} == {added.code, elsewhere.code}


async def test_a_co_op_admin_manages_the_own_co_op_and_the_operator_everybody(
    pool: Pool, people: People
) -> None:
    """The admin adds a person, who signs in with the admin's link."""
    await add_person(people, "beta", email="b@example.coop")
    admin = await signed_in(pool, people, await add_person(people, role="coop_admin"))
    operator = await signed_in(pool, people, await add_person(people, "gamma", role="operator"))
    added = await admin.call("POST", "/v1/people", {"name": "Zoé", "email": "z@example.coop"})
    again = await admin.call("POST", "/v1/people", {"name": "Zed", "email": "Z@example.coop"})
    made = await admin.call("POST", f"/v1/people/{added.json['id']}/link")
    zoe = Browser(pool)
    entered = await zoe.sign_in(made.json["link"].rpartition("/")[2])
    listed = (await admin.call("GET", "/v1/people")).json["data"]
    everybody = (await operator.call("GET", "/v1/people")).json["data"]
    foreign = await admin.call("GET", "/v1/people?coop=beta")
    nobody = await zoe.call("GET", "/v1/people")

    assert (201, "alpha", "person") == (added.status, added.json["coop"], added.json["role"])
    assert (409, "email_taken") == (again.status, again.code)
    assert made.json["link"].startswith(f"{pool.gateway.url}/#/entrer/")
    assert (False, 200) == (made.json["emailed"], entered.status)
    assert {"alpha"} == {each["coop"] for each in listed}
    assert {"alpha", "beta", "gamma"} == {each["coop"] for each in everybody}
    assert ("role_refused", "role_refused") == (foreign.code, nobody.code)


async def test_a_changed_role_ends_the_sessions_and_a_key_manages_nobody(
    pool: Pool, people: People
) -> None:
    """A demoted admin is signed out; an API key is no person."""
    row = await add_person(people, role="coop_admin")
    admin = await signed_in(pool, people, row)
    await people.change(OPERATOR, row.person, role="person")
    gone = await admin.call("GET", "/v1/people")
    status, body = await pool.call("GET", "/v1/people")
    demoted = as_actor((await people.list_people(OPERATOR, "alpha"))[0])
    with pytest.raises(EntraideError, match="role_refused"):
        await people.add(demoted, coop="alpha", name="X")

    assert "not_signed_in" == gone.code
    assert (401, "not_signed_in") == (status, body["error"]["code"])


async def test_a_person_who_was_disabled_is_let_in_again(pool: Pool, people: People) -> None:
    """The operator enables the person: a new link signs in."""
    row = await add_person(people)
    operator = await signed_in(pool, people, await add_person(people, role="operator"))
    disabled = await operator.call("DELETE", f"/v1/people/{row.person}")
    enabled = await operator.call("PATCH", f"/v1/people/{row.person}", {"enabled": True})
    browser = await signed_in(pool, people, row)

    assert disabled.json["disabled_at"] > 0.0
    assert 0.0 == enabled.json["disabled_at"]
    assert 200 == (await browser.call("GET", "/v1/session")).status


async def test_the_ways_to_sign_in_are_listed_without_a_session(pool: Pool) -> None:
    """Nobody is signed in: the page learns that there is neither mail nor an identity provider."""
    answer = await Browser(pool).call("GET", "/v1/signin")

    assert {"pool": "entraide", "email": False, "oidc": None} == answer.json
    letter = await Browser(pool).call("POST", "/v1/signin/email", {"email": "who@example.coop"})
    assert (202, {"accepted": True}) == (letter.status, letter.json)
