"""Wheel download: fetches the wheels of pinned packages with pip, each checked against its hashes.

In: a target, its pins, and an index or a folder of wheels. Out: the wheels in a folder. Packages
that come as source only are built here, as wheels for every machine.
"""

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from packaging.utils import parse_wheel_filename

from entraide_scheduler.pool.mirror_targets import Pin, Target

SOURCE_ONLY = ("nkeys",)  # of the locks; pure Python
PIP_TIMEOUT_S = 1_800.0
PROBLEM_CHARS_MAX = 300


class PipProblem(Exception):
    """pip failed; the text is its last error."""


def list_source_only(pins: Iterable[Pin]) -> list[Pin]:
    """Returns the packages that come as source only, each once."""
    listed = {pin.requirement: pin for pin in pins if _name(pin) in SOURCE_ONLY}
    return list(listed.values())


def _name(pin: Pin) -> str:
    return pin.requirement.partition("==")[0]


def download_wheels(
    target: Target, pins: Iterable[Pin], source: Path | None, work: Path
) -> list[Path]:
    """Downloads the wheels of a target's pins into a folder of its own, which is returned listed.

    Raises:
        PipProblem: pip failed.
    """
    folder = work / target.name
    folder.mkdir()
    listed = work / f"{target.name}.in"
    wheels = [pin for pin in pins if _name(pin) not in SOURCE_ONLY]
    listed.write_text("".join(f"{pin.format()}\n" for pin in wheels), "utf-8")
    platforms = [word for tag in target.platform_tags for word in ("--platform", tag)]
    run_pip(
        "download", "--no-deps", "--require-hashes", "--only-binary=:all:", *platforms,
        "--implementation", "cp", "--python-version", target.python,
        "--dest", str(folder), "--requirement", str(listed), source=source,
    )  # fmt: skip
    return sorted(folder.iterdir())


def build_wheel(pin: Pin, source: Path | None, work: Path) -> Path:
    """Builds the wheel of a package that comes as source only.

    Raises:
        PipProblem: pip failed, or the wheel is not for every machine.
    """
    folder = work / "built" / _name(pin)
    folder.mkdir(parents=True)
    listed = work / f"{_name(pin)}.in"
    listed.write_text(f"{pin.format()}\n", "utf-8")
    isolation = ["--no-build-isolation"] if importlib.util.find_spec("setuptools") else []
    run_pip(
        "wheel", "--no-deps", "--require-hashes", *isolation,
        "--wheel-dir", str(folder), "--requirement", str(listed), source=source,
    )  # fmt: skip
    (wheel,) = folder.iterdir()
    if not wheel.name.endswith("-none-any.whl"):
        raise PipProblem(wheel.name)
    return wheel


def run_pip(command: str, *arguments: str, source: Path | None = None) -> None:
    """Runs a command of pip, with an index or with a folder of wheels.

    Raises:
        PipProblem: it failed, or took more than ``PIP_TIMEOUT_S``.
    """
    index = ["--no-index", "--find-links", str(source)] if source is not None else []
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", command, "--quiet", *index]
    try:
        done = subprocess.run(
            [*argv, *arguments],
            capture_output=True, text=True, errors="replace", check=False, timeout=PIP_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as problem:
        raise PipProblem(f"{PIP_TIMEOUT_S:.0f} s") from problem
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or [""]
        raise PipProblem(errors[-1].removeprefix("ERROR: ")[:PROBLEM_CHARS_MAX])


def describe_wheel(wheel: Path) -> tuple[str, Path]:
    """Returns the line of a wheel in the requirements, and its file."""
    name, version, _, _ = parse_wheel_filename(wheel.name)
    with wheel.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return f"{name}=={version} --hash=sha256:{digest} # {wheel.name}\n", wheel
