"""A running pool closes its months by itself, in a process of its own, and goes on serving them."""

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select
from tests.integration.nats_support import NatsPool
from tests.scheduler.closing_support import TORONTO
from tests.scheduler.driver_support import store_url
from tests.scheduler.pool_support import running_scheduler
from tests.scheduler.rows import settle_row

from entraide.cli.app import run_command
from entraide.receipts import Verdict, read_keys, verify_document
from entraide.v1 import admin_pb2
from entraide_scheduler.books import closing, month_span
from entraide_scheduler.store.closed_files import find_file
from entraide_scheduler.store.schema import settled
from entraide_scheduler.store.store import Store

MONTH = "2026-09"
JOB = "job-00000000000000000001"


async def fill(folder: Path) -> None:
    """Puts a month of long ago into the store of a pool that does not run yet."""
    store = await Store.open(store_url(folder))
    start_at, _ = month_span(MONTH, TORONTO)
    for number in range(30):
        made = settle_row(f"job-{number:020x}", at=start_at + number * 3_600.0)
        store.write_settlement(replace(made, key="key-alpha", project="p"))
    await store.committed()
    await store.close()


async def test_a_running_pool_closes_a_month(
    tmp_path: Path, bus: NatsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its statement stays, its receipts are signed and genuine, and its file verifies with the keys
    that the pool publishes."""
    await fill(tmp_path)
    request = admin_pb2.GetStatementRequest(coop="alpha", month=MONTH)
    async with running_scheduler(tmp_path, bus) as pool:
        key = await pool.operator.key("alpha")
        before = await pool.operator.ask("GetStatement", request)
    monkeypatch.setattr(closing, "CHECK_EVERY_S", 0.1)
    # A process of low priority gets no time while other tests take the processor.
    monkeypatch.setattr(closing, "EXPORT_LIMITS", replace(closing.EXPORT_LIMITS, niceness=0))
    async with running_scheduler(tmp_path, bus) as pool:
        store = pool.service.parts.store
        count = select(func.count()).select_from(settled)
        async with asyncio.timeout(60):
            while await store.read(lambda c: c.execute(count).scalar()):
                await store.committed()
        after = await pool.operator.ask("GetStatement", request)
        status = await pool.operator.ask("GetStatus", admin_pb2.GetStatusRequest())
        async with pool.session(key) as session:
            published = await (await session.get("/.well-known/entraide")).read()
            answer = await session.get(f"/v1/jobs/{JOB}/receipt")
            receipt = await answer.read()
            unknown = (await session.get("/v1/jobs/job-00000000000000ffffff/receipt")).status
    (tmp_path / "keys.json").write_bytes(published)
    file = find_file(tmp_path, MONTH)
    arguments = ["receipts", "verify", str(file), "--keys", str(tmp_path / "keys.json")]
    (verified,) = verify_document(receipt, read_keys(published))

    assert 30 == before.received.jobs
    assert after.closed_at
    after.ClearField("closed_at")
    after.ClearField("root")
    assert before == after
    assert 30 == status.settled
    assert (200, 404) == (answer.status, unknown)
    assert (Verdict.GENUINE, JOB) == (verified.verdict, json.loads(receipt)["job"])
    assert 0 == await asyncio.to_thread(run_command, arguments, "en")
    assert 0o600 == file.stat().st_mode & 0o777
    assert 0o700 == file.parent.stat().st_mode & 0o777
