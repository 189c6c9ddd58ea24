"""A forgotten machine: its name goes from what the pool shows and keeps, and no restore shows it.

What stays under the name are signed receipts, and until their time the journal and the logs.
"""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.core.builders import MODEL
from tests.integration.nats_support import NatsPool, running_pool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.waiting import eventually

from entraide.files import write_private
from entraide.v1 import admin_pb2
from entraide_scheduler.erasure_list import BESIDE_BACKUPS
from entraide_scheduler.pool import sealed_file
from entraide_scheduler.pool.backup import write_backup
from entraide_scheduler.pool.config import FILE, PoolConfig
from entraide_scheduler.pool.create import format_config
from entraide_scheduler.pool.restore import restore_pool
from entraide_scheduler.service_parts import make_erasing
from entraide_scheduler.store.members import number_node
from entraide_scheduler.store.settlements import read_explanation
from entraide_scheduler.store.usage import read_lent

NAME = "portable-de-zoe"
PASSPHRASE = "quatre mots bien choisis"


async def use(pool: RunningScheduler, key: str) -> tuple[str, str]:
    """A machine joins and answers a kept job; returns the machine's key and the job."""
    node = await pool.join_live(NAME)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}]}
    async with pool.session(key) as session:
        async with session.post("/v1/jobs", json={"request": body}) as answer:
            job = (await answer.json())["id"]
        await eventually(lambda: node.runs)
        await node.finish(node.runs[0])
        await eventually(lambda: not pool.driver.core.open_jobs())
        await pool.service.parts.store.committed()
    return pool.registry.get(NAME).public_key, job


async def shown(pool: RunningScheduler, key: str, job: str) -> str:
    """What members and the operator see: status, explanation, statement, list, the core's state."""
    store = pool.service.parts.store
    texts: list[Any] = [pool.driver.core.snapshot()]
    async with pool.session(key) as session:
        for path in ("/status.json", f"/v1/jobs/{job}/explanation"):
            async with session.get(path) as answer:
                document = await answer.json()
                document.pop("receipt", None)
                texts.append(document)
    texts.append(await store.read(lambda c: read_lent(c, "beta", days=(0.0,), end_at=9e9)))
    texts.append(await store.read(lambda c: read_explanation(c, job)))
    texts.append(await pool.operator.ask("ListNodes", admin_pb2.ListNodesRequest()))
    return repr(texts)


async def start(stack: AsyncExitStack, state: Path) -> RunningScheduler:
    bus: NatsPool = await stack.enter_async_context(running_pool(state))
    config = PoolConfig(name="Parc d’essai", address="localhost")
    write_private(state / FILE, format_config(config).encode())
    return await stack.enter_async_context(running_scheduler(state, bus))


async def test_a_forgotten_machine_is_shown_by_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither status, explanations, statements nor the core have its name; a restore of a backup
    of before repeats that, while one without the list shows the name again."""
    monkeypatch.setattr(sealed_file, "SCRYPT_N", 2**4)
    file = tmp_path / "backups" / "old.backup"
    file.parent.mkdir()
    async with AsyncExitStack() as stack:
        pool = await start(stack, tmp_path / "0")
        key = await pool.operator.key("alpha")
        public_key, job = await use(pool, key)
        before = await shown(pool, key, job)
        await asyncio.to_thread(write_backup, pool.home, file, PASSPHRASE)
        for method in ("RevokeNode", "ForgetNode"):
            await pool.operator.ask(method, admin_pb2.NodeRequest(node=NAME))
        async with asyncio.timeout(10):  # a status is sent for a second
            while NAME in (after := await shown(pool, key, job)):
                pass
        erasing = make_erasing(pool.service.parts, pool.home, lambda: (1.0, str(file)))
        await eventually((file.parent / BESIDE_BACKUPS).exists)
        await erasing.stop()
    listed = (file.parent / BESIDE_BACKUPS).read_text()
    restored = []
    for number in (1, 2):
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(restore_pool, file, tmp_path / str(number), PASSPHRASE)
            (file.parent / BESIDE_BACKUPS).unlink(missing_ok=True)
            restored.append(await shown(await start(stack, tmp_path / str(number)), key, job))

    machine = number_node(public_key)
    assert [True, False, True] == [NAME in each for each in (before, *restored)]
    assert machine in after
    assert machine in restored[0]
    assert [machine] == [each["subject"] for each in json.loads(listed)["erased"]]
    assert NAME not in listed
