"""A pytest plugin for scripts/planted_faults.py: runs collected tests in forks of one process.

The code under test holds all faults at once, each behind a switch (`fault_sites.with_switches`).
The plugin collects once. It then either runs the tests of each file in a fork that notes which
test reaches which switch, or, per fault, runs the tests that reach it in a fork with the switch
on, until the first failure. A failure counts only if the test passes in a fork without the fault.
"""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

FILE_S_MAX = 900.0  # of the tests of one file, on a busy machine
FAULT_S_MAX = 600.0
VERIFY_S_MAX = 300.0
MARK = "PLANTED_CHILD"


class Outcomes:
    """Appends each report of a fork's tests to a file."""

    def __init__(self, path: Path) -> None:
        """Takes the file."""
        self._path = path
        self.failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Writes one report."""
        self.failed = self.failed or report.failed
        append(self._path, [report.nodeid, report.when, report.outcome, round(report.duration, 4)])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that names the file of work."""
    parser.addoption("--planted-work", required=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Does the work instead of running the collected tests."""
    work = json.loads(Path(session.config.getoption("--planted-work")).read_text("utf-8"))
    folder = Path(work["folder"])
    tmp_paths: Any = getattr(session.config, "_tmp_path_factory", None)
    if tmp_paths is not None:
        tmp_paths.getbasetemp()  # before the forks, which share it
    if work["action"] == "reach":
        reach(session, folder, set(work["done"]))
    else:
        judge(session, folder / work["tests"], work["faults"], work["until"])
    return True


def reach(session: pytest.Session, folder: Path, done: set[str]) -> None:
    """Runs all tests, file by file, with the notes of reached switches on."""
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in session.items:
        files[item.nodeid.split("::")[0]].append(item)
    outcomes = folder / "reach.jsonl"
    environment = {"PLANTED_REACH": str(folder / "reached.txt")}
    for file, items in files.items():
        if file not in done:
            begun = time.monotonic()
            ended = in_fork(partial(run_all, session, items, outcomes), environment, FILE_S_MAX)
            append(folder / "files.jsonl", [file, ended, round(time.monotonic() - begun, 1)])


def judge(
    session: pytest.Session, folder: Path, faults: dict[str, list[str]], until: float
) -> None:
    """Runs, for each fault, its tests in their order, until the first failure."""
    folder.mkdir(exist_ok=True)
    items = by_name(session.items)
    outcomes = folder / "judge.jsonl"
    for number, names in faults.items():
        if time.time() > until:
            break
        begun = time.monotonic()
        outcomes.unlink(missing_ok=True)
        chosen = [item for name in names if (item := find_test(name, items)) is not None]
        run = partial(run_all, session, chosen, outcomes)
        ended = in_fork(partial(run, stop=True), {"PLANTED_FAULT": number}, FAULT_S_MAX)
        status, test, ran = verdict(outcomes, ended)
        if status == "killed":
            outcomes.unlink(missing_ok=True)
            ended = in_fork(partial(run_all, session, [items[test]], outcomes), {}, VERIFY_S_MAX)
            status = "killed" if verdict(outcomes, ended)[0] == "survived" else "red without fault"
        took_s = round(time.monotonic() - begun, 1)
        result = {"status": status, "test": test, "tests": ran, "took_s": took_s}
        append(folder / "verdicts.jsonl", [number, result])


def by_name(items: list[pytest.Item]) -> dict[str, pytest.Item]:
    """Returns tests by their names, and by those without the file, if only one test has it."""
    short: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        short[item.nodeid.split("::", 1)[1]].append(item)
    alone = {name: listed[0] for name, listed in short.items() if len(listed) == 1}
    return {**alone, **{item.nodeid: item for item in items}}


def find_test(name: str, items: dict[str, pytest.Item]) -> pytest.Item | None:
    """Returns a test by its name at another commit: file or cases may have been put together."""
    short = name.split("::", 1)[1]
    names = (name, short, name.split("[", 1)[0], short.split("[", 1)[0])
    return next((items[each] for each in names if each in items), None)


def append(path: Path, line: list[Any]) -> None:
    """Appends a line of JSON to a file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def verdict(outcomes: Path, ended: bool) -> tuple[str, str, int]:
    """Returns what a fork's reports say: the status, the failed or last test, the tests run."""
    text = outcomes.read_text("utf-8") if outcomes.exists() else ""
    reports = [json.loads(line) for line in text.splitlines()]
    failed = [name for name, _, outcome, _ in reports if outcome == "failed"]
    ran = len({name for name, *_ in reports})
    if failed:
        return "killed", failed[0], ran
    return ("survived" if ended else "not finished"), (reports[-1][0] if reports else ""), ran


def run_all(
    session: pytest.Session, items: list[pytest.Item], outcomes: Path, *, stop: bool = False
) -> None:
    """Runs tests one after the other and closes their fixtures."""
    log = Outcomes(outcomes)
    session.config.pluginmanager.register(log)
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if stop and log.failed:
            break
    session._setupstate.teardown_exact(None)  # noqa: SLF001 - pytest has no public way


def in_fork(work: Callable[[], None], environment: dict[str, str], limit_s: float) -> bool:
    """Runs a function in a fork and ends what it leaves behind; returns whether it finished."""
    mark = uuid.uuid4().hex
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setpgid(0, 0)
            os.environ.update({**environment, MARK: mark})
            work()
            status = 0
        finally:
            os._exit(status)
    deadline = time.monotonic() + limit_s
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    if not done:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    end_marked(mark)
    return bool(done)


def end_marked(mark: str) -> None:
    """Ends the processes that a fork left behind."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                process.kill()
        except psutil.Error:
            continue
