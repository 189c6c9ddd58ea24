"""A link that somebody else made opens nothing of what a person sent, before or afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from tests.scheduler.batch_support import jsonl, lines
from tests.scheduler.gateway_support import CHAT, Pool, ask, open_pool
from tests.scheduler.people_support import (
    Browser,
    add_person,
    open_people,
    signed_in,
    signed_in_too,
)
from tests.scheduler.test_own_alone import upload
from tests.waiting import until_read

from entraide_scheduler.gateway.batches.states import UNENDED
from entraide_scheduler.people import People
from entraide_scheduler.store import erasures, signin_starts
from entraide_scheduler.store.batches import expire_batches, list_in
from entraide_scheduler.store.files import expire_files
from entraide_scheduler.store.person_rows import PersonRow
from entraide_scheduler.store.schema import (
    batch_results,
    batches,
    explanations,
    file_parts,
    files,
    kept,
)

NAME = "Robin Admin"


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


@pytest.fixture
async def people(pool: Pool) -> People:
    return await open_people(pool)


class Attack:
    """A person at work, and somebody who administers people and makes a link for the person."""

    def __init__(self, pool: Pool, people: People, person: PersonRow, maker: Browser) -> None:
        self.pool, self.people, self.person, self.maker = pool, people, person, maker

    async def make_link(self) -> str:
        """Makes a link over HTTP, as the page does; returns its token."""
        path = f"/v1/people/{self.person.person}/link"
        answer = await self.maker.call("POST", path, {})
        assert answer.status == 201, answer.body
        return str(answer.json["link"]).rpartition("/")[2]

    async def enter(self) -> Browser:
        """Signs in as the person, in a browser of the maker's."""
        browser = Browser(self.pool)
        assert (await browser.sign_in(await self.make_link())).status == 200
        return browser


async def begin(pool: Pool, people: People, role: str = "coop_admin", **fields: str) -> Attack:
    """Adds a person and who administers people, who is signed in."""
    row = await add_person(people, **fields)
    maker = await add_person(people, name=NAME, role=role)
    return Attack(pool, people, row, await signed_in(pool, people, maker))


async def send_all(browser: Browser) -> dict[str, str]:
    """Sends a kept job that is answered and a file; returns the paths that read them."""
    job = (await browser.call("POST", "/v1/jobs", {"request": ask("Secret")})).json["id"]
    (await browser.pool.placed()).finish()
    await browser.pool.store.committed()
    file = await upload(browser, jsonl(*lines(1)))
    paths = [f"/v1/jobs/{job}", f"/v1/files/{file}", f"/v1/files/{file}/content"]
    return {"job": job, "file": file, "paths": " ".join(paths)}


async def codes_of(browser: Browser, sent: dict[str, str]) -> set[tuple[int, str]]:
    """Returns how a browser's requests for what was sent are answered."""
    answers = [await browser.call("GET", path) for path in sent["paths"].split()]
    return {(answer.status, answer.code) for answer in answers}


async def listed(browser: Browser) -> set[str]:
    """Returns the identifiers in a browser's lists."""
    paths = ("/v1/jobs", "/v1/files")
    return {each["id"] for path in paths for each in (await browser.call("GET", path)).json["data"]}


async def view_of(browser: Browser) -> dict[str, Any]:
    """Returns the session of a browser."""
    return dict((await browser.call("GET", "/v1/session")).json)


def way_of(view: dict[str, Any]) -> tuple[str, str]:
    """Returns how a new start began, and by whom."""
    return view["new_start"]["way"], view["new_start"]["made_by"]


OPEN, CLOSED = {(200, "")}, {(403, "session_new_start")}


