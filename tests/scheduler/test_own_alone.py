"""What a person sends is that person's alone, at every operation of the pool.

``person_routes.py`` is the table of them. It is walked by nobody, by keys, by another member, by
the admins of the co-op and of another, by the operator and an auditor, and by a session that the
co-op's admin began with a link for the person. The sender is a person, a key, or a person who
signed in at the identity provider in the browser of that link.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import grpc
import msgspec
import pytest
from google.protobuf.message_factory import GetMessageClass
from tests.scheduler.batch_support import answering_nodes, jsonl, lines
from tests.scheduler.gateway_support import (
    CHAT,
    KEY_A,
    KEY_B,
    WAIT_S,
    Pool,
    ask,
    everything,
    open_pool,
)
from tests.scheduler.people_support import (
    AGENT,
    Answer,
    Browser,
    add_person,
    open_people,
    signed_in,
)
from tests.scheduler.person_routes import GRPC, HTTP, LISTS, THINGS, Reads
from tests.scheduler.test_gateway_grpc import open_stub

from entraide.v1 import pool_pb2
from entraide_scheduler.gateway.routes import PATHS
from entraide_scheduler.gateway.signin.cookies import make_csrf_token
from entraide_scheduler.people import OPERATOR, as_actor
from entraide_scheduler.store.person_rows import PersonRow, SigninEvidence, SigninWay

MARKS = ("Fini-marque", "Garde-marque", "lot-marque.jsonl")  # in what the owner sent
# A stranger's own calls that end its session come last.
LAST = ("sign_out", "erase_earlier")


class Sender(Protocol):
    """A browser or a key."""

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer: ...

    def headers(self, csrf: str) -> dict[str, str]: ...


class Key:
    """A program with an API key."""

    csrf = ""

    def __init__(self, pool: Pool, key: str) -> None:
        self.pool, self.key = pool, key

    def headers(self, csrf: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = self.headers("") | named
        async with self.pool.session.request(method, path, data=data, headers=sent) as answer:
            return Answer(answer, await answer.read())


class World:
    """What one sender has in a pool, and who else is there."""

    def __init__(self, pool: Pool, owner: Any, strangers: dict[str, Any]) -> None:
        self.pool, self.owner, self.strangers = pool, owner, strangers
        self.names: dict[str, list[str]] = {}

    async def fill(self) -> None:
        """Makes a job of each kind, a file, a batch with a result, and a session."""
        running = asyncio.ensure_future(self.owner.call("POST", CHAT, ask(stream=True)))
        live = await self.pool.placed()
        live.accept()
        self.running, self.live = running, live
        done = asyncio.ensure_future(self.owner.call("POST", CHAT, ask("Fini-marque")))
        ended = await self.pool.placed()
        ended.finish()
        await done
        kept = await self.owner.call("POST", "/v1/jobs", {"request": ask("Garde-marque")})
        (await self.pool.placed()).finish()
        file = await upload(self.owner, jsonl(*lines(1)))
        request = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
        async with answering_nodes(self.pool):
            batch = (await self.owner.call("POST", "/v1/batches", request)).json["id"]
            async with asyncio.timeout(WAIT_S):
                while True:
                    view = (await self.owner.call("GET", f"/v1/batches/{batch}")).json
                    if view["status"] == "completed":
                        break
                    await asyncio.sleep(0.01)
        while await self.pool.store.count_settled() < 3:
            await self.pool.store.committed()
        self.names = {
            "job": [live.run.job, ended.run.job, kept.json["id"]],
            "file": [file, view["output_file_id"]],
            "batch": [batch],
            "session": ["session-0123456789abcdef"],
        }
        if isinstance(self.owner, Browser):
            session = (await self.owner.call("GET", "/v1/session")).json["session"]
            self.names["session"] = [session]

    @property
    def secrets(self) -> list[str]:
        """What only the owner may see."""
        return [*MARKS, *(name for names in self.names.values() for name in names)]

    def has(self, pattern: str) -> bool:
        """Whether the owner has a thing of the kind that a pattern names."""
        return pattern.partition("{")[2].partition("}")[0] in self.names

    def refusal(self, stranger: str, path: str, code: str) -> tuple[int, str]:
        """Returns how a stranger's request for a thing is refused."""
        is_session = path.startswith("/v1/sessions/")
        has_no_stream = "/kept-" in path and path.endswith("/stream")
        if stranger == "nobody" or (is_session and stranger in ("key", "foreign")):
            return (401, "not_signed_in" if is_session else "unauthorised")
        if stranger == "new start" and isinstance(self.owner, Browser) and not has_no_stream:
            return (403, "session_new_start")
        return (404, code)

    def request_for(self, method: str, path: str) -> tuple[Any, dict[str, str]]:
        """Returns the body and the headers with which a stranger might be shown something."""
        if method == "GET":
            return None, {}
        if path == "/v1/batches":
            file = self.names["file"][0]
            return {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}, {}
        return {}, {"last_event_id": f"{self.names['job'][0]}/0"} if path == CHAT else {}

    def paths(self, pattern: str) -> list[str]:
        """Returns the paths of a pattern with each of the owner's identifiers."""
        kind = pattern.partition("{")[2].partition("}")[0]
        return [pattern.replace(f"{{{kind}}}", name) for name in self.names[kind]]


