"""``pool status`` and ``pool doctor``: what a pool is like, and what it lacks."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import update
from tests.commands import forked_entraide
from tests.pool.support import HOST, RunningPool, pool_config, running_pool, wait_until

from entraide import i18n
from entraide.errors import EntraideError
from entraide.files import write_private
from entraide.types import Basis
from entraide.v1 import admin_pb2
from entraide_scheduler.core.events import Woke
from entraide_scheduler.driver import SCHEDULER_LOCK
from entraide_scheduler.findings import Finding, Severity, note_start, report
from entraide_scheduler.grid.feed import IntensityFeed, ZoneSource
from entraide_scheduler.grid.series import IntensitySeries
from entraide_scheduler.grid.sources import CONFIGURED, GridSources
from entraide_scheduler.nats.tls import ensure_files
from entraide_scheduler.pool.backup_check import check_backup
from entraide_scheduler.pool.backup_config import PoolBackup
from entraide_scheduler.pool.config import PoolConfig
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.doctor import check_gateways, inspect_pool
from entraide_scheduler.pool.facts import call_findings
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.schema import leadership
from entraide_scheduler.store.store import Store


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool that runs."""
    with running_pool(tmp_path_factory.mktemp("doctor") / "pool", pool_config()) as running:
        yield running


def test_running_pool_is_well(pool: RunningPool) -> None:
    """Nothing keeps a new pool from working; it lacks a backup, and says so."""
    done = forked_entraide("pool", "doctor", str(pool.state), "--json")
    document = json.loads(done.stdout)
    levels = {(check["code"], check["level"]) for check in document["checks"]}
    (backup,) = (check for check in document["checks"] if check["code"] == "backup-none")

    assert (0, True) == (done.returncode, document["ok"])
    assert {("bus-ok", "ok"), ("scheduler-ok", "ok"), ("port-ok", "ok")} <= levels
    assert [] == [check for check in document["checks"] if check["level"] == "fail"]
    assert "warn" == backup["level"]
    assert 0.0 < time.time() - backup["since"] < 600.0  # the running scheduler knows since when


def test_the_remedy_of_a_missing_backup_knows_that_one_is_made_each_day(pool: RunningPool) -> None:
    """A daily backup is not to be switched on where it is; the passphrase it waits for is named."""
    daily = structs.replace(pool.config, backup=PoolBackup(daily="03:00"))
    lacking = check_backup(pool.state, daily)
    write_private(pool.state / "backup-passphrase", b"quatre mots bien choisis")
    ready = check_backup(pool.state, daily)
    (pool.state / "backup-passphrase").unlink()
    off = structs.replace(pool.config, backup=PoolBackup(daily=""))
    remedies = [
        i18n.text(f"pool-doctor-{each.code}.remedy", "fr", **each.values)
        for each in (lacking, ready, check_backup(pool.state, off))
    ]

    assert [True, False, False] == ["/backup-passphrase" in each for each in remedies]
    assert [False, False, True] == ["« daily »" in each for each in remedies]


def test_status_of_a_running_pool(pool: RunningPool) -> None:
    """At a glance: address, nodes, queue, certificates, backup and policy."""
    done = forked_entraide("pool", "status", str(pool.state), "--json")
    said = forked_entraide("pool", "status", str(pool.state), lang="fr")
    document = json.loads(done.stdout)

    assert (0, 0) == (done.returncode, said.returncode)
    assert (True, pool.config.public_url, 0, 0, "1") == (
        document["running"],
        document["url"],
        document["nodes_live"],
        document["false_alarms"],
        document["policy_version"],
    )
    assert document["certificate_days"]["pool"] in (364, 365)
    assert document["last_backup_at"] is None
    assert pool.config.public_url in said.stdout
    assert "nœuds en ligne\u00a0: 0 sur 0" in said.stdout


def test_the_page_is_told_what_the_doctor_finds(pool: RunningPool, tmp_path: Path) -> None:
    """The Admin service has the doctor's findings, warnings first, and the age of the backup."""
    before = list_findings(pool)
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("quatre mots sur papier\n")
    state = ("--state", str(pool.state), "--passphrase-file", str(passphrase))
    made = forked_entraide("pool", "backup", str(tmp_path / "pool.backup"), *state)
    after = list_findings(pool, lang="fr")
    levels = [finding["level"] for finding in before["findings"]]
    (none,) = (each for each in before["findings"] if each["code"] == "backup-none")
    (backup,) = (each for each in after["findings"] if each["code"] == "backup-ok")

    assert "warn" == none["level"]
    assert f"entraide pool backup FILE --state {pool.state}" in none["remedy"]
    assert levels == sorted(levels, reverse=True)  # warn, then ok; nothing fails
    assert 0.0 == before["backupAt"]
    assert 0 == made.returncode
    assert ("ok", "La dernière sauvegarde est d’aujourd’hui.") == (
        backup["level"],
        backup["sentence"],
    )
    assert 0.0 <= after["at"] - after["backupAt"] < 100.0