@pytest.mark.parametrize("role", ["coop_admin", "operator"])
async def test_who_makes_a_link_for_a_colleague_reads_nothing_with_it(
    pool: Pool, people: People, role: str
) -> None:
    """The admin, or the operator, signs in as the person: what was sent before is closed, what is
    sent afterwards too, and neither a repeated name nor a running answer gives it away."""
    attack = await begin(pool, people, role)
    ada = await signed_in(pool, people, attack.person)
    before = await send_all(ada)
    stream = asyncio.ensure_future(
        ada.call("POST", CHAT, ask("En cours", stream=True), x_entraide_reconnect="60")
    )
    running = await pool.placed()
    running.accept()
    running.tokens("Bon")
    named = await ada.call(
        "POST", "/v1/jobs", {"request": ask("Une fois")}, idempotency_key="facture"
    )
    (await pool.placed()).finish()
    spy = await attack.enter()
    after = await send_all(ada)
    running_job = running.run.job
    taken = [
        await spy.call("POST", CHAT, {}, last_event_id=f"{running_job}/0"),
        await spy.call("GET", f"/v1/jobs/{running_job}/stream"),
        await spy.call("DELETE", f"/v1/jobs/{running_job}"),
        await spy.call("GET", f"/v1/jobs/{before['job']}/explanation"),
        await spy.call("GET", f"/v1/jobs/{before['job']}/receipt"),
        await spy.call("DELETE", f"/v1/files/{before['file']}"),
    ]
    repeated = await spy.call(
        "POST", "/v1/jobs", {"request": ask("Une fois")}, idempotency_key="facture"
    )
    (await pool.placed()).finish()
    running.finish()
    await stream

    assert CLOSED == await codes_of(spy, before)
    assert CLOSED == await codes_of(spy, after)
    assert CLOSED == {(answer.status, answer.code) for answer in taken}
    assert named.json["id"] != repeated.json["id"]
    assert {repeated.json["id"]} == await listed(spy)
    assert OPEN == await codes_of(ada, before) | await codes_of(ada, after)


async def test_who_made_the_link_is_said_on_both_sides(pool: Pool, people: People) -> None:
    """The new session hears who made its link and when the earlier start began; the older session
    sees the new one, who made its link, and ends it."""
    attack = await begin(pool, people)
    ada = await signed_in(pool, people, attack.person)
    await view_of(ada)  # what the gateway knows of it is cached
    spy = await attack.enter()
    view, rows = await view_of(spy), (await ada.call("GET", "/v1/sessions")).json["data"]
    seen_by_spy = (await spy.call("GET", "/v1/sessions")).json["data"]
    session = next(row["session"] for row in rows if row["new_start"])
    ends = await spy.call("DELETE", f"/v1/sessions/{(await view_of(ada))['session']}")
    ended = await ada.call("DELETE", f"/v1/sessions/{session}")

    assert ("link", NAME, "") == tuple(
        view["new_start"][name] for name in ("way", "made_by", "earlier_by")
    )
    assert (await view_of(ada))["new_start"] is None
    assert {"": False, NAME: True} == {row["made_by"]: row["new_start"] for row in rows}
    assert [session] == [row["session"] for row in seen_by_spy]
    assert CLOSED == {(ends.status, ends.code)}
    assert 200 == ended.status
    assert "not_signed_in" == (await spy.call("GET", "/v1/session")).code


async def test_of_each_session_it_is_said_who_made_its_link(pool: Pool, people: People) -> None:
    """The operator's link began the start; an admin's link was used later in the same browser, and
    another in a browser for which the first one agreed."""
    attack = await begin(pool, people)
    ada = await signed_in(pool, people, attack.person)
    before = (await ada.call("GET", "/v1/sessions")).json["data"]
    await ada.sign_in(await attack.make_link())
    new = await attack.enter()
    session = (await new.call("POST", "/v1/session/opening")).json["session"]
    opened = await ada.call("POST", f"/v1/sessions/{session}/opening")

    assert [""] == [row["made_by"] for row in before]
    assert [(NAME, False)] * 2 == [
        (row["made_by"], row["new_start"]) for row in opened.json["data"]
    ]


async def test_a_first_link_closes_nothing_and_one_used_beside_an_open_session_neither(
    pool: Pool, people: People
) -> None:
    """Nothing was before the first; the browser that is still signed in shows whose the second
    is."""
    attack = await begin(pool, people)
    ada = await attack.enter()
    sent = await send_all(ada)
    first, old = await view_of(ada), ada.cookie
    again = await ada.sign_in(await attack.make_link())

    assert first["new_start"] is None
    assert again.json["new_start"] is None
    assert old != ada.cookie
    assert OPEN == await codes_of(ada, sent)


