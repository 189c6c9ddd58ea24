"""Upgrade: takes a pool over to another version, or back to the one that it had.

In: a wheel. The new version gets an environment beside the old one. A running pool is backed up,
and its process hands it over (``handover``) once SIGUSR1 tells it to. A pool that does not run, and
a version to which none can be handed over, take the other way: the pool stops, a backup is written,
and the new version runs the pool on trial: it migrates the store, reads snapshot and journal, and
must answer. Then the pool's own process goes on with it, which waits meanwhile for the upgrade's
lock. If the new version does not come up, the old environment, the files and the store of the
backup are put back; if this process is killed, the next start does that (``trial``).
"""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import HeaderParser
from importlib.metadata import distribution
from pathlib import Path

import psutil
from msgspec import Struct

import entraide
from entraide import i18n
from entraide.errors import EntraideError, PoolError
from entraide.files import PRIVATE_DIRECTORY_MODE
from entraide_scheduler.nats.keyfiles import load_admin_key, lock_home
from entraide_scheduler.pool.backup import write_backup
from entraide_scheduler.pool.config import PoolConfig, load_pool_config
from entraide_scheduler.pool.facts import call_status
from entraide_scheduler.pool.handover import (
    ENDS,
    PARTS,
    HandoverRecord,
    delete_record,
    read_record,
    write_record,
)
from entraide_scheduler.pool.trial import (
    STOP_TIMEOUT_S,
    begin_trial,
    end_trial,
    go_back,
    read_trial,
    wait_until_stopped,
)
from entraide_scheduler.pool.undo_copy import check_space
from entraide_scheduler.pool.versions import (
    UPGRADE_LOCK,
    find_current,
    new_environment,
    python_of,
    remove_others,
    set_current,
)
from entraide_scheduler.supervision import poolfile
from entraide_scheduler.supervision.foreground import PARENT_PIPE
from entraide_scheduler.supervision.poolfile import SUPERVISOR
from entraide_scheduler.upgrade_trial import BACKUP, FOLDER

LOG = "upgrade.log"
STOP_SIGNAL = signal.SIGUSR1
READY_TIMEOUT_S = 240.0
POLL_S = 0.1
PACKAGE = "entraide"
RECORD = "RECORD"
METADATA_BYTES_MAX = 1024 * 1024
PROBLEM_CHARS_MAX = 300

Report = Callable[..., None]


class UpgradeSummary(Struct, frozen=True):
    """What an upgrade did.

    Attributes:
        version: version that runs the pool now.
        previous: version before.
        environment: folder of the new environment; "" if the pool had this wheel already.
        is_running: whether the pool runs, as before.
    """

    version: str
    previous: str
    environment: str
    is_running: bool


def upgrade_pool(
    state: Path, wheel: Path, *, wheels: Path | None, lang: str, report: Report
) -> UpgradeSummary:
    """Takes a pool over to the version in a wheel. Blocks.

    Args:
        state: the pool's directory.
        wheel: of the new version.
        wheels: folder with the wheels that it needs; None to take them from pip's index.
        lang: language of the new version's output.
        report: called at each step, with a stable code and the values of its sentence.

    Raises:
        PoolError: ``upgrade_running``, ``upgrade_wheel_refused``, ``upgrade_environment``,
            ``upgrade_not_stopped``; ``upgrade_no_space``; ``upgrade_failed``: the new version did
            not come up, and the old one is back; ``upgrade_not_back``; or an error of the backup.
    """
    config = load_pool_config(state)
    version = read_wheel_version(wheel)
    before = find_current(state)
    with _upgrade_lock(state):
        running = poolfile.read_running(state)
        pid = running.pids[SUPERVISOR] if running is not None else 0
        if _is_in_use(state, wheel, before, pid):
            return UpgradeSummary(version, version, "", bool(pid))
        report("upgrade-environment", version=version)
        environment = _make_environment(state, config, wheel, wheels)
        hands_over = bool(pid) and _has_parts(environment)
        if not hands_over:
            problem = _stop_and_try(
                state, environment, before, pid=pid, version=version, lang=lang, report=report
            )
        elif not config.database:  # the handover writes that of PostgreSQL
            report("upgrade-backup")
            with _removed_if_failed(environment):
                check_space(state)
                _back_up(state)
    if hands_over:
        with _removed_if_failed(environment):
            asked = HandoverRecord(environment.name, before.name if before else "", version)
            problem = _watch_handover(state, pid, asked, report)
        if problem:
            shutil.rmtree(environment, ignore_errors=True)
    elif pid:
        _wait_until_back(state, pid)
    if problem:
        log = "logs/scheduler.log" if hands_over else f"logs/{LOG}"
        values = {"version": version, "problem": problem, "log": log}
        values |= {"previous": entraide.__version__}
        raise PoolError("upgrade_failed", f"{version}: {problem}", values=values)
    return UpgradeSummary(version, entraide.__version__, str(environment), bool(pid))


