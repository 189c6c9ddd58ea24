"""Wheels without a network: the checkout as another version, and installed packages repacked."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from importlib.metadata import Distribution, distribution
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.tags import sys_tags

from entraide.own_version import BUILT

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("sdk", "scheduler", "node_agent", "sim", "dashboard")
FILES = ("pyproject.toml", "README.md", "LICENSE", "scripts/build_hook.py")
SUPPORTED = frozenset(map(str, sys_tags()))
MIGRATION = '''"""A later schema."""

import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a table."""
    op.create_table("later", sa.Column("name", sa.String, primary_key=True))
'''


BROKEN = 'raise RuntimeError("broken on purpose")'


def build_version(folder: Path, version: str, change: Callable[[Path], None]) -> Path:
    """Builds a wheel of the checkout with another version number and a change to its sources."""
    source, out = folder / f"source-{version}", folder / f"wheel-{version}"
    source.mkdir()
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "scripts").mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    (source / "sdk/entraide" / BUILT).write_text(version, "ascii")
    change(source)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*command, str(out)], cwd=source, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return wheel


def add_migration(source: Path) -> None:
    """Gives a later version a later schema, so that this one cannot read its store."""
    folder = source / "scheduler/entraide_scheduler/store/migrations/versions"
    newest = max(folder.glob("m*.py")).name[1:5]
    (folder / "m9001_later.py").write_text(MIGRATION.format(head=newest))


def break_start(source: Path) -> None:
    """Makes a version fail once it has migrated the store."""
    add_migration(source)
    path = source / "scheduler/entraide_scheduler/service.py"
    text = path.read_text("utf-8")
    assert text.count("        policy = await load_policy(store, self._config)\n") == 1
    path.write_text(
        text.replace(
            "        policy = await load_policy(store, self._config)\n",
            f"        {BROKEN}\n",
        ),
        "utf-8",
    )


def hang_start(source: Path) -> None:
    """Makes a version stand still once it has migrated the store."""
    break_start(source)
    path = source / "scheduler/entraide_scheduler/service.py"
    text = path.read_text("utf-8")
    path.write_text(text.replace(BROKEN, "await asyncio.sleep(3_600)"), "utf-8")


def repack_installed(folder: Path, *extras: str) -> Path:
    """Makes wheels of the installed packages that some extras need, in a new folder."""
    folder.mkdir()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras for line in optional[extra])]
    waiting = [(Requirement(line), frozenset({""})) for line in lines]
    done: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        needed, chosen = waiting.pop()
        if needed.marker and not any(needed.marker.evaluate({"extra": each}) for each in chosen):
            continue
        package = (needed.name, frozenset(needed.extras or {""}))
        if package not in done:
            done.add(package)
            installed = distribution(needed.name)
            repack(installed, folder)
            waiting += [(Requirement(line), package[1]) for line in installed.requires or ()]
    return folder


def repack(installed: Distribution, folder: Path) -> None:
    """Makes the wheel of an installed package, unless it is there."""
    name = re.sub(r"[-_.]+", "_", installed.metadata["Name"]).lower()
    version = installed.version
    facts = installed.read_text("WHEEL") or ""
    listed = [line[5:] for line in facts.splitlines() if line.startswith("Tag: ")]
    tag = next((each for each in listed if each in SUPPORTED), listed[0])
    scripts = {point.name for point in installed.entry_points if point.group == "console_scripts"}
    path = folder / f"{name}-{version}-{tag}.whl"
    if path.exists():
        return
    info = ""
    with zipfile.ZipFile(path, "w") as archive:
        names = []
        for file in installed.files or ():
            place = PurePosixPath(file)
            if place.suffix == ".pyc" or place.name in {"RECORD", "INSTALLER", "REQUESTED"}:
                continue
            target = str(place)
            if place.parts[0] == "..":
                if place.parts[-2] != "bin" or place.name in scripts:
                    continue
                target = f"{name}-{version}.data/scripts/{place.name}"
            elif place.parts[0].endswith(".dist-info"):
                info = place.parts[0]
            archive.write(file.locate(), target)
            names.append(target)
        rows = [f"{each},," for each in (*names, f"{info}/RECORD")]
        archive.writestr(f"{info}/RECORD", "\n".join(rows) + "\n")
