"""``pool upgrade``: over to another version, or back to this one with nothing lost.

One recorded pool runs for all tests. Each leaves it as it was, but the last one. An environment is
made of a wheel by pip where that is the subject; elsewhere it has the checkout's packages.
They take minutes, so `make test-engines` runs them. A running pool hands itself over; the other
way, by which it is stopped, is for a pool that does not run and for a version without that.
"""

import hashlib
import json
import socket
import ssl
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError
from tests.pool.kept_requests import CHAT, Sender
from tests.pool.recorded_support import all_rows, recorded_pool, store_url
from tests.pool.release_support import make_keys, write_release, write_root
from tests.pool.support import HOST, RunningPool, entraide, pool_config, wait_until
from tests.pool.upgrade_load import KINDS, Load, counting_node, wait_for_model
from tests.pool.wheelhouse import (
    add_migration,
    break_start,
    build_version,
    hang_start,
    repack_installed,
)

import entraide as package
from entraide.release import describe_own_target
from entraide.v1 import admin_pb2
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.facts import call_status
from entraide_scheduler.pool.handover import read_record
from entraide_scheduler.pool.upgrade import _ask_version
from entraide_scheduler.pool.versions import find_current, python_of
from entraide_scheduler.store.database import database_url, make_engines

pytestmark = [pytest.mark.engines, pytest.mark.checkout, pytest.mark.timeout(900)]
LONG_S = 300.0
GOOD, BROKEN = "9.1.0", "9.2.0"
KILLED = """
import sys, time
from pathlib import Path
from entraide_scheduler.pool import upgrade

state, environment = map(Path, sys.argv[1:])

def wait(state, trial):
    while not upgrade._ask_version(state, trial.pid):
        time.sleep(0.05)
    print("answers", flush=True)
    time.sleep(600)

upgrade._has_parts = lambda environment: False
upgrade.read_wheel_version = lambda wheel: "9.9.9"
upgrade._make_environment = lambda *_: environment
upgrade._wait_for_answer = wait
upgrade.upgrade_pool(state, Path("a.whl"), wheels=None, lang="en", report=lambda *_, **__: None)
"""
COMMAND = """
import sys
from pathlib import Path
from entraide.cli import main
from entraide_scheduler.pool import upgrade

environment = Path(sys.argv.pop(1))
upgrade._make_environment = lambda *_: environment
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a later version."""
    return build_version(tmp_path_factory.mktemp("good"), GOOD, add_migration)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A recorded pool that runs."""
    config = pool_config(gateways=2)
    state = recorded_pool(tmp_path_factory.mktemp("recorded"), config)
    (state / "versions").mkdir(mode=0o700)
    running = RunningPool(state, config)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


def running_version(pool: RunningPool) -> str:
    """The version that the running scheduler says."""
    return _ask_version(pool.state, pool.process.pid)


def pool_status(pool: RunningPool) -> admin_pb2.Status:
    """What the scheduler says of the pool."""
    return call_status(pool.file, "en")


def table_names(url: str) -> list[str]:
    """The tables of a store; none while it cannot be read."""
    engines = make_engines(database_url(url))
    try:
        return inspect(engines[1]).get_table_names()
    except OperationalError:
        return []
    finally:
        for engine in engines:
            engine.dispose()


def make_environment(pool: RunningPool, name: str, wheel: Path | None = None) -> Path:
    """An environment with the checkout's packages, and before them those of a wheel."""
    folder = pool.state / "versions" / name
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python3.*/site-packages")
    if wheel is not None:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    checkout = sysconfig.get_path("purelib")
    (packages / "checkout.pth").write_text(f"import site; site.addsitedir({checkout!r})\n")
    (folder / "bin/nats-server").symlink_to(Path(sys.executable).with_name("nats-server"))
    return folder


