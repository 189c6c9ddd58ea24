"""Closed months are in a backup, come back from it, and the doctor says if a file is not right."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pool.recorded_support import recorded_pool, store_url
from tests.scheduler.closing_support import make_closer

from entraide.closed_months import verify_month
from entraide.receipts import Verdict
from entraide_scheduler.gateway import ReceiptSigner
from entraide_scheduler.pool import backup_records, sealed_file
from entraide_scheduler.pool.backup import write_backup
from entraide_scheduler.pool.books_check import check_books
from entraide_scheduler.pool.config import load_pool_config
from entraide_scheduler.pool.restore import put_back, restore_pool
from entraide_scheduler.store import closed_months
from entraide_scheduler.store.closed_files import ClosedFiles, find_file
from entraide_scheduler.store.settlements import SettledReceipt
from entraide_scheduler.store.store import Store

PASSPHRASE = "quatre mots bien choisis"
LATER = 2_000_000_000.0  # after the recorded months


@pytest.fixture(autouse=True, scope="module")
def cheap() -> Iterator[None]:
    """The key's derivation costs little, and a month's file has several parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed_file, "SCRYPT_N", 2**10)
        patch.setattr(backup_records, "PART_BYTES", 1_000)
        yield


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded pool with its months closed."""
    state = recorded_pool(tmp_path_factory.mktemp("closed"))
    asyncio.run(close_months(state))
    return state


async def close_months(state: Path) -> None:
    """Closes all months of a pool."""
    store = await Store.open(store_url(state))
    try:
        assert await make_closer(store, state, LATER).run_once()
    finally:
        await store.close()


async def read_books(state: Path) -> tuple[dict[str, dict[str, int]], int, SettledReceipt | None]:
    """The balances, the number of jobs, and the receipt of a job of a closed month."""
    store = await Store.open(store_url(state))
    try:
        store.closed = ClosedFiles(state, ReceiptSigner.load(state).keys)
        (month, *_) = await store.read(closed_months.list_months)
        with find_file(state, month.month).open("rb") as file:
            verified = verify_month(file, ReceiptSigner.load(state).keys)
            assert Verdict.GENUINE is verified.verdict
            file.seek(0)
            job = first_job(file)
        return await store.get_balances(), await store.count_settled(), await store.get_receipt(job)
    finally:
        await store.close()


def first_job(file: object) -> str:
    """The first job of a month."""
    from entraide.closed_months import open_month

    return next(
        each.name for each in open_month(file).read_records(0) if each.name.startswith("job-")
    )


async def test_closed_months_are_restored(closed: Path, tmp_path: Path) -> None:
    """Files, sums and receipts are the same in the restored pool, and its doctor is content."""
    books = await read_books(closed)
    write_backup(closed, tmp_path / "pool.backup", PASSPHRASE)
    restore_pool(tmp_path / "pool.backup", tmp_path / "pool", PASSPHRASE)
    files = {
        state: {path.name: path.read_bytes() for path in (state / "closed").iterdir()}
        for state in (closed, tmp_path / "pool")
    }
    check = check_books(tmp_path / "pool", load_pool_config(tmp_path / "pool"))

    assert books[2] is not None
    assert books == await read_books(tmp_path / "pool")
    assert files[closed] == files[tmp_path / "pool"]
    assert max(map(len, files[closed].values())) > 1_000
    assert ("books-ok", len(files[closed])) == (check.code, check.values["number"])


async def test_a_month_closed_in_a_failed_trial_is_closed_again(tmp_path: Path) -> None:
    """The rows come back with the store of before; the next closing writes the file anew."""
    state = recorded_pool(tmp_path)
    write_backup(state, tmp_path / "before.backup", PASSPHRASE)
    await close_months(state)
    books = await read_books(state)
    put_back(tmp_path / "before.backup", PASSPHRASE, state)
    await close_months(state)

    assert books == await read_books(state)


def test_the_doctor_finds_a_wrong_file(closed: Path, tmp_path: Path) -> None:
    """One that is altered, one of another pool, and one that is missing."""
    write_backup(closed, tmp_path / "pool.backup", PASSPHRASE)
    state = tmp_path / "pool"
    restore_pool(tmp_path / "pool.backup", state, PASSPHRASE)
    config = load_pool_config(state)
    path = sorted((state / "closed").iterdir())[0]
    content = path.read_bytes()
    path.write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    altered = check_books(state, config)
    path.unlink()
    missing = check_books(state, config)

    assert ("books-altered", path.stem) == (altered.code, altered.values["months"])
    assert ("books-missing", path.stem) == (missing.code, missing.values["months"])
