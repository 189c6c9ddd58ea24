"""No backup and no copy has a browser's half, so that what was destroyed never comes back."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.pool.recorded_support import all_rows, recorded_pool, store_url

from entraide_scheduler.pool import sealed_file
from entraide_scheduler.pool.backup import write_backup
from entraide_scheduler.pool.restore import put_back, restore_pool
from entraide_scheduler.store import people
from entraide_scheduler.store.browser_halves import claim_half
from entraide_scheduler.store.dump import copy_sqlite
from entraide_scheduler.store.person_rows import PersonRow, SigninSessionRow
from entraide_scheduler.store.schema import browser_halves
from entraide_scheduler.store.store import Store

PASSPHRASE = "quatre mots bien choisis"
ADA = "person-abcdefabcdef"
OFFICE, HOME = b"o" * 32, b"h" * 32
NOW = 1_000_000.0


@pytest.fixture(autouse=True, scope="module")
def cheap_key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed_file, "SCRYPT_N", 2**10)
        yield


def fill(connection: Connection) -> None:
    """Adds a person who is signed in at the office and at home."""
    row = PersonRow(ADA, "boreale", "Ada", "", "person", "main", "", NOW)
    people.add_person(connection, row, coop_max=100)
    for place, half in (("office", OFFICE), ("home", HOME)):
        session = SigninSessionRow(place, ADA, NOW, NOW, NOW + 1e9, "")
        people.add_session(connection, place, session)
        claim_half(connection, session, place, half, NOW)


def sign_out(connection: Connection) -> None:
    people.end_sessions(connection, ADA, NOW + 1.0, "office")


def halves(connection: Connection) -> set[bytes]:
    return set(connection.execute(select(browser_halves.c.half)).scalars())


def at_store(state: Path, step: Callable[[Connection], Any]) -> Any:
    """Runs a step on the store of a pool that does not run."""

    async def run() -> Any:
        store = await Store.open(store_url(state))
        try:
            return await store.write(step)
        finally:
            await store.close()

    return asyncio.run(run())


def test_a_restore_brings_no_half_back(tmp_path: Path) -> None:
    """Backup, sign-out, restore: neither the destroyed half is there nor another. A failed upgrade
    that goes back to the backup keeps what is not destroyed."""
    state = recorded_pool(tmp_path / "own")
    at_store(state, fill)
    write_backup(state, tmp_path / "old.backup", PASSPHRASE)
    dumped = all_rows(store_url(state))  # as a backup reads them
    at_store(state, sign_out)
    restore_pool(tmp_path / "old.backup", tmp_path / "new", PASSPHRASE)
    put_back(tmp_path / "old.backup", PASSPHRASE, state)

    assert "signin_sessions" in dumped
    assert "browser_halves" not in dumped
    assert set() == at_store(tmp_path / "new", halves)
    assert {HOME} == at_store(state, halves)


def test_the_copy_of_an_upgrade_has_no_half(tmp_path: Path) -> None:
    """Not one byte of it, while the store that is copied keeps them."""
    state = recorded_pool(tmp_path / "own")
    at_store(state, fill)
    copy_sqlite(state / "store.db", tmp_path / "copy.db")
    raw = (tmp_path / "copy.db").read_bytes()

    assert {OFFICE, HOME} == at_store(state, halves)
    assert not any(half in raw for half in (OFFICE, HOME))
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert (
            2
            == copy.execute(
                "SELECT count(*) FROM signin_sessions WHERE person = ?", (ADA,)
            ).fetchone()[0]
        )
