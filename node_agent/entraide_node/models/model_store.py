"""The store: which weights lie on this machine's disk, each proven once and then remembered.

It decides where weights lie (``Artefact.place`` below its folder, so that the folder of any
machine can serve as a mirror), when a file counts as sound (its bytes had the catalogue's
checksum, and it has not changed since), and that one process at a time fills a place. It knows
neither engines nor where weights come from.

Its methods read whole files: call them off the event loop.
"""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.models import Artefact, ArtefactFile, Catalogue, ModelEntry
from entraide_node.core.model_fit import DISK_RESERVE_BYTES, TransferRates
from entraide_node.engines.base import EngineProblem

PROOFS_NAME = ".proofs.json"
SPEEDS_NAME = ".speeds.json"
PART_SUFFIX = ".part"
HUB_FOLDER = ".hub"
LOCKS_FOLDER = ".locks"
LOCK_POLL_S = 0.1
BLOCK_BYTES = 1024 * 1024
SPEED_LEAST_BYTES = 8 * 1024 * 1024  # a smaller file tells nothing of a line's speed
PLACES_MAX = 2_000

# What the system says when no more can be written, whichever limit it was.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class FileProof(Struct, frozen=True):
    """That a file had these bytes.

    Attributes:
        sha256: of its bytes.
        fingerprint: of the file as it was then; another one needs another proof.
    """

    sha256: str
    fingerprint: str


class StoredWeights(Struct, frozen=True):
    """Weights on the disk.

    Attributes:
        place: the folder's name below the store.
        model: public name of the model.
        size_bytes: of all that lies there, unfinished files too.
        complete: whether nothing is unfinished there.
    """

    place: str
    model: str
    size_bytes: int
    complete: bool


