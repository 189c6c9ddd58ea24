"""The store: acknowledged writes survive failures."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError
from tests.core.builders import facts
from tests.scheduler.driver_support import POLICY, store_url
from tests.scheduler.rows import kept_row, settle_row

from entraide import i18n
from entraide.errors import PoolError
from entraide.types import Control, DataClass, SurplusEvidence
from entraide_scheduler.store import journal
from entraide_scheduler.store.database import (
    check_current,
    database_url,
    find_schema_fault,
    make_engines,
    upgrade,
)
from entraide_scheduler.store.dump import open_view
from entraide_scheduler.store.erasures import erase_node
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.members import digest_name, list_names, number_node
from entraide_scheduler.store.outage import StoreHalted
from entraide_scheduler.store.rows import (
    JoinTokenRow,
    KeyRow,
    NodeRow,
    PolicyRow,
    TokenRefusal,
)
from entraide_scheduler.store.schema import metadata
from entraide_scheduler.store.store import Store

WRITER = """
import asyncio, sys
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.store import Store

async def main():
    store = await Store.open(sys.argv[1])
    seq = 0
    while True:
        batch = [store.append_journal([JournalRow(seq + i, b"x" * 200)]) for i in range(20)]
        await asyncio.gather(*batch)
        seq += len(batch)
        print(seq, flush=True)

asyncio.run(main())
"""


async def test_key_is_found_by_the_hash_of_its_secret_until_it_is_revoked(store: Store) -> None:
    """A key is found by its secret's hash, and says when it has been revoked."""
    row = KeyRow("key-1", "alpha", "main", "laptop")
    await store.create_key(row, "ab" * 32)
    key = await store.find_key("ab" * 32)
    revoked = await store.revoke_key("key-1")

    assert row == key
    assert msgspec.structs.replace(row, revoked=True) == revoked
    assert revoked == await store.find_key("ab" * 32)
    assert await store.find_key("cd" * 32) is None
    assert await store.revoke_key("key-2") is None


async def test_join_token_is_used_once_and_not_after_it_expired(store: Store) -> None:
    """A join token serves one machine, before it expires, and is used up with its record; that
    machine may show it again."""
    vouched = JoinTokenRow(
        "alpha", 100.0, "Val-d'Or", "CA-QC", Control.MEMBER, (DataClass.PUBLIC, DataClass.INTERNAL)
    )
    await store.put_token("a", vouched)
    await store.put_token("b", JoinTokenRow("beta", 100.0))
    mini, other = (
        NodeRow(f"n{n}", "alpha", "home", "CA-QC", f"U{n}", "approved") for n in range(1, 3)
    )
    free = await store.find_token("a", "U2", 1.0)
    both = await asyncio.gather(store.enrol_node("a", mini, 1.0), store.enrol_node("a", other, 1.0))
    used = msgspec.structs.replace(vouched, used_by="U1")

    assert [vouched, TokenRefusal.USED] == both
    assert ((mini,), vouched) == (await store.list_nodes(), free)
    assert used == await store.find_token("a", "U1", 2.0) == await store.enrol_node("a", mini, 2.0)
    assert TokenRefusal.EXPIRED == await store.find_token("a", "U1", 100.0)
    assert TokenRefusal.EXPIRED == await store.enrol_node("b", other, 100.0)
    assert TokenRefusal.UNKNOWN == await store.enrol_node("c", other, 1.0)
    assert (mini,) == await store.list_nodes()


async def test_tokens_and_nodes_go(store: Store) -> None:
    """A removed co-op's tokens are unknown then, and a forgotten node is not listed; its name is
    known by its digest, and never another key's."""
    await store.put_token("a", JoinTokenRow("alpha", 100.0))
    await store.put_token("b", JoinTokenRow("beta", 100.0))
    await store.put_node(NodeRow("n1", "alpha", "home", "CA-QC", "U1", "revoked"))
    await store.delete_tokens("alpha")
    await store.write(partial(erase_node, number=number_node("U1"), now=1.0))

    assert TokenRefusal.UNKNOWN == await store.find_token("a", "U1", 1.0)
    assert JoinTokenRow("beta", 100.0) == await store.find_token("b", "U1", 1.0)
    assert () == await store.list_nodes()
    assert {digest_name("n1"): "U1"} == await store.read(list_names)
    with pytest.raises(IntegrityError):
        await store.put_node(NodeRow("n1", "beta", "home", "CA-QC", "U2", "approved"))
    assert () == await store.list_nodes()


async def test_newest_policy_is_in_force(store: Store) -> None:
    """The policy that was put last counts, whatever its version is called."""
    newer = msgspec.structs.replace(POLICY, version="0")
    await store.put_policy(POLICY, PolicyRow(POLICY.version))
    await store.put_policy(newer, PolicyRow("0", 5.0, "Élise", "vote"))

    assert newer == await store.get_policy()
    assert (PolicyRow("0", 5.0, "Élise", "vote"), PolicyRow(POLICY.version)) == (
        await store.list_policies()
    )
    assert POLICY == await store.get_policy(POLICY.version)