@pytest.mark.parametrize("place", ['zone = "US-NY"', 'zone = "CA"', 'zone = "unknown"'])
def test_a_place_outside_of_the_policys_default_is_found(pool: RunningPool, place: str) -> None:
    """Each request that names nothing would be refused, and the doctor says so before it is."""
    path = pool.state / "pool.toml"
    before = path.read_text()
    path.write_text(before.replace('[place]\nzone = "unknown"', f"[place]\n{place}"))
    checks = inspect_pool(pool.state, "en")
    path.write_text(before)
    outside = [each.severity for each in checks if each.code == "place-outside"]

    assert ([Severity.FAIL] if "US" in place else []) == outside


def list_findings(pool: RunningPool, lang: str = "en") -> Any:
    """Asks the running pool, with the operator's key, as a page asks with a session."""
    headers = {"authorization": f"Bearer {pool.file.admin_key}", "accept-language": lang}
    request = urllib.request.Request(
        f"{pool.file.http}/v1/admin/ListFindings", data=b"{}", headers=headers
    )
    context = ssl.create_default_context(cadata=pool.ca)
    with urllib.request.urlopen(request, timeout=100, context=context) as answer:
        return json.loads(answer.read())


def test_a_pool_that_nobody_founded_is_told_apart(tmp_path: Path) -> None:
    """The directory of ``entraide up`` has no ``pool.toml``: what that means, and what to do."""
    (tmp_path / "store.db").touch()
    checks = inspect_pool(tmp_path, "fr")

    assert ["config-unfounded", "disk-ok"] == [each.code for each in checks]
    for lang in ("fr", "en"):
        assert "entraide pool create" in report(checks[0], lang).remedy


def test_status_of_a_stopped_pool(tmp_path: Path) -> None:
    """A stopped pool has exit status 3, and its last backup is named."""
    state = tmp_path / "pool"
    create_pool(state, pool_config())
    (state / "last-backup.json").write_text(json.dumps({"at": time.time() - 200_000.0}))
    done = forked_entraide("pool", "status", str(state))

    assert 3 == done.returncode
    assert f"entraide pool run {state}" in done.stdout
    assert "2 days ago" in done.stdout


def taken_port(state: Path, config: PoolConfig) -> Any:
    """Another program listens on a port of the pool."""
    other = socket.socket()
    other.bind((HOST, config.bus.port))
    other.listen()
    return other


def write(name: str, text: str) -> Callable[[Path, PoolConfig], Any]:
    """Replaces a file of the pool."""
    return lambda state, _config: (state / name).write_text(text)


def change(old: str, new: str) -> Callable[[Path, PoolConfig], Any]:
    """Changes a line of ``pool.toml``."""

    def apply(state: Path, _config: PoolConfig) -> None:
        path = state / "pool.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return apply


def age(days: float) -> Callable[[Path, PoolConfig], Any]:
    """Makes the pool's certificate as it was made days ago."""

    def apply(state: Path, _config: PoolConfig) -> None:
        (state / "tls" / "server.pem").unlink()
        ensure_files(state, ["localhost"], now=lambda: time.time() - days * 86_400.0)

    return apply


def event_at(days: float) -> Callable[[Path, PoolConfig], Any]:
    """Writes an event of so many days from now."""

    async def put(state: Path) -> None:
        store = await Store.open(f"sqlite:///{state / 'store.db'}")
        event = Woke(1, time.time() + days * 86_400.0)
        await store.append_journal([JournalRow(1, msgspec.msgpack.encode(event))])
        await store.close()

    return lambda state, _config: asyncio.run(put(state))


def backup(days: float) -> Callable[[Path, PoolConfig], Any]:
    """Records a backup of days ago."""

    def apply(state: Path, _config: PoolConfig) -> None:
        (state / "last-backup.json").write_text(json.dumps({"at": time.time() - days * 86_400.0}))

    return apply


