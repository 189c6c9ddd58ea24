"""Verifier: follows the signatures of a release from a trusted root to each of its files.

What a machine trusts lies in a folder of its own: the roots in ``root_history``, and the newest
timestamp, snapshot and targets that it accepted. With them the machine sees an earlier release, and
a release that is repeated after its end. The folder appears when a first release was accepted.

A *fingerprint* is ``sha256:`` and the SHA-256 of the bytes of one of the roots, in hexadecimal.
"""

import contextlib
import hashlib
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from tuf.api import exceptions as tuf_errors
from tuf.api.metadata import TargetFile, Targets
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from entraide.errors import PoolError
from entraide.files import PRIVATE_DIRECTORY_MODE
from entraide.printable import printable
from entraide.release.folder import METADATA, TARGETS

FORMAT = 1  # of ``STATEMENT`` and of the names of files; a later one needs a later version
STATEMENT = "x-entraide"  # signed with the targets: what the release says of itself
ROOTS_MAX = 256  # rotations of the root's keys that a machine follows at once
ROOT_BYTES_MAX = 512_000
FILES_MAX = 10_000  # files of one release
FILE_BYTES_MAX = 4 * 1024**3
LIST_BYTES_MAX = 1024 * 1024  # of a file that is read as a whole: a list of wheels
PROBLEM_CHARS_MAX = 200

_HISTORY = "root_history"
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")
_METADATA_FILE = re.compile(r"([0-9]+\.)?(root|timestamp|snapshot|targets)\.json")
# What the library raises on metadata that it cannot read, beside its own errors.
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Release(Struct, frozen=True):
    """A release whose signatures are right.

    Attributes:
        version: of Entraide.
        date: when it was made, ISO 8601, UTC.
        expires: until when it is the newest one at the latest, ISO 8601, UTC.
        is_expired: whether that moment has passed.
        root: fingerprint of the root that signs now.
        files: names of its files.
    """

    version: str
    date: str
    expires: str
    is_expired: bool
    root: str
    files: tuple[str, ...]


class _Statement(Struct, frozen=True):
    """What the maintainers signed with the targets, beside the digests."""

    format: int
    version: str
    date: str


class _RefusedFingerprint(tuf_errors.RepositoryError):
    """No root of the chain has the fingerprint that a person gave."""


class _Updater(Updater):
    """The library's client, which may read a release after its end."""

    def ignore_expiry(self) -> None:
        """Compares the ends of all metadata with the earliest moment instead of now."""
        self._trusted_set.reference_time = datetime.min.replace(tzinfo=UTC)

    @property
    def targets(self) -> Targets:
        """The verified list of files."""
        return self._trusted_set.targets

    @property
    def root_version(self) -> int:
        """The number of the root that signs now."""
        return self._trusted_set.root.version

    @property
    def history(self) -> Path:
        """The folder of the roots that this machine has seen."""
        return Path(self._dir) / _HISTORY

    def read_newest(self) -> dict[str, bytes]:
        """Returns targets, snapshot and timestamp as they came, by the names of a release."""
        trusted, folder = self._trusted_set, Path(self._dir)
        return {
            f"{trusted.targets.version}.targets.json": (folder / "targets.json").read_bytes(),
            f"{trusted.snapshot.version}.snapshot.json": (folder / "snapshot.json").read_bytes(),
            "timestamp.json": (folder / "timestamp.json").read_bytes(),
        }

    def find_end(self) -> datetime:
        """Returns the earliest end of the verified metadata."""
        trusted = self._trusted_set
        return min(role.expires for role in trusted)


