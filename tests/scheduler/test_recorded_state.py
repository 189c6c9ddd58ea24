"""Recorded pools: this version reads their state folders and journals."""

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect
from tests.data.recorded import (
    NAMES,
    decisions,
    golden,
    journal_facts,
    journals,
    keep_oldest_snapshot,
    pinned_decisions,
    state_facts,
    unpack,
)
from tests.scheduler.driver_support import SentMessages, recovered_driver, store_url

from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.driver import Clock, LiveDriver, recover
from entraide_scheduler.store.schema import metadata
from entraide_scheduler.store.store import Store

RECORDED_JOURNALS = [file for name in NAMES for file in journals(name)]
GATEWAY = "main"
DAY_S = 86_400.0


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """A recording's name: the commit that made it."""
    return str(request.param)


@pytest.fixture
def state(name: str, tmp_path: Path) -> Path:
    """A copy of the recorded state folder."""
    return unpack(name, tmp_path)


def test_there_is_a_recording() -> None:
    """The tests below have something to read."""
    assert "base" in NAMES
    assert len(RECORDED_JOURNALS) >= 2 * len(NAMES)


async def test_state_folder_holds_what_it_held(name: str, state: Path) -> None:
    """This version finds the snapshot, policy, keys, nodes, ledger and kept jobs."""
    assert golden(name).state == await state_facts(state)


def test_state_folder_has_the_schema_of_today(state: Path) -> None:
    """Each table has the columns that this version writes, and no other."""
    engine = create_engine(store_url(state))
    columns = {
        table.name: {column["name"] for column in inspect(engine).get_columns(table.name)}
        for table in metadata.sorted_tables
    }
    engine.dispose()

    assert {table.name: set(table.columns.keys()) for table in metadata.sorted_tables} == columns


async def test_journal_in_the_store_is_replayed_from_the_oldest_snapshot(
    name: str, state: Path
) -> None:
    """Restored from the oldest snapshot, a core takes in all events, and its books sum to zero."""
    removed = keep_oldest_snapshot(state)
    store = await Store.open(store_url(state))
    recovered = await recover(store)
    await store.close()
    sums: Counter[str] = Counter()
    for account in recovered.core.balances().values():
        sums.update(account)

    assert removed >= 1
    assert golden(name).state.event_id == recovered.event_id
    assert golden(name).state.incarnation == recovered.incarnation
    assert {0} == set(sums.values())


async def test_books_sum_to_zero(state: Path) -> None:
    """The entries of the ledger sum to zero in each unit, and the core has the same balances."""
    store = await Store.open(store_url(state))
    driver = await recovered_driver(store, SentMessages())
    balances, known = await store.get_balances(), driver.core.balances()
    await store.close()
    sums: Counter[str] = Counter()
    for account in balances.values():
        sums.update(account)

    assert {"tokens", "energy_uwh", "carbon_ug"} == set(sums)
    assert {0} == set(sums.values())
    assert balances == known


# A replica that was stopped rests for some seconds.
@pytest.mark.parametrize("after_s", [60.0, 60.0 * DAY_S])
async def test_driver_goes_on_with_the_jobs_that_waited(
    name: str, state: Path, after_s: float
) -> None:
    """Started on the store a minute or some days later, the driver places the kept jobs that
    waited; it ends those whose deadline has passed."""
    store, sent = await Store.open(store_url(state)), SentMessages()
    waited = {row.job: row.facts.deadline_at for row in await store.list_pending_kept()}
    recovered = await recover(store)
    cards = [node.card for node in recovered.core.nodes()]
    now = recovered.at + after_s
    driver = LiveDriver(recovered, store=store, clock=Clock(wall=lambda: now), outbound=sent)
    await driver.start(GATEWAY)
    for card in cards:
        driver.feed(e.NodeJoined(*e.UNNUMBERED, card=card, accepting=True, reason=""))
    placed = {message.job for _, message in sent.gateways if isinstance(message, m.JobPlaced)}
    ended = {message.job for _, message in sent.gateways if isinstance(message, m.JobEnded)}
    lengths = driver.core.queue_lengths()
    await driver.stop()
    again = await recover(store)
    await store.close()

    assert placed
    assert {job for job, at in waited.items() if at is not None and at < now} == ended
    assert len(waited) == len(placed) + len(ended) + sum(lengths.values())
    assert placed | ended <= set(waited)
    assert golden(name).state.incarnation + 1 == again.incarnation


@pytest.mark.parametrize("file", RECORDED_JOURNALS, ids=lambda file: file.stem)
def test_journal_gives_the_decisions_on_record(file: Path) -> None:
    """Fed a recorded journal, the core decides byte for byte what ``decisions.json`` says."""
    assert pinned_decisions()[file.name] == decisions(file)


@pytest.mark.parametrize("file", RECORDED_JOURNALS, ids=lambda file: file.stem)
def test_journal_holds_what_it_held(file: Path) -> None:
    """Every event of a recorded journal is read, whatever is decided from it."""
    name = next(name for name in NAMES if file in journals(name))

    assert golden(name).journals[file.name].events == journal_facts(file).events