async def upload(sender: Any, content: bytes) -> str:
    """Sends a file; returns its identifier."""
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", io.BytesIO(content), filename="lot-marque.jsonl")
    headers = sender.headers(sender.csrf)
    async with sender.pool.session.post("/v1/files", data=form, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["id"])


@asynccontextmanager
async def open_world(folder: Path, owner_kind: str) -> AsyncIterator[World]:
    """Opens a pool in which a person, or a key of the same co-op, has sent everything."""
    async with open_pool(folder) as pool:
        people = await open_people(pool)
        roles = {"ada": "person", "bob": "person", "admin": "coop_admin", "operator": "operator"}
        senders: dict[str, Any] = {"key": Key(pool, KEY_A), "foreign": Key(pool, KEY_B)}
        rows = {
            name: await add_person(people, email=f"{name}@example.coop", role=role)
            for name, role in roles.items()
        }
        for name, row in rows.items():
            senders[name] = await signed_in(pool, people, row)
        for role in ("auditor", "coop_admin"):
            row = await add_person(people, "beta", role=role)
            senders[f"{role} of beta"] = await signed_in(pool, people, row)
        admin = as_actor(rows["admin"])
        senders["new start"] = await signed_in(pool, people, rows["ada"], admin)
        senders["nobody"] = Browser(pool)
        if owner_kind == "account":  # to the person's older session all of it is closed, too
            del senders["ada"]
            senders[owner_kind] = await at_provider(pool, rows["ada"], senders["new start"])
        world = World(pool, senders.pop(owner_kind), senders)
        await world.fill()
        yield world


async def at_provider(pool: Pool, row: PersonRow, browser: Browser) -> Browser:
    """Signs a person in at the provider for the first time, in a browser that is signed in.

    The present session goes on, as when the browser had used two links at the same time.
    """
    sessions = pool.gateway.signin.sessions
    evidence = SigninEvidence(SigninWay.OIDC.value, email=row.email)
    present = await sessions.find(browser.cookie)
    account = Browser(pool)
    account.cookie, _ = await sessions.start(row, evidence, AGENT, present)
    account.csrf = make_csrf_token(account.cookie)
    return account


