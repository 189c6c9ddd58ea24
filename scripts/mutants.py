"""Mutation testing of the core's accounting: lists the changes that no test detects.

`mutmut` makes the mutants. This script copies the two packages and the tests under one root for it,
adds two operators (deleted statements, negated conditions), and writes report.json and
survivors.diff to build/mutants. A survivor needs a new test, or an entry in
docs/reference/mutants.md with the reason why it is equivalent. The run is valid only if the tests
pass without a mutant and fail with a known one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/mutants"
STAGE = BUILD / "root"
CORE = "entraide_scheduler/core"
LISTED = ROOT / "docs/reference/mutants.md"
LISTED_MOST = 15

MODULES = (
    "settlement/settlement",
    "accounting/quotas",
    "accounting/ledger",
    "accounting/lending",
    "accounting/credit",
    "leases/leases",
    "carbon/emissions",
    "accounting/amount_limits",
)
TESTS = (
    "accounting", "admission", "backoff", "blocked", "carbon", "credit", "ends", "exits",
    "give_back", "lease_ends", "leases", "ledger", "lending", "loading", "owed", "presence",
    "quotas", "resumption", "usage_limits",
)  # fmt: skip

RECORDED = "tests/scheduler/test_recorded_state.py::test_journal_gives_the_decisions_on_record"

# The known mutant: a line of the ledger with the wrong sign, which the tests must detect.
KNOWN_MUTANT = (
    f"{CORE}/accounting/ledger.py",
    "account[line.unit] += line.amount",
    "account[line.unit] -= line.amount",
)

CONFIG = """\
[tool.mutmut]
source_paths = ["{core}"]
only_mutate = {files}
also_copy = ["entraide", "entraide_scheduler", "tests"]
pytest_add_cli_args_test_selection = {selection}
pytest_add_cli_args = ["-p", "no:cacheprovider"]
use_git_change_detection = false