async def test_an_older_session_opens_what_it_reads_to_a_new_one_that_asks(
    pool: Pool, people: People
) -> None:
    """Without the question nothing is opened, and another new start opens nothing; afterwards both
    sessions read what either sent."""
    attack = await begin(pool, people)
    old = await signed_in(pool, people, attack.person)
    before = await send_all(old)
    new, spy = await attack.enter(), await attack.enter()
    meanwhile = await send_all(new)
    path = f"/v1/sessions/{(await view_of(new))['session']}/opening"
    unasked = await old.call("POST", path)
    asked = await new.call("POST", "/v1/session/opening")
    by_new_start = await spy.call("POST", path)
    by_itself = await new.call("POST", path)
    opened = await old.call("POST", path)
    after = await send_all(new)

    assert (404, "unknown_session") == (unasked.status, unasked.code)
    assert asked.json["new_start"]["asked"] is True
    assert CLOSED == {(each.status, each.code) for each in (by_new_start, by_itself)}
    assert 200 == opened.status
    assert (await view_of(new))["new_start"] is None
    for sent in (before, meanwhile, after):
        assert OPEN == await codes_of(new, sent) | await codes_of(old, sent)
        assert CLOSED == await codes_of(spy, sent)
    assert await listed(old) == await listed(new)
    assert len(await listed(new)) == 6


async def test_who_came_before_the_person_sees_nothing_of_what_the_person_sends(
    pool: Pool, people: People
) -> None:
    """The admin adds a person and uses the first link; the person, who comes second, hears of it,
    is read by nobody, and begins empty, which ends the admin's session."""
    attack = await begin(pool, people)
    spy = await attack.enter()
    planted = await send_all(spy)
    ada = await attack.enter()
    view, sent = await view_of(ada), await send_all(ada)
    path = f"/v1/sessions/{view['session']}/opening"
    pulled = await spy.call("POST", path)
    closed = await codes_of(spy, sent)
    exported = (await spy.call("GET", "/v1/session/export")).body.decode()
    emptied = await ada.call("DELETE", "/v1/session/earlier")

    assert NAME == view["new_start"]["earlier_by"]
    assert (404, "unknown_session") == (pulled.status, pulled.code)
    assert CLOSED == closed
    assert (True, False) == (planted["job"] in exported, sent["job"] in exported)
    assert emptied.json["new_start"] is None
    assert "not_signed_in" == (await spy.call("GET", "/v1/session")).code
    assert {(404, "unknown_job"), (404, "unknown_file")} == await codes_of(ada, planted)
    assert OPEN == await codes_of(ada, sent)


async def test_who_begins_empty_erases_what_was_there_before(pool: Pool, people: People) -> None:
    """Files, kept jobs and batches are deleted, also those under way; the person's other sessions
    end; the next link of somebody else is a new start again."""
    attack = await begin(pool, people)
    old = await signed_in(pool, people, attack.person)
    sent = await send_all(old)
    waiting = (await old.call("POST", "/v1/jobs", {"request": ask("Attend")})).json["id"]
    request = {"input_file_id": sent["file"], "endpoint": CHAT, "completion_window": "24h"}
    batch = (await old.call("POST", "/v1/batches", request)).json["id"]
    new = await attack.enter()
    own = await send_all(new)
    emptied = await new.call("DELETE", "/v1/session/earlier")
    again = await attack.enter()
    left = await pool.store.read(partial(count_left, sender=attack.person.person))

    assert emptied.json["new_start"] is None
    assert {"not_signed_in"} == {(await old.call("GET", "/v1/session")).code}
    for path in (*sent["paths"].split(), f"/v1/jobs/{waiting}", f"/v1/batches/{batch}"):
        assert (await new.call("GET", path)).status in (403, 404)
    assert [0, 0, 0, 0] == left
    assert OPEN == await codes_of(new, own)
    assert CLOSED == await codes_of(again, own)
    assert (await view_of(again))["new_start"]["earlier_by"] == NAME