async def test_node_is_replaced_by_what_is_known_later(store: Store) -> None:
    """A node's record is replaced whole."""
    row = NodeRow("n1", "alpha", "home", "CA-QC", "U1", "approved")
    await store.put_node(row)
    changed = msgspec.structs.replace(
        row, zone="CA-ON", approval="revoked", device="mac-mini-m4",
        controlled_by=Control.MEMBER, data_classes=(DataClass.PUBLIC, DataClass.INTERNAL),
        surplus_evidence=SurplusEvidence.METER, evidence_document="7", vouched_at=5.0,
        vouched_by="Élise",
    )  # fmt: skip
    await store.put_node(changed)

    assert (changed,) == await store.list_nodes()


async def test_a_closed_store_leaves_no_connection_open(tmp_path: Path) -> None:
    """A read that nobody waits for any more ends before the store is closed."""
    store = await Store.open(store_url(tmp_path))
    has_begun, may_end = threading.Event(), threading.Event()
    connections: list[sqlite3.Connection] = []

    def read_slowly(connection: Connection) -> None:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        connections.append(raw)
        has_begun.set()
        assert may_end.wait(10.0)

    reading = asyncio.create_task(store.read(read_slowly))
    assert await asyncio.to_thread(has_begun.wait, 10.0)
    reading.cancel()
    asyncio.get_running_loop().call_later(0.1, may_end.set)
    await store.close()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[0].execute("SELECT 1")


async def test_equal_idempotency_key_of_one_coop_keeps_one_job(store: Store) -> None:
    """Asking twice with one idempotency key keeps one job; another co-op's key is its own."""
    first = await store.put_kept(kept_row("kept-1", idempotency="same"))
    again = await store.put_kept(kept_row("kept-2", idempotency="same"))
    other = await store.put_kept(kept_row("kept-3", coop="beta", idempotency="same"))
    plain = await store.put_kept(kept_row("kept-4"))

    assert ["kept-1", "kept-1", "kept-3", "kept-4"] == [first, again, other, plain]
    assert ["kept-1", "kept-4"] == sorted(row.job for row in await store.list_kept("alpha", 10))


async def test_kept_job_ends_once_and_goes_when_its_time_is_over(store: Store) -> None:
    """A kept job ends once, keeps its first result, and is forgotten when it expires."""
    await store.put_kept(kept_row("kept-1", keep_s=60.0))
    ending = {"code": "", "receipt_json": b"{}", "ended_at": 1_000.0}
    first = await store.end_kept("kept-1", state="completed", sealed_result=b"one", **ending)
    second = await store.end_kept("kept-1", state="failed", sealed_result=b"two", **ending)
    row = await store.get_kept("kept-1")

    assert [True, False] == [first, second]
    assert row is not None
    assert ("completed", b"one", facts("kept-1")) == (row.state, row.sealed_result, row.facts)
    assert () == await store.list_pending_kept()
    assert 0 == await store.expire_kept(1_059.0)
    assert 1 == await store.expire_kept(1_060.0)
    assert await store.get_kept("kept-1") is None


async def test_books_of_a_job_are_written_once_and_sum_to_zero(store: Store) -> None:
    """Settling a job again changes nothing, and what one gave another received."""
    row = settle_row("job-1")
    first, again = await asyncio.gather(store.write_settlement(row), store.write_settlement(row))

    assert [True, False] == [first, again]
    assert (row.coop, row.key, row.receipt) == await store.get_receipt("job-1")
    assert 1 == await store.count_settled()
    assert {"alpha": {"tokens": -7}, "beta": {"tokens": 7}} == await store.get_balances()


async def test_snapshot_takes_the_place_of_the_events_before_it(store: Store) -> None:
    """A snapshot replaces the events up to its number; later ones stay in order."""
    await store.append_journal([JournalRow(1, b"a"), JournalRow(2, b"b"), JournalRow(3, b"c")])
    await store.put_snapshot(2, b"state")
    await store.append_journal([JournalRow(4, b"d")])

    assert ((2, b"state"), (JournalRow(3, b"c"), JournalRow(4, b"d"))) == await store.load_journal()


async def test_write_that_fails_takes_nobody_with_it(store: Store) -> None:
    """Of writes committed together, one that cannot be fails alone; the others are kept."""
    await store.create_key(KeyRow("key-1", "alpha", "main", "laptop"), "ab" * 32)
    outcomes = await asyncio.gather(
        store.append_journal([JournalRow(1, b"a")]),
        store.create_key(KeyRow("key-2", "alpha", "main", "other"), "ab" * 32),
        store.append_journal([JournalRow(2, b"b")]),
        return_exceptions=True,
    )

    assert [type(None), IntegrityError, type(None)] == [type(job) for job in outcomes]
    assert ["key-1"] == [row.key for row in await store.list_keys()]
    assert (None, (JournalRow(1, b"a"), JournalRow(2, b"b"))) == await store.load_journal()


