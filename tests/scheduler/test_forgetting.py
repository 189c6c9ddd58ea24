"""A person goes: nothing of the person stays in the pool's folder but a number in the books."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from structlog.testing import capture_logs
from tests.core.builders import replica
from tests.integration.nats_support import NatsPool
from tests.scheduler.batch_support import BATCHES, FILES, jsonl, line
from tests.scheduler.people_support import AGENT
from tests.scheduler.pool_support import MODEL, RunningScheduler, running_scheduler
from tests.scheduler.test_erased_jobs import has_text
from tests.waiting import eventually

from entraide.v1 import admin_pb2
from entraide_scheduler.erasure_list import FILE, read_list
from entraide_scheduler.store import erasures
from entraide_scheduler.store.kept_jobs import list_pending
from entraide_scheduler.store.schema import batches, file_parts, files, kept, people

NAME, ADDRESS, TEXT = "Zoé Quetzal-Roy", "quetzal@boreale.example.coop", "axolotl "
WORDS = ("quetzal", "axolotl", "Zoé")
QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": TEXT * 900}]}


class Browser:
    """A browser in which a person has signed in at a running scheduler."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def call(self, method: str, path: str, **content: Any) -> tuple[int, Any]:
        async with self.session.request(method, path, **content) as answer:
            return answer.status, json.loads(await answer.read())


async def signed_in(pool: RunningScheduler, name: str, email: str = "") -> tuple[str, Browser]:
    """Adds a person of alpha and signs the person in."""
    ask = pool.operator.ask
    request = admin_pb2.AddPersonRequest(coop="alpha", name=name, email=email)
    person = (await ask("AddPerson", request)).person
    link = (await ask("MakeSigninLink", admin_pb2.MakeSigninLinkRequest(person=person))).link
    session = aiohttp.ClientSession(pool.gateway.url, headers={"user-agent": AGENT})
    token = {"token": link.rpartition("/")[2]}
    async with session.post("/v1/session", json=token) as answer:
        session.headers["x-entraide-csrf"] = (await answer.json())["csrf"]
        cookie = answer.headers["set-cookie"].partition(";")[0]
    session.headers["cookie"] = cookie
    return person, Browser(session)


async def send_much(pool: RunningScheduler, browser: Browser) -> dict[str, Any]:
    """A finished kept job, a waiting one, a file and a running batch; returns what is named."""
    node = await pool.join_live(replicas=(replica(slots=1),))
    _, done = await browser.call("POST", "/v1/jobs", json={"request": QUESTION})
    await eventually(lambda: len(node.runs) == 1)
    answer = {"choices": [{"message": {"content": TEXT * 900}}]}
    await node.finish(node.runs[0], json.dumps(answer).encode())
    async with asyncio.timeout(10):
        while not (await browser.call("GET", f"/v1/jobs/{done['id']}"))[1].get("ended_at"):
            await pool.service.parts.store.committed()
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    lines = jsonl(*(line(f"axolotl-{n}", QUESTION) for n in range(3)))
    form.add_field("file", lines, filename="axolotl.jsonl")
    _, file = await browser.call("POST", FILES, data=form)
    body = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions"}
    _, batch = await browser.call("POST", BATCHES, json=body | {"completion_window": "24h"})
    _, waiting = await browser.call("POST", "/v1/jobs", json={"request": QUESTION})
    await eventually(lambda: len(node.runs) >= 2)
    ids = {"done": done["id"], "file": file["id"], "batch": batch["id"], "waits": waiting["id"]}
    return ids | {"node": node.name}


def found_in(folder: Path, logged: str = "") -> list[str]:
    """The files of a folder, and "log", in which one of the words stands."""
    contents = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    } | {"log": logged.encode()}
    return sorted(
        name
        for name, content in contents.items()
        if any(word.encode() in content or word.encode().lower() in content for word in WORDS)
    )


@pytest.fixture
async def pool(tmp_path: Path, bus: NatsPool) -> AsyncIterator[RunningScheduler]:
    async with running_scheduler(tmp_path, bus, "[journal]\nkeep_days = 35") as running:
        yield running


