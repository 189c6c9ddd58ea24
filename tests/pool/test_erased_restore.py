"""Erasures and restores: what was erased after a backup is erased again, from a list of numbers."""

import asyncio
import json
import shutil
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import Connection, select, update
from tests.data.recorded import TOP
from tests.pool.recorded_support import clear_postgres, recorded_pool, store_url
from tests.scheduler.postgres_support import programs, running_postgres
from tests.scheduler.rows import kept_row

from entraide.errors import PoolError
from entraide.wire.nats import new_user_key
from entraide_scheduler.erasure_list import BESIDE_BACKUPS, FILE, ErasureList, merge_into, read_list
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.pool import sealed_file
from entraide_scheduler.pool.backup import RECORD_FILE, BackupRecord, record_backup, write_backup
from entraide_scheduler.pool.backup_cli import format_restore
from entraide_scheduler.pool.restore import put_back, restore_pool
from entraide_scheduler.store import erasures, members
from entraide_scheduler.store import people as store_people
from entraide_scheduler.store.ended_access import Revocation, list_revocations
from entraide_scheduler.store.erasures import Erasure
from entraide_scheduler.store.kept_jobs import put_job
from entraide_scheduler.store.people import add_person
from entraide_scheduler.store.person_rows import (
    LinkRefusal,
    PersonRow,
    SigninLinkRow,
    SigninSessionRow,
)
from entraide_scheduler.store.rows import REVOKED, KeyRow, NodeRow
from entraide_scheduler.store.schema import kept, keys, nodes, people
from entraide_scheduler.store.store import Store

PASSPHRASE = "quatre mots bien choisis"
ADA = "person-abcdefabcdef"
ZOE, KEY, JOB = "person-0123456789ab", "key-0123456789ab", "kept-0123456789abcdef"
ADA_NEW = f"{ADA}.9f3a1c2b"
MACHINE, NODE_KEY = "portable-de-zoe", new_user_key()[1]
NAME, ADDRESS = "Zoé Quetzal-Roy", "quetzal@boreale.example.coop"
NODE, START = members.number_node(NODE_KEY), f"start-{ADA_NEW}"
OWN_JOB, EMPTIED_AT = "kept-ffffffffffffffff", 200.0
SUBJECTS = {ZOE, KEY, NODE, JOB, START}
SECRET = b"quetzal, sealed" * 400


@pytest.fixture(autouse=True, scope="module")
def cheap_key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed_file, "SCRYPT_N", 2**10)
        yield


def fill(connection: Connection) -> None:
    """Adds a person with a kept job, a key and a machine of hers, a kept job of another key, and a
    person who has sent in two starts."""
    row = PersonRow(ZOE, "boreale", NAME, ADDRESS, "person", "accueil", "", 1.0)
    add_person(connection, row, coop_max=100)
    ada = PersonRow(ADA, "boreale", "Ada", "ada@boreale.example.coop", "person", "main", "", 1.0)
    add_person(connection, ada, coop_max=100)
    members.create_key(connection, KeyRow(KEY, "boreale", "main", f"clé de {NAME}"), "0" * 64)
    members.put_node(connection, NodeRow(MACHINE, "boreale", "x", "CA-QC", NODE_KEY, "revoked"))
    senders = {JOB: "key-other", f"{JOB}01": ZOE, f"{JOB}02": KEY, f"{JOB}03": ADA}
    for job, sender in senders.items():
        put_job(connection, kept_row(job, key=sender, sealed_body=SECRET))
    put_job(connection, kept_row(OWN_JOB, key=ADA_NEW))


def erase(connection: Connection) -> None:
    erasures.erase_person(connection, ZOE, 2.0)
    erasures.erase_key(connection, KEY, 2.0)
    erasures.erase_node(connection, NODE, 2.0)
    erasures.erase_job(connection, JOB, 3.0)
    connection.execute(update(kept).where(kept.c.job == f"{JOB}03").values(ended_at=150.0))
    erasures.erase_closed(connection, ADA_NEW, (), EMPTIED_AT)


async def change(state: Path, *steps: Callable[[Connection], None]) -> None:
    """Changes the store of a pool that does not run."""
    store = await Store.open(store_url(state))
    for step in steps:
        await store.write(step)
    await store.overwrite_log()
    await store.close()


