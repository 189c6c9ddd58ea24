"""Model store: the weights on this machine's disk, each verified once.

A node has one, and a pool has one in ``DIR/weights``. Layout: ``Artefact.relative_folder`` below
the store's folder, so that the folder of any machine can serve as a mirror. A file is verified if
its bytes had the catalogue's checksum and its fingerprint has not changed since. One process at a
time fills a place. The methods read whole files: call them off the event loop.
"""

import contextlib
import errno
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.files import sync_directory, sync_file, write_atomically
from entraide.models import (
    DISK_RESERVE_BYTES,
    Artefact,
    ArtefactFile,
    Catalogue,
    ModelEntry,
    TransferRates,
)

WEIGHTS_FOLDER = "weights"  # of a pool's store, in the pool's directory
PROOFS_NAME = ".proofs.json"
SPEEDS_NAME = ".speeds.json"
PART_SUFFIX = ".part"
LOCKS_FOLDER = ".locks"
SPEED_LEAST_BYTES = 8 * 1024 * 1024  # a smaller file does not measure the network rate
PLACES_MAX = 2_000
BLOCK_BYTES = 1024 * 1024

# Errors for a full disk, a quota or a file size limit.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class FileProof(Struct, frozen=True):
    """The record of a verified file.

    Attributes:
        sha256: of its bytes.
        fingerprint: of the file at that time; another one requires a new verification.
    """

    sha256: str
    fingerprint: str


class StoredWeights(Struct, frozen=True):
    """Weights on the disk.

    Attributes:
        place: folder name below the store.
        model: public name of the model.
        size_bytes: of all files, incomplete ones included.
        complete: whether no file is incomplete.
    """

    place: str
    model: str
    size_bytes: int
    complete: bool


