"""Compares two test suites: plants the same faults for both, and lists which they detect.

`record` draws the faults at a commit and puts them all in the code, each behind a switch. It runs
the unit tests once to see which tests reach which switch, and judges the first five reached faults
of each package: the tests that reach a fault run with its switch on, cheapest first, until the
first failure. `compare` plants the recorded faults in the code of another commit: it tries the test
that failed before, then the tests that reach the fault now. Both work in a clone under
build/planted_faults and go on where they stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fault_sites import (
    PAGES,
    Fault,
    Index,
    Place,
    Site,
    draw,
    replaced,
    with_script_probes,
    with_switches,
)

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/planted_faults"
RECORD = ROOT / "tests/data/planted_faults.json"
PER_PACKAGE = 5
TESTS_S_MAX = 60.0  # of tests for one fault
VITEST_S_MAX = 240.0
TOTAL_S_MAX = 3 * 3600.0
PROCESSES = 2
ENDED = {0, 1, 5}  # pytest's exit status if all is done, a file is broken, or no test is selected
CASES_FIRST = 2  # of one test function
UNIT = "not engines and not long"
VITEST = "vitest"

# One process per folder. The core's own tests come last: they reach little of the thirty packages.
FOLDERS = (
    "scheduler", "node", "sim", "sdk", "hostile", "contract", "pool", "integration", "pages",
    "benchmarks", "core",
)  # fmt: skip

LAUNCH = """\
import sys, pytest
sys.path.insert(0, {folder!r})
sys.exit(pytest.main(["-p", "fault_plugin", *sys.argv[1:]]))
"""

# The module that the switches call, in the code under test. It also notes who reaches a switch.
SWITCHES = '''\
"""Turns planted faults on, and notes which test reaches them."""
import os
import sys

variables = os.environ._data
noted = set()

def switch(number):
    """Whether a fault is on."""
    if b"PLANTED_REACH" in variables:
        test = variables.get(b"PYTEST_CURRENT_TEST", b"")
        if test and (number, test) not in noted:
            noted.add((number, test))
            where = b"here" if "_pytest" in sys.modules else b"child"
            try:
                file = os.open(variables[b"PLANTED_REACH"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                os.write(file, b"%d\\t%s\\t%s\\n" % (number, where, test))
                os.close(file)
            except OSError:
                pass
    return variables.get(b"PLANTED_FAULT") == b"%d" % number
'''
SCRIPT_PROBE = "process.getBuiltinModule('node:fs').appendFileSync({file}, '{number}\\n')"


class Tree:
    """A clone at a commit, in which faults are planted and removed again."""

    def __init__(self, folder: Path, commit: str) -> None:
        """Makes the clone and its environment, unless they are there."""
        self.folder = folder
        self.commit = commit
        self.results = BUILD / commit[:12]
        self.results.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            subprocess.run(["git", "clone", "-q", "--shared", ROOT, folder], check=True)
        self._git("fetch", "-q", "origin", commit)
        self._git("checkout", "-q", "--force", "--detach", commit)
        subprocess.run(["make", "-s", "env"], cwd=folder, check=True)
        if not (folder / "dashboard/node_modules").is_dir():
            subprocess.run(["npm", "ci", "--silent"], cwd=folder / "dashboard", check=True)

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, check=True)

    def restore(self) -> None:
        """Removes everything that was planted."""
        self._git("checkout", "-q", "--force", "HEAD", "--", ".")
        (self.folder / "sdk/entraide/_planted.py").unlink(missing_ok=True)

    def plant(self, sites: dict[str, Site]) -> None:
        """Puts all faults of Python modules in the code, each behind a switch."""
        at: dict[str, list[tuple[Place, int, str]]] = defaultdict(list)
        for number, site in numbered(sites):
            if is_python(site):
                at[site.place.path].append((site.place, number, site.planted))
        for path, planted in at.items():
            file = self.folder / path
            source = with_switches(file.read_bytes(), planted)
            compile(source, path, "exec")
            file.write_bytes(source)
        (self.folder / "sdk/entraide/_planted.py").write_text(SWITCHES, "utf-8")

    def pytest(self, folder: str, work: dict[str, Any]) -> bool:
        """Collects a folder's unit tests and does the plugin's work; returns whether it ended."""
        file = self.results / f"{work['action']}-{folder}.json"
        file.write_text(json.dumps({"folder": str(self.results), "tests": folder, **work}), "utf-8")
        launch = LAUNCH.format(folder=str(Path(__file__).resolve().parent))
        command = [".venv/bin/python", "-c", launch, "-q", "-m", UNIT, "--timeout=240"]
        named = dict.fromkeys(
            name.split("::")[0] for names in work.get("faults", {}).values() for name in names
        )
        files = list(named) if all((self.folder / name).exists() for name in named) else []
        if not (self.folder / "tests" / folder).is_dir():
            return True
        command += [f"--planted-work={file}", *(files or [f"tests/{folder}"])]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        with (self.results / f"{work['action']}-{folder}.log").open("w") as log:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                check=False,
                start_new_session=True,
            )
        return done.returncode in ENDED

    def vitest(self) -> tuple[int, list[str]]:
        """Runs the tests of the pages' modules; returns the exit status and who failed."""
        report = self.results / "vitest.json"
        report.unlink(missing_ok=True)
        command = ["node_modules/.bin/vitest", "run", "--bail=1", "--reporter=json"]
        command.append(f"--outputFile={report}")
        try:
            done = subprocess.run(
                command,
                cwd=self.folder / "dashboard",
                capture_output=True,
                check=False,
                timeout=VITEST_S_MAX,
            )
        except subprocess.TimeoutExpired:
            return 1, []
        files = json.loads(report.read_text("utf-8"))["testResults"] if report.exists() else []
        tests = [test for file in files for test in file["assertionResults"]]
        return done.returncode, [each["fullName"] for each in tests if each["status"] == "failed"]