[tool.pytest]
pythonpath = ["."]
addopts = ["--import-mode=importlib"]
"""


def tests() -> list[str]:
    """Returns the tests of the accounting, which take some seconds, and of recorded journals."""
    return [*(f"tests/core/test_{name}.py" for name in TESTS), RECORDED]


def stage(modules: list[str]) -> None:
    """Copies the packages and the tests under one root, with mutmut's configuration."""
    shutil.rmtree(BUILD, ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__")
    for source, name in (
        ("sdk/entraide", "entraide"),
        ("scheduler/entraide_scheduler", "entraide_scheduler"),
        ("tests", "tests"),
    ):
        shutil.copytree(ROOT / source, STAGE / name, ignore=skip)
    for conftest in (STAGE / "tests").rglob("conftest.py"):
        if conftest.parent.name != "core":  # the others start a bus, a browser or engines
            conftest.unlink()
    files = [f"{CORE}/{module}.py" for module in modules]
    config = CONFIG.format(core=CORE, files=json.dumps(files), selection=json.dumps(tests()))
    (STAGE / "pyproject.toml").write_text(config, "utf-8")


def failure() -> str:
    """Returns what pytest prints if a copied test fails on the copied code, else nothing."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests()]
    done = subprocess.run(
        command, cwd=STAGE, env=environment(), capture_output=True, text=True, check=False
    )
    return f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}" if done.returncode else ""


def environment() -> dict[str, str]:
    """Returns the environment variables of a process in the copy: its packages come first."""
    return {**os.environ, "PYTHONPATH": str(STAGE), "PYTHONDONTWRITEBYTECODE": "1"}


def check_that_tests_can_fail() -> None:
    """Exits unless the tests pass without a mutant and fail with the known one."""
    if problem := failure():
        sys.exit(f"{problem}\nthe tests fail without a mutant: the run is not valid")
    path, original, mutated = STAGE / KNOWN_MUTANT[0], KNOWN_MUTANT[1], KNOWN_MUTANT[2]
    text = path.read_text("utf-8")
    if text.count(original) != 1:
        sys.exit(
            f"{KNOWN_MUTANT[0]}: the line of the known mutant is missing: the run is not valid"
        )
    path.write_text(text.replace(original, mutated), "utf-8")
    survived = not failure()
    path.write_text(text, "utf-8")
    if survived:
        sys.exit("the known mutant survived: the run is not valid")


def run_mutmut(processes: int) -> None:
    """Runs mutmut in the copy, in a separate process, since its import reads the folder."""
    command = [sys.executable, str(Path(__file__).resolve()), "--staged", str(processes)]
    subprocess.run(command, cwd=STAGE, env=environment(), check=True)


def mutate_here(processes: int) -> None:
    """In the copy: adds the operators, runs mutmut and writes each survivor's diff."""
    import libcst as cst  # noqa: PLC0415 - only here, where mutmut may be imported
    from mutmut.mutation import mutators  # noqa: PLC0415

    def delete(node: cst.BaseSmallStatement) -> list[cst.BaseSmallStatement]:
        text = isinstance(node, cst.Expr) and isinstance(node.value, cst.BaseString)
        return [] if text else [cst.Pass()]

    def negate(node: cst.If) -> list[cst.If]:
        test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        turned = cst.UnaryOperation(cst.Not(whitespace_after=cst.SimpleWhitespace(" ")), test)
        return [node.with_changes(test=turned)]

    operators = list(mutators.mutation_operators)
    operators += [(kind, delete) for kind in (cst.Expr, cst.AugAssign, cst.Del, cst.Assert)]
    operators.append((cst.If, negate))
    mutators.mutation_operators[:] = operators  # type: ignore[index]

    from mutmut.__main__ import cli  # noqa: PLC0415
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: PLC0415

    cli(["run", "--max-children", str(processes)], standalone_mode=False)
    diffs = {}
    for meta in sorted(Path("mutants", CORE).glob("*.meta")):
        for name, code in json.loads(meta.read_text("utf-8"))["exit_code_by_key"].items():
            if not is_killed(code):
                diffs[name] = get_diff_for_mutant(name)
    Path("diffs.json").write_text(json.dumps(diffs), "utf-8")


def is_killed(code: int | None) -> bool:
    """Whether a mutant's tests failed, timed out (an endless loop) or crashed."""
    return code not in {None, 0, 5, 33, 34}


def changed_lines(diff: str) -> str:
    """Returns a diff's removed and added lines, without line numbers: they identify a survivor."""
    lines = [line for line in diff.splitlines() if re.match(r"[-+](?![-+]{2} )", line)]
    return "\n".join(line[0] + " " + line[1:].strip() for line in lines)


def listed() -> set[str]:
    """Returns the changes that docs/reference/mutants.md lists as equivalent."""
    blocks = re.findall(r"```diff\n(.*?)```", LISTED.read_text("utf-8"), re.DOTALL)
    return {changed_lines(block) for block in blocks}


def report(modules: list[str]) -> int:
    """Writes the report and prints its figures; returns 1 if a survivor is not listed."""
    diffs: dict[str, str] = json.loads((STAGE / "diffs.json").read_text("utf-8"))
    known, report = listed(), {}
    unknown = {name: diff for name, diff in diffs.items() if changed_lines(diff) not in known}
    for module in modules:
        meta = STAGE / f"mutants/{CORE}/{module}.py.meta"
        codes = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
        report[module] = {
            "mutants": len(codes),
            "killed": sum(is_killed(code) for code in codes.values()),
            "listed": sum(name in diffs and name not in unknown for name in codes),
            "survived": sum(name in unknown for name in codes),
        }
        print(f"{module:10}", *(f"{what} {count:5}" for what, count in report[module].items()))
    (BUILD / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    text = "".join(f"# {name}\n{diff}\n" for name, diff in unknown.items())
    (BUILD / "survivors.diff").write_text(text, "utf-8")
    if len(known) > LISTED_MOST:
        print(f"{LISTED.name} lists {len(known)} mutants; {LISTED_MOST} at most")
    return int(bool(unknown) or len(known) > LISTED_MOST)


def main() -> int:
    """Runs the mutation tests, for all modules or for those given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="these only")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--staged", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.staged:
        mutate_here(options.staged)
        return 0
    modules = options.modules or list(MODULES)
    stage(modules)
    check_that_tests_can_fail()
    run_mutmut(options.processes)
    return report(modules)


if __name__ == "__main__":
    sys.exit(main())