class ModelStore:
    """The weights of the catalogue's models on this machine.

    Args:
        folder: of the weights; created when needed.
        room_bytes: disk space that is never used.
    """

    def __init__(self, folder: Path, *, room_bytes: int = DISK_RESERVE_BYTES) -> None:
        self.folder = folder
        self._room_bytes = room_bytes

    def file_path(self, model: str, artefact: Artefact, file: ArtefactFile) -> Path:
        """Returns the path of a file of an artefact."""
        return self.folder / artefact.relative_folder(model) / file.name

    def part_path(self, model: str, artefact: Artefact, file: ArtefactFile) -> Path:
        """Returns the path of the incomplete file."""
        path = self.file_path(model, artefact, file)
        return path.with_name(path.name + PART_SUFFIX)

    def is_verified(self, model: str, artefact: Artefact, file: ArtefactFile) -> bool:
        """Whether a file is present, was verified, and has not changed; does not read its bytes."""
        path = self.file_path(model, artefact, file)
        proof = self._read_proofs(artefact.relative_folder(model)).get(file.name)
        return proof == FileProof(file.sha256, _fingerprint(path))

    def loadable_path(self, entry: ModelEntry, artefact: Artefact) -> Path | None:
        """Returns the path for an engine: the first file of a GGUF model, else the folder.

        None unless every file is pinned and verified: nothing else is ever loaded.
        """
        if not artefact.is_pinned or self.missing_bytes(entry.name, artefact):
            return None
        if artefact.format == "gguf":
            return self.file_path(entry.name, artefact, artefact.files[0])
        return self.folder / artefact.relative_folder(entry.name)

    def missing_bytes(self, model: str, artefact: Artefact) -> int:
        """Returns the bytes that must still be fetched, without those of incomplete files."""
        missing = 0
        for file in artefact.files:
            if not self.is_verified(model, artefact, file):
                present_bytes = _size(self.part_path(model, artefact, file))
                missing += max(1, file.size_bytes - present_bytes)
        return missing

    def missing_bytes_by_place(self, catalogue: Catalogue) -> dict[str, int]:
        """Returns the missing bytes of all pinned weights of a catalogue, for ``ModelCapacity``."""
        return {
            artefact.relative_folder(entry.name): self.missing_bytes(entry.name, artefact)
            for entry in catalogue.models
            for artefact in entry.artefacts
            if artefact.is_pinned
        }

    def free_bytes(self) -> int:
        """Returns the disk space that weights may still use."""
        folder = next(f for f in (self.folder, *self.folder.absolute().parents) if f.exists())
        return max(0, shutil.disk_usage(folder).free - self._room_bytes)

    def verify_file(
        self, model: str, artefact: Artefact, file: ArtefactFile, *, source: Path | None = None
    ) -> bool:
        """Verifies a file and moves it to its place; deletes it and returns False if it is wrong.

        Args:
            model: public name of the model.
            artefact: that the file belongs to.
            file: the file.
            source: the complete file inside the store; None for its place.

        Raises:
            OSError: of the disk.
        """
        path = self.file_path(model, artefact, file)
        if source is None and self.is_verified(model, artefact, file):
            return True
        candidate = source or path
        if not candidate.is_file():
            return False
        if _size(candidate) != file.size_bytes or compute_sha256(candidate) != file.sha256:
            candidate.unlink(missing_ok=True)
            return False
        self._place_file(model, artefact, file, source=candidate)
        return True

    def _place_file(
        self, model: str, artefact: Artefact, file: ArtefactFile, *, source: Path
    ) -> None:
        """Moves a file with the catalogue's bytes to its place and records the proof."""
        path = self.file_path(model, artefact, file)
        if source != path:
            path.parent.mkdir(parents=True, exist_ok=True)
            sync_file(source)  # the proof must not outlive the bytes
            source.replace(path)
            sync_directory(path.parent)
        self._record_proof(artefact.relative_folder(model), file)

    def import_file(
        self,
        model: str,
        artefact: Artefact,
        file: ArtefactFile,
        *,
        origin: Path,
        known_sha256: str = "",
        on_bytes: Callable[[int], None] = lambda _bytes: None,
    ) -> bool:
        """Imports a file from elsewhere on this machine, by a hard link if possible.

        A file of another owner is copied, since its owner may withdraw it. The bytes are read
        once at most.

        Args:
            model: public name of the model.
            artefact: that the file belongs to.
            file: the file.
            origin: path of the file elsewhere.
            known_sha256: checksum of the origin, if the caller has just computed it.
            on_bytes: called with the number of bytes of each block that was read.

        Returns:
            Whether the file is in its place; False if its bytes are others than the catalogue's.

        Raises:
            OSError: of the disk; nothing is left of the copy.
        """
        if _size(origin) != file.size_bytes:
            return False
        part = self.part_path(model, artefact, file)
        part.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        try:
            if _link(origin.resolve(), part):
                sha256 = known_sha256 or compute_sha256(part, on_bytes)
            else:
                sha256 = _copy(origin, part, on_bytes)
            if sha256 == file.sha256:
                self._place_file(model, artefact, file, source=part)
                return True
        finally:
            part.unlink(missing_ok=True)
        return False

    def find_duplicate(self, file: ArtefactFile) -> Path | None:
        """Returns a verified file of the store with the same bytes, in any place."""
        for place in self._places():
            for name, proof in self._read_proofs(place).items():
                path = self.folder / place / name
                if proof == FileProof(file.sha256, _fingerprint(path)):
                    return path
        return None

    def find_shared(self, place: str, name: str) -> Path | None:
        """Returns a verified file by place and name; None for any other path."""
        proof = self._read_proofs(place).get(name) if place in self._places() else None
        path = self.folder / place / name
        return path if proof and proof.fingerprint == _fingerprint(path) else None

    def list_stored(self) -> tuple[StoredWeights, ...]:
        """Returns the weights on the disk, by place."""
        return tuple(self._describe(place) for place in self._places())

    def used_bytes(self) -> int:
        """Returns the disk space of the weights."""
        return sum(weights.size_bytes for weights in self.list_stored())

    def delete(self, place: str) -> int:
        """Deletes the weights of a place; returns the freed bytes."""
        if place not in self._places():
            return 0
        size_bytes = self._describe(place).size_bytes
        self._remove(place)
        return size_bytes

    def discard(self, model: str, artefact: Artefact) -> None:
        """Deletes what is there of an artefact, also without a proof and a partial file."""
        self._remove(artefact.relative_folder(model))

    def _remove(self, place: str) -> None:
        shutil.rmtree(self.folder / place, ignore_errors=True)
        with contextlib.suppress(OSError):
            (self.folder / place).parent.rmdir()  # only when nothing else of the model is there

    def transfer_rates(self) -> TransferRates:
        """Returns the measured transfer rates of weights."""
        try:
            return decode_json((self.folder / SPEEDS_NAME).read_bytes(), type=TransferRates)
        except (OSError, msgspec.MsgspecError):
            return TransferRates()

    def record_speed(self, size_bytes: int, taken_s: float) -> None:
        """Updates the network rate as the mean of old and new value; ignores small files."""
        if size_bytes < SPEED_LEAST_BYTES or taken_s <= 0.0:
            return
        before = self.transfer_rates()
        mean = (before.network_bytes_per_s + size_bytes / taken_s) / 2
        after = msgspec.structs.replace(before, network_bytes_per_s=mean)
        with contextlib.suppress(OSError):
            write_atomically(self.folder / SPEEDS_NAME, msgspec.json.encode(after))

    def _places(self) -> list[str]:
        proofs = self.folder.glob(f"*/*/{PROOFS_NAME}")
        parts = self.folder.glob(f"*/*/*{PART_SUFFIX}")
        names = {path.parent.relative_to(self.folder).as_posix() for path in (*proofs, *parts)}
        return sorted(names)[:PLACES_MAX]

    def _describe(self, place: str) -> StoredWeights:
        paths = [path for path in (self.folder / place).rglob("*") if path.is_file()]
        return StoredWeights(
            place=place,
            model=place.partition("/")[0],
            size_bytes=sum(map(_size, paths)),
            complete=not any(path.name.endswith(PART_SUFFIX) for path in paths),
        )

    def _read_proofs(self, place: str) -> dict[str, FileProof]:
        try:
            kept = (self.folder / place / PROOFS_NAME).read_bytes()
            return decode_json(kept, type=dict[str, FileProof])
        except (OSError, msgspec.MsgspecError):
            return {}

    def _record_proof(self, place: str, file: ArtefactFile) -> None:
        path = self.folder / place / file.name
        proofs = self._read_proofs(place) | {file.name: FileProof(file.sha256, _fingerprint(path))}
        write_atomically(self.folder / place / PROOFS_NAME, msgspec.json.encode(proofs))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _fingerprint(path: Path) -> str:
    """A value that changes when the file changes, without reading its bytes; "" without a file."""
    try:
        stat = path.stat()
    except OSError:
        return ""
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"


def compute_sha256(path: Path, on_bytes: Callable[[int], None] = lambda _bytes: None) -> str:
    """Returns the SHA-256 of a file, hexadecimal; reports the size of each block that it reads.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            on_bytes(len(block))
    return digest.hexdigest()


def can_link(origin: Path, folder: Path) -> bool:
    """Whether a file may be linked into a folder: one file system, and the folder's owner.

    Raises:
        OSError: one of them is missing.
    """
    file, parent = origin.stat(), folder.stat()
    return (file.st_dev, file.st_uid) == (parent.st_dev, parent.st_uid)


def _link(origin: Path, target: Path) -> bool:
    """Makes a hard link if possible; returns whether it did."""
    try:
        if can_link(origin, target.parent):
            target.hardlink_to(origin)
            return True
    except OSError:
        pass
    return False


def _copy(origin: Path, target: Path, on_bytes: Callable[[int], None]) -> str:
    """Copies a file; returns the SHA-256 of the bytes."""
    digest = hashlib.sha256()
    with origin.open("rb") as source, target.open("wb") as copy:
        while block := source.read(BLOCK_BYTES):
            copy.write(block)
            digest.update(block)
            on_bytes(len(block))
    return digest.hexdigest()
