"""Books and journal are checked before they are written, and again after they are read."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import text
from tests.scheduler.driver_support import store_url
from tests.scheduler.rows import settle_row

from entraide.errors import PoolError
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.core.events import Woke
from entraide_scheduler.driver import recover
from entraide_scheduler.driver.journal import Journal
from entraide_scheduler.store.database import database_url, make_engines
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.store import Store

ROW = settle_row("j1")
FAULTY = {
    "entries": structs.replace(ROW, entries=(Entry("beta", "tokens", 7),)),
    "receipt": structs.replace(ROW, receipt=structs.replace(ROW.receipt, job="j2")),
}


@pytest.mark.parametrize("fault", FAULTY)
async def test_faulty_books_are_not_written(fault: str, tmp_path: Path) -> None:
    """Entries that do not sum to zero, or another job's receipt, stop the write."""
    store = await Store.open(store_url(tmp_path))
    with pytest.raises(AssertionError):
        await store.write_settlement(FAULTY[fault])
    settled = await store.count_settled()
    await store.close()

    assert 0 == settled


async def test_altered_books_are_noticed(tmp_path: Path) -> None:
    """A changed amount and a moved receipt are noticed where they are read."""
    store = await Store.open(store_url(tmp_path))
    await store.write_settlement(ROW)
    run(tmp_path, "UPDATE entries SET amount = amount + 1 WHERE line = 0")
    run(tmp_path, "UPDATE settled SET job = 'j2'")
    with pytest.raises(AssertionError):
        await store.get_balances()
    with pytest.raises(AssertionError):
        await store.get_receipt("j2")
    await store.close()


@pytest.mark.parametrize("number", [1, 3])
async def test_a_row_with_another_event_stops_the_start(number: int, tmp_path: Path) -> None:
    """An event whose number is not its row's is not replayed."""
    store = await Store.open(store_url(tmp_path))
    await store.append_journal([JournalRow(2, msgspec.msgpack.encode(Woke(number, 1.0)))])
    with pytest.raises(PoolError) as refused:
        await recover(store)
    await store.close()

    assert "journal_unreadable" == refused.value.code


async def test_an_event_is_appended_once(tmp_path: Path) -> None:
    """The journal takes only an event with a number above those before."""
    store = await Store.open(store_url(tmp_path))
    journal = Journal(store, at=0.0)
    journal.append(2, b"event", ())
    with pytest.raises(AssertionError):
        journal.append(2, b"event", ())
    journal.flush()
    await store.committed()
    await store.close()


def run(folder: Path, statement: str, *values: Any) -> None:
    """Runs a statement on the store from outside."""
    writing, reading = make_engines(database_url(store_url(folder)))
    with writing.begin() as connection:
        connection.execute(text(statement), *values)
    writing.dispose()
    reading.dispose()