def _stop_and_try(
    state: Path,
    environment: Path,
    before: Path | None,
    *,
    pid: int,
    version: str,
    lang: str,
    report: Report,
) -> str:
    """Stops the pool and tries a version out; returns why it does not come up, or ""."""
    with _removed_if_failed(environment):
        if pid:
            report("upgrade-stopping")
        _stop(state, pid)
        report("upgrade-backup")
        _back_up(state)
        begin_trial(state, environment, before)
    report("upgrade-trial", version=version)
    is_new = False
    try:
        problem = _try(state, environment, version, lang)
        is_new = not problem
    finally:
        trial = read_trial(state)
        if not is_new and trial is not None:  # also after an interrupt
            report("upgrade-back", version=entraide.__version__)
            go_back(state, trial)
    if is_new:
        end_trial(state)
        remove_others(state, (environment, before))
    return problem


@contextmanager
def _removed_if_failed(environment: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(environment, ignore_errors=True)
        raise


def read_wheel_version(wheel: Path) -> str:
    """Returns the version of Entraide in a wheel.

    Raises:
        PoolError: ``upgrade_wheel_refused``: it is missing, or no wheel of Entraide.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
            with archive.open(name) as file:
                text = file.read(METADATA_BYTES_MAX).decode()
    except OSError as problem:
        raise _wheel_error(wheel, problem.strerror or str(problem)) from problem
    except (zipfile.BadZipFile, ValueError, RuntimeError) as problem:
        raise _wheel_error(wheel, "") from problem
    metadata = HeaderParser().parsestr(text)
    if metadata["Name"] != PACKAGE or not metadata["Version"]:
        raise _wheel_error(wheel, "")
    return str(metadata["Version"])


def _wheel_error(wheel: Path, problem: str) -> PoolError:
    values = {"path": str(wheel), "problem": problem or "none"}
    return PoolError("upgrade_wheel_refused", f"{wheel}: {problem}", values=values)


@contextmanager
def _upgrade_lock(state: Path) -> Iterator[None]:
    try:
        lock = lock_home(state, UPGRADE_LOCK)
    except PoolError as problem:
        raise PoolError("upgrade_running", str(problem), values={"path": str(state)}) from problem
    with lock:
        yield


# The environment.


def _name_environment(wheel: Path) -> str:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{read_wheel_version(wheel)}-{digest[:12]}"


def _is_in_use(state: Path, wheel: Path, environment: Path | None, pid: int) -> bool:
    """Whether a pool has a wheel already.

    Args:
        state: the pool's directory.
        wheel: the wheel.
        environment: that of the pool; None if it runs from the installation of this command.
        pid: of the pool's supervisor; 0 if it does not run.
    """
    if environment is not None:
        return environment.name == _name_environment(wheel)
    return _is_installed(wheel) and (
        not pid or _ask_version(state, pid) == read_wheel_version(wheel)
    )


def _is_installed(wheel: Path) -> bool:
    """Whether this command was installed from a wheel: both list the digest of each file.

    The list is RECORD, of the binary distribution format (packaging.python.org). What a file that
    is no wheel lacks, the installation says.
    """
    installed = distribution(PACKAGE).read_text(RECORD) or ""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [each for each in archive.namelist() if each.endswith(f".dist-info/{RECORD}")]
            if not names or archive.getinfo(names[0]).file_size > METADATA_BYTES_MAX:
                return False
            lines = archive.read(names[0]).decode("utf-8", "replace").splitlines()
    except (OSError, zipfile.BadZipFile):
        return False
    return bool(lines) and {*lines} <= {*installed.splitlines()}


def _make_environment(state: Path, config: PoolConfig, wheel: Path, wheels: Path | None) -> Path:
    """Makes the environment of a wheel and checks that it starts."""
    environment = new_environment(state, _name_environment(wheel))
    extras = "scheduler,postgres" if config.database else "scheduler"
    source = ["--no-index", "--find-links", str(wheels)] if wheels is not None else []
    python = str(python_of(environment))
    base = getattr(sys, "_base_executable", sys.executable)
    commands = (
        [base, "-m", "venv", str(environment)],
        [python, "-m", "pip", "install", "--quiet", "--no-input", "--no-compile",
         "--disable-pip-version-check", *source, f"{wheel}[{extras}]"],
        [python, "-P", "-c", "import entraide_scheduler.pool.run, entraide_scheduler.service"],
    )  # fmt: skip
    try:
        for command in commands:
            _run(command)
    except BaseException:
        shutil.rmtree(environment, ignore_errors=True)
        raise
    return environment


def _has_parts(environment: Path) -> bool:
    """Whether a running pool can be handed over to the version of an environment."""
    command = [str(python_of(environment)), "-P", "-c", f"import {PARTS}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as problem:
        raise _environment_error(str(problem)) from problem
    if done.returncode:
        raise _environment_error(_last_line(done.stderr or done.stdout))


def _environment_error(problem: str) -> PoolError:
    return PoolError("upgrade_environment", problem, values={"problem": problem})


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:PROBLEM_CHARS_MAX] if lines else "?"


# Handover of a running pool.


def _watch_handover(state: Path, pid: int, asked: HandoverRecord, report: Report) -> str:
    """Has a running pool hand itself over; returns why it went back, or ""."""
    write_record(state, asked)
    os.kill(pid, STOP_SIGNAL)
    step = asked.step
    while step not in ENDS:
        time.sleep(POLL_S)
        record = read_record(state)
        if record is not None and record.step != step:
            step = record.step
            if step not in ENDS:
                is_back = step == "back"
                version = entraide.__version__ if is_back else asked.version
                report(f"upgrade-{step}", version=version)
        if not psutil.pid_exists(pid):
            return _end_killed_handover(state, pid)
    delete_record(state)
    assert record is not None
    return record.problem


def _end_killed_handover(state: Path, pid: int) -> str:
    """Goes back after the pool's process was killed, unless its next start does."""
    with contextlib.suppress(PoolError), _upgrade_lock(state):
        trial = read_trial(state)
        if trial is not None:
            wait_until_stopped(state, pid=pid, timeout_s=STOP_TIMEOUT_S)
            go_back(state, trial)
    return f"SIGKILL: {pid}"


# Stop, backup, trial.


def _stop(state: Path, pid: int) -> None:
    """Makes the pool's process stop its parts and wait for this upgrade's lock.

    Raises:
        PoolError: ``upgrade_not_stopped``: it did not, or a process holds the directory.
    """
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, STOP_SIGNAL)
    wait_until_stopped(state, pid=pid, timeout_s=STOP_TIMEOUT_S if pid else 0.0)