def sign_wheel(folder: Path, wheel: Path) -> tuple[Path, str]:
    """A signed release with one wheel for this machine; its folder, and the root's fingerprint."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    line = f"entraide=={GOOD} --hash=sha256:{digest} # {wheel.name}\n"
    files = {wheel.name: wheel.read_bytes(), f"pool-{describe_own_target()}.txt": line.encode()}
    root = write_root(folder, 1, make_keys("ours"))
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return write_release(folder, make_keys("ours"), now, version=GOOD, files=files), root


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    """A missing file, another file and missing wheels give one sentence; the pool is unchanged."""
    state = tmp_path / "pool"
    create_pool(state, pool_config())
    before = sorted(path.name for path in state.iterdir())
    (tmp_path / "a.whl").write_bytes(b"PK")
    for number, name in enumerate(("no.whl", "a.whl")):
        done = entraide(
            "pool", "upgrade", str(tmp_path / name), "--state", str(state),
            lang=("fr", "en")[number],
        )  # fmt: skip

        assert (1, 1) == (done.returncode, len(done.stderr.strip().splitlines())), done
    assert before == sorted(path.name for path in state.iterdir())


def test_missing_wheels_leave_the_pool_alone(pool: RunningPool, good: Path, tmp_path: Path) -> None:
    """Where a needed wheel is missing, nothing is made and the running pool is not touched."""
    pids = pool.file.pids
    done = entraide(
        "pool", "upgrade", str(good), "--state", str(pool.state), "--wheels", str(tmp_path),
    )  # fmt: skip

    assert (1, 1) == (done.returncode, len(done.stderr.strip().splitlines())), done
    assert pids == pool.file.pids
    assert [] == list((pool.state / "versions").iterdir())


def test_killed_upgrade_is_undone_by_the_pool(pool: RunningPool) -> None:
    """The command is killed while the new version answers and has written into the store: the
    trial ends with it, and the waiting pool goes back to the environment and the rows of before."""
    environment = make_environment(pool, "9.9.9-0")
    rows = all_rows(store_url(pool.state))
    command = [sys.executable, "-c", KILLED, str(pool.state), str(environment)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upgrade:
        assert upgrade.stdout is not None
        assert "answers\n" == upgrade.stdout.readline()
        added = entraide("coops", "add", "later", "--state", str(pool.state))
        current = find_current(pool.state)
        upgrade.kill()
    wait_until(lambda: running_version(pool), "the pool is back")
    kept = all_rows(store_url(pool.state))

    assert (0, environment) == (added.returncode, current)
    assert find_current(pool.state) is None
    assert [] == list((pool.state / "versions").iterdir())
    assert not (pool.state / "upgrade/trial.json").exists()
    assert rows["policies"] == kept["policies"]


def test_kept_work_is_refused_during_a_trial(pool: RunningPool) -> None:
    """While a version is on trial, every gateway refuses kept jobs, files and batches and says when
    to repeat them; live requests reach the scheduler. Once the trial is undone, all are accepted,
    and what was accepted before it is there."""
    sender = Sender(pool, "boreale")
    before, submitted_before = sender.post_kept(), sender.submit()
    environment = make_environment(pool, "9.9.9-1")
    command = [sys.executable, "-c", KILLED, str(pool.state), str(environment)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upgrade:
        assert upgrade.stdout is not None
        try:
            assert "answers\n" == upgrade.stdout.readline()
            refused = sender.post_kept()
            submitted = sender.submit()
            french = sender.post(sender.ports[-1], "/v1/jobs", "fr")
            live = [sender.post(port, CHAT).code for port in sender.ports]
        finally:
            upgrade.kill()
    wait_until(lambda: running_version(pool), "the pool is back", LONG_S)
    rows = all_rows(store_url(pool.state))
    after, submitted_after = sender.post_kept(), sender.submit()

    accepted = [202, 200, 200] * 2
    assert [accepted, accepted] == [[reply.status for reply in sent] for sent in (before, after)]
    assert [("OK", "")] * 2 == [submitted_before, submitted_after]
    assert [(503, "upgrade_trial", "10")] * 6 == [
        (reply.status, reply.code, reply.retry_after) for reply in refused
    ]
    assert ("UNAVAILABLE", "upgrade_trial") == submitted
    assert "essaie une autre version" in french.body["error"]["message"]
    assert ["no_model_fits"] * 2 == live  # the scheduler has asked all machines: there is none
    assert {before[0].body["id"], before[3].body["id"]} <= {row["job"] for row in rows["kept"]}
    assert {before[1].body["id"], before[4].body["id"]} == {row["file"] for row in rows["files"]}


def test_broken_version_is_left(pool: RunningPool, tmp_path: Path) -> None:
    """A running pool goes back from a version that fails after its migration, as it was."""
    wheel = build_version(tmp_path, BROKEN, break_start)
    environment = make_environment(pool, f"{BROKEN}-0", wheel)
    rows = all_rows(store_url(pool.state))
    words = ("--lang", "fr", "pool", "upgrade", str(wheel), "--state", str(pool.state))
    failed = subprocess.run(
        [sys.executable, "-c", COMMAND, str(environment), *words],
        capture_output=True, text=True, check=False, timeout=LONG_S,
    )  # fmt: skip
    kept = all_rows(store_url(pool.state))

    assert (1, 1) == (failed.returncode, len(failed.stderr.strip().splitlines())), failed
    assert f"La version {BROKEN} ne démarre pas" in failed.stderr
    assert (package.__version__, None) == (running_version(pool), find_current(pool.state))
    for table in ("settled", "entries", "keys", "nodes", "kept"):
        assert len(rows[table]) == len(kept[table])
    assert "later" not in kept


def read_step(pool: RunningPool) -> str:
    """How far the pool's handover is."""
    record = read_record(pool.state)
    return record.step if record is not None else ""


