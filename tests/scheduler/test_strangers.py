"""Strangers: whoever has neither key nor session learns nothing of who is there."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.scheduler.gateway_support import KEY_A, MODEL, Pool, ask, card, open_pool
from tests.scheduler.people_support import add_person, open_people, signed_in

from entraide_scheduler.config import HttpConfig
from entraide_scheduler.core import events as e
from entraide_scheduler.gateway import Settings
from entraide_scheduler.people import OPERATOR

PUBLIC = ("/", "/status.json", "/.well-known/entraide", "/healthz", "/readyz", "/openapi.json")
COOPS = ("alpha", "beta", "gamma")
BEARER = {"authorization": f"Bearer {KEY_A}"}
FORWARDED = {"x-forwarded-for": "203.0.113.9"}


async def read_public(pool: Pool) -> dict[str, Any]:
    """Returns what a stranger reads at each public address."""
    texts: dict[str, Any] = {}
    for path in PUBLIC:
        async with pool.session.get(path) as answer:
            texts[path] = await answer.text()
    for path in ("/status.json", "/.well-known/entraide"):
        document = json.loads(texts[path])
        document.pop("at", None), document.pop("now", None)
        texts[path] = document
    return texts


async def test_strangers_cannot_tell_an_empty_pool_from_a_busy_one(tmp_path: Path) -> None:
    """Machines join, work, pause and leave: each public page stays the same, and names nobody."""
    async with open_pool(tmp_path, joined=()) as pool:
        read = [await read_public(pool)]
        for name, zone in (("atelier-1", "CA-QC"), ("quai-7", "CA-NB")):
            joined = card(name, zone)
            pool.driver.feed(e.NodeJoined(*e.UNNUMBERED, card=joined, accepting=True, reason=""))
        read.append(await read_public(pool))
        pending = pool.send(ask(stream=True), key=KEY_A)
        async with pending as answer:
            run = await pool.placed()
            read.append(await read_public(pool))
            run.finish()
            await answer.read()
        pool.driver.feed(e.NodeLeft(*e.UNNUMBERED, node="atelier-1", reason="goodbye"))
        pool.driver.feed(e.NodeJoined(*e.UNNUMBERED, card=joined, accepting=False, reason="owner"))
        read.append(await read_public(pool))
        _, members = await pool.call("GET", "/status.json")

    assert read[:1] * 4 == read
    words = (*COOPS, "atelier", "quai-7", "CA-NB", MODEL)
    assert [] == [word for word in words if word in json.dumps([read[0][p] for p in PUBLIC[:5]])]
    assert {"atelier-1", "quai-7"} == {node["node"] for node in members["nodes"]}


async def test_a_session_reads_the_status_and_its_end_closes_it(tmp_path: Path) -> None:
    """A person sees the machines; with an old cookie the page is that of a stranger."""
    async with open_pool(tmp_path) as pool:
        people = await open_people(pool)
        person = await add_person(people)
        ada = await signed_in(pool, people, person)
        before = (await ada.call("GET", "/status.json")).json
        await people.disable(OPERATOR, person.person)
        after = await ada.call("GET", "/status.json")

    assert ["n1", "n2"] == [node["node"] for node in before["nodes"]]
    assert (200, []) == (after.status, after.json["nodes"])


@pytest.mark.parametrize("path", ["/status.json", "/metrics"])
async def test_a_wrong_key_is_told_so(tmp_path: Path, path: str) -> None:
    """A program learns that its key is wrong, rather than that the pool is empty."""
    async with open_pool(tmp_path) as pool:
        wrong = await pool.call("GET", path, key="ent_wrong")

    assert (401, "unauthorised") == (wrong[0], wrong[1]["error"]["code"])


async def test_metrics_are_for_this_machine_and_for_keys(tmp_path: Path) -> None:
    """Through a proxy, trusted or not, the counters need a key."""
    settings = Settings(http=HttpConfig(trusted_proxies=("127.0.0.1",)), drain_s=0.0)
    statuses = []
    for chosen in (None, settings):
        (tmp_path / str(chosen is None)).mkdir()
        async with open_pool(tmp_path / str(chosen is None), settings=chosen) as pool:
            for headers in ({}, FORWARDED, {**FORWARDED, **BEARER}):
                async with pool.session.get("/metrics", headers=headers) as answer:
                    statuses.append(answer.status)

    assert [200, 401, 200] * 2 == statuses