async def lose(folder: Path) -> None:
    """Makes ``lost``, a pool of which there is a backup, and in which much was erased afterwards;
    the lists are as the pool writes them."""
    state, place = recorded_pool(folder / "lost"), folder / "backups"
    await change(state, fill)
    place.mkdir()
    record_backup(state, write_backup(state, place / "old.backup", PASSPHRASE))
    await change(state, erase)
    store = await Store.open(store_url(state))
    revoked = await store.read(list_revocations)
    listed = ErasureList(await store.read(erasures.list_erasures), revoked=revoked)
    merge_into(state / FILE, listed)
    await store.close()
    merge_into(place / BESIDE_BACKUPS, read_list(state / FILE))


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that pool and of its backups."""
    folder = tmp_path_factory.mktemp("lost")
    asyncio.run(lose(folder))
    return folder


@pytest.fixture
def lost(made_once: Path, tmp_path: Path) -> Path:
    """A copy of that pool, whose last backup lies among the copies."""
    shutil.copytree(made_once, tmp_path, dirs_exist_ok=True)
    state = tmp_path / "lost" / TOP
    record = msgspec.json.decode((state / RECORD_FILE).read_bytes(), type=BackupRecord)
    file = str(tmp_path / "backups" / "old.backup")
    (state / RECORD_FILE).write_bytes(msgspec.json.encode(structs.replace(record, file=file)))
    return state


def stored_in(state: Path) -> bytes:
    """All bytes of a restored directory."""
    return b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())


def has_any(stored: bytes) -> bool:
    words = *map(str.encode, (NAME, ADDRESS, MACHINE)), SECRET[:32]
    return any(word in stored for word in words)


async def test_a_restore_erases_again(lost: Path, tmp_path: Path) -> None:
    """The old backup has name, address, label and texts; what is restored from it has none."""
    place = tmp_path / "backups"
    without = tmp_path / "elsewhere"
    without.mkdir()
    (without / "old.backup").write_bytes((place / "old.backup").read_bytes())
    forgotten = restore_pool(place / "old.backup", tmp_path / "again", PASSPHRASE)
    remembered = restore_pool(without / "old.backup", tmp_path / "without", PASSPHRASE)
    given = restore_pool(without / "old.backup", tmp_path / "given", PASSPHRASE, erased=lost / FILE)

    assert not has_any(stored_in(lost))
    assert not has_any(stored_in(tmp_path / "again"))
    assert not has_any(stored_in(tmp_path / "given"))
    assert has_any(stored_in(tmp_path / "without"))
    assert (5, (str(place / BESIDE_BACKUPS),)) == (forgotten.erased, forgotten.lists)
    assert (0, ()) == (remembered.erased, remembered.lists)
    assert (5, (str(lost / FILE),)) == (given.erased, given.lists)


async def test_a_later_backup_has_the_list_in_itself(lost: Path, tmp_path: Path) -> None:
    """The erasures are in the store: what is restored from it knows them, and so do later lists."""
    write_backup(lost, tmp_path / "new.backup", PASSPHRASE)
    restore_pool(tmp_path / "new.backup", tmp_path / "again", PASSPHRASE)
    store = await Store.open(store_url(tmp_path / "again"))
    known = await store.read(erasures.list_erasures)
    await store.close()

    assert set(read_list(lost / FILE).erased) == set(known)
    assert SUBJECTS == {erasure.subject for erasure in known}


@pytest.mark.parametrize("is_listed", [True, False], ids=["listed", "not yet listed"])
async def test_a_failed_upgrade_brings_nothing_back(
    lost: Path, tmp_path: Path, is_listed: bool
) -> None:
    """The backup of before is put back in place; what was erased meanwhile is erased again, also
    what only the store has noted, since the list is written each minute."""
    listed = read_list(lost / FILE).erased
    if not is_listed:
        (lost / FILE).unlink()
    put_back(tmp_path / "backups" / "old.backup", PASSPHRASE, lost)
    store = await Store.open(store_url(lost))
    left = await store.read(partial(erasures.find_left, listed=listed))
    await store.close()

    assert [] == left


async def test_who_began_empty_keeps_what_came_afterwards(lost: Path, tmp_path: Path) -> None:
    """A restore erases what the person had sent until then in other starts; what was sent in the
    start that went on stays, and what was sent later in any."""
    later = f"{JOB}04"
    await change(lost, lambda c: put_job(c, kept_row(later, key=ADA, submitted_at=300.0)))
    write_backup(lost, tmp_path / "backups" / "new.backup", PASSPHRASE)
    of_ada, jobs = select(kept.c.job).where(kept.c.key.startswith(ADA)), []
    for name in ("old", "new"):
        restore_pool(tmp_path / "backups" / f"{name}.backup", tmp_path / name, PASSPHRASE)
        store = await Store.open(store_url(tmp_path / name))
        jobs.append(await store.read(lambda c: c.execute(of_ada).scalars().all()))
        await store.close()

    assert [[OWN_JOB], sorted([OWN_JOB, later])] == [sorted(each) for each in jobs]


def revoke(connection: Connection) -> None:
    """A key, a machine and a person may no longer do anything."""
    members.revoke_key(connection, KEY)
    (row,) = (row for row in members.list_nodes(connection) if row.node == "accueil")
    members.put_node(connection, structs.replace(row, approval=REVOKED))
    store_people.disable_person(connection, ADA, SINCE)


async def test_a_restore_revokes_again(tmp_path: Path) -> None:
    """Keys, machines and people that were revoked after the backup stay revoked, on the bus too;
    a person who was let in again before the backup stays in."""
    state, place = recorded_pool(tmp_path / "pool"), tmp_path / "backups"
    place.mkdir()
    await change(state, fill)
    approved = NodeRow("accueil", "boreale", "x", "CA-QC", new_user_key()[1], "approved")
    await change(state, lambda c: members.put_node(c, approved))
    write_backup(state, place / "old.backup", PASSPHRASE)
    await change(state, revoke)
    store = await Store.open(store_url(state))
    listed = ErasureList(revoked=await store.read(list_revocations))
    before = Revocation(ZOE, 5.0)
    merge_into(place / BESIDE_BACKUPS, listed)
    merge_into(place / BESIDE_BACKUPS, ErasureList(revoked=(before,)))
    text = (place / BESIDE_BACKUPS).read_bytes()
    await store.close()
    restored = restore_pool(place / "old.backup", tmp_path / "again", PASSPHRASE)
    store = await Store.open(store_url(tmp_path / "again"))
    machines, rows = await store.list_nodes(), await store.list_keys(None)
    persons = await store.read(store_people.list_people)
    await store.close()

    assert (0, 3) == (restored.erased, restored.revoked)
    assert [REVOKED] == [row.approval for row in machines if row.node == approved.node]
    assert PoolIdentity(tmp_path / "again").is_revoked(approved.public_key)
    assert [True] == [row.revoked for row in rows if row.key == KEY]
    assert [ADA] == [row.person for row in persons if row.disabled_at]
    assert not has_any(text)


LINKS, SECRETS = ("1" * 64, "2" * 64), ("3" * 64, "4" * 64)
SINCE = 1e10  # after each moment at which something is asked


def let_in(connection: Connection) -> None:
    """Adds a person who has two links and two open sessions."""
    for link in LINKS:
        row = SigninLinkRow(ZOE, expires_at=SINCE, made_by="", made_at=1.0)
        store_people.put_link(connection, link, row)
    for secret in SECRETS:
        session = SigninSessionRow(f"session-{secret[:3]}", ZOE, 1.0, 1.0, SINCE, "Firefox")
        store_people.add_session(connection, secret, session)


def shut_out(connection: Connection) -> None:
    """One link is used, one session ended, the key revoked, and another person disabled."""
    store_people.use_link(connection, LINKS[0], 2.0)
    store_people.end_sessions(connection, ZOE, 2.0, f"session-{SECRETS[0][:3]}")
    members.revoke_key(connection, KEY)
    store_people.disable_person(connection, ADA, 2.0)


def who_may_enter(connection: Connection) -> tuple[list[str], list[str], bool, bool]:
    """The links and sessions that let somebody in; whether the key and the other person do."""
    sessions = [each for each in SECRETS if store_people.find_session(connection, each, 3.0)]
    links = [
        each for each in LINKS
        if not isinstance(store_people.use_link(connection, each, 3.0), LinkRefusal)
    ]  # fmt: skip
    is_revoked = connection.execute(select(keys.c.revoked).where(keys.c.key == KEY)).scalar_one()
    other = store_people.get_person(connection, ADA)
    return links, sessions, not is_revoked, other is not None and not other.disabled_at


async def try_to_enter(state: Path) -> tuple[list[str], list[str], bool, bool]:
    store = await Store.open(store_url(state))
    entering = await store.write(who_may_enter)
    await store.close()
    return entering


async def test_a_restore_lets_nobody_in_by_what_was_ended(tmp_path: Path) -> None:
    """After a restore no session and no link of the backup works; after a failed upgrade only
    those work that did before."""
    state, file = recorded_pool(tmp_path / "pool"), tmp_path / "old.backup"
    await change(state, fill, let_in)
    write_backup(state, file, PASSPHRASE)
    await change(state, shut_out)
    restore_pool(file, tmp_path / "again", PASSPHRASE)
    put_back(file, PASSPHRASE, state)

    assert ([], [], True, True) == await try_to_enter(tmp_path / "again")
    assert ([LINKS[1]], [SECRETS[1]], False, False) == await try_to_enter(state)


async def test_the_list_has_numbers_only_and_two_pools_share_it(lost: Path, tmp_path: Path) -> None:
    """It is readable by its owner alone, and grows; foreign numbers stay."""
    place = tmp_path / "backups" / BESIDE_BACKUPS
    foreign = Erasure("person-ffffffffffff", 9.0)
    merge_into(place, ErasureList((foreign,)))
    record_backup(lost, write_backup(lost, tmp_path / "backups" / "next.backup", PASSPHRASE))
    text = place.read_bytes()

    assert not has_any(text)
    assert SUBJECTS | {foreign.subject} == {each.subject for each in read_list(place).erased}
    assert {"erased", "format", "revoked"} == set(json.loads(text))
    assert 0o600 == stat.S_IMODE(place.stat().st_mode)


@pytest.mark.parametrize(
    "text", [b"{", b'{"erased": [{"subject": "zoe@example.coop", "at": 1.0}]}', b"[]"]
)
async def test_a_list_that_cannot_be_read_stops_the_restore(
    lost: Path, tmp_path: Path, text: bytes
) -> None:
    """Nothing is restored, rather than a person that was erased."""
    place = tmp_path / "backups"
    (place / BESIDE_BACKUPS).write_bytes(text)
    with pytest.raises(PoolError) as refused:
        restore_pool(place / "old.backup", tmp_path / "again", PASSPHRASE)
    with pytest.raises(PoolError) as absent:
        restore_pool(
            place / "old.backup", tmp_path / "again", PASSPHRASE, erased=tmp_path / "nowhere"
        )

    assert "erasures_unreadable" == refused.value.code == absent.value.code
    assert not stored_in(tmp_path / "again")
    assert not has_any(stored_in(lost))


async def test_the_command_says_what_was_repeated(lost: Path, tmp_path: Path) -> None:
    """With a list how many erasures; without one that the operator has to repeat them."""
    place = tmp_path / "backups"
    said = format_restore(restore_pool(place / "old.backup", tmp_path / "a", PASSPHRASE), "en")
    (place / BESIDE_BACKUPS).unlink()
    without = format_restore(restore_pool(place / "old.backup", tmp_path / "b", PASSPHRASE), "fr")

    assert f"Repeated from {place / BESIDE_BACKUPS}: 5 erasures, 0 revocations." in said
    assert "Sinon, effacez de nouveau" in without
    assert not has_any(stored_in(lost))


async def test_postgresql_is_erased_again_too(lost: Path, tmp_path: Path) -> None:
    """A restore into PostgreSQL has no row of what was erased."""
    home = programs()
    if home is None:
        pytest.skip("no PostgreSQL here")
    with running_postgres(home) as url:
        clear_postgres(url)
        place = tmp_path / "backups" / "old.backup"
        restore_pool(place, tmp_path / "again", PASSPHRASE, database=url)
        store = await Store.open(url)
        rows = await store.read(
            lambda c: [
                c.execute(select(people.c.name).where(people.c.person == ZOE)).all(),
                c.execute(select(keys.c.label).where(keys.c.key == KEY)).scalars().all(),
                c.execute(select(kept.c.job).where(kept.c.job.startswith(JOB))).all(),
                c.execute(select(nodes.c.node).where(nodes.c.node == MACHINE)).all(),
            ]
        )
        await store.close()

    assert [[], [""], [], []] == rows
    assert not has_any(stored_in(lost))