def hold_connection(pool: RunningPool) -> ssl.SSLSocket:
    """A connection that is kept after an answer: a gateway that leaves waits for it a while."""
    trust = ssl.create_default_context(cadata=pool.ca)
    plain = socket.create_connection((HOST, pool.config.http.port))
    held = trust.wrap_socket(plain, server_hostname=HOST)
    held.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
    assert held.recv(4_096).startswith(b"HTTP/1.1 200")
    return held


@pytest.mark.parametrize("step", ["leaving", "trial", "back"])
def test_pool_killed_in_a_handover(pool: RunningPool, tmp_path: Path, step: str) -> None:
    """The pool's process is killed in a handover, before, in and after the trial: its next start
    has the version and the rows of before, and the command says that it failed."""
    change = break_start if step == "back" else hang_start
    wheel = build_version(tmp_path, BROKEN, change)
    environment = make_environment(pool, f"{BROKEN}-{step}", wheel)
    rows = all_rows(store_url(pool.state))
    words = ("--lang", "en", "pool", "upgrade", str(wheel), "--state", str(pool.state))
    command = [sys.executable, "-c", COMMAND, str(environment), *words]
    with (
        hold_connection(pool) if step == "leaving" else nullcontext(),
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as upgrade,
    ):
        wait_until(lambda: read_step(pool) == step, step, LONG_S)
        if step == "trial":  # until the other version has migrated the store
            later = f"sqlite:///{pool.state / 'store.db'}"
            wait_until(lambda: "later" in table_names(later), "migrated", LONG_S)
        pool.process.kill()
        pool.process.wait()
        _, problem = upgrade.communicate(timeout=LONG_S)
    pool.process = RunningPool(pool.state, pool.config).process
    wait_until(lambda: running_version(pool), "the pool is back", LONG_S)
    kept = all_rows(store_url(pool.state))

    assert (1, 1) == (upgrade.returncode, len(problem.strip().splitlines())), problem
    assert (package.__version__, None) == (running_version(pool), find_current(pool.state))
    assert not (pool.state / "upgrade/trial.json").exists()
    assert not (pool.state / "upgrade/before").exists()
    assert "later" not in kept
    for table in ("settled", "entries", "keys", "nodes", "kept"):
        assert len(rows[table]) == len(kept[table])


def test_killed_command_changes_nothing(pool: RunningPool, tmp_path: Path) -> None:
    """If only the command is killed, the pool's process ends the handover by itself: here it goes
    back from a version that does not come up."""
    wheel = build_version(tmp_path, BROKEN, break_start)
    environment = make_environment(pool, f"{BROKEN}-command", wheel)
    words = ("pool", "upgrade", str(wheel), "--state", str(pool.state))
    command = [sys.executable, "-c", COMMAND, str(environment), *words]
    with (
        hold_connection(pool),
        subprocess.Popen(command, stdout=subprocess.DEVNULL) as upgrade,
    ):
        wait_until(lambda: read_step(pool) == "leaving", "leaving", LONG_S)
        upgrade.kill()
    wait_until(lambda: read_step(pool) == "failed", "failed", LONG_S)

    assert (package.__version__, None) == (running_version(pool), find_current(pool.state))


