"""What a person sends is that person's alone, at every endpoint that takes an identifier.

``CASES`` has each such route; a route without a case fails.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import grpc
import pytest
from tests.scheduler.batch_support import answering_nodes, jsonl, lines
from tests.scheduler.gateway_support import CHAT, KEY_A, KEY_B, WAIT_S, Pool, ask, open_pool
from tests.scheduler.people_support import Answer, Browser, add_person, open_people, signed_in
from tests.scheduler.test_gateway_grpc import open_stub

from entraide.v1 import pool_pb2
from entraide_scheduler.gateway.routes import PATHS

# The refusal of each route for whoever is not the owner; the owner gets something else.
CASES: Mapping[tuple[str, str], str] = {
    ("GET", "/v1/jobs/{job}"): "unknown_job",
    ("DELETE", "/v1/jobs/{job}"): "unknown_job",
    ("POST", "/v1/jobs/{job}/cancel"): "unknown_job",
    ("GET", "/v1/jobs/{job}/explanation"): "unknown_job",
    ("GET", "/v1/jobs/{job}/receipt"): "unknown_job",
    ("GET", "/v1/jobs/{job}/stream"): "unknown_job",
    ("GET", "/v1/files/{file}"): "unknown_file",
    ("DELETE", "/v1/files/{file}"): "unknown_file",
    ("GET", "/v1/files/{file}/content"): "unknown_file",
    ("GET", "/v1/batches/{batch}"): "unknown_batch",
    ("POST", "/v1/batches/{batch}/cancel"): "unknown_batch",
    ("DELETE", "/v1/sessions/{session}"): "unknown_session",
}
# Not of one caller; those of people are in test_signin.py, by role.
OTHERS = (
    "/v1/models/{model}", "/weights/{sha256}", "/install/wheels/{file}", "/assets/{file}",
    "/v1/people/{person}",
    "/v1/people/{person}/link",
)  # fmt: skip
LISTS = ("/v1/jobs", "/v1/files", "/v1/batches", "/v1/sessions")


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
        done = asyncio.ensure_future(self.owner.call("POST", CHAT, ask("Fini")))
        ended = await self.pool.placed()
        ended.finish()
        await done
        kept = await self.owner.call("POST", "/v1/jobs", {"request": ask("Gardé")})
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

    def paths(self, pattern: str) -> list[str]:
        """Returns the paths of a pattern with each of the owner's identifiers."""
        kind = pattern.partition("{")[2].partition("}")[0]
        return [pattern.replace(f"{{{kind}}}", name) for name in self.names[kind]]


async def upload(sender: Any, content: bytes) -> str:
    """Sends a file; returns its identifier."""
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", io.BytesIO(content), filename="lot.jsonl")
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
        for name, role in roles.items():
            row = await add_person(people, email=f"{name}@example.coop", role=role)
            senders[name] = await signed_in(pool, people, row)
        senders["auditor"] = await signed_in(
            pool, people, await add_person(people, "beta", role="auditor")
        )
        world = World(pool, senders.pop(owner_kind), senders)
        await world.fill()
        yield world


@pytest.fixture(params=["ada", "key"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with open_world(tmp_path, request.param) as opened:
        yield opened


def test_each_route_with_an_identifier_has_a_case() -> None:
    """A new route is refused here until it is said whose what it shows is."""
    routes = {
        (method, pattern)
        for pattern, methods in PATHS.items()
        for method in methods
        if "{" in pattern and pattern not in OTHERS
    }

    assert set(CASES) == routes


async def test_nobody_else_reads_changes_or_lists_what_a_sender_sent(world: World) -> None:
    """Another person, the co-op's admin, the operator, an auditor and keys: each is refused."""
    heard = {}
    for (method, pattern), code in CASES.items():
        for path in world.paths(pattern):
            for name, stranger in world.strangers.items():
                if "session" in pattern and isinstance(stranger, Key):
                    continue  # a key has no sessions: test_signin.py
                answer = await stranger.call(method, path)
                if (answer.status, answer.code) != (404, code):
                    heard[name, method, path] = answer.body
    ids = [name.encode() for names in world.names.values() for name in names]
    for path in LISTS:
        for name, stranger in world.strangers.items():
            listed = (await stranger.call("GET", path)).body
            if any(each in listed for each in ids):
                heard[name, "GET", path] = listed

    assert {} == heard
    for pattern in ("/v1/jobs/{job}", "/v1/files/{file}", "/v1/batches/{batch}"):
        for path in world.paths(pattern):
            assert 200 == (await world.owner.call("GET", path)).status
    assert 200 == (await world.owner.call("GET", world.paths("/v1/files/{file}/content")[0])).status
    for end in ("receipt", "explanation"):
        path = f"/v1/jobs/{world.names['job'][1]}/{end}"
        assert 200 == (await world.owner.call("GET", path)).status


async def test_nobody_else_runs_a_file_or_takes_over_an_idempotency_key(world: World) -> None:
    """A batch of somebody's file is refused; the same key from another sender is another job."""
    request = {
        "input_file_id": world.names["file"][0], "endpoint": CHAT, "completion_window": "24h"
    }  # fmt: skip
    batches = [await each.call("POST", "/v1/batches", request) for each in world.strangers.values()]
    body = {"request": ask("Une fois")}
    senders = [world.owner, *world.strangers.values()]
    jobs = [await each.call("POST", "/v1/jobs", body, idempotency_key="same") for each in senders]

    assert {"unknown_file"} == {answer.code for answer in batches}
    assert {202} == {answer.status for answer in jobs}
    assert len(senders) == len({answer.json["id"] for answer in jobs})


async def test_over_grpc_a_key_sees_no_persons_jobs(tmp_path: Path) -> None:
    """A key of the person's own co-op asks for each job, and for the list."""
    async with open_world(tmp_path, "ada") as world, open_stub(world.pool) as stub:
        metadata = (("authorization", f"Bearer {KEY_A}"),)
        statuses = set()
        for job in world.names["job"]:
            for call in (stub.Get, stub.Cancel, stub.Explain):
                with pytest.raises(grpc.RpcError) as refused:
                    await call(pool_pb2.JobRequest(job=job), metadata=metadata)
                statuses.add(refused.value.code())
        listed = await stub.ListJobs(pool_pb2.ListJobsRequest(), metadata=metadata)

        assert {grpc.StatusCode.NOT_FOUND} == statuses
        assert [] == list(listed.jobs)


async def test_after_a_restart_the_explanation_is_still_the_senders(tmp_path: Path) -> None:
    """The gateway has forgotten the job: what is stored says who sent it."""
    async with open_world(tmp_path, "ada") as world:
        job, cookies = world.names["job"][1], {"ada": world.owner.cookie}
        cookies |= {name: world.strangers[name].cookie for name in ("bob", "admin")}
    async with open_pool(tmp_path) as pool:
        answers = {}
        for name, cookie in cookies.items():
            browser = Browser(pool)
            browser.cookie = cookie
            for end in ("explanation", "receipt"):
                answers[name, end] = (await browser.call("GET", f"/v1/jobs/{job}/{end}")).status
        by_key = await pool.call("GET", f"/v1/jobs/{job}/explanation")

        assert {200} == {status for (name, _), status in answers.items() if name == "ada"}
        assert {404} == {status for (name, _), status in answers.items() if name != "ada"}
        assert 404 == by_key[0]
