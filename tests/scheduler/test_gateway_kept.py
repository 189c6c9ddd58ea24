"""Kept jobs: encrypted in the store before the reply, and completed after restarts."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from tests.contract.receipts import is_signed_by
from tests.scheduler.batch_support import answering_nodes
from tests.scheduler.driver_support import SILENT
from tests.scheduler.gateway_support import (
    KEY_B,
    MODEL,
    SIGNER,
    WAIT_S,
    Pool,
    ask,
    everything,
    open_pool,
)
from tests.waiting import eventually

from entraide.types import Receipt
from entraide_scheduler.core import events as e
from entraide_scheduler.gateway.jobs import Sealer
from entraide_scheduler.store.rows import KeptJobRow

JOBS = "/v1/jobs"


async def submit(pool: Pool, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    async with pool.send({"request": body or ask()}, path=JOBS, **headers) as answer:
        return answer.status, await answer.json()


async def ended(pool: Pool, job: str) -> dict[str, Any]:
    """Waits until a kept job has ended in the store."""
    async with asyncio.timeout(WAIT_S):
        while True:
            await pool.store.committed()
            _, view = await pool.call("GET", f"{JOBS}/{job}")
            if view.get("ended_at"):
                return view
            await asyncio.sleep(0)


async def test_kept_job_is_answered_later(tmp_path: Path) -> None:
    """A kept job is accepted at once; its result and receipt are there when it has ended."""
    async with open_pool(tmp_path) as pool:
        status, job = await submit(pool, ask(stream=True, max_tokens=5))
        run = await pool.placed()
        run.finish("Salut")
        view = await ended(pool, job["id"])
        again = (await pool.call("GET", f"{JOBS}/{job['id']}"))[1]
        other = await pool.call("GET", f"{JOBS}/{job['id']}", key=KEY_B)
    receipt = msgspec.convert(view["receipt"], Receipt)

    assert (202, "queued", "kept") == (status, job["state"], job["kind"])
    assert {"model", "messages", "max_tokens", "stream", "chat_template_kwargs"} == set(run.body)
    assert run.body["stream"] is False
    assert "completed" == view["state"]
    assert "Salut" == view["result"]["choices"][0]["message"]["content"]
    assert view["result"]["entraide"]["job"] == job["id"] == receipt.job
    assert is_signed_by(receipt, SIGNER._key.public_key())
    assert view == again
    assert (404, "unknown_job") == (other[0], other[1]["error"]["code"])


async def test_kept_job_survives_a_restart(tmp_path: Path) -> None:
    """A job that was running when everything stopped runs again, and is billed once."""
    async with open_pool(tmp_path) as pool:
        _, job = await submit(pool)
        first = await pool.placed()
        first.accept()
    async with open_pool(tmp_path) as pool:
        second = await pool.placed()
        second.finish("Enfin")
        view = await ended(pool, job["id"])
        await pool.until_settled(job["id"])
        settled = await pool.store.count_settled()

    assert first.run.job == second.run.job == job["id"]
    assert first.run.epoch < second.run.epoch
    assert "Enfin" == view["result"]["choices"][0]["message"]["content"]
    assert 1 == settled


async def test_a_job_that_is_placed_again_while_its_request_is_read_is_placed_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow disk an offer may expire before its run starts; the run of the next one counts."""
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        hasty = msgspec.structs.replace(SILENT, offer_timeout_s=1.0)
        policy = msgspec.structs.replace(pool.driver.policy, version="v2", timing=hasty)
        pool.driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=policy))
        is_read, get_kept = asyncio.Event(), pool.store.get_kept

        async def read_slowly(job: str) -> KeptJobRow | None:
            row = await get_kept(job)
            await is_read.wait()
            return row

        monkeypatch.setattr(pool.store, "get_kept", read_slowly)
        submitted = asyncio.create_task(submit(pool))
        await eventually(lambda: pool.driver.counts["placed"] == 2)
        is_read.set()
        _, job = await submitted
        await pool.until_settled(job["id"])
        view = await ended(pool, job["id"])
        settled = await pool.store.count_settled()
        placed = pool.driver.counts["placed"]

    assert ("completed", 1, 2) == (view["state"], settled, placed)


async def test_store_holds_no_text(tmp_path: Path) -> None:
    """Neither question nor answer can be read in the store's files."""
    async with open_pool(tmp_path) as pool:
        _, job = await submit(pool, ask("Quelle est la capitale du Yukon"))
        (await pool.placed()).finish("Whitehorse")
        await ended(pool, job["id"])
    stored = everything(tmp_path)

    assert job["id"].encode() in stored
    assert b"Yukon" not in stored
    assert b"Whitehorse" not in stored


async def test_idempotency_key_gives_the_same_job(tmp_path: Path) -> None:
    """The same request with the same key is the same job; another request with it is refused."""
    async with open_pool(tmp_path) as pool:
        first = await submit(pool, Idempotency_Key="k")
        second = await submit(pool, Idempotency_Key="k")
        third = await submit(pool, ask("Autre"), Idempotency_Key="k")
        (await pool.placed()).finish()
        view = await ended(pool, first[1]["id"])

    assert (202, 202, 409) == (first[0], second[0], third[0])
    assert first[1]["id"] == second[1]["id"] == view["id"]
    assert pool.nodes.runs.empty()


