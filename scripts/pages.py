"""Builds the web pages of ``dashboard/`` into ``entraide_dashboard/assets``, which git keeps.

The types of the API are made from the OpenAPI document of the code; git does not keep them. The
assets are compressed when a wheel is built. `--check` builds them elsewhere, from packages that
`npm ci` installs anew, and compares each byte. Needs Node 20.19 or newer with npm; nothing else of
the repository does.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from entraide_scheduler.gateway import openapi
from entraide_scheduler.gateway.routes import PATHS

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "dashboard"
ASSETS = PAGES / "entraide_dashboard" / "assets"
TYPES = PAGES / "src" / "openapi.d.ts"
NODE_MIN = (20, 19)


def run(*command: str | Path, **environment: str) -> None:
    """Runs a command in the pages' folder, and ends this script if it fails."""
    done = subprocess.run(command, cwd=PAGES, env={**os.environ, **environment}, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed")


def require_node() -> None:
    """Ends this script with a sentence if Node is missing or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        sys.exit("The pages are built with Node and npm: install the packages nodejs and npm.")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2])
    if version < NODE_MIN:
        sys.exit(f"The pages are built with Node {NODE_MIN[0]}.{NODE_MIN[1]} or newer, not {said}")


def write_types(folder: Path) -> None:
    """Writes the types of the API, from the OpenAPI document that the code serves."""
    document = openapi.build_document(PATHS)
    document["info"]["version"] = ""  # a release changes no type
    source = folder / "openapi.json"
    source.write_bytes(msgspec.json.encode(document))
    run("node_modules/.bin/openapi-typescript", source, "--output", TYPES)


def differences(built: Path) -> list[str]:
    """Returns a sentence for each asset that differs from a new build."""
    kept, made = ({entry.name for entry in folder.iterdir()} for folder in (ASSETS, built))
    same, _, _ = filecmp.cmpfiles(ASSETS, built, kept & made, shallow=False)
    changed = (kept & made) - set(same)
    return [
        *(f"{name} differs from a new build" for name in sorted(changed)),
        *(f"{name} is missing" for name in sorted(made - kept)),
        *(f"{name} is no longer built" for name in sorted(kept - made)),
    ]


def check(folder: Path) -> int:
    """Compares the assets with new ones; returns the exit status."""
    run("npm", "run", "--silent", "build", PAGES_OUT=str(folder / "assets"))
    problems = differences(folder / "assets")
    for problem in problems:
        print(f"dashboard: {problem}; run `make pages`", file=sys.stderr)
    return 1 if problems else 0


def main() -> int:
    """Installs, checks types, runs the tests of the modules, and builds or compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and change nothing")
    arguments = parser.parse_args()
    require_node()
    if arguments.check or not (PAGES / "node_modules").is_dir():
        run("npm", "ci", "--silent")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_types(folder)
        run("npm", "run", "--silent", "types")
        run("npm", "run", "--silent", "test")
        if arguments.check:
            return check(folder)
    run("npm", "run", "--silent", "build")
    return 0


if __name__ == "__main__":
    sys.exit(main())