class VerifiedRelease:
    """A release whose metadata were verified; its files are verified as they are copied."""

    def __init__(
        self, updater: _Updater, release: Release, fetcher: FetcherInterface, source: str
    ) -> None:
        self.release = release
        self._updater = updater
        self._fetcher = fetcher
        self._source = source

    def copy(self, folder: Path, names: Collection[str] | None = None) -> Path:
        """Copies files of the release into a folder, where a right file is kept.

        Args:
            folder: gets ``VERSION/FILE`` in place of an earlier version.
            names: of the files; None for all.

        Returns:
            The folder with the files, which holds no others.

        Raises:
            PoolError: ``release_changed``: a file is absent or is not the signed one;
                ``release_unreachable``: the source cannot be read, or the
                folder cannot be written.
        """
        version = self.release.version
        wanted = set(self.release.files if names is None else names)
        copied = folder / version
        with _refusals(self._source):
            _take_place_of_others(copied)
            for path in copied.iterdir():
                if path.name not in wanted:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in sorted(wanted):
            with _refusals(self._source, name):
                info = self._find(name)
                path = copied / name
                if self._updater.find_cached_target(info, str(path)) is None:
                    partial = copied / f".{name}"
                    self._updater.download_target(info, str(partial))
                    partial.replace(path)
        return copied

    def read(self, name: str) -> bytes:
        """Returns a file of the release, of ``LIST_BYTES_MAX`` at most.

        Raises:
            PoolError: as ``copy``.
        """
        with _refusals(self._source, name):
            info = self._find(name)
            length = min(info.length, LIST_BYTES_MAX)
            content = self._fetcher.download_bytes(f"{TARGETS}/{info.path}", length)
            info.verify_length_and_hashes(content)
            return content

    def read_metadata(self) -> dict[str, bytes]:
        """Returns the files of metadata by their names, byte by byte, the timestamp last.

        Raises:
            PoolError: as ``copy``.
        """
        with _refusals(self._source):
            return {
                **{f"{version}.root.json": self._read_root(version)
                   for version in range(1, self._updater.root_version + 1)},
                **self._updater.read_newest(),
            }  # fmt: skip

    def _read_root(self, version: int) -> bytes:
        name = f"{version}.root.json"
        own = self._updater.history / name
        if own.exists():
            return own.read_bytes()
        return self._fetcher.download_bytes(f"{METADATA}/{name}", ROOT_BYTES_MAX)

    def check(self) -> None:
        """Reads every file of the release, and copies none.

        Raises:
            PoolError: as ``copy``.
        """
        for name in self.release.files:
            with _refusals(self._source, name):
                info = self._find(name)
                url = f"{TARGETS}/{info.path}"
                with self._fetcher.download_file(url, info.length) as file:
                    info.verify_length_and_hashes(file)

    def _find(self, name: str) -> TargetFile:
        info = self._updater.targets.targets.get(f"{self.release.version}/{name}")
        if info is None:
            raise tuf_errors.LengthOrHashMismatchError(name)
        return info


def open_release(
    source: FetcherInterface,
    trusted: Path,
    *,
    name: str,
    root: str = "",
    accepts_expired: bool = False,
) -> VerifiedRelease:
    """Verifies the metadata of a release, and remembers them.

    Args:
        source: what the metadata and files come from.
        trusted: the folder of what this machine trusts; made if it does not exist.
        name: of the source, for errors.
        root: fingerprint that a root of the chain must have; "" to trust, the first time, the root
            of the source.
        accepts_expired: whether a release after its end is accepted.

    Raises:
        PoolError: ``release_unsigned``, ``release_changed``, ``release_older``, ``release_frozen``,
            ``release_format``, ``release_unreachable``, ``release_root_refused``.
    """
    if root and not _FINGERPRINT.fullmatch(root):
        raise PoolError("release_root_refused", root, values={"root": printable(root)})
    question = _Question(source, name, root, accepts_expired)
    with _refusals(name):
        roots = _list_roots(trusted)
        if not roots:
            return _trust_first(question, trusted)
        verified = _refresh(question, trusted, roots[0].read_bytes())
        if root and root not in map(_fingerprint_of, _list_roots(trusted)):
            _compare_chains(question, trusted, verified)
        return verified


class _Question(Struct, frozen=True):
    """The arguments of ``open_release``."""

    source: FetcherInterface
    name: str
    root: str
    accepts_expired: bool


def _trust_first(question: _Question, trusted: Path) -> VerifiedRelease:
    """Verifies a first release; its metadata are trusted only once all of them were verified."""
    first = _find_root(question.source, question.root)
    with _beside(trusted) as work:
        _refresh(question, work, first)
        shutil.copytree(work, trusted, symlinks=True, dirs_exist_ok=True)
    trusted.chmod(PRIVATE_DIRECTORY_MODE)
    return _refresh(question, trusted, first)


def _compare_chains(question: _Question, trusted: Path, verified: VerifiedRelease) -> None:
    """Refuses a fingerprint whose root does not lead to the root that this machine trusts."""
    with _beside(trusted) as work:
        chain = _refresh(question, work, _find_root(question.source, question.root))
    if chain.release.root != verified.release.root:
        raise _RefusedFingerprint(question.root)


@contextlib.contextmanager
def _beside(trusted: Path) -> Iterator[Path]:
    """Makes a temporary folder beside the folder of what is trusted."""
    trusted.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIRECTORY_MODE)
    with tempfile.TemporaryDirectory(dir=trusted.parent, prefix=".release-") as work:
        yield Path(work)


