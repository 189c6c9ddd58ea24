"""Leaving: a pool that knows, and a folder without an identity."""

import asyncio
import sys
from pathlib import Path

import pytest
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler

from entraide.catalogue.model_store import PROOFS_NAME
from entraide_node import keys, service_commands
from entraide_node.join import JoinOptions, join_pool

PLACE = Path("models/small/gguf-Q4-00ff")


async def joined(pool: RunningScheduler, folder: Path) -> None:
    """A machine that joined, with fetched weights and a file of its owner's beside them."""
    token = await pool.operator.token("beta")
    await asyncio.to_thread(
        join_pool,
        pool.gateway.url,
        token,
        folder=folder,
        options=JoinOptions(name="mini", lang="en"),
    )
    (folder / PLACE).mkdir(parents=True)
    (folder / PLACE / PROOFS_NAME).write_text("{}")
    (folder / PLACE / "small.gguf").write_bytes(b"weights")
    (folder / "models/my-own.gguf").write_bytes(b"mine")


@pytest.mark.parametrize("weights", [True, False], ids=["with the weights", "without them"])
async def test_leaving(
    nats_pool: NatsPool, tmp_path: Path, weights: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pool revokes the identity, the folder forgets it, and weights go only when told to."""
    folder = tmp_path / "node"
    async with running_scheduler(tmp_path, nats_pool) as pool:
        await joined(pool, folder)
        status = await asyncio.to_thread(service_commands.leave_pool, folder, "en", weights=weights)
        row = await pool.operator.node("mini")
    left = {path.name for path in folder.iterdir()}

    assert (0, "revoked") == (status, row.approval)
    assert "revoked" in capsys.readouterr().out
    assert {"models", "node.toml"} == left
    assert weights is not (folder / PLACE / "small.gguf").exists()
    assert (folder / "models/my-own.gguf").exists()


async def test_leaving_says_what_stays_and_purge_takes_it(
    nats_pool: NatsPool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Leaving names what is left; with purge, also later, only what is not Entraide's stays."""
    folder = tmp_path / "node"
    monkeypatch.setattr(service_commands, "default_dir", lambda: folder)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    async with running_scheduler(tmp_path, nats_pool) as pool:
        await joined(pool, folder)
        (folder / "checksums.json").write_text("{}")
        (folder / "lent.json").write_text("{}")
        (folder / "release-trusted/root_history").mkdir(parents=True)
        (folder / "release-trusted/root_history/1.root.json").write_text("{}")
        await asyncio.to_thread(service_commands.leave_pool, folder, "en", weights=False)
        first = capsys.readouterr().out
        status = await asyncio.to_thread(
            service_commands.leave_pool, folder, "en", weights=None, purge=True
        )
        last = capsys.readouterr().out

    assert f"Left in {folder}: checksums.json, models, node.toml, release-trusted." in first
    assert "--purge" in first
    assert 0 == status
    assert "do not belong to Entraide: models." in last
    assert f"    rm -r {tmp_path} {Path.home()}/.local/bin/entraide\n" in last
    assert ["models/my-own.gguf"] == [
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    ]


async def test_joining_again_after_leaving(nats_pool: NatsPool, tmp_path: Path) -> None:
    """A machine that left comes back under another name, with a key of its own making."""
    folder = tmp_path / "node"
    async with running_scheduler(tmp_path, nats_pool) as pool:
        await joined(pool, folder)
        await asyncio.to_thread(service_commands.leave_pool, folder, "en", weights=True)
        await joined(pool, folder)
        row = await pool.operator.node("mini-2")

    assert "approved" == row.approval
    assert "mini-2" == keys.read_identity(folder).node


async def test_leaving_a_pool_that_is_away(
    nats_pool: NatsPool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an answer the identity is forgotten all the same, and the operator is named."""
    folder = tmp_path / "node"
    async with running_scheduler(tmp_path, nats_pool) as pool:
        await joined(pool, folder)
    status = await asyncio.to_thread(service_commands.leave_pool, folder, "en", weights=False)

    assert 0 == status
    assert "its operator can revoke the identity" in capsys.readouterr().out
    assert not (folder / keys.IDENTITY_NAME).exists()