def test_no_request_fails_while_a_pool_is_upgraded(
    pool: RunningPool, good: Path, tmp_path: Path
) -> None:
    """Clients that keep their connections, long streams and gRPC go on over an upgrade to a later
    version with a later schema, from the folder of a signed release: nothing fails, no stream
    breaks, and no token is missing. Another fingerprint than the root's changes nothing."""
    environment = make_environment(pool, f"{GOOD}-0", good)
    release, root = sign_wheel(tmp_path / "release", good)
    words = ("--lang", "en", "pool", "upgrade", str(release), "--state", str(pool.state), "--root")
    refused = entraide(*words[2:], f"sha256:{'0' * 64}")
    with counting_node(pool, tmp_path):
        wait_for_model(pool)
        load = Load(pool)
        with load:
            load.wait_for(3 * len(KINDS))
            done = subprocess.run(
                [sys.executable, "-c", COMMAND, str(environment), *words, root],
                capture_output=True, text=True, check=False, timeout=LONG_S,
            )  # fmt: skip
            load.wait_for(len(load.asked) + 3 * len(KINDS))
    names = [each.gateway for each in pool_status(pool).gateways]

    assert (1, "") == (refused.returncode, refused.stdout), refused
    assert (0, "", True) == (done.returncode, done.stderr, root in done.stdout)
    assert (GOOD, environment) == (running_version(pool), find_current(pool.state))
    assert [] == [asked for asked in load.asked if asked.problem]
    assert {*KINDS} == {asked.kind for asked in load.asked}
    assert ["gateway-2"] == names


def test_second_version_is_left_for_the_first(pool: RunningPool, tmp_path: Path) -> None:
    """The pool's process goes on with its own code after an upgrade. It goes over from that version
    to another one, and back, all the same, though it cannot read their schema itself."""
    present = find_current(pool.state)
    assert present is not None
    wheel = build_version(tmp_path, BROKEN, break_start)
    environment = make_environment(pool, f"{BROKEN}-second", wheel)
    words = ("--lang", "en", "pool", "upgrade", str(wheel), "--state", str(pool.state))
    failed = subprocess.run(
        [str(python_of(present)), "-c", COMMAND, str(environment), *words],
        capture_output=True, text=True, check=False, timeout=LONG_S,
    )  # fmt: skip

    assert 1 == failed.returncode
    assert "scheduler: RuntimeError: broken on purpose" in failed.stderr
    assert (GOOD, present) == (running_version(pool), find_current(pool.state))


@pytest.mark.long
def test_good_version_is_taken(pool: RunningPool, good: Path, tmp_path: Path) -> None:
    """A later version takes the pool over, in the same process; the commands then use that
    version's environment, and the same version is not taken twice."""
    wheels = repack_installed(tmp_path / "wheels", "scheduler")
    options = ("--state", str(pool.state), "--wheels", str(wheels))
    done = entraide("pool", "upgrade", str(good), *options, timeout_s=LONG_S)
    after = running_version(pool)
    environment = find_current(pool.state)
    again = entraide("pool", "upgrade", str(good), *options)
    file = tmp_path / "pool.backup"
    (tmp_path / "passphrase").write_text("quatre mots bien choisis")
    backed_up = entraide(
        "pool", "backup", str(file), "--state", str(pool.state), "--json",
        "--passphrase-file", str(tmp_path / "passphrase"),
    )  # fmt: skip

    assert (0, "") == (done.returncode, done.stderr)
    assert GOOD == after
    assert environment is not None
    assert environment.name.startswith(GOOD)
    assert (0, "") == (again.returncode, again.stderr)
    assert f"has version {GOOD} already" in again.stdout
    assert 0 == backed_up.returncode, backed_up
    assert json.loads(backed_up.stdout)["rows"] > 1_000
    assert f'"version":"{GOOD}"'.encode() in file.read_bytes()[:4_096]
