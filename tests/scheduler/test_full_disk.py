"""A full disk: new work is refused with one sentence, accepted work waits, and nothing is lost.

The stores are on a small file system that the tests fill and empty.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from tests.integration.nats_support import NatsPool
from tests.scheduler.batch_support import (
    BATCHES,
    answering_nodes,
    create,
    jsonl,
    lines,
    send_file,
    small_window,
    until,
)
from tests.scheduler.gateway_support import CHAT, KEY_A, Pool, ask, open_pool
from tests.scheduler.pool_support import Operator, running_scheduler
from tests.scheduler.test_batches import until_completed
from tests.small_disk import DISK_BYTES, SmallDisk, small_disk
from tests.waiting import eventually, until_read

from entraide_scheduler.store import space

JOBS = "/v1/jobs"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk, gone after the test."""
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted


@pytest.fixture(autouse=True)
def measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free space is measured at each question."""
    monkeypatch.setattr(space, "MEASURE_EVERY_S", 0.0)


async def post(pool: Pool, path: str, body: Any, lang: str = "en") -> tuple[int, dict[str, Any]]:
    """Posts a body; returns the status and the reply."""
    async with pool.send(body, path=path, Accept_Language=lang) as answer:
        return answer.status, await answer.json()


async def upload(pool: Pool) -> tuple[int, str]:
    """Uploads a small file; returns the status and the error's code."""
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", b"{}\n", filename="lot.jsonl")
    headers = {"authorization": f"Bearer {KEY_A}"}
    async with pool.session.post("/v1/files", data=form, headers=headers) as answer:
        return answer.status, (await answer.json())["error"]["code"]


async def test_new_kept_work_is_refused_before_the_disk_is_full(disk: SmallDisk) -> None:
    """With less than the reserve free, jobs, files and batches are refused in both languages;
    live requests go on and are billed; with space again, all are accepted."""
    async with open_pool(disk.folder) as pool:
        file = await send_file(pool, jsonl(*lines(2)))
        disk.fill(left=DISK_BYTES // 10)
        english = await post(pool, JOBS, {"request": ask()})
        french = await post(pool, JOBS, {"request": ask()}, "fr")
        uploaded = await upload(pool)
        batch = await create(pool, file)
        pending = asyncio.ensure_future(pool.send(ask()))
        run = await pool.placed()
        run.finish("Salut")
        async with await pending as answer:
            live = answer.status
        await pool.until_settled(run.run.job)
        disk.empty()
        again = await post(pool, JOBS, {"request": ask()})

    assert (507, "storage_full") == (english[0], english[1]["error"]["code"])
    assert english[1]["error"]["message"].startswith("The pool's disk is full")
    assert french[1]["error"]["message"].startswith("Le disque du parc est plein")
    assert ((507, "storage_full"), 507) == (uploaded, batch[0])
    assert (200, 202) == (live, again[0])


async def test_full_disk_loses_nothing_that_was_accepted(disk: SmallDisk) -> None:
    """Jobs that run when the disk becomes full are answered and billed once it has space; until
    then new work is refused, live or kept."""
    async with open_pool(disk.folder) as pool:
        _, kept = await post(pool, JOBS, {"request": ask()})
        of_kept = await pool.placed()
        pending = asyncio.ensure_future(pool.send(ask()))
        of_live = await pool.placed()
        await pool.driver.committed()
        disk.fill()
        of_live.finish("Oui")
        of_kept.finish("Salut")
        async with await pending as answer:
            live = answer.status
        await eventually(lambda: pool.store.space.full.is_present)
        refused = [(await post(pool, path, body))[0] for path, body in (
            (JOBS, {"request": ask()}), (CHAT, ask()), (BATCHES, {}),
        )]  # fmt: skip
        settled = await pool.store.count_settled()
        disk.empty()
        await pool.until_settled(of_kept.run.job)
        await pool.until_settled(of_live.run.job)
        _, view = await pool.call("GET", f"{JOBS}/{kept['id']}")
        after = (await post(pool, JOBS, {"request": ask()}))[0]

    assert (200, 0) == (live, settled)
    assert [507, 507, 400] == refused
    assert "Salut" == view["result"]["choices"][0]["message"]["content"]
    assert 202 == after


async def test_lines_of_a_batch_wait_for_space(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch goes on with its next lines once the disk has space, and each is answered once."""
    small_window(monkeypatch, 2)
    async with open_pool(disk.folder) as pool:
        _, batch = await create(pool, jsonl(*lines(6)))
        first = [await pool.placed() for _ in range(2)]
        disk.fill(left=DISK_BYTES // 10)
        for run in first:
            run.finish("Oui")
        await until_completed(pool, batch["id"], 2)
        none = pool.nodes.runs.empty()
        disk.empty()
        async with answering_nodes(pool):
            done = await until(pool, batch["id"], "completed")
        settled = await pool.store.count_settled()

    assert none
    assert ({"total": 6, "completed": 6, "failed": 0}, 6) == (done["request_counts"], settled)


async def make_keys(operator: Operator) -> None:
    """Makes keys: the store's log may have room of before for some of them."""
    for _ in range(1_000):
        await operator.key()


async def key_or_none(operator: Operator) -> str:
    """A new key; "" while the store, which looks again from time to time, knows of no space."""
    try:
        return str(await operator.key())
    except grpc.aio.AioRpcError:
        return ""


async def test_change_of_the_operator_is_refused_on_a_full_disk(
    disk: SmallDisk, bus: NatsPool, tmp_path: Path
) -> None:
    """A key that cannot be stored is not made; the call says why, and works once there is space."""
    store = f'store_url = "sqlite:///{disk.folder}/store.db"'
    async with running_scheduler(tmp_path, bus, store) as pool:
        disk.fill()
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await make_keys(pool.operator)
        disk.empty()
        secret = await until_read(lambda: key_or_none(pool.operator), bool)

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == refusal.value.code()
    assert "Le disque du parc est plein" in str(refusal.value.details())
    assert secret
