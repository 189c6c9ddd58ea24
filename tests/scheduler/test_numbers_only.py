"""Numbers only: no name, no label and no text of a client enters the journal, its snapshots, the
explanations or the logs."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs
from tests.core.builders import facts
from tests.scheduler.batch_support import FILES, answering_nodes, create, jsonl, line, send_file
from tests.scheduler.gateway_support import CHAT, KEY_A, Pool, ask, everything, open_pool
from tests.scheduler.people_support import add_person, open_people, signed_in
from tests.scheduler.test_gateway_kept import submit

from entraide.models import UNKNOWN_MODEL
from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.gateway.signin.auth import hash_key
from entraide_scheduler.store.rows import KeyRow
from entraide_scheduler.store.schema import explanations, journal, settled, snapshots

WORD = "quetzal"


async def written(pool: Pool) -> dict[str, bytes]:
    """Returns what the pool has written of its decisions, by table."""
    await pool.driver.committed()
    columns = {
        "journal": journal.c.event, "snapshots": snapshots.c.state,
        "explanations": explanations.c.document, "receipts": settled.c.receipt,
    }  # fmt: skip

    def read(connection: Any) -> dict[str, bytes]:
        return {
            name: b"".join(bytes(value) for value in connection.execute(select(column)).scalars())
            for name, column in columns.items()
        }

    before = await pool.store.read(read)  # a snapshot deletes the events before it
    await pool.driver.write_snapshot()
    return await pool.store.read(read) | {"journal": before["journal"]}


async def send_everywhere(pool: Pool) -> list[int]:
    """Puts the word wherever a client may write; returns the statuses."""
    headers = {
        "X_Entraide_Session": WORD, "Idempotency_Key": f"{WORD}-1", "User_Agent": WORD,
        "Accept_Language": WORD, "X_Request_Id": WORD,
    }  # fmt: skip
    statuses = []
    own = {"user": WORD, "metadata": {WORD: WORD}, "stop": WORD}
    for body, more in (
        (ask(WORD, max_tokens=5, **own), headers),
        (ask(WORD) | {"model": WORD}, {}),
        (ask(WORD) | {"model": WORD, "stream": True}, {}),
        (ask(WORD, **{WORD: 1}), {}),
        (ask(WORD), {"X_Entraide_Jurisdiction": WORD}),
        (ask(WORD), {"X_Entraide_Class": WORD}),
        (b"{" + WORD.encode(), {}),
    ):
        async with pool.send(body, **more) as answer:
            statuses.append(answer.status)
            await answer.read()
    for method, path in (
        ("GET", f"/{WORD}?{WORD}={WORD}"), ("DELETE", f"/v1/jobs/{WORD}"),
        ("GET", f"/v1/models/{WORD}"), ("GET", f"/v1/files/{WORD}"), ("GET", f"/v1/people/{WORD}"),
    ):  # fmt: skip
        statuses.append((await pool.call(method, path))[0])
    statuses.append((await submit(pool, ask(WORD) | {"model": WORD}))[0])
    contents = (
        jsonl(line(WORD, ask(WORD, max_tokens=5)), line(f"{WORD}-2", ask(WORD, max_tokens=5))),
        jsonl(line(WORD, ask(WORD) | {"model": WORD})),
    )
    made = [await create(pool, content, metadata={WORD: WORD}) for content in contents]
    return [*statuses, *(status for status, _ in made)]


async def test_no_name_and_no_text_is_written_of_a_decision(tmp_path: Path) -> None:
    """The word is in each field of requests, in a person, a label and a file's name; it is in
    none of the tables of decisions, and in no line of the logs."""
    with capture_logs() as logs:
        async with open_pool(tmp_path) as pool, answering_nodes(pool):
            people = await open_people(pool)
            person = await add_person(people, name=WORD, email=f"{WORD}@{WORD}.coop")
            browser = await signed_in(pool, people, person)
            row = KeyRow("key-1", "alpha", "main", f"portable de {WORD}")
            await pool.store.create_key(row, hash_key("ent_labelled"))
            statuses = await send_everywhere(pool)
            async with pool.send(ask(WORD, max_tokens=5), key="ent_labelled") as answer:
                statuses.append(answer.status)
            own = await browser.call("POST", CHAT, ask(WORD, max_tokens=5))
            wrong = await browser.call("PATCH", f"/v1/people/{person.person}", {"name": WORD * 99})
            taken = await browser.call("POST", "/v1/signin/email", {"email": f"{WORD}@x.coop"})
            await asyncio.sleep(0)
            tables = await written(pool)

    assert 200 == own.status == statuses[0] == statuses[-1]
    assert 404 == statuses[1]
    assert all(tables.values())
    assert person.person.encode() in tables["journal"]
    assert [] == [name for name, content in tables.items() if WORD.encode() in content.lower()]
    assert [] == [line for line in logs if WORD in repr(line).lower()]
    assert {wrong.status, taken.status} & {400, 403, 404, 202}


async def test_a_client_still_reads_the_name_that_it_asked_for(tmp_path: Path) -> None:
    """The error names the unknown model; the explanation in the store has a sign in its place."""
    async with open_pool(tmp_path) as pool:
        async with pool.send(ask() | {"model": WORD}, Accept_Language="en") as answer:
            error = (await answer.json())["error"]
        explained = await pool.call("GET", f"/v1/jobs/{error['job']}/explanation")

    assert "unknown_model" == error["code"]
    assert f'"{WORD}"' in error["message"]
    assert WORD not in str(explained)
    assert UNKNOWN_MODEL in str(explained)


async def test_what_a_gateway_calls_a_code_is_one(tmp_path: Path) -> None:
    """A sentence in the place of an error code does not enter the journal."""
    async with open_pool(tmp_path) as pool:
        pending = asyncio.ensure_future(pool.send(ask()))
        run = await pool.placed()
        lease, scheduler = (run.run.job, run.run.epoch), pool.gateway._scheduler
        scheduler.report_excess(m.LeaseExceeded(*lease, run.node, f"a {WORD}", 1))
        scheduler.abandon(*lease, f"my {WORD}")
        scheduler.cancel(run.run.job, f"the {WORD}")
        pending.cancel()
        tables = await written(pool)

    assert WORD.encode() not in tables["journal"]
    assert b"internal" in tables["journal"]


async def test_a_batch_is_stated_without_a_clients_words(tmp_path: Path) -> None:
    """Lines of a model that left the pool are stated under a sign."""
    async with open_pool(tmp_path) as pool:
        stated = facts("batch_1", model=WORD, deadline_at=pool.driver.now() + 600.0)
        pool.gateway._planner.state_batch(stated, 3)
        tables = await written(pool)

    assert WORD.encode() not in tables["journal"]
    assert e.BatchStated.__struct_config__.tag.encode() in tables["journal"]


@pytest.mark.parametrize("form", [{"filename": f"{WORD}.jsonl"}])
async def test_a_files_name_is_sealed(tmp_path: Path, form: dict[str, str]) -> None:
    """The name of a file is in no table in clear."""
    async with open_pool(tmp_path) as pool:
        data = aiohttp.FormData()
        data.add_field("purpose", "batch")
        data.add_field("file", jsonl(line(WORD)), **form)
        headers = {"authorization": f"Bearer {KEY_A}"}
        async with pool.session.post(FILES, data=data, headers=headers) as answer:
            shown = (await answer.json())["filename"]
        other = await send_file(pool, jsonl(line("x")))
        stored = everything(tmp_path)

    assert f"{WORD}.jsonl" == shown
    assert other.encode() in stored
    assert WORD.encode() not in stored
