"""``pool backup`` and ``pool restore``: the same pool again, or nothing."""

import asyncio
import stat
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from tests.cases import all_cases
from tests.commands import forked_entraide
from tests.data.recorded import golden
from tests.pool.recorded_support import (
    RECORDED,
    all_rows,
    clear_postgres,
    core_snapshot,
    facts_of,
    recorded_pool,
    store_url,
)
from tests.pool.support import pool_config
from tests.scheduler.postgres_support import programs, running_postgres

from entraide import i18n
from entraide.errors import PoolError
from entraide.files import write_private
from entraide.wire.nats import new_user_key
from entraide_scheduler.grid.sources import TOKEN_NAME
from entraide_scheduler.nats.identity import PoolIdentity, load_sealing_key
from entraide_scheduler.pool import sealed_file
from entraide_scheduler.pool.backup import RECORD_FILE, BackupRecord, record_backup, write_backup
from entraide_scheduler.pool.backup_cli import format_restore
from entraide_scheduler.pool.config import load_pool_config
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.restore import RestoreSummary, put_back, restore_pool
from entraide_scheduler.restored import read_mark
from entraide_scheduler.store.dump import open_view
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.store import Store

PASSPHRASE = "quatre mots bien choisis"


@pytest.fixture(autouse=True, scope="module")
def cheap_key() -> Iterator[None]:
    """The key's derivation costs little in these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed_file, "SCRYPT_N", 2**10)
        yield


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the recorded pool."""
    return recorded_pool(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def backup(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the recorded pool."""
    file = tmp_path_factory.mktemp("backup") / "pool.backup"
    record_backup(recorded, write_backup(recorded, file, PASSPHRASE))
    return file


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server's database."""
    home = programs()
    if home is None:
        pytest.skip("no PostgreSQL here")
    with running_postgres(home) as url:
        yield url


@pytest.fixture
def postgres(postgres_server: str) -> str:
    """The URL of an empty database."""
    clear_postgres(postgres_server)
    return postgres_server


async def test_recorded_pool_is_restored(backup: Path, tmp_path: Path) -> None:
    """From a recorded store comes what it had."""
    summary = restore_pool(backup, tmp_path / "pool", PASSPHRASE)

    assert golden(RECORDED).state == await facts_of(tmp_path / "pool")
    assert summary.rows > 1_000


async def test_core_is_the_same_byte_for_byte(recorded: Path, backup: Path, tmp_path: Path) -> None:
    """Snapshot and journal of the restored store give the core that the original gives."""
    restore_pool(backup, tmp_path / "restored", PASSPHRASE)
    original = recorded_pool(tmp_path / "original")

    assert await core_snapshot(store_url(original)) == await core_snapshot(
        store_url(tmp_path / "restored")
    )


@pytest.mark.long
async def test_postgresql_and_sqlite_hold_the_same(
    backup: Path, tmp_path: Path, postgres: str
) -> None:
    """From SQLite to PostgreSQL and back, every row and the core's state stay the same."""
    restore_pool(backup, tmp_path / "first", PASSPHRASE)
    restore_pool(backup, tmp_path / "pg", PASSPHRASE, database=postgres)
    again = tmp_path / "again.backup"
    write_backup(tmp_path / "pg", again, PASSPHRASE)
    restore_pool(again, tmp_path / "back", PASSPHRASE, database="sqlite")
    rows = all_rows(store_url(tmp_path / "first"))

    assert postgres == load_pool_config(tmp_path / "pg").database
    assert "" == load_pool_config(tmp_path / "back").database
    assert rows == all_rows(postgres)
    assert rows == all_rows(store_url(tmp_path / "back"))
    assert await core_snapshot(postgres) == await core_snapshot(store_url(tmp_path / "back"))
    assert golden(RECORDED).state == await facts_of(tmp_path / "back")


def test_keys_and_configuration_come_back(recorded: Path, backup: Path, tmp_path: Path) -> None:
    """Keys, CA, operator's key, catalogue and configuration are the same, for the owner only."""
    state = tmp_path / "pool"
    restore_pool(backup, state, PASSPHRASE)
    names = (
        "pool.toml", "admin.key", "models.json", "tls/ca.key", "tls/ca.pem", "tls/server.key",
        "identity/account.seed", "identity/operator.seed", "identity/receipts.pem",
        "identity/sealing.key", "identity/revocations.json",
    )  # fmt: skip

    assert {name: (recorded / name).read_bytes() for name in names} == {
        name: (state / name).read_bytes() for name in names
    }
    assert not (state / "nats").exists()
    assert 0o700 == stat.S_IMODE(state.stat().st_mode)
    assert {0o600} == {stat.S_IMODE((state / name).stat().st_mode) for name in names}
    assert 0o600 == stat.S_IMODE(backup.stat().st_mode)


def test_backup_shows_no_secret(recorded: Path, backup: Path) -> None:
    """Without the passphrase, neither keys nor books can be read in the file, nor unpacked."""
    content = backup.read_bytes()
    readable = content + unpacked(content)

    assert load_sealing_key(recorded) not in readable
    assert (recorded / "admin.key").read_bytes().strip() not in readable
    assert b"boreale" not in readable


def unpacked(content: bytes) -> bytes:
    """What decompressing gives from any of a file's first bytes on."""
    whole, plain = memoryview(content), b""
    for start in range(4_096):
        with suppress(zlib.error):
            plain += zlib.decompressobj().decompress(whole[start:], 10_000_000)
    return plain


def test_last_backup_is_recorded(recorded: Path, backup: Path) -> None:
    """``last-backup.json`` says when the last backup was made, and where it is."""
    record = msgspec.json.decode((recorded / RECORD_FILE).read_bytes(), type=BackupRecord)

    assert str(backup) == record.file
    assert record.at <= backup.stat().st_mtime


def test_backup_has_no_earlier_backup_and_no_wheels(recorded: Path, tmp_path: Path) -> None:
    """A backup in the pool's directory and the mirror are not put into the next backup."""
    inside = recorded / "old.backup"
    write_backup(recorded, inside, PASSPHRASE)
    (recorded / "mirror").mkdir()
    (recorded / "mirror" / "a.whl").write_bytes(b"PK")
    write_backup(recorded, tmp_path / "pool.backup", PASSPHRASE)
    inside.unlink()
    restore_pool(tmp_path / "pool.backup", tmp_path / "pool", PASSPHRASE)

    assert not (tmp_path / "pool" / "old.backup").exists()
    assert not (tmp_path / "pool" / "mirror").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_view_is_of_one_moment(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What is written while a backup reads is not in it, in any table."""
    is_sqlite = kind == "sqlite"
    url = f"sqlite:///{tmp_path / 's.db'}" if is_sqlite else request.getfixturevalue("postgres")
    store = await Store.open(url)
    await store.append_journal([JournalRow(1, b"a")])
    with open_view(url) as view:
        await store.append_journal([JournalRow(2, b"b")])
        await store.put_snapshot(0, b"s")
        batches = [(batch.table, len(batch.rows)) for batch in view.read_rows()]
    await store.close()

    assert [("journal", 1)] == batches


@pytest.mark.long
def test_memory_does_not_grow_with_the_journal(tmp_path: Path) -> None:
    """A journal of 40 MB is written and restored with some MiB of memory."""
    state = tmp_path / "pool"
    create_pool(state, pool_config())
    asyncio.run(_fill_journal(store_url(state), rows=10_000, size=4_000))
    tracemalloc.start()
    write_backup(state, tmp_path / "pool.backup", PASSPHRASE)
    restore_pool(tmp_path / "pool.backup", tmp_path / "again", PASSPHRASE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 20e6
    assert 40e6 < (tmp_path / "again" / "store.db").stat().st_size


async def _fill_journal(url: str, *, rows: int, size: int) -> None:
    store = await Store.open(url)
    for first in range(1, rows, 1_000):
        await store.append_journal(
            [JournalRow(seq, seq.to_bytes(8) * (size // 8)) for seq in range(first, first + 1_000)]
        )
    await store.close()


async def test_epochs_go_on_above_those_of_before(backup: Path, tmp_path: Path) -> None:
    """A restored scheduler counts its starts above those that nodes may have seen meanwhile."""
    restore_pool(backup, tmp_path / "pool", PASSPHRASE)
    mark = read_mark(tmp_path / "pool")

    assert golden(RECORDED).state.incarnation + 1_000_000 < mark.least_incarnation
    assert mark.joined_until == mark.at


# What is refused.


def refusal(tmp_path: Path, file: Path, passphrase: str = PASSPHRASE, **more: str) -> PoolError:
    """The error of a restore, which must leave nothing behind and has a sentence twice."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PoolError) as refused:
        restore_pool(file, tmp_path / "pool", passphrase, **more)

    assert before == sorted(tmp_path.rglob("*"))
    for lang in ("fr", "en"):
        assert i18n.error(refused.value.code, lang, refused.value.values)
    return refused.value


def cut(data: bytes, part: float) -> bytes:
    """The beginning of a file."""
    return data[: int(len(data) * part)]


def flip(data: bytes, part: float) -> bytes:
    """A file with one bit changed."""
    place = int(len(data) * part)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def relabel(data: bytes, old: bytes, new: bytes) -> bytes:
    """A file whose head says something else, of the same length."""
    assert data.count(old) >= 1
    return data.replace(old, new, 1)


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "not a backup": (lambda data: b"PK" + data, "foreign"),
    "empty": (lambda data: b"", "foreign"),
    "cut in the head": (lambda data: data[:40], "damaged"),
    "cut early": (lambda data: cut(data, 0.2), "damaged"),
    "cut late": (lambda data: cut(data, 0.999), "damaged"),
    "altered early": (lambda data: flip(data, 0.1), "damaged"),
    "altered late": (lambda data: flip(data, 0.95), "damaged"),
    "longer": (lambda data: data + b"\0", "damaged"),
    "head altered": (lambda data: relabel(data, b'"version":"0', b'"version":"9'), "damaged"),
    "later format": (lambda data: relabel(data, b'"format":1', b'"format":9'), "too_new"),
    "later schema": (lambda data: relabel(data, b'"schema":"0', b'"schema":"9'), "too_new"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_backup_is_refused(backup: Path, tmp_path: Path, case: str) -> None:
    """A file that is not a whole backup gives one sentence, and nothing is restored."""
    change, fault = DAMAGE[case]
    file = tmp_path / "pool.backup"
    file.write_bytes(change(backup.read_bytes()))
    problem = refusal(tmp_path, file)

    assert ("backup_refused", fault) == (problem.code, problem.values["fault"])


def test_damaged_backup_leaves_postgresql_empty(
    backup: Path, tmp_path: Path, postgres: str
) -> None:
    """Rows before the damage do not stay in the database."""
    file = tmp_path / "pool.backup"
    file.write_bytes(cut(backup.read_bytes(), 0.999))
    problem = refusal(tmp_path, file, database=postgres)
    restore_pool(backup, tmp_path / "pool", PASSPHRASE, database=postgres)

    assert "damaged" == problem.values["fault"]


def test_wrong_passphrase_is_refused(backup: Path, tmp_path: Path) -> None:
    """Another passphrase opens nothing."""
    problem = refusal(tmp_path, backup, "quatre mots mal choisis")

    assert ("backup_refused", "wrong") == (problem.code, problem.values["fault"])


def test_full_directory_is_left_alone(backup: Path, tmp_path: Path) -> None:
    """A directory with anything in it is refused."""
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "letter.txt").write_text("Bonjour")

    assert "restore_target" == refusal(tmp_path, backup).code


def test_database_of_another_pool_is_left_alone(
    backup: Path, tmp_path: Path, postgres: str
) -> None:
    """A database with a pool in it is refused, and keeps its rows."""
    restore_pool(backup, tmp_path / "first", PASSPHRASE, database=postgres)
    rows = all_rows(postgres)

    assert "pool_database_taken" == refusal(tmp_path, backup, database=postgres).code
    assert rows == all_rows(postgres)


def test_unreachable_database_is_named(backup: Path, tmp_path: Path) -> None:
    """A database that does not answer is named."""
    url = "postgresql://ent@127.0.0.1:1/pool"

    assert "store_unreachable" == refusal(tmp_path, backup, database=url).code
    assert "store_url_refused" == refusal(tmp_path, backup, database="mysql://a/b").code


def test_revocations_outlast_a_refused_upgrade(backup: Path, tmp_path: Path) -> None:
    """What goes back to its own backup keeps the keys that were revoked since, and counts as not
    restored for names and invitations, since no machine has joined meanwhile."""
    state = recorded_pool(tmp_path)
    key = new_user_key()[1]
    PoolIdentity(state).record_revocations([key])
    put_back(backup, PASSPHRASE, state)

    assert PoolIdentity(state).is_revoked(key)
    assert (0.0, True) == (read_mark(state).joined_until, read_mark(state).at > 0.0)


def test_backup_is_put_back_whole_or_not(backup: Path, tmp_path: Path) -> None:
    """An upgrade that fails gets its rows and files back; a damaged backup changes nothing."""
    state = tmp_path / "pool"
    restore_pool(backup, state, PASSPHRASE)
    rows, models = all_rows(store_url(state)), (state / "models.json").read_bytes()
    asyncio.run(_add_event(state))
    (state / "models.json").write_bytes(b"{}")
    changed = all_rows(store_url(state))
    broken = tmp_path / "broken"
    broken.write_bytes(cut(backup.read_bytes(), 0.999))
    with pytest.raises(PoolError):
        put_back(broken, PASSPHRASE, state)
    after_failure = all_rows(store_url(state)), (state / "models.json").read_bytes()
    put_back(backup, PASSPHRASE, state)

    assert rows != changed
    assert (changed, b"{}") == after_failure
    assert (rows, models) == (all_rows(store_url(state)), (state / "models.json").read_bytes())


async def _add_event(state: Path) -> None:
    store = await Store.open(store_url(state))
    await store.append_journal([JournalRow(10_000_000, b"later")])
    await store.close()


# The commands.


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """The file with the passphrase."""
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return str(path)


def test_commands_back_up_and_restore(recorded: Path, tmp_path: Path, secret: str) -> None:
    """The commands say what they did, in both languages."""
    file, state = tmp_path / "pool.backup", tmp_path / "pool"
    backed_up = forked_entraide(
        "pool", "backup", str(file), "--state", str(recorded), "--passphrase-file", secret,
        lang="fr",
    )  # fmt: skip
    restored = forked_entraide(
        "pool", "restore", str(file), str(state), "--passphrase-file", secret
    )

    assert (0, "") == (backed_up.returncode, backed_up.stderr)
    assert "La sauvegarde est dans" in backed_up.stdout
    assert (0, "") == (restored.returncode, restored.stderr)
    assert f"entraide pool run {state}" in restored.stdout
    assert "The mirror from which machines install" in restored.stdout


@all_cases("lacks_mirror", (False, True))
@all_cases("weights", ((), ("grand", "petit")))
def test_what_a_restored_pool_lacks_is_named(lacks_mirror: bool, weights: tuple[str, ...]) -> None:
    """A restore names what no backup contains, and says so where nothing is missing."""
    summary = RestoreSummary(
        "/p", "Parc", "0.1", 1.0, 1, 1, lacks_mirror=lacks_mirror, missing_weights=weights
    )
    text = format_restore(summary, "fr")

    assert lacks_mirror == ("Il manque le miroir" in text)
    assert bool(weights) == ("poids épinglés de grand, petit" in text)
    assert (not lacks_mirror and not weights) == ("Rien ne manque" in text)
    assert "entraide pool mirror /p\n" in text
    from_release = format_restore(structs.replace(summary, mirror_source="release"), "fr")
    assert "entraide pool mirror /p --release DOSSIER\n" in from_release


def test_commands_refuse_in_one_sentence(recorded: Path, tmp_path: Path, secret: str) -> None:
    """Bad input gives one line on standard error, and no file."""
    short = tmp_path / "short"
    short.write_text("court\n")
    state, file = str(recorded), str(tmp_path / "no" / "pool.backup")
    cases = (
        ("backup", file, "--state", state, "--passphrase-file", secret),
        ("backup", str(tmp_path / "b"), "--state", state, "--passphrase-file", str(short)),
        ("backup", str(tmp_path / "b"), "--state", state, "--passphrase-file", "/no/file"),
        ("backup", str(tmp_path / "b"), "--state", state),
        ("backup", str(tmp_path / "b"), "--state", str(tmp_path / "no-pool")),
        ("restore", file, str(tmp_path / "pool"), "--passphrase-file", secret),
    )
    for number, case in enumerate(cases):
        done = forked_entraide("pool", *case, lang=("fr", "en")[number % 2])

        assert (1, 1) == (done.returncode, len(done.stderr.strip().splitlines())), done
    assert ["passphrase", "short"] == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("limit", [60_000, 400_000])
def test_full_disk_leaves_nothing(
    recorded: Path, backup: Path, tmp_path: Path, secret: str, limit: int
) -> None:
    """When no more can be written, backup and restore say so and leave no file."""
    before = sorted(tmp_path.iterdir())
    options = ("--passphrase-file", secret)
    cases = (
        ("backup", str(tmp_path / "pool.backup"), "--state", str(recorded), *options),
        ("restore", str(backup), str(tmp_path / "pool"), *options),
    )
    for case in cases:
        done = forked_entraide("pool", *case, file_bytes_max=limit)

        assert (1, 1) == (done.returncode, len(done.stderr.strip().splitlines())), done
        assert "Free some space" in done.stderr
    assert before == sorted(tmp_path.iterdir())


def test_token_of_the_grid_is_in_the_backup_and_sealed(tmp_path: Path) -> None:
    """What ``grid source`` stored comes back private, and is not legible in the backup."""
    state, file = tmp_path / "pool", tmp_path / "pool.backup"
    create_pool(state, pool_config())
    token = state / "grid" / TOKEN_NAME
    token.parent.mkdir()
    write_private(token, b"token-of-the-operator\n")
    write_backup(state, file, PASSPHRASE)
    restore_pool(file, tmp_path / "restored", PASSPHRASE)
    restored = tmp_path / "restored/grid" / TOKEN_NAME

    assert b"token-of-the-operator\n" == restored.read_bytes()
    assert 0o600 == stat.S_IMODE(restored.stat().st_mode)
    assert b"token-of-the-operator" not in file.read_bytes()
