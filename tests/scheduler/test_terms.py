"""Terms: one scheduler writes, and another one only once the first one's term is over."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.scheduler.driver_support import POLICY, SentMessages, store_url
from tests.waiting import eventually, until_read

from entraide.errors import PoolError
from entraide_scheduler.core import events as e
from entraide_scheduler.driver import Clock, LiveDriver, recover
from entraide_scheduler.driver import term as driver_term
from entraide_scheduler.pool.restore import empty_database
from entraide_scheduler.store import leader
from entraide_scheduler.store.database import database_url
from entraide_scheduler.store.dump import fill_store, open_view
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.leader import LeaderRow, Term, TermLost, take_term
from entraide_scheduler.store.outage import StoreHalted
from entraide_scheduler.store.store import Store

LEASE_S = 0.6


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A term is over after some tenths of a second."""
    monkeypatch.setattr(leader, "LEASE_S", LEASE_S)
    monkeypatch.setattr(leader, "RENEW_S", LEASE_S / 6)
    monkeypatch.setattr(driver_term, "LEASE_S", LEASE_S)
    monkeypatch.setattr(driver_term, "POLL_S", LEASE_S / 20)
    monkeypatch.setattr(driver_term, "KEEP_S", LEASE_S / 20)


@pytest.fixture
async def other(store: Store) -> AsyncIterator[Store]:
    """A second store of the same database, as another process has it."""
    url = store._writing.url.render_as_string(hide_password=False)
    opened = await Store.open(url)
    yield opened
    await opened.close()


async def taken(store: Store, name: str, **more: int) -> Term:
    """Takes a term that is free."""
    term = await store.take_term(name, **more)
    assert isinstance(term, Term)
    return term


async def number_of(store: Store) -> int:
    """The number of the present term, as the database has it."""
    rows = await store.read(
        lambda c: c.exec_driver_sql("SELECT leader, term FROM leadership").all()
    )
    return int(rows[0].term)


async def test_a_term_is_free_once_it_is_over(
    store: Store, other: Store, short_lease: None
) -> None:
    """A second leader gets nothing while the first one's term is on, then the next number."""
    first = await taken(store, "a")
    refused = await other.take_term("b")
    second = await until_read(lambda: other.take_term("b"), lambda row: isinstance(row, Term))

    assert isinstance(refused, LeaderRow)
    assert ("a", first.number) == (refused.leader, refused.term)
    assert first.number + 1 == second.number


async def test_a_term_that_was_released_is_free_at_once(store: Store, other: Store) -> None:
    """An orderly end leaves the number, and nothing to wait for."""
    first = await taken(store, "a")
    await store.release_term()
    second = await taken(other, "b")

    assert first.number + 1 == second.number


async def test_a_leader_takes_over_from_its_former_life_at_once(store: Store, other: Store) -> None:
    """A scheduler that was killed does not wait for itself; its new term has the next number."""
    first = await taken(store, "a")
    second = await taken(other, "a")

    assert first.number + 1 == second.number


async def test_terms_go_on_above_those_that_can_have_been(store: Store) -> None:
    """A restored pool's first term is above a given number."""
    first = await taken(store, "a", least=29_000_000)
    again = await taken(store, "a", least=29_000_000)

    assert (29_000_001, 29_000_002) == (first.number, again.number)


async def test_a_restored_store_is_free_and_its_terms_go_on(store: Store, tmp_path: Path) -> None:
    """The leader in a backup has another store: nobody waits for it, and its number is passed."""
    (tmp_path / "new").mkdir()
    first = await taken(store, "a")
    url = store._writing.url.render_as_string(hide_password=False)
    with open_view(url) as view, empty_database(database_url(store_url(tmp_path / "new"))) as new:
        fill_store(new, view.revision, view.read_rows())
    restored = await Store.open(store_url(tmp_path / "new"))
    second = await taken(restored, "b")
    await restored.close()

    assert first.number + 1 == second.number


async def test_a_lost_term_writes_nothing_more(store: Store, other: Store) -> None:
    """After another leader took over, no write of the first one is committed."""
    await taken(store, "a")
    await store.append_journal([JournalRow(1, b"mine")])
    await store.release_term()
    await taken(other, "b")
    outcomes = await asyncio.gather(
        store.append_journal([JournalRow(2, b"late")]),
        store.put_snapshot(2, b"late"),
        return_exceptions=True,
    )
    await other.append_journal([JournalRow(2, b"theirs")])

    assert [TermLost, StoreHalted] == [type(outcome) for outcome in outcomes]
    assert (None, (JournalRow(1, b"mine"), JournalRow(2, b"theirs"))) == await store.load_journal()


async def test_a_term_that_is_over_goes_on_if_nobody_took_it(
    store: Store, short_lease: None
) -> None:
    """A scheduler that was away for longer than its term renews it with its next write."""
    term = await taken(store, "a")
    await eventually(lambda: not term.is_valid())
    await store.append_journal([JournalRow(1, b"a")])

    assert term.is_valid()
    assert term.number == await number_of(store)