@pytest.mark.parametrize(
    "demand",
    [
        {"X_Entraide_Data_Class": "restricted"},
        {"X_Entraide_Jurisdiction": "CA-QC"},
        {"X_Entraide_Controlled_By": "member"},
        {"X_Entraide_Max_gCO2e": "3"},
        {"X_Entraide_Class": "interactive"},
    ],
    ids=lambda demand: next(iter(demand)),
)
async def test_idempotency_key_gives_no_job_of_other_demands(
    tmp_path: Path, demand: dict[str, str]
) -> None:
    """Who demands more the second time does not get an answer that was made without it."""
    async with open_pool(tmp_path) as pool:
        first = await submit(pool, Idempotency_Key="k", X_Entraide_Class="standard")
        same = await submit(pool, Idempotency_Key="k", X_Entraide_Class="standard")
        wish = {"X_Entraide_Class": "standard", **demand}
        other = await submit(pool, Idempotency_Key="k", **wish)

    assert first[1]["id"] == same[1]["id"]
    assert (409, "idempotency_mismatch") == (other[0], other[1]["error"]["code"])


@pytest.mark.parametrize("method", ["DELETE", "POST"])
async def test_cancelled_kept_job_stops_its_node(tmp_path: Path, method: str) -> None:
    """Cancelling stops the run, and what the node still says changes nothing."""
    async with open_pool(tmp_path) as pool:
        _, job = await submit(pool)
        run = await pool.placed()
        run.accept()
        path = f"{JOBS}/{job['id']}" + ("/cancel" if method == "POST" else "")
        status, view = await pool.call(method, path)
        await pool.cancelled()
        run.end(body=b'{"late": true}')
        after = await ended(pool, job["id"])
        again = await pool.call(method, path)

    assert (200, "cancelled") == (status, view["state"])
    assert view == after
    assert (409, "job_ended") == (again[0], again[1]["error"]["code"])


async def test_the_text_of_a_cancelled_job_is_erased(tmp_path: Path) -> None:
    """The encrypted request goes when its job is cancelled; the same request is still that job."""
    async with open_pool(tmp_path) as pool:
        _, job = await submit(pool, Idempotency_Key="k")
        before = await pool.store.get_kept(job["id"])
        await pool.call("DELETE", f"{JOBS}/{job['id']}")
        await ended(pool, job["id"])
        after = await pool.store.get_kept(job["id"])
        again = await submit(pool, Idempotency_Key="k")

    assert before is not None
    assert after is not None
    assert before.sealed_body
    assert b"" == after.sealed_body
    assert (202, job["id"], "cancelled") == (again[0], again[1]["id"], again[1]["state"])


async def test_kept_job_that_is_refused_says_why(tmp_path: Path) -> None:
    """A kept job that the core does not admit ends as refused, with the code and a sentence."""
    async with open_pool(tmp_path) as pool:
        _, job = await submit(pool, ask() | {"model": "grand"}, Accept_Language="en")
        view = await ended(pool, job["id"])

    assert ("refused", "unknown_model") == (view["state"], view["code"])
    assert view["message"]


async def test_lost_node_does_not_lose_a_kept_job(tmp_path: Path) -> None:
    """A kept job whose node goes is run by another."""
    async with open_pool(tmp_path) as pool:
        _, job = await submit(pool)
        first = await pool.placed()
        first.accept()
        pool.driver.feed(e.NodeLeft(*e.UNNUMBERED, node=first.node, reason="goodbye"))
        second = await pool.placed()
        second.finish("Oui")
        view = await ended(pool, job["id"])

    assert first.node != second.node
    assert second.node == view["receipt"]["node"]


async def test_jobs_are_listed_newest_first(tmp_path: Path) -> None:
    """A co-op sees its own jobs, live and kept, the newest first."""
    async with open_pool(tmp_path) as pool:
        _, old = await submit(pool)
        (await pool.placed()).accept()
        pending = asyncio.ensure_future(pool.send(ask()))
        live_jobs = await pool.placed()
        mine = (await pool.call("GET", JOBS))[1]["data"]
        theirs = (await pool.call("GET", JOBS, key=KEY_B))[1]["data"]
        listed_job = (await pool.call("GET", f"{JOBS}?limit=1"))[1]["data"]
        live_jobs.finish()
        (await pending).release()

    assert [live_jobs.run.job, old["id"]] == [job["id"] for job in mine]
    assert ["live", "kept"] == [job["kind"] for job in mine]
    assert [] == theirs
    assert [live_jobs.run.job] == [job["id"] for job in listed_job]


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"path": "/v1/chat/completions"}',
        json.dumps({"request": ask(), "path": "/v1/embeddings"}).encode(),
        json.dumps({"request": ask(), "keep_s": 1e9}).encode(),
        json.dumps({"request": {"model": MODEL}}).encode(),
        json.dumps({"request": ask(), "surprise": 1}).encode(),
    ],
)
async def test_malformed_kept_jobs_are_refused(tmp_path: Path, body: bytes) -> None:
    """What is no kept job leaves nothing in the store."""
    async with open_pool(tmp_path) as pool:
        async with pool.send(body, path=JOBS) as answer:
            error = (await answer.json())["error"]
        listed = await pool.store.list_kept("alpha", 10)

    assert (400, "invalid_request") == (answer.status, error["code"])
    assert () == listed


def test_seal_is_bound_to_its_job() -> None:
    """What was sealed for one job cannot be opened as another's, nor once altered."""
    seal = Sealer(bytes(32))
    sealed = seal.seal("kept-1", "request", b"texte")
    wrong = [("kept-2", "request", sealed), ("kept-1", "result", sealed)]
    wrong += [("kept-1", "request", sealed[:-1] + bytes([sealed[-1] ^ 1]))]

    assert b"texte" == seal.unseal("kept-1", "request", sealed)
    for attempt in wrong:
        with pytest.raises(InvalidTag):
            seal.unseal(*attempt)
