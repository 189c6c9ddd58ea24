"""Builds the wheel, installs it without the sources, and tests it.

It checks that the wheel contains exactly the packages' files in git; that it installs with the
locked dependencies only; that the `entraide` command starts; that it can be installed as a tool in
an empty home, as on a member's machine; and that the tests that need no engine and no bus pass.
Everything runs in a temporary folder, so that the checkout cannot be imported.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import brotli
import environment

ROOT = environment.ROOT
PACKAGES = {
    "entraide": "sdk",
    "entraide_scheduler": "scheduler",
    "entraide_node": "node_agent",
    "entraide_sim": "sim",
    "entraide_dashboard": "dashboard",
}
# Copied; between them they import every part of the wheel.
TESTS = ("contract", "sdk", "node", "wheel")
DATA = ("data/templates",)
# Run; of the agent's tests, those that read what the wheel ships beside its modules, which do the
# same as from the checkout.
CHOSEN = (
    "contract", "sdk", "wheel", "node/test_device_catalogue.py", "node/test_doctor.py",
    "node/test_environments.py", "node/test_page.py", "node/test_page_form.py",
    "node/test_service.py",
)  # fmt: skip
BUILT_VERSION = "entraide/built_version.txt"
SMALL_BYTES = 512  # an asset below this has no compressed form
UNPACK = {"gz": gzip.decompress, "br": brotli.decompress}
SPREAD = ("-n", "logical", "--dist", "worksteal")
# The sentences are the same from the checkout: ``difference`` compares their files.
LEFT_OUT = ("sdk/test_i18n.py", "sdk/test_explanations.py")
# What those tests borrow from the others.
BORROWED = (
    "browser.py", "cases.py", "conftest.py", "fuzzing.py", "ports.py", "small_disk.py",
    "shares.py", "store_template.py", "waiting.py",
    "core/builders.py", "core/placement_checks.py", "data/answers.toml", "house/source.py",
    "integration/nats_support.py", "scheduler/rows.py",
)  # fmt: skip


def build(folder: Path) -> Path:
    """Builds the wheel of the checkout into a folder."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    subprocess.run([*command, "--outdir", folder, ROOT], check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


def sources() -> set[str]:
    """Returns the files in git that the wheel must contain, by their path in the wheel."""
    roots = [f"{folder}/{name}" for name, folder in PACKAGES.items()]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *roots],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout.splitlines()
    return {name.split("/", 1)[1] for name in listed if (ROOT / name).is_file()}


def compressed() -> set[str]:
    """Returns the compressed forms of the pages' assets, which are made for the wheel."""
    folder = "entraide_dashboard/assets"
    assets = [ROOT / "dashboard" / name for name in sources() if name.startswith(f"{folder}/")]
    return {
        f"{folder}/{asset.name}.{ending}"
        for asset in assets
        if asset.name != "index.html" and asset.stat().st_size >= SMALL_BYTES
        for ending in UNPACK
    }


def difference(wheel: Path) -> list[str]:
    """Returns a sentence for each file that is missing, superfluous or wrongly compressed."""
    forms = compressed()
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        altered = [
            f"{name} in the wheel is not its asset, compressed"
            for name in sorted(forms & held)
            if UNPACK[name.rpartition(".")[2]](archive.read(name))
            != archive.read(name.rpartition(".")[0])
        ]
    expected = sources() | forms | {BUILT_VERSION}
    lacking = [f"the wheel lacks {name}" for name in sorted(expected - held)]
    return (
        altered
        + lacking
        + [f"the wheel holds {name}, unknown to git" for name in sorted(held - expected)]
    )


def install(wheel: Path, folder: Path) -> Path:
    """Makes an environment of the locked packages and the wheel; returns its Python."""
    python = folder / "bin" / "python"
    venv.create(folder)
    uv: list[str | Path] = [
        environment.VENV / "bin" / "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
    ]
    variables = environment.uv_environment()
    steps: tuple[list[str | Path], ...] = (
        ["--require-hashes", "--no-build-isolation-package", "nkeys", "-r", environment.LOCK],
        ["--no-deps", wheel],
    )
    for step in steps:
        subprocess.run([*uv, *step], check=True, env=variables)
    return python


def tool_works(wheel: Path, home: Path) -> bool:
    """Installs the wheel as a member does, as a tool in an empty home, and asks a node for help."""
    home.mkdir()
    variables = environment.uv_environment()
    cache = subprocess.run(
        [environment.VENV / "bin" / "uv", "cache", "dir"],
        check=True, capture_output=True, text=True, env=variables,
    ).stdout.strip()  # fmt: skip
    variables = {key: value for key, value in variables.items() if not key.startswith("XDG_")}
    variables |= {"HOME": str(home), "UV_CACHE_DIR": cache}
    uv = [environment.VENV / "bin" / "uv", "tool", "install", "--quiet"]
    pins = ["--constraints", environment.LOCK, "--python", sys.executable]
    subprocess.run([*uv, *pins, f"{wheel}[node]"], check=True, env=variables, cwd=home)
    for words in (["node", "--help"], ["node", "hardware", "--json"]):
        command = [home / ".local/bin/entraide", *words]
        bare = {"HOME": str(home), "PATH": os.defpath}
        done = subprocess.run(command, check=False, env=bare, cwd=home, stdout=subprocess.DEVNULL)
        if done.returncode:
            return False
    return True


def run_tests(python: Path, folder: Path) -> int:
    """Copies the fast tests away from the sources and runs them; returns pytest's status."""
    for name in (*TESTS, *DATA):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "tests" / name, folder / "tests" / name, ignore=ignored)
    for name in BORROWED:
        (folder / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    options = ["-m", "pytest", "-q", *SPREAD, "-m", "not engines and not long and not checkout"]
    options += [f"--ignore=tests/{name}" for name in LEFT_OUT]
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    paths = [f"tests/{name}" for name in CHOSEN]
    return subprocess.run([python, *options, *paths], check=False, cwd=folder, env=clean).returncode


def main() -> int:
    """Builds, compares, installs and tests; returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="entraide-wheel-") as name:
        folder = Path(name)
        wheel = build(folder)
        wrong = difference(wheel)
        if wrong:
            print(*wrong, sep="\n")
            return 1
        python = install(wheel, folder / "venv")
        command = python.with_name("entraide")
        subprocess.run([command, "--help"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        (folder / "there").mkdir()
        with ThreadPoolExecutor(1) as beside:
            tool = beside.submit(tool_works, wheel, folder / "home")
            status = run_tests(python, folder / "there")
            if not tool.result():
                print("the wheel does not work as a tool in an empty home")
                return 1
        return status


if __name__ == "__main__":
    sys.exit(main())
