"""The checkout as the house's tests read it: which files there are, and their syntax trees."""

import ast
import gc
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


def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return _parsed()[path][0]


def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file's syntax tree, as `ast.walk` yields them."""
    return _parsed()[path][1]


@cache
def _parsed() -> dict[Path, tuple[ast.Module, tuple[ast.AST, ...]]]:
    """Every Python file's syntax tree and its nodes, which live as long as the process.

    There are more than a million nodes. The garbage collector would look at them again and again,
    which takes several times as long as parsing: it is off meanwhile, and `freeze` hides them.
    """
    gc.collect()  # what is garbage now is not to be hidden
    gc.disable()
    try:
        parsed = {}
        for path in {*written(), *modules().values()}:
            module = ast.parse(path.read_text("utf-8"), str(path))
            parsed[path] = (module, tuple(ast.walk(module)))
        return parsed
    finally:
        gc.freeze()
        gc.enable()


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


@cache
def imports(module: str, path: Path) -> frozenset[str]:
    """The absolute names that a module imports, lazily or not; `from a import b` is a and a.b."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(names)


def where(path: Path, line: int) -> str:
    """A place in the checkout as editors understand it."""
    return f"{path.relative_to(ROOT)}:{line}"