async def test_a_batch_that_runs_when_it_is_erased_goes_with_its_end(
    pool: Pool, people: People
) -> None:
    """It is cancelled; once it has ended, its row, its answers and its file are deleted."""
    attack = await begin(pool, people)
    old = await signed_in(pool, people, attack.person)
    file = await upload(old, jsonl(*lines(2)))
    request = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    await old.call("POST", "/v1/batches", request)
    await pool.placed()
    await (await attack.enter()).call("DELETE", "/v1/session/earlier")
    unended = partial(list_in, states=UNENDED)
    await until_read(lambda: pool.store.read(unended), lambda rows: not rows)
    await pool.store.write(partial(expire_batches, now=time.time()))
    await pool.store.write(partial(expire_files, now=time.time(), unless_in=UNENDED))
    counts = await pool.store.read(
        lambda c: [
            c.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (batches, batch_results, files, file_parts, kept)
        ]
    )

    assert [0, 0, 0, 0, 0] == counts


def count_left(connection: Connection, sender: str) -> list[int]:
    """Returns how many things of a sender stay: not those that go with the end of a batch."""
    stays = {
        kept: kept.c.batch == "",
        files: files.c.expires_at > time.time(),
        batches: (batches.c.state.not_in(["cancelling", "cancelled"])) | (batches.c.keep_s > 0.0),
        explanations: explanations.c.job != "",
    }
    return [
        connection.execute(
            select(func.count()).select_from(table).where((table.c.key == sender) & condition)
        ).scalar_one()
        for table, condition in stays.items()
    ]


async def test_starts_of_a_person_are_limited(
    pool: Pool, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limit the oldest new start goes, with its session; the first one stays."""
    monkeypatch.setattr(signin_starts, "STARTS_PER_PERSON_MAX", 3)
    row = await add_person(people)
    first = await signed_in(pool, people, row)
    sent = await send_all(first)
    later = [await signed_in(pool, people, row) for _ in range(3)]
    kept_starts = await pool.store.read(lambda c: signin_starts.list_starts(c, row.person))

    assert 3 == len(kept_starts)
    assert OPEN == await codes_of(first, sent)
    assert "not_signed_in" == (await later[0].call("GET", "/v1/session")).code
    assert CLOSED == await codes_of(later[2], sent)


async def test_a_session_beside_it_in_the_same_start_reads_the_same(
    pool: Pool, people: People
) -> None:
    """Two browsers of one start have the same lists; the API key of the co-op has neither."""
    row = await add_person(people)
    first = await signed_in(pool, people, row)
    sent = await send_all(first)
    second = await signed_in_too(first)

    assert OPEN == await codes_of(second, sent)
    assert await listed(first) == await listed(second)
    assert 404 == (await pool.call("GET", f"/v1/jobs/{sent['job']}"))[0]


async def test_a_link_that_the_session_of_an_admins_link_makes_leads_into_no_other_start(
    pool: Pool, people: People
) -> None:
    """Somebody uses the first link of an admin, makes a second one in that session and passes it
    on: the admin's session is a new start, which is read by nobody else."""
    admin = await add_person(people, role="coop_admin", name=NAME)
    attack = Attack(pool, people, admin, await signed_in(pool, people, admin))
    ada = await attack.enter()
    view, sent = await view_of(ada), await send_all(ada)

    assert ("link", NAME) == way_of(view)
    assert CLOSED == await codes_of(attack.maker, sent)


@pytest.mark.parametrize(
    ("lang", "words"), [("fr", "quelqu’un qui est parti depuis"), ("en", "somebody who has left")]
)
async def test_who_made_a_link_and_was_forgotten_has_left(
    pool: Pool, people: People, lang: str, words: str
) -> None:
    """The new session and the older one hear that the maker has left, and not that the operator
    made the link."""
    attack = await begin(pool, people)
    ada = await signed_in(pool, people, attack.person)
    spy = await attack.enter()
    maker = (await view_of(attack.maker))["person"]["id"]
    await pool.store.write(partial(erasures.erase_person, person=maker, now=time.time()))
    view = (await spy.call("GET", "/v1/session", accept_language=lang)).json
    rows = (await ada.call("GET", "/v1/sessions", accept_language=lang)).json["data"]

    assert words == view["new_start"]["made_by"]
    assert "" == view["new_start"]["earlier_by"]
    assert {"": False, words: True} == {row["made_by"]: row["new_start"] for row in rows}
