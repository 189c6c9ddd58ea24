"""A batch whose file lost lines in the store."""

from pathlib import Path

import pytest
from sqlalchemy import delete
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

from entraide_scheduler.gateway import files
from entraide_scheduler.store import schema


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
