"""Erased jobs: what the pool kept of a job's text is gone from its disk at once."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.scheduler.batch_support import answering_nodes
from tests.scheduler.gateway_support import KEY_B, Pool, ask, everything, open_pool
from tests.scheduler.test_gateway_kept import JOBS, ended, submit

from entraide_scheduler.store import erasures
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
