"""Mirror of Pythons: standalone builds of CPython, for machines that have none or an old one.

In: the builds of ``pythons.toml``, pinned by SHA-256, and their source: the release page, or
folders of the operator. Out: in ``DIR/mirror`` an archive for each platform, and ``pythons.txt``
with a line ``PLATFORM PYTHON SHA256 BYTES FILE`` for each archive. An archive that is there and
whole is not fetched again. The install script reads the list.
"""

import hashlib
import http.client
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from entraide.decoding import decode_toml
from entraide.files import write_private
from entraide.wire.enrolment import PYTHONS
from entraide_scheduler.gateway.machines import PYTHON_SUFFIX

PINS = "pythons.toml"
BUILD_BYTES_MAX = 256 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024
IDLE_TIMEOUT_S = 30.0
LIST_WORDS = 5


class PythonBuild(Struct, frozen=True, forbid_unknown_fields=True):
    """An archive with a relocatable Python in its folder ``python``.

    Attributes:
        platform: one of ``mirror_targets.PLATFORMS``.
        file: its name at the source and in the mirror.
        sha256: of its bytes, hexadecimal.
    """

    platform: str
    file: str
    sha256: str


class PythonBuilds(Struct, frozen=True, forbid_unknown_fields=True):
    """The builds of one release.

    Attributes:
        python: version of Python, ``3.13.14``.
        release: its name at the source.
        source: address of the releases.
        builds: one for each platform.
    """

    python: str
    release: str
    source: str
    builds: tuple[PythonBuild, ...]

    @property
    def target_python(self) -> str:
        """The version as a mirror's target has it, ``3.13``."""
        return ".".join(self.python.split(".")[:2])

    def url_of(self, build: PythonBuild) -> str:
        """Returns the address of a build at the source."""
        return f"{self.source}/{self.release}/{quote(build.file)}"


class _Listed(Struct, frozen=True):
    """A build of the mirror: its version as a target has it, ``3.13``, and its size."""

    python: str
    build: PythonBuild
    size_bytes: int

    @property
    def target(self) -> str:
        return f"{self.build.platform}-{self.python}"

    @property
    def line(self) -> str:
        build = self.build
        return f"{build.platform} {self.python} {build.sha256} {self.size_bytes} {build.file}\n"


class PythonFault(Struct, frozen=True):
    """Why a build is not in the mirror.

    Attributes:
        code: ``absent`` (no folder has it), ``changed`` (its bytes are not the pinned ones) or
            ``unreachable`` (it could not be fetched).
        platform, file: of the build.
        detail: the system's reason.
    """

    code: str
    platform: str
    file: str
    detail: str = ""


class GatheredPythons(Struct, frozen=True):
    """The platforms of which the mirror has a build, the size of these, and what is missing."""

    platforms: tuple[str, ...]
    size_bytes: int
    faults: tuple[PythonFault, ...]


def read_builds() -> PythonBuilds:
    """Returns the pinned builds."""
    text = (files("entraide_scheduler.pool") / PINS).read_text("utf-8")
    return msgspec.convert(decode_toml(text), PythonBuilds)


def gather_pythons(
    folder: Path,
    targets: Sequence[str],
    pinned: PythonBuilds,
    *,
    folders: Sequence[Path] = (),
    is_offline: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> GatheredPythons:
    """Gathers the builds that fit a mirror's targets, and lists them.

    Where a build cannot be gathered, the mirror keeps the one of a former release, if it has one.

    Args:
        folder: of the mirror.
        targets: names of its targets; a build whose target is not among them is left out.
        pinned: the builds.
        folders: that may have archives; the source is asked only for what they lack.
        is_offline: whether the source is not asked.
        report: called with the platform before an archive is fetched.
    """
    former = _read_list(folder)
    listed: dict[str, _Listed] = {}
    faults: list[PythonFault] = []
    for build in pinned.builds:
        if f"{build.platform}-{pinned.target_python}" not in targets:
            continue
        if not _is_whole(folder / build.file, build.sha256):
            url = "" if is_offline else pinned.url_of(build)
            fault = _take(folder, build, folders, url, report)
            if fault is not None:
                faults.append(fault)
                kept_build = former.get(build.platform)
                if kept_build is not None and kept_build.target in targets:
                    listed[build.platform] = kept_build
                continue
        size_bytes = (folder / build.file).stat().st_size
        listed[build.platform] = _Listed(pinned.target_python, build, size_bytes)
    write_private(folder / PYTHONS, "".join(each.line for each in listed.values()).encode())
    kept = {each.build.file for each in listed.values()}
    for path in folder.iterdir():
        if path.name.endswith(PYTHON_SUFFIX) and path.name not in kept:
            path.unlink()
    size_bytes = sum(each.size_bytes for each in listed.values())
    return GatheredPythons(tuple(listed), size_bytes, tuple(faults))


def _read_list(folder: Path) -> dict[str, _Listed]:
    """Returns the builds of a mirror's list that are there and whole, by platform."""
    try:
        lines = (folder / PYTHONS).read_text("utf-8").splitlines()
    except OSError:
        return {}
    listed = {}
    for words in map(str.split, lines):
        if len(words) != LIST_WORDS or not words[3].isdecimal():
            continue
        platform, python, sha256, size, file = words
        if _is_whole(folder / Path(file).name, sha256):
            listed[platform] = _Listed(python, PythonBuild(platform, file, sha256), int(size))
    return listed


def _take(
    folder: Path, build: PythonBuild, folders: Sequence[Path], url: str,
    report: Callable[[str], None],
) -> PythonFault | None:  # fmt: skip
    """Puts an archive into the mirror, from a folder, else from its address."""
    archive = next((each / build.file for each in folders if (each / build.file).is_file()), None)
    if archive is None and not url:
        return _fault("absent", build)
    if archive is None:
        report(build.platform)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".work-") as work:
        path = Path(work) / build.file
        try:
            with path.open("wb") as written, _open(archive, url) as source:
                for block in _blocks(source):
                    written.write(block)
                missing = getattr(source, "length", 0)  # what an answer announced and did not send
                if missing:
                    raise http.client.IncompleteRead(b"", missing)
        except (OSError, http.client.HTTPException) as problem:
            reason = getattr(problem, "reason", "") or problem  # of the connection, if that failed
            detail = f"{archive or urlsplit(url).hostname}: {reason or type(problem).__name__}"
            return _fault("unreachable", build, detail)
        if not _is_whole(path, build.sha256):
            return _fault("changed", build, str(archive or url))
        path.replace(folder / build.file)
    return None


def _open(archive: Path | None, url: str) -> BinaryIO | http.client.HTTPResponse:
    if archive is not None:
        return archive.open("rb")
    answer: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310  (a pinned address)
        url, timeout=IDLE_TIMEOUT_S
    )
    return answer


def _blocks(source: BinaryIO | http.client.HTTPResponse) -> Iterator[bytes]:
    """Yields what a source has, and one block more than the limit at most."""
    for _ in range(BUILD_BYTES_MAX // BLOCK_BYTES + 1):
        block = source.read(BLOCK_BYTES)
        if not block:
            return
        yield block


def _fault(code: str, build: PythonBuild, detail: str = "") -> PythonFault:
    return PythonFault(code, build.platform, build.file, detail)


def _is_whole(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == sha256
    except OSError:
        return False
