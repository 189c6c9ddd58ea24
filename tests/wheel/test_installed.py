"""What an installed Entraide must hold, wherever it was installed from."""

import importlib.metadata
import importlib.resources
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = [
    "entraide",
    "entraide_scheduler",
    "entraide_node",
    "entraide_sim",
    "entraide_dashboard",
]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_module_imports(name: str) -> None:
    """Each module of a package can be imported with the declared dependencies alone."""
    package = importlib.import_module(name)
    modules = [info.name for info in pkgutil.walk_packages(package.__path__, f"{name}.")]
    runnable = [module for module in modules if not module.endswith("__main__")]

    for module in runnable:
        importlib.import_module(module)


@pytest.mark.parametrize("name", PACKAGES)
def test_types_are_shipped(name: str) -> None:
    """Each package tells type checkers that it is typed."""
    marker = importlib.resources.files(name) / "py.typed"

    assert marker.is_file()


def test_command_and_its_parts_are_found() -> None:
    """The command exists, and its subcommands are found by entry points, each by its name."""
    commands = importlib.metadata.entry_points(group="console_scripts", name="entraide")
    parts = importlib.metadata.entry_points(group="entraide.cli")

    assert ["entraide.cli:main"] == [command.value for command in commands]
    assert {"chat", "node", "scheduler", "sim", "up"} <= {part.name for part in parts}
    assert all(callable(part.load()) for part in parts)


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_messages_are_shipped(lang: str) -> None:
    """The messages of both languages lie inside the package."""
    file = importlib.resources.files("entraide") / "locales" / f"{lang}.ftl"

    assert file.is_file()


def test_a_shipped_scenario_runs(tmp_path: Path) -> None:
    """A scenario is found by its name, and everything that it needs is installed with it."""
    command = [sys.executable, "-m", "entraide.cli", "sim", "run", "quartier", "--out", tmp_path]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, timeout=110)
    summary = json.loads((tmp_path / "summary.json").read_text())

    assert summary["jobs"] == summary["completed"] > 1_000
    assert (tmp_path / "report.html").stat().st_size > 10_000
