"""What is on the disk of texts: nothing in clear, and nothing at all of what was erased."""

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest
from tests.scheduler.batch_support import (
    FILES,
    answering_nodes,
    create,
    jsonl,
    line,
    lines,
    send_file,
    until,
)
from tests.scheduler.gateway_support import KEY_B, Pool, ask, everything, open_pool
from tests.scheduler.test_gateway_kept import JOBS, ended, submit
from tests.waiting import eventually

from entraide_scheduler.gateway.jobs import kept_jobs
from entraide_scheduler.store import erasures, files
from entraide_scheduler.store.rows import KeptJobRow

LONG = "Quelle est la capitale du Yukon ? " * 400  # more than a page of the database


async def kept_row(pool: Pool, job: str) -> KeptJobRow:
    row = await pool.store.get_kept(job)
    assert row is not None
    return row


def has_text(stored: bytes, sealed: bytes) -> bool:
    """Whether a sealed text, or a part of it that a page may hold, is among stored bytes."""
    return any(sealed[start : start + 64] in stored for start in range(0, len(sealed) - 64, 64))


@pytest.mark.parametrize(("method", "end"), [("DELETE", ""), ("POST", "/cancel")])
async def test_an_erased_job_is_gone_from_the_disk(tmp_path: Path, method: str, end: str) -> None:
    """A finished job leaves neither request nor answer; its receipt stays, others cannot erase."""
    async with open_pool(tmp_path) as pool:
        _, job = await submit(pool, ask(LONG))
        (await pool.placed()).finish("Whitehorse " * 900)
        await ended(pool, job["id"])
        await pool.until_settled(job["id"])
        row = await kept_row(pool, job["id"])
        before = everything(tmp_path)
        path = f"{JOBS}/{job['id']}{end}"
        stranger = await pool.call(method, f"{path}?erase=true", key=KEY_B)
        refused = await pool.call(method, path)
        wrong = await pool.call(method, f"{path}?erase=maybe")
        kept = await kept_row(pool, job["id"])
        erased = await pool.call(method, f"{path}?erase=true")
        after = everything(tmp_path)
        unknown = await pool.call("GET", f"{JOBS}/{job['id']}")
        receipt = await pool.call("GET", f"{JOBS}/{job['id']}/receipt")
        noted = await pool.store.read(erasures.list_erasures)

    assert has_text(before, row.sealed_body)
    assert has_text(before, row.sealed_result)
    assert (404, 409, 400) == (stranger[0], refused[0], wrong[0])
    assert row == kept
    assert (200, "completed") == (erased[0], erased[1]["state"])
    assert "result" not in erased[1]
    assert not has_text(after, row.sealed_body)
    assert not has_text(after, row.sealed_result)
    assert (404, 200) == (unknown[0], receipt[0])
    assert [job["id"]] == [erasure.subject for erasure in noted]


async def test_a_cancelled_question_is_gone_from_the_log(tmp_path: Path) -> None:
    """It is erased at once, also from the log in which SQLite keeps earlier pages."""
    async with open_pool(tmp_path) as pool:
        _, job = await submit(pool, ask(LONG))
        (await pool.placed()).accept()
        row, before = await kept_row(pool, job["id"]), everything(tmp_path)
        await pool.call("POST", f"{JOBS}/{job['id']}/cancel")
        after = everything(tmp_path)

    assert has_text(before, row.sealed_body)
    assert not has_text(after, row.sealed_body)


async def test_a_deleted_file_is_gone_from_the_log(tmp_path: Path) -> None:
    """So is a file of requests."""
    async with open_pool(tmp_path) as pool:
        file = await send_file(pool, jsonl(*lines(300)))
        sealed = await pool.store.read(partial(files.read_part, file=file, number=0))
        assert sealed is not None
        before = everything(tmp_path)
        await pool.call("DELETE", f"{FILES}/{file}")
        after = everything(tmp_path)

    assert has_text(before, sealed)
    assert not has_text(after, sealed)


async def test_an_expired_text_is_gone_from_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is a finished job, within a minute after its time."""
    monkeypatch.setattr(kept_jobs, "EXPIRE_EVERY_S", 0.01)
    async with open_pool(tmp_path) as pool:
        async with pool.send({"request": ask(LONG), "keep_s": 0.01}, path=JOBS) as answer:
            job = await answer.json()
        run = await pool.placed()
        row, before = await kept_row(pool, job["id"]), everything(tmp_path)
        run.finish()
        await eventually(lambda: not has_text(everything(tmp_path), row.sealed_body))

    assert has_text(before, row.sealed_body)


async def test_a_running_job_is_erased_for_good(tmp_path: Path) -> None:
    """Its machine is stopped, what that machine still sends is not kept, and no start runs it."""
    async with open_pool(tmp_path) as pool:
        _, job = await submit(pool, ask(LONG), Idempotency_Key="k")
        run = await pool.placed()
        run.accept()
        row = await kept_row(pool, job["id"])
        status, view = await pool.call("DELETE", f"{JOBS}/{job['id']}?erase=true")
        await pool.cancelled()
        run.end(body=b'{"late": true}')
        await pool.store.committed()
        stored = everything(tmp_path)
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        later = await pool.call("GET", f"{JOBS}/{job['id']}")
        _, again = await submit(pool, ask(LONG), Idempotency_Key="k")
        async with asyncio.timeout(10):
            await ended(pool, again["id"])

    assert (200, "cancelled") == (status, view["state"])
    assert not has_text(stored, row.sealed_body)
    assert 404 == later[0]
    assert job["id"] != again["id"]
    assert json.dumps(view).count("Yukon") == 0


async def test_what_a_fault_quotes_is_sealed(tmp_path: Path) -> None:
    """The names of lines are nowhere in clear, those of a file that was refused neither."""
    name = "Zoé Tremblay, 046 454 286"
    async with open_pool(tmp_path) as pool:
        _, batch = await create(pool, jsonl(line(name), line(name)))
        failed = await until(pool, batch["id"], "failed")
        stored = everything(tmp_path)

    assert "duplicate_custom_id" == failed["errors"]["data"][0]["code"]
    assert b"046 454 286" not in stored
    assert batch["id"].encode() in stored
