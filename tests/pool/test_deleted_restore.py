"""Deletions and restores: what went after a backup neither comes back nor runs again."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.pool.recorded_support import recorded_pool, store_url
from tests.scheduler.rows import kept_row
from tests.scheduler.test_batch_store import batch_row, file_row

from entraide.types import JobState
from entraide_scheduler.erasure_list import BESIDE_BACKUPS, ErasureList, merge_into
from entraide_scheduler.gateway.batches.files import Files
from entraide_scheduler.gateway.batches.results import ResultFile
from entraide_scheduler.gateway.batches.states import UNENDED, BatchState
from entraide_scheduler.gateway.batches.use_cases import Batches
from entraide_scheduler.gateway.batches.way import Way
from entraide_scheduler.gateway.jobs import Caller, Sealer
from entraide_scheduler.pool import sealed_file
from entraide_scheduler.pool.backup import write_backup
from entraide_scheduler.pool.restore import restore_pool
from entraide_scheduler.store import batches, erasures, files, kept_jobs
from entraide_scheduler.store.batch_results import add_result
from entraide_scheduler.store.rows import BatchResultRow
from entraide_scheduler.store.schema import batch_results
from entraide_scheduler.store.store import Store

PASSPHRASE = "quatre mots bien choisis"
SECRET = b"quetzal, sealed" * 40
NOW = 2e9
ME = Caller("key-alpha", "alpha", "main")
KEPT_FILE, GONE, READ = (f"file-{digit * 22}" for digit in "123")
ENDED, RUNNING, CANCELLED = (f"batch_{digit * 22}" for digit in "456")
JOB, WAITING = f"kept-{'7' * 32}", f"kept-{'8' * 32}"
END = {"code": "cancelled", "sealed_result": b"", "receipt_json": b"", "ended_at": NOW}


@pytest.fixture(autouse=True, scope="module")
def cheap_key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed_file, "SCRYPT_N", 2**10)
        yield


def empty_pool(folder: Path) -> Path:
    """A pool's directory with an empty store, and a folder for backups."""
    state = recorded_pool(folder / "pool")
    (state / "store.db").unlink()
    (folder / "backups").mkdir()
    return state


def fill(connection: Connection) -> None:
    """Three files, one of which a batch reads; a batch that has ended and two that run, each with
    an answer and an error; two questions that wait."""
    for name in (KEPT_FILE, GONE, READ):
        row = file_row(name, sealed_name=SECRET, complete=True, created_at=1.0, expires_at=2 * NOW)
        files.create_file(connection, row, 10)
        files.add_part(connection, name, "alpha", files.SealedPart(0, SECRET, 1), 1000)
    for name, state in ((ENDED, "completed"), (RUNNING, "in_progress"), (CANCELLED, "in_progress")):
        ended_at = 1.0 if name == ENDED else 0.0
        row = batch_row(name, state=state, input_file=READ, keep_s=2 * NOW, ended_at=ended_at)
        batches.create_batch(connection, row, unended_states=UNENDED, unended_max=10)
        for line, code in ((1, ""), (2, "engine_failed")):
            result = BatchResultRow(name, line, f"{name}{line}", code, SECRET, SECRET)
            add_result(connection, result)
    for job in (JOB, WAITING):
        kept_jobs.put_job(connection, kept_row(job, sealed_body=SECRET))


def found(connection: Connection) -> dict[str, Any]:
    """What a store has of all this."""
    results = connection.execute(select(batch_results.c.batch, batch_results.c.code)).all()
    rows = batches.list_in(connection, tuple(BatchState))
    return {
        "files": {row.file for row in files.list_files(connection, "alpha")},
        "soon over": {row.file for row in files.list_files(connection, "alpha", ())
                      if row.expires_at <= NOW},
        "results": {(batch, code) for batch, code in results},
        "states": {row.batch: row.state for row in rows},
        "kept": {row.batch for row in rows if row.keep_s},
        "waiting": {row.job for row in kept_jobs.list_pending(connection)},
    }  # fmt: skip


async def remove(store: Store) -> None:
    """Deletes and cancels as clients do."""
    sealer = Sealer(b"0" * 32)
    sent = Files(store, sealer, mb_per_coop=10)
    use_cases = Batches(
        store, sealer, sent, clock=datetime.fromtimestamp, on_change=list, way=Way(tuple)
    )
    await sent.delete(ME, GONE, UNENDED)
    row = await use_cases.find(ME, ENDED)
    await use_cases.delete_results(row, ResultFile(ENDED, failed=False))
    await use_cases.end(CANCELLED)
    await store.write(
        lambda c: kept_jobs.end_job(c, JOB, state=JobState.CANCELLED, **END)  # type: ignore[arg-type]
    )


async def test_a_restore_deletes_and_cancels_again(tmp_path: Path) -> None:
    """A deleted file and deleted answers are gone from what is restored, a cancelled question does
    not wait there and a cancelled batch does not go on; what nobody touched is as it was."""
    state, place = empty_pool(tmp_path), tmp_path / "backups"
    store = await Store.open(store_url(state))
    await store.write(fill)
    before = await store.read(found)
    write_backup(state, place / "old.backup", PASSPHRASE)
    await remove(store)
    merge_into(place / BESIDE_BACKUPS, ErasureList(await store.read(erasures.list_erasures)))
    left = await store.read(lambda c: erasures.find_left(c, erasures.list_erasures(c)))
    await store.close()
    restored = restore_pool(place / "old.backup", tmp_path / "again", PASSPHRASE)
    store = await Store.open(store_url(tmp_path / "again"))
    after = await store.read(found)
    await store.close()

    assert [] == left
    assert 4 == restored.erased
    assert before["files"] - {GONE} == after["files"]
    assert before["results"] - {(ENDED, "")} == after["results"]
    assert before["states"] | {CANCELLED: "cancelling"} == after["states"]
    assert before["waiting"] - {JOB} == after["waiting"]
    assert (before["kept"], set()) == (after["kept"], after["soon over"])


async def test_what_a_batch_of_before_still_reads_or_writes_goes_with_its_end(
    tmp_path: Path,
) -> None:
    """In the backup the batch still ran: its input stays until it has ended, and its answers then
    go with it."""
    state, place = empty_pool(tmp_path), tmp_path / "backups"
    store = await Store.open(store_url(state))
    await store.write(fill)
    await store.close()
    write_backup(state, place / "old.backup", PASSPHRASE)
    subjects = (READ, f"file-{RUNNING.removeprefix('batch_')}-output")
    noted = tuple(erasures.Erasure(subject, NOW) for subject in subjects)
    merge_into(place / BESIDE_BACKUPS, ErasureList(noted))
    restore_pool(place / "old.backup", tmp_path / "again", PASSPHRASE)
    store = await Store.open(store_url(tmp_path / "again"))
    after = await store.read(found)
    left = await store.read(lambda c: erasures.find_left(c, erasures.list_erasures(c)))
    await store.close()

    assert {READ} == after["soon over"]
    assert {ENDED, CANCELLED} == after["kept"]
    assert (RUNNING, "") not in after["results"]
    assert [] == left