@pytest.fixture(params=["ada", "key", "account"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with open_world(tmp_path, request.param) as opened:
        yield opened


async def test_nobody_else_reads_changes_or_lists_what_a_sender_sent(world: World) -> None:
    """Each stranger is refused each thing; to the person's own new start it is closed."""
    heard = {}
    for (method, pattern), code in THINGS.items():
        for path in world.paths(pattern):
            for name, stranger in world.strangers.items():
                answer = await stranger.call(method, path)
                if (answer.status, answer.code) != world.refusal(name, path, code):
                    heard[name, method, path] = answer.body
    for path in LISTS:
        for name, stranger in world.strangers.items():
            listed = (await stranger.call("GET", path)).body
            if any(each.encode() in listed for each in world.secrets):
                heard[name, "GET", path] = listed

    assert {} == heard
    for pattern in ("/v1/jobs/{job}", "/v1/files/{file}", "/v1/batches/{batch}"):
        for path in world.paths(pattern):
            assert 200 == (await world.owner.call("GET", path)).status
    assert 200 == (await world.owner.call("GET", world.paths("/v1/files/{file}/content")[0])).status
    for end in ("receipt", "explanation"):
        path = f"/v1/jobs/{world.names['job'][1]}/{end}"
        assert 200 == (await world.owner.call("GET", path)).status


async def test_no_operation_shows_anything_of_it_to_anybody_else(world: World) -> None:
    """Each operation of the table is called by each stranger, with what would show something: no
    answer has an identifier, a name or a text of the owner."""
    calls = sorted(HTTP, key=lambda each: PATHS[each[1]][each[0]] in LAST)
    shown = {}
    for method, pattern in calls:
        for path in world.paths(pattern) if world.has(pattern) else [pattern]:
            body, headers = world.request_for(method, path)
            named = f"{path} {body} {headers}"  # a refusal may repeat what was sent
            secrets = [each for each in world.secrets if each not in named]
            for name, stranger in world.strangers.items():
                used = "HEAD" if path.endswith("/events") else method
                answer = await stranger.call(used, path, body, **headers)
                if any(each in answer.body.decode() for each in secrets):
                    shown[name, method, path] = answer.body

    assert {} == shown


async def test_a_machine_is_not_told_who_asks(world: World) -> None:
    """Of the co-op, the person or the key nothing goes to the node, only whether it is its own."""
    order = msgspec.json.encode(world.live.run).decode()
    names = ("alpha", "Ada", "ada@", "person-", "key-", KEY_A)

    assert [] == [name for name in names if name in order]
    assert not world.live.run.own


async def test_nobody_else_runs_a_file_or_takes_over_an_idempotency_key(world: World) -> None:
    """A batch of somebody's file is refused; the same key from another sender is another job."""
    request = {
        "input_file_id": world.names["file"][0], "endpoint": CHAT, "completion_window": "24h"
    }  # fmt: skip
    strangers = {name: each for name, each in world.strangers.items() if name != "nobody"}
    batches = {
        name: (await each.call("POST", "/v1/batches", request)).code
        for name, each in strangers.items()
    }
    body = {"request": ask("Une fois")}
    senders = [world.owner, *strangers.values()]
    jobs = [await each.call("POST", "/v1/jobs", body, idempotency_key="same") for each in senders]

    closed = {"new start"} if isinstance(world.owner, Browser) else set()
    assert closed == {name for name, code in batches.items() if code == "session_new_start"}
    assert {"unknown_file"} == {code for name, code in batches.items() if name not in closed}
    assert {202} == {answer.status for answer in jobs}
    assert len(senders) == len({answer.json["id"] for answer in jobs})


async def test_over_grpc_a_key_sees_no_persons_jobs(tmp_path: Path) -> None:
    """A key of the person's own co-op makes each call of the table for each job, and lists."""
    async with open_world(tmp_path, "ada") as world, open_stub(world.pool) as stub:
        metadata = (("authorization", f"Bearer {KEY_A}"),)
        refusals = {}
        for name in [name for name, reads in GRPC.items() if reads is Reads.THING]:
            method = pool_pb2.DESCRIPTOR.services_by_name["Pool"].methods_by_name[name]
            for job in world.names["job"]:
                erase = {"erase": True} if name == "Cancel" else {}
                request = GetMessageClass(method.input_type)(job=job, **erase)
                call = getattr(stub, name)(request, metadata=metadata)
                with pytest.raises(grpc.RpcError) as refused:
                    await (call.read() if method.server_streaming else call)
                refusals[name, job] = refused.value.code()
        listed = await stub.ListJobs(pool_pb2.ListJobsRequest(), metadata=metadata)

        assert {grpc.StatusCode.NOT_FOUND} == set(refusals.values())
        assert [] == list(listed.jobs)


async def test_after_a_restart_the_explanation_is_still_the_senders(tmp_path: Path) -> None:
    """The gateway has forgotten the job: what is stored says who sent it."""
    async with open_world(tmp_path, "ada") as world:
        job, cookies = world.names["job"][1], {"ada": world.owner.cookie}
        cookies |= {name: world.strangers[name].cookie for name in ("bob", "admin", "new start")}
    async with open_pool(tmp_path) as pool:
        answers = {}
        for name, cookie in cookies.items():
            browser = Browser(pool)
            browser.cookie = cookie
            for end in ("explanation", "receipt"):
                answers[name, end] = (await browser.call("GET", f"/v1/jobs/{job}/{end}")).status
        by_key = await pool.call("GET", f"/v1/jobs/{job}/explanation")

        assert {200} == {status for (name, _), status in answers.items() if name == "ada"}
        assert {404} == {
            status for (name, _), status in answers.items() if name in ("bob", "admin")
        }
        assert {403} == {status for (name, _), status in answers.items() if name == "new start"}
        assert 404 == by_key[0]


async def test_what_is_sent_and_each_secret_are_written_nowhere_in_clear(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Text, the name of a file, keys, links and cookies are neither in the store nor in the log."""
    async with open_world(tmp_path, "ada") as world:
        people = world.pool.gateway.signin.people
        (row, *_) = await people.list_people(OPERATOR)
        link = await people.make_link(OPERATOR, row.person)
    written = everything(tmp_path)
    logged = "".join(capfd.readouterr()).encode()
    clear = (*MARKS, "Salut", KEY_A, KEY_B, world.owner.cookie, link.token)

    assert all(job.encode() in written for job in world.names["job"][1:])
    assert b"signin.began" in logged
    assert [] == [each for each in clear if each.encode() in written + logged]