def is_python(site: Site) -> bool:
    """Whether a site lies in a Python module; the others are those of the pages."""
    return not site.place.path.startswith(PAGES)


def numbered(sites: dict[str, Site]) -> list[tuple[int, Site]]:
    """Returns the sites with the numbers of their switches."""
    return list(enumerate(sites[name] for name in sorted(sites)))


def find_reaching(tree: Tree, sites: dict[str, Site], folders: list[str]) -> dict[str, Any]:
    """Returns each test's outcome and duration, and the tests that reach each fault."""
    done = [file for file, ended, _ in lines(tree.results / "files.jsonl") if ended]

    def reach(folder: str) -> None:
        finished = tree.results / f"reach-{folder}.done"
        if not finished.exists() and tree.pytest(folder, {"action": "reach", "done": done}):
            finished.touch()

    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(reach, folders))
    tests: dict[str, tuple[str, float]] = {}
    for name, when, outcome, took in lines(tree.results / "reach.jsonl"):
        before, total = ("passed", 0.0) if when == "setup" else tests.get(name, ("passed", 0.0))
        tests[name] = (outcome if outcome != "passed" else before, total + took)
    names = sorted(sites)
    reached: dict[str, dict[str, bool]] = defaultdict(dict)
    log = tree.results / "reached.txt"
    for line in log.read_text("utf-8", "replace").splitlines():
        number, where, test = line.split("\t", 2)
        name, phase = test.rsplit(" ", 1)
        shared = where == "child" or phase != "(call)"
        known = reached[names[int(number)]]
        known[name] = known.get(name, False) or shared
    return {"tests": tests, "reached": reached, "scripts": reached_scripts(tree, sites)}


def reached_scripts(tree: Tree, sites: dict[str, Site]) -> list[str]:
    """Returns the faults of the pages' modules that their tests reach."""
    log, names = tree.results / "scripts.txt", sorted(sites)
    if not log.exists():
        at: dict[str, list[tuple[Place, str]]] = defaultdict(list)
        for number, site in numbered(sites):
            if not is_python(site):
                call = SCRIPT_PROBE.format(file=json.dumps(str(log)), number=number)
                at[site.place.path].append((site.place, call))
        before = {path: (tree.folder / path).read_bytes() for path in at}
        for path, probes in at.items():
            (tree.folder / path).write_bytes(with_script_probes(before[path], probes))
        log.touch()
        tree.vitest()
        for path, source in before.items():
            (tree.folder / path).write_bytes(source)
    return sorted({names[int(number)] for number in log.read_text("utf-8").split()})


def tests_for(name: str, reaching: dict[str, Any]) -> list[str]:
    """Returns the tests to run for a fault, cheapest first, a few cases of each function first.

    Of a process or fixture that several tests share, only the first test is known to reach a line,
    so the other tests of its file follow.
    """
    if name in reaching["scripts"]:
        return [VITEST]
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


def judge_script(tree: Tree, site: Site) -> dict[str, Any]:
    """Plants a fault in a module of the pages and runs their tests."""
    begun = time.monotonic()
    path = tree.folder / site.place.path
    before = path.read_bytes()
    path.write_bytes(replaced(before, site.place, site.planted))
    status, failed = tree.vitest()
    path.write_bytes(before)
    took_s = round(time.monotonic() - begun, 1)
    if status == 0:
        return {"status": "survived", "test": VITEST, "tests": 1, "took_s": took_s}
    return {"status": "killed", "test": (failed or ["crash"])[0], "tests": 1, "took_s": took_s}


