"""A batch whose file lost lines in the store, and one whose row was read too early."""

from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import delete
from structlog.testing import capture_logs
from tests.scheduler.batch_support import (
    answering_nodes,
    create,
    jsonl,
    lines,
    read_lines,
    small_window,
    until,
)
from tests.scheduler.gateway_support import open_pool

from entraide_scheduler.gateway.batches import files
from entraide_scheduler.store import batches, schema


async def test_lines_that_the_file_no_longer_has_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch whose file lost a part in the store ends, with an error for each missing line."""
    monkeypatch.setattr(files, "PART_BYTES", 400)
    small_window(monkeypatch, 1)
    lost = delete(schema.file_parts).where(schema.file_parts.c.number > 0)
    async with open_pool(tmp_path) as pool:
        _, batch = await create(pool, jsonl(*lines(9)))
        first = await pool.placed()
        await pool.store.write(lambda connection: connection.execute(lost).rowcount)
        first.finish("Oui")
        async with answering_nodes(pool):
            done = await until(pool, batch["id"], "completed")
        errors = await read_lines(pool, done["error_file_id"])

    counts = done["request_counts"]
    assert (9, 9) == (counts["total"], counts["completed"] + counts["failed"])
    assert counts["failed"] >= 6
    codes = [entry["response"]["body"]["error"]["code"] for entry in errors]
    assert {"internal", "invalid_json"} == set(codes)  # the line at the gap is no JSON
    assert 1 == codes.count("invalid_json")


async def test_a_batch_is_validated_once(tmp_path: Path) -> None:
    """A row that was read before the end of the validation does not begin another one."""
    async with open_pool(tmp_path) as pool:
        _, batch = await create(pool, jsonl(*lines(1)))
        await until(pool, batch["id"], "in_progress")
        row = await pool.store.read(lambda connection: batches.get_batch(connection, batch["id"]))
        assert row is not None
        feeder = pool.gateway._feeder
        assert feeder is not None
        with capture_logs() as logs:
            await feeder._validate(structs.replace(row, state="validating"))

    assert [] == [entry for entry in logs if entry["event"] == "batch.validated"]