def choose(source: str, *, age_h: int = 0) -> Callable[[Path, PoolConfig], Any]:
    """Chooses a zone's source, and imports two hours, as ``grid source`` and ``import`` do."""

    async def put(state: Path) -> None:
        store = await Store.open(f"sqlite:///{state / 'store.db'}")
        hour = (int(time.time()) // 3_600 - age_h) * 3_600
        feed = IntensityFeed(())
        sources = GridSources(
            None, feed, store=store, folder=state, now=time.time, on_change=lambda: None
        )
        try:
            hours = {hour: (1.0, 2.0), hour + 3_600: (1.0, 2.0)}
            await sources.put_series(IntensitySeries("CA-QC", hours, Basis.MEASURED), file="a.csv")
            if source == CONFIGURED:
                await sources.leave_to_configuration("CA-QC")
            else:
                await sources.choose("CA-QC", ZoneSource(source))
        finally:
            await sources.stop()
            await store.close()

    return lambda state, _config: asyncio.run(put(state))


def held_elsewhere(state: Path, config: PoolConfig) -> None:
    """Another scheduler has the term of the database."""

    async def hold() -> None:
        store = await Store.open(f"sqlite:///{state / 'store.db'}")
        await store.take_term("elsewhere:/pool (0)")
        for_long = update(leadership).values(expires_at=4e9)
        await store.write(lambda c: c.execute(for_long) and None)
        await store.close()

    asyncio.run(hold())
    (state / SCHEDULER_LOCK).touch()


MAPS = '[grid.electricity_maps]\nzones = ["CA-QC"]\n\n[tls]'
LOST = '{"event": "grid.lost", "zone": "CA-QC", "what": "intensity"}\n'

FAULTS: dict[str, tuple[tuple[Callable[[Path, PoolConfig], Any], ...], str, Severity]] = {
    "unknown name": (
        (change('address = "localhost"', 'address = "no-such-host.invalid"'),),
        "name-unknown", Severity.FAIL),
    "taken port": ((taken_port,), "port-taken", Severity.FAIL),
    "expired certificate": ((age(366),), "certificate-pool-expired", Severity.FAIL),
    "certificate that was not renewed": ((age(350),), "certificate-pool-ending", Severity.WARN),
    "damaged certificate": (
        (write("tls/server.pem", "Bonjour"),), "certificate-unreadable", Severity.FAIL),
    "clock far after the last event": ((event_at(-400.0),), "clock-far-ahead", Severity.FAIL),
    "clock before the last event": ((event_at(400.0),), "clock-far-back", Severity.FAIL),
    "clock that is behind": ((age(-30),), "clock-behind", Severity.FAIL),
    "lost store": (
        (lambda state, _config: (state / "store.db").unlink(),), "store-absent", Severity.FAIL),
    "unreachable database": (
        (change('database = ""', 'database = "postgresql://a@127.0.0.1:1/b?connect_timeout=2"'),),
        "store-unreachable", Severity.FAIL),
    "no backup": ((), "backup-none", Severity.WARN),
    "unknown place": ((), "place-unknown", Severity.WARN),
    "unknown place of backups": ((), "backup-place-unknown", Severity.WARN),
    "old backup": ((backup(9),), "backup-old", Severity.WARN),
    "no mirror, as after a restore": ((), "mirror-none", Severity.WARN),
    "no Python for machines without one": (
        (lambda state, _config: (state / "mirror").mkdir(),
         write("mirror/targets.txt", "linux-x86_64-3.11\n")),
        "mirror-pythons", Severity.WARN),
    "no token": (
        (change("[tls]", MAPS), write("logs/scheduler.log", '{"event": "grid.no_token"}\n')),
        "grid-no_token", Severity.WARN),
    "stale zone": (
        (change("[tls]", MAPS), write("logs/scheduler.log", LOST)),
        "grid-stale", Severity.WARN),
    "imported hours of before": ((choose("series", age_h=48),), "grid-stale", Severity.WARN),
    "chosen API that gives nothing": (
        (choose("electricity_maps"), write("logs/scheduler.log", LOST)),
        "grid-stale", Severity.WARN),
    "zone left to the configuration": (
        (change("[tls]", MAPS), write("logs/scheduler.log", LOST), choose("configured")),
        "grid-stale", Severity.WARN),
    "unreadable configuration": ((write("pool.toml", "name = 1"),), "config-problem",
                                 Severity.FAIL),
    "lost key": (
        (lambda state, _config: (state / "identity/operator.seed").unlink(),),
        "config-problem", Severity.FAIL),
    "stopped pool": ((), "scheduler-stopped", Severity.WARN),
    "second scheduler": ((held_elsewhere,), "scheduler-elsewhere", Severity.FAIL),
}  # fmt: skip

# What is not missing: a source that the operator chose, and that has the present hour.
GRID_WELL: dict[str, tuple[Callable[[Path, PoolConfig], Any], ...]] = {
    "imported hours of now": (choose("series"),),
    "zone left to the average": (
        change("[tls]", MAPS), write("logs/scheduler.log", LOST), choose("annual"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GRID_WELL)
def test_chosen_source_that_has_the_hour_is_well(tmp_path: Path, case: str) -> None:
    """What the operator chose for a zone counts, and not what ``pool.toml`` says of it."""
    config = pool_config()
    create_pool(tmp_path / "pool", config)
    (tmp_path / "pool/logs").mkdir(exist_ok=True)
    for make in GRID_WELL[case]:
        make(tmp_path / "pool", config)
    checks = inspect_pool(tmp_path / "pool", "fr")
    (grid,) = (each for each in checks if each.code.startswith("grid-"))

    assert Severity.OK is grid.severity


@pytest.mark.parametrize("case", FAULTS)
def test_fault_is_found_with_its_remedy(tmp_path: Path, case: str) -> None:
    """Each fault has a sentence and a remedy in both languages."""
    changes, code, severity = FAULTS[case]
    state, config = tmp_path / "pool", pool_config()
    create_pool(state, config)
    held = [apply(state, config) for apply in changes]
    checks = inspect_pool(state, "en")
    for each in held:
        if isinstance(each, socket.socket):
            each.close()
    matching = [check for check in checks if check.code == code]

    assert [severity] == [check.severity for check in matching]
    for lang in ("fr", "en"):
        words = report(matching[0], lang)

        assert words.sentence
        assert words.remedy or matching[0].problem


def test_exit_status_says_whether_the_pool_can_work(tmp_path: Path) -> None:
    """With a fault that keeps the pool from working the exit status is 1."""
    state = tmp_path / "pool"
    create_pool(state, pool_config())
    (state / "store.db").unlink()
    done = forked_entraide("pool", "doctor", str(state), lang="fr")

    assert 1 == done.returncode
    assert "✗ La base de données" in done.stdout
    assert "  → Restaurez-la" in done.stdout


@pytest.mark.parametrize(
    ("gateways", "code", "named"),
    [
        ({"gateway-2": "live"}, "ok", "2"),
        ({"gateway-2": "live", "loin": "stopped"}, "ok", "2"),
        ({"gateway-2": "silent"}, "silent", "gateway-2"),
        ({"gateway-2": "live", "loin": "silent"}, "silent", "loin"),
        ({}, "silent", "gateway-2"),
        ({"gateway-2": "twice"}, "twice", "gateway-2"),
    ],
)
def test_silent_gateways_are_named(gateways: dict[str, str], code: str, named: str) -> None:
    """A gateway that the scheduler does not hear is named, and one whose name is used twice."""
    listed = [
        admin_pb2.Gateway(
            gateway=name, state="live" if state == "twice" else state, twice=state == "twice"
        )
        for name, state in gateways.items()
    ]
    config = structs.replace(pool_config(), gateways=2)
    (check,) = check_gateways(config, admin_pb2.Status(gateways=listed))
    words = [report(check, lang) for lang in ("en", "fr")]

    assert f"gateways-{code}" == check.code
    assert all(named in each.sentence for each in words)
    assert all(bool(each.remedy) == (code != "ok") for each in words)


def test_scheduler_that_starts_again_and_again_is_named(tmp_path: Path) -> None:
    """Also while it never answers: its unasked ends are counted in the pool's directory."""
    state = tmp_path / "pool"
    create_pool(state, pool_config())
    for _ in range(4):  # none is asked to end, but for the last one, which runs
        note_start(state, "scheduler")
    (loop,) = (each for each in inspect_pool(state, "fr") if each.code.startswith("restarts-"))

    assert ("restarts-loop", Severity.FAIL) == (loop.code, loop.severity)
    assert "3" in report(loop, "fr").sentence


@pytest.mark.long
def test_killed_scheduler_is_named_by_the_next_one(pool: RunningPool) -> None:
    """The doctor is told by the process that runs now, which has counted the one before."""
    before = pool.file.pids["scheduler"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pool.file.pids.get("scheduler") not in (None, before), "a new process")

    def restarts() -> list[Finding]:
        with contextlib.suppress(EntraideError):  # it starts
            return [each for each in call_findings(pool.file, "fr") if "part" in each.values]
        return []

    wait_until(restarts, "the restart is named")
    said = forked_entraide("pool", "doctor", str(pool.state), lang="fr").stdout

    assert ["restarts-recent"] == [each.code for each in restarts()]
    assert "! L’ordonnanceur s’est arrêté sans qu’on le lui demande" in said
    assert "(depuis le 20" in said