def _refresh(question: _Question, trusted: Path, first: bytes) -> VerifiedRelease:
    """Verifies the newest metadata of the source, from a root on whose bytes are trusted."""
    config = UpdaterConfig(
        max_root_rotations=ROOTS_MAX,
        root_max_length=ROOT_BYTES_MAX,
        prefix_targets_with_hash=False,
    )
    updater = _Updater(
        str(trusted), METADATA, target_base_url=TARGETS, fetcher=question.source, config=config,
        bootstrap=first,
    )  # fmt: skip
    if question.accepts_expired:
        updater.ignore_expiry()
    updater.refresh()
    root = _fingerprint_of(_list_roots(trusted)[-1])
    release = _describe(updater, root, question.name)
    return VerifiedRelease(updater, release, question.source, question.name)


def _take_place_of_others(copied: Path) -> None:
    """Makes a version's folder out of an earlier one, whose equal files need no download."""
    copied.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIRECTORY_MODE)
    for other in copied.parent.iterdir():
        if other == copied or not other.is_dir():
            continue
        if copied.exists():
            shutil.rmtree(other)
        else:
            other.rename(copied)
    copied.mkdir(exist_ok=True, mode=PRIVATE_DIRECTORY_MODE)


def _find_root(source: FetcherInterface, root: str) -> bytes:
    """Returns the root of the source that has a fingerprint; without one, the first root."""
    for version in range(1, ROOTS_MAX + 1):
        try:
            content = source.download_bytes(f"{METADATA}/{version}.root.json", ROOT_BYTES_MAX)
        except tuf_errors.DownloadHTTPError:
            if version == 1:
                raise
            break
        if root in ("", _fingerprint(content)):
            return content
    raise _RefusedFingerprint(root)


def _list_roots(trusted: Path) -> list[Path]:
    paths = (trusted / _HISTORY).glob("*.root.json")
    return sorted(paths, key=lambda path: int(path.name.partition(".")[0]))


def _fingerprint_of(path: Path) -> str:
    return _fingerprint(path.read_bytes())


def _fingerprint(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _describe(updater: _Updater, root: str, name: str) -> Release:
    """Returns what the signed targets say of the release.

    Raises:
        PoolError: ``release_format``: it cannot be read by this version.
    """
    targets = updater.targets
    try:
        said = msgspec.convert(targets.unrecognized_fields.get(STATEMENT), _Statement)
        datetime.fromisoformat(said.date)
    except (msgspec.ValidationError, ValueError) as problem:
        raise _format_error(name, str(problem)) from problem
    paths = [path.partition("/") for path in targets.targets]
    is_right = (
        said.format == FORMAT
        and _VERSION.fullmatch(said.version)
        and len(paths) <= FILES_MAX
        and all(folder == said.version and _is_name(file) for folder, _, file in paths)
        and all(info.length <= FILE_BYTES_MAX for info in targets.targets.values())
    )
    if not is_right:
        raise _format_error(name, f"{STATEMENT} {said.format}")
    end = updater.find_end()
    return Release(
        said.version,
        said.date,
        end.isoformat(),
        end <= datetime.now(UTC),
        root,
        tuple(sorted(file for _, _, file in paths)),
    )


def _is_name(file: str) -> bool:
    """Whether a file may have a name: a mirror keeps files and metadata in one folder."""
    return _FILE.fullmatch(file) is not None and _METADATA_FILE.fullmatch(file) is None


def _format_error(name: str, problem: str) -> PoolError:
    values = {"source": name, "problem": printable(problem)[:PROBLEM_CHARS_MAX]}
    return PoolError("release_format", f"{name}: {problem}", values=values)


@contextlib.contextmanager
def _refusals(source: str, file: str = "") -> Iterator[None]:
    """Makes one refusal out of each error of the library."""
    try:
        yield
    except (tuf_errors.RepositoryError, tuf_errors.DownloadError, OSError, *_MALFORMED) as problem:
        text = printable(str(problem))[:PROBLEM_CHARS_MAX] or type(problem).__name__
        values = {"source": source, "problem": f"{file}: {text}" if file else text}
        raise PoolError(_code_of(problem), f"{source}: {text}", values=values) from problem


def _code_of(problem: Exception) -> str:
    """Returns the code with which an error refuses a release."""
    match problem:
        case tuf_errors.ExpiredMetadataError():
            return "release_frozen"
        case tuf_errors.BadVersionNumberError():
            return "release_older"
        case tuf_errors.LengthOrHashMismatchError() | tuf_errors.DownloadLengthMismatchError():
            return "release_changed"
        case tuf_errors.DownloadHTTPError(status_code=403 | 404):
            return "release_changed"
        case tuf_errors.DownloadError() | OSError():
            return "release_unreachable"
        case _:
            return "release_unsigned"