async def test_nothing_is_committed_behind_a_failed_write_of_the_books(store: Store) -> None:
    """The first failed write of the books fails all writes behind it, in its group and later."""
    await store.append_journal([JournalRow(2, b"there")])
    outcomes = await asyncio.gather(
        store.append_journal([JournalRow(1, b"a")]),
        store.append_journal([JournalRow(2, b"clash")]),
        store.append_journal([JournalRow(3, b"c")]),
        store.committed(),
        store.put_snapshot(3, b"state"),
        return_exceptions=True,
    )
    later = await asyncio.gather(store.committed(), return_exceptions=True)

    assert [None, IntegrityError, IntegrityError, IntegrityError, StoreHalted] == [
        outcome and type(outcome) for outcome in outcomes
    ]
    assert isinstance(later[0], IntegrityError)
    assert (None, (JournalRow(1, b"a"), JournalRow(2, b"there"))) == await store.load_journal()


async def test_explanations_are_forgotten_when_they_are_old(store: Store) -> None:
    """The newest explanation of a job is kept, for its time."""
    await store.put_explanation("job-1", "alpha", b"old", at=1.0)
    await store.put_explanation("job-1", "alpha", b"new", at=2.0)
    await store.put_explanation("job-2", "alpha", b"late", at=10_000_000.0)

    newest = await store.get_explanation("job-1")
    assert newest is not None
    assert ("alpha", b"new") == (newest.coop, newest.document)
    assert 1 == await store.expire_explanations(10_000_000.0)
    assert await store.get_explanation("job-1") is None
    later = await store.get_explanation("job-2")
    assert later is not None
    assert b"late" == later.document


def test_writer_killed_at_any_moment_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """After kill -9 of a process that writes, all that it was told is committed is there."""
    url = store_url(tmp_path)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = 0
    while acknowledged < 500:
        acknowledged = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read().split("\n")
    writer.stdout.close()
    writer.wait()
    acknowledged = max([acknowledged, *(int(line) for line in rest[:-1])])
    writing, reading = make_engines(database_url(url))
    with reading.connect() as connection:
        _, events = journal.load_latest(connection)
    writing.dispose()
    reading.dispose()

    assert list(range(len(events))) == [row.seq for row in events]
    assert acknowledged <= len(events)


@pytest.mark.parametrize(
    ("schema", "code", "fault"),
    [("9999", "store_too_new", "newer"), ("0015", "store_unreleased", "unreleased")],
)
async def test_store_of_an_unknown_version_is_refused(
    tmp_path: Path, schema: str, code: str, fault: str
) -> None:
    """A later version's store and one from before the first release are told apart, and kept."""
    url = store_url(tmp_path)
    await (await Store.open(url)).close()
    writing, reading = make_engines(database_url(url))
    with writing.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{schema}'"))
    faults = []
    for read in (upgrade, _check_current):
        with pytest.raises(PoolError) as refused:
            read(writing)
        faults.append((refused.value.code, refused.value.values))
    schema_fault = find_schema_fault(reading)
    writing.dispose()
    reading.dispose()
    with pytest.raises(PoolError) as viewed, open_view(url):
        pass

    assert [(code, {"schema": schema})] * 2 == faults
    assert (code, fault) == (viewed.value.code, schema_fault)


def _check_current(engine: Engine) -> None:
    with engine.connect() as connection:
        check_current(connection)


@pytest.mark.parametrize("url", ["sqlite://", "mysql://host/db", "sqlite:///:memory:"])
def test_url_of_anything_else_is_refused(url: str) -> None:
    """A store is a SQLite file or PostgreSQL."""
    with pytest.raises(PoolError) as refused:
        database_url(url)

    assert "store_url_refused" == refused.value.code


def test_migrations_make_the_schema_that_the_code_reads(tmp_path: Path) -> None:
    """The migrations and the schema in the code describe the same tables and columns."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    writing, reading = make_engines(database_url(store_url(tmp_path)))
    upgrade(writing)
    with reading.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    writing.dispose()
    reading.dispose()

    assert [] == differences


async def test_database_that_does_not_answer_is_one_sentence_without_its_password() -> None:
    """The operator reads which database could not be opened, and never its password."""
    with pytest.raises(PoolError) as caught:
        await Store.open("postgresql://ent:geheim@127.0.0.1:1/pool")
    message = i18n.error(caught.value.code, "fr", caught.value.values) + str(caught.value)

    assert "store_unreachable" == caught.value.code
    assert "127.0.0.1:1/pool" in message
    assert "geheim" not in message
