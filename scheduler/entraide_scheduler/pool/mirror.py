"""Mirror: gathers in ``DIR/mirror`` what members install, for machines that reach only the pool.

In: the wheel of this version, ``node.lock``, and an index or a folder of wheels. Out: the wheels;
for each target the file ``TARGET.txt``, whose lines are ``name==version --hash=sha256:… # FILE``;
and ``targets.txt``. ``wheel_download`` fetches the files. Builds of Python in the folder stay
(``mirror_pythons``).
"""

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from entraide import __version__
from entraide.decoding import decode_json
from entraide.errors import PoolError
from entraide.files import write_private
from entraide.wire.enrolment import PYTHONS
from entraide_scheduler.gateway.machines import FOLDER, PYTHON_SUFFIX, TARGETS
from entraide_scheduler.pool.mirror_targets import Target, read_pins
from entraide_scheduler.pool.wheel_download import (
    PipProblem,
    build_wheel,
    describe_wheel,
    download_wheels,
    list_source_only,
    run_pip,
)

PACKAGE = "entraide"


class MirrorOptions(Struct, frozen=True):
    """What a mirror is made of.

    Attributes:
        targets: kinds of machines.
        wheel: wheel of this version; None to build it from the checkout that runs.
        source: folder of wheels to use instead of an index.
    """

    targets: tuple[Target, ...]
    wheel: Path | None = None
    source: Path | None = None


class Mirror(Struct, frozen=True):
    """A mirror: its targets, the targets left out with pip's reason, its files and their size."""

    targets: tuple[str, ...]
    left_out: dict[str, str]
    files: int
    size_bytes: int


class _DirectoryInfo(Struct, frozen=True):
    editable: bool = False


class _DirectUrl(Struct, frozen=True):
    """Where this installation came from, as its installer recorded it (PEP 610)."""

    url: str = ""
    dir_info: _DirectoryInfo | None = None


def build_mirror(state: Path, options: MirrorOptions, report: Callable[[str, str], None]) -> Mirror:
    """Makes the mirror of a pool's directory, in place of the one before.

    Args:
        state: the pool's directory.
        options: targets and sources.
        report: called with ``mirror-target`` and each target before it is gathered.

    Raises:
        PoolError: ``mirror_wheel_needed``, ``mirror_wheel_refused``, ``mirror_pip_missing``,
            ``mirror_failed`` if no target could be gathered.
    """
    if importlib.util.find_spec("pip") is None:
        raise PoolError("mirror_pip_missing", sys.prefix, values={"python": sys.executable})
    folder = state / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".work-") as name:
        work = Path(name)
        own = _find_own_wheel(options.wheel, work)
        try:
            pins = [pin for target in options.targets for pin in read_pins(target)]
            built = [build_wheel(pin, options.source, work) for pin in list_source_only(pins)]
        except PipProblem as problem:
            raise _failure(str(problem)) from problem
        requirements: dict[str, list[tuple[str, Path]]] = {}
        left_out: dict[str, str] = {}
        for target in options.targets:
            report("mirror-target", target.name)
            try:
                wheels = download_wheels(target, read_pins(target), options.source, work)
            except PipProblem as problem:
                left_out[target.name] = str(problem)
                continue
            requirements[target.name] = [describe_wheel(each) for each in [own, *built, *wheels]]
        if not requirements:
            raise _failure(next(iter(left_out.values()), ""))
        kept = _publish(folder, requirements)
    size = sum((folder / each).stat().st_size for each in kept)
    return Mirror(tuple(requirements), left_out, len(kept), size)


def _failure(problem: str) -> PoolError:
    return PoolError("mirror_failed", problem, values={"problem": problem})


def _publish(folder: Path, requirements: dict[str, list[tuple[str, Path]]]) -> set[str]:
    """Moves wheels, then lists, into the mirror; removes what no list names; returns the wheels."""
    kept = set()
    for listed in requirements.values():
        for _, wheel in listed:
            kept.add(wheel.name)
            if wheel.exists():  # else another target has moved the same file
                wheel.replace(folder / wheel.name)
    for target, listed in requirements.items():
        write_private(folder / f"{target}.txt", "".join(line for line, _ in listed).encode())
    names = "".join(f"{target}\n" for target in requirements)
    write_private(folder / TARGETS, names.encode())
    lists = {TARGETS, PYTHONS, *(f"{target}.txt" for target in requirements)}
    for path in folder.iterdir():
        is_python = path.name.endswith(PYTHON_SUFFIX)
        if path.is_file() and not is_python and path.name not in kept | lists:
            path.unlink()
    return kept


def knows_own_wheel() -> bool:
    """Whether a mirror can be made without naming a wheel: from the checkout, or its own wheel.

    What pip installed out of a folder, as that of a release, does not know where it came from.
    """
    origin = _read_origin()
    return _own_wheel(origin) is not None or _checkout(origin) is not None


def _own_wheel(origin: _DirectUrl) -> Path | None:
    path = _path_of(origin)
    is_file = origin.url.startswith("file://") and origin.dir_info is None and path.is_file()
    return path if is_file else None


def _checkout(origin: _DirectUrl) -> Path | None:
    path = _path_of(origin)
    is_checkout = origin.dir_info is not None and (path / "pyproject.toml").is_file()
    return path if is_checkout else None


def _path_of(origin: _DirectUrl) -> Path:
    return Path(unquote(urlsplit(origin.url).path))


def _find_own_wheel(given: Path | None, work: Path) -> Path:
    """Returns a copy of this version's wheel, given, installed from, or built from the checkout."""
    folder = work / "own"
    folder.mkdir()
    if given is not None:
        return _copy_own(given, folder)
    origin = _read_origin()
    wheel = _own_wheel(origin)
    if wheel is not None:
        return _copy_own(wheel, folder)
    checkout = _checkout(origin)
    if checkout is None:
        raise PoolError("mirror_wheel_needed", __version__, values={"version": __version__})
    isolation = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    try:
        run_pip("wheel", "--no-deps", *isolation, "--wheel-dir", str(folder), str(checkout))
    except PipProblem as problem:
        raise _failure(str(problem)) from problem
    (wheel,) = folder.iterdir()
    return wheel


def _read_origin() -> _DirectUrl:
    text = distribution(PACKAGE).read_text("direct_url.json")
    try:
        return decode_json(text or "{}", type=_DirectUrl)
    except msgspec.MsgspecError:
        return _DirectUrl()


def _copy_own(wheel: Path, folder: Path) -> Path:
    """Copies a wheel that is of this package and this version.

    Raises:
        PoolError: ``mirror_wheel_refused``.
    """
    try:
        name, version, _, _ = parse_wheel_filename(wheel.name)
        if (name, str(version)) != (PACKAGE, __version__):
            raise InvalidWheelFilename(f"{name} {version}")
        return Path(shutil.copy(wheel, folder))
    except (InvalidWheelFilename, OSError) as problem:
        raise PoolError(
            "mirror_wheel_refused",
            f"{wheel}: {problem}",
            values={"path": str(wheel), "version": __version__},
        ) from problem