def _back_up(state: Path) -> None:
    """Writes the backup to which a failed upgrade goes back, sealed with the operator's key."""
    folder = state / FOLDER
    folder.mkdir(mode=PRIVATE_DIRECTORY_MODE, exist_ok=True)
    write_backup(state, folder / BACKUP, load_admin_key(state))


def _try(state: Path, environment: Path, version: str, lang: str) -> str:
    """Runs the pool with the new version until it answers; returns why it does not, or ""."""
    set_current(state, environment)
    command = [str(python_of(environment)), "-P", "-m", "entraide.cli", "--lang", lang]
    log = state / "logs" / LOG
    log.parent.mkdir(mode=PRIVATE_DIRECTORY_MODE, exist_ok=True)
    with log.open("wb") as output:
        trial = subprocess.Popen(
            [*command, "pool", "run", str(state)],
            stdin=subprocess.PIPE, stdout=output, stderr=output,
            env={**os.environ, PARENT_PIPE: "1"},  # it ends with this process
        )  # fmt: skip
    try:
        answered = _wait_for_answer(state, trial)
    finally:
        _end(trial)
    if answered == version:
        return ""
    return f"{answered} ≠ {version}" if answered else _last_line(log.read_text(errors="replace"))


def _wait_for_answer(state: Path, trial: subprocess.Popen[bytes]) -> str:
    """Returns the version that the scheduler says; "" if the process ends or takes too long."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while trial.poll() is None and time.monotonic() < deadline:
        version = _ask_version(state, trial.pid)
        if version:
            return version
        time.sleep(POLL_S)
    return ""


def _ask_version(state: Path, pid: int) -> str:
    """Returns the version of the scheduler that a process runs; "" until it answers."""
    pool = poolfile.read(state)
    if pool is None or pool.pids.get(SUPERVISOR) != pid:
        return ""
    try:
        return str(call_status(pool, i18n.DEFAULT_LANG).version)
    except EntraideError:
        return ""


def _end(trial: subprocess.Popen[bytes]) -> None:
    assert trial.stdin is not None
    trial.stdin.close()
    if trial.poll() is None:
        trial.send_signal(signal.SIGTERM)
        try:
            trial.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            trial.kill()
            trial.wait()


def _wait_until_back(state: Path, pid: int) -> None:
    """Waits until the pool's own process has the pool ready again.

    Raises:
        PoolError: ``upgrade_not_back``.
    """
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not _ask_version(state, pid):
        if not psutil.pid_exists(pid) or time.monotonic() > deadline:
            raise PoolError("upgrade_not_back", f"process {pid}", values={"path": str(state)})
        time.sleep(POLL_S)