async def test_nothing_of_a_forgotten_person_is_left(pool: RunningScheduler) -> None:
    """Store, log of the store, journal, lists and logs have neither name, address nor text; work
    under way ends, others keep theirs, and the books keep their sums."""
    with capture_logs() as logs:
        person, browser = await signed_in(pool, NAME, ADDRESS)
        bystander, other = await signed_in(pool, "Ada")
        ask = pool.operator.ask
        label = f"portable de {NAME.upper()}, {ADDRESS}"
        key = (await ask("CreateKey", admin_pb2.CreateKeyRequest(coop="alpha", label=label))).key
        change = admin_pb2.Coop(coop="beta", shares=2.0, author=ADDRESS, reason=f"pour {NAME}")
        await ask("SetCoop", change)
        named = await send_much(pool, browser)
        _, kept_by_other = await other.call("POST", "/v1/jobs", json={"request": QUESTION})
        await ask("VouchNode", _vouch(named["node"]))
        store = pool.service.parts.store
        sealed = (await store.get_kept(named["done"])).sealed_body
        before = found_in(pool.home)
        settled = await store.count_settled()
        forgotten = await ask("ForgetPerson", admin_pb2.ForgetPersonRequest(person=person))
        core = pool.driver.core
        await eventually(lambda: all(view.key != person for view in core.open_jobs()))
        refused = await browser.call("GET", "/v1/jobs")
        pending = await store.read(list_pending)
        left = await store.read(
            partial(erasures.find_left, listed=read_list(pool.home / FILE).erased)
        )
        keys = (await ask("ListKeys", admin_pb2.ListKeysRequest())).keys
        await browser.session.close()
        await other.session.close()
        stored = b"".join(path.read_bytes() for path in pool.home.glob("*.db*"))

    assert person == pool.registry.get(named["node"]).vouched_by
    assert "store.db" in before or "store.db-wal" in before
    assert [] == found_in(pool.home, repr(logs))
    assert not has_text(stored, sealed)
    assert not forgotten.traces_remain
    assert [str(pool.home / FILE)] == list(forgotten.lists)
    assert [] == left
    assert (401, "not_signed_in") == (refused[0], refused[1]["error"]["code"])
    assert [kept_by_other["id"]] == [row.job for row in pending]
    assert [f"portable de {person}, {person}"] == [each.label for each in keys if each.key == key]
    assert settled == await pool.service.parts.store.count_settled() == 1
    assert bystander != person


async def test_a_persons_own_key_goes_too(pool: RunningScheduler) -> None:
    """A key that is named is revoked, and what it sent is gone; a key of another co-op is not."""
    person, browser = await signed_in(pool, NAME)
    await browser.session.close()
    ask = pool.operator.ask
    made = await ask("CreateKey", admin_pb2.CreateKeyRequest(coop="alpha", label="portable"))
    foreign = await ask("CreateKey", admin_pb2.CreateKeyRequest(coop="beta"))
    await pool.join_live()
    async with pool.session(made.secret) as session:
        await session.post("/v1/jobs", json={"request": QUESTION})
        with pytest.raises(grpc.RpcError) as refused:
            await ask("ForgetPerson", _forget(person, foreign.key))
        still = await session.get("/v1/models")
        await ask("ForgetPerson", _forget(person, made.key))
        answer = await session.get("/v1/models")
    keys = (await ask("ListKeys", admin_pb2.ListKeysRequest())).keys
    pending = await pool.service.parts.store.read(list_pending)

    assert grpc.StatusCode.NOT_FOUND == refused.value.code()
    assert (200, 401) == (still.status, answer.status)
    assert [("", True), ("", False)] == [(each.label, each.revoked) for each in keys]
    assert () == pending


def _forget(person: str, *keys: str) -> admin_pb2.ForgetPersonRequest:
    return admin_pb2.ForgetPersonRequest(person=person, keys=keys)


