"""Compares two test suites: plants the same faults for both, and lists which they detect.

`record` draws the faults at a commit, marks their lines with probes, runs the unit tests once to
see which tests reach which line, plants the first five reached faults of each package one at a time
and runs the tests that reach it, cheapest first, until the first failure. `compare` plants the same
faults in the working tree's commit: it tries the test that failed before, then the tests that reach
the line now. Both work in a clone under build/planted_faults and go on where they stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fault_sites import PAGES, Fault, Index, Site, draw, plant, with_probes

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/planted_faults"
RECORD = ROOT / "tests/data/planted_faults.json"
PER_PACKAGE = 5
TESTS_S_MAX = 60.0  # of tests for one fault
RUN_S_MAX = 240.0  # of one test process, on a busy machine
TOTAL_S_MAX = 3 * 3600.0
FIRST_TESTS = 12
CASES_FIRST = 2  # of one test function
UNIT = "not engines and not long"
VITEST = "vitest"
NO_TESTS = 5  # the exit status of pytest when none is selected
TOO_LONG = 124

LAUNCH = """\
import sys, pytest
sys.path.insert(0, {folder!r})
sys.exit(pytest.main([*sys.argv[1:], "-p", "planted_plugin"]))
"""

PLUGIN = '''\
"""Keeps the selected tests only, in their order; the main process writes what became of them."""
import json
import os

tests, failed = {}, []

def pytest_collection_modifyitems(config, items):
    if "PLANTED_TESTS" in os.environ:
        with open(os.environ["PLANTED_TESTS"]) as file:
            order = {name: number for number, name in enumerate(json.load(file))}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in order])
        selected = (item for item in items if item.nodeid in order)
        items[:] = sorted(selected, key=lambda item: order[item.nodeid])

def pytest_runtest_logreport(report):
    outcome, duration = tests.get(report.nodeid, ("passed", 0.0))
    outcome = report.outcome if report.outcome != "passed" else outcome
    tests[report.nodeid] = (outcome, duration + report.duration)
    if report.failed:
        failed.append(report.nodeid)

def pytest_collectreport(report):
    if report.failed:
        failed.append(report.nodeid)

def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        with open(os.environ["PLANTED_OUTCOMES"], "w") as file:
            json.dump({"tests": tests, "failed": failed}, file)
'''

PROBE = '''\
"""Notes which test reaches which line."""
import os
import sys

FILE = {file!r}
seen = set()

def reached(number):
    """Writes a line's number with the current test, once per process and test."""
    test = os.environ._data.get(b"PYTEST_CURRENT_TEST", b"")
    if (number, test) not in seen and test:
        seen.add((number, test))
        here = b"here" if "_pytest" in sys.modules else b"child"
        try:
            file = os.open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            os.write(file, b"%d\\t%s\\t%s\\n" % (number, here, test))
            os.close(file)
        except OSError:
            pass
    return False