async def test_a_clock_that_was_set_back_does_not_keep_a_dead_leaders_term(
    store: Store, other: Store, short_lease: None
) -> None:
    """If the row says a year, a candidate waits for as long as the row does not change."""
    await taken(store, "a")
    await store.release_term()
    year = time.time() + 365 * 86_400.0
    with other._writing.begin() as connection:
        connection.exec_driver_sql(f"UPDATE leadership SET expires_at = {year}")
    second = await driver_term.take_term(other, "b")

    assert 2 == second.number


async def test_a_candidate_ends_while_a_leader_renews(
    store: Store, other: Store, short_lease: None
) -> None:
    """A term that is renewed is never taken; the candidate says who holds it."""
    term = await taken(store, "a")
    async with driver_term.kept_term(store, term):
        with pytest.raises(PoolError) as refusal:
            await driver_term.take_term(other, "b", wait_max_s=3 * LEASE_S)

    assert ("term_held", "a") == (refusal.value.code, refusal.value.values["leader"])


async def test_nobody_takes_a_term_between_its_check_and_the_commit(
    store: Store, other: Store, short_lease: None
) -> None:
    """A write that takes longer than the term is committed before the next leader's term begins,
    which then lasts a whole lease from when the row was free."""
    term = await taken(store, "a")
    has_begun, may_end = threading.Event(), threading.Event()

    def write_slowly(connection: Connection) -> None:
        has_begun.set()
        assert may_end.wait(10.0)

    slow = store.write(write_slowly)
    assert await asyncio.to_thread(has_begun.wait, 10.0)
    taking = asyncio.ensure_future(other.take_term("b"))
    await eventually(lambda: leader.read_steady() > term.renewed_at + 1.5 * LEASE_S)
    was_taken = taking.done()
    may_end.set()
    await slow
    second = await taken_by(taking)
    left_s = await other.read(read_left)

    assert not was_taken
    assert term.number + 1 == second.number
    assert left_s > LEASE_S / 2


async def taken_by(taking: asyncio.Future[Term | LeaderRow]) -> Term:
    """The term that was taken in the end."""
    term = await taking
    assert isinstance(term, Term)
    return term


def read_left(connection: Connection) -> float:
    """How long the term goes on, by the database's clock, seconds."""
    now = connection.exec_driver_sql(leader._READ_CLOCK[connection.dialect.name]).scalar_one()
    ends_at = connection.exec_driver_sql("SELECT expires_at FROM leadership").scalar_one()
    return float(ends_at) - float(now)


async def test_the_end_of_a_commit_is_known_by_its_number(store: Store, short_lease: None) -> None:
    """The row tells a commit whose answer was lost from one that was rolled back."""
    engine = store._writing
    await store.close()
    answers = []
    with engine.connect() as connection:
        with connection.begin():
            row = take_term(connection, "a")
        term = Term(row, began_at=0.0)
        for is_committed in (True, False, True):
            transaction = connection.begin()
            term.confirm(connection)
            if is_committed:
                transaction.commit()
            else:
                transaction.rollback()
            with connection.begin():
                answers.append(term.has_committed(connection))
            if is_committed:
                term.note_committed()
                term._renewed_at = 0.0  # SQLite writes the number with each renewal
    engine.dispose()

    assert [True, False, True] == answers


async def test_without_a_valid_term_no_event_is_handled_and_no_lease_ends(
    tmp_path: Path, short_lease: None
) -> None:
    """While the database does not confirm the term, events wait; afterwards they are handled in
    order, and no deadline has passed meanwhile."""
    store, sent = await Store.open(store_url(tmp_path)), SentMessages()
    term = await taken(store, "a")
    recovered = await recover(store)
    driver = LiveDriver(recovered, store=store, clock=Clock(), outbound=sent, term=term)
    async with driver_term.kept_term(store, term):
        await driver.start("gw")
        driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=POLICY))
        await driver.committed()
        began_at, before = driver.now(), driver.event_id
        with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as holding:
            holding.execute("BEGIN IMMEDIATE")
            await eventually(lambda: leader.read_steady() > term.renewed_at + 3 * LEASE_S)
            is_taken = driver.feed(e.NodesSeen(*e.UNNUMBERED, nodes=("n1",)))
            during, is_paused = driver.event_id, not driver.may_handle()
            written = asyncio.ensure_future(driver.committed())
            await asyncio.sleep(0)
            was_written = written.done()
        await written
        await eventually(driver.may_handle)
        after, passed_s = driver.event_id, driver.now() - began_at
        await driver.stop()
    await store.close()

    assert (True, True, before, False) == (is_taken, is_paused, during, was_written)
    assert before + 1 == after
    assert passed_s < 2 * LEASE_S