async def test_a_person_is_forgotten_twice_and_a_stranger_never(pool: RunningScheduler) -> None:
    """Repeating the call changes nothing; an unknown number is refused."""
    person, browser = await signed_in(pool, NAME)
    await browser.session.close()
    first = await pool.operator.ask("ForgetPerson", _forget(person))
    again = await pool.operator.ask("ForgetPerson", _forget(person))
    with pytest.raises(grpc.RpcError) as refused:
        await pool.operator.ask("ForgetPerson", _forget("person-0123456789ab"))
    listed = await pool.operator.ask("ListPeople", admin_pb2.ListPeopleRequest())

    assert person == first.person == again.person
    assert grpc.StatusCode.NOT_FOUND == refused.value.code()
    assert [] == list(listed.people)


async def test_what_arrives_after_the_erasure_is_erased(pool: RunningScheduler) -> None:
    """A request that was under way has written its job; the keeper erases it, and lists it."""
    person, browser = await signed_in(pool, NAME)
    await pool.join_live()
    _, job = await browser.call("POST", "/v1/jobs", json={"request": QUESTION})
    await browser.session.close()
    store = pool.service.parts.store
    row = await store.get_kept(job["id"])
    await pool.operator.ask("ForgetPerson", _forget(person))
    await store.put_kept(row)
    erasing = pool.service._cleanup  # keeps the lists once a minute
    assert erasing is not None
    left = await store.read(partial(erasures.find_left, listed=read_list(pool.home / FILE).erased))
    await store.write(partial(erasures.repeat, listed=left))

    assert {person, job["id"]} == {erasure.subject for erasure in left}
    assert None is await store.get_kept(job["id"])


async def test_the_export_has_all_rows_and_no_text_for_the_operator(
    pool: RunningScheduler,
) -> None:
    """The person gets the texts as well; the operator's document names the same objects."""
    person, browser = await signed_in(pool, NAME, ADDRESS)
    named = await send_much(pool, browser)
    stub = pool.operator._admin
    metadata = (("authorization", "Bearer ent_operator"), ("accept-language", "fr"))
    parts = stub.ExportPerson(admin_pb2.PersonRequest(person=person), metadata=metadata)
    document = b"".join([part.data async for part in parts])
    status, own = await browser.call("GET", "/v1/session/export")
    await browser.session.close()
    exported = json.loads(document)

    assert 200 == status
    assert (NAME, ADDRESS) == (exported["person"]["name"], exported["person"]["email"])
    for view in (exported, own):
        assert {named["done"], named["waits"]} <= {row["job"] for row in view["jobs"]["rows"]}
        assert [named["file"]] == [row["file"] for row in view["files"]["rows"]]
        assert [named["batch"]] == [row["batch"] for row in view["batches"]["rows"]]
        assert [named["done"]] == [row["job"] for row in view["entries"]["rows"]]
        assert ["Firefox, Linux"] == [row["device"] for row in view["sessions"]["rows"]]
        assert 1 == len(view["links"]["rows"])
    assert b"axolotl" not in document
    done = next(row for row in own["jobs"]["rows"] if row["job"] == named["done"])
    assert QUESTION["messages"] == done["request"]["messages"]
    assert TEXT in done["result"]["choices"][0]["message"]["content"]


async def test_every_table_with_a_sender_is_exported_and_erased(pool: RunningScheduler) -> None:
    """After an erasure no row of these tables names the person; the books alone do."""
    person, browser = await signed_in(pool, NAME, ADDRESS)
    await send_much(pool, browser)
    await browser.session.close()
    await pool.operator.ask("ForgetPerson", _forget(person))
    store = pool.service.parts.store

    def count(connection: Any) -> list[int]:
        tables = (people, kept, files, file_parts, batches)
        return [len(connection.execute(table.select()).all()) for table in tables]

    assert [0, 0, 0, 0, 0] == await store.read(count)


def _vouch(node: str) -> admin_pb2.VouchNodeRequest:
    return admin_pb2.VouchNodeRequest(node=node, controlled_by="member", author=NAME)