'''
PYTHON_PROBE = '__import__("entraide._planted_probe", fromlist=("reached",)).reached({number})'
SCRIPT_PROBE = (
    "process.getBuiltinModule('node:fs')"
    '.appendFileSync({file}, "{number}\\tchild\\tvitest (call)\\n")'
)


class Tree:
    """A clone at a commit, in which faults are planted and removed again."""

    def __init__(self, folder: Path, commit: str) -> None:
        """Makes the clone and its environment, unless they are there."""
        self.folder = folder
        if not folder.is_dir():
            subprocess.run(["git", "clone", "-q", "--shared", ROOT, folder], check=True)
        self._git("checkout", "-q", "--force", "--detach", commit)
        subprocess.run(["make", "-s", "env"], cwd=folder, check=True)
        self.commit = self._git("rev-parse", "HEAD").strip()
        BUILD.mkdir(parents=True, exist_ok=True)
        (BUILD / "planted_plugin.py").write_text(PLUGIN, "utf-8")

    def _git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    def restore(self) -> None:
        """Removes everything that was planted."""
        self._git("checkout", "-q", "--force", "HEAD", "--", ".")
        (self.folder / "sdk/entraide/_planted_probe.py").unlink(missing_ok=True)

    def prepare_pages(self) -> None:
        """Installs what the tests of the pages' modules need."""
        if not (self.folder / "dashboard/node_modules").is_dir():
            subprocess.run(["npm", "ci", "--silent"], cwd=self.folder / "dashboard", check=True)

    def pytest(self, *options: str, tests: list[str], limit_s: float) -> dict[str, Any]:
        """Runs tests in this order; returns their outcomes, the failed ones and the exit status."""
        outcomes, selected = BUILD / "outcomes.json", BUILD / "selected.json"
        outcomes.unlink(missing_ok=True)
        files = list(dict.fromkeys(test.split("::")[0] for test in tests))
        files = [file for file in files if (self.folder / file).exists()]
        if not files:
            return {"tests": {}, "failed": [], "status": NO_TESTS}
        environment = {**os.environ, "PLANTED_OUTCOMES": str(outcomes)}
        if "::" in tests[0]:
            selected.write_text(json.dumps(tests), "utf-8")
            environment["PLANTED_TESTS"] = str(selected)
        launch = LAUNCH.format(folder=str(BUILD))
        command = [".venv/bin/python", "-c", launch, "-q", "-p", "no:cacheprovider"]
        command += [*options, *files]
        with (BUILD / "last_run.log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
            try:
                status = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                status = TOO_LONG
        read = json.loads(outcomes.read_text("utf-8")) if outcomes.exists() else {}
        return {"tests": {}, "failed": [], **read, "status": status}

    def vitest(self, limit_s: float) -> dict[str, Any]:
        """Runs the tests of the pages' modules; returns the same as for other tests."""
        report = BUILD / "vitest.json"
        report.unlink(missing_ok=True)
        command = [
            "node_modules/.bin/vitest", "run", "--bail=1", "--reporter=json",
            f"--outputFile={report}",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=self.folder / "dashboard", capture_output=True, check=False,
                timeout=limit_s,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"tests": {}, "failed": [], "status": TOO_LONG}
        files = json.loads(report.read_text("utf-8"))["testResults"] if report.exists() else []
        failed = [
            test["fullName"]
            for file in files
            for test in file["assertionResults"]
            if test["status"] == "failed"
        ]
        return {"tests": {VITEST: ("passed", 5.0)}, "failed": failed, "status": done.returncode}


def is_script(fault: Fault) -> bool:
    """Whether a fault lies in the pages."""
    return fault.path.startswith(PAGES)


def find_reaching(tree: Tree, located: dict[str, Site], processes: int) -> dict[str, Any]:
    """Runs the unit tests once with probes; returns the tests that reach each fault's line."""
    log = BUILD / "reached.txt"
    log.unlink(missing_ok=True)
    names = sorted(located)
    by_path: dict[str, list[Any]] = defaultdict(list)
    for number, name in enumerate(names):
        place = located[name].place
        call = SCRIPT_PROBE if place.path.startswith(PAGES) else PYTHON_PROBE
        by_path[place.path].append((place, call.format(number=number, file=json.dumps(str(log)))))
    for path, probes in by_path.items():
        file = tree.folder / path
        file.write_bytes(with_probes(file.read_bytes(), probes))
    probe = tree.folder / "sdk/entraide/_planted_probe.py"
    probe.write_text(PROBE.format(file=str(log)), "utf-8")
    try:
        run = tree.pytest(
            "-n", str(processes), "--dist", "worksteal", "-m", UNIT, tests=["tests"],
            limit_s=TOTAL_S_MAX,
        )  # fmt: skip
        if any(path.startswith(PAGES) for path in by_path):
            run["tests"] |= tree.vitest(RUN_S_MAX)["tests"]
    finally:
        tree.restore()
    reached: dict[str, dict[str, bool]] = defaultdict(dict)
    for line in log.read_text("utf-8", "replace").splitlines():
        number, where, test = line.split("\t", 2)
        name, phase = test.rsplit(" ", 1)
        shared = where == "child" or phase != "(call)"
        tests = reached[names[int(number)]]
        tests[name] = tests.get(name, False) or shared
    return {"tests": run["tests"], "reached": reached}


def tests_for(name: str, reaching: dict[str, Any]) -> list[str]:
    """Returns the tests to run for a fault, cheapest first, a few cases of each function first.

    Of a process or fixture that several tests share, only the first test is known to reach a line,
    so the other tests of its file follow.
    """
    outcomes = reaching["tests"]
    passed = {test: took for test, (outcome, took) in outcomes.items() if outcome == "passed"}
    reached = reaching["reached"].get(name, {})
    files = {test.split("::")[0] for test, shared in reached.items() if shared}
    close = {test for test in passed if test.split("::")[0] in files}
    ranked: list[tuple[Any, ...]] = []
    cases: dict[str, int] = defaultdict(int)
    for test in sorted(passed.keys() & (reached.keys() | close), key=lambda test: passed[test]):
        function = test.split("[")[0]
        cases[function] += 1
        ranked.append((test not in reached, cases[function] > CASES_FIRST, passed[test], test))
    chosen: list[str] = []
    total_s = 0.0
    for *_, took, test in sorted(ranked):
        total_s += took
        if total_s > TESTS_S_MAX and chosen:
            break
        chosen.append(test)
    return chosen


def select(faults: list[Fault], reaching: dict[str, Any]) -> list[Fault]:
    """Returns the first five faults of each package whose line a passing test reaches."""
    chosen: dict[str, list[Fault]] = defaultdict(list)
    for fault in faults:
        if len(chosen[fault.package]) < PER_PACKAGE and tests_for(fault.id, reaching):
            chosen[fault.package].append(fault)
    return [fault for listed in chosen.values() for fault in listed]


def judge(tree: Tree, fault: Fault, site: Site, tests: list[str]) -> dict[str, Any]:
    """Plants a fault and runs tests until the first failure; returns what became of it."""
    begun = time.monotonic()
    path = tree.folder / site.place.path
    before = plant(tree.folder, site)
    forget_compiled(path)
    tried = 0
    result: dict[str, Any] = {"status": "survived"}
    try:
        for batch in [[VITEST]] if is_script(fault) else batches(tests):
            run = (
                tree.vitest(RUN_S_MAX)
                if is_script(fault)
                else tree.pytest("-x", "--timeout=60", tests=batch, limit_s=RUN_S_MAX)
            )
            tried += len(batch)
            if run["status"] not in {0, NO_TESTS}:
                result = outcome_of(run)
                break
    finally:
        path.write_bytes(before)
        forget_compiled(path)
    return {**result, "tests": tried, "took_s": round(time.monotonic() - begun, 1)}


def outcome_of(run: dict[str, Any]) -> dict[str, Any]:
    """Returns what a run with a failure says of a fault."""
    if run["status"] == TOO_LONG:
        return {"status": "not finished"}
    return {"status": "killed", "test": (run["failed"] or ["crash"])[0]}


def forget_compiled(path: Path) -> None:
    """Removes a module's compiled code: two writes within a second look alike to Python."""
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink(missing_ok=True)


def batches(tests: list[str]) -> list[list[str]]:
    """Returns the first few tests, then the rest."""
    return [batch for batch in (tests[:FIRST_TESTS], tests[FIRST_TESTS:]) if batch]


def load(path: Path) -> dict[str, Any]:
    """Returns what a file of results holds, or nothing."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return content


def save(path: Path, content: dict[str, Any]) -> None:
    """Writes a file of results in one step."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    new.replace(path)


def reaching_of(tree: Tree, located: dict[str, Site], name: str, processes: int) -> dict[str, Any]:
    """Returns which tests reach which line, from the last run with probes or from a new one."""
    path = BUILD / f"{name}-reached.json"
    kept = load(path)
    if kept.get("commit") != tree.commit:
        kept = {"commit": tree.commit, **find_reaching(tree, located, processes)}
        save(path, kept)
    return kept


def record(tree: Tree, processes: int) -> dict[str, Any]:
    """Draws, plants and judges faults at a commit; returns the results so far."""
    path = BUILD / "record.json"
    index, faults = Index(tree.folder), draw(tree.folder)
    located = {fault.id: site for fault in faults if (site := index.find(fault))}
    reaching = reaching_of(tree, located, "record", processes)
    results = load(path)
    begun = time.monotonic()
    for fault in select(faults, reaching):
        if fault.id in results:
            continue
        if time.monotonic() - begun > TOTAL_S_MAX:
            break
        judged = judge(tree, fault, located[fault.id], tests_for(fault.id, reaching))
        print(fault.id, fault.operator, judged, flush=True)
        results[fault.id] = {"fault": asdict(fault), **judged}
        save(path, results)
    return results


def passing_of(tree: Tree, tests: list[str], processes: int) -> set[str]:
    """Returns which tests exist and pass without a fault."""
    run = tree.pytest("-n", str(processes), tests=tests, limit_s=TOTAL_S_MAX)
    return {test for test, (outcome, _) in run["tests"].items() if outcome == "passed"}


def compare(tree: Tree, processes: int) -> dict[str, Any]:
    """Plants what the recorded suite detected, and returns whether this commit's suite does."""
    path = BUILD / f"compare-{tree.commit[:12]}.json"
    recorded, results = load(RECORD), load(path)
    killed = {name: each for name, each in recorded.items() if each["status"] == "killed"}
    index = Index(tree.folder)
    known = sorted({each["test"] for each in killed.values() if "::" in each["test"]})
    passing = passing_of(tree, known, processes)
    faults = {name: Fault(**each["fault"]) for name, each in killed.items()}
    located = {name: site for name, fault in faults.items() if (site := index.find(fault))}
    for name, fault in faults.items():
        if name in results:
            continue
        if name not in located:
            results[name] = {"status": "no such statement"}
        else:
            test = killed[name]["test"]
            results[name] = judge(tree, fault, located[name], [test] if test in passing else [])
        print(name, results[name], flush=True)
        save(path, results)
    open_names = [name for name in faults if results[name].get("status") != "killed"]
    open_names = [name for name in open_names if name in located and "again" not in results[name]]
    if any(not is_script(faults[name]) for name in open_names):
        reaching = reaching_of(tree, located, "compare", processes)
        for name in open_names:
            tests = tests_for(name, reaching)
            judged = judge(tree, faults[name], located[name], tests)
            results[name] = {**judged, "again": True}
            print(name, results[name], flush=True)
            save(path, results)
    return results


def main() -> int:
    """Records or compares; returns 1 if a fault that was detected is no longer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("--commit", default="HEAD", help="the commit to clone")
    parser.add_argument("--tree", type=Path, default=BUILD / "tree", help="the clone's folder")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    head = subprocess.run(
        ["git", "rev-parse", options.commit], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    tree = Tree(options.tree, head)
    tree.prepare_pages()
    results = (record if options.action == "record" else compare)(tree, options.processes)
    counts: dict[str, int] = defaultdict(int)
    for result in results.values():
        counts[result["status"]] += 1
    print(*(f"{status}: {count}" for status, count in sorted(counts.items())), sep="\n")
    return int(options.action == "compare" and counts["killed"] < len(results))


if __name__ == "__main__":
    sys.exit(main())
