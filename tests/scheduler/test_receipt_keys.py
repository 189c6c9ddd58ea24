"""The key that signs receipts is retired: receipts of before verify, and nodes notice nothing."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import ADMIN_KEY, RunningScheduler, running_scheduler
from tests.scheduler.test_service import ANSWER, CHAT
from tests.waiting import eventually

from entraide.errors import PoolError
from entraide.receipts import Verdict, read_keys, verify_document
from entraide.wire import messages as m
from entraide_scheduler.nats.keyfiles import read_private
from entraide_scheduler.nats.receipt_keys import (
    describe_key,
    load_catalogue_key,
    load_receipt_keys,
    rotate_receipt_key,
)

NOW = 1_000.0


def test_rotation_keeps_the_public_half(tmp_path: Path) -> None:
    """Each retired key stays with its dates; the catalogue's stays; the files are private."""
    first = describe_key(load_receipt_keys(tmp_path).signing)
    catalogue = describe_key(load_catalogue_key(tmp_path))
    rotate_receipt_key(tmp_path, now=NOW)
    second = describe_key(load_receipt_keys(tmp_path).signing)
    rotate_receipt_key(tmp_path, now=NOW + 1.0)
    keys = load_receipt_keys(tmp_path)

    assert [(second.id, NOW, NOW + 1.0), (first.id, 0.0, NOW)] == [
        (key.id, key.since, key.until) for key in keys.retired
    ]
    assert NOW + 1.0 == keys.since
    assert catalogue == describe_key(load_catalogue_key(tmp_path)) == first
    assert describe_key(keys.signing).id not in {first.id, second.id}
    assert {0o600} == {f.stat().st_mode & 0o777 for f in (tmp_path / "identity").iterdir()}


def test_rotation_that_was_cut_short_changes_nothing(tmp_path: Path) -> None:
    """If the new key was not written yet, the old one still signs and is not retired."""
    load_receipt_keys(tmp_path)
    file = tmp_path / "identity" / "receipts.pem"
    before = read_private(file)
    rotate_receipt_key(tmp_path, now=NOW)
    file.write_bytes(before)

    assert () == load_receipt_keys(tmp_path).retired


def test_damaged_history_is_refused(tmp_path: Path) -> None:
    """A list of retired keys that cannot be read stops the start, by name."""
    load_receipt_keys(tmp_path)
    rotate_receipt_key(tmp_path, now=NOW)
    (tmp_path / "identity" / "receipt-keys.json").write_bytes(b"{")
    with pytest.raises(PoolError) as refused:
        load_receipt_keys(tmp_path)

    assert "identity_unreadable" == refused.value.code


async def ask_once(pool: RunningScheduler, key: str, node: str = "") -> bytes:
    """Asks one question of a node that joins or comes back, and returns the whole answer."""
    joined = await pool.join(node or "n1")
    await joined.send_hello()
    await eventually(lambda: pool.state(joined.name) == "live")
    async with pool.session(key) as session:
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=CHAT))
        await eventually(lambda: joined.runs)
        await joined.finish(joined.runs[0], ANSWER)
        body = await (await pending).read()
        await eventually(lambda: joined.received(m.UsageAck))
    return body


async def test_receipts_of_before_and_after_verify(tmp_path: Path, bus: NatsPool) -> None:
    """With the document that the pool publishes now, all its receipts verify, settled or not."""
    async with running_scheduler(tmp_path, bus) as pool:
        key = await pool.operator.key("alpha")
        with pytest.raises(PoolError) as refused:
            rotate_receipt_key(tmp_path, now=NOW)
        before = await ask_once(pool, key)
        signing_key = pool.service.parts.enrolment._facts.signing_key
    rotated = rotate_receipt_key(tmp_path, now=json.loads(before)["entraide"]["issued_at"] + 1.0)
    async with running_scheduler(tmp_path, bus) as pool:
        after = await ask_once(pool, key, "n2")
        async with pool.session(key) as session:
            document = await (await session.get("/.well-known/entraide")).read()
            job = json.loads(before)["entraide"]["job"]
            settled = await (await session.get(f"/v1/jobs/{job}/receipt")).read()
        same_signing_key = pool.service.parts.enrolment._facts.signing_key
    keys = read_keys(document)
    verified = verify_document(b"\n".join([before, after, settled]), keys)

    assert "already_running" == refused.value.code
    assert [Verdict.GENUINE] * 3 == [each.verdict for each in verified]
    assert [bool(each.key and each.key.until) for each in verified] == [True, False, False]
    assert {rotated.retired[0].id, describe_key(rotated.signing).id} == set(keys)
    assert signing_key == same_signing_key
    assert ADMIN_KEY.encode() not in document
