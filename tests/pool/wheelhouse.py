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

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("sdk", "scheduler", "node_agent", "sim", "dashboard")
FILES = ("README.md", "LICENSE")
OWN_VERSION = re.compile(r'^__version__ = ".*"$', re.MULTILINE)
SUPPORTED = frozenset(map(str, sys_tags()))
VERSION = re.compile(r'^version = ".*"$', re.MULTILINE)


def build_version(folder: Path, version: str, change: Callable[[Path], None]) -> Path:
    """Builds a wheel of the checkout with another version number and a change to its sources."""
    source, out = folder / f"source-{version}", folder / f"wheel-{version}"
    source.mkdir()
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (source / "pyproject.toml").write_text(VERSION.sub(f'version = "{version}"', project), "utf-8")
    face = source / "sdk/entraide/__init__.py"
    face.write_text(OWN_VERSION.sub(f'__version__ = "{version}"', face.read_text("utf-8")), "utf-8")
    change(source)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return wheel


def repack_installed(folder: Path, extra: str) -> Path:
    """Makes wheels of the installed packages that an extra needs, in a new folder."""
    folder.mkdir()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"][extra]]
    waiting = [(Requirement(line), frozenset({""})) for line in lines]
    done: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        needed, extras = waiting.pop()
        if needed.marker and not any(needed.marker.evaluate({"extra": each}) for each in extras):
            continue
        package = (needed.name, frozenset(needed.extras or {""}))
        if package not in done:
            done.add(package)
            installed = distribution(needed.name)
            _repack(installed, folder)
            waiting += [(Requirement(line), package[1]) for line in installed.requires or ()]
    return folder


def _repack(installed: Distribution, folder: Path) -> None:
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