def judge(
    tree: Tree,
    sites: dict[str, Site],
    tests: dict[str, list[str]],
    keep: Callable[[str, dict[str, Any]], None],
) -> None:
    """Judges faults by their tests and keeps each verdict; a folder's tests run in one process."""
    numbers = {name: number for number, name in enumerate(sorted(sites))}
    names = {number: name for name, number in numbers.items()}
    killed: set[str] = set()
    until = time.time() + TOTAL_S_MAX
    for name in tests:
        if not is_python(sites[name]):
            keep(name, judge_script(tree, sites[name]))

    def run(folder: str) -> None:
        work = {}
        for name, chosen in tests.items():
            here = [test for test in chosen if test.startswith(f"tests/{folder}/")]
            if here and name not in killed:
                work[str(numbers[name])] = here
        verdicts = tree.results / folder / "verdicts.jsonl"
        verdicts.unlink(missing_ok=True)
        if work:
            tree.pytest(folder, {"action": "judge", "faults": work, "until": until})
        for number, result in lines(verdicts):
            keep(names[int(number)], result)
            if result["status"] == "killed":
                killed.add(names[int(number)])

    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(run, FOLDERS))


def load(path: Path) -> dict[str, Any]:
    """Returns what a file of results holds, or nothing."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return content


def save(path: Path, content: dict[str, Any]) -> None:
    """Writes a file of results in one step."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    new.replace(path)


def lines(path: Path) -> list[Any]:
    """Returns what each line of a file of JSON lines holds."""
    text = path.read_text("utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


class Results:
    """The verdicts on faults, in a file that is written after each."""

    def __init__(self, path: Path, faults: dict[str, Fault]) -> None:
        """Reads the verdicts that are there."""
        self._path, self._faults = path, faults
        self.by_id = load(path)

    def keep(self, name: str, result: dict[str, Any]) -> None:
        """Keeps a verdict; a fault that is killed once stays killed."""
        if self.by_id.get(name, {}).get("status") != "killed":
            self.by_id[name] = {"fault": asdict(self._faults[name]), **result}
            save(self._path, self.by_id)
            print(name, self._faults[name].operator, result, flush=True)

    def killed(self) -> set[str]:
        """Returns the faults that a test detected."""
        return {name for name, each in self.by_id.items() if each["status"] == "killed"}


def record(tree: Tree, folders: list[str]) -> dict[str, Any]:
    """Draws, plants and judges faults at a commit; returns the verdicts."""
    faults = {fault.id: fault for fault in draw(tree.folder)}
    index = Index(tree.folder)
    sites = {name: site for name, fault in faults.items() if (site := index.find(fault))}
    tree.plant(sites)
    reaching = find_reaching(tree, sites, folders)
    results = Results(tree.results / "record.json", faults)
    chosen = [fault.id for fault in select(list(faults.values()), reaching)]
    open_names = [name for name in chosen if name not in results.by_id]
    judge(tree, sites, {name: tests_for(name, reaching) for name in open_names}, results.keep)
    return results.by_id


def compare(tree: Tree, folders: list[str]) -> dict[str, Any]:
    """Plants what the recorded suite detected, and returns whether this commit's suite does."""
    recorded = load(RECORD)
    before = {name: each for name, each in recorded.items() if each["status"] == "killed"}
    faults = {name: Fault(**each["fault"]) for name, each in before.items()}
    index = Index(tree.folder)
    sites = {name: site for name, fault in faults.items() if (site := index.find(fault))}
    results = Results(tree.results / "compare.json", faults)
    for name in faults.keys() - sites.keys():
        results.keep(name, {"status": "no such statement", "test": before[name]["test"]})
    tree.plant(sites)
    open_names = [name for name in sites if name not in results.by_id]
    judge(tree, sites, {name: [before[name]["test"]] for name in open_names}, results.keep)
    open_names = sorted(sites.keys() - results.killed())
    if any(is_python(sites[name]) for name in open_names):
        near = {before[name]["test"].split("/")[1] for name in open_names if is_python(sites[name])}
        moved = not all((tree.folder / "tests" / folder).is_dir() for folder in near)
        chosen = [folder for folder in folders if moved or folder in near]
        reaching = find_reaching(tree, sites, chosen)
        judge(tree, sites, {name: tests_for(name, reaching) for name in open_names}, results.keep)
    for name in open_names:
        if name not in results.by_id:
            results.keep(name, {"status": "not reached", "test": before[name]["test"]})
    return results.by_id


def main() -> int:
    """Records or compares; returns 1 if a fault that was detected is no longer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("--commit", default="HEAD", help="the commit to clone")
    parser.add_argument("--tree", type=Path, default=BUILD / "tree", help="the clone's folder")
    parser.add_argument("--folders", nargs="*", default=list(FOLDERS), help="of tests, these only")
    options = parser.parse_args()
    command = ["git", "rev-parse", options.commit]
    commit = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    tree = Tree(options.tree, commit.strip())
    tree.restore()
    try:
        verdicts = (record if options.action == "record" else compare)(tree, options.folders)
    finally:
        tree.restore()
    counts: dict[str, int] = defaultdict(int)
    for verdict in verdicts.values():
        counts[verdict["status"]] += 1
    print(*(f"{status}: {count}" for status, count in sorted(counts.items())), sep="\n")
    return int(options.action == "compare" and counts["killed"] < len(verdicts))


if __name__ == "__main__":
    sys.exit(main())