class ModelStore:
    """The weights of the catalogue's models on this machine.

    Args:
        folder: where they lie; made when first needed.
        room_bytes: of the disk that they never fill.
    """

    def __init__(self, folder: Path, *, room_bytes: int = DISK_RESERVE_BYTES) -> None:
        self.folder = folder
        self._room_bytes = room_bytes

    def file_path(self, model: str, artefact: Artefact, file: ArtefactFile) -> Path:
        """Returns where a file of an artefact lies, or would."""
        return self.folder / artefact.relative_folder(model) / file.name

    def part_path(self, model: str, artefact: Artefact, file: ArtefactFile) -> Path:
        """Returns where the file lies while it is not complete."""
        path = self.file_path(model, artefact, file)
        return path.with_name(path.name + PART_SUFFIX)

    def is_verified(self, model: str, artefact: Artefact, file: ArtefactFile) -> bool:
        """Whether a file is there, was proven, and has not changed since; reads no bytes of it."""
        path = self.file_path(model, artefact, file)
        proof = self._read_proofs(artefact.relative_folder(model)).get(file.name)
        return proof == FileProof(file.sha256, _fingerprint(path))

    def loadable_path(self, entry: ModelEntry, artefact: Artefact) -> Path | None:
        """Returns what an engine loads: the first file of a GGUF model, else the folder.

        None unless each file is pinned and proven: nothing else is ever loaded.
        """
        if not artefact.is_pinned or self.missing_bytes(entry.name, artefact):
            return None
        if artefact.format == "gguf":
            return self.file_path(entry.name, artefact, artefact.files[0])
        return self.folder / artefact.relative_folder(entry.name)

    def missing_bytes(self, model: str, artefact: Artefact) -> int:
        """Returns what must still be fetched, what lies there of unfinished files counted out."""
        missing = 0
        for file in artefact.files:
            if not self.is_verified(model, artefact, file):
                present_bytes = _size(self.part_path(model, artefact, file))
                missing += max(1, file.size_bytes - present_bytes)
        return missing

    def missing_bytes_by_place(self, catalogue: Catalogue) -> dict[str, int]:
        """Returns the same by place for all pinned weights of a catalogue: for ``fit.Room``."""
        return {
            artefact.relative_folder(entry.name): self.missing_bytes(entry.name, artefact)
            for entry in catalogue.models
            for artefact in entry.artefacts
            if artefact.is_pinned
        }

    def free_bytes(self) -> int:
        """Returns what the disk still takes of weights."""
        folder = next(f for f in (self.folder, *self.folder.absolute().parents) if f.exists())
        return max(0, shutil.disk_usage(folder).free - self._room_bytes)

    def verify_file(
        self, model: str, artefact: Artefact, file: ArtefactFile, *, source: Path | None = None
    ) -> bool:
        """Proves a file and puts it in its place; False, and nothing left of it, if it is wrong.

        Args:
            model: public name of the model.
            artefact: whose file it is.
            file: which one.
            source: where its bytes lie complete, inside the store; None for its place itself.

        Raises:
            OSError: the disk did not let us.
        """
        path = self.file_path(model, artefact, file)
        if source is None and self.is_verified(model, artefact, file):
            return True
        candidate = source or path
        if not candidate.is_file():
            return False
        if _size(candidate) != file.size_bytes or _sha256(candidate) != file.sha256:
            candidate.unlink(missing_ok=True)
            return False
        if candidate != path:
            path.parent.mkdir(parents=True, exist_ok=True)
            candidate.replace(path)
        self._record_proof(artefact.relative_folder(model), file)
        return True

    def import_file(
        self, model: str, artefact: Artefact, file: ArtefactFile, *, origin: Path
    ) -> bool:
        """Takes a file that lies elsewhere on this machine, without a second copy where it can.

        Raises:
            OSError: the disk did not let us.
        """
        if _size(origin) != file.size_bytes or _sha256(origin) != file.sha256:
            return False
        part = self.part_path(model, artefact, file)
        part.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        try:
            part.hardlink_to(origin.resolve())
        except OSError:
            shutil.copyfile(origin, part)
        return self.verify_file(model, artefact, file, source=part)

    def find_duplicate(self, file: ArtefactFile) -> Path | None:
        """Returns a proven file of the store with the same bytes, in whichever place."""
        for place in self._places():
            for name, proof in self._read_proofs(place).items():
                path = self.folder / place / name
                if proof == FileProof(file.sha256, _fingerprint(path)):
                    return path
        return None

    def find_shared(self, place: str, name: str) -> Path | None:
        """Returns a proven file by its place and name; None for anything else on this disk."""
        proof = self._read_proofs(place).get(name) if place in self._places() else None
        path = self.folder / place / name
        return path if proof and proof.fingerprint == _fingerprint(path) else None

    def list_stored(self) -> tuple[StoredWeights, ...]:
        """Returns what lies on the disk, by place."""
        return tuple(self._describe(place) for place in self._places())

    def used_bytes(self) -> int:
        """Returns what the weights take on the disk."""
        return sum(weights.size_bytes for weights in self.list_stored())

    def delete(self, place: str) -> int:
        """Deletes the weights of a place and returns the bytes that this gives back."""
        if place not in self._places():
            return 0
        size_bytes = self._describe(place).size_bytes
        shutil.rmtree(self.folder / place, ignore_errors=True)
        with contextlib.suppress(OSError):
            (self.folder / place).parent.rmdir()  # only when nothing else of the model is there
        return size_bytes

    def transfer_rates(self) -> TransferRates:
        """Returns how fast weights came the last time."""
        try:
            return decode_json((self.folder / SPEEDS_NAME).read_bytes(), type=TransferRates)
        except (OSError, msgspec.MsgspecError):
            return TransferRates()

    def record_speed(self, size_bytes: int, taken_s: float) -> None:
        """Remembers how fast weights came, half of it each time; small files tell nothing."""
        if size_bytes < SPEED_LEAST_BYTES or taken_s <= 0.0:
            return
        before = self.transfer_rates()
        mean = (before.network_bytes_per_s + size_bytes / taken_s) / 2
        after = msgspec.structs.replace(before, network_bytes_per_s=mean)
        with contextlib.suppress(OSError):
            _write(self.folder / SPEEDS_NAME, msgspec.json.encode(after))

    @asynccontextmanager
    async def lock_place(self, place: str) -> AsyncIterator[None]:
        """Holds a place for one filler at a time, over all processes of this machine.

        Raises:
            OSError: the folder cannot be written.
        """
        folder = self.folder / LOCKS_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{place.replace('/', '_')}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            while not _try_lock(descriptor):  # noqa: ASYNC110  (another process may hold it)
                await asyncio.sleep(LOCK_POLL_S)
            yield
        finally:
            os.close(descriptor)

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
        _write(self.folder / place / PROOFS_NAME, msgspec.json.encode(proofs))


def disk_problem(error: OSError, folder: Path, *, needed_bytes: int = 0) -> EngineProblem:
    """Returns why the disk did not let us: it is full, or something else."""
    if error.errno in FULL:
        free = 0.0
        with contextlib.suppress(OSError):
            free = round(shutil.disk_usage(folder).free / 1e9, 1)
        needed = round(needed_bytes / 1e9, 1)
        return EngineProblem("disk_full", {"free_gb": free, "needed_gb": needed})
    detail = str(error.strerror or error)
    return EngineProblem("models_unwritable", {"folder": str(folder), "detail": detail})


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _fingerprint(path: Path) -> str:
    """What changes when a file changes: a cheap stand-in for its bytes; "" without a file."""
    try:
        stat = path.stat()
    except OSError:
        return ""
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"


def _sha256(path: Path, update: Callable[[int], None] = lambda _: None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            update(len(block))
    return digest.hexdigest()
