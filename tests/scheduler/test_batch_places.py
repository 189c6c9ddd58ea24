"""Batches and places: what names a jurisdiction passes no gateway that stands elsewhere."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from tests.scheduler.batch_support import (
    FILES,
    answering_nodes,
    create,
    jsonl,
    line,
    read_lines,
    send_file,
    until,
)
from tests.scheduler.gateway_support import KEY_A, PLACE, Pool, ask, open_pool
from tests.scheduler.people_support import add_person, open_people, signed_in

from entraide.types import ServerPlace

ELSEWHERE = ServerPlace("CA-NB", "other")
NAMED = {"entraide": {"jurisdiction": "CA-ON"}}
OUTSIDE = (503, "place_outside")


@contextmanager
def elsewhere(pool: Pool) -> Iterator[None]:
    """Makes the gateway one that stands in another place than the pool."""
    way = pool.gateway._batches.way
    here = way._find_places
    way._find_places = lambda: (PLACE, ELSEWHERE)
    yield
    way._find_places = here


async def upload(pool: Pool, **headers: str) -> tuple[int, str]:
    """Uploads a file whose headers name something; returns status and code."""
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", jsonl(line("a")), filename="lot.jsonl")
    headers = {"authorization": f"Bearer {KEY_A}", **headers}
    async with pool.session.post(FILES, data=form, headers=headers) as answer:
        return answer.status, (await answer.json()).get("error", {}).get("code", "")


async def refusal_of(pool: Pool, file: str, **headers: str) -> tuple[int, str]:
    """Fetches a content; returns status and code."""
    headers = {"authorization": f"Bearer {KEY_A}", **headers}
    async with pool.session.get(f"{FILES}/{file}/content", headers=headers) as answer:
        text = await answer.text()
        return answer.status, "" if answer.status == 200 else json.loads(text)["error"]["code"]


async def answers_of(pool: Pool, batch: dict[str, Any]) -> list[Any]:
    """Waits for a batch's end; returns the lines of its answers, or else of its errors."""
    ended = await until(pool, batch["id"], "completed", "failed")
    return await read_lines(pool, ended["output_file_id"] or ended["error_file_id"])


async def test_what_names_a_jurisdiction_is_refused_elsewhere(tmp_path: Path) -> None:
    """A file and a batch that name it are refused at once, and so are answers to such a batch; the
    pool's own gateway takes the same, but no file that came through the other one."""
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        own = await send_file(pool, jsonl(line("a")))
        with elsewhere(pool):
            foreign = await send_file(pool, jsonl(line("a")))
            uploaded = await upload(pool, **{"x-entraide-jurisdiction": "CA-ON"})
            created = await create(pool, own, **NAMED)
        late = await create(pool, foreign, **NAMED)
        _, batch = await create(pool, own, **NAMED)
        _, other = await create(pool, own)
        here = await answers_of(pool, batch)
        ended = [await until(pool, each["id"], "completed") for each in (batch, other)]
        files = [each["output_file_id"] for each in ended]
        with elsewhere(pool):
            there = [await refusal_of(pool, file) for file in files]
            asked = await refusal_of(pool, own, **{"x-entraide-jurisdiction": "CA-ON"})

    refusals = [(status, reply.get("error", {}).get("code")) for status, reply in (created, late)]
    assert [OUTSIDE] * 2 == refusals
    assert OUTSIDE == uploaded == asked
    assert ["a"] == [each["custom_id"] for each in here]
    assert [OUTSIDE, (200, "")] == there


async def test_what_a_client_said_in_a_batch_is_not_shown_elsewhere(tmp_path: Path) -> None:
    """The batch itself is seen there, without its metadata and without the faults of its file,
    which quote it; the pool's own gateway shows both."""
    metadata = {"metadata": {"dossier": "quetzal"}}
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        twice = jsonl(line("quetzal"), line("quetzal"))
        _, batch = await create(pool, twice, **NAMED, **metadata)
        _, plain = await create(pool, jsonl(line("b")), **metadata)
        await until(pool, batch["id"], "failed")
        paths = ("/v1/batches", f"/v1/batches/{batch['id']}", f"/v1/batches/{plain['id']}")
        here = [await text_of(pool, path) for path in paths]
        with elsewhere(pool):
            listed, there, usual = [await text_of(pool, path) for path in paths]

    assert [True] * 3 == ["quetzal" in text for text in here]
    assert (False, True) == ("quetzal" in there, "quetzal" in usual)
    assert 1 == listed.count("quetzal")
    assert "failed" == json.loads(there)["status"]


async def test_an_export_elsewhere_withholds_what_names_a_jurisdiction(tmp_path: Path) -> None:
    """Its texts are left out, and the document says so; what names no place is in it."""
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        people = await open_people(pool)
        ada = await signed_in(pool, people, await add_person(people))
        for word, named in (("quetzal", NAMED), ("axolotl", {})):
            request = {"request": ask(word, max_tokens=5) | named}
            assert 202 == (await ada.call("POST", "/v1/jobs", request)).status
        here = (await ada.call("GET", "/v1/session/export")).body
        with elsewhere(pool):
            there = (await ada.call("GET", "/v1/session/export")).body

    assert (True, True) == (b"quetzal" in here, b"axolotl" in here)
    assert (False, True) == (b"quetzal" in there, b"axolotl" in there)
    withheld = [row.get("withheld") for row in json.loads(there)["jobs"]["rows"]]
    assert ["place_outside", None] == withheld


async def text_of(pool: Pool, path: str) -> str:
    """The body of an answer to the first co-op's key."""
    headers = {"authorization": f"Bearer {KEY_A}"}
    async with pool.session.get(path, headers=headers) as answer:
        return await answer.text()


async def test_lines_know_which_gateway_their_file_passed(tmp_path: Path) -> None:
    """The receipt of a line names the gateway, and a line that names a jurisdiction is refused."""
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        with elsewhere(pool):
            file = await send_file(
                pool, jsonl(line("a"), line("b", ask("b", max_tokens=5) | NAMED))
            )
        _, batch = await create(pool, file)
        ended = await until(pool, batch["id"], "completed")
        (answer,) = await read_lines(pool, ended["output_file_id"])
        (error,) = await read_lines(pool, ended["error_file_id"])
        _, plain = await create(pool, jsonl(line("a")))
        (usual,) = await answers_of(pool, plain)

    place = {"zone": ELSEWHERE.zone, "controlled_by": ELSEWHERE.controlled_by, "invented": False}
    receipts = [each["response"]["body"]["entraide"] for each in (answer, usual)]
    assert [[place], []] == [receipt["further_places"] for receipt in receipts]
    assert [PLACE.zone] * 2 == [receipt["place"]["zone"] for receipt in receipts]
    refused = error["response"]["body"]["error"]["code"]
    assert ("b", "place_outside") == (error["custom_id"], refused)
