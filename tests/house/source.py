"""The checkout as the house's tests read it: which files there are, and their syntax trees."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "entraide": ROOT / "sdk",
    "entraide_scheduler": ROOT / "scheduler",
    "entraide_node": ROOT / "node_agent",
    "entraide_sim": ROOT / "sim",
    "entraide_dashboard": ROOT / "dashboard",
}
CORES = ("entraide_scheduler.core", "entraide_node.core")


@cache
def files() -> tuple[Path, ...]:
    """Every file of the checkout that git keeps or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return tuple(path for path in map(ROOT.joinpath, listed.splitlines()) if path.is_file())


def is_generated(path: Path) -> bool:
    """Whether a generator wrote the file, so that its form is not ours."""
    return path.is_relative_to(ROOT / "sdk/entraide/v1")


@cache
def written() -> tuple[Path, ...]:
    """Every Python file that a person wrote."""
    return tuple(path for path in files() if path.suffix == ".py" and not is_generated(path))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"), str(path))


@cache
def modules() -> dict[str, Path]:
    """The modules of our packages by import name, generated ones too."""
    paths = {}
    for name, root in PACKAGES.items():
        for path in files():
            if path.suffix == ".py" and path.is_relative_to(root / name):
                inside = path.relative_to(root).with_suffix("").parts
                paths[".".join(part for part in inside if part != "__init__")] = path
    return paths


def imports(module: str, path: Path) -> set[str]:
    """The absolute names that a module imports, lazily or not; `from a import b` is a and a.b."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def where(path: Path, line: int) -> str:
    """A place in the checkout as editors understand it."""
    return f"{path.relative_to(ROOT)}:{line}"
