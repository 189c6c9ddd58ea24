"""The place of a pool's server: what a request may name, and where the place is told."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from tests.scheduler.gateway_support import PLACE, ask, open_pool
from tests.scheduler.test_gateway_kept import JOBS, submit
from tests.waiting import eventually, until_read

from entraide import receipts
from entraide.types import Receipt, ServerPlace
from entraide_scheduler.gateway import Settings

NAMED = {
    "jurisdiction": {"X_Entraide_Jurisdiction": "CA"},
    "controlled_by": {"X_Entraide_Controlled_By": "other"},
}
WORDS = {
    "fr": {"jurisdiction": "où se trouve le serveur du parc", "controlled_by": "qui a le contrôle"},
    "en": {"jurisdiction": "where the pool’s server stands", "controlled_by": "who controls"},
}


@pytest.mark.parametrize("lang", ["fr", "en"])
async def test_an_unknown_place_refuses_what_names_it(tmp_path: Path, lang: str) -> None:
    """A named jurisdiction or control is refused, by header or body, with what to do about it."""
    answers = {}
    async with open_pool(tmp_path, settings=Settings(drain_s=0.0)) as pool:
        for name, headers in NAMED.items():
            for way, (body, head) in {
                "header": (ask(), headers),
                "body": (ask(entraide={name: next(iter(headers.values()))}), {}),
            }.items():
                async with pool.send(body, Accept_Language=lang, **head) as answer:
                    error = (await answer.json())["error"]
                    answers[name, way] = answer.status, error["code"], error["param"]
            assert WORDS[lang][name] in error["message"]
            assert "[place]" in error["message"]

    assert answers == {
        (name, way): (503, "place_unknown", name) for name in NAMED for way in ("header", "body")
    }


async def test_an_unknown_place_is_said_on_the_receipt(tmp_path: Path) -> None:
    """A request that names nothing runs, and its receipt says that the place is unknown."""
    async with open_pool(tmp_path, settings=Settings(drain_s=0.0)) as pool:
        pending = asyncio.ensure_future(pool.send(ask()))
        (await pool.placed()).finish()
        async with await pending as answer:
            receipt = (await answer.json())["entraide"]

    assert {"zone": "unknown", "controlled_by": "unknown", "invented": False} == receipt["place"]
    assert [] == receipt["further_places"]


async def test_the_place_is_told_everywhere(tmp_path: Path) -> None:
    """At the well-known address, on the signed receipt, and on the statement."""
    async with open_pool(tmp_path) as pool:
        _, known = await pool.call("GET", "/.well-known/entraide")
        pending = asyncio.ensure_future(pool.send(ask(), X_Entraide_Jurisdiction="CA-ON"))
        run = await pool.placed()
        run.finish()
        async with await pending as answer:
            receipt = (await answer.json())["entraide"]
        _, statement = await pool.call("GET", "/v1/statement")
        keys = {key["id"]: receipts.ReceiptKey(**key) for key in known["receipt_keys"]}
    place = {"zone": PLACE.zone, "controlled_by": PLACE.controlled_by, "invented": False}
    signed = _decode(receipt)
    moved = _decode(receipt | {"place": place | {"zone": "CA-QC"}})

    assert [place] * 3 == [each["place"] for each in (known, receipt, statement)]
    assert [] == known["further_places"]
    assert "genuine" == receipts.verify(signed, keys)
    assert "altered" == receipts.verify(moved, keys)
    assert ServerPlace("CA-ON", "member") == signed.place


async def test_a_kept_answer_does_not_pass_a_server_that_does_not_fit(tmp_path: Path) -> None:
    """Once the server's place is not what the request named, its answer is not handed out there."""
    jobs = {}
    async with open_pool(tmp_path) as pool:
        for name, headers in {"named": {"X_Entraide_Jurisdiction": "CA-ON"}, "unnamed": {}}.items():
            body = {"request": ask()}
            async with pool.send(body, path="/v1/jobs", **headers) as answer:
                jobs[name] = (await answer.json())["id"]
            (await pool.placed()).finish("Salut")
            await eventually(lambda: pool.driver.counts["settled"] == len(jobs))
        here = {name: await pool.call("GET", f"/v1/jobs/{job}") for name, job in jobs.items()}
    async with open_pool(tmp_path, settings=Settings(drain_s=0.0)) as pool:
        there = {name: await pool.call("GET", f"/v1/jobs/{job}") for name, job in jobs.items()}
        erased = await pool.call("DELETE", f"/v1/jobs/{jobs['named']}?erase=true")
        row = await pool.store.get_kept(jobs["named"])

    assert {"named": 200, "unnamed": 200} == {name: status for name, (status, _) in here.items()}
    assert {"named": 503, "unnamed": 200} == {name: status for name, (status, _) in there.items()}
    assert "place_unknown" == there["named"][1]["error"]["code"]
    assert "Salut" not in json.dumps(there["named"][1])
    assert (200, None) == (erased[0], row)


def _decode(document: dict[str, object]) -> Receipt:
    return msgspec.convert(document, Receipt)


async def test_a_kept_request_does_not_follow_a_server_that_moved(tmp_path: Path) -> None:
    """What waits for Quebec ends when the pool comes back in Ontario, and runs nowhere."""
    home, away = (
        Settings(drain_s=0.0, place=ServerPlace("CA-QC", "member")),
        Settings(drain_s=0.0, place=PLACE),
    )
    async with open_pool(tmp_path, settings=home) as pool:
        job = (await submit(pool, X_Entraide_Jurisdiction="CA-QC"))[1]["id"]
        await pool.placed()
    async with open_pool(tmp_path, settings=away) as pool:
        row = await until_read(lambda: pool.store.get_kept(job), lambda row: row and row.ended_at)
        answer = await pool.call("GET", f"{JOBS}/{job}")

    assert row is not None
    assert ("failed", "place_outside") == (row.state, row.code)
    assert (503, "place_outside") == (answer[0], answer[1]["error"]["code"])
